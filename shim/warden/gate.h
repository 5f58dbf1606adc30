/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: the one process that works with CAP_NET_ADMIN over the container's network namespace while it lives, by the netlink
 * socket that owns the table. It understands two messages of the guardian's: "beat", renew the dead man's switch (or, of a halted
 * container, put it out), say what has been counted, and close at so many bytes out, and "open", let these ranges out that an
 * administrator names; and two of the warden's: "learn", let these
 * addresses out for so long, and "socket", make one for TCP that carries the warden's mark and which caps count it, in the container's network namespace,
 * where it lives. Into which table, and by which mark, is never theirs to say, and what is denied or never reachable stays so. It
 * reads nothing of the container's. When the guardian is silent the switch lapses by itself, and the network closes.
 */
#ifndef QUOD_WARDEN_GATE_H
#define QUOD_WARDEN_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/egress/ruleset.h"

struct gate_settings {
	int nl_fd;		/* owns the table (ruleset_install) */
	int watch_fd;		/* of the same namespace, after ruleset_watch; where the table is owned it isn't needed
				   and may be -1 */
	int channel_fd;		/* SOCK_SEQPACKET to the guardian; at its end the gate ends */
	int learn_fd;		/* SOCK_SEQPACKET to the warden, or -1; at its end the gate goes on without */
	uint32_t alive_ms;	/* what each beat renews the switch for */
	bool owned;		/* the table is owned by nl_fd: nobody else can change it */
	uint32_t nl_port_id;	/* of nl_fd: its own changes are no news (gate_port_id) */
	uint32_t cap_count;	/* of the table's caps, at most RULESET_CAPS_MAX: of no others is heard */
};

enum gate_word {
	GATE_BEAT = 1,		/* guardian -> gate; answered by GATE_COUNTERS */
	GATE_COUNTERS,		/* gate -> guardian */
	GATE_OPEN,		/* guardian -> gate, a struct gate_open; answered by GATE_OPENED, of which word and error count */
	GATE_OPENED,
	GATE_CHANGED,		/* gate -> guardian, unasked: somebody else has changed or removed the table, or may have */
	GATE_STARTED,		/* nursery -> guardian: a gate was forked, `pid` */
	GATE_ENDED,		/* nursery -> guardian: it has ended; the next one comes soon */
};

/* Both directions, always whole; of GATE_CHANGED and GATE_ENDED only the word counts. */
struct gate_message {
	uint32_t word;
	int32_t pid;
	uint64_t cut_at_bytes;	/* GATE_BEAT: at how many bytes out (counters.out_bytes) the network is to close; 0 as it was
				   installed. GATE_COUNTERS: what is in force */
	uint32_t is_last;	/* GATE_BEAT: what is tracked is ended, so that it is told (conntrack.h) */
	uint32_t only_counts;	/* GATE_BEAT: nothing is renewed. Who then ends needn't wait for what the kernel takes out of a set */
	int32_t error;		/* GATE_COUNTERS: 0, or the positive errno with which the renewal or the reading failed:
				   the table is gone (ENOENT) or another's (EPERM) */
	uint32_t is_closed;	/* GATE_BEAT: nothing is to pass. GATE_COUNTERS: so it is */
	struct ruleset_counters counters;	/* zero with an error */
	uint64_t cap_cuts[RULESET_CAPS_MAX];	/* as cut_at_bytes, of each cap (caps.bytes) */
	struct ruleset_caps caps;		/* GATE_COUNTERS; zero with an error */
};

enum gate_wish { GATE_LEARN, GATE_SOCKET };

/* What an administrator opens, all of it: replaces what was opened before. */
struct gate_open {
	uint32_t word, count;
	struct ruleset_opened opened[RULESET_OPENED_MAX];
};

/* The warden's, always whole; answered by one gate_learnt of the same number, when the kernel has said its word. */
struct gate_learn {
	uint32_t number;
	uint32_t wish;		/* GATE_SOCKET: everything below is unused, but the first opening's family and caps */
	uint32_t count;		/* of openings, 1 to RULESET_LEARN_MAX */
	uint32_t lifetime_ms;	/* 1 to GATE_LEARN_MOST_MS */
	struct ruleset_opening openings[RULESET_LEARN_MAX];
};

#define GATE_LEARN_MOST_MS 3600000u

/* With GATE_SOCKET and no error one descriptor comes beside it (SCM_RIGHTS): not blocking, without delay, not connected. */
struct gate_learnt {
	uint32_t number;
	int32_t error;		/* 0, or the positive errno with which nothing was learnt or made */
};

/* The netlink port of a socket of nft_open; negative errno. */
int gate_port_id(int nl_fd, uint32_t *port_id, struct err *err);

/*
 * Runs the gate in the calling process, a child forked for it, which then does `_exit(gate_main(...))`: keeps the four
 * descriptors and 0, 1, 2, closes all others, drops every capability but CAP_NET_ADMIN, and puts itself under a system call
 * filter of receive, send, poll, exit, and what makes such a socket. The process is in the container's network namespace when
 * there is a learn_fd. Returns 0 when the channel has ended, 1 when the gate could not start or met a
 * message that it doesn't know. Before the fork the guardian needs CAP_NET_ADMIN and CAP_SETPCAP.
 */
int gate_main(const struct gate_settings *settings);

#endif
