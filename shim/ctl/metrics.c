/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl metrics: Prometheus' text format, for node_exporter's textfile collector. No label says which container: ids come
 * and go without end; profiles, engines and budgets don't.
 */
#include "shim/ctl/metrics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/foreign.h"
#include "shim/ctl/live.h"

static const struct metric_name {
	const char *name, *type, *help;
} names[] = {
	{ "quod_build_info", "gauge", "The version of quod." },
	{ "quod_containers", "gauge", "Containers under quod." },
	{ "quod_containers_not_under_quod", "gauge", "Running containers of this host's engines that are not under quod." },
	{ "quod_budget_wall_limit_seconds", "gauge", "Sum of the wall budgets of live containers, unlimited ones left out." },
	{ "quod_budget_wall_spent_seconds", "gauge", "What is spent of them." },
	{ "quod_budget_cpu_limit_seconds", "gauge", "Sum of the CPU budgets of live containers, unlimited ones left out." },
	{ "quod_budget_cpu_spent_seconds", "gauge", "What is spent of them." },
	{ "quod_budget_egress_limit_bytes", "gauge", "Sum of the egress budgets of live containers, unlimited ones left out." },
	{ "quod_budget_egress_spent_bytes", "gauge", "What is spent of them." },
	{ "quod_budget_used_ratio", "gauge", "Of the live container that has used most of its budget, how much: 1 is spent." },
	{ "quod_audit_records_total", "counter", "Records of the audit trail." },
	{ "quod_audit_records_missed_total", "counter", "Records that were rotated away, or cut out, before they were counted." },
	{ "quod_audit_foreign_lines_total", "counter", "Lines of the audit trail that are no records." },
	{ "quod_audit_last_record_timestamp_seconds", "gauge", "When the last record was written." },
	{ "quod_refusals_total", "counter", "Commands that were refused: create, exec, update." },
	{ "quod_denials_total", "counter", "Names and connections that containers were denied." },
	{ "quod_observed_total", "counter", "Names and connections that passed where a profile only observes, and would have been denied." },
	{ "quod_budgets_spent_total", "counter", "How often a budget was spent." },
	{ "quod_limit_hits_total", "counter", "How often a container met its limit." },
	{ "quod_helper_losses_total", "counter", "How often a helper beside a container ended or answered no longer." },
	{ "quod_helper_restarts_total", "counter", "How often one was back." },
	{ "quod_table_changes_total", "counter", "How often somebody else changed a container's table." },
};

/* How many different labels a name has, and whether these are among them. */
static struct metric *find(struct metrics *metrics, const char *name, const char *labels, size_t *others)
{
	*others = 0;
	for (size_t i = 0; i < metrics->count; i++) {
		if (strcmp(metrics->items[i].name, name))
			continue;
		if (!strcmp(metrics->items[i].labels, labels))
			return &metrics->items[i];
		++*others;
	}
	return NULL;
}

/* Backslash, quote and newline; what else is no text for people is escaped before. */
static void put_label(struct buf *buf, const char *name, const char *value)
{
	cleanup_buf struct buf plain = BUF_INIT;

	buf_put_plain(&plain, value);
	buf_printf(buf, "%s%s=\"", buf->len ? "," : "", name);
	for (const char *at = plain.data; at && *at; at++) {
		if (*at == '\\' || *at == '"')
			buf_putc(buf, '\\');
		buf_putc(buf, *at);
	}
	buf_putc(buf, '"');
}

static void put_labels(struct buf *buf, va_list args, bool as_other)
{
	const char *name;

	while ((name = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		put_label(buf, name, as_other ? "other" : value);
	}
}

static struct metric *begin(struct metrics *metrics, const char *name, const char *labels)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].name, name))
			continue;
		metrics->items = alloc_grow(metrics->items, metrics->count + 1, sizeof(*metrics->items));
		metrics->items[metrics->count] = (struct metric){ .name = names[i].name, .labels = alloc_copy(labels) };
		return &metrics->items[metrics->count++];
	}
	return NULL;
}

void metrics_restore(struct metrics *metrics, const char *name, const char *labels, double value)
{
	struct metric *metric = begin(metrics, name, labels);

	if (metric)
		metric->value = value;
}

static struct metric *take(struct metrics *metrics, const char *name, va_list args, bool *is_new)
{
	cleanup_buf struct buf labels = BUF_INIT;
	struct metric *metric;
	size_t others;
	va_list again;

	va_copy(again, args);
	put_labels(&labels, args, false);
	metric = find(metrics, name, labels.data ? labels.data : "", &others);
	if (!metric && others >= METRICS_VALUES_MAX) {
		labels.len = 0;
		put_labels(&labels, again, true);
		metric = find(metrics, name, labels.data, &others);
	}
	va_end(again);
	*is_new = !metric;
	return metric ? metric : begin(metrics, name, labels.data ? labels.data : "");
}

void metrics_add(struct metrics *metrics, double value, const char *name, ...)
{
	va_list args;
	bool is_new;

	va_start(args, name);
	take(metrics, name, args, &is_new)->value += value;
	va_end(args);
}

void metrics_max(struct metrics *metrics, double value, const char *name, ...)
{
	struct metric *metric;
	va_list args;
	bool is_new;

	va_start(args, name);
	metric = take(metrics, name, args, &is_new);
	if (is_new || value > metric->value)
		metric->value = value;
	va_end(args);
}

void metrics_release(struct metrics *metrics)
{
	for (size_t i = 0; i < metrics->count; i++)
		free(metrics->items[i].labels);
	free(metrics->items);
	*metrics = (struct metrics){ NULL, 0 };
}

void metrics_print(const struct metrics *metrics, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool has_head = false;

		for (size_t k = 0; k < metrics->count; k++) {
			const struct metric *metric = &metrics->items[k];

			if (metric->name != names[i].name)
				continue;
			if (!has_head)
				buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", names[i].name, names[i].help, names[i].name, names[i].type);
			has_head = true;
			buf_printf(out, metric->labels[0] ? "%s{%s} %.17g\n" : "%s%s %.17g\n", metric->name, metric->labels, metric->value);
		}
	}
}

/* The labels of the text form, as they are. */
struct json *metrics_to_json(const struct metrics *metrics, struct json_tree *tree)
{
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < metrics->count; i++) {
		struct json *node = json_make_object(tree);
		cleanup_free char *value = alloc_printf("%.17g", metrics->items[i].value);
		struct json *number = json_make_int(tree, 0);

		number->text = json_string(json_make_string(tree, value));
		json_set(tree, node, "name", json_make_string(tree, metrics->items[i].name));
		json_set(tree, node, "labels", json_make_string(tree, metrics->items[i].labels));
		json_set(tree, node, "value", number);
		json_append(tree, list, node);
	}
	return list;
}

static void add_budget(struct metrics *metrics, const char *profile, size_t which, const struct live_budget *budget)
{
	static const struct {
		const char *limit, *spent;
		double unit;
	} forms[LIVE_BUDGETS] = {
		[LIVE_WALL] = { "quod_budget_wall_limit_seconds", "quod_budget_wall_spent_seconds", 1000 },
		[LIVE_CPU] = { "quod_budget_cpu_limit_seconds", "quod_budget_cpu_spent_seconds", 1000 },
		[LIVE_EGRESS] = { "quod_budget_egress_limit_bytes", "quod_budget_egress_spent_bytes", 1 },
	};
	double limit, spent;

	if (budget->limit == LIMIT_UNLIMITED)
		return;
	limit = (double)budget->limit / forms[which].unit;
	spent = (double)(budget->limit - budget->left) / forms[which].unit;
	metrics_add(metrics, limit, forms[which].limit, "profile", profile, NULL);
	metrics_add(metrics, spent, forms[which].spent, "profile", profile, NULL);
	metrics_max(metrics, limit > 0 ? spent / limit : 1, "quod_budget_used_ratio", "profile", profile, "budget", live_budget_names[which],
		    NULL);
}

static int add_live(const struct ctl *ctl, struct metrics *metrics, struct err *err)
{
	struct foreign_list foreign;
	struct live_list live;
	int r = live_read(ctl, &live, err);

	for (size_t i = 0; !r && i < live.count; i++) {
		const struct live *one = &live.items[i];

		metrics_add(metrics, 1, "quod_containers", "profile", one->record.profile, "engine", one->record.engine, "status",
			    one->is_halted ? "halted" : one->pid ? "running" : "stopped", NULL);
		for (size_t k = 0; k < LIVE_BUDGETS; k++)
			add_budget(metrics, one->record.profile, k, &one->budgets[k]);
	}
	if (!r) {
		foreign_find(&live, &foreign);
		for (size_t i = 0; i < foreign.count; i++)
			metrics_add(metrics, 1, "quod_containers_not_under_quod", "engine", foreign.items[i].engine, NULL);
		foreign_release(&foreign);
	}
	live_release(&live);
	return r;
}

int metrics_main(struct ctl *ctl)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct metrics metrics = { NULL, 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	int r;

	if (ctl->argc != 1)
		return ctl_fail_usage(ctl, "metrics takes no words");
	metrics_add(&metrics, 1, "quod_build_info", "version", QUOD_VERSION, NULL);
	r = add_live(ctl, &metrics, &err);
	if (!r)
		r = metrics_count_trail(ctl, &metrics, &err);
	if (r < 0)
		ctl_fail("%s", err.text);
	else if (ctl->json)
		ctl_print_json(metrics_to_json(&metrics, tree));
	else
		metrics_print(&metrics, &out);
	if (out.data)
		fputs(out.data, stdout);
	metrics_release(&metrics);
	return r < 0 ? CTL_FAILED : CTL_YES;
}
