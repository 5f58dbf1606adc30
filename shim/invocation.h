/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one invocation is about: configuration, runtime, its command line as that runtime reads it, and the container's key. */
#ifndef QUOD_SHIM_INVOCATION_H
#define QUOD_SHIM_INVOCATION_H

#include "shim/shim.h"

/* Places, configuration and audit settings. On failure shim->config stays NULL: commands that clean up still work. */
int invocation_load_config(struct shim *shim, struct err *err);

/* The runtime of the container's record, else --runtime's, else the configuration's (else runc, crun), and all that follows
 * from it. -EINVAL for a line that can be read in two ways: shim->line then holds the likely reading. */
int invocation_choose_runtime(struct shim *shim, struct err *err);

/* Takes another runtime, the first found of `wanted` (a profile's own): path, line, root and key are made anew. */
int invocation_use_runtime(struct shim *shim, const struct strings *wanted, struct err *err);

#endif
