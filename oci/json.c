/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON text to a strict tree. yajl (the only file that includes it) does the grammar; what yajl lets pass and two readers
 * could take in two ways ends here: bad UTF-8, NUL, unpaired surrogates, names twice, numbers that don't survive, depth,
 * anything behind the value. It must never accept what it can't print back with the same meaning.
 */
#include "oci/json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "oci/json-tree.h"
#include "oci/pointer.h"
#include "shim/base/cleanup.h"

#define DEPTH_MAX 64
#define BYTES_MAX (64 * 1024 * 1024)	/* far below where yajl's buffers could overflow */
#define SHOWN_MAX 300			/* bytes of a pointer or name in a message */

struct frame {
	struct json *node;
	size_t first;		/* its children start here in ->children */
	const char *name;	/* of the member whose value is awaited */
	int name_line;
};

struct parser {
	yajl_handle yajl;
	const char *bytes;
	size_t len;
	bool is_last_chunk;	/* all bytes are in, yajl sees the space that ends a number */
	size_t counted;		/* bytes whose line ends are in ->line */
	int line;
	const char *const *free_form;
	struct json_tree *tree;
	struct frame frames[DEPTH_MAX];
	size_t depth;
	struct json_member *children;	/* of all open containers */
	size_t child_count, child_room;
	size_t root_end;	/* offset behind the one value */
	struct err *err;
};

/* The pointer through the outer `depth` containers. */
static void put_place(struct buf *buf, const struct parser *parser, size_t depth)
{
	for (size_t i = 0; i < depth; i++) {
		const struct frame *frame = &parser->frames[i];
		size_t end = i + 1 < parser->depth ? parser->frames[i + 1].first : parser->child_count;

		if (frame->node->type == JSON_ARRAY)
			pointer_put_index(buf, end - frame->first);
		else if (frame->name)
			pointer_put_name(buf, frame->name);
	}
}

/* Sets "line N: POINTER: text"; `at_container`: the pointer is the innermost container's, not the awaited child's. */
static int __attribute__((format(printf, 3, 4))) fail(struct parser *parser, bool at_container, const char *format, ...)
{
	cleanup_buf struct buf place = BUF_INIT;
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	put_place(&place, parser, parser->depth - (at_container && parser->depth));
	err_set(parser->err, EINVAL, "line %d: %.*s%s%s", parser->line, SHOWN_MAX, place.data ? place.data : "",
		place.len ? ": " : "", text);
	return 0;
}

/* Bytes of the source that yajl has taken, the current token included. */
static size_t consumed(const struct parser *parser)
{
	size_t offset = yajl_get_bytes_consumed(parser->yajl);

	return parser->is_last_chunk || offset > parser->len ? parser->len : offset;
}

static void count_lines(struct parser *parser, size_t until)
{
	const char *at = parser->bytes + parser->counted, *end = parser->bytes + until;

	if (until <= parser->counted)
		return;
	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		parser->line++;
		at++;
	}
	parser->counted = until;
}

/* First byte that belongs to no well-formed sequence (Unicode 15, table 3-7), or NULL. */
static const char *find_bad_utf8(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + len;

	while (at < end) {
		unsigned char lead = at[0], low = 0x80, high = 0xbf;
		size_t tail = lead < 0x80 ? 0 : lead < 0xc2 ? 4 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 4;

		if (lead == 0xe0)
			low = 0xa0;
		else if (lead == 0xed)
			high = 0x9f;
		else if (lead == 0xf0)
			low = 0x90;
		else if (lead == 0xf4)
			high = 0x8f;
		if (tail == 4 || tail >= (size_t)(end - at))
			return (const char *)at;
		for (size_t i = 1; i <= tail; i++) {
			if (at[i] < low || at[i] > high)
				return (const char *)at;
			low = 0x80;
			high = 0xbf;
		}
		at += tail + 1;
	}
	return NULL;
}

static unsigned escaped_unit(const char *digits)
{
	char text[5] = { digits[0], digits[1], digits[2], digits[3], '\0' };

	return (unsigned)strtoul(text, NULL, 16);
}

/* Offset of a string's opening quote in the source: the last one in front of the closing one that no backslash escapes. */
static size_t find_opening_quote(const struct parser *parser, size_t closing)
{
	size_t at = closing, slashes;

	do {
		do {
			if (!at)
				return 0;
			at--;
		} while (parser->bytes[at] != '"');
		for (slashes = 0; slashes < at && parser->bytes[at - slashes - 1] == '\\';)
			slashes++;
	} while (slashes % 2);
	return at;
}

/* yajl replaces half a surrogate pair by other text instead of refusing it, so the escapes are looked at in the source.
 * `end` is the offset of the closing quote. */
static bool has_bad_surrogate(const struct parser *parser, size_t end)
{
	const char *bytes = parser->bytes;

	for (size_t at = find_opening_quote(parser, end) + 1; at < end; at++) {
		unsigned unit;

		if (bytes[at] != '\\')
			continue;
		at++;
		if (bytes[at] != 'u')
			continue;
		if (end - at < 5)
			return true;
		unit = escaped_unit(bytes + at + 1);
		at += 4;
		if (unit < 0xd800 || unit > 0xdfff)
			continue;
		if (unit > 0xdbff || end - at < 7 || bytes[at + 1] != '\\' || bytes[at + 2] != 'u')
			return true;
		unit = escaped_unit(bytes + at + 3);
		if (unit < 0xdc00 || unit > 0xdfff)
			return true;
		at += 6;
	}
	return false;
}

/* A copy of a string's bytes, or NULL with the error set. */
static const char *take_text(struct parser *parser, const unsigned char *bytes, size_t len)
{
	const char *text = (const char *)bytes, *end = parser->bytes + parser->len;

	if (memchr(text, '\0', len)) {
		fail(parser, false, "a NUL character in a string");
		return NULL;
	}
	/* A string without escapes is handed over where it stands in the source. */
	if ((text < parser->bytes || text >= end) && has_bad_surrogate(parser, consumed(parser) - 1)) {
		fail(parser, false, "half of a surrogate pair in a string");
		return NULL;
	}
	if (find_bad_utf8(text, len)) {
		fail(parser, false, "invalid UTF-8 in a string");
		return NULL;
	}
	return json_tree_text(parser->tree, text, len);
}

static int add_node(struct parser *parser, struct json *node)
{
	struct frame *frame;

	if (!parser->depth) {
		parser->tree->root = node;
		parser->root_end = consumed(parser);
		return 1;
	}
	frame = &parser->frames[parser->depth - 1];
	if (parser->child_count == parser->child_room) {
		parser->child_room *= 2;
		parser->children = alloc_grow(parser->children, parser->child_room, sizeof(*parser->children));
	}
	parser->children[parser->child_count++] = (struct json_member){ frame->name, frame->name_line, node };
	frame->name = NULL;
	return 1;
}

static struct json *new_node(struct parser *parser, enum json_type type)
{
	count_lines(parser, consumed(parser));
	return json_tree_node(parser->tree, type, parser->line);
}

static int on_null(void *context)
{
	return add_node(context, new_node(context, JSON_NULL));
}

static int on_boolean(void *context, int value)
{
	struct json *node = new_node(context, JSON_BOOL);

	node->boolean = value;
	return add_node(context, node);
}

/* Integers are those of int64 and uint64; what else there is must be a finite double and not have lost all its digits.
 * The locale is "C" in all of quod, so that strtod takes the point. */
static bool number_survives(const char *text)
{
	double value;

	errno = 0;
	if (!text[strcspn(text, ".eE")]) {
		if (text[0] == '-')
			strtoll(text, NULL, 10);
		else
			strtoull(text, NULL, 10);
		return !errno && strcmp(text, "-0");
	}
	value = strtod(text, NULL);
	return isfinite(value) && !(errno == ERANGE && value == 0);
}

static int on_number(void *context, const char *bytes, size_t len)
{
	struct parser *parser = context;
	struct json *node = new_node(parser, JSON_NUMBER);

	node->text = json_tree_text(parser->tree, bytes, len);
	if (!number_survives(node->text))
		return fail(parser, false, "the number %.40s%s can't be read the same way everywhere", node->text,
			    len > 40 ? "..." : "");
	return add_node(parser, node);
}

static int on_string(void *context, const unsigned char *bytes, size_t len)
{
	struct parser *parser = context;
	struct json *node = new_node(parser, JSON_STRING);

	node->text = take_text(parser, bytes, len);
	return node->text ? add_node(parser, node) : 0;
}

static int on_key(void *context, const unsigned char *bytes, size_t len)
{
	struct parser *parser = context;
	struct frame *frame = &parser->frames[parser->depth - 1];
	const char *name;

	count_lines(parser, consumed(parser));
	name = take_text(parser, bytes, len);
	if (!name)
		return 0;
	frame->name = name;
	frame->name_line = parser->line;
	return 1;
}

static int start_container(struct parser *parser, enum json_type type)
{
	struct json *node = new_node(parser, type);

	if (parser->depth == DEPTH_MAX)
		return fail(parser, false, "nested deeper than %d", DEPTH_MAX);
	parser->frames[parser->depth++] = (struct frame){ node, parser->child_count, NULL, 0 };
	return 1;
}

static int on_start_map(void *context)
{
	return start_container(context, JSON_OBJECT);
}

static int on_start_array(void *context)
{
	return start_container(context, JSON_ARRAY);
}

static bool is_free_form(struct parser *parser)
{
	cleanup_buf struct buf place = BUF_INIT;

	if (!parser->free_form)
		return false;
	put_place(&place, parser, parser->depth - 1);
	for (const char *const *pointer = parser->free_form; *pointer; pointer++)
		if (!strcmp(*pointer, place.data ? place.data : ""))
			return true;
	return false;
}

/* The object's members are complete: no two of the same name, and none but for case. */
static int check_names(struct parser *parser, const struct json *object)
{
	cleanup_free const struct json_member **sorted = NULL;
	const struct json_member *twice = NULL, *first = NULL;
	int free_form = -1;

	if (object->count < 2)
		return 1;
	sorted = json_members_sorted(object);
	for (size_t i = 1; i < object->count; i++) {
		if (json_fold_compare(sorted[i - 1]->name, sorted[i]->name) || (twice && sorted[i] > twice))
			continue;
		if (strcmp(sorted[i - 1]->name, sorted[i]->name)) {
			if (free_form < 0)
				free_form = is_free_form(parser);
			if (free_form)
				continue;
		}
		first = sorted[i - 1];
		twice = sorted[i];
	}
	if (!twice)
		return 1;
	parser->line = first->line > twice->line ? first->line : twice->line;
	if (!strcmp(first->name, twice->name))
		return fail(parser, true, "the key '%.*s' stands twice", SHOWN_MAX, twice->name);
	return fail(parser, true, "the keys '%.*s' and '%.*s' differ only in case", SHOWN_MAX, first->name, SHOWN_MAX,
		    twice->name);
}

static int on_end_map(void *context)
{
	struct parser *parser = context;
	struct frame *frame = &parser->frames[parser->depth - 1];

	count_lines(parser, consumed(parser));
	json_tree_members(parser->tree, frame->node, parser->children + frame->first, parser->child_count - frame->first);
	if (!check_names(parser, frame->node))
		return 0;
	parser->child_count = frame->first;
	parser->depth--;
	return add_node(parser, frame->node);
}

static int on_end_array(void *context)
{
	struct parser *parser = context;
	struct frame *frame = &parser->frames[parser->depth - 1];

	json_tree_items(parser->tree, frame->node, parser->children + frame->first, parser->child_count - frame->first);
	parser->child_count = frame->first;
	parser->depth--;
	return add_node(parser, frame->node);
}

/* yajl takes an unfinished token behind the value for the end, so what stands there is looked at again. */
static bool is_rest_empty(const char *at, const char *end, bool comments)
{
	while (at < end) {
		size_t left = (size_t)(end - at);

		if (strchr(" \t\r\n", *at) && *at) {
			at++;
		} else if (comments && left > 1 && at[0] == '/' && at[1] == '/') {
			at = memchr(at, '\n', left);
			if (!at)
				return true;
		} else if (comments && left > 3 && at[0] == '/' && at[1] == '*') {
			at = memmem(at + 2, left - 2, "*/", 2);
			if (!at)
				return false;
			at += 2;
		} else {
			return false;
		}
	}
	return true;
}

static int fail_syntax(struct parser *parser)
{
	unsigned char *text = yajl_get_error(parser->yajl, 0, NULL, 0);
	static const char bom[] = "\xef\xbb\xbf";

	count_lines(parser, consumed(parser));
	if (parser->len >= 3 && !memcmp(parser->bytes, bom, 3))
		fail(parser, false, "a byte order mark in front of the document");
	else
		fail(parser, false, "%.*s", text ? (int)strcspn((char *)text, "\n") : 12, text ? (char *)text : "syntax error");
	if (text)
		yajl_free_error(parser->yajl, text);
	return -EINVAL;
}

/* yajl takes \v and \f for white space; RFC 8259 doesn't, and has no other place for them. */
static int check_white_space(struct parser *parser)
{
	for (size_t i = 0; i < parser->len; i++)
		if (parser->bytes[i] == '\v' || parser->bytes[i] == '\f') {
			count_lines(parser, i);
			fail(parser, false, "a %s: white space is space, tab and line ends",
			     parser->bytes[i] == '\v' ? "vertical tab" : "form feed");
			return -EINVAL;
		}
	return 0;
}

static int run_parser(struct parser *parser, enum json_flags flags)
{
	bool comments = flags & JSON_COMMENTS;
	yajl_status status;

	if (check_white_space(parser))
		return -EINVAL;
	yajl_config(parser->yajl, yajl_allow_comments, comments);
	yajl_config(parser->yajl, yajl_dont_validate_strings, 1);	/* find_bad_utf8 is stricter */
	status = yajl_parse(parser->yajl, (const unsigned char *)parser->bytes, parser->len);
	if (status == yajl_status_ok) {
		parser->is_last_chunk = true;
		status = yajl_complete_parse(parser->yajl);
	}
	if (status == yajl_status_client_canceled)
		return -EINVAL;
	if (status != yajl_status_ok)
		return fail_syntax(parser);
	if (!parser->tree->root || parser->depth) {
		fail(parser, false, "the document ends too early");
		return -EINVAL;
	}
	count_lines(parser, parser->root_end);
	if (!is_rest_empty(parser->bytes + parser->root_end, parser->bytes + parser->len, comments)) {
		fail(parser, false, "something stands behind the end of the document");
		return -EINVAL;
	}
	if (comments && find_bad_utf8(parser->bytes, parser->len)) {
		parser->line = 1;
		parser->counted = 0;
		count_lines(parser, (size_t)(find_bad_utf8(parser->bytes, parser->len) - parser->bytes));
		fail(parser, false, "invalid UTF-8 in a comment");
		return -EINVAL;
	}
	return 0;
}

int json_parse(const char *bytes, size_t len, enum json_flags flags, const char *const *free_form, struct json_tree **tree,
	       struct err *err)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_number = on_number, .yajl_string = on_string,
		.yajl_start_map = on_start_map, .yajl_map_key = on_key, .yajl_end_map = on_end_map,
		.yajl_start_array = on_start_array, .yajl_end_array = on_end_array,
	};
	struct parser parser = { .bytes = len ? bytes : "", .len = len, .line = 1, .free_form = free_form,
				 .child_room = 64, .err = err };
	int result;

	*tree = NULL;
	if (len > BYTES_MAX)
		return err_set(err, EFBIG, "the document is larger than %d bytes", BYTES_MAX);
	parser.yajl = yajl_alloc(&callbacks, NULL, &parser);
	if (!parser.yajl)
		return err_set(err, ENOMEM, "out of memory");
	parser.tree = json_tree_new();
	parser.children = alloc_zeroed(parser.child_room, sizeof(*parser.children));
	result = run_parser(&parser, flags);
	yajl_free(parser.yajl);
	free(parser.children);
	if (result)
		json_tree_free(parser.tree);
	else
		*tree = parser.tree;
	return result;
}
