/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TOML as a flat list: see setup-toml.h. Reads strictly, never past the end, and knows no value's meaning but a string's. */
#include "shim/ctl/setup-toml.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

#define DEPTH_MAX 32

struct parser {
	struct toml *toml;
	const char *text;
	size_t len, at;
	int line, depth;
	bool is_silent;		/* within an array: nothing is listed */
	struct err *err;
};

static int fail(const struct parser *parser, const char *what)
{
	return err_set(parser->err, EINVAL, "line %d: %s", parser->line, what);
}

static char peek(const struct parser *parser)
{
	return parser->at < parser->len ? parser->text[parser->at] : '\0';
}

static bool looking_at(const struct parser *parser, const char *word)
{
	size_t len = strlen(word);

	return parser->len - parser->at >= len && !memcmp(parser->text + parser->at, word, len);
}

static void skip_blanks(struct parser *parser)
{
	while (peek(parser) == ' ' || peek(parser) == '\t')
		parser->at++;
}

/* A comment up to its line end, which stays. */
static int skip_comment(struct parser *parser)
{
	if (peek(parser) != '#')
		return 0;
	while (parser->at < parser->len && peek(parser) != '\n' && !looking_at(parser, "\r\n")) {
		unsigned char c = (unsigned char)parser->text[parser->at++];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return fail(parser, "a control character in a comment");
	}
	return 0;
}

static bool skip_newline(struct parser *parser)
{
	if (looking_at(parser, "\r\n"))
		parser->at += 2;
	else if (peek(parser) == '\n')
		parser->at++;
	else
		return false;
	parser->line++;
	return true;
}

/* Blanks, comments, line ends. */
static int skip_all(struct parser *parser)
{
	do {
		skip_blanks(parser);
		if (skip_comment(parser) < 0)
			return -EINVAL;
	} while (skip_newline(parser));
	return 0;
}

static int end_line(struct parser *parser)
{
	skip_blanks(parser);
	if (skip_comment(parser) < 0)
		return -EINVAL;
	if (parser->at < parser->len && !skip_newline(parser))
		return fail(parser, "something stands behind the value");
	return 0;
}

static void add_entry(struct parser *parser, const char *path, enum toml_kind kind, size_t begin)
{
	struct toml *toml = parser->toml;

	if (parser->is_silent)
		return;
	toml->entries = alloc_grow(toml->entries, toml->count + 1, sizeof(*toml->entries));
	toml->entries[toml->count++] = (struct toml_entry){
		.path = alloc_copy(path), .kind = kind, .is_inline = parser->depth > 0, .begin = begin, .line = parser->line,
	};
}

static void put_rune(struct buf *buf, unsigned long rune)
{
	if (rune < 0x80) {
		buf_putc(buf, (char)rune);
	} else if (rune < 0x800) {
		buf_putc(buf, (char)(0xc0 | rune >> 6));
		buf_putc(buf, (char)(0x80 | (rune & 0x3f)));
	} else {
		if (rune < 0x10000) {
			buf_putc(buf, (char)(0xe0 | rune >> 12));
		} else {
			buf_putc(buf, (char)(0xf0 | rune >> 18));
			buf_putc(buf, (char)(0x80 | (rune >> 12 & 0x3f)));
		}
		buf_putc(buf, (char)(0x80 | (rune >> 6 & 0x3f)));
		buf_putc(buf, (char)(0x80 | (rune & 0x3f)));
	}
}

/* Behind the backslash. */
static int read_escape(struct parser *parser, struct buf *to)
{
	static const char from[] = "btnfr\"\\", meaning[] = "\b\t\n\f\r\"\\";
	char c = peek(parser);
	const char *known = c ? strchr(from, c) : NULL;
	int digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	unsigned long rune = 0;

	parser->at++;
	if (known) {
		buf_putc(to, meaning[known - from]);
		return 0;
	}
	for (int i = 0; i < digits; i++) {
		c = peek(parser);
		if (!isxdigit((unsigned char)c))
			return fail(parser, "an escape that isn't one");
		rune = rune * 16 + (unsigned long)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
		parser->at++;
	}
	if (!digits || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000) || !rune)
		return fail(parser, "an escape that isn't one");
	put_rune(to, rune);
	return 0;
}

/* A backslash at a line's end takes the line end and all blanks behind it. */
static bool skip_folded(struct parser *parser)
{
	size_t at = parser->at;

	skip_blanks(parser);
	if (!skip_newline(parser)) {
		parser->at = at;
		return false;
	}
	do
		skip_blanks(parser);
	while (skip_newline(parser));
	return true;
}

/* At its first quote. `long_form`: three quotes. */
static int read_string(struct parser *parser, struct buf *to)
{
	char quote = peek(parser), marks[4] = { quote, quote, quote, '\0' };
	bool long_form = looking_at(parser, marks);

	parser->at += long_form ? 3 : 1;
	if (long_form)
		skip_newline(parser);
	while (parser->at < parser->len) {
		unsigned char c = (unsigned char)peek(parser);

		if (long_form ? looking_at(parser, marks) : c == (unsigned char)quote) {
			parser->at += long_form ? 3 : 1;
			/* up to two quotes may stand in front of the three that end it */
			for (int i = 0; long_form && i < 2 && peek(parser) == quote; i++, parser->at++)
				buf_putc(to, quote);
			return 0;
		}
		if (long_form && skip_newline(parser)) {
			buf_putc(to, '\n');
		} else if (c == '\\' && quote == '"') {
			parser->at++;
			if (!(long_form && skip_folded(parser)) && read_escape(parser, to) < 0)
				return -EINVAL;
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return fail(parser, "a control character in a string");
		} else {
			buf_putc(to, (char)c);
			parser->at++;
		}
	}
	return fail(parser, "a string without an end");
}

static bool is_bare(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static int read_name(struct parser *parser, struct buf *path)
{
	cleanup_buf struct buf name = BUF_INIT;
	char quote = peek(parser), marks[4] = { quote, quote, quote, '\0' };

	if (quote == '"' || quote == '\'') {
		if (looking_at(parser, marks))
			return fail(parser, "a key of several lines");
		if (read_string(parser, &name) < 0)
			return -EINVAL;
	} else {
		while (is_bare(peek(parser)))
			buf_putc(&name, parser->text[parser->at++]);
		if (!name.len)
			return fail(parser, "a key is missing");
	}
	if (!name.len)
		return fail(parser, "an empty key");
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
			return fail(parser, "a control character in a key");
	if (path->len)
		buf_putc(path, TOML_SEPARATOR);
	buf_puts(path, name.data);
	return 0;
}

/* a."b".c, appended to `path`. */
static int read_key(struct parser *parser, struct buf *path)
{
	for (;;) {
		skip_blanks(parser);
		if (read_name(parser, path) < 0)
			return -EINVAL;
		skip_blanks(parser);
		if (peek(parser) != '.')
			return 0;
		parser->at++;
	}
}

static int read_value(struct parser *parser, const char *path);

static int read_array(struct parser *parser)
{
	bool was_silent = parser->is_silent;

	parser->at++;
	parser->is_silent = true;
	for (;;) {
		if (skip_all(parser) < 0)
			return -EINVAL;
		if (peek(parser) == ']')
			break;
		if (read_value(parser, "") < 0 || skip_all(parser) < 0)
			return -EINVAL;
		if (peek(parser) == ',')
			parser->at++;
		else if (peek(parser) != ']')
			return fail(parser, "an array without an end");
	}
	parser->at++;
	parser->is_silent = was_silent;
	return 0;
}

static int read_pair(struct parser *parser, const char *table)
{
	cleanup_buf struct buf path = BUF_INIT;

	buf_puts(&path, table);
	if (read_key(parser, &path) < 0)
		return -EINVAL;
	if (peek(parser) != '=')
		return fail(parser, "'=' is missing behind a key");
	parser->at++;
	skip_blanks(parser);
	return read_value(parser, path.data);
}

static int read_inline(struct parser *parser, const char *path)
{
	parser->at++;
	skip_blanks(parser);
	if (peek(parser) == '}') {
		parser->at++;
		return 0;
	}
	for (;;) {
		if (read_pair(parser, path) < 0)
			return -EINVAL;
		skip_blanks(parser);
		if (peek(parser) == '}')
			break;
		if (peek(parser) != ',')
			return fail(parser, "an inline table without an end");
		parser->at++;
	}
	parser->at++;
	return 0;
}

/* Numbers, dates, true and false: what can't be one of these is refused, what it is doesn't matter here. */
static int read_scalar(struct parser *parser)
{
	size_t begin = parser->at, len;
	const char *text = parser->text + begin;

	while (isalnum((unsigned char)peek(parser)) || (peek(parser) && strchr("+-_.:", peek(parser))))
		parser->at++;
	len = parser->at - begin;
	if (len == 10 && text[4] == '-' && peek(parser) == ' ' && parser->at + 1 < parser->len &&
	    isdigit((unsigned char)parser->text[parser->at + 1])) {
		parser->at++;
		return read_scalar(parser);
	}
	if ((len == 4 && !memcmp(text, "true", 4)) || (len == 5 && !memcmp(text, "false", 5)))
		return 0;
	if (len && (*text == '+' || *text == '-'))
		text++, len--;
	if (len == 3 && (!memcmp(text, "inf", 3) || !memcmp(text, "nan", 3)))
		return 0;
	if (!len || !isdigit((unsigned char)*text))
		return fail(parser, "a value that is none");
	return 0;
}

static int read_value(struct parser *parser, const char *path)
{
	cleanup_buf struct buf meaning = BUF_INIT;
	size_t index = parser->toml->count, begin = parser->at;
	char c = peek(parser);
	int r;

	add_entry(parser, path, c == '{' ? TOML_INLINE : TOML_VALUE, begin);
	if (parser->depth >= DEPTH_MAX)
		return fail(parser, "nested too deep");
	parser->depth++;
	if (c == '"' || c == '\'')
		r = read_string(parser, &meaning);
	else if (c == '[')
		r = read_array(parser);
	else if (c == '{')
		r = read_inline(parser, path);
	else
		r = read_scalar(parser);
	parser->depth--;
	if (!r && !parser->is_silent)
		parser->toml->entries[index].end = parser->at;
	return r;
}

/* How many elements the array of tables has at the path; its elements are "PATH SEPARATOR #N". */
static size_t count_elements(const struct toml *toml, const char *path)
{
	size_t count = 0, len = strlen(path);

	for (size_t i = 0; i < toml->count; i++) {
		const char *at = toml->entries[i].path;

		count += toml->entries[i].kind == TOML_ARRAY_TABLE && !strncmp(at, path, len) && at[len] == TOML_SEPARATOR &&
			 at[len + 1] == '#' && !strchr(at + len + 1, TOML_SEPARATOR);
	}
	return count;
}

/* [a.b] after [[a]] is a table of a's last element. */
static void resolve(const struct toml *toml, const struct buf *written, bool is_array, struct buf *path)
{
	for (const char *at = written->data, *end; *at; at = *end ? end + 1 : end) {
		size_t count;

		end = at + strcspn(at, (char[]){ TOML_SEPARATOR, '\0' });
		if (path->len)
			buf_putc(path, TOML_SEPARATOR);
		buf_put(path, at, (size_t)(end - at));
		count = count_elements(toml, path->data);
		if (is_array && !*end)
			count++;
		if (count)
			buf_printf(path, "%c#%zu", TOML_SEPARATOR, count - 1);
	}
}

static int read_header(struct parser *parser, struct buf *table)
{
	cleanup_buf struct buf written = BUF_INIT;
	bool is_array = looking_at(parser, "[[");
	size_t begin = parser->at;

	parser->at += is_array ? 2 : 1;
	if (read_key(parser, &written) < 0)
		return -EINVAL;
	if (!looking_at(parser, is_array ? "]]" : "]"))
		return fail(parser, "a table's header without an end");
	parser->at += is_array ? 2 : 1;
	buf_free(table);
	resolve(parser->toml, &written, is_array, table);
	add_entry(parser, table->data ? table->data : "", is_array ? TOML_ARRAY_TABLE : TOML_TABLE, begin);
	parser->toml->entries[parser->toml->count - 1].end = parser->at;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct toml_entry *const *first = a, *const *second = b;
	int order = strcmp((*first)->path, (*second)->path);

	return order ? order : (*first)->begin < (*second)->begin ? -1 : 1;
}

/* A key twice, a table and a value of one name, a table that goes on in an inline one: other readers refuse these, too. */
static int check_twice(const struct toml *toml, struct err *err)
{
	cleanup_free const struct toml_entry **sorted = alloc_zeroed(toml->count + 1, sizeof(*sorted));
	const struct toml_entry *leaf = NULL, *inline_table = NULL;

	for (size_t i = 0; i < toml->count; i++)
		sorted[i] = &toml->entries[i];
	qsort(sorted, toml->count, sizeof(*sorted), compare_entries);
	for (size_t i = 0; i < toml->count; i++) {
		const struct toml_entry *entry = sorted[i];

		if (i && !strcmp(entry->path, sorted[i - 1]->path))
			return err_set(err, EINVAL, "line %d: stands there a second time", entry->line);
		if ((leaf && toml_below(entry, leaf->path)) ||
		    (inline_table && !entry->is_inline && toml_below(entry, inline_table->path)))
			return err_set(err, EINVAL, "line %d: stands below a value", entry->line);
		if (entry->kind == TOML_VALUE)
			leaf = entry;
		else if (entry->kind == TOML_INLINE && !entry->is_inline)
			inline_table = entry;
	}
	return 0;
}

int toml_read(const char *text, size_t len, struct toml *toml, struct err *err)
{
	struct parser parser = { .toml = toml, .text = text, .len = len, .line = 1, .err = err };
	cleanup_buf struct buf table = BUF_INIT;

	*toml = (struct toml){ .text = text };
	if (memchr(text, '\0', len))
		return err_set(err, EINVAL, "a NUL");
	for (;;) {
		if (skip_all(&parser) < 0)
			return -EINVAL;
		if (parser.at == len)
			return check_twice(toml, err);
		if ((peek(&parser) == '[' ? read_header(&parser, &table) : read_pair(&parser, table.data ? table.data : "")) < 0 ||
		    end_line(&parser) < 0)
			return -EINVAL;
	}
}

void toml_release(struct toml *toml)
{
	for (size_t i = 0; i < toml->count; i++)
		free(toml->entries[i].path);
	free(toml->entries);
	*toml = (struct toml){ NULL, NULL, 0 };
}

char *toml_path(const char *name, ...)
{
	struct buf path = BUF_INIT;
	va_list names;

	va_start(names, name);
	for (const char *at = name; at; at = va_arg(names, const char *)) {
		if (path.len)
			buf_putc(&path, TOML_SEPARATOR);
		buf_puts(&path, at);
	}
	va_end(names);
	return buf_steal(&path);
}

const struct toml_entry *toml_find(const struct toml *toml, const char *path)
{
	for (size_t i = 0; i < toml->count; i++)
		if (!strcmp(toml->entries[i].path, path))
			return &toml->entries[i];
	return NULL;
}

const char *toml_below(const struct toml_entry *entry, const char *path)
{
	size_t len = strlen(path);

	return !strncmp(entry->path, path, len) && entry->path[len] == TOML_SEPARATOR ? entry->path + len + 1 : NULL;
}

bool toml_has(const struct toml *toml, const char *path)
{
	for (size_t i = 0; i < toml->count; i++)
		if (!strcmp(toml->entries[i].path, path) || toml_below(&toml->entries[i], path))
			return true;
	return false;
}

static char *string_at(struct parser *parser)
{
	struct buf meaning = BUF_INIT;

	if ((peek(parser) != '"' && peek(parser) != '\'') || read_string(parser, &meaning) < 0) {
		buf_free(&meaning);
		return NULL;
	}
	return buf_steal(&meaning);
}

char *toml_string(const struct toml *toml, const struct toml_entry *entry)
{
	struct err ignored = ERR_INIT;
	struct parser parser = { .text = toml->text, .len = entry ? entry->end : 0, .at = entry ? entry->begin : 0, .err = &ignored };

	return entry && entry->kind == TOML_VALUE ? string_at(&parser) : NULL;
}

bool toml_strings(const struct toml *toml, const struct toml_entry *entry, struct strings *strings)
{
	struct err ignored = ERR_INIT;
	struct parser parser = { .text = toml->text, .len = entry->end, .at = entry->begin + 1, .err = &ignored };

	if (entry->kind != TOML_VALUE || toml->text[entry->begin] != '[')
		return false;
	for (;;) {
		cleanup_free char *item = NULL;

		if (skip_all(&parser) < 0 || peek(&parser) == ']')
			return peek(&parser) == ']';
		item = string_at(&parser);
		if (!item || skip_all(&parser) < 0)
			return false;
		strings_add(strings, item);
		parser.at += peek(&parser) == ',';
	}
}

static bool is_excepted(const struct toml_entry *entry, const struct strings *except)
{
	for (size_t i = 0; i < except->count; i++)
		if (!strcmp(entry->path, except->items[i]) || toml_below(entry, except->items[i]))
			return true;
	return false;
}

static const struct toml_entry *next_kept(const struct toml *toml, size_t *index, const struct strings *except)
{
	while (*index < toml->count && is_excepted(&toml->entries[*index], except))
		++*index;
	return *index < toml->count ? &toml->entries[(*index)++] : NULL;
}

bool toml_same(const struct toml *a, const struct toml *b, const struct strings *except)
{
	size_t i = 0, j = 0;

	for (;;) {
		const struct toml_entry *first = next_kept(a, &i, except), *second = next_kept(b, &j, except);
		size_t len = first ? first->end - first->begin : 0;

		if (!first || !second)
			return first == second;
		if (strcmp(first->path, second->path) || first->kind != second->kind || len != second->end - second->begin ||
		    memcmp(a->text + first->begin, b->text + second->begin, len))
			return false;
	}
}

void toml_put_key(struct buf *buf, const char *name)
{
	size_t i = 0;

	while (is_bare(name[i]))
		i++;
	if (i && !name[i])
		buf_puts(buf, name);
	else
		buf_put_json(buf, name);
}
