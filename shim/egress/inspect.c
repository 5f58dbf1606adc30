/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel holds of the table: see inspect.h. Must never change anything, nor guess what it could not read. */
#include "shim/egress/inspect.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset-parts.h"

/* A dump that a commit disturbed is taken again; the gate commits every few seconds. */
#define TRIES 5

static int take_table(const struct nlmsghdr *message, void *data)
{
	struct ruleset_inspection *inspection = data;
	uint32_t flags = 0;
	struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS && !nft_get_be32(attr, &flags))
			return -EBADMSG;
		if (mnl_attr_get_type(attr) == NFTA_TABLE_OWNER && !nft_get_be32(attr, &inspection->owner_port_id))
			return -EBADMSG;
	}
	inspection->has_table = true;
	inspection->is_dormant = flags & TABLE_FLAG_DORMANT;
	inspection->is_owned = flags & TABLE_FLAG_OWNER;
	inspection->is_persistent = flags & TABLE_FLAG_PERSIST;
	return 0;
}

/* What the kernel says of one chain, against what quod sets. */
struct seen_chain {
	const struct ruleset_chain *wanted;
	uint32_t hook, priority, policy;
	bool has_hook, has_type;
};

static void take_hook(const struct nlattr *nest, struct seen_chain *seen)
{
	struct nlattr *attr;
	bool has_number = false, has_priority = false;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM)
			has_number = nft_get_be32(attr, &seen->hook);
		else if (mnl_attr_get_type(attr) == NFTA_HOOK_PRIORITY)
			has_priority = nft_get_be32(attr, &seen->priority);
	}
	seen->has_hook = has_number && has_priority;
}

static int take_chain(const struct nlmsghdr *message, void *data)
{
	struct seen_chain *seen = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		switch (mnl_attr_get_type(attr)) {
		case NFTA_CHAIN_HOOK:
			take_hook(attr, seen);
			break;
		case NFTA_CHAIN_POLICY:
			if (!nft_get_be32(attr, &seen->policy))
				return -EBADMSG;
			break;
		case NFTA_CHAIN_TYPE:
			seen->has_type = nft_is_text(attr, seen->wanted->is_nat ? "nat" : "filter");
			break;
		}
	}
	return 0;
}

static int count_one(const struct nlmsghdr *message, void *data)
{
	uint32_t *count = data;

	++*count;
	return 0;
}

/* Rules of one chain; older kernels ignore the filter by chain, so each rule is asked for its own. */
struct rule_count {
	const char *chain;
	uint32_t count;
};

static int take_rule(const struct nlmsghdr *message, void *data)
{
	struct rule_count *count = data;
	struct nlattr *attr;
	bool is_table = false, is_chain = false;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_RULE_TABLE)
			is_table = nft_is_text(attr, RULESET_TABLE);
		else if (mnl_attr_get_type(attr) == NFTA_RULE_CHAIN)
			is_chain = nft_is_text(attr, count->chain);
	}
	return is_table && is_chain ? count_one(message, &count->count) : 0;
}

static int count_rules(int nl_fd, const char *chain, uint32_t *rules, struct err *err)
{
	int r = -EINTR;

	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		char memory[256] __attribute__((aligned(8)));
		struct nft_builder builder = NFT_BUILDER(memory);
		struct rule_count count = { chain, 0 };

		nft_batch_message(&builder, NFT_MSG_GETRULE, NLM_F_DUMP);
		nft_put_text(&builder, NFTA_RULE_TABLE, RULESET_TABLE);
		nft_put_text(&builder, NFTA_RULE_CHAIN, chain);
		r = nft_request(nl_fd, &builder, take_rule, &count, err);
		*rules = count.count;
	}
	return r;
}

static bool is_as_wanted(const struct seen_chain *seen, uint32_t rules, const struct ruleset_inspection *inspection)
{
	const struct ruleset_chain *wanted = seen->wanted;
	const struct ruleset_parts parts = { inspection->has_names, inspection->observes, inspection->cap_count };
	uint32_t least = ruleset_chain_rules(wanted, &parts);
	bool has_rules = rules >= least && rules <= least + wanted->optional;

	if (wanted->hook == CHAIN_NOT_BASE)
		return has_rules && !seen->has_hook;
	return has_rules && seen->has_hook && seen->has_type && seen->hook == (uint32_t)wanted->hook &&
	       seen->priority == (uint32_t)wanted->priority && seen->policy == wanted->policy;
}

/* 0 also for what isn't there. */
static int missing_is_fine(int r, struct err *problem, struct err *err)
{
	if (r && r != -ENOENT)
		*err = *problem;
	return r == -ENOENT ? 0 : r;
}

static int inspect_chain(int nl_fd, const struct ruleset_chain *wanted, struct ruleset_inspection *inspection,
			 struct inspected_chain *chain, struct err *err)
{
	char memory[256] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	struct seen_chain seen = { .wanted = wanted };
	struct err problem = ERR_INIT;
	int r;

	*chain = (struct inspected_chain){ .name = wanted->name, .is_base = wanted->hook != CHAIN_NOT_BASE };
	nft_batch_message(&builder, NFT_MSG_GETCHAIN, 0);
	nft_put_text(&builder, NFTA_CHAIN_TABLE, RULESET_TABLE);
	nft_put_text(&builder, NFTA_CHAIN_NAME, wanted->name);
	r = nft_request(nl_fd, &builder, take_chain, &seen, &problem);
	if (r)
		return missing_is_fine(r, &problem, err);
	r = count_rules(nl_fd, wanted->name, &chain->rules, &problem);
	if (r)
		return missing_is_fine(r, &problem, err);
	chain->is_there = true;
	inspection->observes = inspection->observes || wanted->observed;
	if (!strcmp(wanted->name, "weigh"))
		inspection->cap_count = chain->rules / wanted->per_cap;
	chain->is_as_wanted = is_as_wanted(&seen, chain->rules, inspection);
	return 0;
}

/* An interval of addresses is two elements, a start and an end: ends aren't counted. */
static int take_elements(const struct nlmsghdr *message, void *data)
{
	uint32_t *count = data, flags;
	struct nlattr *attr, *element, *part;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(element, attr) {
			bool is_end = false;

			mnl_attr_for_each_nested(part, element)
				if (mnl_attr_get_type(part) == NFTA_SET_ELEM_FLAGS && nft_get_be32(part, &flags))
					is_end = flags & NFT_SET_ELEM_INTERVAL_END;
			*count += !is_end;
		}
	}
	return 0;
}

static int inspect_set(int nl_fd, const char *name, struct inspected_set *set, struct err *err)
{
	struct err problem = ERR_INIT;
	int r = -EINTR;

	*set = (struct inspected_set){ .name = name };
	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		char memory[256] __attribute__((aligned(8)));
		struct nft_builder builder = NFT_BUILDER(memory);

		set->elements = 0;
		nft_batch_message(&builder, NFT_MSG_GETSETELEM, NLM_F_DUMP);
		nft_put_text(&builder, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
		nft_put_text(&builder, NFTA_SET_ELEM_LIST_SET, name);
		r = nft_request(nl_fd, &builder, take_elements, &set->elements, &problem);
	}
	set->is_there = r == 0;
	return missing_is_fine(r, &problem, err);
}

static int inspect_table(int nl_fd, struct ruleset_inspection *inspection, struct err *err)
{
	char memory[128] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);
	struct err problem = ERR_INIT;

	nft_batch_message(&builder, NFT_MSG_GETTABLE, 0);
	nft_put_text(&builder, NFTA_TABLE_NAME, RULESET_TABLE);
	return missing_is_fine(nft_request(nl_fd, &builder, take_table, inspection, &problem), &problem, err);
}

/* One of the chains and sets that names need is enough to want all of them. */
static int inspect_sets(int nl_fd, struct ruleset_inspection *inspection, struct err *err)
{
	for (size_t i = 0; i < ruleset_set_count && i < INSPECT_SETS_MAX; i++) {
		struct inspected_set *set = &inspection->sets[inspection->set_count++];
		int r = inspect_set(nl_fd, ruleset_sets[i].name, set, err);

		if (r)
			return r;
		if (ruleset_sets[i].kind == SET_LEARNT)
			inspection->has_names = inspection->has_names || set->is_there;
		if (ruleset_sets[i].kind == SET_ALIVE)
			inspection->is_alive = set->elements == 2;
	}
	for (size_t i = 0; i < inspection->set_count; i++)
		inspection->is_whole = inspection->is_whole && (inspection->sets[i].is_there ||
				       (ruleset_sets[i].kind == SET_LEARNT && !inspection->has_names));
	return 0;
}

int ruleset_inspect(int nl_fd, struct ruleset_inspection *inspection, struct err *err)
{
	int r;

	memset(inspection, 0, sizeof(*inspection));
	r = inspect_table(nl_fd, inspection, err);
	if (r || !inspection->has_table)
		return r;
	inspection->is_whole = !inspection->is_dormant;
	r = inspect_sets(nl_fd, inspection, err);
	for (size_t i = 0; !r && i < ruleset_chain_count && inspection->chain_count < INSPECT_CHAINS_MAX; i++) {
		struct inspected_chain *chain = &inspection->chains[inspection->chain_count];
		struct ruleset_parts parts;

		r = inspect_chain(nl_fd, &ruleset_chains[i], inspection, chain, err);
		parts = (struct ruleset_parts){ inspection->has_names, inspection->observes, inspection->cap_count };
		if (r || (!chain->is_there && !ruleset_chain_rules(&ruleset_chains[i], &parts)))
			continue;
		inspection->chain_count++;
		inspection->is_whole = inspection->is_whole && chain->is_as_wanted;
	}
	return r;
}
