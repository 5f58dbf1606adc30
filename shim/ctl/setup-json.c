/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits in a JSON text: see setup-json.h. The scanner trusts that the text is valid, but never reads past its end; it must
 * never be what decides whether a text is taken.
 */
#include "shim/ctl/setup-json.h"

#include <string.h>

#include "shim/base/cleanup.h"

struct scan {
	const char *text;
	size_t len, at;
};

/* A member of an object (name_at = its quote) or an item of an array (name_at = value_at). */
struct part {
	size_t name_at, name_len;	/* without quotes */
	size_t value_at, value_end;
	size_t comma_at;		/* behind the value; 0 = none */
};

struct parts {
	struct part *items;
	size_t count;
	size_t open_at, close_at;	/* of the brackets */
};

static void cleanup_parts_at(struct parts *parts)
{
	free(parts->items);
}
#define cleanup_parts __attribute__((cleanup(cleanup_parts_at)))

static char peek(const struct scan *scan)
{
	return scan->at < scan->len ? scan->text[scan->at] : '\0';
}

/* As the parser has it. */
static bool is_space(char c)
{
	return c && strchr(" \t\n\r", c);
}

/* White space and comments. */
static void skip_space(struct scan *scan)
{
	while (scan->at < scan->len) {
		const char *at = scan->text + scan->at, *end = NULL;

		if (is_space(*at)) {
			scan->at++;
			continue;
		}
		if (*at != '/' || scan->at + 1 >= scan->len)
			return;
		if (at[1] == '/')
			end = memchr(at, '\n', scan->len - scan->at);
		else
			end = memmem(at + 2, scan->len - scan->at - 2, "*/", 2);
		scan->at = end ? (size_t)(end - scan->text) + (at[1] == '/' ? 0 : 2) : scan->len;
	}
}

static void skip_string(struct scan *scan)
{
	for (scan->at++; scan->at < scan->len && scan->text[scan->at] != '"'; scan->at++)
		scan->at += scan->text[scan->at] == '\\';
	scan->at += scan->at < scan->len;
	if (scan->at > scan->len)
		scan->at = scan->len;
}

/* Strings and comments may hold brackets; depth needs no stack where the text is valid. */
static void skip_value(struct scan *scan)
{
	size_t depth = 0;

	do {
		char c = peek(scan);

		if (c == '"') {
			skip_string(scan);
		} else if (c == '{' || c == '[') {
			depth++;
			scan->at++;
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
			scan->at++;
		} else if (c == ',' || c == ':') {
			scan->at++;
		} else {
			size_t begin = scan->at;

			while (scan->at < scan->len && !strchr(",:]}[{\"/", scan->text[scan->at]) && !is_space(scan->text[scan->at]))
				scan->at++;
			scan->at += scan->at == begin && scan->at < scan->len;
		}
		if (depth)
			skip_space(scan);
	} while (depth && scan->at < scan->len);
}

static struct part *add_part(struct parts *parts)
{
	parts->items = alloc_grow(parts->items, parts->count + 1, sizeof(*parts->items));
	parts->items[parts->count] = (struct part){ 0 };
	return &parts->items[parts->count++];
}

/* What stands in the object or array at scan->at. */
static bool read_parts(struct scan *scan, struct parts *parts)
{
	char close = peek(scan) == '{' ? '}' : ']';

	parts->open_at = scan->at++;
	for (;;) {
		struct part *part;

		skip_space(scan);
		if (peek(scan) == close || scan->at >= scan->len)
			break;
		part = add_part(parts);
		part->name_at = scan->at;
		if (close == '}') {
			skip_string(scan);
			part->name_len = scan->at - part->name_at - 2;
			skip_space(scan);
			scan->at += peek(scan) == ':';
			skip_space(scan);
		}
		part->value_at = scan->at;
		skip_value(scan);
		part->value_end = scan->at;
		skip_space(scan);
		if (peek(scan) == ',')
			part->comma_at = scan->at++;
		else if (peek(scan) != close)
			return false;
	}
	parts->close_at = scan->at;
	return scan->at < scan->len;
}

static const struct part *find_part(const struct scan *scan, const struct parts *parts, const char *name)
{
	for (size_t i = 0; i < parts->count; i++)
		if (strlen(name) == parts->items[i].name_len &&
		    !memcmp(scan->text + parts->items[i].name_at + 1, name, parts->items[i].name_len))
			return &parts->items[i];
	return NULL;
}

/* How the text is laid out. */
struct layout {
	const char *newline;		/* "" when all stands on one line */
	const char *colon;		/* ": ", or ":" where nothing is spaced */
	const char *comma;		/* behind an item that is followed on the same line */
	char unit[32];			/* one step of indentation */
};

static void put_indent(const char *text, size_t at, char *indent, size_t room)
{
	size_t begin = at, len = 0;

	while (begin && text[begin - 1] != '\n')
		begin--;
	while (begin + len < at && len + 1 < room && (text[begin + len] == ' ' || text[begin + len] == '\t'))
		len++;
	memcpy(indent, text + begin, len);
	indent[len] = '\0';
}

/* The first thing on its line? */
static bool leads_line(const char *text, size_t at)
{
	while (at && (text[at - 1] == ' ' || text[at - 1] == '\t'))
		at--;
	return !at || text[at - 1] == '\n';
}

static struct layout find_layout(const struct buf *text)
{
	struct layout layout = { .newline = "", .colon = ": ", .comma = ", ", .unit = "  " };
	struct scan scan = { text->data, text->len, 0 };
	const char *line_end = memchr(text->data, '\n', text->len);

	skip_space(&scan);
	if (line_end && memchr(line_end, '"', text->len - (size_t)(line_end - text->data)))
		layout.newline = line_end > text->data && line_end[-1] == '\r' ? "\r\n" : "\n";
	else if (!memchr(text->data, ' ', text->len) && memchr(text->data, '"', text->len))
		layout.colon = ":", layout.comma = ",";
	else if (!memchr(text->data, '"', text->len))
		layout.newline = line_end && line_end > text->data && line_end[-1] == '\r' ? "\r\n" : "\n";
	scan.at += peek(&scan) == '{';
	skip_space(&scan);
	if (leads_line(text->data, scan.at) && peek(&scan) == '"') {
		put_indent(text->data, scan.at, layout.unit, sizeof(layout.unit));
		if (!layout.unit[0])
			strcpy(layout.unit, "  ");
	}
	return layout;
}

static void splice(struct buf *text, size_t at, size_t cut, const char *put)
{
	struct buf made = BUF_INIT;

	buf_put(&made, text->data, at);
	buf_puts(&made, put);
	buf_put(&made, text->data + at + cut, text->len - at - cut);
	buf_free(text);
	*text = made;
}

/* Where a new part goes: behind everything in there, comments too. */
static size_t end_of_content(const struct buf *text, const struct parts *parts)
{
	size_t at = parts->close_at;

	while (at > parts->open_at + 1 && is_space(text->data[at - 1]))
		at--;
	return at;
}

/* Behind a line comment only a new line can follow. */
static bool ends_in_comment(const struct buf *text, const struct parts *parts, size_t at)
{
	size_t from = parts->count ? parts->items[parts->count - 1].value_end : parts->open_at + 1;

	return memchr(text->data + from, '/', at - from) != NULL;
}

static void put_part(struct buf *text, const struct parts *parts, const struct layout *layout, const char *body)
{
	const struct part *last = parts->count ? &parts->items[parts->count - 1] : NULL;
	cleanup_buf struct buf put = BUF_INIT;
	size_t at = end_of_content(text, parts);
	bool own_line = last ? leads_line(text->data, last->name_at) : layout->newline[0] != '\0';
	const char *newline = layout->newline[0] ? layout->newline : "\n";
	char indent[256] = "";

	if (ends_in_comment(text, parts, at))
		own_line = true;
	if (own_line) {
		put_indent(text->data, last ? last->name_at : parts->open_at, indent, sizeof(indent));
		buf_printf(&put, "%s%s%s%s", newline, indent, last ? "" : layout->unit, body);
	} else {
		buf_printf(&put, "%s%s", last ? layout->comma + 1 : "", body);
	}
	if (own_line && !last && !memchr(text->data + at, '\n', parts->close_at - at)) {
		put_indent(text->data, parts->open_at, indent, sizeof(indent));
		buf_printf(&put, "%s%s", newline, indent);
	}
	if (!last || last->comma_at) {
		splice(text, at, 0, put.data);
		return;
	}
	splice(text, at, 0, put.data);
	splice(text, last->value_end, 0, ",");
}

/* Walks to the object or array that holds path's last name (`whole`: to path's own value). *depth = how many names were found. */
static bool walk(const struct buf *text, json_path path, bool whole, struct parts *parts, size_t *depth)
{
	struct scan scan = { text->data, text->len, 0 };

	skip_space(&scan);
	for (*depth = 0;; (*depth)++) {
		const struct part *part;

		if (peek(&scan) != '{' && !(whole && !path[*depth] && peek(&scan) == '['))
			return false;
		free(parts->items);
		*parts = (struct parts){ NULL, 0, 0, 0 };
		if (!read_parts(&scan, parts))
			return false;
		if (!path[*depth] || (!whole && !path[*depth + 1]))
			return true;
		part = find_part(&scan, parts, path[*depth]);
		if (!part)
			return true;
		scan.at = part->value_at;
	}
}

bool json_text_set(struct buf *text, json_path path, const char *value)
{
	for (;;) {
		cleanup_parts struct parts parts = { NULL, 0, 0, 0 };
		cleanup_buf struct buf body = BUF_INIT;
		struct layout layout = find_layout(text);
		struct scan scan = { text->data, text->len, 0 };
		const struct part *part;
		size_t depth;

		if (!walk(text, path, false, &parts, &depth))
			return false;
		part = path[depth + 1] ? NULL : find_part(&scan, &parts, path[depth]);
		if (part) {
			splice(text, part->value_at, part->value_end - part->value_at, value);
			return true;
		}
		buf_printf(&body, "\"%s\"%s%s", path[depth], layout.colon, path[depth + 1] ? "{}" : value);
		put_part(text, &parts, &layout, body.data);
		if (!path[depth + 1])
			return true;
	}
}

bool json_text_append(struct buf *text, json_path path, const char *value)
{
	cleanup_parts struct parts parts = { NULL, 0, 0, 0 };
	struct layout layout = find_layout(text);
	size_t depth;

	if (!walk(text, path, true, &parts, &depth) || (!path[depth] && text->data[parts.open_at] != '['))
		return false;
	if (path[depth] && !json_text_set(text, path, "[]"))
		return false;
	cleanup_parts_at(&parts);
	parts = (struct parts){ NULL, 0, 0, 0 };
	if (!walk(text, path, true, &parts, &depth))
		return false;
	put_part(text, &parts, &layout, value);
	return true;
}

/* The line end behind `at`, when only spaces stand in front of it; else `at`. */
static size_t skip_line_end(const struct buf *text, size_t at)
{
	size_t end = at;

	while (end < text->len && (text->data[end] == ' ' || text->data[end] == '\t' || text->data[end] == '\r'))
		end++;
	return end < text->len && text->data[end] == '\n' ? end + 1 : at;
}

/* Where the line of `at` begins, with its line end: what putting the part there has added. */
static size_t line_begin(const struct buf *text, size_t at)
{
	while (at && (text->data[at - 1] == ' ' || text->data[at - 1] == '\t'))
		at--;
	at -= at && text->data[at - 1] == '\n';
	return at - (at && text->data[at - 1] == '\r');
}

static void remove_part(struct buf *text, const struct parts *parts, size_t index)
{
	const struct part *part = &parts->items[index];
	bool own_line = leads_line(text->data, part->name_at);
	size_t begin = part->name_at, end = part->value_end;

	if (part->comma_at) {
		end = part->comma_at + 1;
		if (own_line && skip_line_end(text, end) != end) {
			end = skip_line_end(text, end);
			while (text->data[begin - 1] == ' ' || text->data[begin - 1] == '\t')
				begin--;
		} else {
			while (end < text->len && text->data[end] == ' ')
				end++;
		}
		splice(text, begin, end - begin, "");
		return;
	}
	if (own_line)
		begin = line_begin(text, begin);
	if (parts->count == 1) {
		bool is_bare = end_of_content(text, parts) == end;

		for (size_t i = parts->open_at + 1; i < begin; i++)
			is_bare = is_bare && is_space(text->data[i]);
		begin = is_bare ? parts->open_at + 1 : begin;
		splice(text, begin, (is_bare ? parts->close_at : end) - begin, "");
		return;
	}
	while (!own_line && begin && text->data[begin - 1] == ' ')
		begin--;
	splice(text, begin, end - begin, "");
	splice(text, parts->items[index - 1].comma_at, 1, "");
}

bool json_text_remove(struct buf *text, json_path path)
{
	cleanup_parts struct parts parts = { NULL, 0, 0, 0 };
	struct scan scan = { text->data, text->len, 0 };
	const struct part *part;
	size_t depth;

	if (!walk(text, path, false, &parts, &depth) || path[depth + 1])
		return false;
	part = find_part(&scan, &parts, path[depth]);
	if (!part)
		return false;
	remove_part(text, &parts, (size_t)(part - parts.items));
	return true;
}

bool json_text_remove_item(struct buf *text, json_path path, size_t index)
{
	cleanup_parts struct parts parts = { NULL, 0, 0, 0 };
	size_t depth;

	if (!walk(text, path, true, &parts, &depth) || path[depth] || text->data[parts.open_at] != '[' || index >= parts.count)
		return false;
	remove_part(text, &parts, index);
	return true;
}
