/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of shim/egress/netns. Where pid 1 may not be looked at (no CAP_SYS_PTRACE, some sandboxes) the host's namespace
 * can't be told from others, and then none may be entered: that is tested there instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/egress/netns.h"
#include "tests/unit/tap.h"

static void test_open(void)
{
	struct err err = ERR_INIT;
	cleanup_close int own = netns_open(0, &err), same = netns_open(getpid(), &err);

	OK(own >= 0 && same >= 0, "netns: the own namespace opens, by 0 and by process id");
	OK((fcntl(own, F_GETFD) & FD_CLOEXEC) != 0, "netns: the descriptor is closed on exec");
	OK(netns_is_same(own, same, &err) == 1, "netns: both are the same");
	OK(netns_open(-1, &err) == -EINVAL, "netns: a negative process id is refused");
	OK(netns_open(0x3ffffffe, &err) == -ENOENT, "netns: a process that isn't there has none");
	OK(netns_is_same(own, -1, &err) == -EBADF, "netns: a closed descriptor is an error, not another namespace");
	OK(netns_is_inhabited(own, 0, &err) == 1, "netns: this process lives in its own");
	OK(netns_is_inhabited(-1, 0, &err) == -EBADF, "netns: a closed descriptor is not an empty namespace");
}

static void test_refusals(void)
{
	struct err err = ERR_INIT;
	cleanup_close int own = netns_open(0, &err), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_close int uts = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	OK(netns_enter(own, &err) == -EPERM, "netns: the own namespace is not entered");
	OK(netns_enter(null, &err) == -EINVAL, "netns: a file is not entered");
	OK(netns_enter(uts, &err) == -EINVAL, "netns: a namespace of another kind is not entered");
	OK(netns_enter(-1, &err) == -EINVAL, "netns: a closed descriptor is not entered");
}

/* Runs `check` in a child of its own network namespace; its exit status, or -1. */
static int in_private(int (*check)(int), int fd)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ? 99 : check(fd));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int check_refused(int fd)
{
	struct err err = ERR_INIT;

	return netns_enter(fd, &err) == -EPERM ? 0 : 1;
}

static int check_other_entered(int other_fd)
{
	struct err err = ERR_INIT;
	cleanup_close int own = -1;

	if (netns_enter(other_fd, &err))
		return 1;
	own = netns_open(0, &err);
	return netns_is_same(own, other_fd, &err) == 1 ? 0 : 2;
}

/* A child in a network namespace of its own, which waits to be killed; *fd is the namespace. */
static pid_t make_other(int *fd)
{
	struct err err = ERR_INIT;
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		*fd = netns_open(pid, &err);
	close(ready[0]);
	return pid;
}

static void test_enter(void)
{
	struct err err = ERR_INIT;
	cleanup_close int host = netns_open(1, &err), other = -1, own = netns_open(0, &err);
	pid_t pid = make_other(&other);

	OK(other >= 0 && netns_is_same(own, other, &err) == 0, "netns: a private namespace isn't the own one");
	if (host >= 0) {
		OK(in_private(check_refused, host) == 0, "netns: from another namespace pid 1's is not entered");
		OK(in_private(check_other_entered, other) == 0, "netns: one that is neither can be entered");
	} else {
		OK(in_private(check_refused, own) == 0, "netns: with pid 1's closed, the host's is not entered");
		OK(in_private(check_refused, other) == 0, "netns: nor any other that could be the host's");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	test_open();
	test_refusals();
	if (geteuid() == 0)
		test_enter();
	return tap_done();
}
