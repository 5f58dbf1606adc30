/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conditions on the arguments of a system call, as seccomp rules have them (OCI runtime spec, "Seccomp"): one rule's
 * conditions hold together, several rules of a call are alternatives. Pure.
 */
#ifndef QUOD_POLICY_SECCOMP_CONDITIONS_H
#define QUOD_POLICY_SECCOMP_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci/json.h"

#define SECCOMP_ARGS 6

enum seccomp_op { SECCOMP_EQ, SECCOMP_NE, SECCOMP_LT, SECCOMP_LE, SECCOMP_GE, SECCOMP_GT, SECCOMP_MASKED };

struct condition {
	unsigned arg;
	enum seccomp_op op;
	uint64_t value;		/* SECCOMP_MASKED: the mask */
	uint64_t datum;		/* SECCOMP_MASKED: what is left under the mask; else 0 */
};

/* At most one condition per argument; none: always. */
struct conditions {
	struct condition items[SECCOMP_ARGS];
	size_t count;
};

/* Alternatives. */
struct alternatives {
	struct conditions *items;
	size_t count;
};

void alternatives_add(struct alternatives *list, const struct conditions *conditions);
void alternatives_add_one(struct alternatives *list, unsigned arg, enum seccomp_op op, uint64_t value, uint64_t datum);
void alternatives_free(struct alternatives *list);

/* All 32-bit values of an argument but the given ones, as masked comparisons: the kernel looks at the low half only. */
void alternatives_add_others(struct alternatives *list, unsigned arg, const uint32_t *values, size_t count);

enum meeting { MEET_SOME, MEET_NONE, MEET_UNKNOWN };

/* Both hold. MEET_NONE: never; MEET_UNKNOWN: can't be said in one rule. */
enum meeting conditions_meet(const struct conditions *a, const struct conditions *b, struct conditions *both);

/* True only when it is certain that they never hold together. */
bool conditions_are_disjoint(const struct conditions *a, const struct conditions *b);

/* `wide` holds wherever `narrow` does, by having no condition that the other lacks. */
bool conditions_cover(const struct conditions *wide, const struct conditions *narrow);

/* Reads a rule's "args" (NULL, null and [] are no condition). False when it isn't understood, or names an argument twice,
 * which the runtimes take for alternatives. */
bool conditions_read(const struct json *args, struct conditions *conditions);
struct json *conditions_make(const struct conditions *conditions, struct json_tree *tree);

#endif
