/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container has spent, and what happens at the marks: record, SIGTERM, SIGKILL, freeze. Acts first and records then:
 * a full disk or a held lock must not give the container more time.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "shim/base/buf.h"
#include "shim/base/syscalls.h"
#include "shim/warden/guardian.h"

#define KILL_EACH_MS 50u
#define KILL_LATER_MS 1000u
#define KILL_ROUNDS 40u

static bool is_ending(const struct guardian *guardian)
{
	return guardian->phase >= PHASE_GRACE;
}

void guardian_end(struct guardian *guardian, const char *cause, bool with_grace, uint64_t now_ms)
{
	if (guardian->phase == PHASE_GRACE && !with_grace) {
		guardian->phase = PHASE_KILLING;
		guardian->kill_ms = now_ms;
	}
	if (is_ending(guardian))
		return;
	snprintf(guardian->cause, sizeof(guardian->cause), "%s", cause);
	guardian->phase = with_grace && guardian->settings->grace_ms ? PHASE_GRACE : PHASE_KILLING;
	guardian->kill_ms = now_ms;
	if (guardian->phase == PHASE_GRACE) {
		sys_pidfd_send_signal(guardian->pid_fd, SIGTERM);
		if (__builtin_add_overflow(now_ms, guardian->settings->grace_ms, &guardian->kill_ms))
			guardian->kill_ms = UINT64_MAX;
	}
}

/* Again and again: what was forked while the list was read is in the next one. */
void guardian_kill_round(struct guardian *guardian, uint64_t now_ms)
{
	int left;

	guardian->phase = PHASE_KILLING;
	if (!guardian->is_first_gone)
		sys_pidfd_send_signal(guardian->pid_fd, SIGKILL);
	left = cgroup_kill(&guardian->cgroup);
	guardian->kill_ms = now_ms + (guardian->kill_rounds++ < KILL_ROUNDS ? KILL_EACH_MS : KILL_LATER_MS);
	if (guardian->is_first_gone && (left <= 0 || now_ms >= guardian->give_up_ms))
		guardian->phase = PHASE_GONE;
}

/* Asked for again at each beat (guardian.c), so that nobody thaws what is spent. */
static void freeze(struct guardian *guardian)
{
	guardian->phase = PHASE_FROZEN;
	cgroup_freeze(&guardian->cgroup, true);
}

static void say_mark(struct guardian *guardian, const struct budget *budget, unsigned mark, const char *action)
{
	char memory[256];
	struct buf members = buf_fixed(memory, sizeof(memory));

	buf_printf(&members, "\"budget\":\"%s\",\"limit\":%llu,\"spent\":%llu", budget->name, (unsigned long long)budget->limit,
		   (unsigned long long)budget_spent(budget));
	if (mark < 100)
		buf_printf(&members, ",\"percent\":%u", mark);
	else
		buf_printf(&members, ",\"action\":\"%s\"", action);
	guardian_audit(guardian, mark < 100 ? "budget.warn" : "budget.spent", members.data);
}

/* A cap cuts, whatever the whole budget does. */
static void meet_cap(struct guardian *guardian, size_t cap, unsigned mark)
{
	const struct budget *budget = &guardian->caps[cap];
	char memory[1024];
	struct buf members = buf_fixed(memory, sizeof(memory));
	struct err err = ERR_INIT;

	if (!mark)
		return;
	guardian_write_ledger(guardian, "", &err);
	guardian_tell(guardian);
	buf_puts(&members, "\"budget\":\"egress.caps\",\"entry\":");
	buf_put_json(&members, guardian->settings->caps[cap].text);
	buf_printf(&members, ",\"limit\":%llu,\"spent\":%llu", (unsigned long long)budget->limit, (unsigned long long)budget_spent(budget));
	if (mark < 100)
		buf_printf(&members, ",\"percent\":%u", mark);
	else
		buf_puts(&members, ",\"action\":\"cut\"");
	guardian_audit(guardian, mark < 100 ? "budget.warn" : "budget.spent", members.data);
}

static void meet_mark(struct guardian *guardian, struct budget *budget, unsigned mark, uint64_t now_ms)
{
	const struct warden_settings *settings = guardian->settings;
	bool is_egress = budget == &guardian->budgets[BUDGET_EGRESS];
	const char *action = "none";
	struct err err = ERR_INIT;
	char limit[64], cause[80];

	if (mark == 100 && !is_ending(guardian)) {
		budget_print_limit(budget, limit, sizeof(limit));
		snprintf(cause, sizeof(cause), "%s spent", limit);
		if (is_egress && !settings->stop_when_egress_spent) {
			action = "cut";
		} else if (!is_egress && settings->freeze_when_spent) {
			freeze(guardian);
			action = "freeze";
		} else {
			guardian_end(guardian, cause, true, now_ms);
			action = "stop";
		}
	}
	if (!mark)
		return;
	/* Whoever resumes, starts or executes asks the ledger whether he may. */
	guardian_write_ledger(guardian, "", &err);
	guardian_tell(guardian);
	say_mark(guardian, budget, mark, action);
}

/* What was closed or frozen for want of a budget is opened; what is being ended stays so. */
static void begin_period(struct guardian *guardian)
{
	guardian->is_anew = false;
	if (guardian->phase == PHASE_FROZEN) {
		guardian->phase = PHASE_RUNNING;
		if (!guardian->is_halted)
			cgroup_freeze(&guardian->cgroup, false);
	}
	guardian->beat_ms = 0;
	guardian_tell(guardian);
	guardian_audit(guardian, "budget.reset", "");
}

void guardian_weigh(struct guardian *guardian, uint64_t now_ms)
{
	if (guardian->is_anew)
		begin_period(guardian);
	if (guardian->is_first_gone)
		return;
	for (size_t i = 0; i < BUDGETS; i++)
		meet_mark(guardian, &guardian->budgets[i], budget_note(&guardian->budgets[i], guardian->budgets[i].now), now_ms);
	for (size_t i = 0; i < guardian->settings->cap_count; i++)
		meet_cap(guardian, i, budget_note(&guardian->caps[i], guardian->caps[i].now));
}

bool guardian_must_share(const struct guardian *guardian)
{
	return (guardian->budgets[BUDGET_EGRESS].limit != BUDGET_UNLIMITED || guardian->settings->cap_count) &&
	       (guardian->settings->is_shared || guardian->settings->reset_period_ms);
}

void guardian_count_egress(struct guardian *guardian, uint64_t bytes, bool is_spent, uint64_t now_ms)
{
	struct budget *egress = &guardian->budgets[BUDGET_EGRESS];

	if (bytes > egress->now)
		egress->now = bytes;
	guardian_share(guardian);
	meet_mark(guardian, egress, budget_note(egress, bytes), now_ms);
	if (is_spent)
		meet_mark(guardian, egress, budget_note_spent(egress), now_ms);
}

void guardian_count_cap(struct guardian *guardian, size_t cap, uint64_t bytes, bool is_spent)
{
	meet_cap(guardian, cap, budget_note(&guardian->caps[cap], bytes));
	if (is_spent)
		meet_cap(guardian, cap, budget_note_spent(&guardian->caps[cap]));
}

/* Only the account: a mark that is reached here is met by the next look, never swallowed. */
void guardian_read_cpu(struct guardian *guardian)
{
	struct budget *cpu = &guardian->budgets[BUDGET_CPU];
	uint64_t cpu_us = 0;

	if (!guardian->started_ms || cgroup_read_cpu_us(&guardian->cgroup, &cpu_us) || cpu_us < guardian->cpu_base_us)
		return;
	if (cpu_us - guardian->cpu_base_us > cpu->now)
		cpu->now = cpu_us - guardian->cpu_base_us;
}

/* When to look next at the CPU counter, and at what others have spent of a shared ledger. */
static uint64_t look_ms(const struct guardian *guardian)
{
	const struct budget *wall = &guardian->budgets[BUDGET_WALL];
	uint64_t cpu_ms = budget_cpu_look_ms(&guardian->budgets[BUDGET_CPU], guardian->cpus_milli), wall_ms;

	if (!guardian->settings->is_shared || wall->limit == BUDGET_UNLIMITED)
		return cpu_ms;
	wall_ms = budget_shared_wall_look_ms(wall);
	return wall_ms < cpu_ms ? wall_ms : cpu_ms;
}

void guardian_look(struct guardian *guardian, uint64_t now_ms)
{
	struct budget *wall = &guardian->budgets[BUDGET_WALL], *cpu = &guardian->budgets[BUDGET_CPU];
	bool is_due;

	if (!guardian->started_ms || guardian->is_first_gone)
		return;
	is_due = now_ms >= guardian->cpu_look_ms;
	if (is_due) {
		guardian_read_cpu(guardian);
		guardian_share(guardian);
	}
	meet_mark(guardian, wall, budget_note(wall, now_ms - guardian->started_ms), now_ms);
	if (!is_due)
		return;
	meet_mark(guardian, cpu, budget_note(cpu, cpu->now), now_ms);
	guardian->cpu_look_ms = now_ms + look_ms(guardian);
}

void guardian_start_run(struct guardian *guardian, uint64_t now_ms)
{
	struct err err = ERR_INIT;

	if (guardian->started_ms)
		return;
	guardian->started_ms = now_ms;
	guardian->phase = guardian->phase == PHASE_CREATED ? PHASE_RUNNING : guardian->phase;
	if (cgroup_read_cpu_us(&guardian->cgroup, &guardian->cpu_base_us))
		guardian->cpu_base_us = 0;
	guardian->cpu_look_ms = now_ms;
	/* What others have spent, or the end of a period, since it was created. */
	if (guardian->settings->is_shared || guardian->settings->reset_period_ms)
		guardian_write_ledger(guardian, "", &err);
	guardian_look(guardian, now_ms);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t guardian_next_ms(const struct guardian *guardian, uint64_t now_ms)
{
	const struct budget *wall = &guardian->budgets[BUDGET_WALL];
	uint64_t next_ms = earlier(guardian->beat_ms, guardian->ledger_ms), to_mark = budget_to_next_mark(wall), at_ms;

	next_ms = earlier(earlier(next_ms, guardian->own_ms), earlier(guardian->protect_ms, guardian->halt_ms));
	if (guardian->has_leash)
		next_ms = earlier(next_ms, leash_next_ms(&guardian->leash));
	if (is_ending(guardian))
		next_ms = earlier(next_ms, guardian->kill_ms);
	if (guardian->started_ms) {
		next_ms = earlier(next_ms, guardian->cpu_look_ms);
		if (to_mark != BUDGET_UNLIMITED && !__builtin_add_overflow(guardian->started_ms + wall->now, to_mark, &at_ms))
			next_ms = earlier(next_ms, at_ms);
	}
	return next_ms < now_ms ? now_ms : next_ms;
}
