/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of oci/spec-check.c and its table: real documents pass, and each kind of deviation is named where it stands. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "oci/bundle.h"
#include "oci/spec.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "tests/unit/tap.h"

/* All findings as "KIND line POINTER: text\n". */
static void put_findings(struct buf *buf, const struct json *root, enum oci_document document)
{
	static const char *const kinds[] = {
		[OCI_WRONG_TYPE] = "type", [OCI_OTHER_CASE] = "case", [OCI_UNKNOWN] = "unknown", [OCI_OUT_OF_RANGE] = "range",
	};
	struct oci_findings findings;

	oci_check(root, document, &findings);
	buf_puts(buf, "");
	for (size_t i = 0; i < findings.count; i++)
		buf_printf(buf, "%s%s %d %s: %s", i ? "\n" : "", kinds[findings.items[i].kind], findings.items[i].line,
			   findings.items[i].pointer, findings.items[i].text);
	oci_findings_free(&findings);
}

static void finds_in(enum oci_document document, const char *text, const char *wanted)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf buf = BUF_INIT, name = BUF_INIT;
	struct err err = ERR_INIT;

	if (json_parse(text, strlen(text), JSON_PLAIN, document == OCI_CONFIG ? oci_config_free_form : oci_resources_free_form, &tree, &err))
		printf("# %s\n", err.text);
	put_findings(&buf, json_root(tree), document);
	buf_put_plain(&name, text);
	IS_STR(buf.data, wanted, "spec: the deviations of %s", name.data);
}

static void finds(const char *text, const char *wanted)
{
	finds_in(OCI_CONFIG, text, wanted);
}

static void test_real_bundles(void)
{
	DIR *dir = opendir(TESTS_DATA "/bundles");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		struct oci_bundle bundle = OCI_BUNDLE_INIT;
		cleanup_free char *path = alloc_printf(TESTS_DATA "/bundles/%s", entry->d_name);
		cleanup_buf struct buf buf = BUF_INIT, again = BUF_INIT;
		cleanup_json_tree struct json_tree *tree = NULL;
		struct err err = ERR_INIT;

		if (entry->d_name[0] == '.')
			continue;
		count++;
		OK(!oci_bundle_open(path, &bundle, &err) && !oci_bundle_read_config(&bundle, 1 << 20, &err), "spec: %s is read", entry->d_name);
		put_findings(&buf, json_root(bundle.tree), OCI_CONFIG);
		IS_STR(buf.data, "", "spec: nothing is found in the configuration of %s", entry->d_name);
		json_print(&again, json_root(bundle.tree), 0);
		OK(!json_parse(again.data, again.len, JSON_PLAIN, oci_config_free_form, &tree, &err) &&
		   json_equal(json_root(tree), json_root(bundle.tree)), "spec: printed it means the same: %s", entry->d_name);
		oci_bundle_close(&bundle);
	}
	OK(count >= 13, "spec: there are thirteen bundles to look at");
	if (dir)
		closedir(dir);
}

static void test_real_processes(void)
{
	static const char *const names[] = { "docker-20.10-exec", "cri-1.6-exec" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = alloc_printf(TESTS_DATA "/process/%s.json", names[i]), *data = NULL;
		cleanup_json_tree struct json_tree *tree = NULL;
		cleanup_buf struct buf buf = BUF_INIT;
		struct err err = ERR_INIT;
		cleanup_close int fd = file_open_regular(AT_FDCWD, path, &err);
		size_t len = 0;

		OK(fd >= 0 && !file_read_all(fd, 1 << 20, &data, &len, &err) && !json_parse(data, len, JSON_PLAIN, NULL, &tree, &err),
		   "spec: the process of %s is read", names[i]);
		put_findings(&buf, json_root(tree), OCI_PROCESS);
		IS_STR(buf.data, "", "spec: nothing is found in the process of %s", names[i]);
	}
}

static void test_types(void)
{
	finds("{}", "");
	finds("[]", "type 1 : is an array, not an object");
	finds("null", "type 1 : is null, not an object");
	finds("{\"ociVersion\":1}", "type 1 /ociVersion: is a number, not a string");
	finds("{\"hostname\":null}", "type 1 /hostname: is null, not a string");
	finds("{\"process\":\"x\"}", "type 1 /process: is a string, not an object");
	finds("{\"process\":null,\"mounts\":null,\"linux\":null,\"annotations\":null,\"root\":null,\"hooks\":null}", "");
	finds("{\"process\":{\"terminal\":\"yes\",\n\"noNewPrivileges\":1}}",
	      "type 1 /process/terminal: is a string, not true or false\n"
	      "type 2 /process/noNewPrivileges: is a number, not true or false");
	finds("{\"process\":{\"noNewPrivileges\":null}}", "type 1 /process/noNewPrivileges: is null, not true or false");
	finds("{\"process\":{\"args\":\"sh\",\"env\":null,\"capabilities\":null,\"rlimits\":null,\"user\":null}}",
	      "type 1 /process/args: is a string, not an array");
	finds("{\"process\":{\"env\":[\"A=B\",null,1]}}",
	      "type 1 /process/env/1: is null, not a string\ntype 1 /process/env/2: is a number, not a string");
	finds("{\"process\":{\"capabilities\":[\"CAP_KILL\"]}}", "type 1 /process/capabilities: is an array, not an object");
	finds("{\"mounts\":[null,{\"options\":\"ro\"},{\"destination\":[\"/\"]}]}",
	      "type 1 /mounts/0: is null, not an object\n"
	      "type 1 /mounts/1/options: is a string, not an array\n"
	      "type 1 /mounts/2/destination: is an array, not a string");
	finds("{\"annotations\":{\"a\":\"b\",\"c/d\":null,\"e\":1}}",
	      "type 1 /annotations/c~1d: is null, not a string\ntype 1 /annotations/e: is a number, not a string");
	finds("{\"linux\":{\"netDevices\":{\"eth0\":\"x\"},\"resources\":{\"rdma\":{\"m\":[]}}}}",
	      "type 1 /linux/netDevices/eth0: is a string, not an object\n"
	      "type 1 /linux/resources/rdma/m: is an array, not an object");
	finds("{\"windows\":[],\"vm\":{\"x\":{\"X\\u0131\":1}}}", "type 1 /windows: is an array, not an object");
}

static void test_integers(void)
{
	finds("{\"process\":{\"user\":{\"uid\":1.0,\"gid\":1e3,\"umask\":null}}}",
	      "type 1 /process/user/uid: 1.0 is not written as an integer\n"
	      "type 1 /process/user/gid: 1e3 is not written as an integer");
	finds("{\"process\":{\"user\":{\"uid\":-1,\"gid\":4294967296,\"additionalGids\":[4294967295,-1,\"0\"]}}}",
	      "range 1 /process/user/uid: -1 is out of the field's range (0 to 4294967295)\n"
	      "range 1 /process/user/gid: 4294967296 is out of the field's range (0 to 4294967295)\n"
	      "range 1 /process/user/additionalGids/1: -1 is out of the field's range (0 to 4294967295)\n"
	      "type 1 /process/user/additionalGids/2: is a string, not an integer");
	finds("{\"process\":{\"user\":{\"uid\":null}}}", "type 1 /process/user/uid: is null, not an integer");
	finds("{\"process\":{\"oomScoreAdj\":2147483648}}",
	      "range 1 /process/oomScoreAdj: 2147483648 is out of the field's range (-2147483648 to 2147483647)");
	finds("{\"process\":{\"oomScoreAdj\":-2147483649}}",
	      "range 1 /process/oomScoreAdj: -2147483649 is out of the field's range (-2147483648 to 2147483647)");
	finds("{\"process\":{\"oomScoreAdj\":-2147483648,\"rlimits\":[{\"hard\":18446744073709551615,\"soft\":-1}]}}",
	      "range 1 /process/rlimits/0/soft: -1 is out of the field's range (those of 64 bits without a sign)");
	finds("{\"linux\":{\"resources\":{\"memory\":{\"limit\":9223372036854775808,\"swap\":-9223372036854775808}}}}",
	      "range 1 /linux/resources/memory/limit: 9223372036854775808 is out of the field's range (those of 64 bits with a sign)");
	finds("{\"linux\":{\"resources\":{\"memory\":{\"limit\":null,\"disableOOMKiller\":null}}}}", "");
	finds("{\"linux\":{\"resources\":{\"blockIO\":{\"weight\":65535,\"leafWeight\":65536}}}}",
	      "range 1 /linux/resources/blockIO/leafWeight: 65536 is out of the field's range (0 to 65535)");
	finds("{\"linux\":{\"devices\":[{\"major\":true}]}}", "type 1 /linux/devices/0/major: is true or false, not an integer");
}

static void test_names(void)
{
	finds("{\"Linux\":{},\"process\":{\"noNewprivileges\":true},\n\"x\":{}}",
	      "case 1 /Linux: 'Linux' differs from 'linux' only in case\n"
	      "case 1 /process/noNewprivileges: 'noNewprivileges' differs from 'noNewPrivileges' only in case\n"
	      "unknown 2 /x: 'x' is no field of the specification here");
	finds("{\"hoo\xe2\x84\xaas\":{},\"ho\xc5\xbftname\":\"\"}",
	      "case 1 /hoo\xe2\x84\xaas: 'hoo\xe2\x84\xaas' differs from 'hooks' only in case\n"
	      "case 1 /ho\xc5\xbftname: 'ho\xc5\xbftname' differs from 'hostname' only in case");
	finds("{\"mounts\":[{\"source\":\"/\",\"propagation\":\"rshared\",\"Source\\u0131\":1}]}",
	      "unknown 1 /mounts/0/propagation: 'propagation' is no field of the specification here\n"
	      "unknown 1 /mounts/0/Source\xc4\xb1: 'Source\xc4\xb1' is no field of the specification here");
	finds("{\"hooks\":{\"preStart\":[],\"afterlife\":[]}}",
	      "case 1 /hooks/preStart: 'preStart' differs from 'prestart' only in case\n"
	      "unknown 1 /hooks/afterlife: 'afterlife' is no field of the specification here");
	finds("{\"linux\":{\"sysctl\":{\"A\":\"1\",\"a\":\"2\"},\"seccomp\":{\"syscalls\":[{\"names\":[],\"Action\":\"SCMP_ACT_ALLOW\"}]}}}",
	      "case 1 /linux/seccomp/syscalls/0/Action: 'Action' differs from 'action' only in case");
	finds("{\"linux\":{\"timeOffsets\":{\"Monotonic\":{}}}}",
	      "case 1 /linux/timeOffsets/Monotonic: 'Monotonic' differs from 'monotonic' only in case");
	finds("{\"\":1}", "unknown 1 /: '' is no field of the specification here");
}

static void test_documents(void)
{
	finds_in(OCI_PROCESS, "{\"args\":[\"sh\"],\"cwd\":\"/\",\"Env\":[],\"mounts\":[]}",
		 "case 1 /Env: 'Env' differs from 'env' only in case\nunknown 1 /mounts: 'mounts' is no field of the specification here");
	finds_in(OCI_RESOURCES, "{\"memory\":{\"limit\":\"1G\"},\"unified\":{\"memory.max\":\"1\",\"Memory.Max\":\"2\"},\"Pids\":{}}",
		 "type 1 /memory/limit: is a string, not an integer\ncase 1 /Pids: 'Pids' differs from 'pids' only in case");
}

static void test_flood(void)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf buf = BUF_INIT;
	struct oci_findings findings;
	struct err err = ERR_INIT;

	buf_puts(&buf, "{\"process\":{\"args\":[0");
	for (int i = 1; i < OCI_FINDINGS_MAX; i++)
		buf_puts(&buf, ",0");
	buf_puts(&buf, "]}}");
	OK(!json_parse(buf.data, buf.len, JSON_PLAIN, NULL, &tree, &err), "spec: a document with many deviations is read");
	oci_check(json_root(tree), OCI_CONFIG, &findings);
	OK(findings.count == OCI_FINDINGS_MAX && !findings.is_cut, "spec: as many as there may be are all listed");
	oci_findings_free(&findings);
	json_append(tree, json_get(json_get(json_root(tree), "process"), "args"), json_make_null(tree));
	oci_check(json_root(tree), OCI_CONFIG, &findings);
	OK(findings.count == OCI_FINDINGS_MAX && findings.is_cut, "spec: one more is said to be missing");
	oci_findings_free(&findings);
}

int main(void)
{
	test_real_bundles();
	test_real_processes();
	test_types();
	test_integers();
	test_names();
	test_documents();
	test_flood();
	return tap_done();
}
