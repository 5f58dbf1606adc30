/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks run as the host's root: only those that the profile allows, and the one by which Docker makes a container's network.
 * quod's own stands behind all of its kind, so that what it has put in force is the last word before the container starts.
 */
#include <stdio.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/place.h"

#define KEY "hooks.allow"
#define OWN_TIMEOUT_SECONDS 30

static const char *const hook_points[] = { "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop" };

static bool is_hook_point(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(hook_points); i++)
		if (!strcmp(hook_points[i], name))
			return true;
	return false;
}

static const char *argument(const struct json *hook, size_t index)
{
	const char *text = json_string(json_item(json_get(hook, "args"), index));

	return text ? text : "";
}

/* Docker up to 27: "libnetwork-setkey -exec-root=DIR ID CONTROLLER" before the container starts. */
static bool is_docker_network(const struct plan_input *input, const char *point, const struct json *hook)
{
	const struct json *args = json_get(hook, "args"), *env = json_get(hook, "env");
	const char *path = json_string(json_get(hook, "path"));

	if (input->facts->engine != ENGINE_DOCKER || (strcmp(point, "prestart") && strcmp(point, "createRuntime")))
		return false;
	return path && input->facts->docker_program && !strcmp(path, input->facts->docker_program) && args && args->count == 4 && !(env && env->count) &&
	       !strcmp(argument(hook, 0), "libnetwork-setkey") && !strncmp(argument(hook, 1), "-exec-root=/", 12) &&
	       input->facts->id && !strcmp(argument(hook, 2), input->facts->id);
}

/* A pattern of the profile names a program; a path that only leads there over ".." is none of it. */
static bool is_allowed(const struct plan_input *input, const struct json *hook)
{
	const char *path = json_string(json_get(hook, "path"));
	bool allowed = false;

	if (!path || path[0] != '/' || strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//"))
		return false;
	for (size_t i = 0; i < profile_layer_count(input->profile); i++) {
		struct profile_layer layer = profile_layer(input->profile, i);

		if (!(layer.lists & LIST_HOOKS))
			continue;
		if (!strings_match(&layer.hooks, path))
			return false;
		allowed = true;
	}
	return allowed;
}

/* Variables that make a trusted program run something else. */
static const char *find_steering_variable(const struct json *hook)
{
	static const char *const patterns[] = { "LD_*=*", "GCONV_PATH=*", "LOCPATH=*", "GLIBC_TUNABLES=*", "BASH_ENV=*", "ENV=*",
						"PYTHON*=*", "PERL*=*", "RUBY*=*", "NODE_*=*", "GODEBUG=*", "BASH_FUNC_*" };
	const struct json *env = json_get(hook, "env");

	for (size_t i = 0; env && i < env->count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(patterns); j++)
			if (pattern_matches(patterns[j], json_string(env->items[i]) ? json_string(env->items[i]) : ""))
				return json_string(env->items[i]);
	return NULL;
}

static void judge_hook(const struct plan_input *input, const struct place *list, size_t index)
{
	const struct json *hook = list->node->items[index];
	const char *path = json_string(json_get(hook, "path")), *steering = find_steering_variable(hook);
	char name[24];

	snprintf(name, sizeof(name), "%zu", index);
	if (is_docker_network(input, list->name, hook))
		return;
	if (!is_allowed(input, hook))
		place_refuse(list, KEY, name, "%s hook %s is not allowed", list->name, path ? path : "(none)");
	else if (steering)
		place_refuse(list, KEY, name, "%s hook %s with %s is not allowed", list->name, path, steering);
}

static struct json *make_own_hook(const struct plan_input *input, const char *point, struct json_tree *tree)
{
	struct json *hook = json_make_object(tree), *args = json_make_array(tree);

	json_append(tree, args, json_make_string(tree, "quod-hook"));
	json_append(tree, args, json_make_string(tree, input->facts->state_dir));
	if (strcmp(point, "createRuntime"))
		json_append(tree, args, json_make_string(tree, point));
	json_set(tree, hook, "path", json_make_string(tree, input->facts->hook_path));
	json_set(tree, hook, "args", args);
	json_set(tree, hook, "timeout", json_make_int(tree, OWN_TIMEOUT_SECONDS));
	return hook;
}

/* quod's own stands last among its kind; the plan of a planned document finds it there. */
static bool is_own_hook(const struct plan_input *input, const struct place *list, size_t index, struct json_tree *tree)
{
	if (index + 1 < list->node->count || (strcmp(list->name, "createRuntime") && strcmp(list->name, "poststop")))
		return false;
	return json_equal(list->node->items[index], make_own_hook(input, list->name, tree));
}

static void judge_hooks(const struct plan_input *input, const struct place *hooks, struct plan *plan)
{
	for (size_t i = 0; hooks->node && i < hooks->node->count; i++) {
		const char *point = hooks->node->members[i].name;
		struct place list = place_member(hooks, point);

		if (!is_hook_point(point))
			place_refuse(hooks, KEY, point, "hook point %s is not known", point);
		for (size_t j = 0; json_is(list.node, JSON_ARRAY) && j < list.node->count; j++)
			if (!is_own_hook(input, &list, j, plan->edits.tree))
				judge_hook(input, &list, j);
	}
}

static void add_own_hook(const struct plan_input *input, struct place *hooks, const char *point, struct plan *plan)
{
	struct place list = place_member(hooks, point);
	struct json *own = make_own_hook(input, point, plan->edits.tree), *only;

	if (!json_is(list.node, JSON_ARRAY)) {
		only = json_make_array(plan->edits.tree);
		json_append(plan->edits.tree, only, own);
		place_set(hooks, KEY, point, only);
	} else if (!list.node->count || !is_own_hook(input, &list, list.node->count - 1, plan->edits.tree)) {
		oci_edits_add(&plan->edits, OCI_EDIT_ADD, KEY, own, "/hooks/%s/-", point);
	}
}

void plan_hooks(const struct plan_input *input, struct plan *plan)
{
	struct place root = place_first(plan, "", input->config->root), hooks = place_member(&root, "hooks");

	if (!input->facts->hook_path || !input->facts->state_dir) {
		plan_refuse(plan, KEY, "/hooks", "quod's own hook can't be placed");
		return;
	}
	judge_hooks(input, &hooks, plan);
	add_own_hook(input, &hooks, "createRuntime", plan);
	if (plan->has_placeholders)
		add_own_hook(input, &hooks, "poststop", plan);
}
