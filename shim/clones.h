/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was checked is what is mounted: clones of checked sources below the container's state directory. */
#ifndef QUOD_SHIM_CLONES_H
#define QUOD_SHIM_CLONES_H

#include "shim/facts.h"
#include "shim/policy/plan.h"

/* Makes <state>/mounts (a private mount of its own, so that nothing propagates) and one clone a planned bind below it, each
 * of the descriptor that was judged; and <state>/mounts/rootfs when somebody but root could change the path to the root file
 * system. On failure nothing stays mounted. */
int clones_make(int state_dir_fd, const struct plan *plan, const struct facts *facts, const struct facts_held *held,
		struct err *err);

/* Where the runtime finds the root file system: its own path, or the clone of it. malloc'ed. */
char *clones_rootfs(const struct facts *facts);

/* Detaches <state>/mounts with all below it; fine when there is none. */
int clones_detach(const char *state_dir, struct err *err);

#endif
