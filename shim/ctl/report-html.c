/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl report, its page: every text from a record goes through put(), which leaves nothing that a browser or a terminal
 * would take for more than text. The page forbids itself scripts, and to fetch anything.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/report.h"
#include "shim/policy/units.h"

#define CHART_WIDTH 640
#define CHART_HEIGHT 90

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<style>\n"
	":root { color-scheme: light dark; --line: #8886; --weak: #777; --good: #2a7; --bad: #c33; --warn: #b80 }\n"
	"body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }\n"
	"h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; border-top: 2px solid var(--line); padding-top: 1rem; margin-top: 2.5rem;\n"
	"  overflow-wrap: anywhere } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem }\n"
	"table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; color: var(--weak) }\n"
	"th, td { padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }\n"
	"td.n, th.n { text-align: right; white-space: nowrap } code { font-size: .92em } .weak { color: var(--weak) }\n"
	".bad { color: var(--bad) } .good { color: var(--good) } .warn { color: var(--warn) }\n"
	".budgets { display: flex; flex-wrap: wrap; gap: 1rem } .budgets figure { margin: 0; flex: 1 1 18rem } svg { width: 100%; height: auto }\n"
	"dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dt { color: var(--weak) } dd { margin: 0;\n"
	"  overflow-wrap: anywhere } @media print { h2 { break-before: page } }\n"
	"</style>\n";

static void put(struct buf *out, const char *text)
{
	cleanup_buf struct buf plain = BUF_INIT;

	buf_put_plain(&plain, text);
	for (const char *at = plain.data; at && *at; at++) {
		if (*at == '<')
			buf_puts(out, "&lt;");
		else if (*at == '>')
			buf_puts(out, "&gt;");
		else if (*at == '&')
			buf_puts(out, "&amp;");
		else if (*at == '"')
			buf_puts(out, "&quot;");
		else if (*at == '\'')
			buf_puts(out, "&#39;");
		else
			buf_putc(out, *at);
	}
}

static void put_time(struct buf *out, const char *time)
{
	cleanup_free char *text = alloc_printf("%.10s %.8s", time, strlen(time) > 18 ? time + 11 : "");

	put(out, text);
}

static void put_fact(struct buf *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	buf_printf(out, "<dt>%s</dt><dd>", name);
	put(out, text);
	buf_puts(out, "</dd>\n");
}

/* To a person's eye. */
static char *amount(size_t which, uint64_t value)
{
	unsigned long long s = value / 1000;

	if (which == LIVE_EGRESS && value >= 10u << 20)
		return alloc_printf("%.1f MiB", (double)value / (1 << 20));
	if (which == LIVE_EGRESS)
		return alloc_printf("%.1f KiB", (double)value / 1024);
	if (value < 60000)
		return alloc_printf("%.1f s", (double)value / 1000);
	return alloc_printf("%lluh %02llum %02llus", s / 3600, s / 60 % 60, s % 60);
}

/* Steps over time, and a line where the limit is. Numbers alone: nothing here is text of a container. */
static void put_chart(struct buf *out, const struct report_budget *budget)
{
	int64_t begin = budget->points[0].at_s, end = budget->points[budget->count - 1].at_s;
	bool has_limit = budget->limit != LIMIT_UNLIMITED && budget->limit;
	double most = has_limit ? (double)budget->limit : 1, span = end > begin ? (double)(end - begin) : 1;

	for (size_t i = 0; i < budget->count; i++)
		most = (double)budget->points[i].spent > most ? (double)budget->points[i].spent : most;
	buf_printf(out, "<svg viewBox=\"-4 -4 %d %d\" role=\"img\">", CHART_WIDTH + 8, CHART_HEIGHT + 8);
	buf_printf(out, "<path d=\"M0 0V%dH%d\" fill=\"none\" stroke=\"#8888\"/>", CHART_HEIGHT, CHART_WIDTH);
	if (has_limit)
		buf_printf(out, "<path d=\"M0 %.1fH%d\" stroke=\"#c33\" stroke-dasharray=\"6 5\"/>",
			   CHART_HEIGHT - (double)budget->limit / most * CHART_HEIGHT, CHART_WIDTH);
	buf_puts(out, "<polyline fill=\"none\" stroke=\"#27c\" stroke-width=\"2\" points=\"");
	for (size_t i = 0; i < budget->count; i++)
		buf_printf(out, "%.1f,%.1f ", (double)(budget->points[i].at_s - begin) / span * CHART_WIDTH,
			   CHART_HEIGHT - (double)budget->points[i].spent / most * CHART_HEIGHT);
	buf_puts(out, "\"/></svg>");
}

static void put_budget(struct buf *out, size_t which, const struct report_budget *budget)
{
	uint64_t spent = budget->count ? budget->points[budget->count - 1].spent : 0;
	cleanup_free char *used = amount(which, spent), *limit = NULL;
	const char *tone = "good";

	if (!budget->count)
		return;
	if (budget->limit == LIMIT_UNLIMITED) {
		buf_printf(out, "<figure><figcaption>%s: %s <span class=\"weak\">(no limit known)</span></figcaption>",
			   live_budget_names[which], used);
	} else {
		limit = amount(which, budget->limit);
		tone = spent >= budget->limit ? "bad" : spent >= budget->limit / 5 * 4 ? "warn" : "good";
		buf_printf(out, "<figure><figcaption>%s: <b class=\"%s\">%s</b> of %s</figcaption>", live_budget_names[which], tone, used, limit);
	}
	put_chart(out, budget);
	buf_puts(out, "</figure>\n");
}

static int by_times(const void *a, const void *b)
{
	const struct report_row *one = *(const struct report_row *const *)a, *other = *(const struct report_row *const *)b;

	if (one->kind == REPORT_EVENTS)
		return strcmp(one->first, other->first);
	return one->times != other->times ? (one->times < other->times ? 1 : -1) : strcmp(one->what, other->what);
}

static void put_row(struct buf *out, const struct report_row *row)
{
	buf_puts(out, "<tr><td>");
	put(out, row->what);
	buf_puts(out, "</td><td>");
	put(out, row->detail);
	if (row->kind == REPORT_REACHED) {
		cleanup_free char *sent = amount(LIVE_EGRESS, row->out_bytes), *got = amount(LIVE_EGRESS, row->in_bytes);

		buf_printf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s", row->out_bytes ? sent : "", row->in_bytes ? got : "");
	}
	if (row->kind != REPORT_EVENTS)
		buf_printf(out, "</td><td class=\"n\">%llu", (unsigned long long)row->times);
	buf_puts(out, "</td><td class=\"n\">");
	put_time(out, row->first);
	buf_puts(out, "</td></tr>\n");
}

static void put_rows(struct buf *out, const struct report_container *container, enum report_kind kind)
{
	static const struct {
		const char *title, *what, *detail;
	} heads[REPORT_KINDS] = {
		[REPORT_REACHED] = { "Reached", "Where", "Allowed by" },
		[REPORT_NAMES] = { "Names that were answered", "Name", "Addresses" },
		[REPORT_REFUSED] = { "Refused", "What", "Why" },
		[REPORT_OBSERVED] = { "Passed, and would have been refused", "What", "Why" },
		[REPORT_EXEC] = { "Commands that were run inside (exec)", "Command", "" },
		[REPORT_EVENTS] = { "What happened", "Event", "" },
	};
	cleanup_free const struct report_row **rows = alloc_zeroed(container->count + 1, sizeof(*rows));
	size_t count = 0;

	for (size_t i = 0; i < container->count; i++)
		if (container->rows[i].kind == kind)
			rows[count++] = &container->rows[i];
	if (!count)
		return;
	qsort(rows, count, sizeof(*rows), by_times);
	buf_printf(out, "<h3>%s</h3>\n<table><tr><th>%s</th><th>%s</th>%s%s<th class=\"n\">%s</th></tr>\n", heads[kind].title, heads[kind].what,
		   heads[kind].detail, kind == REPORT_REACHED ? "<th class=\"n\">Out</th><th class=\"n\">In</th>" : "",
		   kind != REPORT_EVENTS ? "<th class=\"n\">Times</th>" : "", kind == REPORT_EVENTS ? "When (UTC)" : "First (UTC)");
	for (size_t i = 0; i < count; i++)
		put_row(out, rows[i]);
	buf_puts(out, "</table>\n");
	if (container->dropped[kind])
		buf_printf(out, "<p class=\"weak\">and %zu more records of other ones</p>\n", container->dropped[kind]);
}

static void put_container(struct buf *out, const struct report_container *container)
{
	bool has_points = false;

	buf_puts(out, "<section>\n<h2><code>");
	put(out, *container->id ? container->id : "(no container)");
	buf_puts(out, "</code></h2>\n<dl>\n");
	put_fact(out, "Profile", container->profile);
	put_fact(out, "Chosen by", container->chosen_by);
	put_fact(out, "Digest", container->digest);
	put_fact(out, "Engine", container->engine);
	put_fact(out, "First record", container->first);
	put_fact(out, "Last record", container->last);
	put_fact(out, "Ended", container->ended ? container->ended : container->is_live ? "it is running" : NULL);
	buf_puts(out, "</dl>\n");
	for (size_t i = 0; i < LIVE_BUDGETS; i++)
		has_points |= container->budgets[i].count > 0;
	if (has_points) {
		buf_puts(out, "<h3>Budgets</h3>\n<div class=\"budgets\">\n");
		for (size_t i = 0; i < LIVE_BUDGETS; i++)
			put_budget(out, i, &container->budgets[i]);
		buf_puts(out, "</div>\n");
	}
	for (int kind = 0; kind < REPORT_KINDS; kind++)
		put_rows(out, container, (enum report_kind)kind);
	buf_puts(out, "</section>\n");
}

void report_print_html(const struct report *report, struct buf *out)
{
	char when[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	buf_puts(out, head);
	buf_puts(out, "<title>");
	put(out, report->title);
	buf_puts(out, "</title>\n</head>\n<body>\n<h1>");
	put(out, report->title);
	buf_printf(out, "</h1>\n<p class=\"weak\">%llu records of the audit trail, %zu container%s; written by quodctl " QUOD_VERSION " at %s UTC.",
		   (unsigned long long)report->records, report->count, report->count == 1 ? "" : "s", when);
	if (report->dropped)
		buf_printf(out, " %zu older containers are left out.", report->dropped);
	buf_puts(out, " Whether the trail is whole, <code>quodctl audit verify</code> says.</p>\n");
	for (size_t i = report->count; i-- > 0;)
		put_container(out, report->containers[i]);
	buf_puts(out, "</body>\n</html>\n");
}
