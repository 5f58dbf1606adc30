/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resources of a new container: CPU time, memory, swap and processes are lowered to the profile's, written where nobody
 * asked for them, and never raised. Weights, placements and throttles are the engine's own business.
 */
#include "shim/policy/resources.h"

#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/units.h"

#define CPU_QUOTA_MIN 1000

bool resources_wish(const struct place *object, const char *name, int64_t *value)
{
	const struct json *node = json_get(object->node, name);

	*value = 0;
	if (!node || json_is(node, JSON_NULL))
		return false;
	if (!json_int(node, value)) {
		place_refuse(object, "resources", name, "is no integer");
		return false;
	}
	return *value != 0;
}

bool resources_quota_is_over(uint64_t cpus_milli, int64_t quota_us, int64_t period_us)
{
	return quota_us < 0 || period_us <= 0 || (unsigned __int128)quota_us * 1000 > (unsigned __int128)cpus_milli * period_us;
}

uint64_t resources_quota(uint64_t cpus_milli, uint64_t *period_us)
{
	uint64_t quota = cpus_milli * *period_us / 1000;

	if (quota < CPU_QUOTA_MIN) {
		*period_us = CPU_PERIOD_MAX;
		quota = cpus_milli * (CPU_PERIOD_MAX / 1000);
	}
	return quota < CPU_QUOTA_MIN ? CPU_QUOTA_MIN : quota;
}

static void write_quota(const struct place *cpu, uint64_t cpus_milli, int64_t period)
{
	uint64_t period_us = (uint64_t)period;

	place_set_uint(cpu, "resources.cpus", "quota", resources_quota(cpus_milli, &period_us));
	place_set_uint(cpu, "resources.cpus", "period", period_us);
}

static bool period_is_wrong(const struct place *cpu, int64_t period)
{
	if (period >= CPU_PERIOD_MIN && period <= CPU_PERIOD_MAX)
		return false;
	place_refuse(cpu, "resources.cpus", "period", "is not between %d and %d microseconds", CPU_PERIOD_MIN, CPU_PERIOD_MAX);
	return true;
}

void resources_lower_quota(const struct place *cpu, uint64_t cpus_milli, int64_t quota_us, int64_t period_us)
{
	if (period_is_wrong(cpu, period_us) || !resources_quota_is_over(cpus_milli, quota_us, period_us))
		return;
	place_tell_lowered(cpu, "resources.cpus", "quota", "%lld of %lld microseconds is over the profile's %llu.%03llu CPUs",
			   (long long)quota_us, (long long)period_us, (unsigned long long)cpus_milli / 1000,
			   (unsigned long long)cpus_milli % 1000);
	write_quota(cpu, cpus_milli, period_us);
}

void resources_drop_burst(const struct place *cpu)
{
	int64_t burst;

	if (!resources_wish(cpu, "burst", &burst))
		return;
	place_tell_lowered(cpu, "resources.cpus", "burst", "%lld is a burst over the profile's share", (long long)burst);
	place_unset(cpu, "resources.cpus", "burst");
}

static void plan_cpu(const struct plan_input *input, const struct place *resources)
{
	uint64_t bound = input->profile->resources.cpus_milli;
	struct place cpu = place_member(resources, "cpu");
	int64_t quota, period;

	if (bound == LIMIT_UNLIMITED)
		return;
	if (!resources_wish(&cpu, "period", &period))
		period = CPU_PERIOD_DEFAULT;
	if (resources_wish(&cpu, "quota", &quota))
		resources_lower_quota(&cpu, bound, quota, period);
	else if (!period_is_wrong(&cpu, period))
		write_quota(&cpu, bound, period);
	resources_drop_burst(&cpu);
}

void resources_lower_bytes(const struct place *memory, const char *key, const char *name, uint64_t bound)
{
	cleanup_buf struct buf text = BUF_INIT;
	int64_t value;

	bytes_print(&text, bound);
	if (resources_wish(memory, name, &value))
		place_tell_lowered(memory, key, name, "%lld is over the profile's %s", (long long)value, text.data);
	place_set_uint(memory, key, name, bound);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Sizes as the engine asks for them; what it leaves open is LIMIT_UNLIMITED. */
struct memory_wish {
	int64_t limit, swap;	/* as written; swap is memory and swap together */
	uint64_t memory;	/* the limit that follows from both */
	uint64_t extra;		/* swap beside it */
};

static struct memory_wish read_memory_wish(const struct place *memory)
{
	struct memory_wish wish = { .memory = LIMIT_UNLIMITED, .extra = LIMIT_UNLIMITED };
	bool has_limit = resources_wish(memory, "limit", &wish.limit) && wish.limit > 0;
	bool has_swap = resources_wish(memory, "swap", &wish.swap) && wish.swap > 0;

	if (has_limit)
		wish.memory = (uint64_t)wish.limit;
	else if (has_swap)
		wish.memory = (uint64_t)wish.swap;
	if (has_swap)
		wish.extra = (uint64_t)wish.swap > wish.memory ? (uint64_t)wish.swap - wish.memory : 0;
	return wish;
}

void resources_plan_swap(const struct plan_input *input, const struct place *memory, uint64_t limit)
{
	struct memory_wish wish = read_memory_wish(memory);
	uint64_t bound = input->profile->resources.swap, extra = smaller(wish.extra, bound), total;

	if (!input->facts->has_swap_accounting) {
		if (bound != LIMIT_UNLIMITED)
			plan_note(memory->plan, "resources.swap: this host's cgroups don't count swap");
		return;
	}
	if (extra == LIMIT_UNLIMITED)
		return;
	if (limit > INT64_MAX) {
		plan_note(memory->plan, "resources.swap: swap can't be bounded without a bound on memory");
		return;
	}
	if (wish.swap && wish.extra > bound)
		place_tell_lowered(memory, "resources.swap", "swap", "%lld is over the profile's swap beside memory",
				   (long long)wish.swap);
	total = extra > INT64_MAX - limit ? INT64_MAX : limit + extra;
	if ((int64_t)total != wish.swap)
		place_set_uint(memory, "resources.swap", "swap", total);
}

static void plan_memory(const struct plan_input *input, const struct place *resources)
{
	struct place memory = place_member(resources, "memory");
	struct memory_wish wish = read_memory_wish(&memory);
	uint64_t bound = input->profile->resources.memory, limit = smaller(wish.memory, bound);
	int64_t reservation;

	if (bound <= INT64_MAX && (int64_t)limit != wish.limit)
		resources_lower_bytes(&memory, "resources.memory", "limit", limit);
	if (limit <= INT64_MAX && resources_wish(&memory, "reservation", &reservation) &&
	    (reservation < 0 || (uint64_t)reservation > limit))
		place_set_uint(&memory, "resources.memory", "reservation", limit);
	resources_plan_swap(input, &memory, limit);
}

void resources_lower_pids(const struct plan_input *input, const struct place *pids)
{
	uint64_t bound = input->profile->resources.pids;
	int64_t limit;

	if (bound > INT64_MAX || !resources_wish(pids, "limit", &limit) || (limit > 0 && (uint64_t)limit <= bound))
		return;
	place_tell_lowered(pids, "resources.pids", "limit", "%lld is over the profile's %llu", (long long)limit,
			   (unsigned long long)bound);
	place_set_uint(pids, "resources.pids", "limit", bound);
}

static void plan_pids(const struct plan_input *input, const struct place *resources)
{
	struct place pids = place_member(resources, "pids");
	int64_t limit;

	resources_lower_pids(input, &pids);
	if (input->profile->resources.pids <= INT64_MAX && !resources_wish(&pids, "limit", &limit))
		place_set_uint(&pids, "resources.pids", "limit", input->profile->resources.pids);
}

/* Rootless without a delegated cgroup: the runtimes would fail in words of their own, or let the limit go. */
static void refuse_unheld(const struct plan_input *input, const struct place *resources)
{
	const struct profile *profile = input->profile;
	const struct {
		unsigned part;
		uint64_t bound;
		const char *key, *member;
	} held[] = {
		{ CGROUP_CPU, profile->resources.cpus_milli, "resources.cpus", "cpu" },
		{ CGROUP_MEMORY, profile->resources.memory, "resources.memory", "memory" },
		{ CGROUP_PIDS, profile->resources.pids, "resources.pids", "pids" },
		{ CGROUP_CPU_TIME, profile->budgets.cpu_ms, "budgets.cpu", "cpu" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		if (input->facts->cgroup_lacks & held[i].part && held[i].bound != LIMIT_UNLIMITED)
			place_refuse(resources, held[i].key, held[i].member,
				     "this user has no cgroup that holds it: delegate him cgroup version 2's controllers, or say \"unlimited\"");
}

void plan_resources(const struct plan_input *input, struct plan *plan)
{
	struct place linux_place = place_first(plan, "/linux", input->config->linux_node);
	struct place resources = place_member(&linux_place, "resources");

	if (!linux_place.node)
		return;
	resources_refuse_foreign(input, &resources);
	refuse_unheld(input, &resources);
	plan_cpu(input, &resources);
	plan_memory(input, &resources);
	plan_pids(input, &resources);
}
