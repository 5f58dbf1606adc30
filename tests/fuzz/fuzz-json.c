/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of oci/json.c, json-tree.c and pointer.c. Input: a document. What is taken must print to a document that is taken
 * as the same tree, every pointer must name its own node, and what needs no comments must mean the same with them allowed.
 *
 * With libFuzzer, after ./configure && make:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. tests/fuzz/fuzz-json.c oci/json.c oci/json-tree.c \
 *     oci/pointer.c shim/base/buf.c shim/base/err.c -lyajl -o fuzz-json && mkdir -p build/new &&
 *   ./fuzz-json -max_total_time=60 -max_len=4096 build/new tests/fuzz/corpus/json
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/json.h"
#include "oci/pointer.h"
#include "shim/base/cleanup.h"

#define NODES_MAX 300	/* whose pointers are looked up */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const free_form[] = { "/annotations", "/a/0/b~1c", NULL };

struct walk {
	const struct json *root;
	struct buf place;
	size_t nodes, depth;
};

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_node(struct walk *walk, const struct json *node)
{
	size_t outer = walk->place.len;

	must(++walk->depth <= 65);
	must(node->line >= 1);
	if (walk->nodes++ < NODES_MAX)
		must(pointer_find(walk->root, walk->place.data) == node);
	if (node->type == JSON_STRING || node->type == JSON_NUMBER)
		must(node->text != NULL);
	for (size_t i = 0; i < node->count; i++) {
		if (node->type == JSON_ARRAY)
			pointer_put_index(&walk->place, i);
		else
			pointer_put_name(&walk->place, node->members[i].name);
		check_node(walk, node->type == JSON_ARRAY ? node->items[i] : node->members[i].value);
		walk->place.len = outer;
		walk->place.data[outer] = '\0';
	}
	walk->depth--;
}

static void check_reprint(const struct json *root, int indent)
{
	cleanup_json_tree struct json_tree *again = NULL;
	cleanup_buf struct buf text = BUF_INIT, second = BUF_INIT;
	struct err err = ERR_INIT;

	json_print(&text, root, indent);
	must(!json_parse(text.data, text.len, JSON_PLAIN, free_form, &again, &err));
	must(json_equal(root, json_root(again)));
	json_print(&second, json_root(again), indent);
	must(text.len == second.len && !memcmp(text.data, second.data, text.len));
}

static struct json_tree *check_document(const char *bytes, size_t len, enum json_flags flags)
{
	struct json_tree *tree = NULL;
	struct err err = ERR_INIT;
	struct walk walk = { .place = BUF_INIT };

	if (json_parse(bytes, len, flags, free_form, &tree, &err)) {
		must(!tree && !strncmp(err.text, "line ", 5));
		return NULL;
	}
	walk.root = json_root(tree);
	buf_puts(&walk.place, "");
	check_node(&walk, walk.root);
	buf_free(&walk.place);
	check_reprint(walk.root, 0);
	check_reprint(walk.root, 3);
	return tree;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_json_tree struct json_tree *plain = check_document((const char *)data, size, JSON_PLAIN);
	cleanup_json_tree struct json_tree *comments = check_document((const char *)data, size, JSON_COMMENTS);
	cleanup_json_tree struct json_tree *copies = json_tree_new();

	if (!plain)
		return 0;
	must(json_equal(json_root(plain), json_root(comments)));
	must(json_equal(json_root(plain), json_copy(copies, json_root(plain))));
	return 0;
}
