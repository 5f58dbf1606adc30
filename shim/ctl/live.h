/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The containers under quod as they are now: record, what is left of each budget, what was refused. */
#ifndef QUOD_CTL_LIVE_H
#define QUOD_CTL_LIVE_H

#include "shim/ctl/ctl.h"
#include "shim/ctl/trail.h"
#include "shim/state/record.h"

enum { LIVE_WALL, LIVE_CPU, LIVE_EGRESS, LIVE_BUDGETS };

/* Milliseconds, or bytes of egress; LIMIT_UNLIMITED. */
struct live_budget {
	uint64_t limit, left;
};

struct live {
	struct record record;
	bool is_halted;			/* by an administrator (quodctl halt) */
	bool is_unmanaged;		/* a rule leaves it as it is: it has neither budgets nor limits */
	pid_t pid;			/* of its first process; 0 when it is not there (any more) */
	struct live_budget budgets[LIVE_BUDGETS];
	uint64_t denied;		/* names and connections, by the audit trail */
};

struct live_list {
	struct live *items;
	size_t count;
};

extern const char *const live_budget_names[LIVE_BUDGETS];	/* wall, cpu, egress */

/* All that have a record; one that can't be read is told on stderr and left out. Free with live_release, also on failure. */
int live_read(const struct ctl *ctl, struct live_list *list, struct err *err);
void live_release(struct live_list *list);

/* Counts what the trail has of their denials. A trail that is read on later is counted on. */
int live_count_denied(struct live_list *list, struct trail *trail, struct err *err);

/* The same over the whole of the host's own trail, as far back as the oldest of them was created. */
int live_read_denied(const struct ctl *ctl, struct live_list *list, struct err *err);

#endif
