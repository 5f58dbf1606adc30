/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arithmetic of budgets: see budget.h. Must stay pure, so that tests can reach every corner of it. */
#include "shim/warden/budget.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MOST_MS 60000u
#define LOOK_LEAST_MS 50u
#define LOOK_FLOOR_MS 5u

static const unsigned marks[] = { 80, 95, 100 };

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* The amount at which a mark is passed; rounded up, so that 100 % is the limit itself. */
static uint64_t amount_at(uint64_t limit, unsigned percent)
{
	return limit / 100 * percent + (limit % 100 * percent + 99) / 100;
}

uint64_t budget_spent(const struct budget *budget)
{
	return add(budget->before, budget->now - budget->forgotten);
}

uint64_t budget_left(const struct budget *budget)
{
	uint64_t spent = budget_spent(budget);

	if (budget->limit == BUDGET_UNLIMITED)
		return BUDGET_UNLIMITED;
	return spent >= budget->limit ? 0 : budget->limit - spent;
}

unsigned budget_note(struct budget *budget, uint64_t now)
{
	unsigned reached = 0;

	if (now > budget->now)
		budget->now = now;
	if (budget->limit == BUDGET_UNLIMITED)
		return 0;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (budget_spent(budget) >= amount_at(budget->limit, marks[i]))
			reached = marks[i];
	if (reached <= budget->mark)
		return 0;
	budget->mark = reached;
	return reached;
}

unsigned budget_note_spent(struct budget *budget)
{
	if (budget->limit == BUDGET_UNLIMITED || budget->mark == 100)
		return 0;
	budget->mark = 100;
	return 100;
}

static void take_others(struct budget *budget, uint64_t sum)
{
	uint64_t own = budget->now - budget->forgotten;

	budget->before = sum > own ? sum - own : 0;
}

void budget_take_sum(struct budget *budget, uint64_t sum, bool is_anew)
{
	if (is_anew) {
		budget->forgotten = budget->in_ledger;
		budget->mark = 0;
	}
	budget->in_ledger = budget->now;
	take_others(budget, sum);
}

void budget_take_running(struct budget *budget, uint64_t sum)
{
	budget->in_sum = budget->now;
	take_others(budget, sum);
}

uint64_t budget_to_next_mark(const struct budget *budget)
{
	uint64_t spent = budget_spent(budget);

	if (budget->limit == BUDGET_UNLIMITED)
		return BUDGET_UNLIMITED;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i] > budget->mark)
			return spent >= amount_at(budget->limit, marks[i]) ? 0 : amount_at(budget->limit, marks[i]) - spent;
	return BUDGET_UNLIMITED;
}

uint64_t budget_cpu_look_ms(const struct budget *budget, uint32_t cpus_milli)
{
	uint64_t most_us = budget_to_next_mark(budget), cpus = cpus_milli ? cpus_milli : 1000, look_ms, least_ms;

	if (most_us == BUDGET_UNLIMITED)
		return LOOK_MOST_MS;
	/* Microseconds of CPU over thousandths of a CPU is milliseconds of wall time. */
	look_ms = most_us / cpus;
	least_ms = budget->limit / 100 / cpus;
	if (least_ms > LOOK_LEAST_MS)
		least_ms = LOOK_LEAST_MS;
	if (least_ms < LOOK_FLOOR_MS)
		least_ms = LOOK_FLOOR_MS;
	if (look_ms < least_ms)
		return least_ms;
	return look_ms > LOOK_MOST_MS ? LOOK_MOST_MS : look_ms;
}

#define SHARED_LEAST_MS 20u
#define SHARED_MOST_MS 1000u
#define SHARED_BY 64u

uint64_t budget_shared_wall_look_ms(const struct budget *budget)
{
	uint64_t look_ms = budget_to_next_mark(budget) / SHARED_BY;

	if (look_ms < SHARED_LEAST_MS)
		return SHARED_LEAST_MS;
	return look_ms > SHARED_MOST_MS ? SHARED_MOST_MS : look_ms;
}

static void print_unit(uint64_t amount, const uint64_t *sizes, const char *const *names, char *text, size_t size)
{
	size_t i = 0;

	while (sizes[i] > 1 && (!amount || amount % sizes[i]))
		i++;
	snprintf(text, size, "%llu%s", (unsigned long long)(amount / sizes[i]), names[i]);
}

void budget_print_time(uint64_t milliseconds, char *text, size_t size)
{
	static const uint64_t sizes[] = { 86400000, 3600000, 60000, 1000, 1 };
	static const char *const names[] = { "d", "h", "m", "s", "ms" };

	print_unit(milliseconds, sizes, names, text, size);
}

void budget_print_bytes(uint64_t bytes, char *text, size_t size)
{
	static const uint64_t sizes[] = { 1ull << 40, 1ull << 30, 1ull << 20, 1ull << 10, 1 };
	static const char *const names[] = { "T", "G", "M", "K", "" };

	print_unit(bytes, sizes, names, text, size);
}

void budget_print_limit(const struct budget *budget, char *text, size_t size)
{
	char amount[32];

	if (!strcmp(budget->name, "egress"))
		budget_print_bytes(budget->limit, amount, sizeof(amount));
	else
		budget_print_time(!strcmp(budget->name, "cpu") ? budget->limit / 1000 : budget->limit, amount, sizeof(amount));
	snprintf(text, size, "%s %s", budget->name, amount);
}
