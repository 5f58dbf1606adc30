/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which user namespace this process lives in: see userns.h. */
#include "shim/base/userns.h"

#include <stdio.h>

#include "shim/base/cleanup.h"

bool userns_is_initial(void)
{
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, count;

	return map && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
	       count == 4294967295u;
}
