/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expressions of a rule: see nft-expr.h. Must never put half an expression: the builder as a whole fails instead. */
#include "shim/egress/nft-expr.h"

#include <linux/netfilter.h>

#include "shim/egress/nft-batch.h"

/* An expression: an element of the list, its name, and its own attributes. */
struct expr {
	struct nft_nest element, body;
};

static struct expr expr_begin(struct nft_builder *builder, const char *name)
{
	struct expr expr;

	expr.element = nft_nest_begin(builder, NFTA_LIST_ELEM);
	nft_put_text(builder, NFTA_EXPR_NAME, name);
	expr.body = nft_nest_begin(builder, NFTA_EXPR_DATA);
	return expr;
}

static void expr_end(struct nft_builder *builder, struct expr expr)
{
	nft_nest_end(builder, expr.body);
	nft_nest_end(builder, expr.element);
}

static void put_value(struct nft_builder *builder, uint16_t type, const void *bytes, uint32_t len)
{
	struct nft_nest nest = nft_nest_begin(builder, type);

	nft_put(builder, NFTA_DATA_VALUE, bytes, len);
	nft_nest_end(builder, nest);
}

struct nft_nest nft_rule_begin(struct nft_builder *builder, const char *table, const char *chain)
{
	nft_batch_message(builder, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nft_put_text(builder, NFTA_RULE_TABLE, table);
	nft_put_text(builder, NFTA_RULE_CHAIN, chain);
	return nft_nest_begin(builder, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft_builder *builder, struct nft_nest rule)
{
	nft_nest_end(builder, rule);
}

void nft_expr_meta(struct nft_builder *builder, uint32_t key, uint32_t reg)
{
	struct expr expr = expr_begin(builder, "meta");

	nft_put_be32(builder, NFTA_META_KEY, key);
	nft_put_be32(builder, NFTA_META_DREG, reg);
	expr_end(builder, expr);
}

void nft_expr_ct(struct nft_builder *builder, uint32_t key, uint32_t reg)
{
	struct expr expr = expr_begin(builder, "ct");

	nft_put_be32(builder, NFTA_CT_KEY, key);
	nft_put_be32(builder, NFTA_CT_DREG, reg);
	expr_end(builder, expr);
}

void nft_expr_payload(struct nft_builder *builder, struct nft_span span, uint32_t reg)
{
	struct expr expr = expr_begin(builder, "payload");

	nft_put_be32(builder, NFTA_PAYLOAD_DREG, reg);
	nft_put_be32(builder, NFTA_PAYLOAD_BASE, span.base);
	nft_put_be32(builder, NFTA_PAYLOAD_OFFSET, span.offset);
	nft_put_be32(builder, NFTA_PAYLOAD_LEN, span.len);
	expr_end(builder, expr);
}

void nft_expr_header_exists(struct nft_builder *builder, uint8_t ipv6_header, uint32_t reg)
{
	struct expr expr = expr_begin(builder, "exthdr");

	nft_put_be32(builder, NFTA_EXTHDR_DREG, reg);
	nft_put_u8(builder, NFTA_EXTHDR_TYPE, ipv6_header);
	nft_put_be32(builder, NFTA_EXTHDR_OFFSET, 0);
	nft_put_be32(builder, NFTA_EXTHDR_LEN, 1);
	nft_put_be32(builder, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
	nft_put_be32(builder, NFTA_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
	expr_end(builder, expr);
}

void nft_expr_immediate(struct nft_builder *builder, uint32_t reg, const void *bytes, uint32_t len)
{
	struct expr expr = expr_begin(builder, "immediate");

	nft_put_be32(builder, NFTA_IMMEDIATE_DREG, reg);
	put_value(builder, NFTA_IMMEDIATE_DATA, bytes, len);
	expr_end(builder, expr);
}

void nft_expr_set_ct(struct nft_builder *builder, uint32_t key, uint32_t reg)
{
	struct expr expr = expr_begin(builder, "ct");

	nft_put_be32(builder, NFTA_CT_KEY, key);
	nft_put_be32(builder, NFTA_CT_SREG, reg);
	expr_end(builder, expr);
}

void nft_expr_set_meta(struct nft_builder *builder, uint32_t key, uint32_t reg)
{
	struct expr expr = expr_begin(builder, "meta");

	nft_put_be32(builder, NFTA_META_KEY, key);
	nft_put_be32(builder, NFTA_META_SREG, reg);
	expr_end(builder, expr);
}

static void put_be16(struct nft_builder *builder, uint16_t type, uint16_t value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	nft_put(builder, type, bytes, sizeof(bytes));
}

/* Each packet is told at once, not when some have gathered. */
void nft_expr_log(struct nft_builder *builder, uint16_t group, uint32_t bytes)
{
	struct expr expr = expr_begin(builder, "log");

	put_be16(builder, NFTA_LOG_GROUP, group);
	nft_put_be32(builder, NFTA_LOG_SNAPLEN, bytes);
	put_be16(builder, NFTA_LOG_QTHRESHOLD, 1);
	expr_end(builder, expr);
}

void nft_expr_mask(struct nft_builder *builder, uint32_t reg, const void *mask, uint32_t len)
{
	static const uint8_t zero[16];
	struct expr expr = expr_begin(builder, "bitwise");

	if (len > sizeof(zero))
		builder->failed = true;
	nft_put_be32(builder, NFTA_BITWISE_SREG, reg);
	nft_put_be32(builder, NFTA_BITWISE_DREG, reg);
	nft_put_be32(builder, NFTA_BITWISE_LEN, len);
	put_value(builder, NFTA_BITWISE_MASK, mask, len);
	put_value(builder, NFTA_BITWISE_XOR, zero, len);
	expr_end(builder, expr);
}

void nft_expr_set_bits(struct nft_builder *builder, uint32_t reg, uint32_t kept, uint32_t set)
{
	struct expr expr = expr_begin(builder, "bitwise");

	kept &= ~set;
	nft_put_be32(builder, NFTA_BITWISE_SREG, reg);
	nft_put_be32(builder, NFTA_BITWISE_DREG, reg);
	nft_put_be32(builder, NFTA_BITWISE_LEN, sizeof(kept));
	put_value(builder, NFTA_BITWISE_MASK, &kept, sizeof(kept));
	put_value(builder, NFTA_BITWISE_XOR, &set, sizeof(set));
	expr_end(builder, expr);
}

void nft_expr_compare(struct nft_builder *builder, uint32_t reg, uint32_t op, const void *bytes, uint32_t len)
{
	struct expr expr = expr_begin(builder, "cmp");

	nft_put_be32(builder, NFTA_CMP_SREG, reg);
	nft_put_be32(builder, NFTA_CMP_OP, op);
	put_value(builder, NFTA_CMP_DATA, bytes, len);
	expr_end(builder, expr);
}

void nft_expr_lookup(struct nft_builder *builder, uint32_t reg, const char *set, bool is_inverted)
{
	struct expr expr = expr_begin(builder, "lookup");

	nft_put_text(builder, NFTA_LOOKUP_SET, set);
	nft_put_be32(builder, NFTA_LOOKUP_SREG, reg);
	if (is_inverted)
		nft_put_be32(builder, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_end(builder, expr);
}

void nft_expr_over_rate(struct nft_builder *builder, const struct nft_rate *rate)
{
	struct expr expr = expr_begin(builder, "limit");

	nft_put_be64(builder, NFTA_LIMIT_RATE, rate->count);
	nft_put_be64(builder, NFTA_LIMIT_UNIT, rate->seconds);
	nft_put_be32(builder, NFTA_LIMIT_BURST, rate->burst);
	nft_put_be32(builder, NFTA_LIMIT_TYPE, rate->is_bytes ? NFT_LIMIT_PKT_BYTES : NFT_LIMIT_PKTS);
	nft_put_be32(builder, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
	expr_end(builder, expr);
}

void nft_expr_object(struct nft_builder *builder, uint32_t type, const char *name)
{
	struct expr expr = expr_begin(builder, "objref");

	nft_put_be32(builder, NFTA_OBJREF_IMM_TYPE, type);
	nft_put_text(builder, NFTA_OBJREF_IMM_NAME, name);
	expr_end(builder, expr);
}

void nft_expr_verdict(struct nft_builder *builder, int32_t code, const char *chain)
{
	struct expr expr = expr_begin(builder, "immediate");
	struct nft_nest data, verdict;

	nft_put_be32(builder, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nft_nest_begin(builder, NFTA_IMMEDIATE_DATA);
	verdict = nft_nest_begin(builder, NFTA_DATA_VERDICT);
	nft_put_be32(builder, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		nft_put_text(builder, NFTA_VERDICT_CHAIN, chain);
	nft_nest_end(builder, verdict);
	nft_nest_end(builder, data);
	expr_end(builder, expr);
}

void nft_expr_reject(struct nft_builder *builder, uint32_t type, uint8_t icmp_code)
{
	struct expr expr = expr_begin(builder, "reject");

	nft_put_be32(builder, NFTA_REJECT_TYPE, type);
	if (type != NFT_REJECT_TCP_RST)
		nft_put_u8(builder, NFTA_REJECT_ICMP_CODE, icmp_code);
	expr_end(builder, expr);
}

void nft_expr_redirect(struct nft_builder *builder, uint32_t port_reg)
{
	struct expr expr = expr_begin(builder, "redir");

	nft_put_be32(builder, NFTA_REDIR_REG_PROTO_MIN, port_reg);
	expr_end(builder, expr);
}
