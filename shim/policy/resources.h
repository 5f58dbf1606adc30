/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container's resources may be, shared by create (which lowers) and update (which refuses). Pure. */
#ifndef QUOD_POLICY_RESOURCES_H
#define QUOD_POLICY_RESOURCES_H

#include "shim/policy/place.h"

#define CPU_PERIOD_DEFAULT 100000	/* microseconds; the kernel's own */

/* An integer member: false when it is absent, null or 0, which mean "unchanged"; refused when it is no integer. */
bool resources_wish(const struct place *object, const char *name, int64_t *value);

/* More CPU time than cpus_milli thousandths in each period? */
bool resources_quota_is_over(uint64_t cpus_milli, int64_t quota_us, int64_t period_us);

/* Refuses what neither create nor update may ask for: real-time, no OOM killer, unified keys, network, RDMA. */
void resources_refuse_foreign(const struct plan_input *input, const struct place *resources);

#endif
