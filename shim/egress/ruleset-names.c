/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table holds more when a profile allows names: DNS is turned to the warden's ports on the loopback, whatever
 * resolver it was meant for, and what the warden learnt is let out; where a connection must say its name, by way of the
 * warden. The warden's own packets are told by their mark, which nobody in the container can set (no CAP_NET_RAW, no
 * CAP_NET_ADMIN). Must never let out what should have been turned round: `last` sees the true way out.
 */
#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/egress/ruleset-caps.h"
#include "shim/egress/ruleset-names.h"
#include "shim/egress/ruleset-parts.h"

#define CAP_LONGER_MS 60000u

static const uint8_t both[] = { IPPROTO_TCP, IPPROTO_UDP };

/* Above the low byte are the caps that count what its socket sends. */
static void when_mark(struct rule rule, uint32_t op)
{
	const uint32_t mark = RULESET_MARK, mask = RULESET_WHOSE;	/* in host order, as the kernel keeps them */

	nft_expr_meta(rule.builder, NFT_META_MARK, NFT_REG(0));
	nft_expr_mask(rule.builder, NFT_REG(0), &mask, sizeof(mask));
	nft_expr_compare(rule.builder, NFT_REG(0), op, &mark, sizeof(mark));
}

/* 127.0.0.11: the resolver that Docker puts into the namespace, on a port that changes. */
static void when_embedded(struct rule rule, struct nft_span end)
{
	static const uint8_t address[] = { 127, 0, 0, 11 };

	when_family(rule, NFPROTO_IPV4);
	nft_expr_payload(rule.builder, end, NFT_REG(0));
	nft_expr_compare(rule.builder, NFT_REG(0), NFT_CMP_EQ, address, sizeof(address));
}

static void set_connection(struct rule rule, uint32_t mark)
{
	when_state(rule, NF_CT_STATE_BIT(IP_CT_NEW));
	nft_expr_immediate(rule.builder, NFT_REG(0), &mark, sizeof(mark));
	nft_expr_set_ct(rule.builder, NFT_CT_MARK, NFT_REG(0));
	nft_rule_end(rule.builder, rule.nest);
}

/* The connection counts where its socket does. */
static void then_take_mark(struct rule rule)
{
	nft_expr_meta(rule.builder, NFT_META_MARK, NFT_REG(0));
	nft_expr_set_ct(rule.builder, NFT_CT_MARK, NFT_REG(0));
	nft_rule_end(rule.builder, rule.nest);
}

/* A connection that the warden began carries the warden's packets alone, and its packets no other connection. NAT judges only
 * the first packet of a connection: without this the container could take over the ports of one that has just ended, and its
 * packets would not be turned; or the warden's would be turned to itself. */
void names_put_marks(struct nft_builder *b, const char *chain, bool has_caps)
{
	struct rule rule = rule_in(b, chain);

	when_mark(rule, NFT_CMP_EQ);
	when_state(rule, NF_CT_STATE_BIT(IP_CT_NEW));
	then_take_mark(rule);
	rule = rule_in(b, chain);
	when_whose(rule, NFT_CMP_EQ, RULESET_MARK);
	when_original(rule);
	when_mark(rule, NFT_CMP_NEQ);
	then_refuse(rule, "bar", DENIED_OWN);
	rule = rule_in(b, chain);
	when_mark(rule, NFT_CMP_EQ);
	when_whose(rule, NFT_CMP_NEQ, RULESET_MARK);
	then_refuse(rule, "bar", DENIED_OWN);
	if (!has_caps)
		return;
	/* also of one that took over the ports of another socket's, which other caps may have counted */
	rule = rule_in(b, chain);
	when_mark(rule, NFT_CMP_EQ);
	then_take_mark(rule);
}

/* Not judged by where they go: they don't get there. */
void names_put_queries(struct nft_builder *b, const char *chain)
{
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		struct rule rule = rule_in(b, chain);

		when_port(rule, both[i], 53);
		then(rule, NF_ACCEPT, NULL);
	}
}

/* What goes no further than to the warden is not counted: what the warden sends on is. */
void names_put_known(struct nft_builder *b, const char *chain)
{
	struct rule rule = rule_in(b, chain);

	when_whose(rule, NFT_CMP_EQ, RULESET_TURNED);
	when_original(rule);
	then(rule, NF_ACCEPT, NULL);
}

void names_put_learnt(struct nft_builder *b, const char *chain, const struct side *side, const char *const sets[2])
{
	const char *set = sets[0];
	struct rule rule = rule_in(b, chain);

	when_in_triples(rule, side, side->destination, set);
	then_goto(rule, "pass");
	rule = rule_in(b, chain);
	when_mark(rule, NFT_CMP_EQ);
	when_in_triples(rule, side, side->destination, sets[1]);
	then_goto(rule, "pass");
	rule = rule_in(b, chain);
	when_in_triples(rule, side, side->destination, sets[1]);
	then_goto(rule, "turned");
	rule = rule_in(b, chain);
	when_learnt_echo(rule, side, set);
	then_goto(rule, "pass");
}

/* A query that was turned round still shows where it was meant to go; so who names the warden's ports speaks to it directly.
 * From Docker's resolver come answers alone: whoever binds its address could forge some for the warden. */
static void put_local(struct nft_builder *b)
{
	static const uint16_t ports[] = { RULESET_PORT_EMBEDDED, RULESET_PORT_OTHERS };
	struct rule rule = rule_in(b, "local");

	when_embedded(rule, side4.source);
	when_original(rule);
	then_refuse(rule, "bar", DENIED_OWN);
	rule = rule_in(b, "local");
	when_embedded(rule, side4.destination);
	then(rule, NF_ACCEPT, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		for (size_t k = 0; k < ARRAY_SIZE(both); k++) {
			rule = rule_in(b, "local");
			when_port(rule, both[k], ports[i]);
			when_original(rule);
			then_refuse(rule, "bar", DENIED_OWN);
		}
	rule = rule_in(b, "local");
	when_port(rule, IPPROTO_TCP, RULESET_PORT_NAMED);
	when_original(rule);
	then_refuse(rule, "bar", DENIED_OWN);
	then(rule_in(b, "local"), NF_ACCEPT, NULL);
}

/* Its packets are known by the mark from now on: also if what it was let out by should end before it is turned. */
static void put_turned(struct nft_builder *b)
{
	struct rule rule = rule_in(b, "turned");

	when_alive(rule, true);
	then_goto(rule, "lapsed");
	set_connection(rule_in(b, "turned"), RULESET_TURNED);
	then(rule_in(b, "turned"), NF_ACCEPT, NULL);
}

static void then_redirect(struct rule rule, uint16_t port)
{
	const uint8_t bytes[] = { (uint8_t)(port >> 8), (uint8_t)port };

	nft_expr_immediate(rule.builder, NFT_REG(0), bytes, sizeof(bytes));
	nft_expr_redirect(rule.builder, NFT_REG(0));
	nft_rule_end(rule.builder, rule.nest);
}

/* What is let out by its address, or is bound to no more than that, is not turned. */
static void turn_named(struct nft_builder *b, const struct side *side, const char *const sets[4])
{
	for (size_t i = 0; i < 4; i++) {
		struct rule rule = rule_in(b, "redirects");

		when_family(rule, side->nfproto);
		when_protocol(rule, IPPROTO_TCP);
		when_in_triples(rule, side, side->destination, sets[i]);
		if (i < 3)
			then(rule, NF_ACCEPT, NULL);
		else
			then_redirect(rule, RULESET_PORT_NAMED);
	}
}

/* A resolver of the container's own on its loopback stays one: what it asks is turned round in its turn. */
static void put_redirects(struct nft_builder *b)
{
	struct rule rule = rule_in(b, "redirects");

	when_mark(rule, NFT_CMP_EQ);
	then(rule, NF_ACCEPT, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		rule = rule_in(b, "redirects");
		when_embedded(rule, side4.destination);
		when_protocol(rule, both[i]);
		then_redirect(rule, RULESET_PORT_EMBEDDED);
	}
	rule = rule_in(b, "redirects");
	when_loopback(rule, NFT_META_OIF);
	then(rule, NF_ACCEPT, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		rule = rule_in(b, "redirects");
		when_port(rule, both[i], 53);
		then_redirect(rule, RULESET_PORT_OTHERS);
	}
	turn_named(b, &side4, (const char *const[]){ "exact4", "allow4", "learnt4", "named4" });
	turn_named(b, &side6, (const char *const[]){ "exact6", "allow6", "learnt6", "named6" });
}

/* What is still meant for port 53 after the engine's NAT, no engine serves: it would reach whoever in the container binds that
 * port, and he would tell the warden which addresses to let out. */
static void put_wall(struct nft_builder *b)
{
	struct rule rule = rule_in(b, "wall");

	when_embedded(rule, side4.destination);
	when_mark(rule, NFT_CMP_NEQ);
	then_refuse(rule, "bar", DENIED_OWN);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		rule = rule_in(b, "wall");
		when_embedded(rule, side4.destination);
		when_port(rule, both[i], 53);
		then_refuse(rule, "bar", DENIED_OWN);
	}
}

void names_put_chains(struct nft_builder *b)
{
	put_local(b);
	put_turned(b);
	put_redirects(b);
	put_wall(b);
}

/* The warden's own go to a resolver on the link, which it is told of before it can be spoken to. */
void names_put_last(struct nft_builder *b, const char *chain)
{
	struct rule rule = rule_in(b, chain);

	when_whose(rule, NFT_CMP_EQ, RULESET_TURNED);
	then_count(rule, "denied", NF_DROP);
	rule = rule_in(b, chain);
	when_port(rule, IPPROTO_UDP, 53);
	when_mark(rule, NFT_CMP_EQ);
	then(rule, NF_ACCEPT, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		rule = rule_in(b, chain);
		when_port(rule, both[i], 53);
		then_count(rule, "denied", NF_DROP);
	}
}

struct learnt_set {
	const char *name;
	uint8_t family, is_turned;
	uint32_t cap;		/* a bit: of what that cap counts; 0: of all */
};

static bool belongs(const struct ruleset_opening *opening, const struct learnt_set *set)
{
	return opening->family == set->family && opening->is_turned == set->is_turned && (opening->caps & set->cap) == set->cap;
}

static void put_elements(struct nft_builder *b, uint16_t message, const struct learnt_set *set,
			 const struct ruleset_opening *openings, const struct ruleset_learning *learning)
{
	struct nft_nest list;
	size_t count = 0;

	for (size_t i = 0; i < learning->count; i++)
		count += belongs(&openings[i], set);
	if (!count)
		return;
	list = ruleset_begin_elements(b, set->name, message, message == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
	for (size_t i = 0; i < learning->count; i++)
		if (belongs(&openings[i], set))
			ruleset_put_opening(b, &openings[i], message == NFT_MSG_NEWSETELEM ? learning->lifetime_ms : 0);
	nft_nest_end(b, list);
}

static bool is_sound(const struct ruleset_opening *opening)
{
	static const uint8_t zero[12];

	if (opening->family != 4 && opening->family != 6)
		return false;
	if (opening->family == 4 && memcmp(opening->address + 4, zero, sizeof(zero)))
		return false;
	if (opening->is_turned)
		return opening->is_turned == 1 && opening->protocol == IPPROTO_TCP && opening->port;
	if (opening->protocol == IPPROTO_ICMP)
		return !opening->port;
	return (opening->protocol == IPPROTO_TCP || opening->protocol == IPPROTO_UDP) && opening->port;
}

/* Deleted and added for the same reason as `alive` (ruleset_renew_alive). */
static int learn(int nl_fd, const struct learnt_set *sets, size_t set_count, const struct ruleset_opening *openings,
		 const struct ruleset_learning *learning, struct err *err)
{
	static const uint16_t steps[] = { NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM };
	char memory[RULESET_LEARN_MAX * 3 * 52 + 2048] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	nft_batch_begin(&builder);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		for (size_t k = 0; k < set_count; k++)
			put_elements(&builder, steps[i], &sets[k], openings, learning);
	return nft_batch_commit(nl_fd, &builder, NULL, err);
}

/* First, and for longer than it is let out: nothing of it goes uncounted. */
static int learn_caps(int nl_fd, const struct ruleset_opening *openings, const struct ruleset_learning *learning, struct err *err)
{
	const struct ruleset_learning longer = { learning->count, learning->lifetime_ms + CAP_LONGER_MS };
	uint32_t caps = 0;
	int r = 0;

	for (size_t i = 0; i < learning->count; i++)
		caps |= openings[i].is_turned ? 0 : openings[i].caps;
	for (size_t i = 0; i < RULESET_CAPS_MAX && !r; i++) {
		const struct cap_names names = cap_names_of(i);
		const struct learnt_set sets[] = { { names.learnt4, 4, 0, 1u << i }, { names.learnt6, 6, 0, 1u << i } };

		if (caps >> i & 1)
			r = learn(nl_fd, sets, ARRAY_SIZE(sets), openings, &longer, err);
	}
	return r;
}

int ruleset_learn(int nl_fd, const struct ruleset_opening *openings, const struct ruleset_learning *learning, struct err *err)
{
	static const struct learnt_set sets[] = { { "learnt4", 4, 0, 0 }, { "learnt6", 6, 0, 0 }, { "named4", 4, 1, 0 }, { "named6", 6, 1, 0 } };
	int r;

	if (!learning->count || learning->count > RULESET_LEARN_MAX || !learning->lifetime_ms)
		return err_set(err, EINVAL, "nf_tables: %zu addresses for %u ms can't be learnt", learning->count,
			       learning->lifetime_ms);
	for (size_t i = 0; i < learning->count; i++)
		if (!is_sound(&openings[i]))
			return err_set(err, EINVAL, "nf_tables: opening %zu is none", i);
	r = learn_caps(nl_fd, openings, learning, err);
	return r ? r : learn(nl_fd, sets, ARRAY_SIZE(sets), openings, learning, err);
}
