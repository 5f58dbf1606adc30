/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/update-options: update's options as a resources object, and what completes one. */
#include <errno.h>
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/update-options.h"
#include "tests/unit/tap.h"

static char *make(enum oci_dialect dialect, const char *arguments)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_free char *copy = alloc_copy(arguments);
	struct buf buf = BUF_INIT;
	struct oci_cmdline line;
	struct err err = ERR_INIT;
	char *argv[32] = { (char *)"quod", (char *)"update" };
	int argc = 2;

	for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc++] = (char *)"id";
	oci_cmdline_parse(dialect, argc, argv, &line, &err);
	if (update_options_make(&line, tree, &err) == 0)
		json_print(&buf, json_root(tree), 0);
	else
		buf_printf(&buf, "error: %s", err.text);
	oci_cmdline_free(&line);
	return buf_steal(&buf);
}

static void makes(enum oci_dialect dialect, const char *arguments, const char *wanted, const char *what)
{
	cleanup_free char *got = make(dialect, arguments);

	IS_STR(got, wanted, "update: %s", what);
}

static void refuses(enum oci_dialect dialect, const char *arguments, const char *what)
{
	cleanup_free char *got = make(dialect, arguments);

	OK(!strncmp(got, "error: ", 7), "update: %s", what);
	if (strncmp(got, "error: ", 7))
		printf("# got: %s\n", got);
}

static void completes(const char *resources, const char *planned, bool has_swap, const char *wanted, const char *what)
{
	cleanup_json_tree struct json_tree *tree = NULL, *other = NULL;
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;

	json_parse(resources, strlen(resources), JSON_PLAIN, NULL, &tree, &err);
	json_parse(planned, strlen(planned), JSON_PLAIN, NULL, &other, &err);
	update_drop_zeros(json_root(tree));
	update_complete(json_root(tree), json_root(other), has_swap, tree);
	json_print(&buf, json_root(tree), 0);
	IS_STR(buf.data, wanted, "update: %s", what);
}

static void test_complete(void)
{
	const char *planned = "{\"cpu\":{\"quota\":200000,\"period\":100000},\"memory\":{\"limit\":1000,\"swap\":1500}}";

	completes("{\"cpu\":{\"quota\":50000,\"period\":0}}", planned, true, "{\"cpu\":{\"quota\":50000,\"period\":100000}}",
		  "a quota alone gets the planned period");
	completes("{\"cpu\":{\"period\":1000}}", planned, true, "{\"cpu\":{\"period\":1000,\"quota\":200000}}",
		  "a period alone gets the planned quota, and is judged with it");
	completes("{\"cpu\":{\"period\":1000}}", "{}", true, "{\"cpu\":{\"period\":1000,\"quota\":-1}}", "or none");
	completes("{\"cpu\":{\"quota\":1000}}", "{}", true, "{\"cpu\":{\"quota\":1000,\"period\":100000}}",
		  "a quota without a planned period gets the kernel's");
	completes("{\"memory\":{\"limit\":600}}", planned, true, "{\"memory\":{\"limit\":600,\"swap\":1100}}",
		  "less memory does not mean more swap");
	completes("{\"memory\":{\"limit\":600}}", planned, false, "{\"memory\":{\"limit\":600}}", "where swap is accounted");
	completes("{\"memory\":{\"limit\":600,\"swap\":700}}", planned, true, "{\"memory\":{\"limit\":600,\"swap\":700}}",
		  "swap that is given stays");
	completes("{\"memory\":{\"limit\":-1}}", planned, true, "{\"memory\":{\"limit\":-1}}", "unlimited memory is left to be judged");
	completes("{\"memory\":{\"limit\":0,\"swap\":0},\"pids\":{\"limit\":0},\"cpu\":{\"shares\":0,\"burst\":0}}", planned, true,
		  "{\"memory\":{},\"pids\":{},\"cpu\":{\"burst\":0}}", "zeros mean unchanged");
}

int main(void)
{
	const enum oci_dialect runc = OCI_DIALECT_RUNC, crun = OCI_DIALECT_CRUN;

	makes(runc, "", "{}", "without options nothing changes");
	makes(runc, "--memory 512m --memory-swap -1", "{\"memory\":{\"limit\":536870912,\"swap\":-1}}", "sizes have units of 1024");
	makes(runc, "--memory 1GiB", "{\"memory\":{\"limit\":1073741824}}", "in any case");
	makes(runc, "--memory 10B --kernel-memory 2kb", "{\"memory\":{\"kernel\":2048,\"limit\":10}}", "with a b behind");
	makes(runc, "--cpu-quota -1 --cpu-period 1000 --cpuset-cpus 0-1",
	      "{\"cpu\":{\"period\":1000,\"quota\":-1,\"cpus\":\"0-1\"}}", "CPU");
	makes(crun, "--pids-limit 5 --blkio-weight=10 --cpu-share 2",
	      "{\"blockIO\":{\"weight\":10},\"cpu\":{\"shares\":2},\"pids\":{\"limit\":5}}", "numbers");
	refuses(crun, "--memory 512m", "crun's sizes are digits");
	refuses(runc, "--memory 1.5g", "a fraction is refused");
	refuses(runc, "--memory 5x", "an unknown unit is refused");
	refuses(runc, "--memory 5ib", "so is half a unit");
	refuses(runc, "--memory 9999999999999g", "so is what doesn't fit");
	refuses(runc, "--pids-limit 5x", "a number is digits");
	refuses(runc, "--cpu-quota 99999999999999999999", "a number fits 64 bits");
	test_complete();
	return tap_done();
}
