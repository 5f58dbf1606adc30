/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mounts.protect holds inside the workspaces (quod-profile(5)), watched from outside. From inside nothing can be moved or
 * removed; but who owns the workspace on the host can, and then the kernel takes the mount away or moves it along, and the path
 * is free for the container. A container that has lost one is ended.
 *
 * Each protected mount is held by a descriptor of the container's own mount, and its place is read back from
 * /proc/self/fd: no right in the workspace is needed for that, and it shows renames of all that lies above. It is looked at
 * whenever the container's mount table changes (which a removal does, at once), and each second for renames. What can be
 * reached from these descriptors is what the container itself sees, and of /proc a detached mount of that one directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/warden/guardian.h"

#define LOOK_MS 1000u
#define LIST_MOST (4u << 20)
#define PROTECTED_MOST 256u

/* The place of a mount as its namespace sees it now; false when it can't be told. */
static bool read_place(int own_fds_fd, int fd, char *place, size_t size)
{
	char link[16];
	ssize_t len;

	snprintf(link, sizeof(link), "%d", fd);
	len = readlinkat(own_fds_fd, link, place, size - 1);
	if (len < 0 || (size_t)len >= size - 1)
		return false;
	place[len] = '\0';
	return true;
}

/* Until the container's root is its own, the place begins with where that lies on the host. */
static bool is_in_place(int own_fds_fd, struct protected_path *path)
{
	char place[PATH_MAX];
	size_t len, wanted = strlen(path->place);

	if (!read_place(own_fds_fd, path->fd, place, sizeof(place)))
		return false;
	if (!strcmp(place, path->place)) {
		path->is_inside = true;
		return true;
	}
	len = strlen(place);
	return !path->is_inside && len > wanted && !strcmp(place + len - wanted, path->place);
}

/* One of "DEV INO LENGTH PATH" (placeholders.h): the mount must be there, read-only, and be of what was checked. */
static int hold_one(int own_fds_fd, int root_fd, const char *line, struct protected_path *to, struct err *err)
{
	unsigned long long dev, ino;
	struct statvfs fs;
	struct stat st;
	size_t cut;
	int at = 0;

	if (sscanf(line, "%llu %llu %zu %n", &dev, &ino, &cut, &at) != 3 || line[at] != '/' || cut >= strlen(line + at))
		return err_set(err, EPROTO, "the list of protected paths can't be read");
	to->place = strdup(line + at + cut);
	if (!to->place)
		return err_set(err, ENOMEM, "protected paths");
	to->fd = sys_openat2(root_fd, line + at + 1, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (to->fd < 0 || fstat(to->fd, &st) < 0 || fstatvfs(to->fd, &fs) < 0)
		return err_set_errno(err, errno, "%s (mounts.protect)", to->place);
	if (st.st_dev != dev || st.st_ino != ino || !(fs.f_flag & ST_RDONLY) || !is_in_place(own_fds_fd, to))
		return err_set(err, EPERM, "%s is not what was protected: the workspace was changed meanwhile (mounts.protect)",
			       to->place);
	return 0;
}

static int hold_all(struct guardian *guardian, const char *text, size_t len, struct err *err)
{
	cleanup_close int root_fd = -1;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/root", guardian->settings->pid);
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return err_set_errno(err, errno, "%s", path);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", guardian->settings->pid);
	guardian->mounts_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (guardian->mounts_fd < 0)
		return err_set_errno(err, errno, "%s", path);
	guardian->own_fds_fd = open_tree(AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (guardian->own_fds_fd < 0)
		return err_set_errno(err, errno, "/proc/self/fd");
	guardian->protected = calloc(PROTECTED_MOST, sizeof(*guardian->protected));
	if (!guardian->protected)
		return err_set(err, ENOMEM, "protected paths");
	for (const char *at = text; !r && at < text + len; at += strlen(at) + 1) {
		if (guardian->protected_count == PROTECTED_MOST)
			return err_set(err, E2BIG, "more than %u protected paths", PROTECTED_MOST);
		r = hold_one(guardian->own_fds_fd, root_fd, at, &guardian->protected[guardian->protected_count++], err);
	}
	return r;
}

int guardian_hold_protected(struct guardian *guardian, int state_fd, struct err *err)
{
	struct err absent = ERR_INIT;
	cleanup_close int fd = file_open_regular(state_fd, "protected", &absent);
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	guardian->protect_ms = UINT64_MAX;
	if (fd < 0 && absent.code == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, absent.code, "%s", absent.text);
	r = file_read_all(fd, LIST_MOST, &text, &len, err);
	if (!r)
		r = hold_all(guardian, text, len, err);
	guardian->protect_ms = 0;
	return r;
}

void guardian_check_protected(struct guardian *guardian, bool table_changed, uint64_t now_ms)
{
	if (!guardian->protected_count || (!table_changed && now_ms < guardian->protect_ms))
		return;
	guardian->protect_ms = now_ms + LOOK_MS;
	for (size_t i = 0; i < guardian->protected_count; i++) {
		char cause[sizeof(guardian->cause)];

		if (is_in_place(guardian->own_fds_fd, &guardian->protected[i]))
			continue;
		snprintf(cause, sizeof(cause), "killed: %.80s lost (mounts.protect)", guardian->protected[i].place);
		guardian_end(guardian, cause, false, now_ms);
		return;
	}
}

/* The descriptors keep the container's mounts, and its mount namespace. */
void guardian_let_protected_go(struct guardian *guardian)
{
	for (size_t i = 0; i < guardian->protected_count; i++)
		cleanup_close_at(&guardian->protected[i].fd);
	guardian->protected_count = 0;
	guardian->protect_ms = UINT64_MAX;
	cleanup_close_at(&guardian->mounts_fd);
	cleanup_close_at(&guardian->own_fds_fd);
}
