/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing byte buffer and its escapes: see buf.h. What comes from a container is printed through here, never raw. */
#include "shim/base/buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((noreturn)) alloc_fail(void)
{
	static const char text[] = "quod: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

void *alloc_zeroed(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		alloc_fail();
	return memory;
}

void *alloc_grow(void *old, size_t count, size_t size)
{
	void *memory = reallocarray(old, count ? count : 1, size ? size : 1);

	if (!memory)
		alloc_fail();
	return memory;
}

char *alloc_copy(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		alloc_fail();
	return copy;
}

char *alloc_vprintf(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		alloc_fail();
	return text;
}

char *alloc_printf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	return text;
}

void buf_free(struct buf *buf)
{
	if (!buf->is_fixed)
		free(buf->data);
	*buf = (struct buf)BUF_INIT;
}

static bool buf_reserve(struct buf *buf, size_t more)
{
	size_t need = buf->len + more + 1, room = buf->room ? buf->room : 64;

	if (buf->is_fixed) {
		buf->is_cut |= need < more || need > buf->room;
		return !buf->is_cut;
	}
	if (need < more)
		alloc_fail();
	if (need <= buf->room)
		return true;
	while (room < need)
		room = room * 2 > room ? room * 2 : need;
	buf->data = alloc_grow(buf->data, room, 1);
	buf->room = room;
	return true;
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_put(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
	buf_put(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	size_t room = buf->is_cut ? 0 : buf->room - buf->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(room ? buf->data + buf->len : NULL, room, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len >= room) {
		if (room)
			buf->data[buf->len] = '\0';
		if (!buf_reserve(buf, (size_t)len))
			return;
		va_start(args, format);
		len = vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
		va_end(args);
	}
	buf->len += len > 0 ? (size_t)len : 0;
}

void buf_put_uint(struct buf *buf, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	buf_put(buf, digits + at, sizeof(digits) - at);
}

/* Bytes of the UTF-8 sequence at `at` and its code point; 0 when it is none (overlong, surrogate, cut). */
static size_t utf8_next(const unsigned char *at, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;

	if (!len)
		return 0;
	*point = len == 1 ? at[0] : at[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (at[i] & 0x3f);
	}
	if (*point < least[len] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return len;
}

/* What a terminal or a careless reader could take for something else than text. */
static bool must_escape(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x2028 || point == 0x2029 ||
	       (point >= 0x200e && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void buf_put_json(struct buf *buf, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	buf_putc(buf, '"');
	while (*at) {
		uint32_t point = 0;
		size_t len = utf8_next(at, &point);

		if (!len)
			buf_puts(buf, "\xef\xbf\xbd");
		else if (point == '"' || point == '\\')
			buf_put(buf, (char[]){ '\\', (char)point }, 2);
		else if (point == '\n')
			buf_puts(buf, "\\n");
		else if (must_escape(point))
			buf_printf(buf, "\\u%04x", point);
		else
			buf_put(buf, at, len);
		at += len ? len : 1;
	}
	buf_putc(buf, '"');
}

void buf_put_plain(struct buf *buf, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		uint32_t point = 0;
		size_t len = utf8_next(at, &point);

		if (!len || (point < 0x80 && must_escape(point)))
			buf_printf(buf, "\\x%02x", *at);
		else if (must_escape(point))
			buf_printf(buf, "\\u%04x", point);
		else
			buf_put(buf, at, len);
		at += len ? len : 1;
	}
}

char *buf_steal(struct buf *buf)
{
	char *data;

	buf_reserve(buf, 0);
	buf->data[buf->len] = '\0';
	data = buf->data;
	*buf = (struct buf)BUF_INIT;
	return data;
}
