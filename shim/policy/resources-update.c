/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of a running container's resources: each value over the profile's bound is lowered to it and told by its name, what
 * is not given stays. And what nobody may ask for, at create or later.
 */
#include "shim/policy/devices.h"
#include "shim/policy/resources.h"

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
	resources_plan_unified(input, resources);
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
	else if (has_quota)
		resources_lower_quota(&cpu, bound, quota, period);
	resources_drop_burst(&cpu);
}

/* `swap` counts memory too. Alone it says nothing of swap, for only the runtime knows the memory limit that is set: what is
 * over what was planned leaves all as it is. A memory limit alone is fine: both together stay under what they were. */
static void update_swap_alone(const struct plan_input *input, const struct place *memory, int64_t swap)
{
	const struct json *planned = input->config ? json_get(input->config->resources, "memory") : NULL;
	int64_t most = 0;

	if (swap > 0 && (!json_int(json_get(planned, "swap"), &most) || swap <= most)) {
		place_refuse(memory, "resources.swap", "swap", "memory and swap can only be changed together");
		return;
	}
	place_tell_lowered(memory, "resources.swap", "swap", "%lld is over the profile's swap beside memory", (long long)swap);
	place_unset(memory, "resources.swap", "swap");
}

static void update_memory(const struct plan_input *input, const struct place *resources)
{
	struct place memory = place_member(resources, "memory");
	uint64_t bound = input->profile->resources.memory, swap_bound = input->profile->resources.swap;
	int64_t limit, swap, reservation;
	bool has_limit = resources_wish(&memory, "limit", &limit), has_swap = resources_wish(&memory, "swap", &swap);
	uint64_t most = has_limit && limit > 0 && (uint64_t)limit < bound ? (uint64_t)limit : bound;

	if (has_limit && bound <= INT64_MAX && most != (uint64_t)limit)
		resources_lower_bytes(&memory, "resources.memory", "limit", bound);
	if (bound <= INT64_MAX && resources_wish(&memory, "reservation", &reservation) &&
	    (reservation < 0 || (uint64_t)reservation > bound))
		resources_lower_bytes(&memory, "resources.memory", "reservation", most);
	if (!input->facts->has_swap_accounting)
		return;
	if (has_limit && most > INT64_MAX && swap_bound <= INT64_MAX)	/* alone, too: runc takes it for both */
		place_refuse(&memory, "resources.swap", has_swap ? "swap" : "limit", "swap can't be bounded without a limit on memory");
	else if (has_limit && has_swap)
		resources_plan_swap(input, &memory, most);
	else if (has_swap && swap_bound <= INT64_MAX)
		update_swap_alone(input, &memory, swap);
}

void plan_make_update(const struct plan_input *input, const struct json *resources, struct plan *plan)
{
	struct place place = place_first(plan, "", resources), pids = place_member(&place, "pids");

	plan_init(plan);
	plan_document_update(resources, plan);
	if (plan->refusal_count)
		return;
	resources_refuse_foreign(input, &place);
	update_cpu(input, &place);
	update_memory(input, &place);
	resources_lower_pids(input, &pids);
	devices_refuse_rules(input, &place);
}
