/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of shim/egress/nft-message: nothing is ever written past the room, a length never wraps, and what failed stays
 * failed. And of the table: its parts are as many as the inspection wants.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset-parts.h"
#include "tests/unit/tap.h"

#define ROOM 512
#define CANARY 0x5a

/* Everything the builder can do, into `room` bytes of a larger memory. */
static bool fill(char *memory, size_t room)
{
	struct nft_builder builder = { .data = memory, .room = room };
	struct nft_nest outer, inner;

	nft_batch_begin(&builder);
	nft_batch_message(&builder, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nft_put_text(&builder, 1, "some text");
	outer = nft_nest_begin(&builder, 2);
	nft_put_u8(&builder, 3, 1);
	nft_put_be32(&builder, 4, 2);
	inner = nft_nest_begin(&builder, 5);
	nft_put_be64(&builder, 6, 3);
	nft_put(&builder, 7, "", 0);
	nft_nest_end(&builder, inner);
	nft_nest_end(&builder, outer);
	nft_message_ask_ack(&builder);
	return !builder.failed && builder.used <= room;
}

static void test_every_room(void)
{
	char memory[ROOM] __attribute__((aligned(8)));
	size_t least = 0, overwritten = 0, turned = 0;
	bool before = false;

	for (size_t room = 0; room <= ROOM / 2; room += 4) {
		bool fits;

		memset(memory, CANARY, sizeof(memory));
		fits = fill(memory, room);
		for (size_t i = room; i < sizeof(memory); i++)
			overwritten += memory[i] != CANARY;
		if (fits && !before)
			least = room;
		turned += fits != before;
		before = fits;
	}
	OK(overwritten == 0, "nft-message: no byte is written behind the room, whatever the room");
	OK(turned == 1 && least == 20 + 20 + 16 + 4 + 8 + 8 + 4 + 12 + 4, "nft-message: it fits exactly where it fits");
}

static void test_attributes(void)
{
	char memory[ROOM] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	const struct nlmsghdr *message = (const struct nlmsghdr *)memory;
	const struct nlattr *attr;
	uint32_t small = 0;
	uint64_t large = 0;

	nft_batch_message(&builder, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nft_put_be32(&builder, 1, 0x01020304);
	nft_put_be64(&builder, 2, 0x0102030405060708);
	nft_put_text(&builder, 3, "quod");
	OK(message->nlmsg_len == builder.used && message->nlmsg_flags == (NLM_F_REQUEST | NLM_F_CREATE),
	   "nft-message: the header says how long it is");
	attr = mnl_nlmsg_get_payload_offset(message, sizeof(struct nfgenmsg));
	OK(nft_get_be32(attr, &small) && small == 0x01020304 && !memcmp(mnl_attr_get_payload(attr), "\1\2\3\4", 4),
	   "nft-message: 32 bits are big endian, and read back");
	OK(!nft_get_be64(attr, &large) && large == 0, "nft-message: 32 bits aren't read as 64");
	attr = mnl_attr_next(attr);
	OK(nft_get_be64(attr, &large) && large == 0x0102030405060708 && !nft_get_be32(attr, &small),
	   "nft-message: 64 bits likewise");
	attr = mnl_attr_next(attr);
	OK(nft_is_text(attr, "quod") && !nft_is_text(attr, "quo") && !nft_is_text(attr, "quods"),
	   "nft-message: a text is compared as a whole");
}

static void test_wrap(void)
{
	size_t room = 1 << 18;
	cleanup_free char *memory = calloc(1, room);
	static const char bytes[65532];
	struct nft_builder builder = { .data = memory, .room = room };
	struct nft_nest nest;

	nft_batch_message(&builder, NFT_MSG_NEWTABLE, 0);
	nft_put(&builder, 1, bytes, 65531);
	OK(!builder.failed, "nft-message: an attribute holds 65,531 bytes");
	nft_put(&builder, 1, bytes, 65532);
	OK(builder.failed, "nft-message: one more fails");
	builder = (struct nft_builder){ .data = memory, .room = room };
	nft_batch_message(&builder, NFT_MSG_NEWTABLE, 0);
	nest = nft_nest_begin(&builder, 1);
	nft_put(&builder, 2, bytes, 40000);
	nft_put(&builder, 2, bytes, 30000);
	OK(!builder.failed, "nft-message: more than a nested attribute can hold is noticed at its end");
	nft_nest_end(&builder, nest);
	OK(builder.failed, "nft-message: and fails there");
	nft_put_u8(&builder, 1, 1);
	OK(builder.failed, "nft-message: what failed stays failed");
}

static void test_unsent(void)
{
	char memory[64] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err err = ERR_INIT;

	nft_put_u8(&builder, 1, 1);
	OK(builder.failed && builder.used == 0, "nft-message: an attribute without a message fails");
	builder = NFT_BUILDER(memory);
	nft_batch_begin(&builder);
	nft_batch_message(&builder, NFT_MSG_NEWTABLE, 0);
	nft_put_text(&builder, NFTA_TABLE_NAME, "a name too long for the little that is left of the room");
	OK(nft_batch_commit(null, &builder, NULL, &err) == -EMSGSIZE, "nft-batch: what failed is not sent");
	builder = NFT_BUILDER(memory);
	nft_batch_begin(&builder);
	OK(nft_batch_commit(null, &builder, NULL, &err) == -ENOTSOCK, "nft-batch: a file is no netlink socket");
}

/* The rules of `chain` that the table is built with. */
static uint32_t count_rules(const struct nft_builder *builder, const char *chain)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)builder->data;
	int left = (int)builder->used;
	uint32_t count = 0;
	struct nlattr *attr;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
			count += mnl_attr_get_type(attr) == NFTA_RULE_CHAIN && nft_is_text(attr, chain);
	return count;
}

static void test_table(void)
{
	struct ruleset ruleset = { .rate = 1000000, .alive_ms = 1000 };
	char memory[65536] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	uint8_t key[RULESET_KEY_MAX], address[16] = { 10, 9, 0, 1 };

	ruleset_put_rules(&builder, &ruleset);
	OK(!builder.failed && builder.used < sizeof(memory) / 2, "ruleset: its rules take %zu bytes", builder.used);
	for (size_t i = 0; i < ruleset_chain_count; i++) {
		const struct ruleset_chain *chain = &ruleset_chains[i];

		OK(count_rules(&builder, chain->name) == chain->rules + chain->optional,
		   "ruleset: the inspection wants as many rules in '%s' as are put there", chain->name);
	}
	OK(ruleset_put_key(4, address, IPPROTO_TCP, 443, key) == 12 && !memcmp(key, "\12\11\0\1\6\0\0\0\1\273\0\0", 12),
	   "ruleset: the fields of a key are padded to four bytes");
	OK(ruleset_put_key(6, address, IPPROTO_ICMP, 0, key) == 24 && key[16] == IPPROTO_ICMPV6,
	   "ruleset: ICMP of IPv6 is ICMPv6");
}

int main(void)
{
	test_every_room();
	test_attributes();
	test_wrap();
	test_unsent();
	test_table();
	return tap_done();
}
