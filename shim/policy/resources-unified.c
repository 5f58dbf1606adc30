/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw keys of cgroup version 2. Both runtimes write them last, over all other limits, so a key that the profile bounds is read
 * as strictly as the kernel does and lowered here; what it can't read is refused, and so is every key that nobody knows.
 */
#include "shim/policy/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/units.h"

/* Keys that can only restrict, or only weigh a container against others. */
static const char *const harmless_keys[] = {
	"cpu.weight", "cpu.weight.nice", "cpu.idle", "cpuset.cpus", "cpuset.mems", "io.weight", "io.bfq.weight",
	"io.max", "memory.oom.group", "hugetlb.*.max", "rdma.max", "misc.max",
};

/* A key is the name of a file: "hugetlb./../memory.max" would be another one's. */
static bool is_harmless_key(const char *key)
{
	if (strchr(key, '/'))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(harmless_keys); i++)
		if (pattern_matches(harmless_keys[i], key))
			return true;
	return false;
}

/* "max" is LIMIT_UNLIMITED; digits alone are a number. Returns what is behind it, NULL when it is neither. */
static const char *parse_amount(const char *text, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");

	if (!strncmp(text, "max", 3)) {
		*value = LIMIT_UNLIMITED;
		return text + 3;
	}
	if (!digits || digits > 18)
		return NULL;
	sscanf(text, "%" SCNu64, value);
	return text + digits;
}

static void set_text(const struct place *unified, const char *reason, const char *key, const char *text)
{
	place_tell_lowered(unified, reason, key, "%s is over the profile's %s", json_string(json_get(unified->node, key)), text);
	place_set(unified, reason, key, json_make_string(unified->plan->edits.tree, text));
}

static bool lower_amount(const struct place *unified, const char *reason, const char *key, uint64_t bound)
{
	const char *text = json_string(json_get(unified->node, key)), *end;
	char number[24];
	uint64_t value;

	end = text ? parse_amount(text, &value) : NULL;
	if (!end || *end)
		return false;
	snprintf(number, sizeof(number), "%" PRIu64, bound);
	if (value > bound)
		set_text(unified, reason, key, number);
	return true;
}

/* "QUOTA PERIOD"; without a period it would be the one that is set, so it is written. */
static bool lower_cpu_max(const struct place *unified, uint64_t cpus_milli)
{
	const char *text = json_string(json_get(unified->node, "cpu.max")), *end;
	uint64_t quota, period = CPU_PERIOD_DEFAULT;
	char wanted[64];

	end = text ? parse_amount(text, &quota) : NULL;
	if (end && *end == ' ' && end[1] != 'm')
		end = parse_amount(end + 1, &period);
	if (!end || *end || period < CPU_PERIOD_MIN || period > CPU_PERIOD_MAX)
		return false;
	if (quota == LIMIT_UNLIMITED || resources_quota_is_over(cpus_milli, (int64_t)quota, (int64_t)period)) {
		quota = resources_quota(cpus_milli, &period);
		snprintf(wanted, sizeof(wanted), "%" PRIu64 " %" PRIu64, quota, period);
		set_text(unified, "resources.cpus", "cpu.max", wanted);
	} else if (!strchr(text, ' ')) {
		snprintf(wanted, sizeof(wanted), "%" PRIu64 " %d", quota, CPU_PERIOD_DEFAULT);
		place_set(unified, "resources.cpus", "cpu.max", json_make_string(unified->plan->edits.tree, wanted));
	}
	return true;
}

static bool lower_key(const struct plan_input *input, const struct place *unified, const char *key)
{
	const struct profile *profile = input->profile;
	const struct {
		const char *key, *reason;
		uint64_t bound;
	} amounts[] = {
		{ "memory.max", "resources.memory", profile->resources.memory },
		{ "memory.high", "resources.memory", profile->resources.memory },
		{ "memory.swap.max", "resources.swap", profile->resources.swap },
		{ "memory.swap.high", "resources.swap", profile->resources.swap },
		{ "pids.max", "resources.pids", profile->resources.pids },
		{ "cpu.max.burst", "resources.cpus", profile->resources.cpus_milli == LIMIT_UNLIMITED ? LIMIT_UNLIMITED : 0 },
	};

	if (!strcmp(key, "cpu.max"))
		return profile->resources.cpus_milli == LIMIT_UNLIMITED || lower_cpu_max(unified, profile->resources.cpus_milli);
	for (size_t i = 0; i < ARRAY_SIZE(amounts); i++)
		if (!strcmp(key, amounts[i].key))
			return amounts[i].bound == LIMIT_UNLIMITED || lower_amount(unified, amounts[i].reason, key, amounts[i].bound);
	return is_harmless_key(key);
}

void resources_plan_unified(const struct plan_input *input, const struct place *resources)
{
	struct place unified = place_member(resources, "unified");

	for (size_t i = 0; json_is(unified.node, JSON_OBJECT) && i < unified.node->count; i++) {
		const char *key = unified.node->members[i].name;

		if (input->facts->cgroup_version == 2 ? !lower_key(input, &unified, key) : !is_harmless_key(key))
			place_refuse(&unified, "resources", key, "%s is not to be set this way", key);
	}
}
