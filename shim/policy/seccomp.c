/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seccomp: quod's floor, the profile's own list and its socket families, merged into the one filter that the runtime
 * loads. A container without a filter gets one. What the engine or the user denies stays denied; what can't be merged
 * without doubt is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/seccomp-floor.h"
#include "shim/policy/seccomp-merge.h"
#include "shim/policy/seccomp-names.h"

#define KEY "seccomp.floor"

/* Members that hand calls to another process, or that switch off what the filter rests on. */
static bool refuse_members(const struct place *seccomp)
{
	static const char *const allowed_flags[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG" };
	static const char *const listeners[] = { "listenerPath", "listenerMetadata" };
	const struct json *flags = json_get(seccomp->node, "flags");
	size_t before = seccomp->plan->refusal_count;

	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
		const char *text = json_string(json_get(seccomp->node, listeners[i]));

		if (text && *text)
			place_refuse(seccomp, KEY, listeners[i], "a listener for system calls is not allowed");
	}
	for (size_t i = 0; json_is(flags, JSON_ARRAY) && i < flags->count; i++) {
		const char *flag = json_string(flags->items[i]);
		bool is_allowed = false;

		for (size_t j = 0; flag && j < ARRAY_SIZE(allowed_flags); j++)
			is_allowed = is_allowed || !strcmp(flag, allowed_flags[j]);
		if (!is_allowed)
			place_refuse(seccomp, KEY, "flags", "flag %s is not allowed", flag ? flag : "(none)");
	}
	return seccomp->plan->refusal_count != before;
}

static void deny_by_profile(const struct merge *merge, struct plan *plan)
{
	const struct strings *deny = &merge->input->profile->seccomp.deny;

	for (size_t i = 0; i < deny->count; i++) {
		size_t before = merge->names->count;

		if (!syscall_resolve_pattern(deny->items[i], merge->names))
			plan_refuse(plan, "seccomp.deny", "", "no system call is called %s on this host", deny->items[i]);
		for (size_t j = before; j < merge->names->count; j++)
			merge_deny(merge, merge->names->items[j], EPERM);
	}
}

/* Socket calls of which the profile allows no family at all. */
static void deny_sockets(const struct merge *merge)
{
	for (size_t i = 0; i < seccomp_guarded_count; i++) {
		struct alternatives allowed = { NULL, 0 };

		if (seccomp_guarded[i].is_floor)
			continue;
		seccomp_guarded[i].allowed(merge->input->profile, &allowed);
		if (!allowed.count)
			merge_deny(merge, seccomp_guarded[i].name, seccomp_guarded[i].error);
		alternatives_free(&allowed);
	}
}

/* A name that this libseccomp doesn't know can't be denied in a filter that allows by default. */
static void note_unknown(const struct merge *merge, struct plan *plan)
{
	if (merge->filter->default_verdict != VERDICT_ALLOW)
		return;
	for (size_t i = 0; i < seccomp_floor_count; i++)
		if (!syscall_is_in_library(seccomp_floor[i].name))
			plan_note(plan, KEY ": libseccomp here doesn't know %s, and the filter allows by default",
				  seccomp_floor[i].name);
}

static void merge_all(const struct merge *merge, struct plan *plan)
{
	for (size_t i = 0; merge->input->profile->seccomp.floor && i < seccomp_floor_count; i++)
		merge_deny(merge, seccomp_floor[i].name, seccomp_floor[i].error);
	if (merge->input->profile->seccomp.floor)
		note_unknown(merge, plan);
	deny_by_profile(merge, plan);
	deny_sockets(merge);
	if (syscall_arguments_are_known())
		merge_guard(merge);
	else
		plan_note(plan, KEY ": arguments of system calls are not judged on this architecture");
}

/* Calls of another architecture would go past every comparison: without it in the list they end the process. */
static void write_architectures(const struct place *seccomp, const char *reason)
{
	const struct json *given = json_get(seccomp->node, "architectures");
	struct json_tree *tree = seccomp->plan->edits.tree;
	const char *native = syscall_native_architecture();
	struct json *list = json_make_array(tree);

	if (!native) {
		plan_note(seccomp->plan, KEY ": this architecture has no name in the specification");
		return;
	}
	json_append(tree, list, json_make_string(tree, native));
	if (json_is(given, JSON_ARRAY) && given->count)
		place_set(seccomp, reason, "architectures", list);
}

static void write_filter(const struct merge *merge, const char *reason)
{
	struct json_tree *tree = merge->place->plan->edits.tree;
	const struct filter *filter = merge->filter;

	place_set(merge->place, reason, "defaultAction", json_make_string(tree, filter->default_action));
	if (!strcmp(filter->default_action, "SCMP_ACT_ERRNO") &&
	    (filter->default_error != EPERM || json_get(merge->place->node, "defaultErrnoRet")))
		place_set_uint(merge->place, reason, "defaultErrnoRet", (uint64_t)filter->default_error);
	write_architectures(merge->place, reason);
	/* an absent list means to newer runtimes that speculative execution may go unguarded */
	if (!json_is(json_get(merge->place->node, "flags"), JSON_ARRAY))
		place_set(merge->place, reason, "flags", json_make_array(tree));
	place_set(merge->place, reason, "syscalls", filter_make_syscalls(filter, tree));
}

void plan_seccomp(const struct plan_input *input, struct plan *plan)
{
	struct place linux_place = place_first(plan, "/linux", input->config->linux_node);
	struct place seccomp = place_member(&linux_place, "seccomp");
	struct strings names = { NULL, 0 };
	struct filter filter = { 0 };
	struct merge merge = { input, &seccomp, &filter, &names };

	if (!linux_place.node || refuse_members(&seccomp))
		return;
	if (filter_read(&seccomp, &filter)) {
		if (input->profile->seccomp.floor && merge_may_close(&filter))
			merge_close(&merge);
		merge_all(&merge, plan);
		write_filter(&merge, input->profile->seccomp.floor ? KEY : "seccomp.sockets");
	}
	filter_release(&filter);
	strings_free(&names);
}
