/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * egress-world: the servers of tests/egress.bash, on every address of the namespace: TCP echo on 80, 81 and 7000, TCP sink
 * on 90, UDP echo on 5000, 5001 and 7001, answered from the address that was asked, UDP sink on 5009. Prints "ready"; serves
 * until it is killed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENDS_MAX 256

enum kind { LISTENER, UDP, UDP_SINK, ECHO, SINK };

struct world {
	struct pollfd ends[ENDS_MAX];
	enum kind kinds[ENDS_MAX];
	int ports[ENDS_MAX];
	nfds_t count;
};

static void add(struct world *world, int fd, enum kind kind, int port)
{
	if (fd < 0 || world->count == ENDS_MAX) {
		close(fd);
		return;
	}
	world->ends[world->count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	world->kinds[world->count] = kind;
	world->ports[world->count++] = port;
}

static int serve(struct world *world, int port, int type)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, type, 0), on = 1, off = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		perror("egress-world");
		return -1;
	}
	add(world, fd, type == SOCK_STREAM ? LISTENER : port == 5009 ? UDP_SINK : UDP, port);
	return 0;
}

/* The control message that came, the address asked, goes back as the address to answer from. */
static void answer_datagram(int fd, bool is_sink)
{
	static char bytes[65536], control[256];
	struct sockaddr_in6 from;
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1,
				 .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &header, MSG_DONTWAIT);

	if (got < 0 || is_sink)
		return;
	part.iov_len = (size_t)got;
	if (sendmsg(fd, &header, MSG_DONTWAIT) < 0)
		return;
}

/* False when the connection is over. */
static int answer_stream(int fd, enum kind kind)
{
	static char bytes[65536];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got <= 0)
		return 0;
	return kind == SINK || send(fd, bytes, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL) == got;
}

static void turn(struct world *world, nfds_t i)
{
	int fd = world->ends[i].fd;

	if (world->kinds[i] == LISTENER)
		add(world, accept(fd, NULL, NULL), world->ports[i] == 90 ? SINK : ECHO, 0);
	else if (world->kinds[i] == UDP || world->kinds[i] == UDP_SINK)
		answer_datagram(fd, world->kinds[i] == UDP_SINK);
	else if (!answer_stream(fd, world->kinds[i])) {
		close(fd);
		world->count--;
		world->ends[i] = world->ends[world->count];
		world->kinds[i] = world->kinds[world->count];
	}
}

int main(void)
{
	static const int tcp[] = { 80, 81, 90, 7000 }, udp[] = { 5000, 5001, 5009, 7001 };
	static struct world world;

	for (size_t i = 0; i < sizeof(tcp) / sizeof(tcp[0]); i++)
		if (serve(&world, tcp[i], SOCK_STREAM))
			return 1;
	for (size_t i = 0; i < sizeof(udp) / sizeof(udp[0]); i++)
		if (serve(&world, udp[i], SOCK_DGRAM))
			return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(world.ends, world.count, -1) < 0)
			return 1;
		for (nfds_t i = world.count; i-- > 0;)
			if (world.ends[i].revents)
				turn(&world, i);
	}
}
