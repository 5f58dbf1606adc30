/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack-net WHAT...: what egress-probe has not: one try each, made inside a container. Prints one word for what came of it, or
 * an errno's name. Linked statically, as attack-try.
 *
 *   stream PROTOCOL ADDRESS PORT       a connection by that protocol: 262 is MPTCP, 132 SCTP, 33 DCCP, 136 (datagram) UDP-Lite
 *   family NUMBER TYPE                 a socket of that family
 *   mark NUMBER ADDRESS PORT           a datagram with that mark
 *   reuse PORT                         binds UDP 127.0.0.1:PORT beside whoever is there
 *   scan ADDRESS                       TCP, every port; prints those that are open
 *   flood ADDRESS PORT COUNT           datagrams, each from a port of its own; prints how many went
 *   tls ADDRESS PORT NAME WAY          a hello: plain, ech, records (three), bytes (one by one), urgent, late (another name first)
 *   datagrams ADDRESS PORT FILE...     each file as one datagram
 *   queries ADDRESS NAME COUNT         that many over one TCP connection at once; prints how many answers came
 *   forge NAME ADDRESS                 is the resolver on 127.0.0.11 that says so, and asks it; prints what it is told
 *   spoof                              as 127.0.0.11, to whatever waits for an answer from there
 *   lengths ADDRESS                    DNS over TCP with a length of 0, of 65535 and no more, and half a length
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int tell(long r, const char *good)
{
	puts(r < 0 ? strerrorname_np(errno) : good);
	return 0;
}

static socklen_t place_of(const char *address, const char *port, union place *place)
{
	memset(place, 0, sizeof(*place));
	if (inet_pton(AF_INET6, address, &place->v6.sin6_addr) == 1) {
		place->v6.sin6_family = AF_INET6;
		place->v6.sin6_port = htons((uint16_t)atoi(port));
		return sizeof(place->v6);
	}
	place->v4.sin_family = AF_INET;
	place->v4.sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, address, &place->v4.sin_addr) != 1)
		exit(2);
	return sizeof(place->v4);
}

static int open_to(const char *address, const char *port, int type, int protocol)
{
	union place place;
	socklen_t len = place_of(address, port, &place);
	struct timeval patience = { .tv_sec = 3 };
	int fd = socket(place.any.sa_family, type, protocol), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 || connect(fd, &place.any, len) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int stream(char **a)
{
	int protocol = atoi(a[0]);
	int fd = open_to(a[1], a[2], protocol == 136 ? SOCK_DGRAM : SOCK_STREAM, protocol);

	if (fd >= 0 && protocol == 136)
		return tell(send(fd, "x", 1, 0), "sent");
	return tell(fd, "connected");
}

static int mark(char **a)
{
	union place place;
	socklen_t len = place_of(a[1], a[2], &place);
	int fd = socket(place.any.sa_family, SOCK_DGRAM, 0), number = (int)strtol(a[0], NULL, 0);

	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &number, sizeof(number)) < 0)
		return tell(-1, "");
	return tell(sendto(fd, "x", 1, 0, &place.any, len), "sent");
}

static int reuse(char **a)
{
	union place place;
	socklen_t len = place_of("127.0.0.1", a[0], &place);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return tell(-1, "");
	return tell(bind(fd, &place.any, len), "bound");
}

static int scan(char **a)
{
	for (int port = 1; port < 65536; port++) {
		char text[8];
		int fd;

		snprintf(text, sizeof(text), "%d", port);
		fd = open_to(a[0], text, SOCK_STREAM, 0);
		if (fd < 0)
			continue;
		printf("open %d\n", port);
		close(fd);
	}
	puts("scanned");
	return 0;
}

static int flood(char **a)
{
	int sent = 0;

	for (int i = atoi(a[2]); i > 0; i--) {
		int fd = open_to(a[0], a[1], SOCK_DGRAM, 0);

		sent += fd >= 0 && send(fd, "x", 1, 0) == 1;
		close(fd);
	}
	printf("%d\n", sent);
	return 0;
}

static size_t put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return 2;
}

/* One TLS record; with `hidden` an encrypted hello, its outer kind, beside the name. */
static size_t make_hello(uint8_t bytes[1024], const char *name, bool hidden)
{
	size_t len = 9, name_len = strlen(name), extensions;

	memset(bytes, 0, 1024);
	len += put16(bytes + len, 0x303);
	len += 32 + 1;
	len += put16(bytes + len, 4);
	len += put16(bytes + len, 0x1301) + put16(bytes + len + 2, 0xc02f);
	bytes[len++] = 1;
	len += 1;
	extensions = len;
	len += 2;
	len += put16(bytes + len, 0);
	len += put16(bytes + len, name_len + 5);
	len += put16(bytes + len, name_len + 3) + 1;
	len += put16(bytes + len, name_len);
	memcpy(bytes + len, name, name_len);
	len += name_len;
	if (hidden) {
		len += put16(bytes + len, 0xfe0d);
		len += put16(bytes + len, 10 + 32 + 64);
		len += 1;				/* outer */
		len += put16(bytes + len, 1) + put16(bytes + len + 2, 1);
		bytes[len++] = 7;			/* which key */
		len += put16(bytes + len, 32) + 32;
		len += put16(bytes + len, 64) + 64;
	}
	put16(bytes + extensions, len - extensions - 2);
	memcpy(bytes, "\x16\3\1", 3);
	put16(bytes + 3, len - 5);
	bytes[5] = 1;
	put16(bytes + 7, len - 9);
	return len;
}

/* The handshake of `hello` in three records instead of one. */
static size_t in_records(uint8_t out[2048], const uint8_t *hello, size_t len)
{
	size_t at = 5, done = 0, third = (len - 5) / 3 + 1;

	while (at < len) {
		size_t part = len - at < third ? len - at : third;

		memcpy(out + done, "\x16\3\1", 3);
		put16(out + done + 3, part);
		memcpy(out + done + 5, hello + at, part);
		done += part + 5;
		at += part;
	}
	return done;
}

static int tls(char **a)
{
	uint8_t hello[1024], sent[2048], byte;
	size_t len = make_hello(hello, strcmp(a[3], "late") ? a[2] : "good.test", !strcmp(a[3], "ech")), step;
	int fd = open_to(a[0], a[1], SOCK_STREAM, 0);
	ssize_t got = 0;

	if (fd < 0)
		return tell(-1, "");
	memcpy(sent, hello, len);
	if (!strcmp(a[3], "records"))
		len = in_records(sent, hello, len);
	if (!strcmp(a[3], "late"))	/* the name that counts, if the reader were to look at the last one */
		len += make_hello(sent + len, a[2], false);
	step = !strcmp(a[3], "bytes") ? 1 : !strcmp(a[3], "urgent") ? len / 2 : len;
	for (size_t at = 0; at < len && got >= 0; at += step) {
		got = send(fd, sent + at, len - at < step ? len - at : step, MSG_NOSIGNAL);
		if (step > 1 && at + step < len)	/* what a reader in between may count as a byte, and the server does not */
			got = send(fd, "X", 1, MSG_OOB | MSG_NOSIGNAL);
		if (step == 1)
			usleep(200);
	}
	if (got >= 0)
		got = recv(fd, &byte, 1, 0);
	return tell(got, got ? "answer" : "end");
}

static int datagrams(char **a, int count)
{
	int sent = 0;

	for (int i = 2; i < count; i++) {
		static uint8_t bytes[65536];
		int file = open(a[i], O_RDONLY), fd = open_to(a[0], a[1], SOCK_DGRAM, 0);
		ssize_t len = read(file, bytes, sizeof(bytes));

		sent += len >= 0 && send(fd, bytes, (size_t)len, 0) >= 0;
		close(file);
		close(fd);
	}
	printf("%d\n", sent);
	return 0;
}

/* With its length in front. */
static size_t question(uint8_t bytes[300], const char *name, int id)
{
	size_t len = 14;

	memcpy(bytes + 2, "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
	put16(bytes + 2, (size_t)id);
	while (*name) {
		size_t part = strcspn(name, ".");

		bytes[len++] = (uint8_t)part;
		memcpy(bytes + len, name, part);
		len += part;
		name += part + (name[part] == '.');
	}
	memcpy(bytes + len, "\0\0\1\0\1", 5);
	put16(bytes, len + 3);
	return len + 5;
}

static int queries(char **a)
{
	int fd = open_to(a[0], "53", SOCK_STREAM, 0), count = atoi(a[2]), answers = 0, asked = 0;
	uint8_t bytes[65536];
	size_t have = 0;
	ssize_t got;

	if (fd < 0)
		return tell(-1, "");
	for (bool goes_on = true; goes_on;) {
		size_t len = question(bytes + have, a[1], asked);
		struct pollfd ready = { .fd = fd, .events = (short)(POLLIN | (asked < count ? POLLOUT : 0)) };

		if (poll(&ready, 1, 3000) != 1)
			break;
		if (ready.revents & POLLOUT) {
			if (send(fd, bytes + have, len, MSG_NOSIGNAL) != (ssize_t)len)
				break;
			asked++;
		}
		if (!(ready.revents & ~POLLOUT))
			continue;
		got = recv(fd, bytes + have, sizeof(bytes) - 400 - have, 0);
		goes_on = got > 0;
		for (have += goes_on ? (size_t)got : 0; have > 2 && have >= (size_t)(bytes[0] << 8 | bytes[1]) + 2; answers++) {
			size_t whole = (size_t)(bytes[0] << 8 | bytes[1]) + 2;

			memmove(bytes, bytes + whole, have - whole);
			have -= whole;
		}
		goes_on = goes_on && answers < count;
	}
	printf("%d of %d\n", answers, asked);
	return 0;
}

static int lengths(char **a)
{
	static const struct { const char *bytes; size_t len; } tries[] = { { "\0\0", 2 }, { "\xff\xffx", 3 }, { "\0", 1 } };

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		int fd = open_to(a[0], "53", SOCK_STREAM, 0);
		char byte;

		if (fd < 0 || send(fd, tries[i].bytes, tries[i].len, MSG_NOSIGNAL) < 0 || shutdown(fd, SHUT_WR) < 0)
			return tell(-1, "");
		tell(recv(fd, &byte, 1, 0) > 0 ? 0 : -1, "answer");
		close(fd);
	}
	return 0;
}

static int bind_embedded(void)
{
	union place place;
	socklen_t len = place_of("127.0.0.11", "53", &place);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(fd, &place.any, len) < 0)
		perror("attack-net: 127.0.0.11");
	return fd;
}

static void answer_all(int fd, const char *address)
{
	uint8_t bytes[2048];
	union place who;
	socklen_t len = sizeof(who);
	ssize_t got;

	while ((got = recvfrom(fd, bytes, 1000, 0, &who.any, &len)) > 12) {
		size_t end = 12 + strlen((char *)bytes + 12) + 5;

		memcpy(bytes + 2, "\x81\x80\0\1\0\1\0\0\0\0", 10);
		memcpy(bytes + end, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4", 12);
		inet_pton(AF_INET, address, bytes + end + 12);
		sendto(fd, bytes, end + 16, 0, &who.any, len);
		len = sizeof(who);
	}
}

static int forge(char **a)
{
	uint8_t bytes[2048];
	char text[INET_ADDRSTRLEN];
	int server = bind_embedded(), fd = open_to("127.0.0.11", "53", SOCK_DGRAM, 0);
	size_t len = question(bytes, a[0], 7);
	pid_t child = fork();
	ssize_t got;

	if (!child) {
		answer_all(server, a[1]);
		_exit(0);
	}
	got = send(fd, bytes + 2, len - 2, 0) < 0 ? -1 : recv(fd, bytes, sizeof(bytes), 0);
	kill(child, SIGKILL);
	if (got < 0)
		return tell(-1, "");
	printf("told %s\n", got < 16 || !bytes[7] ? "nothing" : inet_ntop(AF_INET, bytes + 12 + strlen(a[0]) + 2 + 4 + 12, text, sizeof(text)));
	return 0;
}

static int spoof(void)
{
	int fd = bind_embedded();
	FILE *list = fopen("/proc/net/udp", "r");
	char line[512];

	while (list && fgets(line, sizeof(line), list)) {
		union place place;
		unsigned port;
		char text[8];
		socklen_t len;

		if (sscanf(line, " %*d: 0100007F:%x 0B00007F:0035", &port) != 1 || !strstr(line, " 0B00007F:0035"))
			continue;
		snprintf(text, sizeof(text), "%u", port);
		len = place_of("127.0.0.1", text, &place);
		tell(sendto(fd, "forged", 6, 0, &place.any, len), "sent");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int count = argc - 2;
	char **a = argv + 2;

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "stream") && count == 3)
		return stream(a);
	if (!strcmp(what, "family") && count == 2)
		return tell(socket(atoi(a[0]), atoi(a[1]), 0), "made");
	if (!strcmp(what, "mark") && count == 3)
		return mark(a);
	if (!strcmp(what, "reuse") && count == 1)
		return reuse(a);
	if (!strcmp(what, "scan") && count == 1)
		return scan(a);
	if (!strcmp(what, "flood") && count == 3)
		return flood(a);
	if (!strcmp(what, "tls") && count == 4)
		return tls(a);
	if (!strcmp(what, "datagrams") && count > 2)
		return datagrams(a, count);
	if (!strcmp(what, "queries") && count == 3)
		return queries(a);
	if (!strcmp(what, "forge") && count == 2)
		return forge(a);
	if (!strcmp(what, "spoof") && count == 0)
		return spoof();
	if (!strcmp(what, "lengths") && count == 1)
		return lengths(a);
	fprintf(stderr, "attack-net: %s?\n", what);
	return 2;
}
