/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables for people: see table.h. A cell's width is counted in code points of its escaped text. */
#include "shim/ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

static const char *const colours[] = {
	[TONE_PLAIN] = "", [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m", [TONE_DOUBT] = "\033[33m", [TONE_HEAD] = "\033[1m",
};

bool tone_is_shown(FILE *to)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(to)) && !(no_colour && no_colour[0]) && !(term && !strcmp(term, "dumb"));
}

const char *tone_begin(enum tone tone)
{
	return colours[tone];
}

const char *tone_end(enum tone tone)
{
	return tone == TONE_PLAIN ? "" : "\033[0m";
}

void table_init(struct table *table, const char *const *heads)
{
	*table = (struct table){ NULL, 0, 0 };
	while (heads[table->columns])
		table->columns++;
	for (size_t i = 0; i < table->columns; i++)
		table_add(table, TONE_HEAD, heads[i]);
}

void table_add(struct table *table, enum tone tone, const char *text)
{
	struct buf buf = BUF_INIT;

	buf_put_plain(&buf, text);
	table->cells = alloc_grow(table->cells, table->count + 1, sizeof(*table->cells));
	table->cells[table->count].tone = tone;
	table->cells[table->count++].text = buf_steal(&buf);
}

void table_addf(struct table *table, enum tone tone, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	table_add(table, tone, text);
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void print_cell(const struct cell *cell, size_t pad, FILE *to)
{
	bool coloured = cell->tone != TONE_PLAIN && cell->text[0] && tone_is_shown(to);

	fprintf(to, "%s%s%s%*s", coloured ? tone_begin(cell->tone) : "", cell->text, coloured ? tone_end(cell->tone) : "",
		(int)pad, "");
}

/* No spaces at the end of a line. */
void table_print(const struct table *table, FILE *to)
{
	cleanup_free size_t *widths = alloc_zeroed(table->columns, sizeof(*widths));

	for (size_t i = 0; i < table->count; i++) {
		size_t width = width_of(table->cells[i].text);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t row = 0; row + table->columns <= table->count; row += table->columns) {
		size_t last = table->columns - 1;

		while (last && !table->cells[row + last].text[0])
			last--;
		for (size_t i = 0; i <= last; i++) {
			const struct cell *cell = &table->cells[row + i];

			print_cell(cell, i < last ? widths[i] - width_of(cell->text) + 2 : 0, to);
		}
		fputc('\n', to);
	}
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (struct table){ NULL, 0, 0 };
}
