/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of oci/bundle.c, oci/state.c and the view of oci/spec.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/bundle.h"
#include "oci/spec.h"
#include "oci/state.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/quod-test-bundle.XXXXXX";

static void write_config(const char *text)
{
	struct err err = ERR_INIT;
	cleanup_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (file_replace(dir_fd, "config.json", text, strlen(text), 0600, &err))
		printf("# %s\n", err.text);
}

static int read_config(const char *text, size_t limit, struct err *err)
{
	struct oci_bundle bundle = OCI_BUNDLE_INIT;
	int result;

	write_config(text);
	result = oci_bundle_open(dir, &bundle, err);
	if (!result)
		result = oci_bundle_read_config(&bundle, limit, err);
	oci_bundle_close(&bundle);
	return result;
}

static void test_bundle(void)
{
	struct oci_bundle bundle = OCI_BUNDLE_INIT, none = OCI_BUNDLE_INIT;
	struct err err = ERR_INIT;
	cleanup_free char *missing = alloc_printf("%s/missing", dir), *config = alloc_printf("%s/config.json", dir);

	write_config("{\"annotations\":{\"a\":\"1\",\"A\":\"2\"}}");
	OK(!oci_bundle_open(dir, &bundle, &err), "bundle: a directory with a config.json is opened");
	IS_STR(bundle.path, dir, "bundle: its path is absolute");
	write_config("{}");
	OK(!oci_bundle_read_config(&bundle, 1000, &err) && json_root(bundle.tree)->count == 1,
	   "bundle: the file that was opened is read, not the one that has its name now");
	OK(bundle.config_len == 33 && !strncmp(bundle.config_bytes, "{\"annot", 7), "bundle: its bytes are kept");
	OK(oci_bundle_read_config(&bundle, 1000, &err) == -EALREADY, "bundle: it is read once only");
	oci_bundle_close(&bundle);
	OK(bundle.dir_fd == -1 && !bundle.tree, "bundle: a closed one is empty");

	OK(oci_bundle_open(missing, &none, &err) == -ENOENT, "bundle: one that isn't there is refused");
	oci_bundle_close(&none);
	OK(oci_bundle_open(config, &none, &err) == -ENOTDIR, "bundle: a file is none");
	oci_bundle_close(&none);
	OK(read_config("[]", 1000, &err) == -EINVAL, "bundle: a config.json that is no object is refused");
	IS_STR(err.text, "config.json: line 1: the document is an array, not an object", "bundle: with a word why");
	OK(read_config("{\n\"x\":1,\"X\":2}", 1000, &err) == -EINVAL, "bundle: an ambiguous config.json is refused");
	IS_STR(err.text, "config.json: line 2: the keys 'X' and 'x' differ only in case", "bundle: with file and line");
	OK(read_config("{\"x\":1}", 6, &err) == -EFBIG, "bundle: one byte over the limit is refused");
	OK(read_config("{\"x\":1}", 7, &err) == 0, "bundle: the limit itself is taken");

	unlink(config);
	OK(oci_bundle_open(dir, &none, &err) == -ENOENT, "bundle: one without config.json is refused");
	oci_bundle_close(&none);
	OK(!symlink("/etc/passwd", config) && oci_bundle_open(dir, &none, &err) == -ELOOP, "bundle: a link as config.json is refused");
	oci_bundle_close(&none);
	unlink(config);
	OK(!mkfifo(config, 0600) && oci_bundle_open(dir, &none, &err) == -EINVAL, "bundle: a FIFO as config.json is refused at once");
	oci_bundle_close(&none);
	unlink(config);
}

static int read_state(const char *text, struct oci_state *state, struct err *err)
{
	int ends[2], result;

	if (pipe(ends))
		return -errno;
	if (write(ends[1], text, strlen(text)) < 0)
		return -errno;
	close(ends[1]);
	result = oci_state_read(ends[0], state, err);
	close(ends[0]);
	return result;
}

static void test_state(void)
{
	struct oci_state state;
	struct err err = ERR_INIT;

	OK(!read_state("{\"ociVersion\":\"1.0.2\",\"id\":\"c1\",\"pid\":42,\"status\":\"creating\",\"bundle\":\"/b\","
		       "\"annotations\":{\"k\":\"1\",\"K\":\"2\"}}", &state, &err), "state: one from a pipe is read");
	IS_STR(state.id, "c1", "state: id");
	IS_STR(state.status, "creating", "state: status");
	IS_STR(state.bundle, "/b", "state: bundle");
	OK(state.pid == 42, "state: pid");
	oci_state_release(&state);
	OK(!state.tree && !state.id, "state: a released one is empty");
	OK(!read_state("{\"id\":\"c1\",\"status\":\"stopped\"}", &state, &err) && !state.pid && !state.bundle,
	   "state: pid and bundle may be absent");
	oci_state_release(&state);
	OK(read_state("{\"id\":\"c1\"}", &state, &err) == -EINVAL, "state: one without a status is refused");
	OK(read_state("{\"id\":\"\",\"status\":\"x\"}", &state, &err) == -EINVAL, "state: an empty id is refused");
	OK(read_state("{\"id\":7,\"status\":\"x\"}", &state, &err) == -EINVAL, "state: an id that is no string is refused");
	OK(read_state("{\"id\":\"c\",\"status\":\"x\",\"pid\":-1}", &state, &err) == -EINVAL, "state: a negative pid is refused");
	OK(read_state("{\"id\":\"c\",\"status\":\"x\",\"pid\":4294967297}", &state, &err) == -EINVAL, "state: a pid over 2^31 is refused");
	OK(read_state("{\"id\":\"c\",\"id\":\"d\",\"status\":\"x\"}", &state, &err) == -EINVAL, "state: an ambiguous one is refused");
	OK(read_state("", &state, &err) == -EINVAL && !state.tree, "state: nothing is refused");
}

static void test_view(void)
{
	static const char text[] =
		"{\"ociVersion\":\"1.0.2\",\"hostname\":\"h\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
		"\"process\":{\"terminal\":true,\"user\":{\"uid\":4294967295,\"gid\":7,\"additionalGids\":[1]},\"args\":[\"sh\"],\"cwd\":\"/\","
		"\"noNewPrivileges\":true,\"oomScoreAdj\":-5,\"env\":null},"
		"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},{\"destination\":\"/x\",\"options\":[\"bind\"]}],"
		"\"annotations\":{\"a\":\"b\",\"n\":1},"
		"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"},{\"type\":\"ipc\",\"path\":\"\"}],"
		"\"cgroupsPath\":\"/c\",\"maskedPaths\":[],\"resources\":{}}}";
	cleanup_json_tree struct json_tree *tree = NULL;
	struct oci_config config, empty;
	struct err err = ERR_INIT;

	OK(!json_parse(text, strlen(text), JSON_PLAIN, oci_config_free_form, &tree, &err), "spec: a configuration is parsed");
	oci_config_view(json_root(tree), &config);
	IS_STR(config.root_path, "rootfs", "spec: the root's path");
	OK(config.root_readonly && config.process.terminal && config.process.no_new_privileges, "spec: switches");
	OK(config.process.uid == UINT32_MAX && config.process.gid == 7 && config.process.additional_gids->count == 1, "spec: the user");
	OK(config.process.args && !config.process.env && !config.process.capabilities && config.process.oom_score_adj,
	   "spec: what is null or absent is NULL");
	OK(config.mount_count == 2 && config.mounts[1].index == 1 && config.mounts[1].options->count == 1 && !config.mounts[1].type,
	   "spec: mounts");
	IS_STR(config.mounts[0].destination, "/proc", "spec: a mount's destination");
	OK(config.namespace_count == 3 && !config.namespaces[0].path && config.namespaces[1].path, "spec: namespaces");
	IS_STR(config.namespaces[2].path, "", "spec: an empty path of a namespace is not an absent one");
	IS_STR(config.cgroups_path, "/c", "spec: the cgroup's path");
	OK(config.masked_paths && !config.masked_paths->count && config.resources && !config.seccomp, "spec: lists and objects of linux");
	IS_STR(oci_annotation(&config, "a"), "b", "spec: an annotation");
	OK(!oci_annotation(&config, "n") && !oci_annotation(&config, "z"), "spec: one that is no string or isn't there is none");
	oci_config_release(&config);
	oci_config_view(NULL, &empty);
	OK(!empty.mounts && !empty.process.node && !oci_annotation(&empty, "a"), "spec: nothing has an empty view");
	oci_config_release(&empty);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_bundle();
	test_state();
	test_view();
	rmdir(dir);
	return tap_done();
}
