/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The warden's life: see warden.h. Opens, gives everything up, says "ready", and then one loop. What it may still do is
 * receive on its sockets and send on them, UDP only from its listeners to an address of its choice; every other system call
 * ends it, and then names are dead and nothing else is: nothing new is learnt, what was learnt ages.
 */
#include "shim/warden/named.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/warden/lockdown.h"

/* Beyond it queries wait in their sockets: a flood costs the container its DNS, not the host its processor. */
#define QUERIES_PER_SECOND 1000u
#define EVENTS_PER_MINUTE 60u
#define ONCE_MOST 16

static uint64_t now(void)
{
	struct timespec time = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

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
	warden->rules = name_rules_check(memory, (size_t)st.st_size);
	return warden->rules ? 0 : err_set(err, EINVAL, "warden: the profile's names are not whole");
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
	fds[count++] = warden->named->epoll_fd;
	for (size_t i = 0; i < ARRAY_SIZE(warden->named->listen_fds); i++)
		fds[count++] = warden->named->listen_fds[i];
	for (size_t i = 0; i < NAMED_PIPES; i++) {
		fds[count++] = warden->named->pipes[i][0];
		fds[count++] = warden->named->pipes[i][1];
	}
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
	struct lockdown_call calls[48];
	size_t count;
};

static void add_calls(struct call_list *list, const struct lockdown_call *calls, size_t count)
{
	memcpy(list->calls + list->count, calls, count * sizeof(*calls));
	list->count += count;
}

/* An address to send to is given on the listeners' sockets alone, which are the container's; the others are connected. What
 * can be connected is the container's, too. */
static int filter(const struct warden *warden, struct err *err)
{
	static const struct lockdown_call always[] = {
		CALL(poll), CALL(ppoll), CALL(recvfrom), CALL(clock_gettime), { SCMP_SYS(sendto), 1, { SCMP_A4(SCMP_CMP_EQ, 0) } },
		CALL(close), CALL(accept4), CALL(getrandom), CALL(restart_syscall), CALL(rt_sigreturn), CALL(exit), CALL(exit_group),
		CALL(brk), CALL(munmap), CALL(madvise),	/* what the filter was built with is given back */
	};
	static const struct lockdown_call for_names[] = { CALL(recvmsg) };
	static const struct lockdown_call for_named[] = {
		CALL(splice), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_ctl), CALL(read), CALL(shutdown), CALL(getsockopt),
		{ SCMP_SYS(setsockopt), 2, { LOCKDOWN_IS(1, SOL_SOCKET), LOCKDOWN_IS(2, SO_LINGER) } },
		{ SCMP_SYS(connect), 1, { SCMP_A0(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(FIXED_FDS - 1), 0) } },
	};
	struct call_list list = { .count = 0 };

	add_calls(&list, always, ARRAY_SIZE(always));
	if (warden->rules)
		add_calls(&list, for_names, ARRAY_SIZE(for_names));
	if (warden->named->epoll_fd >= 0)
		add_calls(&list, for_named, ARRAY_SIZE(for_named));
	for (size_t i = 0; i < LISTENERS; i++) {
		const struct lockdown_call call = { SCMP_SYS(sendto), 1, { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)warden->udp_fds[i]) } };

		if (warden->udp_fds[i] >= 0)
			add_calls(&list, &call, 1);
	}
	return lockdown_calls(list.calls, list.count, err);
}

static int lock_down(struct warden *warden, struct err *err)
{
	int fds[6 + 2 * NAMED_PIPES + 2 * LISTENERS + RESOLVERS * RESOLVER_SOCKETS];
	int r = enter_empty_root(warden, err);

	if (!r)
		r = change_user(err);
	if (!r)
		r = named_open_pipes(warden->named, err);
	if (!r)
		r = lockdown_descriptors(fds, list_descriptors(warden, fds), err);
	if (!r)
		r = lockdown_privileges(0, err);
	if (r)
		return r;
	if (prctl(PR_SET_NAME, "quod-warden", 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set_errno(err, errno, "warden: name");
	return filter(warden, err);
}

static void fill(struct warden *warden)
{
	uint64_t now_ms = now(), names = warden->rules ? warden->rules->names_per_minute : 0;

	warden->queries = (struct bucket){ 2000000, 2000000, QUERIES_PER_SECOND * 60000ull / 1000, now_ms };
	warden->names = (struct bucket){ names * 1000, names * 1000, names, now_ms };
	warden->events = (struct bucket){ EVENTS_PER_MINUTE * 1000, EVENTS_PER_MINUTE * 1000, EVENTS_PER_MINUTE, now_ms };
	warden->denials = warden->events;
	warden->random_used = sizeof(warden->random);
	warden->named->accepts = (struct bucket){ 4000000, 4000000, NAMED_PER_SECOND * 60ull, now_ms };
	for (size_t i = 0; i < CONNECTIONS; i++)
		warden->connections[i].fd = -1;
	snprintf(warden->reason_text, sizeof(warden->reason_text), "quod: profile %s", warden->settings->profile);
}

static void receive_udp(struct warden *warden, size_t listener, uint64_t now_ms)
{
	for (int taken = 0; taken < ONCE_MOST && bucket_take(&warden->queries, now_ms); taken++) {
		struct client client = { .listener = (uint8_t)listener, .address_len = sizeof(client.address) };
		uint8_t bytes[4096];
		ssize_t got = recvfrom(warden->udp_fds[listener], bytes, sizeof(bytes), MSG_DONTWAIT, &client.address.any, &client.address_len);

		if (got < 0)
			return;
		relay_query(warden, &client, bytes, (size_t)got, now_ms);
	}
}

enum { POLL_EVENTS, POLL_DENIALS, POLL_UDP, POLL_TCP = POLL_UDP + LISTENERS, POLL_CONNECTIONS = POLL_TCP + LISTENERS,
       POLL_NAMED = POLL_CONNECTIONS + CONNECTIONS, POLL_NAMED_LISTENERS, POLL_RESOLVERS = POLL_NAMED_LISTENERS + 2,
       POLLS = POLL_RESOLVERS + RESOLVERS * RESOLVER_SOCKETS };

static size_t list_polls(struct warden *warden, bool may_take, bool may_accept, struct pollfd polls[POLLS])
{
	size_t count = POLL_RESOLVERS;

	polls[POLL_EVENTS] = (struct pollfd){ warden->events_fd, POLLIN, 0 };
	polls[POLL_DENIALS] = (struct pollfd){ warden->denials_fd, POLLIN, 0 };
	for (size_t i = 0; i < LISTENERS; i++) {
		polls[POLL_UDP + i] = (struct pollfd){ may_take ? warden->udp_fds[i] : -1, POLLIN, 0 };
		polls[POLL_TCP + i] = (struct pollfd){ may_take ? warden->tcp_fds[i] : -1, POLLIN, 0 };
	}
	for (size_t i = 0; i < CONNECTIONS; i++) {
		const struct connection *connection = &warden->connections[i];
		bool is_read = may_take && !connection->is_waiting && connection->got < sizeof(connection->bytes);

		polls[POLL_CONNECTIONS + i] = (struct pollfd){ is_read ? connection->fd : -1, POLLIN, 0 };
	}
	polls[POLL_NAMED] = (struct pollfd){ warden->named->epoll_fd, POLLIN, 0 };
	for (size_t i = 0; i < ARRAY_SIZE(warden->named->listen_fds); i++)
		polls[POLL_NAMED_LISTENERS + i] = (struct pollfd){ may_accept ? warden->named->listen_fds[i] : -1, POLLIN, 0 };
	for (size_t i = 0; i < warden->resolver_count; i++)
		for (size_t k = 0; k < RESOLVER_SOCKETS; k++)
			polls[count++] = (struct pollfd){ warden->resolvers[i].fds[k], POLLIN, 0 };
	return count;
}

static int wait_ms(const struct warden *warden, bool may_take, uint64_t now_ms)
{
	uint64_t next_ms = relay_next_ms(warden), most_ms = !may_take ? 10 : tcp_is_open(warden) ? 1000 : 5000;

	if (next_ms <= now_ms || named_is_busy(warden))
		return 0;
	return (int)(next_ms - now_ms < most_ms ? next_ms - now_ms : most_ms);
}

static void attend(struct warden *warden, const struct pollfd polls[POLLS], uint64_t now_ms)
{
	for (size_t i = 0; i < warden->resolver_count * RESOLVER_SOCKETS; i++)
		if (polls[POLL_RESOLVERS + i].revents)
			relay_receive(warden, i / RESOLVER_SOCKETS, i % RESOLVER_SOCKETS, now_ms);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (polls[POLL_CONNECTIONS + i].revents && bucket_take(&warden->queries, now_ms))
			tcp_receive(warden, i, now_ms);
	for (size_t i = 0; i < LISTENERS; i++) {
		if (polls[POLL_UDP + i].revents)
			receive_udp(warden, i, now_ms);
		if (polls[POLL_TCP + i].revents)
			tcp_accept(warden, i, now_ms);
	}
	if (polls[POLL_DENIALS].revents)
		denials_take(warden, now_ms);
	for (size_t i = 0; i < ARRAY_SIZE(warden->named->listen_fds); i++)
		if (polls[POLL_NAMED_LISTENERS + i].revents)
			named_accept(warden, i, now_ms);
	if (polls[POLL_NAMED].revents || named_is_busy(warden))
		named_serve(warden, now_ms);
}

/* The guardian says nothing: what can be read of its channel is its end. */
static int serve(struct warden *warden)
{
	for (;;) {
		struct pollfd polls[POLLS];
		uint64_t now_ms = now();
		bool may_take = bucket_has(&warden->queries, now_ms), may_accept = named_may_accept(warden, now_ms);
		size_t count = list_polls(warden, may_take, may_accept, polls);

		if (poll(polls, count, wait_ms(warden, may_take && (may_accept || warden->named->epoll_fd < 0), now_ms)) < 0 && errno != EINTR)
			return 1;
		if (polls[POLL_EVENTS].revents)
			return 0;
		now_ms = now();
		attend(warden, polls, now_ms);
		relay_keep_time(warden, now_ms);
		tcp_keep_time(warden, now_ms);
		named_keep_time(warden, now_ms);
		report_keep_time(warden, now_ms);
	}
}

static bool say(const struct warden *warden, uint32_t word, const char *text)
{
	struct warden_event event = { .word = word };

	snprintf(event.text, sizeof(event.text), "%s", text);
	return send(warden->events_fd, &event, sizeof(event), MSG_NOSIGNAL) == (ssize_t)sizeof(event);
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
	warden.denials_fd = -1;
	for (size_t i = 0; i < LISTENERS; i++)
		warden.udp_fds[i] = warden.tcp_fds[i] = -1;
	r = warden.settings->has_names ? map_rules(&warden, &err) : 0;
	if (!r)
		r = warden_open_sockets(&warden, &err);
	if (!r) {
		fill(&warden);
		r = lock_down(&warden, &err);
	}
	if (r) {
		say(&warden, WARDEN_SAYS_FAILED, err.text);
		return 1;
	}
	return say(&warden, WARDEN_SAYS_READY, "") ? serve(&warden) : 1;
}
