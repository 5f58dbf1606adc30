/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cleaning up: the state of containers that their runtime no longer knows. */
#ifndef QUOD_SHIM_SWEEP_H
#define QUOD_SHIM_SWEEP_H

#include "shim/shim.h"

/* Removes what a crash left: state directories older than a minute, that nobody has locked, and whose container the runtime
 * does not know. What can't be told is left. Never waits. */
void sweep_orphans(const struct shim *shim);

/* Removes the state of one container, or with key NULL of every one of shim->runtime_root, if the runtime does not know it
 * now. `expect_fd` (-1: any) is the state directory as it was before the runtime ran: another one of the same key, made
 * since, is left alone. */
int sweep_gone(const struct shim *shim, const char *key, int expect_fd, struct err *err);

#endif
