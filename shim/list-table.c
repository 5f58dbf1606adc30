/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table that `list` prints: see list-table.h. runc's and crun's: id first, BUNDLE, then CREATED, which is a time. */
#include "shim/list-table.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

#define GAP 3

struct row {
	const char *line;
	size_t front;		/* bytes in front of the bundle; 0: a line of another form, left as it is */
	char *bundle;		/* what is to stand there */
	const char *rest;	/* from CREATED on */
};

static bool is_time(const char *text)
{
	static const char form[] = "dddd-dd-ddT";

	for (size_t i = 0; form[i]; i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
			return false;
	}
	return true;
}

static char *trimmed(const char *begin, const char *end)
{
	while (end > begin && end[-1] == ' ')
		end--;
	return alloc_printf("%.*s", (int)(end - begin), begin);
}

/* True when the bundle is another one now. */
static bool read_row(struct row *row, size_t front, char *(*bundle_of)(const char *id, void *data), void *data)
{
	cleanup_free char *id = NULL;
	const char *at;

	if (strlen(row->line) <= front || front == 0 || row->line[front - 1] != ' ')
		return false;
	for (at = row->line + front; *at; at++) {
		if (at[-1] == ' ' && is_time(at))
			break;
	}
	if (!*at)
		return false;
	id = alloc_printf("%.*s", (int)strcspn(row->line, " "), row->line);
	row->front = front;
	row->rest = at;
	row->bundle = bundle_of(id, data);
	if (row->bundle)
		return true;
	row->bundle = trimmed(row->line + front, at);
	return false;
}

static void print_row(struct buf *buf, const struct row *row, size_t width)
{
	if (!row->front) {
		buf_puts(buf, row->line);
		return;
	}
	buf_put(buf, row->line, row->front);
	buf_printf(buf, "%-*s%s", (int)width, row->bundle, row->rest);
}

void list_table_print(struct buf *buf, const char *table, char *(*bundle_of)(const char *id, void *data), void *data)
{
	cleanup_free char *copy = alloc_copy(table);
	struct row *rows = NULL;
	size_t count = 0, width = 0, front = 0;
	bool changed = false;

	for (char *at = copy, *line; (line = strsep(&at, "\n"));) {
		struct row *row;

		rows = alloc_grow(rows, count + 1, sizeof(*rows));
		row = &rows[count++];
		*row = (struct row){ .line = line };
		if (count == 1) {
			const char *bundle = strstr(line, "BUNDLE"), *created = bundle ? strstr(bundle, "CREATED") : NULL;

			if (!created)
				continue;
			front = row->front = (size_t)(bundle - line);
			row->bundle = trimmed(bundle, created);
			row->rest = created;
		} else {
			changed = read_row(row, front, bundle_of, data) || changed;
		}
		if (row->bundle && strlen(row->bundle) + GAP > width)
			width = strlen(row->bundle) + GAP;
	}
	if (!changed)
		buf_puts(buf, table);
	for (size_t i = 0; i < count; i++) {
		if (changed)
			print_row(buf, &rows[i], width);
		if (changed && i + 1 < count)
			buf_putc(buf, '\n');
		free(rows[i].bundle);
	}
	free(rows);
}
