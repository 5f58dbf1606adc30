/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk through a document by its table of keys, and the values that every table knows. Must never skip what it doesn't
 * know: each member of each object is found in the table or is an error.
 */
#include "shim/policy/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/units.h"

static void *field_of(const struct reader *reader, const struct key *key)
{
	return (char *)reader->target + key->offset;
}

static int read_version(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	uint64_t version;

	if (!json_uint(spot->value, &version) || version != 1)
		return spot_fail(reader, spot, "this quod knows version 1 only");
	return 0;
}

static int read_ignored(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	return spot_is(reader, spot, JSON_STRING);
}

static int read_bool(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	if (spot_is(reader, spot, JSON_BOOL) < 0)
		return -EINVAL;
	*(bool *)field_of(reader, key) = spot->value->boolean;
	return 0;
}

static int read_word(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	size_t index;

	if (spot_word(reader, spot, key->words, &index) < 0)
		return -EINVAL;
	if (key->size == sizeof(bool))
		*(bool *)field_of(reader, key) = index;
	else
		*(unsigned *)field_of(reader, key) = (unsigned)index;
	return 0;
}

static int read_set(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	unsigned bits = 0;
	size_t index;
	int r = 0;

	if (spot_list(reader, spot, JSON_ARRAY) < 0)
		return -EINVAL;
	for (size_t i = 0; i < spot->value->count; i++) {
		struct spot item = spot_item(spot, i);

		if (spot_word(reader, &item, key->words, &index) == 0)
			bits |= 1u << index;
		else if (r = -EINVAL, !reader->all)
			return r;
	}
	*(unsigned *)field_of(reader, key) = bits;
	return r;
}

static int read_checked(const struct reader *reader, const struct key *key, const struct spot *spot, const char **text)
{
	const char *wanted;

	if (spot_text(reader, spot, text) < 0)
		return -EINVAL;
	wanted = key->check ? key->check(*text) : NULL;
	return wanted ? spot_fail(reader, spot, "'%s' is not %s", *text, wanted) : 0;
}

static int read_text(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	char **field = field_of(reader, key);
	const char *text;

	if (read_checked(reader, key, spot, &text) < 0)
		return -EINVAL;
	free(*field);
	*field = alloc_copy(text);
	return 0;
}

static int read_strings(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	struct strings *field = field_of(reader, key);
	const char *text;
	int r = 0;

	if (spot_list(reader, spot, JSON_ARRAY) < 0)
		return -EINVAL;
	if (key->replaces)
		strings_free(field);
	for (size_t i = 0; i < spot->value->count; i++) {
		struct spot item = spot_item(spot, i);

		if (read_checked(reader, key, &item, &text) < 0) {
			r = -EINVAL;
			if (!reader->all)
				return r;
		} else if (!strings_has(field, text)) {
			strings_add(field, text);
		}
	}
	return r;
}

static int read_quantity(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	return spot_quantity(reader, spot, key, field_of(reader, key));
}

static int read_other(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	return key->read(reader, spot);
}

typedef int key_reader(const struct reader *reader, const struct key *key, const struct spot *spot);

static key_reader *const readers[] = {
	[KEY_VERSION] = read_version, [KEY_IGNORED] = read_ignored, [KEY_BOOL] = read_bool, [KEY_WORD] = read_word,
	[KEY_SET] = read_set, [KEY_TEXT] = read_text, [KEY_STRINGS] = read_strings, [KEY_BYTES] = read_quantity,
	[KEY_RATE] = read_quantity, [KEY_DURATION] = read_quantity, [KEY_COUNT] = read_quantity,
	[KEY_CPUS] = read_quantity, [KEY_OTHER] = read_other,
};

int keys_read_value(const struct reader *reader, const struct key *key, const struct spot *spot)
{
	return readers[key->kind](reader, key, spot);
}

const struct key *keys_find(const struct key *keys, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static bool is_section(const struct reader *reader, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < reader->key_count; i++)
		if (!strncmp(reader->keys[i].name, name, len) && reader->keys[i].name[len] == '.')
			return true;
	return false;
}

/* The same word elsewhere in the table ("memory" for "resources.memory"), else the nearest of those that fit here. */
static int fail_unknown(const struct reader *reader, const struct spot *spot, const char *prefix)
{
	cleanup_free const char **words = alloc_zeroed(reader->key_count + 1, sizeof(*words));
	size_t prefix_len = strlen(prefix), count = 0;
	struct strings names = { NULL, 0 };
	const char *nearest;
	int r;

	for (size_t i = 0; i < reader->key_count; i++) {
		const char *name = reader->keys[i].name, *dot = strrchr(name, '.');
		cleanup_free char *here = NULL;

		if (dot && !strcmp(dot + 1, spot->name)) {
			strings_free(&names);
			return spot_fail(reader, spot, "unknown key '%s' here: did you mean '%s'?", spot->name, name);
		}
		if (strncmp(name, prefix, prefix_len) != 0)
			continue;
		here = alloc_copy(name + prefix_len);
		here[strcspn(here, ".")] = '\0';
		strings_add(&names, here);
	}
	for (; count < names.count; count++)
		words[count] = names.items[count];
	nearest = nearest_word(spot->name, words);
	r = spot_fail(reader, spot, "unknown key '%s': the nearest known one is '%s'", spot->name, nearest ? nearest : "");
	strings_free(&names);
	return r;
}

/* `prefix` is the section's name with a dot behind it, or "" at the root. */
static int read_section(const struct reader *reader, const struct spot *section, const char *prefix)
{
	int failed = 0;

	if (spot_is(reader, section, JSON_OBJECT) < 0)
		return -EINVAL;
	for (size_t i = 0; i < section->value->count; i++) {
		struct spot spot = spot_member(section, i);
		cleanup_free char *name = alloc_printf("%s%s", prefix, spot.name);
		const struct key *key = keys_find(reader->keys, reader->key_count, name);
		int r;

		if (strchr(spot.name, '.')) {
			r = fail_unknown(reader, &spot, prefix);
		} else if (key) {
			r = keys_read_value(reader, key, &spot);
		} else if (is_section(reader, name)) {
			cleanup_free char *below = alloc_printf("%s.", name);

			r = read_section(reader, &spot, below);
		} else {
			r = fail_unknown(reader, &spot, prefix);
		}
		failed = r ? r : failed;
		if (r && !reader->all)
			return r;
	}
	return failed;
}

/* The version first: a file of another one may well have keys that this one doesn't know. */
int keys_read(const struct reader *reader, const struct json *root)
{
	struct spot spot = { .value = root }, version;

	if (spot_is(reader, &spot, JSON_OBJECT) < 0)
		return -EINVAL;
	version = spot_named(&spot, "version");
	if (!version.value)
		return spot_fail(reader, &spot, "the key 'version' is missing (\"version\": 1)");
	if (read_version(reader, NULL, &version) < 0)
		return -EINVAL;
	return read_section(reader, &spot, "");
}

int keys_read_object(const struct reader *reader, const struct spot *object)
{
	return read_section(reader, object, "");
}

bool keys_has(const struct json *root, const char *name)
{
	const char *dot = strchr(name, '.');
	cleanup_free char *section = NULL;

	if (!dot)
		return json_get(root, name) != NULL;
	section = alloc_copy(name);
	section[dot - name] = '\0';
	root = json_get(root, section);
	return root && keys_has(root, dot + 1);
}

static struct json *print_quantity(struct json_tree *tree, const struct key *key, uint64_t value)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct json *node;

	if (value == LIMIT_UNLIMITED)
		return json_make_string(tree, "unlimited");
	if (key->kind == KEY_COUNT)
		return json_make_uint(tree, value);
	if (key->kind == KEY_BYTES)
		bytes_print(&buf, value);
	else if (key->kind == KEY_RATE)
		rate_print(&buf, value);
	else if (key->kind == KEY_DURATION)
		duration_print(&buf, value);
	else
		cpus_print(&buf, value);
	node = json_make_string(tree, buf.data);
	if (key->kind == KEY_CPUS)
		node->type = JSON_NUMBER;
	return node;
}

static struct json *print_strings(struct json_tree *tree, const struct strings *strings)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < strings->count; i++)
		json_append(tree, array, json_make_string(tree, strings->items[i]));
	return array;
}

static struct json *print_set(struct json_tree *tree, const struct key *key, unsigned bits)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; key->words[i]; i++)
		if (bits >> i & 1)
			json_append(tree, array, json_make_string(tree, key->words[i]));
	return array;
}

static struct json *print_value(struct json_tree *tree, const struct key *key, const void *target)
{
	const void *field = (const char *)target + key->offset;

	switch (key->kind) {
	case KEY_VERSION:
		return json_make_uint(tree, 1);
	case KEY_IGNORED:
		return NULL;
	case KEY_BOOL:
		return json_make_bool(tree, *(const bool *)field);
	case KEY_WORD:
		return json_make_string(tree, key->words[key->size == sizeof(bool) ? *(const bool *)field
										   : *(const unsigned *)field]);
	case KEY_SET:
		return print_set(tree, key, *(const unsigned *)field);
	case KEY_TEXT:
		return *(char *const *)field ? json_make_string(tree, *(char *const *)field) : NULL;
	case KEY_STRINGS:
		return print_strings(tree, field);
	case KEY_OTHER:
		return key->print ? key->print(tree, target) : NULL;
	default:
		return print_quantity(tree, key, *(const uint64_t *)field);
	}
}

/* The object that the last component of `name` is a member of; sections are made as they are met. */
static struct json *section_of(struct json_tree *tree, struct json *root, const char *name)
{
	const char *dot = strchr(name, '.');
	cleanup_free char *section = NULL;
	struct json *below;

	if (!dot)
		return root;
	section = alloc_copy(name);
	section[dot - name] = '\0';
	below = json_get(root, section);
	if (!below) {
		below = json_make_object(tree);
		json_set(tree, root, section, below);
	}
	return section_of(tree, below, dot + 1);
}

struct json *keys_print(struct json_tree *tree, const struct key *keys, size_t count, const void *target)
{
	struct json *root = json_make_object(tree);

	for (size_t i = 0; i < count; i++) {
		const char *dot = strrchr(keys[i].name, '.');
		struct json *value = print_value(tree, &keys[i], target);

		if (value)
			json_set(tree, section_of(tree, root, keys[i].name), dot ? dot + 1 : keys[i].name, value);
	}
	return root;
}
