/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel holds of the table, for those who want to see it: the verification, not the enforcement. Reads alone.
 */
#ifndef QUOD_EGRESS_INSPECT_H
#define QUOD_EGRESS_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"

#define INSPECT_CHAINS_MAX 40
#define INSPECT_SETS_MAX 20

struct inspected_chain {
	const char *name;	/* static */
	bool is_base;		/* wanted: a base chain (output, input, forward, last) */
	bool is_there;
	bool is_as_wanted;	/* hook, priority and policy (drop; accept for `last`) are what quod sets, and so is the
				   number of its rules */
	uint32_t rules;
};

struct inspected_set {
	const char *name;	/* static */
	bool is_there;
	uint32_t elements;	/* an interval counts once; of `alive`, those that have not lapsed */
};

struct ruleset_inspection {
	bool has_table;
	bool is_dormant;	/* somebody has switched the table off: nothing of it is in force */
	bool is_owned;		/* by a netlink socket that is open: nobody else can change it */
	bool is_persistent;	/* stays when its owner goes */
	uint32_t owner_port_id;	/* of the netlink socket, 0 without */
	struct inspected_chain chains[INSPECT_CHAINS_MAX];
	size_t chain_count;
	struct inspected_set sets[INSPECT_SETS_MAX];
	size_t set_count;
	bool has_names;		/* with what names need */
	bool observes;		/* what it would refuse passes */
	size_t cap_count;	/* caps that it weighs */
	bool is_whole;		/* table there and not dormant, every chain as wanted, every set there */
	bool is_alive;		/* the dead man's switch has not lapsed, for both families */
};

/* 0 also when the table isn't there (has_table false). */
int ruleset_inspect(int nl_fd, struct ruleset_inspection *inspection, struct err *err);

#endif
