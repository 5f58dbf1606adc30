/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The meet of two profiles: what both allow. Limits take the smaller, switches the stricter, deny lists both; allow lists
 * that differ stay apart as layers. What comes out is in an order of its own, so that the order of the inputs leaves no
 * trace. Must never give a value that one of the two forbids.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/caps.h"
#include "shim/policy/profile-keys.h"

struct meeting {
	const struct profile *a, *b;
	struct profile *made;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_strings(struct strings *strings)
{
	if (strings->count)
		qsort(strings->items, strings->count, sizeof(*strings->items), compare_texts);
}

static void add_all(const struct strings *from, struct strings *to)
{
	for (size_t i = 0; i < from->count; i++)
		if (!strings_has(to, from->items[i]))
			strings_add(to, from->items[i]);
}

static void join_strings(const struct strings *a, const struct strings *b, struct strings *to)
{
	add_all(a, to);
	add_all(b, to);
	sort_strings(to);
}

/* One list of one layer, and its text, by which lists are told apart and put in order. */
struct variant {
	char *text;
	struct profile_layer layer;
};

struct variants {
	struct variant *items;
	size_t count;
};

static void add_variants(const struct profile *profile, unsigned list, struct variants *variants)
{
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);
		struct buf text = BUF_INIT;
		bool is_new = layer.lists & list;

		if (!is_new)
			continue;
		layer_print(&text, &layer, list);
		for (size_t k = 0; k < variants->count; k++)
			is_new = is_new && strcmp(variants->items[k].text, text.data);
		if (is_new)
			*list_add(variants->items, variants->count) = (struct variant){ buf_steal(&text), layer };
		else
			buf_free(&text);
	}
}

static int compare_variants(const void *a, const void *b)
{
	return strcmp(((const struct variant *)a)->text, ((const struct variant *)b)->text);
}

static void meet_list(const struct meeting *meeting, unsigned list)
{
	struct variants variants = { NULL, 0 };
	struct profile *made = meeting->made;
	struct profile_layer only = { 0 };

	add_variants(meeting->a, list, &variants);
	add_variants(meeting->b, list, &variants);
	if (variants.count)
		qsort(variants.items, variants.count, sizeof(*variants.items), compare_variants);
	if (variants.count == 1) {
		layer_copy(&variants.items[0].layer, list, &only);
		layer_give(&only, made);
	}
	for (size_t i = 0; variants.count > 1 && i < variants.count; i++) {
		if (i == made->layer_count)
			list_add(made->layers, made->layer_count);
		layer_copy(&variants.items[i].layer, list, &made->layers[i]);
	}
	for (size_t i = 0; i < variants.count; i++)
		free(variants.items[i].text);
	free(variants.items);
}

/* false, "tmpfs", true: from the strictest on. */
static enum volumes stricter_volumes(enum volumes a, enum volumes b)
{
	if (a == VOLUMES_REFUSE || b == VOLUMES_REFUSE)
		return VOLUMES_REFUSE;
	return a == VOLUMES_TMPFS || b == VOLUMES_TMPFS ? VOLUMES_TMPFS : VOLUMES_ALLOW;
}

static void meet_switches(const struct meeting *meeting)
{
	const struct profile *a = meeting->a, *b = meeting->b;
	struct profile *made = meeting->made;

	made->mounts.strip = a->mounts.strip && b->mounts.strip;
	made->mounts.volumes = stricter_volumes(a->mounts.volumes, b->mounts.volumes);
	made->mounts.service_account = a->mounts.service_account && b->mounts.service_account;
	made->rootfs.readonly = a->rootfs.readonly || b->rootfs.readonly;
	made->rootfs.mask = a->rootfs.mask || b->rootfs.mask;
	made->process.capabilities = a->process.capabilities & b->process.capabilities;
	made->process.no_new_privs = a->process.no_new_privs || b->process.no_new_privs;
	made->process.root = a->process.root && b->process.root;
	made->seccomp.floor = a->seccomp.floor || b->seccomp.floor;
	made->namespaces.private = a->namespaces.private | b->namespaces.private;
	made->namespaces.user_required = a->namespaces.user_required || b->namespaces.user_required;
	made->guard = a->guard == GUARD_KILL || b->guard == GUARD_KILL ? GUARD_KILL : GUARD_NETWORK;
	made->egress.mode = a->egress.mode == EGRESS_ENFORCE || b->egress.mode == EGRESS_ENFORCE ? EGRESS_ENFORCE : EGRESS_OBSERVE;
	made->egress.verify_name = a->egress.verify_name || b->egress.verify_name;
	made->audit_record = a->audit_record | b->audit_record;
}

static void meet_limits(const struct meeting *meeting)
{
	const struct profile *a = meeting->a, *b = meeting->b;
	struct profile *made = meeting->made;

	made->resources.cpus_milli = smaller(a->resources.cpus_milli, b->resources.cpus_milli);
	made->resources.memory = smaller(a->resources.memory, b->resources.memory);
	made->resources.swap = smaller(a->resources.swap, b->resources.swap);
	made->resources.pids = smaller(a->resources.pids, b->resources.pids);
	made->budgets.wall_ms = smaller(a->budgets.wall_ms, b->budgets.wall_ms);
	made->budgets.cpu_ms = smaller(a->budgets.cpu_ms, b->budgets.cpu_ms);
	made->budgets.egress = smaller(a->budgets.egress, b->budgets.egress);
	made->budgets.grace_ms = smaller(a->budgets.grace_ms, b->budgets.grace_ms);
	made->budgets.on_exhausted = a->budgets.on_exhausted == EXHAUSTED_STOP ? EXHAUSTED_STOP : b->budgets.on_exhausted;
	made->budgets.egress_stops = a->budgets.egress_stops || b->budgets.egress_stops;
	made->egress.names_per_minute = smaller(a->egress.names_per_minute, b->egress.names_per_minute);
	made->egress.rate = smaller(a->egress.rate, b->egress.rate);
}

static void meet_deny_lists(const struct meeting *meeting)
{
	const struct profile *a = meeting->a, *b = meeting->b;
	struct profile *made = meeting->made;

	join_strings(&a->mounts.protect, &b->mounts.protect, &made->mounts.protect);
	join_strings(&a->process.env_scrub, &b->process.env_scrub, &made->process.env_scrub);
	join_strings(&a->seccomp.deny, &b->seccomp.deny, &made->seccomp.deny);
	if (a->unsaid & UNSAID_SOCKETS)
		add_all(&b->seccomp.sockets, &made->seccomp.sockets);
	for (size_t i = 0; !(a->unsaid & UNSAID_SOCKETS) && i < a->seccomp.sockets.count; i++)
		if ((b->unsaid & UNSAID_SOCKETS) || strings_has(&b->seccomp.sockets, a->seccomp.sockets.items[i]))
			strings_add(&made->seccomp.sockets, a->seccomp.sockets.items[i]);
	sort_strings(&made->seccomp.sockets);
}

/* What `profile` lets a tmpfs at `path` hold. */
static uint64_t tmpfs_bound(const struct profile *profile, const char *path)
{
	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++)
		if (!strcmp(profile->rootfs.tmpfs[i].path, path))
			return profile->rootfs.tmpfs[i].bytes;
	/* no profile leaves /run without a bound, but a word may say nothing about it */
	if ((profile->unsaid & UNSAID_TMPFS) && !strcmp(path, "/run"))
		return LIMIT_UNLIMITED;
	return tmpfs_unnamed_bound(profile, path);
}

static uint64_t rlimit_bound(const struct profile *profile, const char *name)
{
	for (size_t i = 0; i < profile->process.rlimit_count; i++)
		if (!strcmp(profile->process.rlimits[i].name, name))
			return profile->process.rlimits[i].value;
	return profile->unsaid & UNSAID_RLIMITS ? LIMIT_UNLIMITED : rlimit_unnamed_bound(name);
}

static int compare_tmpfs(const void *a, const void *b)
{
	return strcmp(((const struct tmpfs_rule *)a)->path, ((const struct tmpfs_rule *)b)->path);
}

static int compare_rlimits(const void *a, const void *b)
{
	return strcmp(((const struct rlimit_rule *)a)->name, ((const struct rlimit_rule *)b)->name);
}

/* Every place that one of them names, with the smaller of what each lets it hold. */
static void meet_tmpfs(const struct meeting *meeting)
{
	const struct profile *const inputs[] = { meeting->a, meeting->b };
	struct profile *made = meeting->made;

	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < inputs[i]->rootfs.tmpfs_count; k++) {
			const char *path = inputs[i]->rootfs.tmpfs[k].path;
			bool is_there = false;

			for (size_t n = 0; n < made->rootfs.tmpfs_count; n++)
				is_there = is_there || !strcmp(made->rootfs.tmpfs[n].path, path);
			if (!is_there)
				*list_add(made->rootfs.tmpfs, made->rootfs.tmpfs_count) = (struct tmpfs_rule){
					alloc_copy(path), smaller(tmpfs_bound(meeting->a, path), tmpfs_bound(meeting->b, path)),
				};
		}
	if (made->rootfs.tmpfs_count)
		qsort(made->rootfs.tmpfs, made->rootfs.tmpfs_count, sizeof(*made->rootfs.tmpfs), compare_tmpfs);
}

static void meet_rlimits(const struct meeting *meeting)
{
	const struct profile *const inputs[] = { meeting->a, meeting->b };
	struct profile *made = meeting->made;

	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < inputs[i]->process.rlimit_count; k++) {
			const char *name = inputs[i]->process.rlimits[k].name;
			bool is_there = false;

			for (size_t n = 0; n < made->process.rlimit_count; n++)
				is_there = is_there || !strcmp(made->process.rlimits[n].name, name);
			if (!is_there)
				*list_add(made->process.rlimits, made->process.rlimit_count) = (struct rlimit_rule){
					alloc_copy(name), smaller(rlimit_bound(meeting->a, name), rlimit_bound(meeting->b, name)),
				};
		}
	if (made->process.rlimit_count)
		qsort(made->process.rlimits, made->process.rlimit_count, sizeof(*made->process.rlimits), compare_rlimits);
}

static char *deny_text(const struct deny_rule *rule)
{
	struct buf buf = BUF_INIT;

	buf_puts(&buf, rule->of.text);
	for (size_t i = 0; i < rule->except_count; i++)
		buf_printf(&buf, "\n%s", rule->except[i].text);
	return buf_steal(&buf);
}

struct denial {
	char *text;
	const struct deny_rule *rule;
};

static int compare_denials(const void *a, const void *b)
{
	return strcmp(((const struct denial *)a)->text, ((const struct denial *)b)->text);
}

/* Sorted first: a stranger's list may be long. */
static void meet_denies(const struct meeting *meeting)
{
	const struct profile *const inputs[] = { meeting->a, meeting->b };
	size_t most = meeting->a->egress.deny_count + meeting->b->egress.deny_count, count = 0;
	struct denial *denials = alloc_zeroed(most, sizeof(*denials));
	struct profile *made = meeting->made;

	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < inputs[i]->egress.deny_count; k++, count++)
			denials[count] = (struct denial){ deny_text(&inputs[i]->egress.deny[k]), &inputs[i]->egress.deny[k] };
	if (count)
		qsort(denials, count, sizeof(*denials), compare_denials);
	for (size_t i = 0; i < count; i++) {
		const struct deny_rule *rule = denials[i].rule;
		struct deny_rule *copy;

		if (i && !strcmp(denials[i - 1].text, denials[i].text))
			continue;
		copy = list_add(made->egress.deny, made->egress.deny_count);
		entry_copy(&rule->of, &copy->of);
		for (size_t n = 0; n < rule->except_count; n++)
			entry_copy(&rule->except[n], list_add(copy->except, copy->except_count));
	}
	for (size_t i = 0; i < count; i++)
		free(denials[i].text);
	free(denials);
}

static int compare_members(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->text, ((const struct entry *)b)->text);
}

/* What a group holds is what either says of it, should the two have been resolved at different times. */
static void add_members(const struct cap_rule *from, struct cap_rule *cap)
{
	for (size_t i = 0; i < from->member_count; i++)
		if (!cap_has_member(cap, &from->members[i]))
			entry_copy(&from->members[i], list_add(cap->members, cap->member_count));
	if (cap->member_count)
		qsort(cap->members, cap->member_count, sizeof(*cap->members), compare_members);
}

static void add_caps(const struct profile *from, struct profile *made)
{
	for (size_t i = 0; i < from->egress.caps_count; i++) {
		const struct cap_rule *rule = &from->egress.caps[i];
		struct cap_rule *found = NULL;

		for (size_t n = 0; n < made->egress.caps_count && !found; n++)
			if (!strcmp(made->egress.caps[n].entry.text, rule->entry.text))
				found = &made->egress.caps[n];
		if (found) {
			found->bytes = smaller(found->bytes, rule->bytes);
			add_members(rule, found);
			continue;
		}
		found = list_add(made->egress.caps, made->egress.caps_count);
		*found = (struct cap_rule){ .bytes = 0 };
		entry_copy(&rule->entry, &found->entry);
		found->bytes = rule->bytes;
		add_members(rule, found);
	}
}

static int compare_caps(const void *a, const void *b)
{
	return strcmp(((const struct cap_rule *)a)->entry.text, ((const struct cap_rule *)b)->entry.text);
}

static void meet_egress_rules(const struct meeting *meeting)
{
	struct profile *made = meeting->made;

	meet_denies(meeting);
	add_caps(meeting->a, made);
	add_caps(meeting->b, made);
	if (made->egress.caps_count)
		qsort(made->egress.caps, made->egress.caps_count, sizeof(*made->egress.caps), compare_caps);
}

static int fail_differ(struct err *err, const char *key, const char *a, const char *b)
{
	return err_set(err, EINVAL, "%s: %s and %s can't both hold, and neither is the stricter one", key, a, b);
}

static char *print_list(const struct strings *strings)
{
	struct buf buf = BUF_INIT;

	for (size_t i = 0; i < strings->count; i++)
		buf_printf(&buf, "%s'%s'", i ? ", " : "", strings->items[i]);
	return buf_steal(&buf);
}

/* A list that is one value: an empty one says nothing. */
static int meet_value_list(const char *key, const struct strings *a, const struct strings *b, struct strings *made,
			   struct err *err)
{
	const struct strings *taken = a->count ? a : b;
	cleanup_free char *first = print_list(a), *second = print_list(b);

	if (a->count && b->count && strcmp(first, second))
		return fail_differ(err, key, first, second);
	for (size_t i = 0; i < taken->count; i++)
		strings_add(made, taken->items[i]);
	return 0;
}

static const struct env_rule *find_env(const struct profile *profile, const char *name)
{
	for (size_t i = 0; i < profile->process.env_set_count; i++)
		if (!strcmp(profile->process.env_set[i].name, name))
			return &profile->process.env_set[i];
	return NULL;
}

static int compare_env(const void *a, const void *b)
{
	return strcmp(((const struct env_rule *)a)->name, ((const struct env_rule *)b)->name);
}

static int add_env(const struct profile *from, struct profile *made, struct err *err)
{
	for (size_t i = 0; i < from->process.env_set_count; i++) {
		const struct env_rule *rule = &from->process.env_set[i], *other = find_env(made, rule->name);

		if (other && strcmp(other->value, rule->value)) {
			cleanup_free char *key = alloc_printf("process.env.set: %s", rule->name);
			cleanup_free char *first = alloc_printf("'%s'", other->value), *second = alloc_printf("'%s'", rule->value);

			return fail_differ(err, key, first, second);
		}
		if (!other)
			*list_add(made->process.env_set, made->process.env_set_count) = (struct env_rule){
				alloc_copy(rule->name), alloc_copy(rule->value),
			};
	}
	if (made->process.env_set_count)
		qsort(made->process.env_set, made->process.env_set_count, sizeof(*made->process.env_set), compare_env);
	return 0;
}

static int meet_via(const struct meeting *meeting, struct err *err)
{
	const struct profile *a = meeting->a, *b = meeting->b, *taken = a->egress.has_via ? a : b;
	struct profile *made = meeting->made;

	if (a->egress.has_via && b->egress.has_via &&
	    (a->egress.via_port != b->egress.via_port || a->egress.via.family != b->egress.via.family ||
	     memcmp(a->egress.via.bytes, b->egress.via.bytes, sizeof(a->egress.via.bytes))))
		return fail_differ(err, "egress.via", "one proxy", "another");
	made->egress.has_via = taken->egress.has_via;
	made->egress.via = taken->egress.via;
	made->egress.via_port = taken->egress.via_port;
	return 0;
}

static int meet_ledgers(const struct meeting *meeting, struct err *err)
{
	const struct profile *a = meeting->a, *b = meeting->b, *scope = a->unsaid & UNSAID_SCOPE ? b : a;
	const struct profile *reset = a->unsaid & UNSAID_RESET ? b : a;
	struct profile *made = meeting->made;

	if (!((a->unsaid | b->unsaid) & UNSAID_SCOPE) && a->budgets.scope != b->budgets.scope)
		return fail_differ(err, "budgets.scope", "one scope", "another");
	if (!((a->unsaid | b->unsaid) & UNSAID_RESET) &&
	    (a->budgets.reset != b->budgets.reset || a->budgets.reset_period_ms != b->budgets.reset_period_ms))
		return fail_differ(err, "budgets.reset", "one reset", "another");
	made->budgets.scope = scope->budgets.scope;
	made->budgets.reset = reset->budgets.reset;
	made->budgets.reset_period_ms = reset->budgets.reset_period_ms;
	return 0;
}

static int meet_values(const struct meeting *meeting, struct err *err)
{
	const struct profile *a = meeting->a, *b = meeting->b;
	struct profile *made = meeting->made;
	int r;

	r = meet_value_list("runtime", &a->runtime, &b->runtime, &made->runtime, err);
	if (!r)
		r = meet_value_list("egress.dns.upstream", &a->egress.dns_upstream, &b->egress.dns_upstream,
				    &made->egress.dns_upstream, err);
	if (!r)
		r = meet_via(meeting, err);
	if (!r)
		r = meet_ledgers(meeting, err);
	if (!r)
		r = add_env(a, made, err);
	if (!r)
		r = add_env(b, made, err);
	return r;
}

int profile_meet(const struct profile *a, const struct profile *b, struct profile **meet, struct err *err)
{
	struct meeting meeting = { a, b, alloc_zeroed(1, sizeof(struct profile)) };
	int r = meet_values(&meeting, err);

	if (r) {
		profile_free(meeting.made);
		return r;
	}
	meeting.made->name = alloc_copy(a->name);
	meeting.made->unsaid = a->unsaid & b->unsaid;
	for (unsigned i = 0; i < LIST_COUNT; i++)
		meet_list(&meeting, 1u << i);
	meet_switches(&meeting);
	meet_limits(&meeting);
	meet_deny_lists(&meeting);
	meet_tmpfs(&meeting);
	meet_rlimits(&meeting);
	meet_egress_rules(&meeting);
	*meet = meeting.made;
	return 0;
}
