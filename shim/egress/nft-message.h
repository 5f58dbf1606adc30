/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink messages in memory of the caller's. Every put is checked: what doesn't fit sets `failed` and writes nothing, and
 * nft_batch_commit refuses a failed builder. So the callers put without asking each time.
 */
#ifndef QUOD_EGRESS_NFT_MESSAGE_H
#define QUOD_EGRESS_NFT_MESSAGE_H

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_builder {
	char *data;		/* borrowed, aligned for struct nlmsghdr, `room` bytes */
	size_t room, used;	/* used: a whole number of messages, and the open one */
	size_t message;		/* offset of the open message; only meaningful after nft_message_begin */
	uint32_t last_seq;	/* of the message begun last; 0 = none yet */
	bool failed;		/* something didn't fit, for good */
};

#define NFT_BUILDER(memory) ((struct nft_builder){ .data = (memory), .room = sizeof(memory) })

/* An open nested attribute. */
struct nft_nest {
	size_t at;
};

/* Begins a message; the one before is closed by that. `type` is the whole nlmsg_type, `family` and `res_id` (host order) go
 * into its nfgenmsg; NLM_F_REQUEST is always set. */
void nft_message_begin(struct nft_builder *builder, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id);

/* The open message asks for the kernel's word. */
void nft_message_ask_ack(struct nft_builder *builder);

void nft_put(struct nft_builder *builder, uint16_t type, const void *bytes, size_t len);
void nft_put_u8(struct nft_builder *builder, uint16_t type, uint8_t value);
void nft_put_be32(struct nft_builder *builder, uint16_t type, uint32_t value);	/* value in host order */
void nft_put_be64(struct nft_builder *builder, uint16_t type, uint64_t value);
void nft_put_text(struct nft_builder *builder, uint16_t type, const char *text);	/* with its NUL */

struct nft_nest nft_nest_begin(struct nft_builder *builder, uint16_t type);
void nft_nest_end(struct nft_builder *builder, struct nft_nest nest);	/* fails when it grew beyond 65,535 bytes */

/* Reading, each with its length checked; false and nothing written when the attribute is shorter. */
bool nft_get_be32(const struct nlattr *attr, uint32_t *value);
bool nft_get_be64(const struct nlattr *attr, uint64_t *value);
bool nft_is_text(const struct nlattr *attr, const char *text);	/* the attribute holds exactly this text */

#endif
