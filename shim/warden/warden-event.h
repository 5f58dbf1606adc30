/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the warden says to the guardian, who writes it down: one fixed message, always whole. The guardian trusts nothing in
 * it: a name is letters, digits, hyphens, underscores and dots, or it is not written.
 */
#ifndef QUOD_WARDEN_WARDEN_EVENT_H
#define QUOD_WARDEN_WARDEN_EVENT_H

#include "shim/egress/denials.h"
#include "shim/policy/names.h"

enum warden_word {
	WARDEN_SAYS_READY = 1,	/* when it is locked down; `pid` */
	WARDEN_SAYS_FAILED,	/* instead: `text` says why */
	WARDEN_SAYS_ENDED,	/* its cradle: it has ended, the next one comes soon */
	WARDEN_SAYS_REFUSED,
	WARDEN_SAYS_ANSWERED,
	WARDEN_SAYS_DENIED,	/* a connection */
	WARDEN_SAYS_OPENED,	/* a connection that was let out; without an address a sum */
	WARDEN_SAYS_CLOSED,
	WARDEN_SAYS_DISCONNECTED,	/* a connection was refused for what it said */
	WARDEN_SAYS_DONE,	/* order number `repeated`; `entry` is 0 or the positive errno with which nothing was changed */
};

/* What the guardian says to the warden, who serves nobody before the first one that names its own pid. */
enum warden_order_word {
	WARDEN_GO = 1,		/* by the rules that its cradle has */
	WARDEN_RULES,		/* by these: a descriptor comes beside it */
	WARDEN_LEARN,		/* what was told of names is learnt anew, for as long as it still holds, or `least_ms` */
};

struct warden_order {
	uint32_t word;
	int32_t pid;
	uint32_t number;	/* WARDEN_RULES, WARDEN_LEARN: answered by WARDEN_SAYS_DONE */
	uint32_t least_ms;	/* WARDEN_LEARN */
};

/* Of a name. */
enum warden_reason {
	REFUSED_NAME,		/* no entry allows it */
	REFUSED_NO_NAME,	/* is no host name */
	REFUSED_RATE,		/* names_per_minute */
	REFUSED_ADDRESS,	/* leads only to what a name may not lead to */
	REFUSED_ALIAS,		/* is an alias of what is denied */
	REFUSED_PORT,		/* of a connection: the name is allowed there, on another port */
	REFUSED_PROTOCOL,	/* on this port, by another protocol */
	REFUSED_OTHER,		/* is allowed, and the container was not told that it leads there */
	REFUSED_NAMELESS,	/* says no host name */
	REFUSED_NONSENSE,	/* says what is neither TLS nor HTTP, or could be read in two ways */
	REFUSED_SILENT,		/* said nothing in time */
	REFUSED_FULL,		/* too many connections at a time */
	REFUSED_COUNTED,	/* of a further request: other caps count that name than this connection */
	REFUSED_REASONS,
};

/* Of a connection: enum denial_reason, and these. */
enum { DENIED_OTHER_PORTS = DENIAL_REASONS,	/* the name leads there, on other ports */
       DENIED_AGED,				/* the name led there, and was not asked for again */
       DENIED_REASONS };

#define WARDEN_EVENT_ADDRESSES 8

struct warden_event {
	uint32_t word;
	int32_t pid;		/* WARDEN_SAYS_READY: its own */
	uint32_t reason;	/* enum warden_reason; WARDEN_SAYS_DENIED: below DENIED_REASONS */
	uint32_t repeated;	/* how often more since it was said last; of an event without a name: of all kinds */
	uint16_t type;		/* of the query */
	uint16_t address_count;	/* WARDEN_SAYS_ANSWERED: at most WARDEN_EVENT_ADDRESSES; of a connection 1, or 0 of a sum */
	int32_t entry;		/* WARDEN_SAYS_OPENED, WARDEN_SAYS_CLOSED: which allowing rule (name_rules_text); -1. Of DENIED_CAP
				   which cap */
	uint64_t out_bytes, in_bytes, lasted_ms;	/* WARDEN_SAYS_CLOSED */
	uint8_t protocol;	/* of a connection: IPPROTO_* */
	uint8_t has_port;
	uint16_t port;		/* of a connection */
	struct address addresses[WARDEN_EVENT_ADDRESSES];
	char text[NAME_SIZE];	/* the name, ended by a NUL; "" when there is none to be told */
};

#endif
