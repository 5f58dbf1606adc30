/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device rules of cgroups, shared by create and update. Pure. */
#ifndef QUOD_POLICY_DEVICES_H
#define QUOD_POLICY_DEVICES_H

#include "shim/policy/place.h"

/* Refuses each rule of `resources` (its place) that opens more than the ordinary devices. For update. */
void devices_refuse_rules(const struct plan_input *input, const struct place *resources);

#endif
