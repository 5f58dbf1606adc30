/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator opens at run time: one batch that empties the sets and fills them anew, so that no packet sees them
 * between. */
#include <errno.h>

#include "shim/base/cleanup.h"
#include "shim/egress/nft-batch.h"
#include "shim/egress/ruleset-parts.h"

static void put_family(struct nft_builder *builder, uint8_t family, const struct ruleset_opened *opened, size_t count)
{
	const char *set = family == 4 ? "opened4" : "opened6";
	struct nft_nest list;
	size_t found = 0;

	/* without a list of elements: all of them */
	nft_batch_message(builder, NFT_MSG_DELSETELEM, 0);
	nft_put_text(builder, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	nft_put_text(builder, NFTA_SET_ELEM_LIST_SET, set);
	for (size_t i = 0; i < count; i++)
		found += opened[i].range.family == family;
	if (!found)
		return;
	list = ruleset_begin_elements(builder, set, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	for (size_t i = 0; i < count; i++)
		if (opened[i].range.family == family)
			ruleset_put_triple(builder, &opened[i].range, opened[i].timeout_ms);
	nft_nest_end(builder, list);
}

int ruleset_open(int nl_fd, const struct ruleset_opened *opened, size_t count, struct err *err)
{
	char memory[RULESET_OPENED_MAX * 96 + 2048] __attribute__((aligned(8)));
	struct nft_builder builder = NFT_BUILDER(memory);

	if (count > RULESET_OPENED_MAX)
		return err_set(err, E2BIG, "nf_tables: %zu ranges can't be opened at once", count);
	for (size_t i = 0; i < count; i++)
		if (opened[i].range.family != 4 && opened[i].range.family != 6)
			return err_set(err, EINVAL, "nf_tables: opening %zu is none", i);
	nft_batch_begin(&builder);
	put_family(&builder, 4, opened, count);
	put_family(&builder, 6, opened, count);
	return nft_batch_commit(nl_fd, &builder, NULL, err);
}
