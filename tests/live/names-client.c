/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names-client COMMAND...: what a program in the container does with names, for the tests of names.
 *
 *   race COUNT RESOLVER BASE PORT   asks for each of COUNT names (n0.BASE, n1.BASE and so on) and connects to what it is told, at
 *                                      once; prints "ok N failed M unanswered U early E median NNus" (of the question alone);
 *                                      E: those that could be connected to before they were asked for
 *   flood COUNT RESOLVER BASE       asks without waiting for answers; prints how many answers came, and of what kind
 *   send FROM-PORT DEVICE ADDRESS PORT one question (for good.test) by UDP from a port of its own choice (0: any), bound to a
 *                                      device ("-": none); prints "sent", "answer N" (its code) or the error
 *   idle COUNT ADDRESS PORT            that many TCP connections, held; prints "idle N" and waits for its input's end
 *   hold PORT NETNS                    binds UDP 127.0.0.1:PORT, leaves for the namespace, prints "held", waits likewise
 *   serve PORT                         accepts and closes, on every address, IPv4 and IPv6
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void __attribute__((noreturn)) die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static socklen_t place_of(const char *address, int port, union place *place)
{
	memset(place, 0, sizeof(*place));
	if (strchr(address, ':')) {
		place->v6.sin6_family = AF_INET6;
		place->v6.sin6_port = htons((uint16_t)port);
		if (inet_pton(AF_INET6, address, &place->v6.sin6_addr) == 1)
			return sizeof(place->v6);
	}
	place->v4.sin_family = AF_INET;
	place->v4.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &place->v4.sin_addr) != 1)
		die(address);
	return sizeof(place->v4);
}

static size_t question(uint8_t *bytes, unsigned id, const char *name)
{
	size_t len = 12;

	memset(bytes, 0, 12);
	bytes[0] = (uint8_t)(id >> 8);
	bytes[1] = (uint8_t)id;
	bytes[2] = bytes[5] = 1;
	while (*name) {
		size_t part = strcspn(name, ".");

		bytes[len] = (uint8_t)part;
		memcpy(bytes + len + 1, name, part);
		len += part + 1;
		name += part + (name[part] == '.');
	}
	memcpy(bytes + len, "\0\0\1\0\1", 5);
	return len + 5;
}

static int open_udp(const char *resolver)
{
	union place place;
	socklen_t len = place_of(resolver, 53, &place);
	int fd = socket(place.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &place.any, len) < 0)
		die("resolver");
	return fd;
}

static long now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

static bool connects(const uint8_t address[4], int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	memcpy(&to.sin_addr, address, 4);
	r = connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return r == 0;
}

/* What dns-server says of nI by its rule "spread". */
static void address_of(int i, uint8_t address[4])
{
	address[0] = 11;
	address[1] = (uint8_t)(i < 1000 ? 22 : 64 + i / 62500 % 4);
	address[2] = (uint8_t)(i < 1000 ? 40 + i / 250 : i / 250 % 250);
	address[3] = (uint8_t)(i % 250 + 1);
}

static int race(int count, const char *resolver, const char *base, int port)
{
	int fd = open_udp(resolver), ok = 0, failed = 0, unanswered = 0, early = 0;
	long *times = calloc((size_t)count, sizeof(*times));
	struct timeval patience = { .tv_sec = 3 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (int i = 0; i < count; i++) {
		uint8_t bytes[1500];
		char name[256];
		long begin = now_us();
		ssize_t got;

		uint8_t address[4];

		address_of(i, address);
		early += connects(address, port);
		begin = now_us();
		snprintf(name, sizeof(name), "n%d.%s", i, base);
		send(fd, bytes, question(bytes, (unsigned)i, name), 0);
		got = recv(fd, bytes, sizeof(bytes), 0);
		times[i] = now_us() - begin;
		if (got < 12 || !bytes[7])
			unanswered++;
		else if (connects(bytes + got - 4, port))
			ok++;
		else
			failed++;
	}
	qsort(times, (size_t)count, sizeof(*times), by_size);
	printf("ok %d failed %d unanswered %d early %d median %ldus p99 %ldus\n", ok, failed, unanswered, early, times[count / 2], times[count * 99 / 100]);
	return 0;
}

static void drain(int fd, int wait_ms, unsigned long counts[16])
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	uint8_t bytes[1500];

	while (poll(&end, 1, wait_ms) == 1) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (got >= 12)
			counts[bytes[3] & 15]++;
		else if (got < 0 && errno != ECONNREFUSED)
			return;
	}
}

static int flood(int count, const char *resolver, const char *base)
{
	int fd = open_udp(resolver);
	unsigned long counts[16] = { 0 };

	for (int i = 0; i < count; i++) {
		uint8_t bytes[512];
		char name[256];

		snprintf(name, sizeof(name), "n%d.%s", i, base);
		send(fd, bytes, question(bytes, (unsigned)i, name), MSG_DONTWAIT);
		drain(fd, 0, counts);
	}
	drain(fd, 500, counts);
	printf("noerror %lu servfail %lu nxdomain %lu\n", counts[0], counts[2], counts[3]);
	return 0;
}

static int send_one(int from, const char *device, const char *address, int port)
{
	union place place, own;
	socklen_t len = place_of(address, port, &place);
	int fd = socket(place.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd end = { .fd = fd, .events = POLLIN };
	uint8_t bytes[1500];

	place_of(place.any.sa_family == AF_INET ? "0.0.0.0" : "::", from, &own);
	if (fd < 0 || (from && bind(fd, &own.any, len) < 0))
		die("bind");
	if (strcmp(device, "-") && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
		die("device");
	if (connect(fd, &place.any, len) < 0)
		die("connect");
	if (send(fd, bytes, question(bytes, 7, "good.test"), 0) < 0)
		die("send");
	if (poll(&end, 1, 700) != 1)
		puts("sent");
	else if (recv(fd, bytes, sizeof(bytes), 0) < 0)
		die("receive");
	else
		printf("answer %d\n", bytes[3] & 15);
	return 0;
}

static void wait_for_end(void)
{
	char bytes[64];

	fflush(stdout);
	while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
		;
}

static int idle(int count, const char *address, int port)
{
	struct rlimit limit = { 4096, 4096 };
	int made = 0;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < count; i++) {
		union place place;
		socklen_t len = place_of(address, port, &place);
		int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		made += fd >= 0 && connect(fd, &place.any, len) == 0;
	}
	printf("idle %d\n", made);
	wait_for_end();
	return 0;
}

static int hold(int port, const char *netns)
{
	union place place;
	socklen_t len = place_of("127.0.0.1", port, &place);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), netns_fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || bind(fd, &place.any, len) < 0)
		die("bind");
	if (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET) < 0)
		die(netns);
	puts("held");
	wait_for_end();
	return 0;
}

static int serve(int port)
{
	union place place;
	socklen_t len = place_of("::", port, &place);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, &place.any, len) < 0 || listen(fd, 512) < 0)
		die("serve");
	for (;;)
		close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(command, "race") && argc == 6)
		return race(atoi(argv[2]), argv[3], argv[4], atoi(argv[5]));
	if (!strcmp(command, "flood") && argc == 5)
		return flood(atoi(argv[2]), argv[3], argv[4]);
	if (!strcmp(command, "send") && argc == 6)
		return send_one(atoi(argv[2]), argv[3], argv[4], atoi(argv[5]));
	if (!strcmp(command, "idle") && argc == 5)
		return idle(atoi(argv[2]), argv[3], atoi(argv[4]));
	if (!strcmp(command, "hold") && argc == 4)
		return hold(atoi(argv[2]), argv[3]);
	if (!strcmp(command, "serve") && argc == 3)
		return serve(atoi(argv[2]));
	fprintf(stderr, "names-client: %s?\n", command);
	return 2;
}
