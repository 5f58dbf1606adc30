/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A resolved profile as a document: the values that have a form of their own; the table prints the others. What is printed
 * must read back as the same profile: the digest and the record of a container stand on it.
 */
#include "shim/policy/capabilities.h"
#include "shim/policy/profile-keys.h"
#include "shim/policy/units.h"

static struct json *print_bytes(struct json_tree *tree, uint64_t bytes)
{
	cleanup_buf struct buf buf = BUF_INIT;

	bytes_print(&buf, bytes);
	return json_make_string(tree, buf.data);
}

struct json *print_mounts_allow(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < profile->mounts.allow_count; i++) {
		const struct mount_rule *rule = &profile->mounts.allow[i];
		struct json *object = json_make_object(tree);

		json_set(tree, object, "source", json_make_string(tree, rule->source));
		json_set(tree, object, "destination", json_make_string(tree, rule->destination));
		json_set(tree, object, "readonly", json_make_bool(tree, rule->readonly));
		json_append(tree, array, object);
	}
	return array;
}

struct json *print_volumes(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;

	if (profile->mounts.volumes == VOLUMES_TMPFS)
		return json_make_string(tree, volumes_words[0]);
	return json_make_bool(tree, profile->mounts.volumes == VOLUMES_ALLOW);
}

struct json *print_tmpfs(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *object = json_make_object(tree);

	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++)
		json_set(tree, object, profile->rootfs.tmpfs[i].path, print_bytes(tree, profile->rootfs.tmpfs[i].bytes));
	return object;
}

struct json *print_capabilities(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *array = json_make_array(tree);

	for (unsigned number = 0; capability_name(number); number++)
		if (profile->process.capabilities & CAPABILITY_BIT(number))
			json_append(tree, array, json_make_string(tree, capability_name(number)));
	return array;
}

struct json *print_env_set(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *object = json_make_object(tree);

	for (size_t i = 0; i < profile->process.env_set_count; i++)
		json_set(tree, object, profile->process.env_set[i].name,
			 json_make_string(tree, profile->process.env_set[i].value));
	return object;
}

struct json *print_rlimits(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *object = json_make_object(tree);

	for (size_t i = 0; i < profile->process.rlimit_count; i++) {
		uint64_t value = profile->process.rlimits[i].value;

		json_set(tree, object, profile->process.rlimits[i].name,
			 value == LIMIT_UNLIMITED ? json_make_string(tree, "unlimited") : json_make_uint(tree, value));
	}
	return object;
}

struct json *print_devices(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < profile->devices_allow_count; i++) {
		cleanup_buf struct buf buf = BUF_INIT;

		buf_printf(&buf, "%s:%s", profile->devices_allow[i].path, profile->devices_allow[i].access);
		json_append(tree, array, json_make_string(tree, buf.data));
	}
	return array;
}

struct json *print_on_exhausted(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	const char *action = exhausted_words[profile->budgets.on_exhausted];
	struct json *object;

	if (!profile->budgets.egress_stops)
		return json_make_string(tree, action);
	object = json_make_object(tree);
	json_set(tree, object, "wall", json_make_string(tree, action));
	json_set(tree, object, "cpu", json_make_string(tree, action));
	json_set(tree, object, "egress", json_make_string(tree, egress_exhausted_words[1]));
	return object;
}

struct json *print_reset(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	cleanup_buf struct buf buf = BUF_INIT;

	if (profile->budgets.reset != RESET_PERIOD)
		return json_make_string(tree, profile->budgets.reset == RESET_NEVER ? "never" : "restart");
	duration_print(&buf, profile->budgets.reset_period_ms);
	return json_make_string(tree, buf.data);
}

static struct json *print_entries(struct json_tree *tree, const struct entry *entries, size_t count)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < count; i++)
		json_append(tree, array, json_make_string(tree, entries[i].text));
	return array;
}

struct json *print_egress_allow(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;

	return print_entries(tree, profile->egress.allow, profile->egress.allow_count);
}

struct json *print_egress_deny(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < profile->egress.deny_count; i++) {
		const struct deny_rule *rule = &profile->egress.deny[i];
		struct json *node = json_make_string(tree, rule->of.text);

		if (rule->except_count) {
			struct json *object = json_make_object(tree);

			json_set(tree, object, "of", node);
			json_set(tree, object, "except", print_entries(tree, rule->except, rule->except_count));
			node = object;
		}
		json_append(tree, array, node);
	}
	return array;
}

struct json *print_caps(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *object = json_make_object(tree);

	for (size_t i = 0; i < profile->egress.caps_count; i++) {
		const struct cap_rule *cap = &profile->egress.caps[i];
		struct json *bytes = print_bytes(tree, cap->bytes), *group = json_make_object(tree), *of = json_make_array(tree);

		for (size_t k = 0; k < cap->member_count; k++)
			json_append(tree, of, json_make_string(tree, cap->members[k].text));
		json_set(tree, group, "bytes", bytes);
		json_set(tree, group, "of", of);
		json_set(tree, object, cap->entry.text, cap->entry.kind == ENTRY_GROUP ? group : bytes);
	}
	return object;
}

struct json *print_via(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	cleanup_buf struct buf address = BUF_INIT, buf = BUF_INIT;

	if (!profile->egress.has_via)
		return NULL;
	address_print(&address, &profile->egress.via);
	buf_printf(&buf, profile->egress.via.family == 4 ? "%s:%u" : "[%s]:%u", address.data, profile->egress.via_port);
	return json_make_string(tree, buf.data);
}

struct json *print_ingress(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < profile->ingress_count; i++)
		json_append(tree, array, json_make_string(tree, profile->ingress[i].text));
	return array;
}

/* Without the description: it has no effect, and the digest is taken of this. */
struct json *profile_to_json(const struct profile *profile, struct json_tree *tree)
{
	size_t count;
	const struct key *keys = profile_keys(&count);
	struct json *root = keys_print(tree, keys, count, profile);

	json_remove(root, "description");
	return root;
}
