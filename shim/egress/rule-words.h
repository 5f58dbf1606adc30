/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words that the table's rules are written in, for ruleset-rules.c and ruleset-names.c: a rule begins in a chain, says
 * when it applies, and then what it does. Private to shim/egress.
 */
#ifndef QUOD_EGRESS_RULE_WORDS_H
#define QUOD_EGRESS_RULE_WORDS_H

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "shim/egress/denials.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/nft-expr.h"
#include "shim/egress/ruleset.h"

/* A rule is begun, gets its matches, and is ended by what it does. */
struct rule {
	struct nft_builder *builder;
	struct nft_nest nest;
};

static inline struct rule rule_in(struct nft_builder *builder, const char *chain)
{
	return (struct rule){ builder, nft_rule_begin(builder, RULESET_TABLE, chain) };
}

static inline void then(struct rule rule, int32_t code, const char *chain)
{
	nft_expr_verdict(rule.builder, code, chain);
	nft_rule_end(rule.builder, rule.nest);
}

static inline void then_goto(struct rule rule, const char *chain)
{
	then(rule, NFT_GOTO, chain);
}

/* To a chain that refuses, and why (enum denial_reason, and which cap): the log says it by the mark. */
static inline void then_refuse(struct rule rule, const char *chain, uint32_t reason)
{
	const uint32_t mark = DENIAL_MARK | reason;

	nft_expr_immediate(rule.builder, NFT_REG(0), &mark, sizeof(mark));
	nft_expr_set_meta(rule.builder, NFT_META_MARK, NFT_REG(0));
	then(rule, NFT_GOTO, chain);
}

static inline void then_count(struct rule rule, const char *counter, int32_t code)
{
	nft_expr_object(rule.builder, NFT_OBJECT_COUNTER, counter);
	then(rule, code, NULL);
}

static inline void then_reject(struct rule rule, uint32_t type)
{
	nft_expr_reject(rule.builder, type, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nft_rule_end(rule.builder, rule.nest);
}

static inline void when_byte(struct rule rule, uint32_t op, uint8_t value)
{
	nft_expr_compare(rule.builder, NFT_REG(0), op, &value, sizeof(value));
}

static inline void when_loopback(struct rule rule, uint32_t key)
{
	uint32_t index = 1;	/* the loopback's in every namespace; in host order, as the kernel keeps it */

	nft_expr_meta(rule.builder, key, NFT_REG(0));
	nft_expr_compare(rule.builder, NFT_REG(0), NFT_CMP_EQ, &index, sizeof(index));
}

static inline void when_family(struct rule rule, uint8_t nfproto)
{
	nft_expr_meta(rule.builder, NFT_META_NFPROTO, NFT_REG(0));
	when_byte(rule, NFT_CMP_EQ, nfproto);
}

static inline void when_protocol(struct rule rule, uint8_t protocol)
{
	nft_expr_meta(rule.builder, NFT_META_L4PROTO, NFT_REG(0));
	when_byte(rule, NFT_CMP_EQ, protocol);
}

static inline void when_any_bit(struct rule rule, uint32_t ct_key, uint32_t bits)
{
	uint32_t zero = 0;

	nft_expr_ct(rule.builder, ct_key, NFT_REG(0));
	nft_expr_mask(rule.builder, NFT_REG(0), &bits, sizeof(bits));
	nft_expr_compare(rule.builder, NFT_REG(0), NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* From the side that opened the connection. */
static inline void when_original(struct rule rule)
{
	nft_expr_ct(rule.builder, NFT_CT_DIRECTION, NFT_REG(0));
	when_byte(rule, NFT_CMP_EQ, 0);
}

/* Whose a connection is, of its mark. */
static inline void when_whose(struct rule rule, uint32_t op, uint32_t whose)
{
	const uint32_t mask = RULESET_WHOSE;	/* marks are in host order, as the kernel keeps them */

	nft_expr_ct(rule.builder, NFT_CT_MARK, NFT_REG(0));
	nft_expr_mask(rule.builder, NFT_REG(0), &mask, sizeof(mask));
	nft_expr_compare(rule.builder, NFT_REG(0), op, &whose, sizeof(whose));
}

/* The connection's mark keeps some bits and gets others; the rule goes on to the next. */
static inline void then_mark(struct rule rule, uint32_t kept, uint32_t set)
{
	nft_expr_ct(rule.builder, NFT_CT_MARK, NFT_REG(0));
	nft_expr_set_bits(rule.builder, NFT_REG(0), kept, set);
	nft_expr_set_ct(rule.builder, NFT_CT_MARK, NFT_REG(0));
	nft_rule_end(rule.builder, rule.nest);
}

static inline void when_state(struct rule rule, uint32_t bits)
{
	when_any_bit(rule, NFT_CT_STATE, bits);
}

static inline void when_network_byte(struct rule rule, uint32_t offset, uint8_t value)
{
	nft_expr_payload(rule.builder, (struct nft_span){ NFT_PAYLOAD_NETWORK_HEADER, offset, 1 }, NFT_REG(0));
	when_byte(rule, NFT_CMP_EQ, value);
}

/* TCP or UDP, by its destination port. */
static inline void when_port(struct rule rule, uint8_t protocol, uint16_t port)
{
	const uint8_t bytes[] = { (uint8_t)(port >> 8), (uint8_t)port };

	when_protocol(rule, protocol);
	nft_expr_payload(rule.builder, (struct nft_span){ NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2 }, NFT_REG(0));
	nft_expr_compare(rule.builder, NFT_REG(0), NFT_CMP_EQ, bytes, sizeof(bytes));
}

static inline void when_icmp_type(struct rule rule, uint32_t op, uint8_t type)
{
	nft_expr_payload(rule.builder, (struct nft_span){ NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1 }, NFT_REG(0));
	when_byte(rule, op, type);
}

static inline void when_alive(struct rule rule, bool is_inverted)
{
	nft_expr_meta(rule.builder, NFT_META_NFPROTO, NFT_REG(0));
	nft_expr_lookup(rule.builder, NFT_REG(0), "alive", is_inverted);
}

/* One side of a family: where addresses lie in its header, and what its ICMP is called. */
struct side {
	uint8_t nfproto, icmp, echo_request;
	struct nft_span source, destination;
	uint32_t registers;		/* that an address takes */
};

static const struct side side4 = {
	NFPROTO_IPV4, IPPROTO_ICMP, ICMP_ECHO,
	{ NFT_PAYLOAD_NETWORK_HEADER, 12, 4 }, { NFT_PAYLOAD_NETWORK_HEADER, 16, 4 }, 1,
};
static const struct side side6 = {
	NFPROTO_IPV6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST,
	{ NFT_PAYLOAD_NETWORK_HEADER, 8, 16 }, { NFT_PAYLOAD_NETWORK_HEADER, 24, 16 }, 4,
};

static inline void when_in_addresses(struct rule rule, struct nft_span address, const char *set)
{
	nft_expr_payload(rule.builder, address, NFT_REG(0));
	nft_expr_lookup(rule.builder, NFT_REG(0), set, false);
}

/* address . protocol . destination port; of ICMP, bytes 2 and 3 are read as one, and the sets hold all ports there. */
static inline void when_in_triples(struct rule rule, const struct side *side, struct nft_span address, const char *set)
{
	nft_expr_payload(rule.builder, address, NFT_REG(0));
	nft_expr_meta(rule.builder, NFT_META_L4PROTO, NFT_REG(side->registers));
	nft_expr_payload(rule.builder, (struct nft_span){ NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2 },
			 NFT_REG(side->registers + 1));
	nft_expr_lookup(rule.builder, NFT_REG(0), set, false);
}

/* An echo request is learnt with port 0: of ICMP the bytes that are read as a port are the checksum. */
static inline void when_learnt_echo(struct rule rule, const struct side *side, const char *set)
{
	static const uint8_t none[] = { 0, 0 };

	when_protocol(rule, side->icmp);
	nft_expr_payload(rule.builder, side->destination, NFT_REG(0));
	nft_expr_meta(rule.builder, NFT_META_L4PROTO, NFT_REG(side->registers));
	nft_expr_immediate(rule.builder, NFT_REG(side->registers + 1), none, sizeof(none));
	nft_expr_lookup(rule.builder, NFT_REG(0), set, false);
}

#define STATE_ESTABLISHED NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
#define STATE_RELATED NF_CT_STATE_BIT(IP_CT_RELATED)

#endif
