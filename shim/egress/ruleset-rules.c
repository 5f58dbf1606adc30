/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table's chains and rules, as messages: see ruleset-parts.h. A packet out is judged at -150, after conntrack and before
 * any NAT, so by where it was meant to go; `last` sees where it truly goes. Must never accept what no rule names: the base
 * chains drop, and a match that can't be evaluated ends its rule, so no rule that refuses may stand alone on such a match.
 */
#include "shim/base/cleanup.h"
#include "shim/egress/rule-words.h"
#include "shim/egress/ruleset-caps.h"
#include "shim/egress/ruleset-names.h"
#include "shim/egress/ruleset-parts.h"

#define PRIORITY_JUDGE (-150)
#define PRIORITY_REDIRECT (-110)	/* before the engine's own NAT at -100 */
#define PRIORITY_WALL 0
#define PRIORITY_LAST 300

/* Each refusal to the outside is a packet of the container's: a flood of knocks must not eat its budget. */
#define KNOCKS_PER_SECOND 50

/* Whoever joins a multicast group writes its address, which he chooses, into a report to the whole link. */
#define REPORTS_PER_MINUTE 12

/* What a bucket holds at least: one packet of segmentation offload must fit, or it would never pass. */
#define BURST_LEAST (128u << 10)

const struct ruleset_chain ruleset_chains[] = {
	{ "reject", CHAIN_NOT_BASE, 0, 0, 2, 0 },
	{ "bar", CHAIN_NOT_BASE, 0, 0, 4, 0 },
	{ "observed", CHAIN_NOT_BASE, 0, 0, 0, 0, 0, false, 1 },
	{ "refuse", CHAIN_NOT_BASE, 0, 0, 4, 0 },
	{ "lapsed", CHAIN_NOT_BASE, 0, 0, 3, 0 },
	{ .name = "weigh", .hook = CHAIN_NOT_BASE, .per_cap = 2 },
	{ .name = "caps4", .hook = CHAIN_NOT_BASE, .per_cap = 1, .per_cap_named = 2 },
	{ .name = "caps6", .hook = CHAIN_NOT_BASE, .per_cap = 1, .per_cap_named = 2 },
	{ .name = "pass", .hook = CHAIN_NOT_BASE, .rules = 4, .optional = 1, .capped = 4 },
	{ "reports", CHAIN_NOT_BASE, 0, 0, 2, 0 },
	{ "near_out", CHAIN_NOT_BASE, 0, 0, 6, 0 },
	{ "turned", CHAIN_NOT_BASE, 0, 0, 0, 0, 3 },
	{ "out4", CHAIN_NOT_BASE, 0, 0, 13, 0, 5 },
	{ "out6", CHAIN_NOT_BASE, 0, 0, 14, 0, 5 },
	{ "closed", CHAIN_NOT_BASE, 0, 0, 3, 0 },
	{ "near_in", CHAIN_NOT_BASE, 0, 0, 4, 0 },
	{ "in4", CHAIN_NOT_BASE, 0, 0, 8, 0 },
	{ "in6", CHAIN_NOT_BASE, 0, 0, 8, 0 },
	{ "local", CHAIN_NOT_BASE, 0, 0, 0, 0, 8 },
	{ "output", NF_INET_LOCAL_OUT, PRIORITY_JUDGE, NF_DROP, 3, 0, 5, .capped_named = 1 },
	{ "input", NF_INET_LOCAL_IN, PRIORITY_JUDGE, NF_DROP, 3, 0 },
	{ "forward", NF_INET_FORWARD, PRIORITY_JUDGE, NF_DROP, 1, 0 },
	{ "redirects", NF_INET_LOCAL_OUT, PRIORITY_REDIRECT, NF_ACCEPT, 0, 0, 14, true },
	{ "wall", NF_INET_LOCAL_OUT, PRIORITY_WALL, NF_ACCEPT, 0, 0, 3 },
	{ "last", NF_INET_POST_ROUTING, PRIORITY_LAST, NF_ACCEPT, 6, 0, 4 },
};
const size_t ruleset_chain_count = ARRAY_SIZE(ruleset_chains);

void ruleset_put_table(struct nft_builder *builder, uint32_t flags)
{
	nft_batch_message(builder, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	nft_put_text(builder, NFTA_TABLE_NAME, RULESET_TABLE);
	if (flags)
		nft_put_be32(builder, NFTA_TABLE_FLAGS, flags);
}

static void put_chain(struct nft_builder *builder, const struct ruleset_chain *chain)
{
	struct nft_nest hook;

	nft_batch_message(builder, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	nft_put_text(builder, NFTA_CHAIN_TABLE, RULESET_TABLE);
	nft_put_text(builder, NFTA_CHAIN_NAME, chain->name);
	if (chain->hook == CHAIN_NOT_BASE)
		return;
	hook = nft_nest_begin(builder, NFTA_CHAIN_HOOK);
	nft_put_be32(builder, NFTA_HOOK_HOOKNUM, (uint32_t)chain->hook);
	nft_put_be32(builder, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
	nft_nest_end(builder, hook);
	nft_put_be32(builder, NFTA_CHAIN_POLICY, chain->policy);
	nft_put_text(builder, NFTA_CHAIN_TYPE, chain->is_nat ? "nat" : "filter");
}

uint32_t ruleset_chain_rules(const struct ruleset_chain *chain, const struct ruleset_parts *parts)
{
	uint32_t count = chain->rules + (parts->observes ? chain->observed : 0);

	if (parts->cap_count)
		count += chain->capped + (uint32_t)parts->cap_count * chain->per_cap;
	if (parts->has_names)
		count += chain->named;
	if (parts->has_names && parts->cap_count)
		count += chain->capped_named + (uint32_t)parts->cap_count * chain->per_cap_named;
	return count;
}

void ruleset_put_chains(struct nft_builder *builder, const struct ruleset *ruleset)
{
	const struct ruleset_parts parts = { ruleset->has_names, ruleset->observes, ruleset->cap_count };

	for (size_t i = 0; i < ruleset_chain_count; i++)
		if (ruleset_chain_rules(&ruleset_chains[i], &parts))
			put_chain(builder, &ruleset_chains[i]);
}

/* What is more than can be told one by one is counted. */
static void put_told(struct nft_builder *b, const char *chain, const char *then_to)
{
	static const struct nft_rate told = { DENIALS_PER_SECOND, 1, DENIALS_PER_SECOND, false };
	struct rule rule = rule_in(b, chain);

	nft_expr_object(b, NFT_OBJECT_COUNTER, "denied");
	nft_rule_end(b, rule.nest);
	rule = rule_in(b, chain);
	nft_expr_over_rate(b, &told);
	nft_expr_object(b, NFT_OBJECT_COUNTER, "untold");
	then_goto(rule, then_to);
	rule = rule_in(b, chain);
	nft_expr_log(b, DENIALS_GROUP, DENIALS_BYTES);
	nft_rule_end(b, rule.nest);
	then_goto(rule_in(b, chain), then_to);
}

/* TCP: a reset, since an ICMP error reaches a connecting IPv6 socket only after a second. What the profile refuses passes where
 * it only observes; what `bar` refuses never does. */
static void put_refuse(struct nft_builder *b, bool observes)
{
	const uint32_t no_mark = 0;
	struct rule rule = rule_in(b, "reject");

	when_protocol(rule, IPPROTO_TCP);
	then_reject(rule, NFT_REJECT_TCP_RST);
	then_reject(rule_in(b, "reject"), NFT_REJECT_ICMPX_UNREACH);
	put_told(b, "bar", "reject");
	put_told(b, "refuse", observes ? "observed" : "reject");
	if (!observes)
		return;
	rule = rule_in(b, "observed");
	nft_expr_immediate(b, NFT_REG(0), &no_mark, sizeof(no_mark));
	nft_expr_set_meta(b, NFT_META_MARK, NFT_REG(0));
	then_goto(rule, "pass");
}

/* The switch has lapsed: what is established waits for the renewal, at the price of a retransmission; the rest is refused. */
static void put_lapsed(struct nft_builder *b)
{
	struct rule rule = rule_in(b, "lapsed");

	when_state(rule, STATE_ESTABLISHED | STATE_RELATED);
	then_count(rule, "denied", NF_DROP);
	rule = rule_in(b, "lapsed");
	when_state(rule, NF_CT_STATE_INVALID_BIT);
	then_count(rule, "denied", NF_DROP);
	then_refuse(rule_in(b, "lapsed"), "bar", DENIED_LAPSED);
}

/* Everything that leaves comes through here once. Rate and quota come after the verdict: in front of it they would be
 * eaten by packets that are refused. */
static void put_pass(struct nft_builder *b, uint64_t bytes_per_second, bool has_caps)
{
	uint64_t burst = bytes_per_second / 10;
	struct rule rule = rule_in(b, "pass");

	when_alive(rule, true);
	then_goto(rule, "lapsed");
	if (bytes_per_second != UINT64_MAX) {
		struct nft_rate rate = { bytes_per_second, 1, BURST_LEAST, true };

		if (burst > BURST_LEAST)
			rate.burst = burst > UINT32_MAX ? UINT32_MAX : (uint32_t)burst;
		rule = rule_in(b, "pass");
		nft_expr_over_rate(b, &rate);
		then_count(rule, "denied", NF_DROP);
	}
	if (has_caps)
		caps_put_weighing(b, "pass");
	rule = rule_in(b, "pass");
	nft_expr_object(b, NFT_OBJECT_QUOTA, "spent");
	then_refuse(rule, "bar", DENIED_SPENT);
	rule = rule_in(b, "pass");
	when_state(rule, NF_CT_STATE_BIT(IP_CT_NEW));
	when_whose(rule, NFT_CMP_EQ, 0);
	then_mark(rule, ~RULESET_WHOSE, RULESET_LET_OUT);
	if (has_caps)
		caps_put_known(b, "pass");
	then_count(rule_in(b, "pass"), "out", NF_ACCEPT);
}

/* Messages that stay on the link: their hop limit shows it. */
struct near {
	uint8_t type, hop_limit;
	const char *chain;	/* where it goes on; NULL: accepted */
};

static void put_near(struct nft_builder *b, const char *chain, const struct near *nears, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct rule rule = rule_in(b, chain);

		when_icmp_type(rule, NFT_CMP_EQ, nears[i].type);
		when_network_byte(rule, 7, nears[i].hop_limit);
		if (nears[i].chain)
			then_goto(rule, nears[i].chain);
		else
			then(rule, NF_ACCEPT, NULL);
	}
}

/* Neighbour discovery is IPv6's ARP, and conntrack doesn't track it. Reports keep a switch that looks into multicast from
 * cutting that off; a few are enough. */
static void put_nears(struct nft_builder *b)
{
	static const struct nft_rate reports = { REPORTS_PER_MINUTE, 60, REPORTS_PER_MINUTE, false };
	static const struct near out[] = {
		{ ND_NEIGHBOR_SOLICIT, 255, NULL }, { ND_NEIGHBOR_ADVERT, 255, NULL }, { ND_ROUTER_SOLICIT, 255, NULL },
		{ MLD_LISTENER_REPORT, 1, "reports" }, { MLD_LISTENER_REDUCTION, 1, "reports" },
		{ 143 /* of MLDv2 */, 1, "reports" },
	};
	static const struct near in[] = {
		{ ND_NEIGHBOR_SOLICIT, 255, NULL }, { ND_NEIGHBOR_ADVERT, 255, NULL }, { ND_ROUTER_ADVERT, 255, NULL },
		{ MLD_LISTENER_QUERY, 1, NULL },
	};
	struct rule rule = rule_in(b, "reports");

	nft_expr_over_rate(b, &reports);
	then_count(rule, "denied", NF_DROP);
	then(rule_in(b, "reports"), NF_ACCEPT, NULL);
	put_near(b, "near_out", out, ARRAY_SIZE(out));
	put_near(b, "near_in", in, ARRAY_SIZE(in));
}

static void jump_near(struct nft_builder *b, const char *chain, const char *near)
{
	struct rule rule = rule_in(b, chain);

	when_protocol(rule, IPPROTO_ICMPV6);
	then(rule, NFT_JUMP, near);
}

/* A header that names a further stop would carry the packet on from an allowed address; an established connection's
 * packets can have one too. */
static void refuse_source_routes(struct nft_builder *b, const char *chain, const struct side *side)
{
	struct rule rule = rule_in(b, chain);

	if (side == &side4) {	/* header longer than five words: options */
		static const uint8_t mask = 0x0f, words = 5;

		nft_expr_payload(b, (struct nft_span){ NFT_PAYLOAD_NETWORK_HEADER, 0, 1 }, NFT_REG(0));
		nft_expr_mask(b, NFT_REG(0), &mask, sizeof(mask));
		when_byte(rule, NFT_CMP_NEQ, words);
	} else {
		nft_expr_header_exists(b, IPPROTO_ROUTING, NFT_REG(0));
		when_byte(rule, NFT_CMP_EQ, 1);
	}
	then_refuse(rule, "refuse", DENIED_ROUTE);
}

/* A reset that refuses somebody's connection to us is related to it. */
static void pass_own_resets(struct nft_builder *b, const char *chain)
{
	static const uint8_t rst = 0x04, none = 0;
	struct rule rule = rule_in(b, chain);

	when_protocol(rule, IPPROTO_TCP);
	when_state(rule, STATE_RELATED);
	nft_expr_payload(b, (struct nft_span){ NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1 }, NFT_REG(0));
	nft_expr_mask(b, NFT_REG(0), &rst, sizeof(rst));
	when_byte(rule, NFT_CMP_NEQ, none);
	then_goto(rule, "pass");
}

/* Of what is related, only ICMP errors and resets; no helper opens anything. */
static void put_known(struct nft_builder *b, const char *chain, const struct side *side, bool has_names)
{
	struct rule rule = rule_in(b, chain);

	when_state(rule, NF_CT_STATE_INVALID_BIT);
	then_count(rule, "denied", NF_DROP);
	if (has_names)
		names_put_known(b, chain);
	rule = rule_in(b, chain);
	when_state(rule, STATE_ESTABLISHED);
	then_goto(rule, "pass");
	rule = rule_in(b, chain);
	when_protocol(rule, side->icmp);
	when_state(rule, STATE_RELATED);
	then_goto(rule, "pass");
	pass_own_resets(b, chain);
}

/* An echo request is the one ICMP message that can be allowed or let in. */
static void only_echo(struct nft_builder *b, const char *chain, const struct side *side, const char *otherwise)
{
	struct rule rule = rule_in(b, chain);

	when_protocol(rule, side->icmp);
	when_icmp_type(rule, NFT_CMP_NEQ, side->echo_request);
	then_goto(rule, otherwise);
}

static void judge(struct nft_builder *b, const char *chain, const struct side *side, const char *const sets[8])
{
	static const struct {
		bool is_triple, passes;
		enum denial_reason reason;
	} verdicts[] = {
		{ .reason = DENIED_RULE }, { .is_triple = true, .reason = DENIED_RULE }, { .is_triple = true, .passes = true },
		{ .is_triple = true, .passes = true },
		{ .reason = DENIED_NEVER }, { .is_triple = true, .passes = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct rule rule = rule_in(b, chain);

		if (verdicts[i].is_triple)
			when_in_triples(rule, side, side->destination, sets[i]);
		else
			when_in_addresses(rule, side->destination, sets[i]);
		if (verdicts[i].passes)
			then_goto(rule, "pass");
		else
			then_refuse(rule, "refuse", verdicts[i].reason);
	}
	if (sets[6])
		names_put_learnt(b, chain, side, sets + 6);
	then_goto(rule_in(b, chain), "refuse");
}

static void put_out(struct nft_builder *b, const char *chain, const struct side *side, const char *const sets[8])
{
	if (side == &side6)
		jump_near(b, chain, "near_out");
	refuse_source_routes(b, chain, side);
	put_known(b, chain, side, sets[6]);
	only_echo(b, chain, side, "refuse");
	judge(b, chain, side, sets);
}

static void put_closed(struct nft_builder *b, bool observes)
{
	static const struct nft_rate knocks = { KNOCKS_PER_SECOND, 1, KNOCKS_PER_SECOND, false };
	struct rule rule = rule_in(b, "closed");

	nft_expr_object(b, NFT_OBJECT_COUNTER, "denied");
	nft_rule_end(b, rule.nest);
	if (observes)
		then_count(rule_in(b, "closed"), "in", NF_ACCEPT);
	rule = rule_in(b, "closed");
	nft_expr_over_rate(b, &knocks);
	then(rule, NF_DROP, NULL);
	if (!observes)
		then_goto(rule_in(b, "closed"), "reject");
}

/* A redirect is related, too, and would let a neighbour choose the way; IPv6's isn't tracked, and so is not let in. */
static void drop_redirects(struct nft_builder *b, const char *chain)
{
	struct rule rule = rule_in(b, chain);

	when_protocol(rule, IPPROTO_ICMP);
	when_icmp_type(rule, NFT_CMP_EQ, ICMP_REDIRECT);
	then_count(rule, "denied", NF_DROP);
}

static void put_in(struct nft_builder *b, const char *chain, const struct side *side, const char *set)
{
	struct rule rule;

	if (side == &side6)
		jump_near(b, chain, "near_in");
	rule = rule_in(b, chain);
	when_state(rule, NF_CT_STATE_INVALID_BIT);
	then_count(rule, "denied", NF_DROP);
	rule = rule_in(b, chain);
	when_alive(rule, true);
	then_count(rule, "denied", NF_DROP);
	rule = rule_in(b, chain);
	when_state(rule, STATE_ESTABLISHED);
	then_count(rule, "in", NF_ACCEPT);
	if (side == &side4)
		drop_redirects(b, chain);
	rule = rule_in(b, chain);
	when_protocol(rule, side->icmp);
	when_state(rule, STATE_RELATED);
	then_count(rule, "in", NF_ACCEPT);
	only_echo(b, chain, side, "closed");
	rule = rule_in(b, chain);
	when_in_triples(rule, side, side->source, set);
	then_count(rule, "in", NF_ACCEPT);
	then_goto(rule_in(b, chain), "closed");
}

static void put_families(struct nft_builder *b, const char *chain, const char *v4, const char *v6)
{
	struct rule rule = rule_in(b, chain);

	when_family(rule, NFPROTO_IPV4);
	then_goto(rule, v4);
	rule = rule_in(b, chain);
	when_family(rule, NFPROTO_IPV6);
	then_goto(rule, v6);
}

static void put_output(struct nft_builder *b, bool has_names, bool has_caps)
{
	struct rule rule;

	if (has_names)
		names_put_marks(b, "output", has_caps);
	rule = rule_in(b, "output");
	when_loopback(rule, NFT_META_OIF);
	if (has_names)
		then_goto(rule, "local");
	else
		then(rule, NF_ACCEPT, NULL);
	if (has_names)
		names_put_queries(b, "output");
	put_families(b, "output", "out4", "out6");
}

static void put_input(struct nft_builder *b)
{
	struct rule rule = rule_in(b, "input");

	when_loopback(rule, NFT_META_IIF);
	then(rule, NF_ACCEPT, NULL);
	put_families(b, "input", "in4", "in6");
}

/* In the output hook a redirected packet still shows the interface that it was routed to before; here it is the true one.
 * So: no loopback address leaves by a cable, and nothing leaves for another place than the one that was judged. */
static void put_last(struct nft_builder *b, bool has_names)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	const struct nft_span spans4[] = { side4.destination, side4.source };
	const struct nft_span spans6[] = { side6.destination, side6.source };
	struct rule rule = rule_in(b, "last");

	when_loopback(rule, NFT_META_OIF);
	then(rule, NF_ACCEPT, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(spans4); i++) {
		rule = rule_in(b, "last");
		when_family(rule, NFPROTO_IPV4);
		when_network_byte(rule, spans4[i].offset, 127);
		then_count(rule, "denied", NF_DROP);
	}
	for (size_t i = 0; i < ARRAY_SIZE(spans6); i++) {
		rule = rule_in(b, "last");
		when_family(rule, NFPROTO_IPV6);
		nft_expr_payload(b, spans6[i], NFT_REG(0));
		nft_expr_compare(b, NFT_REG(0), NFT_CMP_EQ, loopback6, sizeof(loopback6));
		then_count(rule, "denied", NF_DROP);
	}
	if (has_names)
		names_put_last(b, "last");
	rule = rule_in(b, "last");
	when_original(rule);
	when_any_bit(rule, NFT_CT_STATUS, IPS_DST_NAT);
	then_count(rule, "denied", NF_DROP);
}

void ruleset_put_rules(struct nft_builder *b, const struct ruleset *ruleset)
{
	const char *const sets4[] = { "denyall4", "deny4", "opened4", "exact4", "never4", "allow4",
					ruleset->has_names ? "learnt4" : NULL, "named4" };
	const char *const sets6[] = { "denyall6", "deny6", "opened6", "exact6", "never6", "allow6",
					ruleset->has_names ? "learnt6" : NULL, "named6" };

	put_refuse(b, ruleset->observes);
	put_lapsed(b);
	put_pass(b, ruleset->rate, ruleset->cap_count);
	put_nears(b);
	put_out(b, "out4", &side4, sets4);
	put_out(b, "out6", &side6, sets6);
	put_closed(b, ruleset->observes);
	put_in(b, "in4", &side4, "ingress4");
	put_in(b, "in6", &side6, "ingress6");
	put_output(b, ruleset->has_names, ruleset->cap_count);
	put_input(b);
	then_count(rule_in(b, "forward"), "denied", NF_DROP);
	caps_put_chains(b, ruleset);
	if (ruleset->has_names)
		names_put_chains(b);
	put_last(b, ruleset->has_names);
}
