/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block in somebody else's file: see setup-block.h. One line end in front belongs to it: an empty line, or the one that the
 * file's last line lacked. */
#include "shim/ctl/setup-block.h"

#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"

/* The line that is just this, from `from` on; len when there is none. */
static size_t find_line(const char *text, size_t len, const char *line, size_t from)
{
	size_t line_len = strlen(line);

	for (size_t at = from; at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		size_t end = newline ? (size_t)(newline - text) : len, stop = end;

		stop -= stop > at && text[stop - 1] == '\r';
		if (stop - at == line_len && !memcmp(text + at, line, line_len))
			return at;
		at = end + 1;
	}
	return len;
}

int block_find(const char *text, size_t len, size_t *begin, size_t *end, struct err *err)
{
	size_t first = find_line(text, len, BLOCK_BEGIN, 0), last = find_line(text, len, BLOCK_END, 0);
	const char *newline;

	if (first == len && last == len)
		return 0;
	if (first >= last || find_line(text, len, BLOCK_BEGIN, first + 1) != len || find_line(text, len, BLOCK_END, last + 1) != len)
		return err_set(err, EINVAL, "the comments \"" BLOCK_BEGIN "\" and \"" BLOCK_END "\" must be there once, in this order");
	newline = memchr(text + last, '\n', len - last);
	*end = newline ? (size_t)(newline - text) + 1 : len;
	*begin = first;
	if (*begin && text[*begin - 1] == '\n')
		--*begin;
	if (*begin && *begin < first && text[*begin - 1] == '\r')
		--*begin;
	return 1;
}

int block_cut(struct buf *text, struct err *err)
{
	cleanup_buf struct buf made = BUF_INIT;
	size_t begin, end;
	int r = text->len ? block_find(text->data, text->len, &begin, &end, err) : 0;

	if (r <= 0)
		return r;
	buf_put(&made, text->data, begin);
	/* what somebody put behind it stays on lines of its own */
	if (end < text->len && begin && text->data[begin - 1] != '\n')
		buf_puts(&made, strchr(text->data, '\r') ? "\r\n" : "\n");
	buf_put(&made, text->data + end, text->len - end);
	buf_free(text);
	*text = made;
	made = (struct buf)BUF_INIT;
	if (!text->data)
		buf_puts(text, "");
	return 1;
}

void block_put(struct buf *text, const char *lines)
{
	const char *first = text->len ? memchr(text->data, '\n', text->len) : NULL;
	bool is_crlf = first && first > text->data && first[-1] == '\r';
	cleanup_free char *whole = alloc_printf("%s" BLOCK_BEGIN "\n%s" BLOCK_END "\n", text->len ? "\n" : "", lines);

	for (const char *at = whole; *at; at++) {
		if (*at == '\n' && is_crlf)
			buf_putc(text, '\r');
		buf_putc(text, *at);
	}
}
