/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state, list, features: the runtime's answer, with the engine's own bundle path where the runtime was given quod's, and
 * with what quod is among the features. Must never keep an answer back: what can't be understood is handed on as it came.
 */
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/list-table.h"
#include "shim/select.h"
#include "shim/shim.h"

static const char *const free_form[] = { "/annotations", NULL };

static int hand_on(const struct shim *shim)
{
	struct err err = ERR_INIT;

	runtime_exec(shim->runtime, shim->argv, &err);
	return report_failure(shim, err.text);
}

/* The engine's bundle of a container of shim->runtime_root; NULL when quod doesn't know it. malloc'ed. */
static char *find_bundle(const char *id, void *data)
{
	const struct shim *shim = data;
	struct record record = { NULL };
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = -1;
	char key[STATE_KEY], *bundle = NULL;

	state_key(shim->runtime_root, id, key);
	dir_fd = record_open_dir(&shim->places, key, false, &ignored);
	if (dir_fd < 0 || record_read(dir_fd, &record, &ignored) < 0)
		return NULL;
	if (!strcmp(record.id, id))
		bundle = alloc_copy(record.bundle);
	record_release(&record);
	return bundle;
}

/* True when it was quod's container. */
static bool set_bundle(const struct shim *shim, struct json *container, struct json_tree *tree)
{
	const char *id = json_string(json_get(container, "id"));
	cleanup_free char *bundle = id ? find_bundle(id, (void *)shim) : NULL;

	if (bundle)
		json_set(tree, container, "bundle", json_make_string(tree, bundle));
	return bundle;
}

static void add_features(struct json *features, struct json_tree *tree)
{
	struct json *annotations = json_get(features, "annotations");
	cleanup_buf struct buf text = BUF_INIT;
	struct strings names = { NULL, 0 };
	struct profile_paths paths;
	struct err ignored = ERR_INIT;

	shim_profile_paths(NULL, &paths);
	profile_list(&paths, &names, &ignored);
	for (size_t i = 0; i < names.count; i++)
		buf_printf(&text, "%s%s", i ? "," : "", names.items[i]);
	strings_free(&names);
	if (!json_is(annotations, JSON_OBJECT)) {
		annotations = json_make_object(tree);
		json_set(tree, features, "annotations", annotations);
	}
	json_set(tree, annotations, "dev.quod.version", json_make_string(tree, QUOD_VERSION));
	json_set(tree, annotations, "dev.quod.profiles", json_make_string(tree, text.len ? text.data : ""));
}

/* False: nothing in the answer is quod's to change. */
static bool answer_json(const struct shim *shim, const struct buf *given, struct buf *answer)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err ignored = ERR_INIT;
	bool changed = false;
	struct json *root;

	if (json_parse(given->data ? given->data : "", given->len, JSON_PLAIN,
		       shim->line.command == OCI_LIST ? NULL : free_form, &tree, &ignored) < 0)
		return false;
	root = json_root(tree);
	if (shim->line.command == OCI_LIST) {
		for (size_t i = 0; json_is(root, JSON_ARRAY) && i < root->count; i++)
			changed = set_bundle(shim, root->items[i], tree) || changed;
	} else if (shim->line.command == OCI_STATE) {
		changed = set_bundle(shim, root, tree);
	} else if (json_is(root, JSON_OBJECT)) {
		add_features(root, tree);
		changed = true;
	}
	if (!changed)
		return false;
	json_print(answer, root, 2);
	buf_putc(answer, '\n');
	return true;
}

/* Nothing in it is quod's to change. */
static bool is_plain(const struct shim *shim)
{
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = -1;

	switch (shim->line.command) {
	case OCI_STATE:
		if (!shim->runtime_root || !shim->key[0])
			return true;
		dir_fd = record_open_dir(&shim->places, shim->key, false, &ignored);
		return dir_fd < 0;
	case OCI_LIST:
		return !shim->runtime_root || oci_cmdline_has(&shim->line, "quiet");
	default:
		return false;
	}
}

int answer_main(struct shim *shim)
{
	cleanup_buf struct buf given = BUF_INIT, answer = BUF_INIT;
	const char *format = oci_cmdline_value(&shim->line, "format", "table");
	struct err err = ERR_INIT;
	int status;

	if (is_plain(shim))
		return hand_on(shim);
	status = runtime_run(shim->runtime, shim->argv, &given, &err);
	if (status < 0)
		return report_failure(shim, err.text);
	if (status == 0 && shim->line.command == OCI_LIST && !strcmp(format, "table"))
		list_table_print(&answer, given.data ? given.data : "", find_bundle, shim);
	else if (status != 0 || !answer_json(shim, &given, &answer))
		buf_put(&answer, given.data ? given.data : "", given.len);
	if (file_write_all(STDOUT_FILENO, answer.data ? answer.data : "", answer.len) < 0)
		return report_failure(shim, "the answer can't be written");
	return status;
}
