/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending to nf_tables and hearing its word: a batch is committed as a whole or not at all, a request reads. The kernel
 * answers within the send, so whatever lies in the socket before one is old and dropped. Allocates nothing.
 */
#ifndef QUOD_EGRESS_NFT_BATCH_H
#define QUOD_EGRESS_NFT_BATCH_H

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <sys/types.h>

#include "shim/base/err.h"
#include "shim/egress/nft-message.h"

/* Begins the batch; the builder must be empty. */
void nft_batch_begin(struct nft_builder *builder);

/* Begins one message of nf_tables, table family inet. */
void nft_batch_message(struct nft_builder *builder, uint16_t message, uint16_t flags);

/* Ends the batch, sends it and waits for the verdict: 0 or the first error, as a negative errno. *at_seq (may be NULL) is
 * the number of the message at fault, counted from 1 for the batch's begin; 0 when it is none's. */
int nft_batch_commit(int nl_fd, struct nft_builder *builder, uint32_t *at_seq, struct err *err);

/* Sends the builder's one message and gives each answer to `take` until the last; a non-zero value of `take` ends it and
 * is returned. -EINTR: the dump was disturbed and what was taken may be inconsistent. */
typedef int nft_take(const struct nlmsghdr *message, void *data);
int nft_request(int nl_fd, struct nft_builder *builder, nft_take *take, void *data, struct err *err);

/* One datagram of the kernel's, never of another process's; its length, 0 when nothing is there (with MSG_DONTWAIT in
 * `flags`), or a negative errno. The kernel makes parts of a dump and news no larger than this (NLMSG_GOODSIZE), and an
 * acknowledgement quotes only the header of what it answers (NETLINK_CAP_ACK). */
struct nft_datagram {
	char data[8192] __attribute__((aligned(8)));
};
ssize_t nft_receive(int nl_fd, struct nft_datagram *datagram, int flags);

/* The same without waiting and by recvfrom alone, which is among the few system calls that the warden has. *lost grows by
 * datagrams that didn't fit the socket or `datagram`. */
ssize_t nft_hear(int nl_fd, struct nft_datagram *datagram, uint32_t *lost);

#endif
