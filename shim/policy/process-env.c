/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment of a process: what the profile scrubs goes, what it sets stands, and QUOD_PROFILE and QUOD_DEADLINE are
 * quod's own. Entries are changed one by one, so that no plan shows the others. An environment that two runtimes could read
 * differently is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/process-parts.h"

struct variable {
	const char *name, *value;
	bool is_found;
};

/* What has to be there, quod's own first: the profile can't set those. */
static struct variable *make_wanted(const struct plan_input *input, size_t *count)
{
	const struct profile *profile = input->profile;
	struct variable *wanted = alloc_zeroed(profile->process.env_set_count + 2, sizeof(*wanted));

	wanted[0] = (struct variable){ "QUOD_PROFILE", profile->name, false };
	wanted[1] = (struct variable){ "QUOD_DEADLINE", input->facts->deadline ? input->facts->deadline : "", false };
	*count = 2;
	for (size_t i = 0; i < profile->process.env_set_count; i++) {
		const struct env_rule *rule = &profile->process.env_set[i];

		if (strcmp(rule->name, wanted[0].name) && strcmp(rule->name, wanted[1].name))
			wanted[(*count)++] = (struct variable){ rule->name, rule->value, false };
	}
	return wanted;
}

static struct variable *find_wanted(struct variable *wanted, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(wanted[i].name, name))
			return &wanted[i];
	return NULL;
}

static bool is_scrubbed(const struct plan_input *input, const char *name)
{
	const struct strings *scrub = &input->profile->process.env_scrub;

	for (size_t i = 0; i < scrub->count; i++)
		if (pattern_matches(scrub->items[i], name))
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void refuse_duplicates(const struct place *env, const struct strings *names)
{
	char **sorted = alloc_zeroed(names->count, sizeof(*sorted));

	for (size_t i = 0; i < names->count; i++)
		sorted[i] = names->items[i];
	qsort(sorted, names->count, sizeof(*sorted), compare_names);
	for (size_t i = 1; i < names->count; i++)
		if (!strcmp(sorted[i - 1], sorted[i]) && (i == 1 || strcmp(sorted[i - 2], sorted[i])))
			place_refuse(env, "process.env", NULL, "%s is given twice", sorted[i]);
	free(sorted);
}

/* The names of all entries, one for each; false where an entry has none. */
static bool read_names(const struct place *env, struct strings *names)
{
	for (size_t i = 0; i < env->node->count; i++) {
		const char *text = json_string(env->node->items[i]), *end = text ? strchr(text, '=') : NULL;
		cleanup_free char *name = end ? alloc_copy(text) : NULL;
		char index[24];

		snprintf(index, sizeof(index), "%zu", i);
		if (!end || end == text) {
			place_refuse(env, "process.env", index, "is not of the form NAME=VALUE");
			return false;
		}
		name[end - text] = '\0';
		strings_add(names, name);
	}
	refuse_duplicates(env, names);
	return true;
}

static struct json *make_entry(const struct place *env, const struct variable *variable)
{
	cleanup_free char *text = alloc_printf("%s=%s", variable->name, variable->value);

	return json_make_string(env->plan->edits.tree, text);
}

static void set_entry(const struct place *env, size_t i, struct variable *variable)
{
	const char *text = json_string(env->node->items[i]);
	cleanup_buf struct buf pointer = BUF_INIT;

	variable->is_found = true;
	if (!strcmp(text + strlen(variable->name) + 1, variable->value))
		return;
	place_print(&pointer, env);
	oci_edits_add(&env->plan->edits, OCI_EDIT_REPLACE, "process.env.set", make_entry(env, variable), "%s/%zu", pointer.data,
		      i);
}

/* Replacements, then removals from behind, then what is missing: indices stay good. */
static void edit_entries(const struct plan_input *input, const struct place *env, const struct strings *names,
			 struct variable *wanted, size_t wanted_count)
{
	struct oci_edits *edits = &env->plan->edits;
	cleanup_buf struct buf pointer = BUF_INIT;
	struct variable *variable;

	place_print(&pointer, env);
	for (size_t i = 0; i < names->count; i++)
		if ((variable = find_wanted(wanted, wanted_count, names->items[i])))
			set_entry(env, i, variable);
	for (size_t i = names->count; i-- > 0;)
		if (!find_wanted(wanted, wanted_count, names->items[i]) && is_scrubbed(input, names->items[i]))
			oci_edits_add(edits, OCI_EDIT_REMOVE, "process.env.scrub", NULL, "%s/%zu", pointer.data, i);
	for (size_t i = 0; i < wanted_count; i++)
		if (!wanted[i].is_found)
			oci_edits_add(edits, OCI_EDIT_ADD, "process.env.set", make_entry(env, &wanted[i]), "%s/-", pointer.data);
}

static void set_all(const struct place *process, const struct place *env, const struct variable *wanted, size_t count)
{
	struct json_tree *tree = process->plan->edits.tree;
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < count; i++)
		json_append(tree, list, make_entry(env, &wanted[i]));
	place_set(process, "process.env.set", "env", list);
}

void process_plan_env(const struct plan_input *input, const struct place *process)
{
	struct place env = place_member(process, "env");
	struct strings names = { NULL, 0 };
	struct variable *wanted;
	size_t count;

	wanted = make_wanted(input, &count);
	if (!json_is(env.node, JSON_ARRAY))
		set_all(process, &env, wanted, count);
	else if (read_names(&env, &names))
		edit_entries(input, &env, &names, wanted, count);
	strings_free(&names);
	free(wanted);
}
