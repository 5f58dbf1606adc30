/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root file system: see rootfs.h. quod's tmpfs places are put in front of all other mounts, so that what the engine or
 * the user mounts below them stays visible.
 */
#include "shim/policy/rootfs.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/mount-options.h"
#include "shim/policy/paths.h"

#define RUN_DEFAULT_BYTES (16u << 20)
#define SHM_DEFAULT_BYTES (64u << 20)

/* At least what Docker hides, and what newer kernels have added since its list was made. */
static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/config.gz", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/key-users",
	"/proc/keys", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
	"/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/bpf", "/sys/fs/pstore", "/sys/kernel/debug",
	"/sys/kernel/security", "/sys/kernel/tracing", NULL,
};
static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/pressure", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

bool fs_is_storage(uint64_t fs_magic)
{
	static const uint64_t kernel[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
		SECURITYFS_MAGIC, BPF_FS_MAGIC, DEVPTS_SUPER_MAGIC, PSTOREFS_MAGIC, EFIVARFS_MAGIC, SELINUX_MAGIC,
		BINFMTFS_MAGIC, NSFS_MAGIC, 0x62656570 /* configfs */, 0x19800202 /* mqueue */, 0x65735543 /* fusectl */,
		HUGETLBFS_MAGIC, RDTGROUP_SUPER_MAGIC, 0x50495045 /* pipefs */, 0x534f434b /* sockfs */,
	};

	for (size_t i = 0; i < ARRAY_SIZE(kernel); i++)
		if (kernel[i] == fs_magic)
			return false;
	return true;
}

static const char *rule_path(const struct plan_input *input, const struct tmpfs_rule *rule)
{
	return !strcmp(rule->path, "$HOME") ? input->facts->home : rule->path;
}

uint64_t tmpfs_unnamed_bound(const struct profile *profile, const char *path)
{
	return !strcmp(path, "/run") ? RUN_DEFAULT_BYTES : profile->resources.memory;
}

/* "$HOME" may be a place that another rule names, too: then the smaller one holds. */
uint64_t rootfs_tmpfs_bound(const struct plan_input *input, const char *destination)
{
	const struct profile *profile = input->profile;
	uint64_t bound = LIMIT_UNLIMITED;
	bool is_named = false;

	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++) {
		const char *path = rule_path(input, &profile->rootfs.tmpfs[i]);

		if (!path || strcmp(path, destination))
			continue;
		is_named = true;
		if (profile->rootfs.tmpfs[i].bytes < bound)
			bound = profile->rootfs.tmpfs[i].bytes;
	}
	if (is_named || !strcmp(destination, "/dev"))	/* the runtime's own, sized by it */
		return bound;
	return tmpfs_unnamed_bound(profile, destination);
}

static bool is_mounted(const struct plan_input *input, const char *destination)
{
	for (size_t i = 0; i < input->facts->mount_count; i++) {
		const char *other = input->facts->mounts[i].destination;

		if (other && !strcmp(other, destination))
			return true;
	}
	return false;
}

static struct json *make_mount(struct json_tree *tree, const char *destination, const char *type, const char *source)
{
	struct json *mount = json_make_object(tree);

	json_set(tree, mount, "destination", json_make_string(tree, destination));
	json_set(tree, mount, "type", json_make_string(tree, type));
	json_set(tree, mount, "source", json_make_string(tree, source));
	json_set(tree, mount, "options", json_make_array(tree));
	return mount;
}

static void add_option(struct json_tree *tree, struct json *mount, const char *option)
{
	json_append(tree, json_get(mount, "options"), json_make_string(tree, option));
}

struct json *rootfs_make_tmpfs(struct json_tree *tree, const char *destination, uint64_t bytes)
{
	struct json *mount = make_mount(tree, destination, "tmpfs", "tmpfs");

	add_option(tree, mount, "nosuid");
	add_option(tree, mount, "nodev");
	add_option(tree, mount, "mode=1777");
	if (bytes != LIMIT_UNLIMITED) {
		cleanup_free char *size = alloc_printf("size=%llu", (unsigned long long)bytes);
		cleanup_free char *inodes = alloc_printf("nr_inodes=%llu", (unsigned long long)mount_inodes(bytes));

		add_option(tree, mount, size);
		add_option(tree, mount, inodes);
	}
	return mount;
}

static void add_tmpfs(struct plan *plan, const char *reason, const char *destination, uint64_t bytes)
{
	oci_edits_add(&plan->edits, OCI_EDIT_ADD, reason, rootfs_make_tmpfs(plan->edits.tree, destination, bytes), "/mounts/0");
}

static bool is_named_before(const struct plan_input *input, size_t index, const char *path)
{
	for (size_t i = 0; i < index; i++) {
		const char *other = rule_path(input, &input->profile->rootfs.tmpfs[i]);

		if (other && !strcmp(other, path))
			return true;
	}
	return false;
}

static void plan_tmpfs(const struct plan_input *input, struct plan *plan)
{
	const struct profile *profile = input->profile;
	bool has_run = is_mounted(input, "/run");

	for (size_t i = profile->rootfs.tmpfs_count; i-- > 0;) {
		const char *path = rule_path(input, &profile->rootfs.tmpfs[i]);

		if (!path || !strcmp(path, "/") || is_mounted(input, path) || is_named_before(input, i, path))
			continue;
		add_tmpfs(plan, "rootfs.tmpfs", path, rootfs_tmpfs_bound(input, path));
		has_run = has_run || !strcmp(path, "/run");
	}
	if (!has_run)
		add_tmpfs(plan, "rootfs.tmpfs", "/run", RUN_DEFAULT_BYTES);
}

/* What the container is told (quod-profile(5), "TOLD TO THE CONTAINER"): behind the tmpfs that it stands on. Where somebody
 * put another kind of mount at /run nothing is told: its directory would be left in there. */
static void plan_told(const struct plan_input *input, struct plan *plan)
{
	static const char *const options[] = { "bind", "rprivate", "ro", "nosuid", "nodev", "noexec" };
	cleanup_free char *source = alloc_printf("%s/told", input->facts->state_dir);
	struct json *mount = make_mount(plan->edits.tree, QUOD_TOLD, "bind", source);
	const char *where = "/mounts/0";

	for (size_t i = 0; i < input->facts->mount_count; i++) {
		const struct fact_mount *fact = &input->facts->mounts[i];
		const char *type = input->config->mounts[i].type;

		if (!fact->destination || strcmp(fact->destination, "/run"))
			continue;
		if (fact->is_bind || !type || strcmp(type, "tmpfs"))
			return;
		where = "/mounts/-";
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		add_option(plan->edits.tree, mount, options[i]);
	oci_edits_add(&plan->edits, OCI_EDIT_ADD, "rootfs.tmpfs", mount, "%s", where);
}

/* "" is no path, and what is mounted over "/" hides it from nobody whose root it is already. */
bool rootfs_list_has(const struct json *list, const char *path)
{
	for (size_t i = 0; list && i < list->count; i++) {
		const char *item = json_string(list->items[i]);

		if (item && strcmp(item, "/") && path_is_within(path, item))
			return true;
	}
	return false;
}

/* Appends what is missing; a list that isn't there is made whole. */
static void plan_paths(struct plan *plan, const struct json *given, const char *const *wanted, const char *member)
{
	struct json_tree *tree = plan->edits.tree;
	struct json *list = json_is(given, JSON_ARRAY) ? json_copy(tree, given) : json_make_array(tree);
	size_t before = list->count;

	for (; *wanted; wanted++)
		if (!rootfs_list_has(list, *wanted))
			json_append(tree, list, json_make_string(tree, *wanted));
	if (list->count != before)
		oci_edits_add(&plan->edits, OCI_EDIT_ADD, "rootfs.mask", list, "/linux/%s", member);
}

/* A root file system that is the host's own, or holds a directory of its system, would be a mount of the host. */
static void refuse_host_rootfs(const struct plan_input *input, struct plan *plan)
{
	static const char *const system[] = { "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/sbin",
					      "/sys", "/usr", "/var/lib", "/var/log", "/run" };
	/* where nobody keeps bundles: what lies below is the system's, too */
	static const char *const never[] = { "/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr" };
	const char *rootfs = input->facts->rootfs;
	bool is_host = false;

	for (size_t i = 0; rootfs && i < ARRAY_SIZE(system); i++)
		is_host = is_host || path_is_within(system[i], rootfs);
	for (size_t i = 0; rootfs && i < ARRAY_SIZE(never); i++)
		is_host = is_host || path_is_within(rootfs, never[i]);
	if (is_host)
		plan_refuse(plan, "mounts.allow", "/root/path", "the root file system %s is the host's own", rootfs);
}

void rootfs_plan(const struct plan_input *input, struct plan *plan)
{
	const struct oci_config *config = input->config;

	if (!config->root_path) {
		plan_refuse(plan, "config", "/root/path", "is missing");
		return;
	}
	refuse_host_rootfs(input, plan);
	if (input->profile->rootfs.readonly && !config->root_readonly)
		oci_edits_add(&plan->edits, OCI_EDIT_ADD, "rootfs.readonly", json_make_bool(plan->edits.tree, true),
			      "/root/readonly");
	plan_told(input, plan);
	plan_tmpfs(input, plan);
	if (!input->profile->rootfs.mask || !config->linux_node)
		return;
	plan_paths(plan, config->masked_paths, masked, "maskedPaths");
	plan_paths(plan, config->readonly_paths, readonly, "readonlyPaths");
}
