/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Acting on the container's cgroups: see cgroup.h. Works by descriptors alone, allocates nothing, and starts nothing: a
 * fork bomb at its limit must not keep it from ending the container. Finding them is in cgroup-open.c.
 */
#include "shim/warden/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

#define DEPTH_MAX 64

struct listing {
	uint64_t inode, offset;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int read_small(int fd, char *text, size_t size)
{
	ssize_t got;

	if (fd < 0)
		return -ENOENT;
	got = pread(fd, text, size - 1, 0);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	return 0;
}

/* The number behind `name` at the start of a line. */
static bool find_number(const char *text, const char *name, uint64_t *number)
{
	size_t len = strlen(name);

	while (text) {
		if (!strncmp(text, name, len) && text[len] == ' ') {
			*number = strtoull(text + len + 1, NULL, 10);
			return true;
		}
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return false;
}

int cgroup_read_cpu_us(const struct cgroup *cgroup, uint64_t *cpu_us)
{
	char text[1024];
	int r = read_small(cgroup->cpu_fd, text, sizeof(text));

	if (r)
		return r;
	if (!cgroup->cpu_is_v1)
		return find_number(text, "usage_usec", cpu_us) ? 0 : -EBADMSG;
	*cpu_us = strtoull(text, NULL, 10) / 1000;
	return 0;
}

static uint64_t read_event(int fd, const char *name)
{
	char text[1024];
	uint64_t number = 0;

	if (!read_small(fd, text, sizeof(text)))
		find_number(text, name, &number);
	return number;
}

uint64_t cgroup_read_oom_kills(const struct cgroup *cgroup)
{
	return read_event(cgroup->memory_fd, "oom_kill");
}

uint64_t cgroup_read_pids_refused(const struct cgroup *cgroup)
{
	return read_event(cgroup->pids_fd, "max");
}

int cgroup_freeze(const struct cgroup *cgroup, bool frozen)
{
	const char *word = cgroup->freeze_is_v1 ? (frozen ? "FROZEN" : "THAWED") : (frozen ? "1" : "0");

	if (cgroup->freeze_fd < 0)
		return -ENOENT;
	return pwrite(cgroup->freeze_fd, word, strlen(word), 0) < 0 ? -errno : 0;
}

bool cgroup_is_frozen(const struct cgroup *cgroup)
{
	char text[64];

	if (!cgroup->freeze_is_v1)
		return read_event(cgroup->events_fd, "frozen") == 1;
	return !read_small(cgroup->freeze_fd, text, sizeof(text)) && !strncmp(text, "FROZEN", 6);
}

static int kill_listed(int procs_fd)
{
	char text[4096 + 1];
	int count = 0;
	size_t kept = 0;
	ssize_t got;

	while ((got = read(procs_fd, text + kept, sizeof(text) - 1 - kept)) > 0) {
		char *at = text, *newline;

		text[kept + (size_t)got] = '\0';
		while ((newline = strchr(at, '\n'))) {
			long pid = strtol(at, NULL, 10);

			/* 0: a process of a pid namespace that can't be seen from here; -1 would be everybody. */
			if (pid > 1) {
				kill((pid_t)pid, SIGKILL);
				count++;
			}
			at = newline + 1;
		}
		kept = strlen(at);
		memmove(text, at, kept + 1);
		if (kept >= sizeof(text) - 1)
			return -EBADMSG;
	}
	return got < 0 ? -errno : count;
}

static int kill_below(int dir_fd, int depth)
{
	cleanup_close int procs_fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_close int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct listing) char text[2048];
	int count = procs_fd < 0 ? 0 : kill_listed(procs_fd);
	long got;

	if (count < 0)
		count = 0;	/* gone, or a threaded cgroup, whose processes its parent lists */
	while (list_fd >= 0 && depth < DEPTH_MAX && (got = syscall(SYS_getdents64, list_fd, text, sizeof(text))) > 0) {
		for (long at = 0; at < got;) {
			const struct listing *entry = (const struct listing *)(text + at);
			cleanup_close int below_fd = -1;

			at += entry->len;
			if (entry->type != DT_DIR || entry->name[0] == '.')
				continue;
			below_fd = openat(dir_fd, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below_fd >= 0)
				count += kill_below(below_fd, depth + 1);
		}
	}
	return count;
}

/* Frozen processes neither fork nor exit, so that no number in the list can come to mean somebody else; they die when they
 * are thawed. A process that sleeps uninterruptibly may keep the state at FREEZING: it is not waited for. */
static void freeze_briefly(const struct cgroup *cgroup)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	char text[32];

	if (cgroup_freeze(cgroup, true))
		return;
	for (int i = 0; i < 20; i++) {
		if (cgroup->freeze_is_v1 &&
		    (read_small(cgroup->freeze_fd, text, sizeof(text)) || !strncmp(text, "FROZEN", 6)))
			return;
		nanosleep(&pause, NULL);
	}
}

int cgroup_kill(const struct cgroup *cgroup)
{
	int count;

	if (cgroup->dir_fd < 0)
		return -ENOENT;
	if (cgroup->kill_fd < 0 || pwrite(cgroup->kill_fd, "1", 1, 0) < 0)
		freeze_briefly(cgroup);
	count = kill_below(cgroup->dir_fd, 0);
	cgroup_freeze(cgroup, false);
	return count;
}

void cgroup_close(struct cgroup *cgroup)
{
	int *fds[] = { &cgroup->dir_fd, &cgroup->kill_fd, &cgroup->freeze_fd, &cgroup->cpu_fd, &cgroup->memory_fd, &cgroup->pids_fd,
			&cgroup->events_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
