/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of widening.h: mounts and masks. A mount of the result is one of the input's, at the same place and at least as strict, or
 * a tmpfs at a known place, or the one through which quod tells the container its limits.
 */
#ifndef QUOD_TESTS_UNIT_WIDENING_MOUNTS_H
#define QUOD_TESTS_UNIT_WIDENING_MOUNTS_H

#include <linux/magic.h>
#include <sys/stat.h>

#include "tests/unit/widening-base.h"

/* Is `yes` in force, when of `yes` and `no` the last one written counts? */
static inline bool flag_is_on(const struct json *mount, const char *yes, const char *no)
{
	const struct json *options = json_get(mount, "options");
	bool on = false;

	for (size_t i = 0; i < length(options); i++) {
		if (!strcmp(text_at(options, i), yes))
			on = true;
		else if (no && !strcmp(text_at(options, i), no))
			on = false;
	}
	return on;
}

static inline bool is_readonly_mount(const struct json *mount)
{
	return flag_is_on(mount, "ro", "rw") || flag_is_on(mount, "rro", NULL);
}

/* A number with a unit; what is no plain number counts as no bound. */
static inline uint64_t plain_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);

	for (const char *unit = "kmgt"; *end && *unit; unit++) {
		size <<= 10;
		if ((*end | 0x20) == *unit) {
			end++;
			break;
		}
	}
	return *end || !size ? UINT64_MAX : size;
}

/* The last one counts; to the kernel nr_blocks= is size= in pages. */
static inline uint64_t last_size(const struct json *mount, const char *prefix)
{
	const struct json *options = json_get(mount, "options");
	uint64_t size = UINT64_MAX, page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < length(options); i++) {
		const char *text = text_at(options, i);

		if (!strncmp(text, prefix, strlen(prefix)))
			size = plain_size(text + strlen(prefix));
		else if (!strcmp(prefix, "size=") && !strncmp(text, "nr_blocks=", 10))
			size = plain_size(text + 10) > UINT64_MAX / page ? UINT64_MAX : plain_size(text + 10) * page;
	}
	return size;
}

static inline void compare_options(struct widening *w, const struct json *given, const struct json *planned, const char *where)
{
	static const char *const added[] = { "bind", "rprivate", "ro", "nosuid", "nodev" };
	static const char *const flags[][2] = { { "nosuid", "suid" }, { "nodev", "dev" }, { "noexec", "exec" }, { "nosymfollow", NULL } };
	const struct json *options = json_get(planned, "options");

	if (is_readonly_mount(given) && !is_readonly_mount(planned))
		complain(w, "%s is writable now", where);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flag_is_on(given, flags[i][0], flags[i][1]) && !flag_is_on(planned, flags[i][0], flags[i][1]))
			complain(w, "%s has lost %s", where, flags[i][0]);
	for (size_t i = 0; i < length(options); i++) {
		const char *text = text_at(options, i);
		bool is_fine = list_holds(json_get(given, "options"), text) || !strncmp(text, "size=", 5) ||
			       !strncmp(text, "nr_inodes=", 10);

		for (size_t k = 0; k < ARRAY_SIZE(added); k++)
			is_fine = is_fine || !strcmp(added[k], text);
		if (!is_fine)
			complain(w, "%s has a new option %s", where, text);
		if (strstr(text, "shared") || strstr(text, "slave"))
			complain(w, "%s propagates (%s)", where, text);
		if (strpbrk(text, ", "))
			complain(w, "%s has several options in one (%s)", where, text);
	}
	if (last_size(planned, "size=") > last_size(given, "size=") || last_size(planned, "nr_inodes=") > last_size(given, "nr_inodes="))
		complain(w, "%s is larger now", where);
}

static inline bool rule_lets_in(const struct mount_rule *rule, const char *source, const char *destination)
{
	const char *const patterns[] = { rule->source, rule->destination }, *const paths[] = { source, destination };

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(patterns[i]);
		bool whole_tree = len > 3 && !strcmp(patterns[i] + len - 3, "/**") && !strpbrk(patterns[i], "?[") &&
				  strcspn(patterns[i], "*") == len - 2;

		if (whole_tree && !strncmp(patterns[i], paths[i], len - 3) && (!paths[i][len - 3] || paths[i][len - 3] == '/'))
			continue;
		if (whole_tree || fnmatch(patterns[i], paths[i], 0))
			return false;
	}
	return true;
}

/* Only what an engine made for this container, or what an administrator has written down. */
static inline bool is_known_source(const struct widening *w, const struct fact_mount *fact)
{
	const char *name = strrchr(fact->resolved, '/') + 1, *uid = json_string(in_given(w, "/annotations/io.kubernetes.cri.sandbox-uid"));
	static const char *const inits[] = { "docker-init", "tini", "tini-static", "catatonit" };

	for (size_t i = 0; i < profile_layer_count(w->profile); i++) {
		struct profile_layer layer = profile_layer(w->profile, i);

		for (size_t k = 0; k < layer.mount_count; k++)
			if (rule_lets_in(&layer.mounts[k], fact->resolved, fact->destination))
				return true;
	}
	if (!fact->is_root_only)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(inits); i++)
		if (!strcmp(name, inits[i]) && !strncmp(fact->resolved, "/usr/", 5))
			return true;
	if (w->facts->id && *w->facts->id && strstr(fact->resolved, w->facts->id))
		return true;
	for (size_t i = 0; i < w->facts->namespace_count; i++)
		if (w->facts->namespaces[i].owner_id && strstr(fact->resolved, w->facts->namespaces[i].owner_id))
			return true;
	if (uid && *uid && strstr(fact->resolved, "/pods/") && strstr(fact->resolved, uid))
		return true;
	return w->facts->engine_data_root && strstr(fact->resolved, "/volumes/") && strstr(fact->resolved, "/_data") &&
	       !fact->is_mount_point && !fact->has_submounts && !fact->is_other_mount;
}

static inline void judge_kept_bind(struct widening *w, const struct fact_mount *fact, const struct json *planned)
{
	static const uint64_t kernel[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, NSFS_MAGIC,
					   DEBUGFS_MAGIC, TRACEFS_MAGIC, BPF_FS_MAGIC, SECURITYFS_MAGIC };
	const char *source = json_string(json_get(planned, "source"));
	cleanup_free char *clones = alloc_printf("%s/mounts/", w->facts->state_dir);

	if (fact->error || !fact->resolved || (!S_ISDIR(fact->mode) && !S_ISREG(fact->mode)))
		complain(w, "%s: a bind of what is no directory or file", fact->destination);
	for (size_t i = 0; i < ARRAY_SIZE(kernel); i++)
		if (fact->fs_magic == kernel[i])
			complain(w, "%s: a bind of the kernel's own files", fact->destination);
	if (!source || strncmp(source, clones, strlen(clones)))
		complain(w, "%s: the source is not the clone of what was judged", fact->destination);
	if (flag_is_on(planned, "rbind", NULL))
		complain(w, "%s: what lies below comes along unjudged", fact->destination);
	if (!flag_is_on(planned, "nosuid", "suid") || !flag_is_on(planned, "nodev", "dev"))
		complain(w, "%s: without nosuid and nodev", fact->destination);
	if (fact->holds_token && !w->profile->mounts.service_account)
		complain(w, "%s: a service account's token", fact->destination);
	if (fact->resolved && !is_known_source(w, fact))
		complain(w, "%s: nobody allowed %s", fact->destination, fact->resolved);
}

/* The smallest of what the profile says for that place; a tmpfs it doesn't name is bounded by memory. */
static inline uint64_t tmpfs_bound(const struct widening *w, const char *destination)
{
	uint64_t bound = UINT64_MAX;

	for (size_t i = 0; i < w->profile->rootfs.tmpfs_count; i++) {
		const struct tmpfs_rule *rule = &w->profile->rootfs.tmpfs[i];
		const char *path = !strcmp(rule->path, "$HOME") ? w->facts->home : rule->path;

		if (path && !strcmp(path, destination) && rule->bytes < bound)
			bound = rule->bytes;
	}
	return bound == UINT64_MAX ? w->profile->resources.memory : bound;
}

static inline void compare_mount(struct widening *w, const struct json *given, const struct fact_mount *fact, const struct json *planned)
{
	const char *type = json_string(json_get(planned, "type")), *destination = fact->destination;
	bool became_tmpfs = fact->is_bind && type && !strcmp(type, "tmpfs");

	if (became_tmpfs) {
		if (w->profile->mounts.volumes != VOLUMES_TMPFS || last_size(planned, "size=") > tmpfs_bound(w, destination))
			complain(w, "%s became a tmpfs", destination);
		if (is_readonly_mount(given) && !is_readonly_mount(planned))
			complain(w, "%s is writable now", destination);
		return;
	}
	compare_options(w, given, planned, destination);
	if (fact->is_bind) {
		judge_kept_bind(w, fact, planned);
		return;
	}
	if (!json_equal(json_get(given, "type"), json_get(planned, "type")) ||
	    !json_equal(json_get(given, "source"), json_get(planned, "source")))
		complain(w, "%s is another mount now", destination);
	if (type && !strcmp(type, "tmpfs") && strcmp(destination, "/dev") && last_size(planned, "size=") > tmpfs_bound(w, destination))
		complain(w, "%s is larger than the profile allows", destination);
	if (type && (!strcmp(type, "sysfs") || !strncmp(type, "cgroup", 6)) && !is_readonly_mount(planned))
		complain(w, "%s is the host's, and writable", destination);
}

/* Below a workspace, on itself: read-only, but for what only holds a protected path. */
static inline bool is_protection(const struct widening *w, const struct json *planned, const char *destination)
{
	const char *source = json_string(json_get(planned, "source"));
	cleanup_free char *clones = alloc_printf("%s/mounts/", w->facts->state_dir);

	if (!source || strncmp(source, clones, strlen(clones)) || flag_is_on(planned, "rbind", NULL) ||
	    !flag_is_on(planned, "nosuid", "suid") || !flag_is_on(planned, "nodev", "dev"))
		return false;
	for (size_t i = 0; i < w->facts->protected_count; i++) {
		const struct fact_protected *fact = &w->facts->protected[i];
		cleanup_free char *place = alloc_printf("%s/%s", w->facts->mounts[fact->mount_index].destination, fact->path);

		if (!strcmp(place, destination))
			return fact->is_ancestor || is_readonly_mount(planned);
	}
	return false;
}

static inline void judge_added_mount(struct widening *w, const struct json *planned)
{
	const char *type = json_string(json_get(planned, "type")), *destination = json_string(json_get(planned, "destination"));
	const char *source = json_string(json_get(planned, "source"));
	cleanup_free char *told = alloc_printf("%s/told", w->facts->state_dir);
	bool is_known = destination && !strcmp(destination, "/run");

	if (source && destination && !strcmp(source, told) && !strcmp(destination, "/run/quod")) {
		if (!is_readonly_mount(planned))
			complain(w, "/run/quod is writable");
		return;
	}
	if (destination && is_protection(w, planned, destination))
		return;
	for (size_t i = 0; destination && i < w->profile->rootfs.tmpfs_count; i++) {
		const char *path = w->profile->rootfs.tmpfs[i].path;

		is_known = is_known || !strcmp(destination, !strcmp(path, "$HOME") ? w->facts->home : path);
	}
	if (!is_known || !type || strcmp(type, "tmpfs") || last_size(planned, "size=") > tmpfs_bound(w, destination) ||
	    !flag_is_on(planned, "nosuid", "suid") || !flag_is_on(planned, "nodev", "dev"))
		complain(w, "a new mount at %s", destination ? destination : "(nowhere)");
}

/* Those of the result in their order: the input's come in the input's order, some of them left out. */
static inline void compare_mounts(struct widening *w)
{
	const struct json *given = in_given(w, "/mounts"), *planned = in_planned(w, "/mounts");
	size_t next = 0;

	for (size_t i = 0; i < length(planned); i++) {
		const char *destination = json_string(json_get(planned->items[i], "destination"));
		size_t at = next;

		while (at < length(given) && (!w->facts->mounts[at].destination || !destination ||
					      strcmp(w->facts->mounts[at].destination, destination)))
			at++;
		if (at == length(given)) {
			judge_added_mount(w, planned->items[i]);
			continue;
		}
		for (; next < at; next++)
			if (!w->facts->mounts[next].is_bind)
				complain(w, "the mount at %s is gone", w->facts->mounts[next].destination);
		compare_mount(w, given->items[at], &w->facts->mounts[at], planned->items[i]);
		next = at + 1;
	}
}

static inline bool is_covered_by(const struct json *list, const char *path)
{
	for (size_t i = 0; i < length(list); i++) {
		size_t len = strlen(text_at(list, i));

		if (len && !strncmp(text_at(list, i), path, len) && (!path[len] || path[len] == '/'))
			return true;
	}
	return false;
}

static inline void compare_masks(struct widening *w)
{
	static const char *const hidden[] = { "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
					      "/proc/scsi", "/sys/firmware", "/proc/acpi", "/proc/asound", "/proc/kallsyms" };
	static const char *const held[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };
	static const char *const lists[] = { "/linux/maskedPaths", "/linux/readonlyPaths" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct json *given = in_given(w, lists[i]), *planned = in_planned(w, lists[i]);

		for (size_t k = 0; k < length(given); k++)
			if (!list_holds(planned, text_at(given, k)))
				complain(w, "%s has lost %s", lists[i], text_at(given, k));
	}
	for (size_t i = 0; w->profile->rootfs.mask && i < ARRAY_SIZE(hidden); i++)
		if (!is_covered_by(in_planned(w, lists[0]), hidden[i]))
			complain(w, "%s can be seen", hidden[i]);
	for (size_t i = 0; w->profile->rootfs.mask && i < ARRAY_SIZE(held); i++)
		if (!is_covered_by(in_planned(w, lists[1]), held[i]))
			complain(w, "%s can be written", held[i]);
}

#endif
