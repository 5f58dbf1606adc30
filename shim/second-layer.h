/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filter of quod's own over the runtime and all that it makes: what the container is refused even where the runtime lost the
 * filter of config.json, or set none.
 */
#ifndef QUOD_SHIM_SECOND_LAYER_H
#define QUOD_SHIM_SECOND_LAYER_H

#include "shim/policy/profile.h"

/* For the calling process and all that it becomes and starts; right before execve of the runtime that creates or executes.
 * Nothing where seccomp.floor is off, and where a caller without CAP_SYS_ADMIN in its user namespace could have it only
 * together with no_new_privs, which would take newuidmap from a rootless runtime. */
int second_layer_install(const struct profile *profile, struct err *err);

#endif
