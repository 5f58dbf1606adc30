/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec: one more process in a container of quod's, under the bounds that the container was created with. The process file
 * is read once and the runtime gets what was judged, sealed in memory; the command's own options go the same way. Must never
 * hand on a process that the plan has not seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "oci/spec.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/caller.h"
#include "shim/exec-options.h"
#include "shim/facts.h"
#include "shim/own.h"
#include "shim/sealed.h"
#include "shim/second-layer.h"

struct execution {
	struct own_container own;
	struct json_tree *config_tree;	/* the container's planned config.json */
	struct oci_config config;
	struct json_tree *tree;		/* the process, edited in place */
	struct facts facts;
	bool has_plan;
	struct plan plan;
	struct buf reasons;		/* the refusal line, longer than an error's text may be */
};

static void execution_release(struct execution *execution)
{
	buf_free(&execution->reasons);
	if (execution->has_plan)
		plan_release(&execution->plan);
	facts_release(&execution->facts);
	json_tree_free(execution->tree);
	oci_config_release(&execution->config);
	json_tree_free(execution->config_tree);
	own_release(&execution->own);
}

static int read_file(const char *path, size_t limit, struct json_tree **tree, struct err *err)
{
	cleanup_close int fd = file_open_regular(AT_FDCWD, path, err);
	cleanup_free char *text = NULL;
	size_t len = 0;

	if (fd < 0 || file_read_all(fd, limit, &text, &len, err) < 0 || json_parse(text, len, JSON_PLAIN, NULL, tree, err) < 0)
		return err_wrap(err, "process file %s", path);
	return 0;
}

static int read_process(const struct shim *shim, struct execution *execution, struct err *err)
{
	const char *file = oci_cmdline_value(&shim->line, "process", "");

	if (*file)
		return read_file(file, shim->config->config_bytes, &execution->tree, err);
	execution->tree = json_tree_new();
	return exec_options_make(&shim->line, execution->config.process.node, execution->tree, err);
}

/* A process is a known place of the specification through and through: what isn't in it isn't taken. */
static int check_process(struct execution *execution, struct err *err)
{
	const struct json *root = json_root(execution->tree);
	struct buf *text = &execution->reasons;
	struct oci_findings findings = { .items = NULL };

	if (!json_is(root, JSON_OBJECT))
		return err_set(err, EINVAL, "process file: the document is not an object");
	oci_check(root, OCI_PROCESS, &findings);
	for (size_t i = 0; i < findings.count; i++) {
		if (i)
			buf_puts(text, "; ");
		else
			buf_printf(text, "refused by profile '%s': ", execution->own.record.profile);
		buf_printf(text, "process%s: %s", findings.items[i].pointer, findings.items[i].text);
	}
	oci_findings_free(&findings);
	return text->len ? err_set(err, EINVAL, "exec refused") : 0;
}

/* The deadline that the container's first process was told. */
static const char *find_deadline(const struct oci_config *config)
{
	const struct json *env = config->process.env;
	const char *found = "";

	for (size_t i = 0; env && i < env->count; i++) {
		const char *text = json_string(env->items[i]);

		if (text && !strncmp(text, "QUOD_DEADLINE=", 14))
			found = text + 14;
	}
	return found;
}

static int decide(const struct shim *shim, struct execution *execution, struct err *err)
{
	struct plan_input input = { execution->own.profile, &execution->config, &execution->facts };

	execution->facts.id = execution->own.record.id;
	execution->facts.key = shim->key;
	execution->facts.is_rootless = host_is_rootless();
	execution->facts.state_dir = "";
	execution->facts.deadline = find_deadline(&execution->config);
	if (facts_gather_host(shim, &execution->config, &execution->facts, err) < 0)
		return -err->code;
	plan_make_exec(&input, json_root(execution->tree), &execution->plan);
	execution->has_plan = true;
	if (execution->plan.refusal_count) {
		plan_print_refusals(&execution->reasons, &execution->plan, execution->own.record.profile);
		return err_set(err, EPERM, "exec refused");
	}
	return oci_edits_apply(&execution->plan.edits, execution->tree, err);
}

static int audit_exec(const struct shim *shim, const struct execution *execution, struct err *err)
{
	const struct json *args = json_get(json_root(execution->tree), "args");
	cleanup_buf struct buf members = BUF_INIT;

	if (!(execution->own.profile->audit_record & AUDIT_EXEC))
		return 0;
	buf_puts(&members, "\"args\":");
	if (args)
		json_print(&members, args, 0);
	else
		buf_puts(&members, "[]");
	buf_printf(&members, ",\"edits\":%zu", execution->plan.edits.count);
	return shim_audit(shim, "exec", &execution->own.record, members.data, err);
}

static int become_runtime(const struct shim *shim, struct execution *execution, struct err *err)
{
	int preserved = caller_check_descriptors(&shim->line, err);
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_close int fd = -1;
	char path[32], **argv;

	if (preserved < 0)
		return preserved;
	json_print(&text, json_root(execution->tree), 0);
	fd = sealed_make("quod-process", text.data, text.len, 3 + preserved, err);
	if (fd < 0)
		return fd;
	if (audit_exec(shim, execution, err) < 0 || second_layer_install(execution->own.profile, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	argv = oci_cmdline_replace(&shim->line, "process", path);
	runtime_exec(shim->runtime, argv, err);
	oci_argv_free(argv);
	return -err->code;
}

static int refuse(const struct shim *shim, struct execution *execution, const struct err *err)
{
	const char *text = execution->reasons.len ? execution->reasons.data : err->text;
	cleanup_buf struct buf members = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (execution->own.profile && (execution->own.profile->audit_record & AUDIT_REFUSALS)) {
		buf_puts(&members, "\"command\":\"exec\",\"reason\":");
		buf_put_json(&members, text);
		shim_audit(shim, "refuse", &execution->own.record, members.data, &ignored);
	}
	return report_failure(shim, text);
}

int exec_main(struct shim *shim)
{
	struct execution execution = { .own = OWN_CONTAINER_INIT };
	struct err err = ERR_INIT;
	int r, status;

	r = own_open(shim, &execution.own, &err);
	if (!r && own_is_unmanaged(&execution.own))
		r = runtime_exec(shim->runtime, shim->argv, &err);
	if (!r)
		r = own_check_running(shim, &execution.own, &err);
	if (!r)
		r = exec_options_check_cgroup(&shim->line, &err);
	if (!r)
		r = own_read_config(shim, &execution.own, &execution.config_tree, &execution.config, &err);
	if (!r)
		r = read_process(shim, &execution, &err);
	if (!r)
		r = check_process(&execution, &err);
	if (!r)
		r = decide(shim, &execution, &err);
	if (!r)
		become_runtime(shim, &execution, &err);
	status = refuse(shim, &execution, &err);
	execution_release(&execution);
	return status;
}
