/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting the helpers: see start.h. They are nobody's children as soon as the hook has ended (the runtime waits for it), in no
 * session of the engine's, and not in the container's network namespace, which the hook may have entered. Must leave nothing
 * behind when it fails.
 */
#include "shim/warden/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"

#define READY_MS 5000
#define FD_COUNT (WARDEN_FD_NAMES + 1)

struct start {
	const char *program;
	int fds[FD_COUNT];	/* what the program gets at each number; 0 to 2 are /dev/null */
	pid_t runtime_pid;
};

static int make_settings(const struct warden_settings *settings, struct err *err)
{
	cleanup_close int fd = memfd_create("quod-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_set_errno(err, errno, "settings");
	r = file_write_all(fd, settings, sizeof(*settings));
	if (r)
		return err_set_errno(err, -r, "settings");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_set_errno(err, errno, "settings: seal");
	return steal_fd(&fd);
}

static bool is_same_namespace(int a_fd, int b_fd)
{
	struct stat a, b;

	return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_network(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A process in the container's namespace would keep it alive: back to the runtime's, or else to pid 1's. */
static bool leave_network(const struct start *start)
{
	cleanup_close int own_fd = open_network(getpid()), runtime_fd = open_network(start->runtime_pid), first_fd = open_network(1);
	int wanted_fd = runtime_fd >= 0 ? runtime_fd : first_fd;

	if (wanted_fd >= 0 && !is_same_namespace(own_fd, wanted_fd) && setns(wanted_fd, CLONE_NEWNET) < 0)
		return false;
	close(steal_fd(&own_fd));
	own_fd = open_network(getpid());
	return own_fd >= 0 && !is_same_namespace(own_fd, start->fds[WARDEN_FD_NETNS]);
}

static void reset_signals(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

#define DESCRIPTORS 8192	/* more than any helper needs */

/* A caller's small limits must not become half-written ledgers, and crun runs hooks under the container's own: whoever may
 * lifts them, else they go as high as they can. */
static void reset_limits(void)
{
	static const int which[] = { RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_CPU, RLIMIT_AS };
	struct rlimit limit;

	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		struct rlimit lifted;

		if (getrlimit(which[i], &limit) < 0)
			continue;
		limit.rlim_cur = limit.rlim_max;
		lifted = limit;
		if (which[i] == RLIMIT_NOFILE && limit.rlim_max < DESCRIPTORS)
			lifted.rlim_cur = lifted.rlim_max = DESCRIPTORS;
		else if (which[i] != RLIMIT_NOFILE)
			lifted.rlim_cur = lifted.rlim_max = RLIM_INFINITY;
		if (setrlimit(which[i], &lifted) < 0)
			setrlimit(which[i], &limit);
	}
}

/* In two steps, so that no descriptor is overwritten before it was moved. */
static bool place_descriptors(int fds[FD_COUNT])
{
	for (int i = 0; i < FD_COUNT; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD, FD_COUNT);
		if (fds[i] < 0)
			return false;
	}
	for (int i = 0; i < FD_COUNT; i++)
		if (dup2(fds[i], i) < 0)
			return false;
	return sys_close_range(FD_COUNT, ~0u, 0) == 0;
}

static void __attribute__((noreturn)) fail(const struct start *start, const char *text)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "%c%s: %s", WARDEN_FAILED, text, strerror(errno));

	if (write(start->fds[WARDEN_FD_READY], line, (size_t)len) < 0)
		_exit(1);
	_exit(1);
}

static void __attribute__((noreturn)) become_program(struct start *start)
{
	char *const argv[] = { (char[]){ "quod-guardian" }, NULL }, *const environment[] = { NULL };

	setsid();
	if (!leave_network(start))
		fail(start, "the container's network namespace cannot be left");
	reset_signals();
	reset_limits();
	umask(077);
	if (chdir("/") < 0)
		fail(start, "chdir /");
	if (!place_descriptors(start->fds))
		fail(start, "descriptors");
	start->fds[WARDEN_FD_READY] = WARDEN_FD_READY;
	execve(start->program, argv, environment);
	fail(start, start->program);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What it says until it closes, or until it says that it is ready. */
static int wait_ready(int ready_fd, struct err *err)
{
	uint64_t end_ms = now_ms() + READY_MS;
	char text[sizeof(err->text)];
	size_t len = 0;

	for (;;) {
		struct pollfd end = { .fd = ready_fd, .events = POLLIN };
		uint64_t at_ms = now_ms();
		int r = at_ms >= end_ms ? 0 : poll(&end, 1, (int)(end_ms - at_ms));
		ssize_t got;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return err_set(err, ETIMEDOUT, "the guardian was not ready within %d s", READY_MS / 1000);
		got = read(ready_fd, text + len, sizeof(text) - 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got > 0)
			len += (size_t)got;
		if (len && text[0] == WARDEN_READY)
			return 0;
		if (got <= 0 || len == sizeof(text) - 1)
			break;
	}
	text[len] = '\0';
	return err_set(err, ECHILD, "%s", len > 1 ? text + 1 : "the guardian ended before it was ready");
}

/* Its end is waited for: what is torn down next must not meet it. */
static void kill_program(int pid_fd)
{
	struct pollfd end = { .fd = pid_fd, .events = POLLIN };

	sys_pidfd_send_signal(pid_fd, SIGKILL);
	while (poll(&end, 1, 1000) < 0 && errno == EINTR)
		;
}

static int start_and_wait(struct start *start, pid_t *guardian_pid, struct err *err)
{
	cleanup_close int ready_in_fd = -1, ready_fd = -1, pid_fd = -1;
	int ready[2], r;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	ready_in_fd = ready[0];
	ready_fd = start->fds[WARDEN_FD_READY] = ready[1];
	pid = fork();
	if (pid == 0)
		become_program(start);
	if (pid < 0)
		return err_set_errno(err, errno, "fork");
	/* A child's number is its own until it was waited for. */
	pid_fd = sys_pidfd_open(pid, 0);
	if (pid_fd < 0) {
		err_set_errno(err, errno, "guardian");
		kill(pid, SIGKILL);
		return -err->code;
	}
	close(steal_fd(&ready_fd));
	r = wait_ready(ready_in_fd, err);
	if (r)
		kill_program(pid_fd);
	else
		*guardian_pid = pid;
	return r;
}

int helpers_start(const char *program, const struct warden_settings *settings, const struct helper_fds *fds,
		  pid_t *guardian_pid, struct err *err)
{
	cleanup_close int settings_fd = -1, null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct start start = { .program = program, .runtime_pid = getppid() };

	if (null_fd < 0)
		return err_set_errno(err, errno, "/dev/null");
	settings_fd = make_settings(settings, err);
	if (settings_fd < 0)
		return settings_fd;
	for (int i = 0; i < FD_COUNT; i++)
		start.fds[i] = null_fd;
	start.fds[WARDEN_FD_SETTINGS] = settings_fd;
	start.fds[WARDEN_FD_STATE] = fds->state_dir;
	if (fds->nl >= 0)
		start.fds[WARDEN_FD_NETLINK] = fds->nl;
	if (fds->netns >= 0)
		start.fds[WARDEN_FD_NETNS] = fds->netns;
	if (fds->names >= 0)
		start.fds[WARDEN_FD_NAMES] = fds->names;
	return start_and_wait(&start, guardian_pid, err);
}
