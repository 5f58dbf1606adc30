/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of budgets (quod-profile(5), "budgets"): pure, no clock and no counter is read here. Amounts are in the
 * budget's own unit: wall milliseconds, CPU microseconds, egress bytes. Sums never wrap.
 */
#ifndef QUOD_WARDEN_BUDGET_H
#define QUOD_WARDEN_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_UNLIMITED UINT64_MAX

struct budget {
	const char *name;	/* "wall", "cpu", "egress" */
	uint64_t limit;		/* BUDGET_UNLIMITED: nothing is ever spent */
	uint64_t before;	/* spent by earlier runs, and by others who share the ledger */
	uint64_t now;		/* spent by this run */
	uint64_t in_ledger;	/* of `now`, what the ledger knows */
	uint64_t in_sum;	/* of `now`, what the running sum of those who share the ledger knows */
	uint64_t forgotten;	/* of `now`, what was spent in a period that has passed (budgets.reset) */
	unsigned mark;		/* the highest mark passed: 0, 80, 95, 100 */
};

uint64_t budget_spent(const struct budget *budget);
uint64_t budget_left(const struct budget *budget);	/* BUDGET_UNLIMITED for an unlimited one */

/* Notes what this run has spent (less than before is taken for a counter that lost its cgroup, and ignored). Returns the
 * highest mark that was passed by this and not before: 0, 80, 95 or 100. */
unsigned budget_note(struct budget *budget, uint64_t now);

/* Notes that nothing more can be spent, whatever the counters say: the kernel's quota refuses the packet that would be too
 * much. Returns 100 the first time, then 0. */
unsigned budget_note_spent(struct budget *budget);

/* Takes the ledger's sum, which knows all of `now`: what is not this run's is others'. With is_anew a new period has begun,
 * and the sum holds what was added since. */
void budget_take_sum(struct budget *budget, uint64_t sum, bool is_anew);

/* The same with the running sum, within a period. */
void budget_take_running(struct budget *budget, uint64_t sum);

/* How much must yet be spent until the next mark; BUDGET_UNLIMITED when there is none. */
uint64_t budget_to_next_mark(const struct budget *budget);

/* When to look at the CPU counter again, in milliseconds: not before the next mark can be reached by `cpus_milli`
 * thousandths of a CPU, at most 60 s, at least 50 ms (5 ms where 50 ms were more than a hundredth of the budget). */
uint64_t budget_cpu_look_ms(const struct budget *budget, uint32_t cpus_milli);

/* The same for wall time that several containers spend at once, nobody knows how many. */
uint64_t budget_shared_wall_look_ms(const struct budget *budget);

/* "8h", "90s", "1500ms"; "2G", "1500" (bytes, powers of 1024): the largest unit that leaves no rest. */
void budget_print_time(uint64_t milliseconds, char *text, size_t size);
void budget_print_bytes(uint64_t bytes, char *text, size_t size);

/* The budget's limit in its own unit: "wall 8h", "cpu 30m", "egress 2G". */
void budget_print_limit(const struct budget *budget, char *text, size_t size);

#endif
