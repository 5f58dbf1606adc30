/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending to nf_tables and hearing its word: see nft-batch.h. Must never report success without the kernel's own
 * acknowledgement of the batch's last message.
 */
#include "shim/egress/nft-batch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/base/filled.h"

/* A batch up to this fits every socket's default send buffer. */
#define SMALL_BATCH_BYTES 32768

void nft_batch_begin(struct nft_builder *builder)
{
	nft_message_begin(builder, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

void nft_batch_message(struct nft_builder *builder, uint16_t message, uint16_t flags)
{
	nft_message_begin(builder, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, NFPROTO_INET, 0);
}

ssize_t nft_receive(int nl_fd, struct nft_datagram *datagram, int flags)
{
	struct sockaddr_nl from;
	struct iovec part = { datagram->data, sizeof(datagram->data) };
	struct msghdr header = { .msg_name = &from, .msg_iov = &part, .msg_iovlen = 1 };

	for (;;) {
		ssize_t got;

		memset(&from, 0, sizeof(from));
		header.msg_namelen = sizeof(from);
		header.msg_flags = 0;
		got = recvmsg(nl_fd, &header, flags);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return flags & MSG_DONTWAIT ? 0 : -ETIMEDOUT;
		if (got < 0)
			return -errno;
		if (header.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		if (header.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (got > 0)
			return got;
	}
}

ssize_t nft_hear(int nl_fd, struct nft_datagram *datagram, uint32_t *lost)
{
	for (;;) {
		struct sockaddr_nl from = { .nl_family = AF_UNSPEC };
		socklen_t len = sizeof(from);
		ssize_t got = recvfrom(nl_fd, datagram->data, sizeof(datagram->data), MSG_DONTWAIT | MSG_TRUNC,
				       (struct sockaddr *)&from, &len);

		if (got < 0 && errno == EINTR)
			continue;
		if ((got < 0 && errno == ENOBUFS) || got > (ssize_t)sizeof(datagram->data)) {
			++*lost;
			continue;
		}
		if (got <= 0)
			return 0;
		if (len == sizeof(from) && !from.nl_pid)
			return got;
	}
}

/* What an earlier transaction left. ENOBUFS is reported once and then gone. */
static void drain(int nl_fd)
{
	filled_by_kernel struct nft_datagram datagram;
	ssize_t got;

	do
		got = nft_receive(nl_fd, &datagram, MSG_DONTWAIT);
	while (got > 0 || got == -ENOBUFS || got == -EMSGSIZE);
}

/* The whole batch is one datagram, so it must fit the send buffer; a failure shows as the send's own. */
static void make_send_room(int nl_fd, size_t bytes)
{
	int room = bytes > INT32_MAX / 2 ? INT32_MAX : (int)bytes * 2;

	if (bytes > SMALL_BATCH_BYTES && setsockopt(nl_fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(nl_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

static int send_all(int nl_fd, const struct nft_builder *builder, struct err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent;

	if (builder->failed || !builder->last_seq)
		return err_set(err, EMSGSIZE, "nf_tables: the messages do not fit");
	drain(nl_fd);
	make_send_room(nl_fd, builder->used);
	do
		sent = sendto(nl_fd, builder->data, builder->used, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return err_set_errno(err, errno, "nf_tables: send");
	if ((size_t)sent != builder->used)
		return err_set(err, EIO, "nf_tables: send was cut");
	return 0;
}

/* The errno that an NLMSG_ERROR carries: 0 for an acknowledgement, negative else; one that is cut short is -EBADMSG. */
static int verdict_of(const struct nlmsghdr *message)
{
	struct nlmsgerr verdict;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(verdict))
		return -EBADMSG;
	memcpy(&verdict, mnl_nlmsg_get_payload(message), sizeof(verdict));
	return verdict.error > 0 ? -EBADMSG : verdict.error;
}

/* 1 when the datagram held the last word (in *verdict, *at_seq), 0 when more is to come. */
static int read_verdict(const struct nft_datagram *datagram, ssize_t got, uint32_t last_seq, int *verdict, uint32_t *at_seq)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)datagram->data;
	int left = (int)got;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_type != NLMSG_ERROR)
			continue;
		*verdict = verdict_of(message);
		*at_seq = message->nlmsg_seq;
		if (*verdict || message->nlmsg_seq == last_seq)
			return 1;
	}
	return 0;
}

int nft_batch_commit(int nl_fd, struct nft_builder *builder, uint32_t *at_seq, struct err *err)
{
	filled_by_kernel struct nft_datagram datagram;
	uint32_t last_seq = builder->last_seq, seq = 0;
	int verdict = 0, r;

	if (at_seq)
		*at_seq = 0;
	nft_message_ask_ack(builder);	/* before 6.10 the end isn't acknowledged, so the message before it is asked */
	nft_message_begin(builder, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	r = send_all(nl_fd, builder, err);
	if (r)
		return r;
	for (bool done = false; !done;) {
		ssize_t got = nft_receive(nl_fd, &datagram, 0);

		if (got < 0)
			return err_set_errno(err, (int)-got, "nf_tables: the kernel's answer was lost");
		done = read_verdict(&datagram, got, last_seq, &verdict, &seq);
	}
	if (!verdict)
		return 0;
	drain(nl_fd);
	if (at_seq)
		*at_seq = seq;
	return err_set_errno(err, -verdict, "nf_tables: message %u of %u", seq, last_seq);
}

/* A dump's last message may carry an errno. */
static int done_of(const struct nlmsghdr *message)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(message) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
	return code < 0 ? code : 0;
}

/* As read_verdict for a request: 1 at its end, and *result is what to return. */
static int read_answers(const struct nft_datagram *datagram, ssize_t got, nft_take *take, void *data, int *result)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)datagram->data;
	int left = (int)got;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			*result = -EINTR;
		else if (message->nlmsg_type == NLMSG_ERROR)
			*result = verdict_of(message);
		else if (message->nlmsg_type == NLMSG_DONE)
			*result = done_of(message);
		else if (message->nlmsg_type >= NLMSG_MIN_TYPE && mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg))
			*result = take(message, data);
		if (*result || message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return 1;
	}
	return 0;
}

int nft_request(int nl_fd, struct nft_builder *builder, nft_take *take, void *data, struct err *err)
{
	filled_by_kernel struct nft_datagram datagram;
	int result = 0, r;

	nft_message_ask_ack(builder);
	r = send_all(nl_fd, builder, err);
	if (r)
		return r;
	for (bool done = false; !done;) {
		ssize_t got = nft_receive(nl_fd, &datagram, 0);

		if (got < 0)
			return err_set_errno(err, (int)-got, "nf_tables: the kernel's answer was lost");
		done = read_answers(&datagram, got, take, data, &result);
	}
	if (!result)
		return 0;
	drain(nl_fd);
	return result < 0 ? err_set_errno(err, -result, "nf_tables: read") : result;
}
