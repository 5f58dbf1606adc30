/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/namespaces.c: private by what is behind an entry, not by how it is written. */
#include <errno.h>

#include "tests/unit/plan-tools.h"

#define ALL (NS_PID | NS_NETWORK | NS_MOUNT | NS_IPC | NS_UTS | NS_CGROUP)
#define FIVE "{'type':'pid'},{'type':'network'},{'type':'mount'},{'type':'ipc'},{'type':'uts'}"
#define SIX FIVE ",{'type':'cgroup'}"
#define BUT_NETWORK "{'type':'pid'},{'type':'mount'},{'type':'ipc'},{'type':'uts'},{'type':'cgroup'}"

static struct profile strict = { .name = (char *)"strict", .namespaces = { .private = ALL } };
static struct profile mapped = { .name = (char *)"mapped", .namespaces = { .private = ALL, .user_required = true } };
static struct profile lax = { .name = (char *)"lax" };

static struct outcome plan_list(const struct profile *profile, const struct facts *facts, const char *list, const char *more)
{
	cleanup_free char *text = alloc_printf("{'linux':{'namespaces':[%s]%s}}", list, more);

	return plan_document_text(plan_namespaces, profile, facts, text);
}

static void is_refused(const struct profile *profile, const char *list, const char *more, const char *wanted, const char *what)
{
	struct fact_namespace own[8] = { { .error = 0 } };
	struct facts facts = { .namespaces = own, .namespace_count = ARRAY_SIZE(own) };
	cleanup_outcome struct outcome outcome = plan_list(profile, &facts, list, more);

	IS_STR(outcome.refusals, wanted, "namespaces: %s", what);
}

static void test_missing(void)
{
	static const struct facts none;
	cleanup_outcome struct outcome five = plan_list(&strict, &none, FIVE, "");
	cleanup_outcome struct outcome bare = plan_document_text(plan_namespaces, &lax, &none, "{}");

	IS_STR(five.refusals, "", "namespaces: five private ones pass");
	IS_AT(&five, "/linux/namespaces/5", "{'type':'cgroup'}", "namespaces: and the cgroup namespace is added");
	OK(five.has_network && !five.joins_network, "namespaces: the network is this container's own");
	IS_SETTLED(&five, "a list without the cgroup namespace");
	IS_STR(bare.refusals, "/linux: without this section nothing would be private (namespaces.private)",
	       "namespaces: a document without linux is refused");
	is_refused(&strict, "{'type':'mount'}", "",
		   "/linux/namespaces: host processes (namespaces.private); /linux/namespaces: host network (namespaces.private); "
		   "/linux/namespaces: host IPC (namespaces.private); /linux/namespaces: host UTS (namespaces.private)",
		   "each missing one is named");
	is_refused(&lax, "{'type':'pid'}", "",
		   "/linux/namespaces: host network (namespaces.private); /linux/namespaces: host mounts (namespaces.private)",
		   "mounts and network must be private under every profile");
	is_refused(&strict, SIX ",{'type':'time'}", "", "/linux/namespaces/6: namespace type time is not allowed (namespaces.private)", "a time namespace is refused");
	is_refused(&strict, SIX ",{'type':'Network'}", "", "/linux/namespaces/6: namespace type Network is not allowed (namespaces.private)", "another case is no type");
	is_refused(&strict, SIX ",{'type':'pid'}", "", "/linux/namespaces/6: pid namespace is given twice (namespaces.private)", "one given twice is refused");
}

static struct outcome plan_path(const char *type, const struct fact_namespace *fact)
{
	struct fact_namespace list[] = { *fact };
	struct facts facts = { .namespaces = list, .namespace_count = 1 };
	cleanup_free char *entry = alloc_printf("{'type':'%s','path':'/ns'}", type);
	struct buf text = BUF_INIT;
	struct outcome outcome;
	static const char *const others[] = { "pid", "network", "mount", "ipc", "uts", "cgroup" };

	buf_puts(&text, entry);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], type))
			buf_printf(&text, ",{'type':'%s'}", others[i]);
	outcome = plan_list(&strict, &facts, text.data, "");
	buf_free(&text);
	return outcome;
}

static void is_path(const char *type, struct fact_namespace fact, const char *wanted, const char *what)
{
	cleanup_outcome struct outcome outcome = plan_path(type, &fact);

	IS_STR(outcome.refusals, wanted, "namespaces: %s", what);
}

static void test_paths(void)
{
	const struct fact_namespace host = { .is_host = true }, of_quod = { .owner_key = (char *)"k" }, fresh = { .is_empty = true };
	const struct fact_namespace foreign = { 0 }, no_file = { .error = ENOENT };
	cleanup_outcome struct outcome joined = plan_path("network", &of_quod), made = plan_path("network", &fresh);
	static const struct facts none;
	cleanup_outcome struct outcome unseen = plan_list(&strict, &none, "{'type':'network','path':'/ns'}," BUT_NETWORK, "");

	OK(!*joined.refusals && joined.joins_network && !joined.has_network, "namespaces: the network of a container under quod is joined");
	OK(!*made.refusals && made.has_network && !made.joins_network, "namespaces: a fresh one that CNI made is this container's");
	is_path("network", host, "/linux/namespaces/0: host network (namespaces.private)", "the host's network in disguise is refused");
	is_path("network", foreign, "/linux/namespaces/0: network namespace /ns is not of a container under quod (namespaces.private)",
		"so is that of a container outside quod");
	is_path("network", no_file, "/linux/namespaces/0: /ns is no network namespace: No such file or directory (namespaces.private)",
		"and a path that is no namespace");
	is_path("pid", host, "/linux/namespaces/0: host processes (namespaces.private)", "the host's processes are refused");
	is_path("pid", foreign, "/linux/namespaces/0: pid namespace /ns is not of a container under quod (namespaces.private)", "so are a stranger's");
	is_path("pid", fresh, "/linux/namespaces/0: pid namespace /ns is not of a container under quod (namespaces.private)", "empty or not");
	is_path("ipc", of_quod, "", "a pod's IPC is joined");
	is_path("uts", of_quod, "", "and its host name");
	is_path("mount", of_quod, "/linux/namespaces/0: a mount namespace can't be shared (namespaces.private)", "mounts can't be shared");
	is_path("cgroup", of_quod, "/linux/namespaces/0: a cgroup namespace can't be shared (namespaces.private)", "nor cgroups");
	OK(strstr(unseen.refusals, "/linux/namespaces/0: /ns is no network namespace"), "namespaces: a path that nobody looked at is refused");
}

static void test_users(void)
{
	static const struct facts rootless = { .is_rootless = true };
	cleanup_outcome struct outcome own;

	is_refused(&mapped, SIX, "", "/linux/namespaces: a user namespace is required (namespaces.user)", "a required user namespace is missed");
	is_refused(&mapped, SIX ",{'type':'user'}", ",'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}]", "", "one with its own ids passes");
	is_refused(&strict, SIX ",{'type':'user'}", ",'uidMappings':[{'containerID':5,'hostID':0,'size':1}]",
		   "/linux/uidMappings: the host's id 0 can't be mapped into a container (namespaces.user)", "one that maps the host's root is refused");
	is_refused(&strict, SIX ",{'type':'user'}", ",'gidMappings':[{'containerID':0,'hostID':0,'size':4294967295}]",
		   "/linux/gidMappings: the host's id 0 can't be mapped into a container (namespaces.user)", "so with groups");
	own = plan_list(&strict, &rootless, SIX ",{'type':'user'}", ",'uidMappings':[{'containerID':0,'hostID':0,'size':1}]");
	IS_STR(own.refusals, "", "namespaces: rootless, id 0 is the user");
}

int main(void)
{
	test_missing();
	test_paths();
	test_users();
	return tap_done();
}
