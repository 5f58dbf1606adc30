/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection that asked for a websocket: what the server says first is heard before it is passed on, so that nothing later in
 * its answer can stand for it. */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/warden/named.h"
#include "tests/unit/tap.h"

#define HEAD "GET /ws HTTP/1.1\r\nHost: good.test\r\nUpgrade: websocket\r\n\r\n"

static struct named named;
static struct warden warden = { .named = &named };

/* A TCP connection of the loopback: the warden's end, and the other one's. */
static void make_pair(int fds[2])
{
	struct sockaddr_in place = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(place);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	OK(!bind(fd, (struct sockaddr *)&place, len) && !listen(fd, 1) && !getsockname(fd, (struct sockaddr *)&place, &len) &&
	   !connect(fds[1], (struct sockaddr *)&place, len) && (fds[0] = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0,
	   "named: a connection of the loopback");
	close(fd);
}

static struct named_connection *begin(int client[2], int server[2])
{
	struct named_connection *connection = &named.connections[0];

	memset(&named, 0, sizeof(named));
	named_clear(&named);
	named.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	make_pair(client);
	make_pair(server);
	*connection = (struct named_connection){
		.fds = { client[0], server[0] }, .state = NAMED_PASSES, .step = STEP_STATUS, .said = NAME_HTTP, .until_ms = UINT64_MAX,
		.may_pass = strlen(HEAD), .ways = { { .pipe = -1 }, { .pipe = -1 } },
	};
	return connection;
}

static void end(int client[2], int server[2])
{
	for (size_t i = 0; i < 2; i++) {
		close(client[i]);
		close(server[i]);
	}
	close(named.epoll_fd);
}

static void serve(struct named_connection *connection)
{
	if (!connection->is_due)
		named.due_count++;
	connection->is_due = true;
	named_serve(&warden, 1000);
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		OK(false, "named: %s is sent", text);
}

/* What has come by now. */
static const char *heard(int fd)
{
	static char text[512];
	ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[got > 0 ? got : 0] = '\0';
	return text;
}

/* The server has spoken by the time that the head is passed on. */
static void test_no_switch(void)
{
	int client[2], server[2];
	struct named_connection *connection = begin(client, server);

	say(client[1], HEAD);
	say(server[1], "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
	serve(connection);
	say(server[1], "HTTP/1.1 101 of the content");
	say(client[1], "GET / HTTP/1.1\r\nHost: ");
	serve(connection);
	serve(connection);
	OK(connection->step == STEP_HEAD, "named: what stands in the content is no status");
	IS_STR(heard(server[1]), HEAD, "named: nothing but what was judged has gone to the server");
	IS_STR(heard(client[1]), "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 101 of the content",
	       "named: the client has the whole answer");
	end(client, server);
}

static void test_switch(void)
{
	int client[2], server[2];
	struct named_connection *connection = begin(client, server);

	say(client[1], HEAD "frames");
	serve(connection);
	IS_STR(heard(server[1]), HEAD, "named: what follows waits for the server's word");
	say(server[1], "HTTP/1.1 1");
	serve(connection);
	IS_STR(heard(client[1]), "", "named: half a status is none yet");
	OK(connection->until_ms != UINT64_MAX, "named: and is not waited for without end");
	say(server[1], "01 Switching\r\n\r\n");
	serve(connection);
	IS_STR(heard(client[1]), "HTTP/1.1 101 Switching\r\n\r\n", "named: the client has the whole answer to its upgrade");
	IS_STR(heard(server[1]), "frames", "named: after the switch everything passes");
	end(client, server);
}

static void test_end(void)
{
	int client[2], server[2];
	struct named_connection *connection = begin(client, server);

	say(client[1], HEAD);
	serve(connection);
	shutdown(server[1], SHUT_WR);
	serve(connection);
	OK(recv(client[1], &(char){ 0 }, 1, MSG_DONTWAIT) == 0, "named: a server that ends without a word ends for the client");
	end(client, server);
}

int main(void)
{
	test_no_switch();
	test_switch();
	test_end();
	return tap_done();
}
