/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record's document: what create writes down for every later command, the hook and quodctl. */
#ifndef QUOD_SHIM_RECORD_MAKE_H
#define QUOD_SHIM_RECORD_MAKE_H

#include "shim/policy/plan.h"
#include "shim/shim.h"

struct record_parts {
	const struct shim *shim;
	const struct profile *profile;		/* NULL: unmanaged */
	const struct strings *tightened_by;
	const char *profile_name, *chosen_by, *bundle, *digest, *ledger_key, *identity, *engine;
	const struct plan *plan;		/* NULL: unmanaged */
};

struct json *record_make(struct json_tree *tree, const struct record_parts *parts);

#endif
