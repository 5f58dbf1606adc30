/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the container is told about itself: the directory that it sees, read-only, at /run/quod. */
#ifndef QUOD_SHIM_TOLD_H
#define QUOD_SHIM_TOLD_H

#include "shim/base/err.h"
#include "shim/policy/profile.h"

/* Makes <state>/told with limits.json (its first WARDEN_TOLD_HEAD bytes are the guardian's to rewrite, the rest stays) and an
 * empty denied.jsonl. `deadline` as in QUOD_DEADLINE. */
int told_make(int state_fd, const struct profile *profile, const char *deadline, struct err *err);

#endif
