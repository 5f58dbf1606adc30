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

#include "oci/pointer.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/budgets.h"
#include "shim/clones.h"
#include "shim/containers.h"
#include "shim/decide.h"
#include "shim/placeholders.h"
#include "shim/record-make.h"
#include "shim/second-layer.h"
#include "shim/shim.h"
#include "shim/state/halts.h"
#include "shim/told.h"

struct creation {
	struct decision decision;
	int state_fd;
	bool has_state;		/* the directory is ours: to be removed on failure */
};

/* The wall budget's backstop, where systemd keeps the container's unit. */
static void annotate_unit(struct creation *creation, struct json_tree *tree, struct json *annotations)
{
	struct decision *decision = &creation->decision;
	uint64_t us = budgets_unit_us(decision->selection.profile, &decision->ledger);
	cleanup_free char *text = NULL;

	if (!decision->facts.wants_systemd_cgroup || decision->plan.is_sandbox || us == UINT64_MAX)
		return;
	text = alloc_printf("uint64 %llu", (unsigned long long)us);
	json_set(tree, annotations, "org.systemd.property.RuntimeMaxUSec", json_make_string(tree, text));
}

/* runc sets the file and leaves the unit's own at "infinity" where there shall be no swap: whatever makes systemd apply the unit
 * again would let it swap. */
static void annotate_swap(struct creation *creation, struct json_tree *tree, struct json *annotations)
{
	const struct facts *facts = &creation->decision.facts;
	const struct json *memory = pointer_find(json_root(tree), "/linux/resources/memory");
	cleanup_free char *text = NULL;
	int64_t limit, swap;

	if (!facts->wants_systemd_cgroup || facts->cgroup_version != 2 || !facts->has_swap_accounting ||
	    !json_int(json_get(memory, "limit"), &limit) || !json_int(json_get(memory, "swap"), &swap) || limit <= 0 || swap < limit)
		return;
	text = alloc_printf("uint64 %lld", (long long)(swap - limit));
	json_set(tree, annotations, "org.systemd.property.MemorySwapMax", json_make_string(tree, text));
}

/* What every container of quod's carries, beside the plan's edits. */
static void annotate(struct creation *creation, struct json_tree *tree)
{
	struct decision *decision = &creation->decision;
	struct json *root = json_root(tree), *annotations = json_get(root, "annotations");

	if (!json_is(annotations, JSON_OBJECT)) {
		annotations = json_make_object(tree);
		json_set(tree, root, "annotations", annotations);
	}
	json_set(tree, annotations, "quod.dev/applied-profile", json_make_string(tree, selection_name(&decision->selection)));
	json_set(tree, annotations, "quod.dev/profile-digest", json_make_string(tree, decision->digest));
	annotate_unit(creation, tree, annotations);
	annotate_swap(creation, tree, annotations);
}

static int write_bundle(struct creation *creation, struct err *err)
{
	struct decision *decision = &creation->decision;
	struct json_tree *tree = decision->bundle.tree;
	cleanup_buf struct buf buf = BUF_INIT;
	cleanup_free char *rootfs = clones_rootfs(&decision->facts);
	cleanup_close int dir_fd = -1;
	int r;

	r = oci_edits_apply(&decision->plan.edits, tree, err);
	if (r)
		return r;
	annotate(creation, tree);
	json_set(tree, json_get(json_root(tree), "root"), "path", json_make_string(tree, rootfs));
	json_print(&buf, json_root(tree), 0);
	buf_putc(&buf, '\n');
	if (mkdirat(creation->state_fd, "bundle", 0700) < 0)
		return err_set_errno(err, errno, "make %s/bundle", decision->state_dir);
	dir_fd = openat(creation->state_fd, "bundle", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return err_set_errno(err, errno, "%s/bundle", decision->state_dir);
	return file_replace(dir_fd, "config.json", buf.data, buf.len, 0600, err);
}

static int write_record(const struct shim *shim, struct creation *creation, struct err *err)
{
	struct decision *decision = &creation->decision;
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct record_parts parts = {
		.shim = shim,
		.profile = decision->selection.profile,
		.profile_name = selection_name(&decision->selection),
		.chosen_by = decision->selection.chosen_by,
		.tightened_by = &decision->selection.tightened_by,
		.bundle = decision->bundle.path,
		.digest = decision->digest,
		.ledger_key = decision->ledger_key,
		.identity = decision->identity,
		.engine = engine_name(decision->facts.engine),
		.plan = decision->has_plan ? &decision->plan : NULL,
	};

	return record_write(creation->state_fd, record_make(tree, &parts), err);
}

static int audit_create(const struct shim *shim, struct creation *creation, struct err *err)
{
	struct decision *decision = &creation->decision;
	struct record record = {
		.id = decision->facts.id,
		.engine = engine_name(decision->facts.engine),
		.profile = selection_name(&decision->selection),
		.digest = decision->digest,
	};
	const struct strings *tightened_by = &decision->selection.tightened_by;
	cleanup_buf struct buf members = BUF_INIT, held = BUF_INIT;

	buf_puts(&members, "\"chosen_by\":");
	buf_put_json(&members, decision->selection.chosen_by);
	for (size_t i = 0; i < tightened_by->count; i++) {
		buf_puts(&members, i ? "," : ",\"tightened_by\":[");
		buf_put_json(&members, tightened_by->items[i]);
	}
	if (tightened_by->count)
		buf_putc(&members, ']');
	buf_printf(&members, ",\"edits\":%zu", decision->plan.edits.count);
	plan_print_lowered(&held, &decision->plan, record.profile);
	if (held.len) {
		buf_puts(&members, ",\"held\":");
		buf_put_json(&members, held.data);
	}
	return shim_audit(shim, "create", &record, members.data, err);
}

/* What the workspaces hold of it, before it is cloned. */
static int hold_protected(const struct shim *shim, struct creation *creation, struct err *err)
{
	struct decision *decision = &creation->decision;
	cleanup_free char *rootfs = clones_rootfs(&decision->facts);
	const struct hold hold = { &shim->places, creation->state_fd, rootfs, &decision->plan, &decision->facts, &decision->held };

	return placeholders_hold(&hold, err);
}

static int enact(const struct shim *shim, struct creation *creation, struct err *err)
{
	struct decision *decision = &creation->decision;
	int r;

	r = containers_claim(shim, decision->selection.is_unmanaged ? NULL : selection_name(&decision->selection),
			     &creation->state_fd, err);
	if (r)
		return r;
	creation->has_state = true;
	if (!decision->selection.is_unmanaged) {
		r = hold_protected(shim, creation, err);
		if (!r)
			r = clones_make(creation->state_fd, &decision->plan, &decision->facts, &decision->held, err);
		if (!r)
			r = told_make(creation->state_fd, decision->selection.profile, decision->deadline, err);
		if (!r)
			r = write_bundle(creation, err);
	}
	if (!r)
		r = write_record(shim, creation, err);
	/* After the record: whoever halts marks first and lists the records then. */
	if (!r && !decision->selection.is_unmanaged)
		r = halts_check(&shim->places, decision->identity, decision->facts.id, selection_name(&decision->selection), err);
	if (!r)
		r = audit_create(shim, creation, err);
	return r;
}

/* Only a refusal by the profile is an event of the audit trail; bad input is the caller's own affair, but recorded too. */
static int refuse(const struct shim *shim, struct creation *creation, const char *text)
{
	struct decision *decision = &creation->decision;
	struct record record = {
		.id = oci_cmdline_id(&shim->line),
		.engine = engine_name(decision->facts.engine),
		.profile = selection_name(&decision->selection),
		.digest = decision->digest,
	};
	cleanup_buf struct buf members = BUF_INIT;
	struct err err = ERR_INIT;

	if (creation->has_state) {
		clones_detach(decision->state_dir, &err);
		record_remove(&shim->places, shim->key, &err);
		placeholders_release(&shim->places, shim->key, &err);
	}
	buf_puts(&members, "\"reason\":");
	buf_put_json(&members, text);
	shim_audit(shim, "refuse", &record, members.data, &err);
	return report_failure(shim, text);
}

static int become_runtime(const struct shim *shim, struct creation *creation, struct err *err)
{
	struct decision *decision = &creation->decision;
	cleanup_free char *bundle = alloc_printf("%s/bundle", decision->state_dir);
	char **argv;
	int r;

	if (decision->selection.is_unmanaged)
		return runtime_exec(shim->runtime, shim->argv, err);
	/* CRIU does to what it restores nearly all that the layer denies, and brings a layer back that was there */
	r = shim->line.command == OCI_RESTORE ? 0 : second_layer_install(decision->selection.profile, err);
	if (r)
		return r;
	argv = oci_cmdline_replace(&shim->line, "bundle", bundle);
	r = runtime_exec(shim->runtime, argv, err);
	oci_argv_free(argv);
	return r;
}

/* As runc has it; crun takes anything, and makes a path of it. */
static bool is_plain_id(const char *id)
{
	size_t len = strlen(id);

	return len && len <= 255 && strcmp(id, ".") && strcmp(id, "..") &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-") == len;
}

int create_main(struct shim *shim)
{
	struct creation creation = { .decision = DECISION_INIT, .state_fd = -1 };
	struct decision *decision = &creation.decision;
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int r = 0, status;

	if (!oci_cmdline_id(&shim->line))
		r = err_set(&err, EINVAL, "%s: the container's id is missing", oci_command_name(shim->line.command));
	else if (!is_plain_id(oci_cmdline_id(&shim->line)))
		r = err_set(&err, EINVAL, "%s: a container's id is of letters, digits, '_', '+', '.' and '-', at most 255 of them",
			    oci_command_name(shim->line.command));
	if (!r)
		r = decision_make(shim, oci_cmdline_value(&shim->line, "bundle", "."), decision, &err);
	if (!r && decision->plan.refusal_count)
		plan_print_refusals(&text, &decision->plan, selection_name(&decision->selection));
	if (!r && !text.len)
		r = enact(shim, &creation, &err);
	if (!r && !text.len)
		r = become_runtime(shim, &creation, &err);
	if (r)
		buf_puts(&text, err.text);
	status = refuse(shim, &creation, text.data);
	decision_release(decision);
	if (creation.state_fd >= 0)
		close(creation.state_fd);
	return status;
}
