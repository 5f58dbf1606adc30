/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding cgroups in /proc: the container's, and the helpers' own. Runs before the guardian locks itself down, so it may
 * allocate. What it can't find is left at -1; it never guesses a path.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/warden/cgroup.h"

#define PROC_LIMIT (16u << 20)
#define OWN_NAME "quod"

/* A line of mountinfo that shows a cgroup hierarchy. */
struct hierarchy {
	char root[PATH_MAX], mount_point[PATH_MAX], options[512];
	bool is_v2;
};

static char *read_proc(const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	if (fd < 0)
		err_set_errno(err, errno, "%s", path);
	else if (file_read_all(fd, PROC_LIMIT, &text, &len, err))
		err_wrap(err, "%s", path);
	return text;
}

static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = options; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
		if (!strncmp(at, name, len) && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; to++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
			*to = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* Reads the hierarchy in one line; false when it shows another kind of file system. */
static bool parse_mount(const char *line, size_t len, struct hierarchy *found)
{
	char text[2 * PATH_MAX + 1024], type[32];
	const char *dash;

	if (len >= sizeof(text))
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	dash = strstr(text, " - ");
	if (!dash || sscanf(dash + 3, "%31s %*s %511s", type, found->options) != 2)
		return false;
	found->is_v2 = !strcmp(type, "cgroup2");
	if (!found->is_v2 && strcmp(type, "cgroup"))
		return false;
	if (sscanf(text, "%*s %*s %*s %4095s %4095s", found->root, found->mount_point) != 2)
		return false;
	unescape(found->root);
	unescape(found->mount_point);
	return true;
}

/* The next hierarchy from *at on. */
static bool next_hierarchy(const char **at, struct hierarchy *found)
{
	while (**at) {
		const char *line = *at, *end = strchrnul(line, '\n');

		*at = *end ? end + 1 : end;
		if (parse_mount(line, (size_t)(end - line), found))
			return true;
	}
	return false;
}

/* The path of the line of /proc/PID/cgroup that has `controller` ("" for version 2); malloc'ed, NULL when there is none. */
static char *path_of(const char *groups, const char *controller)
{
	for (const char *line = groups; *line;) {
		const char *end = strchrnul(line, '\n'), *colon = strchr(line, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;
		cleanup_free char *names = second && second < end ? strndup(colon + 1, (size_t)(second - colon - 1)) : NULL;

		if (names && (controller[0] ? has_option(names, controller) : !names[0]))
			return strndup(second + 1, (size_t)(end - second - 1));
		line = *end ? end + 1 : end;
	}
	return NULL;
}

/* Opens the directory of the container's cgroup in one hierarchy. The root, and what lies outside the visible tree, is never
 * the container's own: -1. */
static int open_group(const char *mounts, const char *groups, const char *controller)
{
	cleanup_free char *path = path_of(groups, controller);
	struct hierarchy found;

	if (!path || path[0] != '/' || !path[1] || !strncmp(path, "/..", 3))
		return -1;
	while (next_hierarchy(&mounts, &found)) {
		size_t root_len = strcmp(found.root, "/") ? strlen(found.root) : 0;
		cleanup_free char *full = NULL;
		int fd;

		if (found.is_v2 != !controller[0] || (controller[0] && !has_option(found.options, controller)))
			continue;
		if (strncmp(path, found.root, root_len) || (path[root_len] != '/' && path[root_len]))
			continue;
		if (!path[root_len])
			return -1;
		full = alloc_printf("%s%s", found.mount_point, path + root_len);
		fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static ino_t pid_namespace(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Is all that runs in it the container's: its first process, or of its own pid namespace? */
static bool holds_only(int dir_fd, pid_t pid)
{
	cleanup_close int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	ino_t own = pid_namespace(pid), ours = pid_namespace(getpid());
	cleanup_free char *text = NULL;
	struct err none = ERR_INIT;
	bool seen = false;
	size_t len;

	if (fd < 0 || file_read_all(fd, PROC_LIMIT, &text, &len, &none))
		return false;
	for (const char *at = text; *at; at = strchrnul(at, '\n'), at += *at == '\n') {
		pid_t other = (pid_t)strtol(at, NULL, 10);

		seen |= other == pid;
		if (other != pid && (!own || own == ours || pid_namespace(other) != own))
			return false;
	}
	return seen;
}

static int open_file(int dir_fd, const char *name, int flags)
{
	return dir_fd < 0 ? -1 : openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* The hierarchy to end it by: version 2 where the container is in it, else the freezer's, else what has its processes. */
static void open_processes(const char *mounts, const char *groups, pid_t pid, struct cgroup *cgroup)
{
	static const char *const controllers[] = { "", "freezer", "pids", "memory", "name=systemd" };

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		cleanup_close int fd = open_group(mounts, groups, controllers[i]);

		if (fd < 0 || !holds_only(fd, pid))
			continue;
		cgroup->kill_fd = controllers[i][0] ? -1 : open_file(fd, "cgroup.kill", O_WRONLY);
		cgroup->freeze_fd = controllers[i][0] ? -1 : open_file(fd, "cgroup.freeze", O_WRONLY);
		cgroup->events_fd = controllers[i][0] ? -1 : open_file(fd, "cgroup.events", O_RDONLY);
		cgroup->dir_fd = steal_fd(&fd);
		break;
	}
	if (cgroup->freeze_fd < 0) {
		cleanup_close int fd = open_group(mounts, groups, "freezer");

		if (fd >= 0 && holds_only(fd, pid)) {
			cgroup->freeze_fd = open_file(fd, "freezer.state", O_RDWR);
			cgroup->freeze_is_v1 = true;
		}
	}
}

static void open_counters(const char *mounts, const char *groups, struct cgroup *cgroup)
{
	cleanup_close int v2_fd = open_group(mounts, groups, ""), cpu_fd = open_group(mounts, groups, "cpuacct");
	cleanup_close int memory_fd = open_group(mounts, groups, "memory"), pids_fd = open_group(mounts, groups, "pids");

	cgroup->cpu_fd = open_file(cpu_fd, "cpuacct.usage", O_RDONLY);
	cgroup->cpu_is_v1 = cgroup->cpu_fd >= 0;
	if (cgroup->cpu_fd < 0)
		cgroup->cpu_fd = open_file(v2_fd, "cpu.stat", O_RDONLY);
	cgroup->memory_fd = open_file(memory_fd, "memory.oom_control", O_RDONLY);
	if (cgroup->memory_fd < 0)
		cgroup->memory_fd = open_file(v2_fd, "memory.events", O_RDONLY);
	cgroup->pids_fd = open_file(pids_fd, "pids.events", O_RDONLY);
	if (cgroup->pids_fd < 0)
		cgroup->pids_fd = open_file(v2_fd, "pids.events", O_RDONLY);
}

int cgroup_open(pid_t pid, struct cgroup *cgroup, struct err *err)
{
	cleanup_free char *mounts = NULL, *groups = NULL;
	char path[64];

	*cgroup = (struct cgroup)CGROUP_INIT;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	groups = read_proc(path, err);
	if (groups)
		mounts = read_proc("/proc/self/mountinfo", err);
	if (!groups || !mounts)
		return -err->code;
	open_processes(mounts, groups, pid, cgroup);
	open_counters(mounts, groups, cgroup);
	return 0;
}

/* A new cpuset has neither CPUs nor memory nodes, and nobody may enter it: it gets its parent's. */
static void copy_from_parent(int parent_fd, int dir_fd, const char *name)
{
	cleanup_close int from_fd = openat(parent_fd, name, O_RDONLY | O_CLOEXEC);
	cleanup_close int to_fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
	char text[4096];
	ssize_t got;

	if (from_fd < 0 || to_fd < 0)
		return;
	got = read(to_fd, text, sizeof(text));
	if (got > 0 && text[0] != '\n')
		return;
	got = read(from_fd, text, sizeof(text));
	if (got > 0 && pwrite(to_fd, text, (size_t)got, 0) < 0)
		return;	/* joining will fail then, and is seen */
}

static int open_own(const struct hierarchy *found)
{
	cleanup_close int parent_fd = open(found->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir_fd = -1;

	if (parent_fd < 0 || (mkdirat(parent_fd, OWN_NAME, 0755) < 0 && errno != EEXIST))
		return -1;
	dir_fd = openat(parent_fd, OWN_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return -1;
	if (!found->is_v2 && has_option(found->options, "cpuset")) {
		copy_from_parent(parent_fd, dir_fd, "cpuset.cpus");
		copy_from_parent(parent_fd, dir_fd, "cpuset.mems");
	}
	return openat(dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
}

void cgroup_open_own(struct cgroup_own *own)
{
	struct err none = ERR_INIT;
	cleanup_free char *mounts = read_proc("/proc/self/mountinfo", &none);
	struct hierarchy found;

	own->count = own->wanted = 0;
	for (const char *at = mounts ? mounts : ""; next_hierarchy(&at, &found);) {
		if (strcmp(found.root, "/") || own->count == CGROUP_OWN_MAX)
			continue;
		own->wanted++;
		own->procs_fds[own->count] = open_own(&found);
		own->count += own->procs_fds[own->count] >= 0;
	}
}

static bool move(int procs_fd, pid_t pid)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", (int)pid);

	return write(procs_fd, text, (size_t)len) == len;
}

unsigned cgroup_enter_own(struct cgroup_own *own, const pid_t *others, size_t count)
{
	unsigned entered = 0;

	for (unsigned i = 0; i < own->count; i++) {
		bool moved = move(own->procs_fds[i], 0);

		for (size_t k = 0; k < count; k++)
			if (others[k] > 0)
				moved = move(own->procs_fds[i], others[k]) && moved;
		entered += moved;
		close(own->procs_fds[i]);
	}
	own->count = 0;
	return entered;
}
