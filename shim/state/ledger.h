/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: what a container (or a workspace) has spent of its budgets, and how it ended. One small file per key below
 * /var/lib/quod/ledger; crash-safe (written beside, fsync, rename); a torn, foreign or older file is seen and refused.
 */
#ifndef QUOD_STATE_LEDGER_H
#define QUOD_STATE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/base/err.h"

/* What was spent of caps (egress.caps), known by their entries. */
#define LEDGER_CAPS 64
struct ledger_cap {
	uint64_t id;		/* ledger_cap_id */
	uint64_t bytes;
};

struct ledger {
	uint64_t wall_ms, cpu_us, egress_bytes;	/* spent over all runs */
	uint64_t runs;
	int64_t updated_s;	/* wall clock of the last write, for pruning and `reset` */
	int64_t period_start_s;	/* budgets.reset with a period */
	char ended[256];	/* how the last run ended: "wall 8h spent", "exit 0", "signal 9"; "" while it runs */
	char container[128], profile[128], engine[32];
	struct ledger_cap caps[LEDGER_CAPS];	/* all that were ever added: who has a place keeps it */
	uint32_t cap_count;
	uint64_t period_ms;	/* not in the file: for ledger_add, budgets.reset's period, 0 for none */
};

/* budgets.reset: when what was spent is forgotten. */
struct ledger_reset {
	bool at_restart;
	uint64_t period_ms;	/* 0: none */
};

/* Of an entry as it is written; never 0. */
uint64_t ledger_cap_id(const char *entry);

uint64_t ledger_cap_spent(const struct ledger *ledger, uint64_t id);

/* False when there is no place for one more. */
bool ledger_add_cap(struct ledger *ledger, uint64_t id, uint64_t bytes);

/* All that was spent, of budgets and caps; these keep their places. */
void ledger_forget_spent(struct ledger *ledger);

/* Forgets what was spent when the period that began at period_start_s has passed, and says when the present one began. The
 * first begins now, and so does one that would begin later (the clock was set back). */
void ledger_forget(struct ledger *ledger, uint64_t period_ms, int64_t now_s);

/* Reads the ledger of a key (state_key); absent gives zeros and 0; -EBADMSG when it is torn or not a ledger, -EPROTO when it
 * is one of another version. Neither reading nor writing allocates. */
int ledger_read(const char *dir, const char *key, struct ledger *ledger, struct err *err);

/* Sets updated_s to now. Control characters in texts become '?'. */
int ledger_write(const char *dir, const char *key, const struct ledger *ledger, struct err *err);

/* What a new run has before it, under the same lock as ledger_add: what `reset` forgets is forgotten in the file. */
int ledger_begin(const char *dir, const char *key, const struct ledger_reset *reset, struct ledger *ledger, struct err *err);

/* Adds one run's news to the ledger of a key that several containers may share (budgets.scope), under a lock: `more` has
 * what was spent since the last call, and the texts as they shall stand; a period that has passed is forgotten first.
 * *ledger is the sum. */
int ledger_add(const char *dir, const char *key, const struct ledger *more, struct ledger *ledger, struct err *err);

/* The running sum of a ledger that several containers share: what all of them have spent by now, in a file beside the ledger
 * that is written in place, without fsync and under a lock of its own, so that each may ask many times a second. It is never
 * more than was spent; what a crash takes from it the ledger knows. Whoever adds to the ledger has added here before.
 *
 * ledger_sum_add adds `more` (amounts, and the period that they belong to); -ESTALE, and nothing is added, where there is no
 * sum, or one of another period. ledger_sum_raise then puts one there that is no less than `least`, the ledger's own. */
int ledger_sum_add(const char *dir, const char *key, const struct ledger *more, struct ledger *sum, struct err *err);
int ledger_sum_raise(const char *dir, const char *key, const struct ledger *least, struct ledger *sum, struct err *err);

/* Calls visit(key, ledger, data) for each ledger that can be read until it returns non-zero; returns that. An absent directory
 * has none. */
int ledger_each(const char *dir, int (*visit)(const char *key, const struct ledger *ledger, void *data), void *data,
		struct err *err);

/* Removes ledgers not updated for keep_ms; returns how many. */
int ledger_prune(const char *dir, uint64_t keep_ms, struct err *err);

#endif
