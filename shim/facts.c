/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts of one create: which engine calls, what the root file system is. Must never change anything, and never decide:
 * what a fact means is policy's business.
 */
#include "shim/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/base/userns.h"
#include "shim/policy/cgroup-place.h"

const char *engine_name(enum engine engine)
{
	static const char *const names[] = { "unknown", "docker", "containerd", "cri", "podman", "crio", "buildkit" };

	return names[engine];
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

/* STATE/buildkit/executor/ID in dockerd, STATE/buildkit/runc-overlayfs/executor/ID of a buildkitd. The path must be root's all
 * the way up: an unmanaged build is a word of it. */
static bool is_build(const char *bundle)
{
	const char *at = strstr(bundle, "/buildkit/");
	struct err ignored = ERR_INIT;

	if (!at || !userns_is_initial())
		return false;
	at += strlen("/buildkit/");
	if (!strncmp(at, "runc-", 5) && strchr(at, '/'))
		at = strchr(at, '/') + 1;
	return !strncmp(at, "executor/", 9) && at[9] && !strchr(at + 9, '/') &&
	       file_check_owner_chain(bundle, 0, false, &ignored) == 0;
}

/* By the runtime's root, which the engine's own process gives, then by where the bundle lies; annotations only tell Podman
 * from CRI-O, which use the same storage. */
static enum engine find_engine(const struct shim *shim, const struct oci_bundle *bundle, const struct oci_config *config)
{
	const char *root = shim->runtime_root ? shim->runtime_root : "";

	if (ends_with(root, "/moby"))
		return ENGINE_DOCKER;
	if (ends_with(root, "/k8s.io"))
		return ENGINE_CRI;
	if (strstr(bundle->path, "-containers/") && ends_with(bundle->path, "/userdata"))
		return oci_annotation(config, "io.kubernetes.cri-o.ContainerType") ? ENGINE_CRIO : ENGINE_PODMAN;
	if (strstr(bundle->path, "/io.containerd.runtime.v2.task/"))
		return ENGINE_CONTAINERD;
	return is_build(bundle->path) ? ENGINE_BUILDKIT : ENGINE_UNKNOWN;
}

/* ROOT/overlay2/ID/merged, ROOT/vfs/dir/ID, ROOT/rootfs/overlayfs/ID, ROOT/overlay/ID/merged: what stands in front. */
static char *find_data_root(const char *rootfs)
{
	static const char *const markers[] = { "/overlay2/", "/vfs/dir/", "/rootfs/overlayfs/", "/overlay/",
					       "/fuse-overlayfs/", "/btrfs/subvolumes/", "/zfs/graph/" };

	for (size_t i = 0; rootfs && i < ARRAY_SIZE(markers); i++) {
		const char *at = strstr(rootfs, markers[i]);

		if (at && at > rootfs)
			return strndup(rootfs, (size_t)(at - rootfs));
	}
	return NULL;
}

bool is_root_only(const struct facts *facts, const char *path)
{
	cleanup_free char *above = alloc_copy(path);
	struct err ignored = ERR_INIT;
	char *slash = strrchr(above, '/');

	/* what it is may be anybody's (a volume, a workspace); the directories above say what the path leads to */
	if (!slash)
		return false;
	slash[slash == above] = '\0';
	return file_check_owner_chain(above, facts->is_rootless ? geteuid() : 0, facts->is_rootless, &ignored) == 0;
}

static int open_rootfs(const struct oci_bundle *bundle, const struct oci_config *config, struct facts *facts,
		       struct facts_held *held, struct err *err)
{
	if (!config->root_path)
		return err_set(err, EINVAL, "/root/path is missing");
	held->rootfs_fd = openat(bundle->dir_fd, config->root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (held->rootfs_fd < 0)
		return err_set_errno(err, errno, "/root/path: %s", config->root_path);
	facts->rootfs = file_fd_path(held->rootfs_fd);
	if (!facts->rootfs)
		return err_set_errno(err, errno, "/root/path: %s", config->root_path);
	return 0;
}

/* The sixth field of the line of `uid` in the image's /etc/passwd; NULL when there is none. */
static char *passwd_home(int rootfs_fd, uint32_t uid)
{
	cleanup_close int fd = sys_openat2(rootfs_fd, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT);
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || file_read_all(fd, 1 << 20, &text, &len, &err) < 0)
		return NULL;
	for (char *line = text; line && *line;) {
		char *next = strchr(line, '\n'), *field[7] = { NULL };

		if (next)
			*next++ = '\0';
		for (size_t i = 0; i < 7; i++)
			field[i] = strsep(&line, ":");
		if (field[2] && field[5] && *field[2] && strtoul(field[2], NULL, 10) == uid)
			return alloc_copy(field[5]);
		line = next;
	}
	return NULL;
}

static char *find_home(const struct oci_config *config, int rootfs_fd)
{
	cleanup_free char *wanted = NULL;
	char *home;

	for (size_t i = 0; config->process.env && i < config->process.env->count; i++) {
		const char *text = json_string(config->process.env->items[i]);

		if (text && !strncmp(text, "HOME=", 5)) {
			free(wanted);
			wanted = alloc_copy(text + 5);
		}
	}
	if (!wanted)
		wanted = passwd_home(rootfs_fd, config->process.uid);
	home = wanted ? rootfs_resolve(rootfs_fd, wanted) : NULL;
	if (home && (!strncmp(home, "/proc", 5) || !strncmp(home, "/sys", 4) || !strncmp(home, "/dev", 4))) {
		free(home);
		home = NULL;
	}
	return home ? home : alloc_copy("/");
}

/* dockerd names its own program in the hook that makes a container's network: "/proc/PID/exe". Whoever may write a
 * config.json could name any process: it must be root's, and its program root's file of that name. */
static bool is_dockerd(const char *program, const struct facts *facts)
{
	cleanup_free char *process = alloc_copy(program);
	char path[PATH_MAX], *name, *deleted;
	ssize_t len = readlink(program, path, sizeof(path) - 1);
	struct stat of_process, of_file;

	if (len <= 0)
		return false;
	path[len] = '\0';
	*strrchr(process, '/') = '\0';
	if (stat(process, &of_process) < 0 || of_process.st_uid != geteuid() || stat(program, &of_file) < 0)
		return false;
	deleted = strstr(path, " (deleted)");	/* replaced by an upgrade, and not yet started again */
	if (deleted)
		*deleted = '\0';
	name = strrchr(path, '/');
	return name && !strncmp(name, "/dockerd", 8) && S_ISREG(of_file.st_mode) && !(of_file.st_mode & (S_IWGRP | S_IWOTH)) &&
	       (facts->is_rootless || of_file.st_uid == 0) && is_root_only(facts, path);
}

static bool is_program_of_process(const char *path)
{
	size_t digits;

	if (!path || strncmp(path, "/proc/", 6))
		return false;
	digits = strspn(path + 6, "0123456789");
	return digits && !strcmp(path + 6 + digits, "/exe");
}

static char *find_docker_program(const struct oci_config *config, const struct facts *facts)
{
	static const char *const points[] = { "prestart", "createRuntime" };

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		const struct json *list = json_get(config->hooks, points[i]);

		for (size_t k = 0; list && k < list->count; k++) {
			const char *path = json_string(json_get(list->items[k], "path"));

			if (is_program_of_process(path) && is_dockerd(path, facts))
				return alloc_copy(path);
		}
	}
	return NULL;
}

static bool scope_is_taken(const char *path)
{
	cleanup_free char *place = cgroup_place_systemd(path), *absolute = place ? alloc_printf("/%s", place) : NULL;

	return absolute && cgroup_is_taken(absolute);
}

/* Without a path the runtimes take the id: runc below its own cgroup, crun at the root; with systemd both put their own name
 * in front. */
static bool place_is_taken(const struct oci_config *config, const struct facts *facts)
{
	const char *path = config->cgroups_path && *config->cgroups_path ? config->cgroups_path : NULL, *id = facts->id;
	cleanup_free char *of_runc = id ? alloc_printf(":runc:%s", id) : NULL, *of_crun = id ? alloc_printf(":crun:%s", id) : NULL;

	/* a container of that id is another refusal, and its own */
	if (!id || access(facts->state_dir, F_OK) == 0)
		return false;
	if (!facts->wants_systemd_cgroup)
		return cgroup_is_taken(path ? path : id);
	return path ? scope_is_taken(path) : scope_is_taken(of_runc) || scope_is_taken(of_crun);
}

/* The host's root may make any cgroup; anybody else, those that were delegated to him. */
static unsigned lacking_in_cgroup(const struct shim *shim, const struct oci_config *config, const struct facts *facts)
{
	const char *path = config->cgroups_path && *config->cgroups_path ? config->cgroups_path : facts->id;

	if (!facts->is_rootless || !path)
		return 0;
	if (facts->wants_systemd_cgroup)
		return cgroup_lacks_systemd(facts->user);
	return cgroup_lacks(path, shim->line.dialect == OCI_DIALECT_CRUN);
}

int facts_gather(const struct shim *shim, const struct oci_bundle *bundle, const struct oci_config *config,
		 struct facts *facts, struct facts_held *held, struct err *err)
{
	int r;

	facts->id = oci_cmdline_id(&shim->line);
	facts->bundle_path = bundle->path;
	facts->key = shim->key;
	facts->engine = find_engine(shim, bundle, config);
	facts->is_rootless = host_is_rootless();
	r = open_rootfs(bundle, config, facts, held, err);
	if (r)
		return r;
	facts->rootfs_is_root_only = is_root_only(facts, facts->rootfs);
	facts->engine_data_root = find_data_root(facts->rootfs);
	facts->home = find_home(config, held->rootfs_fd);
	r = facts_gather_mounts(bundle, config, facts, held, err);
	if (!r)
		r = facts_gather_namespaces(shim, config, facts, err);
	if (!r)
		r = facts_gather_host(shim, config, facts, err);
	if (!r) {
		facts->docker_program = facts->engine == ENGINE_DOCKER ? find_docker_program(config, facts) : NULL;
		facts->cgroup_is_taken = place_is_taken(config, facts);
		facts->cgroup_lacks = lacking_in_cgroup(shim, config, facts);
	}
	return r;
}

void facts_held_close(struct facts_held *held)
{
	for (size_t i = 0; i < held->count; i++)
		if (held->mount_fds[i] >= 0)
			close(held->mount_fds[i]);
	free(held->mount_fds);
	for (size_t i = 0; i < held->protected_count; i++)
		cleanup_close_at(&held->protected_fds[i]);
	free(held->protected_fds);
	if (held->rootfs_fd >= 0)
		close(held->rootfs_fd);
	*held = (struct facts_held){ .rootfs_fd = -1 };
}
