/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The project's own word: see project-word.h. Whoever writes to the workspace wrote it, so it is opened without following
 * anything and looked at before it is opened for reading. Must never block, and never read what lies elsewhere.
 */
#include "shim/project-word.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/placeholders.h"

#define WORD_BYTES_MAX 65536

/* Where there is no word, another container's mounts.protect may have put a placeholder. */
static bool is_placeholder(const struct stat *st)
{
	struct placeholders list = { NULL, 0 };
	struct state_places places;
	bool found;

	state_places_init(&places);
	placeholders_read(&places, &list);
	found = placeholders_have(&list, st);
	placeholders_free(&list);
	return found;
}

/* O_PATH first: opening a device or a FIFO could do something. */
static int open_word(int dir_fd, const char *name, struct err *err)
{
	cleanup_close int path_fd = sys_openat2(dir_fd, PROJECT_WORD_FILE, O_PATH | O_NOFOLLOW,
						RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	char path[64];
	struct stat st;
	int fd;

	if (path_fd < 0)
		return errno == ENOENT ? -ENOENT : err_set_errno(err, errno, "%s", name);
	if (fstat(path_fd, &st) < 0)
		return err_set_errno(err, errno, "%s", name);
	if (S_ISDIR(st.st_mode) && is_placeholder(&st))
		return -ENOENT;
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s is no regular file (a link is not followed)", name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s", name) : fd;
}

int project_word_read(int dir_fd, const char *name, const struct profile_paths *paths, struct profile **word, struct err *err)
{
	cleanup_close int fd = open_word(dir_fd, name, err);
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *bytes = NULL;
	size_t len;
	int r;

	*word = NULL;
	if (fd == -ENOENT && !err->code)
		return 0;
	if (fd < 0)
		return fd;
	r = file_read_all(fd, WORD_BYTES_MAX, &bytes, &len, err);
	if (!r)
		r = json_parse(bytes, len, JSON_COMMENTS, profile_free_form, &tree, err);
	if (r)
		return err_wrap(err, "%s", name);
	return profile_read_word(json_root(tree), name, paths, word, err);
}
