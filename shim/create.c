/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create, run, restore: read config.json once, plan, and either refuse with every reason or write the result into quod's
 * own bundle, write the record, and become the runtime on that bundle. Must leave nothing behind when it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci/bundle.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/budgets.h"
#include "shim/clones.h"
#include "shim/containers.h"
#include "shim/facts.h"
#include "shim/record-make.h"
#include "shim/select.h"
#include "shim/shim.h"
#include "shim/state/sha256.h"

/* All that one create holds; released in one place. */
struct creation {
	struct oci_bundle bundle;
	struct oci_config config;
	struct selection selection;
	struct facts facts;
	struct facts_held held;
	struct plan plan;
	bool has_plan;
	struct ledger ledger;
	char ledger_key[STATE_KEY];
	char digest[SHA256_HEX];
	char *state_dir, *deadline;
	int state_fd;
	bool has_state;		/* the directory is ours: to be removed on failure */
};

static void creation_release(struct creation *creation)
{
	if (creation->has_plan)
		plan_release(&creation->plan);
	facts_held_close(&creation->held);
	facts_release(&creation->facts);
	selection_release(&creation->selection);
	oci_config_release(&creation->config);
	oci_bundle_close(&creation->bundle);
	free(creation->state_dir);
	free(creation->deadline);
	if (creation->state_fd >= 0)
		close(creation->state_fd);
}

/* A field of the wrong type makes the typed view unsafe: then only the document itself is judged. */
static bool has_sound_types(const struct json *root)
{
	struct oci_findings findings = { NULL, 0 };
	bool sound = true;

	oci_check(root, OCI_CONFIG, &findings);
	for (size_t i = 0; i < findings.count; i++)
		sound = sound && findings.items[i].kind != OCI_WRONG_TYPE;
	oci_findings_free(&findings);
	return sound;
}

static int read_bundle(const struct shim *shim, struct creation *creation, struct err *err)
{
	const char *path = oci_cmdline_value(&shim->line, "bundle", ".");
	const struct json *root;
	int r;

	r = oci_bundle_open(path, &creation->bundle, err);
	if (!r)
		r = oci_bundle_read_config(&creation->bundle, shim->config->config_bytes, err);
	if (r)
		return err_wrap(err, "bundle %s", path);
	root = json_root(creation->bundle.tree);
	if (has_sound_types(root))
		oci_config_view(root, &creation->config);
	else
		creation->config.root = root;
	if (creation->config.mount_count > shim->config->mounts_max)
		return err_set(err, E2BIG, "/mounts: %zu mounts are more than this host reads (limits.mounts %llu)",
			       creation->config.mount_count, (unsigned long long)shim->config->mounts_max);
	return 0;
}

/* Kubernetes gives a restarted container another id: its ledger is the pod's uid and the container's name. */
static void find_ledger_key(const struct shim *shim, struct creation *creation)
{
	const char *uid = oci_annotation(&creation->config, "io.kubernetes.cri.sandbox-uid");
	const char *name = oci_annotation(&creation->config, "io.kubernetes.cri.container-name");

	if (creation->facts.engine == ENGINE_CRI && uid && name)
		state_key(uid, name, creation->ledger_key);
	else
		memcpy(creation->ledger_key, shim->key, sizeof(creation->ledger_key));
}

static void digest_profile(const struct profile *profile, char digest[SHA256_HEX])
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_buf struct buf buf = BUF_INIT;

	json_print(&buf, profile_to_json(profile, tree), 0);
	sha256_hex(buf.data, buf.len, digest);
}

static int decide(struct shim *shim, struct creation *creation, struct err *err)
{
	struct plan_input input = { .config = &creation->config, .facts = &creation->facts };
	cleanup_free char *spent = NULL;
	int r;

	r = profile_select(shim, &creation->config, &creation->selection, err);
	if (r)
		return r;
	input.profile = creation->selection.profile;
	digest_profile(input.profile, creation->digest);
	if (creation->config.oci_version || creation->config.root_path) {
		creation->facts.state_dir = creation->state_dir;
		r = facts_gather(shim, &creation->bundle, &creation->config, &creation->facts, &creation->held, err);
		if (r)
			return r;
	}
	find_ledger_key(shim, creation);
	r = ledger_read(shim->places.ledger_dir, creation->ledger_key, &creation->ledger, err);
	if (r)
		return r;
	spent = budgets_find_spent(input.profile, &creation->ledger);
	if (spent)
		return err_set(err, EDQUOT, "refused by profile '%s': %s (budgets)", input.profile->name, spent);
	creation->deadline = budgets_deadline(input.profile, &creation->ledger);
	creation->facts.deadline = creation->deadline;
	plan_make(&input, &creation->plan);
	creation->has_plan = true;
	return 0;
}

/* What every container of quod's carries, beside the plan's edits. */
static void annotate(struct creation *creation, struct json_tree *tree)
{
	struct json *root = json_root(tree), *annotations = json_get(root, "annotations");

	if (!json_is(annotations, JSON_OBJECT)) {
		annotations = json_make_object(tree);
		json_set(tree, root, "annotations", annotations);
	}
	json_set(tree, annotations, "quod.dev/applied-profile", json_make_string(tree, creation->selection.profile->name));
	json_set(tree, annotations, "quod.dev/profile-digest", json_make_string(tree, creation->digest));
}

static int write_bundle(struct creation *creation, struct err *err)
{
	struct json_tree *tree = creation->bundle.tree;
	cleanup_buf struct buf buf = BUF_INIT;
	cleanup_close int dir_fd = -1;
	int r;

	r = oci_edits_apply(&creation->plan.edits, tree, err);
	if (r)
		return r;
	annotate(creation, tree);
	json_set(tree, json_get(json_root(tree), "root"), "path", json_make_string(tree, creation->facts.rootfs));
	json_print(&buf, json_root(tree), 0);
	buf_putc(&buf, '\n');
	if (mkdirat(creation->state_fd, "bundle", 0700) < 0)
		return err_set_errno(err, errno, "make %s/bundle", creation->state_dir);
	dir_fd = openat(creation->state_fd, "bundle", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return err_set_errno(err, errno, "%s/bundle", creation->state_dir);
	return file_replace(dir_fd, "config.json", buf.data, buf.len, 0600, err);
}

static int write_record(const struct shim *shim, struct creation *creation, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct record_parts parts = {
		.shim = shim,
		.profile = creation->selection.profile,
		.chosen_by = creation->selection.chosen_by,
		.bundle = creation->bundle.path,
		.digest = creation->digest,
		.ledger_key = creation->ledger_key,
		.engine = engine_name(creation->facts.engine),
		.plan = &creation->plan,
	};

	return record_write(creation->state_fd, record_make(tree, &parts), err);
}

static int audit_create(const struct shim *shim, struct creation *creation, struct err *err)
{
	struct record record = {
		.id = creation->facts.id,
		.engine = engine_name(creation->facts.engine),
		.profile = creation->selection.profile->name,
		.digest = creation->digest,
	};
	cleanup_buf struct buf members = BUF_INIT;

	buf_puts(&members, "\"chosen_by\":");
	buf_put_json(&members, creation->selection.chosen_by);
	buf_printf(&members, ",\"edits\":%zu", creation->plan.edits.count);
	return shim_audit(shim, "create", &record, members.data, err);
}

static int enact(const struct shim *shim, struct creation *creation, struct err *err)
{
	int r;

	r = containers_claim(shim, creation->selection.profile->name, &creation->state_fd, err);
	if (r)
		return r;
	creation->has_state = true;
	r = clones_make(creation->state_fd, creation->state_dir, &creation->plan, &creation->held, err);
	if (!r)
		r = write_bundle(creation, err);
	if (!r)
		r = write_record(shim, creation, err);
	if (!r)
		r = audit_create(shim, creation, err);
	return r;
}

/* Only a refusal by the profile is an event of the audit trail; bad input is the caller's own affair, but recorded too. */
static int refuse(const struct shim *shim, struct creation *creation, const char *text)
{
	struct record record = {
		.id = oci_cmdline_id(&shim->line),
		.engine = engine_name(creation->facts.engine),
		.profile = creation->selection.profile ? creation->selection.profile->name : "",
		.digest = creation->digest,
	};
	cleanup_buf struct buf members = BUF_INIT;
	struct err err = ERR_INIT;

	if (creation->has_state) {
		clones_detach(creation->state_dir, &err);
		record_remove(&shim->places, shim->key, &err);
	}
	buf_puts(&members, "\"reason\":");
	buf_put_json(&members, text);
	shim_audit(shim, "refuse", &record, members.data, &err);
	return report_failure(shim, text);
}

static int become_runtime(const struct shim *shim, struct creation *creation, struct err *err)
{
	cleanup_free char *bundle = alloc_printf("%s/bundle", creation->state_dir);
	char **argv = oci_cmdline_replace(&shim->line, "bundle", bundle);
	int r;

	r = runtime_exec(shim->runtime, argv, err);
	oci_argv_free(argv);
	return r;
}

int create_main(struct shim *shim)
{
	struct creation creation = { .bundle = OCI_BUNDLE_INIT, .held = { .rootfs_fd = -1 }, .state_fd = -1 };
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int r = 0, status;

	if (!oci_cmdline_id(&shim->line))
		r = err_set(&err, EINVAL, "%s: the container's id is missing", oci_command_name(shim->line.command));
	creation.state_dir = alloc_printf("%s/containers/%s", shim->places.run_dir, shim->key);
	if (!r)
		r = read_bundle(shim, &creation, &err);
	if (!r)
		r = decide(shim, &creation, &err);
	if (!r && creation.plan.refusal_count)
		plan_print_refusals(&text, &creation.plan, creation.selection.profile->name);
	else if (!r)
		r = enact(shim, &creation, &err);
	if (!r && !text.len)
		r = become_runtime(shim, &creation, &err);
	if (r)
		buf_puts(&text, err.text);
	status = refuse(shim, &creation, text.data);
	creation_release(&creation);
	return status;
}
