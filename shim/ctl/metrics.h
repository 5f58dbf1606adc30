/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics as they are gathered, and their print in Prometheus' text format. */
#ifndef QUOD_CTL_METRICS_H
#define QUOD_CTL_METRICS_H

#include "shim/ctl/ctl.h"

/* One value of one metric. `labels` is `profile="web",kind="name"`, already escaped; "" for none. */
struct metric {
	const char *name;	/* one of the table's */
	char *labels;
	double value;
};

struct metrics {
	struct metric *items;
	size_t count;
};

/* Adds to the value under that name and these labels, or begins one. Labels: NAME, VALUE pairs, NULL-terminated; a value
 * beyond METRICS_VALUES_MAX different ones under a name becomes "other". */
#define METRICS_VALUES_MAX 64
void metrics_add(struct metrics *metrics, double value, const char *name, ...) __attribute__((sentinel));
void metrics_max(struct metrics *metrics, double value, const char *name, ...) __attribute__((sentinel));

/* One as it was kept; of another name than the table's nothing is taken. */
void metrics_restore(struct metrics *metrics, const char *name, const char *labels, double value);
void metrics_release(struct metrics *metrics);

/* In the order of the table of names, each with HELP and TYPE. */
void metrics_print(const struct metrics *metrics, struct buf *out);
struct json *metrics_to_json(const struct metrics *metrics, struct json_tree *tree);

/* metrics-totals.c: adds what the audit trail has of events since it began to be counted. The sums are kept beside the
 * ledger, so that they only ever grow while the trail's old files go. */
int metrics_count_trail(const struct ctl *ctl, struct metrics *metrics, struct err *err);

#endif
