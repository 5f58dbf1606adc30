/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of a JSON tree: making, changing, reading, comparing and printing them. Memory is only ever added to a tree, so
 * that a borrowed pointer stays good; nothing here knows what a document means.
 */
#include "oci/json-tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

#define CHUNK_FIRST 4096
#define CHUNK_LAST (256 * 1024)

struct json_chunk {
	struct json_chunk *older;
	max_align_t bytes[];
};

static void *arena_cut(struct json_arena *arena, size_t len)
{
	char *at;

	if (arena->room - arena->used < len) {
		size_t room = arena->room ? arena->room * 2 : CHUNK_FIRST;
		struct json_chunk *chunk;

		if (room > CHUNK_LAST)
			room = CHUNK_LAST;
		if (room < len)
			room = len;
		chunk = alloc_zeroed(1, sizeof(*chunk) + room);
		chunk->older = arena->chunks;
		*arena = (struct json_arena){ chunk, 0, room };
	}
	at = (char *)arena->chunks->bytes + arena->used;
	arena->used += len;
	return at;
}

static void arena_free(struct json_arena *arena)
{
	while (arena->chunks) {
		struct json_chunk *older = arena->chunks->older;

		free(arena->chunks);
		arena->chunks = older;
	}
}

static size_t room_for(size_t count)
{
	size_t room = 1;

	while (room < count)
		room *= 2;
	return room;
}

struct json *json_tree_node(struct json_tree *tree, enum json_type type, int line)
{
	struct json *node = arena_cut(&tree->nodes, sizeof(*node));

	node->type = type;
	node->line = line;
	return node;
}

const char *json_tree_text(struct json_tree *tree, const char *bytes, size_t len)
{
	char *text = arena_cut(&tree->texts, len + 1);

	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

void json_tree_items(struct json_tree *tree, struct json *array, const struct json_member *children, size_t count)
{
	array->count = count;
	if (!count)
		return;
	array->items = arena_cut(&tree->nodes, room_for(count) * sizeof(*array->items));
	for (size_t i = 0; i < count; i++)
		array->items[i] = children[i].value;
}

void json_tree_members(struct json_tree *tree, struct json *object, const struct json_member *children, size_t count)
{
	object->count = count;
	if (!count)
		return;
	object->members = arena_cut(&tree->nodes, room_for(count) * sizeof(*object->members));
	memcpy(object->members, children, count * sizeof(*children));
}

struct json_tree *json_tree_new(void)
{
	return alloc_zeroed(1, sizeof(struct json_tree));
}

void json_tree_free(struct json_tree *tree)
{
	if (!tree)
		return;
	arena_free(&tree->nodes);
	arena_free(&tree->texts);
	free(tree);
}

struct json *json_root(const struct json_tree *tree)
{
	return tree ? tree->root : NULL;
}

void json_set_root(struct json_tree *tree, struct json *root)
{
	tree->root = root;
}

struct json *json_make_null(struct json_tree *tree)
{
	return json_tree_node(tree, JSON_NULL, 0);
}

struct json *json_make_bool(struct json_tree *tree, bool value)
{
	struct json *node = json_tree_node(tree, JSON_BOOL, 0);

	node->boolean = value;
	return node;
}

static struct json *make_text(struct json_tree *tree, enum json_type type, const char *text)
{
	struct json *node = json_tree_node(tree, type, 0);

	node->text = json_tree_text(tree, text, strlen(text));
	return node;
}

struct json *json_make_int(struct json_tree *tree, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return make_text(tree, JSON_NUMBER, text);
}

struct json *json_make_uint(struct json_tree *tree, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return make_text(tree, JSON_NUMBER, text);
}

struct json *json_make_string(struct json_tree *tree, const char *text)
{
	return make_text(tree, JSON_STRING, text);
}

struct json *json_make_array(struct json_tree *tree)
{
	return json_tree_node(tree, JSON_ARRAY, 0);
}

struct json *json_make_object(struct json_tree *tree)
{
	return json_tree_node(tree, JSON_OBJECT, 0);
}

struct json *json_copy(struct json_tree *tree, const struct json *node)
{
	struct json *copy = json_tree_node(tree, node->type, node->line);

	copy->boolean = node->boolean;
	if (node->text)
		copy->text = json_tree_text(tree, node->text, strlen(node->text));
	copy->count = node->count;
	if (node->type == JSON_ARRAY && node->count)
		copy->items = arena_cut(&tree->nodes, room_for(node->count) * sizeof(*copy->items));
	if (node->type == JSON_OBJECT && node->count)
		copy->members = arena_cut(&tree->nodes, room_for(node->count) * sizeof(*copy->members));
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == JSON_ARRAY) {
			copy->items[i] = json_copy(tree, node->items[i]);
			continue;
		}
		copy->members[i].name = json_tree_text(tree, node->members[i].name, strlen(node->members[i].name));
		copy->members[i].line = node->members[i].line;
		copy->members[i].value = json_copy(tree, node->members[i].value);
	}
	return copy;
}

/* Room of a container is never less than the next power of two over its count, so it can only be full where the count is
 * a power of two (or 0). */
static bool may_be_full(size_t count)
{
	return !(count & (count - 1));
}

static void *grown(struct json_tree *tree, const void *old, size_t count, size_t size)
{
	void *more = arena_cut(&tree->nodes, room_for(count + 1) * size);

	if (count)
		memcpy(more, old, count * size);
	return more;
}

void json_insert(struct json_tree *tree, struct json *array, size_t before, struct json *value)
{
	if (!json_is(array, JSON_ARRAY))
		return;
	if (before > array->count)
		before = array->count;
	if (may_be_full(array->count))
		array->items = grown(tree, array->items, array->count, sizeof(*array->items));
	memmove(array->items + before + 1, array->items + before, (array->count - before) * sizeof(*array->items));
	array->items[before] = value;
	array->count++;
}

void json_append(struct json_tree *tree, struct json *array, struct json *value)
{
	if (json_is(array, JSON_ARRAY))
		json_insert(tree, array, array->count, value);
}

void json_remove_item(struct json *array, size_t index)
{
	if (!json_is(array, JSON_ARRAY) || index >= array->count)
		return;
	array->count--;
	memmove(array->items + index, array->items + index + 1, (array->count - index) * sizeof(*array->items));
}

static struct json_member *member_find(const struct json *object, const char *name)
{
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	for (size_t i = 0; i < object->count; i++)
		if (!strcmp(object->members[i].name, name))
			return &object->members[i];
	return NULL;
}

void json_set(struct json_tree *tree, struct json *object, const char *name, struct json *value)
{
	struct json_member *member = member_find(object, name);

	if (member) {
		member->value = value;
		return;
	}
	if (!json_is(object, JSON_OBJECT))
		return;
	if (may_be_full(object->count))
		object->members = grown(tree, object->members, object->count, sizeof(*object->members));
	object->members[object->count++] = (struct json_member){ json_tree_text(tree, name, strlen(name)), 0, value };
}

void json_remove(struct json *object, const char *name)
{
	struct json_member *member = member_find(object, name);

	if (!member)
		return;
	object->count--;
	memmove(member, member + 1, (size_t)(object->members + object->count - member) * sizeof(*member));
}

struct json *json_get(const struct json *object, const char *name)
{
	struct json_member *member = member_find(object, name);

	return member ? member->value : NULL;
}

struct json *json_item(const struct json *array, size_t index)
{
	return json_is(array, JSON_ARRAY) && index < array->count ? array->items[index] : NULL;
}

const char *json_string(const struct json *node)
{
	return json_is(node, JSON_STRING) ? node->text : NULL;
}

bool json_is(const struct json *node, enum json_type type)
{
	return node && node->type == type;
}

bool json_bool(const struct json *node, bool otherwise)
{
	return json_is(node, JSON_BOOL) ? node->boolean : otherwise;
}

static bool is_integer(const struct json *node)
{
	return json_is(node, JSON_NUMBER) && !node->text[strcspn(node->text, ".eE")];
}

bool json_int(const struct json *node, int64_t *value)
{
	long long number;

	if (!is_integer(node))
		return false;
	errno = 0;
	number = strtoll(node->text, NULL, 10);
	if (errno)
		return false;
	*value = number;
	return true;
}

bool json_uint(const struct json *node, uint64_t *value)
{
	unsigned long long number;

	if (!is_integer(node) || node->text[0] == '-')
		return false;
	errno = 0;
	number = strtoull(node->text, NULL, 10);
	if (errno)
		return false;
	*value = number;
	return true;
}

/* One folded byte: ASCII letters become small, U+017F is s and U+212A is k. */
static unsigned char fold_next(const char **at)
{
	const unsigned char *bytes = (const unsigned char *)*at;

	if (bytes[0] == 0xc5 && bytes[1] == 0xbf) {
		*at += 2;
		return 's';
	}
	if (bytes[0] == 0xe2 && bytes[1] == 0x84 && bytes[2] == 0xaa) {
		*at += 3;
		return 'k';
	}
	*at += bytes[0] ? 1 : 0;
	return bytes[0] >= 'A' && bytes[0] <= 'Z' ? bytes[0] | 0x20 : bytes[0];
}

int json_fold_compare(const char *a, const char *b)
{
	unsigned char byte_a, byte_b;

	do {
		byte_a = fold_next(&a);
		byte_b = fold_next(&b);
	} while (byte_a == byte_b && byte_a);
	return (byte_a > byte_b) - (byte_a < byte_b);
}

static int compare_members(const void *a, const void *b)
{
	const struct json_member *member_a = *(const struct json_member *const *)a;
	const struct json_member *member_b = *(const struct json_member *const *)b;
	int order = json_fold_compare(member_a->name, member_b->name);

	if (!order)
		order = strcmp(member_a->name, member_b->name);
	return order ? order : (member_a > member_b) - (member_a < member_b);
}

const struct json_member **json_members_sorted(const struct json *object)
{
	const struct json_member **sorted = alloc_zeroed(object->count, sizeof(*sorted));

	for (size_t i = 0; i < object->count; i++)
		sorted[i] = &object->members[i];
	qsort(sorted, object->count, sizeof(*sorted), compare_members);
	return sorted;
}

static bool objects_equal(const struct json *a, const struct json *b)
{
	cleanup_free const struct json_member **sorted_a = json_members_sorted(a);
	cleanup_free const struct json_member **sorted_b = json_members_sorted(b);

	for (size_t i = 0; i < a->count; i++)
		if (strcmp(sorted_a[i]->name, sorted_b[i]->name) || !json_equal(sorted_a[i]->value, sorted_b[i]->value))
			return false;
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type || a->count != b->count)
		return false;
	switch (a->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_NUMBER:
	case JSON_STRING:
		return !strcmp(a->text, b->text);
	case JSON_ARRAY:
		for (size_t i = 0; i < a->count; i++)
			if (!json_equal(a->items[i], b->items[i]))
				return false;
		return true;
	case JSON_OBJECT:
		return objects_equal(a, b);
	}
	return false;
}

const char *json_type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null", [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	return (size_t)type < ARRAY_SIZE(names) ? names[type] : "nothing";
}

static void print_string(struct buf *buf, const char *text)
{
	size_t len = 0;

	while (text[len] >= ' ' && text[len] <= '~' && text[len] != '"' && text[len] != '\\')
		len++;
	if (text[len]) {
		buf_put_json(buf, text);
		return;
	}
	buf_putc(buf, '"');
	buf_put(buf, text, len);
	buf_putc(buf, '"');
}

static void print_break(struct buf *buf, size_t columns, int indent)
{
	static const char spaces[] = "                                ";

	if (!indent)
		return;
	buf_putc(buf, '\n');
	for (; columns; columns -= columns < sizeof(spaces) - 1 ? columns : sizeof(spaces) - 1)
		buf_put(buf, spaces, columns < sizeof(spaces) - 1 ? columns : sizeof(spaces) - 1);
}

static void print_node(struct buf *buf, const struct json *node, int indent, size_t depth)
{
	bool is_object = node->type == JSON_OBJECT;

	if (node->type == JSON_NULL)
		buf_put(buf, "null", 4);
	else if (node->type == JSON_BOOL)
		buf_puts(buf, node->boolean ? "true" : "false");
	else if (node->type == JSON_NUMBER)
		buf_puts(buf, node->text);
	else if (node->type == JSON_STRING)
		print_string(buf, node->text);
	if (node->type != JSON_ARRAY && !is_object)
		return;
	buf_putc(buf, is_object ? '{' : '[');
	for (size_t i = 0; i < node->count; i++) {
		if (i)
			buf_putc(buf, ',');
		print_break(buf, (depth + 1) * (size_t)indent, indent);
		if (is_object) {
			print_string(buf, node->members[i].name);
			buf_put(buf, ": ", indent ? 2 : 1);
		}
		print_node(buf, is_object ? node->members[i].value : node->items[i], indent, depth + 1);
	}
	if (node->count)
		print_break(buf, depth * (size_t)indent, indent);
	buf_putc(buf, is_object ? '}' : ']');
}

void json_print(struct buf *buf, const struct json *node, int indent)
{
	if (node)
		print_node(buf, node, indent > 0 ? indent : 0, 0);
}
