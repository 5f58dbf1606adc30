/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts: whether the cgroup that a container is to have holds processes already. Everything in it ends with the container,
 * so it must be nobody else's. And what it can bound where its maker isn't the host's root. Looks, changes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/facts.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define DEPTH_MAX 32

static bool has_process(int dir_fd)
{
	cleanup_close int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char byte;

	/* a threaded cgroup's can't be read: its threads are somebody's */
	return fd >= 0 && (read(fd, &byte, 1) > 0 || errno == EOPNOTSUPP);
}

/* In it, or in one below it. Takes the descriptor. */
static bool is_populated(int dir_fd, int depth)
{
	bool found = has_process(dir_fd) || depth >= DEPTH_MAX;
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	if (!dir) {
		close(dir_fd);
		return true;
	}
	while (!found && (entry = readdir(dir))) {
		int fd;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		found = fd >= 0 && is_populated(fd, depth + 1);
	}
	closedir(dir);
	return found;
}

static bool path_is_populated(const char *hierarchy, const char *above, const char *path)
{
	cleanup_free char *whole = alloc_printf(CGROUP_ROOT "/%s/%s/%s", hierarchy, above, path);
	int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && is_populated(fd, 0);
}

/* A line of /proc/self/cgroup, "4:cpu,cpuacct:/own": a relative path begins at quod's own cgroup, which is the runtime's. */
static bool line_is_taken(char *line, const char *path)
{
	char *controllers = strchr(line, ':'), *own = controllers ? strchr(++controllers, ':') : NULL;

	if (!own)
		return false;
	*own++ = '\0';
	own[strcspn(own, "\n")] = '\0';
	if (!strncmp(controllers, "name=", 5))
		controllers += 5;
	if (*controllers)
		return path_is_populated(controllers, "", path) || (*path != '/' && path_is_populated(controllers, own, path));
	return path_is_populated("", "", path) || path_is_populated("unified", "", path) ||
	       (*path != '/' && (path_is_populated("", own, path) || path_is_populated("unified", own, path)));
}

bool cgroup_is_taken(const char *path)
{
	cleanup_fclose FILE *table = fopen("/proc/self/cgroup", "re");
	cleanup_free char *line = NULL;
	bool found = !table;
	size_t room = 0;

	while (!found && getline(&line, &room, table) > 0)
		found = line_is_taken(line, path);
	return found;
}

static const struct {
	const char *controller;
	unsigned part;
} parts[] = { { "cpu", CGROUP_CPU }, { "memory", CGROUP_MEMORY }, { "pids", CGROUP_PIDS }, { "cpuacct", CGROUP_CPU_TIME } };

#define ALL_PARTS (CGROUP_CPU | CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPU_TIME)

/* The parts that a list of controllers stands for; they are parted by `delimiters`, and the list is cut up. */
static unsigned parts_of(char *list, const char *delimiters)
{
	unsigned found = 0;

	for (char *word; (word = strsep(&list, delimiters));)
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			if (!strcmp(word, parts[i].controller))
				found |= parts[i].part;
	return found;
}

/* Cuts `path` down to the deepest directory that is there: a cgroup would be made in it. */
static bool may_make_below(char *path)
{
	while (access(path, F_OK) < 0 && strlen(path) > strlen(CGROUP_ROOT) && strrchr(path, '/'))
		*strrchr(path, '/') = '\0';
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* Version 2: every cgroup counts CPU time; what it can bound, the one above must have been given. */
static unsigned unified_parts(char *path)
{
	cleanup_free char *list = NULL, *file = NULL;
	cleanup_fclose FILE *controllers = NULL;
	size_t room = 0;

	if (!may_make_below(path))
		return 0;
	file = alloc_printf("%s/cgroup.controllers", path);
	controllers = fopen(file, "re");
	if (!controllers || getline(&list, &room, controllers) < 0)
		return 0;
	return CGROUP_CPU_TIME | parts_of(list, " \n");
}

/* A line of /proc/self/cgroup. Where version 1 keeps the controllers, the unified hierarchy has none for containers. */
static unsigned line_parts(char *line, const char *path, bool is_absolute)
{
	char *controllers = strchr(line, ':'), *own = controllers ? strchr(++controllers, ':') : NULL;
	cleanup_free char *whole = NULL;

	if (!own || !strncmp(controllers, "name=", 5))
		return 0;
	*own++ = '\0';
	own[strcspn(own, "\n")] = '\0';
	whole = alloc_printf(CGROUP_ROOT "/%s%s/%s", controllers, is_absolute || *path == '/' ? "" : own, path);
	if (!*controllers)
		return unified_parts(whole);
	return may_make_below(whole) ? parts_of(controllers, ",") : 0;
}

unsigned cgroup_lacks(const char *path, bool is_absolute)
{
	cleanup_fclose FILE *table = fopen("/proc/self/cgroup", "re");
	cleanup_free char *line = NULL;
	unsigned found = 0;
	size_t room = 0;

	while (table && getline(&line, &room, table) > 0)
		found |= line_parts(line, path, is_absolute);
	return ALL_PARTS & ~found;
}

unsigned cgroup_lacks_systemd(uint32_t user)
{
	cleanup_free char *manager = alloc_printf(CGROUP_ROOT "/user.slice/user-%u.slice/user@%u.service", user, user);

	/* a machine of its own in a user namespace has systemd at its root */
	return ALL_PARTS & ~unified_parts(manager);
}
