/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Installing, adopting and renewing the table: see ruleset.h. Must never leave half a table, nor own one that would vanish
 * with its owner: a table gone is a network open.
 */
#include "shim/egress/ruleset.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/egress/disjoint.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset-caps.h"
#include "shim/egress/ruleset-parts.h"

/* Everything in a batch but the elements; about 25 KiB are used. */
#define TABLE_BYTES 65536

/* The kernel counts tokens in nanoseconds × bytes: beyond this its sum would wrap. */
#define RATE_MAX 16000000000ull

/* The table is the second message of each batch that makes or takes it. */
#define TABLE_SEQ 2

#define SETS_MAX 19

int nft_open(struct err *err)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	struct timeval timeout = { .tv_sec = 5 };
	int on = 1;

	if (fd < 0)
		return err_set_errno(err, errno, "nf_tables: netlink socket");
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return err_set_errno(err, errno, "nf_tables: bind");
	/* An error echoes the message at fault unless it is told not to, and that can be 64 KiB. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return err_set_errno(err, errno, "nf_tables: socket options");
	return steal_fd(&fd);
}

static int check_ruleset(const struct ruleset *ruleset, struct err *err)
{
	int r = rule_ranges_check(&ruleset->exact, false, err);

	if (r)
		return err_wrap(err, "exact");
	if (rule_ranges_check(&ruleset->allow, false, err))
		return err_wrap(err, "allow");
	if (rule_ranges_check(&ruleset->deny, true, err))
		return err_wrap(err, "deny");
	if (rule_ranges_check(&ruleset->never, true, err))
		return err_wrap(err, "never");
	if (rule_ranges_check(&ruleset->ingress, false, err))
		return err_wrap(err, "ingress");
	if (ruleset->cap_count > RULESET_CAPS_MAX)
		return err_set(err, E2BIG, "rules: %zu caps can't be held (at most %u)", ruleset->cap_count, RULESET_CAPS_MAX);
	for (size_t i = 0; i < ruleset->cap_count; i++)
		if (rule_ranges_check(&ruleset->caps[i].reach, false, err))
			return err_wrap(err, "cap %zu", i);
	if (!ruleset->alive_ms)
		return err_set(err, EINVAL, "rules: the dead man's switch has no time");
	if (ruleset->rate != UINT64_MAX && (!ruleset->rate || ruleset->rate > RATE_MAX))
		return err_set(err, EINVAL, "rules: a rate of %llu bytes a second can't be held (1 to %llu, or unlimited)",
			       (unsigned long long)ruleset->rate, RATE_MAX);
	return 0;
}

/* What each set of ruleset_sets holds. */
struct contents {
	struct rule_ranges sets[SETS_MAX];
	size_t total;
	struct caps_reach caps;
};

static void contents_release(struct contents *contents)
{
	for (size_t i = 0; i < SETS_MAX; i++)
		free(contents->sets[i].items);
	caps_release_reach(&contents->caps);
}

static int contents_make(const struct ruleset *ruleset, struct contents *contents, struct err *err)
{
	int r = 0;

	_Static_assert(SETS_MAX >= 19, "a set has no place");
	for (size_t i = 0; i < ruleset_set_count && !r; i++) {
		r = ruleset_make_ranges(ruleset, &ruleset_sets[i], &contents->sets[i], err);
		contents->total += contents->sets[i].count;
	}
	return r ? r : caps_make_reach(ruleset, &contents->caps, err);
}

static int commit_table(int nl_fd, const struct ruleset *ruleset, const struct contents *contents, uint32_t flags,
			struct err *err)
{
	size_t room = TABLE_BYTES + ruleset_element_room(contents->total) + caps_room(ruleset, &contents->caps);
	cleanup_free char *memory = alloc_zeroed(room, 1);
	struct nft_builder builder = { .data = memory, .room = room };
	uint32_t at_seq, table_seq = ruleset->replaces ? TABLE_SEQ + 1 : TABLE_SEQ;
	int r;

	nft_batch_begin(&builder);
	if (ruleset->replaces) {
		nft_batch_message(&builder, NFT_MSG_DELTABLE, 0);
		nft_put_text(&builder, NFTA_TABLE_NAME, RULESET_TABLE);
	}
	ruleset_put_table(&builder, flags);
	ruleset_put_sets(&builder, ruleset->has_names);
	caps_put_sets(&builder, ruleset);
	ruleset_put_objects(&builder, ruleset);
	caps_put_objects(&builder, ruleset);
	ruleset_put_chains(&builder, ruleset);
	for (size_t i = 0; i < ruleset_set_count; i++)
		ruleset_put_elements(&builder, &ruleset_sets[i], &contents->sets[i]);
	caps_put_elements(&builder, ruleset, &contents->caps);
	ruleset_put_alive(&builder, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, ruleset->alive_ms);
	ruleset_put_rules(&builder, ruleset);
	r = nft_batch_commit(nl_fd, &builder, &at_seq, err);
	if (r == -EEXIST && at_seq == table_seq)
		return err_set(err, EEXIST, "network namespace: holds a table '%s' already, of another container",
			       RULESET_TABLE);
	if (flags && (r == -EOPNOTSUPP || r == -EINVAL) && at_seq == table_seq)
		return -EOPNOTSUPP;
	return r;
}

int ruleset_install(int nl_fd, const struct ruleset *ruleset, bool *owned, struct err *err)
{
	struct contents contents = { .total = 0 };
	int r = check_ruleset(ruleset, err);

	*owned = false;
	if (r)
		return r;
	r = contents_make(ruleset, &contents, err);
	if (!r) {
		r = commit_table(nl_fd, ruleset, &contents, TABLE_FLAG_OWNER | TABLE_FLAG_PERSIST, err);
		*owned = r == 0;
	}
	if (r == -EOPNOTSUPP)	/* before 6.9 a table either has no owner or dies with it */
		r = commit_table(nl_fd, ruleset, &contents, 0, err);
	contents_release(&contents);
	return r;
}

static int take_table_flags(const struct nlmsghdr *message, void *data)
{
	uint32_t *flags = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS && !nft_get_be32(attr, flags))
			return -EBADMSG;
	return 0;
}

static int read_table_flags(int nl_fd, uint32_t *flags, struct err *err)
{
	char memory[128] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	*flags = 0;
	nft_batch_message(&builder, NFT_MSG_GETTABLE, 0);
	nft_put_text(&builder, NFTA_TABLE_NAME, RULESET_TABLE);
	return nft_request(nl_fd, &builder, take_table_flags, flags, err);
}

int ruleset_is_there(int nl_fd, struct err *err)
{
	struct err missing = ERR_INIT;
	uint32_t flags;
	int r = read_table_flags(nl_fd, &flags, &missing);

	if (r == -ENOENT)
		return 0;
	if (r) {
		*err = missing;
		return r;
	}
	return 1;
}

int ruleset_adopt(int nl_fd, struct err *err)
{
	char memory[512] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	uint32_t flags;
	int r = read_table_flags(nl_fd, &flags, err);

	if (r)
		return r;
	if (flags & TABLE_FLAG_OWNER)
		return err_set(err, EPERM, "nf_tables: the table '%s' has an owner that is still there", RULESET_TABLE);
	if (!(flags & TABLE_FLAG_PERSIST))
		return 0;
	nft_batch_begin(&builder);
	nft_batch_message(&builder, NFT_MSG_NEWTABLE, 0);
	nft_put_text(&builder, NFTA_TABLE_NAME, RULESET_TABLE);
	nft_put_be32(&builder, NFTA_TABLE_FLAGS, TABLE_FLAG_OWNER | TABLE_FLAG_PERSIST);
	return nft_batch_commit(nl_fd, &builder, NULL, err);
}

/* Adding again renews the timeout only from 6.12 on, so the element is deleted and added; the add in front makes the delete
 * find one when it has just expired. No packet sees the moment between: a batch becomes visible as a whole. */
int ruleset_renew_alive(int nl_fd, uint32_t alive_ms, struct err *err)
{
	char memory[2048] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	if (!alive_ms)
		return err_set(err, EINVAL, "nf_tables: the dead man's switch has no time");
	nft_batch_begin(&builder);
	ruleset_put_alive(&builder, NFT_MSG_NEWSETELEM, NLM_F_CREATE, alive_ms);
	ruleset_put_alive(&builder, NFT_MSG_DELSETELEM, 0, alive_ms);
	ruleset_put_alive(&builder, NFT_MSG_NEWSETELEM, NLM_F_CREATE, alive_ms);
	return nft_batch_commit(nl_fd, &builder, NULL, err);
}

/* The add makes the delete find one. */
int ruleset_close(int nl_fd, struct err *err)
{
	char memory[2048] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	nft_batch_begin(&builder);
	ruleset_put_alive(&builder, NFT_MSG_NEWSETELEM, NLM_F_CREATE, 1);
	ruleset_put_alive(&builder, NFT_MSG_DELSETELEM, 0, 1);
	return nft_batch_commit(nl_fd, &builder, NULL, err);
}
