/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving bytes: see named.h. Little is copied, by looking at it, sending it, and taking only what was sent, so nothing is kept
 * here; much goes through a pipe of the few that there are, which is held no longer than something is in it. Must never
 * move more of the client's bytes than was judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/warden/named.h"

#define BULK 32768u
#define SPLICE_MOST (1u << 20)
#define TURN_MOST (2u << 20)	/* of one connection, before others have their turn */

static void leave_pipe(struct named *named, struct named_way *way)
{
	if (way->pipe >= 0)
		named->pipe_is_used[way->pipe] = false;
	way->pipe = -1;
}

static bool take_pipe(struct named *named, struct named_way *way)
{
	for (int8_t i = 0; i < NAMED_PIPES && way->pipe < 0; i++)
		if (!named->pipe_is_used[i]) {
			named->pipe_is_used[i] = true;
			way->pipe = i;
		}
	return way->pipe >= 0;
}

/* A pipe with something in it is emptied into the void. */
void named_release_pipes(struct named *named, struct named_connection *connection)
{
	for (size_t i = 0; i < NAMED_SIDES; i++) {
		struct named_way *way = &connection->ways[i];

		while (way->held) {
			size_t most = way->held < sizeof(named->bytes) ? way->held : sizeof(named->bytes);
			ssize_t got = read(named->pipes[way->pipe][0], named->bytes, most);

			if (got <= 0)
				break;
			way->held -= (uint32_t)got;
		}
		leave_pipe(named, way);
	}
}

static bool is_later(ssize_t r)
{
	return r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* 1 when the pipe is empty, 0 when the other side takes no more, -1 when it is broken. */
static int empty_pipe(struct named *named, struct named_way *way, int to_fd)
{
	while (way->held) {
		ssize_t sent = splice(named->pipes[way->pipe][0], NULL, to_fd, NULL, way->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (is_later(sent))
			return 0;
		if (sent <= 0)
			return -1;
		way->held -= (uint32_t)sent;
	}
	leave_pipe(named, way);
	return 1;
}

/* What was taken: bytes, 0 at the end, -1 with errno. */
static ssize_t splice_some(struct named *named, struct named_way *way, const int fds[2], size_t most)
{
	ssize_t got = splice(fds[0], NULL, named->pipes[way->pipe][1], NULL, most < SPLICE_MOST ? most : SPLICE_MOST,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (got > 0)
		way->held = (uint32_t)got;
	else
		leave_pipe(named, way);
	way->is_bulk = got >= (ssize_t)BULK;
	return got;
}

static ssize_t copy_some(struct named *named, struct named_way *way, const int fds[2], size_t most)
{
	size_t room = most < sizeof(named->bytes) ? most : sizeof(named->bytes);
	ssize_t seen = recv(fds[0], named->bytes, room, MSG_PEEK | MSG_DONTWAIT), sent;

	if (seen <= 0)
		return seen;
	way->is_bulk = seen >= (ssize_t)BULK;
	sent = send(fds[1], named->bytes, (size_t)seen, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0 && recv(fds[0], NULL, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT) != sent) {
		errno = EPROTO;
		return -1;
	}
	return sent;
}

static bool shut(struct named_way *way, int to_fd)
{
	if (way->is_shut)
		return true;
	way->is_shut = true;
	return shutdown(to_fd, SHUT_WR) == 0 || errno == ENOTCONN;
}

enum pumped named_pump(struct named *named, struct named_connection *connection, enum named_side from)
{
	struct named_way *way = &connection->ways[from];
	const int fds[2] = { connection->fds[from], connection->fds[!from] };
	uint64_t unbound = UINT64_MAX, *may_pass = from == NAMED_CLIENT ? &connection->may_pass : &unbound;

	for (size_t moved = 0; moved < TURN_MOST;) {
		ssize_t got = empty_pipe(named, way, fds[1]);

		if (got <= 0)
			return got < 0 ? PUMPED_BROKEN : PUMPED_ALL;
		if (way->is_ended)
			return shut(way, fds[1]) ? PUMPED_ALL : PUMPED_BROKEN;
		if (!*may_pass)
			return PUMPED_ASKS;
		if (way->is_bulk && take_pipe(named, way))
			got = splice_some(named, way, fds, *may_pass);
		else
			got = copy_some(named, way, fds, *may_pass);
		if (is_later(got))
			return PUMPED_ALL;
		if (got < 0)
			return PUMPED_BROKEN;
		if (!got)
			way->is_ended = true;
		if (*may_pass != UINT64_MAX)
			*may_pass -= (uint64_t)got;
		moved += (size_t)got;
	}
	return PUMPED_SOME;
}
