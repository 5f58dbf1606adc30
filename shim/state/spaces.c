/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The namespaces of a container's first process: see spaces.h. An inode number alone proves nothing once its process ended. */
#include "shim/state/spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"

static const char *const names[] = { "net", "mnt", "pid", "ipc", "uts", "user", "cgroup", "time" };

static int stat_space(const char *process, const char *name, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
	return stat(path, st);
}

int spaces_look(const char *id, pid_t pid, struct spaces *spaces, struct err *err)
{
	char process[16];

	memset(spaces, 0, sizeof(*spaces));
	snprintf(spaces->id, sizeof(spaces->id), "%s", id);
	snprintf(process, sizeof(process), "%d", (int)pid);
	spaces->pid = pid;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct space *space = &spaces->items[spaces->count];
		struct stat st, host;

		if (stat_space(process, names[i], &st) < 0) {
			if (errno == ENOENT && !strcmp(names[i], "time"))
				continue;
			return err_set_errno(err, errno, "/proc/%d/ns/%s", (int)pid, names[i]);
		}
		if (stat_space("1", names[i], &host) == 0 && host.st_dev == st.st_dev && host.st_ino == st.st_ino)
			continue;
		snprintf(space->name, sizeof(space->name), "%s", names[i]);
		space->dev = st.st_dev;
		space->ino = st.st_ino;
		spaces->count++;
	}
	return 0;
}

int spaces_write(int state_dir_fd, const struct spaces *spaces, struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;

	buf_printf(&buf, "spaces 1 %d %s\n", (int)spaces->pid, spaces->id);
	if (spaces->filters)
		buf_printf(&buf, "filters %u 0\n", spaces->filters);
	for (size_t i = 0; i < spaces->count; i++)
		buf_printf(&buf, "%s %llu %llu\n", spaces->items[i].name, spaces->items[i].dev, spaces->items[i].ino);
	return file_replace(state_dir_fd, "spaces", buf.data, buf.len, 0600, err);
}

int spaces_read(const struct state_places *places, const char *key, struct spaces *spaces, struct err *err)
{
	cleanup_close int dir_fd = record_open_dir(places, key, false, err);
	cleanup_close int fd = dir_fd < 0 ? -1 : file_open_regular(dir_fd, "spaces", err);
	cleanup_fclose FILE *file = NULL;
	int pid;

	memset(spaces, 0, sizeof(*spaces));
	if (fd < 0)
		return -err->code;
	file = fdopen(fd, "re");
	if (!file)
		return err_set_errno(err, errno, "spaces of %s", key);
	fd = -1;
	if (fscanf(file, "spaces 1 %d %1024s\n", &pid, spaces->id) != 2)
		return err_set(err, EPROTO, "spaces of %s: not of this version", key);
	spaces->pid = pid;
	while (spaces->count < SPACES_MAX) {
		struct space *space = &spaces->items[spaces->count];

		if (fscanf(file, "%7s %llu %llu\n", space->name, &space->dev, &space->ino) != 3)
			break;
		if (!strcmp(space->name, "filters"))
			spaces->filters = (unsigned)space->dev;
		else
			spaces->count++;
	}
	return 0;
}

bool spaces_has(const struct spaces *spaces, const char *name, const struct stat *wanted)
{
	char process[16];
	struct stat st;

	snprintf(process, sizeof(process), "%d", (int)spaces->pid);
	for (size_t i = 0; i < spaces->count; i++)
		if (!strcmp(spaces->items[i].name, name) && spaces->items[i].dev == wanted->st_dev &&
		    spaces->items[i].ino == wanted->st_ino)
			return stat_space(process, name, &st) == 0 && st.st_dev == wanted->st_dev &&
			       st.st_ino == wanted->st_ino;
	return false;
}

struct leaving {
	const struct state_places *places;
	const char *key;
	struct spaces *spaces;
};

static int leave_to(const char *key, void *data)
{
	struct leaving *leaving = data;
	struct spaces *own = leaving->spaces, other;
	struct err ignored = ERR_INIT;
	size_t kept = 0;

	if (!strcmp(key, leaving->key) || spaces_read(leaving->places, key, &other, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < own->count; i++) {
		struct stat wanted = { .st_dev = own->items[i].dev, .st_ino = own->items[i].ino };

		if (!spaces_has(&other, own->items[i].name, &wanted))
			own->items[kept++] = own->items[i];
	}
	own->count = kept;
	return 0;
}

int spaces_leave_to_owners(const struct state_places *places, const char *key, struct spaces *spaces, struct err *err)
{
	struct leaving leaving = { places, key, spaces };

	return record_each(places, leave_to, &leaving, err);
}
