/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which profile a container runs under, and who said so (quod.json(5), "rules" and "selectable"). */
#ifndef QUOD_SHIM_SELECT_H
#define QUOD_SHIM_SELECT_H

#include "oci/spec.h"
#include "shim/shim.h"

struct selection {
	struct profile *profile;
	const char *chosen_by;		/* "--profile", "default_profile", "annotation quod.dev/profile" */
};

/* -EACCES with the list of what may be asked for when the creator's wish isn't granted. */
int profile_select(const struct shim *shim, const struct oci_config *config, struct selection *selection, struct err *err);
void selection_release(struct selection *selection);

void shim_profile_paths(struct profile_paths *paths);	/* the compiled-in places */

#endif
