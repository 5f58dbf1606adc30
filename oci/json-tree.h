/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What json.c (parsing) and json-tree.c (nodes) share: memory of a tree, and the order of names. Nobody else includes it.
 */
#ifndef QUOD_OCI_JSON_TREE_H
#define QUOD_OCI_JSON_TREE_H

#include "oci/json.h"

/* A list of chunks, from which memory is cut and never given back before the tree's end. */
struct json_arena {
	struct json_chunk *chunks;
	size_t used, room;	/* of the newest chunk */
};

struct json_tree {
	struct json_arena nodes;	/* structs and arrays, aligned */
	struct json_arena texts;	/* bytes */
	struct json *root;
};

/* Zeroed node; the text is a copy with a NUL behind it. */
struct json *json_tree_node(struct json_tree *tree, enum json_type type, int line);
const char *json_tree_text(struct json_tree *tree, const char *bytes, size_t len);

/* Make a container of `count` children that are copied. Room is always the next power of two: see json_insert. */
void json_tree_items(struct json_tree *tree, struct json *array, const struct json_member *children, size_t count);
void json_tree_members(struct json_tree *tree, struct json *object, const struct json_member *children, size_t count);

/* Order of names as Go's encoding/json folds them; 0 when they differ at most in case. */
int json_fold_compare(const char *a, const char *b);

/* Pointers to an object's members, by fold, then by bytes, then by place; malloc'ed. */
const struct json_member **json_members_sorted(const struct json *object);

#endif
