/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table holds more when names are allowed: see ruleset-names.c. Private to shim/egress. */
#ifndef QUOD_EGRESS_RULESET_NAMES_H
#define QUOD_EGRESS_RULESET_NAMES_H

#include "shim/egress/rule-words.h"

void names_put_marks(struct nft_builder *b, const char *chain, bool has_caps);
void names_put_queries(struct nft_builder *b, const char *chain);
void names_put_known(struct nft_builder *b, const char *chain);
void names_put_learnt(struct nft_builder *b, const char *chain, const struct side *side, const char *const sets[2]);
void names_put_chains(struct nft_builder *b);
void names_put_last(struct nft_builder *b, const char *chain);

#endif
