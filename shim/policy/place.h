/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in the document that a planner looks at and may change: what stands there, and the edit that makes it what it has
 * to be. An edit is made only where something changes, so a document that was planned once needs no second edit. Pure.
 */
#ifndef QUOD_POLICY_PLACE_H
#define QUOD_POLICY_PLACE_H

#include "shim/policy/plan.h"

struct place {
	struct plan *plan;
	const struct place *parent;	/* NULL for the first */
	const char *name;		/* of this member; for the first, its pointer: "/linux", "" for the document */
	const struct json *node;	/* what stands there, NULL for nothing */
};

struct place place_first(struct plan *plan, const char *pointer, const struct json *node);

/* The member `name` of an object. `parent` is kept, not copied: it must live as long. */
struct place place_member(const struct place *parent, const char *name);

void place_print(struct buf *buf, const struct place *place);	/* its JSON pointer */

/* Sets a member of the object at `place`; makes that object, and those above it, where the document has none. A member that
 * is equal already is left alone. */
void place_set(const struct place *place, const char *reason, const char *name, const struct json *value);
void place_set_uint(const struct place *place, const char *reason, const char *name, uint64_t value);

/* Removes a member, if there is one. */
void place_unset(const struct place *place, const char *reason, const char *name);

/* Makes the array at `place` what `wanted` is: replaced as a whole, made where there is none. */
void place_set_array(const struct place *place, const char *reason, const struct json *wanted);

/* A refusal that names the member `name` of `place`; NULL: the place itself. */
void place_refuse(const struct place *place, const char *key, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A wish that the edits have brought down: the member `name` of `place`, and what it was. */
void place_tell_lowered(const struct place *place, const char *key, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
