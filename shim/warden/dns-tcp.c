/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS over TCP from the container: few connections, one query at a time of each, each with a deadline. Who comes when all
 * are taken gets the place of the one that has been idle for longest: idle connections can't keep anybody out.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/warden/warden.h"

#define IDLE_MS 10000u

static void drop(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	connection->got = 0;
	connection->is_waiting = false;
}

static bool accept_one(struct warden *warden, size_t listener, uint64_t now_ms)
{
	struct connection *oldest = &warden->connections[0];
	int fd = accept4(warden->tcp_fds[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &warden->connections[i];

		if (connection->fd < 0) {
			oldest = connection;
			break;
		}
		if (connection->at_ms < oldest->at_ms)
			oldest = connection;
	}
	drop(oldest);
	oldest->fd = fd;
	oldest->at_ms = now_ms;
	oldest->generation = ++warden->generation;
	oldest->listener = (uint8_t)listener;
	return true;
}

void tcp_accept(struct warden *warden, size_t listener, uint64_t now_ms)
{
	for (int taken = 0; taken < CONNECTIONS && bucket_take(&warden->queries, now_ms); taken++)
		if (!accept_one(warden, listener, now_ms))
			return;
}

static uint16_t wanted_of(const struct connection *connection)
{
	return (uint16_t)(connection->bytes[0] << 8 | connection->bytes[1]);
}

/* The first whole query in the buffer, if there is one; false when the connection is of no use any more. */
static bool take_query(struct warden *warden, size_t index, uint64_t now_ms)
{
	struct connection *connection = &warden->connections[index];
	struct client client = { .listener = connection->listener, .is_tcp = true, .connection = (uint16_t)index,
				 .generation = connection->generation };
	uint8_t query[TCP_QUERY];
	uint16_t len;

	if (connection->got < 2)
		return true;
	len = wanted_of(connection);
	if (!len || len > sizeof(query) - 2)
		return false;
	if (connection->got < 2 + len)
		return true;
	memcpy(query, connection->bytes + 2, len);
	connection->got = (uint16_t)(connection->got - 2 - len);
	memmove(connection->bytes, connection->bytes + 2 + len, connection->got);
	connection->is_waiting = true;
	return relay_query(warden, &client, query, len, now_ms);
}

void tcp_receive(struct warden *warden, size_t index, uint64_t now_ms)
{
	struct connection *connection = &warden->connections[index];
	ssize_t got = recv(connection->fd, connection->bytes + connection->got, sizeof(connection->bytes) - connection->got, MSG_DONTWAIT);

	if (got <= 0) {
		drop(connection);
		return;
	}
	connection->got = (uint16_t)(connection->got + got);
	connection->at_ms = now_ms;
	if (!take_query(warden, index, now_ms))
		drop(connection);
}

void tcp_reply(struct warden *warden, const struct client *client, const uint8_t *message, size_t len)
{
	struct connection *connection = &warden->connections[client->connection];
	uint8_t framed[2 + DNS_MESSAGE];

	if (connection->fd < 0 || connection->generation != client->generation)
		return;
	framed[0] = (uint8_t)(len >> 8);
	framed[1] = (uint8_t)len;
	memcpy(framed + 2, message, len);
	connection->is_waiting = false;
	/* who doesn't read his answers gets no further one */
	if (send(connection->fd, framed, 2 + len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(2 + len))
		drop(connection);
}

/* What is pipelined is taken up when the query before it has been answered. */
void tcp_keep_time(struct warden *warden, uint64_t now_ms)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &warden->connections[i];

		if (connection->fd < 0)
			continue;
		if (now_ms - connection->at_ms >= IDLE_MS)
			drop(connection);
		while (connection->fd >= 0 && !connection->is_waiting && connection->got >= 2 &&
		       connection->got >= 2 + wanted_of(connection) && bucket_take(&warden->queries, now_ms)) {
			connection->at_ms = now_ms;
			if (!take_query(warden, i, now_ms))
				drop(connection);
		}
	}
}

bool tcp_is_open(const struct warden *warden)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (warden->connections[i].fd >= 0)
			return true;
	return false;
}
