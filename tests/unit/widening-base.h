/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of widening.h share: the two documents, and the list of complaints. */
#ifndef QUOD_TESTS_UNIT_WIDENING_BASE_H
#define QUOD_TESTS_UNIT_WIDENING_BASE_H

#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"
#include "shim/policy/plan.h"

struct widening {
	const struct profile *profile;
	const struct facts *facts;
	const struct json *given, *planned;
	struct buf found;
};

static inline void __attribute__((format(printf, 2, 3))) complain(struct widening *w, const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(&w->found, "%s%s", w->found.len ? "; " : "", text);
}

static inline const struct json *in_given(const struct widening *w, const char *pointer)
{
	return pointer_find(w->given, pointer);
}

static inline const struct json *in_planned(const struct widening *w, const char *pointer)
{
	return pointer_find(w->planned, pointer);
}

static inline size_t length(const struct json *list)
{
	return json_is(list, JSON_ARRAY) ? list->count : 0;
}

static inline const char *text_at(const struct json *list, size_t i)
{
	const char *text = json_string(json_item(list, i));

	return text ? text : "";
}

static inline bool list_holds(const struct json *list, const char *text)
{
	for (size_t i = 0; i < length(list); i++)
		if (list->items[i]->type == JSON_STRING && !strcmp(list->items[i]->text, text))
			return true;
	return false;
}

/* A positive bound, or UINT64_MAX where a runtime would take it for none. */
static inline uint64_t positive(const struct json *node)
{
	int64_t value;

	return json_int(node, &value) && value > 0 ? (uint64_t)value : UINT64_MAX;
}

#endif
