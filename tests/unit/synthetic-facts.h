/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts without a host, for tests of whole plans: what a host would show about a configuration, made up from the
 * configuration itself by the same rules for every case, and what a case says differently. Looks at nothing.
 */
#ifndef QUOD_TESTS_UNIT_SYNTHETIC_FACTS_H
#define QUOD_TESTS_UNIT_SYNTHETIC_FACTS_H

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/policy/plan.h"

#define SYNTHETIC_STATE_DIR "/run/quod/containers/k"
#define SYNTHETIC_HOOK "/usr/libexec/quod/quod-hook"
#define EXT4_MAGIC 0xef53

/* Absolute, without "//", "." and, where they are followed, "..". NULL for what is no such path. */
static inline char *lexical_path(const char *path, bool follow_dots)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, "");
	while (path && *path == '/') {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && !strncmp(path, "..", 2)) {
			if (!follow_dots)
				break;
			while (out.len && out.data[--out.len] != '/')
				;
			out.data[out.len] = '\0';
		} else if (len && !(len == 1 && *path == '.')) {
			buf_putc(&out, '/');
			buf_put(&out, path, len);
		}
		path += len;
	}
	if (!path || *path) {
		buf_free(&out);
		return NULL;
	}
	if (!out.len)
		buf_putc(&out, '/');
	return buf_steal(&out);
}

static inline bool lies_in(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return !strncmp(path, directory, len) && (path[len] == '/' || !path[len]);
}

static inline bool is_any_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(text, *list))
			return true;
	return false;
}

static inline mode_t synthetic_mode(const char *path)
{
	static const char *const files[] = { "hosts", "hostname", "resolv.conf", ".containerenv", "etc-hosts", "passwd", "group",
					     "shadow", "docker-init", "tini", "catatonit", NULL };
	const char *name = strrchr(path, '/') + 1;
	size_t len = strlen(name);

	if (len > 5 && !strcmp(name + len - 5, ".sock"))
		return S_IFSOCK;
	if (lies_in(path, "/dev") && strcmp(path, "/dev") && strcmp(path, "/dev/shm"))
		return S_IFCHR;
	return is_any_of(name, files) || strstr(path, "/containers/main/") ? S_IFREG : S_IFDIR;
}

static inline uint64_t synthetic_magic(const char *path)
{
	if (lies_in(path, "/proc"))
		return PROC_SUPER_MAGIC;
	if (lies_in(path, "/sys/fs/cgroup"))
		return CGROUP2_SUPER_MAGIC;
	if (lies_in(path, "/sys"))
		return SYSFS_MAGIC;
	return lies_in(path, "/dev") || !strcmp(strrchr(path, '/'), "/shm") ? TMPFS_MAGIC : EXT4_MAGIC;
}

/* A word of a case that nobody reads would be a case that tests nothing. */
static inline void know_members(const struct json *object, const char *const *names)
{
	for (size_t i = 0; object && i < object->count; i++)
		if (!is_any_of(object->members[i].name, names)) {
			printf("Bail out! nobody knows the fact '%s'\n", object->members[i].name);
			exit(2);
		}
}

static inline void take_string(char **to, const struct json *object, const char *name)
{
	const struct json *node = json_get(object, name);

	if (!node)
		return;
	free(*to);
	*to = json_string(node) ? alloc_copy(json_string(node)) : NULL;
}

static inline bool take_bool(const struct json *object, const char *name, bool otherwise)
{
	return json_bool(json_get(object, name), otherwise);
}

static inline int take_int(const struct json *object, const char *name, int otherwise)
{
	int64_t value;

	return json_int(json_get(object, name), &value) ? (int)value : otherwise;
}

/* "kind" and "fs" by name. */
static inline void take_kind(struct fact_mount *fact, const struct json *said)
{
	static const struct {
		const char *name;
		mode_t mode;
		uint64_t magic;
	} names[] = {
		{ "file", S_IFREG, 0 }, { "directory", S_IFDIR, 0 }, { "socket", S_IFSOCK, 0 }, { "device", S_IFCHR, 0 },
		{ "fifo", S_IFIFO, 0 }, { "ext4", 0, EXT4_MAGIC }, { "tmpfs", 0, TMPFS_MAGIC }, { "proc", 0, PROC_SUPER_MAGIC },
		{ "sysfs", 0, SYSFS_MAGIC }, { "cgroup2", 0, CGROUP2_SUPER_MAGIC }, { "nsfs", 0, NSFS_MAGIC },
		{ "debugfs", 0, DEBUGFS_MAGIC }, { "bpf", 0, BPF_FS_MAGIC }, { "nfs", 0, NFS_SUPER_MAGIC },
	};
	const char *kind = json_string(json_get(said, "kind")), *fs = json_string(json_get(said, "fs"));

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (kind && names[i].mode && !strcmp(names[i].name, kind))
			fact->mode = names[i].mode, kind = NULL;
		if (fs && names[i].magic && !strcmp(names[i].name, fs))
			fact->fs_magic = names[i].magic, fs = NULL;
	}
	if (kind || fs) {
		printf("Bail out! nobody knows the kind '%s'\n", kind ? kind : fs);
		exit(2);
	}
}

static inline void synthesise_mount(const struct oci_mount *mount, const char *bundle, const struct json *said,
				    struct fact_mount *fact)
{
	static const char *const known[] = { "resolved", "destination", "kind", "fs", "mount_point", "submounts", "other_mount",
					     "root_only", "token", "error", NULL };
	const char *source = mount->source;
	cleanup_free char *absolute = source && *source ? alloc_printf("%s/%s", *source == '/' ? "" : bundle, source) : NULL;

	know_members(said, known);
	fact->destination = lexical_path(mount->destination, false);
	take_string(&fact->destination, said, "destination");
	fact->is_bind = mount->type && !strcmp(mount->type, "bind");
	for (size_t i = 0; mount->options && i < mount->options->count; i++)
		fact->is_bind = fact->is_bind || (json_string(mount->options->items[i]) &&
						  (!strcmp(json_string(mount->options->items[i]), "bind") ||
						   !strcmp(json_string(mount->options->items[i]), "rbind")));
	if (!fact->is_bind)
		return;
	fact->error = take_int(said, "error", absolute ? 0 : ENOENT);
	if (fact->error)
		return;
	fact->resolved = lexical_path(absolute, true);
	take_string(&fact->resolved, said, "resolved");
	fact->mode = synthetic_mode(fact->resolved);
	fact->fs_magic = synthetic_magic(fact->resolved);
	fact->is_root_only = !lies_in(fact->resolved, "/tmp") && !lies_in(fact->resolved, "/home");
	take_kind(fact, said);
	fact->is_root_only = take_bool(said, "root_only", fact->is_root_only);
	fact->holds_token = take_bool(said, "token", false);
	fact->is_mount_point = take_bool(said, "mount_point", false);
	fact->has_submounts = take_bool(said, "submounts", false);
	fact->is_other_mount = take_bool(said, "other_mount", false);
}

/* /proc/1 is the host; a namespace with a name was just made; other processes' are those of the pod's sandbox. */
static inline void synthesise_namespace(const struct oci_namespace *entry, const char *sandbox, const struct json *said,
					struct fact_namespace *fact)
{
	static const char *const known[] = { "host", "empty", "owner", "error", NULL };
	const char *path = entry->path ? entry->path : "";

	know_members(said, known);
	if (!*path)
		return;
	fact->error = take_int(said, "error", 0);
	fact->is_host = take_bool(said, "host", lies_in(path, "/proc/1") || lies_in(path, "/proc/self"));
	fact->is_empty = take_bool(said, "empty", lies_in(path, "/run/netns") || lies_in(path, "/var/run/netns"));
	if (lies_in(path, "/proc") && !fact->is_host && sandbox)
		fact->owner_id = alloc_copy(sandbox);
	take_string(&fact->owner_id, said, "owner");
	if (fact->owner_id)
		fact->owner_key = alloc_copy("key-of-owner");
}

static inline void synthesise_device(const char *path, struct fact_device *fact)
{
	static const struct {
		const char *path;
		struct fact_device fact;
	} host[] = {
		{ "/dev/null", { 0, S_IFCHR, 1, 3 } },	   { "/dev/fuse", { 0, S_IFCHR, 10, 229 } },
		{ "/dev/kvm", { 0, S_IFCHR, 10, 232 } },   { "/dev/mem", { 0, S_IFCHR, 1, 1 } },
		{ "/dev/sda", { 0, S_IFBLK, 8, 0 } },	   { "/dev/net/tun", { 0, S_IFCHR, 10, 200 } },
		{ "/dev/dri/card0", { 0, S_IFCHR, 226, 0 } },
	};

	fact->error = ENOENT;
	for (size_t i = 0; path && i < ARRAY_SIZE(host); i++)
		if (!strcmp(host[i].path, path))
			*fact = host[i].fact;
}

/* "protected": what a look into the workspaces would have found there, in the order of that look. */
static inline void synthesise_protected(const struct oci_config *config, const struct json *list, struct facts *facts)
{
	static const char *const known[] = { "mount", "path", "ancestor", "absent", "placeholder", "error", "linked", NULL };

	facts->protected = alloc_zeroed(json_is(list, JSON_ARRAY) ? list->count : 0, sizeof(*facts->protected));
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++) {
		const char *mount = json_string(json_get(list->items[i], "mount"));
		struct fact_protected *fact = &facts->protected[facts->protected_count++];

		know_members(list->items[i], known);
		for (size_t k = 0; mount && k < facts->mount_count; k++)
			if (facts->mounts[k].destination && !strcmp(facts->mounts[k].destination, mount))
				fact->mount_index = k;
		take_string(&fact->path, list->items[i], "path");
		take_string(&fact->linked, list->items[i], "linked");
		fact->is_ancestor = take_bool(list->items[i], "ancestor", false);
		fact->is_absent = take_bool(list->items[i], "absent", false);
		fact->is_placeholder = take_bool(list->items[i], "placeholder", false);
		fact->error = take_int(list->items[i], "error", 0);
	}
}

/* The last component of the cgroup's path, which all engines name after the container. */
static inline const char *synthetic_id(const struct json *root)
{
	const char *path = json_string(json_get(json_get(root, "linux"), "cgroupsPath")), *id = "c1", *dash;

	for (; path && *path; path++)
		if ((*path == '/' || *path == ':') && path[1])
			id = path + 1;
	dash = strstr(id, "libpod-");
	return dash ? dash + strlen("libpod-") : id;
}

static inline void synthesise_parts(const struct oci_config *config, const char *bundle, const struct json *said, struct facts *facts)
{
	const char *sandbox = oci_annotation(config, "io.kubernetes.cri.sandbox-id");
	const struct json *devices = config->devices;

	facts->mount_count = config->mount_count;
	facts->mounts = alloc_zeroed(config->mount_count, sizeof(*facts->mounts));
	for (size_t i = 0; i < config->mount_count; i++) {
		const char *name = config->mounts[i].destination;

		synthesise_mount(&config->mounts[i], bundle, name ? json_get(json_get(said, "mounts"), name) : NULL, &facts->mounts[i]);
	}
	facts->namespace_count = config->namespace_count;
	facts->namespaces = alloc_zeroed(config->namespace_count, sizeof(*facts->namespaces));
	for (size_t i = 0; i < config->namespace_count; i++) {
		const char *type = config->namespaces[i].type;

		synthesise_namespace(&config->namespaces[i], sandbox, type ? json_get(json_get(said, "namespaces"), type) : NULL,
				     &facts->namespaces[i]);
	}
	facts->device_count = json_is(devices, JSON_ARRAY) ? devices->count : 0;
	facts->devices = alloc_zeroed(facts->device_count, sizeof(*facts->devices));
	for (size_t i = 0; i < facts->device_count; i++)
		synthesise_device(json_string(json_get(devices->items[i], "path")), &facts->devices[i]);
	synthesise_protected(config, json_get(said, "protected"), facts);
}

static inline char *synthetic_home(const struct oci_config *config)
{
	char *home = NULL;

	for (size_t i = 0; config->process.env && i < config->process.env->count; i++) {
		const char *text = json_string(config->process.env->items[i]);

		if (text && !strncmp(text, "HOME=", 5)) {
			free(home);
			home = lexical_path(text + 5, false);
		}
	}
	return home ? home : alloc_copy(config->process.uid == 1000 ? "/home/user" : config->process.uid ? "/" : "/root");
}

static inline char *synthetic_data_root(const char *rootfs)
{
	const char *at = strstr(rootfs, "/overlay2/");

	at = at ? at : strstr(rootfs, "/overlay/");
	return at && at > rootfs ? strndup(rootfs, (size_t)(at - rootfs)) : NULL;
}

static inline void synthesise_limits(const struct json *said, struct facts *facts)
{
	const struct json *own = json_get(said, "own_capabilities");
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(facts->rlimit_hard); i++)
		facts->rlimit_hard[i] = LIMIT_UNLIMITED;
	if (json_uint(json_get(said, "hard_nofile"), &value))
		facts->rlimit_hard[RLIMIT_NOFILE] = value;
	facts->may_raise_rlimits = !json_get(said, "hard_nofile");
	facts->own_capabilities = json_uint(own, &value) ? value : UINT64_MAX;
}

/* `said` is what the case says of the host (NULL: nothing). `config` must be a view of a document of sound types; the facts
 * borrow from it. Free with facts_release. */
static inline void facts_synthesise(const struct oci_config *config, enum engine engine, const struct json *said, struct facts *facts)
{
	static const char *const known[] = { "mounts", "namespaces", "id", "home", "rootfs", "rootless", "apparmor", "selinux",
					     "swap_accounting", "systemd_cgroup", "oom_score_adj", "hard_nofile",
					     "own_capabilities", "protected", "cgroup_taken", "cgroup_lacks", "docker_program", NULL };
	const char *bundle = "/run/engine/bundle", *id = json_string(json_get(said, "id"));
	const char *path = config->root_path ? config->root_path : "rootfs";
	cleanup_free char *rootfs = alloc_printf("%s/%s", *path == '/' ? "" : bundle, path);

	know_members(said, known);
	*facts = (struct facts){
		.engine = engine, .id = id ? id : synthetic_id(config->root), .bundle_path = bundle,
		.rootfs = lexical_path(rootfs, true), .rootfs_is_root_only = true, .home = synthetic_home(config), .cgroup_version = 2,
		.has_swap_accounting = take_bool(said, "swap_accounting", true), .is_rootless = take_bool(said, "rootless", false),
		.wants_systemd_cgroup = take_bool(said, "systemd_cgroup", config->cgroups_path && strchr(config->cgroups_path, ':')),
		.hook_path = alloc_copy(SYNTHETIC_HOOK), .state_dir = SYNTHETIC_STATE_DIR, .key = "k",
		.has_apparmor = take_bool(said, "apparmor", true), .has_selinux = take_bool(said, "selinux", false),
		.cgroup_is_taken = take_bool(said, "cgroup_taken", false), .docker_program = alloc_copy("/proc/58/exe"),
		.cgroup_lacks = (unsigned)take_int(said, "cgroup_lacks", 0),
		.deadline = "2040-01-01T00:00:00Z", .oom_score_adj = take_int(said, "oom_score_adj", 0),
	};
	take_string(&facts->rootfs, said, "rootfs");
	take_string(&facts->home, said, "home");
	take_string(&facts->docker_program, said, "docker_program");
	facts->engine_data_root = synthetic_data_root(facts->rootfs);
	synthesise_limits(said, facts);
	synthesise_parts(config, bundle, said, facts);
	facts->host_address_count = 1;
	facts->host_addresses = alloc_zeroed(1, sizeof(*facts->host_addresses));
	facts->host_addresses[0] = (struct network){ .base = { .family = 4, .bytes = { 10, 1, 2, 3 } }, .prefix = 32 };
}

#endif
