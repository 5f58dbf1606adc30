/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of a Unix socket with a descriptor beside them: unix(7), SCM_RIGHTS. By sendmsg and recvmsg alone. */
#ifndef QUOD_BASE_BESIDE_H
#define QUOD_BASE_BESIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Sends the whole message, and a copy of `beside_fd` with it unless that is -1. MSG_NOSIGNAL is implied. False with errno. */
bool beside_send(int socket_fd, const void *message, size_t len, int beside_fd, int flags);

/* As recvmsg; *beside_fd (O_CLOEXEC, the caller's) is the descriptor that came with it, or -1. */
ssize_t beside_receive(int socket_fd, void *message, size_t room, int *beside_fd, int flags);

#endif
