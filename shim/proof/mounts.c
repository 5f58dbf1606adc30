/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof: the container's mount table (/proc/PID/mountinfo): nothing stands there that the plan did not put there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/proof/proof.h"
#include "shim/policy/paths.h"
#include "shim/policy/rootfs.h"
#include "shim/policy/units.h"

struct mount_line {
	char *place, *options, *type, *super;
};

struct mount_table {
	struct mount_line *lines;
	size_t count;
};

static bool parse_line(char *line, struct mount_line *to)
{
	char *field[6], *rest = line;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++)
		if (!(field[i] = strsep(&rest, " ")))
			return false;
	rest = rest ? strstr(rest, "- ") : NULL;
	if (!rest)
		return false;
	rest += 2;
	*to = (struct mount_line){ .place = alloc_copy(field[4]), .options = alloc_copy(field[5]) };
	file_decode_mountinfo(to->place);
	to->type = alloc_copy(strsep(&rest, " "));
	strsep(&rest, " ");
	to->super = alloc_copy(rest ? rest : "");
	to->super[strcspn(to->super, "\n")] = '\0';
	return true;
}

static void table_read(pid_t pid, struct mount_table *table)
{
	cleanup_free char *path = alloc_printf("/proc/%d/mountinfo", (int)pid);
	cleanup_fclose FILE *stream = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (stream && getline(&line, &room, stream) > 0) {
		table->lines = alloc_grow(table->lines, table->count + 1, sizeof(*table->lines));
		if (parse_line(line, &table->lines[table->count]))
			table->count++;
	}
}

static void table_free(struct mount_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		free(table->lines[i].place);
		free(table->lines[i].options);
		free(table->lines[i].type);
		free(table->lines[i].super);
	}
	free(table->lines);
}

/* The uppermost mount at a place. */
static const struct mount_line *table_find(const struct mount_table *table, const char *place)
{
	for (size_t i = table->count; i-- > 0;)
		if (!strcmp(table->lines[i].place, place))
			return &table->lines[i];
	return NULL;
}

static bool has_option(const char *list, const char *option)
{
	size_t len = strlen(option);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (!strncmp(at, option, len) && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

/* crun, and runc in a user namespace, bind the default devices one by one. */
static bool is_runtimes_own(const char *place)
{
	static const char *const places[] = { "/", "/dev/console", "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					      "/dev/urandom", "/dev/tty" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!strcmp(place, places[i]))
			return true;
	return path_is_within(place, "/sys/fs/cgroup");
}

static bool is_planned(const struct proof *proof, const char *place)
{
	const struct json *mounts = json_get(proof->config, "mounts"), *node = json_get(proof->config, "linux");
	const struct json *devices = json_get(node, "devices");

	if (is_runtimes_own(place))
		return true;
	for (size_t i = 0; mounts && i < mounts->count; i++) {
		const char *destination = json_string(json_get(mounts->items[i], "destination"));

		if (destination && !strcmp(destination, place))
			return true;
	}
	for (size_t i = 0; devices && i < devices->count; i++) {
		const char *path = json_string(json_get(devices->items[i], "path"));

		if (path && !strcmp(path, place))
			return true;
	}
	return rootfs_list_has(json_get(node, "maskedPaths"), place) || rootfs_list_has(json_get(node, "readonlyPaths"), place);
}

/* A mount that isn't where it was planned stands somewhere else: a link that came between has led it there. */
static const char *find_missing(const struct proof *proof, const struct mount_table *table)
{
	const struct json *mounts = json_get(proof->config, "mounts");

	for (size_t i = 0; mounts && i < mounts->count; i++) {
		const char *destination = json_string(json_get(mounts->items[i], "destination"));

		if (destination && !table_find(table, destination))
			return destination;
	}
	return NULL;
}

static void check_table(struct proof *proof, const struct mount_table *table)
{
	const char *strange = NULL, *missing = find_missing(proof, table);

	for (size_t i = 0; i < table->count && !strange; i++)
		if (!is_planned(proof, table->lines[i].place))
			strange = table->lines[i].place;
	proof_add(proof, "mounts.allow", !table->count ? PROOF_INCONCLUSIVE : strange || missing ? PROOF_FAILED : PROOF_PROVEN,
		   "/proc/PID/mountinfo", "the mounts of the plan, and no other");
	if (strange)
		proof_saw(proof, "one at %s", strange);
	else if (missing)
		proof_saw(proof, "none at %s", missing);
	else
		proof_saw(proof, "%zu mounts, all planned", table->count);
}

static void check_root(struct proof *proof, const struct mount_table *table)
{
	const struct mount_line *root = table_find(table, "/");

	if (!proof->profile->rootfs.readonly)
		return;
	proof_add(proof, "rootfs.readonly",
		   !root ? PROOF_INCONCLUSIVE : has_option(root->options, "ro") ? PROOF_PROVEN : PROOF_FAILED, "/proc/PID/mountinfo",
		   "read-only");
	proof_saw(proof, "%s", root ? root->options : "unknown");
}

/* The kernel writes a tmpfs's size in KiB: "size=16384k". */
static uint64_t size_of(const struct mount_line *line)
{
	const char *size = strstr(line->super, "size=");
	char *end;
	uint64_t value;

	if (!size)
		return UINT64_MAX;
	value = strtoull(size + 5, &end, 10);
	return *end == 'k' ? value << 10 : value;
}

static void check_tmpfs(struct proof *proof, const struct mount_table *table)
{
	for (size_t i = 0; i < proof->profile->rootfs.tmpfs_count; i++) {
		const struct tmpfs_rule *rule = &proof->profile->rootfs.tmpfs[i];
		const struct mount_line *line = table_find(table, rule->path);
		cleanup_buf struct buf bytes = BUF_INIT;

		/* $HOME was resolved at create; what isn't a tmpfs is a volume or workspace that stands there instead */
		if (rule->path[0] != '/' || (line && strcmp(line->type, "tmpfs")))
			continue;
		bytes_print(&bytes, rule->bytes);
		proof_add(proof, "rootfs.tmpfs", line && size_of(line) <= rule->bytes ? PROOF_PROVEN : PROOF_FAILED,
			   "/proc/PID/mountinfo", "%s of %s", rule->path, bytes.data);
		proof_saw(proof, "%s", line ? line->super : "no tmpfs");
	}
}

static uint64_t volume_bound(const struct profile *profile, const char *place)
{
	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++)
		if (!strcmp(profile->rootfs.tmpfs[i].path, place))
			return profile->rootfs.tmpfs[i].bytes;
	return profile->resources.memory;
}

/* What is protected inside the workspaces is a read-only mount of its own. */
static void check_protected(struct proof *proof, const struct mount_table *table)
{
	const struct json *protected = json_get(proof->record->plan, "protected");

	for (size_t i = 0; protected && i < protected->count; i++) {
		const char *place = json_string(protected->items[i]);
		const struct mount_line *line = place ? table_find(table, place) : NULL;

		proof_add(proof, "mounts.protect", line && has_option(line->options, "ro") ? PROOF_PROVEN : PROOF_FAILED,
			  "/proc/PID/mountinfo", "%s read-only", place ? place : "?");
		proof_saw(proof, "%s", line ? line->options : "no mount");
	}
}

/* Each volume that became a tmpfs, and no more than its bound. */
static void check_volumes(struct proof *proof, const struct mount_table *table)
{
	const struct json *volumes = json_get(proof->record->plan, "volumes");

	for (size_t i = 0; volumes && i < volumes->count; i++) {
		const char *place = json_string(volumes->items[i]);
		const struct mount_line *line = place ? table_find(table, place) : NULL;
		bool is_bounded = line && !strcmp(line->type, "tmpfs") && size_of(line) <= volume_bound(proof->profile, place);

		proof_add(proof, "mounts.volumes", is_bounded ? PROOF_PROVEN : PROOF_FAILED, "/proc/PID/mountinfo",
			  "%s a bounded tmpfs", place ? place : "?");
		proof_saw(proof, "%s", line ? line->super : "no mount");
	}
}

static void check_masks(struct proof *proof, const struct mount_table *table)
{
	static const char *const must[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sys", "/proc/sysrq-trigger" };
	const char *missing = NULL;
	size_t seen = 0;

	if (!proof->profile->rootfs.mask)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(must); i++) {
		if (table_find(table, must[i]))
			seen++;
		else if (access(must[i], F_OK) == 0)
			missing = must[i];
	}
	proof_add(proof, "rootfs.mask", missing ? PROOF_FAILED : seen ? PROOF_PROVEN : PROOF_INCONCLUSIVE, "/proc/PID/mountinfo",
		   "the kernel's files hidden or read-only");
	if (missing)
		proof_saw(proof, "%s is not covered", missing);
	else
		proof_saw(proof, "all %zu that were looked for", seen);
}

void proof_mounts(struct proof *proof)
{
	struct mount_table table = { NULL, 0 };

	table_read(proof->spaces.pid, &table);
	check_table(proof, &table);
	check_root(proof, &table);
	check_tmpfs(proof, &table);
	check_protected(proof, &table);
	check_volumes(proof, &table);
	check_masks(proof, &table);
	table_free(&table);
}
