/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one live container and the directory that it lies in: see record.h. Removing must never reach what a mount
 * shows: a workspace of the user's may still be bound below.
 */
#include "shim/state/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/state/sha256.h"

#define RECORD_NAME "record.json"
#define RECORD_LIMIT (64u << 20)
#define DEPTH_MAX 64

void state_key(const char *runtime_root, const char *id, char key[STATE_KEY])
{
	size_t root_len = strlen(runtime_root), id_len = strlen(id);
	cleanup_free char *text = alloc_zeroed(1, root_len + 1 + id_len);
	char hex[SHA256_HEX];

	memcpy(text, runtime_root, root_len + 1);
	memcpy(text + root_len + 1, id, id_len);
	sha256_hex(text, root_len + 1 + id_len, hex);
	memcpy(key, hex, STATE_KEY - 1);
	key[STATE_KEY - 1] = '\0';
}

static bool is_key(const char *key)
{
	return strlen(key) == STATE_KEY - 1 && strspn(key, "0123456789abcdef") == STATE_KEY - 1;
}

static int open_containers(const struct state_places *places, bool create, struct err *err)
{
	char path[PATH_MAX];
	int fd, r;

	snprintf(path, sizeof(path), "%s/containers", places->run_dir);
	r = create ? file_make_dirs(path, 0700, err) : 0;
	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s", path) : fd;
}

int record_open_dir(const struct state_places *places, const char *key, bool create, struct err *err)
{
	cleanup_close int above_fd = -1;
	int fd;

	if (!is_key(key))
		return err_set(err, EINVAL, "'%s' is no state key", key);
	above_fd = open_containers(places, create, err);
	if (above_fd < 0)
		return above_fd;
	if (create && mkdirat(above_fd, key, 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, errno, "make %s/containers/%s", places->run_dir, key);
	fd = openat(above_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s/containers/%s", places->run_dir, key) : fd;
}

int record_lock(int dir_fd, int timeout_ms, struct err *err)
{
	struct timespec pause = { .tv_nsec = 2000000 };

	for (int waited_ms = 0; flock(dir_fd, LOCK_EX | LOCK_NB) < 0; waited_ms += 2) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, errno, "lock the container's state");
		if (waited_ms >= timeout_ms)
			return err_set(err, ETIMEDOUT, "another command has held the container's state for %d ms", timeout_ms);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int record_write(int dir_fd, const struct json *root, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_print(&text, root, 0);
	buf_putc(&text, '\n');
	return file_replace(dir_fd, RECORD_NAME, text.data, text.len, 0600, err);
}

static int take_fields(struct record *record, struct err *err)
{
	const struct {
		const char *name, **to;
	} strings[] = {
		{ "id", &record->id },		     { "key", &record->key },	      { "runtime_root", &record->runtime_root },
		{ "runtime", &record->runtime },     { "bundle", &record->bundle },   { "engine", &record->engine },
		{ "profile", &record->profile },     { "digest", &record->digest },   { "chosen_by", &record->chosen_by },
		{ "ledger_key", &record->ledger_key },
	};
	int64_t pid = 0;

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		*strings[i].to = json_string(json_get(record->root, strings[i].name));
		if (!*strings[i].to)
			return err_set(err, EPROTO, "%s: no string '%s'", RECORD_NAME, strings[i].name);
	}
	record->identity = json_string(json_get(record->root, "identity"));
	if (!record->identity)
		record->identity = record->key;
	record->profile_json = json_get(record->root, "profile_json");
	record->plan = json_get(record->root, "plan");
	if (!json_is(record->profile_json, JSON_OBJECT))
		return err_set(err, EPROTO, "%s: no object 'profile_json'", RECORD_NAME);
	if (!json_int(json_get(record->root, "created_s"), &record->created_s))
		return err_set(err, EPROTO, "%s: no number 'created_s'", RECORD_NAME);
	if (json_get(record->root, "guardian_pid") &&
	    (!json_int(json_get(record->root, "guardian_pid"), &pid) || pid < 0 || pid > INT_MAX))
		return err_set(err, EPROTO, "%s: 'guardian_pid' is no process id", RECORD_NAME);
	record->guardian_pid = (pid_t)pid;
	return 0;
}

int record_read(int dir_fd, struct record *record, struct err *err)
{
	/* Names that a container, an engine or a profile chose may differ only in case: http_proxy and HTTP_PROXY. */
	static const char *const free_form[] = { "/annotations", "/profile_json/process/env/set", "/profile_json/rootfs/tmpfs",
						 NULL };
	cleanup_close int fd = -1;
	cleanup_free char *text = NULL;
	int64_t version = 0;
	size_t len = 0;
	int r;

	*record = (struct record){ 0 };
	fd = file_open_regular(dir_fd, RECORD_NAME, err);
	if (fd < 0)
		return fd;
	r = file_read_all(fd, RECORD_LIMIT, &text, &len, err);
	if (!r)
		r = json_parse(text, len, JSON_PLAIN, free_form, &record->tree, err);
	if (r)
		return err_wrap(err, RECORD_NAME);
	record->root = json_root(record->tree);
	if (!json_int(json_get(record->root, "version"), &version) || version != RECORD_VERSION)
		r = err_set(err, EPROTO, "%s: written by another version of quod", RECORD_NAME);
	else
		r = take_fields(record, err);
	if (r)
		record_release(record);
	return r;
}

void record_release(struct record *record)
{
	json_tree_free(record->tree);
	*record = (struct record){ 0 };
}

/* Several mounts may lie on one another; EINVAL says that none is left. */
static int detach_mounts(int dir_fd, struct err *err)
{
	int mounts_fd = openat(dir_fd, "mounts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	struct dirent *entry;
	DIR *listing;

	if (mounts_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : err_set_errno(err, errno, "mounts");
	listing = fdopendir(mounts_fd);
	if (!listing) {
		close(mounts_fd);
		return err_set_errno(err, errno, "mounts");
	}
	while (!r && (entry = readdir(listing))) {
		char path[64 + NAME_MAX];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", mounts_fd, entry->d_name);
		while (!umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
			;
		if (errno != EINVAL && errno != ENOENT && !(errno == EPERM && geteuid() != 0))
			r = err_set_errno(err, errno, "unmount mounts/%s", entry->d_name);
	}
	closedir(listing);
	if (!r) {
		char path[64];

		/* the directory of the clones is a mount of its own while create and the hook are at work */
		snprintf(path, sizeof(path), "/proc/self/fd/%d/mounts", dir_fd);
		while (!umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
			;
	}
	return r;
}

/* Empties a directory. RESOLVE_NO_XDEV: a mount that is still there, even a bind of the same file system, is not entered. */
static int empty_dir(int dir_fd, int depth, struct err *err)
{
	int copy_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *listing = copy_fd < 0 ? NULL : fdopendir(copy_fd);
	struct dirent *entry;

	if (!listing) {
		r = err_set_errno(err, errno, "list a state directory");
		if (copy_fd >= 0)
			close(copy_fd);
		return r;
	}
	while (!r && (entry = readdir(listing))) {
		const char *name = entry->d_name;
		cleanup_close int below_fd = -1;

		if (!strcmp(name, ".") || !strcmp(name, "..") || !unlinkat(dir_fd, name, 0) || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = err_set_errno(err, errno, "remove %s", name);
			break;
		}
		below_fd = sys_openat2(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
				       RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
		if (below_fd < 0)
			r = err_set_errno(err, errno, errno == EXDEV ? "%s is still mounted" : "remove %s", name);
		else if (depth >= DEPTH_MAX)
			r = err_set(err, ELOOP, "%s: nested too deeply", name);
		else
			r = empty_dir(below_fd, depth + 1, err);
		if (!r && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = err_set_errno(err, errno, "remove %s", name);
	}
	closedir(listing);
	return r;
}

int record_remove(const struct state_places *places, const char *key, struct err *err)
{
	cleanup_close int above_fd = -1, dir_fd = -1;
	struct err found = ERR_INIT;
	int r;

	if (!is_key(key))
		return err_set(err, EINVAL, "'%s' is no state key", key);
	above_fd = open_containers(places, false, &found);
	if (above_fd >= 0)
		dir_fd = record_open_dir(places, key, false, &found);
	if (dir_fd < 0) {
		if (found.code == ENOENT)
			return 0;
		*err = found;
		return -found.code;
	}
	r = detach_mounts(dir_fd, err);
	if (!r)
		r = empty_dir(dir_fd, 0, err);
	if (!r && unlinkat(above_fd, key, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_set_errno(err, errno, "remove");
	return r ? err_wrap(err, "state %s", key) : 0;
}

int record_each(const struct state_places *places, int (*visit)(const char *key, void *data), void *data, struct err *err)
{
	struct err found = ERR_INIT;
	int fd = open_containers(places, false, &found), r = 0;
	struct dirent *entry;
	DIR *listing;

	if (fd < 0) {
		if (found.code == ENOENT)
			return 0;
		*err = found;
		return fd;
	}
	listing = fdopendir(fd);
	if (!listing) {
		close(fd);
		return err_set_errno(err, errno, "%s/containers", places->run_dir);
	}
	while (!r && (entry = readdir(listing)))
		if (is_key(entry->d_name))
			r = visit(entry->d_name, data);
	closedir(listing);
	return r;
}
