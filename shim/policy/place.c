/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places: see place.h. Knows nothing of what is written there; an object is only ever made where there is none, or it would
 * wipe out what another planner has put into it.
 */
#include "shim/policy/place.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"

struct place place_first(struct plan *plan, const char *pointer, const struct json *node)
{
	return (struct place){ .plan = plan, .name = pointer, .node = node };
}

struct place place_member(const struct place *parent, const char *name)
{
	return (struct place){ .plan = parent->plan, .parent = parent, .name = name, .node = json_get(parent->node, name) };
}

void place_print(struct buf *buf, const struct place *place)
{
	if (!place->parent) {
		buf_puts(buf, place->name);
		return;
	}
	place_print(buf, place->parent);
	pointer_put_name(buf, place->name);
}

/* Without a name the place's own. */
static void print_member(struct buf *buf, const struct place *place, const char *name)
{
	place_print(buf, place);
	if (name)
		pointer_put_name(buf, name);
}

static bool is_made(const struct plan *plan, const char *pointer)
{
	for (size_t i = 0; i < plan->edits.count; i++)
		if (plan->edits.items[i].op == OCI_EDIT_ADD && !strcmp(plan->edits.items[i].path, pointer))
			return true;
	return false;
}

static void make_object(const struct place *place, const char *reason)
{
	cleanup_buf struct buf pointer = BUF_INIT;

	if (json_is(place->node, JSON_OBJECT))
		return;
	place_print(&pointer, place);
	if (!pointer.len || is_made(place->plan, pointer.data))
		return;
	if (place->parent)
		make_object(place->parent, reason);
	oci_edits_add(&place->plan->edits, OCI_EDIT_ADD, reason, json_make_object(place->plan->edits.tree), "%s", pointer.data);
}

void place_set(const struct place *place, const char *reason, const char *name, const struct json *value)
{
	const struct json *old = json_get(place->node, name);
	cleanup_buf struct buf pointer = BUF_INIT;

	if (old && json_equal(old, value))
		return;
	make_object(place, reason);
	print_member(&pointer, place, name);
	oci_edits_add(&place->plan->edits, old ? OCI_EDIT_REPLACE : OCI_EDIT_ADD, reason, value, "%s", pointer.data);
}

void place_set_uint(const struct place *place, const char *reason, const char *name, uint64_t value)
{
	place_set(place, reason, name, json_make_uint(place->plan->edits.tree, value));
}

void place_unset(const struct place *place, const char *reason, const char *name)
{
	cleanup_buf struct buf pointer = BUF_INIT;

	if (!json_get(place->node, name))
		return;
	print_member(&pointer, place, name);
	oci_edits_add(&place->plan->edits, OCI_EDIT_REMOVE, reason, NULL, "%s", pointer.data);
}

void place_set_array(const struct place *place, const char *reason, const struct json *wanted)
{
	if (!place->node && !wanted->count)
		return;
	place_set(place->parent, reason, place->name, wanted);
}

/* `text` is used up. */
static void say(const struct place *place, void (*to)(struct plan *plan, const char *key, const char *pointer, const char *text),
		const char *key, const char *name, char *text)
{
	cleanup_buf struct buf pointer = BUF_INIT;

	print_member(&pointer, place, name);
	to(place->plan, key, pointer.len ? pointer.data : "", text);
	free(text);
}

static void refuse(struct plan *plan, const char *key, const char *pointer, const char *text)
{
	plan_refuse(plan, key, pointer, "%s", text);
}

void place_refuse(const struct place *place, const char *key, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(place, refuse, key, name, alloc_vprintf(format, args));
	va_end(args);
}

void place_tell_lowered(const struct place *place, const char *key, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(place, plan_tell_lowered, key, name, alloc_vprintf(format, args));
	va_end(args);
}
