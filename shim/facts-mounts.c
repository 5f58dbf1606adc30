/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about mounts: what each bind's source really is, held by descriptor, and where each destination really lands.
 * Must open sources by O_PATH only: a FIFO or a device is looked at, never opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/facts.h"
#include "shim/policy/paths.h"

/* One component after the other is kept as text; false for "..", a relative path or one that is too long. */
static bool normalise(const char *path, struct buf *buf)
{
	if (path[0] != '/' || strlen(path) > 4000)
		return false;
	while (*path) {
		size_t len;

		while (*path == '/')
			path++;
		len = strcspn(path, "/");
		if (len == 2 && !strncmp(path, "..", 2))
			return false;
		if (len && !(len == 1 && *path == '.')) {
			buf_putc(buf, '/');
			buf_put(buf, path, len);
		}
		path += len;
	}
	return true;
}

static bool is_link_at(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* The path of `fd` below the root file system; NULL when it isn't below. */
static char *path_below(int rootfs_fd, int fd)
{
	cleanup_free char *root = file_fd_path(rootfs_fd), *path = file_fd_path(fd);
	size_t len = root ? strlen(root) : 0;

	if (!root || !path || strncmp(root, path, len) || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return alloc_copy(path + len);
}

char *rootfs_resolve(int rootfs_fd, const char *path)
{
	cleanup_buf struct buf wanted = BUF_INIT, found = BUF_INIT;
	size_t cut;

	if (!normalise(path, &wanted))
		return NULL;
	if (!wanted.len)
		return alloc_copy("/");
	cut = wanted.len;
	for (;;) {
		cleanup_free char *lead = strndup(wanted.data, cut), *below = NULL;
		cleanup_close int fd = sys_openat2(rootfs_fd, cut ? lead : ".", O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		char *rest = wanted.data + cut;

		if (fd < 0 && errno != ENOENT)
			return NULL;
		if (fd < 0) {
			while (cut && wanted.data[cut - 1] != '/')
				cut--;
			cut -= cut > 0;
			continue;
		}
		if (*rest) {
			cleanup_free char *next = strndup(rest + 1, strcspn(rest + 1, "/"));

			if (is_link_at(fd, next))
				return NULL;
		}
		below = path_below(rootfs_fd, fd);
		if (!below)
			return NULL;
		buf_puts(&found, below);
		buf_puts(&found, rest);
		return found.len ? buf_steal(&found) : alloc_copy("/");
	}
}

static bool is_bind(const struct oci_mount *mount)
{
	if (mount->type && !strcmp(mount->type, "bind"))
		return true;
	for (size_t i = 0; mount->options && i < mount->options->count; i++) {
		const char *option = json_string(mount->options->items[i]);

		if (option && (!strcmp(option, "bind") || !strcmp(option, "rbind")))
			return true;
	}
	return false;
}

/* The mount that a descriptor lies on, and whether it is that mount's root. */
static uint64_t mount_id(int fd, bool *is_root)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return 0;
	if (is_root)
		*is_root = (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	return sx.stx_mnt_id;
}

static int look_at_source(int bundle_fd, const char *source, struct fact_mount *fact, struct facts *facts)
{
	cleanup_close int fd = openat(bundle_fd, source, O_PATH | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		fact->error = errno;
		return -1;
	}
	fact->resolved = file_fd_path(fd);
	if (!fact->resolved || fact->resolved[0] != '/' || st.st_nlink == 0) {
		fact->error = ENOENT;
		return -1;
	}
	fact->mode = st.st_mode & S_IFMT;
	fact->fs_magic = (uint64_t)(unsigned long)fs.f_type;
	fact->is_root_only = is_root_only(facts, fact->resolved);
	if (facts->engine_data_root) {
		cleanup_close int root_fd = open(facts->engine_data_root, O_PATH | O_CLOEXEC);

		fact->is_other_mount = mount_id(fd, &fact->is_mount_point) != mount_id(root_fd, NULL);
	} else {
		mount_id(fd, &fact->is_mount_point);
	}
	return steal_fd(&fd);
}

/* One pass over the mount table for all sources that are directories. */
static void find_submounts(struct facts *facts)
{
	cleanup_fclose FILE *table = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	for (size_t i = 0; i < facts->mount_count && !table; i++)
		facts->mounts[i].has_submounts = true;	/* nothing is known: the stricter answer */
	while (table && getline(&line, &room, table) > 0) {
		char *at = line, *field = NULL;

		for (size_t i = 0; i < 5; i++)
			field = strsep(&at, " ");
		if (!field)
			continue;
		file_decode_mountinfo(field);
		for (size_t i = 0; i < facts->mount_count; i++) {
			const char *path = facts->mounts[i].resolved;
			size_t len = path ? strlen(path) : 0;

			if (len && S_ISDIR(facts->mounts[i].mode) && !strncmp(field, path, len) &&
			    (field[len] == '/' || (len == 1 && field[1])))
				facts->mounts[i].has_submounts = true;
		}
	}
}

/* A mount below another one: a link in what is mounted there must not lead it elsewhere. */
static bool is_led_elsewhere(const struct facts *facts, const struct facts_held *held, size_t index)
{
	const char *destination = facts->mounts[index].destination, *rest = NULL;
	cleanup_free char *wanted = NULL, *found = NULL;
	size_t below = index;

	for (size_t i = 0; destination && i < index; i++) {
		const char *above = facts->mounts[i].destination, *behind = above ? path_behind(destination, above) : NULL;

		if (behind && (!rest || behind >= rest)) {
			rest = behind;
			below = i;
		}
	}
	if (below == index || held->mount_fds[below] < 0 || !S_ISDIR(facts->mounts[below].mode))
		return false;
	wanted = alloc_printf("/%s", rest);
	found = rootfs_resolve(held->mount_fds[below], wanted);
	return !found || strcmp(found, wanted);
}

int facts_gather_mounts(const struct oci_bundle *bundle, const struct oci_config *config, struct facts *facts,
			struct facts_held *held, struct err *err)
{
	bool has_directory = false;

	facts->mounts = alloc_zeroed(config->mount_count, sizeof(*facts->mounts));
	facts->mount_count = config->mount_count;
	held->mount_fds = alloc_zeroed(config->mount_count, sizeof(int));
	held->count = config->mount_count;
	for (size_t i = 0; i < config->mount_count; i++) {
		const struct oci_mount *mount = &config->mounts[i];
		struct fact_mount *fact = &facts->mounts[i];

		held->mount_fds[i] = -1;
		fact->destination = mount->destination ? rootfs_resolve(held->rootfs_fd, mount->destination) : NULL;
		if (is_led_elsewhere(facts, held, i)) {
			free(fact->destination);
			fact->destination = NULL;
		}
		fact->is_bind = is_bind(mount);
		if (!fact->is_bind)
			continue;
		if (mount->source)
			held->mount_fds[i] = look_at_source(bundle->dir_fd, mount->source, fact, facts);
		else
			fact->error = ENOENT;
		has_directory = has_directory || S_ISDIR(fact->mode);
	}
	facts_find_origins(facts, held);
	facts_find_tokens(facts, held);
	if (has_directory)
		find_submounts(facts);
	return 0;
}
