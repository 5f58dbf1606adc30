/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl report: what the audit trail, the ledger and the live containers say, gathered by container, and its page. */
#ifndef QUOD_CTL_REPORT_H
#define QUOD_CTL_REPORT_H

#include "shim/ctl/live.h"

#define REPORT_CONTAINERS_MAX 200	/* the newest are kept */
#define REPORT_ROWS_MAX 500		/* of one kind, of one container */

enum report_kind {
	REPORT_REACHED,		/* connections */
	REPORT_NAMES,		/* that were answered */
	REPORT_REFUSED,		/* names, connections, commands */
	REPORT_OBSERVED,	/* passed, and would have been refused */
	REPORT_EXEC,
	REPORT_EVENTS,		/* all else, each by itself */
	REPORT_KINDS,
};

/* The same thing, once or often. Its texts are the container's: whoever prints them escapes. */
struct report_row {
	enum report_kind kind;
	char *what, *detail;
	uint64_t times, out_bytes, in_bytes;
	char first[31], last[31];	/* as records have them */
};

/* What was spent of a budget at a time: milliseconds, or bytes. */
struct report_point {
	int64_t at_s;
	uint64_t spent;
};

struct report_budget {
	uint64_t limit;			/* LIMIT_UNLIMITED: none, or unknown */
	struct report_point *points;
	size_t count;
	uint64_t base;			/* spent in the runs before this one */
};

struct report_container {
	char *id, *engine, *profile, *digest;
	char *chosen_by, *ended;	/* NULL unknown; ended NULL: it lives, or nobody knows */
	bool is_live;
	char first[31], last[31];
	struct report_row *rows;
	size_t count;
	size_t dropped[REPORT_KINDS];	/* beyond REPORT_ROWS_MAX */
	struct report_budget budgets[LIVE_BUDGETS];
};

struct report {
	struct report_container **containers;
	size_t count;
	size_t dropped;			/* containers */
	uint64_t records;
	char *title;
};

void report_take(struct report *report, const char *line, size_t len, const struct audit_fields *fields);

/* Limits and what is spent now of those that live, and how the others ended, from their ledgers. */
int report_take_live(const struct ctl *ctl, struct report *report, struct err *err);
void report_release(struct report *report);

/* One page that needs nothing else: no script, and nothing is fetched. */
void report_print_html(const struct report *report, struct buf *out);
struct json *report_to_json(const struct report *report, struct json_tree *tree);

#endif
