/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table's sets, their elements and the named objects, as messages: see ruleset-parts.h. Must never send two intervals
 * of a set that overlap, nor an `alive` element without a timeout.
 */
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "shim/base/cleanup.h"
#include "shim/egress/disjoint.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset-parts.h"

/* A nested list of elements holds 65,535 bytes at most; the largest element takes 72. */
#define ELEMENTS_PER_MESSAGE 700
#define ELEMENT_BYTES 72
#define MESSAGE_BYTES 128

/* What was learnt and has not aged yet; beyond it nothing more is learnt. The kernel makes a table of 4/3 times as many buckets at
 * once, rounded up to a power of two: 256 KiB of each set, cleared while the container waits. */
#define LEARNT_MAX 24576

/* How nft(8) names types when it lists a set; the kernel doesn't read them. */
enum { TYPE_NFPROTO = 2, TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_PROTOCOL = 12, TYPE_INET_SERVICE = 13 };

#define SET(name, kind, family, part) { name, kind, family, offsetof(struct ruleset, part) }

const struct ruleset_set ruleset_sets[] = {
	SET("denyall4", SET_ADDRESSES, 4, deny),	SET("denyall6", SET_ADDRESSES, 6, deny),
	SET("deny4", SET_TRIPLES, 4, deny),		SET("deny6", SET_TRIPLES, 6, deny),
	SET("exact4", SET_TRIPLES, 4, exact),		SET("exact6", SET_TRIPLES, 6, exact),
	SET("never4", SET_ADDRESSES, 4, never),		SET("never6", SET_ADDRESSES, 6, never),
	SET("allow4", SET_TRIPLES, 4, allow),		SET("allow6", SET_TRIPLES, 6, allow),
	SET("ingress4", SET_TRIPLES, 4, ingress),	SET("ingress6", SET_TRIPLES, 6, ingress),
	{ "alive", SET_ALIVE, 0, 0 },
	{ "opened4", SET_OPENED, 4, 0 },
	{ "opened6", SET_OPENED, 6, 0 },
	{ "learnt4", SET_LEARNT, 4, 0 },
	{ "learnt6", SET_LEARNT, 6, 0 },
	{ "named4", SET_LEARNT, 4, 0 },
	{ "named6", SET_LEARNT, 6, 0 },
};
const size_t ruleset_set_count = ARRAY_SIZE(ruleset_sets);

static uint32_t address_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

uint32_t ruleset_put_key(uint8_t family, const uint8_t address[16], uint8_t protocol, uint16_t port,
			 uint8_t key[RULESET_KEY_MAX])
{
	uint32_t len = address_len(family);

	memset(key, 0, RULESET_KEY_MAX);
	memcpy(key, address, len);
	key[len] = family == 6 && protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : protocol;
	key[len + 4] = (uint8_t)(port >> 8);
	key[len + 5] = (uint8_t)port;
	return len + 8;
}

/* The true length of each field; the key as a whole is longer by their padding. */
static void put_description(struct nft_builder *builder, const struct ruleset_set *set)
{
	const uint32_t lens[] = { address_len(set->family), 1, 2 };
	struct nft_nest description = nft_nest_begin(builder, NFTA_SET_DESC);
	struct nft_nest fields = nft_nest_begin(builder, NFTA_SET_DESC_CONCAT);

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct nft_nest field = nft_nest_begin(builder, NFTA_LIST_ELEM);

		nft_put_be32(builder, NFTA_SET_FIELD_LEN, lens[i]);
		nft_nest_end(builder, field);
	}
	nft_nest_end(builder, fields);
	if (set->kind == SET_LEARNT)
		nft_put_be32(builder, NFTA_SET_DESC_SIZE, LEARNT_MAX);
	nft_nest_end(builder, description);
}

void ruleset_put_set(struct nft_builder *builder, const struct ruleset_set *set, uint32_t id)
{
	uint32_t address_type = set->family == 4 ? TYPE_IPADDR : TYPE_IP6ADDR;
	uint32_t flags = NFT_SET_INTERVAL, type = address_type, len = address_len(set->family);

	if (set->kind == SET_ALIVE) {
		flags = NFT_SET_TIMEOUT;
		type = TYPE_NFPROTO;
		len = 1;
	} else if (set->kind != SET_ADDRESSES) {
		flags = NFT_SET_CONCAT | (set->kind == SET_LEARNT ? NFT_SET_TIMEOUT : NFT_SET_INTERVAL);
		flags |= set->kind == SET_OPENED ? NFT_SET_TIMEOUT : 0;
		type = address_type << 12 | TYPE_INET_PROTOCOL << 6 | TYPE_INET_SERVICE;
		len += 8;
	}
	nft_batch_message(builder, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
	nft_put_text(builder, NFTA_SET_TABLE, RULESET_TABLE);
	nft_put_text(builder, NFTA_SET_NAME, set->name);
	nft_put_be32(builder, NFTA_SET_ID, id);
	nft_put_be32(builder, NFTA_SET_FLAGS, flags);
	nft_put_be32(builder, NFTA_SET_KEY_TYPE, type);
	nft_put_be32(builder, NFTA_SET_KEY_LEN, len);
	if (set->kind != SET_ALIVE && set->kind != SET_ADDRESSES)
		put_description(builder, set);
}

void ruleset_put_sets(struct nft_builder *builder, bool has_names)
{
	for (size_t i = 0; i < ruleset_set_count; i++)
		if (has_names || ruleset_sets[i].kind != SET_LEARNT)
			ruleset_put_set(builder, &ruleset_sets[i], (uint32_t)i + 1);
}

static struct nft_nest begin_object(struct nft_builder *builder, const char *name, uint32_t type, uint16_t flags)
{
	nft_batch_message(builder, NFT_MSG_NEWOBJ, flags);
	nft_put_text(builder, NFTA_OBJ_TABLE, RULESET_TABLE);
	nft_put_text(builder, NFTA_OBJ_NAME, name);
	nft_put_be32(builder, NFTA_OBJ_TYPE, type);
	return nft_nest_begin(builder, NFTA_OBJ_DATA);
}

/* The kernel takes no limit over 2^63 - 1, which nobody sends in a lifetime. */
static uint64_t quota_of(uint64_t bytes)
{
	return bytes > INT64_MAX ? INT64_MAX : bytes;
}

void ruleset_put_left(struct nft_builder *builder, const char *quota, uint64_t left_bytes)
{
	struct nft_nest data = begin_object(builder, quota, NFT_OBJECT_QUOTA, 0);

	nft_put_be64(builder, NFTA_QUOTA_BYTES, quota_of(left_bytes));
	nft_put_be32(builder, NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV);
	nft_nest_end(builder, data);
}

void ruleset_put_counter(struct nft_builder *builder, const char *name)
{
	struct nft_nest data = begin_object(builder, name, NFT_OBJECT_COUNTER, NLM_F_CREATE | NLM_F_EXCL);

	nft_nest_end(builder, data);
}

/* Used up already: `consumed` = limit. */
void ruleset_put_quota(struct nft_builder *builder, const char *name, uint64_t bytes, uint64_t spent)
{
	uint64_t limit = quota_of(bytes);
	struct nft_nest data = begin_object(builder, name, NFT_OBJECT_QUOTA, NLM_F_CREATE | NLM_F_EXCL);

	nft_put_be64(builder, NFTA_QUOTA_BYTES, limit);
	nft_put_be32(builder, NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV);
	nft_put_be64(builder, NFTA_QUOTA_CONSUMED, spent > limit ? limit : spent);
	nft_nest_end(builder, data);
}

void ruleset_put_objects(struct nft_builder *builder, const struct ruleset *ruleset)
{
	static const char *const counters[] = { "out", "in", "denied", "untold" };

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		ruleset_put_counter(builder, counters[i]);
	ruleset_put_quota(builder, RULESET_QUOTA, ruleset->egress_bytes, ruleset->egress_spent);
}

int ruleset_make_ranges(const struct ruleset *ruleset, const struct ruleset_set *set, struct rule_ranges *out,
			struct err *err)
{
	const struct rule_ranges *ranges = (const struct rule_ranges *)((const char *)ruleset + set->ranges);

	if (set->kind == SET_TRIPLES)
		return disjoint_triples(ranges, set->family, out, err);
	if (set->kind == SET_ADDRESSES)
		disjoint_addresses(ranges, set->family, set->ranges == offsetof(struct ruleset, never), out);
	return 0;
}

size_t ruleset_element_room(size_t count)
{
	return count * ELEMENT_BYTES + (count / ELEMENTS_PER_MESSAGE + 1) * MESSAGE_BYTES;
}

static void put_value(struct nft_builder *builder, uint16_t type, const void *bytes, uint32_t len)
{
	struct nft_nest nest = nft_nest_begin(builder, type);

	nft_put(builder, NFTA_DATA_VALUE, bytes, len);
	nft_nest_end(builder, nest);
}

/* A tree of intervals: a start, and an exclusive end unless the interval runs to the end of the space. */
static void put_addresses(struct nft_builder *builder, const struct rule_range *range)
{
	struct nft_nest element = nft_nest_begin(builder, NFTA_LIST_ELEM);
	uint8_t end[16];

	put_value(builder, NFTA_SET_ELEM_KEY, range->first, address_len(range->family));
	nft_nest_end(builder, element);
	if (!address_next(range->family, range->last, end))
		return;
	element = nft_nest_begin(builder, NFTA_LIST_ELEM);
	put_value(builder, NFTA_SET_ELEM_KEY, end, address_len(range->family));
	nft_put_be32(builder, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	nft_nest_end(builder, element);
}

/* A concatenation of intervals: first and last, both inclusive, in one element. */
void ruleset_put_triple(struct nft_builder *builder, const struct rule_range *range, uint64_t timeout_ms)
{
	struct nft_nest element = nft_nest_begin(builder, NFTA_LIST_ELEM);
	uint8_t key[RULESET_KEY_MAX];
	uint32_t len;

	len = ruleset_put_key(range->family, range->first, range->protocol, range->port_first, key);
	put_value(builder, NFTA_SET_ELEM_KEY, key, len);
	len = ruleset_put_key(range->family, range->last, range->protocol, range->port_last, key);
	put_value(builder, NFTA_SET_ELEM_KEY_END, key, len);
	if (timeout_ms)
		nft_put_be64(builder, NFTA_SET_ELEM_TIMEOUT, timeout_ms);
	nft_nest_end(builder, element);
}

struct nft_nest ruleset_begin_elements(struct nft_builder *builder, const char *set, uint16_t message, uint16_t flags)
{
	nft_batch_message(builder, message, flags);
	nft_put_text(builder, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	nft_put_text(builder, NFTA_SET_ELEM_LIST_SET, set);
	return nft_nest_begin(builder, NFTA_SET_ELEM_LIST_ELEMENTS);
}

void ruleset_put_opening(struct nft_builder *builder, const struct ruleset_opening *opening, uint32_t lifetime_ms)
{
	struct nft_nest element = nft_nest_begin(builder, NFTA_LIST_ELEM);
	uint8_t key[RULESET_KEY_MAX];
	uint32_t len = ruleset_put_key(opening->family, opening->address, opening->protocol, opening->port, key);

	put_value(builder, NFTA_SET_ELEM_KEY, key, len);
	if (lifetime_ms)
		nft_put_be64(builder, NFTA_SET_ELEM_TIMEOUT, lifetime_ms);
	nft_nest_end(builder, element);
}

void ruleset_put_elements(struct nft_builder *builder, const struct ruleset_set *set, const struct rule_ranges *ranges)
{
	for (size_t at = 0; at < ranges->count;) {
		struct nft_nest list = ruleset_begin_elements(builder, set->name, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);
		size_t end = ranges->count - at > ELEMENTS_PER_MESSAGE ? at + ELEMENTS_PER_MESSAGE : ranges->count;

		for (; at < end; at++) {
			if (set->kind == SET_TRIPLES)
				ruleset_put_triple(builder, &ranges->items[at], 0);
			else
				put_addresses(builder, &ranges->items[at]);
		}
		nft_nest_end(builder, list);
	}
}

void ruleset_put_alive(struct nft_builder *builder, uint16_t message, uint16_t flags, uint32_t alive_ms)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	struct nft_nest list = ruleset_begin_elements(builder, "alive", message, flags);

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct nft_nest element = nft_nest_begin(builder, NFTA_LIST_ELEM);

		put_value(builder, NFTA_SET_ELEM_KEY, &families[i], sizeof(families[i]));
		if (message == NFT_MSG_NEWSETELEM)
			nft_put_be64(builder, NFTA_SET_ELEM_TIMEOUT, alive_ms);
		nft_nest_end(builder, element);
	}
	nft_nest_end(builder, list);
}
