/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allow lists of a profile as layers that must agree: how they are looked at, copied, written and read back. A resolved
 * profile alone may have layers; nobody writes them by hand. Must never give a reader fewer layers than there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile-keys.h"

static const char *const names[LIST_COUNT] = { "mounts.allow",	 "hooks.allow",	 "devices.allow",
					       "sysctls.allow", "egress.allow", "ingress.allow" };

const char *list_name(unsigned list)
{
	return names[__builtin_ctz(list)];
}

/* The profile's own fields as a layer: without what the document says nothing about, and what stands in layers. */
static struct profile_layer own_layer(const struct profile *profile)
{
	unsigned elsewhere = profile->unsaid;

	for (size_t i = 0; i < profile->layer_count; i++)
		elsewhere |= profile->layers[i].lists;
	return (struct profile_layer){
		.lists = LIST_ALL & ~elsewhere,
		.mounts = profile->mounts.allow, .mount_count = profile->mounts.allow_count,
		.hooks = profile->hooks_allow, .sysctls = profile->sysctls_allow,
		.devices = profile->devices_allow, .device_count = profile->devices_allow_count,
		.egress = profile->egress.allow, .egress_count = profile->egress.allow_count,
		.ingress = profile->ingress, .ingress_count = profile->ingress_count,
	};
}

size_t profile_layer_count(const struct profile *profile)
{
	return profile->layer_count + 1;
}

struct profile_layer profile_layer(const struct profile *profile, size_t index)
{
	return index ? profile->layers[index - 1] : own_layer(profile);
}

void layer_release(struct profile_layer *layer)
{
	for (size_t i = 0; i < layer->mount_count; i++) {
		free(layer->mounts[i].source);
		free(layer->mounts[i].destination);
	}
	free(layer->mounts);
	strings_free(&layer->hooks);
	strings_free(&layer->sysctls);
	for (size_t i = 0; i < layer->device_count; i++) {
		free(layer->devices[i].path);
		free(layer->devices[i].access);
	}
	free(layer->devices);
	for (size_t i = 0; i < layer->egress_count; i++)
		entry_release(&layer->egress[i]);
	free(layer->egress);
	for (size_t i = 0; i < layer->ingress_count; i++)
		free(layer->ingress[i].text);
	free(layer->ingress);
	memset(layer, 0, sizeof(*layer));
}

static void copy_strings(const struct strings *from, struct strings *to)
{
	for (size_t i = 0; i < from->count; i++)
		strings_add(to, from->items[i]);
}

static void copy_network(const struct profile_layer *from, unsigned lists, struct profile_layer *to)
{
	for (size_t i = 0; (lists & LIST_EGRESS) && i < from->egress_count; i++)
		entry_copy(&from->egress[i], list_add(to->egress, to->egress_count));
	for (size_t i = 0; (lists & LIST_INGRESS) && i < from->ingress_count; i++) {
		struct ingress_rule *rule = list_add(to->ingress, to->ingress_count);

		*rule = from->ingress[i];
		rule->text = alloc_copy(from->ingress[i].text);
	}
}

void layer_copy(const struct profile_layer *from, unsigned lists, struct profile_layer *to)
{
	lists &= from->lists;
	for (size_t i = 0; (lists & LIST_MOUNTS) && i < from->mount_count; i++)
		*list_add(to->mounts, to->mount_count) = (struct mount_rule){ alloc_copy(from->mounts[i].source),
									       alloc_copy(from->mounts[i].destination),
									       from->mounts[i].readonly };
	for (size_t i = 0; (lists & LIST_DEVICES) && i < from->device_count; i++)
		*list_add(to->devices, to->device_count) = (struct device_rule){ alloc_copy(from->devices[i].path),
										  alloc_copy(from->devices[i].access) };
	if (lists & LIST_HOOKS)
		copy_strings(&from->hooks, &to->hooks);
	if (lists & LIST_SYSCTLS)
		copy_strings(&from->sysctls, &to->sysctls);
	copy_network(from, lists, to);
	to->lists |= lists;
}

/* A profile that has a layer's lists and nothing else, for the functions that print a profile's. Borrowed. */
static struct profile show(const struct profile_layer *layer)
{
	return (struct profile){
		.mounts = { .allow = layer->mounts, .allow_count = layer->mount_count },
		.hooks_allow = layer->hooks, .sysctls_allow = layer->sysctls,
		.devices_allow = layer->devices, .devices_allow_count = layer->device_count,
		.egress = { .allow = layer->egress, .allow_count = layer->egress_count },
		.ingress = layer->ingress, .ingress_count = layer->ingress_count,
	};
}

void layer_give(struct profile_layer *layer, struct profile *profile)
{
	struct profile given = show(layer);

#define GIVE(list, field) do { if (layer->lists & (list)) profile->field = given.field; } while (0)
	GIVE(LIST_MOUNTS, mounts.allow);
	GIVE(LIST_MOUNTS, mounts.allow_count);
	GIVE(LIST_HOOKS, hooks_allow);
	GIVE(LIST_SYSCTLS, sysctls_allow);
	GIVE(LIST_DEVICES, devices_allow);
	GIVE(LIST_DEVICES, devices_allow_count);
	GIVE(LIST_EGRESS, egress.allow);
	GIVE(LIST_EGRESS, egress.allow_count);
	GIVE(LIST_INGRESS, ingress);
	GIVE(LIST_INGRESS, ingress_count);
#undef GIVE
	memset(layer, 0, sizeof(*layer));
}

/* The keys of the lists, out of the table of all keys. */
static size_t list_keys(unsigned lists, struct key keys[LIST_COUNT])
{
	size_t all_count, count = 0;
	const struct key *all = profile_keys(&all_count);

	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (lists >> i & 1)
			keys[count++] = *keys_find(all, all_count, names[i]);
	return count;
}

static struct json *layer_to_json(struct json_tree *tree, const struct profile_layer *layer, unsigned lists)
{
	struct key keys[LIST_COUNT];
	size_t count = list_keys(lists, keys);
	struct profile shown = show(layer);

	return keys_print(tree, keys, count, &shown);
}

void layer_print(struct buf *buf, const struct profile_layer *layer, unsigned list)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();

	json_print(buf, layer_to_json(tree, layer, list), 0);
}

struct json *print_layers(struct json_tree *tree, const void *target)
{
	const struct profile *profile = target;
	struct json *array = json_make_array(tree);

	if (!profile->layer_count)
		return NULL;
	for (size_t i = 0; i < profile->layer_count; i++)
		json_append(tree, array, layer_to_json(tree, &profile->layers[i], profile->layers[i].lists));
	return array;
}

static int read_layer(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target, *part = alloc_zeroed(1, sizeof(*part));
	struct key keys[LIST_COUNT];
	struct reader inner = { .file = reader->file, .keys = keys, .target = part, .err = reader->err };
	struct profile_layer read;
	unsigned lists = 0;
	int r;

	inner.key_count = list_keys(LIST_ALL, keys);
	r = keys_read_object(&inner, spot);
	for (unsigned i = 0; !r && i < LIST_COUNT; i++)
		lists |= keys_has(spot->value, names[i]) ? 1u << i : 0;
	if (!r && !lists)
		r = spot_fail(reader, spot, "a layer without a list");
	if (!r) {
		read = own_layer(part);
		layer_copy(&read, lists, list_add(profile->layers, profile->layer_count));
	}
	profile_free(part);
	return r;
}

int read_layers(const struct reader *reader, const struct spot *spot)
{
	if (reader->paths || reader->is_word)
		return spot_fail(reader, spot, "layers come of combining profiles: write the lists themselves");
	if (spot_list(reader, spot, JSON_ARRAY) < 0)
		return -EINVAL;
	for (size_t i = 0; i < spot->value->count; i++) {
		struct spot item = spot_item(spot, i);

		if (read_layer(reader, &item) < 0)
			return -EINVAL;
	}
	return 0;
}
