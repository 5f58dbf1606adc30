/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What plan_seccomp makes of a configuration: reads config.json on standard input, prints it as it has to be. Refusals go to
 * standard error, with exit status 1. Arguments are the profile's socket families. Only for tests: it plans nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/policy/plan.h"

#define CONFIG_MAX (4 << 20)

static int plan_config(struct json_tree *tree, const struct profile *profile, struct err *err)
{
	static const struct facts facts;
	cleanup_buf struct buf text = BUF_INIT;
	struct oci_config config;
	struct plan_input input = { profile, &config, &facts };
	struct plan plan;
	int r = 0;

	oci_config_view(json_root(tree), &config);
	plan_init(&plan);
	plan_seccomp(&input, &plan);
	if (plan.refusal_count) {
		plan_print_refusals(&text, &plan, profile->name);
		r = err_set(err, 1, "%s", text.data);
	} else {
		r = oci_edits_apply(&plan.edits, tree, err);
	}
	plan_release(&plan);
	oci_config_release(&config);
	return r;
}

int main(int argc, char **argv)
{
	struct profile profile = { .name = (char *)"test", .seccomp = { .floor = true } };
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *bytes = NULL;
	struct err err = ERR_INIT;
	size_t len;

	for (int i = 1; i < argc; i++)
		strings_add(&profile.seccomp.sockets, argv[i]);
	if (file_read_all(STDIN_FILENO, CONFIG_MAX, &bytes, &len, &err) ||
	    json_parse(bytes, len, JSON_PLAIN, oci_config_free_form, &tree, &err) || plan_config(tree, &profile, &err)) {
		fprintf(stderr, "seccomp-plan: %s\n", err.text);
		strings_free(&profile.seccomp.sockets);
		return 1;
	}
	json_print(&out, json_root(tree), 1);
	puts(out.data);
	strings_free(&profile.seccomp.sockets);
	return 0;
}
