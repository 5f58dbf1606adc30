/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All planners but that of mounts on one plan, in plan_make's order, over real bundles: none wipes out another's edits, and
 * what they made together needs no second edit. (Mounts have tests of their own: their facts change with the list.) */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "shim/base/file.h"
#include "tests/unit/plan-tools.h"

static char *families[] = { (char *)"unix", (char *)"inet", (char *)"inet6" };
static struct profile profile = {
	.name = (char *)"p",
	.process = { .no_new_privs = true, .root = true },
	.seccomp = { .floor = true, .sockets = { families, 3 } },
	.namespaces = { .private = NS_PID | NS_NETWORK | NS_MOUNT | NS_IPC | NS_UTS | NS_CGROUP },
	.resources = { .cpus_milli = 1000, .memory = 1 << 29, .swap = 0, .pids = 256 },
};
/* Namespaces by path are those of the pod, or fresh ones. */
static struct fact_namespace spaces[16];
static struct facts facts = {
	.namespaces = spaces, .namespace_count = ARRAY_SIZE(spaces),
	.id = "c1", .state_dir = "/run/quod/containers/k", .hook_path = (char *)"/usr/libexec/quod/quod-hook",
	.deadline = "", .has_swap_accounting = true, .own_capabilities = ~UINT64_C(0), .cgroup_version = 2,
};

static void plan_together(const struct plan_input *input, struct plan *plan)
{
	plan_namespaces(input, plan);
	plan_devices(input, plan);
	plan_process(input, &input->config->process, "/process", plan);
	plan_seccomp(input, plan);
	plan_kernel(input, plan);
	plan_resources(input, plan);
	plan_hooks(input, plan);
}

#define SIX "{'type':'pid'},{'type':'network'},{'type':'mount'},{'type':'ipc'},{'type':'uts'},{'type':'cgroup'}"

static void is_whole(const struct outcome *outcome, const char *name)
{
	OK(strstr(at(outcome, "/linux/resources/devices/0"), "'allow':false"), "plan: %s: device rules begin with deny-all", name);
	OK(strcmp(at(outcome, "/linux/resources/memory/limit"), "-") && strcmp(at(outcome, "/linux/resources/pids/limit"), "-") &&
		   strcmp(at(outcome, "/linux/resources/cpu/quota"), "-"),
	   "plan: %s: beside them stand all limits", name);
	IS_AT(outcome, "/process/noNewPrivileges", "true", "plan: %s: no_new_privs is set", name);
	OK(strstr(at(outcome, "/linux/seccomp/architectures"), "X32") == NULL && strcmp(at(outcome, "/linux/seccomp/syscalls"), "-"),
	   "plan: %s: a filter is there, for one architecture", name);
	OK(strstr(at(outcome, "/hooks/createRuntime"), "quod-hook"), "plan: %s: quod's hook is there", name);
	IS_SETTLED(outcome, name);
}

static void test_smallest(void)
{
	cleanup_outcome struct outcome outcome = plan_document_text(
		plan_together, &profile, &facts, "{'process':{'user':{'uid':0,'gid':0},'cwd':'/'},'linux':{'namespaces':[" SIX "]}}");

	IS_STR(outcome.refusals, "", "plan: the smallest document is not refused");
	is_whole(&outcome, "the smallest document");
}

/* As the engine would have called: the id is the last part of the cgroup's path. */
static void become_caller(const char *name, const struct json *root)
{
	const char *path = json_string(json_get(json_get(root, "linux"), "cgroupsPath"));

	facts.id = "c1";
	for (; path && *path; path++)
		if ((*path == '/' || *path == ':') && path[1])
			facts.id = path + 1;
	facts.engine = strstr(name, "docker") ? ENGINE_DOCKER : ENGINE_UNKNOWN;
	facts.is_rootless = strstr(name, "rootless") != NULL;
	facts.wants_systemd_cgroup = path && strchr(json_string(json_get(json_get(root, "linux"), "cgroupsPath")), ':');
}

static int accepted;

static int test_bundle(const char *name)
{
	cleanup_free char *path = alloc_printf("%s/bundles/%s/config.json", TESTS_DATA, name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *bytes = NULL;
	struct err err = ERR_INIT;
	struct outcome outcome;
	size_t len = 0;

	if (fd < 0 || file_read_all(fd, 4 << 20, &bytes, &len, &err) ||
	    json_parse(bytes, len, JSON_PLAIN, oci_config_free_form, &tree, &err) || !json_get(json_root(tree), "linux") ||
	    !json_get(json_root(tree), "process"))
		return 0;
	become_caller(name, json_root(tree));
	outcome = plan_document_text(plan_together, &profile, &facts, bytes);
	/* what is refused is never started: only what is planned without a refusal has to be whole */
	if (!*outcome.refusals)
		is_whole(&outcome, name), accepted++;
	else
		printf("# %s: %s\n", name, outcome.refusals);
	outcome_free(&outcome);
	return 1;
}

int main(void)
{
	DIR *dir = opendir(TESTS_DATA "/bundles");
	struct dirent *entry;
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(facts.rlimit_hard); i++)
		facts.rlimit_hard[i] = LIMIT_UNLIMITED;
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
		spaces[i] = (struct fact_namespace){ .is_empty = true, .owner_key = (char *)"k" };
	test_smallest();
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			count += test_bundle(entry->d_name);
	OK(count >= 10 && accepted >= 5, "plan: real bundles were planned (%d), and most of them whole (%d)", count, accepted);
	if (dir)
		closedir(dir);
	return tap_done();
}
