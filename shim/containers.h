/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state directory of a container that is about to be, and how many there may be (quod.json(5), "containers"). */
#ifndef QUOD_SHIM_CONTAINERS_H
#define QUOD_SHIM_CONTAINERS_H

#include "shim/shim.h"

/* Claims the state directory of shim->key for a new container: sweeps what a crash left, refuses an id that the runtime
 * still knows (EEXIST) and a profile that has as many containers, or as many creates within the last minute, as the host
 * allows (EDQUOT). *dir_fd is the locked, empty directory. Parallel creates are counted one after the other.
 * `profile` NULL: not counted (unmanaged). Prunes ledgers once an hour. */
int containers_claim(const struct shim *shim, const char *profile, int *dir_fd, struct err *err);

#endif
