/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container's resources may be, shared by create (which writes what nobody asked for, too) and update. Pure. */
#ifndef QUOD_POLICY_RESOURCES_H
#define QUOD_POLICY_RESOURCES_H

#include "shim/policy/place.h"

#define CPU_PERIOD_DEFAULT 100000	/* microseconds; the kernel's own */
#define CPU_PERIOD_MIN 1000
#define CPU_PERIOD_MAX 1000000

/* An integer member: false when it is absent, null or 0, which mean "unchanged"; refused when it is no integer. */
bool resources_wish(const struct place *object, const char *name, int64_t *value);

/* Brings a wish down to the bound and tells so; a lower one stands. The period's own range is refused. */
void resources_lower_quota(const struct place *cpu, uint64_t cpus_milli, int64_t quota_us, int64_t period_us);
void resources_drop_burst(const struct place *cpu);
void resources_lower_bytes(const struct place *memory, const char *key, const char *name, uint64_t bound);
void resources_lower_pids(const struct plan_input *input, const struct place *pids);

/* "max 100000": more CPU time than cpus_milli thousandths in each period? */
bool resources_quota_is_over(uint64_t cpus_milli, int64_t quota_us, int64_t period_us);

/* The quota that is cpus_milli thousandths of a period. The kernel takes none below 1 ms: a small share gets a long period. */
uint64_t resources_quota(uint64_t cpus_milli, uint64_t *period_us);

/* Swap beside a memory limit of `limit` bytes (LIMIT_UNLIMITED: none): written where it isn't as the profile bounds it. */
void resources_plan_swap(const struct plan_input *input, const struct place *memory, uint64_t limit);

/* /linux/resources/unified: what the profile bounds is lowered to it, what can only restrict or weigh stands, the rest is
 * refused. */
void resources_plan_unified(const struct plan_input *input, const struct place *resources);

/* Refuses what neither create nor update may ask for: real-time, no OOM killer, foreign unified keys, network, RDMA. */
void resources_refuse_foreign(const struct plan_input *input, const struct place *resources);

#endif
