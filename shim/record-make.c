/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record's document: see record-make.h. Member names are those of struct record. */
#include "shim/record-make.h"

#include <time.h>

#include "shim/ruleset-json.h"

static struct json *edits_to_json(struct json_tree *tree, const struct oci_edits *edits)
{
	static const char *const names[] = { "add", "replace", "remove" };
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < edits->count; i++) {
		const struct oci_edit *edit = &edits->items[i];
		struct json *node = json_make_object(tree);

		json_set(tree, node, "op", json_make_string(tree, names[edit->op]));
		json_set(tree, node, "path", json_make_string(tree, edit->path));
		json_set(tree, node, "reason", json_make_string(tree, edit->reason));
		json_append(tree, array, node);
	}
	return array;
}

static struct json *strings_to_json(struct json_tree *tree, const struct strings *strings)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < strings->count; i++)
		json_append(tree, array, json_make_string(tree, strings->items[i]));
	return array;
}

static struct json *plan_to_json(struct json_tree *tree, const struct plan *plan)
{
	struct json *node = json_make_object(tree), *protected = json_make_array(tree);

	json_set(tree, node, "edits", edits_to_json(tree, &plan->edits));
	json_set(tree, node, "notes", strings_to_json(tree, &plan->notes));
	for (size_t i = 0; i < plan->protected_count; i++)
		json_append(tree, protected, json_make_string(tree, plan->protected[i].destination));
	json_set(tree, node, "protected", protected);
	json_set(tree, node, "has_placeholders", json_make_bool(tree, plan->has_placeholders));
	json_set(tree, node, "volumes", strings_to_json(tree, &plan->volumes));
	json_set(tree, node, "has_network", json_make_bool(tree, plan->has_network));
	json_set(tree, node, "is_sandbox", json_make_bool(tree, plan->is_sandbox));
	json_set(tree, node, "joins", json_make_bool(tree, plan->joins));
	json_set(tree, node, "joins_network", json_make_bool(tree, plan->joins_network));
	json_set(tree, node, "resolv_conf", json_make_string(tree, plan->resolv_conf ? plan->resolv_conf : ""));
	json_set(tree, node, "ruleset", ruleset_to_json(tree, &plan->ruleset));
	return node;
}

/* Where the helpers write: what this host said when the container was created. */
static struct json *audit_to_json(struct json_tree *tree, const struct audit_settings *audit)
{
	struct json *node = json_make_object(tree);

	json_set(tree, node, "file", json_make_string(tree, audit->file));
	json_set(tree, node, "head_file", json_make_string(tree, audit->head_file));
	json_set(tree, node, "rotate_bytes", json_make_uint(tree, audit->rotate_bytes));
	json_set(tree, node, "keep_files", json_make_uint(tree, audit->keep_files));
	json_set(tree, node, "anchor_syslog", json_make_bool(tree, audit->anchor_syslog));
	return node;
}

struct json *record_make(struct json_tree *tree, const struct record_parts *parts)
{
	const struct shim *shim = parts->shim;
	struct json *root = json_make_object(tree);
	const char *const texts[][2] = {
		{ "id", oci_cmdline_id(&shim->line) }, { "key", shim->key },
		{ "runtime_root", shim->runtime_root }, { "runtime", shim->runtime },
		{ "bundle", parts->bundle }, { "engine", parts->engine },
		{ "profile", parts->profile_name }, { "digest", parts->digest },
		{ "chosen_by", parts->chosen_by }, { "ledger_key", parts->ledger_key },
		{ "identity", parts->identity },
	};

	json_set(tree, root, "version", json_make_int(tree, RECORD_VERSION));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_set(tree, root, texts[i][0], json_make_string(tree, texts[i][1] ? texts[i][1] : ""));
	/* runc deletes it itself when it ends: no delete will come. crun then still works in our bundle, and waits for all that a
	 * hook has started: there nobody is left to take our part away but the next create. */
	json_set(tree, root, "is_run", json_make_bool(tree, shim->line.command == OCI_RUN && shim->line.dialect == OCI_DIALECT_RUNC &&
								     !oci_cmdline_has(&shim->line, "detach") &&
								     !oci_cmdline_has(&shim->line, "keep")));
	json_set(tree, root, "created_s", json_make_int(tree, time(NULL)));
	json_set(tree, root, "audit", audit_to_json(tree, &shim->audit));
	json_set(tree, root, "tightened_by", strings_to_json(tree, parts->tightened_by));
	json_set(tree, root, "profile_json", parts->profile ? profile_to_json(parts->profile, tree) : json_make_object(tree));
	if (parts->plan)
		json_set(tree, root, "plan", plan_to_json(tree, parts->plan));
	return root;
}
