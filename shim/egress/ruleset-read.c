/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the table's counters, and watching whether somebody else touches it: see ruleset.h. Allocates nothing. Must never
 * take silence for consent: lost messages count as a change.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "shim/base/filled.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset-parts.h"

#define WATCH_ROOM (4 << 20)

struct counter {
	uint64_t bytes, packets;
	bool is_read;
};

static int take_counter(const struct nlmsghdr *message, void *data)
{
	struct counter *counter = data;
	struct nlattr *attr, *inner;
	bool has_bytes = false, has_packets = false;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_OBJ_DATA)
			continue;
		mnl_attr_for_each_nested(inner, attr) {
			if (mnl_attr_get_type(inner) == NFTA_COUNTER_BYTES)
				has_bytes = nft_get_be64(inner, &counter->bytes);
			else if (mnl_attr_get_type(inner) == NFTA_COUNTER_PACKETS)
				has_packets = nft_get_be64(inner, &counter->packets);
		}
	}
	counter->is_read = has_bytes && has_packets;
	return 0;
}

struct quota {
	uint64_t bytes, consumed;
	bool is_read;
};

/* The kernel shows what was consumed, refused packets too, but never more than the quota. */
static int take_quota(const struct nlmsghdr *message, void *data)
{
	struct quota *quota = data;
	struct nlattr *attr, *inner;
	bool has_bytes = false, has_consumed = false;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_OBJ_DATA)
			continue;
		mnl_attr_for_each_nested(inner, attr) {
			if (mnl_attr_get_type(inner) == NFTA_QUOTA_BYTES)
				has_bytes = nft_get_be64(inner, &quota->bytes);
			else if (mnl_attr_get_type(inner) == NFTA_QUOTA_CONSUMED)
				has_consumed = nft_get_be64(inner, &quota->consumed);
		}
	}
	quota->is_read = has_bytes && has_consumed;
	return 0;
}

struct wanted {
	const char *name;
	uint32_t type;		/* NFT_OBJECT_ */
	uint16_t message;	/* NFT_MSG_GETOBJ, or NFT_MSG_GETOBJ_RESET, which sets it to zero as it is read */
};

static int read_object(int nl_fd, const struct wanted *wanted, nft_take *take, void *data, struct err *err)
{
	char memory[256] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	nft_batch_message(&builder, wanted->message, 0);
	nft_put_text(&builder, NFTA_OBJ_TABLE, RULESET_TABLE);
	nft_put_text(&builder, NFTA_OBJ_NAME, wanted->name);
	nft_put_be32(&builder, NFTA_OBJ_TYPE, wanted->type);
	return nft_request(nl_fd, &builder, take, data, err);
}

static int read_quota(int nl_fd, const char *name, uint16_t message, struct quota *quota, struct err *err)
{
	const struct wanted wanted = { name, NFT_OBJECT_QUOTA, message };
	int r;

	*quota = (struct quota){ 0, 0, false };
	r = read_object(nl_fd, &wanted, take_quota, quota, err);
	if (!r && !quota->is_read)
		r = err_set(err, EBADMSG, "nf_tables: quota '%s' has no value", name);
	return r;
}

/* The smaller quota first, the old count of what was consumed against it: too little passes for a moment, never too much. */
static int set_left(int nl_fd, const char *quota, uint64_t left_bytes, struct err *err)
{
	char memory[512] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	struct quota before;
	int r;

	nft_batch_begin(&builder);
	ruleset_put_left(&builder, quota, left_bytes);
	r = nft_batch_commit(nl_fd, &builder, NULL, err);
	return r ? r : read_quota(nl_fd, quota, NFT_MSG_GETOBJ_RESET, &before, err);
}

int ruleset_set_left(int nl_fd, uint64_t left_bytes, struct err *err)
{
	return set_left(nl_fd, RULESET_QUOTA, left_bytes, err);
}

int ruleset_set_cap_left(int nl_fd, size_t cap, uint64_t left_bytes, struct err *err)
{
	const struct cap_names names = cap_names_of(cap);

	return set_left(nl_fd, names.quota, left_bytes, err);
}

static int read_counter(int nl_fd, const char *name, struct counter *counter, struct err *err)
{
	const struct wanted wanted = { name, NFT_OBJECT_COUNTER, NFT_MSG_GETOBJ };
	int r;

	*counter = (struct counter){ 0, 0, false };
	r = read_object(nl_fd, &wanted, take_counter, counter, err);
	if (r)
		return r;
	if (!counter->is_read)
		return err_set(err, EBADMSG, "nf_tables: counter '%s' has no value", name);
	return 0;
}

int ruleset_read_counters(int nl_fd, struct ruleset_counters *counters, struct err *err)
{
	struct counter out, in, denied, untold;
	struct quota spent;
	int r = read_counter(nl_fd, "out", &out, err);

	if (!r)
		r = read_counter(nl_fd, "in", &in, err);
	if (!r)
		r = read_counter(nl_fd, "denied", &denied, err);
	if (!r)
		r = read_counter(nl_fd, "untold", &untold, err);
	if (!r)
		r = read_quota(nl_fd, RULESET_QUOTA, NFT_MSG_GETOBJ, &spent, err);
	if (r)
		return r;
	*counters = (struct ruleset_counters){
		.out_bytes = out.bytes, .out_packets = out.packets, .in_bytes = in.bytes, .in_packets = in.packets,
		.denied_packets = denied.packets, .denied_bytes = denied.bytes,
		.untold_packets = untold.packets,
		.egress_is_spent = spent.consumed >= spent.bytes,
	};
	return 0;
}

int ruleset_read_caps(int nl_fd, size_t count, struct ruleset_caps *caps, struct err *err)
{
	int r = 0;

	*caps = (struct ruleset_caps){ .spent = 0 };
	for (size_t i = 0; i < count && i < RULESET_CAPS_MAX && !r; i++) {
		const struct cap_names names = cap_names_of(i);
		struct counter counter;
		struct quota quota;

		r = read_counter(nl_fd, names.counter, &counter, err);
		if (!r)
			r = read_quota(nl_fd, names.quota, NFT_MSG_GETOBJ, &quota, err);
		if (r)
			return r;
		caps->bytes[i] = counter.bytes;
		caps->limits[i] = quota.bytes;
		caps->spent |= (uint32_t)(quota.consumed >= quota.bytes) << i;
	}
	return r;
}

int ruleset_watch(int nl_fd, struct err *err)
{
	int group = NFNLGRP_NFTABLES, room = WATCH_ROOM;

	/* others' tables are reported as well, and what doesn't fit counts as a change of ours */
	if (setsockopt(nl_fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		return err_set_errno(err, errno, "nf_tables: room for watching");
	if (setsockopt(nl_fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return err_set_errno(err, errno, "nf_tables: watch");
	return 0;
}

/* In each of these messages the first attribute type is the table's name. */
#define IS_FIRST(attribute) ((int)(attribute) == (int)NFTA_TABLE_NAME)
_Static_assert(IS_FIRST(NFTA_CHAIN_TABLE) && IS_FIRST(NFTA_RULE_TABLE) && IS_FIRST(NFTA_SET_TABLE) &&
	       IS_FIRST(NFTA_SET_ELEM_LIST_TABLE) && IS_FIRST(NFTA_OBJ_TABLE) && IS_FIRST(NFTA_FLOWTABLE_TABLE),
	       "the table's name isn't the first attribute");

static bool is_of_table(const struct nlmsghdr *message)
{
	const struct nfgenmsg *extra = mnl_nlmsg_get_payload(message);
	struct nlattr *attr;

	if (extra->nfgen_family != NFPROTO_INET)
		return false;
	mnl_attr_for_each(attr, message, sizeof(*extra))
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME && nft_is_text(attr, RULESET_TABLE))
			return true;
	return false;
}

/* The kernel speaks for itself (port 0) when the quota is used up; that is no change. */
static bool is_foreign_change(const struct nlmsghdr *message, uint32_t own_port_id)
{
	int type = message->nlmsg_type & 0xff;

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || type == NFT_MSG_NEWGEN || type == NFT_MSG_TRACE)
		return false;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return true;
	if (message->nlmsg_pid == own_port_id || (message->nlmsg_pid == 0 && type == NFT_MSG_NEWOBJ))
		return false;
	return is_of_table(message);
}

int ruleset_watch_read(int nl_fd, uint32_t own_port_id, struct err *err)
{
	filled_by_kernel struct nft_datagram datagram;
	bool changed = false;

	for (;;) {
		ssize_t got = nft_receive(nl_fd, &datagram, MSG_DONTWAIT);
		const struct nlmsghdr *message = (const struct nlmsghdr *)datagram.data;
		int left = (int)got;

		if (got == 0)
			return changed;
		if (got == -ENOBUFS || got == -EMSGSIZE)
			changed = true;
		else if (got < 0)
			return err_set_errno(err, (int)-got, "nf_tables: watch");
		for (; got > 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			if (is_foreign_change(message, own_port_id))
				changed = true;
	}
}
