/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: nodes beyond the ordinary ones only where devices.allow names them, and only with the host's own numbers, for the
 * path inside says nothing of what is behind it. Rules begin with "deny all" and open nothing else.
 */
#include "shim/policy/devices.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/policy/paths.h"

#define ANY (-1)

struct device {
	char type;		/* 'b', 'c', 'a' for all */
	int64_t major, minor;	/* ANY */
};

static const struct ordinary_node {
	const char *path;
	struct device device;
} ordinary_nodes[] = {
	{ "/dev/null", { 'c', 1, 3 } },	   { "/dev/zero", { 'c', 1, 5 } }, { "/dev/full", { 'c', 1, 7 } },
	{ "/dev/random", { 'c', 1, 8 } },  { "/dev/urandom", { 'c', 1, 9 } }, { "/dev/tty", { 'c', 5, 0 } },
	{ "/dev/console", { 'c', 5, 1 } }, { "/dev/ptmx", { 'c', 5, 2 } },
};

/* What engines and runtimes open for every container: the nodes above, terminals, a tun that nobody can attach without
 * CAP_NET_ADMIN, and making (not opening) any node. */
static const struct ordinary_rule {
	struct device device;
	const char *access;
} ordinary_rules[] = {
	{ { 'c', ANY, ANY }, "m" }, { { 'b', ANY, ANY }, "m" }, { { 'c', 1, 3 }, "rwm" },   { { 'c', 1, 5 }, "rwm" },
	{ { 'c', 1, 7 }, "rwm" },   { { 'c', 1, 8 }, "rwm" },	{ { 'c', 1, 9 }, "rwm" },   { { 'c', 5, 0 }, "rwm" },
	{ { 'c', 5, 1 }, "rwm" },   { { 'c', 5, 2 }, "rwm" },	{ { 'c', 136, ANY }, "rwm" }, { { 'c', 10, 200 }, "rwm" },
};

/* An absent number is a wildcard to the runtimes; one that is no number at all covers nothing here. */
static int64_t read_number(const struct json *object, const char *name)
{
	const struct json *node = json_get(object, name);
	int64_t value;

	if (!node || json_is(node, JSON_NULL))
		return ANY;
	return json_int(node, &value) ? value : INT64_MIN;
}

static struct device read_device(const struct json *object)
{
	const char *type = json_string(json_get(object, "type"));
	char letter = !type || !*type ? 'a' : *type == 'u' ? 'c' : *type;

	return (struct device){ type && *type && type[1] ? '?' : letter, read_number(object, "major"), read_number(object, "minor") };
}

static bool device_covers(const struct device *outer, const struct device *inner)
{
	return outer->type == inner->type && (outer->major == ANY || outer->major == inner->major) &&
	       (outer->minor == ANY || outer->minor == inner->minor);
}

static bool device_equals(const struct device *a, const struct device *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

static void print_device(char text[64], const struct device *device)
{
	char major[24] = "*", minor[24] = "*";

	if (device->major >= 0)
		snprintf(major, sizeof(major), "%lld", (long long)device->major);
	if (device->minor >= 0)
		snprintf(minor, sizeof(minor), "%lld", (long long)device->minor);
	snprintf(text, 64, "%c %s:%s", device->type, major, minor);
}

static const char *read_access(const struct json *rule)
{
	const char *access = json_string(json_get(rule, "access"));

	return access && *access ? access : "rwm";
}

static bool is_within_access(const char *access, const char *bound)
{
	return access[strspn(access, bound)] == '\0';
}

static bool is_deny_all(const struct json *rule)
{
	struct device device = read_device(rule);

	return json_is(rule, JSON_OBJECT) && !json_bool(json_get(rule, "allow"), true) && device.type == 'a' &&
	       device.major == ANY && device.minor == ANY && is_within_access("rwm", read_access(rule));
}

static bool is_ordinary_rule(const struct json *rule)
{
	struct device device = read_device(rule);

	for (size_t i = 0; i < ARRAY_SIZE(ordinary_rules); i++)
		if (device_covers(&ordinary_rules[i].device, &device) &&
		    is_within_access(read_access(rule), ordinary_rules[i].access))
			return true;
	return false;
}

/* Absolute and without empty, "." and ".." components, as patterns are compared with. */
static bool is_plain_path(const char *path)
{
	size_t len = strlen(path);

	return path[0] == '/' && len > 1 && path[len - 1] != '/' && !strstr(path, "//") && !strstr(path, "/./") &&
	       !strstr(path, "/../") && strcmp(path + len - 2, "/.") && (len < 3 || strcmp(path + len - 3, "/.."));
}

#define ACCESS_SIZE 4	/* "rwm" */

static const char *layer_access(const struct profile_layer *layer, const char *path)
{
	for (size_t i = 0; i < layer->device_count; i++)
		if (path_matches(layer->devices[i].path, path))
			return layer->devices[i].access;
	return "";
}

/* What every layer lets the container do with the device at `path`; false for nothing. */
static bool find_access(const struct plan_input *input, const char *path, char access[ACCESS_SIZE])
{
	bool allowed = false;

	strcpy(access, is_plain_path(path) ? "rwm" : "");
	for (size_t i = 0; i < profile_layer_count(input->profile); i++) {
		struct profile_layer layer = profile_layer(input->profile, i);
		const char *given;
		char *kept = access;

		if (!(layer.lists & LIST_DEVICES))
			continue;
		given = layer_access(&layer, path);
		for (const char *letter = access; *letter; letter++)
			if (strchr(given, *letter))
				*kept++ = *letter;
		*kept = '\0';
		allowed = true;
	}
	return allowed && *access;
}

static bool is_ordinary_node(const char *path, const struct device *device)
{
	for (size_t i = 0; i < ARRAY_SIZE(ordinary_nodes); i++)
		if (!strcmp(ordinary_nodes[i].path, path) && device_equals(&ordinary_nodes[i].device, device))
			return true;
	return false;
}

static bool is_host_device(const struct plan_input *input, size_t index, const struct device *device)
{
	const struct fact_device *fact = index < input->facts->device_count ? &input->facts->devices[index] : NULL;

	if (!fact || fact->error)
		return false;
	return device->type == (S_ISCHR(fact->mode) ? 'c' : S_ISBLK(fact->mode) ? 'b' : '?') && device->major == fact->major &&
	       device->minor == fact->minor;
}

static void plan_node(const struct plan_input *input, const struct place *devices, size_t index)
{
	const struct json *node = devices->node->items[index];
	const char *path = json_string(json_get(node, "path"));
	struct device device = read_device(node);
	char name[24], text[64], access[ACCESS_SIZE];

	snprintf(name, sizeof(name), "%zu", index);
	print_device(text, &device);
	if (path && is_ordinary_node(path, &device))
		return;
	if (!path || !find_access(input, path, access))
		place_refuse(devices, "devices.allow", name, "device %s (%s) is not allowed", path ? path : "(none)", text);
	else if (!is_host_device(input, index, &device))
		place_refuse(devices, "devices.allow", name, "device %s (%s) is not the one that this host has there", path, text);
}

/* What devices.allow says behind a cgroup rule: of the node with those numbers. */
static bool find_access_of_device(const struct plan_input *input, const struct device *device, char access[ACCESS_SIZE])
{
	const struct json *list = input->config ? input->config->devices : NULL;

	for (size_t i = 0; list && i < list->count; i++) {
		const char *path = json_string(json_get(list->items[i], "path"));
		struct device node = read_device(list->items[i]);

		if (path && device_equals(&node, device) && is_host_device(input, i, &node) && find_access(input, path, access))
			return true;
	}
	return false;
}

static void bound_access(const struct place *rules, size_t index, const char *bound)
{
	const char *access = read_access(rules->node->items[index]);
	struct json_tree *tree = rules->plan->edits.tree;
	cleanup_buf struct buf kept = BUF_INIT, pointer = BUF_INIT;

	if (is_within_access(access, bound))
		return;
	for (; *access; access++)
		if (strchr(bound, *access))
			buf_putc(&kept, *access);
	place_print(&pointer, rules);
	if (kept.len)
		oci_edits_add(&rules->plan->edits, OCI_EDIT_ADD, "devices.allow", json_make_string(tree, kept.data), "%s/%zu/access",
			      pointer.data, index);
	else	/* an empty access would mean all to one of the runtimes */
		oci_edits_add(&rules->plan->edits, OCI_EDIT_REPLACE, "devices.allow", json_make_bool(tree, false), "%s/%zu/allow",
			      pointer.data, index);
}

/* Returns false when the rule opens all devices. */
static bool judge_rule(const struct plan_input *input, const struct place *rules, size_t index, bool may_edit)
{
	const struct json *rule = rules->node->items[index];
	struct device device = read_device(rule);
	char name[24], text[64], access[ACCESS_SIZE];
	bool allowed;

	if (!json_bool(json_get(rule, "allow"), false) || is_ordinary_rule(rule))
		return true;
	snprintf(name, sizeof(name), "%zu", index);
	if (device.type == 'a') {
		place_refuse(rules, "devices.allow", name, "all devices (a privileged container) are not allowed");
		return false;
	}
	allowed = find_access_of_device(input, &device, access);
	print_device(text, &device);
	if (!allowed || (!may_edit && !is_within_access(read_access(rule), access)))
		place_refuse(rules, "devices.allow", name, "access to device %s is not allowed", text);
	else
		bound_access(rules, index, access);
	return true;
}

static struct json *make_deny_all(struct json_tree *tree)
{
	struct json *rule = json_make_object(tree);

	json_set(tree, rule, "allow", json_make_bool(tree, false));
	json_set(tree, rule, "access", json_make_string(tree, "rwm"));
	return rule;
}

/* One runtime starts from what the parent cgroup allows, which may be everything. In a user namespace no device can be
 * opened that wasn't there, and rules can't be set. */
static void deny_all_first(const struct plan_input *input, const struct place *rules)
{
	struct json_tree *tree = rules->plan->edits.tree;
	cleanup_buf struct buf pointer = BUF_INIT;
	struct json *list;

	if (input->facts->is_rootless)
		return;
	if (!json_is(rules->node, JSON_ARRAY)) {
		list = json_make_array(tree);
		json_append(tree, list, make_deny_all(tree));
		place_set_array(rules, "devices.allow", list);
	} else if (!rules->node->count || !is_deny_all(rules->node->items[0])) {
		place_print(&pointer, rules);
		oci_edits_add(&rules->plan->edits, OCI_EDIT_ADD, "devices.allow", make_deny_all(tree), "%s/0", pointer.data);
	}
}

void plan_devices(const struct plan_input *input, struct plan *plan)
{
	struct place linux_place = place_first(plan, "/linux", input->config->linux_node);
	struct place resources = place_member(&linux_place, "resources"), rules = place_member(&resources, "devices");
	struct place devices = place_member(&linux_place, "devices");
	bool is_privileged = false;

	if (!linux_place.node)
		return;
	for (size_t i = 0; json_is(rules.node, JSON_ARRAY) && i < rules.node->count; i++)
		is_privileged = !judge_rule(input, &rules, i, true) || is_privileged;
	deny_all_first(input, &rules);
	/* a privileged container lists each device of the host: one reason is enough */
	for (size_t i = 0; !is_privileged && json_is(devices.node, JSON_ARRAY) && i < devices.node->count; i++)
		plan_node(input, &devices, i);
}

void devices_refuse_rules(const struct plan_input *input, const struct place *resources)
{
	struct place rules = place_member(resources, "devices");

	for (size_t i = 0; json_is(rules.node, JSON_ARRAY) && i < rules.node->count; i++)
		judge_rule(input, &rules, i, false);
}
