/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * named-load COMMAND...: load for connections that say a name, and the server to it; for tests/live/verify-name.bats and
 * tests/bench/named. What is said is a true ClientHello; no TLS follows.
 *
 *   serve PORT                         to each connection, on every address: one byte in answer to the first bytes; then, when
 *                                      those had "/send" in them, bytes without end; with "/reset" a reset; else reads to the end;
 *                                      prints each client's port
 *   latency ADDRESS PORT NAME COUNT    connects, says NAME, waits for a byte, COUNT times one after the other; prints
 *                                      "connect Nus first byte Nus p99 Nus rate N/s"
 *   upload|download ADDRESS PORT NAME MS   one connection for so long; prints "N Gbit/s"
 *   from SOURCE-PORT ADDRESS PORT TEXT connects from that port and says TEXT; prints "answer", "nothing" or the error
 *   hello NAME                         prints a hello
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 18 };

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
	if (inet_pton(AF_INET6, address, &place->v6.sin6_addr) == 1) {
		place->v6.sin6_family = AF_INET6;
		place->v6.sin6_port = htons((uint16_t)port);
		return sizeof(place->v6);
	}
	place->v4.sin_family = AF_INET;
	place->v4.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &place->v4.sin_addr) != 1)
		die(address);
	return sizeof(place->v4);
}

static size_t put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return 2;
}

/* About as long as a browser's. */
static size_t make_hello(uint8_t bytes[1024], const char *name)
{
	size_t len = 9, name_len = strlen(name), extensions;

	memset(bytes, 0, 1024);
	len += put16(bytes + len, 0x303);
	len += 32 + 1;					/* random, no session */
	len += put16(bytes + len, 4) + 4;		/* suites */
	bytes[len++] = 1;				/* one compression */
	len += 1;
	extensions = len;
	len += 2;
	len += put16(bytes + len, 21);			/* padding */
	len += put16(bytes + len, 400) + 400;
	len += put16(bytes + len, 0);			/* server_name */
	len += put16(bytes + len, name_len + 5);
	len += put16(bytes + len, name_len + 3) + 1;
	len += put16(bytes + len, name_len);
	memcpy(bytes + len, name, name_len);
	len += name_len;
	put16(bytes + extensions, len - extensions - 2);
	memcpy(bytes, "\x16\3\1", 3);
	put16(bytes + 3, len - 5);
	bytes[5] = 1;
	put16(bytes + 7, len - 9);
	return len;
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static void *serve_one(void *data)
{
	int fd = (int)(intptr_t)data;
	struct linger at_once = { 1, 0 };
	char *block = calloc(1, BLOCK);
	ssize_t got = recv(fd, block, BLOCK - 1, 0);

	if (got > 0 && strstr(block, "/reset"))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	else if (got > 0 && send(fd, "!", 1, MSG_NOSIGNAL) == 1) {
		bool sends = memmem(block, (size_t)got, "/send", 5);

		while ((sends ? send(fd, block, BLOCK, MSG_NOSIGNAL) : recv(fd, block, BLOCK, 0)) > 0)
			;
	}
	close(fd);
	free(block);
	return NULL;
}

static int serve(int port)
{
	union place any = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) } };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, &any.any, sizeof(any.v6)) < 0 || listen(fd, 512) < 0)
		die("serve");
	for (;;) {
		pthread_t thread;
		socklen_t len = sizeof(any);
		int one = accept(fd, &any.any, &len);

		if (one < 0)
			continue;
		printf("%u\n", ntohs(any.v6.sin6_port));
		setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)one) == 0)
			pthread_detach(thread);
		else
			close(one);
	}
}

static int open_to(const char *address, int port)
{
	union place place;
	socklen_t len = place_of(address, port, &place);
	int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &place.any, len) < 0)
		die("connect");
	return fd;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int latency(const char *address, int port, const char *name, int count)
{
	int64_t *connects = calloc((size_t)count, sizeof(*connects)), *firsts = calloc((size_t)count, sizeof(*firsts)), begin = now_us();
	uint8_t hello[1024];
	size_t len = make_hello(hello, name);
	char byte;

	for (int i = 0; i < count; i++) {
		int64_t at = now_us();
		int fd = open_to(address, port);

		connects[i] = now_us() - at;
		if (send(fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len || recv(fd, &byte, 1, 0) != 1)
			die("first byte");
		firsts[i] = now_us() - at;
		close(fd);
	}
	begin = now_us() - begin;
	qsort(connects, (size_t)count, sizeof(*connects), by_size);
	qsort(firsts, (size_t)count, sizeof(*firsts), by_size);
	printf("connect %lldus first byte %lldus p99 %lldus rate %lld/s\n", (long long)connects[count / 2], (long long)firsts[count / 2],
	       (long long)firsts[count * 99 / 100], count * 1000000ll / (long long)begin);
	return 0;
}

static int move(const char *address, int port, const char *name, int ms, bool up)
{
	uint8_t hello[1024];
	size_t len = make_hello(hello, name);
	int fd = open_to(address, port);
	char *block = calloc(1, BLOCK);
	int64_t begin, moved = 0;

	if (!up)
		memcpy(hello + 100, "/send", 5);	/* in the padding */
	if (send(fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len || recv(fd, block, 1, 0) != 1)
		die("first byte");
	for (begin = now_us(); now_us() - begin < ms * 1000ll;) {
		ssize_t done = up ? send(fd, block, BLOCK, MSG_NOSIGNAL) : recv(fd, block, BLOCK, 0);

		if (done <= 0)
			die("move");
		moved += done;
	}
	printf("%.2f Gbit/s\n", (double)moved * 8 / (double)(now_us() - begin) / 1000);
	return 0;
}

static int from(int source, const char *address, int port, const char *text)
{
	union place own, place;
	socklen_t len = place_of(address, port, &place);
	int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct pollfd end = { .fd = fd, .events = POLLIN };
	char byte;

	place_of(place.any.sa_family == AF_INET ? "0.0.0.0" : "::", source, &own);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, &own.any, len) < 0)
		die("bind");
	if (connect(fd, &place.any, len) < 0)
		die("connect");
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("send");
	if (poll(&end, 1, 1000) != 1)
		puts("nothing");
	else if (recv(fd, &byte, 1, 0) < 0)
		die("receive");
	else
		puts("answer");
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "hello")) {
		uint8_t hello[1024];

		return fwrite(hello, make_hello(hello, argv[2]), 1, stdout) == 1 ? 0 : 1;
	}
	if (argc == 6 && !strcmp(argv[1], "latency"))
		return latency(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]));
	if (argc == 6 && (!strcmp(argv[1], "upload") || !strcmp(argv[1], "download")))
		return move(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]), argv[1][0] == 'u');
	if (argc == 6 && !strcmp(argv[1], "from"))
		return from(atoi(argv[2]), argv[3], atoi(argv[4]), argv[5]);
	fputs("named-load: see its source\n", stderr);
	return 2;
}
