/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a container's budgets, by its profile and its ledger. */
#ifndef QUOD_SHIM_BUDGETS_H
#define QUOD_SHIM_BUDGETS_H

#include "shim/policy/profile.h"
#include "shim/state/ledger.h"

/* Forgets of a ledger that was read what budgets.reset says is no longer spent; nothing is written. */
void budgets_forget(const struct profile *profile, bool is_new_run, struct ledger *ledger);

/* The first budget that is spent, as a person reads it ("wall 8h spent"), or NULL. malloc'ed. A spent egress budget that
 * only cuts is none: the container may run, its network stays closed. */
char *budgets_find_spent(const struct profile *profile, const struct ledger *ledger);

/* QUOD_DEADLINE: when the wall budget ends if it runs from now on, RFC 3339 in UTC; "" when unlimited. malloc'ed. */
char *budgets_deadline(const struct profile *profile, const struct ledger *ledger);

/* Where systemd keeps the container's cgroup: how long its unit may live at most, in microseconds, when the guardian can't end
 * it: what is left of the wall budget, the grace, and ten minutes for a start that comes late. UINT64_MAX when nothing is due
 * to end it (unlimited, frozen when spent, given anew with a period). */
uint64_t budgets_unit_us(const struct profile *profile, const struct ledger *ledger);

#endif
