/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON pointer: see pointer.h. A malformed one names nothing; it is never taken for a similar one. */
#include "oci/pointer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One token, unescaped, and what is behind it; false for a lone ~ or an unknown escape. */
static bool next_token(const char **at, struct buf *token)
{
	const char *text = *at + 1;

	token->len = 0;
	buf_puts(token, "");
	for (; *text && *text != '/'; text++) {
		if (*text != '~') {
			buf_putc(token, *text);
			continue;
		}
		text++;
		if (*text != '0' && *text != '1')
			return false;
		buf_putc(token, *text == '0' ? '~' : '/');
	}
	*at = text;
	return true;
}

bool pointer_parse_index(const char *token, size_t *index)
{
	if (!*token || token[strspn(token, "0123456789")] || (token[0] == '0' && token[1]) || strlen(token) > 18)
		return false;
	*index = strtoull(token, NULL, 10);
	return true;
}

bool pointer_split(const char *pointer, struct buf *parent, struct buf *token)
{
	const char *last = strrchr(pointer, '/'), *at = last;

	if (!last || pointer[0] != '/')
		return false;
	parent->len = 0;
	buf_put(parent, pointer, (size_t)(last - pointer));
	return next_token(&at, token);
}

struct json *pointer_find(const struct json *root, const char *pointer)
{
	cleanup_buf struct buf token = BUF_INIT;
	struct json *node = (struct json *)root;
	size_t index = 0;

	while (node && *pointer) {
		if (*pointer != '/' || !next_token(&pointer, &token))
			return NULL;
		if (json_is(node, JSON_ARRAY))
			node = pointer_parse_index(token.data, &index) ? json_item(node, index) : NULL;
		else
			node = json_get(node, token.data);
	}
	return node;
}

void pointer_put_name(struct buf *buf, const char *name)
{
	buf_putc(buf, '/');
	for (; *name; name++) {
		if (*name == '~')
			buf_puts(buf, "~0");
		else if (*name == '/')
			buf_puts(buf, "~1");
		else
			buf_putc(buf, *name);
	}
}

void pointer_put_index(struct buf *buf, size_t index)
{
	buf_putc(buf, '/');
	buf_put_uint(buf, index);
}
