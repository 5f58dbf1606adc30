/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table holds more for caps, bounds of a part of what is let out: see ruleset-caps.c. Private to shim/egress. */
#ifndef QUOD_EGRESS_RULESET_CAPS_H
#define QUOD_EGRESS_RULESET_CAPS_H

#include "shim/egress/ruleset-parts.h"

/* The parts of the batch. What each cap reaches by address, disjoint: made before, `count` elements in all. */
struct caps_reach {
	struct rule_ranges v4[RULESET_CAPS_MAX], v6[RULESET_CAPS_MAX];
	size_t count;
};
int caps_make_reach(const struct ruleset *ruleset, struct caps_reach *reach, struct err *err);
void caps_release_reach(struct caps_reach *reach);
size_t caps_room(const struct ruleset *ruleset, const struct caps_reach *reach);	/* bytes of all these */
void caps_put_sets(struct nft_builder *b, const struct ruleset *ruleset);
void caps_put_elements(struct nft_builder *b, const struct ruleset *ruleset, const struct caps_reach *reach);
void caps_put_objects(struct nft_builder *b, const struct ruleset *ruleset);
void caps_put_chains(struct nft_builder *b, const struct ruleset *ruleset);

/* In the chain through which everything leaves: three rules in front of the whole budget's, one behind it. */
void caps_put_weighing(struct nft_builder *b, const char *chain);
void caps_put_known(struct nft_builder *b, const char *chain);

#endif
