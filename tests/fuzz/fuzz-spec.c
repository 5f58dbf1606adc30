/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of oci/spec*.c and edit.c. Input: a configuration, process or resources document. Each finding must name a
 * place in the document; when all these places are removed by edits, nothing may be found any more.
 *
 * With libFuzzer, after ./configure && make:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. tests/fuzz/fuzz-spec.c oci/json.c oci/json-tree.c \
 *     oci/pointer.c oci/edit.c oci/spec*.c shim/base/buf.c shim/base/err.c -lyajl -o fuzz-spec && mkdir -p build/new &&
 *   ./fuzz-spec -max_total_time=60 -max_len=16384 build/new tests/fuzz/corpus/spec
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/edit.h"
#include "oci/pointer.h"
#include "oci/spec.h"
#include "shim/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_view(const struct json *root)
{
	struct oci_config config;

	oci_config_view(root, &config);
	must(!config.process.node || config.process.node == json_get(root, "process"));
	for (size_t i = 0; i < config.mount_count; i++)
		must(config.mounts[i].index == i && config.mounts[i].node == json_item(json_get(root, "mounts"), i));
	for (size_t i = 0; i < config.namespace_count; i++)
		must(config.namespaces[i].index == i);
	oci_config_release(&config);
}

/* Last first, so that the places in front of a removed item of an array stay what they were. */
static void remove_findings(const struct oci_findings *findings, struct json_tree *tree)
{
	struct err err = ERR_INIT;
	struct oci_edits edits;

	oci_edits_init(&edits);
	for (size_t i = findings->count; i > 0; i--)
		oci_edits_add(&edits, OCI_EDIT_REMOVE, "fuzz", NULL, "%s", findings->items[i - 1].pointer);
	must(!oci_edits_apply(&edits, tree, &err));
	oci_edits_free(&edits);
}

static void check_document(const struct json *root, enum oci_document document)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct oci_findings findings, rest;

	oci_check(root, document, &findings);
	for (size_t i = 0; i < findings.count; i++)
		must(pointer_find(root, findings.items[i].pointer) && findings.items[i].text[0] && findings.items[i].line > 0);
	if (!findings.is_cut && (!findings.count || findings.items[0].pointer[0])) {
		json_set_root(tree, json_copy(tree, root));
		remove_findings(&findings, tree);
		oci_check(json_root(tree), document, &rest);
		must(!rest.count && !rest.is_cut);
		oci_findings_free(&rest);
	}
	oci_findings_free(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	if (json_parse((const char *)data, size, JSON_PLAIN, oci_config_free_form, &tree, &err))
		return 0;
	check_view(json_root(tree));
	check_document(json_root(tree), OCI_CONFIG);
	check_document(json_root(tree), OCI_PROCESS);
	check_document(json_root(tree), OCI_RESOURCES);
	return 0;
}
