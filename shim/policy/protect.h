/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts.protect: what stays read-only inside a writable workspace. Pure; asked by plan_mounts, and by those who look at the
 * host for it.
 */
#ifndef QUOD_POLICY_PROTECT_H
#define QUOD_POLICY_PROTECT_H

#include "shim/policy/plan.h"

/* Paths below the directory `source` that are protected when it is mounted: the profile's own, and for a source that lies
 * on the way to one (".git") what is left of it ("hooks"). None of them lies within another. Free with strings_free. */
void protect_list_inside(const struct strings *protect, const char *source, struct strings *inside);

/* The source lies within a protected path itself, and the first `named` components, which the administrator wrote out in
 * mounts.allow, don't say so. */
bool protect_covers(const struct strings *protect, const char *source, size_t named);

/* How many leading components of a pattern are written out. */
size_t protect_count_named(const char *pattern);

/* Mounts behind each workspace, and the refusals of what can't be protected. `removed`: the engine's mounts that the plan has
 * taken away already; call after these removals and before anything is added to /mounts. */
void protect_plan(const struct plan_input *input, const bool *removed, struct plan *plan);

#endif
