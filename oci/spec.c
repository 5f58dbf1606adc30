/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A typed view of a configuration: see spec.h. It only looks: a field of another type than the specification's reads as
 * absent here, and oci_check has reported it.
 */
#include "oci/spec.h"

#include <stdlib.h>

static const struct json *get(const struct json *object, const char *name, enum json_type type)
{
	const struct json *node = json_get(object, name);

	return json_is(node, type) ? node : NULL;
}

static const char *get_string(const struct json *object, const char *name)
{
	return json_string(json_get(object, name));
}

static uint32_t get_uint32(const struct json *object, const char *name)
{
	uint64_t value = 0;

	return json_uint(json_get(object, name), &value) && value <= UINT32_MAX ? (uint32_t)value : 0;
}

void oci_process_view(const struct json *node, struct oci_process *process)
{
	const struct json *user = get(node, "user", JSON_OBJECT);

	if (!json_is(node, JSON_OBJECT))
		node = NULL;
	*process = (struct oci_process){
		.node = node,
		.terminal = json_bool(json_get(node, "terminal"), false),
		.uid = get_uint32(user, "uid"),
		.gid = get_uint32(user, "gid"),
		.user = user,
		.additional_gids = get(user, "additionalGids", JSON_ARRAY),
		.args = get(node, "args", JSON_ARRAY),
		.env = get(node, "env", JSON_ARRAY),
		.cwd = get_string(node, "cwd"),
		.capabilities = get(node, "capabilities", JSON_OBJECT),
		.rlimits = get(node, "rlimits", JSON_ARRAY),
		.no_new_privileges = json_bool(json_get(node, "noNewPrivileges"), false),
		.apparmor_profile = get_string(node, "apparmorProfile"),
		.selinux_label = get_string(node, "selinuxLabel"),
		.oom_score_adj = get(node, "oomScoreAdj", JSON_NUMBER),
		.scheduler = get(node, "scheduler", JSON_OBJECT),
		.io_priority = get(node, "ioPriority", JSON_OBJECT),
		.exec_cpu_affinity = get(node, "execCPUAffinity", JSON_OBJECT),
	};
}

static void view_mounts(const struct json *list, struct oci_config *config)
{
	if (!list)
		return;
	config->mount_count = list->count;
	config->mounts = alloc_zeroed(list->count, sizeof(*config->mounts));
	for (size_t i = 0; i < list->count; i++) {
		const struct json *node = list->items[i];

		config->mounts[i] = (struct oci_mount){
			.destination = get_string(node, "destination"),
			.type = get_string(node, "type"),
			.source = get_string(node, "source"),
			.options = get(node, "options", JSON_ARRAY),
			.node = node,
			.index = i,
		};
	}
}

static void view_namespaces(const struct json *list, struct oci_config *config)
{
	if (!list)
		return;
	config->namespace_count = list->count;
	config->namespaces = alloc_zeroed(list->count, sizeof(*config->namespaces));
	for (size_t i = 0; i < list->count; i++) {
		const struct json *node = list->items[i];

		config->namespaces[i] = (struct oci_namespace){ get_string(node, "type"), get_string(node, "path"), i };
	}
}

void oci_config_view(const struct json *root, struct oci_config *config)
{
	const struct json *linux_node = get(root, "linux", JSON_OBJECT), *root_node = get(root, "root", JSON_OBJECT);

	*config = (struct oci_config){
		.root = root,
		.oci_version = get_string(root, "ociVersion"),
		.hostname = get_string(root, "hostname"),
		.root_path = get_string(root_node, "path"),
		.root_readonly = json_bool(json_get(root_node, "readonly"), false),
		.hooks = get(root, "hooks", JSON_OBJECT),
		.annotations = get(root, "annotations", JSON_OBJECT),
		.linux_node = linux_node,
		.devices = get(linux_node, "devices", JSON_ARRAY),
		.resources = get(linux_node, "resources", JSON_OBJECT),
		.sysctl = get(linux_node, "sysctl", JSON_OBJECT),
		.seccomp = get(linux_node, "seccomp", JSON_OBJECT),
		.masked_paths = get(linux_node, "maskedPaths", JSON_ARRAY),
		.readonly_paths = get(linux_node, "readonlyPaths", JSON_ARRAY),
		.uid_mappings = get(linux_node, "uidMappings", JSON_ARRAY),
		.gid_mappings = get(linux_node, "gidMappings", JSON_ARRAY),
		.cgroups_path = get_string(linux_node, "cgroupsPath"),
		.rootfs_propagation = get_string(linux_node, "rootfsPropagation"),
		.mount_label = get_string(linux_node, "mountLabel"),
	};
	oci_process_view(json_get(root, "process"), &config->process);
	view_mounts(get(root, "mounts", JSON_ARRAY), config);
	view_namespaces(get(linux_node, "namespaces", JSON_ARRAY), config);
}

void oci_config_release(struct oci_config *config)
{
	free(config->mounts);
	free(config->namespaces);
	*config = (struct oci_config){ 0 };
}

const char *oci_annotation(const struct oci_config *config, const char *key)
{
	return get_string(config->annotations, key);
}
