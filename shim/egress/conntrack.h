/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container's connections as the kernel counts them: each that was let out, when it begins, and when it is forgotten with
 * its bytes and its time. Who reads needs no capability; who opens the socket needs CAP_NET_ADMIN.
 */
#ifndef QUOD_EGRESS_CONNTRACK_H
#define QUOD_EGRESS_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"

struct tracked {
	bool is_end;
	uint8_t family;			/* 4 or 6 */
	uint8_t protocol;		/* IPPROTO_*; ICMPv6 is IPPROTO_ICMP here */
	uint16_t port;			/* of the other side, host order; 0 of ICMP */
	uint8_t address[16];		/* network order, v4 in the first four */
	uint64_t out_bytes, in_bytes, lasted_ms;	/* at the end; IP bytes */
};

/* Has the connections of the calling thread's network namespace counted from now on, and forgotten ten seconds after their end;
 * a socket that is told of them (O_CLOEXEC, not blocking), or a negative errno. */
int conntrack_open(struct err *err);

/* What has come, of connections that the table let out alone: up to `room`; their number, 0 when there is none. *lost grows by
 * messages that didn't fit the socket. Allocates nothing. */
size_t conntrack_read(int fd, struct tracked *tracked, size_t room, uint32_t *lost);

/* Ends what is tracked in nl_fd's namespace: each is told. */
int conntrack_flush(int nl_fd, struct err *err);

#endif
