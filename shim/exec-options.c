/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec without a process file: see exec-options.h. Nothing is bounded here, the plan does that; but no option may be left
 * out either, or the process would be another one than the caller asked for.
 */
#include "shim/exec-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

static void set_text(struct json_tree *tree, struct json *object, const char *name, const char *text)
{
	if (text && *text)
		json_set(tree, object, name, json_make_string(tree, text));
}

static struct json *member_of(struct json_tree *tree, struct json *object, const char *name, enum json_type type)
{
	struct json *member = json_get(object, name);

	if (json_is(member, type))
		return member;
	member = type == JSON_ARRAY ? json_make_array(tree) : json_make_object(tree);
	json_set(tree, object, name, member);
	return member;
}

static bool has_text(const struct json *array, const char *text)
{
	for (size_t i = 0; array && i < array->count; i++) {
		const char *item = json_string(array->items[i]);

		if (item && !strcmp(item, text))
			return true;
	}
	return false;
}

/* An id as both runtimes' parsers take it: digits of a 32-bit number. */
static int parse_id(const char *option, const char *text, size_t len, uint32_t *id, struct err *err)
{
	unsigned long value = 0;

	for (size_t i = 0; i < len && value <= UINT32_MAX; i++) {
		if (text[i] < '0' || text[i] > '9')
			return err_set(err, EINVAL, "--%s %s: a number is wanted", option, text);
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	if (!len || value >= UINT32_MAX)
		return err_set(err, EINVAL, "--%s %s: an id from 0 to 4294967294 is wanted", option, text);
	*id = (uint32_t)value;
	return 0;
}

/* UID[:GID]. runc changes these two of the container's user, crun makes a new one whose group is 0 when none is given. */
static int set_user(const struct oci_cmdline *line, struct json *process, struct json_tree *tree, struct err *err)
{
	const char *text = oci_cmdline_value(line, "user", "");
	const char *colon = strchr(text, ':');
	struct json *user;
	uint32_t uid, gid = 0;

	if (!*text)
		return 0;
	if (parse_id("user", text, colon ? (size_t)(colon - text) : strlen(text), &uid, err) < 0)
		return -err->code;
	if (colon && parse_id("user", colon + 1, strlen(colon + 1), &gid, err) < 0)
		return -err->code;
	if (line->dialect == OCI_DIALECT_CRUN)
		json_set(tree, process, "user", json_make_object(tree));
	user = member_of(tree, process, "user", JSON_OBJECT);
	json_set(tree, user, "uid", json_make_uint(tree, uid));
	if (colon || line->dialect == OCI_DIALECT_CRUN)
		json_set(tree, user, "gid", json_make_uint(tree, gid));
	return 0;
}

static int add_gid(struct json *process, struct json_tree *tree, const char *text, struct err *err)
{
	struct json *gids = member_of(tree, member_of(tree, process, "user", JSON_OBJECT), "additionalGids", JSON_ARRAY);
	uint32_t gid;

	if (parse_id("additional-gids", text, strlen(text), &gid, err) < 0)
		return -err->code;
	json_append(tree, gids, json_make_uint(tree, gid));
	return 0;
}

/* runc adds to the container's sets, ambient only where something is inheritable; crun makes sets of these alone. */
static void add_capability(const struct oci_cmdline *line, struct json *process, struct json_tree *tree, const char *name)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "ambient" };
	struct json *capabilities = member_of(tree, process, "capabilities", JSON_OBJECT);
	bool is_crun = line->dialect == OCI_DIALECT_CRUN, has_inheritable = json_get(capabilities, "inheritable") != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct json *set;

		if (!is_crun && !has_inheritable && !strcmp(sets[i], "ambient"))
			continue;
		set = member_of(tree, capabilities, sets[i], JSON_ARRAY);
		if (!has_text(set, name))
			json_append(tree, set, json_make_string(tree, name));
	}
}

static int add_option(const struct oci_cmdline *line, const struct oci_option *option, struct json *process,
		      struct json_tree *tree, struct err *err)
{
	if (!option->value)
		return 0;
	if (!strcmp(option->name, "env"))
		json_append(tree, member_of(tree, process, "env", JSON_ARRAY), json_make_string(tree, option->value));
	else if (!strcmp(option->name, "cap"))
		add_capability(line, process, tree, option->value);
	else if (!strcmp(option->name, "additional-gids"))
		return add_gid(process, tree, option->value, err);
	return 0;
}

int exec_options_make(const struct oci_cmdline *line, const struct json *container, struct json_tree *tree, struct err *err)
{
	struct json *process = json_copy(tree, container), *args = json_make_array(tree);

	if (!json_is(process, JSON_OBJECT))
		return err_set(err, EINVAL, "the container's own process is not known: give --process");
	if (line->positional_count < 2)
		return err_set(err, EINVAL, "exec: a command is missing behind the container's id");
	for (size_t i = 1; i < line->positional_count; i++)
		json_append(tree, args, json_make_string(tree, line->argv[line->positionals[i]]));
	json_set(tree, process, "args", args);
	set_text(tree, process, "cwd", oci_cmdline_value(line, "cwd", ""));
	set_text(tree, process, "apparmorProfile", oci_cmdline_value(line, "apparmor", ""));
	set_text(tree, process, "selinuxLabel", oci_cmdline_value(line, "process-label", ""));
	json_set(tree, process, "terminal", json_make_bool(tree, oci_cmdline_has(line, "tty")));
	if (oci_cmdline_option(line, "no-new-privs"))
		json_set(tree, process, "noNewPrivileges", json_make_bool(tree, oci_cmdline_has(line, "no-new-privs")));
	if (set_user(line, process, tree, err) < 0)
		return -err->code;
	if (line->dialect == OCI_DIALECT_CRUN && oci_cmdline_option(line, "cap"))
		json_set(tree, process, "capabilities", json_make_object(tree));
	for (size_t i = 0; i < line->option_count; i++) {
		if (add_option(line, &line->options[i], process, tree, err) < 0)
			return -err->code;
	}
	json_set_root(tree, process);
	return 0;
}

/* runc only compares the joined path's beginning: "../c2-other" leads from c2 to its neighbour. */
int exec_options_check_cgroup(const struct oci_cmdline *line, struct err *err)
{
	for (size_t i = 0; i < line->option_count; i++) {
		const struct oci_option *option = &line->options[i];
		cleanup_free char *copy = NULL;

		if (strcmp(option->name, "cgroup") || !option->value)
			continue;
		copy = alloc_copy(option->value);
		for (char *at = copy, *part; (part = strsep(&at, "/:"));) {
			if (!strcmp(part, ".."))
				return err_set(err, EPERM, "exec --cgroup %s: leads out of the container's own cgroup", option->value);
		}
	}
	return 0;
}
