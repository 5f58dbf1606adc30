/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of oci/edit.c. */
#include "oci/edit.h"
#include "shim/base/cleanup.h"
#include "tests/unit/tap.h"

static struct json_tree *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json_tree *tree = NULL;

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &tree, &err))
		printf("# %s\n", err.text);
	return tree;
}

/* Applies one edit to a document; `value` is JSON or NULL. */
static void edits(const char *document, enum oci_edit_op op, const char *path, const char *value, const char *wanted)
{
	cleanup_json_tree struct json_tree *tree = parse(document), *values = value ? parse(value) : NULL;
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;
	struct oci_edits list;

	oci_edits_init(&list);
	oci_edits_add(&list, op, "some.key", json_root(values), "%s", path);
	if (!wanted) {
		OK(oci_edits_apply(&list, tree, &err) < 0 && strstr(err.text, "some.key"), "edit: refused: %d %s on %s", op, path, document);
	} else {
		OK(!oci_edits_apply(&list, tree, &err), "edit: done: %d %s on %s", op, path, document);
		json_print(&buf, json_root(tree), 0);
		IS_STR(buf.data, wanted, "edit: gives %s", wanted);
	}
	oci_edits_free(&list);
}

static void test_one(void)
{
	edits("{\"a\":1}", OCI_EDIT_ADD, "/b", "[2]", "{\"a\":1,\"b\":[2]}");
	edits("{\"a\":1,\"b\":2}", OCI_EDIT_ADD, "/a", "3", "{\"a\":3,\"b\":2}");
	edits("{\"a\":1,\"b\":2}", OCI_EDIT_REPLACE, "/a", "{}", "{\"a\":{},\"b\":2}");
	edits("{\"a\":1}", OCI_EDIT_REPLACE, "/b", "2", NULL);
	edits("{\"a\":1,\"b\":2}", OCI_EDIT_REMOVE, "/a", NULL, "{\"b\":2}");
	edits("{\"a\":1}", OCI_EDIT_REMOVE, "/b", NULL, NULL);
	edits("{\"a\":[1,2]}", OCI_EDIT_ADD, "/a/0", "0", "{\"a\":[0,1,2]}");
	edits("{\"a\":[1,2]}", OCI_EDIT_ADD, "/a/2", "3", "{\"a\":[1,2,3]}");
	edits("{\"a\":[1,2]}", OCI_EDIT_ADD, "/a/-", "3", "{\"a\":[1,2,3]}");
	edits("{\"a\":[1,2]}", OCI_EDIT_ADD, "/a/3", "3", NULL);
	edits("{\"a\":[1,2]}", OCI_EDIT_REPLACE, "/a/1", "3", "{\"a\":[1,3]}");
	edits("{\"a\":[1,2]}", OCI_EDIT_REPLACE, "/a/-", "3", NULL);
	edits("{\"a\":[1,2]}", OCI_EDIT_REPLACE, "/a/2", "3", NULL);
	edits("{\"a\":[1,2]}", OCI_EDIT_REMOVE, "/a/0", NULL, "{\"a\":[2]}");
	edits("{\"a\":[1,2]}", OCI_EDIT_REMOVE, "/a/-", NULL, NULL);
	edits("{\"a\":[1,2]}", OCI_EDIT_REMOVE, "/a/01", NULL, NULL);
	edits("{\"a\":1}", OCI_EDIT_ADD, "/x/y", "1", NULL);
	edits("{\"a\":1}", OCI_EDIT_ADD, "/a/y", "1", NULL);
	edits("{\"a\":1}", OCI_EDIT_ADD, "a", "1", NULL);
	edits("{\"a\":1}", OCI_EDIT_ADD, "/b~2", "1", NULL);
	edits("{\"a\":1}", OCI_EDIT_ADD, "/b~1c~0", "1", "{\"a\":1,\"b/c~\":1}");
	edits("{\"a\":1}", OCI_EDIT_ADD, "/", "1", "{\"a\":1,\"\":1}");
	edits("{\"a\":1}", OCI_EDIT_REPLACE, "", "[]", "[]");
	edits("{\"a\":1}", OCI_EDIT_REMOVE, "", NULL, NULL);
	edits("{\"a\":1}", OCI_EDIT_ADD, "/b", NULL, NULL);
}

static void test_list(void)
{
	cleanup_json_tree struct json_tree *tree = parse("{\"m\":[1,2,3],\"p\":{}}"), *source = parse("{\"x\":[true]}");
	cleanup_buf struct buf printed = BUF_INIT, result = BUF_INIT;
	struct err err = ERR_INIT;
	struct oci_edits list;

	oci_edits_init(&list);
	oci_edits_add(&list, OCI_EDIT_REMOVE, "mounts.host", NULL, "/m/%d", 2);
	oci_edits_add(&list, OCI_EDIT_REMOVE, "mounts.host", NULL, "/m/%d", 0);
	oci_edits_add(&list, OCI_EDIT_ADD, "process", json_root(source), "/p/%s", "q");
	oci_edits_add(&list, OCI_EDIT_ADD, "process", json_make_string(list.tree, "z"), "/p/q/x/-");
	OK(!oci_edits_apply(&list, tree, &err), "edit: a list is applied in order");
	json_print(&result, json_root(tree), 0);
	IS_STR(result.data, "{\"m\":[2],\"p\":{\"q\":{\"x\":[true,\"z\"]}}}", "edit: each on what the ones before have left");
	OK(json_get(json_root(source), "x")->count == 1, "edit: the source of a value is not changed");
	oci_edits_print(&printed, &list, 0);
	IS_STR(printed.data,
	       "[{\"op\":\"remove\",\"path\":\"/m/2\",\"reason\":\"mounts.host\"},"
	       "{\"op\":\"remove\",\"path\":\"/m/0\",\"reason\":\"mounts.host\"},"
	       "{\"op\":\"add\",\"path\":\"/p/q\",\"value\":{\"x\":[true]},\"reason\":\"process\"},"
	       "{\"op\":\"add\",\"path\":\"/p/q/x/-\",\"value\":\"z\",\"reason\":\"process\"}]",
	       "edit: printed as JSON Patch, values as they were given");
	oci_edits_free(&list);
	OK(!list.count && !list.tree, "edit: a freed list is empty");
}

int main(void)
{
	test_one();
	test_list();
	return tap_done();
}
