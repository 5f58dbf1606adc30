/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses and networks, and the two tables that rules are made of: what is never reachable and what is not public.
 * The tables are data; nothing here looks at the host. An IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4)
 * is judged by where it leads: each network below that is IPv4's has its IPv6 forms beside it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "shim/policy/names.h"

#define GROUP(g) (uint8_t)((g) >> 8), (uint8_t)((g) & 0xff)
#define V4(a, b, c, d, len) { { 4, { a, b, c, d } }, len }
#define V6(g0, g1, g2, g3, g4, g5, g6, g7, len)                                                                       \
	{ { 6, { GROUP(g0), GROUP(g1), GROUP(g2), GROUP(g3), GROUP(g4), GROUP(g5), GROUP(g6), GROUP(g7) } }, len }
/* An IPv4 network behind the well-known NAT64 prefix, and as 6to4. */
#define NAT64(a, b, c, d, len) V6(0x64, 0xff9b, 0, 0, 0, 0, (a) << 8 | (b), (c) << 8 | (d), 96 + (len))
#define SIXTO4(a, b, c, d, len) V6(0x2002, (a) << 8 | (b), (c) << 8 | (d), 0, 0, 0, 0, 0, 16 + (len))
#define ALL_FORMS(a, b, c, d, len) V4(a, b, c, d, len), NAT64(a, b, c, d, len), SIXTO4(a, b, c, d, len)

static const struct network never_table[] = {
	ALL_FORMS(0, 0, 0, 0, 8),		/* this network */
	ALL_FORMS(127, 0, 0, 0, 8),		/* loopback */
	ALL_FORMS(169, 254, 0, 0, 16),		/* link-local; the metadata services of most clouds, ECS and EKS credentials */
	ALL_FORMS(100, 100, 100, 200, 32),	/* Alibaba Cloud metadata */
	ALL_FORMS(168, 63, 129, 16, 32),	/* Azure wire server */
	ALL_FORMS(192, 0, 0, 192, 32),		/* Oracle Cloud Classic metadata */
	ALL_FORMS(224, 0, 0, 0, 4),		/* multicast */
	ALL_FORMS(255, 255, 255, 255, 32),	/* broadcast */
	V6(0, 0, 0, 0, 0, 0, 0, 0, 96),		/* unspecified, loopback, IPv4-compatible */
	V6(0, 0, 0, 0, 0, 0xffff, 0, 0, 96),	/* IPv4-mapped: on no wire */
	V6(0, 0, 0, 0, 0xffff, 0, 0, 0, 96),	/* IPv4-translated */
	V6(0xfe80, 0, 0, 0, 0, 0, 0, 0, 10),	/* link-local */
	V6(0xfec0, 0, 0, 0, 0, 0, 0, 0, 10),	/* site-local, deprecated */
	V6(0xff00, 0, 0, 0, 0, 0, 0, 0, 8),	/* multicast */
	V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0, 32),	/* AWS: metadata ::254, EKS credentials ::23, resolver ::253 */
	V6(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254, 128),	/* Google Cloud metadata */
	V6(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe, 128),	/* Oracle Cloud metadata */
	V6(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200, 128),	/* Alibaba Cloud metadata */
	V6(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42, 128),	/* Scaleway metadata */
	V6(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1, 128),	/* Akamai (Linode) metadata */
};

/* Sorted, no two overlap. Outside 2000::/3 only the well-known NAT64 prefix leads anywhere: whole blocks stand for the
 * registry's entries in them. Parts of 192.0.0.0/24 and 2001::/23 that the registry calls reachable stay closed. */
static const struct network special_table[] = {
	V4(0, 0, 0, 0, 8),		/* this network */
	V4(10, 0, 0, 0, 8),		/* private use */
	V4(100, 64, 0, 0, 10),		/* shared address space */
	V4(127, 0, 0, 0, 8),		/* loopback */
	V4(169, 254, 0, 0, 16),		/* link-local */
	V4(172, 16, 0, 0, 12),		/* private use */
	V4(192, 0, 0, 0, 24),		/* IETF protocol assignments, DS-Lite, NAT64 discovery */
	V4(192, 0, 2, 0, 24),		/* documentation */
	V4(192, 88, 99, 0, 24),		/* 6to4 and 6a44 relay anycast, deprecated */
	V4(192, 168, 0, 0, 16),		/* private use */
	V4(198, 18, 0, 0, 15),		/* benchmarking */
	V4(198, 51, 100, 0, 24),	/* documentation */
	V4(203, 0, 113, 0, 24),		/* documentation */
	V4(224, 0, 0, 0, 4),		/* multicast */
	V4(240, 0, 0, 0, 4),		/* reserved, broadcast */
	V6(0, 0, 0, 0, 0, 0, 0, 0, 10),	/* 0000::-003f: unspecified, loopback, mapped, compatible, translated */
	V6(0x40, 0, 0, 0, 0, 0, 0, 0, 11),
	V6(0x60, 0, 0, 0, 0, 0, 0, 0, 14),
	V6(0x64, 0, 0, 0, 0, 0, 0, 0, 17),
	V6(0x64, 0x8000, 0, 0, 0, 0, 0, 0, 18),
	V6(0x64, 0xc000, 0, 0, 0, 0, 0, 0, 19),
	V6(0x64, 0xe000, 0, 0, 0, 0, 0, 0, 20),
	V6(0x64, 0xf000, 0, 0, 0, 0, 0, 0, 21),
	V6(0x64, 0xf800, 0, 0, 0, 0, 0, 0, 22),
	V6(0x64, 0xfc00, 0, 0, 0, 0, 0, 0, 23),
	V6(0x64, 0xfe00, 0, 0, 0, 0, 0, 0, 24),
	V6(0x64, 0xff00, 0, 0, 0, 0, 0, 0, 25),
	V6(0x64, 0xff80, 0, 0, 0, 0, 0, 0, 28),
	V6(0x64, 0xff90, 0, 0, 0, 0, 0, 0, 29),
	V6(0x64, 0xff98, 0, 0, 0, 0, 0, 0, 31),
	V6(0x64, 0xff9a, 0, 0, 0, 0, 0, 0, 32),
	NAT64(0, 0, 0, 0, 8),		/* 64:ff9b::/96: as the IPv4 address inside */
	NAT64(10, 0, 0, 0, 8),
	NAT64(100, 64, 0, 0, 10),
	NAT64(127, 0, 0, 0, 8),
	NAT64(169, 254, 0, 0, 16),
	NAT64(172, 16, 0, 0, 12),
	NAT64(192, 0, 0, 0, 24),
	NAT64(192, 0, 2, 0, 24),
	NAT64(192, 88, 99, 0, 24),
	NAT64(192, 168, 0, 0, 16),
	NAT64(198, 18, 0, 0, 15),
	NAT64(198, 51, 100, 0, 24),
	NAT64(203, 0, 113, 0, 24),
	NAT64(224, 0, 0, 0, 4),
	NAT64(240, 0, 0, 0, 4),
	V6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0, 48),	/* local-use translation */
	V6(0x64, 0xff9c, 0, 0, 0, 0, 0, 0, 30),
	V6(0x64, 0xffa0, 0, 0, 0, 0, 0, 0, 27),
	V6(0x64, 0xffc0, 0, 0, 0, 0, 0, 0, 26),
	V6(0x65, 0, 0, 0, 0, 0, 0, 0, 16),
	V6(0x66, 0, 0, 0, 0, 0, 0, 0, 15),
	V6(0x68, 0, 0, 0, 0, 0, 0, 0, 13),
	V6(0x70, 0, 0, 0, 0, 0, 0, 0, 12),
	V6(0x80, 0, 0, 0, 0, 0, 0, 0, 9),
	V6(0x100, 0, 0, 0, 0, 0, 0, 0, 8),	/* discard-only, dummy */
	V6(0x200, 0, 0, 0, 0, 0, 0, 0, 7),
	V6(0x400, 0, 0, 0, 0, 0, 0, 0, 6),
	V6(0x800, 0, 0, 0, 0, 0, 0, 0, 5),
	V6(0x1000, 0, 0, 0, 0, 0, 0, 0, 4),
	V6(0x2001, 0, 0, 0, 0, 0, 0, 0, 23),	/* IETF protocol assignments, Teredo, benchmarking, ORCHID */
	V6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0, 32),	/* documentation */
	V6(0x2002, 0, 0, 0, 0, 0, 0, 0, 16),	/* 6to4 */
	V6(0x3fff, 0, 0, 0, 0, 0, 0, 0, 20),	/* documentation */
	V6(0x4000, 0, 0, 0, 0, 0, 0, 0, 2),	/* segment routing, unassigned */
	V6(0x8000, 0, 0, 0, 0, 0, 0, 0, 1),	/* unique-local, link-local, multicast, unassigned */
};

int address_parse(const char *text, struct address *address)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct address parsed = { 0 };

	if (inet_pton(AF_INET, text, parsed.bytes) == 1) {
		parsed.family = 4;
	} else if (inet_pton(AF_INET6, text, parsed.bytes) == 1) {
		parsed.family = 6;
		if (!memcmp(parsed.bytes, mapped, sizeof(mapped))) {
			memmove(parsed.bytes, parsed.bytes + 12, 4);
			memset(parsed.bytes + 4, 0, 12);
			parsed.family = 4;
		}
	} else {
		return -EINVAL;
	}
	*address = parsed;
	return 0;
}

static uint8_t byte_mask(uint8_t prefix, unsigned index)
{
	unsigned bits = prefix > index * 8 ? prefix - index * 8 : 0;

	return bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
}

static bool is_mapped_text(const char *text, const struct address *address)
{
	return address->family == 4 && strchr(text, ':');
}

/* Digits without sign or leading zero; up to `most`. */
static int prefix_parse(const char *text, unsigned most, unsigned *prefix)
{
	unsigned value = 0;

	if (!*text || strlen(text) > 3 || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*text - '0');
	}
	if (value > most)
		return -EINVAL;
	*prefix = value;
	return 0;
}

int network_parse(const char *text, struct network *network)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char base[64];
	struct network parsed = { 0 };
	unsigned prefix;
	bool mapped;

	if (len >= sizeof(base))
		return -EINVAL;
	memcpy(base, text, len);
	base[len] = '\0';
	if (address_parse(base, &parsed.base) < 0)
		return -EINVAL;
	mapped = is_mapped_text(base, &parsed.base);
	prefix = parsed.base.family == 4 && !mapped ? 32 : 128;
	if (slash && prefix_parse(slash + 1, prefix, &prefix) < 0)
		return -EINVAL;
	if (mapped && prefix < 96)
		return -EINVAL;
	parsed.prefix = (uint8_t)(mapped ? prefix - 96 : prefix);
	for (unsigned i = 0; i < 16; i++)
		if (parsed.base.bytes[i] & (uint8_t)~byte_mask(parsed.prefix, i))
			return -EINVAL;
	*network = parsed;
	return 0;
}

void address_print(struct buf *buf, const struct address *address)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof(text)))
		buf_puts(buf, text);
}

void network_print(struct buf *buf, const struct network *network)
{
	address_print(buf, &network->base);
	if (network->prefix != (network->base.family == 4 ? 32 : 128))
		buf_printf(buf, "/%u", network->prefix);
}

bool network_has(const struct network *network, const struct address *address)
{
	if (network->base.family != address->family)
		return false;
	for (unsigned i = 0; i * 8 < network->prefix; i++)
		if ((network->base.bytes[i] ^ address->bytes[i]) & byte_mask(network->prefix, i))
			return false;
	return true;
}

bool network_covers(const struct network *outer, const struct network *inner)
{
	return outer->prefix <= inner->prefix && network_has(outer, &inner->base);
}

const struct network *never_reachable(size_t *count)
{
	*count = sizeof(never_table) / sizeof(never_table[0]);
	return never_table;
}

const struct network *special_purpose(size_t *count)
{
	*count = sizeof(special_table) / sizeof(special_table[0]);
	return special_table;
}

bool address_is_public(const struct address *address)
{
	if (address->family != 4 && address->family != 6)
		return false;
	for (size_t i = 0; i < sizeof(special_table) / sizeof(special_table[0]); i++)
		if (network_has(&special_table[i], address))
			return false;
	return true;
}
