/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/document.c. */
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>

#include "oci/bundle.h"
#include "shim/base/cleanup.h"
#include "shim/policy/plan.h"
#include "tests/unit/tap.h"

/* What was refused, one "POINTER: text (key)" a line; in place of plan.c's, which would bring all the other planners. */
static struct buf refused;

void plan_refuse(struct plan *plan, const char *key, const char *pointer, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(&refused, "%s%s: %s (%s)", refused.len ? "\n" : "", pointer, text, key);
}

static void plan_root(const struct json *root)
{
	struct oci_config config;
	struct plan_input input = { .config = &config };
	struct plan plan = { 0 };

	refused.len = 0;
	buf_puts(&refused, "");
	oci_config_view(root, &config);
	plan_document(&input, &plan);
	oci_config_release(&config);
}

static void refuses(const char *text, const char *wanted)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	if (json_parse(text, strlen(text), JSON_PLAIN, oci_config_free_form, &tree, &err))
		printf("# %s\n", err.text);
	plan_root(json_root(tree));
	IS_STR(refused.data, wanted, "document: %s: %s", wanted[0] ? "refused" : "stays", text);
}

static void test_documents(void)
{
	static const char *const names[] = {
		"containerd-1.6-ctr", "cri-1.6-sandbox", "cri-1.6-workload", "crun-1.8-rootless", "crun-1.8-spec", "docker-20.10-default",
		"docker-20.10-options", "docker-20.10-privileged", "podman-4.3-default", "podman-4.3-options", "runc-1.1-rootless",
		"runc-1.1-spec",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct oci_bundle bundle = OCI_BUNDLE_INIT;
		cleanup_free char *path = alloc_printf(TESTS_DATA "/bundles/%s", names[i]);
		struct err err = ERR_INIT;

		OK(!oci_bundle_open(path, &bundle, &err) && !oci_bundle_read_config(&bundle, 1 << 20, &err), "document: %s is read", names[i]);
		plan_root(json_root(bundle.tree));
		IS_STR(refused.data, "", "document: that of %s is judged further", names[i]);
		oci_bundle_close(&bundle);
	}
}

static void test_deviations(void)
{
	refuses("{\"Linux\":{}}", "/Linux: 'Linux' differs from 'linux' only in case, which runc and crun read differently (config)");
	refuses("{\"process\":{\"user\":{\"uid\":\"0\"}}}", "/process/user/uid: is a string, not an integer (config)");
	refuses("{\"process\":{\"user\":{\"uid\":-1}}}",
		"/process/user/uid: -1 is out of the field's range (0 to 4294967295) (config)");
	refuses("{\"process\":{\"user\":{\"UID\":0}},\"hostname\":1}",
		"/process/user/UID: 'UID' differs from 'uid' only in case, which runc and crun read differently (config)\n"
		"/hostname: is a number, not a string (config)");
}

static void test_unknown(void)
{
	refuses("{\"mounts\":[{\"recursive\":true}]}",
		"/mounts/0/recursive: 'recursive' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"linux\":{\"fsopen\":1}}",
		"/linux/fsopen: 'fsopen' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"fd\":3}]}}",
		"/linux/namespaces/0/fd: 'fd' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"process\":{\"groups\":[]}}",
		"/process/groups: 'groups' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"hooks\":{\"createSandbox\":[]}}",
		"/hooks/createSandbox: 'createSandbox' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"root\":{\"fsType\":\"virtiofs\"}}",
		"/root/fsType: 'fsType' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"future\":{}}", "/future: 'future' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"future\":[1]}", "/future: 'future' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"a/b~c\":{}}", "/a~1b~0c: 'a/b~c' is no field of the specification here, so that quod can't judge it (config)");
	refuses("{\"future\":\"x\",\"a/b~c\":1,\"y\":true,\"z\":null,\"annotations\":{\"any\":\"thing\"}}", "");
}

static void test_foreign(void)
{
	refuses("{\"windows\":{},\"vm\":{\"kernel\":{\"path\":\"/k\"}},\"freebsd\":null}",
		"/windows: is for another platform, so that quod can't judge it (config)\n"
		"/vm: is for another platform, so that quod can't judge it (config)");
	refuses("{\"solaris\":{},\"zos\":{},\"freebsd\":{}}",
		"/solaris: is for another platform, so that quod can't judge it (config)\n"
		"/zos: is for another platform, so that quod can't judge it (config)\n"
		"/freebsd: is for another platform, so that quod can't judge it (config)");
}

static size_t count_lines(const char *text)
{
	size_t count = *text ? 1 : 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void test_flood(void)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *root = json_make_object(tree), *process = json_make_object(tree), *args = json_make_array(tree);

	json_set(tree, root, "process", process);
	json_set(tree, process, "args", args);
	for (int i = 0; i < 100; i++)
		json_append(tree, args, json_make_null(tree));
	plan_root(root);
	OK(count_lines(refused.data) == 25, "document: a message stays readable");
	OK(strstr(refused.data, "76 more deviations"), "document: and says how many more there are");
	for (int i = 0; i < 1000; i++)
		json_append(tree, args, json_make_null(tree));
	plan_root(root);
	OK(strstr(refused.data, "more than 1000 deviations"), "document: what wasn't looked at is refused");
}

static void test_others(void)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *root = json_make_object(tree);
	struct plan plan = { 0 };

	json_set(tree, root, "future", json_make_string(tree, "x"));
	refused.len = 0;
	plan_document_exec(root, &plan);
	IS_STR(refused.data, "/future: 'future' is no field of the specification here, so that quod can't judge it (config)",
	       "document: nothing unknown stays in a process");
	refused.len = 0;
	plan_document_update(root, &plan);
	IS_STR(refused.data, "/future: 'future' is no field of the specification here, so that quod can't judge it (config)",
	       "document: nothing unknown stays in resources");
}

int main(void)
{
	test_documents();
	test_deviations();
	test_unknown();
	test_foreign();
	test_flood();
	test_others();
	buf_free(&refused);
	return tap_done();
}
