/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nf_tables table of one container: what it holds (struct ruleset, made by policy, kept in the record) and the one
 * atomic batch that installs it. libmnl alone; nothing here starts a program. Every function acts in the network namespace
 * in which the netlink socket was opened.
 */
#ifndef QUOD_EGRESS_RULESET_H
#define QUOD_EGRESS_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"

#define RULESET_TABLE "quod"

/* Addresses first..last (inclusive, network order, v4 in the first four bytes) with ports first..last of one protocol. */
struct rule_range {
	uint8_t family;			/* 4 or 6 */
	uint8_t protocol;		/* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP (echo request, both families) */
	uint8_t first[16], last[16];
	uint16_t port_first, port_last;	/* host order; 0..65535 for any; ignored for ICMP */
};

struct rule_ranges {
	struct rule_range *items;	/* grown by rule_ranges_add alone */
	size_t count;
};

/* How many parts of what is let out can have a bound of their own. */
#define RULESET_CAPS_MAX 24

/* One of them. What names lead to is said as it is learnt, and by the warden's sockets. */
struct ruleset_cap {
	struct rule_ranges reach;	/* by address, may overlap */
	uint64_t bytes;			/* may go there, UINT64_MAX = unlimited */
	uint64_t spent;			/* of it, from the ledger */
};

struct ruleset {
	struct rule_ranges exact;	/* allowed even inside `never`: entries that name exactly that address */
	struct rule_ranges allow;	/* may overlap: the installer makes them disjoint */
	struct rule_ranges deny;	/* wins over exact and allow; protocol 0 = all protocols */
	struct rule_ranges never;	/* never reachable: protocol and ports ignored */
	struct rule_ranges ingress;	/* from which addresses which local ports may be reached */
	uint64_t egress_bytes;		/* budget, UINT64_MAX = unlimited */
	uint64_t egress_spent;		/* of it, from the ledger: the kernel's quota starts there */
	uint64_t rate;			/* bytes a second out, UINT64_MAX = unlimited */
	uint32_t alive_ms;		/* dead man's switch: how long after the last renewal traffic still passes */
	bool observes;			/* what would be refused passes, and is told all the same */
	bool replaces;			/* takes the place of a table that was left and is adopted, in one commit */
	bool has_names;			/* names are allowed: DNS is turned to the warden, what it learns is let out */
	struct ruleset_cap caps[RULESET_CAPS_MAX];	/* the smaller before the larger: what one refuses doesn't count in the next */
	size_t cap_count;
};

/* What the warden itself sends carries this mark, and it listens on these ports of 127.0.0.1 and ::1: for what was meant for
 * 127.0.0.11, for any other resolver, and for connections that must say a name. */
#define RULESET_MARK 0x51u
#define RULESET_PORT_EMBEDDED 1053
#define RULESET_PORT_OTHERS 1055
#define RULESET_PORT_NAMED 1443

/* In conntrack, of a connection that ends at the warden. */
#define RULESET_TURNED 0x52u

/* Of one that was let out. */
#define RULESET_LET_OUT 0x53u

/* Of one from outside, when it is known which caps count its answers. */
#define RULESET_LET_IN 0x54u

/* Of such a mark, and of the one on the warden's sockets, the low byte says whose it is; above it each bit is a cap. */
#define RULESET_WHOSE 0xffu
#define RULESET_CAP_SHIFT 8

void rule_ranges_add(struct rule_ranges *ranges, const struct rule_range *range);
void ruleset_release(struct ruleset *ruleset);

/* A netlink socket of the calling thread's network namespace; a file descriptor (O_CLOEXEC) or a negative errno. */
int nft_open(struct err *err);

/* Commits the table in one batch and waits for the kernel's word. With NFT_TABLE_F_OWNER|PERSIST where the kernel has both
 * (6.9): then the table belongs to `nl_fd` and *owned is true. An existing table of the name is an error (EEXIST): the
 * namespace belongs to another container. On failure nothing is changed. */
int ruleset_install(int nl_fd, const struct ruleset *ruleset, bool *owned, struct err *err);

/* Is a table of this name there? 1, 0, or a negative errno. */
int ruleset_is_there(int nl_fd, struct err *err);

/* Takes a table over whose owner has gone (owner,persist); no effect on a table without owner. */
int ruleset_adopt(int nl_fd, struct err *err);

/* Renews the dead man's switch for `alive_ms` from now. Allocates nothing. */
int ruleset_renew_alive(int nl_fd, uint32_t alive_ms, struct err *err);

/* Puts the dead man's switch out: nothing passes from now on until it is renewed. Allocates nothing. */
int ruleset_close(int nl_fd, struct err *err);

/* One place that a name leads to. */
struct ruleset_opening {
	uint8_t family;			/* 4 or 6 */
	uint8_t protocol;		/* IPPROTO_TCP, IPPROTO_UDP; IPPROTO_ICMP (both families) with port 0 */
	uint16_t port;			/* host order */
	uint8_t address[16];		/* network order, v4 in the first four, rest zero */
	uint8_t is_turned;		/* 0, or 1, TCP alone: let out by way of the warden, which looks for a name in it */
	uint32_t caps;			/* a bit each that counts it; not of what is turned: there each connection is one's own */
};

#define RULESET_LEARN_MAX 128

struct ruleset_learning {
	size_t count;			/* of openings: 1 to RULESET_LEARN_MAX */
	uint32_t lifetime_ms;		/* from now */
};

/* Lets out what names lead to: new connections for the lifetime, which begins anew for what is open already. Either all of
 * it is in force when this returns 0, or nothing was changed. Allocates nothing. */
int ruleset_learn(int nl_fd, const struct ruleset_opening *openings, const struct ruleset_learning *learning, struct err *err);

/* Lets `left_bytes` more out and no more, whatever was let out before. Between the kernel's two steps packets are refused, never
 * let out too many. Allocates nothing. */
int ruleset_set_left(int nl_fd, uint64_t left_bytes, struct err *err);

/* The same of one cap. */
int ruleset_set_cap_left(int nl_fd, size_t cap, uint64_t left_bytes, struct err *err);

/* What the first `count` caps have counted in this table, and which of them refuse. Allocates nothing. */
struct ruleset_caps {
	uint64_t bytes[RULESET_CAPS_MAX];	/* went out */
	uint64_t limits[RULESET_CAPS_MAX];	/* in force, what was spent before included */
	uint32_t spent;			/* a bit each */
};
int ruleset_read_caps(int nl_fd, size_t count, struct ruleset_caps *caps, struct err *err);

/* What an administrator opens while the container runs. It stands behind what is denied and in front of what is never reachable:
 * whoever makes these has taken that out, but for an address that is named exactly. */
#define RULESET_OPENED_MAX 128

struct ruleset_opened {
	struct rule_range range;
	uint64_t timeout_ms;		/* from now; 0: as long as the table is there */
};

/* Replaces all that was opened. No two ranges may overlap. Allocates nothing. */
int ruleset_open(int nl_fd, const struct ruleset_opened *opened, size_t count, struct err *err);

struct ruleset_counters {
	uint64_t out_bytes, out_packets, in_bytes, in_packets, denied_packets, denied_bytes;
	uint64_t untold_packets;	/* refused, and not told one by one (denials.h) */
	bool egress_is_spent;	/* the quota refuses: out_bytes stays below the budget by up to a packet */
};

/* Reads the table's named counters and whether its quota is used up. Allocates nothing. */
int ruleset_read_counters(int nl_fd, struct ruleset_counters *counters, struct err *err);

/* Subscribes another socket (nft_open) to changes of tables in its namespace (NFNLGRP_NFTABLES). */
int ruleset_watch(int nl_fd, struct err *err);

/* Reads what has come on a watching socket: 1 when somebody else than `own_port_id` changed or removed quod's table (or
 * messages were lost), 0 when not, negative errno. The element renewals of the gate itself are not a change. */
int ruleset_watch_read(int nl_fd, uint32_t own_port_id, struct err *err);

#endif
