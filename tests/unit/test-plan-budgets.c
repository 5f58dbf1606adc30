/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/budgets.c: whose ledger it is. */
#include <linux/magic.h>
#include <sys/stat.h>

#include "tests/unit/plan-tools.h"

static struct mount_rule rules[] = { { .source = (char *)"/srv/**", .destination = (char *)"/**", .readonly = false } };
static struct profile profile = { .name = (char *)"p" };

static struct fact_mount mounts[3];
static struct facts facts = { .mounts = mounts };

static void set_sources(const char *a, const char *b, const char *c)
{
	const char *const sources[] = { a, b, c };

	profile.mounts.allow = rules;
	profile.mounts.allow_count = 1;
	facts.mount_count = 0;
	for (size_t i = 0; i < 3 && sources[i]; i++)
		mounts[facts.mount_count++] = (struct fact_mount){ .is_bind = true,
								   .resolved = (char *)sources[i],
								   .mode = S_IFDIR | 0755,
								   .fs_magic = EXT4_SUPER_MAGIC,
								   .is_root_only = true,
								   .destination = (char *)"/w" };
}

#define BIND "{'destination':'/w','type':'bind','source':'/x','options':['bind']}"
#define ANNOTATED "'annotations':{'io.kubernetes.cri.sandbox-uid':'u-1','io.kubernetes.cri.container-type':'%s'}"

static void is_named(const char *members, const char *wanted, const char *what)
{
	cleanup_free char *text = alloc_printf("{%s}", members), *name = NULL;
	struct json_tree *tree = parse_text(text);
	struct plan_input input = { .profile = &profile, .facts = &facts };
	struct oci_config config;

	oci_config_view(json_root(tree), &config);
	input.config = &config;
	name = budget_scope_name(&input);
	IS_STR(name ? name : "-", wanted, "scope: %s", what);
	oci_config_release(&config);
	json_tree_free(tree);
}

static void is_refused(const char *members, const char *wanted, const char *what)
{
	cleanup_free char *text = alloc_printf("{%s}", members);
	cleanup_outcome struct outcome outcome = plan_document_text(plan_budgets, &profile, &facts, text);

	IS_STR(outcome.refusals, wanted, "scope: %s", what);
}

static void test_workspace(void)
{
	profile.budgets.scope = SCOPE_WORKSPACE;
	set_sources("/srv/web", NULL, NULL);
	is_named("'mounts':[" BIND "]", "\"/srv/web\"", "a workspace is named by its resolved source");
	is_refused("'mounts':[" BIND "]", "", "a container with a workspace can share");
	set_sources("/srv/web", "/srv/api", NULL);
	is_named("'mounts':[" BIND "," BIND "]", "\"/srv/api\"\"/srv/web\"", "the order of mounts makes no other ledger");
	set_sources("/srv/web/inner", "/srv/web", "/srv/web");
	is_named("'mounts':[" BIND "," BIND "," BIND "]", "\"/srv/web\"", "nor does a directory within it, or the same twice");
	set_sources("/srv/web", "/srv/webs", NULL);
	is_named("'mounts':[" BIND "," BIND "]", "\"/srv/web\"\"/srv/webs\"", "one whose name only begins alike is another");
	set_sources("/srv/a\"\"/srv/b", NULL, NULL);
	is_named("'mounts':[" BIND "]", "\"/srv/a\\\"\\\"/srv/b\"", "a name that looks like two is one");
	set_sources("/etc/x", NULL, NULL);
	is_refused("'mounts':[" BIND "]",
		   ": \"workspace\" needs a writable mount that mounts.allow lets in, and there is none (budgets.scope)",
		   "without a workspace there is none to share");
}

static void test_pod(void)
{
	cleanup_free char *member = alloc_printf(ANNOTATED, "container"), *sandbox = alloc_printf(ANNOTATED, "sandbox");

	profile.budgets.scope = SCOPE_POD;
	facts.mount_count = 0;
	facts.engine = ENGINE_CRI;
	is_named(member, "u-1", "a pod is named by its uid");
	is_named(sandbox, "u-1", "and its sandbox, too");
	is_refused(member, "", "a pod's container can share");
	facts.engine = ENGINE_DOCKER;
	is_named(member, "-", "a caller's annotation makes no pod");
	is_refused(member, ": \"pod\" needs a pod's uid, which containerd's CRI gives and this engine does not (budgets.scope)",
		   "outside Kubernetes there is no pod");
}

static void test_rest(void)
{
	profile.budgets.scope = SCOPE_CONTAINER;
	is_named("", "-", "a container's own ledger has no other name");
	profile.budgets.reset = RESET_RESTART;
	is_refused("", "", "its own budget may begin anew with each run");
	profile.budgets.scope = SCOPE_WORKSPACE;
	set_sources("/srv/web", NULL, NULL);
	is_refused("'mounts':[" BIND "]", ": \"restart\" would give a shared budget anew to each container that starts (budgets.reset)",
		   "a shared one may not");
	profile.budgets.reset = RESET_PERIOD;
	is_refused("'mounts':[" BIND "]", "", "but with a period");
}

int main(void)
{
	test_workspace();
	test_pod();
	test_rest();
	return tap_done();
}
