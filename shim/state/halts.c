/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks of what is halted: see halts.h. What can't be looked at counts as halted. */
#include "shim/state/halts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define MARK_LIMIT 4096u

static const char *const prefixes[] = { [HALT_ALL] = "all", [HALT_PROFILE] = "profile-", [HALT_CONTAINER] = "container-" };

static int file_name(const struct halt_mark *mark, char name[NAME_MAX + 1], struct err *err)
{
	const char *what = mark->scope == HALT_ALL ? "" : mark->name;

	if (strchr(what, '/') || snprintf(name, NAME_MAX + 1, "%s%s", prefixes[mark->scope], what) > NAME_MAX)
		return err_set(err, EINVAL, "'%s' can't be halted", what);
	return 0;
}

/* -ENOENT, with nothing in err, when nothing was ever halted. */
static int open_marks(const struct state_places *places, bool create, struct err *err)
{
	char path[PATH_MAX];
	int fd, r;

	snprintf(path, sizeof(path), "%s/halts", places->run_dir);
	r = create ? file_make_dirs(path, 0700, err) : 0;
	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	return fd < 0 ? err_set_errno(err, errno, "%s", path) : fd;
}

int halts_set(const struct state_places *places, const struct halt_mark *mark, const char *id, struct err *err)
{
	cleanup_close int dir_fd = -1;
	char name[NAME_MAX + 1];
	int r = file_name(mark, name, err);

	if (r)
		return r;
	dir_fd = open_marks(places, true, err);
	if (dir_fd < 0)
		return dir_fd;
	if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = file_replace(dir_fd, name, id, strlen(id), 0600, err);
	return r ? err_wrap(err, "halt %s", id) : 0;
}

int halts_clear(const struct state_places *places, const struct halt_mark *mark, struct err *err)
{
	cleanup_close int dir_fd = -1;
	char name[NAME_MAX + 1];
	int r = file_name(mark, name, err);

	if (r)
		return r;
	dir_fd = open_marks(places, false, err);
	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	if (unlinkat(dir_fd, name, 0) < 0)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "%s/halts/%s", places->run_dir, name);
	return 1;
}

int halts_has(const struct state_places *places, const struct halt_mark *mark, struct err *err)
{
	cleanup_close int dir_fd = -1;
	char name[NAME_MAX + 1];
	int r = file_name(mark, name, err);

	if (r)
		return r;
	dir_fd = open_marks(places, false, err);
	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_set_errno(err, errno, "%s/halts/%s", places->run_dir, name);
}

static bool read_name(const char *name, struct halt_mark *mark)
{
	*mark = (struct halt_mark){ HALT_ALL, "" };
	if (!strcmp(name, prefixes[HALT_ALL]))
		return true;
	for (int scope = HALT_PROFILE; scope <= HALT_CONTAINER; scope++) {
		size_t len = strlen(prefixes[scope]);

		if (strncmp(name, prefixes[scope], len))
			continue;
		*mark = (struct halt_mark){ (enum halt_scope)scope, name + len };
		return true;
	}
	return false;
}

int halts_each(const struct state_places *places, int (*visit)(const struct halt_mark *mark, const char *id, void *data),
	       void *data, struct err *err)
{
	int dir_fd = open_marks(places, false, err), r = 0;
	struct dirent *entry;
	DIR *listing;

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	listing = fdopendir(dir_fd);
	if (!listing) {
		close(dir_fd);
		return err_set_errno(err, errno, "%s/halts", places->run_dir);
	}
	while (!r && (entry = readdir(listing))) {
		cleanup_free char *id = NULL;
		cleanup_close int fd = -1;
		struct err unread = ERR_INIT;
		struct halt_mark mark;
		size_t len;

		if (!read_name(entry->d_name, &mark))
			continue;
		fd = file_open_regular(dirfd(listing), entry->d_name, &unread);
		if (fd < 0 || file_read_all(fd, MARK_LIMIT, &id, &len, &unread) < 0)
			id = NULL;
		r = visit(&mark, id ? id : "", data);
	}
	closedir(listing);
	return r;
}

int halts_check(const struct state_places *places, const char *identity, const char *id, const char *profile, struct err *err)
{
	const struct halt_mark marks[] = { { HALT_ALL, "" }, { HALT_PROFILE, profile }, { HALT_CONTAINER, identity } };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		r = halts_has(places, &marks[i], err);
		if (r < 0)
			return r;
		if (!r)
			continue;
		if (marks[i].scope == HALT_ALL)
			return err_set(err, EPERM, "everything is halted (quodctl release --all)");
		if (marks[i].scope == HALT_PROFILE)
			return err_set(err, EPERM, "profile '%s' is halted (quodctl release --profile %s)", profile, profile);
		return err_set(err, EPERM, "container %s is halted (quodctl release %s)", id, id);
	}
	return 0;
}
