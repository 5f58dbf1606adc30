/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as it lies in the record: create writes it, the hook reads it. */
#ifndef QUOD_SHIM_RULESET_JSON_H
#define QUOD_SHIM_RULESET_JSON_H

#include "oci/json.h"
#include "shim/egress/ruleset.h"

struct json *ruleset_to_json(struct json_tree *tree, const struct ruleset *ruleset);

/* -EPROTO when the document isn't one that ruleset_to_json made. Free with ruleset_release, on failure too. */
int ruleset_from_json(const struct json *node, struct ruleset *ruleset, struct err *err);

#endif
