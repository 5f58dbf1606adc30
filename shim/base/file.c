/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files by descriptor: see file.h. Must never follow a link or block where the caller did not ask for it. */
#include "shim/base/file.h"

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
#include "shim/base/filled.h"

int file_open_regular(int dir_fd, const char *path, struct err *err)
{
	cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: is not a regular file", path);
	return steal_fd(&fd);
}

int file_read_all(int fd, size_t limit, char **data, size_t *len, struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;
	filled_by_kernel char chunk[16384];
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (unsigned long long)st.st_size > limit)
		return err_set(err, EFBIG, "longer than %zu bytes", limit);
	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "read");
		if (got == 0)
			break;
		buf_put(&buf, chunk, (size_t)got);
		if (buf.len > limit)
			return err_set(err, EFBIG, "longer than %zu bytes", limit);
	}
	*len = buf.len;
	*data = buf_steal(&buf);
	return 0;
}

int file_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t put = write(fd, at, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -ENOSPC;
		at += put;
		len -= (size_t)put;
	}
	return 0;
}

struct file_content {
	const void *data;
	size_t len;
	mode_t mode;
};

static int replace(int dir_fd, const char *name, const struct file_content *content, bool durable, struct err *err)
{
	cleanup_close int fd = -1;
	char temporary[NAME_MAX + 1];
	int r;

	if (snprintf(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid()) >= (int)sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "%s: name too long", name);
	unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, content->mode);
	if (fd < 0)
		return err_set_errno(err, errno, "create %s", name);
	r = file_write_all(fd, content->data, content->len);
	if (!r && durable && fsync(fd) < 0)
		r = -errno;
	if (!r && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r) {
		unlinkat(dir_fd, temporary, 0);
		return err_set_errno(err, -r, "write %s", name);
	}
	return 0;
}

int file_replace(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, struct err *err)
{
	return replace(dir_fd, name, &(struct file_content){ data, len, mode }, false, err);
}

int file_replace_durable(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, struct err *err)
{
	return replace(dir_fd, name, &(struct file_content){ data, len, mode }, true, err);
}

int file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	cleanup_free char *copy = alloc_copy(path);
	struct stat st;

	for (char *slash = copy + 1;; slash++) {
		char kept = *slash;

		if (kept != '/' && kept != '\0')
			continue;
		*slash = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_set_errno(err, errno, "make directory %s", copy);
		if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode))
			return err_set(err, ENOTDIR, "%s is not a directory", copy);
		*slash = kept;
		if (kept == '\0')
			return 0;
	}
}

static bool is_trusted(uid_t owner, uid_t also_uid, bool overflow_ok)
{
	return owner == 0 || owner == also_uid || (overflow_ok && owner == 65534);
}

/* Who may write: the owner, and whoever the mode bits let. A sticky directory protects entries of trusted owners. */
static int check_one(const char *path, uid_t also_uid, bool overflow_ok, bool is_parent, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (S_ISLNK(st.st_mode))
		return err_set(err, ELOOP, "%s is a symbolic link", path);
	if (!is_trusted(st.st_uid, also_uid, overflow_ok))
		return err_set(err, EPERM, "%s belongs to uid %u: only root may be able to change it (chown root)", path,
			       (unsigned)st.st_uid);
	if ((st.st_mode & S_IWOTH) && !(is_parent && (st.st_mode & S_ISVTX)))
		return err_set(err, EPERM, "%s can be written by everyone (chmod o-w)", path);
	if ((st.st_mode & S_IWGRP) && st.st_gid != 0 && !(is_parent && (st.st_mode & S_ISVTX)))
		return err_set(err, EPERM, "%s can be written by group %u (chmod g-w)", path, (unsigned)st.st_gid);
	return 0;
}

int file_check_owner_chain(const char *path, uid_t also_uid, bool overflow_ok, struct err *err)
{
	cleanup_free char *copy = alloc_copy(path);
	bool is_parent = false;
	int r;

	if (path[0] != '/')
		return err_set(err, EINVAL, "%s is not an absolute path", path);
	for (;;) {
		char *slash;

		r = check_one(copy[0] ? copy : "/", also_uid, overflow_ok, is_parent, err);
		if (r || !copy[0])
			return r;
		is_parent = true;
		slash = strrchr(copy, '/');
		*slash = '\0';
	}
}

int file_check_owner(const char *path, uid_t also_uid, bool overflow_ok, struct err *err)
{
	return check_one(path, also_uid, overflow_ok, false, err);
}

char *file_fd_path(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	return alloc_copy(path);
}

void file_decode_mountinfo(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}
