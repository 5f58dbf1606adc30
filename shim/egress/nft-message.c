/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink messages in memory of the caller's: see nft-message.h. Must never write past `room`, nor let a length wrap: both
 * would turn into rules that nobody wrote.
 */
#include "shim/egress/nft-message.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* `len` bytes at the end, zeroed and aligned; NULL and failed when they don't fit. */
static void *take(struct nft_builder *builder, size_t len)
{
	size_t aligned = MNL_ALIGN(len);
	void *at = builder->data + builder->used;

	if (builder->failed || aligned < len || aligned > builder->room - builder->used) {
		builder->failed = true;
		return NULL;
	}
	memset(at, 0, aligned);
	builder->used += aligned;
	return at;
}

static struct nlmsghdr *open_message(struct nft_builder *builder)
{
	return (struct nlmsghdr *)(builder->data + builder->message);
}

void nft_message_begin(struct nft_builder *builder, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id)
{
	size_t at = builder->used;
	struct nlmsghdr *header = take(builder, sizeof(*header));
	struct nfgenmsg *extra = take(builder, sizeof(*extra));

	if (!header || !extra)
		return;
	builder->message = at;
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = ++builder->last_seq;
	header->nlmsg_len = (uint32_t)(builder->used - at);
	extra->nfgen_family = family;
	extra->version = NFNETLINK_V0;
	extra->res_id = htons(res_id);
}

void nft_message_ask_ack(struct nft_builder *builder)
{
	if (!builder->failed && builder->last_seq)
		open_message(builder)->nlmsg_flags |= NLM_F_ACK;
}

/* An attribute with room for `len` bytes, or NULL. */
static struct nlattr *put_header(struct nft_builder *builder, uint16_t type, size_t len)
{
	struct nlattr *attr;

	if (!builder->last_seq || len > UINT16_MAX - MNL_ATTR_HDRLEN)
		builder->failed = true;
	attr = take(builder, MNL_ATTR_HDRLEN + (builder->failed ? 0 : len));
	if (!attr)
		return NULL;
	attr->nla_type = type;
	attr->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + len);
	open_message(builder)->nlmsg_len = (uint32_t)(builder->used - builder->message);
	return attr;
}

void nft_put(struct nft_builder *builder, uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *attr = put_header(builder, type, len);

	if (attr && len)
		memcpy((char *)attr + MNL_ATTR_HDRLEN, bytes, len);
}

void nft_put_u8(struct nft_builder *builder, uint16_t type, uint8_t value)
{
	nft_put(builder, type, &value, sizeof(value));
}

void nft_put_be32(struct nft_builder *builder, uint16_t type, uint32_t value)
{
	uint32_t big = htonl(value);

	nft_put(builder, type, &big, sizeof(big));
}

void nft_put_be64(struct nft_builder *builder, uint16_t type, uint64_t value)
{
	uint64_t big = htobe64(value);

	nft_put(builder, type, &big, sizeof(big));
}

void nft_put_text(struct nft_builder *builder, uint16_t type, const char *text)
{
	nft_put(builder, type, text, strlen(text) + 1);
}

struct nft_nest nft_nest_begin(struct nft_builder *builder, uint16_t type)
{
	struct nft_nest nest = { builder->used };

	put_header(builder, type | NLA_F_NESTED, 0);
	return nest;
}

void nft_nest_end(struct nft_builder *builder, struct nft_nest nest)
{
	size_t len = builder->used - nest.at;

	if (len > UINT16_MAX)
		builder->failed = true;
	if (!builder->failed)
		((struct nlattr *)(builder->data + nest.at))->nla_len = (uint16_t)len;
}

bool nft_get_be32(const struct nlattr *attr, uint32_t *value)
{
	if (mnl_attr_get_payload_len(attr) != sizeof(*value))
		return false;
	memcpy(value, mnl_attr_get_payload(attr), sizeof(*value));
	*value = ntohl(*value);
	return true;
}

bool nft_get_be64(const struct nlattr *attr, uint64_t *value)
{
	if (mnl_attr_get_payload_len(attr) != sizeof(*value))
		return false;
	memcpy(value, mnl_attr_get_payload(attr), sizeof(*value));
	*value = be64toh(*value);
	return true;
}

bool nft_is_text(const struct nlattr *attr, const char *text)
{
	size_t len = strlen(text);

	return mnl_attr_get_payload_len(attr) == len + 1 && !memcmp(mnl_attr_get_payload(attr), text, len + 1);
}
