/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl explain [--profile NAME] BUNDLE|CONTAINER: what create would decide, by the very functions that decide it; nothing
 * is changed. Exit status 1 when the container would be refused.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/find.h"
#include "shim/ctl/openings.h"
#include "shim/ctl/table.h"
#include "shim/decide.h"
#include "shim/invocation.h"
#include "shim/policy/caps.h"
#include "shim/policy/units.h"

/* What is explained: a bundle, and the root and id that a runtime would be called with. */
struct subject {
	char *bundle, *root, *id;
	struct openings openings;	/* of a container: quodctl allow */
	const char *profile;		/* --profile; NULL */
};

static void subject_release(struct subject *subject)
{
	free(subject->bundle);
	free(subject->root);
	free(subject->id);
	openings_release(&subject->openings);
}

/* containerd keeps bundles at .../io.containerd.runtime.v2.task/NAMESPACE/ID, Podman at .../ID/userdata. */
static void guess_call(struct subject *subject)
{
	static const char marker[] = "/io.containerd.runtime.v2.task/";
	const char *at = strstr(subject->bundle, marker), *slash = strrchr(subject->bundle, '/');

	if (at && strchr(at + strlen(marker), '/')) {
		const char *space = at + strlen(marker);

		subject->root = alloc_printf("/run/containerd/runc/%.*s", (int)strcspn(space, "/"), space);
		subject->id = alloc_copy(slash + 1);
	} else if (slash && !strcmp(slash, "/userdata")) {
		cleanup_free char *above = strndup(subject->bundle, (size_t)(slash - subject->bundle));

		subject->id = alloc_copy(strrchr(above, '/') ? strrchr(above, '/') + 1 : above);
	} else {
		subject->id = alloc_copy("explain");
	}
}

static int find_subject(const struct ctl *ctl, const char *name, struct subject *subject, struct err *err)
{
	struct record record = { .tree = NULL };
	cleanup_close int dir_fd = -1;
	char resolved[PATH_MAX];
	struct stat st;
	int r;

	if (strchr(name, '/') || (stat(name, &st) == 0 && S_ISDIR(st.st_mode))) {
		if (!realpath(name, resolved))
			return err_set_errno(err, errno, "%s", name);
		subject->bundle = alloc_copy(resolved);
		guess_call(subject);
		return 0;
	}
	r = container_find(&ctl->places, name, &record, &dir_fd, err);
	if (r)
		return r;
	openings_read(ctl, dir_fd, &subject->openings);
	subject->bundle = alloc_copy(record.bundle);
	subject->root = alloc_copy(record.runtime_root);
	subject->id = alloc_copy(record.id);
	record_release(&record);
	return 0;
}

static void count_ranges(const char *name, const struct rule_ranges *ranges, struct json_tree *tree, struct json *to)
{
	json_set(tree, to, name, json_make_uint(tree, ranges->count));
}

static void print_budget(struct table *table, const char *name, void (*print)(struct buf *, uint64_t), uint64_t value)
{
	cleanup_buf struct buf buf = BUF_INIT;

	if (value == LIMIT_UNLIMITED)
		buf_puts(&buf, "unlimited");
	else
		print(&buf, value);
	table_add(table, TONE_PLAIN, name);
	table_add(table, TONE_PLAIN, buf.data);
}

static void print_caps(struct table *table, const struct profile *profile)
{
	const struct cap_rule *caps[RULESET_CAPS_MAX];
	size_t count = caps_list(profile, caps);

	for (size_t i = 0; i < count; i++) {
		cleanup_free char *name = alloc_printf("egress to %s", caps[i]->entry.text);

		print_budget(table, name, bytes_print, caps[i]->bytes);
	}
}

static void print_edits(const struct decision *decision)
{
	static const char *const heads[] = { "EDIT", "WHERE", "TO", "BECAUSE OF", NULL }, *const ops[] = { "add", "replace", "remove" };
	struct table table;

	table_init(&table, heads);
	for (size_t i = 0; i < decision->plan.edits.count; i++) {
		const struct oci_edit *edit = &decision->plan.edits.items[i];
		cleanup_buf struct buf value = BUF_INIT;

		if (edit->value)
			json_print(&value, edit->value, 0);
		table_add(&table, TONE_PLAIN, ops[edit->op]);
		table_add(&table, TONE_PLAIN, edit->path);
		table_addf(&table, TONE_PLAIN, "%.60s%s", value.len ? value.data : "", value.len > 60 ? "..." : "");
		table_add(&table, TONE_PLAIN, edit->reason);
	}
	table_print(&table, stdout);
	table_release(&table);
}

/* A profile that was tightened by another has a list of each: an address must be in all of them. */
static void print_egress(const struct profile *profile)
{
	static const char *const bound[] = {
		[BOUND_BY_ADDRESS] = " (the name is bound to its addresses alone: what a connection says is not looked at)",
		[BOUND_IN_CONNECTION] = " (each connection must say the name)",
		[BOUND_ON_SOME_PORTS] = " (on 443 and 80 each connection must say the name; on others it is bound to its addresses alone)",
	};
	size_t lists = 0;

	if (profile->egress.has_via)
		puts("egress: ports 80 and 443 only through the proxy (egress.via), which decides who is reached by it");
	if (profile->egress.mode == EGRESS_OBSERVE)
		puts("egress: NOT ENFORCED (\"mode\": \"observe\"): everything passes and is recorded; what follows is what would be allowed");
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		if (!(layer.lists & LIST_EGRESS))
			continue;
		if (lists++)
			puts("and of these only what is also in:");
		for (size_t k = 0; k < layer.egress_count; k++) {
			ctl_put("egress allowed: ");
			ctl_put(layer.egress[k].text);
			puts(entry_is_name(&layer.egress[k]) ? bound[entry_bound_by(&layer.egress[k], profile->egress.verify_name)] : "");
		}
		if (!layer.egress_count)
			puts("egress: nothing is allowed");
	}
}

static void print_profile(const struct decision *decision, const char *runtime)
{
	static const char *const heads[] = { "BUDGET", "PROMISED", NULL };
	const struct profile *profile = decision->selection.profile;
	struct table table;

	printf("profile %s (chosen by %s), digest %.16s\n", selection_name(&decision->selection), decision->selection.chosen_by,
	       decision->digest);
	for (size_t i = 0; i < decision->selection.tightened_by.count; i++) {
		ctl_put("tightened by ");
		ctl_put(decision->selection.tightened_by.items[i]);
		putchar('\n');
	}
	if (profile->runtime.count)
		printf("runtime %s\n", runtime);
	table_init(&table, heads);
	print_budget(&table, "wall", duration_print, profile->budgets.wall_ms);
	print_budget(&table, "cpu", duration_print, profile->budgets.cpu_ms);
	print_budget(&table, "egress", bytes_print, profile->budgets.egress);
	print_caps(&table, profile);
	table_print(&table, stdout);
	table_release(&table);
	print_egress(profile);
}

static void print_openings(const struct openings *openings)
{
	for (size_t i = 0; i < openings->count; i++) {
		cleanup_buf struct buf left = BUF_INIT;

		opening_print_left(&left, &openings->items[i]);
		ctl_put("opened for a while: ");
		ctl_put(openings->items[i].text);
		printf(" (%s)\n", left.data);
	}
}

static struct json *openings_to_json(struct json_tree *tree, const struct openings *openings)
{
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < openings->count; i++) {
		struct json *one = json_make_object(tree);
		cleanup_buf struct buf left = BUF_INIT;

		opening_print_left(&left, &openings->items[i]);
		json_set(tree, one, "entry", json_make_string(tree, openings->items[i].text));
		json_set(tree, one, "left", json_make_string(tree, left.data));
		json_append(tree, list, one);
	}
	return list;
}

static void print_for_people(const struct decision *decision, const struct openings *openings, const char *runtime)
{
	if (decision->selection.is_unmanaged) {
		printf("%s (chosen by %s): handed on as it is, and recorded\n", selection_name(&decision->selection),
		       decision->selection.chosen_by);
		return;
	}
	print_profile(decision, runtime);
	print_openings(openings);
	for (size_t i = 0; i < decision->plan.notes.count; i++) {
		ctl_put("not in force: ");
		ctl_put(decision->plan.notes.items[i]);
		putchar('\n');
	}
	for (size_t i = 0; i < decision->plan.refusal_count; i++) {
		const struct refusal *refusal = &decision->plan.refusals[i];

		ctl_put("refused: ");
		ctl_put(refusal->pointer);
		ctl_put(refusal->pointer[0] ? ": " : "");
		ctl_put(refusal->text);
		printf(" (%s)\n", refusal->key);
	}
	print_edits(decision);
}

static struct json *refusals_to_json(struct json_tree *tree, const struct plan *plan)
{
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < plan->refusal_count; i++) {
		struct json *one = json_make_object(tree);

		json_set(tree, one, "pointer", json_make_string(tree, plan->refusals[i].pointer));
		json_set(tree, one, "text", json_make_string(tree, plan->refusals[i].text));
		json_set(tree, one, "key", json_make_string(tree, plan->refusals[i].key));
		json_append(tree, list, one);
	}
	return list;
}

static void select_to_json(struct json_tree *tree, struct json *node, const struct decision *decision)
{
	const struct strings *tightened_by = &decision->selection.tightened_by;
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < tightened_by->count; i++)
		json_append(tree, list, json_make_string(tree, tightened_by->items[i]));
	json_set(tree, node, "profile", json_make_string(tree, selection_name(&decision->selection)));
	json_set(tree, node, "chosen_by", json_make_string(tree, decision->selection.chosen_by));
	json_set(tree, node, "tightened_by", list);
}

/* Of the names. */
static struct json *bound_to_json(struct json_tree *tree, const struct profile *profile)
{
	static const char *const words[] = { [BOUND_BY_ADDRESS] = "address", [BOUND_IN_CONNECTION] = "connection", [BOUND_ON_SOME_PORTS] = "both" };
	struct json *node = json_make_object(tree);

	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		for (size_t k = 0; k < layer.egress_count; k++)
			if (entry_is_name(&layer.egress[k]))
				json_set(tree, node, layer.egress[k].text,
					 json_make_string(tree, words[entry_bound_by(&layer.egress[k], profile->egress.verify_name)]));
	}
	return node;
}

static int print_as_json(const struct decision *decision, const struct openings *openings, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new(), *edits = NULL;
	struct json *node = json_make_object(tree), *notes = json_make_array(tree), *rules = json_make_object(tree);
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	select_to_json(tree, node, decision);
	json_set(tree, node, "engine", json_make_string(tree, engine_name(decision->facts.engine)));
	if (decision->selection.is_unmanaged) {
		ctl_print_json(node);
		return 0;
	}
	oci_edits_print(&text, &decision->plan.edits, 0);
	r = json_parse(text.data, text.len, JSON_PLAIN, NULL, &edits, err);
	if (r)
		return r;
	json_set(tree, node, "digest", json_make_string(tree, decision->digest));
	json_set(tree, node, "refused", json_make_bool(tree, decision->plan.refusal_count != 0));
	json_set(tree, node, "refusals", refusals_to_json(tree, &decision->plan));
	json_set(tree, node, "edits", json_copy(tree, json_root(edits)));
	for (size_t i = 0; i < decision->plan.notes.count; i++)
		json_append(tree, notes, json_make_string(tree, decision->plan.notes.items[i]));
	json_set(tree, node, "not_in_force", notes);
	count_ranges("allow", &decision->plan.ruleset.allow, tree, rules);
	count_ranges("exact", &decision->plan.ruleset.exact, tree, rules);
	count_ranges("deny", &decision->plan.ruleset.deny, tree, rules);
	count_ranges("ingress", &decision->plan.ruleset.ingress, tree, rules);
	json_set(tree, node, "ranges", rules);
	json_set(tree, node, "opened", openings_to_json(tree, openings));
	json_set(tree, node, "names_bound_by", bound_to_json(tree, decision->selection.profile));
	json_set(tree, node, "resolved", profile_to_json(decision->selection.profile, tree));
	ctl_print_json(node);
	return 0;
}

/* *runtime is what create would execute; malloc'ed. */
static int decide_as(const struct ctl *ctl, struct subject *subject, struct decision *decision, char **runtime, struct err *err)
{
	char *argv[] = { (char *)"quod", (char *)"--root", subject->root, (char *)"create", (char *)"--bundle", subject->bundle,
			 subject->id, NULL };
	char **line = subject->root ? argv : argv + 2;
	struct shim shim = { .profile_name = subject->profile, .config_file = ctl->config_file, .profile_paths = &ctl->paths };
	int r;

	if (line != argv)
		line[0] = argv[0];
	shim.argv = line;
	shim.argc = subject->root ? 7 : 5;
	r = invocation_load_config(&shim, err);
	if (!r)
		r = invocation_choose_runtime(&shim, err);
	if (!r)
		r = decision_make(&shim, subject->bundle, decision, err);
	oci_cmdline_free(&shim.line);
	*runtime = shim.runtime;
	return r;
}

int explain_main(struct ctl *ctl)
{
	struct decision decision = DECISION_INIT;
	struct subject subject = { NULL };
	cleanup_free char *runtime = NULL;
	struct err err = ERR_INIT;
	int at = 1, r, status;

	if (ctl->argc > at + 1 && !strcmp(ctl->argv[at], "--profile")) {
		subject.profile = ctl->argv[at + 1];
		at += 2;
	}
	if (ctl->argc != at + 1)
		return ctl_fail_usage(ctl, "explain takes one bundle or container");
	r = find_subject(ctl, ctl->argv[at], &subject, &err);
	if (!r)
		r = decide_as(ctl, &subject, &decision, &runtime, &err);
	if (!r && ctl->json)
		r = print_as_json(&decision, &subject.openings, &err);
	else if (!r)
		print_for_people(&decision, &subject.openings, runtime ? runtime : "");
	status = r == -EACCES || r == -EDQUOT ? (ctl_fail("%s", err.text), CTL_NO) : r ? ctl_fail("%s", err.text) :
		 decision.has_plan && decision.plan.refusal_count ? CTL_NO : CTL_YES;
	decision_release(&decision);
	subject_release(&subject);
	return status;
}
