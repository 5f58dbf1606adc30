/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * egress-probe TRY...: one way out, tried as code in a container would, for tests/live/egress.bats. Prints one word for what
 * came of it (an errno's name, or "connected", "sent", "reply", "silence") and how many microseconds it took.
 *
 *   [dev=NAME] [src=ADDRESS] [sport=PORT] TRY...    over that device, from that address
 *   tcp|udp|udpto ADDRESS PORT               connect; connected datagram; datagram by sendto
 *   raw ADDRESS PROTOCOL PORT     raw socket: 64 bytes that begin like ports PORT, PORT
 *   icmp ADDRESS TYPE | ping ADDRESS         raw ICMP; echo over a ping socket
 *   ack ADDRESS PORT                         TCP ACK that belongs to no connection
 *   fragment ADDRESS PORT OFFSET [nodefrag]  one fragment, of UDP to PORT when OFFSET is 0
 *   options ADDRESS PORT | routed ADDRESS PORT VIA    datagram, then another with LSRR or an IPv6 segment routing header
 *   redirect ADDRESS SERVER PORT             ICMP redirect to ADDRESS, about its datagram from PORT to SERVER's 5000
 *   join GROUP COUNT                         COUNT groups on eth0 from GROUP on, one every 50 ms
 *   large ADDRESS PORT BYTES                 one datagram, fragmented by the stack
 *   talk ADDRESS PORT STEP...                one connection: "say" (a byte, wait 2 s for its echo), "sleep=MS", "until=FILE" (is there)
 *   pour tcp|udp ADDRESS PORT BYTES          as much as goes; prints the bytes that the socket took
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ECHO_WAIT_MS 2000
#define SEGMENT_ROUTING 4	/* the one type of routing header that the kernel takes from anybody */

/* An address of either family, for every call that takes one. */
struct target {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static struct timespec started;
static const char *device, *source, *source_port = "0";

/* Prints the verdict; `r` < 0 means errno. */
static int tell(long r, const char *good)
{
	int error = errno;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%s %ld\n", r < 0 ? strerrorname_np(error) : good,
	       (now.tv_sec - started.tv_sec) * 1000000 + (now.tv_nsec - started.tv_nsec) / 1000);
	return 0;
}

static struct target target_of(const char *address, const char *port)
{
	struct target target;

	memset(&target, 0, sizeof(target));
	if (strchr(address, ':')) {
		target.v6.sin6_family = AF_INET6;
		target.v6.sin6_port = htons((uint16_t)atoi(port));
		target.len = sizeof(target.v6);
		if (!strncmp(address, "ff02:", 5) || !strncmp(address, "fe80:", 5))
			target.v6.sin6_scope_id = if_nametoindex("eth0");
		if (inet_pton(AF_INET6, address, &target.v6.sin6_addr) == 1)
			return target;
	}
	target.v4.sin_family = AF_INET;
	target.v4.sin_port = htons((uint16_t)atoi(port));
	target.len = sizeof(target.v4);
	if (inet_pton(AF_INET, address, &target.v4.sin_addr) != 1)
		exit(2);
	return target;
}

static int open_socket(const struct target *target, int type, int protocol)
{
	int fd = socket(target->any.sa_family, type, protocol);
	struct target from;

	if (source)
		from = target_of(source, source_port);
	if (fd < 0 || (source && bind(fd, &from.any, from.len) < 0) ||
	    (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) < 0)) {
		fprintf(stderr, "egress-probe: socket: %s\n", strerror(errno));
		exit(2);
	}
	clock_gettime(CLOCK_MONOTONIC, &started);
	return fd;
}

/* Connected within `ms`, or -1 with errno. */
static int connect_within(int fd, const struct target *target, int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, &target->any, target->len) < 0) {
		if (errno != EINPROGRESS)
			return -1;
		error = ETIMEDOUT;
		if (poll(&wait, 1, ms) == 1)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	fcntl(fd, F_SETFL, 0);
	errno = error;
	return error ? -1 : 0;
}

static int try_tcp(char **a)
{
	struct target target = target_of(a[0], a[1]);
	int fd = open_socket(&target, SOCK_STREAM, 0);

	return tell(connect_within(fd, &target, 2000), "connected");
}

/* Whether an answer or an error comes within the wait. */
static int tell_answer(int fd, long sent)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char bytes[2048];

	if (sent < 0)
		return tell(sent, "");
	if (poll(&wait, 1, ECHO_WAIT_MS) != 1)
		return tell(0, "silence");
	return tell(recv(fd, bytes, sizeof(bytes), 0), "reply");
}

static int try_udp(char **a, bool is_connected)
{
	struct target target = target_of(a[0], a[1]);
	int fd = open_socket(&target, SOCK_DGRAM, 0);

	if (!is_connected)
		return tell_answer(fd, sendto(fd, "x", 1, 0, &target.any, target.len));
	if (connect(fd, &target.any, target.len) < 0)
		return tell(-1, "");
	return tell_answer(fd, send(fd, "x", 1, 0));
}

static int try_raw(char **a)
{
	struct target target = target_of(a[0], "0");
	int fd = open_socket(&target, SOCK_RAW, atoi(a[1]));
	uint16_t words[32] = { htons((uint16_t)atoi(a[2])), htons((uint16_t)atoi(a[2])), htons(sizeof(words)) };

	return tell(sendto(fd, words, sizeof(words), 0, &target.any, target.len), "sent");
}

static uint16_t checksum(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static int try_icmp(char **a, bool is_ping)
{
	struct target target = target_of(a[0], "0");
	bool v6 = target.any.sa_family == AF_INET6;
	int fd = open_socket(&target, is_ping ? SOCK_DGRAM : SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	uint8_t message[64] = { [0] = is_ping ? (v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO) : (uint8_t)atoi(a[1]), [7] = 1 };
	uint16_t sum = checksum(message, sizeof(message), 0);
	long sent;

	memcpy(message + 2, &sum, sizeof(sum));
	sent = sendto(fd, message, sizeof(message), 0, &target.any, target.len);
	return is_ping ? tell_answer(fd, sent) : tell(sent, "sent");
}

static int try_redirect(char **a)
{
	struct target to = target_of(a[0], "0"), server = target_of(a[1], "0");
	int fd = open_socket(&to, SOCK_RAW, IPPROTO_ICMP);
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		struct udphdr udp;
	} message = {
		.icmp = { .type = ICMP_REDIRECT, .code = ICMP_REDIR_HOST, .un.gateway = inet_addr("10.9.0.5") },
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(29),
			.saddr = to.v4.sin_addr.s_addr, .daddr = server.v4.sin_addr.s_addr },
		.udp = { .source = htons((uint16_t)atoi(a[2])), .dest = htons(5000), .len = htons(9) },
	};

	message.ip.check = checksum(&message.ip, sizeof(message.ip), 0);
	message.icmp.checksum = checksum(&message, sizeof(message), 0);
	return tell(sendto(fd, &message, sizeof(message), 0, &to.any, to.len), "sent");
}

static int try_join(char **a)
{
	struct target group = target_of(a[0], "0");
	int fd = open_socket(&group, SOCK_DGRAM, 0), count = atoi(a[1]);

	for (int i = 0; i < count; i++) {
		struct ipv6_mreq wish = { group.v6.sin6_addr, if_nametoindex("eth0") };

		wish.ipv6mr_multiaddr.s6_addr[13] = (uint8_t)i;
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &wish, sizeof(wish)) < 0)
			return tell(-1, "");
		usleep(50000);
	}
	return tell(0, "joined");
}

static int try_ack(char **a)
{
	struct target target = target_of(a[0], "0");
	int fd = open_socket(&target, SOCK_RAW, IPPROTO_TCP);
	struct tcphdr tcp = { .source = htons(40001), .dest = htons((uint16_t)atoi(a[1])), .seq = 77, .ack_seq = 99,
			      .doff = 5, .ack = 1, .window = htons(1000) };

	return tell(sendto(fd, &tcp, sizeof(tcp), 0, &target.any, target.len), "sent");
}

static int try_fragment(char **a, bool no_defrag)
{
	struct target target = target_of(a[0], "0");
	int fd = open_socket(&target, SOCK_RAW, IPPROTO_RAW), on = 1;
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char payload[56];
	} packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .id = htons(4711),
			.daddr = target.v4.sin_addr.s_addr },
		.udp = { .source = htons(40002), .dest = htons((uint16_t)atoi(a[1])), .len = htons(8 + 56 + 64) },
	};

	packet.ip.frag_off = htons((uint16_t)(atoi(a[2]) ? atoi(a[2]) / 8 : IP_MF));
	packet.ip.tot_len = htons(sizeof(packet));
	if (no_defrag && setsockopt(fd, IPPROTO_IP, IP_NODEFRAG, &on, sizeof(on)) < 0)
		return 2;
	return tell(sendto(fd, &packet, sizeof(packet), 0, &target.any, target.len), "sent");
}

/* A datagram without, then one with the loose source route: the second one's fate. */
static int try_options(char **a)
{
	struct target target = target_of(a[0], a[1]);
	int fd = open_socket(&target, SOCK_DGRAM, 0);
	uint8_t route[8] = { IPOPT_LSRR, 7, 4 };

	memcpy(route + 3, &target.v4.sin_addr, 4);
	route[7] = IPOPT_EOL;
	if (connect(fd, &target.any, target.len) < 0 || send(fd, "x", 1, 0) != 1 || usleep(100000) ||
	    setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route)) < 0) {
		perror("egress-probe: options");
		return 2;
	}
	return tell(send(fd, "y", 1, 0), "sent");
}

/* Likewise for IPv6: a segment routing header needs no capability. The packet goes to `via` first, then to the address. */
static int try_routed(char **a)
{
	struct target target = target_of(a[0], a[1]), via = target_of(a[2], "0");
	int fd = open_socket(&target, SOCK_DGRAM, 0);
	struct {
		uint8_t next, words, type, left, last, flags, tag[2];
		struct in6_addr segments[2];
	} route = { .words = 4, .type = SEGMENT_ROUTING, .left = 1, .last = 1 };

	route.segments[0] = target.v6.sin6_addr;
	route.segments[1] = via.v6.sin6_addr;
	if (connect(fd, &target.any, target.len) < 0 || send(fd, "x", 1, 0) != 1 || usleep(100000) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)) < 0) {
		perror("egress-probe: routed");
		return 2;
	}
	return tell(send(fd, "y", 1, 0), "sent");
}

static int try_large(char **a)
{
	struct target target = target_of(a[0], a[1]);
	int fd = open_socket(&target, SOCK_DGRAM, 0);
	static char bytes[65000];

	return tell_answer(fd, sendto(fd, bytes, (size_t)atoi(a[2]), 0, &target.any, target.len));
}

static void say(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char byte;
	ssize_t got = send(fd, "x", 1, MSG_NOSIGNAL);

	if (got == 1 && poll(&wait, 1, ECHO_WAIT_MS) == 0) {
		puts("silence");
		return;
	}
	if (got == 1)
		got = recv(fd, &byte, 1, 0);
	puts(got < 0 ? strerrorname_np(errno) : got == 0 ? "end" : "reply");
}

static int try_talk(char **a, int count)
{
	struct target target = target_of(a[0], a[1]);
	int fd = open_socket(&target, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect_within(fd, &target, 2000) < 0)
		return tell(-1, "");
	for (int i = 2; i < count; i++) {
		if (!strcmp(a[i], "say"))
			say(fd);
		else if (!strncmp(a[i], "sleep=", 6))
			usleep((useconds_t)atoi(a[i] + 6) * 1000);
		else if (!strncmp(a[i], "until=", 6))
			while (access(a[i] + 6, F_OK) < 0)
				usleep(20000);
		fflush(stdout);
	}
	return 0;
}

static int try_pour(char **a)
{
	struct target target = target_of(a[1], a[2]);
	bool is_tcp = !strcmp(a[0], "tcp");
	int fd = open_socket(&target, is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	struct timeval patience = { .tv_sec = 1 };
	long wanted = atol(a[3]), poured = 0, tries = 0;
	static char bytes[65536];

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect_within(fd, &target, 2000) < 0)
		return tell(-1, "");
	while (poured < wanted && tries++ < 100000) {
		ssize_t sent = send(fd, bytes, is_tcp ? sizeof(bytes) : 1400, MSG_NOSIGNAL);

		if (sent < 0 && is_tcp)
			break;
		poured += sent > 0 ? sent : 1400;	/* of datagrams, what was tried */
	}
	printf("%ld\n", poured);
	return 0;
}

int main(int argc, char **argv)
{
	char **a = argv + 1;
	const char *what;
	int count;

	for (; *a && strchr(*a, '='); a++)
		*(**a == 'd' ? &device : !strncmp(*a, "src=", 4) ? &source : &source_port) = strchr(*a, '=') + 1;
	what = *a ? *a++ : "";
	count = argc - (int)(a - argv);
	if (!strcmp(what, "tcp") && count == 2)
		return try_tcp(a);
	if ((!strcmp(what, "udp") || !strcmp(what, "udpto")) && count == 2)
		return try_udp(a, !strcmp(what, "udp"));
	if (!strcmp(what, "raw") && count == 3)
		return try_raw(a);
	if (!strcmp(what, "icmp") && count == 2)
		return try_icmp(a, false);
	if (!strcmp(what, "ping") && count == 1)
		return try_icmp(a, true);
	if (!strcmp(what, "redirect") && count == 3)
		return try_redirect(a);
	if (!strcmp(what, "join") && count == 2)
		return try_join(a);
	if (!strcmp(what, "ack") && count == 2)
		return try_ack(a);
	if (!strcmp(what, "fragment") && count >= 3)
		return try_fragment(a, count > 3);
	if (!strcmp(what, "options") && count == 2)
		return try_options(a);
	if (!strcmp(what, "routed") && count == 3)
		return try_routed(a);
	if (!strcmp(what, "large") && count == 3)
		return try_large(a);
	if (!strcmp(what, "talk") && count > 2)
		return try_talk(a, count);
	if (!strcmp(what, "pour") && count == 4)
		return try_pour(a);
	fprintf(stderr, "egress-probe: %s?\n", what);
	return 2;
}
