/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/exec-options: the process that exec's own options describe, as runc and crun make it. */
#include <errno.h>
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/exec-options.h"
#include "tests/unit/tap.h"

static const char container[] =
	"{\"terminal\":true,\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7]},\"args\":[\"sh\"],\"env\":[\"PATH=/bin\"],"
	"\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},\"noNewPrivileges\":true,\"x\":1}";

/* The process as compact JSON, or the error's text. */
static char *make(enum oci_dialect dialect, const char *arguments, int *r)
{
	cleanup_json_tree struct json_tree *given = NULL, *tree = json_tree_new();
	cleanup_free char *copy = alloc_copy(arguments);
	struct buf buf = BUF_INIT;
	struct oci_cmdline line;
	struct err err = ERR_INIT;
	char *argv[32] = { (char *)"quod", (char *)"exec" };
	int argc = 2;

	for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	json_parse(container, strlen(container), JSON_PLAIN, NULL, &given, &err);
	oci_cmdline_parse(dialect, argc, argv, &line, &err);
	*r = exec_options_make(&line, json_root(given), tree, &err);
	if (*r == 0)
		*r = exec_options_check_cgroup(&line, &err);
	if (*r == 0)
		json_print(&buf, json_root(tree), 0);
	else
		buf_puts(&buf, err.text);
	oci_cmdline_free(&line);
	return buf_steal(&buf);
}

static void makes(enum oci_dialect dialect, const char *arguments, const char *part, const char *what)
{
	int r;
	cleanup_free char *text = make(dialect, arguments, &r);

	OK(r == 0 && strstr(text, part), "exec: %s", what);
	if (r || !strstr(text, part))
		printf("# got: %s\n", text);
}

static void refuses(const char *arguments, int code, const char *what)
{
	int r;
	cleanup_free char *text = make(OCI_DIALECT_RUNC, arguments, &r);

	OK(r == -code, "exec: %s", what);
	if (r != -code)
		printf("# got: %s\n", text);
}

int main(void)
{
	const enum oci_dialect runc = OCI_DIALECT_RUNC, crun = OCI_DIALECT_CRUN;
	int r;
	cleanup_free char *plain = make(runc, "id ls -l", &r);

	IS_STR(plain, "{\"terminal\":false,\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7]},\"args\":[\"ls\",\"-l\"],"
	       "\"env\":[\"PATH=/bin\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},\"noNewPrivileges\":true,\"x\":1}",
	       "exec: without options the process is the container's, with other arguments and no terminal");
	makes(runc, "-t id ls", "\"terminal\":true", "--tty");
	makes(runc, "--tty=false id ls", "\"terminal\":false", "--tty=false");
	makes(crun, "-tno id ls", "\"terminal\":false", "crun's -tno");
	makes(runc, "--cwd /tmp id ls", "\"cwd\":\"/tmp\"", "--cwd");
	makes(runc, "-e A=B -e C id ls", "\"env\":[\"PATH=/bin\",\"A=B\",\"C\"]", "--env adds");
	makes(runc, "-u 8 id ls", "\"user\":{\"uid\":8,\"gid\":6,\"additionalGids\":[7]}", "runc's --user keeps the groups");
	makes(runc, "-u 8:9 id ls", "\"uid\":8,\"gid\":9", "with a group");
	makes(crun, "-u 8 id ls", "\"user\":{\"uid\":8,\"gid\":0}", "crun's --user makes a new user");
	makes(runc, "-g 1 -g 2 id ls", "\"additionalGids\":[7,1,2]", "--additional-gids adds");
	makes(runc, "--no-new-privs=false id ls", "\"noNewPrivileges\":false", "--no-new-privs=false is said, and bounded later");
	makes(runc, "--cap CAP_X --cap CAP_KILL id ls",
	      "{\"bounding\":[\"CAP_KILL\",\"CAP_X\"],\"effective\":[\"CAP_X\",\"CAP_KILL\"],\"permitted\":[\"CAP_X\",\"CAP_KILL\"]}",
	      "runc's --cap adds to the sets");
	makes(crun, "-c CAP_X id ls",
	      "{\"bounding\":[\"CAP_X\"],\"effective\":[\"CAP_X\"],\"permitted\":[\"CAP_X\"],\"ambient\":[\"CAP_X\"]}",
	      "crun's --cap makes sets of its own");
	makes(runc, "--apparmor p --process-label l id ls", "\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\"", "LSM labels");
	makes(runc, "--cgroup cpu,memory:sub/x id ls", "\"args\":[\"ls\"]", "a sub-cgroup is fine");
	refuses("id", EINVAL, "a command is needed");
	refuses("-u root id ls", EINVAL, "a user's name is refused");
	refuses("-u 1: id ls", EINVAL, "half a user is refused");
	refuses("-u 4294967295 id ls", EINVAL, "uid -1 is refused");
	refuses("-u -1 id ls", EINVAL, "in either form");
	refuses("-g 1x id ls", EINVAL, "a group is a number");
	refuses("--cgroup ../other id ls", EPERM, "a cgroup beside the container's is refused");
	refuses("--cgroup cpu:a/.. id ls", EPERM, "also behind a controller");
	return tap_done();
}
