/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update: resources stay below the profile's bounds; what is over is lowered to them, and the answer says so. They come from a
 * file, from standard input or from options, are read once, and the runtime gets what was judged, sealed in memory. Must never
 * hand on a resource that the plan has not seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "oci/spec.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/facts.h"
#include "shim/own.h"
#include "shim/sealed.h"
#include "shim/update-options.h"

#define RESOURCES_MAX (1u << 20)

struct change {
	struct own_container own;
	struct json_tree *config_tree;	/* the container's planned config.json */
	struct oci_config config;
	struct json_tree *tree;		/* the resources */
	struct facts facts;
	bool has_plan;
	struct plan plan;
	struct buf reasons;
};

static void change_release(struct change *change)
{
	buf_free(&change->reasons);
	if (change->has_plan)
		plan_release(&change->plan);
	facts_release(&change->facts);
	json_tree_free(change->tree);
	oci_config_release(&change->config);
	json_tree_free(change->config_tree);
	own_release(&change->own);
}

static int parse_from(int fd, struct json_tree **tree, struct err *err)
{
	static const char *const free_form[] = { "/unified", NULL };
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	r = file_read_all(fd, RESOURCES_MAX, &text, &len, err);
	if (!r)
		r = json_parse(text, len, JSON_PLAIN, free_form, tree, err);
	if (!r && !json_is(json_root(*tree), JSON_OBJECT))
		r = err_set(err, EINVAL, "the document is not an object");
	return r ? err_wrap(err, "resources") : 0;
}

static int read_resources(const struct shim *shim, struct change *change, struct err *err)
{
	const char *file = oci_cmdline_value(&shim->line, "resources", "");
	cleanup_close int fd = -1;

	if (!*file) {
		change->tree = json_tree_new();
		return update_options_make(&shim->line, change->tree, err);
	}
	if (!strcmp(file, "-"))
		return parse_from(STDIN_FILENO, &change->tree, err);
	fd = file_open_regular(AT_FDCWD, file, err);
	if (fd < 0)
		return err_wrap(err, "resources");
	return parse_from(fd, &change->tree, err);
}

static int check_resources(struct change *change, struct err *err)
{
	struct oci_findings findings = { .items = NULL };
	struct buf *text = &change->reasons;

	oci_check(json_root(change->tree), OCI_RESOURCES, &findings);
	for (size_t i = 0; i < findings.count; i++) {
		if (i)
			buf_puts(text, "; ");
		else
			buf_printf(text, "refused by profile '%s': ", change->own.record.profile);
		buf_printf(text, "resources%s: %s", findings.items[i].pointer, findings.items[i].text);
	}
	oci_findings_free(&findings);
	return text->len ? err_set(err, EINVAL, "update refused") : 0;
}

/* Not in a resources object, so that no file could carry it. */
static int check_options(const struct shim *shim, struct err *err)
{
	static const char *const names[] = { "l3-cache-schema", "mem-bw-schema" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (oci_cmdline_option(&shim->line, names[i]))
			return err_set(err, EPERM, "update --%s: no profile bounds it, so it can't be changed", names[i]);
	}
	return 0;
}

static int decide(const struct shim *shim, struct change *change, struct err *err)
{
	struct plan_input input = { change->own.profile, &change->config, &change->facts };
	struct json *resources = json_root(change->tree);

	change->facts.id = change->own.record.id;
	change->facts.key = shim->key;
	change->facts.state_dir = change->facts.deadline = "";
	if (facts_gather_host(shim, &change->config, &change->facts, err) < 0)
		return -err->code;
	update_drop_zeros(resources);
	update_complete(resources, change->config.resources, change->facts.has_swap_accounting, change->tree);
	plan_make_update(&input, resources, &change->plan);
	change->has_plan = true;
	if (!change->plan.refusal_count)
		return oci_edits_apply(&change->plan.edits, change->tree, err);
	plan_print_refusals(&change->reasons, &change->plan, change->own.record.profile);
	return err_set(err, EPERM, "update refused");
}

static int become_runtime(const struct shim *shim, struct change *change, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT, members = BUF_INIT, held = BUF_INIT;
	cleanup_close int fd = -1;
	char path[32], **argv;

	json_print(&text, json_root(change->tree), 0);
	buf_printf(&members, "\"resources\":%s", text.data);
	plan_print_lowered(&held, &change->plan, change->own.record.profile);
	if (held.len) {
		buf_puts(&members, ",\"held\":");
		buf_put_json(&members, held.data);
	}
	fd = sealed_make("quod-resources", text.data, text.len, 3, err);
	if (fd < 0)
		return fd;
	if (shim_audit(shim, "update", &change->own.record, members.data, err) < 0)
		return -err->code;
	if (held.len)
		report_warning(shim, held.data);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	argv = oci_cmdline_replace(&shim->line, "resources", path);
	runtime_exec(shim->runtime, argv, err);
	oci_argv_free(argv);
	return -err->code;
}

static int refuse(const struct shim *shim, struct change *change, const struct err *err)
{
	const char *text = change->reasons.len ? change->reasons.data : err->text;
	cleanup_buf struct buf members = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (change->own.profile && (change->own.profile->audit_record & AUDIT_REFUSALS)) {
		buf_puts(&members, "\"command\":\"update\",\"reason\":");
		buf_put_json(&members, text);
		shim_audit(shim, "refuse", &change->own.record, members.data, &ignored);
	}
	return report_failure(shim, text);
}

int update_main(struct shim *shim)
{
	struct change change = { .own = OWN_CONTAINER_INIT };
	struct err err = ERR_INIT;
	int r, status;

	r = own_open(shim, &change.own, &err);
	if (!r && own_is_unmanaged(&change.own))
		r = runtime_exec(shim->runtime, shim->argv, &err);
	if (!r)
		r = check_options(shim, &err);
	if (!r)
		r = own_read_config(shim, &change.own, &change.config_tree, &change.config, &err);
	if (!r)
		r = read_resources(shim, &change, &err);
	if (!r)
		r = check_resources(&change, &err);
	if (!r)
		r = decide(shim, &change, &err);
	if (!r)
		become_runtime(shim, &change, &err);
	status = refuse(shim, &change, &err);
	change_release(&change);
	return status;
}
