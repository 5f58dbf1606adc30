/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Caps: how many bytes may leave for a part of what is let out. Which caps count a connection is found out once, at its first
 * packet, and kept in its mark, a bit each: by address in sets of intervals, by name in sets that are learnt into, and for the
 * warden's own connections by the mark on its sockets. Each packet then meets the quotas of its bits alone. So what was learnt
 * may age and a connection that lives goes on being counted. Must never count what a cap has refused.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/egress/disjoint.h"
#include "shim/egress/rule-words.h"
#include "shim/egress/ruleset-caps.h"

/* Sets, objects and rules of one cap. */
#define CAP_BYTES 8192

/* Behind those of ruleset_sets, which are few. */
#define FIRST_SET_ID 100u

static uint32_t bit_of(size_t cap)
{
	return 1u << (RULESET_CAP_SHIFT + cap);
}

struct cap_names cap_names_of(size_t cap)
{
	struct cap_names names;
	unsigned number = (unsigned)(cap % RULESET_CAPS_MAX);

	snprintf(names.counter, sizeof(names.counter), "cap%u", number);
	snprintf(names.quota, sizeof(names.quota), "left%u", number);
	snprintf(names.reach4, sizeof(names.reach4), "cap%uat4", number);
	snprintf(names.reach6, sizeof(names.reach6), "cap%uat6", number);
	snprintf(names.learnt4, sizeof(names.learnt4), "cap%uby4", number);
	snprintf(names.learnt6, sizeof(names.learnt6), "cap%uby6", number);
	return names;
}

int caps_make_reach(const struct ruleset *ruleset, struct caps_reach *reach, struct err *err)
{
	int r = 0;

	*reach = (struct caps_reach){ .count = 0 };
	for (size_t i = 0; i < ruleset->cap_count && !r; i++) {
		r = disjoint_triples(&ruleset->caps[i].reach, 4, &reach->v4[i], err);
		if (!r)
			r = disjoint_triples(&ruleset->caps[i].reach, 6, &reach->v6[i], err);
		reach->count += reach->v4[i].count + reach->v6[i].count;
	}
	return r;
}

void caps_release_reach(struct caps_reach *reach)
{
	for (size_t i = 0; i < RULESET_CAPS_MAX; i++) {
		free(reach->v4[i].items);
		free(reach->v6[i].items);
	}
}

size_t caps_room(const struct ruleset *ruleset, const struct caps_reach *reach)
{
	return ruleset->cap_count * CAP_BYTES + ruleset_element_room(reach->count);
}

void caps_put_sets(struct nft_builder *b, const struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->cap_count; i++) {
		const struct cap_names names = cap_names_of(i);
		const struct ruleset_set sets[] = { { names.reach4, SET_TRIPLES, 4, 0 }, { names.reach6, SET_TRIPLES, 6, 0 },
						    { names.learnt4, SET_LEARNT, 4, 0 }, { names.learnt6, SET_LEARNT, 6, 0 } };

		for (size_t k = 0; k < ARRAY_SIZE(sets); k++)
			if (ruleset->has_names || sets[k].kind != SET_LEARNT)
				ruleset_put_set(b, &sets[k], FIRST_SET_ID + (uint32_t)(i * ARRAY_SIZE(sets) + k));
	}
}

void caps_put_elements(struct nft_builder *b, const struct ruleset *ruleset, const struct caps_reach *reach)
{
	for (size_t i = 0; i < ruleset->cap_count; i++) {
		const struct cap_names names = cap_names_of(i);
		const struct ruleset_set set4 = { names.reach4, SET_TRIPLES, 4, 0 }, set6 = { names.reach6, SET_TRIPLES, 6, 0 };

		ruleset_put_elements(b, &set4, &reach->v4[i]);
		ruleset_put_elements(b, &set6, &reach->v6[i]);
	}
}

void caps_put_objects(struct nft_builder *b, const struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->cap_count; i++) {
		const struct cap_names names = cap_names_of(i);

		ruleset_put_counter(b, names.counter);
		ruleset_put_quota(b, names.quota, ruleset->caps[i].bytes, ruleset->caps[i].spent);
	}
}

static void when_counted(struct rule rule, size_t cap)
{
	when_any_bit(rule, NFT_CT_MARK, bit_of(cap));
}

/* Each after the one before has let it pass. */
static void put_weigh(struct nft_builder *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct cap_names names = cap_names_of(i);
		struct rule rule = rule_in(b, "weigh");

		when_counted(rule, i);
		nft_expr_object(b, NFT_OBJECT_QUOTA, names.quota);
		then_refuse(rule, "bar", DENIED_CAP | (uint32_t)i << DENIAL_CAP_SHIFT);
		rule = rule_in(b, "weigh");
		when_counted(rule, i);
		nft_expr_object(b, NFT_OBJECT_COUNTER, names.counter);
		nft_rule_end(b, rule.nest);
	}
}

static void put_finding(struct nft_builder *b, const char *chain, const struct side *side, const struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->cap_count; i++) {
		const struct cap_names names = cap_names_of(i);
		const char *learnt = side == &side4 ? names.learnt4 : names.learnt6;
		struct rule rule = rule_in(b, chain);

		when_in_triples(rule, side, side->destination, side == &side4 ? names.reach4 : names.reach6);
		then_mark(rule, ~0u, bit_of(i));
		if (!ruleset->has_names)
			continue;
		rule = rule_in(b, chain);
		when_in_triples(rule, side, side->destination, learnt);
		then_mark(rule, ~0u, bit_of(i));
		rule = rule_in(b, chain);
		when_learnt_echo(rule, side, learnt);
		then_mark(rule, ~0u, bit_of(i));
	}
}

void caps_put_chains(struct nft_builder *b, const struct ruleset *ruleset)
{
	if (!ruleset->cap_count)
		return;
	put_weigh(b, ruleset->cap_count);
	put_finding(b, "caps4", &side4, ruleset);
	put_finding(b, "caps6", &side6, ruleset);
}

/* Nobody's yet: the first packet of a connection, or of its answers to one from outside. */
void caps_put_weighing(struct nft_builder *b, const char *chain)
{
	struct rule rule = rule_in(b, chain);

	when_whose(rule, NFT_CMP_EQ, 0);
	when_family(rule, NFPROTO_IPV4);
	then(rule, NFT_JUMP, "caps4");
	rule = rule_in(b, chain);
	when_whose(rule, NFT_CMP_EQ, 0);
	when_family(rule, NFPROTO_IPV6);
	then(rule, NFT_JUMP, "caps6");
	rule = rule_in(b, chain);
	when_any_bit(rule, NFT_CT_MARK, ~RULESET_WHOSE);
	then(rule, NFT_JUMP, "weigh");
}

void caps_put_known(struct nft_builder *b, const char *chain)
{
	struct rule rule = rule_in(b, chain);

	when_whose(rule, NFT_CMP_EQ, 0);
	then_mark(rule, ~RULESET_WHOSE, RULESET_LET_IN);
}
