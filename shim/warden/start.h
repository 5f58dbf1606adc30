/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the helpers from the createRuntime hook. */
#ifndef QUOD_WARDEN_START_H
#define QUOD_WARDEN_START_H

#include <sys/types.h>

#include "shim/warden/settings.h"

/* What the helpers get of the hook's; -1 where there is none (no table, no names). */
struct helper_fds {
	int state_dir, nl, netns, names;
};

/* Starts `program` (quod-warden) as guardian, which starts the gate and the warden; waits for the ready byte at most 5 s.
 * Descriptors stay the caller's. On failure no helper is left. *guardian_pid is for the record. */
int helpers_start(const char *program, const struct warden_settings *settings, const struct helper_fds *fds,
		  pid_t *guardian_pid, struct err *err);

#endif
