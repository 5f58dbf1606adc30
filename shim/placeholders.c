/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placeholders: see placeholders.h. One lock over all of them is held while one is made or taken away. Must remove nothing but
 * an empty directory that is still the noted one.
 */
#include "shim/placeholders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"

#define LOCK_TIMEOUT_MS 5000
#define NOTE_MOST 8192u
#define PROTECTED_MOST (4u << 20)

static const unsigned long long steps = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

static int open_list(const struct state_places *places, bool create, struct err *err)
{
	int fd, r = create ? file_make_dirs(places->placeholders_dir, 0700, err) : 0;

	if (r)
		return r;
	fd = open(places->placeholders_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s", places->placeholders_dir) : fd;
}

static int lock_list(const struct state_places *places, bool create, struct err *err)
{
	cleanup_close int fd = open_list(places, create, err);
	int r = fd < 0 ? fd : record_lock(fd, LOCK_TIMEOUT_MS, err);

	return r < 0 ? err_wrap(err, "placeholders") : steal_fd(&fd);
}

/* "DEV INO PATH", all of the file. */
static bool read_note(int list_fd, const char *name, struct placeholder *to)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = file_open_regular(list_fd, name, &ignored);
	cleanup_free char *text = NULL;
	unsigned long long dev, ino;
	size_t len;
	int at = 0;

	if (fd < 0 || file_read_all(fd, NOTE_MOST, &text, &len, &ignored) < 0 || strlen(text) != len ||
	    sscanf(text, "%llu %llu %n", &dev, &ino, &at) != 2 || !at || text[at] != '/')
		return false;
	*to = (struct placeholder){ alloc_copy(text + at), alloc_copy(name), dev, ino };
	return true;
}

static int write_note(int list_fd, const char *path, const struct stat *st, struct err *err)
{
	cleanup_free char *text = alloc_printf("%llu %llu %s", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino, path);
	char name[STATE_KEY];

	if (strlen(text) > NOTE_MOST)
		return err_set(err, ENAMETOOLONG, "%.200s...: the path is too long", path);
	state_key("placeholder", path, name);
	/* what is in a workspace outlives the boot, and so must the note of it */
	return file_replace_durable(list_fd, name, text, strlen(text), 0600, err);
}

static void add_to_list(struct placeholders *list, const struct placeholder *one)
{
	list->items = alloc_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = *one;
}

static void read_list(int list_fd, struct placeholders *list)
{
	int copy_fd = openat(list_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = copy_fd < 0 ? NULL : fdopendir(copy_fd);
	struct dirent *entry;

	while (listing && (entry = readdir(listing))) {
		struct placeholder one;

		if (entry->d_name[0] == '.' || !read_note(list_fd, entry->d_name, &one))
			continue;
		add_to_list(list, &one);
	}
	if (listing)
		closedir(listing);
	else if (copy_fd >= 0)
		close(copy_fd);
}

void placeholders_read(const struct state_places *places, struct placeholders *list)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = open_list(places, false, &ignored);

	if (fd >= 0)
		read_list(fd, list);
}

void placeholders_free(struct placeholders *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].path);
		free(list->items[i].note);
	}
	free(list->items);
	*list = (struct placeholders){ NULL, 0 };
}

bool placeholders_have(const struct placeholders *list, const struct stat *st)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].ino && list->items[i].ino == st->st_ino && list->items[i].dev == st->st_dev &&
		    S_ISDIR(st->st_mode) && st->st_uid == geteuid())
			return true;
	return false;
}

/* --- making --- */

/* Under the lock: nobody else makes or takes away a placeholder. */
struct making {
	int list_fd;
	struct placeholders *known;	/* with those that were made since: a directory may be mounted twice */
};

/* Noted, made, noted again with its inode: whenever its maker is ended, the next one knows of it. */
static int make_placeholder(const struct making *making, int above_fd, const char *name, const char *path, struct err *err)
{
	cleanup_close int fd = -1;
	struct stat st = { 0 };
	int r = write_note(making->list_fd, path, &st, err);

	if (r)
		return r;
	if (mkdirat(above_fd, name, 0500) < 0)
		return err_set_errno(err, errno, "%s: the placeholder can't be made (mounts.protect)", path);
	fd = sys_openat2(above_fd, name, O_RDONLY | O_DIRECTORY, steps);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "%s: the placeholder", path);
	if (st.st_uid != geteuid() || fchmod(fd, 0555) < 0)
		return err_set(err, EPERM, "%s: the placeholder isn't root's (mounts.protect)", path);
	r = write_note(making->list_fd, path, &st, err);
	if (!r)
		add_to_list(making->known, &(struct placeholder){ alloc_copy(path), NULL, st.st_dev, st.st_ino });
	return r;
}

/* The directory that holds the last part of a protected path: as it was looked at. */
static int find_above(const struct hold *hold, const struct fact_protected *fact, size_t len)
{
	for (size_t i = 0; i < hold->facts->protected_count; i++) {
		const struct fact_protected *other = &hold->facts->protected[i];

		if (other->is_ancestor && other->mount_index == fact->mount_index && strlen(other->path) == len &&
		    !strncmp(other->path, fact->path, len))
			return hold->held->protected_fds[i];
	}
	return hold->held->mount_fds[fact->mount_index];
}

static bool is_same(int a_fd, int b_fd)
{
	struct stat a, b;

	return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int hold_one(const struct hold *hold, const struct making *making, size_t index, struct err *err)
{
	const struct fact_protected *fact = &hold->facts->protected[index];
	const char *slash = strrchr(fact->path, '/'), *name = slash ? slash + 1 : fact->path;
	int above_fd = find_above(hold, fact, slash ? (size_t)(slash - fact->path) : 0), *held_fd = &hold->held->protected_fds[index], r;
	cleanup_free char *path = alloc_printf("%s/%s", hold->facts->mounts[fact->mount_index].resolved, fact->path);
	cleanup_close int fd = sys_openat2(above_fd, name, O_PATH, steps);
	struct stat st;

	if (fd < 0 && errno == ENOENT && (fact->is_absent || fact->is_placeholder)) {
		r = make_placeholder(making, above_fd, name, path, err);
		if (r)
			return r;
		fd = sys_openat2(above_fd, name, O_PATH, steps);
	} else if (fd >= 0 && fact->is_absent && (fstat(fd, &st) < 0 || !placeholders_have(making->known, &st))) {
		return err_set(err, ESTALE, "%s: came into being while it was looked at (mounts.protect)", path);
	} else if (!fact->is_absent && (fd < 0 || !is_same(fd, *held_fd))) {
		return err_set(err, ESTALE, "%s: was changed while it was looked at (mounts.protect)", path);
	}
	if (fd < 0)
		return err_set_errno(err, errno, "%s (mounts.protect)", path);
	if (*held_fd >= 0)
		close(*held_fd);
	*held_fd = steal_fd(&fd);
	return 0;
}

/* "DEV INO LENGTH PATH" NUL, for each: LENGTH bytes of the path are the root file system's on the host. */
static int write_protected(const struct hold *hold, struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;

	for (size_t i = 0; i < hold->plan->protected_count; i++) {
		const struct plan_protected *one = &hold->plan->protected[i];
		struct stat st;

		if (fstat(hold->held->protected_fds[one->index], &st) < 0)
			return err_set_errno(err, errno, "%s", one->destination);
		buf_printf(&buf, "%llu %llu %zu %s%s", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
			   strlen(hold->rootfs), hold->rootfs, one->destination);
		buf_putc(&buf, '\0');
	}
	return file_replace(hold->state_fd, "protected", buf.data, buf.len, 0600, err);
}

int placeholders_hold(const struct hold *hold, struct err *err)
{
	struct placeholders known = { NULL, 0 };
	cleanup_close int list_fd = -1;
	struct making making;
	int r = 0;

	if (!hold->plan->protected_count)
		return 0;
	if (hold->plan->has_placeholders) {
		list_fd = lock_list(hold->places, true, err);
		if (list_fd < 0)
			return list_fd;
		read_list(list_fd, &known);
	}
	making = (struct making){ list_fd, &known };
	for (size_t i = 0; !r && i < hold->plan->protected_count; i++)
		r = hold_one(hold, &making, hold->plan->protected[i].index, err);
	if (!r)
		r = write_protected(hold, err);
	placeholders_free(&known);
	return r;
}

/* --- taking away --- */

struct needed {
	const struct state_places *places;
	const char *gone_key;
	struct placeholders list;	/* what containers name; paths are theirs */
};

static int visit_needed(const char *key, void *data)
{
	struct needed *needed = data;
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(needed->places, key, false, &ignored);
	cleanup_close int fd = dir_fd < 0 ? -1 : file_open_regular(dir_fd, "protected", &ignored);
	cleanup_free char *text = NULL;
	unsigned long long dev, ino;
	size_t len = 0;

	if ((needed->gone_key && !strcmp(key, needed->gone_key)) || fd < 0 ||
	    file_read_all(fd, PROTECTED_MOST, &text, &len, &ignored) < 0)
		return 0;
	for (char *at = text; at < text + len; at += strlen(at) + 1) {
		if (sscanf(at, "%llu %llu ", &dev, &ino) != 2)
			continue;
		add_to_list(&needed->list, &(struct placeholder){ NULL, NULL, dev, ino });
	}
	return 0;
}

static bool is_needed(const struct placeholders *list, const struct placeholder *one)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].ino == one->ino && list->items[i].dev == one->dev)
			return true;
	return false;
}

/* True when there is nothing left to be done: it is gone, or isn't ours any more. The number of a device may be another after a
 * boot, that of an inode isn't. */
static bool take_away(const struct placeholder *one)
{
	cleanup_free char *path = alloc_copy(one->path);
	char *name = strrchr(path, '/');
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), above_fd = -1;
	struct stat st;

	*name++ = '\0';
	above_fd = sys_openat2(root_fd, path[1] ? path + 1 : ".", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (above_fd < 0 || fstatat(above_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (one->ino && st.st_ino != one->ino))
		return true;
	if ((st.st_mode & 0777) != 0555 && (one->ino || (st.st_mode & 0777) != 0500))
		return true;
	return unlinkat(above_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST;
}

int placeholders_release(const struct state_places *places, const char *gone_key, struct err *err)
{
	struct needed needed = { places, gone_key, { NULL, 0 } };
	struct placeholders list = { NULL, 0 };
	struct err absent = ERR_INIT;
	cleanup_close int list_fd = lock_list(places, false, &absent);
	int r;

	if (list_fd < 0 && absent.code == ENOENT)
		return 0;
	if (list_fd < 0) {
		*err = absent;
		return list_fd;
	}
	read_list(list_fd, &list);
	r = list.count ? record_each(places, visit_needed, &needed, err) : 0;
	for (size_t i = 0; !r && i < list.count; i++)
		if (!is_needed(&needed.list, &list.items[i]) && take_away(&list.items[i]))
			unlinkat(list_fd, list.items[i].note, 0);
	placeholders_free(&needed.list);
	placeholders_free(&list);
	return r;
}
