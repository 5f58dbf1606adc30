/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The warden's loop: see warden.h. What it may still do is receive on its sockets and send on them, UDP only from its listeners
 * to an address of its choice; every other system call ends it, and until there is another one names are dead and nothing
 * else is: nothing new is learnt, what was learnt ages.
 */
#include "shim/warden/named.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "shim/base/cleanup.h"

/* Beyond it queries wait in their sockets: a flood costs the container its DNS, not the host its processor. */
#define QUERIES_PER_SECOND 1000u
#define EVENTS_PER_MINUTE 60u
#define EVENTS_AGAIN 5u
#define CONNECTIONS_PER_MINUTE 600u
#define ONCE_MOST 16

static uint64_t now(void)
{
	struct timespec time = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* One that follows a lost one begins with nothing to spend: who makes it fall gains no names by it, and no long record. */
static void fill(struct warden *warden, bool is_first)
{
	uint64_t now_ms = now(), names = warden->rules ? warden->rules->names_per_minute : 0;
	uint64_t events = is_first ? EVENTS_PER_MINUTE : EVENTS_AGAIN;

	warden->queries = (struct bucket){ 2000000, 2000000, QUERIES_PER_SECOND * 60000ull / 1000, now_ms };
	warden->names = (struct bucket){ is_first ? names * 1000 : 0, names * 1000, names, now_ms };
	warden->events = (struct bucket){ events * 1000, EVENTS_PER_MINUTE * 1000, EVENTS_PER_MINUTE, now_ms };
	warden->denials = warden->events;
	warden->tracked = (struct bucket){ CONNECTIONS_PER_MINUTE * 1000, CONNECTIONS_PER_MINUTE * 1000, CONNECTIONS_PER_MINUTE, now_ms };
	warden->random_used = sizeof(warden->random);
	warden->named->accepts = (struct bucket){ 4000000, 4000000, NAMED_PER_SECOND * 60ull, now_ms };
	for (size_t i = 0; i < CONNECTIONS; i++)
		warden->connections[i].fd = -1;
	warden_random(warden, &warden->learn_number, sizeof(warden->learn_number));	/* a lost one's answers may still come */
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

enum { POLL_EVENTS, POLL_DENIALS, POLL_TRACKED, POLL_UDP, POLL_TCP = POLL_UDP + LISTENERS, POLL_CONNECTIONS = POLL_TCP + LISTENERS,
       POLL_NAMED = POLL_CONNECTIONS + CONNECTIONS, POLL_NAMED_LISTENERS, POLL_RESOLVERS = POLL_NAMED_LISTENERS + 2,
       POLLS = POLL_RESOLVERS + RESOLVERS * RESOLVER_SOCKETS };

static size_t list_polls(struct warden *warden, bool may_take, bool may_accept, struct pollfd polls[POLLS])
{
	size_t count = POLL_RESOLVERS;

	polls[POLL_EVENTS] = (struct pollfd){ warden->events_fd, POLLIN, 0 };
	polls[POLL_DENIALS] = (struct pollfd){ warden->denials_fd, POLLIN, 0 };
	polls[POLL_TRACKED] = (struct pollfd){ warden->tracked_fd, POLLIN, 0 };
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
	if (polls[POLL_TRACKED].revents)
		connections_take(warden, now_ms);
	for (size_t i = 0; i < ARRAY_SIZE(warden->named->listen_fds); i++)
		if (polls[POLL_NAMED_LISTENERS + i].revents)
			named_accept(warden, i, now_ms);
	if (polls[POLL_NAMED].revents || named_is_busy(warden))
		named_serve(warden, now_ms);
}

void warden_begin(struct warden *warden, bool is_first)
{
	fill(warden, is_first);
}

int warden_serve(struct warden *warden)
{
	for (;;) {
		struct pollfd polls[POLLS];
		uint64_t now_ms = now();
		bool may_take = bucket_has(&warden->queries, now_ms), may_accept = named_may_accept(warden, now_ms);
		size_t count = list_polls(warden, may_take, may_accept, polls);

		if (poll(polls, count, wait_ms(warden, may_take && (may_accept || warden->named->epoll_fd < 0), now_ms)) < 0 && errno != EINTR)
			return 1;
		now_ms = now();
		if (polls[POLL_EVENTS].revents && !orders_take(warden, now_ms))
			return 0;
		orders_keep_time(warden);
		attend(warden, polls, now_ms);
		relay_keep_time(warden, now_ms);
		tcp_keep_time(warden, now_ms);
		named_keep_time(warden, now_ms);
		report_keep_time(warden, now_ms);
	}
}
