/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/resources*.c: written and lowered at create, lowered at update. */
#include "tests/unit/plan-tools.h"

#define G (UINT64_C(1) << 30)

static struct profile two = {
	.name = (char *)"two",
	.resources = { .cpus_milli = 2000, .memory = 4 * G, .swap = 0, .pids = 512 },
};
static struct profile open_wide = {
	.name = (char *)"open",
	.resources = { LIMIT_UNLIMITED, LIMIT_UNLIMITED, LIMIT_UNLIMITED, LIMIT_UNLIMITED },
};
static struct facts with_swap = { .cgroup_version = 2, .has_swap_accounting = true };
static struct facts without_swap = { .cgroup_version = 1 };

static struct outcome plan_members(const struct profile *profile, const struct facts *facts, const char *members)
{
	cleanup_free char *text = alloc_printf("{'linux':{'resources':{%s}}}", members);

	return plan_document_text(plan_resources, profile, facts, text);
}

static void is_planned(const struct profile *profile, const char *members, const char *wanted, const char *what)
{
	cleanup_outcome struct outcome outcome = plan_members(profile, &with_swap, members);

	IS_AT(&outcome, "/linux/resources", wanted, "resources: %s", what);
	IS_SETTLED(&outcome, what);
}

static void is_refused(const char *members, const char *wanted, const char *what)
{
	cleanup_outcome struct outcome outcome = plan_members(&two, &with_swap, members);

	OK(strstr(outcome.refusals, wanted), "resources: %s", what);
	if (!strstr(outcome.refusals, wanted))
		printf("# got: %s\n", outcome.refusals);
}

#define REST "'memory':{'limit':4294967296,'swap':4294967296},'pids':{'limit':512}"

static void test_whole(void)
{
	cleanup_outcome struct outcome none = plan_document_text(plan_resources, &two, &with_swap, "{'linux':{}}");

	IS_AT(&none, "/linux/resources",
	      "{'cpu':{'quota':200000,'period':100000},'memory':{'limit':4294967296,'swap':4294967296},'pids':{'limit':"
	      "512}}",
	      "resources: where nobody asked, the profile's are written");
	IS_SETTLED(&none, "a container without resources");
	is_planned(&open_wide, "'cpu':{'shares':2},'memory':{'limit':5},'pids':{'limit':-1}",
		   "{'cpu':{'shares':2},'memory':{'limit':5},'pids':{'limit':-1}}",
		   "an unlimited profile leaves every wish");
}

static void test_cpu(void)
{
	is_planned(&two, "'cpu':{'quota':50000,'period':100000,'shares':512,'cpus':'0-1'}," REST,
		   "{'cpu':{'quota':50000,'period':100000,'shares':512,'cpus':'0-1'}," REST "}",
		   "a lower share of CPU stands, with its weights");
	is_planned(&two, "'cpu':{'quota':900000}," REST, "{'cpu':{'quota':200000,'period':100000}," REST "}",
		   "a higher one is lowered");
	is_planned(&two, "'cpu':{'quota':-1,'period':50000}," REST, "{'cpu':{'quota':100000,'period':50000}," REST "}",
		   "an unlimited one is bounded in its own period");
	is_planned(&two, "'cpu':{'quota':100000,'burst':100000,'idle':1}," REST,
		   "{'cpu':{'quota':100000,'idle':1}," REST "}", "a burst goes");
	is_refused("'cpu':{'realtimeRuntime':95000}",
		   "/linux/resources/cpu/realtimeRuntime: real-time CPU is not allowed (resources.cpus)",
		   "real-time CPU is refused");
	is_refused("'cpu':{'period':18446744073709551615}", "/linux/resources/cpu/period: is no integer",
		   "a period beyond int64 is refused");
	is_refused("'cpu':{'period':10000000}", "is not between 1000 and 1000000 microseconds",
		   "a period the kernel wouldn't take, too");
	two.resources.cpus_milli = 5;
	is_planned(&two, REST, "{" REST ",'cpu':{'quota':5000,'period':1000000}}",
		   "a share below 1 ms gets a longer period");
	is_planned(&two, "'cpu':{'quota':5000,'period':1000000}," REST ",'unified':{'cpu.max':'max'}",
		   "{'cpu':{'quota':5000,'period':1000000}," REST ",'unified':{'cpu.max':'5000 1000000'}}", "as a unified key, too");
	two.resources.cpus_milli = 2000;
}

#define CPU "'cpu':{'quota':200000,'period':100000}"
#define PIDS "'pids':{'limit':512}"

static void is_memory(uint64_t swap, const char *given, const char *wanted, const char *what)
{
	cleanup_free char *members = alloc_printf(CPU "," PIDS ",'memory':%s", given);
	cleanup_outcome struct outcome outcome;
	struct profile profile = two;

	profile.resources.swap = swap;
	outcome = plan_members(&profile, &with_swap, members);
	IS_AT(&outcome, "/linux/resources/memory", wanted, "memory: %s", what);
	IS_SETTLED(&outcome, what);
}

static void test_memory(void)
{
	is_memory(0, "{'limit':1000000}", "{'limit':1000000,'swap':1000000}", "a lower limit stands, without swap");
	is_memory(0, "{'limit':8589934592,'swap':8589934592}", "{'limit':4294967296,'swap':4294967296}",
		  "a higher one is lowered");
	is_memory(0, "{'limit':-1,'swap':-1}", "{'limit':4294967296,'swap':4294967296}", "an unlimited one is bounded");
	is_memory(G, "{'limit':1000}", "{'limit':1000,'swap':1073742824}", "swap comes on top of the limit");
	is_memory(G, "{'limit':8589934592,'swap':8589934592}", "{'limit':4294967296,'swap':4294967296}",
		  "a container that wants no swap gets none when its limit is lowered");
	is_memory(LIMIT_UNLIMITED, "{'limit':8589934592,'swap':8589935592}", "{'limit':4294967296,'swap':4294968296}",
		  "and one that wants little no more than that");
	is_memory(LIMIT_UNLIMITED, "{'limit':1000}", "{'limit':1000}", "unlimited swap is left to the engine");
	is_memory(0, "{'swap':1000}", "{'swap':1000,'limit':1000}", "a bound on both together bounds memory");
	is_memory(0, "{'limit':5000,'reservation':-1,'swap':5000}", "{'limit':5000,'reservation':5000,'swap':5000}",
		  "a reservation over the limit is lowered to it");
	is_memory(0, "{'limit':5000,'reservation':900,'swap':5000,'swappiness':10}",
		  "{'limit':5000,'reservation':900,'swap':5000,'swappiness':10}", "a lower one stands");
	is_refused("'memory':{'disableOOMKiller':true}",
		   "/linux/resources/memory/disableOOMKiller: the OOM killer can't be switched off (resources.memory)",
		   "a container without OOM killer is refused");
}

/* A user without a cgroup that holds the limits. */
static void test_no_cgroup(void)
{
	static const char *const keys[] = { "/cpu: ", "(resources.cpus)", "/memory: ", "(resources.memory)", "/pids: ", "(resources.pids)",
					    "(budgets.cpu)" };
	struct facts none = { .cgroup_version = 1, .is_rootless = true, .cgroup_lacks = 15 }, memory_only = none;
	cleanup_outcome struct outcome refused = plan_members(&two, &none, ""), part, unbound;
	struct profile unlimited = open_wide;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		OK(strstr(refused.refusals, keys[i]), "resources: without a cgroup each limit is refused by name: %s", keys[i]);
	memory_only.cgroup_lacks = CGROUP_MEMORY;
	part = plan_members(&two, &memory_only, "");
	OK(strstr(part.refusals, "(resources.memory)") && !strstr(part.refusals, "; "), "resources: what it can hold is not");
	unlimited.budgets.cpu_ms = LIMIT_UNLIMITED;
	unbound = plan_members(&unlimited, &none, "");
	IS_STR(unbound.refusals, "", "resources: nor what the profile leaves unlimited");
}

static void test_swap_accounting(void)
{
	cleanup_outcome struct outcome outcome = plan_members(&two, &without_swap, CPU "," PIDS);
	struct profile profile = two;
	cleanup_outcome struct outcome unbounded;

	IS_AT(&outcome, "/linux/resources/memory", "{'limit':4294967296}",
	      "memory: without swap accounting no swap is set");
	IS_STR(outcome.notes, "resources.swap: this host's cgroups don't count swap", "memory: and a note says so");
	profile.resources.memory = LIMIT_UNLIMITED;
	unbounded = plan_members(&profile, &with_swap, CPU "," PIDS);
	IS_STR(unbounded.notes, "resources.swap: swap can't be bounded without a bound on memory",
	       "memory: as where memory is unlimited");
}

static void test_others(void)
{
	is_planned(&two, CPU ",'memory':{'limit':5,'swap':5},'pids':{'limit':0}",
		   "{" CPU ",'memory':{'limit':5,'swap':5}," PIDS "}",
		   "no number of processes is none to the runtimes");
	is_planned(&two, CPU ",'memory':{'limit':5,'swap':5},'pids':{'limit':7}",
		   "{" CPU ",'memory':{'limit':5,'swap':5},'pids':{'limit':7}}", "fewer processes stand");
	is_planned(&two, CPU ",'memory':{'limit':5,'swap':5}," PIDS ",'unified':{'memory.max':'max','cpu.max':'max','pids.max':'513'}",
		   "{" CPU ",'memory':{'limit':5,'swap':5}," PIDS
		   ",'unified':{'memory.max':'4294967296','cpu.max':'200000 100000','pids.max':'512'}}",
		   "a unified key that the profile bounds is lowered to it");
	is_planned(&two,
		   CPU ",'memory':{'limit':5,'swap':5}," PIDS
		       ",'unified':{'memory.swap.max':'1','cpu.max':'300000 100000','cpu.max.burst':'5','memory.high':'max'}",
		   "{" CPU ",'memory':{'limit':5,'swap':5}," PIDS
		   ",'unified':{'memory.swap.max':'0','cpu.max':'200000 100000','cpu.max.burst':'0','memory.high':'4294967296'}}",
		   "so are swap, a burst and the rest");
	is_planned(&two,
		   CPU ",'memory':{'limit':5,'swap':5}," PIDS ",'unified':{'memory.max':'7','cpu.max':'50000','pids.max':'512'}",
		   "{" CPU ",'memory':{'limit':5,'swap':5}," PIDS
		   ",'unified':{'memory.max':'7','cpu.max':'50000 100000','pids.max':'512'}}",
		   "a lower one stands, its period is said");
	is_refused("'unified':{'memory.max':'4G'}", "memory.max is not to be set this way",
		   "what the kernel reads and this doesn't is refused");
	is_refused("'unified':{'cpu.max':'100000 max'}", "cpu.max is not to be set this way", "as is no period");
	is_refused("'unified':{'pids.max':'-1'}", "pids.max is not to be set this way", "and no number");
	with_swap.cgroup_version = 1;
	is_refused("'unified':{'memory.max':'5'}",
		   "/linux/resources/unified/memory.max: memory.max is not to be set this way (resources)",
		   "where there is no version 2 each of them is refused");
	with_swap.cgroup_version = 2;
	is_refused("'unified':{'cgroup.type':'threaded'}", "cgroup.type is not to be set this way",
		   "so is one of the tree itself");
	is_refused("'unified':{'hugetlb./../memory.max':'1'}", "memory.max is not to be set this way",
		   "and a path to one behind a name that may be set");
	is_refused("'unified':{'memory.min':'4G'}", "memory.min is not to be set this way",
		   "and one that takes from others");
	is_planned(&two,
		   CPU ",'memory':{'limit':5,'swap':5}," PIDS
		       ",'unified':{'memory.oom.group':'1','cpu.weight':'5','hugetlb.2MB.max':'0'}",
		   "{" CPU ",'memory':{'limit':5,'swap':5}," PIDS
		   ",'unified':{'memory.oom.group':'1','cpu.weight':'5','hugetlb.2MB.max':'0'}}",
		   "harmless unified keys stand");
	is_refused("'network':{'classID':5}",
		   "/linux/resources/network/classID: classes of network traffic are the host's (resources)",
		   "a traffic class is refused");
	is_refused("'rdma':{'mlx5_1':{'hcaHandles':3}}", "/linux/resources/rdma: RDMA is not allowed (resources)",
		   "RDMA is refused");
	is_planned(&open_wide, "'network':{},'rdma':{},'blockIO':{'weight':10}",
		   "{'network':{},'rdma':{},'blockIO':{'weight':10}}", "empty ones and I/O weights pass");
}

static char *print_told(const struct plan *plan)
{
	struct buf buf = BUF_INIT;

	buf_puts(&buf, "");
	for (size_t i = 0; i < plan->lowered_count; i++)
		buf_printf(&buf, "%s%s: %s (%s)", i ? "; " : "", plan->lowered[i].pointer, plan->lowered[i].text, plan->lowered[i].key);
	return buf_steal(&buf);
}

/* What comes out, what is told of it, and that once more changes nothing. */
static void is_lowered(const char *text, const char *wanted, const char *told, const char *what)
{
	cleanup_json_tree struct json_tree *tree = parse_text(text), *planned = parse_text("{'memory':{'limit':3000,'swap':3000}}");
	struct oci_config config = { .resources = json_root(planned) };
	struct plan_input input = { .profile = &two, .facts = &with_swap, .config = &config };
	cleanup_free char *said = NULL;
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;
	struct plan plan;

	plan_make_update(&input, json_root(tree), &plan);
	said = print_told(&plan);
	OK(!plan.refusal_count && !oci_edits_apply(&plan.edits, tree, &err), "update: nothing is refused: %s", what);
	json_print(&buf, json_root(tree), 0);
	for (char *at = buf.data; *at; at++)
		*at = *at == '"' ? '\'' : *at;
	IS_STR(buf.data, wanted, "update: %s", what);
	IS_STR(said, told, "update: and is told: %s", what);
	plan_release(&plan);
	plan_make_update(&input, json_root(tree), &plan);
	OK(!plan.edits.count && !plan.lowered_count && !plan.refusal_count, "update: settled: %s", what);
	plan_release(&plan);
}

static void is_no_update_under(const struct profile *profile, const char *text, const char *wanted, const char *what)
{
	struct plan_input input = { .profile = profile, .facts = &with_swap };
	cleanup_json_tree struct json_tree *tree = parse_text(text);
	cleanup_free char *refusals = NULL;
	struct plan plan;

	plan_make_update(&input, json_root(tree), &plan);
	refusals = print_refusals(&plan);
	IS_STR(refusals, wanted, "update: %s", what);
	plan_release(&plan);
}

static void is_no_update(const char *text, const char *wanted, const char *what)
{
	is_no_update_under(&two, text, wanted, what);
}

static void test_update(void)
{
	is_lowered("{'memory':{'limit':1000,'swap':1000},'cpu':{'quota':100000,'period':100000},'pids':{'limit':5}}",
		   "{'memory':{'limit':1000,'swap':1000},'cpu':{'quota':100000,'period':100000},'pids':{'limit':5}}", "",
		   "what stays under the profile passes");
	is_lowered("{'memory':{'limit':0,'swap':0},'cpu':{'shares':5},'pids':{'limit':0}}",
		   "{'memory':{'limit':0,'swap':0},'cpu':{'shares':5},'pids':{'limit':0}}", "", "0 means unchanged");
	is_lowered("{'memory':{'limit':8589934592},'pids':{'limit':2048}}",
		   "{'memory':{'limit':4294967296},'pids':{'limit':512}}",
		   "/memory/limit: 8589934592 is over the profile's 4G (resources.memory); /pids/limit: 2048 is over the "
		   "profile's 512 (resources.pids)",
		   "each value over the profile's is lowered and named, what isn't given stays");
	is_lowered("{'memory':{'limit':-1,'swap':-1,'reservation':-1},'pids':{'limit':-1}}",
		   "{'memory':{'limit':4294967296,'swap':4294967296,'reservation':4294967296},'pids':{'limit':512}}",
		   "/memory/limit: -1 is over the profile's 4G (resources.memory); /memory/reservation: -1 is over the profile's 4G "
		   "(resources.memory); /memory/swap: -1 is over the profile's swap beside memory (resources.swap); /pids/limit: -1 "
		   "is over the profile's 512 (resources.pids)",
		   "unlimited is over");
	is_lowered("{'cpu':{'quota':400000,'period':50000,'burst':1000}}", "{'cpu':{'quota':100000,'period':50000}}",
		   "/cpu/quota: 400000 of 50000 microseconds is over the profile's 2.000 CPUs (resources.cpus); /cpu/burst: 1000 is "
		   "a burst over the profile's share (resources.cpus)",
		   "more CPU is lowered in its own period, a burst goes");
	is_lowered("{'memory':{'limit':1000,'swap':2000}}", "{'memory':{'limit':1000,'swap':1000}}",
		   "/memory/swap: 2000 is over the profile's swap beside memory (resources.swap)",
		   "swap over the profile's is lowered");
	is_lowered("{'memory':{'swap':-1}}", "{'memory':{}}",
		   "/memory/swap: -1 is over the profile's swap beside memory (resources.swap)",
		   "swap alone over what was planned leaves that");
	is_lowered("{'unified':{'memory.max':'max','cpu.weight':'5'}}", "{'unified':{'memory.max':'4294967296','cpu.weight':'5'}}",
		   "/unified/memory.max: max is over the profile's 4294967296 (resources.memory)", "unified keys as at create");
	is_lowered("{'devices':[{'allow':false,'access':'rwm'},{'allow':true,'type':'c','major':1,'minor':3,'access':'rwm'}]}",
		   "{'devices':[{'allow':false,'access':'rwm'},{'allow':true,'type':'c','major':1,'minor':3,'access':'rwm'}]}", "",
		   "the ordinary device rules pass");
}

static void test_no_update(void)
{
	struct profile no_swap = two;

	no_swap.resources.memory = LIMIT_UNLIMITED;
	is_no_update_under(&no_swap, "{'memory':{'limit':-1,'swap':-1}}",
			   "/memory/swap: swap can't be bounded without a limit on memory (resources.swap)",
			   "swap without a bound beside memory without one is refused where the profile bounds swap alone");
	is_no_update_under(&no_swap, "{'memory':{'limit':-1,'swap':5000}}",
			   "/memory/swap: swap can't be bounded without a limit on memory (resources.swap)", "as is any swap then");
	is_no_update_under(&no_swap, "{'memory':{'limit':-1}}",
			   "/memory/limit: swap can't be bounded without a limit on memory (resources.swap)",
			   "and no limit alone, which takes swap's away, too");
	is_no_update_under(&no_swap, "{'memory':{'limit':5000,'swap':5000}}", "", "beside a limit it is not");
	is_no_update("{'cpu':{'quota':-1}}", "/cpu/quota: quota and period can only be changed together (resources.cpus)",
		     "a quota alone is refused");
	is_no_update("{'cpu':{'period':1000}}", "/cpu/period: quota and period can only be changed together (resources.cpus)",
		     "so is a period alone, which would change the share");
	is_no_update("{'cpu':{'quota':5,'period':5}}", "/cpu/period: is not between 1000 and 1000000 microseconds (resources.cpus)",
		     "and a period that the kernel doesn't take");
	is_no_update("{'memory':{'swap':2000}}", "/memory/swap: memory and swap can only be changed together (resources.swap)",
		     "swap alone, lower, says nothing");
	is_no_update("{'memory':{'disableOOMKiller':true}}",
		     "/memory/disableOOMKiller: the OOM killer can't be switched off (resources.memory)", "the OOM killer stays");
	is_no_update("{'devices':[{'allow':true,'access':'rwm'}]}",
		     "/devices/0: all devices (a privileged container) are not allowed (devices.allow)", "all devices are refused");
	is_no_update("{'memory':{'limit':'1'}}", "/memory/limit: is a string, not an integer (config)",
		     "a value of another type is refused");
}

int main(void)
{
	test_whole();
	test_cpu();
	test_memory();
	test_no_cgroup();
	test_swap_accounting();
	test_others();
	test_update();
	test_no_update();
	return tap_done();
}
