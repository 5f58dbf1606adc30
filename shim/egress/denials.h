/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table refuses, as the kernel tells it (NFLOG): the head of each refused packet, at most so many a second, and by its
 * mark why. The packet is the container's: hostile. Who reads needs no capability; who opens the socket needs CAP_NET_ADMIN.
 */
#ifndef QUOD_EGRESS_DENIALS_H
#define QUOD_EGRESS_DENIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"

#define DENIALS_GROUP 81
#define DENIALS_BYTES 128u	/* of each packet */
#define DENIALS_PER_SECOND 100u

/* Why; the table says it by the packet's mark. */
enum denial_reason {
	DENIED_UNLISTED,	/* no entry allows it */
	DENIED_RULE,		/* egress.deny */
	DENIED_NEVER,		/* never reachable */
	DENIED_ROUTE,		/* names a further stop, or has options */
	DENIED_SPENT,		/* budgets.egress */
	DENIED_LAPSED,		/* nobody renews the switch */
	DENIED_OWN,		/* the warden's own ports or connections */
	DENIED_CAP,		/* egress.caps: one of them is spent, `cap` */
	DENIAL_REASONS,
};
#define DENIAL_MARK 0x51510000u	/* and which cap, and a reason; nobody in the container can set a mark */
#define DENIAL_CAP_SHIFT 8

/* Where the proof knocks at each start to see that it is refused, by TCP, beside the warden's port for names: none of the
 * container's doing. TEST-NET-1, RFC 5737: nobody's. */
#define DENIALS_TRIED_TEXT "192.0.2.1"
#define DENIALS_TRIED_BYTES { 192, 0, 2, 1 }
#define DENIALS_TRIED_PORT 9

struct denial {
	uint8_t family;		/* 4 or 6 */
	uint8_t protocol;	/* IPPROTO_*; ICMPv6 is IPPROTO_ICMP here */
	bool has_port;		/* of TCP and UDP, where the packet has it */
	uint16_t port;		/* host order */
	uint8_t reason;		/* enum denial_reason */
	uint8_t cap;		/* DENIED_CAP: which of the ruleset's */
	uint8_t address[16];	/* where it was meant to go; network order, v4 in the first four */
};

/* A socket of the calling thread's network namespace that gets what is refused there; a descriptor (O_CLOEXEC, not blocking)
 * or a negative errno. */
int denials_open(struct err *err);

/* What has come: up to `room` denials; their number, 0 when there is none. *lost grows by messages that didn't fit the socket
 * or were not understood. Allocates nothing. */
size_t denials_read(int fd, struct denial *denials, size_t room, uint32_t *lost);

/* The head of an IP packet; false for what is none. Pure. */
bool denial_parse(const uint8_t *packet, size_t size, struct denial *denial);

#endif
