/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts: whether the cgroup that a container is to have holds processes already. Everything in it ends with the container,
 * so it must be nobody else's. Looks, changes nothing.
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
