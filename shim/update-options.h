/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update: the resources that its options describe, and what completes a set of them. Pure. */
#ifndef QUOD_SHIM_UPDATE_OPTIONS_H
#define QUOD_SHIM_UPDATE_OPTIONS_H

#include "oci/cmdline.h"
#include "oci/json.h"

/* A resources object of the options alone, as `update` without --resources means it: the root of `tree`. */
int update_options_make(const struct oci_cmdline *line, struct json_tree *tree, struct err *err);

/* Zeros mean "unchanged" to runc and 0 to crun: they are left out, so that the document means one thing. */
void update_drop_zeros(struct json *resources);

/* CPU quota and period, memory and swap bound only together: the one that isn't given is taken from `planned` (the
 * container's resources as they were planned), so that what is judged is what will be. */
void update_complete(struct json *resources, const struct json *planned, bool has_swap_accounting, struct json_tree *tree);

#endif
