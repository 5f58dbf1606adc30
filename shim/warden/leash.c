/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holding the first process: see leash.h. Three things let it slip, and are met here: another of its threads executes a
 * program (the held one is then gone without a word, and the process is taken again at once), its main thread ends alone
 * (the guardian is told), and a fault that nobody catches. The last one: the kernel keeps a traced first process of a pid
 * namespace from dying of it, and it would fault for ever; it is let go, faults again, and dies as it would have untraced.
 * Must never read or write the process's memory or registers.
 */
#include "shim/warden/leash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/filled.h"

#define OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT)

/* More stops than this in a window, and the process waits for the window's end: who sends himself signals without end must
 * not keep the guardian from its budgets, nor use the host's CPU by it. */
#define WINDOW_MS 100u
#define WINDOW_STOPS 2000u

#define STATUS_SIZE 16384	/* of /proc/PID/status, which grows with the supplementary groups */
#define RETAKE_MS 20u		/* how long a process that was let go has to die */
#define ALONE_MS 10000u		/* how long after its main thread the process has to end */

static int seize(struct leash *leash)
{
	if (ptrace(PTRACE_SEIZE, leash->pid, NULL, (void *)(long)OPTIONS) < 0)
		return -errno;
	leash->is_held = true;
	leash->knows_status = false;
	leash->loose_since_ms = leash->exiting_since_ms = 0;
	return 0;
}

static int read_status(int status_fd, char *text, size_t size)
{
	ssize_t got = pread(status_fd, text, size - 1, 0);

	if (got < 0)
		return -errno;
	text[got] = '\0';
	return 0;
}

static int open_status(pid_t pid, struct err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s", path) : fd;
}

/* NSpid's last number is its pid in its own namespace. */
int leash_is_init(pid_t pid, struct err *err)
{
	cleanup_close int fd = open_status(pid, err);
	const char *line, *end, *last;
	filled_by_kernel char text[STATUS_SIZE];
	int r;

	if (fd < 0)
		return fd;
	r = read_status(fd, text, sizeof(text));
	if (r)
		return err_set_errno(err, -r, "/proc/%d/status", (int)pid);
	line = strstr(text, "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	for (last = end; last && last > line && last[-1] >= '0' && last[-1] <= '9';)
		last--;
	return last && end - last == 1 && *last == '1';
}

int leash_take(struct leash *leash, pid_t pid, const struct leash_demand *demand, struct err *err)
{
	int r;

	*leash = (struct leash){ .pid = pid, .status_fd = -1, .demand = *demand };
	r = leash_is_init(pid, err);
	if (r < 0)
		return r;
	leash->is_init = r;
	leash->status_fd = open_status(pid, err);
	if (leash->status_fd < 0)
		return leash->status_fd;
	r = seize(leash);
	return r ? err_set_errno(err, -r, "the first process cannot be traced (guard: \"kill\" needs it; \"network\" does without)")
		 : 0;
}

static bool is_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGTRAP || number == SIGSYS;
}

/* A kernel-made signal of a kind that only a handler survives, for a process that has none. */
static bool is_fatal_fault(const struct leash *leash, int number)
{
	filled_by_kernel char text[STATUS_SIZE];
	const char *caught;
	siginfo_t info;

	if (!leash->is_init || !is_fault(number))
		return false;
	if (ptrace(PTRACE_GETSIGINFO, leash->pid, NULL, &info) < 0 || info.si_code <= 0)
		return false;
	if (read_status(leash->status_fd, text, sizeof(text)))
		return false;
	caught = strstr(text, "\nSigCgt:");
	return caught && !(strtoull(caught + strlen("\nSigCgt:"), NULL, 16) >> (number - 1) & 1);
}

static void go_on(const struct leash *leash, int number)
{
	/* ESRCH: it was killed meanwhile; its end comes as the next news. */
	ptrace(PTRACE_CONT, leash->pid, NULL, (void *)(long)number);
}

static void let_die(struct leash *leash, int number, uint64_t now_ms)
{
	/* A trap or a refused system call does not come again by itself; such a process is ended in the plain way. */
	if (number == SIGTRAP || number == SIGSYS) {
		kill(leash->pid, SIGKILL);
		return;
	}
	if (ptrace(PTRACE_DETACH, leash->pid, NULL, (void *)(long)number) == 0) {
		leash->is_held = false;
		leash->knows_status = true;
		leash->exit_status = number;
		leash->loose_since_ms = now_ms;
	}
}

/* The number behind "\nNAME:\t" in the status text; false when there is none. With its newline, which the kernel escapes in the
 * process's name: that is the image's own choice, and may well be "Seccomp:\t2". */
static bool status_number(const char *text, const char *name, int base, uint64_t *value)
{
	const char *at = strstr(text, name);
	char *end;

	if (!at)
		return false;
	at += strlen(name);
	*value = strtoull(at, &end, base);
	return end != at;
}

/* The kernel's word on what came into being with this execve; false, with what is lacking, when it is not as demanded. */
static bool is_as_demanded(struct leash *leash)
{
	static const char *const sets[] = { "\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t", "\nCapBnd:\t", "\nCapAmb:\t" };
	filled_by_kernel char text[STATUS_SIZE];
	uint64_t value = 0;

	if (read_status(leash->status_fd, text, sizeof(text))) {
		snprintf(leash->lacking, sizeof(leash->lacking), "its status can't be read");
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (!status_number(text, sets[i], 16, &value) || (value & ~leash->demand.allowed_capabilities)) {
			snprintf(leash->lacking, sizeof(leash->lacking), "process.capabilities: %.6s is %016llx", sets[i] + 1,
				 (unsigned long long)value);
			return false;
		}
	if (leash->demand.no_new_privs && (!status_number(text, "\nNoNewPrivs:\t", 10, &value) || value != 1)) {
		snprintf(leash->lacking, sizeof(leash->lacking), "process.no_new_privs is off");
		return false;
	}
	if (leash->demand.filters && (!status_number(text, "\nSeccomp:\t", 10, &value) || value != 2)) {
		snprintf(leash->lacking, sizeof(leash->lacking), "seccomp.floor: no filter");
		return false;
	}
	/* those over the runtime are inherited; kernels before 5.9 don't count */
	if (status_number(text, "\nSeccomp_filters:\t", 10, &value) && value < leash->demand.filters) {
		snprintf(leash->lacking, sizeof(leash->lacking), "seccomp.floor: %u of %u filters", (unsigned)value, leash->demand.filters);
		return false;
	}
	return true;
}

/* It stands still until it is let go: what is not as demanded never runs. */
static unsigned meet_exec(struct leash *leash)
{
	if (!leash->is_proven && !is_as_demanded(leash)) {
		kill(leash->pid, SIGKILL);
		return LEASH_EXEC | LEASH_UNPROVEN;
	}
	leash->is_proven = true;
	go_on(leash, 0);
	return LEASH_EXEC;
}

static unsigned meet_stop(struct leash *leash, int stop, uint64_t now_ms)
{
	int event = stop >> 8, number = stop & 0xff;
	unsigned long message = 0;

	switch (event) {
	case PTRACE_EVENT_EXEC:
		return meet_exec(leash);
	case PTRACE_EVENT_EXIT:
		if (ptrace(PTRACE_GETEVENTMSG, leash->pid, NULL, &message) == 0) {
			leash->knows_status = true;
			leash->exit_status = (int)message;
		}
		go_on(leash, 0);
		return LEASH_EXITING;
	case PTRACE_EVENT_STOP:
		/* SIGTRAP: a stop is over. Else it is one, and stays one until SIGCONT. */
		if (number == SIGTRAP)
			go_on(leash, 0);
		else
			ptrace(PTRACE_LISTEN, leash->pid, NULL, NULL);
		return LEASH_QUIET;
	default:
		if (is_fatal_fault(leash, number))
			let_die(leash, number, now_ms);
		else
			go_on(leash, number);
		return LEASH_QUIET;
	}
}

static bool is_resting(struct leash *leash, uint64_t now_ms)
{
	if (now_ms - leash->window_ms >= WINDOW_MS) {
		leash->window_ms = now_ms;
		leash->stops = 0;
	}
	leash->rest_until_ms = leash->stops > WINDOW_STOPS ? leash->window_ms + WINDOW_MS : 0;
	return leash->rest_until_ms != 0;
}

/* Not held, and not reaped: it was let go to die, or another thread took its place. */
static unsigned take_again(struct leash *leash)
{
	int r = seize(leash);

	if (!r && !leash->is_proven && !is_as_demanded(leash)) {
		kill(leash->pid, SIGKILL);
		return LEASH_EXEC | LEASH_UNPROVEN;
	}
	if (!r) {
		leash->is_proven = true;
		return LEASH_EXEC;
	}
	/* ESRCH: it is a zombie or gone; the pidfd says so. */
	return r == -ESRCH ? LEASH_QUIET : LEASH_LOST;
}

static int wait_for(const struct leash *leash, int what, siginfo_t *info)
{
	*info = (siginfo_t){ 0 };
	while (waitid(P_PID, (id_t)leash->pid, info, what | __WALL | WNOHANG) < 0)
		if (errno != EINTR)
			return -errno;
	return info->si_pid != 0;
}

/* 1 and its stop; 0 when it has not stopped, and when it has exited, which is left alone; a negative errno, -ECHILD when it
 * isn't held any more. */
static int next_stop(const struct leash *leash, int *stop)
{
	siginfo_t info;
	int r = wait_for(leash, WSTOPPED, &info);

	*stop = info.si_status;
	if (r != -ECHILD)
		return r;
	/* A zombie can't stop either. */
	r = wait_for(leash, WEXITED | WNOWAIT, &info);
	return r < 0 ? r : 0;
}

static unsigned attend_held(struct leash *leash, bool has_ended, uint64_t now_ms)
{
	unsigned news = LEASH_QUIET;
	int stop = 0, status, r = 0;

	while (leash->is_held && !is_resting(leash, now_ms) && (r = next_stop(leash, &stop)) == 1) {
		leash->stops++;
		news |= meet_stop(leash, stop, now_ms);
	}
	if (r < 0) {
		leash->is_held = false;
		return news | take_again(leash);
	}
	if (leash->is_held && has_ended && waitpid(leash->pid, &status, __WALL | WNOHANG) == leash->pid) {
		leash->knows_status = true;
		leash->exit_status = status;
		leash->is_held = false;
		news |= LEASH_GONE;
	}
	return news;
}

unsigned leash_attend(struct leash *leash, bool has_ended, uint64_t now_ms)
{
	unsigned news = LEASH_QUIET;

	leash->attended_ms = now_ms;
	if (leash->is_held)
		news = attend_held(leash, has_ended, now_ms);
	else if (leash->loose_since_ms && now_ms - leash->loose_since_ms >= RETAKE_MS)
		news = take_again(leash);
	if (leash->is_held && (news & LEASH_EXITING))
		leash->exiting_since_ms = now_ms;
	if (leash->is_held && leash->exiting_since_ms && now_ms - leash->exiting_since_ms >= ALONE_MS)
		news |= LEASH_ALONE;
	return news;
}

/* The end of a main thread is followed closely: when another thread takes its place, nothing signals it. */
uint64_t leash_next_ms(const struct leash *leash)
{
	uint64_t since_ms = leash->attended_ms - leash->exiting_since_ms;

	if (!leash->is_held)
		return leash->loose_since_ms ? leash->loose_since_ms + RETAKE_MS : UINT64_MAX;
	if (leash->rest_until_ms)
		return leash->rest_until_ms;
	if (leash->exiting_since_ms)
		return leash->attended_ms + (since_ms < 1 ? 1 : since_ms > 250 ? 250 : since_ms);
	return UINT64_MAX;
}
