/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/warden/lockdown.c, each step in a child; as root of a user namespace where there is no other root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/warden/lockdown.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/quod-test-lockdown.XXXXXX", inner[64];

static bool spill(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static void become_root(void)
{
	char uids[64], gids[64];

	if (geteuid() == 0)
		return;
	snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getegid());
	if (unshare(CLONE_NEWUSER) < 0 || !spill("/proc/self/setgroups", "deny") || !spill("/proc/self/uid_map", uids) ||
	    !spill("/proc/self/gid_map", gids))
		_exit(77);
}

/* The child's exit status, or 1000 and the signal. */
static int in_child(int (*step)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		become_root();
		_exit(step());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 99;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int keep_files(void)
{
	const char *const directories[] = { dir, inner };
	struct err err = ERR_INIT;
	int before = open("/etc/passwd", O_RDONLY | O_CLOEXEC), fd, seen = 0;
	struct stat st;

	if (before < 0 || lockdown_files(directories, 2, &err))
		return 99;
	fd = openat(AT_FDCWD, inner, O_RDONLY | O_DIRECTORY);
	seen |= (fd >= 0) << 0;
	fd = openat(fd, "file", O_WRONLY | O_CREAT, 0600);
	seen |= (fd >= 0) << 1;
	seen |= (stat("/etc", &st) < 0 && errno == ENOENT) << 2;
	seen |= (stat("/proc/self", &st) < 0) << 3;
	seen |= (open("/file", O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS) << 4;
	seen |= (fstat(before, &st) == 0) << 5;
	return seen;
}

static int keep_relative(void)
{
	const char *const directories[] = { "relative" }, *const root[] = { "/" };
	struct err err = ERR_INIT;

	return lockdown_files(directories, 1, &err) == -EINVAL && lockdown_files(root, 1, &err) == -EINVAL;
}

static int keep_one(void)
{
	struct err err = ERR_INIT;
	int seen = 0;

	if (lockdown_privileges(1ull << CAP_KILL, &err))
		return 99;
	seen |= (prctl(PR_CAPBSET_READ, CAP_KILL) == 1 && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0) << 0;
	seen |= (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) << 1;
	seen |= (prctl(PR_GET_DUMPABLE) == 0) << 2;
	seen |= (unshare(CLONE_NEWNS) < 0 && errno == EPERM) << 3;
	return seen;
}

static int filter(void)
{
	const struct lockdown_call calls[] = {
		{ SCMP_SYS(exit_group), 0, { { 0 } } },
		{ SCMP_SYS(brk), 0, { { 0 } } },
		{ SCMP_SYS(munmap), 0, { { 0 } } },
		{ SCMP_SYS(madvise), 0, { { 0 } } },
		/* what the sanitizers do beside */
		{ SCMP_SYS(getrandom), 0, { { 0 } } },
		{ SCMP_SYS(sigaltstack), 0, { { 0 } } },
		{ SCMP_SYS(getuid), 0, { { 0 } } },
		{ SCMP_SYS(kill), 1, { LOCKDOWN_IS(1, 0) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, 7), LOCKDOWN_IS(1, 4711) } },
		{ SCMP_SYS(ptrace), 2, { LOCKDOWN_IS(0, 17), LOCKDOWN_IS(1, 4711) } },
	};
	struct err err = ERR_INIT;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return lockdown_calls(calls, ARRAY_SIZE(calls), &err);
}

static int use_allowed(void)
{
	if (filter())
		return 99;
	syscall(SYS_getuid);
	syscall(SYS_kill, 1, 0);
	syscall(SYS_ptrace, 7, 4711, 0, 0);
	syscall(SYS_ptrace, 17, 4711, 0, 0);
	return 0;
}

static int use_other(void)
{
	if (filter())
		return 99;
	syscall(SYS_getppid);
	return 0;
}

static int use_other_signal(void)
{
	if (filter())
		return 99;
	syscall(SYS_kill, 1, SIGKILL);
	return 0;
}

static int trace_other(void)
{
	if (filter())
		return 99;
	syscall(SYS_ptrace, 7, 4712, 0, 0);
	return 0;
}

/* 0: no more and no less than what was asked for. */
static int keep_descriptors(void)
{
	int kept[] = { 20, -1, 4, 4, STDOUT_FILENO, 5 };
	struct err err = ERR_INIT;

	for (int fd = 0; fd < 24; fd++)
		if (fd > STDERR_FILENO && dup2(STDERR_FILENO, fd) != fd)
			return 99;
	if (lockdown_descriptors(kept, ARRAY_SIZE(kept), &err))
		return 98;
	for (int fd = 0; fd < 64; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd <= 2 || fd == 4 || fd == 5 || fd == 20))
			return 1 + fd;
	return 0;
}

int main(void)
{
	char command[64];
	int r;

	if (!mkdtemp(dir))
		return 99;
	snprintf(inner, sizeof(inner), "%s/made/inner", dir);
	r = in_child(keep_files);
	OK(r == 0x3f || r == 77, "lockdown: of all files the given directories are left, writable, and what was open");
	r = in_child(keep_relative);
	OK(r == 1 || r == 77, "lockdown: neither a relative path nor all files can be left");
	r = in_child(keep_one);
	OK(r == 0xf || r == 77, "lockdown: one capability is left, no_new_privs is set, nothing is dumped");
	OK(in_child(keep_descriptors) == 0, "lockdown: of the descriptors the named ones are left, and the standard ones");
	OK(in_child(use_allowed) == 0, "lockdown: an allowed system call works, with each of its allowed arguments");
	OK(in_child(use_other) == 1000 + SIGSYS, "lockdown: any other system call kills");
	OK(in_child(use_other_signal) == 1000 + SIGSYS, "lockdown: so does an allowed one with another argument");
	OK(in_child(trace_other) == 1000 + SIGSYS, "lockdown: another process can't be traced");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		return 99;
	return tap_done();
}
