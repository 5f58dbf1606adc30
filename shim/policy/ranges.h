/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address and port ranges out of networks and entries, and subtraction of one from another. Pure. */
#ifndef QUOD_POLICY_RANGES_H
#define QUOD_POLICY_RANGES_H

#include "shim/egress/ruleset.h"
#include "shim/policy/names.h"

/* The range of a network with all ports; protocol 0. */
struct rule_range range_of_network(const struct network *network);

/* Appends @public: both families without what IANA lists as special; all ports, protocol 0. */
void ranges_add_public(struct rule_ranges *ranges);

/* Appends `range` without what `cut` covers (same family; protocols must be equal or cut's 0): at most four pieces. */
void ranges_add_without(struct rule_ranges *ranges, const struct rule_range *range, const struct rule_range *cut);

/* Keeps what both have; `ranges` has a protocol in each. At most RANGES_MAX, or -E2BIG and `ranges` is empty. */
#define RANGES_MAX 65536u
int ranges_intersect(struct rule_ranges *ranges, const struct rule_ranges *with);

/* Takes `cut` out of every range of the list. */
void ranges_subtract(struct rule_ranges *ranges, const struct rule_range *cut);

#endif
