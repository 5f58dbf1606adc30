/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the warden says to the guardian, who writes it down: one fixed message, always whole. The guardian trusts nothing in
 * it: a name is letters, digits, hyphens, underscores and dots, or it is not written.
 */
#ifndef QUOD_WARDEN_WARDEN_EVENT_H
#define QUOD_WARDEN_WARDEN_EVENT_H

#include "shim/policy/names.h"

enum warden_word {
	WARDEN_SAYS_READY = 1,	/* once, when it is locked down */
	WARDEN_SAYS_FAILED,	/* once, instead: `text` says why */
	WARDEN_SAYS_REFUSED,
	WARDEN_SAYS_ANSWERED,
};

enum warden_reason {
	REFUSED_NAME,		/* no entry allows it */
	REFUSED_NO_NAME,	/* is no host name */
	REFUSED_RATE,		/* names_per_minute */
	REFUSED_ADDRESS,	/* leads only to what a name may not lead to */
	REFUSED_ALIAS,		/* is an alias of what is denied */
	REFUSED_REASONS,
};

#define WARDEN_EVENT_ADDRESSES 8

struct warden_event {
	uint32_t word, reason;
	uint32_t repeated;	/* how often more since it was said last; of an event without a name: of all kinds */
	uint16_t type;		/* of the query */
	uint16_t address_count;	/* WARDEN_SAYS_ANSWERED: at most WARDEN_EVENT_ADDRESSES */
	struct address addresses[WARDEN_EVENT_ADDRESSES];
	char text[NAME_SIZE];	/* the name, ended by a NUL; "" when there is none to be told */
};

#endif
