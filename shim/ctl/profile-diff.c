/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl profile diff A B: what B allows that A doesn't, and the reverse, key by key. Which way a key loosens is a table;
 * where two values have no order the difference counts as "B allows more": the answer "no more" is never a guess.
 */
#include <stdlib.h>
#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"
#include "shim/ctl/profile.h"
#include "shim/ctl/table.h"
#include "shim/policy/paths.h"
#include "shim/policy/profile-keys.h"

enum order {
	ORDER_LIMIT,	/* a quantity: more is looser */
	ORDER_FIRST,	/* a bool or word: the first value (false) is strict */
	ORDER_LAST,	/* a bool: true is strict */
	ORDER_ALLOWS,	/* a list that lets in: what is added is looser */
	ORDER_DENIES,	/* a list that keeps out: what is missing is looser */
	ORDER_BOUNDS,	/* a map of bounds: absent is unbounded */
	ORDER_GRANTS,	/* a map of grants: absent is nothing */
	ORDER_NONE,	/* any difference */
};

static const struct {
	const char *name;
	enum order order;
} orders[] = {
	{ "mounts.host", ORDER_FIRST },
	{ "mounts.allow", ORDER_ALLOWS },
	{ "mounts.service_account", ORDER_FIRST },
	{ "mounts.protect", ORDER_DENIES },
	{ "rootfs.readonly", ORDER_LAST },
	{ "rootfs.mask", ORDER_LAST },
	{ "rootfs.tmpfs", ORDER_GRANTS },
	{ "process.capabilities", ORDER_ALLOWS },
	{ "process.no_new_privs", ORDER_LAST },
	{ "process.root", ORDER_FIRST },
	{ "process.env.scrub", ORDER_DENIES },
	{ "process.rlimits", ORDER_BOUNDS },
	{ "seccomp.deny", ORDER_DENIES },
	{ "seccomp.floor", ORDER_LAST },
	{ "seccomp.sockets", ORDER_ALLOWS },
	{ "namespaces.private", ORDER_DENIES },
	{ "namespaces.user", ORDER_LAST },
	{ "hooks.allow", ORDER_ALLOWS },
	{ "devices.allow", ORDER_ALLOWS },
	{ "sysctls.allow", ORDER_ALLOWS },
	{ "resources.cpus", ORDER_LIMIT },
	{ "resources.memory", ORDER_LIMIT },
	{ "resources.swap", ORDER_LIMIT },
	{ "resources.pids", ORDER_LIMIT },
	{ "guard", ORDER_FIRST },
	{ "budgets.wall", ORDER_LIMIT },
	{ "budgets.cpu", ORDER_LIMIT },
	{ "budgets.egress", ORDER_LIMIT },
	{ "budgets.grace", ORDER_LIMIT },
	{ "egress.mode", ORDER_FIRST },
	{ "egress.allow", ORDER_ALLOWS },
	{ "egress.deny", ORDER_DENIES },
	{ "egress.caps", ORDER_BOUNDS },
	{ "egress.dns.names_per_minute", ORDER_LIMIT },
	{ "egress.rate", ORDER_LIMIT },
	{ "egress.verify_name", ORDER_LAST },
	{ "ingress.allow", ORDER_ALLOWS },
	{ "audit.record", ORDER_DENIES },
};

struct side {
	const struct profile *profile;
	const struct json *document;	/* resolved */
};

struct diff {
	struct json_tree *tree;
	struct json *more, *less, *other;	/* arrays of { key, a, b } */
	const char *key;			/* being compared */
};

static enum order order_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (!strcmp(orders[i].name, name))
			return orders[i].order;
	return ORDER_NONE;
}

static struct json *or_null(struct diff *diff, const struct json *value)
{
	return value ? json_copy(diff->tree, value) : json_make_null(diff->tree);
}

static void add(struct diff *diff, struct json *to, const struct json *a, const struct json *b)
{
	struct json *object = json_make_object(diff->tree);

	json_set(diff->tree, object, "key", json_make_string(diff->tree, diff->key));
	json_set(diff->tree, object, "a", or_null(diff, a));
	json_set(diff->tree, object, "b", or_null(diff, b));
	json_append(diff->tree, to, object);
}

static const struct json *value_at(const struct side *side, const char *name)
{
	cleanup_buf struct buf pointer = BUF_INIT;

	while (*name) {
		size_t len = strcspn(name, ".");
		cleanup_free char *part = strndup(name, len);

		pointer_put_name(&pointer, part ? part : "");
		name += len + (name[len] == '.');
	}
	return pointer_find(side->document, pointer.data ? pointer.data : "");
}

/* A quantity, a bool or a word's index, as the table of keys has it in the struct. */
static uint64_t number_of(const struct side *side, const struct key *key)
{
	const char *field = (const char *)side->profile + key->offset;

	if (key->size == sizeof(bool))
		return *(const bool *)field;
	return key->size == sizeof(unsigned) ? *(const unsigned *)field : *(const uint64_t *)field;
}

static bool path_covers(const char *a, const char *b)
{
	size_t len = strlen(a);

	if (!strcmp(a, b))
		return true;
	return len >= 3 && !strcmp(a + len - 3, "/**") && !strchr(b, '*') && path_matches(a, b);
}

static bool mount_covers(const struct json *a, const struct json *b)
{
	return path_covers(json_string(json_get(a, "source")), json_string(json_get(b, "source"))) &&
	       path_covers(json_string(json_get(a, "destination")), json_string(json_get(b, "destination"))) &&
	       (!json_bool(json_get(a, "readonly"), true) || json_bool(json_get(b, "readonly"), true));
}

static bool text_entry_covers(const char *a, const char *b)
{
	struct entry outer, inner;
	struct err err = ERR_INIT;
	bool covers;

	if (entry_parse(a, &outer, &err) < 0)
		return false;
	if (entry_parse(b, &inner, &err) < 0) {
		entry_release(&outer);
		return false;
	}
	covers = entry_covers(&outer, &inner);
	entry_release(&outer);
	entry_release(&inner);
	return covers;
}

/* A star takes up a star as well as what that may stand for. */
static bool is_pattern_list(const char *key)
{
	static const char *const keys[] = { "process.env.scrub", "seccomp.deny", "hooks.allow", "sysctls.allow" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

static bool item_covers(const char *key, const struct json *a, const struct json *b)
{
	if (json_equal(a, b))
		return true;
	if (is_pattern_list(key))
		return pattern_matches(json_string(a), json_string(b));
	if (!strcmp(key, "mounts.allow"))
		return mount_covers(a, b);
	return !strcmp(key, "egress.allow") && text_entry_covers(json_string(a), json_string(b));
}

/* Items of `list` that no item of `against` covers. */
static struct json *items_beyond(struct diff *diff, const struct json *list, const struct json *against)
{
	struct json *beyond = json_make_array(diff->tree);

	for (size_t i = 0; list && i < list->count; i++) {
		bool covered = false;

		for (size_t n = 0; against && n < against->count && !covered; n++)
			covered = item_covers(diff->key, against->items[n], list->items[i]);
		if (!covered)
			json_append(diff->tree, beyond, json_copy(diff->tree, list->items[i]));
	}
	return beyond;
}

static void compare_lists(struct diff *diff, const struct json *a, const struct json *b, bool allows)
{
	struct json *only_b = items_beyond(diff, b, a), *only_a = items_beyond(diff, a, b);

	if (only_b->count)
		add(diff, allows ? diff->more : diff->less, NULL, only_b);
	if (only_a->count)
		add(diff, allows ? diff->less : diff->more, only_a, NULL);
}

static uint64_t amount_of(const struct json *value, uint64_t absent)
{
	static const struct key bytes = { .kind = KEY_BYTES, .most = INT64_MAX, .unlimited = true };
	struct err err = ERR_INIT;
	struct reader reader = { .file = "", .err = &err };
	struct spot spot = { .value = json_is(value, JSON_OBJECT) ? json_get(value, "bytes") : value };	/* a group's cap */
	uint64_t amount = absent;

	if (spot.value && spot_quantity(&reader, &spot, &bytes, &amount) < 0)
		return LIMIT_UNLIMITED;
	return amount;
}

static void compare_member(struct diff *diff, const char *name, const struct json *a, const struct json *b, uint64_t absent)
{
	const struct json *in_a = json_get(a, name), *in_b = json_get(b, name);
	uint64_t amount_a = amount_of(in_a, absent), amount_b = amount_of(in_b, absent);
	cleanup_free char *key = alloc_printf("%s.%s", diff->key, name);
	const char *kept = diff->key;

	diff->key = key;
	if (amount_a != amount_b)
		add(diff, amount_b > amount_a ? diff->more : diff->less, in_a, in_b);
	diff->key = kept;
}

static void compare_maps(struct diff *diff, const struct json *a, const struct json *b, uint64_t absent)
{
	for (size_t i = 0; a && i < a->count; i++)
		compare_member(diff, a->members[i].name, a, b, absent);
	for (size_t i = 0; b && i < b->count; i++)
		if (!json_get(a, b->members[i].name))
			compare_member(diff, b->members[i].name, a, b, absent);
}

/* true, "tmpfs" and false are three steps; "never" is the strict end of reset. */
static int special_order(const char *key, const struct json *a, const struct json *b)
{
	bool is_volumes = !strcmp(key, "mounts.volumes");

	if (is_volumes)
		return (json_is(b, JSON_STRING) ? 1 : json_bool(b, true) * 2) - (json_is(a, JSON_STRING) ? 1 : json_bool(a, true) * 2);
	if (!strcmp(key, "budgets.reset") && json_string(a) && !strcmp(json_string(a), "never"))
		return 1;
	if (!strcmp(key, "budgets.reset") && json_string(b) && !strcmp(json_string(b), "never"))
		return -1;
	return 0;
}

static void compare_key(struct diff *diff, const struct key *key, const struct side *a, const struct side *b)
{
	const struct json *in_a = value_at(a, key->name), *in_b = value_at(b, key->name);
	enum order order = order_of(key->name);
	int more = 0;

	diff->key = key->name;
	if (json_equal(in_a, in_b) || (!in_a && !in_b))
		return;
	switch (order) {
	case ORDER_ALLOWS:
	case ORDER_DENIES:
		compare_lists(diff, in_a, in_b, order == ORDER_ALLOWS);
		return;
	case ORDER_BOUNDS:
	case ORDER_GRANTS:
		compare_maps(diff, in_a, in_b, order == ORDER_BOUNDS ? LIMIT_UNLIMITED : 0);
		return;
	case ORDER_LIMIT:
	case ORDER_FIRST:
		more = number_of(b, key) > number_of(a, key) ? 1 : -1;
		break;
	case ORDER_LAST:
		more = number_of(b, key) < number_of(a, key) ? 1 : -1;
		break;
	case ORDER_NONE:
		more = special_order(key->name, in_a, in_b);
	}
	add(diff, more > 0 ? diff->more : more < 0 ? diff->less : diff->other, in_a, in_b);
}

static void print_part(const struct json *part, const char *head, enum tone tone)
{
	static const char *const heads[] = { "KEY", "A", "B", NULL };
	struct table table;

	if (!part->count)
		return;
	printf("%s\n", head);
	table_init(&table, heads);
	for (size_t i = 0; i < part->count; i++) {
		cleanup_buf struct buf a = BUF_INIT, b = BUF_INIT;
		const struct json *in_a = json_get(part->items[i], "a"), *in_b = json_get(part->items[i], "b");

		json_print(&a, in_a, 0);
		json_print(&b, in_b, 0);
		table_addf(&table, tone, "  %s", json_string(json_get(part->items[i], "key")));
		table_add(&table, TONE_PLAIN, json_is(in_a, JSON_NULL) ? "-" : a.data);
		table_add(&table, TONE_PLAIN, json_is(in_b, JSON_NULL) ? "-" : b.data);
	}
	table_print(&table, stdout);
	table_release(&table);
}

static void print_diff(struct ctl *ctl, struct diff *diff)
{
	struct json *root = json_make_object(diff->tree);

	if (ctl->json) {
		json_set(diff->tree, root, "more", diff->more);
		json_set(diff->tree, root, "less", diff->less);
		json_set(diff->tree, root, "other", diff->other);
		ctl_print_json(root);
		return;
	}
	print_part(diff->more, "B allows more:", TONE_BAD);
	print_part(diff->other, "differs, neither is stricter:", TONE_DOUBT);
	print_part(diff->less, "A allows more:", TONE_GOOD);
	if (!diff->more->count && !diff->other->count)
		puts("B allows nothing that A doesn't.");
}

static int diff_profiles(struct ctl *ctl, const struct profile *a, const struct profile *b)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct side side_a = { a, profile_to_json(a, tree) }, side_b = { b, profile_to_json(b, tree) };
	struct diff diff = { .tree = tree, .more = json_make_array(tree), .less = json_make_array(tree),
			     .other = json_make_array(tree) };
	size_t count;
	const struct key *keys = profile_keys(&count);

	for (size_t i = 0; i < count; i++)
		compare_key(&diff, &keys[i], &side_a, &side_b);
	print_diff(ctl, &diff);
	return diff.more->count || diff.other->count ? CTL_NO : CTL_YES;
}

int profile_diff_main(struct ctl *ctl)
{
	struct profile *a = NULL, *b = NULL;
	struct err err = ERR_INIT;
	int status;

	if (ctl->argc != 4)
		return ctl_fail_usage(ctl, "'profile diff' takes two profiles (names or files)");
	if (ctl_profile_load(ctl, ctl->argv[2], &a, &err) < 0 || ctl_profile_load(ctl, ctl->argv[3], &b, &err) < 0)
		status = ctl_fail("%s", err.text);
	else
		status = diff_profiles(ctl, a, b);
	profile_free(a);
	profile_free(b);
	return status;
}
