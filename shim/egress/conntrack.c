/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the kernel's connection tracking: see conntrack.h. Must never tell a connection that the table did not let out. */
#include "shim/egress/conntrack.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/filled.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset.h"

#define ROOM (1 << 20)

/* "/proc/sys/net" is the namespace's of who opens it. */
static int set(const char *name, const char *value, struct err *err)
{
	char path[96];
	cleanup_close int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/netfilter/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		return err_set_errno(err, errno, "connections cannot be recorded (audit.record): %s", path);
	return 0;
}

int conntrack_open(struct err *err)
{
	static const int groups[] = { NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_DESTROY };
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	int room = ROOM, r = set("nf_conntrack_acct", "1", err);

	if (!r)
		r = set("nf_conntrack_timestamp", "1", err);
	if (!r)
		r = set("nf_conntrack_tcp_timeout_time_wait", "10", err);
	if (r)
		return r;
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		return err_set_errno(err, errno, "connections: netlink socket");
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return err_set_errno(err, errno, "connections cannot be recorded (audit.record): this kernel does not tell them");
	return steal_fd(&fd);
}

/* One side of a connection, or one direction's count: attributes by their number. */
#define PARTS 12
struct parts {
	const struct nlattr *by[PARTS];
};

static void take_parts(const struct nlattr *nest, struct parts *parts)
{
	struct nlattr *attr;

	memset(parts, 0, sizeof(*parts));
	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) < PARTS)
			parts->by[mnl_attr_get_type(attr)] = attr;
}

static bool copy(const struct nlattr *attr, void *to, size_t size)
{
	if (!attr || mnl_attr_get_payload_len(attr) < size)
		return false;
	memcpy(to, mnl_attr_get_payload(attr), size);
	return true;
}

struct tuple {
	uint8_t source[16], destination[16];
	uint8_t family, protocol;
	uint16_t port;			/* of the destination */
};

static bool take_tuple(const struct nlattr *nest, struct tuple *tuple)
{
	struct parts parts, inner;
	uint8_t port[2] = { 0, 0 };

	memset(tuple, 0, sizeof(*tuple));
	if (!nest)
		return false;
	take_parts(nest, &parts);
	if (!parts.by[CTA_TUPLE_IP] || !parts.by[CTA_TUPLE_PROTO])
		return false;
	take_parts(parts.by[CTA_TUPLE_IP], &inner);
	if (copy(inner.by[CTA_IP_V4_SRC], tuple->source, 4) && copy(inner.by[CTA_IP_V4_DST], tuple->destination, 4))
		tuple->family = 4;
	else if (copy(inner.by[CTA_IP_V6_SRC], tuple->source, 16) && copy(inner.by[CTA_IP_V6_DST], tuple->destination, 16))
		tuple->family = 6;
	take_parts(parts.by[CTA_TUPLE_PROTO], &inner);
	if (!tuple->family || !copy(inner.by[CTA_PROTO_NUM], &tuple->protocol, 1))
		return false;
	if (tuple->protocol == IPPROTO_ICMPV6)
		tuple->protocol = IPPROTO_ICMP;
	if (tuple->protocol != IPPROTO_ICMP && !copy(inner.by[CTA_PROTO_DST_PORT], port, 2))
		return false;
	tuple->port = (uint16_t)(port[0] << 8 | port[1]);
	return true;
}

static uint64_t bytes_of(const struct nlattr *nest)
{
	struct parts parts;
	uint64_t bytes = 0;

	if (!nest)
		return 0;
	take_parts(nest, &parts);
	return parts.by[CTA_COUNTERS_BYTES] && nft_get_be64(parts.by[CTA_COUNTERS_BYTES], &bytes) ? bytes : 0;
}

static uint64_t lasted_ms(const struct nlattr *nest)
{
	struct parts parts;
	uint64_t start = 0, stop = 0;

	if (!nest)
		return 0;
	take_parts(nest, &parts);
	if (!parts.by[CTA_TIMESTAMP_START] || !parts.by[CTA_TIMESTAMP_STOP] || !nft_get_be64(parts.by[CTA_TIMESTAMP_START], &start) ||
	    !nft_get_be64(parts.by[CTA_TIMESTAMP_STOP], &stop) || stop < start)
		return 0;
	return (stop - start) / 1000000;
}

/* Let out by the table, or the warden's for one that was, as the connection's mark says; what was turned to the warden shows by
 * another answering than was asked. */
static bool take(const struct nlmsghdr *message, struct tracked *tracked)
{
	const struct nlattr *by[CTA_MAX + 1] = { NULL };
	struct tuple there, back;
	struct nlattr *attr;
	uint32_t mark = 0;
	int type = message->nlmsg_type & 0xff;

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK || (type != IPCTNL_MSG_CT_NEW && type != IPCTNL_MSG_CT_DELETE) ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return false;
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) <= CTA_MAX)
			by[mnl_attr_get_type(attr)] = attr;
	if (!by[CTA_MARK] || !nft_get_be32(by[CTA_MARK], &mark))
		return false;
	mark &= RULESET_WHOSE;
	if ((mark != RULESET_LET_OUT && mark != RULESET_MARK) || !take_tuple(by[CTA_TUPLE_ORIG], &there) || !take_tuple(by[CTA_TUPLE_REPLY], &back))
		return false;
	if (memcmp(there.destination, back.source, 16) || (mark == RULESET_MARK && there.port == 53))
		return false;
	*tracked = (struct tracked){ .is_end = type == IPCTNL_MSG_CT_DELETE, .family = there.family, .protocol = there.protocol,
				     .port = there.port, .out_bytes = bytes_of(by[CTA_COUNTERS_ORIG]),
				     .in_bytes = bytes_of(by[CTA_COUNTERS_REPLY]), .lasted_ms = lasted_ms(by[CTA_TIMESTAMP]) };
	memcpy(tracked->address, there.destination, sizeof(tracked->address));
	return true;
}

size_t conntrack_read(int fd, struct tracked *tracked, size_t room, uint32_t *lost)
{
	filled_by_kernel struct nft_datagram datagram;
	size_t count = 0;

	while (count < room) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)datagram.data;
		int left = (int)nft_hear(fd, &datagram, lost);

		if (!left)
			break;
		for (; count < room && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			count += take(message, &tracked[count]);
	}
	return count;
}

int conntrack_flush(int nl_fd, struct err *err)
{
	char memory[128] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	nft_message_begin(&builder, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0, AF_UNSPEC, 0);
	return nft_request(nl_fd, &builder, NULL, NULL, err);
}
