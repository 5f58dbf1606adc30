/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of a running container's resources: each value over the profile's bound is refused by its name, never lowered: the
 * caller would believe it got what it asked for. And what nobody may ask for, at create or later.
 */
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/devices.h"
#include "shim/policy/resources.h"
#include "shim/policy/units.h"

/* Keys of cgroup v2 that can only restrict, or only weigh a container against others. All others are refused. */
static const char *const harmless_keys[] = {
	"cpu.weight", "cpu.weight.nice", "cpu.idle", "cpuset.cpus", "cpuset.mems", "io.weight", "io.bfq.weight",
	"io.max", "memory.oom.group", "hugetlb.*.max", "rdma.max", "misc.max",
};

static bool is_harmless_key(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless_keys); i++)
		if (pattern_matches(harmless_keys[i], key))
			return true;
	return false;
}

static void refuse_unified(const struct place *resources)
{
	struct place unified = place_member(resources, "unified");

	for (size_t i = 0; json_is(unified.node, JSON_OBJECT) && i < unified.node->count; i++) {
		const char *key = unified.node->members[i].name;

		if (!is_harmless_key(key))
			place_refuse(&unified, "resources", key, "%s is not to be set this way", key);
	}
}

static bool has_content(const struct json *node)
{
	int64_t value;

	return node && !json_is(node, JSON_NULL) && !(json_int(node, &value) && !value) &&
	       !((json_is(node, JSON_ARRAY) || json_is(node, JSON_OBJECT)) && !node->count);
}

static void refuse_member(const struct place *object, const char *key, const char *name, const char *why)
{
	if (has_content(json_get(object->node, name)))
		place_refuse(object, key, name, "%s", why);
}

void resources_refuse_foreign(const struct plan_input *input, const struct place *resources)
{
	struct place cpu = place_member(resources, "cpu"), memory = place_member(resources, "memory");
	struct place network = place_member(resources, "network");
	int64_t swappiness;

	refuse_member(&cpu, "resources.cpus", "realtimeRuntime", "real-time CPU is not allowed");
	refuse_member(&cpu, "resources.cpus", "realtimePeriod", "real-time CPU is not allowed");
	if (json_bool(json_get(memory.node, "disableOOMKiller"), false))
		place_refuse(&memory, "resources.memory", "disableOOMKiller", "the OOM killer can't be switched off");
	if (resources_wish(&memory, "swappiness", &swappiness) && (swappiness < 0 || swappiness > 100))
		place_refuse(&memory, "resources.swap", "swappiness", "is not between 0 and 100");
	refuse_member(&network, "resources", "classID", "classes of network traffic are the host's");
	refuse_member(&network, "resources", "priorities", "priorities of network traffic are the host's");
	refuse_member(resources, "resources", "rdma", "RDMA is not allowed");
	refuse_unified(resources);
}

static void update_cpu(const struct plan_input *input, const struct place *resources)
{
	uint64_t bound = input->profile->resources.cpus_milli;
	struct place cpu = place_member(resources, "cpu");
	bool has_quota, has_period;
	int64_t quota, period;

	if (bound == LIMIT_UNLIMITED)
		return;
	has_quota = resources_wish(&cpu, "quota", &quota);
	has_period = resources_wish(&cpu, "period", &period);
	if (has_quota != has_period)	/* one alone means another share, which depends on what was set before */
		place_refuse(&cpu, "resources.cpus", has_quota ? "quota" : "period", "quota and period can only be changed together");
	else if (has_quota && resources_quota_is_over(bound, quota, period))
		place_refuse(&cpu, "resources.cpus", "quota", "%lld of %lld microseconds is over the profile's %llu.%03llu CPUs",
			     (long long)quota, (long long)period, (unsigned long long)bound / 1000,
			     (unsigned long long)bound % 1000);
	refuse_member(&cpu, "resources.cpus", "burst", "a burst over the quota is not allowed");
}

static void refuse_over(const struct place *object, const char *key, const char *name, uint64_t bound)
{
	cleanup_buf struct buf text = BUF_INIT;
	int64_t value;

	if (bound > INT64_MAX || !resources_wish(object, name, &value) || (value > 0 && (uint64_t)value <= bound))
		return;
	if (!strcmp(key, "resources.pids"))
		buf_printf(&text, "%llu", (unsigned long long)bound);
	else
		bytes_print(&text, bound);
	place_refuse(object, key, name, "%lld is over the profile's %s", (long long)value, text.data);
}

/* `swap` counts memory too. Alone it says nothing of swap, for only the runtime knows the memory limit that is set. A
 * memory limit alone is fine: both together stay under what they were. */
static void update_swap(const struct plan_input *input, const struct place *memory)
{
	uint64_t bound = input->profile->resources.swap;
	int64_t limit, swap;

	if (bound > INT64_MAX || !input->facts->has_swap_accounting || !resources_wish(memory, "swap", &swap))
		return;
	if (!resources_wish(memory, "limit", &limit))
		place_refuse(memory, "resources.swap", "swap", "memory and swap can only be changed together");
	else if (swap < 0 || (limit > 0 && swap > limit && (uint64_t)(swap - limit) > bound))
		place_refuse(memory, "resources.swap", "swap", "%lld is over the profile's swap beside memory", (long long)swap);
}

void plan_make_update(const struct plan_input *input, const struct json *resources, struct plan *plan)
{
	struct place place = place_first(plan, "", resources), memory = place_member(&place, "memory");
	struct place pids = place_member(&place, "pids");

	plan_init(plan);
	plan_document_update(resources, plan);
	if (plan->refusal_count)
		return;
	resources_refuse_foreign(input, &place);
	update_cpu(input, &place);
	refuse_over(&memory, "resources.memory", "limit", input->profile->resources.memory);
	refuse_over(&memory, "resources.memory", "reservation", input->profile->resources.memory);
	update_swap(input, &memory);
	refuse_over(&pids, "resources.pids", "limit", input->profile->resources.pids);
	devices_refuse_rules(input, &place);
}
