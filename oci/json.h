/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict JSON tree (RFC 8259) that keeps the order of members, every unknown field and the text of numbers.
 * One tree owns all its nodes; nodes are only ever added, so a borrowed pointer stays good as long as the tree.
 * The only file that includes yajl is json.c.
 */
#ifndef QUOD_OCI_JSON_H
#define QUOD_OCI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/buf.h"
#include "shim/base/err.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_member;

struct json {
	enum json_type type;
	int line;		/* of the source, 1-based; 0 for a node that was made, not parsed */
	bool boolean;		/* JSON_BOOL */
	const char *text;	/* JSON_STRING: UTF-8 without NUL; JSON_NUMBER: as it was written */
	size_t count;		/* items of an array, members of an object */
	struct json **items;	/* JSON_ARRAY */
	struct json_member *members;	/* JSON_OBJECT, in the order of the source */
};

struct json_member {
	const char *name;
	int line;		/* of the name */
	struct json *value;
};

struct json_tree;		/* owns nodes, names and texts */

enum json_flags {
	JSON_PLAIN = 0,		/* what runc and crun may read: no comments */
	JSON_COMMENTS = 1,	/* quod's own files: line and block comments */
};

/* Parses one document. Refused, with line and JSON pointer in err: anything but one value and white space; invalid UTF-8;
 * NUL in a string (written or \u0000); unpaired surrogates; a member name twice in one object, or two that differ only in
 * case (as Go's encoding/json folds: ASCII, and U+017F and U+212A), except below a path that json_parse is told is
 * free-form; nesting over 64; numbers that don't survive (an integer outside int64 and uint64, -0, a fraction that is no
 * finite double). `free_form` is a NULL-terminated list of pointers ("/annotations", "/linux/sysctl") whose members may
 * differ only in case; NULL for none. Returns 0 and *tree (free with json_tree_free). */
int json_parse(const char *bytes, size_t len, enum json_flags flags, const char *const *free_form, struct json_tree **tree,
	       struct err *err);

struct json_tree *json_tree_new(void);	/* an empty tree to make nodes in; its root is NULL */
void json_tree_free(struct json_tree *tree);
static inline void cleanup_json_tree_at(struct json_tree **tree)
{
	json_tree_free(*tree);
}
#define cleanup_json_tree __attribute__((cleanup(cleanup_json_tree_at)))

struct json *json_root(const struct json_tree *tree);
void json_set_root(struct json_tree *tree, struct json *root);

/* Making nodes; all owned by `tree`, texts are copied. */
struct json *json_make_null(struct json_tree *tree);
struct json *json_make_bool(struct json_tree *tree, bool value);
struct json *json_make_int(struct json_tree *tree, int64_t value);
struct json *json_make_uint(struct json_tree *tree, uint64_t value);
struct json *json_make_string(struct json_tree *tree, const char *text);
struct json *json_make_array(struct json_tree *tree);
struct json *json_make_object(struct json_tree *tree);
struct json *json_copy(struct json_tree *tree, const struct json *node);	/* deep */

/* Changing nodes. `before` = index to insert at; count appends. Values must belong to the same tree. */
void json_insert(struct json_tree *tree, struct json *array, size_t before, struct json *value);
void json_append(struct json_tree *tree, struct json *array, struct json *value);
void json_remove_item(struct json *array, size_t index);
void json_set(struct json_tree *tree, struct json *object, const char *name, struct json *value);	/* add or replace */
void json_remove(struct json *object, const char *name);

/* Reading. All accept NULL for the node and give NULL, the default or false then, so that lookups chain. */
struct json *json_get(const struct json *object, const char *name);
struct json *json_item(const struct json *array, size_t index);
const char *json_string(const struct json *node);			/* NULL when it is no string */
bool json_is(const struct json *node, enum json_type type);
bool json_bool(const struct json *node, bool otherwise);
bool json_int(const struct json *node, int64_t *value);		/* false when it is no integer that fits */
bool json_uint(const struct json *node, uint64_t *value);
bool json_equal(const struct json *a, const struct json *b);		/* deep; objects regardless of order, numbers by text */
const char *json_type_name(enum json_type type);			/* "an object" ... for messages */

/* Prints without any white space when indent is 0, else indented by that many spaces. Strings that need no escape are
 * printed as they are; numbers as they were written. */
void json_print(struct buf *buf, const struct json *node, int indent);

#endif
