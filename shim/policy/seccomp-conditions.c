/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The algebra of seccomp conditions: see seccomp-conditions.h. What it can't say exactly it doesn't say: an answer that is
 * not certain is MEET_UNKNOWN or "not disjoint", and the caller refuses.
 */
#include "shim/policy/seccomp-conditions.h"

#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

static const char *const op_names[] = {
	[SECCOMP_EQ] = "SCMP_CMP_EQ", [SECCOMP_NE] = "SCMP_CMP_NE", [SECCOMP_LT] = "SCMP_CMP_LT",
	[SECCOMP_LE] = "SCMP_CMP_LE", [SECCOMP_GE] = "SCMP_CMP_GE", [SECCOMP_GT] = "SCMP_CMP_GT",
	[SECCOMP_MASKED] = "SCMP_CMP_MASKED_EQ",
};

void alternatives_add(struct alternatives *list, const struct conditions *conditions)
{
	list->items = alloc_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = *conditions;
}

void alternatives_add_one(struct alternatives *list, unsigned arg, enum seccomp_op op, uint64_t value, uint64_t datum)
{
	struct conditions conditions = { .count = 1 };

	conditions.items[0] = (struct condition){ arg, op, value, datum };
	alternatives_add(list, &conditions);
}

void alternatives_free(struct alternatives *list)
{
	free(list->items);
	*list = (struct alternatives){ NULL, 0 };
}

/* The values that begin with the top bits of `prefix`: none of the given among them, and all of them are meant. */
static void add_others_below(struct alternatives *list, unsigned arg, const uint32_t *values, size_t count, uint32_t prefix,
			     unsigned bits)
{
	uint32_t mask = bits ? ~(uint32_t)0 << (32 - bits) : 0;
	bool is_hit = false;

	for (size_t i = 0; i < count; i++)
		is_hit = is_hit || (values[i] & mask) == prefix;
	if (!is_hit) {
		alternatives_add_one(list, arg, SECCOMP_MASKED, mask, prefix);
	} else if (bits < 32) {
		add_others_below(list, arg, values, count, prefix | (uint32_t)1 << (31 - bits), bits + 1);
		add_others_below(list, arg, values, count, prefix, bits + 1);
	}
}

void alternatives_add_others(struct alternatives *list, unsigned arg, const uint32_t *values, size_t count)
{
	add_others_below(list, arg, values, count, 0, 0);
}

static bool holds_for(const struct condition *condition, uint64_t value)
{
	switch (condition->op) {
	case SECCOMP_EQ:
		return value == condition->value;
	case SECCOMP_NE:
		return value != condition->value;
	case SECCOMP_LT:
		return value < condition->value;
	case SECCOMP_LE:
		return value <= condition->value;
	case SECCOMP_GE:
		return value >= condition->value;
	case SECCOMP_GT:
		return value > condition->value;
	case SECCOMP_MASKED:
		return (value & condition->value) == condition->datum;
	}
	return false;
}

static bool condition_equals(const struct condition *a, const struct condition *b)
{
	return a->arg == b->arg && a->op == b->op && a->value == b->value && a->datum == b->datum;
}

static enum meeting meet_one(const struct condition *a, const struct condition *b, struct condition *both)
{
	if (b->op == SECCOMP_EQ || (b->op == SECCOMP_MASKED && a->op != SECCOMP_EQ)) {
		const struct condition *swapped = a;

		a = b;
		b = swapped;
	}
	*both = *a;
	if (condition_equals(a, b))
		return MEET_SOME;
	if (a->op == SECCOMP_EQ)
		return holds_for(b, a->value) ? MEET_SOME : MEET_NONE;
	if (a->op == SECCOMP_MASKED && b->op == SECCOMP_MASKED) {
		if ((a->value & b->value & (a->datum ^ b->datum)) != 0)
			return MEET_NONE;
		both->value |= b->value;
		both->datum |= b->datum;
		return MEET_SOME;
	}
	if (a->op == SECCOMP_MASKED && b->op == SECCOMP_NE && !holds_for(a, b->value))
		return MEET_SOME;
	return MEET_UNKNOWN;
}

static const struct condition *find_argument(const struct conditions *conditions, unsigned arg)
{
	for (size_t i = 0; i < conditions->count; i++)
		if (conditions->items[i].arg == arg)
			return &conditions->items[i];
	return NULL;
}

enum meeting conditions_meet(const struct conditions *a, const struct conditions *b, struct conditions *both)
{
	bool is_unknown = false;

	both->count = 0;
	for (unsigned arg = 0; arg < SECCOMP_ARGS; arg++) {
		const struct condition *of_a = find_argument(a, arg), *of_b = find_argument(b, arg);
		enum meeting meeting = MEET_SOME;

		if (!of_a && !of_b)
			continue;
		if (of_a && of_b)
			meeting = meet_one(of_a, of_b, &both->items[both->count]);
		else
			both->items[both->count] = of_a ? *of_a : *of_b;
		if (meeting == MEET_NONE)
			return MEET_NONE;
		is_unknown = is_unknown || meeting == MEET_UNKNOWN;
		both->count++;
	}
	return is_unknown ? MEET_UNKNOWN : MEET_SOME;
}

bool conditions_are_disjoint(const struct conditions *a, const struct conditions *b)
{
	struct conditions both;

	return conditions_meet(a, b, &both) == MEET_NONE;
}

bool conditions_cover(const struct conditions *wide, const struct conditions *narrow)
{
	for (size_t i = 0; i < wide->count; i++) {
		const struct condition *of_narrow = find_argument(narrow, wide->items[i].arg);

		if (!of_narrow || !condition_equals(of_narrow, &wide->items[i]))
			return false;
	}
	return true;
}

static bool read_op(const char *text, enum seccomp_op *op)
{
	for (size_t i = 0; text && i < ARRAY_SIZE(op_names); i++)
		if (!strcmp(op_names[i], text)) {
			*op = (enum seccomp_op)i;
			return true;
		}
	return false;
}

bool conditions_read(const struct json *args, struct conditions *conditions)
{
	conditions->count = 0;
	if (!args || json_is(args, JSON_NULL))
		return true;
	for (size_t i = 0; i < args->count; i++) {
		struct condition condition = { 0 };
		const struct json *datum = json_get(json_item(args, i), "valueTwo");
		uint64_t arg;

		if (!json_uint(json_get(json_item(args, i), "index"), &arg) || arg >= SECCOMP_ARGS ||
		    !json_uint(json_get(args->items[i], "value"), &condition.value) ||
		    !read_op(json_string(json_get(args->items[i], "op")), &condition.op) ||
		    (datum && !json_is(datum, JSON_NULL) && !json_uint(datum, &condition.datum)))
			return false;
		condition.arg = (unsigned)arg;
		/* libseccomp takes the bits outside of the mask for none, too */
		condition.datum &= condition.op == SECCOMP_MASKED ? condition.value : 0;
		if (find_argument(conditions, condition.arg))
			return false;
		conditions->items[conditions->count++] = condition;
	}
	return json_is(args, JSON_ARRAY);
}

struct json *conditions_make(const struct conditions *conditions, struct json_tree *tree)
{
	struct json *args = json_make_array(tree);

	for (size_t i = 0; i < conditions->count; i++) {
		const struct condition *condition = &conditions->items[i];
		struct json *object = json_make_object(tree);

		json_set(tree, object, "index", json_make_uint(tree, condition->arg));
		json_set(tree, object, "value", json_make_uint(tree, condition->value));
		if (condition->op == SECCOMP_MASKED)
			json_set(tree, object, "valueTwo", json_make_uint(tree, condition->datum));
		json_set(tree, object, "op", json_make_string(tree, op_names[condition->op]));
		json_append(tree, args, object);
	}
	return args;
}
