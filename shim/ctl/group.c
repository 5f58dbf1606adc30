/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl group list | show @GROUP | test @GROUP: the groups of hosts. `test` asks this host's resolver and connects from this
 * host (group-test.c); it says nothing of a container.
 */
#include "shim/ctl/group.h"

#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/table.h"

static void set_text(struct json_tree *tree, struct json *object, const char *name, const char *text)
{
	json_set(tree, object, name, text ? json_make_string(tree, text) : json_make_null(tree));
}

static struct json *hosts_to_json(struct json_tree *tree, const struct host_group *group)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < group->count; i++)
		json_append(tree, array, json_make_string(tree, group->hosts[i].text));
	return array;
}

static struct json *group_to_json(struct json_tree *tree, const char *name, const struct host_group *group)
{
	struct json *object = json_make_object(tree);

	set_text(tree, object, "name", name);
	set_text(tree, object, "description", group->description);
	set_text(tree, object, "source", group->source);
	set_text(tree, object, "file", group->file);
	json_set(tree, object, "hosts", hosts_to_json(tree, group));
	return object;
}

/* A group that doesn't load has its error in its row. */
static int list_one(struct ctl *ctl, const char *name, struct table *table, struct json_tree *tree, struct json *array)
{
	struct host_group group;
	struct err err = ERR_INIT;
	bool loads = group_find(name, &ctl->paths, &group, &err) == 0;

	table_addf(table, TONE_PLAIN, "@%s", name);
	if (loads) {
		table_addf(table, TONE_PLAIN, "%zu", group.count);
		table_add(table, TONE_PLAIN, group.description ? group.description : "");
		json_append(tree, array, group_to_json(tree, name, &group));
		group_release(&group);
		return CTL_YES;
	}
	table_add(table, TONE_PLAIN, "");
	table_add(table, TONE_BAD, err.text);
	json_append(tree, array, json_make_object(tree));
	set_text(tree, array->items[array->count - 1], "name", name);
	set_text(tree, array->items[array->count - 1], "error", err.text);
	return CTL_NO;
}

static int list_main(struct ctl *ctl)
{
	static const char *const heads[] = { "GROUP", "HOSTS", "DESCRIPTION", NULL };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *array = json_make_array(tree);
	struct strings names;
	struct table table;
	struct err err = ERR_INIT;
	int status = CTL_YES;

	if (ctl->argc != 2)
		return ctl_fail_usage(ctl, "'group list' takes no words");
	if (group_list(&ctl->paths, &names, &err) < 0)
		return ctl_fail("%s", err.text);
	table_init(&table, heads);
	for (size_t i = 0; i < names.count; i++)
		if (list_one(ctl, names.items[i], &table, tree, array) != CTL_YES)
			status = CTL_NO;
	if (ctl->json)
		ctl_print_json(array);
	else
		table_print(&table, stdout);
	table_release(&table);
	strings_free(&names);
	return status;
}

static void put_line(const char *head, const char *text)
{
	fputs(head, stdout);
	ctl_put(text);
	fputc('\n', stdout);
}

static int show_group(struct ctl *ctl, const char *name, const struct host_group *group)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();

	if (ctl->json) {
		ctl_print_json(group_to_json(tree, name, group));
		return CTL_YES;
	}
	printf("@%s: ", name);
	put_line("", group->description ? group->description : "");
	if (group->source)
		put_line("taken from: ", group->source);
	put_line("file: ", group->file);
	for (size_t i = 0; i < group->count; i++)
		put_line("  ", group->hosts[i].text);
	return CTL_YES;
}

int group_main(struct ctl *ctl)
{
	const char *command = ctl->argc > 1 ? ctl->argv[1] : "", *name;
	bool tests = !strcmp(command, "test");
	struct host_group group;
	struct err err = ERR_INIT;
	int status;

	if (!strcmp(command, "list"))
		return list_main(ctl);
	if (!tests && strcmp(command, "show") != 0)
		return ctl_fail_usage(ctl, *command ? "there is no command 'group %s'" : "'group' takes a command%s", command);
	if (ctl->argc != 3)
		return ctl_fail_usage(ctl, "'group %s' takes a group's name", command);
	name = ctl->argv[2] + (ctl->argv[2][0] == '@');
	if (!profile_name_is_valid(name))
		return ctl_fail_usage(ctl, "'%s' is no group's name", ctl->argv[2]);
	if (group_find(name, &ctl->paths, &group, &err) < 0)
		return ctl_fail("%s", err.text);
	status = tests ? group_test(ctl, &group) : show_group(ctl, name, &group);
	group_release(&group);
	return status;
}
