/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a container's budgets: see budgets.h. Reads no file and no counter: the ledger is given. */
#include "shim/budgets.h"

#include <time.h>

#include "shim/policy/units.h"

#define LATE_START_MS 600000u

static char *spent_text(const char *name, void (*print)(struct buf *, uint64_t), uint64_t budget)
{
	cleanup_buf struct buf buf = BUF_INIT;

	buf_printf(&buf, "%s ", name);
	print(&buf, budget);
	buf_puts(&buf, " spent");
	return buf_steal(&buf);
}

void budgets_forget(const struct profile *profile, bool is_new_run, struct ledger *ledger)
{
	if (profile->budgets.reset == RESET_RESTART && is_new_run)
		ledger_forget_spent(ledger);
	if (profile->budgets.reset == RESET_PERIOD)
		ledger_forget(ledger, profile->budgets.reset_period_ms, (int64_t)time(NULL));
}

char *budgets_find_spent(const struct profile *profile, const struct ledger *ledger)
{
	if (profile->budgets.wall_ms != LIMIT_UNLIMITED && ledger->wall_ms >= profile->budgets.wall_ms)
		return spent_text("wall", duration_print, profile->budgets.wall_ms);
	if (profile->budgets.cpu_ms != LIMIT_UNLIMITED && ledger->cpu_us / 1000 >= profile->budgets.cpu_ms)
		return spent_text("cpu", duration_print, profile->budgets.cpu_ms);
	if (profile->budgets.egress_stops && profile->budgets.egress != LIMIT_UNLIMITED &&
	    ledger->egress_bytes >= profile->budgets.egress)
		return spent_text("egress", bytes_print, profile->budgets.egress);
	return NULL;
}

char *budgets_deadline(const struct profile *profile, const struct ledger *ledger)
{
	uint64_t left;
	char text[32];
	struct tm tm;
	time_t end;

	if (profile->budgets.wall_ms == LIMIT_UNLIMITED)
		return alloc_copy("");
	left = profile->budgets.wall_ms > ledger->wall_ms ? profile->budgets.wall_ms - ledger->wall_ms : 0;
	end = time(NULL) + (time_t)(left / 1000);
	if (!gmtime_r(&end, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return alloc_copy("");
	return alloc_copy(text);
}

uint64_t budgets_unit_us(const struct profile *profile, const struct ledger *ledger)
{
	uint64_t wall_ms = profile->budgets.wall_ms, us = 0;

	if (wall_ms == LIMIT_UNLIMITED || profile->budgets.on_exhausted == EXHAUSTED_FREEZE || profile->budgets.reset == RESET_PERIOD)
		return UINT64_MAX;
	wall_ms = wall_ms > ledger->wall_ms ? wall_ms - ledger->wall_ms : 0;
	if (__builtin_add_overflow(wall_ms, profile->budgets.grace_ms, &us) || __builtin_add_overflow(us, LATE_START_MS, &us) ||
	    __builtin_mul_overflow(us, 1000u, &us))
		return UINT64_MAX;
	return us;
}
