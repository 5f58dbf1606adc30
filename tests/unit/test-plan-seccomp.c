/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/seccomp*.c: the algebra against plain evaluation, the tables, and merging. */
#include "shim/base/err.h"
#include "shim/base/file.h"
#include "shim/policy/seccomp-floor.h"
#include "shim/policy/seccomp-names.h"
#include "tests/unit/plan-tools.h"

#include <fcntl.h>

static char *families[] = { (char *)"unix", (char *)"inet", (char *)"inet6", (char *)"netlink" };
static char *denied[] = { (char *)"ptrace", (char *)"io_uring_*", (char *)"vm86*" };
static char *misspelt[] = { (char *)"io_urink_*", (char *)"opne" };

static struct profile three = { .name = (char *)"three", .seccomp = { .floor = true, .sockets = { families, 3 } } };
static struct profile four = { .name = (char *)"four", .seccomp = { .floor = true, .sockets = { families, 4 } } };
static struct profile none = { .name = (char *)"none", .seccomp = { .floor = true } };
static struct profile no_floor = { .name = (char *)"no floor", .seccomp = { .sockets = { families, 3 } } };
static const struct facts facts;

static bool holds(const struct conditions *conditions, const uint64_t args[SECCOMP_ARGS])
{
	for (size_t i = 0; i < conditions->count; i++) {
		const struct condition *c = &conditions->items[i];
		uint64_t value = args[c->arg];
		bool ok[] = { value == c->value, value != c->value, value < c->value, value <= c->value,
			      value >= c->value, value > c->value,  (value & c->value) == c->datum };

		if (!ok[c->op])
			return false;
	}
	return true;
}

static bool any_holds(const struct alternatives *list, const uint64_t args[SECCOMP_ARGS])
{
	for (size_t i = 0; i < list->count; i++)
		if (holds(&list->items[i], args))
			return true;
	return false;
}

/* The low values, where flags and families are, bits and pairs of bits, and all of them with something in the upper half. */
static uint64_t sample(unsigned i)
{
	uint64_t value;

	if (i < 70000)
		return i;
	i -= 70000;
	if (i < 32 * 32) {
		value = (UINT64_C(1) << (i % 32)) | (UINT64_C(1) << (i / 32));
		return value;
	}
	i -= 32 * 32;
	return i < 64 ? 0xffffffff - i : (UINT64_C(1) << 32 << (i % 32)) | ((i * 2654435761u) & 0xffffffff);
}
#define SAMPLES (70000 + 32 * 32 + 64 + 4096)

static void test_tables(void)
{
	for (size_t i = 0; i < seccomp_guarded_count; i++) {
		const struct guarded_call *call = &seccomp_guarded[i];
		struct alternatives allowed = { NULL, 0 }, refused = { NULL, 0 };
		bool is_split = true, is_disjoint = true;

		call->allowed(&four, &allowed);
		call->denied(&four, &refused);
		for (unsigned j = 0; j < SAMPLES; j++) {
			uint64_t args[SECCOMP_ARGS] = { sample(j), sample(j), j % 3 };
			bool is_allowed = any_holds(&allowed, args);

			/* the only value that neither side has: personality with more than 32 bits, which isn't allowed */
			is_disjoint = is_disjoint && !(is_allowed && any_holds(&refused, args));
			is_split = is_split && (is_allowed || any_holds(&refused, args));
		}
		OK(allowed.count && is_split, "floor: %s: what isn't allowed is denied", call->name);
		OK(is_disjoint || !strcmp(call->name, "personality"), "floor: %s: and nothing is both", call->name);
		alternatives_free(&allowed);
		alternatives_free(&refused);
	}
	for (size_t i = 0; i < seccomp_floor_count; i++)
		if (!syscall_is_in_library(seccomp_floor[i].name))
			OK(strstr("open_tree_attr listmount statmount", seccomp_floor[i].name),
			   "floor: %s is unknown to libseccomp only because it is new", seccomp_floor[i].name);
}

static struct conditions random_conditions(unsigned *seed)
{
	struct conditions conditions = { 0 };

	for (unsigned arg = 0; arg < 2; arg++) {
		struct condition *c = &conditions.items[conditions.count];

		*seed = *seed * 1103515245 + 12345;
		if (!(*seed >> 16 & 3))
			continue;
		*c = (struct condition){ arg, (enum seccomp_op)((*seed >> 18) % 7), (*seed >> 21) % 6, 0 };
		if (c->op == SECCOMP_MASKED)
			c->datum = (*seed >> 25) & c->value;
		conditions.count++;
	}
	return conditions;
}

static void test_algebra(void)
{
	unsigned seed = 1, wrong_meet = 0, wrong_cover = 0, met = 0, never = 0;

	for (unsigned round = 0; round < 20000; round++) {
		struct conditions a = random_conditions(&seed), b = random_conditions(&seed), both;
		enum meeting meeting = conditions_meet(&a, &b, &both);
		bool covers = conditions_cover(&a, &b);

		met += meeting == MEET_SOME;
		never += meeting == MEET_NONE;
		for (uint64_t x = 0; x < 8; x++)
			for (uint64_t y = 0; y < 8; y++) {
				uint64_t args[SECCOMP_ARGS] = { x, y };
				bool in_both = holds(&a, args) && holds(&b, args);

				wrong_meet += meeting == MEET_SOME && holds(&both, args) != in_both;
				wrong_meet += meeting == MEET_NONE && in_both;
				wrong_cover += covers && holds(&b, args) && !holds(&a, args);
			}
	}
	OK(met > 1000 && never > 1000, "conditions: both answers came up often");
	OK(!wrong_meet, "conditions: what meets is exactly what both hold for");
	OK(!wrong_cover, "conditions: what covers holds wherever the other does");
}

static struct outcome plan_filter(const struct profile *profile, const char *filter)
{
	cleanup_free char *text = alloc_printf("{'linux':{%s}}", filter);

	return plan_document_text(plan_seccomp, profile, &facts, text);
}

#define SECCOMP(default_action, rest) "'seccomp':{'defaultAction':'" default_action "'" rest "}"
#define ERRNO_FILTER(rules) SECCOMP("SCMP_ACT_ERRNO", ",'flags':[],'syscalls':[" rules "]")
#define ALLOW_FILTER(rules) SECCOMP("SCMP_ACT_ALLOW", ",'flags':[],'syscalls':[" rules "]")
#define ALLOW(names) "{'names':[" names "],'action':'SCMP_ACT_ALLOW'}"
#define ARG(index, value, op) "{'index':" index ",'value':" value ",'op':'SCMP_CMP_" op "'}"

static void is_syscalls(const struct profile *profile, const char *filter, const char *wanted, const char *what)
{
	cleanup_outcome struct outcome outcome = plan_filter(profile, filter);

	IS_STR(outcome.refusals, "", "seccomp: %s", what);
	IS_AT(&outcome, "/linux/seccomp/syscalls", wanted, "seccomp: %s", what);
	IS_SETTLED(&outcome, what);
}

static void is_refused(const char *filter, const char *wanted, const char *what)
{
	cleanup_outcome struct outcome outcome = plan_filter(&three, filter);

	IS_STR(outcome.refusals, wanted, "seccomp: %s", what);
}

#define ALLOWED(name, args) "{'names':['" name "'],'action':'SCMP_ACT_ALLOW','args':[" args "]}"
#define SOCKETS ALLOWED("socket", ARG("0", "1", "EQ")) "," ALLOWED("socket", ARG("0", "2", "EQ")) "," ALLOWED("socket", ARG("0", "10", "EQ"))
#define CLONE ALLOWED("clone", "{'index':0,'value':2114060288,'valueTwo':0,'op':'SCMP_CMP_MASKED_EQ'}")

static void test_deny_by_default(void)
{
	is_syscalls(&three, ERRNO_FILTER(ALLOW("'read','bpf','write','mount'")), "[" ALLOW("'read','write'") "]", "names of the floor go out of a rule that allows");
	is_syscalls(&three, ERRNO_FILTER(ALLOW("'bpf'") "," ALLOW("'read'")), "[" ALLOW("'read'") "]", "a rule of which nothing is left goes");
	is_syscalls(&three, ERRNO_FILTER(ALLOW("'read','socket'")), "[" ALLOW("'read'") "," SOCKETS "]", "sockets by the profile's families");
	is_syscalls(&none, ERRNO_FILTER(ALLOW("'read','socket','socketpair'")),
		    "[" ALLOW("'read'") ",{'names':['socket','socketpair'],'action':'SCMP_ACT_ERRNO','errnoRet':97}]", "without a family no socket is left");
	is_syscalls(&three, ERRNO_FILTER(ALLOW("'clone'")), "[" CLONE "]", "clone without new namespaces");
	is_syscalls(&three, ERRNO_FILTER(CLONE "," ALLOW("'read'")), "[" ALLOW("'read'") "," CLONE "]", "an engine's own condition for it comes out once");
	is_syscalls(&three, ERRNO_FILTER(ALLOWED("socket", ARG("0", "40", "NE"))), "[" SOCKETS "]", "an engine's condition that is wider gives way");
	is_syscalls(&three, ERRNO_FILTER(ALLOWED("socket", ARG("0", "1", "EQ") "," ARG("2", "0", "EQ"))),
		    "[" ALLOWED("socket", ARG("0", "1", "EQ") "," ARG("2", "0", "EQ")) "]", "one that is narrower stays as narrow");
	is_syscalls(&three, ERRNO_FILTER(ALLOWED("socket", ARG("0", "16", "EQ")) "," ALLOW("'read'")), "[" ALLOW("'read'") "]", "one that the floor denies goes");
	is_syscalls(&three, ERRNO_FILTER(ALLOW("'clone'") ",{'names':['clone'],'action':'SCMP_ACT_KILL'}"), "[{'names':['clone'],'action':'SCMP_ACT_KILL'}]",
		    "what the filter always denies is not allowed by another rule");
	is_syscalls(&three, ERRNO_FILTER(ALLOW("'clone3','read'")), "[" ALLOW("'read'") ",{'names':['clone3'],'action':'SCMP_ACT_ERRNO','errnoRet':38}]",
		    "clone3 says that it isn't there, so that libc takes clone");
	is_syscalls(&no_floor, ERRNO_FILTER(ALLOW("'bpf','socket'")), "[" ALLOW("'bpf'") "," SOCKETS "]", "without the floor only sockets are bounded");
}

static void test_allow_by_default(void)
{
	cleanup_outcome struct outcome absent = plan_filter(&three, "'cgroupsPath':'x'");
	cleanup_outcome struct outcome closed = plan_filter(&three, ALLOW_FILTER("{'names':['chmod'],'action':'SCMP_ACT_KILL'}"));
	cleanup_outcome struct outcome open = plan_filter(&three, ALLOW_FILTER("{'names':['chmod'],'action':'SCMP_ACT_ERRNO','args':[" ARG("1", "511", "EQ") "]}"));

	IS_AT(&absent, "/linux/seccomp/defaultAction", "'SCMP_ACT_ERRNO'", "seccomp: a container without a filter gets one that denies what nobody knows");
	IS_AT(&absent, "/linux/seccomp/defaultErrnoRet", "38", "seccomp: as if it weren't there");
	OK(strstr(at(&absent, "/linux/seccomp/syscalls"), "'read'") && !strstr(at(&absent, "/linux/seccomp/syscalls/0"), "'bpf'"), "seccomp: known calls are allowed by name");
	IS_SETTLED(&absent, "a container without a filter");
	IS_AT(&closed, "/linux/seccomp/syscalls/0", "{'names':['chmod'],'action':'SCMP_ACT_KILL'}", "seccomp: what a filter that allows by default denies stays");
	OK(!strstr(at(&closed, "/linux/seccomp/syscalls/1"), "'chmod'"), "seccomp: and is not allowed beside it");
	IS_SETTLED(&closed, "a filter that allows by default");
	IS_AT(&open, "/linux/seccomp/defaultAction", "'SCMP_ACT_ALLOW'", "seccomp: one that looks at arguments goes on allowing by default");
	OK(strstr(open.notes, "libseccomp here doesn't know open_tree_attr") || syscall_is_in_library("open_tree_attr"), "seccomp: and a note says what it can't deny");
	OK(strstr(at(&open, "/linux/seccomp/syscalls"), "'bpf'"), "seccomp: the floor is denied in it by name");
	IS_SETTLED(&open, "a filter that allows by default and looks at arguments");
}

/* To libseccomp a rule without conditions wins: one LOG rule would open a guarded call. */
static void test_loopholes(void)
{
	cleanup_outcome struct outcome log = plan_filter(
		&three, ALLOW_FILTER("{'names':['socket','bpf'],'action':'SCMP_ACT_LOG'},{'names':['chmod'],'action':'SCMP_ACT_ERRNO','args':[" ARG("1", "511", "EQ") "]}"));

	IS_AT(&log, "/linux/seccomp/syscalls/0", "{'names':['chmod'],'action':'SCMP_ACT_ERRNO','args':[{'index':1,'value':511,'op':'SCMP_CMP_EQ'}]}",
	      "seccomp: a rule that logs guarded calls goes");
	IS_SETTLED(&log, "a filter that logs");
	is_refused(ERRNO_FILTER(ALLOWED("socket", ARG("0", "1", "EQ")) ",{'names':['socket'],'action':'SCMP_ACT_ERRNO','args':[" ARG("2", "9", "EQ") "]}"),
		   "/linux/seccomp/syscalls: the rules of socket can't be merged with the floor (seccomp.floor)", "rules that overlap with different answers are refused");
	is_refused(ERRNO_FILTER(ALLOWED("ioctl", ARG("1", "100", "LT"))), "/linux/seccomp/syscalls: the rules of ioctl can't be merged with the floor (seccomp.floor)",
		   "a condition that can't be combined is refused");
	is_refused(ERRNO_FILTER(ALLOWED("socket", ARG("0", "1", "EQ") "," ARG("0", "16", "EQ"))),
		   "/linux/seccomp/syscalls: the rules of socket can't be merged with the floor (seccomp.floor)", "as one that names an argument twice");
}

static void test_refusals(void)
{
	cleanup_outcome struct outcome odd;
	struct profile wrong = three;

	is_refused(SECCOMP("SCMP_ACT_NOTIFY", ""), "/linux/seccomp/defaultAction: action SCMP_ACT_NOTIFY can't be merged with the floor (seccomp.floor)", "a listener as default is refused");
	is_refused(ERRNO_FILTER("{'names':['read'],'action':'SCMP_ACT_TRACE'}"), "/linux/seccomp/syscalls/0: action SCMP_ACT_TRACE can't be merged with the floor (seccomp.floor)", "so is a tracer in a rule");
	is_refused(SECCOMP("SCMP_ACT_ERRNO", ",'listenerPath':'/run/x'"), "/linux/seccomp/listenerPath: a listener for system calls is not allowed (seccomp.floor)", "a listener's socket is refused");
	is_refused(SECCOMP("SCMP_ACT_ERRNO", ",'flags':['SECCOMP_FILTER_FLAG_SPEC_ALLOW']"), "/linux/seccomp/flags: flag SECCOMP_FILTER_FLAG_SPEC_ALLOW is not allowed (seccomp.floor)", "a flag that unguards speculation is refused");
	is_refused(SECCOMP("SCMP_ACT_ERRNO", ",'flags':['SECCOMP_FILTER_FLAG_LOG']"), "", "one that logs passes");
	wrong.seccomp.deny = (struct strings){ misspelt, 2 };
	odd = plan_filter(&wrong, ERRNO_FILTER(""));
	IS_STR(odd.refusals, ": no system call is called io_urink_* on this host (seccomp.deny); : no system call is called opne on this host (seccomp.deny)",
	       "seccomp: a name in the profile that is none is refused");
}

static void test_profile_list(void)
{
	struct profile stricter = no_floor;
	cleanup_outcome struct outcome outcome;

	stricter.seccomp.deny = (struct strings){ denied, 3 };
	is_syscalls(&stricter, ERRNO_FILTER(ALLOW("'ptrace','io_uring_setup','read'")), "[" ALLOW("'read'") "]", "the profile's own list goes out, patterns too");
	outcome = plan_filter(&stricter, ALLOW_FILTER("{'names':['chmod'],'action':'SCMP_ACT_ERRNO','args':[" ARG("1", "1", "EQ") "]}"));
	IS_AT(&outcome, "/linux/seccomp/syscalls/1", "{'names':['ptrace','io_uring_setup','io_uring_enter','io_uring_register'],'action':'SCMP_ACT_ERRNO','errnoRet':1}",
	      "seccomp: and is denied by name where all is allowed");
}

/* The list that engines ship, with the 32-bit and x32 gates that go past every comparison. */
static void test_engine_filter(void)
{
	cleanup_close int fd = open(TESTS_DATA "/seccomp/docker-default.json", O_RDONLY | O_CLOEXEC);
	cleanup_free char *bytes = NULL, *text = NULL;
	cleanup_outcome struct outcome outcome;
	struct err err = ERR_INIT;
	size_t len = 0;

	OK(fd >= 0 && !file_read_all(fd, 1 << 20, &bytes, &len, &err), "seccomp: the engine's filter is read");
	text = alloc_printf("{\"linux\":{\"seccomp\":%s}}", bytes);
	outcome = plan_document_text(plan_seccomp, &three, &facts, text);
	IS_STR(outcome.refusals, "", "seccomp: an engine's filter can be merged");
	OK(!strstr(at(&outcome, "/linux/seccomp/architectures"), "X32"), "seccomp: only this machine's own architecture is left in it");
	OK(!strstr(at(&outcome, "/linux/seccomp/syscalls/0/names"), "io_uring"), "seccomp: io_uring is gone from it");
	IS_SETTLED(&outcome, "an engine's filter");
}

int main(void)
{
	test_tables();
	test_algebra();
	test_deny_by_default();
	test_allow_by_default();
	test_loopholes();
	test_refusals();
	test_profile_list();
	test_engine_filter();
	return tap_done();
}
