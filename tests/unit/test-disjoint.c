/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of shim/egress/disjoint: against a brute-force model on small spaces (what is covered stays the same, nothing
 * overlaps), at the ends of the address spaces, and at the bounds of size and time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>

#include "shim/egress/disjoint.h"
#include "tests/unit/tap.h"

#define SPACE 16	/* addresses and ports of the model */

static struct rule_range make_range(const char *first, const char *last, uint8_t protocol, uint16_t port_first, uint16_t port_last)
{
	struct rule_range range = { .protocol = protocol, .port_first = port_first, .port_last = port_last };

	range.family = strchr(first, ':') ? 6 : 4;
	inet_pton(range.family == 6 ? AF_INET6 : AF_INET, first, range.first);
	inet_pton(range.family == 6 ? AF_INET6 : AF_INET, last, range.last);
	return range;
}

static void add(struct rule_ranges *ranges, const char *first, const char *last, uint8_t protocol, uint16_t port_first,
		uint16_t port_last)
{
	struct rule_range range = make_range(first, last, protocol, port_first, port_last);

	rule_ranges_add(ranges, &range);
}

static uint32_t pick(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 16) % below;
}

/* A random range in the model's corner of the space; v6 addresses cross a byte's border (…fff8 to …1:0007). */
static struct rule_range random_range(uint32_t *seed, uint8_t family)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP };
	struct rule_range range = { .family = family, .protocol = protocols[pick(seed, 3)] };
	uint32_t first = pick(seed, SPACE), last = first + pick(seed, SPACE - first);
	size_t at = family == 4 ? 3 : 15;

	range.port_first = (uint16_t)pick(seed, SPACE);
	range.port_last = (uint16_t)(range.port_first + pick(seed, SPACE - range.port_first));
	range.first[at] = (uint8_t)(first + 248);
	range.first[at - 1] = first + 248 > 255;
	range.last[at] = (uint8_t)(last + 248);
	range.last[at - 1] = last + 248 > 255;
	return range;
}

/* How often each point of the model is covered. */
struct model {
	uint8_t hits[2][SPACE][SPACE];
};

static uint32_t place_of(const uint8_t *address, uint8_t family)
{
	size_t at = family == 4 ? 3 : 15;

	return (uint32_t)address[at - 1] * 256 + address[at] - 248;
}

static void model_fill(struct model *model, const struct rule_ranges *ranges, uint8_t family)
{
	memset(model, 0, sizeof(*model));
	for (size_t i = 0; i < ranges->count; i++) {
		const struct rule_range *range = &ranges->items[i];

		if (range->family != family)
			continue;
		for (uint32_t a = place_of(range->first, family); a <= place_of(range->last, family); a++)
			for (uint32_t p = range->port_first; p <= range->port_last; p++)
				model->hits[range->protocol == IPPROTO_UDP][a][p]++;
	}
}

static bool is_same_cover(const struct model *before, const struct model *after)
{
	for (size_t k = 0; k < 2; k++)
		for (size_t a = 0; a < SPACE; a++)
			for (size_t p = 0; p < SPACE; p++)
				if (after->hits[k][a][p] != (before->hits[k][a][p] != 0))
					return false;
	return true;
}

static bool is_sorted(const struct rule_ranges *ranges)
{
	for (size_t i = 1; i < ranges->count; i++) {
		const struct rule_range *a = &ranges->items[i - 1], *b = &ranges->items[i];

		if (a->protocol > b->protocol || (a->protocol == b->protocol && memcmp(a->first, b->first, 16) > 0))
			return false;
	}
	return true;
}

static bool one_round(uint32_t *seed, uint8_t family, uint32_t count)
{
	struct rule_ranges in = { NULL, 0 }, out = { NULL, 0 };
	struct model before, after;
	struct err err = ERR_INIT;
	bool good;

	for (uint32_t i = 0; i < count; i++) {
		struct rule_range range = random_range(seed, family), other = random_range(seed, family == 4 ? 6 : 4);

		rule_ranges_add(&in, &range);
		rule_ranges_add(&in, &other);
	}
	model_fill(&before, &in, family);
	good = disjoint_triples(&in, family, &out, &err) == 0;
	model_fill(&after, &out, family);
	good = good && is_same_cover(&before, &after) && is_sorted(&out) && out.count <= count * SPACE;
	free(in.items);
	free(out.items);
	return good;
}

static void test_property(void)
{
	uint32_t seed = 20240607, bad = 0;

	for (int i = 0; i < 4000; i++)
		bad += !one_round(&seed, i % 2 ? 4 : 6, 1 + pick(&seed, 12));
	OK(bad == 0, "disjoint: 4,000 random lists cover the same and overlap nowhere (%u don't)", bad);
}

static void test_kept(void)
{
	struct rule_ranges in = { NULL, 0 }, out = { NULL, 0 };
	struct err err = ERR_INIT;

	add(&in, "10.0.0.9", "10.0.0.9", IPPROTO_TCP, 50, 150);
	add(&in, "10.0.0.1", "10.0.0.1", IPPROTO_TCP, 1, 100);
	add(&in, "10.0.0.1", "10.0.0.1", IPPROTO_UDP, 1, 100);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 3, "disjoint: what doesn't overlap isn't split");
	free(out.items);
	out = (struct rule_ranges){ NULL, 0 };
	add(&in, "10.0.0.2", "10.0.0.7", IPPROTO_TCP, 1, 100);
	add(&in, "2001:db8::1", "2001:db8::2", IPPROTO_TCP, 1, 100);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 3 && out.items[0].last[3] == 7,
	   "disjoint: neighbours are joined, the other family is left out");
	free(out.items);
	free(in.items);
}

static void test_protocols(void)
{
	struct rule_ranges in = { NULL, 0 }, out = { NULL, 0 }, all = { NULL, 0 };
	struct err err = ERR_INIT;

	add(&in, "10.0.0.1", "10.0.0.1", IPPROTO_ICMP, 5, 9);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 1 && out.items[0].port_first == 0 &&
	   out.items[0].port_last == 65535, "disjoint: ICMP comes out with all ports");
	free(out.items);
	out = (struct rule_ranges){ NULL, 0 };
	in.count = 0;
	add(&in, "10.0.0.1", "10.0.0.1", 0, 0, 65535);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 0, "disjoint: every protocol and port is no triple");
	disjoint_addresses(&in, 4, false, &all);
	OK(all.count == 1, "disjoint: but an address");
	in.count = all.count = 0;
	add(&in, "10.0.0.1", "10.0.0.1", 0, 0, 442);
	disjoint_addresses(&in, 4, false, &all);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 3 && all.count == 0,
	   "disjoint: every protocol but only some ports is TCP, UDP and ICMP");
	free(out.items);
	free(all.items);
	free(in.items);
}

static void test_ends(void)
{
	struct rule_ranges in = { NULL, 0 }, out = { NULL, 0 };
	struct err err = ERR_INIT;
	uint8_t last[16], next[16];

	add(&in, "0.0.0.0", "255.255.255.255", IPPROTO_TCP, 0, 65535);
	add(&in, "255.255.255.255", "255.255.255.255", IPPROTO_TCP, 65535, 65535);
	add(&in, "10.0.0.0", "10.255.255.255", IPPROTO_TCP, 443, 443);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 1, "disjoint: the whole IPv4 space swallows its parts");
	in.count = out.count = 0;
	add(&in, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPPROTO_UDP, 65535, 65535);
	add(&in, "::1", "::1", IPPROTO_UDP, 0, 65534);
	OK(disjoint_triples(&in, 6, &out, &err) == 0 && out.count == 2, "disjoint: port 65535 over the whole IPv6 space");
	in.count = out.count = 0;
	add(&in, "9.0.0.0", "10.255.255.255", 0, 0, 0);
	add(&in, "11.0.0.0", "11.0.0.5", IPPROTO_TCP, 1, 2);
	add(&in, "255.255.255.255", "255.255.255.255", 0, 0, 0);
	disjoint_addresses(&in, 4, true, &out);
	OK(out.count == 2 && out.items[0].last[0] == 11, "disjoint: addresses are joined, protocol and ports ignored");
	memset(last, 0xff, sizeof(last));
	OK(!address_next(6, last, next) && !address_next(4, last, next), "disjoint: nothing comes after the last address");
	free(in.items);
	free(out.items);
}

static bool is_refused(struct rule_range range, bool may_be_any)
{
	struct rule_ranges one = { &range, 1 };
	struct err err = ERR_INIT;

	return rule_ranges_check(&one, may_be_any, &err) == -EINVAL;
}

static void test_check(void)
{
	struct rule_range good = make_range("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 1, 2), bad = good;

	OK(!is_refused(good, false), "ranges: a well-formed one is taken");
	bad.family = 5;
	OK(is_refused(bad, false), "ranges: an unknown family is refused");
	bad = good;
	bad.last[9] = 1;
	OK(is_refused(bad, false), "ranges: bytes behind an IPv4 address are refused");
	bad = good;
	bad.port_first = 3;
	OK(is_refused(bad, false), "ranges: ports the wrong way round are refused");
	bad = good;
	bad.last[3] = 0;
	OK(is_refused(bad, false), "ranges: addresses the wrong way round are refused");
	bad = good;
	bad.protocol = IPPROTO_SCTP;
	OK(is_refused(bad, true), "ranges: a protocol that has no ports of TCP's form is refused");
	bad.protocol = 0;
	OK(is_refused(bad, false) && !is_refused(bad, true), "ranges: every protocol is taken only where it is meant");
}

/* `count` ranges on one another like the layers of an onion: each cut is open in many of them. */
static void add_onion(struct rule_ranges *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rule_range range = { .family = 4, .protocol = IPPROTO_TCP };
		uint32_t first = htonl(2 * i), last = htonl(0x01000000);

		range.port_first = (uint16_t)i;
		range.port_last = (uint16_t)(65535 - i);
		memcpy(range.first, &first, 4);
		memcpy(range.last, &last, 4);
		rule_ranges_add(ranges, &range);
	}
}

static void test_bounds(void)
{
	struct rule_ranges in = { NULL, 0 }, out = { NULL, 0 };
	struct err err = ERR_INIT;

	for (uint32_t i = 0; i < 65000; i++) {
		struct rule_range range = { .family = 4, .protocol = IPPROTO_TCP, .port_first = 443, .port_last = 443 };
		uint32_t address = htonl(0x0b000000u + 2 * (i * 7919 % 65000));

		memcpy(range.first, &address, 4);
		memcpy(range.last, &address, 4);
		rule_ranges_add(&in, &range);
	}
	add(&in, "0.0.0.0", "255.255.255.255", IPPROTO_TCP, 80, 80);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count == 65001, "disjoint: 65,000 addresses and one for all");
	in.count = out.count = 0;
	add_onion(&in, 2000);
	OK(disjoint_triples(&in, 4, &out, &err) == 0 && out.count < 4000, "disjoint: 2,000 layers");
	in.count = out.count = 0;
	add_onion(&in, 32000);
	OK(disjoint_triples(&in, 4, &out, &err) == -E2BIG, "disjoint: what would take too long is refused, not tried");
	free(in.items);
	free(out.items);
}

int main(void)
{
	test_property();
	test_kept();
	test_protocols();
	test_ends();
	test_check();
	test_bounds();
	return tap_done();
}
