/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start, resume: only what is quod's, not halted, and has something left of each budget. Then quod is gone. */
#include "shim/base/cleanup.h"
#include "shim/own.h"

int start_main(struct shim *shim)
{
	struct own_container own = OWN_CONTAINER_INIT;
	struct err err = ERR_INIT;
	int r;

	r = own_open(shim, &own, &err);
	if (!r)
		r = own_check_running(shim, &own, &err);
	if (!r)
		runtime_exec(shim->runtime, shim->argv, &err);
	own_release(&own);
	return report_failure(shim, err.text);
}
