/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a pod's volume comes from. The kubelet binds: a part of a volume (subPath), a local disk, what a driver has mounted. By
 * its path each is the pod's own; by the kernel's mount table it may be any directory of the host. Must never believe a path
 * below the kubelet's directory alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/facts.h"
#include "shim/policy/paths.h"

/* One line of /proc/self/mountinfo: which part of which file system is seen where. */
struct seen {
	uint64_t id;
	char *device, *root, *place;	/* "8:1", "/part/of/it", "/where" */
};

struct table {
	struct seen *items;
	size_t count;
};

static void release(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		free(table->items[i].device);
		free(table->items[i].root);
		free(table->items[i].place);
	}
	free(table->items);
}

static bool read_line(char *line, struct seen *seen)
{
	char *at = line, *field[5] = { NULL };

	for (size_t i = 0; i < 5; i++)
		if (!(field[i] = strsep(&at, " ")))
			return false;
	file_decode_mountinfo(field[3]);
	file_decode_mountinfo(field[4]);
	*seen = (struct seen){ strtoull(field[0], NULL, 10), alloc_copy(field[2]), alloc_copy(field[3]), alloc_copy(field[4]) };
	return true;
}

static void read_table(struct table *table)
{
	cleanup_fclose FILE *file = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		struct seen seen;

		if (!read_line(line, &seen))
			continue;
		table->items = alloc_grow(table->items, table->count + 1, sizeof(*table->items));
		table->items[table->count++] = seen;
	}
}

static const struct seen *find_mount(const struct table *table, int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return NULL;
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i].id == sx.stx_mnt_id)
			return &table->items[i];
	return NULL;
}

/* "/" has everything below it. */
static const char *behind(const char *path, const char *above)
{
	if (!strcmp(above, "/"))
		return path[0] == '/' ? path + 1 : NULL;
	return !strcmp(path, above) ? "" : path_behind(path, above);
}

static char *join(const char *above, const char *rest)
{
	if (!*rest)
		return alloc_copy(above);
	return alloc_printf("%s/%s", strcmp(above, "/") ? above : "", rest);
}

/* Where a mount outside the kubelet's directory shows what `mount` shows; NULL when none does, or when that is in the kubelet's
 * directory again. */
static char *find_elsewhere(const struct table *table, const struct seen *mount, const char *kubelet)
{
	char *found = NULL;

	for (size_t i = 0; i < table->count; i++) {
		const struct seen *other = &table->items[i];
		const char *rest;
		char *path;

		if (strcmp(other->device, mount->device) || path_is_within(other->place, kubelet) ||
		    !(rest = behind(mount->root, other->root)))
			continue;
		path = join(other->place, rest);
		if (path_is_within(path, kubelet)) {
			free(path);
			free(found);
			return NULL;
		}
		free(found);
		found = path;
	}
	return found;
}

static void find_origin(struct facts *facts, const struct table *table, int fd, struct fact_mount *fact)
{
	const char *pods = strstr(fact->resolved, "/pods/"), *rest;
	const struct seen *mount = find_mount(table, fd);
	cleanup_free char *kubelet = strndup(fact->resolved, (size_t)(pods - fact->resolved));
	cleanup_free char *elsewhere = NULL, *own = alloc_printf("%s/pods", kubelet);
	char *origin;

	if (!mount || !*kubelet) {
		fact->error = ENODATA;	/* nothing is known of it */
		return;
	}
	rest = path_is_within(mount->place, own) ? behind(fact->resolved, mount->place) : NULL;
	elsewhere = rest ? find_elsewhere(table, mount, kubelet) : NULL;
	if (!elsewhere)
		return;
	origin = join(elsewhere, rest);
	free(fact->resolved);
	fact->resolved = origin;
	fact->is_mount_point = false;
	fact->is_root_only = is_root_only(facts, fact->resolved);
}

void facts_find_origins(struct facts *facts, const struct facts_held *held)
{
	struct table table = { NULL, 0 };

	for (size_t i = 0; i < facts->mount_count; i++) {
		struct fact_mount *fact = &facts->mounts[i];

		if (facts->engine != ENGINE_CRI || !fact->resolved || !strstr(fact->resolved, "/pods/"))
			continue;
		if (!table.count)
			read_table(&table);
		find_origin(facts, &table, held->mount_fds[i], fact);
	}
	release(&table);
}
