/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resource limits and scheduling of a process. The profile's values are upper bounds of soft and hard limits; limits that
 * buy real-time priority, locked memory or queues have one even where the profile names none. Nothing is ever raised.
 */
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "shim/base/cleanup.h"
#include "shim/policy/process-parts.h"

static const struct known_limit {
	const char *type;
	int resource;
	uint64_t bound;		/* where the profile names none */
} known_limits[] = {
	{ "RLIMIT_AS", RLIMIT_AS, LIMIT_UNLIMITED },
	{ "RLIMIT_CORE", RLIMIT_CORE, LIMIT_UNLIMITED },
	{ "RLIMIT_CPU", RLIMIT_CPU, LIMIT_UNLIMITED },
	{ "RLIMIT_DATA", RLIMIT_DATA, LIMIT_UNLIMITED },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE, LIMIT_UNLIMITED },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS, LIMIT_UNLIMITED },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK, 8 << 20 },		/* the kernel's own default */
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE, 819200 },		/* likewise */
	{ "RLIMIT_NICE", RLIMIT_NICE, 0 },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE, LIMIT_UNLIMITED },
	{ "RLIMIT_NPROC", RLIMIT_NPROC, LIMIT_UNLIMITED },
	{ "RLIMIT_RSS", RLIMIT_RSS, LIMIT_UNLIMITED },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO, 0 },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME, LIMIT_UNLIMITED },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING, LIMIT_UNLIMITED },
	{ "RLIMIT_STACK", RLIMIT_STACK, LIMIT_UNLIMITED },
};

static const struct known_limit *find_limit(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_SIZE(known_limits); i++)
		if (!strcmp(known_limits[i].type, type))
			return &known_limits[i];
	return NULL;
}

uint64_t rlimit_unnamed_bound(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_limits); i++)
		if (!strcasecmp(known_limits[i].type + strlen("RLIMIT_"), name))
			return known_limits[i].bound;
	return LIMIT_UNLIMITED;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t bound_of(const struct plan_input *input, const struct known_limit *limit)
{
	const struct profile *profile = input->profile;

	for (size_t i = 0; i < profile->process.rlimit_count; i++)
		if (!strcasecmp(profile->process.rlimits[i].name, limit->type + strlen("RLIMIT_")))
			return profile->process.rlimits[i].value;
	return limit->bound;
}

static bool profile_names(const struct plan_input *input, const struct known_limit *limit)
{
	const struct profile *profile = input->profile;

	for (size_t i = 0; i < profile->process.rlimit_count; i++)
		if (!strcasecmp(profile->process.rlimits[i].name, limit->type + strlen("RLIMIT_")))
			return true;
	return false;
}

/* Without CAP_SYS_RESOURCE a hard limit over quod's own would only make the start fail. */
static void lower(const struct plan_input *input, const struct known_limit *limit, struct json_tree *tree, struct json *entry)
{
	uint64_t bound = bound_of(input, limit), soft = 0, hard = 0;

	json_uint(json_get(entry, "soft"), &soft);
	json_uint(json_get(entry, "hard"), &hard);
	if (!input->facts->may_raise_rlimits)
		bound = smaller(bound, input->facts->rlimit_hard[limit->resource]);
	if (hard > bound)
		json_set(tree, entry, "hard", json_make_uint(tree, bound));
	if (soft > smaller(hard, bound))
		json_set(tree, entry, "soft", json_make_uint(tree, smaller(hard, bound)));
}

/* A limit nobody asked for: the profile's is written, and where quod's own is above a bound, the bound. */
static void add_missing(const struct plan_input *input, const struct known_limit *limit, struct json_tree *tree,
			struct json *list)
{
	uint64_t own = input->facts->rlimit_hard[limit->resource], bound = bound_of(input, limit), value = smaller(bound, own);
	struct json *entry;

	if (bound == LIMIT_UNLIMITED || (own <= bound && !profile_names(input, limit)))
		return;
	entry = json_make_object(tree);
	json_set(tree, entry, "type", json_make_string(tree, limit->type));
	json_set(tree, entry, "hard", json_make_uint(tree, value));
	json_set(tree, entry, "soft", json_make_uint(tree, value));
	json_append(tree, list, entry);
}

/* Bit n of the result: known_limits[n] is in the list. */
static uint32_t lower_given(const struct plan_input *input, const struct place *rlimits, struct json *list)
{
	uint64_t value;
	uint32_t seen = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct json *entry = list->items[i];
		const char *type = json_string(json_get(entry, "type"));
		const struct known_limit *limit = find_limit(type);

		if (!limit || !json_uint(json_get(entry, "soft"), &value) || !json_uint(json_get(entry, "hard"), &value)) {
			place_refuse(rlimits, "process.rlimits", NULL, "unknown or incomplete limit %s", type ? type : "(none)");
			continue;
		}
		if (seen & (1u << (limit - known_limits)))
			place_refuse(rlimits, "process.rlimits", NULL, "%s is given twice", type);
		seen |= 1u << (limit - known_limits);
		lower(input, limit, rlimits->plan->edits.tree, entry);
	}
	return seen;
}

void process_plan_rlimits(const struct plan_input *input, const struct place *process)
{
	struct place rlimits = place_member(process, "rlimits");
	struct json_tree *tree = process->plan->edits.tree;
	struct json *list = json_is(rlimits.node, JSON_ARRAY) ? json_copy(tree, rlimits.node) : json_make_array(tree);
	uint32_t seen = lower_given(input, &rlimits, list);

	for (size_t i = 0; i < ARRAY_SIZE(known_limits); i++)
		if (!(seen & (1u << i)))
			add_missing(input, &known_limits[i], tree, list);
	if (list->count)
		place_set_array(&rlimits, "process.rlimits", list);
}

static bool is_one_of(const char *text, const char *const *names)
{
	for (; text && *names; names++)
		if (!strcmp(text, *names))
			return true;
	return false;
}

/* An ordinary policy without a privilege: everything else in the object is for the real-time and deadline ones. */
static bool is_ordinary_scheduler(const struct json *scheduler)
{
	static const char *const policies[] = { "SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE", NULL };
	static const char *const others[] = { "priority", "runtime", "deadline", "period" };
	const struct json *flags = json_get(scheduler, "flags");
	int64_t value = 0;

	if (!is_one_of(json_string(json_get(scheduler, "policy")), policies) || (json_is(flags, JSON_ARRAY) && flags->count))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const struct json *node = json_get(scheduler, others[i]);

		if (node && (!json_int(node, &value) || value))
			return false;
	}
	value = 0;
	return !json_get(scheduler, "nice") || (json_int(json_get(scheduler, "nice"), &value) && value >= 0);
}

void process_plan_scheduling(const struct place *process)
{
	static const char *const classes[] = { "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE", NULL };
	const struct json *scheduler = json_get(process->node, "scheduler"), *io = json_get(process->node, "ioPriority");

	if (scheduler && !json_is(scheduler, JSON_NULL) && !is_ordinary_scheduler(scheduler))
		place_refuse(process, "resources.cpus", "scheduler", "only SCHED_OTHER, SCHED_BATCH and SCHED_IDLE are allowed");
	if (io && !json_is(io, JSON_NULL) && !is_one_of(json_string(json_get(io, "class")), classes))
		place_refuse(process, "resources.cpus", "ioPriority", "only IOPRIO_CLASS_BE and IOPRIO_CLASS_IDLE are allowed");
	if (json_is(json_get(process->node, "execCPUAffinity"), JSON_OBJECT))
		place_refuse(process, "resources.cpus", "execCPUAffinity", "a process outside of the container's CPUs is not allowed");
}
