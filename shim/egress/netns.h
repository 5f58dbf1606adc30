/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces by descriptor: compare, enter. */
#ifndef QUOD_EGRESS_NETNS_H
#define QUOD_EGRESS_NETNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "shim/base/err.h"

/* Descriptor of a process's network namespace (/proc/PID/ns/net), or of the calling thread's for pid 0. */
int netns_open(pid_t pid, struct err *err);

/* 1 when both descriptors are the same namespace (device and inode), 0 when not, negative errno. */
int netns_is_same(int a_fd, int b_fd, struct err *err);

/* Does a process other than `except` (0: none) live in it? 1, 0, or a negative errno. One that has sent only a thread there
 * isn't seen, nor is whom /proc hides from the caller. */
int netns_is_inhabited(int netns_fd, pid_t except, struct err *err);

/* Enters the namespace for good. Refuses (EPERM) the one of pid 1 and the caller's own: the host's is never touched. */
int netns_enter(int netns_fd, struct err *err);

/* Runs `function` in a thread, which may enter a namespace and ends there: only the host's root could come back from one.
 * Descriptors that it opens stay. Returns what it returned, or -errno when there is no thread. */
int netns_run_aside(int (*function)(void *data), void *data, struct err *err);

#endif
