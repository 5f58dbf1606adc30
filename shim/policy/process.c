/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process, at create and at exec: who it is and what it may. Capabilities, switches and scores are made stricter without
 * a word; what can't be made stricter without becoming something else (uid 0, another LSM profile, a working directory
 * in /proc) is refused. Never adds a capability, a group or a right that wasn't asked for.
 */
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/capabilities.h"
#include "shim/policy/process-parts.h"

#define FIRST_ORDINARY_GID 1000
#define CONSOLE_SIZE_MAX 10000

static const char *const capability_sets[] = { "bounding", "effective", "inheritable", "permitted", "ambient" };

static void bound_capability_set(const struct place *capabilities, const char *name, uint64_t allowed)
{
	const struct json *given = json_get(capabilities->node, name);
	struct json_tree *tree = capabilities->plan->edits.tree;
	struct json *kept = json_make_array(tree);

	for (size_t i = 0; given && i < given->count; i++) {
		const char *text = json_string(json_item(given, i));
		int number = text ? capability_parse(text) : -1;

		if (number < 0)
			place_refuse(capabilities, "process.capabilities", name, "unknown capability %s", text ? text : "(no string)");
		else if (allowed & CAPABILITY_BIT(number))
			json_append(tree, kept, json_make_string(tree, text));
	}
	if (given && kept->count != given->count)
		place_set(capabilities, "process.capabilities", name, kept);
}

/* Both runtimes take an absent set of the object for an empty one; an absent object means at exec "what the container has"
 * to one of them, so it is written out: what isn't asked for isn't given. */
static void plan_capabilities(const struct plan_input *input, const struct oci_process *process, const struct place *place)
{
	uint64_t allowed = input->profile->process.capabilities & input->facts->own_capabilities;
	struct place capabilities = place_member(place, "capabilities");
	struct json_tree *tree = place->plan->edits.tree;

	if (!process->capabilities) {
		struct json *none = json_make_object(tree);

		for (size_t i = 0; i < ARRAY_SIZE(capability_sets); i++)
			json_set(tree, none, capability_sets[i], json_make_array(tree));
		place_set(place, "process.capabilities", "capabilities", none);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(capability_sets); i++)
		bound_capability_set(&capabilities, capability_sets[i], allowed);
}

/* In a user namespace uid 0 is somebody else on the host; that its mapping says so is for plan_namespaces to see. */
static bool root_is_mapped(const struct plan_input *input)
{
	if (input->facts->is_rootless)
		return true;
	for (size_t i = 0; input->config && i < input->config->namespace_count; i++) {
		const char *type = input->config->namespaces[i].type;

		if (type && !strcmp(type, "user"))
			return true;
	}
	return false;
}

/* Where the profile allows uid 0, groups give nothing that could not be had otherwise. Where it doesn't, a system's group
 * (disk, docker, shadow) would be a way around that: only the process's own group and ordinary ones stay. */
static void plan_groups(const struct plan_input *input, const struct oci_process *process, const struct place *place)
{
	const struct json *given = process->additional_gids;
	struct place user = place_member(place, "user");
	struct json_tree *tree = place->plan->edits.tree;
	struct json *kept = json_make_array(tree);
	uint64_t gid;

	if (!given || input->profile->process.root)
		return;
	for (size_t i = 0; i < given->count; i++)
		if (json_uint(given->items[i], &gid) && (gid >= FIRST_ORDINARY_GID || gid == process->gid))
			json_append(tree, kept, json_copy(tree, given->items[i]));
	if (kept->count != given->count)
		place_set(&user, "process.root", "additionalGids", kept);
}

static void plan_user(const struct plan_input *input, const struct oci_process *process, const struct place *place)
{
	struct place user = place_member(place, "user");

	if (!process->uid && !input->profile->process.root && !root_is_mapped(input))
		place_refuse(&user, "process.root", NULL, "uid 0 is not allowed: name another user");
	plan_groups(input, process, place);
}

static bool has_component(const char *path, const char *component)
{
	size_t len = strlen(component);

	for (const char *at = path; (at = strstr(at, component)); at += len)
		if (at > path && at[-1] == '/' && (!at[len] || at[len] == '/'))
			return true;
	return false;
}

/* Where does the first component start: "/./" and "//" are passed over. */
static const char *skip_to_first(const char *path)
{
	while (*path == '/' || (*path == '.' && (path[1] == '/' || !path[1])))
		path++;
	return path;
}

/* A directory below /proc may be one of the runtime's own descriptors, and that is the host's (CVE-2024-21626). */
static void plan_cwd(const struct oci_process *process, const struct place *place)
{
	const char *cwd = process->cwd, *first;

	if (!cwd || !*cwd)
		return;
	first = skip_to_first(cwd);
	if (cwd[0] != '/' || has_component(cwd, ".."))
		place_refuse(place, "process.cwd", "cwd", "working directory %s is not an absolute path without ..", cwd);
	else if (!strncmp(first, "proc", 4) && (!first[4] || first[4] == '/'))
		place_refuse(place, "process.cwd", "cwd", "working directory %s lies in /proc", cwd);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

/* The type is the third field; those of containers are named so by every policy (udica's end in .process). */
static bool selinux_label_confines(const char *label)
{
	const char *user_end = strchr(label, ':'), *role_end = user_end ? strchr(user_end + 1, ':') : NULL;
	cleanup_free char *type = NULL;

	if (!role_end)
		return false;
	type = alloc_copy(role_end + 1);
	type[strcspn(type, ":")] = '\0';
	if (!strcmp(type, "container_runtime_t"))
		return false;
	return !strncmp(type, "container_", 10) || !strncmp(type, "svirt_", 6) || ends_with(type, ".process");
}

static void plan_lsm(const struct plan_input *input, const struct oci_process *process, const struct place *place)
{
	const char *apparmor = process->apparmor_profile, *selinux = process->selinux_label;

	if (input->facts->has_apparmor && apparmor && ends_with(apparmor, "unconfined"))
		place_refuse(place, "process", "apparmorProfile", "AppArmor profile %s confines nothing", apparmor);
	if (input->facts->has_selinux && selinux && *selinux && !selinux_label_confines(selinux))
		place_refuse(place, "process", "selinuxLabel", "SELinux label %s is not a container's", selinux);
}

/* Below 0 the host's own processes would be killed first. Without a wish the daemon's own score would be inherited. */
static void plan_oom_score(const struct plan_input *input, const struct oci_process *process, const struct place *place)
{
	int64_t score = input->facts->oom_score_adj;

	if (process->oom_score_adj && !json_int(process->oom_score_adj, &score))
		place_refuse(place, "process", "oomScoreAdj", "is no integer");
	else if (score < 0)
		place_set_uint(place, "resources.memory", "oomScoreAdj", 0);
}

static void plan_console(const struct place *place)
{
	struct place size = place_member(place, "consoleSize");
	static const char *const names[] = { "height", "width" };
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct json *node = json_get(size.node, names[i]);

		if (node && (!json_uint(node, &value) || value > CONSOLE_SIZE_MAX))
			place_refuse(&size, "process", names[i], "a terminal of that size is not allowed");
	}
}

void plan_process(const struct plan_input *input, const struct oci_process *process, const char *pointer, struct plan *plan)
{
	struct place place = place_first(plan, pointer, process->node);

	if (!process->node) {
		plan_refuse(plan, "process", pointer, "no process that could be bounded");
		return;
	}
	plan_capabilities(input, process, &place);
	if (input->profile->process.no_new_privs && !process->no_new_privileges)
		place_set(&place, "process.no_new_privs", "noNewPrivileges", json_make_bool(plan->edits.tree, true));
	plan_user(input, process, &place);
	plan_cwd(process, &place);
	plan_lsm(input, process, &place);
	plan_oom_score(input, process, &place);
	plan_console(&place);
	process_plan_scheduling(&place);
	process_plan_rlimits(input, &place);
	process_plan_env(input, &place);
}
