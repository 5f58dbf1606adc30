/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caps of a profile: see caps.c. */
#ifndef QUOD_POLICY_CAPS_H
#define QUOD_POLICY_CAPS_H

#include "shim/policy/plan.h"
#include "shim/policy/profile.h"

/* Those that bound anything, in the ruleset's order; borrowed. Their number, 0 when there are too many (plan_unenforced refuses). */
size_t caps_list(const struct profile *profile, const struct cap_rule *caps[RULESET_CAPS_MAX]);
size_t caps_count(const struct profile *profile);

/* What a cap counts: its entry, or those of its group. */
size_t cap_member_count(const struct cap_rule *cap);
const struct entry *cap_member(const struct cap_rule *cap, size_t index);

/* The group of the cap holds that entry, as it is written. */
bool cap_has_member(const struct cap_rule *cap, const struct entry *entry);

void plan_caps(const struct profile *profile, struct plan *plan);

#endif
