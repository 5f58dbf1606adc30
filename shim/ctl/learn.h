/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl learn: what a trail has seen, and the entries that allow just that. */
#ifndef QUOD_CTL_LEARN_H
#define QUOD_CTL_LEARN_H

#include "shim/ctl/trail.h"
#include "shim/policy/names.h"

/* A way that was taken, or would have been: to a name, or to an address that no name led to. */
struct learn_way {
	uint16_t port;
	bool has_port;
	enum entry_protocol protocol;	/* ENTRY_TCP, ENTRY_UDP or ENTRY_ICMP */
	struct address address;		/* of a name: the special one that it led to there; family 0 for public ones */
	uint64_t times;
};

struct learn_place {
	char *name;			/* normalized; NULL: an address */
	struct address address;
	uint64_t asked;			/* how often, as far as it was recorded */
	struct learn_way *ways;
	size_t way_count;
	struct address *special;	/* what is not public of its answers */
	size_t special_count;
	bool has_public;		/* of its answers */
};

struct learnt {
	struct learn_place **places;	/* sorted: names, then addresses */
	size_t count;
	struct strings refused;		/* what an enforcing profile refused, a text each */
	char *profile;			/* of the last record; NULL */
	char first[31], last[31];	/* times of the records */
	uint64_t records;
	bool is_full;			/* there was more than is kept */
};

/* Takes one record; what isn't about names and connections is only counted. */
void learn_take(struct learnt *learnt, const char *line, size_t len, const struct audit_fields *fields);
void learn_release(struct learnt *learnt);

/* One entry of egress.allow, or a line about why there is none. */
struct learn_entry {
	char *host;		/* name, "*.parent", address */
	char *rest;		/* ":443/udp@10.0.0.1" */
	char *remark;		/* "asked 3 times, 5 connections" */
	char *why_not;		/* it is left out; NULL */
	uint64_t times;
};

struct learn_entries {
	struct learn_entry *items;
	size_t count;
};

/* Names first, sorted; then addresses. With `group` names of the same parent and ports become one pattern. */
void learn_entries_make(const struct learnt *learnt, bool group, struct learn_entries *entries);
void learn_entries_release(struct learn_entries *entries);

#endif
