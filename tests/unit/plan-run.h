/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One whole plan over synthetic facts, as quod's create would make it, and the same again over its own result. Shared by
 * test-plans and the fuzz target.
 */
#ifndef QUOD_TESTS_UNIT_PLAN_RUN_H
#define QUOD_TESTS_UNIT_PLAN_RUN_H

#include "tests/unit/synthetic-facts.h"

struct plan_run {
	const struct profile *profile;
	enum engine engine;
	const struct json *given, *said;	/* the document; what the case says of the host, or NULL */
	bool is_sound;
	struct oci_config config;
	struct facts facts;
	struct plan plan;
	struct json_tree *planned;		/* NULL when it is refused */
	struct err err;				/* why the edits could not be applied */
};

static inline bool has_sound_types(const struct json *root)
{
	struct oci_findings findings;
	bool sound;

	oci_check(root, OCI_CONFIG, &findings);
	sound = !findings.is_cut;
	for (size_t i = 0; i < findings.count; i++)
		sound = sound && findings.items[i].kind != OCI_WRONG_TYPE;
	oci_findings_free(&findings);
	return sound;
}

static inline void plan_run_begin(struct plan_run *run)
{
	run->is_sound = has_sound_types(run->given);
	run->config.root = run->given;
	if (!run->is_sound)
		return;
	oci_config_view(run->given, &run->config);
	facts_synthesise(&run->config, run->engine, run->said, &run->facts);
}

static inline void plan_run_end(struct plan_run *run)
{
	struct plan_input input = { run->profile, &run->config, &run->facts };

	plan_make(&input, &run->plan);
	if (run->plan.refusal_count)
		return;
	run->planned = json_tree_new();
	json_set_root(run->planned, json_copy(run->planned, run->given));
	if (oci_edits_apply(&run->plan.edits, run->planned, &run->err)) {
		json_tree_free(run->planned);
		run->planned = NULL;
	}
}

static inline void plan_run_release(struct plan_run *run)
{
	plan_release(&run->plan);
	if (run->is_sound) {
		facts_release(&run->facts);
		oci_config_release(&run->config);
	}
	json_tree_free(run->planned);
}

/* The mounts that belong to quod alone, which no document may bring along: what the container is told, and what holds the
 * protected paths of a workspace. */
static inline bool is_own_mount(const struct plan_run *run, const struct json *mount)
{
	const char *source = json_string(json_get(mount, "source"));
	bool is_own = source && !strcmp(source, SYNTHETIC_STATE_DIR "/told");

	for (size_t i = 0; source && i < run->plan.clone_count; i++) {
		cleanup_free char *clone = alloc_printf(SYNTHETIC_STATE_DIR "/mounts/%zu", run->plan.clones[i].number);

		is_own = is_own || (run->plan.clones[i].is_protected && !strcmp(source, clone));
	}
	return is_own;
}

/* What was judged is what the clone shows: its facts are those of the first plan. */
static inline void copy_fact(const struct fact_mount *from, struct fact_mount *to)
{
	free(to->resolved);
	free(to->destination);
	*to = *from;
	to->resolved = from->resolved ? alloc_copy(from->resolved) : NULL;
	to->destination = from->destination ? alloc_copy(from->destination) : NULL;
}

static inline void know_clones(const struct plan_run *first, struct plan_run *again)
{
	static const char prefix[] = SYNTHETIC_STATE_DIR "/mounts/";

	for (size_t i = 0; i < again->config.mount_count; i++) {
		const char *source = again->config.mounts[i].source;
		size_t number = source && !strncmp(source, prefix, strlen(prefix)) ? strtoul(source + strlen(prefix), NULL, 10) :
										     SIZE_MAX;

		if (again->facts.mounts[i].is_bind && number < first->plan.clone_count && !first->plan.clones[number].is_protected)
			copy_fact(&first->facts.mounts[first->plan.clones[number].mount_index], &again->facts.mounts[i]);
	}
}

/* The planned document without quod's own mounts, which are put into `own`. */
static inline struct json_tree *without_own(const struct plan_run *first, struct json *own)
{
	struct json_tree *tree = json_tree_new();
	struct json *mounts;

	json_set_root(tree, json_copy(tree, json_root(first->planned)));
	mounts = json_get(json_root(tree), "mounts");
	for (size_t i = mounts ? mounts->count : 0; i-- > 0;)
		if (is_own_mount(first, mounts->items[i])) {
			json_append(tree, own, mounts->items[i]);
			json_remove_item(mounts, i);
		}
	return tree;
}

/* The same but for the order of options: quod's own are made from those of the workspace, which were planned in between. */
static inline bool is_same_mount(const struct json *a, const struct json *b)
{
	static const char *const members[] = { "destination", "type", "source" };
	const struct json *left = json_get(a, "options"), *right = json_get(b, "options");

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!json_equal(json_get(a, members[i]), json_get(b, members[i])))
			return false;
	for (size_t i = 0; left && i < left->count; i++) {
		bool is_there = false;

		for (size_t k = 0; right && k < right->count; k++)
			is_there = is_there || json_equal(left->items[i], right->items[k]);
		if (!is_there)
			return false;
	}
	return left && right && left->count == right->count;
}

/* One of quod's own mounts that is added again, each once. */
static inline bool take_own(struct json *own, const struct oci_edit *edit)
{
	for (size_t i = 0; edit->op == OCI_EDIT_ADD && i < own->count; i++)
		if (is_same_mount(own->items[i], edit->value)) {
			json_remove_item(own, i);
			return true;
		}
	return false;
}

/* Planning the planned document again changes nothing: "" or what it would change, malloc'ed. */
static inline char *plan_run_again(const struct plan_run *first)
{
	cleanup_json_tree struct json_tree *owns = json_tree_new();
	struct json *own = json_make_array(owns);
	cleanup_json_tree struct json_tree *tree = without_own(first, own);
	struct plan_run again = { .profile = first->profile, .engine = first->engine, .given = json_root(tree), .said = first->said,
				  .err = ERR_INIT };
	struct buf text = BUF_INIT;

	buf_puts(&text, "");
	plan_run_begin(&again);
	if (!again.is_sound)
		return alloc_copy("the planned document has a field of the wrong type");
	know_clones(first, &again);
	free(again.facts.home);
	again.facts.home = first->facts.home ? alloc_copy(first->facts.home) : NULL;
	plan_run_end(&again);
	for (size_t i = 0; i < again.plan.refusal_count; i++)
		buf_printf(&text, "refused: %s: %s; ", again.plan.refusals[i].pointer, again.plan.refusals[i].text);
	for (size_t i = 0; i < again.plan.edits.count; i++)
		if (!take_own(own, &again.plan.edits.items[i]))
			buf_printf(&text, "edited: %s (%s); ", again.plan.edits.items[i].path, again.plan.edits.items[i].reason);
	if (own->count)
		buf_printf(&text, "%zu of quod's own mounts are not added again; ", own->count);
	plan_run_release(&again);
	return buf_steal(&text);
}

#endif
