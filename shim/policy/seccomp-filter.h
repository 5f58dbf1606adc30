/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A seccomp filter as config.json has it, in a form that can be merged with the floor: rules with the names that are left to
 * each, and rules that are put behind them. Pure; names and nodes are borrowed from the document or the tree.
 */
#ifndef QUOD_POLICY_SECCOMP_FILTER_H
#define QUOD_POLICY_SECCOMP_FILTER_H

#include "shim/policy/place.h"
#include "shim/policy/seccomp-conditions.h"

enum verdict {
	VERDICT_ALLOW,		/* ALLOW, LOG */
	VERDICT_DENY,		/* ERRNO, TRAP, KILL ... */
	VERDICT_FOREIGN,	/* NOTIFY, TRACE: somebody else decides */
};

struct filter_rule {
	const struct json *node;	/* NULL for one that was made */
	const char *action;
	enum verdict verdict;
	int error;			/* of ERRNO */
	const char **names;
	size_t name_count;
	bool is_changed;		/* names were taken from it */
	bool has_known_conditions;
	struct conditions conditions;
};

struct filter {
	const char *default_action;
	enum verdict default_verdict;
	int default_error;
	struct filter_rule *rules;
	size_t rule_count;
};

/* Reads the object at `place`; NULL there: a filter that allows everything. What nobody could merge is refused: then false. */
bool filter_read(const struct place *place, struct filter *filter);
void filter_release(struct filter *filter);

/* Appends a rule of one name; `conditions` NULL: always. `action` "SCMP_ACT_ERRNO" takes `error`. */
struct filter_rule *filter_add(struct filter *filter, const char *name, const char *action, int error,
			       const struct conditions *conditions);
void rule_add_name(struct filter_rule *rule, const char *name);

bool rule_has_name(const struct filter_rule *rule, const char *name);
bool rule_take_name(struct filter_rule *rule, const char *name);	/* true when it was there */
bool rule_is_unconditional(const struct filter_rule *rule);
bool filter_denies(const struct filter *filter, const char *name);	/* whatever the arguments */

/* "syscalls" as it has to be: rules without names are left out, unchanged ones are as they were. */
struct json *filter_make_syscalls(const struct filter *filter, struct json_tree *tree);

#endif
