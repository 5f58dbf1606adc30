/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the helpers from the createRuntime hook. */
#ifndef QUOD_WARDEN_START_H
#define QUOD_WARDEN_START_H

#include <sys/types.h>

#include "shim/warden/settings.h"

/* Starts `program` (quod-warden) as guardian, which starts the gate; waits for the ready byte at most 5 s. `nl_fd` and
 * `netns_fd` may be -1 (no table). Descriptors stay the caller's. On failure no helper is left. *guardian_pid is for the
 * record. */
int helpers_start(const char *program, const struct warden_settings *settings, int state_dir_fd, int nl_fd, int netns_fd,
		  pid_t *guardian_pid, struct err *err);

#endif
