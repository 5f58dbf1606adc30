/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/ctl/setup-json.c. Input: a document, with comments or without. Whatever is set, appended or removed in
 * its text, the result parses to the tree that the same change makes of its tree; only a name that is written with escapes
 * may hide, and then the text has a backslash.
 *
 * With libFuzzer, after ./configure && make:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. tests/fuzz/fuzz-setup-json.c shim/ctl/setup-json.c \
 *     oci/json.c oci/json-tree.c oci/pointer.c shim/base/buf.c shim/base/err.c -lyajl -o fuzz-setup-json && mkdir -p build/new &&
 *   ./fuzz-setup-json -max_total_time=60 -max_len=4096 build/new tests/fuzz/corpus/setup-json
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/ctl/setup-json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static struct json_tree *parse(const struct buf *text)
{
	struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	return json_parse(text->data, text->len, JSON_COMMENTS, NULL, &tree, &err) ? NULL : tree;
}

/* Set beside "RUNTIMES" it would be refused for that. */
static bool has_other_case(const struct json *object, const char *name)
{
	for (size_t i = 0; json_is(object, JSON_OBJECT) && i < object->count; i++)
		if (!strcasecmp(object->members[i].name, name) && strcmp(object->members[i].name, name))
			return true;
	return false;
}

static bool may_hide(const struct buf *text)
{
	return memchr(text->data, '\\', text->len) != NULL;
}

/* The text says what the tree says. */
static void agrees(const struct buf *text, const struct json_tree *wanted)
{
	cleanup_json_tree struct json_tree *tree = parse(text);

	must(may_hide(text) || (tree && json_equal(json_root(tree), json_root(wanted))));
}

/* runtimes.quod, in what json_text_set may touch. */
static void check_set(struct json_tree *tree, struct buf *text)
{
	static const char *const path[] = { "runtimes", "quod", NULL };
	struct json *root = json_root(tree), *runtimes = json_get(root, "runtimes");
	bool can = json_is(root, JSON_OBJECT) && (!runtimes || json_is(runtimes, JSON_OBJECT));

	if (has_other_case(root, "runtimes") || has_other_case(runtimes, "quod"))
		return;
	must(json_text_set(text, path, "{ \"path\": \"q\" }") == can || may_hide(text));
	if (!can)
		return;
	if (!runtimes) {
		runtimes = json_make_object(tree);
		json_set(tree, root, "runtimes", runtimes);
	}
	json_set(tree, runtimes, "quod", json_make_object(tree));
	json_set(tree, json_get(runtimes, "quod"), "path", json_make_string(tree, "q"));
	agrees(text, tree);
	must(json_text_remove(text, path) || may_hide(text));
	json_remove(runtimes, "quod");
	agrees(text, tree);
}

static void check_list(struct json_tree *tree, struct buf *text)
{
	static const char *const path[] = { "rules", NULL };
	struct json *root = json_root(tree), *rules = json_get(root, "rules");
	bool can = json_is(root, JSON_OBJECT) && (!rules || json_is(rules, JSON_ARRAY));

	if (has_other_case(root, "rules"))
		return;
	must(json_text_append(text, path, "[7]") == can || may_hide(text));
	if (!can)
		return;
	if (!rules) {
		rules = json_make_array(tree);
		json_set(tree, root, "rules", rules);
	}
	json_append(tree, rules, json_make_array(tree));
	json_append(tree, json_item(rules, rules->count - 1), json_make_int(tree, 7));
	agrees(text, tree);
	must(json_text_remove_item(text, path, 0) || may_hide(text));
	json_remove_item(rules, 0);
	agrees(text, tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_json_tree struct json_tree *tree = NULL, *again = NULL;

	buf_put(&text, data, size);
	tree = size ? parse(&text) : NULL;
	if (!tree)
		return 0;
	check_set(tree, &text);
	again = parse(&text);
	if (again)
		check_list(again, &text);
	return 0;
}
