/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of widening.h: seccomp. Both filters are asked the same questions, system call by system call, with the arguments at which
 * a condition of either could tip over: what the input denies, the result denies.
 */
#ifndef QUOD_TESTS_UNIT_WIDENING_SECCOMP_H
#define QUOD_TESTS_UNIT_WIDENING_SECCOMP_H

#include "tests/unit/widening-base.h"

#define CALL_ARGS 6
#define CALL_RULES_MAX 256
#define CALL_CONDITIONS_MAX 8
#define CALL_VALUES_MAX 40

enum call_op { CALL_NEVER, CALL_NE, CALL_LT, CALL_LE, CALL_EQ, CALL_GE, CALL_GT, CALL_MASKED_EQ };

struct call_condition {
	enum call_op op;
	uint64_t index, value, datum;
};

struct call_rule {
	bool allows;
	size_t count;
	struct call_condition conditions[CALL_CONDITIONS_MAX];
};

/* The rules of one filter that name one call. */
struct call_rules {
	bool default_allows, is_cut;
	struct call_rule rules[CALL_RULES_MAX];
	size_t count;
};

static inline bool action_allows(const struct json *action)
{
	const char *text = json_string(action);

	return text && (!strcmp(text, "SCMP_ACT_ALLOW") || !strcmp(text, "SCMP_ACT_LOG"));
}

static inline enum call_op call_op_of(const struct json *node)
{
	static const char *const names[] = { [CALL_NE] = "SCMP_CMP_NE", [CALL_LT] = "SCMP_CMP_LT", [CALL_LE] = "SCMP_CMP_LE",
					     [CALL_EQ] = "SCMP_CMP_EQ", [CALL_GE] = "SCMP_CMP_GE", [CALL_GT] = "SCMP_CMP_GT",
					     [CALL_MASKED_EQ] = "SCMP_CMP_MASKED_EQ" };
	const char *text = json_string(node);

	for (size_t i = CALL_NE; text && i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i]))
			return (enum call_op)i;
	return CALL_NEVER;
}

static inline void read_call_rule(const struct json *node, struct call_rules *call)
{
	const struct json *conditions = json_get(node, "args");
	struct call_rule *rule = &call->rules[call->count];

	call->is_cut = call->is_cut || call->count == CALL_RULES_MAX || length(conditions) > CALL_CONDITIONS_MAX;
	if (call->is_cut)
		return;
	*rule = (struct call_rule){ .allows = action_allows(json_get(node, "action")), .count = length(conditions) };
	for (size_t i = 0; i < rule->count; i++) {
		rule->conditions[i].op = call_op_of(json_get(conditions->items[i], "op"));
		json_uint(json_get(conditions->items[i], "index"), &rule->conditions[i].index);
		json_uint(json_get(conditions->items[i], "value"), &rule->conditions[i].value);
		json_uint(json_get(conditions->items[i], "valueTwo"), &rule->conditions[i].datum);
	}
	call->count++;
}

/* No filter at all allows all. */
static inline void find_call_rules(const struct json *seccomp, const char *name, struct call_rules *call)
{
	const struct json *list = json_get(seccomp, "syscalls");

	call->count = 0;
	call->is_cut = false;
	call->default_allows = !json_is(seccomp, JSON_OBJECT) || action_allows(json_get(seccomp, "defaultAction"));
	for (size_t i = 0; i < length(list); i++)
		if (list_holds(json_get(list->items[i], "names"), name))
			read_call_rule(list->items[i], call);
}

static inline bool condition_holds(const struct call_condition *condition, const uint64_t args[CALL_ARGS])
{
	uint64_t value = condition->value, arg;

	if (condition->index >= CALL_ARGS)
		return false;
	arg = args[condition->index];
	switch (condition->op) {
	case CALL_NE:
		return arg != value;
	case CALL_LT:
		return arg < value;
	case CALL_LE:
		return arg <= value;
	case CALL_EQ:
		return arg == value;
	case CALL_GE:
		return arg >= value;
	case CALL_GT:
		return arg > value;
	case CALL_MASKED_EQ:
		return (arg & value) == (condition->datum & value);
	case CALL_NEVER:
		break;
	}
	return false;
}

static inline bool call_matches(const struct call_rule *rule, const uint64_t args[CALL_ARGS])
{
	for (size_t i = 0; i < rule->count; i++)
		if (!condition_holds(&rule->conditions[i], args))
			return false;
	return true;
}

/* As libseccomp builds it: a rule without conditions is the last word on its call. */
static inline bool call_is_allowed(const struct call_rules *call, const uint64_t args[CALL_ARGS])
{
	bool allows = false, denies = false;

	for (size_t i = 0; i < call->count; i++) {
		const struct call_rule *rule = &call->rules[i];

		if (!rule->count)
			return rule->allows;
		if (call_matches(rule, args))
			allows = allows || rule->allows, denies = denies || !rule->allows;
	}
	return allows || (call->default_allows && !denies);
}

/* Whatever the arguments are. */
static inline bool call_is_always(const struct call_rules *call, bool allowed)
{
	for (size_t i = 0; i < call->count; i++)
		if (!call->rules[i].count)
			return call->rules[i].allows == allowed;
	for (size_t i = 0; i < call->count; i++)
		if (call->rules[i].allows != allowed)
			return false;
	return call->default_allows == allowed;
}

static inline bool filter_allows(const struct json *seccomp, const char *name, uint64_t first, uint64_t second)
{
	const uint64_t args[CALL_ARGS] = { first, second };
	struct call_rules call;

	find_call_rules(seccomp, name, &call);
	return call_is_allowed(&call, args);
}

struct call_values {
	uint64_t items[CALL_VALUES_MAX];
	size_t count;
	unsigned args;		/* bit n: a condition looks at argument n */
};

static inline void add_value(struct call_values *values, uint64_t value)
{
	for (size_t i = 0; i < values->count; i++)
		if (values->items[i] == value)
			return;
	if (values->count < CALL_VALUES_MAX)
		values->items[values->count++] = value;
}

static inline void add_values(struct call_values *values, const struct call_rules *call)
{
	for (size_t i = 0; i < call->count; i++)
		for (size_t k = 0; k < call->rules[i].count; k++) {
			const struct call_condition *condition = &call->rules[i].conditions[k];

			values->args |= condition->index < CALL_ARGS ? 1u << condition->index : 0;
			add_value(values, condition->value);
			add_value(values, condition->datum);
			add_value(values, condition->value + 1);
			add_value(values, condition->value - 1);
			add_value(values, condition->value | UINT64_C(1) << 32);
		}
}

/* Each value in each argument that is looked at, and each pair of them. */
static inline bool is_wider_somewhere(const struct call_rules *before, const struct call_rules *after, const struct call_values *values)
{
	for (unsigned a = 0; a < CALL_ARGS; a++)
		for (unsigned b = a; b < CALL_ARGS; b++)
			for (size_t i = 0; (values->args >> a & 1) && (values->args >> b & 1) && i < values->count; i++)
				for (size_t k = 0; k < (a == b ? 1 : values->count); k++) {
					uint64_t args[CALL_ARGS] = { 0 };

					args[b] = values->items[k];
					args[a] = values->items[i];
					if (call_is_allowed(after, args) && !call_is_allowed(before, args))
						return true;
				}
	return false;
}

static inline void compare_call(struct widening *w, const struct json *given, const struct json *planned, const char *name)
{
	struct call_values values = { .items = { 0 }, .count = 1 };
	static const uint64_t zeros[CALL_ARGS];
	struct call_rules before, after;

	find_call_rules(given, name, &before);
	if (call_is_always(&before, true))
		return;
	find_call_rules(planned, name, &after);
	if (call_is_always(&after, false))
		return;
	add_values(&values, &before);
	add_values(&values, &after);
	if (before.is_cut || after.is_cut)	/* longer than any filter that a person or a tool makes */
		return;
	if ((call_is_allowed(&after, zeros) && !call_is_allowed(&before, zeros)) || is_wider_somewhere(&before, &after, &values))
		complain(w, "seccomp: %s was denied and is allowed now", name);
}

/* Whatever else the filter says. */
static inline void judge_floor(struct widening *w, const struct json *planned)
{
	static const struct {
		const char *name;
		uint64_t first, second;
	} never[] = {
		{ "mount", 0, 0 }, { "bpf", 0, 0 }, { "setns", 0, 0 }, { "io_uring_setup", 0, 0 }, { "open_by_handle_at", 0, 0 },
		{ "keyctl", 0, 0 }, { "kexec_load", 0, 0 }, { "init_module", 0, 0 }, { "clone3", 0, 0 }, { "userfaultfd", 0, 0 },
		{ "unshare", 0x10000000, 0 }, { "clone", 0x10000000, 0 }, { "clone", 0x20011, 0 }, { "ioctl", 0, 0x5412 },
		{ "ioctl", 0, 0x100005412 }, { "ioctl", 0, 0x541c }, { "socket", 40, 0 }, { "socket", 38, 0 },
		{ "socket", 0x100000028, 0 }, { "seccomp", 1, 8 }, { "personality", 0x40000, 0 },
	};

	for (size_t i = 0; w->profile->seccomp.floor && i < ARRAY_SIZE(never); i++)
		if (filter_allows(planned, never[i].name, never[i].first, never[i].second))
			complain(w, "seccomp: %s(%#llx, %#llx) gets through", never[i].name, (unsigned long long)never[i].first,
				 (unsigned long long)never[i].second);
}

static inline void compare_names(struct widening *w, const struct json *given, const struct json *planned, const struct json *list)
{
	for (size_t i = 0; i < length(list); i++) {
		const struct json *names = json_get(list->items[i], "names");

		for (size_t k = 0; k < length(names); k++)
			compare_call(w, given, planned, text_at(names, k));
	}
}

static inline void compare_seccomp(struct widening *w)
{
	const struct json *given = in_given(w, "/linux/seccomp"), *planned = in_planned(w, "/linux/seccomp");
	const struct json *flags = json_get(planned, "flags"), *listener = json_get(planned, "listenerPath");

	if (!json_is(planned, JSON_OBJECT)) {
		complain(w, "seccomp: no filter");
		return;
	}
	if (json_string(listener) && *json_string(listener))
		complain(w, "seccomp: a listener");
	for (size_t i = 0; i < length(flags); i++)
		if (strstr(text_at(flags, i), "SPEC_ALLOW") || !list_holds(json_get(given, "flags"), text_at(flags, i)))
			complain(w, "seccomp: flag %s", text_at(flags, i));
	judge_floor(w, planned);
	if (!json_is(given, JSON_OBJECT))
		return;
	compare_call(w, given, planned, "a call that nobody names");
	compare_names(w, given, planned, json_get(given, "syscalls"));
	compare_names(w, given, planned, json_get(planned, "syscalls"));
}

#endif
