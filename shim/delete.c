/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delete: the runtime does it, quod waits, and clears away its own state once the runtime no longer knows the container.
 * Needs no configuration: an engine must always be able to clean up.
 */
#include <stdio.h>

#include "shim/base/cleanup.h"
#include "shim/shim.h"
#include "shim/sweep.h"

static int hand_on(const struct shim *shim)
{
	struct err err = ERR_INIT;

	runtime_exec(shim->runtime, shim->argv, &err);
	return report_failure(shim, err.text);
}

int delete_main(struct shim *shim)
{
	bool is_regex = oci_cmdline_option(&shim->line, "regex") != NULL;
	struct err err = ERR_INIT, ignored = ERR_INIT;
	cleanup_close int state_fd = -1;
	int status;

	if (!shim->runtime_root || (!shim->key[0] && !is_regex))
		return hand_on(shim);
	if (!is_regex) {
		state_fd = record_open_dir(&shim->places, shim->key, false, &ignored);
		if (state_fd < 0)
			return hand_on(shim);
	}
	status = runtime_run(shim->runtime, shim->argv, NULL, &err);
	if (status < 0)
		return report_failure(shim, err.text);
	/* The container is gone all the same: what is left of it goes with the next create. */
	if (sweep_gone(shim, is_regex ? NULL : shim->key, state_fd, &err) < 0)
		fprintf(stderr, "quod: %s\n", err.text);
	return status;
}
