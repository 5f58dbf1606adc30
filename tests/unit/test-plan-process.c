/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/process*.c: capabilities, users, switches, limits, environment. */
#include <linux/capability.h>
#include <sys/resource.h>

#include "shim/policy/capabilities.h"
#include "tests/unit/plan-tools.h"

static struct rlimit_rule rlimits[] = { { (char *)"nofile", 4096 }, { (char *)"core", 0 } };
static struct env_rule env_set[] = { { (char *)"HTTP_PROXY", (char *)"" } };
static char *scrub[] = { (char *)"AWS_*", (char *)"*_TOKEN" };

static struct profile strict = {
	.name = (char *)"strict",
	.process = {
		.capabilities = CAPABILITY_BIT(CAP_CHOWN) | CAPABILITY_BIT(CAP_SETUID) | CAPABILITY_BIT(CAP_SYS_RESOURCE),
		.no_new_privs = true,
		.env_scrub = { scrub, 2 },
		.env_set = env_set,
		.env_set_count = 1,
		.rlimits = rlimits,
		.rlimit_count = 2,
	},
};

static struct facts facts = {
	.own_capabilities = ~CAPABILITY_BIT(CAP_SYS_RESOURCE),
	.deadline = "2030-01-01T00:00:00Z",
};

static void set_up(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts.rlimit_hard); i++)
		facts.rlimit_hard[i] = LIMIT_UNLIMITED;
	facts.rlimit_hard[RLIMIT_NOFILE] = 8192;
	facts.rlimit_hard[RLIMIT_RTPRIO] = 0;
	facts.rlimit_hard[RLIMIT_NICE] = 0;
}

static void plan_it(const struct plan_input *input, struct plan *plan)
{
	plan_process(input, &input->config->process, "/process", plan);
}

/* The process object with `members` and a user who is not root. */
static struct outcome plan_members(const struct profile *profile, const char *members)
{
	cleanup_free char *text = alloc_printf("{'process':{'user':{'uid':1000,'gid':1000},'cwd':'/'%s%s}}",
					       *members ? "," : "", members);

	return plan_document_text(plan_it, profile, &facts, text);
}

static void is_refused(const struct profile *profile, const char *members, const char *wanted, const char *what)
{
	cleanup_outcome struct outcome outcome = plan_members(profile, members);

	IS_STR(outcome.refusals, wanted, "process: %s", what);
}

static void test_capabilities(void)
{
	cleanup_outcome struct outcome some =
		plan_members(&strict, "'capabilities':{'bounding':['CAP_CHOWN','CAP_SYS_ADMIN','CAP_SYS_RESOURCE'],'"
				      "effective':['CAP_SYS_ADMIN'],"
				      "'ambient':['CAP_SETUID','CAP_KILL']}");
	cleanup_outcome struct outcome none = plan_members(&strict, "");

	IS_AT(&some, "/process/capabilities/bounding", "['CAP_CHOWN']",
	      "process: a set keeps what the profile and quod's own bounding set have");
	IS_AT(&some, "/process/capabilities/effective", "[]", "process: a set that keeps nothing is empty");
	IS_AT(&some, "/process/capabilities/ambient", "['CAP_SETUID']", "process: so with the ambient one");
	IS_AT(&some, "/process/capabilities/permitted", "-", "process: an absent set is none and is not added");
	IS_SETTLED(&some, "a process with capabilities");
	IS_AT(&none, "/process/capabilities",
	      "{'bounding':[],'effective':[],'inheritable':[],'permitted':[],'ambient':[]}",
	      "process: without the object all sets are written as empty");
	is_refused(&strict, "'capabilities':{'bounding':['CAP_FLY','chown']}",
		   "/process/capabilities/bounding: unknown capability CAP_FLY (process.capabilities); "
		   "/process/capabilities/bounding: unknown capability chown (process.capabilities)",
		   "a capability of an unknown name is refused");
}

static void test_switches(void)
{
	struct profile lax = strict;
	cleanup_outcome struct outcome set = plan_members(&strict, "'noNewPrivileges':false,'oomScoreAdj':-500");
	cleanup_outcome struct outcome kept, inherited;

	IS_AT(&set, "/process/noNewPrivileges", "true", "process: no_new_privs is set where the profile says so");
	IS_AT(&set, "/process/oomScoreAdj", "0", "process: an OOM score below 0 becomes 0");
	lax.process.no_new_privs = false;
	kept = plan_members(&lax, "'noNewPrivileges':true,'oomScoreAdj':300");
	IS_AT(&kept, "/process/noNewPrivileges", "true", "process: an engine's no_new_privs is never taken back");
	IS_AT(&kept, "/process/oomScoreAdj", "300", "process: a higher OOM score stays");
	facts.oom_score_adj = -999;
	inherited = plan_members(&lax, "");
	facts.oom_score_adj = 0;
	IS_AT(&inherited, "/process/oomScoreAdj", "0", "process: a daemon's own low OOM score isn't inherited");
	IS_SETTLED(&inherited, "a process with an inherited score");
}

static void test_user(void)
{
	cleanup_outcome struct outcome root =
		plan_document_text(plan_it, &strict, &facts, "{'process':{'user':{'uid':0}}}");
	cleanup_outcome struct outcome mapped = plan_document_text(
		plan_it, &strict, &facts, "{'process':{'user':{'uid':0}},'linux':{'namespaces':[{'type':'user'}]}}");
	cleanup_outcome struct outcome groups, roots, nobody;
	struct profile lax = strict;

	IS_STR(root.refusals, "/process/user: uid 0 is not allowed: name another user (process.root)",
	       "process: uid 0 is refused where the profile has no root");
	IS_STR(mapped.refusals, "", "process: but not in a user namespace");
	nobody = plan_document_text(plan_it, &strict, &facts, "{'process':null}");
	IS_STR(nobody.refusals, "/process: no process that could be bounded (process)",
	       "process: without a process nothing holds");
	groups = plan_document_text(
		plan_it, &strict, &facts,
		"{'process':{'user':{'uid':1000,'gid':100,'additionalGids':[0,6,100,998,1000,2000]}}}");
	IS_AT(&groups, "/process/user/additionalGids", "[100,1000,2000]",
	      "process: without root a system's groups go, the own and ordinary ones stay");
	IS_SETTLED(&groups, "a process with groups");
	lax.process.root = true;
	roots = plan_document_text(plan_it, &lax, &facts, "{'process':{'user':{'uid':0,'additionalGids':[0,10]}}}");
	IS_AT(&roots, "/process/user/additionalGids", "[0,10]", "process: with root an image's groups stay");
}

static void test_limits(void)
{
	cleanup_outcome struct outcome none = plan_members(&strict, "");
	cleanup_outcome struct outcome wishes = plan_members(
		&strict,
		"'rlimits':[{'type':'RLIMIT_NOFILE','hard':1048576,'soft':1024},{'type':'RLIMIT_CORE','hard':0,'soft':"
		"0},"
		"{'type':'RLIMIT_RTPRIO','hard':99,'soft':99},{'type':'RLIMIT_MEMLOCK','hard':1024,'soft':512},"
		"{'type':'RLIMIT_MSGQUEUE','hard':18446744073709551615,'soft':18446744073709551615},"
		"{'type':'RLIMIT_STACK','hard':18446744073709551615,'soft':8388608}]");

	IS_AT(&none, "/process/rlimits",
	      "[{'type':'RLIMIT_CORE','hard':0,'soft':0},{'type':'RLIMIT_MEMLOCK','hard':8388608,'soft':8388608},"
	      "{'type':'RLIMIT_MSGQUEUE','hard':819200,'soft':819200},{'type':'RLIMIT_NOFILE','hard':4096,'soft':4096}"
	      "]",
	      "process: the profile's limits, and those that are always bounded, are written");
	IS_SETTLED(&none, "a process without limits");
	IS_AT(&wishes, "/process/rlimits/0", "{'type':'RLIMIT_NOFILE','hard':4096,'soft':1024}",
	      "process: a hard limit is lowered, a soft one below it stays");
	IS_AT(&wishes, "/process/rlimits/2", "{'type':'RLIMIT_RTPRIO','hard':0,'soft':0}",
	      "process: real-time priority is never given");
	IS_AT(&wishes, "/process/rlimits/3", "{'type':'RLIMIT_MEMLOCK','hard':1024,'soft':512}",
	      "process: a lower wish stands");
	IS_AT(&wishes, "/process/rlimits/4/soft", "819200", "process: an unlimited wish is lowered");
	IS_AT(&wishes, "/process/rlimits/5/hard", "18446744073709551615", "process: what nobody bounds stays");
	IS_AT(&wishes, "/process/rlimits/6", "-", "process: and no limit is there twice");
	IS_SETTLED(&wishes, "a process with limits");
}

static void test_limits_without_right(void)
{
	cleanup_outcome struct outcome outcome;

	facts.rlimit_hard[RLIMIT_NOFILE] = 2048;
	outcome = plan_members(&strict, "'rlimits':[{'type':'RLIMIT_NOFILE','hard':4000,'soft':4000}]");
	IS_AT(&outcome, "/process/rlimits/0", "{'type':'RLIMIT_NOFILE','hard':2048,'soft':2048}",
	      "process: what quod may not raise is lowered to its own hard limit");
	facts.rlimit_hard[RLIMIT_NOFILE] = 8192;
	is_refused(&strict, "'rlimits':[{'type':'RLIMIT_FLY','hard':1,'soft':1}]",
		   "/process/rlimits: unknown or incomplete limit RLIMIT_FLY (process.rlimits)",
		   "an unknown limit is refused");
	is_refused(&strict, "'rlimits':[{'type':'RLIMIT_CPU','hard':1}]",
		   "/process/rlimits: unknown or incomplete limit RLIMIT_CPU (process.rlimits)",
		   "one without its soft half, too");
	is_refused(&strict,
		   "'rlimits':[{'type':'RLIMIT_CPU','hard':1,'soft':1},{'type':'RLIMIT_CPU','hard':2,'soft':1}]",
		   "/process/rlimits: RLIMIT_CPU is given twice (process.rlimits)", "and one that is given twice");
}

static void test_environment(void)
{
	cleanup_outcome struct outcome outcome = plan_members(
		&strict,
		"'env':['PATH=/bin','AWS_KEY=1','HTTP_PROXY=x:1','QUOD_DEADLINE=old','MY_TOKEN=2','TOKEN_X=3']");
	cleanup_outcome struct outcome none = plan_members(&strict, "'env':null");

	IS_AT(&outcome, "/process/env",
	      "['PATH=/bin','HTTP_PROXY=','QUOD_DEADLINE=2030-01-01T00:00:00Z','TOKEN_X=3','QUOD_PROFILE=strict']",
	      "env: scrubbed entries go, set ones stand, the rest stays in its order");
	IS_SETTLED(&outcome, "an environment");
	IS_AT(&none, "/process/env", "['QUOD_PROFILE=strict','QUOD_DEADLINE=2030-01-01T00:00:00Z','HTTP_PROXY=']",
	      "env: without one, what has to be there is written");
	IS_SETTLED(&none, "a process without an environment");
	is_refused(&strict, "'env':['A=1','B=','A=2','A=3']", "/process/env: A is given twice (process.env)",
		   "a variable given twice is refused");
	is_refused(&strict, "'env':['PATH']", "/process/env/0: is not of the form NAME=VALUE (process.env)",
		   "an entry without = is refused");
	is_refused(&strict, "'env':['=x']", "/process/env/0: is not of the form NAME=VALUE (process.env)",
		   "one without a name, too");
}

static void test_refusals(void)
{
	is_refused(&strict, "'scheduler':{'policy':'SCHED_FIFO','priority':10}",
		   "/process/scheduler: only SCHED_OTHER, SCHED_BATCH and SCHED_IDLE are allowed (resources.cpus)",
		   "real-time scheduling is refused");
	is_refused(&strict, "'scheduler':{'policy':'SCHED_OTHER','nice':-5}",
		   "/process/scheduler: only SCHED_OTHER, SCHED_BATCH and SCHED_IDLE are allowed (resources.cpus)",
		   "so is a higher priority");
	is_refused(&strict, "'scheduler':{'policy':'SCHED_BATCH','nice':5}", "", "a lower one passes");
	is_refused(&strict, "'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':0}",
		   "/process/ioPriority: only IOPRIO_CLASS_BE and IOPRIO_CLASS_IDLE are allowed (resources.cpus)",
		   "real-time I/O is refused");
	is_refused(
		&strict, "'execCPUAffinity':{'initial':'0'}",
		"/process/execCPUAffinity: a process outside of the container's CPUs is not allowed (resources.cpus)",
		"another CPU affinity is refused");
	is_refused(&strict, "'consoleSize':{'height':65535,'width':80}",
		   "/process/consoleSize/height: a terminal of that size is not allowed (process)",
		   "a huge terminal is refused");
}

static void test_cwd_and_lsm(void)
{
	static const char *const in_proc[] = { "/proc/self/fd/7", "//proc", "/./proc/1/cwd" };
	cleanup_outcome struct outcome ordinary, processes;

	for (size_t i = 0; i < ARRAY_SIZE(in_proc); i++) {
		cleanup_free char *text = alloc_printf("{'process':{'user':{'uid':1},'cwd':'%s'}}", in_proc[i]);
		cleanup_outcome struct outcome outcome = plan_document_text(plan_it, &strict, &facts, text);

		OK(strstr(outcome.refusals, "lies in /proc (process.cwd)"), "process: %s is no working directory",
		   in_proc[i]);
	}
	ordinary = plan_document_text(plan_it, &strict, &facts, "{'process':{'user':{'uid':1},'cwd':'/a/../proc'}}");
	OK(strstr(ordinary.refusals, "without .."), "process: a working directory with .. is refused");
	processes =
		plan_document_text(plan_it, &strict, &facts, "{'process':{'user':{'uid':1},'cwd':'/process/a..b'}}");
	IS_STR(processes.refusals, "", "process: one that only looks like it is not");
	facts.has_apparmor = facts.has_selinux = true;
	is_refused(&strict, "'apparmorProfile':'unconfined'",
		   "/process/apparmorProfile: AppArmor profile unconfined confines nothing (process)",
		   "no AppArmor profile is refused where the host has AppArmor");
	is_refused(&strict,
		   "'apparmorProfile':'docker-default','selinuxLabel':'system_u:system_r:container_t:s0:c1,c2'", "",
		   "the engines' own profiles and labels pass");
	is_refused(&strict, "'selinuxLabel':'system_u:system_r:spc_t:s0'",
		   "/process/selinuxLabel: SELinux label system_u:system_r:spc_t:s0 is not a container's (process)",
		   "a privileged container's label is refused");
	facts.has_apparmor = facts.has_selinux = false;
}

static void test_exec(void)
{
	cleanup_json_tree struct json_tree *tree =
		parse_text("{'user':{'uid':1,'gid':1},'args':['sh'],'cwd':'/','env':['A_TOKEN=1']}");
	struct plan_input input = { .profile = &strict, .facts = &facts };
	struct plan plan;
	struct err err = ERR_INIT;

	plan_make_exec(&input, json_root(tree), &plan);
	OK(!plan.refusal_count && !oci_edits_apply(&plan.edits, tree, &err),
	   "exec: the same bounds, at the root of process.json");
	OK(json_bool(json_get(json_root(tree), "noNewPrivileges"), false), "exec: no_new_privs is set");
	IS_STR(json_string(json_item(json_get(json_root(tree), "env"), 0)), "QUOD_PROFILE=strict",
	       "exec: the environment is scrubbed and set");
	plan_release(&plan);
	plan_make_exec(&input, json_root(tree), &plan);
	OK(!plan.edits.count, "exec: planned again, nothing changes");
	plan_release(&plan);
}

int main(void)
{
	set_up();
	test_capabilities();
	test_switches();
	test_user();
	test_limits();
	test_limits_without_right();
	test_environment();
	test_refusals();
	test_cwd_and_lsm();
	test_exec();
	return tap_done();
}
