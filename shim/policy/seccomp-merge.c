/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor, merged into a filter: see seccomp-merge.h. To libseccomp a rule without conditions wins over all others of its
 * call, so none that allows may be left to a guarded call; rules of one call that overlap with different answers have no
 * order that could be relied on, so they are refused.
 */
#include "shim/policy/seccomp-merge.h"

#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/seccomp-floor.h"
#include "shim/policy/seccomp-names.h"

#define KEY "seccomp.floor"
#define RULES_MAX 256		/* of one guarded call: more than any filter made by a person or a tool */
#define SPELT_OUT_MAX 64	/* conditions that deny with an error of their own, instead of the filter's default */

static bool default_is_error(const struct filter *filter, int error)
{
	return !strcmp(filter->default_action, "SCMP_ACT_ERRNO") && filter->default_error == error;
}

bool merge_may_close(const struct filter *filter)
{
	for (size_t i = 0; i < filter->rule_count; i++)
		if (!rule_is_unconditional(&filter->rules[i]))
			return false;
	return filter->default_verdict == VERDICT_ALLOW;
}

void merge_close(const struct merge *merge)
{
	struct filter *filter = merge->filter;
	struct strings *names = merge->names;
	size_t given = filter->rule_count;
	struct filter_rule *rule;

	syscall_list(names);
	rule = filter_add(filter, NULL, filter->default_action, 0, NULL);
	for (size_t i = 0; i < names->count; i++) {
		bool is_mentioned = false;

		for (size_t j = 0; j < given; j++)
			is_mentioned = is_mentioned || rule_has_name(&filter->rules[j], names->items[i]);
		if (!is_mentioned)
			rule_add_name(rule, names->items[i]);
	}
	filter->default_action = "SCMP_ACT_ERRNO";
	filter->default_verdict = VERDICT_DENY;
	filter->default_error = ENOSYS;
}

/* The rule at the end of the list that denies without conditions with this error, or a new one. */
static void add_denial(struct filter *filter, const char *name, int error)
{
	for (size_t i = 0; i < filter->rule_count; i++) {
		struct filter_rule *rule = &filter->rules[i];

		if (!rule->node && rule->verdict == VERDICT_DENY && rule->error == error && rule_is_unconditional(rule)) {
			rule_add_name(rule, name);
			return;
		}
	}
	filter_add(filter, name, "SCMP_ACT_ERRNO", error, NULL);
}

void merge_deny(const struct merge *merge, const char *name, int error)
{
	struct filter *filter = merge->filter;
	bool was_allowed = filter->default_verdict == VERDICT_ALLOW;

	for (size_t i = 0; i < filter->rule_count; i++)
		if (filter->rules[i].verdict == VERDICT_ALLOW && rule_take_name(&filter->rules[i], name))
			was_allowed = true;
	if (!was_allowed || !syscall_is_native(name) || default_is_error(filter, error) || filter_denies(filter, name))
		return;
	for (size_t i = 0; i < filter->rule_count; i++)
		if (filter->rules[i].verdict == VERDICT_DENY)
			rule_take_name(&filter->rules[i], name);
	add_denial(filter, name, error);
}

/* What the filter said of one guarded call. */
struct said {
	struct filter_rule *allowing;	/* copies, without names */
	size_t allowing_count;
	struct alternatives denying;
	bool is_always_allowed;
};

static void said_release(struct said *said)
{
	free(said->allowing);
	alternatives_free(&said->denying);
}

/* Takes the rules that allow the call out of the filter, and looks at those that deny it. */
static bool take_said(const struct merge *merge, const char *name, struct said *said)
{
	for (size_t i = 0; i < merge->filter->rule_count; i++) {
		struct filter_rule *rule = &merge->filter->rules[i];

		if (!rule_has_name(rule, name))
			continue;
		if (!rule->has_known_conditions || said->allowing_count + said->denying.count >= RULES_MAX)
			return false;
		if (rule->verdict == VERDICT_DENY) {
			alternatives_add(&said->denying, &rule->conditions);
			continue;
		}
		rule_take_name(rule, name);
		said->allowing = alloc_grow(said->allowing, said->allowing_count + 1, sizeof(*said->allowing));
		said->allowing[said->allowing_count++] = *rule;
		said->is_always_allowed = said->is_always_allowed || rule_is_unconditional(rule);
	}
	return true;
}

static bool is_covered(const struct alternatives *list, const struct conditions *conditions)
{
	for (size_t i = 0; i < list->count; i++)
		if (conditions_cover(&list->items[i], conditions))
			return true;
	return false;
}

static bool meets_any(const struct alternatives *list, const struct conditions *conditions)
{
	for (size_t i = 0; i < list->count; i++)
		if (!conditions_are_disjoint(&list->items[i], conditions))
			return true;
	return false;
}

/* What was allowed and is allowed by the floor, too. */
static bool add_allowed(struct filter *behind, const char *name, const struct said *said, const struct alternatives *floor)
{
	struct alternatives done = { NULL, 0 };
	bool is_sayable = true;

	for (size_t i = 0; i < said->allowing_count; i++)
		for (size_t j = 0; is_sayable && j < floor->count; j++) {
			struct conditions both;
			enum meeting meeting = conditions_meet(&said->allowing[i].conditions, &floor->items[j], &both);

			if (meeting == MEET_NONE || (meeting == MEET_SOME && is_covered(&done, &both)))
				continue;
			is_sayable = meeting == MEET_SOME && !meets_any(&said->denying, &both);
			alternatives_add(&done, &both);
			filter_add(behind, name, said->allowing[i].action, 0, &both);
		}
	alternatives_free(&done);
	return is_sayable;
}

/* In a filter that allows by default the floor's denials stand beside the caller's. One inside another with another
 * answer is what libseccomp doesn't take. */
static bool add_denied(const struct merge *merge, const struct guarded_call *call, const struct said *said,
		       const struct alternatives *floor)
{
	for (size_t i = 0; i < floor->count; i++) {
		if (is_covered(&said->denying, &floor->items[i]))
			continue;
		for (size_t j = 0; j < said->denying.count; j++)
			if (conditions_cover(&floor->items[i], &said->denying.items[j]))
				return false;
		filter_add(merge->filter, call->name, "SCMP_ACT_ERRNO", call->error, &floor->items[i]);
	}
	return true;
}

static bool guard_by_rules(const struct merge *merge, const struct guarded_call *call, const struct said *said,
			   struct filter *behind)
{
	const struct profile *profile = merge->input->profile;
	struct alternatives allowed = { NULL, 0 }, denied = { NULL, 0 };
	bool is_sayable = true;

	call->allowed(profile, &allowed);
	call->denied(profile, &denied);
	if (merge->filter->default_verdict == VERDICT_ALLOW)
		is_sayable = add_denied(merge, call, said, &denied);
	else if (said->is_always_allowed && !default_is_error(merge->filter, EPERM) && denied.count <= SPELT_OUT_MAX)
		is_sayable = add_denied(merge, call, said, &denied) && add_allowed(behind, call->name, said, &allowed);
	else
		is_sayable = add_allowed(behind, call->name, said, &allowed);
	alternatives_free(&allowed);
	alternatives_free(&denied);
	return is_sayable;
}

static void guard(const struct merge *merge, const struct guarded_call *call, struct filter *behind)
{
	struct said said = { 0 };
	bool is_denied = filter_denies(merge->filter, call->name);

	if (!take_said(merge, call->name, &said) || (!is_denied && !guard_by_rules(merge, call, &said, behind)))
		place_refuse(merge->place, KEY, "syscalls", "the rules of %s can't be merged with the floor", call->name);
	said_release(&said);
}

/* What is allowed stands behind everything else, so that a filter which was merged before comes out as it went in. */
void merge_guard(const struct merge *merge)
{
	const struct profile *profile = merge->input->profile;
	struct filter behind = { 0 };

	for (size_t i = 0; i < seccomp_guarded_count; i++)
		if (!seccomp_guarded[i].is_floor || profile->seccomp.floor)
			guard(merge, &seccomp_guarded[i], &behind);
	for (size_t i = 0; i < behind.rule_count; i++) {
		const struct filter_rule *rule = &behind.rules[i];

		filter_add(merge->filter, rule->names[0], rule->action, 0, &rule->conditions);
	}
	filter_release(&behind);
}
