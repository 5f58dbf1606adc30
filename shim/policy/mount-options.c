/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of a mount: see mount-options.h. What isn't in these tables is refused: runtimes hand unknown options to the
 * kernel as mount data.
 */
#include "shim/policy/mount-options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

static const char *const flags[] = {
	"ro", "rw", "rro", "nosuid", "nodev", "noexec", "exec", "suid", "dev", "sync", "async", "dirsync", "noatime", "atime",
	"relatime", "norelatime", "nodiratime", "diratime", "strictatime", "nostrictatime", "nosymfollow", "private", "rprivate",
	"slave", "rslave", "shared", "rshared", "unbindable", "runbindable", "defaults", NULL,
};
static const char *const bind_only[] = { "bind", "rbind", NULL };
static const char *const devpts_only[] = { "newinstance", NULL };
static const char *const tmpfs_only[] = { "tmpcopyup", NULL };
static const char *const tmpfs_data[] = { "size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", NULL };
static const char *const devpts_data[] = { "ptmxmode", "mode", "gid", "uid", NULL };

static bool in_list(const char *const *list, const char *text, size_t len)
{
	for (; list && *list; list++)
		if (strlen(*list) == len && !strncmp(*list, text, len))
			return true;
	return false;
}

static const char *const *kind_flags(enum mount_kind kind)
{
	return kind == MOUNT_BIND ? bind_only : kind == MOUNT_DEVPTS ? devpts_only : kind == MOUNT_TMPFS ? tmpfs_only : NULL;
}

static const char *const *kind_data(enum mount_kind kind)
{
	return kind == MOUNT_TMPFS ? tmpfs_data : kind == MOUNT_DEVPTS ? devpts_data : NULL;
}

static bool is_plain_value(const char *value)
{
	return *value && strspn(value, "0123456789kKmMgGtT%") == strlen(value);
}

static bool is_known(const char *option, enum mount_kind kind)
{
	size_t len = strcspn(option, "=");

	if (strpbrk(option, ", \t\n\\"))
		return false;
	if (option[len] == '=')
		return in_list(kind_data(kind), option, len) && is_plain_value(option + len + 1);
	return in_list(flags, option, len) || in_list(kind_flags(kind), option, len);
}

const char *mount_options_unknown(const struct oci_mount *mount, enum mount_kind kind)
{
	for (size_t i = 0; mount->options && i < mount->options->count; i++) {
		const char *option = json_string(mount->options->items[i]);

		if (!option)
			return "(no string)";
		if (!is_known(option, kind))
			return option;
	}
	return NULL;
}

bool mount_has_option(const struct oci_mount *mount, const char *option)
{
	for (size_t i = 0; mount->options && i < mount->options->count; i++) {
		const char *given = json_string(mount->options->items[i]);

		if (given && !strcmp(given, option))
			return true;
	}
	return false;
}

bool mount_is_given_readonly(const struct oci_mount *mount)
{
	bool readonly = false;

	for (size_t i = 0; mount->options && i < mount->options->count; i++) {
		const char *given = json_string(mount->options->items[i]);

		if (given && (!strcmp(given, "ro") || !strcmp(given, "rw")))
			readonly = given[1] == 'o';
	}
	return readonly || mount_has_option(mount, "rro");
}

uint64_t mount_inodes(uint64_t bytes)
{
	return bytes / 4096 > 1024 ? bytes / 4096 : 1024;
}

/* As the kernel reads it (memparse), but for the suffixes and spellings that nobody needs: those are over every bound, so that
 * they are replaced. So is a share of the host's memory. */
static uint64_t size_value(const char *text)
{
	static const char suffixes[] = "kmgt";
	char *end = NULL;
	unsigned long long value = *text >= '1' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	const char *suffix = value && *end ? strchr(suffixes, *end | 0x20) : NULL;
	unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;

	if (value == 0 || end[suffix ? 1 : 0] || value > UINT64_MAX >> shift)
		return UINT64_MAX;
	return value << shift;
}

/* What a stricter option takes the place of, or what would undo it further down the list. */
static bool is_dropped(const char *option, enum mount_kind kind, const struct mount_bounds *bounds)
{
	static const char *const shared[] = { "shared", "rshared", "slave", "rslave", NULL };
	static const char *const loose[] = { "suid", "dev", NULL };

	if (in_list(shared, option, strlen(option)))
		return true;
	if (bounds->readonly && !strcmp(option, "rw"))
		return true;
	if (bounds->nosuid_nodev && in_list(loose, option, strlen(option)))
		return true;
	if (bounds->is_flat && !strcmp(option, "rbind"))
		return true;
	if (kind == MOUNT_TMPFS && bounds->size != UINT64_MAX) {
		if (!strncmp(option, "nr_blocks=", 10))	/* the same in pages */
			return size_value(option + 10) > bounds->size / (uint64_t)sysconf(_SC_PAGESIZE);
		if (!strncmp(option, "size=", 5))
			return size_value(option + 5) > bounds->size;
		if (!strncmp(option, "nr_inodes=", 10))
			return size_value(option + 10) > mount_inodes(bounds->size);
	}
	return false;
}

static bool has_prefix(const struct json *options, const char *prefix)
{
	for (size_t i = 0; i < options->count; i++)
		if (!strncmp(json_string(options->items[i]), prefix, strlen(prefix)))
			return true;
	return false;
}

static bool has_item(const struct json *options, const char *option)
{
	for (size_t i = 0; i < options->count; i++)
		if (!strcmp(json_string(options->items[i]), option))
			return true;
	return false;
}

static void want(struct json_tree *tree, struct json *options, const char *option)
{
	if (!has_item(options, option))
		json_append(tree, options, json_make_string(tree, option));
}

static void want_number(struct json_tree *tree, struct json *options, const char *name, uint64_t value)
{
	cleanup_free char *option = alloc_printf("%s%llu", name, (unsigned long long)value);

	if (!has_prefix(options, name))
		json_append(tree, options, json_make_string(tree, option));
}

struct json *mount_options_bound(struct json_tree *tree, const struct oci_mount *mount, enum mount_kind kind,
				 const struct mount_bounds *bounds)
{
	struct json *options = json_make_array(tree);
	bool was_shared = false;

	for (size_t i = 0; mount->options && i < mount->options->count; i++) {
		const char *option = json_string(mount->options->items[i]);

		was_shared = was_shared || strstr(option, "shared") || strstr(option, "slave");
		if (!is_dropped(option, kind, bounds))
			json_append(tree, options, json_make_string(tree, option));
	}
	if (kind == MOUNT_BIND && !has_item(options, "bind") && !has_item(options, "rbind"))
		want(tree, options, "bind");
	if (kind == MOUNT_BIND && (was_shared || (!has_item(options, "rprivate") && !has_item(options, "private"))))
		want(tree, options, "rprivate");
	if (bounds->readonly && !has_item(options, "rro"))
		want(tree, options, "ro");
	if (bounds->nosuid_nodev) {
		want(tree, options, "nosuid");
		want(tree, options, "nodev");
	}
	if (kind == MOUNT_TMPFS && bounds->size != UINT64_MAX) {
		if (!has_prefix(options, "nr_blocks="))
			want_number(tree, options, "size=", bounds->size);
		want_number(tree, options, "nr_inodes=", mount_inodes(bounds->size));
	}
	return options;
}
