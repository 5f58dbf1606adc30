/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guardian leaves in writing: audit records, the ledger, and a note in the container's state directory. A record
 * that can't be written while the container runs is said once to syslog; whether that refuses a container is decided where
 * one is created.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/warden/guardian.h"

#define LIMIT_EACH_MS 60000u

static void complain(struct guardian *guardian, const char *what, const struct err *err)
{
	char memory[1024];
	struct buf text = buf_fixed(memory, sizeof(memory));

	if (guardian->audit_failed)
		return;
	guardian->audit_failed = true;
	buf_put_plain(&text, err->text);
	syslog(LOG_AUTHPRIV | LOG_ERR, "container %s: %s could not be written: %s", guardian->settings->container, what, text.data);
}

void guardian_audit(struct guardian *guardian, const char *event, const char *members)
{
	const struct warden_settings *settings = guardian->settings;
	struct audit_record record = { event,		  settings->container, settings->engine, settings->profile,
				       settings->digest, members };
	struct err err = ERR_INIT;

	if (audit_write(&guardian->audit, &record, &err))
		complain(guardian, "an audit record", &err);
}

/* The sum comes back: what others spend of the same ledger counts here too. Whoever adds first after a period's end makes the
 * ledger forget; the others see it by the new period's start. */
static void take_sums(struct guardian *guardian, const struct ledger *sum)
{
	const uint64_t sums[BUDGETS] = { sum->wall_ms, sum->cpu_us, sum->egress_bytes };
	bool is_anew = guardian->settings->reset_period_ms && sum->period_start_s != guardian->period_start_s;

	for (size_t i = 0; i < BUDGETS; i++)
		budget_take_sum(&guardian->budgets[i], sums[i], is_anew);
	for (size_t i = 0; i < guardian->settings->cap_count; i++)
		budget_take_sum(&guardian->caps[i], ledger_cap_spent(sum, guardian->settings->caps[i].id), is_anew);
	guardian->period_start_s = sum->period_start_s;
	guardian->is_anew |= is_anew;
}

/* What was spent since `known` was, of each budget; a sandbox's time is nobody's. */
static struct ledger news_since(const struct guardian *guardian, size_t known)
{
	struct ledger news = { .period_start_s = guardian->period_start_s };
	uint64_t amounts[BUDGETS];

	for (size_t i = 0; i < BUDGETS; i++) {
		const struct budget *budget = &guardian->budgets[i];

		amounts[i] = budget->now - *(const uint64_t *)((const char *)budget + known);
		if (guardian->settings->counts_only_egress && i != BUDGET_EGRESS)
			amounts[i] = 0;
	}
	news.wall_ms = amounts[BUDGET_WALL];
	news.cpu_us = amounts[BUDGET_CPU];
	news.egress_bytes = amounts[BUDGET_EGRESS];
	for (size_t i = 0; i < guardian->settings->cap_count; i++) {	/* fewer than there are places for */
		const struct budget *cap = &guardian->caps[i];

		ledger_add_cap(&news, guardian->settings->caps[i].id, cap->now - *(const uint64_t *)((const char *)cap + known));
	}
	return news;
}

static void take_running(struct guardian *guardian, const struct ledger *sum)
{
	const uint64_t sums[BUDGETS] = { sum->wall_ms, sum->cpu_us, sum->egress_bytes };

	for (size_t i = 0; i < BUDGETS; i++)
		budget_take_running(&guardian->budgets[i], sums[i]);
	for (size_t i = 0; i < guardian->settings->cap_count; i++)
		budget_take_running(&guardian->caps[i], ledger_cap_spent(sum, guardian->settings->caps[i].id));
}

void guardian_share(struct guardian *guardian)
{
	const struct warden_settings *settings = guardian->settings;
	struct ledger sum, more = news_since(guardian, offsetof(struct budget, in_sum));
	struct err err = ERR_INIT;
	int r;

	if (!settings->is_shared)
		return;
	r = ledger_sum_add(settings->ledger_dir, settings->ledger_key, &more, &sum, &err);
	if (!r)
		take_running(guardian, &sum);
	else if (r == -ESTALE)
		guardian->ledger_ms = 0;
}

/* After the ledger, whose sum it may not fall behind. */
static void raise_sum(struct guardian *guardian, const struct ledger *least)
{
	const struct warden_settings *settings = guardian->settings;
	struct err err = ERR_INIT;
	struct ledger sum;

	if (settings->is_shared && !ledger_sum_raise(settings->ledger_dir, settings->ledger_key, least, &sum, &err))
		take_running(guardian, &sum);
}

static int add_to_ledger(struct guardian *guardian, const char *ended, struct err *err)
{
	const struct warden_settings *settings = guardian->settings;
	struct ledger sum, more;
	int r;

	guardian_share(guardian);
	more = news_since(guardian, offsetof(struct budget, in_ledger));
	more.runs = guardian->started_ms && !guardian->is_run_counted;
	more.period_ms = settings->reset_period_ms;
	snprintf(more.ended, sizeof(more.ended), "%s", ended);
	snprintf(more.container, sizeof(more.container), "%s", settings->container);
	snprintf(more.profile, sizeof(more.profile), "%s", settings->profile);
	snprintf(more.engine, sizeof(more.engine), "%s", settings->engine);
	r = ledger_add(settings->ledger_dir, settings->ledger_key, &more, &sum, err);
	if (r) {
		complain(guardian, "the ledger", err);
		return r;
	}
	guardian->is_run_counted |= more.runs > 0;
	take_sums(guardian, &sum);
	raise_sum(guardian, &sum);
	return 0;
}

int64_t guardian_period_left_ms(const struct guardian *guardian)
{
	uint64_t period_s = guardian->settings->reset_period_ms / 1000;
	struct timespec now = { 0 };

	if (!guardian->settings->reset_period_ms || period_s > INT32_MAX)
		return INT64_MAX;
	clock_gettime(CLOCK_REALTIME, &now);
	return (guardian->period_start_s + (int64_t)(period_s ? period_s : 1) - now.tv_sec) * 1000 - now.tv_nsec / 1000000;
}

/* What was spent until a period's end is the old period's, and forgotten with it. */
static void close_period(struct guardian *guardian)
{
	for (size_t i = 0; i < BUDGETS; i++)
		guardian->budgets[i].in_ledger = guardian->budgets[i].now;
	for (size_t i = 0; i < guardian->settings->cap_count; i++)
		guardian->caps[i].in_ledger = guardian->caps[i].now;
}

int guardian_write_ledger(struct guardian *guardian, const char *ended, struct err *err)
{
	if (guardian_period_left_ms(guardian) <= 0)
		close_period(guardian);
	return add_to_ledger(guardian, ended, err);
}

/* A counter whose cgroup has gone shows nothing: what was seen stays. */
void guardian_read_limits(struct guardian *guardian)
{
	uint64_t oom_kills = cgroup_read_oom_kills(&guardian->cgroup), refused = cgroup_read_pids_refused(&guardian->cgroup);

	if (oom_kills > guardian->oom_kills.now)
		guardian->oom_kills.now = oom_kills;
	if (refused > guardian->pids_refused.now)
		guardian->pids_refused.now = refused;
}

static void say_limit(struct guardian *guardian, const char *event, struct limit_count *count)
{
	char members[64];

	if (count->now <= count->said)
		return;
	snprintf(members, sizeof(members), "\"repeated\":%llu", (unsigned long long)(count->now - count->said));
	count->said = count->now;
	guardian_audit(guardian, event, members);
}

/* Summed up, at most once a minute: a fork bomb meets its limit a million times. */
void guardian_say_limits(struct guardian *guardian, uint64_t now_ms)
{
	if (guardian->limits_said_ms && now_ms - guardian->limits_said_ms < LIMIT_EACH_MS && !guardian->is_first_gone)
		return;
	if (guardian->oom_kills.now > guardian->oom_kills.said || guardian->pids_refused.now > guardian->pids_refused.said)
		guardian->limits_said_ms = now_ms;
	say_limit(guardian, "limit.memory", &guardian->oom_kills);
	say_limit(guardian, "limit.pids", &guardian->pids_refused);
}

/* How it ended, for people; the code as a shell would show it, -1 when it can't be known (it wasn't held). */
static int print_cause(const struct guardian *guardian, char *text, size_t size)
{
	int status = guardian->leash.exit_status, code = -1;
	bool known = guardian->has_leash && guardian->leash.knows_status;
	bool by_memory = guardian->oom_kills.now > guardian->oom_kills.base;

	if (known)
		code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (guardian->cause[0])
		snprintf(text, size, "%s", guardian->cause);
	else if (!guardian->started_ms)
		snprintf(text, size, "never started");
	else if (!known)
		snprintf(text, size, "%s", by_memory ? "ended (memory limit)" : "ended");
	else if (WIFSIGNALED(status))
		snprintf(text, size, "signal %d%s", WTERMSIG(status), by_memory && WTERMSIG(status) == 9 ? " (memory limit)" : "");
	else
		snprintf(text, size, "exit %d", code);
	return code;
}

void guardian_report_end(struct guardian *guardian)
{
	struct err err = ERR_INIT;
	char cause[160], memory[512];
	struct buf members = buf_fixed(memory, sizeof(memory));
	int code = print_cause(guardian, cause, sizeof(cause));

	guardian_write_ledger(guardian, cause, &err);
	guardian_say_limits(guardian, UINT64_MAX);
	buf_puts(&members, "\"cause\":");
	buf_put_json(&members, cause);
	if (code >= 0)
		buf_printf(&members, ",\"code\":%d", code);
	buf_printf(&members, ",\"wall_ms\":%llu,\"cpu_us\":%llu,\"egress_bytes\":%llu",
		   (unsigned long long)guardian->budgets[BUDGET_WALL].now, (unsigned long long)guardian->budgets[BUDGET_CPU].now,
		   (unsigned long long)guardian->budgets[BUDGET_EGRESS].now);
	guardian_audit(guardian, "exit", members.data);
}

/* "/quod" when every hierarchy was opened for the helpers, "partly", or "none". */
static const char *own_cgroup(const struct cgroup_own *own)
{
	return !own->count ? "none" : own->count == own->wanted ? "/quod" : "partly";
}

int guardian_write_note(struct guardian *guardian, int state_fd, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	buf_printf(&text, "{\"pid\":%d,\"nursery_pid\":%d,\"cradle_pid\":%d,\"warden_pid\":%d,\"helpers_cgroup\":\"%s\",\"started_s\":%lld}\n", (int)getpid(),
		   (int)guardian->nursery_pid, (int)guardian->cradle_pid, (int)guardian->warden_pid, own_cgroup(&guardian->own), (long long)time(NULL));
	r = file_replace(state_fd, "guardian", text.data, text.len, 0600, err);
	if (r)
		return r;
	/* a file's descriptor: from a directory's a way leads up */
	cleanup_close_at(&guardian->note_fd);
	guardian->note_fd = openat(state_fd, "guardian", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return guardian->note_fd < 0 ? err_set_errno(err, errno, "the guardian's note") : 0;
}

bool guardian_has_state(const struct guardian *guardian)
{
	struct stat st;

	return guardian->note_fd < 0 || fstat(guardian->note_fd, &st) < 0 || st.st_nlink;
}

/* `run` deletes the container without a word to quod. What a state directory holds is known; anything else keeps it. */
void guardian_remove_state(const struct warden_settings *settings)
{
	static const char *const names[] = { "bundle/config.json", "record.json", "spaces", "guardian", "protected", CONTROL_SOCKET, "halted", "opened.json", "told/limits.json",
					     "told/denied.jsonl" };
	int dir_fd = open(settings->remove_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir_fd < 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dir_fd, names[i], 0);
	unlinkat(dir_fd, "bundle", AT_REMOVEDIR);
	unlinkat(dir_fd, "mounts", AT_REMOVEDIR);
	unlinkat(dir_fd, "told", AT_REMOVEDIR);
	unlinkat(AT_FDCWD, settings->remove_dir, AT_REMOVEDIR);
	close(dir_fd);
}
