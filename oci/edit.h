/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list of changes to a JSON document, in the terms of JSON Patch (RFC 6902: add, replace, remove), each with the profile
 * key that asked for it. Applied in order; indices in a path mean the document as the edits before have left it.
 */
#ifndef QUOD_OCI_EDIT_H
#define QUOD_OCI_EDIT_H

#include "oci/json.h"

enum oci_edit_op { OCI_EDIT_ADD, OCI_EDIT_REPLACE, OCI_EDIT_REMOVE };

struct oci_edit {
	enum oci_edit_op op;
	char *path;			/* RFC 6901; "-" as last token appends to an array */
	const struct json *value;	/* NULL for remove; owned by the list's tree */
	char *reason;			/* the profile key that asked for it: "process.capabilities" */
};

struct oci_edits {
	struct json_tree *tree;		/* owns the values */
	struct oci_edit *items;
	size_t count;
};

void oci_edits_init(struct oci_edits *edits);
void oci_edits_free(struct oci_edits *edits);

/* Appends one edit; `value` is copied into edits->tree (it may come from any tree), NULL for remove. */
void oci_edits_add(struct oci_edits *edits, enum oci_edit_op op, const char *reason, const struct json *value,
		   const char *path_format, ...) __attribute__((format(printf, 5, 6)));

/* Applies all to `tree` (values are copied into it). An edit whose parent or target is missing is an error; the tree is
 * then half edited and must be thrown away. "add" on an existing member replaces it, as RFC 6902 says. */
int oci_edits_apply(const struct oci_edits *edits, struct json_tree *tree, struct err *err);

/* As a JSON array of RFC 6902 operations, each with an extra member "reason". */
void oci_edits_print(struct buf *buf, const struct oci_edits *edits, int indent);

#endif
