/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guardian's life: open everything, start the gate and the warden, take the leash, lock down, say "ready", and then one loop.
 *
 * It stays uid 0, so that no unprivileged user can signal or trace it and it can still append to root's audit trail and
 * ledger, but with CAP_KILL alone in every set, and with these directories as all that its root holds. With guard "kill" it
 * keeps CAP_SYS_PTRACE too, and the filter lets it be used for one thing only, to take the one process again that it was
 * given: a program that another thread executes comes loose without it (leash.c). Every system call that is not in `calls`
 * ends the guardian, and so (guard "kill") the container. After "ready" it must allocate nothing, wait for nobody without a
 * bound, and start nothing.
 */
#include "shim/warden/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/syscalls.h"
#include "shim/warden/lockdown.h"

#define LEDGER_MS 60000u
#define LEDGER_SHARED_MS 1000u
#define GIVE_UP_MS 10000u
#define OWN_CGROUP_MS 1000u

uint64_t guardian_now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fill(struct guardian *guardian, const struct warden_settings *settings, char *title)
{
	*guardian = (struct guardian){
		.settings = settings,
		.audit = { settings->audit_file, settings->audit_head, settings->audit_rotate, settings->audit_keep,
			   settings->audit_syslog },
		.pid_fd = -1,
		.signal_fd = -1,
		.timer_fd = -1,
		.channel_fd = -1,
		.told_fd = -1,
		.denied_fd = -1,
		.note_fd = -1,
		.mounts_fd = -1,
		.own_fds_fd = -1,
		.protect_ms = UINT64_MAX,
		.learn_fds = { -1, -1 },
		.warden_fd = -1,
		.names_fd = -1,
		.change = { .names_fd = -1 },
		.title = title,
		.cgroup = CGROUP_INIT,
		.control_fd = -1,
		.first_fd = -1,
		.halt_ms = UINT64_MAX,
		.budgets = { { .name = "wall", .limit = settings->wall_ms, .before = settings->wall_spent_ms },
			     { .name = "cpu",
			       .limit = settings->cpu_ms > UINT64_MAX / 1000 ? BUDGET_UNLIMITED : settings->cpu_ms * 1000,
			       .before = settings->cpu_spent_us },
			     { .name = "egress", .limit = settings->egress_bytes, .before = settings->egress_spent } },
		.period_start_s = settings->period_start_s,
		.kill_ms = UINT64_MAX,
		.give_up_ms = UINT64_MAX,
		.cpu_look_ms = UINT64_MAX,
	};
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		guardian->clients[i].fd = -1;
	for (size_t i = 0; i < settings->cap_count && i < RULESET_CAPS_MAX; i++)
		guardian->caps[i] = (struct budget){ .name = "egress.caps", .limit = settings->caps[i].bytes, .before = settings->caps[i].spent };
}

static int open_own(struct guardian *guardian, struct err *err)
{
	sigset_t all, child;

	/* SIGKILL ends the guardian, and a fault of its own; nothing else does: a shutdown's SIGTERM to everybody must leave the
	 * engine the time to stop its containers. */
	sigfillset(&all);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return err_set_errno(err, errno, "signals");
	guardian->signal_fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	guardian->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	guardian->pid_fd = sys_pidfd_open(guardian->settings->pid, 0);
	if (guardian->signal_fd < 0 || guardian->timer_fd < 0)
		return err_set_errno(err, errno, "signal and timer descriptors");
	if (guardian->pid_fd < 0)
		return err_set_errno(err, errno, "first process %d", guardian->settings->pid);
	return 0;
}

/* One container spends as many CPUs at once as it may have, several that share a budget all that there are. */
static uint32_t fastest_cpus_milli(const struct warden_settings *settings)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t all = cpus < 1 ? 1000 : cpus > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)cpus * 1000;

	return settings->is_shared || !settings->cpus_milli || settings->cpus_milli > all ? all : settings->cpus_milli;
}

/* What is promised must be possible, or the container does not start. */
static int check_means(const struct guardian *guardian, struct err *err)
{
	const struct warden_settings *settings = guardian->settings;
	bool has_budget = settings->wall_ms != BUDGET_UNLIMITED || settings->cpu_ms != BUDGET_UNLIMITED;
	uint64_t cpu_us;

	if (guardian->cgroup.dir_fd < 0 && !guardian->is_init)
		return err_set(err, ENOTSUP, "the container has neither a cgroup nor a pid namespace of its own: nothing can end all of it");
	if (settings->cpu_ms != BUDGET_UNLIMITED && cgroup_read_cpu_us(&guardian->cgroup, &cpu_us))
		return err_set(err, ENOTSUP, "the container has no cgroup of its own that counts CPU time (budgets.cpu)");
	if (has_budget && settings->freeze_when_spent && guardian->cgroup.freeze_fd < 0)
		return err_set(err, ENOTSUP, "the container has no freezer cgroup of its own (budgets.on_exhausted)");
	return 0;
}

static int open_container(struct guardian *guardian, struct err *err)
{
	int r = leash_is_init(guardian->settings->pid, err);

	if (r < 0)
		return r;
	guardian->is_init = r;
	guardian->cpus_milli = fastest_cpus_milli(guardian->settings);
	r = cgroup_open(guardian->settings->pid, &guardian->cgroup, err);
	if (r)
		return r;
	guardian_read_limits(guardian);
	guardian->oom_kills.base = guardian->oom_kills.said = guardian->oom_kills.now;
	guardian->pids_refused.base = guardian->pids_refused.said = guardian->pids_refused.now;
	return check_means(guardian, err);
}

#define CALL(name) { SCMP_SYS(name), 0, { { 0 } } }
#define CALL_IF(name, ...) { SCMP_SYS(name), 1, { __VA_ARGS__ } }

static int filter(const struct guardian *guardian, struct err *err)
{
	const scmp_datum_t pid = (scmp_datum_t)guardian->settings->pid;
	const struct lockdown_call calls[] = {
		/* the loop */
		CALL(poll), CALL(ppoll), CALL(read), CALL(timerfd_settime), CALL(clock_gettime), CALL(clock_nanosleep),
		CALL(nanosleep), CALL(gettimeofday), CALL(time), CALL(restart_syscall), CALL(rt_sigreturn), CALL(exit),
		CALL(exit_group), CALL(wait4), CALL(waitid),
		/* the gate, and syslog */
		CALL(sendto), CALL(sendmsg), CALL(recvfrom), CALL(recvmsg), CALL(connect),
		CALL_IF(socket, LOCKDOWN_IS(0, AF_UNIX)),
		/* orders */
		CALL(accept4), { SCMP_SYS(getsockopt), 2, { LOCKDOWN_IS(1, SOL_SOCKET), LOCKDOWN_IS(2, SO_PEERCRED) } },
		/* audit trail, ledger, counters */
		CALL(openat), CALL(open), CALL(close), CALL(pread64), CALL(pwrite64), CALL(write), CALL(fstat), CALL(newfstatat),
		CALL(fstatat64), CALL(stat), CALL(lstat), CALL(statx), CALL(flock), CALL(fsync), CALL(fdatasync), CALL(ftruncate), CALL(rename),
		CALL(renameat), CALL(renameat2), CALL(unlink), CALL(unlinkat), CALL(mkdir), CALL(mkdirat), CALL(getdents64),
		CALL(lseek), CALL(readlinkat), CALL(fcntl), CALL(getpid), CALL(gettid),
		CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(brk), CALL(munmap), CALL(madvise), CALL(futex), CALL(getrandom),
		CALL_IF(mmap, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)),
		/* ending the container */
		CALL_IF(kill, LOCKDOWN_IS(1, SIGKILL)),
		CALL_IF(pidfd_send_signal, LOCKDOWN_IS(0, guardian->pid_fd)),
	};
	const struct lockdown_call held[] = {
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, PTRACE_CONT), LOCKDOWN_IS(1, pid) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, PTRACE_LISTEN), LOCKDOWN_IS(1, pid) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, PTRACE_GETEVENTMSG), LOCKDOWN_IS(1, pid) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, PTRACE_GETSIGINFO), LOCKDOWN_IS(1, pid) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, PTRACE_DETACH), LOCKDOWN_IS(1, pid) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, PTRACE_SEIZE), LOCKDOWN_IS(1, pid) } },
	};
	struct lockdown_call all[ARRAY_SIZE(calls) + ARRAY_SIZE(held)];

	memcpy(all, calls, sizeof(calls));
	memcpy(all + ARRAY_SIZE(calls), held, sizeof(held));
	return lockdown_calls(all, ARRAY_SIZE(calls) + (guardian->has_leash ? ARRAY_SIZE(held) : 0), err);
}

struct path {
	char text[sizeof(((struct warden_settings *)0)->audit_file)];
};

/* The directory that a file lies in; "" for what is no absolute path below one. */
static const char *directory_of(const char *file, struct path *path)
{
	char *slash;

	snprintf(path->text, sizeof(path->text), "%s", file);
	slash = path->text[0] == '/' ? strrchr(path->text, '/') : path->text;
	*slash = '\0';
	return path->text;
}

static int keep_own_files(const struct guardian *guardian, struct err *err)
{
	const struct warden_settings *settings = guardian->settings;
	struct path audit, head, state;
	const char *const directories[] = { directory_of(settings->audit_file, &audit), directory_of(settings->audit_head, &head),
					    settings->ledger_dir, directory_of(settings->remove_dir, &state) };

	return lockdown_files(directories, settings->remove_dir[0] ? 4 : 3, err);
}

static int lock_down(struct guardian *guardian, struct err *err)
{
	uint64_t kept = 1ull << CAP_KILL;
	int r;

	if (guardian->has_leash)
		kept |= 1ull << CAP_SYS_PTRACE;
	/* What syslog would open and read later. */
	tzset();
	openlog("quod-guardian", LOG_NDELAY, LOG_AUTHPRIV);
	r = keep_own_files(guardian, err);
	if (!r)
		r = lockdown_privileges(kept, err);
	return r ? r : filter(guardian, err);
}

static int prepare(struct guardian *guardian, struct err *err)
{
	const struct warden_settings *settings = guardian->settings;
	const struct leash_demand demand = { settings->allowed_capabilities, settings->must_have_no_new_privs,
					     settings->must_have_filters };
	int r = open_own(guardian, err);

	if (!r)
		r = open_container(guardian, err);
	if (!r && settings->has_table)
		r = guardian_start_gate(guardian, err);
	if (!r && settings->has_table)
		r = guardian_start_warden(guardian, err);
	if (!r && settings->record_connections)
		r = guardian_map_entries(guardian, WARDEN_FD_NAMES, err);
	/* From here on the namespace is the gate's: a descriptor here would keep it alive. */
	close(WARDEN_FD_NETLINK);
	close(WARDEN_FD_NETNS);
	if (settings->has_names || settings->record_connections)
		guardian->names_fd = WARDEN_FD_NAMES;
	else
		close(WARDEN_FD_NAMES);
	cgroup_open_own(&guardian->own);
	if (!r)
		r = guardian_open_told(guardian, WARDEN_FD_STATE, err);
	if (!r)
		r = guardian_open_denied(guardian, WARDEN_FD_STATE, err);
	if (!r)
		r = guardian_hold_protected(guardian, WARDEN_FD_STATE, err);
	if (!r && settings->has_table)
		r = guardian_first_beat(guardian, err);
	if (!r && settings->has_table)
		r = guardian_wait_warden(guardian, err);
	if (!r)
		r = guardian_open_control(guardian, WARDEN_FD_STATE, err);
	if (!r)
		r = guardian_write_note(guardian, WARDEN_FD_STATE, err);
	close(WARDEN_FD_STATE);
	if (!r && settings->guard == 0) {
		r = leash_take(&guardian->leash, settings->pid, &demand, err);
		guardian->has_leash = !r;
	}
	if (!r)
		r = lock_down(guardian, err);
	if (!r)
		r = guardian_write_ledger(guardian, "", err);
	return r;
}

static void first_gone(struct guardian *guardian, uint64_t now_ms)
{
	guardian->is_first_gone = true;
	guardian_let_protected_go(guardian);
	guardian_last_count(guardian, now_ms);
	if (guardian->started_ms)
		budget_note(&guardian->budgets[BUDGET_WALL], now_ms - guardian->started_ms);
	if (guardian->is_init) {
		guardian->phase = PHASE_GONE;
		return;
	}
	guardian->give_up_ms = now_ms + GIVE_UP_MS;
	guardian_kill_round(guardian, now_ms);
}

/* Its cgroups are read while they are sure to be there: the engine hears of the end when the process is reaped. */
static void attend_first(struct guardian *guardian, uint64_t now_ms)
{
	struct pollfd end = { .fd = guardian->pid_fd, .events = POLLIN };
	bool has_ended = poll(&end, 1, 0) > 0;
	char cause[sizeof(guardian->cause)];
	unsigned news = LEASH_QUIET;

	if (has_ended) {
		guardian_read_cpu(guardian);
		guardian_read_limits(guardian);
	}
	if (guardian->has_leash)
		news = leash_attend(&guardian->leash, has_ended, now_ms);
	if (news & LEASH_EXEC)
		guardian_start_run(guardian, now_ms);
	if (news & LEASH_UNPROVEN) {
		snprintf(cause, sizeof(cause), "killed: not proven at its first instruction: %s", guardian->leash.lacking);
		guardian_end(guardian, cause, false, now_ms);
	}
	if (news & LEASH_LOST)
		guardian_end(guardian, "killed: the first process could not be held (guard: kill)", false, now_ms);
	if (news & LEASH_ALONE)
		guardian_end(guardian, "killed: main thread ended alone (guard: kill)", false, now_ms);
	if (has_ended && !(guardian->has_leash && guardian->leash.is_held))
		first_gone(guardian, now_ms);
}

/* Between cgroups of version 1 a move makes every fork and exec of the machine wait for the kernel's grace period, so it is not
 * made while the container starts. Until then the engine's cgroup is no hole: whoever ends all of it ends the guardian, and the
 * container with it. */
static void enter_own_cgroup(struct guardian *guardian)
{
	const pid_t others[] = { guardian->nursery_pid, guardian->gate_pid, guardian->cradle_pid, guardian->warden_pid };
	unsigned wanted = guardian->own.wanted, entered = cgroup_enter_own(&guardian->own, others, ARRAY_SIZE(others));

	guardian->own_ms = UINT64_MAX;
	if (entered < wanted)
		syslog(LOG_WARNING, "container %s: the helpers are in their own cgroup in %u of %u hierarchies",
		       guardian->settings->container, entered, wanted);
}

/* At a period's end at the latest. */
static uint64_t next_ledger_ms(const struct guardian *guardian, uint64_t now_ms)
{
	uint64_t wait_ms = guardian->settings->is_shared ? LEDGER_SHARED_MS : LEDGER_MS;
	int64_t left_ms = guardian_period_left_ms(guardian);

	if (left_ms < (int64_t)wait_ms)
		wait_ms = left_ms > 0 ? (uint64_t)left_ms : LEDGER_SHARED_MS;
	return now_ms + wait_ms;
}

static void keep_ledger(struct guardian *guardian, uint64_t now_ms)
{
	struct err err = ERR_INIT;

	if (guardian->started_ms) {
		guardian_read_cpu(guardian);
		guardian_write_ledger(guardian, "", &err);
		guardian_weigh(guardian, now_ms);
	}
	guardian->ledger_ms = next_ledger_ms(guardian, now_ms);
}

/* A delete that comes in the middle of a create, by a runtime that knows nothing of it yet: nobody would ever end it. */
static void check_state(struct guardian *guardian, uint64_t now_ms)
{
	if (!guardian->is_first_gone && !guardian_has_state(guardian))
		guardian_end(guardian, "killed: its record is gone", false, now_ms);
}

static void keep_time(struct guardian *guardian, uint64_t now_ms)
{
	guardian_look(guardian, now_ms);
	if (guardian->phase >= PHASE_GRACE && guardian->phase < PHASE_GONE && now_ms >= guardian->kill_ms)
		guardian_kill_round(guardian, now_ms);
	if (now_ms >= guardian->beat_ms) {
		guardian_beat(guardian, now_ms);
		check_state(guardian, now_ms);
		if (guardian->phase == PHASE_FROZEN)
			cgroup_freeze(&guardian->cgroup, true);
		guardian_read_limits(guardian);
		guardian_say_limits(guardian, now_ms);
		guardian_tell(guardian);
	}
	guardian_keep_halt(guardian, now_ms);
	if (now_ms >= guardian->own_ms)
		enter_own_cgroup(guardian);
	if (now_ms >= guardian->ledger_ms || guardian->is_anew)
		keep_ledger(guardian, now_ms);
}

static void arm(const struct guardian *guardian, uint64_t at_ms)
{
	struct itimerspec spec = { .it_value = { .tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000 } };

	timerfd_settime(guardian->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void drain(int fd)
{
	char text[sizeof(struct signalfd_siginfo)];

	while (read(fd, text, sizeof(text)) > 0)
		;
}

static void run(struct guardian *guardian)
{
	while (guardian->phase != PHASE_GONE) {
		uint64_t now_ms = guardian_now_ms();
		struct pollfd ends[6 + CONTROL_POLLS] = {
			{ .fd = guardian->signal_fd, .events = POLLIN },
			{ .fd = guardian->timer_fd, .events = POLLIN },
			{ .fd = guardian->channel_fd, .events = POLLIN },
			{ .fd = guardian->is_first_gone ? -1 : guardian->pid_fd, .events = POLLIN },
			{ .fd = guardian->mounts_fd, .events = POLLPRI },
			{ .fd = guardian->warden_fd, .events = POLLIN },
		};

		guardian_poll_control(guardian, ends + 6);
		arm(guardian, guardian_next_ms(guardian, now_ms));
		if (poll(ends, ARRAY_SIZE(ends), -1) < 0 && errno != EINTR)
			return;		/* cannot be; whoever holds no leash any more must not pretend to */
		now_ms = guardian_now_ms();
		if (ends[0].revents) {
			drain(guardian->signal_fd);
			guardian_reap_nursery(guardian);
			guardian_reap_warden(guardian);
		}
		if (ends[1].revents)
			drain(guardian->timer_fd);
		if (!guardian->is_first_gone)
			attend_first(guardian, now_ms);
		guardian_check_protected(guardian, ends[4].revents != 0, now_ms);
		if (ends[2].revents && guardian->channel_fd >= 0)
			guardian_hear_gate(guardian, now_ms);
		if (ends[5].revents && guardian->warden_fd >= 0)
			guardian_hear_warden(guardian);
		guardian_hear_control(guardian, ends + 6, now_ms);
		keep_time(guardian, now_ms);
	}
}

static int tell(int ready_fd, char word, const char *text)
{
	char line[sizeof(((struct err *)0)->text) + 1];
	size_t len = (size_t)snprintf(line, sizeof(line), "%c%s", word, text);

	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	return write(ready_fd, line, len) == (ssize_t)len ? 0 : -1;
}

int guardian_main(const struct warden_settings *settings, char *title)
{
	struct guardian guardian;
	struct err err = ERR_INIT;
	uint64_t now_ms;

	fill(&guardian, settings, title);
	if (prepare(&guardian, &err)) {
		tell(WARDEN_FD_READY, WARDEN_FAILED, err.text);
		return 1;
	}
	now_ms = guardian_now_ms();
	guardian.beat_ms = now_ms;
	guardian.ledger_ms = next_ledger_ms(&guardian, now_ms);
	guardian.own_ms = now_ms + OWN_CGROUP_MS;
	if (tell(WARDEN_FD_READY, WARDEN_READY, ""))
		return 1;
	close(WARDEN_FD_READY);
	if (!guardian.has_leash)
		guardian_start_run(&guardian, now_ms);
	run(&guardian);
	guardian_report_end(&guardian);
	if (settings->remove_dir[0])
		guardian_remove_state(settings);
	return 0;
}
