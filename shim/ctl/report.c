/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl report CONTAINER | --since TIME [CONTAINER]: one HTML page, on standard output. */
#include "shim/ctl/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

struct options {
	const char *since, *container;
};

static int read_words(struct ctl *ctl, struct options *options)
{
	for (int i = 1; i < ctl->argc; i++) {
		const char *word = ctl->argv[i];

		if (!strcmp(word, "--since") && i + 1 < ctl->argc)
			options->since = ctl->argv[++i];
		else if (!strncmp(word, "--since=", 8))
			options->since = word + 8;
		else if (word[0] == '-' || options->container)
			return ctl_fail_usage(ctl, "report takes --since TIME and one container");
		else
			options->container = word;
	}
	return options->since || options->container ? CTL_YES : ctl_fail_usage(ctl, "report of what? Name a container, or --since TIME");
}

static int gather(struct ctl *ctl, const struct options *options, struct report *report, struct err *err)
{
	struct audit_fields fields;
	struct trail trail;
	const char *line;
	size_t len;
	int r = trail_open(ctl, &trail, err);

	if (!r && options->container)
		r = trail_choose_container(ctl, &trail, options->container, err);
	if (!r && options->since)
		r = trail_choose_since(&trail, options->since, err);
	while (!r && (r = trail_next(&trail, &line, &len, &fields, err)) == 1) {
		report_take(report, line, len, &fields);
		r = 0;
	}
	if (!r)
		trail_say_losses(&trail);
	if (!r && !report->records && options->container)
		r = err_set(err, ENOENT, "%s: the audit trail has no record of it", options->container);
	report->title = alloc_printf("quod: %s%s%s", options->container ? options->container : "containers", options->since ? " since " : "",
				     options->since ? trail.since : "");
	trail_release(&trail);
	return r ? r : report_take_live(ctl, report, err);
}

static void set_text(struct json_tree *tree, struct json *node, const char *name, const char *text)
{
	json_set(tree, node, name, text ? json_make_string(tree, text) : json_make_null(tree));
}

static struct json *rows_to_json(const struct report_container *container, struct json_tree *tree)
{
	static const char *const kinds[REPORT_KINDS] = { "reached", "names", "refused", "observed", "exec", "events" };
	struct json *node = json_make_object(tree);

	for (size_t kind = 0; kind < REPORT_KINDS; kind++) {
		struct json *list = json_make_array(tree);

		for (size_t i = 0; i < container->count; i++) {
			const struct report_row *row = &container->rows[i];
			struct json *item = json_make_object(tree);

			if (row->kind != (enum report_kind)kind)
				continue;
			set_text(tree, item, "what", row->what);
			set_text(tree, item, "detail", row->detail);
			json_set(tree, item, "times", json_make_uint(tree, row->times));
			json_set(tree, item, "out_bytes", json_make_uint(tree, row->out_bytes));
			json_set(tree, item, "in_bytes", json_make_uint(tree, row->in_bytes));
			set_text(tree, item, "first", row->first);
			set_text(tree, item, "last", row->last);
			json_append(tree, list, item);
		}
		json_set(tree, node, kinds[kind], list);
	}
	return node;
}

static struct json *budgets_to_json(const struct report_container *container, struct json_tree *tree)
{
	struct json *node = json_make_object(tree);

	for (size_t i = 0; i < LIVE_BUDGETS; i++) {
		const struct report_budget *budget = &container->budgets[i];
		struct json *item = json_make_object(tree), *points = json_make_array(tree);

		json_set(tree, item, "limit", budget->limit == LIMIT_UNLIMITED ? json_make_null(tree) : json_make_uint(tree, budget->limit));
		for (size_t k = 0; k < budget->count; k++) {
			struct json *point = json_make_object(tree);

			json_set(tree, point, "at", json_make_int(tree, budget->points[k].at_s));
			json_set(tree, point, "spent", json_make_uint(tree, budget->points[k].spent));
			json_append(tree, points, point);
		}
		json_set(tree, item, "points", points);
		json_set(tree, node, live_budget_names[i], item);
	}
	return node;
}

struct json *report_to_json(const struct report *report, struct json_tree *tree)
{
	struct json *list = json_make_array(tree);

	for (size_t i = report->count; i-- > 0;) {
		const struct report_container *container = report->containers[i];
		struct json *node = json_make_object(tree);

		set_text(tree, node, "id", container->id);
		set_text(tree, node, "profile", container->profile);
		set_text(tree, node, "digest", container->digest);
		set_text(tree, node, "engine", container->engine);
		set_text(tree, node, "chosen_by", container->chosen_by);
		set_text(tree, node, "ended", container->ended);
		json_set(tree, node, "running", json_make_bool(tree, container->is_live));
		set_text(tree, node, "first", container->first);
		set_text(tree, node, "last", container->last);
		json_set(tree, node, "budgets", budgets_to_json(container, tree));
		json_set(tree, node, "seen", rows_to_json(container, tree));
		json_append(tree, list, node);
	}
	return list;
}

int report_main(struct ctl *ctl)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_buf struct buf page = BUF_INIT;
	struct options options = { NULL, NULL };
	struct report report = { NULL, 0, 0, 0, NULL };
	struct err err = ERR_INIT;
	int status = read_words(ctl, &options);

	if (status != CTL_YES)
		return status;
	if (gather(ctl, &options, &report, &err) < 0)
		status = ctl_fail("%s", err.text);
	else if (ctl->json)
		ctl_print_json(report_to_json(&report, tree));
	else
		report_print_html(&report, &page);
	if (page.data)
		fputs(page.data, stdout);
	report_release(&report);
	return status;
}
