/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces: what the profile wants private is private, whatever the path it is given by. A namespace of the host, or of a
 * container outside quod, is refused; a missing one is refused too, but for the cgroup namespace, which nobody misses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/place.h"

#define KEY "namespaces.private"

/* How a namespace that is given by path is judged. */
enum by_path {
	BY_PATH_NEVER,		/* mount, cgroup: nothing that an engine does */
	BY_PATH_OF_QUOD,	/* only that of a container under quod (a pod, container:X) */
	BY_PATH_NETWORK,	/* also a fresh one without any process (CNI, Podman) */
};

static const struct known_namespace {
	const char *type, *name;
	unsigned bit;
	enum by_path by_path;
} known_namespaces[] = {
	{ "pid", "processes", NS_PID, BY_PATH_OF_QUOD },     { "network", "network", NS_NETWORK, BY_PATH_NETWORK },
	{ "mount", "mounts", NS_MOUNT, BY_PATH_NEVER },	     { "ipc", "IPC", NS_IPC, BY_PATH_OF_QUOD },
	{ "uts", "UTS", NS_UTS, BY_PATH_OF_QUOD },     { "cgroup", "cgroups", NS_CGROUP, BY_PATH_NEVER },
	{ "user", "users", 0, BY_PATH_OF_QUOD },
};

static const struct known_namespace *find_known(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_SIZE(known_namespaces); i++)
		if (!strcmp(known_namespaces[i].type, type))
			return &known_namespaces[i];
	return NULL;
}

static const struct oci_namespace *find_entry(const struct oci_config *config, const char *type)
{
	for (size_t i = 0; i < config->namespace_count; i++)
		if (config->namespaces[i].type && !strcmp(config->namespaces[i].type, type))
			return &config->namespaces[i];
	return NULL;
}

/* An empty path is none, to both runtimes. */
static bool is_given(const struct oci_namespace *entry)
{
	return entry->path && *entry->path;
}

static void judge_path(const struct plan_input *input, const struct place *list, const struct known_namespace *known,
		       const struct oci_namespace *entry)
{
	static const struct fact_namespace unseen = { .error = ENOENT };
	const struct fact_namespace *fact =
		entry->index < input->facts->namespace_count ? &input->facts->namespaces[entry->index] : &unseen;
	char name[24];

	snprintf(name, sizeof(name), "%zu", entry->index);
	if (fact->error)
		place_refuse(list, KEY, name, "%s is no %s namespace: %s", entry->path, known->type, strerror(fact->error));
	else if (fact->is_host)
		place_refuse(list, KEY, name, "host %s", known->name);
	else if (known->by_path == BY_PATH_NEVER)
		place_refuse(list, KEY, name, "a %s namespace can't be shared", known->type);
	else if (fact->owner_key) {
		list->plan->joins = true;
		list->plan->joins_network = list->plan->joins_network || known->bit == NS_NETWORK;
	}
	else if (known->by_path == BY_PATH_NETWORK && fact->is_empty)
		list->plan->has_network = true;
	else
		place_refuse(list, KEY, name, "%s namespace %s is not of a container under quod", known->type, entry->path);
}

static void judge_entry(const struct plan_input *input, const struct place *list, const struct oci_namespace *entry)
{
	const struct known_namespace *known = find_known(entry->type);
	char name[24];

	snprintf(name, sizeof(name), "%zu", entry->index);
	if (!known)
		place_refuse(list, KEY, name, "namespace type %s is not allowed", entry->type ? entry->type : "(none)");
	else if (find_entry(input->config, entry->type) != entry)
		place_refuse(list, KEY, name, "%s namespace is given twice", entry->type);
	else if (is_given(entry))
		judge_path(input, list, known, entry);
	else if (known->bit == NS_NETWORK)
		list->plan->has_network = true;
}

static void add_cgroup_namespace(const struct place *list)
{
	struct json_tree *tree = list->plan->edits.tree;
	struct json *entry = json_make_object(tree);
	cleanup_buf struct buf pointer = BUF_INIT;

	json_set(tree, entry, "type", json_make_string(tree, "cgroup"));
	place_print(&pointer, list);
	oci_edits_add(&list->plan->edits, OCI_EDIT_ADD, KEY, entry, "%s/-", pointer.data);
}

/* Without mounts and a network of its own, nothing else that quod promises would hold: these two aren't a profile's to give. */
static void judge_missing(const struct plan_input *input, const struct place *list)
{
	unsigned wanted = input->profile->namespaces.private | NS_NETWORK | NS_MOUNT;

	for (size_t i = 0; i < ARRAY_SIZE(known_namespaces); i++) {
		const struct known_namespace *known = &known_namespaces[i];

		if (!(wanted & known->bit) || find_entry(input->config, known->type))
			continue;
		if (known->bit == NS_CGROUP && json_is(list->node, JSON_ARRAY))
			add_cgroup_namespace(list);
		else
			place_refuse(list, KEY, NULL, "host %s", known->name);
	}
}

/* Host id 0 inside would be the host's root. Rootless, the ids are already those of the user's own namespace. */
static void judge_mapping(const struct plan_input *input, const struct place *linux_place, const char *name,
			  const struct json *list)
{
	uint64_t host_id, size;

	for (size_t i = 0; list && i < list->count; i++)
		if (!json_uint(json_get(list->items[i], "hostID"), &host_id) ||
		    !json_uint(json_get(list->items[i], "size"), &size) || (!host_id && size))
			place_refuse(linux_place, "namespaces.user", name, "the host's id 0 can't be mapped into a container");
}

static void judge_user_namespace(const struct plan_input *input, const struct place *linux_place, const struct place *list)
{
	if (input->profile->namespaces.user_required && !find_entry(input->config, "user"))
		place_refuse(list, "namespaces.user", NULL, "a user namespace is required");
	if (input->facts->is_rootless)
		return;
	judge_mapping(input, linux_place, "uidMappings", input->config->uid_mappings);
	judge_mapping(input, linux_place, "gidMappings", input->config->gid_mappings);
}

void plan_namespaces(const struct plan_input *input, struct plan *plan)
{
	struct place linux_place = place_first(plan, "/linux", input->config->linux_node);
	struct place list = place_member(&linux_place, "namespaces");

	if (!linux_place.node) {
		plan_refuse(plan, KEY, "/linux", "without this section nothing would be private");
		return;
	}
	for (size_t i = 0; i < input->config->namespace_count; i++)
		judge_entry(input, &list, &input->config->namespaces[i]);
	judge_missing(input, &list);
	judge_user_namespace(input, &linux_place, &list);
}
