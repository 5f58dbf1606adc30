/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what the table refuses: see denials.h. The kernel's messages are believed, the packets in them are not: each
 * length is checked, and nothing of them is kept but addresses and numbers.
 */
#include "shim/egress/denials.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/filled.h"
#include "shim/egress/nft-batch.h"

#define EXTENSIONS_MOST 8

/* The answer is a netlink error, with the number 0 when it is none. */
static int ask(int fd, struct nft_builder *builder, struct err *err)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer;

	nft_message_ask_ack(builder);
	if (builder->failed || send(fd, builder->data, builder->used, 0) != (ssize_t)builder->used)
		return err_set_errno(err, errno, "denials: log group");
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer) || answer.head.nlmsg_type != NLMSG_ERROR)
		return err_set(err, EPROTO, "denials: the kernel does not answer");
	return answer.error.error ? err_set_errno(err, -answer.error.error, "denials: log group") : 0;
}

static void begin(struct nft_builder *builder)
{
	builder->used = 0;
	nft_message_begin(builder, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, 0, AF_UNSPEC, DENIALS_GROUP);
}

/* One message a packet: who is refused should hear of it at once. */
static int bind_group(int fd, struct err *err)
{
	const struct nfulnl_msg_config_cmd command = { NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(DENIALS_BYTES), .copy_mode = NFULNL_COPY_PACKET };
	char memory[256] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	int r;

	begin(&builder);
	nft_put(&builder, NFULA_CFG_CMD, &command, sizeof(command));
	r = ask(fd, &builder, err);
	if (r)
		return r;
	begin(&builder);
	nft_put(&builder, NFULA_CFG_MODE, &mode, sizeof(mode));
	nft_put_be32(&builder, NFULA_CFG_QTHRESH, 1);
	return ask(fd, &builder, err);
}

int denials_open(struct err *err)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	int on = 1, r;

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return err_set_errno(err, errno, "denials: netlink socket");
	r = bind_group(fd, err);
	return r ? r : steal_fd(&fd);
}

/* TCP and UDP have their ports in the first four bytes. */
static void take_port(const uint8_t *bytes, size_t size, struct denial *denial)
{
	if ((denial->protocol != IPPROTO_TCP && denial->protocol != IPPROTO_UDP) || size < 4)
		return;
	denial->has_port = true;
	denial->port = (uint16_t)(bytes[2] << 8 | bytes[3]);
}

static bool parse4(const uint8_t *packet, size_t size, struct denial *denial)
{
	size_t head = size ? (packet[0] & 15u) * 4u : 0;
	bool is_first;

	if (head < 20 || size < head)
		return false;
	denial->family = 4;
	denial->protocol = packet[9];
	memcpy(denial->address, packet + 16, 4);
	is_first = !((packet[6] & 0x1f) | packet[7]);
	if (is_first)
		take_port(packet + head, size - head, denial);
	return true;
}

/* Headers between the fixed one and the protocol's; one that isn't whole ends it without a port. */
static bool parse6(const uint8_t *packet, size_t size, struct denial *denial)
{
	size_t at = 40;

	if (size < at)
		return false;
	denial->family = 6;
	denial->protocol = packet[6];
	memcpy(denial->address, packet + 24, 16);
	for (int i = 0; i < EXTENSIONS_MOST && size - at >= 8; i++) {
		const uint8_t *extension = packet + at;
		size_t len = 8u + extension[1] * 8u;

		if (denial->protocol == IPPROTO_FRAGMENT) {
			if (extension[2] | (extension[3] & 0xf8))
				return true;	/* not the first */
			len = 8;
		} else if (denial->protocol != IPPROTO_HOPOPTS && denial->protocol != IPPROTO_ROUTING &&
			   denial->protocol != IPPROTO_DSTOPTS) {
			break;
		}
		denial->protocol = extension[0];
		if (size - at < len)
			return true;
		at += len;
	}
	take_port(packet + at, size - at, denial);
	return true;
}

bool denial_parse(const uint8_t *packet, size_t size, struct denial *denial)
{
	bool is_known = false;

	memset(denial, 0, sizeof(*denial));
	if (size && packet[0] >> 4 == 4)
		is_known = parse4(packet, size, denial);
	else if (size && packet[0] >> 4 == 6)
		is_known = parse6(packet, size, denial);
	if (denial->protocol == IPPROTO_ICMPV6 && denial->family == 6)
		denial->protocol = IPPROTO_ICMP;
	return is_known;
}

static bool take(const struct nlmsghdr *message, struct denial *denial)
{
	const struct nlattr *packet = NULL;
	struct nlattr *attr;
	uint32_t mark = 0;

	if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return false;
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFULA_MARK && !nft_get_be32(attr, &mark))
			return false;
		if (mnl_attr_get_type(attr) == NFULA_PAYLOAD)
			packet = attr;
	}
	if (!packet || !denial_parse(mnl_attr_get_payload(packet), mnl_attr_get_payload_len(packet), denial))
		return false;
	if ((mark & ~0xffffu) == DENIAL_MARK && (mark & 0xff) < DENIAL_REASONS) {
		denial->reason = (uint8_t)(mark & 0xff);
		denial->cap = (uint8_t)(mark >> DENIAL_CAP_SHIFT & 0xff);
	}
	return true;
}

size_t denials_read(int fd, struct denial *denials, size_t room, uint32_t *lost)
{
	filled_by_kernel struct nft_datagram datagram;
	size_t count = 0;

	while (count < room) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)datagram.data;
		int left = (int)nft_hear(fd, &datagram, lost);

		if (!left)
			break;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_type == NLMSG_DONE)
				continue;
			if (count < room && take(message, &denials[count]))
				count++;
			else
				++*lost;
		}
	}
	return count;
}
