/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nursery: see nursery.h. It must open nothing: what a new gate needs is what the last one had, and the socket that owns
 * the table stays open here, so a killed gate leaves no moment in which somebody else could own it.
 */
#include "shim/warden/nursery.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/warden/lockdown.h"

#define PAUSE_S 1

#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

#define CALL(name) { SCMP_SYS(name), 0, { { 0 } } }
#define CALL_IF(name, ...) { SCMP_SYS(name), 1, { __VA_ARGS__ } }

static int filter(struct err *err)
{
	static const struct lockdown_call calls[] = {
		/* a plain child: no thread, no namespace */
		CALL_IF(clone, LOCKDOWN_IS(CLONE_FLAGS, SIGCHLD)), CALL(waitid), CALL(wait4), CALL(clock_nanosleep), CALL(nanosleep),
		CALL(sendto), CALL(restart_syscall), CALL(rt_sigreturn), CALL(exit), CALL(exit_group),
		/* the gate's life */
		CALL(recvmsg), CALL(recvfrom), CALL(poll), CALL(ppoll), CALL(clock_gettime), CALL(sendmsg), CALL(socket), CALL(setsockopt),
		/* its lockdown */
		CALL(getsockname), CALL(close), CALL(close_range), CALL(prctl), CALL(capget), CALL(capset), CALL(setrlimit),
		CALL(prlimit64), CALL(seccomp), CALL(brk), CALL(munmap), CALL(madvise), CALL(getrandom), CALL(futex),
		CALL_IF(mmap, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)),
	};

	return lockdown_calls(calls, ARRAY_SIZE(calls), err);
}

static int lock_down(const struct nursery *nursery)
{
	const struct gate_settings *gate = &nursery->gate;
	int kept[] = { gate->nl_fd, gate->watch_fd, gate->channel_fd, gate->learn_fd };
	struct err err = ERR_INIT;

	if (prctl(PR_SET_NAME, "quod-nursery", 0, 0, 0) < 0 || lockdown_descriptors(kept, ARRAY_SIZE(kept), &err) ||
	    lockdown_privileges(1ull << CAP_NET_ADMIN, &err))
		return 1;
	/* Dropping capabilities could have undone it, and the guardian may have gone before. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != nursery->guardian_pid)
		return 1;
	return filter(&err) ? 1 : 0;
}

/* Never longer than what it was. */
static void retitle(const struct nursery *nursery, const char *title)
{
	size_t room = strlen(nursery->title), len = strlen(title);

	memset(nursery->title, 0, room);
	memcpy(nursery->title, title, len < room ? len : room);
}

/* False at the channel's end. A guardian that doesn't read in time learns it by missing beats. */
static bool say(const struct nursery *nursery, enum gate_word word, pid_t pid)
{
	struct gate_message message = { .word = word, .pid = pid };
	ssize_t sent = send(nursery->gate.channel_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS;
}

static pid_t start_gate(const struct nursery *nursery)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		retitle(nursery, "quod-gate");
		_exit(gate_main(&nursery->gate));
	}
	return pid;
}

static void wait_second(void)
{
	struct timespec left = { .tv_sec = PAUSE_S };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* 1 when it must be started again, 0 when the guardian has gone. */
static int raise_gate(const struct nursery *nursery)
{
	pid_t pid = start_gate(nursery);
	siginfo_t end = { 0 };
	int status = 0;

	if (pid > 0) {
		if (!say(nursery, GATE_STARTED, pid))
			return 0;
		/* Its number stays its own until the guardian has heard that it is none any more. */
		while (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT) < 0 && errno == EINTR)
			;
	}
	if (!say(nursery, GATE_ENDED, 0))
		return 0;
	wait_second();
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) ? 1 : 0;
}

int nursery_main(const struct nursery *nursery)
{
	retitle(nursery, "quod-nursery");
	if (lock_down(nursery))
		return 1;
	while (raise_gate(nursery))
		;
	return 0;
}
