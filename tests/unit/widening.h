/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An independent look at what a plan made of a document: nothing may be wider than it was, nothing wider than the profile, and
 * all that no planner has business with stands there byte for byte. It shares no judgement with the planners: where it
 * needs one, it has its own, cruder one.
 */
#ifndef QUOD_TESTS_UNIT_WIDENING_H
#define QUOD_TESTS_UNIT_WIDENING_H

#include <sys/capability.h>
#include <sys/resource.h>

#include "tests/unit/widening-mounts.h"
#include "tests/unit/widening-seccomp.h"

static inline bool profile_gives_capability(const struct widening *w, const char *name)
{
	cap_value_t number;

	return !cap_from_name(name, &number) && (w->profile->process.capabilities >> number & 1) &&
	       (w->facts->own_capabilities >> number & 1);
}

static inline void compare_capabilities(struct widening *w)
{
	static const char *const sets[] = { "bounding", "effective", "inheritable", "permitted", "ambient" };
	const struct json *given = in_given(w, "/process/capabilities"), *planned = in_planned(w, "/process/capabilities");

	if (!json_is(planned, JSON_OBJECT))
		complain(w, "capabilities are left to the runtime");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const struct json *list = json_get(planned, sets[i]);

		for (size_t k = 0; k < length(list); k++)
			if (!list_holds(json_get(given, sets[i]), text_at(list, k)) || !profile_gives_capability(w, text_at(list, k)))
				complain(w, "capability %s in %s", text_at(list, k), sets[i]);
	}
}

static inline uint64_t rlimit_of(const struct json *list, const char *type, const char *member)
{
	uint64_t value;

	for (size_t i = 0; i < length(list); i++) {
		const char *text = json_string(json_get(list->items[i], "type"));

		if (text && !strcmp(text, type) && json_uint(json_get(list->items[i], member), &value))
			return value;
	}
	return UINT64_MAX;
}

static inline uint64_t profile_rlimit(const struct widening *w, const char *type)
{
	for (size_t i = 0; i < w->profile->process.rlimit_count; i++)
		if (!strncmp(type, "RLIMIT_", 7) && !strcasecmp(w->profile->process.rlimits[i].name, type + 7))
			return w->profile->process.rlimits[i].value;
	return !strcmp(type, "RLIMIT_RTPRIO") || !strcmp(type, "RLIMIT_NICE") ? 0 : UINT64_MAX;
}

static inline void compare_rlimits(struct widening *w)
{
	const struct json *given = in_given(w, "/process/rlimits"), *planned = in_planned(w, "/process/rlimits");

	for (size_t i = 0; i < length(planned); i++) {
		const char *type = json_string(json_get(planned->items[i], "type"));
		uint64_t soft = rlimit_of(planned, type, "soft"), hard = rlimit_of(planned, type, "hard");

		if (soft > hard || soft > rlimit_of(given, type, "soft") || hard > rlimit_of(given, type, "hard") ||
		    hard > profile_rlimit(w, type))
			complain(w, "%s is raised", type);
		if (!strcmp(type, "RLIMIT_NOFILE") && !w->facts->may_raise_rlimits && hard > w->facts->rlimit_hard[RLIMIT_NOFILE])
			complain(w, "%s is over quod's own", type);
	}
	for (size_t i = 0; i < length(given); i++) {
		const char *type = json_string(json_get(given->items[i], "type"));

		if (type && rlimit_of(planned, type, "hard") == UINT64_MAX && rlimit_of(given, type, "hard") != UINT64_MAX)
			complain(w, "%s is gone", type);
	}
	for (size_t i = 0; i < w->profile->process.rlimit_count; i++) {
		cleanup_free char *type = alloc_printf("RLIMIT_%s", w->profile->process.rlimits[i].name);

		for (char *c = type; *c; c++)
			*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
		if (rlimit_of(planned, type, "hard") > w->profile->process.rlimits[i].value)
			complain(w, "%s is not the profile's", type);
	}
}

/* NAME=VALUE at `i`: is it the profile's or quod's own? */
static inline bool is_set_by_quod(const struct widening *w, const char *entry)
{
	if (!strncmp(entry, "QUOD_PROFILE=", 13))
		return !strcmp(entry + 13, w->profile->name);
	if (!strncmp(entry, "QUOD_DEADLINE=", 14))
		return !strcmp(entry + 14, w->facts->deadline);
	for (size_t i = 0; i < w->profile->process.env_set_count; i++) {
		cleanup_free char *text = alloc_printf("%s=%s", w->profile->process.env_set[i].name, w->profile->process.env_set[i].value);

		if (!strcmp(text, entry))
			return true;
	}
	return false;
}

static inline bool may_be_missing(const struct widening *w, const char *entry)
{
	cleanup_free char *name = alloc_copy(entry);

	name[strcspn(name, "=")] = '\0';
	if (!strcmp(name, "QUOD_DEADLINE") || !strcmp(name, "QUOD_PROFILE"))
		return true;
	for (size_t i = 0; i < w->profile->process.env_set_count; i++)
		if (!strcmp(name, w->profile->process.env_set[i].name))
			return true;
	for (size_t i = 0; i < w->profile->process.env_scrub.count; i++)
		if (!fnmatch(w->profile->process.env_scrub.items[i], name, 0))
			return true;
	return false;
}

static inline void compare_env(struct widening *w)
{
	const struct json *given = in_given(w, "/process/env"), *planned = in_planned(w, "/process/env");

	for (size_t i = 0; i < length(planned); i++) {
		const char *entry = text_at(planned, i);

		if (!is_set_by_quod(w, entry) && !list_holds(given, entry))
			complain(w, "environment: %s is new", entry);
		else if (!is_set_by_quod(w, entry) && may_be_missing(w, entry))
			complain(w, "environment: %s is still there", entry);
	}
	for (size_t i = 0; i < length(given); i++)
		if (!list_holds(planned, text_at(given, i)) && !may_be_missing(w, text_at(given, i)))
			complain(w, "environment: %s is gone", text_at(given, i));
}

static inline bool has_user_namespace(const struct widening *w)
{
	const struct json *list = in_planned(w, "/linux/namespaces");

	for (size_t i = 0; i < length(list); i++)
		if (json_string(json_get(list->items[i], "type")) && !strcmp(json_string(json_get(list->items[i], "type")), "user"))
			return true;
	return false;
}

static inline void compare_user(struct widening *w)
{
	const struct json *given = in_given(w, "/process/user/additionalGids"), *planned = in_planned(w, "/process/user/additionalGids");
	uint64_t uid = 0, own = 0, gid, other;

	json_uint(in_planned(w, "/process/user/uid"), &uid);
	json_uint(in_planned(w, "/process/user/gid"), &own);
	if (!uid && !w->profile->process.root && !w->facts->is_rootless && !has_user_namespace(w))
		complain(w, "uid 0");
	for (size_t i = 0; i < length(planned); i++) {
		bool is_known = false;

		for (size_t k = 0; k < length(given); k++)
			is_known = is_known || (json_uint(planned->items[i], &gid) && json_uint(given->items[k], &other) && gid == other);
		if (!is_known || (!w->profile->process.root && gid < 1000 && gid != own))
			complain(w, "group %zu of the list", i);
	}
}

static inline void compare_process(struct widening *w)
{
	int64_t before = 0, after = w->facts->oom_score_adj;
	const char *cwd = json_string(in_planned(w, "/process/cwd"));

	compare_capabilities(w);
	compare_rlimits(w);
	compare_env(w);
	compare_user(w);
	if ((json_bool(in_given(w, "/process/noNewPrivileges"), false) || w->profile->process.no_new_privs) &&
	    !json_bool(in_planned(w, "/process/noNewPrivileges"), false))
		complain(w, "noNewPrivileges is off");
	json_int(in_given(w, "/process/oomScoreAdj"), &before);
	json_int(in_planned(w, "/process/oomScoreAdj"), &after);
	if (after < 0 || after < before)
		complain(w, "oomScoreAdj is %lld", (long long)after);
	if (cwd && (strstr(cwd, "/proc/") == cwd || strstr(cwd, "..") == cwd || strstr(cwd, "/../")))
		complain(w, "cwd %s", cwd);
}

static inline void at_most(struct widening *w, const char *what, uint64_t value, uint64_t given, uint64_t profile)
{
	if (value > given)
		complain(w, "%s: %llu is over the document's %llu", what, (unsigned long long)value, (unsigned long long)given);
	if (value > profile)
		complain(w, "%s: %llu is over the profile's %llu", what, (unsigned long long)value, (unsigned long long)profile);
}

/* Millionths of a CPU. */
static inline uint64_t cpus_of(const struct json *cpu)
{
	uint64_t quota = positive(json_get(cpu, "quota")), period = positive(json_get(cpu, "period"));

	if (quota == UINT64_MAX)
		return UINT64_MAX;
	return (uint64_t)((unsigned __int128)quota * 1000000 / (period == UINT64_MAX ? 100000 : period));
}

static inline void compare_memory(struct widening *w)
{
	const struct json *given = in_given(w, "/linux/resources/memory"), *planned = in_planned(w, "/linux/resources/memory");
	uint64_t limit = positive(json_get(planned, "limit")), swap = positive(json_get(planned, "swap"));
	uint64_t extra = swap == UINT64_MAX ? UINT64_MAX : swap > limit ? swap - limit : 0;

	at_most(w, "memory", limit, positive(json_get(given, "limit")), w->profile->resources.memory);
	at_most(w, "memory and swap", swap, positive(json_get(given, "swap")), UINT64_MAX);
	if (w->facts->has_swap_accounting && limit != UINT64_MAX)
		at_most(w, "swap", extra, UINT64_MAX, w->profile->resources.swap);
	if (positive(json_get(given, "reservation")) != UINT64_MAX && limit != UINT64_MAX)
		at_most(w, "memory.reservation", positive(json_get(planned, "reservation")), positive(json_get(given, "reservation")),
			limit);
}

static inline void compare_resources(struct widening *w)
{
	const struct json *given = in_given(w, "/linux/resources/cpu"), *planned = in_planned(w, "/linux/resources/cpu");

	compare_memory(w);
	at_most(w, "cpus", cpus_of(planned), cpus_of(given),
		w->profile->resources.cpus_milli == LIMIT_UNLIMITED ? UINT64_MAX : w->profile->resources.cpus_milli * 1000);
	if (w->profile->resources.cpus_milli != LIMIT_UNLIMITED && positive(json_get(planned, "burst")) != UINT64_MAX)
		complain(w, "cpus: a burst");
	if (positive(json_get(planned, "burst")) != UINT64_MAX && !json_equal(json_get(planned, "burst"), json_get(given, "burst")))
		complain(w, "cpus: another burst");
	at_most(w, "pids", positive(in_planned(w, "/linux/resources/pids/limit")), positive(in_given(w, "/linux/resources/pids/limit")),
		w->profile->resources.pids);
}

static inline bool denies_all(const struct json *rule)
{
	const char *access = json_string(json_get(rule, "access"));

	return rule && !json_bool(json_get(rule, "allow"), true) && (!access || !*access || strlen(access) >= 3) &&
	       positive(json_get(rule, "major")) == UINT64_MAX;
}

static inline void judge_device_rule(struct widening *w, const struct json *given, const struct json *planned, size_t index)
{
	const char *before = json_string(json_get(given, "access")), *after = json_string(json_get(planned, "access"));
	int64_t major = -1, minor = -1;
	bool is_ordinary;

	json_int(json_get(planned, "major"), &major);
	json_int(json_get(planned, "minor"), &minor);
	is_ordinary = (major == 1 && (minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9)) ||
		      (major == 5 && minor >= 0 && minor <= 2) || major == 136 || (major == 10 && minor == 200);
	before = before && *before ? before : "rwm";
	after = after && *after ? after : "rwm";
	if (json_bool(json_get(planned, "allow"), false) && !json_bool(json_get(given, "allow"), false))
		complain(w, "device rule %zu allows now", index);
	if (strspn(after, before) != strlen(after) || !json_equal(json_get(given, "type"), json_get(planned, "type")) ||
	    !json_equal(json_get(given, "major"), json_get(planned, "major")) ||
	    !json_equal(json_get(given, "minor"), json_get(planned, "minor")))
		complain(w, "device rule %zu is another one now", index);
	if (json_bool(json_get(planned, "allow"), false) && strpbrk(after, "rw") && !is_ordinary && !w->profile->devices_allow_count)
		complain(w, "device rule %zu opens %lld:%lld", index, (long long)major, (long long)minor);
}

static inline void compare_devices(struct widening *w)
{
	const struct json *given = in_given(w, "/linux/resources/devices"), *planned = in_planned(w, "/linux/resources/devices");
	size_t more = length(planned) - length(given);

	if (!w->facts->is_rootless && !denies_all(json_item(planned, 0)))
		complain(w, "devices: the first rule does not deny all");
	if (length(planned) < length(given) || more > 1) {
		complain(w, "devices: %zu rules became %zu", length(given), length(planned));
		return;
	}
	for (size_t i = 0; i < length(given); i++)
		judge_device_rule(w, given->items[i], planned->items[i + more], i);
}

static inline const struct json *namespace_of(const struct json *list, const char *type)
{
	for (size_t i = 0; i < length(list); i++) {
		const char *text = json_string(json_get(list->items[i], "type"));

		if (text && !strcmp(text, type))
			return list->items[i];
	}
	return NULL;
}

static inline void compare_namespaces(struct widening *w)
{
	static const char *const private[] = { "pid", "network", "mount", "ipc", "uts", "cgroup" };
	const struct json *given = in_given(w, "/linux/namespaces"), *planned = in_planned(w, "/linux/namespaces");

	for (size_t i = 0; i < length(given); i++) {
		if (!json_equal(given->items[i], json_item(planned, i)))
			complain(w, "namespace %zu is another one", i);
		if (w->facts->namespaces[i].is_host || w->facts->namespaces[i].error)
			complain(w, "namespace %zu is the host's", i);
	}
	for (size_t i = length(given); i < length(planned); i++)
		if (json_get(planned->items[i], "path"))
			complain(w, "namespace %zu joins another one", i);
	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		if ((w->profile->namespaces.private >> i & 1 || i == 1 || i == 2) && !namespace_of(planned, private[i]))
			complain(w, "namespace: host %s", private[i]);
}

static inline void compare_hook_list(struct widening *w, const char *pointer, bool is_needed)
{
	const struct json *given = in_given(w, pointer), *planned = in_planned(w, pointer);
	const char *path = json_string(json_get(json_item(planned, length(planned) - 1), "path"));
	bool is_own = path && !strcmp(path, w->facts->hook_path);

	if (is_needed && !is_own)
		complain(w, "%s: quod's own is not the last one", pointer);
	if (length(planned) != length(given) + 1 && length(planned) != length(given))
		complain(w, "%s: %zu became %zu", pointer, length(given), length(planned));
	if (length(planned) == length(given) + 1 && !is_own)
		complain(w, "%s: a new one", pointer);
	for (size_t i = 0; i < length(given); i++)
		if (!json_equal(given->items[i], json_item(planned, i)))
			complain(w, "%s: %zu is another one", pointer, i);
}

static inline void compare_hooks(struct widening *w)
{
	compare_hook_list(w, "/hooks/createRuntime", true);
	compare_hook_list(w, "/hooks/poststop", false);
}

static inline void judge_unified(struct widening *w, const struct json *unified)
{
	const struct {
		const char *name;
		uint64_t bound;
	} keys[] = {
		{ "memory.max", w->profile->resources.memory }, { "memory.high", w->profile->resources.memory },
		{ "memory.swap.max", w->profile->resources.swap }, { "pids.max", w->profile->resources.pids },
		{ "cpu.max.burst", w->profile->resources.cpus_milli == LIMIT_UNLIMITED ? UINT64_MAX : 0 },
	};
	const char *cpu = json_string(json_get(unified, "cpu.max"));
	unsigned long long quota = 0, period = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = json_string(json_get(unified, keys[i].name));

		if (text && keys[i].bound != UINT64_MAX &&
		    (w->facts->cgroup_version != 2 || !strcmp(text, "max") || strtoull(text, NULL, 10) > keys[i].bound))
			complain(w, "unified %s", keys[i].name);
	}
	if (cpu && w->profile->resources.cpus_milli != LIMIT_UNLIMITED &&
	    (w->facts->cgroup_version != 2 || sscanf(cpu, "%llu %llu", &quota, &period) != 2 || !period ||
	     quota * 1000 / period > (w->profile->resources.cpus_milli < 1 ? 1 : w->profile->resources.cpus_milli)))
		complain(w, "unified cpu.max %s", cpu);
}

/* What nobody may have got through at all, in a document that was accepted. */
static inline void judge_accepted(struct widening *w)
{
	const char *propagation = json_string(in_planned(w, "/linux/rootfsPropagation"));
	const struct json *annotations = in_planned(w, "/annotations"), *sysctls = in_planned(w, "/linux/sysctl");

	if (propagation && (strstr(propagation, "shared") || strstr(propagation, "slave")))
		complain(w, "rootfsPropagation is %s", propagation);
	if ((json_bool(in_given(w, "/root/readonly"), false) || w->profile->rootfs.readonly) &&
	    !json_bool(in_planned(w, "/root/readonly"), false))
		complain(w, "the root file system is writable");
	for (size_t i = 0; json_is(annotations, JSON_OBJECT) && i < annotations->count; i++)
		if (!strncmp(annotations->members[i].name, "run.oci.", 8) || !strncmp(annotations->members[i].name, "krun.", 5))
			complain(w, "annotation %s", annotations->members[i].name);
	for (size_t i = 0; json_is(sysctls, JSON_OBJECT) && i < sysctls->count; i++) {
		const char *name = sysctls->members[i].name;

		if (!w->profile->sysctls_allow.count && strcmp(name, "net.ipv4.ip_unprivileged_port_start") &&
		    strcmp(name, "net.ipv4.ping_group_range"))
			complain(w, "sysctl %s", name);
	}
	judge_unified(w, in_planned(w, "/linux/resources/unified"));
}

static inline void remove_empty(struct json_tree *tree, const char *pointer)
{
	cleanup_buf struct buf parent = BUF_INIT, name = BUF_INIT;
	struct json *object, *value;

	if (!pointer_split(pointer, &parent, &name))
		return;
	object = pointer_find(json_root(tree), parent.data ? parent.data : "");
	value = json_get(object, name.data);
	if (json_is(value, JSON_NULL) || ((json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY)) && !value->count))
		json_remove(object, name.data);
}

/* The document without the places that the planners have business with, printed. */
static inline char *print_rest(const struct json *root)
{
	static const char *const judged[] = {
		"/process/capabilities", "/process/noNewPrivileges", "/process/rlimits", "/process/env", "/process/user/additionalGids",
		"/process/oomScoreAdj", "/root/readonly", "/mounts", "/hooks/createRuntime", "/hooks/poststop", "/linux/seccomp", "/linux/maskedPaths",
		"/linux/readonlyPaths", "/linux/namespaces", "/linux/rootfsPropagation", "/linux/resources/devices",
		"/linux/resources/cpu/quota", "/linux/resources/cpu/period", "/linux/resources/cpu/burst",
		"/linux/resources/memory/limit", "/linux/resources/memory/swap", "/linux/resources/memory/reservation",
		"/linux/resources/pids/limit", "/linux/resources/unified/memory.max", "/linux/resources/unified/memory.high",
		"/linux/resources/unified/memory.swap.max", "/linux/resources/unified/memory.swap.high",
		"/linux/resources/unified/pids.max", "/linux/resources/unified/cpu.max", "/linux/resources/unified/cpu.max.burst",
	};
	static const char *const made[] = { "/linux/resources/cpu", "/linux/resources/memory", "/linux/resources/pids",
					    "/linux/resources", "/hooks", "/process/user", "/root" };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct buf text = BUF_INIT;

	json_set_root(tree, json_copy(tree, root));
	for (size_t i = 0; i < ARRAY_SIZE(judged); i++) {
		cleanup_buf struct buf parent = BUF_INIT, name = BUF_INIT;
		struct json *object;

		if (!pointer_split(judged[i], &parent, &name))
			continue;
		object = pointer_find(json_root(tree), parent.data ? parent.data : "");
		if (json_is(object, JSON_OBJECT) && json_get(object, name.data))
			json_remove(object, name.data);
	}
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		remove_empty(tree, made[i]);
	json_print(&text, json_root(tree), 0);
	return buf_steal(&text);
}

static inline void compare_rest(struct widening *w)
{
	cleanup_free char *given = print_rest(w->given), *planned = print_rest(w->planned);
	size_t same = 0;

	if (!strcmp(given, planned))
		return;
	while (given[same] == planned[same])
		same++;
	same = same > 20 ? same - 20 : 0;
	complain(w, "what is no planner's business was changed: '%.60s' became '%.60s'", given + same, planned + same);
}

/* "" or the complaints, malloc'ed. Both documents' fields are of sound types; `facts` are those of `given`. */
static inline char *widening_find(const struct profile *profile, const struct facts *facts, const struct json *given,
				  const struct json *planned)
{
	struct widening w = { profile, facts, given, planned, BUF_INIT };

	buf_puts(&w.found, "");
	compare_process(&w);
	compare_resources(&w);
	compare_devices(&w);
	compare_namespaces(&w);
	compare_mounts(&w);
	compare_masks(&w);
	compare_seccomp(&w);
	compare_hooks(&w);
	judge_accepted(&w);
	compare_rest(&w);
	return buf_steal(&w.found);
}

#endif
