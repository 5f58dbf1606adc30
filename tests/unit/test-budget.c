/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/warden/budget.c. */
#include "shim/warden/budget.h"
#include "tests/unit/tap.h"

static void test_marks(void)
{
	struct budget wall = { .name = "wall", .limit = 1000, .before = 700 };
	struct budget big = { .name = "egress", .limit = UINT64_MAX - 1, .before = UINT64_MAX - 10 };
	struct budget none = { .name = "cpu", .limit = BUDGET_UNLIMITED };
	struct budget zero = { .name = "cpu", .limit = 0 };

	OK(budget_to_next_mark(&wall) == 100, "budget: the first mark is at 80 %%");
	OK(budget_note(&wall, 99) == 0, "budget: nothing is said before a mark");
	OK(budget_note(&wall, 100) == 80, "budget: 80 %% are said, earlier runs counted");
	OK(budget_note(&wall, 110) == 0, "budget: and only once");
	OK(budget_note(&wall, 50) == 0 && budget_spent(&wall) == 810, "budget: a counter that falls back is ignored");
	OK(budget_note(&wall, 300) == 100 && budget_left(&wall) == 0, "budget: over several marks at once the highest is said");
	OK(budget_to_next_mark(&wall) == BUDGET_UNLIMITED, "budget: there is no mark beyond the limit");
	OK(budget_note(&big, 100) == 100 && budget_spent(&big) == UINT64_MAX && budget_left(&big) == 0, "budget: a sum never wraps");
	OK(budget_note(&none, UINT64_MAX) == 0 && budget_left(&none) == BUDGET_UNLIMITED, "budget: unlimited is never spent");
	OK(budget_note_spent(&none) == 0, "budget: nor when the kernel says so");
	wall.mark = 80;
	OK(budget_note_spent(&wall) == 100 && budget_note_spent(&wall) == 0, "budget: the kernel's word is taken, and said once");
	OK(budget_note(&zero, 0) == 100, "budget: a budget of nothing is spent at once");
}

static void test_exact(void)
{
	bool exact = true, ordered = true;

	for (uint64_t limit = 1; limit < 3000; limit += 7) {
		struct budget budget = { .name = "egress", .limit = limit };
		uint64_t spent = 0, steps = 0;

		/* Spending just what the next mark needs meets each mark, and the last one exactly at the limit. */
		while (budget.mark != 100 && steps++ < 10) {
			spent += budget_to_next_mark(&budget);
			ordered &= budget_note(&budget, spent) > 0;
		}
		exact &= budget.now == limit;
	}
	OK(ordered, "budget: what is left to the next mark reaches it");
	OK(exact, "budget: the last mark is the limit, neither before nor behind it");
}

static void test_looks(void)
{
	struct budget cpu = { .name = "cpu", .limit = 4ull * 3600 * 1000000 }, small = { .name = "cpu", .limit = 1000000 };
	uint64_t now_us = 0, looks = 0;

	OK(budget_cpu_look_ms(&cpu, 2000) == 60000, "budget: far from a mark the counter is looked at once a minute");
	while (budget_left(&cpu) && looks < 100000) {
		now_us += budget_cpu_look_ms(&cpu, 2000) * 2000;
		budget_note(&cpu, now_us);
		looks++;
	}
	OK(now_us - cpu.limit <= cpu.limit / 100, "budget: at full speed no more than a hundredth is overspent");
	OK(looks < 1000, "budget: and few looks are needed for it");
	now_us = 0;
	while (budget_left(&small)) {
		now_us += budget_cpu_look_ms(&small, 4000) * 4000;
		budget_note(&small, now_us);
	}
	OK(now_us - small.limit <= 20000, "budget: a small budget is looked at more often");
	OK(budget_cpu_look_ms(&cpu, 0) > 0, "budget: an unknown number of CPUs is one");
}

static void test_print(void)
{
	struct budget wall = { .name = "wall", .limit = 8ull * 3600 * 1000 }, cpu = { .name = "cpu", .limit = 1800000000 };
	struct budget egress = { .name = "egress", .limit = 2ull << 30 };
	char text[64];

	budget_print_limit(&wall, text, sizeof(text));
	IS_STR(text, "wall 8h", "budget: wall is printed in hours");
	budget_print_limit(&cpu, text, sizeof(text));
	IS_STR(text, "cpu 30m", "budget: CPU is printed in minutes");
	budget_print_limit(&egress, text, sizeof(text));
	IS_STR(text, "egress 2G", "budget: bytes are printed in powers of 1024");
	budget_print_time(1500, text, sizeof(text));
	IS_STR(text, "1500ms", "budget: a rest keeps the smaller unit");
	budget_print_time(0, text, sizeof(text));
	IS_STR(text, "0ms", "budget: nothing is 0ms");
	budget_print_bytes(1025, text, sizeof(text));
	IS_STR(text, "1025", "budget: odd bytes have no unit");
}

/* Two runs, each adding what is new to one sum, in turns; a period ends in between. */
static void test_sums(void)
{
	struct budget a = { .name = "cpu", .limit = 1000 }, b = { .name = "cpu", .limit = 1000, .before = 100 };
	uint64_t sum = 100;

	budget_note(&a, 300);
	sum += a.now - a.in_ledger;
	budget_take_sum(&a, sum, false);
	OK(budget_spent(&a) == 400 && a.before == 100, "budget: what is not this run's in the sum is others'");
	budget_note(&b, 500);
	sum += b.now - b.in_ledger;
	budget_take_sum(&b, sum, false);
	OK(budget_spent(&b) == 900 && budget_note(&b, 500) == 80, "budget: and counts like its own");
	budget_take_sum(&a, sum, false);
	OK(budget_spent(&a) == 900 && budget_note(&a, 300) == 80, "budget: each sees what the other spends");

	budget_note(&a, 310);
	sum = a.now - a.in_ledger;
	budget_take_sum(&a, sum, true);
	OK(budget_spent(&a) == 10 && a.mark == 0 && budget_left(&a) == 990, "budget: in a new period the old is forgotten, marks too");
	budget_note(&b, 530);
	sum += b.now - b.in_ledger;
	budget_take_sum(&b, sum, true);
	OK(budget_spent(&b) == 40 && b.before == 10, "budget: by both, each in its turn");
	budget_take_sum(&a, sum, false);
	OK(budget_spent(&a) == 40 && budget_note(&a, 1269) == 95 && budget_note(&a, 1270) == 100,
	   "budget: and the new period's limit is the whole limit");
}

static void test_running(void)
{
	struct budget wall = { .name = "wall", .limit = 100000, .now = 10 };

	budget_take_running(&wall, 5010);
	OK(budget_spent(&wall) == 5010 && wall.in_sum == 10 && wall.in_ledger == 0, "budget: the running sum is others' and one's own");
	OK(budget_shared_wall_look_ms(&wall) == 1000, "budget: shared wall time is looked at once a second");
	budget_take_running(&wall, 79900);
	OK(budget_shared_wall_look_ms(&wall) == 20, "budget: and more often close to a mark");
	wall.limit = BUDGET_UNLIMITED;
	OK(budget_shared_wall_look_ms(&wall) == 1000, "budget: an unlimited one has none");
}

int main(void)
{
	test_marks();
	test_sums();
	test_exact();
	test_looks();
	test_print();
	test_running();
	return tap_done();
}
