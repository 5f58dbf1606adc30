/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/egress/denials: what is read in the head of a packet, and that no length in it is believed. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shim/egress/denials.h"
#include "tests/unit/tap.h"

static const uint8_t tcp4[] = { 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 11, 22, 33, 44, 0x80, 1, 0x01, 0xbb, 0, 0, 0, 0 };
static const uint8_t options4[] = { 0x46, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 11, 22, 33, 44, 1, 1, 1, 1, 0, 1, 0, 53 };
static const uint8_t later4[] = { 0x45, 0, 0, 40, 0, 0, 0, 1, 64, 17, 0, 0, 10, 0, 0, 2, 11, 22, 33, 44, 0, 1, 0, 53 };
static const uint8_t udp6[48] = { [0] = 0x60, [6] = 17, [24] = 0x20, [25] = 1, [39] = 7, [42] = 0x12, [43] = 0x34 };
static const uint8_t hops6[56] = { [0] = 0x60, [6] = 0, [24] = 0x20, [39] = 7, [40] = 6, [41] = 0, [50] = 0x01, [51] = 0xbb };
static const uint8_t long6[48] = { [0] = 0x60, [6] = 0, [24] = 0x20, [39] = 7, [40] = 6, [41] = 255, [42] = 1, [43] = 2 };
static const uint8_t later6[56] = { [0] = 0x60, [6] = 44, [24] = 0x20, [39] = 7, [40] = 17, [43] = 8, [50] = 1, [51] = 2 };
static const uint8_t ping6[48] = { [0] = 0x60, [6] = 58, [24] = 0x20, [39] = 7, [40] = 128 };

/* In memory of just that size: a sanitizer sees a byte too far. */
static bool parse(const uint8_t *packet, size_t size, struct denial *denial)
{
	uint8_t *copy = malloc(size ? size : 1);
	bool is_known;

	memcpy(copy, packet, size);
	is_known = denial_parse(copy, size, denial);
	free(copy);
	return is_known;
}

static void test_known(void)
{
	static const uint8_t place4[16] = { 11, 22, 33, 44 };
	struct denial denial;

	OK(parse(tcp4, sizeof(tcp4), &denial) && denial.family == 4 && denial.protocol == IPPROTO_TCP && denial.has_port &&
	       denial.port == 443 && !memcmp(denial.address, place4, 16), "denials: TCP over IPv4");
	OK(parse(options4, sizeof(options4), &denial) && denial.protocol == IPPROTO_UDP && denial.port == 53,
	       "denials: IPv4 options are passed over");
	OK(parse(later4, sizeof(later4), &denial) && !denial.has_port, "denials: a later fragment has no port");
	OK(parse(udp6, sizeof(udp6), &denial) && denial.family == 6 && denial.protocol == IPPROTO_UDP && denial.port == 0x1234 &&
	       denial.address[0] == 0x20 && denial.address[15] == 7, "denials: UDP over IPv6");
	OK(parse(hops6, sizeof(hops6), &denial) && denial.protocol == IPPROTO_TCP && denial.port == 443,
	       "denials: extension headers are passed over");
	OK(parse(later6, sizeof(later6), &denial) && !denial.has_port, "denials: a later fragment of IPv6 has no port");
	OK(parse(ping6, sizeof(ping6), &denial) && denial.protocol == IPPROTO_ICMP && !denial.has_port, "denials: ICMPv6 is ICMP");
}

static void test_lies(void)
{
	static const uint8_t *const packets[] = { tcp4, options4, later4, udp6, hops6, long6, later6, ping6 };
	static const size_t sizes[] = { sizeof(tcp4), sizeof(options4), sizeof(later4), sizeof(udp6), sizeof(hops6), sizeof(long6),
					sizeof(later6), sizeof(ping6) };
	static const uint8_t no_head[20] = { 0x41 }, seven[20] = { 0x75 };
	struct denial denial;
	bool has_port = false;

	OK(parse(long6, sizeof(long6), &denial) && !denial.has_port, "denials: an extension that runs past the packet ends it");
	OK(!parse(no_head, sizeof(no_head), &denial) && !parse(seven, sizeof(seven), &denial) && !parse(tcp4, 0, &denial),
	       "denials: what is no IP packet is none");
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		for (size_t size = 0; size < sizes[i]; size++)
			has_port = (parse(packets[i], size, &denial) && denial.has_port && size < 24) || has_port;
	OK(!has_port, "denials: no packet that is cut short shows a port that isn't there");
}

int main(void)
{
	test_known();
	test_lies();
	return tap_done();
}
