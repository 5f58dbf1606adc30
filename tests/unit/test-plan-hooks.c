/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/hooks.c: which hooks pass, and that quod's own is the last. */
#include "tests/unit/plan-tools.h"

static char *allowed[] = { (char *)"/usr/libexec/oci/*" };
static struct profile strict = { .name = (char *)"strict" };
static struct profile with_hooks = { .name = (char *)"hooks", .hooks_allow = { allowed, 1 } };
static struct facts docker = { .engine = ENGINE_DOCKER, .id = "c1", .state_dir = "/run/quod/containers/k", .hook_path = (char *)"/usr/libexec/quod/quod-hook", .docker_program = (char *)"/proc/812/exe" };
static struct facts unknown;
static struct facts homeless = { .id = "c1" };

#define OWN "{'path':'/usr/libexec/quod/quod-hook','args':['quod-hook','/run/quod/containers/k'],'timeout':30}"
#define SETKEY "{'path':'/proc/812/exe','args':['libnetwork-setkey','-exec-root=/var/run/docker','c1','abc']}"
#define TOOL "{'path':'/usr/libexec/oci/tool','args':['tool','x']}"

static void is_refused(const struct profile *profile, const struct facts *facts, const char *hooks, const char *wanted, const char *what)
{
	cleanup_free char *text = alloc_printf("{'hooks':{%s}}", hooks);
	cleanup_outcome struct outcome outcome = plan_document_text(plan_hooks, profile, facts, text);

	IS_STR(outcome.refusals, wanted, "hooks: %s", what);
}

static void test_own(void)
{
	cleanup_outcome struct outcome none = plan_document_text(plan_hooks, &strict, &docker, "{}");
	cleanup_outcome struct outcome null = plan_document_text(plan_hooks, &strict, &docker, "{'hooks':null}");
	cleanup_outcome struct outcome behind =
		plan_document_text(plan_hooks, &with_hooks, &docker, "{'hooks':{'prestart':[" SETKEY "],'createRuntime':[" TOOL "]}}");
	cleanup_outcome struct outcome nowhere = plan_document_text(plan_hooks, &strict, &homeless, "{}");

	IS_AT(&none, "/hooks", "{'createRuntime':[" OWN "]}", "hooks: quod's own is added");
	IS_SETTLED(&none, "a document without hooks");
	IS_AT(&null, "/hooks", "{'createRuntime':[" OWN "]}", "hooks: null is none");
	IS_AT(&behind, "/hooks/createRuntime", "[" TOOL "," OWN "]", "hooks: quod's own stands behind the others");
	IS_STR(behind.refusals, "", "hooks: Docker's network and an allowed program pass");
	IS_SETTLED(&behind, "a document with hooks");
	OK(strstr(nowhere.refusals, "quod's own hook can't be placed"), "hooks: without a hook of its own quod refuses");
	is_refused(&strict, &docker, "'createRuntime':[" OWN ",{'path':'/x'}]",
		   "/hooks/createRuntime/0: createRuntime hook /usr/libexec/quod/quod-hook is not allowed (hooks.allow); "
		   "/hooks/createRuntime/1: createRuntime hook /x is not allowed (hooks.allow)",
		   "a copy of quod's own with something behind it is refused");
}

static void test_docker(void)
{
	unknown = docker;
	unknown.engine = ENGINE_UNKNOWN;
	is_refused(&strict, &unknown, "'prestart':[" SETKEY "]", "/hooks/prestart/0: prestart hook /proc/812/exe is not allowed (hooks.allow)", "Docker's hook passes from Docker only");
	unknown = docker;
	unknown.docker_program = NULL;
	is_refused(&strict, &unknown, "'prestart':[" SETKEY "]", "/hooks/prestart/0: prestart hook /proc/812/exe is not allowed (hooks.allow)", "and only where it is dockerd's own program");
	is_refused(&strict, &docker, "'poststop':[" SETKEY "]", "/hooks/poststop/0: poststop hook /proc/812/exe is not allowed (hooks.allow)", "and before the start only");
	is_refused(&strict, &docker, "'prestart':[{'path':'/proc/812/../../x','args':['libnetwork-setkey','-exec-root=/r','c1','a']}]",
		   "/hooks/prestart/0: prestart hook /proc/812/../../x is not allowed (hooks.allow)", "another program of that name is refused");
	is_refused(&strict, &docker, "'prestart':[{'path':'/proc/812/exe','args':['libnetwork-setkey','-exec-root=/r','c2','a']}]",
		   "/hooks/prestart/0: prestart hook /proc/812/exe is not allowed (hooks.allow)", "so is another container's id");
	is_refused(&strict, &docker, "'prestart':[{'path':'/proc/812/exe','args':['dockerd','-exec-root=/r','c1','a']}]",
		   "/hooks/prestart/0: prestart hook /proc/812/exe is not allowed (hooks.allow)", "and another duty of dockerd's");
	is_refused(&strict, &docker, "'prestart':[{'path':'/proc/812/exe','args':['libnetwork-setkey','-exec-root=/r','c1','a'],'env':['LD_PRELOAD=/x']}]",
		   "/hooks/prestart/0: prestart hook /proc/812/exe is not allowed (hooks.allow)", "and one with an environment");
}

static void test_allowed(void)
{
	is_refused(&strict, &docker, "'poststop':[" TOOL "]", "/hooks/poststop/0: poststop hook /usr/libexec/oci/tool is not allowed (hooks.allow)", "what no profile names is refused");
	is_refused(&with_hooks, &docker, "'poststop':[" TOOL "],'startContainer':[" TOOL "]", "", "what the profile names passes at every point");
	is_refused(&with_hooks, &docker, "'prestart':[{'path':'/usr/libexec/oci/../sh'}]", "/hooks/prestart/0: prestart hook /usr/libexec/oci/../sh is not allowed (hooks.allow)", "a path that leads elsewhere is refused");
	is_refused(&with_hooks, &docker, "'prestart':[{'path':'/usr/libexec/oci/tool','env':['A=b','LD_PRELOAD=/proc/self/cwd/x.so']}]",
		   "/hooks/prestart/0: prestart hook /usr/libexec/oci/tool with LD_PRELOAD=/proc/self/cwd/x.so is not allowed (hooks.allow)", "a loader's variable is refused");
	is_refused(&with_hooks, &docker, "'later':[]", "/hooks/later: hook point later is not known (hooks.allow)", "an unknown hook point is refused");
}

int main(void)
{
	test_own();
	test_docker();
	test_allowed();
	return tap_done();
}
