/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table is made of, shared by the files that install it and the one that inspects it. Private to shim/egress.
 */
#ifndef QUOD_EGRESS_RULESET_PARTS_H
#define QUOD_EGRESS_RULESET_PARTS_H

#include "shim/egress/nft-message.h"
#include "shim/egress/ruleset.h"

#define CHAIN_NOT_BASE (-1)
#define RULESET_QUOTA "spent"	/* the egress budget */

struct ruleset_chain {
	const char *name;
	int hook;		/* enum nf_inet_hooks, or CHAIN_NOT_BASE: then priority and policy mean nothing */
	int32_t priority;
	uint32_t policy;	/* NF_DROP, NF_ACCEPT */
	uint32_t rules;		/* how many it holds, the optional one not counted; 0: only there where one of the next is */
	uint32_t optional;	/* 1: one more when the ruleset has a rate */
	uint32_t named;		/* so many more when names are allowed */
	bool is_nat;
	uint32_t observed;	/* so many when the ruleset observes; only there then */
	uint32_t capped, capped_named;	/* so many more when there are caps; and so many when names are allowed besides */
	uint32_t per_cap, per_cap_named;	/* the same, of each */
};
extern const struct ruleset_chain ruleset_chains[];
extern const size_t ruleset_chain_count;

enum ruleset_set_kind {
	SET_ADDRESSES,		/* intervals of addresses */
	SET_TRIPLES,		/* address . protocol . port, each an interval */
	SET_ALIVE,		/* nf_proto with a timeout: the dead man's switch */
	SET_OPENED,		/* as SET_TRIPLES, with a timeout: what an administrator opens at run time */
	SET_LEARNT,		/* address . protocol . port, one each, with a timeout: what names led to; only with names */
};

struct ruleset_set {
	const char *name;
	enum ruleset_set_kind kind;
	uint8_t family;		/* 4 or 6; 0 for SET_ALIVE */
	size_t ranges;		/* offset of its struct rule_ranges in struct ruleset */
};
extern const struct ruleset_set ruleset_sets[];
extern const size_t ruleset_set_count;

/* The key of a concatenation: address, protocol, port, each padded to four bytes. `key` holds 24 bytes; returns its length. */
#define RULESET_KEY_MAX 24
uint32_t ruleset_put_key(uint8_t family, const uint8_t address[16], uint8_t protocol, uint16_t port,
			 uint8_t key[RULESET_KEY_MAX]);

/* The parts of the batch, in this order. `flags` of NEWTABLE. */
void ruleset_put_table(struct nft_builder *builder, uint32_t flags);
void ruleset_put_sets(struct nft_builder *builder, bool has_names);
void ruleset_put_set(struct nft_builder *builder, const struct ruleset_set *set, uint32_t id);
void ruleset_put_objects(struct nft_builder *builder, const struct ruleset *ruleset);
void ruleset_put_chains(struct nft_builder *builder, const struct ruleset *ruleset);
void ruleset_put_rules(struct nft_builder *builder, const struct ruleset *ruleset);

/* What one set holds, disjoint; and its elements as messages. */
int ruleset_make_ranges(const struct ruleset *ruleset, const struct ruleset_set *set, struct rule_ranges *out,
			struct err *err);
void ruleset_put_elements(struct nft_builder *builder, const struct ruleset_set *set, const struct rule_ranges *ranges);
void ruleset_put_triple(struct nft_builder *builder, const struct rule_range *range, uint64_t timeout_ms);
void ruleset_put_left(struct nft_builder *builder, const char *quota, uint64_t left_bytes);
void ruleset_put_counter(struct nft_builder *builder, const char *name);
void ruleset_put_quota(struct nft_builder *builder, const char *name, uint64_t bytes, uint64_t spent);
void ruleset_put_alive(struct nft_builder *builder, uint16_t message, uint16_t flags, uint32_t alive_ms);

/* How many rules a chain holds at least, by what the table has; 0: it isn't there. */
struct ruleset_parts {
	bool has_names, observes;
	size_t cap_count;
};
uint32_t ruleset_chain_rules(const struct ruleset_chain *chain, const struct ruleset_parts *parts);

/* A list of elements, and one of what was learnt in it; lifetime_ms 0 where none is to be said. */
struct nft_nest ruleset_begin_elements(struct nft_builder *builder, const char *set, uint16_t message, uint16_t flags);
void ruleset_put_opening(struct nft_builder *builder, const struct ruleset_opening *opening, uint32_t lifetime_ms);

/* What one cap's objects and sets are called. */
struct cap_names {
	char counter[8], quota[8];
	char reach4[12], reach6[12];	/* by address */
	char learnt4[12], learnt6[12];	/* by what names led to; only with names */
};
struct cap_names cap_names_of(size_t cap);

/* Bytes that the elements of `count` ranges take at most. */
size_t ruleset_element_room(size_t count);

/* NFTA_TABLE_FLAGS; the second is younger than many a system's headers. */
#define TABLE_FLAG_DORMANT 0x1u
#define TABLE_FLAG_OWNER 0x2u
#define TABLE_FLAG_PERSIST 0x4u

#endif
