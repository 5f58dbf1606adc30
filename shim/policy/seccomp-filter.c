/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters read from and made into JSON: see seccomp-filter.h. What one of the runtimes might read differently is refused. */
#include "shim/policy/seccomp-filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

#define KEY "seccomp.floor"

static const struct {
	const char *name;
	enum verdict verdict;
} actions[] = {
	{ "SCMP_ACT_ALLOW", VERDICT_ALLOW },	  { "SCMP_ACT_LOG", VERDICT_ALLOW },
	{ "SCMP_ACT_ERRNO", VERDICT_DENY },	  { "SCMP_ACT_TRAP", VERDICT_DENY },
	{ "SCMP_ACT_KILL", VERDICT_DENY },	  { "SCMP_ACT_KILL_THREAD", VERDICT_DENY },
	{ "SCMP_ACT_KILL_PROCESS", VERDICT_DENY }, { "SCMP_ACT_NOTIFY", VERDICT_FOREIGN },
	{ "SCMP_ACT_TRACE", VERDICT_FOREIGN },
};

static bool read_action(const struct json *node, const char **action, enum verdict *verdict)
{
	*action = json_string(node);
	for (size_t i = 0; *action && i < ARRAY_SIZE(actions); i++)
		if (!strcmp(actions[i].name, *action)) {
			*verdict = actions[i].verdict;
			return *verdict != VERDICT_FOREIGN;
		}
	return false;
}

static int read_error(const struct json *node)
{
	uint64_t error;

	return json_uint(node, &error) && error <= INT32_MAX ? (int)error : EPERM;
}

void rule_add_name(struct filter_rule *rule, const char *name)
{
	rule->names = alloc_grow(rule->names, rule->name_count + 1, sizeof(*rule->names));
	rule->names[rule->name_count++] = name;
}

static struct filter_rule *add_rule(struct filter *filter)
{
	filter->rules = alloc_grow(filter->rules, filter->rule_count + 1, sizeof(*filter->rules));
	filter->rules[filter->rule_count] = (struct filter_rule){ .has_known_conditions = true };
	return &filter->rules[filter->rule_count++];
}

static bool read_names(const struct json *names, struct filter_rule *rule)
{
	if (!json_is(names, JSON_ARRAY))
		return false;
	rule->names = alloc_zeroed(names->count, sizeof(*rule->names));
	for (size_t i = 0; i < names->count; i++) {
		if (!json_string(names->items[i]))
			return false;
		rule->names[rule->name_count++] = json_string(names->items[i]);
	}
	return true;
}

static bool read_rule(const struct place *syscalls, size_t index, struct filter *filter)
{
	const struct json *node = syscalls->node->items[index];
	struct filter_rule *rule = add_rule(filter);
	char name[24];

	snprintf(name, sizeof(name), "%zu", index);
	rule->node = node;
	rule->error = read_error(json_get(node, "errnoRet"));
	rule->has_known_conditions = conditions_read(json_get(node, "args"), &rule->conditions);
	if (!read_action(json_get(node, "action"), &rule->action, &rule->verdict)) {
		place_refuse(syscalls, KEY, name, "action %s can't be merged with the floor", rule->action ? rule->action : "(none)");
		return false;
	}
	if (!read_names(json_get(node, "names"), rule)) {
		place_refuse(syscalls, KEY, name, "has no list of names");
		return false;
	}
	return true;
}

bool filter_read(const struct place *place, struct filter *filter)
{
	struct place syscalls = place_member(place, "syscalls");
	bool is_read = true;

	*filter = (struct filter){ .default_action = "SCMP_ACT_ALLOW", .default_verdict = VERDICT_ALLOW, .default_error = EPERM };
	if (!json_is(place->node, JSON_OBJECT))
		return true;
	filter->default_error = read_error(json_get(place->node, "defaultErrnoRet"));
	if (!read_action(json_get(place->node, "defaultAction"), &filter->default_action, &filter->default_verdict)) {
		place_refuse(place, KEY, "defaultAction", "action %s can't be merged with the floor",
			     filter->default_action ? filter->default_action : "(none)");
		return false;
	}
	for (size_t i = 0; json_is(syscalls.node, JSON_ARRAY) && i < syscalls.node->count; i++)
		is_read = read_rule(&syscalls, i, filter) && is_read;
	return is_read;
}

void filter_release(struct filter *filter)
{
	for (size_t i = 0; i < filter->rule_count; i++)
		free(filter->rules[i].names);
	free(filter->rules);
	*filter = (struct filter){ 0 };
}

struct filter_rule *filter_add(struct filter *filter, const char *name, const char *action, int error,
			       const struct conditions *conditions)
{
	struct filter_rule *rule = add_rule(filter);

	rule->action = action;
	rule->verdict = VERDICT_DENY;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(actions[i].name, action))
			rule->verdict = actions[i].verdict;
	rule->error = error;
	if (conditions)
		rule->conditions = *conditions;
	if (name)
		rule_add_name(rule, name);
	return rule;
}

/* Hundreds of names meet a hundred others: most differ in the first letters. */
static bool is_same_name(const char *a, const char *b)
{
	return a[0] == b[0] && !strcmp(a, b);
}

bool rule_has_name(const struct filter_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->name_count; i++)
		if (is_same_name(rule->names[i], name))
			return true;
	return false;
}

bool rule_take_name(struct filter_rule *rule, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < rule->name_count; i++)
		if (!is_same_name(rule->names[i], name))
			rule->names[kept++] = rule->names[i];
	if (kept == rule->name_count)
		return false;
	rule->name_count = kept;
	rule->is_changed = true;
	return true;
}

bool rule_is_unconditional(const struct filter_rule *rule)
{
	return rule->has_known_conditions && !rule->conditions.count;
}

bool filter_denies(const struct filter *filter, const char *name)
{
	for (size_t i = 0; i < filter->rule_count; i++)
		if (filter->rules[i].verdict == VERDICT_DENY && rule_is_unconditional(&filter->rules[i]) &&
		    rule_has_name(&filter->rules[i], name))
			return true;
	return false;
}

static struct json *make_names(const struct filter_rule *rule, struct json_tree *tree)
{
	struct json *names = json_make_array(tree);

	for (size_t i = 0; i < rule->name_count; i++)
		json_append(tree, names, json_make_string(tree, rule->names[i]));
	return names;
}

static struct json *make_rule(const struct filter_rule *rule, struct json_tree *tree)
{
	struct json *object = rule->node ? json_copy(tree, rule->node) : json_make_object(tree);

	if (rule->node) {
		if (rule->is_changed)
			json_set(tree, object, "names", make_names(rule, tree));
		return object;
	}
	json_set(tree, object, "names", make_names(rule, tree));
	json_set(tree, object, "action", json_make_string(tree, rule->action));
	if (!strcmp(rule->action, "SCMP_ACT_ERRNO"))
		json_set(tree, object, "errnoRet", json_make_int(tree, rule->error));
	if (rule->conditions.count)
		json_set(tree, object, "args", conditions_make(&rule->conditions, tree));
	return object;
}

struct json *filter_make_syscalls(const struct filter *filter, struct json_tree *tree)
{
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < filter->rule_count; i++)
		if (filter->rules[i].name_count || !filter->rules[i].is_changed)
			json_append(tree, list, make_rule(&filter->rules[i], tree));
	return list;
}
