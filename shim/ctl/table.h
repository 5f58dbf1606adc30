/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Aligned text tables for people. Everything in a cell is escaped for a terminal; tones become colours on a terminal only. */
#ifndef QUOD_CTL_TABLE_H
#define QUOD_CTL_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "shim/base/buf.h"

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_DOUBT, TONE_HEAD };

struct cell {
	char *text;	/* escaped */
	enum tone tone;
};

struct table {
	struct cell *cells;
	size_t count, columns;
};

/* `heads` is NULL-terminated and says how many columns there are; "" where a column has none. */
void table_init(struct table *table, const char *const *heads);
void table_add(struct table *table, enum tone tone, const char *text);	/* the next cell, row by row */
void table_addf(struct table *table, enum tone tone, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(const struct table *table, FILE *to);
void table_release(struct table *table);

/* Colours are wanted: a terminal, no NO_COLOR. */
bool tone_is_shown(FILE *to);
const char *tone_begin(enum tone tone);
const char *tone_end(enum tone tone);

#endif
