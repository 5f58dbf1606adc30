/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expressions of a rule, one function each, put into the open message. A rule is a list of matches (the first that
 * fails, or can't be evaluated, ends it) and statements. Registers are four bytes each; a longer value runs on into the next.
 */
#ifndef QUOD_EGRESS_NFT_EXPR_H
#define QUOD_EGRESS_NFT_EXPR_H

#include <linux/netfilter/nf_tables.h>

#include "shim/egress/nft-message.h"

/* Register number `n` of the sixteen. */
#define NFT_REG(n) ((uint32_t)(NFT_REG32_00 + (n)))

struct nft_nest nft_rule_begin(struct nft_builder *builder, const char *table, const char *chain);
void nft_rule_end(struct nft_builder *builder, struct nft_nest rule);

/* Load into a register. */
void nft_expr_meta(struct nft_builder *builder, uint32_t key, uint32_t reg);
void nft_expr_ct(struct nft_builder *builder, uint32_t key, uint32_t reg);
struct nft_span {
	uint32_t base, offset, len;	/* base: enum nft_payload_bases; bytes */
};
void nft_expr_payload(struct nft_builder *builder, struct nft_span span, uint32_t reg);
void nft_expr_header_exists(struct nft_builder *builder, uint8_t ipv6_header, uint32_t reg);	/* 1 or 0, one byte */

void nft_expr_immediate(struct nft_builder *builder, uint32_t reg, const void *bytes, uint32_t len);

/* The connection's `key` (its mark) becomes what the register holds. */
void nft_expr_set_ct(struct nft_builder *builder, uint32_t key, uint32_t reg);

/* The packet's `key` (its mark) becomes what the register holds. */
void nft_expr_set_meta(struct nft_builder *builder, uint32_t key, uint32_t reg);

/* So many bytes of the packet go to who listens to the group (NFLOG), and the rule goes on. */
void nft_expr_log(struct nft_builder *builder, uint16_t group, uint32_t bytes);

/* reg = reg & mask, `mask` as it lies in memory. */
void nft_expr_mask(struct nft_builder *builder, uint32_t reg, const void *mask, uint32_t len);

/* reg = (reg & kept) | set, of four bytes in host order; no bit is both kept and set. */
void nft_expr_set_bits(struct nft_builder *builder, uint32_t reg, uint32_t kept, uint32_t set);

/* Match. `op`: enum nft_cmp_ops. */
void nft_expr_compare(struct nft_builder *builder, uint32_t reg, uint32_t op, const void *bytes, uint32_t len);
void nft_expr_lookup(struct nft_builder *builder, uint32_t reg, const char *set, bool is_inverted);

/* Matches what is over the rate: so many bytes (`is_bytes`) or packets in so many seconds, after a first burst. */
struct nft_rate {
	uint64_t count, seconds;
	uint32_t burst;
	bool is_bytes;
};
void nft_expr_over_rate(struct nft_builder *builder, const struct nft_rate *rate);

/* A named object: a counter counts, a quota matches when it is used up (both by how the object was made). */
void nft_expr_object(struct nft_builder *builder, uint32_t type, const char *name);

/* Statements that end the rule. `code`: NF_ACCEPT, NF_DROP, or NFT_GOTO, NFT_JUMP with a chain. */
void nft_expr_verdict(struct nft_builder *builder, int32_t code, const char *chain);
void nft_expr_reject(struct nft_builder *builder, uint32_t type, uint8_t icmp_code);
void nft_expr_redirect(struct nft_builder *builder, uint32_t port_reg);	/* to the port in the register, of this machine */

#endif
