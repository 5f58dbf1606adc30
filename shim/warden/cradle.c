/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The warden's cradle: opens what a warden needs, gives everything else up, and then starts the warden, and again when it ends,
 * at most once a second. It keeps the sockets open meanwhile: nobody in the container gets the warden's ports, and what is
 * asked waits. It reads none of them, and holds no more than the warden does but the right to fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/warden/lockdown.h"
#include "shim/warden/named.h"

#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

static int map_rules(struct warden *warden, struct err *err)
{
	const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat st;
	void *memory;

	if ((fcntl(warden->names_fd, F_GET_SEALS) & wanted) != wanted || fstat(warden->names_fd, &st) < 0 || st.st_size <= 0)
		return err_set(err, EINVAL, "warden: the profile's names are not sealed");
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, warden->names_fd, 0);
	if (memory == MAP_FAILED)
		return err_set_errno(err, errno, "warden: the profile's names");
	warden->entries = name_rules_check(memory, (size_t)st.st_size);
	warden->rules = warden->settings->has_names ? warden->entries : NULL;
	return warden->entries ? 0 : err_set(err, EINVAL, "warden: the profile's names are not whole");
}

/* A directory that is nobody's any more: it can't even be found, and holds nothing for good. */
static int enter_empty_root(const struct warden *warden, struct err *err)
{
	static const char *const name = "empty";
	cleanup_close int fd = -1;

	if (mkdirat(warden->state_fd, name, 0) < 0)
		return err_set_errno(err, errno, "warden: empty root");
	fd = openat(warden->state_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (unlinkat(warden->state_fd, name, AT_REMOVEDIR) < 0 || fd < 0 || fchdir(fd) < 0 || chroot(".") < 0)
		return err_set_errno(err, errno, "warden: empty root");
	return 0;
}

/* The capability to give up the bounding set is kept over the change of user, and goes with that. */
static int change_user(struct err *err)
{
	cap_value_t kept = CAP_SETPCAP;
	cap_t caps = NULL;
	int r = 0;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(QUOD_WARDEN_UID, QUOD_WARDEN_UID, QUOD_WARDEN_UID) < 0 ||
	    setresuid(QUOD_WARDEN_UID, QUOD_WARDEN_UID, QUOD_WARDEN_UID) < 0)
		return err_set_errno(err, errno, "warden: user %d", QUOD_WARDEN_UID);
	caps = cap_init();
	if (!caps || cap_set_flag(caps, CAP_PERMITTED, 1, &kept, CAP_SET) || cap_set_flag(caps, CAP_EFFECTIVE, 1, &kept, CAP_SET) ||
	    cap_set_proc(caps))
		r = err_set_errno(err, errno, "warden: capabilities");
	cap_free(caps);
	return r;
}

static size_t list_descriptors(const struct warden *warden, int *fds)
{
	size_t count = 0;

	fds[count++] = warden->events_fd;
	fds[count++] = warden->learn_fd;
	fds[count++] = warden->denials_fd;
	fds[count++] = warden->tracked_fd;
	fds[count++] = warden->named->epoll_fd;
	for (size_t i = 0; i < ARRAY_SIZE(warden->named->listen_fds); i++)
		fds[count++] = warden->named->listen_fds[i];
	for (size_t i = 0; i < LISTENERS; i++) {
		fds[count++] = warden->udp_fds[i];
		fds[count++] = warden->tcp_fds[i];
	}
	for (size_t i = 0; i < warden->resolver_count; i++)
		for (size_t k = 0; k < RESOLVER_SOCKETS; k++)
			fds[count++] = warden->resolvers[i].fds[k];
	return count;
}

#define CALL(name) { SCMP_SYS(name), 0, { { 0 } } }

struct call_list {
	struct lockdown_call calls[64];
	size_t count;
};

static void add_calls(struct call_list *list, const struct lockdown_call *calls, size_t count)
{
	memcpy(list->calls + list->count, calls, count * sizeof(*calls));
	list->count += count;
}

/* An address to send to is given on the listeners' sockets alone, which are the container's; the others are connected. What
 * can be connected is the container's, too. */
static int filter(const struct warden *warden, bool is_cradle, struct err *err)
{
	static const struct lockdown_call always[] = {
		CALL(poll), CALL(ppoll), CALL(recvfrom), CALL(clock_gettime), { SCMP_SYS(sendto), 1, { SCMP_A4(SCMP_CMP_EQ, 0) } },
		CALL(close), CALL(accept4), CALL(getrandom), CALL(restart_syscall), CALL(rt_sigreturn), CALL(exit), CALL(exit_group),
		CALL(brk), CALL(munmap), CALL(madvise),	/* what the filter was built with is given back */
		CALL(recvmsg), CALL(pread64),
	};
	static const struct lockdown_call for_named[] = {
		CALL(splice), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_ctl), CALL(read), CALL(shutdown), CALL(getsockopt),
		{ SCMP_SYS(setsockopt), 2, { LOCKDOWN_IS(1, SOL_SOCKET), LOCKDOWN_IS(2, SO_LINGER) } },
	};
	const struct lockdown_call connects = { SCMP_SYS(connect), 1,
						{ SCMP_A0(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(warden->fixed_fds - 1), 0) } };
	static const struct lockdown_call for_cradle[] = {
		/* a plain child: no thread, no namespace */
		{ SCMP_SYS(clone), 1, { LOCKDOWN_IS(CLONE_FLAGS, SIGCHLD) } },
		CALL(waitid), CALL(wait4), CALL(clock_nanosleep), CALL(nanosleep), CALL(getpid),
		/* its lockdown */
		CALL(pipe2), { SCMP_SYS(fcntl), 1, { LOCKDOWN_IS(1, F_SETPIPE_SZ) } }, CALL(prctl), CALL(seccomp),
	};
	struct call_list list = { .count = 0 };

	if (is_cradle)
		add_calls(&list, for_cradle, ARRAY_SIZE(for_cradle));
	add_calls(&list, always, ARRAY_SIZE(always));
	if (warden->named->epoll_fd >= 0) {
		add_calls(&list, for_named, ARRAY_SIZE(for_named));
		add_calls(&list, &connects, 1);
	}
	for (size_t i = 0; i < LISTENERS; i++) {
		const struct lockdown_call call = { SCMP_SYS(sendto), 1, { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)warden->udp_fds[i]) } };

		if (warden->udp_fds[i] >= 0)
			add_calls(&list, &call, 1);
	}
	return lockdown_calls(list.calls, list.count, err);
}

static bool say(const struct warden *warden, uint32_t word, const char *text, int32_t pid)
{
	struct warden_event event = { .word = word, .pid = pid };

	snprintf(event.text, sizeof(event.text), "%s", text);
	return send(warden->events_fd, &event, sizeof(event), MSG_NOSIGNAL) == (ssize_t)sizeof(event);
}

static int lock_down(struct warden *warden, struct err *err)
{
	int fds[7 + 2 * LISTENERS + RESOLVERS * RESOLVER_SOCKETS];
	int r = enter_empty_root(warden, err);

	if (!r)
		r = change_user(err);
	if (!r)
		r = lockdown_descriptors(fds, list_descriptors(warden, fds), err);
	if (!r)
		r = lockdown_privileges(0, err);
	if (r)
		return r;
	if (prctl(PR_SET_NAME, "quod-cradle", 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set_errno(err, errno, "warden: name");
	return filter(warden, true, err);
}

/* The pipes are each warden's own: what a lost one left in them is nobody's. */
static int become_warden(struct warden *warden, bool is_first)
{
	int32_t pid = warden->pid = (int32_t)getpid();
	struct err err = ERR_INIT;
	int r = 0;

	if (prctl(PR_SET_NAME, "quod-warden", 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = err_set_errno(&err, errno, "warden: name");
	if (!r)
		r = named_open_pipes(warden->named, &err);
	if (!r) {
		warden_begin(warden, is_first);
		r = filter(warden, false, &err);
	}
	if (r) {
		say(warden, WARDEN_SAYS_FAILED, err.text, pid);
		return 1;
	}
	if (!say(warden, WARDEN_SAYS_READY, "", pid))
		return 1;
	return orders_wait(warden) ? warden_serve(warden) : 0;
}

static void wait_second(void)
{
	struct timespec left = { .tv_sec = 1 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Never longer than what it was. */
static void retitle(char *title, const char *text)
{
	size_t room = strlen(title), len = strlen(text);

	memset(title, 0, room);
	memcpy(title, text, len < room ? len : room);
}

/* 1 when it must be started again, 0 when the guardian has gone. */
static int raise_warden(struct warden *warden, char *title, bool is_first)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	int status = 0;

	if (pid == 0) {
		retitle(title, "quod-warden");
		_exit(become_warden(warden, is_first));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (!say(warden, WARDEN_SAYS_ENDED, "", 0))
		return 0;
	wait_second();
	return 1;
}

/* Two descriptors a connection, beside all others below the resolvers' sockets. */
static int choose_fixed_fds(struct warden *warden, struct err *err)
{
	const int others = FIXED_FDS_LEAST - 32;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set_errno(err, errno, "warden: limit of descriptors");
	warden->fixed_fds = FIXED_FDS_MOST;
	while (warden->fixed_fds > FIXED_FDS_LEAST && (rlim_t)warden->fixed_fds + RESOLVERS * RESOLVER_SOCKETS > limit.rlim_cur)
		warden->fixed_fds /= 2;
	if ((rlim_t)warden->fixed_fds + RESOLVERS * RESOLVER_SOCKETS > limit.rlim_cur)
		return err_set(err, EMFILE, "warden: %llu descriptors are too few (RLIMIT_NOFILE): at least %d",
			       (unsigned long long)limit.rlim_cur, FIXED_FDS_LEAST + RESOLVERS * RESOLVER_SOCKETS);
	warden->named->most = (size_t)(warden->fixed_fds - others) / 2;
	if (warden->named->most > NAMED_CONNECTIONS)
		warden->named->most = NAMED_CONNECTIONS;
	return 0;
}

int warden_main(const struct warden_start *start)
{
	static struct warden warden;
	static struct named named;
	struct err err = ERR_INIT;
	int r;

	warden.named = &named;
	named_clear(&named);
	signal(SIGPIPE, SIG_IGN);	/* splice has no other way to be told */
	warden.settings = start->settings;
	warden.names_fd = start->names_fd;
	warden.netns_fd = start->netns_fd;
	warden.state_fd = start->state_fd;
	warden.events_fd = start->events_fd;
	warden.learn_fd = start->learn_fd;
	warden.denials_fd = warden.tracked_fd = -1;
	for (size_t i = 0; i < LISTENERS; i++)
		warden.udp_fds[i] = warden.tcp_fds[i] = -1;
	retitle(start->title, "quod-cradle");
	r = warden.settings->has_names || warden.settings->record_connections ? map_rules(&warden, &err) : 0;
	if (!r && warden.entries)
		r = orders_make_rooms(&warden, &err);
	if (!r && warden.rules)
		r = choose_fixed_fds(&warden, &err);
	if (!r)
		r = warden_open_sockets(&warden, &err);
	if (!r)
		r = lock_down(&warden, &err);
	if (r) {
		say(&warden, WARDEN_SAYS_FAILED, err.text, 0);
		return 1;
	}
	for (bool is_first = true; raise_warden(&warden, start->title, is_first);)
		is_first = false;
	return 0;
}
