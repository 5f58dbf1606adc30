/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of planners: a small document goes in; what comes out is the document as it was planned, or the refusals.
 * Each run holds the property that all planners share: what was planned once needs no second edit.
 */
#ifndef QUOD_TESTS_UNIT_PLAN_TOOLS_H
#define QUOD_TESTS_UNIT_PLAN_TOOLS_H

#include <stdlib.h>
#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"
#include "shim/policy/plan.h"
#include "tests/unit/tap.h"

typedef void (*planner)(const struct plan_input *input, struct plan *plan);

struct outcome {
	char *refusals;		/* "pointer: text (key)", ... joined by "; "; "" for none */
	char *notes;
	struct json_tree *tree;	/* the document after the edits */
	size_t edit_count;
	bool is_settled;	/* the second plan had neither edits nor refusals */
	bool has_network, joins_network;
};

static inline void outcome_free(struct outcome *outcome)
{
	free(outcome->refusals);
	free(outcome->notes);
	json_tree_free(outcome->tree);
}
#define cleanup_outcome __attribute__((cleanup(outcome_free)))

static inline char *print_refusals(const struct plan *plan)
{
	struct buf buf = BUF_INIT;

	for (size_t i = 0; i < plan->refusal_count; i++)
		buf_printf(&buf, "%s%s: %s (%s)", i ? "; " : "", plan->refusals[i].pointer, plan->refusals[i].text,
			   plan->refusals[i].key);
	return buf_steal(&buf);
}

static inline char *print_notes(const struct plan *plan)
{
	struct buf buf = BUF_INIT;

	for (size_t i = 0; i < plan->notes.count; i++)
		buf_printf(&buf, "%s%s", i ? "; " : "", plan->notes.items[i]);
	return buf_steal(&buf);
}

/* ' stands for " in the documents of these tests. */
static inline struct json_tree *parse_text(const char *text)
{
	cleanup_free char *quoted = alloc_copy(text);
	struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	for (char *at = quoted; *at; at++)
		if (*at == '\'')
			*at = '"';
	if (json_parse(quoted, strlen(quoted), JSON_PLAIN, oci_config_free_form, &tree, &err)) {
		printf("Bail out! %s in %s\n", err.text, quoted);
		exit(2);
	}
	return tree;
}

static inline void plan_once(planner run, const struct plan_input *given, struct json_tree *tree, struct plan *plan)
{
	struct plan_input input = *given;
	struct oci_config config;

	oci_config_view(json_root(tree), &config);
	input.config = &config;
	plan_init(plan);
	run(&input, plan);
	oci_config_release(&config);
}

static inline struct outcome plan_document_text(planner run, const struct profile *profile, const struct facts *facts,
						const char *text)
{
	struct plan_input input = { .profile = profile, .facts = facts };
	struct outcome outcome = { .tree = parse_text(text) };
	struct err err = ERR_INIT;
	struct plan plan;

	plan_once(run, &input, outcome.tree, &plan);
	outcome.refusals = print_refusals(&plan);
	outcome.notes = print_notes(&plan);
	outcome.edit_count = plan.edits.count;
	outcome.has_network = plan.has_network;
	outcome.joins_network = plan.joins_network;
	if (oci_edits_apply(&plan.edits, outcome.tree, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(2);
	}
	plan_release(&plan);
	plan_once(run, &input, outcome.tree, &plan);
	outcome.is_settled = !plan.edits.count && (!plan.refusal_count || *outcome.refusals);
	plan_release(&plan);
	return outcome;
}

/* What stands at `pointer`, without white space and with ' for "; "-" where there is nothing. Good until the next call. */
static inline const char *at(const struct outcome *outcome, const char *pointer)
{
	static char *last;
	const struct json *node = pointer_find(json_root(outcome->tree), pointer);
	struct buf buf = BUF_INIT;

	free(last);
	if (!node)
		return last = alloc_copy("-");
	json_print(&buf, node, 0);
	last = buf_steal(&buf);
	for (char *c = last; *c; c++)
		if (*c == '"')
			*c = '\'';
	return last;
}

#define IS_AT(outcome, pointer, wanted, ...) IS_STR(at(outcome, pointer), wanted, __VA_ARGS__)
#define IS_SETTLED(outcome, what) OK((outcome)->is_settled, "plan: %s is planned once and for all", what)

#endif
