/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod's own files on disk: found, held to "nobody but root can change this", read whole, parsed. The one place of the
 * policy that touches the file system; it only reads.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/policy/profile-keys.h"
#include "shim/policy/texts.h"

#define FILE_BYTES_MAX (1 << 20)
#define LINKS_MAX 16

static struct owners owners_now(void)
{
	struct owners owners = { geteuid(), false };
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned long inside, outside, length;

	if (map && fscanf(map, "%lu %lu %lu", &inside, &outside, &length) == 3)
		owners.overflow_ok = inside || outside || length != UINT32_MAX;
	return owners;
}

/* A link on the way decides as much as the file: it and the directory it lies in must be as hard to change. */
static int check_link(const char *dir, const char *link, const struct owners *owners, struct err *err)
{
	struct stat st;

	if (lstat(link, &st) < 0)
		return err_set_errno(err, errno, "%s", link);
	if (st.st_uid != 0 && st.st_uid != owners->also_uid && !(owners->overflow_ok && st.st_uid == 65534))
		return err_set(err, EPERM, "%s belongs to uid %u: only root may be able to change it", link, (unsigned)st.st_uid);
	return file_check_owner_chain(dir[0] ? dir : "/", owners->also_uid, owners->overflow_ok, err);
}

/* Takes the first component off `rest` and goes there from `at` (a path without links, "" for the root). A link's target
 * is put in front of what is left. */
static int walk_one(char **at, char **rest, const struct owners *owners, struct err *err)
{
	size_t len = strcspn(*rest, "/");
	cleanup_free char *name = strndup(*rest, len), *behind = alloc_copy(*rest + len + ((*rest)[len] == '/')), *next = NULL;
	char target[PATH_MAX];
	ssize_t got;
	int r;

	if (!name)
		return err_set(err, ENOMEM, "out of memory");
	free(*rest);
	*rest = steal_ptr(&behind);
	if (!len || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		char *slash = strrchr(*at, '/');

		if (slash)
			*slash = '\0';
		return 0;
	}
	next = alloc_printf("%s/%s", *at, name);
	got = readlink(next, target, sizeof(target) - 1);
	if (got < 0 && errno != EINVAL)
		return err_set_errno(err, errno, "%s", next);
	if (got < 0) {
		free(*at);
		*at = steal_ptr(&next);
		return 0;
	}
	target[got] = '\0';
	r = check_link(*at, next, owners, err);
	if (r)
		return r;
	behind = *rest;
	*rest = alloc_printf("%s/%s", target, behind);
	if (target[0] == '/')
		**at = '\0';
	return 1;
}

static int check_links(const char *path, const struct owners *owners, struct err *err)
{
	cleanup_free char *at = alloc_copy(""), *rest = alloc_copy(path);
	int links = 0;

	while (*rest) {
		int r = walk_one(&at, &rest, owners, err);

		if (r < 0)
			return r;
		links += r;
		if (links > LINKS_MAX)
			return err_set(err, ELOOP, "%s: too many symbolic links", path);
	}
	return 0;
}

static size_t dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool is_dir_of(const char *dir, const char *path)
{
	return strlen(dir) == dir_len(path) && !strncmp(dir, path, dir_len(path));
}

/* Was the way to this file found to be root's alone for another one of the same load? */
static bool is_trusted(const struct trusted_dirs *trusted, const char *path, const char *resolved)
{
	for (size_t i = 0; i < trusted->count; i++)
		if (is_dir_of(trusted->dirs[i].given, path) && is_dir_of(trusted->dirs[i].resolved, resolved))
			return true;
	return false;
}

static void trust(struct trusted_dirs *trusted, const char *path, const char *resolved)
{
	if (trusted->count == ARRAY_SIZE(trusted->dirs))
		return;
	trusted->dirs[trusted->count].given = alloc_printf("%.*s", (int)dir_len(path), path);
	trusted->dirs[trusted->count++].resolved = alloc_printf("%.*s", (int)dir_len(resolved), resolved);
}

void trusted_dirs_release(struct trusted_dirs *trusted)
{
	for (size_t i = 0; i < trusted->count; i++) {
		free(trusted->dirs[i].given);
		free(trusted->dirs[i].resolved);
	}
	trusted->count = 0;
}

/* The file was opened without following a link at its end: in a directory that is trusted only it is left to be looked at. */
static int check_owners(const char *path, const char *resolved, struct trusted_dirs *trusted, struct err *err)
{
	struct owners owners = trusted && trusted->count ? trusted->owners : owners_now();
	int r;

	if (trusted && is_trusted(trusted, path, resolved))
		return file_check_owner(resolved, owners.also_uid, owners.overflow_ok, err);
	r = path[0] == '/' ? check_links(path, &owners, err) : 0;
	if (!r)
		r = file_check_owner_chain(resolved, owners.also_uid, owners.overflow_ok, err);
	if (!r && trusted) {
		trusted->owners = owners;
		trust(trusted, path, resolved);
	}
	return r;
}

/* json_parse says "line N: ...": a message of quod's says "FILE:N: ...". */
static int fail_parse(const char *file, struct err *err)
{
	struct err inner = *err;
	int line, used = 0;

	if (sscanf(inner.text, "line %d: %n", &line, &used) == 1 && used)
		return err_set(err, inner.code, "%s:%d: %s", file, line, inner.text + used);
	return err_set(err, inner.code, "%s: %s", file, inner.text);
}

int policy_file_read(const char *path, const struct profile_paths *paths, struct json_tree **tree, char **resolved, struct err *err)
{
	cleanup_close int fd = file_open_regular(AT_FDCWD, path, err);
	cleanup_free char *real = NULL, *bytes = NULL;
	size_t len;
	int r;

	if (fd == -ELOOP)
		return err_set(err, ELOOP, "%s is a symbolic link: put the file itself there", path);
	if (fd < 0)
		return fd;
	real = file_fd_path(fd);
	if (!real)
		return err_set_errno(err, errno, "%s: its real path", path);
	r = paths && paths->skip_owner_check ? 0 : check_owners(path, real, paths ? paths->trusted : NULL, err);
	if (r)
		return r;
	r = file_read_all(fd, FILE_BYTES_MAX, &bytes, &len, err);
	if (r)
		return err_wrap(err, "%s", real);
	r = json_parse(bytes, len, JSON_COMMENTS, profile_free_form, tree, err);
	if (r)
		return fail_parse(real, err);
	*resolved = steal_ptr(&real);
	return 0;
}

void group_release(struct host_group *group)
{
	free(group->description);
	free(group->source);
	free(group->file);
	for (size_t i = 0; i < group->count; i++)
		entry_release(&group->hosts[i]);
	free(group->hosts);
	*group = (struct host_group){ .count = 0 };
}

static int read_host(const struct reader *reader, const struct spot *item)
{
	struct host_group *group = reader->target;
	struct err why = ERR_INIT;
	struct entry entry;
	const char *text;

	if (spot_text(reader, item, &text) < 0)
		return -EINVAL;
	if (entry_parse(text, &entry, &why) < 0)
		return spot_fail(reader, item, "'%s': %s", text, why.text);
	*list_add(group->hosts, group->count) = entry;
	if (entry.kind == ENTRY_GROUP || entry.kind == ENTRY_PUBLIC)
		return spot_fail(reader, item, "'%s': a group can't hold another", text);
	return 0;
}

static int read_hosts(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_ARRAY, read_host);
}

static int group_read(const char *path, const struct profile_paths *paths, struct host_group *group, struct err *err)
{
	static const struct key keys[] = {
		{ "version", .kind = KEY_VERSION },
		{ "$schema", .kind = KEY_IGNORED },
		{ "description", KEY_TEXT, KEY_AT(struct host_group, description) },
		{ "source", KEY_TEXT, KEY_AT(struct host_group, source) },
		{ "hosts", KEY_OTHER, .read = read_hosts },
	};
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *file = NULL;
	struct reader reader = { .keys = keys, .key_count = ARRAY_SIZE(keys), .target = group, .err = err };
	int r = policy_file_read(path, paths, &tree, &file, err);

	if (r)
		return r;
	reader.file = group->file = steal_ptr(&file);
	return keys_read(&reader, json_root(tree));
}

int group_find(const char *name, const struct profile_paths *paths, struct host_group *group, struct err *err)
{
	*group = (struct host_group){ .count = 0 };
	for (size_t i = 0; i < ARRAY_SIZE(paths->group_dirs) && paths->group_dirs[i]; i++) {
		cleanup_free char *path = alloc_printf("%s/%s.json", paths->group_dirs[i], name);
		struct err why = ERR_INIT;
		int r = group_read(path, paths, group, &why);

		if (!r)
			return 0;
		group_release(group);
		if (r != -ENOENT) {
			*err = why;
			return r;
		}
	}
	return err_set(err, ENOENT, "there is no group '@%s'", name);
}

int group_load(const char *name, const struct profile_paths *paths, struct entry **entries, size_t *count, struct err *err)
{
	struct host_group group;
	int r = group_find(name, paths, &group, err);

	if (r)
		return r;
	*entries = steal_ptr(&group.hosts);
	*count = group.count;
	group.count = 0;
	group_release(&group);
	return 0;
}

static int list_dir(const char *path, struct strings *names, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int code;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir)
		return err_set_errno(err, errno, "%s", path);
	while (errno = 0, (entry = readdir(dir))) {
		cleanup_free char *name = alloc_copy(entry->d_name);
		size_t len = strlen(name);

		if (len <= 5 || strcmp(name + len - 5, ".json") != 0)
			continue;
		name[len - 5] = '\0';
		if (profile_name_is_valid(name) && !strings_has(names, name))
			strings_add(names, name);
	}
	code = errno;
	closedir(dir);
	return code ? err_set_errno(err, code, "%s", path) : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_dirs(const char *const dirs[3], struct strings *names, struct err *err)
{
	*names = (struct strings){ NULL, 0 };
	for (size_t i = 0; i < 3 && dirs[i]; i++) {
		int r = list_dir(dirs[i], names, err);

		if (r) {
			strings_free(names);
			return r;
		}
	}
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
	return 0;
}

int profile_list(const struct profile_paths *paths, struct strings *names, struct err *err)
{
	return list_dirs(paths->profile_dirs, names, err);
}

int group_list(const struct profile_paths *paths, struct strings *names, struct err *err)
{
	return list_dirs(paths->group_dirs, names, err);
}
