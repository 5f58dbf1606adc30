/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of whole plans. Input: a config.json, planned under two profiles over synthetic facts, for Docker and for CRI.
 * What is accepted must parse, need no second edit, and be nowhere wider than the input (tests/unit/widening.h).
 *
 * With libFuzzer, after ./configure && make:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -DTESTS_DATA='"tests/data"' -DQUOD_LOGDIR='""' -I. tests/fuzz/fuzz-plan.c \
 *     oci/[!b]*.c shim/policy/[!.]*.c shim/base/{buf,err,file}.c shim/egress/rule-ranges.c -lyajl -lseccomp -lcap -o fuzz-plan &&
 *   mkdir -p build/new && ASAN_OPTIONS=malloc_context_size=1:quarantine_size_mb=4 ./fuzz-plan -runs=1000000 -entropic=0 -len_control=0 \
 *     -max_len=12288 build/new tests/fuzz/corpus/plan
 */
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/plan-run.h"
#include "tests/unit/widening.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_empty(const char *text)
{
	if (!*text)
		return;
	fprintf(stderr, "%s\n", text);
	abort();
}

static void check_printed(const struct json *planned)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	json_print(&text, planned, 0);
	if (json_parse(text.data, text.len, JSON_PLAIN, oci_config_free_form, &tree, &err))
		must_be_empty(err.text);
	else if (!json_equal(json_root(tree), planned))
		must_be_empty("the planned document reads differently");
}

static void check_plan(const struct json *given, const struct profile *profile, enum engine engine)
{
	struct plan_run run = { .profile = profile, .engine = engine, .given = given, .err = ERR_INIT };

	plan_run_begin(&run);
	plan_run_end(&run);
	if (run.planned) {
		cleanup_free char *again = plan_run_again(&run);
		cleanup_free char *wider = widening_find(profile, &run.facts, given, json_root(run.planned));

		must_be_empty(again);
		must_be_empty(wider);
		check_printed(json_root(run.planned));
	} else if (!run.plan.refusal_count) {
		must_be_empty(run.err.text);
	}
	plan_run_release(&run);
}

static struct profile *load(const char *name)
{
	struct profile_paths paths = { .profile_dirs = { TESTS_DATA "/../../profiles" },
						.group_dirs = { TESTS_DATA "/../../profiles/groups" }, .skip_owner_check = true };
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (profile_load(name, &paths, &profile, &err))
		must_be_empty(err.text);
	return profile;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct profile *balanced, *locked;
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	if (!balanced) {
		balanced = load("balanced");
		locked = load("locked");
	}
	if (json_parse((const char *)data, size, JSON_PLAIN, oci_config_free_form, &tree, &err))
		return 0;
	check_plan(json_root(tree), balanced, ENGINE_DOCKER);
	check_plan(json_root(tree), locked, ENGINE_CRI);
	return 0;
}
