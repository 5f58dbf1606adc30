/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits: see edit.h. An edit either does exactly what RFC 6902 says or fails; nothing is made up where a parent or target is
 * missing.
 */
#include "oci/edit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"

static const char *const op_names[] = {
	[OCI_EDIT_ADD] = "add", [OCI_EDIT_REPLACE] = "replace", [OCI_EDIT_REMOVE] = "remove",
};

void oci_edits_init(struct oci_edits *edits)
{
	*edits = (struct oci_edits){ .tree = json_tree_new() };
}

void oci_edits_free(struct oci_edits *edits)
{
	for (size_t i = 0; i < edits->count; i++) {
		free(edits->items[i].path);
		free(edits->items[i].reason);
	}
	free(edits->items);
	json_tree_free(edits->tree);
	*edits = (struct oci_edits){ 0 };
}

void oci_edits_add(struct oci_edits *edits, enum oci_edit_op op, const char *reason, const struct json *value,
		   const char *path_format, ...)
{
	struct oci_edit *edit;
	va_list args;
	char *text;

	va_start(args, path_format);
	text = alloc_vprintf(path_format, args);
	va_end(args);
	edits->items = alloc_grow(edits->items, edits->count + 1, sizeof(*edits->items));
	edit = &edits->items[edits->count++];
	*edit = (struct oci_edit){ .op = op, .path = text, .reason = alloc_copy(reason) };
	if (value && op != OCI_EDIT_REMOVE)
		edit->value = json_copy(edits->tree, value);
}

static int apply_to_array(const struct oci_edit *edit, struct json_tree *tree, struct json *array, const char *token)
{
	size_t index = array->count;

	if (edit->op == OCI_EDIT_ADD && !strcmp(token, "-")) {
		json_append(tree, array, json_copy(tree, edit->value));
		return 0;
	}
	if (!pointer_parse_index(token, &index) || index >= array->count + (edit->op == OCI_EDIT_ADD))
		return -ENOENT;
	if (edit->op == OCI_EDIT_ADD)
		json_insert(tree, array, index, json_copy(tree, edit->value));
	else if (edit->op == OCI_EDIT_REPLACE)
		array->items[index] = json_copy(tree, edit->value);
	else
		json_remove_item(array, index);
	return 0;
}

static int apply_to_object(const struct oci_edit *edit, struct json_tree *tree, struct json *object, const char *token)
{
	if (edit->op != OCI_EDIT_ADD && !json_get(object, token))
		return -ENOENT;
	if (edit->op == OCI_EDIT_REMOVE)
		json_remove(object, token);
	else
		json_set(tree, object, token, json_copy(tree, edit->value));
	return 0;
}

static int apply_one(const struct oci_edit *edit, struct json_tree *tree)
{
	cleanup_buf struct buf parent_path = BUF_INIT, token = BUF_INIT;
	struct json *parent;

	if (!edit->value && edit->op != OCI_EDIT_REMOVE)
		return -EINVAL;
	if (!*edit->path && edit->op != OCI_EDIT_REMOVE) {
		json_set_root(tree, json_copy(tree, edit->value));
		return 0;
	}
	if (!pointer_split(edit->path, &parent_path, &token))
		return -EINVAL;
	parent = pointer_find(json_root(tree), parent_path.data);
	if (json_is(parent, JSON_ARRAY))
		return apply_to_array(edit, tree, parent, token.data);
	if (json_is(parent, JSON_OBJECT))
		return apply_to_object(edit, tree, parent, token.data);
	return -ENOENT;
}

int oci_edits_apply(const struct oci_edits *edits, struct json_tree *tree, struct err *err)
{
	for (size_t i = 0; i < edits->count; i++) {
		const struct oci_edit *edit = &edits->items[i];
		int result = apply_one(edit, tree);

		if (result)
			return err_set(err, -result, "cannot %s %s (%s): %s", op_names[edit->op], edit->path, edit->reason,
				       result == -ENOENT ? "no such place in the document" : "not a change that can be made");
	}
	return 0;
}

void oci_edits_print(struct buf *buf, const struct oci_edits *edits, int indent)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < edits->count; i++) {
		const struct oci_edit *edit = &edits->items[i];
		struct json *object = json_make_object(tree);

		json_set(tree, object, "op", json_make_string(tree, op_names[edit->op]));
		json_set(tree, object, "path", json_make_string(tree, edit->path));
		if (edit->value)
			json_set(tree, object, "value", json_copy(tree, edit->value));
		json_set(tree, object, "reason", json_make_string(tree, edit->reason));
		json_append(tree, list, object);
	}
	json_print(buf, list, indent);
}
