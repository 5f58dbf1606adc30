/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a connection that must say a name: see named.h. Turned here by the kernel, heard, judged, connected, passed on;
 * reset when it is refused or one of its sides breaks. Must never connect before the name was judged.
 */
#include "shim/warden/named.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

#define HEAR_MS 10000u		/* for the first bytes; who speaks first is no client */
#define HEAD_MS 60000u		/* for the rest of a later head */
#define CONNECT_MS 60000u
#define ACCEPT_MOST 32
#define PIPE_BYTES (512 << 10)	/* where the host lets this user have them; else what a pipe has anyway */
#define EVENTS 64
#define ROUNDS 64		/* requests of one connection, before others have their turn */

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* An event's: a descriptor's number may be another connection's by the time that it is looked at. */
static uint64_t tag_of(const struct named *named, const struct named_connection *connection, enum named_side side)
{
	return (uint64_t)connection->generation << 32 | (uint64_t)(connection - named->connections) << 1 | side;
}

static bool watch(struct named *named, const struct named_connection *connection, enum named_side side)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = tag_of(named, connection, side) };

	return epoll_ctl(named->epoll_fd, EPOLL_CTL_ADD, connection->fds[side], &event) == 0;
}

static void set_due(struct named *named, struct named_connection *connection, bool is_due)
{
	if (connection->is_due != is_due)
		named->due_count += is_due ? 1 : (size_t)-1;
	connection->is_due = is_due;
}

static void end(struct named *named, struct named_connection *connection, bool by_reset)
{
	const struct linger at_once = { 1, 0 };

	named_release_pipes(named, connection);
	set_due(named, connection, false);
	for (size_t i = 0; i < NAMED_SIDES; i++) {
		if (connection->fds[i] < 0)
			continue;
		if (by_reset)
			setsockopt(connection->fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(steal_fd(&connection->fds[i]));
	}
	connection->state = NAMED_FREE;
	connection->generation++;
}

/* `reason` as named_judge returns it. */
static void refuse(struct warden *warden, struct named_connection *connection, int reason, const char *name)
{
	const struct report_place place = { &connection->address, connection->port, name };

	report_disconnected(warden, &place, (uint32_t)reason - 1, connection->at_ms);
	end(warden->named, connection, true);
}

/* Where the client meant to go. */
static bool read_destination(struct named_connection *connection, size_t listener)
{
	union place place = { .v6 = { 0 } };
	socklen_t len = sizeof(place);
	int r = listener ? getsockopt(connection->fds[NAMED_CLIENT], IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, &place, &len) :
			   getsockopt(connection->fds[NAMED_CLIENT], IPPROTO_IP, SO_ORIGINAL_DST, &place, &len);

	connection->address = (struct address){ .family = listener ? 6 : 4 };
	if (r < 0 || place.any.sa_family != (listener ? AF_INET6 : AF_INET))
		return false;
	if (listener)
		memcpy(connection->address.bytes, &place.v6.sin6_addr, 16);
	else
		memcpy(connection->address.bytes, &place.v4.sin_addr, 4);
	connection->port = ntohs(listener ? place.v6.sin6_port : place.v4.sin_port);
	return true;
}

static int begin_connect(struct warden *warden, struct named_connection *connection)
{
	union place place = { .v6 = { 0 } };
	socklen_t len = sizeof(place.v4);
	int r = warden_make_socket(warden, connection->address.family, connection->caps, &connection->fds[NAMED_SERVER]);

	if (r)
		return r;
	if (connection->address.family == 4) {
		place.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(connection->port) };
		memcpy(&place.v4.sin_addr, connection->address.bytes, 4);
	} else {
		len = sizeof(place.v6);
		place.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(connection->port) };
		memcpy(&place.v6.sin6_addr, connection->address.bytes, 16);
	}
	if (connect(connection->fds[NAMED_SERVER], &place.any, len) < 0 && errno != EINPROGRESS)
		return errno;
	return watch(warden->named, connection, NAMED_SERVER) ? 0 : EIO;
}

static void hear(struct warden *warden, struct named_connection *connection)
{
	char name[NAME_SIZE];
	int r = named_hear(warden, connection, name, connection->at_ms);

	if (r < 0)
		return;
	if (r > 0) {
		refuse(warden, connection, r, name);
		return;
	}
	connection->state = NAMED_CONNECTS;
	connection->until_ms = connection->at_ms + CONNECT_MS;
	if (begin_connect(warden, connection))
		end(warden->named, connection, true);
}

/* Before it is connected nothing may be spliced into it. */
static bool is_connected(struct named *named, struct named_connection *connection, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(connection->fds[NAMED_SERVER], SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		end(named, connection, true);
		return false;
	}
	if (!(events & EPOLLOUT))
		return false;
	connection->state = NAMED_PASSES;
	connection->until_ms = UINT64_MAX;
	return true;
}

/* After a request that asks for it, the server says whether what follows is still HTTP. These are the first bytes that it says at
 * all, so none of them is passed on before: what stands later in an answer is anybody's. False as long as it has not been said. */
static bool hear_status(struct named *named, struct named_connection *connection)
{
	bool is_asked = !connection->may_pass && !connection->ways[NAMED_CLIENT].held;
	enum said said = SAID_NO_NAME;
	ssize_t seen;

	if (connection->step != STEP_STATUS)
		return true;
	seen = recv(connection->fds[NAMED_SERVER], named->bytes, 64, MSG_PEEK | MSG_DONTWAIT);
	if (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return false;
	if (seen > 0 && is_asked)
		said = http_status_is_switch(named->bytes, (size_t)seen);
	if (said == SAID_MORE) {
		connection->until_ms = connection->at_ms + HEAD_MS;
		return false;
	}
	connection->step = said == SAID_NAME ? STEP_ALL : STEP_HEAD;
	if (said == SAID_NAME)
		connection->may_pass = UINT64_MAX;
	return true;
}

/* False when the connection has ended. */
static bool pass_requests(struct warden *warden, struct named_connection *connection)
{
	struct named *named = warden->named;
	char name[NAME_SIZE];

	for (int round = 0; round < ROUNDS; round++) {
		enum pumped pumped = named_pump(named, connection, NAMED_CLIENT);
		int r;

		if (pumped == PUMPED_BROKEN) {
			end(named, connection, true);
			return false;
		}
		if (pumped != PUMPED_ASKS) {
			set_due(named, connection, pumped == PUMPED_SOME);
			return true;
		}
		r = named_next(warden, connection, name, connection->at_ms);
		connection->until_ms = r < 0 && connection->looked_bytes ? connection->at_ms + HEAD_MS : UINT64_MAX;
		if (r > 0) {
			refuse(warden, connection, r, name);
			return false;
		}
		if (r < 0) {
			set_due(named, connection, false);
			return true;
		}
	}
	set_due(named, connection, true);
	return true;
}

static bool is_over(const struct named_connection *connection)
{
	for (size_t i = 0; i < NAMED_SIDES; i++)
		if (!connection->ways[i].is_shut || connection->ways[i].held)
			return false;
	return true;
}

static void pass(struct warden *warden, struct named_connection *connection)
{
	struct named *named = warden->named;
	enum pumped pumped;

	if (!pass_requests(warden, connection))
		return;
	if (connection->step == STEP_STATUS && (!hear_status(named, connection) || !pass_requests(warden, connection)))
		return;
	pumped = named_pump(named, connection, NAMED_SERVER);
	if (pumped == PUMPED_BROKEN)
		end(named, connection, true);
	else if (pumped == PUMPED_SOME)
		set_due(named, connection, true);
	else if (is_over(connection))
		end(named, connection, false);
}

static void attend(struct warden *warden, struct named_connection *connection, uint32_t events, enum named_side side)
{
	if (side == NAMED_CLIENT && (events & EPOLLERR)) {
		end(warden->named, connection, true);
		return;
	}
	if (connection->state == NAMED_HEARS)
		hear(warden, connection);
	else if (connection->state == NAMED_PASSES || (side == NAMED_SERVER && is_connected(warden->named, connection, events)))
		pass(warden, connection);
}

static struct named_connection *find_free(struct named *named)
{
	for (size_t i = 0; i < named->most; i++)
		if (named->connections[i].state == NAMED_FREE)
			return &named->connections[i];
	return NULL;
}

static void clear(struct named_connection *connection, uint64_t now_ms)
{
	*connection = (struct named_connection){
		.fds = { -1, -1 }, .state = NAMED_HEARS, .is_first = true, .generation = connection->generation, .at_ms = now_ms,
		.until_ms = now_ms + HEAR_MS, .ways = { { .pipe = -1 }, { .pipe = -1 } },
	};
}

/* When all places are taken, this one is only for being reset. */
static bool accept_one(struct warden *warden, size_t listener, uint64_t now_ms)
{
	struct named *named = warden->named;
	struct named_connection *place = find_free(named), spare = { .generation = 0 }, *connection = place ? place : &spare;
	int fd = accept4(named->listen_fds[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	clear(connection, now_ms);
	connection->fds[NAMED_CLIENT] = fd;
	if (!read_destination(connection, listener))
		end(named, connection, true);
	else if (!place)
		refuse(warden, connection, 1 + REFUSED_FULL, "");
	else if (!watch(named, connection, NAMED_CLIENT))
		end(named, connection, true);
	return true;
}

void named_accept(struct warden *warden, size_t listener, uint64_t now_ms)
{
	for (int taken = 0; taken < ACCEPT_MOST && bucket_take(&warden->named->accepts, now_ms); taken++)
		if (!accept_one(warden, listener, now_ms))
			return;
}

bool named_may_accept(struct warden *warden, uint64_t now_ms)
{
	return warden->named->epoll_fd >= 0 && bucket_has(&warden->named->accepts, now_ms);
}

/* What was left of the last turn first, then what has come. */
void named_serve(struct warden *warden, uint64_t now_ms)
{
	struct named *named = warden->named;
	struct epoll_event events[EVENTS];
	int count;

	for (size_t i = 0; named->due_count && i < NAMED_CONNECTIONS; i++)
		if (named->connections[i].is_due) {
			named->connections[i].at_ms = now_ms;
			pass(warden, &named->connections[i]);
		}
	count = epoll_wait(named->epoll_fd, events, EVENTS, 0);
	for (int i = 0; i < count; i++) {
		uint64_t tag = events[i].data.u64;
		struct named_connection *connection = &named->connections[(uint32_t)tag >> 1];

		if (connection->state == NAMED_FREE || connection->generation != tag >> 32)
			continue;
		connection->at_ms = now_ms;
		attend(warden, connection, events[i].events, (enum named_side)(tag & 1));
	}
}

void named_keep_time(struct warden *warden, uint64_t now_ms)
{
	struct named *named = warden->named;

	if (named->epoll_fd < 0 || now_ms < named->next_look_ms)
		return;
	named->next_look_ms = now_ms + 1000;
	for (size_t i = 0; i < NAMED_CONNECTIONS; i++) {
		struct named_connection *connection = &named->connections[i];

		if (connection->state == NAMED_FREE || connection->until_ms > now_ms)
			continue;
		connection->at_ms = now_ms;
		if (connection->state == NAMED_CONNECTS)
			end(named, connection, true);
		else
			refuse(warden, connection, 1 + REFUSED_SILENT, "");
	}
}

void named_judge_again(struct warden *warden, uint64_t now_ms)
{
	for (size_t i = 0; i < NAMED_CONNECTIONS; i++) {
		struct named_connection *connection = &warden->named->connections[i];
		int r = connection->state > NAMED_HEARS ? named_judge_rules(warden, connection, connection->name) : 0;

		if (!r)
			continue;
		connection->at_ms = now_ms;
		refuse(warden, connection, r, connection->name);
	}
}

bool named_is_busy(const struct warden *warden)
{
	return warden->named->due_count;
}

void named_clear(struct named *named)
{
	named->epoll_fd = named->listen_fds[0] = named->listen_fds[1] = -1;
	for (size_t i = 0; i < NAMED_PIPES; i++)
		named->pipes[i][0] = named->pipes[i][1] = -1;
}

int named_open(struct warden *warden, struct err *err)
{
	static const struct address places[] = { { 4, { 127, 0, 0, 1 } }, { 6, { [15] = 1 } } };
	struct named *named = warden->named;
	int r = 0;

	if (!warden->rules->verify_name)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(places) && !r; i++)
		r = warden_open_listener(&places[i], RULESET_PORT_NAMED, SOCK_STREAM, &named->listen_fds[i], err);
	if (r)
		return r;
	named->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return named->epoll_fd < 0 ? err_set_errno(err, errno, "warden: epoll") : 0;
}

/* As the warden's user: they count as its own. */
int named_open_pipes(struct named *named, struct err *err)
{
	for (size_t i = 0; named->epoll_fd >= 0 && i < NAMED_PIPES; i++) {
		if (pipe2(named->pipes[i], O_NONBLOCK | O_CLOEXEC) < 0)
			return err_set_errno(err, errno, "warden: pipe");
		fcntl(named->pipes[i][1], F_SETPIPE_SZ, PIPE_BYTES);
	}
	return 0;
}
