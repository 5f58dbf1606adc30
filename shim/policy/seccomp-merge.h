/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floor, merged into a filter. Pure. */
#ifndef QUOD_POLICY_SECCOMP_MERGE_H
#define QUOD_POLICY_SECCOMP_MERGE_H

#include "shim/policy/seccomp-filter.h"

struct merge {
	const struct plan_input *input;
	const struct place *place;	/* of the filter: where refusals point */
	struct filter *filter;
	struct strings *names;		/* that rules borrow: to be freed after the filter */
};

/* Makes the filter deny by default what it allowed by default: the calls that libseccomp knows are allowed by name, all
 * others get ENOSYS. Only for a filter without conditions, whose opposite could not always be said. */
bool merge_may_close(const struct filter *filter);
void merge_close(const struct merge *merge);

/* Takes a call from every rule that allows it, and denies it with `error` where the filter would have let it pass. The name
 * is borrowed for as long as the filter lives. */
void merge_deny(const struct merge *merge, const char *name, int error);

/* Bounds each guarded call by its arguments. What can't be said in the filter's own terms is refused. */
void merge_guard(const struct merge *merge);

#endif
