/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of a profile whose values have a form of their own, but for the network's: lists of rules append, maps merge by
 * key, the upper bound of capabilities replaces. See keys.h for who calls this.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/capabilities.h"
#include "shim/policy/profile-keys.h"
#include "shim/policy/texts.h"
#include "shim/policy/units.h"

const char *const volumes_words[] = { "tmpfs", NULL };
const char *const exhausted_words[] = { "stop", "freeze", NULL };
const char *const egress_exhausted_words[] = { "cut", "stop", NULL };

static int fail_want(const struct reader *reader, const struct spot *spot, const char *text, const char *wanted)
{
	return wanted ? spot_fail(reader, spot, "'%s' is not %s", text, wanted) : 0;
}

int read_extends(const struct reader *reader, const struct spot *spot)
{
	const char *text;

	if (!reader->paths)
		return spot_fail(reader, spot, "a profile in memory can't have a parent");
	if (spot_text(reader, spot, &text) < 0)
		return -EINVAL;
	return fail_want(reader, spot, text, want_profile_name(text));
}

static int read_pattern(const struct reader *reader, const struct spot *spot, char **pattern)
{
	const char *text;

	if (spot_text(reader, spot, &text) < 0 || fail_want(reader, spot, text, want_mount_pattern(text)) < 0)
		return -EINVAL;
	*pattern = alloc_copy(text);
	return 0;
}

static int read_mount_rule(const struct reader *reader, const struct spot *spot)
{
	static const char *const names[] = { "source", "destination", "readonly", NULL };
	struct profile *profile = reader->target;
	struct mount_rule *rule = list_add(profile->mounts.allow, profile->mounts.allow_count);
	struct spot source, destination, readonly;
	int r;

	rule->readonly = true;
	if (spot_only(reader, spot, names) < 0)
		return -EINVAL;
	source = spot_named(spot, "source");
	destination = spot_named(spot, "destination");
	readonly = spot_named(spot, "readonly");
	r = read_pattern(reader, &source, &rule->source);
	if (!r || reader->all)
		r = read_pattern(reader, &destination, &rule->destination) < 0 ? -EINVAL : r;
	if (readonly.value && (!r || reader->all))
		r = spot_is(reader, &readonly, JSON_BOOL) < 0 ? -EINVAL : r;
	if (r)
		return r;
	rule->readonly = json_bool(readonly.value, true);
	return 0;
}

int read_mounts_allow(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_ARRAY, read_mount_rule);
}

int read_volumes(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target;

	if (json_is(spot->value, JSON_BOOL)) {
		profile->mounts.volumes = spot->value->boolean ? VOLUMES_ALLOW : VOLUMES_REFUSE;
		return 0;
	}
	if (!json_is(spot->value, JSON_STRING) || strcmp(spot->value->text, volumes_words[0]) != 0)
		return spot_fail(reader, spot, "must be true, false or \"tmpfs\"");
	profile->mounts.volumes = VOLUMES_TMPFS;
	return 0;
}

/* A tmpfs over these would hide what quod, the runtime or the kernel put there. */
static const char *want_tmpfs_path(const char *path)
{
	static const char *const refused[] = { "/", "/dev", "/proc", "/sys" };

	if (!strcmp(path, "$HOME"))
		return NULL;
	if (want_absolute_path(path))
		return "an absolute path (without //, ., .., * or a slash at the end) or \"$HOME\"";
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (!strcmp(path, refused[i]))
			return "a place for a tmpfs";
	return strncmp(path, "/proc/", 6) && strncmp(path, "/sys/", 5) ? NULL : "a place for a tmpfs";
}

static struct tmpfs_rule *tmpfs_of(struct profile *profile, const char *path)
{
	struct tmpfs_rule *rule;

	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++)
		if (!strcmp(profile->rootfs.tmpfs[i].path, path))
			return &profile->rootfs.tmpfs[i];
	rule = list_add(profile->rootfs.tmpfs, profile->rootfs.tmpfs_count);
	rule->path = alloc_copy(path);
	return rule;
}

static int read_tmpfs_one(const struct reader *reader, const struct spot *member)
{
	static const struct key size = { .kind = KEY_BYTES, .least = 4096, .most = 1ull << 50 };

	if (fail_want(reader, member, member->name, want_tmpfs_path(member->name)) < 0)
		return -EINVAL;
	return spot_quantity(reader, member, &size, &tmpfs_of(reader->target, member->name)->bytes);
}

int read_tmpfs(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_OBJECT, read_tmpfs_one);
}

static int fail_capability(const struct reader *reader, const struct spot *spot, const char *text)
{
	cleanup_free char *prefixed = alloc_printf("%s%s", strncmp(text, "CAP_", 4) ? "CAP_" : "", text);
	const char *names[65] = { NULL };

	for (unsigned number = 0; number < 64; number++)
		names[number] = capability_name(number);
	return spot_fail(reader, spot, "'%s' is no capability: the nearest one is '%s'", text, nearest_word(prefixed, names));
}

static int read_capability(const struct reader *reader, const struct spot *item)
{
	struct profile *profile = reader->target;
	const char *text;
	int number;

	if (spot_text(reader, item, &text) < 0)
		return -EINVAL;
	number = capability_parse(text);
	if (number < 0)
		return fail_capability(reader, item, text);
	profile->process.capabilities |= CAPABILITY_BIT(number);
	return 0;
}

int read_capabilities(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target;

	profile->process.capabilities = 0;
	return spot_each(reader, spot, JSON_ARRAY, read_capability);
}

static struct env_rule *env_of(struct profile *profile, const char *name)
{
	struct env_rule *rule;

	for (size_t i = 0; i < profile->process.env_set_count; i++)
		if (!strcmp(profile->process.env_set[i].name, name))
			return &profile->process.env_set[i];
	rule = list_add(profile->process.env_set, profile->process.env_set_count);
	rule->name = alloc_copy(name);
	return rule;
}

static int read_env_one(const struct reader *reader, const struct spot *member)
{
	struct env_rule *rule;
	const char *value;

	if (fail_want(reader, member, member->name, want_env_name(member->name)) < 0 || spot_text(reader, member, &value) < 0)
		return -EINVAL;
	rule = env_of(reader->target, member->name);
	free(rule->value);
	rule->value = alloc_copy(value);
	return 0;
}

int read_env_set(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_OBJECT, read_env_one);
}

static const char *want_rlimit(const char *name)
{
	static const char *const names[] = { "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
					     "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return NULL;
	return "a limit (as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, "
	       "sigpending, stack)";
}

static struct rlimit_rule *rlimit_of(struct profile *profile, const char *name)
{
	struct rlimit_rule *rule;

	for (size_t i = 0; i < profile->process.rlimit_count; i++)
		if (!strcmp(profile->process.rlimits[i].name, name))
			return &profile->process.rlimits[i];
	rule = list_add(profile->process.rlimits, profile->process.rlimit_count);
	rule->name = alloc_copy(name);
	return rule;
}

static int read_rlimit(const struct reader *reader, const struct spot *member)
{
	static const struct key value = { .kind = KEY_BYTES, .most = INT64_MAX, .unlimited = true };

	if (fail_want(reader, member, member->name, want_rlimit(member->name)) < 0)
		return -EINVAL;
	return spot_quantity(reader, member, &value, &rlimit_of(reader->target, member->name)->value);
}

int read_rlimits(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_OBJECT, read_rlimit);
}

/* "/dev/fuse:rwm": each of the three letters at most once, in this order. */
static bool device_is_good(const char *path, const char *access)
{
	static const char *const accesses[] = { "r", "w", "m", "rw", "rm", "wm", "rwm" };

	if (strncmp(path, "/dev/", 5) != 0 || want_absolute_path(path))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
		if (!strcmp(accesses[i], access))
			return true;
	return false;
}

static int read_device(const struct reader *reader, const struct spot *item)
{
	struct profile *profile = reader->target;
	cleanup_free char *path = NULL;
	struct device_rule *rule;
	const char *text;
	char *colon;

	if (spot_text(reader, item, &text) < 0)
		return -EINVAL;
	path = alloc_copy(text);
	colon = strrchr(path, ':');
	if (colon)
		*colon = '\0';
	if (!colon || !device_is_good(path, colon + 1))
		return spot_fail(reader, item, "'%s' is not a device with its access (\"/dev/fuse:rwm\")", text);
	rule = list_add(profile->devices_allow, profile->devices_allow_count);
	rule->access = alloc_copy(colon + 1);
	rule->path = steal_ptr(&path);
	return 0;
}

int read_devices(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_ARRAY, read_device);
}

/* As an object: wall and cpu share one action in this version, so they must be said alike or not at all. */
static int read_exhausted_each(const struct reader *reader, const struct spot *spot)
{
	static const char *const names[] = { "wall", "cpu", "egress", NULL };
	struct profile *profile = reader->target;
	struct spot wall, cpu, egress;
	size_t wall_action, cpu_action, action;

	if (spot_only(reader, spot, names) < 0)
		return -EINVAL;
	wall = spot_named(spot, "wall");
	cpu = spot_named(spot, "cpu");
	egress = spot_named(spot, "egress");
	if (egress.value) {
		if (spot_word(reader, &egress, egress_exhausted_words, &action) < 0)
			return -EINVAL;
		profile->budgets.egress_stops = action;
	}
	if (!wall.value && !cpu.value)
		return 0;
	if (spot_word(reader, &wall, exhausted_words, &wall_action) < 0 ||
	    spot_word(reader, &cpu, exhausted_words, &cpu_action) < 0)
		return -EINVAL;
	if (wall_action != cpu_action)
		return spot_fail(reader, spot, "\"wall\" and \"cpu\" must be the same in this version");
	profile->budgets.on_exhausted = (enum exhausted)wall_action;
	return 0;
}

int read_on_exhausted(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target;
	size_t action;

	if (json_is(spot->value, JSON_OBJECT))
		return read_exhausted_each(reader, spot);
	if (spot_word(reader, spot, exhausted_words, &action) < 0)
		return -EINVAL;
	profile->budgets.on_exhausted = (enum exhausted)action;
	return 0;
}

int read_reset(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target;
	const char *text;
	uint64_t period;

	if (spot_text(reader, spot, &text) < 0)
		return -EINVAL;
	profile->budgets.reset_period_ms = 0;
	if (!strcmp(text, "never")) {
		profile->budgets.reset = RESET_NEVER;
	} else if (!strcmp(text, "restart")) {
		profile->budgets.reset = RESET_RESTART;
	} else if (!duration_parse(text, &period) && period >= 60000 && period != LIMIT_UNLIMITED) {
		profile->budgets.reset = RESET_PERIOD;
		profile->budgets.reset_period_ms = period;
	} else {
		return spot_fail(reader, spot, "must be \"never\", \"restart\" or a period of a minute or more like \"24h\"");
	}
	return 0;
}
