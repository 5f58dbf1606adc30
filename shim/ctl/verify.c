/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl verify CONTAINER | --all: promised beside in force. Exit status 0 only when every control of every container is
 * proven; a container that has ended or has not begun to run is said to be so, and is no proof.
 */
#include "shim/proof/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/find.h"
#include "shim/ctl/openings.h"
#include "shim/ctl/table.h"
#include "shim/policy/selection.h"

static const char *const outcome_names[] = { "proven", "failed", "inconclusive" };
static const enum tone outcome_tones[] = { TONE_GOOD, TONE_BAD, TONE_DOUBT };

static void print_rows(const struct proof *verify)
{
	static const char *const heads[] = { "CONTROL", "PROMISED", "IN FORCE", "VERDICT", "HOW SEEN", NULL };
	struct table table;

	table_init(&table, heads);
	for (size_t i = 0; i < verify->count; i++) {
		const struct proof_row *row = &verify->rows[i];

		table_add(&table, TONE_PLAIN, row->key);
		table_add(&table, TONE_PLAIN, row->promised);
		table_add(&table, TONE_PLAIN, row->in_force);
		table_add(&table, outcome_tones[row->outcome], outcome_names[row->outcome]);
		table_add(&table, TONE_PLAIN, row->how);
	}
	table_print(&table, stdout);
	table_release(&table);
}

static struct json *rows_to_json(struct json_tree *tree, const struct proof *verify)
{
	struct json *node = json_make_object(tree), *rows = json_make_array(tree);

	json_set(tree, node, "id", json_make_string(tree, verify->record->id));
	json_set(tree, node, "profile", json_make_string(tree, verify->record->profile));
	for (size_t i = 0; i < verify->count; i++) {
		const struct proof_row *row = &verify->rows[i];
		struct json *one = json_make_object(tree);

		json_set(tree, one, "key", json_make_string(tree, row->key));
		json_set(tree, one, "promised", json_make_string(tree, row->promised));
		json_set(tree, one, "in_force", json_make_string(tree, row->in_force));
		json_set(tree, one, "how", json_make_string(tree, row->how));
		json_set(tree, one, "verdict", json_make_string(tree, outcome_names[row->outcome]));
		json_append(tree, rows, one);
	}
	json_set(tree, node, "controls", rows);
	return node;
}

static int read_config(int state_fd, struct json_tree **tree, struct err *err)
{
	cleanup_close int dir_fd = openat(state_fd, "bundle", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int fd = dir_fd < 0 ? -1 : file_open_regular(dir_fd, "config.json", err);
	cleanup_free char *text = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return err_set(err, ENOENT, "its bundle is gone");
	r = file_read_all(fd, 64u << 20, &text, &len, err);
	return r ? r : json_parse(text, len, JSON_PLAIN, oci_config_free_form, tree, err);
}

/* One container: CTL_YES, CTL_NO or CTL_FAILED; its rows go to the terminal, or into `list`. */
static int verify_one(const struct ctl *ctl, const char *name, struct json_tree *tree, struct json *list)
{
	struct record record = { .tree = NULL };
	struct profile *profile = NULL;
	struct json_tree *config = NULL;
	struct openings openings = { NULL, 0 };
	struct err err = ERR_INIT;
	cleanup_close int state_fd = -1;
	struct proof verify = { .record = &record, .stage = PROOF_RUNNING };
	int r, status = CTL_YES;

	r = container_find(&ctl->places, name, &record, &state_fd, &err);
	if (!r && !strcmp(record.profile, PROFILE_UNMANAGED) && !strcmp(ctl->argv[1], "--all")) {
		record_release(&record);
		return CTL_YES;
	}
	if (!r && !strcmp(record.profile, PROFILE_UNMANAGED))
		r = err_set(&err, EOPNOTSUPP, "%s: a rule of quod.json leaves it as it is (unmanaged): nothing is promised", name);
	if (!r)
		r = profile_from_json(record.profile_json, record.profile, &profile, &err);
	if (!r)
		r = read_config(state_fd, &config, &err);
	verify.profile = profile;
	verify.is_halted = state_fd >= 0 && faccessat(state_fd, "halted", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	openings_read(ctl, state_fd, &openings);
	verify.is_opened = openings.count;
	verify.config = config ? json_root(config) : NULL;
	if (!r)
		r = proof_look(&verify, &ctl->places, &err);
	for (size_t i = 0; i < verify.count; i++)
		status = verify.rows[i].outcome == PROOF_PROVEN ? status : CTL_NO;
	if (r)
		status = ctl_fail("%s", err.text);
	else if (ctl->json)
		json_append(tree, list, rows_to_json(tree, &verify));
	else
		print_rows(&verify);
	proof_release(&verify);
	openings_release(&openings);
	json_tree_free(config);
	profile_free(profile);
	record_release(&record);
	return status;
}

static int add_key(const char *key, void *data)
{
	strings_add(data, key);
	return 0;
}

int verify_main(struct ctl *ctl)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *list = json_make_array(tree);
	struct strings names = { NULL, 0 };
	struct err err = ERR_INIT;
	int status = CTL_YES;

	if (ctl->argc != 2)
		return ctl_fail_usage(ctl, "verify takes one container, or --all");
	if (strcmp(ctl->argv[1], "--all"))
		strings_add(&names, ctl->argv[1]);
	else if (record_each(&ctl->places, add_key, &names, &err) < 0)
		return ctl_fail("%s", err.text);
	for (size_t i = 0; i < names.count; i++) {
		int one = verify_one(ctl, names.items[i], tree, list);

		status = one > status ? one : status;
	}
	if (ctl->json)
		ctl_print_json(list);
	strings_free(&names);
	return status;
}
