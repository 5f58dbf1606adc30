/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of a document with the place they stand in: what every reader of keys.h checks, and the one form of its errors.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"
#include "shim/policy/keys.h"
#include "shim/policy/units.h"

static void put_pointer(struct buf *buf, const struct spot *spot)
{
	if (!spot->up)
		return;
	put_pointer(buf, spot->up);
	if (spot->name)
		pointer_put_name(buf, spot->name);
	else
		pointer_put_index(buf, spot->index);
}

/* A value that is missing has the line of the object it is missing in. */
static int line_of(const struct spot *spot)
{
	while (spot && !spot->value)
		spot = spot->up;
	return spot ? spot->value->line : 0;
}

char *spot_place(const struct reader *reader, const struct spot *spot)
{
	cleanup_buf struct buf pointer = BUF_INIT;
	const char *separator;
	int line = line_of(spot);

	put_pointer(&pointer, spot);
	separator = pointer.len ? ": " : "";
	if (line)
		return alloc_printf("%s:%d%s%s", reader->file, line, separator, pointer.data ? pointer.data : "");
	return alloc_printf("%s%s%s", reader->file, separator, pointer.data ? pointer.data : "");
}

int spot_fail(const struct reader *reader, const struct spot *spot, const char *format, ...)
{
	cleanup_free char *place = spot_place(reader, spot), *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	err_set(reader->err, EINVAL, "%s: %s", place, text);
	if (reader->all)
		strings_add(reader->all, reader->err->text);
	return -EINVAL;
}

struct spot spot_item(const struct spot *array, size_t index)
{
	return (struct spot){ .up = array, .index = index, .value = array->value->items[index] };
}

struct spot spot_member(const struct spot *object, size_t index)
{
	const struct json_member *member = &object->value->members[index];

	return (struct spot){ .up = object, .name = member->name, .value = member->value };
}

struct spot spot_named(const struct spot *object, const char *name)
{
	return (struct spot){ .up = object, .name = name, .value = json_get(object->value, name) };
}

int spot_is(const struct reader *reader, const struct spot *spot, enum json_type type)
{
	if (json_is(spot->value, type))
		return 0;
	if (!spot->value)
		return spot_fail(reader, spot, "is missing");
	return spot_fail(reader, spot, "must be %s, not %s", json_type_name(type), json_type_name(spot->value->type));
}

int spot_text(const struct reader *reader, const struct spot *spot, const char **text)
{
	size_t len;

	if (spot_is(reader, spot, JSON_STRING) < 0)
		return -EINVAL;
	len = strlen(spot->value->text);
	if (len > KEYS_TEXT_MAX)
		return spot_fail(reader, spot, "is longer than %d bytes", KEYS_TEXT_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)spot->value->text[i] < 0x20 || spot->value->text[i] == 0x7f)
			return spot_fail(reader, spot, "has a control character in it");
	*text = spot->value->text;
	return 0;
}

int spot_list(const struct reader *reader, const struct spot *spot, enum json_type type)
{
	if (spot_is(reader, spot, type) < 0)
		return -EINVAL;
	if (spot->value->count > KEYS_LIST_MAX)
		return spot_fail(reader, spot, "has more than %d entries", KEYS_LIST_MAX);
	return 0;
}

int spot_each(const struct reader *reader, const struct spot *spot, enum json_type type,
	      int (*read)(const struct reader *reader, const struct spot *item))
{
	int r = 0;

	if (spot_list(reader, spot, type) < 0)
		return -EINVAL;
	for (size_t i = 0; i < spot->value->count; i++) {
		struct spot item = type == JSON_ARRAY ? spot_item(spot, i) : spot_member(spot, i);
		int failed = read(reader, &item);

		r = failed ? failed : r;
		if (failed && !reader->all)
			break;
	}
	return r;
}

int spot_word(const struct reader *reader, const struct spot *spot, const char *const *words, size_t *index)
{
	cleanup_buf struct buf list = BUF_INIT;
	const char *text;

	if (spot_text(reader, spot, &text) < 0)
		return -EINVAL;
	for (size_t i = 0; words[i]; i++) {
		if (!strcmp(words[i], text)) {
			*index = i;
			return 0;
		}
		buf_printf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
	}
	return spot_fail(reader, spot, "'%s' is none of %s", text, list.data);
}

struct quantity {
	int (*parse)(const char *text, uint64_t *value);
	void (*print)(struct buf *buf, uint64_t value);
	const char *form;	/* of a text */
	bool number;		/* a JSON number is a form too */
};

static int count_parse(const char *text, uint64_t *value)
{
	(void)value;
	return strcmp(text, "unlimited") ? -EINVAL : bytes_parse(text, value);
}

static void count_print(struct buf *buf, uint64_t value)
{
	buf_printf(buf, "%llu", (unsigned long long)value);
}

static const struct quantity quantities[] = {
	[KEY_BYTES] = { bytes_parse, bytes_print, "a size: bytes, or like \"512M\" (K M G T)", true },
	[KEY_RATE] = { rate_parse, rate_print, "a rate like \"50M/s\"", false },
	[KEY_DURATION] = { duration_parse, duration_print, "a time like \"90s\" (ms s m h d)", false },
	[KEY_COUNT] = { count_parse, count_print, "a whole number", true },
	[KEY_CPUS] = { cpus_parse, cpus_print, "a number of CPUs like 1.5 (at most three decimals)", true },
};

static int read_number(const struct spot *spot, const struct key *key, uint64_t *value)
{
	if (key->kind == KEY_CPUS)
		return cpus_parse(spot->value->text, value);
	return json_uint(spot->value, value) && *value <= INT64_MAX ? 0 : -EINVAL;
}

int spot_quantity(const struct reader *reader, const struct spot *spot, const struct key *key, uint64_t *value)
{
	const struct quantity *quantity = &quantities[key->kind];
	cleanup_buf struct buf least = BUF_INIT, most = BUF_INIT;
	const char *or_unlimited = key->unlimited ? ", or \"unlimited\"" : "";
	uint64_t read = 0;
	int r = -EINVAL;

	if (!spot->value)
		return spot_is(reader, spot, JSON_STRING);
	if (spot->value->type == JSON_STRING)
		r = quantity->parse(spot->value->text, &read);
	else if (spot->value->type == JSON_NUMBER && quantity->number)
		r = read_number(spot, key, &read);
	if (r == -EINVAL)
		return spot_fail(reader, spot, "must be %s%s", quantity->form, or_unlimited);
	if (!r && (read == LIMIT_UNLIMITED ? key->unlimited : read >= key->least && read <= key->most)) {
		*value = read;
		return 0;
	}
	quantity->print(&least, key->least);
	quantity->print(&most, key->most);
	return spot_fail(reader, spot, "must be from %s to %s%s", least.data, most.data, or_unlimited);
}

int spot_only(const struct reader *reader, const struct spot *object, const char *const *names)
{
	if (spot_is(reader, object, JSON_OBJECT) < 0)
		return -EINVAL;
	for (size_t i = 0; i < object->value->count; i++) {
		struct spot spot = spot_member(object, i);
		bool known = false;

		for (size_t n = 0; names[n]; n++)
			known = known || !strcmp(names[n], spot.name);
		if (!known)
			return spot_fail(reader, &spot, "unknown key '%s': the nearest known one is '%s'", spot.name,
					 nearest_word(spot.name, names));
	}
	return 0;
}

#define WORD_MAX 64

/* Levenshtein, one row at a time; what is behind WORD_MAX counts as different. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b), far = 0;

	if (a_len > WORD_MAX)
		far = a_len - WORD_MAX;
	a_len = a_len > WORD_MAX ? WORD_MAX : a_len;
	for (size_t i = 0; i <= a_len; i++)
		row[i] = i;
	for (size_t j = 1; j <= b_len; j++) {
		size_t diagonal = row[0];

		row[0] = j;
		for (size_t i = 1; i <= a_len; i++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[i];
			best = row[i] + 1 < best ? row[i] + 1 : best;
			row[i] = row[i - 1] + 1 < best ? row[i - 1] + 1 : best;
		}
	}
	return row[a_len] + far;
}

/* A word cut short, or one with something behind it, is near. */
static bool begins_alike(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t len = a_len < b_len ? a_len : b_len;

	return len >= 4 && !strncmp(a, b, len);
}

const char *nearest_word(const char *text, const char *const *words)
{
	const char *nearest = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; words[i]; i++) {
		size_t distance = begins_alike(text, words[i]) ? 1 : edit_distance(text, words[i]);

		if (distance < least) {
			least = distance;
			nearest = words[i];
		}
	}
	return nearest;
}
