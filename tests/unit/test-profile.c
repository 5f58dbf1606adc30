/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles: strict defaults, every key, merging, each class of bad file, and that what is printed reads back as the same.
 * Files are written below a directory of the test's own.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile.h"
#include "tests/unit/tap.h"

static char root[64];
static char profiles[96], shipped[96], groups[96];

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		exit(99);
}

static void write_profile(const char *name, const char *text)
{
	cleanup_free char *path = alloc_printf("%s/%s.json", profiles, name);

	write_file(path, text);
}

static struct profile_paths paths(void)
{
	return (struct profile_paths){ .profile_dirs = { profiles, shipped }, .group_dirs = { groups },
				       .skip_owner_check = true };
}

static struct profile *load(const char *name, struct err *err)
{
	struct profile_paths where = paths();
	struct profile *profile = NULL;

	*err = (struct err)ERR_INIT;
	return profile_load(name, &where, &profile, err) ? NULL : profile;
}

static char *print(const struct profile *profile)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct buf buf = BUF_INIT;

	json_print(&buf, profile_to_json(profile, tree), 0);
	return buf_steal(&buf);
}

/* Prints, parses, reads and prints again. */
static char *print_again(const char *text, const char *name)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct profile *profile = NULL;
	struct err err = ERR_INIT;
	char *again = NULL;

	if (!json_parse(text, strlen(text), JSON_PLAIN, profile_free_form, &tree, &err) &&
	    !profile_from_json(json_root(tree), name, &profile, &err))
		again = print(profile);
	if (!again)
		printf("# %s\n", err.text);
	profile_free(profile);
	return again;
}

static void test_strict(void)
{
	struct err err;
	struct profile *profile;

	write_profile("empty", "{ \"version\": 1 }");
	profile = load("empty", &err);
	OK(profile, "strict: a profile that says nothing loads");
	if (!profile)
		return;
	OK(!profile->mounts.strip && !profile->mounts.allow_count && profile->mounts.volumes == VOLUMES_REFUSE &&
		   !profile->mounts.service_account,
	   "strict: no mounts");
	OK(profile->rootfs.readonly && profile->rootfs.mask && !profile->rootfs.tmpfs_count, "strict: the root is read-only");
	OK(!profile->process.capabilities && profile->process.no_new_privs && !profile->process.root,
	   "strict: no capabilities, not as root");
	OK(profile->process.rlimit_count == 2 && profile->process.rlimits[0].value == 1024 && !profile->process.rlimits[1].value,
	   "strict: nofile 1024, core 0");
	OK(profile->seccomp.floor && profile->seccomp.sockets.count == 3, "strict: the floor, and three socket families");
	OK(profile->namespaces.private == 63 && !profile->namespaces.user_required, "strict: six private namespaces");
	OK(!profile->hooks_allow.count && !profile->devices_allow_count && !profile->sysctls_allow.count,
	   "strict: no hooks, devices, sysctls");
	OK(profile->resources.cpus_milli == 1000 && profile->resources.memory == 512u << 20 && !profile->resources.swap &&
		   profile->resources.pids == 256,
	   "strict: 1 CPU, 512M, no swap, 256 pids");
	OK(profile->guard == GUARD_KILL && profile->budgets.wall_ms == 3600000 && profile->budgets.cpu_ms == 1800000 &&
		   profile->budgets.egress == 64u << 20 && profile->budgets.grace_ms == 10000,
	   "strict: killed without a guardian; 1h, 30m, 64M, grace 10s");
	OK(profile->budgets.on_exhausted == EXHAUSTED_STOP && !profile->budgets.egress_stops &&
		   profile->budgets.scope == SCOPE_CONTAINER && profile->budgets.reset == RESET_NEVER,
	   "strict: stops, per container, never reset");
	OK(profile->egress.mode == EGRESS_ENFORCE && !profile->egress.allow_count && profile->egress.names_per_minute == 60 &&
		   profile->egress.verify_name && profile->egress.rate == LIMIT_UNLIMITED && !profile->ingress_count,
	   "strict: no network, 60 names a minute, names verified");
	profile_free(profile);
}

static const char every_key[] =
	"// a comment\n"
	"{ \"version\": 1, \"$schema\": \"x\", \"description\": \"d\", \"runtime\": [\"crun\", \"/usr/sbin/runc\"],\n"
	"\"mounts\": { \"host\": \"strip\", \"allow\": [ { \"source\": \"/srv/*/web/**\", \"destination\": \"/w/**\",\n"
	"  \"readonly\": false }, { \"source\": \"/a\", \"destination\": \"/b\" } ], \"volumes\": \"tmpfs\",\n"
	"  \"service_account\": true, \"protect\": [\".git/hooks\"] },\n"
	"\"rootfs\": { \"readonly\": false, \"mask\": false, \"tmpfs\": { \"/tmp\": \"256M\", \"$HOME\": 8192, \"/TMP\": \"1G\" } },\n"
	"\"process\": { \"capabilities\": [\"CAP_CHOWN\", \"CAP_CHECKPOINT_RESTORE\"], \"no_new_privs\": false, \"root\": true,\n"
	"  \"env\": { \"scrub\": [\"AWS_*\"], \"set\": { \"http_proxy\": \"\", \"HTTP_PROXY\": \"x y\" } },\n"
	"  \"rlimits\": { \"nofile\": 4096, \"memlock\": \"64K\", \"stack\": \"unlimited\" } },\n"
	"\"seccomp\": { \"deny\": [\"io_uring_*\"], \"floor\": false, \"sockets\": [\"unix\", \"netlink\"] },\n"
	"\"namespaces\": { \"private\": [\"pid\", \"cgroup\"], \"user\": \"require\" }, \"hooks\": { \"allow\": [\"/usr/bin/*-hook\"] },\n"
	"\"devices\": { \"allow\": [\"/dev/fuse:rwm\", \"/dev/net/tun:rw\"] }, \"sysctls\": { \"allow\": [\"net.ipv4.tcp_*\"] },\n"
	"\"resources\": { \"cpus\": 2.5, \"memory\": \"4G\", \"swap\": \"unlimited\", \"pids\": \"unlimited\" }, \"guard\": \"network\",\n"
	"\"budgets\": { \"wall\": \"8h\", \"cpu\": \"unlimited\", \"egress\": \"2G\", \"grace\": \"0\", \"on_exhausted\": { \"wall\": \"freeze\",\n"
	"  \"cpu\": \"freeze\", \"egress\": \"stop\" }, \"scope\": \"workspace\", \"reset\": \"24h\" },\n"
	"\"egress\": { \"mode\": \"observe\", \"allow\": [\"API.example.com\", \"*.svc.example.com:8443\", \"10.20.0.0/16:5432\",\n"
	"  \"[2001:db8::/32]:443\", \"203.0.113.9:123/udp\", \"@public:*\", \"db.x:5432@10.96.0.0/12\"],\n"
	"  \"deny\": [\"secrets.example.com\", { \"of\": \"**.corp.example\", \"except\": [\"jira.corp.example\"] }],\n"
	"  \"caps\": { \"api.example.com\": \"20M\", \"@npm\": \"unlimited\" }, \"via\": \"[2001:db8::7]:3128\",\n"
	"  \"dns\": { \"upstream\": [\"10.0.0.53\"], \"names_per_minute\": 600 }, \"rate\": \"50M/s\", \"verify_name\": false },\n"
	"\"ingress\": { \"allow\": [\"8080/tcp\", \"9000-9090/udp@10.0.0.0/8\", \"8081@node\", \"22@[fd00::/8]\"] },\n"
	"\"audit\": { \"record\": [\"dns\", \"connections\"] } }\n";

static void check_every_key(const struct profile *profile)
{
	OK(profile->runtime.count == 2 && profile->mounts.strip && profile->mounts.allow_count == 2 &&
		   !profile->mounts.allow[0].readonly && profile->mounts.allow[1].readonly,
	   "keys: a mount is read-only unless it says otherwise");
	OK(profile->mounts.volumes == VOLUMES_TMPFS && profile->mounts.service_account && profile->mounts.protect.count == 1,
	   "keys: mounts");
	OK(!profile->rootfs.readonly && profile->rootfs.tmpfs_count == 3 && profile->rootfs.tmpfs[1].bytes == 8192, "keys: rootfs");
	OK(profile->process.capabilities == (1ull << 40 | 1) && profile->process.env_set_count == 2 &&
		   profile->process.rlimit_count == 4,
	   "keys: process; variables may differ in case");
	OK(!profile->seccomp.floor && profile->seccomp.sockets.count == 2, "keys: seccomp's sockets replace the default");
	OK(profile->namespaces.private == (NS_PID | NS_CGROUP) && profile->namespaces.user_required, "keys: namespaces");
	OK(profile->devices_allow_count == 2 && !strcmp(profile->devices_allow[1].path, "/dev/net/tun") &&
		   !strcmp(profile->devices_allow[1].access, "rw"),
	   "keys: devices");
	OK(profile->resources.cpus_milli == 2500 && profile->resources.swap == LIMIT_UNLIMITED &&
		   profile->resources.pids == LIMIT_UNLIMITED,
	   "keys: resources");
	OK(profile->budgets.cpu_ms == LIMIT_UNLIMITED && profile->budgets.on_exhausted == EXHAUSTED_FREEZE &&
		   profile->budgets.egress_stops && profile->budgets.reset_period_ms == 86400000,
	   "keys: budgets");
	OK(profile->egress.allow_count == 7 && profile->egress.deny_count == 2 && profile->egress.deny[1].except_count == 1 &&
		   profile->egress.caps_count == 2 && profile->egress.has_via && profile->egress.via_port == 3128,
	   "keys: egress");
	OK(profile->ingress_count == 4 && profile->ingress[1].udp && profile->ingress[1].port_last == 9090 &&
		   profile->ingress[2].from_node && profile->ingress[3].from.base.family == 6,
	   "keys: ingress");
	OK(profile->audit_record == (AUDIT_DNS | AUDIT_CONNECTIONS), "keys: audit");
}

static void test_every_key(void)
{
	cleanup_free char *first = NULL, *second = NULL;
	struct profile *profile;
	struct err err;

	write_profile("every", every_key);
	profile = load("every", &err);
	OK(profile, "keys: a profile with every key loads (%s)", err.text);
	if (!profile)
		return;
	check_every_key(profile);
	first = print(profile);
	second = print_again(first, "every");
	IS_STR(second, first, "keys: every key prints and reads back as the same");
	OK(!strstr(first, "\"description\"") && !strstr(first, "extends"), "keys: what has no effect isn't printed");
	profile_free(profile);
}

struct bad {
	const char *text, *why;
};

static const struct bad bad_files[] = {
	{ "", "x.json:1: " },
	{ "{}", "x.json:1: the key 'version' is missing" },
	{ "[]", "x.json:1: must be an object, not an array" },
	{ "{ \"version\": 2 }", "/version: this quod knows version 1 only" },
	{ "{ \"news\": 1, \"version\": 3 }", "/version: this quod knows version 1 only" },
	{ "{ \"version\": \"1\" }", "/version: this quod knows version 1 only" },
	{ "{ \"version\": 1,\n\"mounts\": { \"alow\": [] } }", "x.json:2: /mounts/alow: unknown key 'alow': the nearest known one is 'allow'" },
	{ "{ \"version\": 1, \"memory\": \"1G\" }", "/memory: unknown key 'memory' here: did you mean 'resources.memory'?" },
	{ "{ \"version\": 1, \"mounts.host\": \"refuse\" }", "unknown key 'mounts.host'" },
	{ "{ \"version\": 1, \"guard\": \"kill\", \"guard\": \"network\" }", "x.json:1: the key 'guard' stands twice" },
	{ "{ \"version\": 1, \"guard\": \"kill\", \"Guard\": \"network\" }", "x.json:1: " },
	{ "{ \"version\": 1 } x", "x.json:1: " },
	{ "{ \"version\": 1, \"guard\": \"keep\" }", "/guard: 'keep' is none of \"kill\", \"network\"" },
	{ "{ \"version\": 1, \"guard\": true }", "/guard: must be a string, not" },
	{ "{ \"version\": 1, \"mounts\": [] }", "/mounts: must be an object, not an array" },
	{ "{ \"version\": 1, \"rootfs\": { \"readonly\": \"yes\" } }", "/rootfs/readonly: must be " },
	{ "{ \"version\": 1, \"mounts\": { \"allow\": [ { \"source\": \"/a\" } ] } }", "/mounts/allow/0/destination: is missing" },
	{ "{ \"version\": 1, \"mounts\": { \"allow\": [ { \"source\": \"a\", \"destination\": \"/b\" } ] } }", "/mounts/allow/0/source: 'a' is not" },
	{ "{ \"version\": 1, \"mounts\": { \"allow\": [ { \"source\": \"/a/../b\", \"destination\": \"/b\" } ] } }", "/source: '/a/../b' is not" },
	{ "{ \"version\": 1, \"mounts\": { \"allow\": [ { \"source\": \"/a**\", \"destination\": \"/b\" } ] } }", "whole last component" },
	{ "{ \"version\": 1, \"mounts\": { \"allow\": [ { \"source\": \"/a\", \"destination\": \"/b\", \"readony\": true } ] } }", "nearest known one is 'readonly'" },
	{ "{ \"version\": 1, \"mounts\": { \"volumes\": \"yes\" } }", "must be true, false or \"tmpfs\"" },
	{ "{ \"version\": 1, \"mounts\": { \"protect\": [\"../x\"] } }", "/mounts/protect/0: '../x' is not a path below" },
	{ "{ \"version\": 1, \"rootfs\": { \"tmpfs\": { \"/proc/x\": \"1M\" } } }", "'/proc/x' is not a place for a tmpfs" },
	{ "{ \"version\": 1, \"rootfs\": { \"tmpfs\": { \"/tmp\": \"0\" } } }", "must be from 4K to 1024T" },
	{ "{ \"version\": 1, \"rootfs\": { \"tmpfs\": { \"/tmp\": \"unlimited\" } } }", "must be from 4K" },
	{ "{ \"version\": 1, \"process\": { \"capabilities\": [\"CAP_CHWON\"] } }", "'CAP_CHWON' is no capability: the nearest one is 'CAP_CHOWN'" },
	{ "{ \"version\": 1, \"process\": { \"capabilities\": [\"SYSLOG\"] } }", "the nearest one is 'CAP_SYSLOG'" },
	{ "{ \"version\": 1, \"process\": { \"env\": { \"set\": { \"QUOD_PROFILE\": \"x\" } } } }", "QUOD_* is quod's own" },
	{ "{ \"version\": 1, \"process\": { \"env\": { \"set\": { \"A=B\": \"x\" } } } }", "'A=B' is not a variable's name" },
	{ "{ \"version\": 1, \"process\": { \"rlimits\": { \"NOFILE\": 1 } } }", "'NOFILE' is not a limit" },
	{ "{ \"version\": 1, \"process\": { \"rlimits\": { \"nofile\": -1 } } }", "must be a size" },
	{ "{ \"version\": 1, \"seccomp\": { \"deny\": [\"BPF\"] } }", "'BPF' is not a system call's name" },
	{ "{ \"version\": 1, \"seccomp\": { \"sockets\": [\"inet7\"] } }", "'inet7' is not a socket family" },
	{ "{ \"version\": 1, \"namespaces\": { \"private\": [\"time\"] } }", "'time' is none of \"pid\"" },
	{ "{ \"version\": 1, \"hooks\": { \"allow\": [\"hook\"] } }", "'hook' is not an absolute path" },
	{ "{ \"version\": 1, \"devices\": { \"allow\": [\"/dev/fuse\"] } }", "'/dev/fuse' is not a device with its access" },
	{ "{ \"version\": 1, \"devices\": { \"allow\": [\"/etc/x:r\"] } }", "is not a device with its access" },
	{ "{ \"version\": 1, \"devices\": { \"allow\": [\"/dev/x:rr\"] } }", "is not a device with its access" },
	{ "{ \"version\": 1, \"resources\": { \"cpus\": 0 } }", "/resources/cpus: must be from 0.01 to 1000.0, or \"unlimited\"" },
	{ "{ \"version\": 1, \"resources\": { \"memory\": \"4 GB\" } }", "/resources/memory: must be a size: bytes, or like \"512M\"" },
	{ "{ \"version\": 1, \"resources\": { \"memory\": \"99999999999T\" } }", "must be from 1M to 1024T" },
	{ "{ \"version\": 1, \"resources\": { \"pids\": 1.5 } }", "must be a whole number" },
	{ "{ \"version\": 1, \"resources\": { \"pids\": 0 } }", "must be from 1 to 4194304" },
	{ "{ \"version\": 1, \"budgets\": { \"wall\": 3600 } }", "/budgets/wall: must be a time like \"90s\"" },
	{ "{ \"version\": 1, \"budgets\": { \"grace\": \"unlimited\" } }", "/budgets/grace: must be from 0 to 1h" },
	{ "{ \"version\": 1, \"budgets\": { \"on_exhausted\": \"cut\" } }", "'cut' is none of \"stop\", \"freeze\"" },
	{ "{ \"version\": 1, \"budgets\": { \"on_exhausted\": { \"wall\": \"stop\" } } }", "/budgets/on_exhausted/cpu: is missing" },
	{ "{ \"version\": 1, \"budgets\": { \"on_exhausted\": { \"wall\": \"stop\", \"cpu\": \"freeze\" } } }", "must be the same in this version" },
	{ "{ \"version\": 1, \"budgets\": { \"reset\": \"1s\" } }", "or a period of a minute or more" },
	{ "{ \"version\": 1, \"egress\": { \"allow\": [\"a.com\", \"10.0.0.1\"] } }", "/egress/allow/1: '10.0.0.1': an address, a network and @public must say the port" },
	{ "{ \"version\": 1, \"egress\": { \"allow\": [\"@nogroup\"] } }", "/egress/allow/0: there is no group '@nogroup'" },
	{ "{ \"version\": 1, \"egress\": { \"allow\": [\"@nested\"] } }", "nested.json:1: /hosts/0: '@npm': a group can't hold another" },
	{ "{ \"version\": 1, \"egress\": { \"deny\": [ { \"except\": [] } ] } }", "/egress/deny/0/of: is missing" },
	{ "{ \"version\": 1, \"egress\": { \"caps\": { \"a b\": \"1M\" } } }", "/egress/caps/a b: 'a b'" },
	{ "{ \"version\": 1, \"egress\": { \"via\": \"proxy.example:3128\" } }", "is not the proxy's ADDRESS:PORT" },
	{ "{ \"version\": 1, \"egress\": { \"via\": \"10.0.0.1:80-90\" } }", "is not the proxy's ADDRESS:PORT" },
	{ "{ \"version\": 1, \"egress\": { \"dns\": { \"upstream\": [\"dns.example\"] } } }", "'dns.example' is not an IP address" },
	{ "{ \"version\": 1, \"egress\": { \"rate\": \"50M\" } }", "must be a rate like \"50M/s\"" },
	{ "{ \"version\": 1, \"ingress\": { \"allow\": [\"tcp/80\"] } }", "/ingress/allow/0: 'tcp/80' is not PORT" },
	{ "{ \"version\": 1, \"ingress\": { \"allow\": [\"80@\"] } }", "'80@' is not PORT" },
	{ "{ \"version\": 1, \"ingress\": { \"allow\": [\"80/icmp\"] } }", "is not PORT" },
	{ "{ \"version\": 1, \"audit\": { \"record\": [\"all\"] } }", "'all' is none of \"refusals\"" },
	{ "{ \"version\": 1, \"extends\": \"../etc\" }", "/extends: '../etc' is not a profile's name" },
	{ "{ \"version\": 1, \"extends\": \"nobody\" }", "/extends: there is no profile 'nobody' (looked in" },
	{ "{ \"version\": 1, \"extends\": \"x\" }", "comes back to" },
	{ "{ \"version\": 1, \"extends\": \"loop\" }", "comes back to" },
	{ "{ \"version\": 1, \"description\": \"a\\u001b[2J\" }", "/description: has a control character in it" },
	{ "{ \"version\": 1, \"runtime\": [\"../runc\"] }", "/runtime/0: '../runc' is not a program's name" },
};

static void test_bad_files(void)
{
	write_profile("loop", "{ \"version\": 1, \"extends\": \"x\" }");
	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		struct err err;
		struct profile *profile;

		write_profile("x", bad_files[i].text);
		profile = load("x", &err);
		OK(!profile && strstr(err.text, bad_files[i].why), "bad file %zu: refused with '%s'", i, bad_files[i].why);
		if (profile || !strstr(err.text, bad_files[i].why))
			printf("# %s\n# %s\n", bad_files[i].text, err.text);
		profile_free(profile);
	}
}

static void test_merge(void)
{
	struct profile *profile;
	struct err err;

	write_profile("parent",
		      "{ \"version\": 1, \"description\": \"parent\", \"mounts\": { \"host\": \"strip\", \"protect\": [\"a\"], \"allow\": [ { \"source\": \"/a\","
		      " \"destination\": \"/a\" } ] }, \"process\": { \"capabilities\": [\"CAP_CHOWN\", \"CAP_KILL\"], \"env\": { \"scrub\": [\"A*\"],"
		      " \"set\": { \"X\": \"1\", \"Y\": \"1\" } }, \"rlimits\": { \"nofile\": 4096 } }, \"seccomp\": { \"deny\": [\"bpf\"],"
		      " \"sockets\": [\"unix\"] }, \"namespaces\": { \"private\": [\"pid\"] }, \"runtime\": [\"runc\"], \"rootfs\": { \"tmpfs\":"
		      " { \"/tmp\": \"1G\", \"/run\": \"1M\" } }, \"egress\": { \"allow\": [\"10.0.0.1:1\"], \"deny\": [\"10.0.0.2:2\"],"
		      " \"dns\": { \"upstream\": [\"10.0.0.53\"] } }, \"resources\": { \"memory\": \"2G\", \"pids\": 99 },"
		      " \"budgets\": { \"on_exhausted\": { \"egress\": \"stop\" } }, \"audit\": { \"record\": [\"exec\"] } }");
	write_profile("child",
		      "{ \"version\": 1, \"extends\": \"parent\", \"mounts\": { \"protect\": [\"b\"], \"allow\": [] }, \"process\":"
		      " { \"capabilities\": [\"CAP_FOWNER\"], \"env\": { \"scrub\": [\"B*\"], \"set\": { \"Y\": \"2\", \"Z\": \"3\" } },"
		      " \"rlimits\": { \"core\": 1 } }, \"seccomp\": { \"deny\": [\"bpf\", \"keyctl\"], \"sockets\": [\"inet\"] }, \"namespaces\":"
		      " { \"private\": [\"ipc\"] }, \"runtime\": [\"crun\"], \"rootfs\": { \"tmpfs\": { \"/tmp\": \"2G\" } }, \"egress\":"
		      " { \"allow\": [\"@npm\"], \"deny\": [{ \"of\": \"@npm\", \"except\": [\"10.9.0.1:443\"] }], \"dns\": { \"upstream\": [] } },"
		      " \"resources\": { \"memory\": \"1G\" }, \"budgets\": { \"on_exhausted\": \"freeze\" }, \"audit\": { \"record\": [] } }");
	profile = load("child", &err);
	OK(profile, "merge: a child loads with its parent (%s)", err.text);
	if (!profile)
		return;
	OK(!profile->description && profile->mounts.strip && profile->resources.pids == 99 && profile->resources.memory == 1u << 30,
	   "merge: a scalar replaces, an absent one is inherited, a description is not");
	OK(profile->mounts.protect.count == 2 && profile->mounts.allow_count == 1 && profile->process.env_scrub.count == 2 &&
		   profile->seccomp.deny.count == 2,
	   "merge: lists of allow and deny append, an empty one adds nothing, the same is there once");
	OK(profile->process.capabilities == 1 << 3 && profile->namespaces.private == NS_IPC && profile->seccomp.sockets.count == 1 &&
		   profile->runtime.count == 1 && !strcmp(profile->runtime.items[0], "crun") &&
		   !profile->egress.dns_upstream.count && !profile->audit_record,
	   "merge: bounds and choices replace");
	OK(profile->process.env_set_count == 3 && !strcmp(profile->process.env_set[1].value, "2") &&
		   profile->process.rlimit_count == 2 && profile->process.rlimits[0].value == 4096 &&
		   profile->process.rlimits[1].value == 1 && profile->rootfs.tmpfs_count == 2 &&
		   profile->rootfs.tmpfs[0].bytes == 2ull << 30,
	   "merge: maps merge by key");
	OK(profile->egress.allow_count == 3 && !strcmp(profile->egress.allow[2].text, "10.9.0.0/16:443"),
	   "merge: a group's entries take its place");
	OK(profile->egress.deny_count == 3 && profile->egress.deny[1].except_count == 1 && profile->egress.deny[2].except_count == 1,
	   "merge: a denied group is one deny for each entry, with the same exceptions");
	OK(profile->budgets.egress_stops && profile->budgets.on_exhausted == EXHAUSTED_FREEZE,
	   "merge: the word for wall and CPU leaves the egress budget's alone");
	profile_free(profile);
}

static void test_chain(void)
{
	struct profile_paths where = paths();
	struct profile *profile = NULL;
	struct strings names;
	cleanup_free char *path = alloc_printf("%s/shipped.json", shipped), *elsewhere = alloc_printf("%s/mine.json", root),
			  *both = alloc_printf("%s/empty.json", shipped);
	struct err err = ERR_INIT;

	write_profile("c0", "{ \"version\": 1 }");
	for (int i = 1; i <= 8; i++) {
		cleanup_free char *name = alloc_printf("c%d", i),
				  *text = alloc_printf("{ \"version\": 1, \"extends\": \"c%d\" }", i - 1);

		write_profile(name, text);
	}
	profile = load("c7", &err);
	OK(profile, "chain: eight profiles are fine (%s)", err.text);
	profile_free(profile);
	profile = load("c8", &err);
	OK(!profile && strstr(err.text, "longer than 8"), "chain: nine are not");
	write_file(path, "{ \"version\": 1, \"guard\": \"network\" }");
	write_file(both, "{ \"version\": 1, \"guard\": \"network\" }");
	profile = load("shipped", &err);
	OK(profile && profile->guard == GUARD_NETWORK && !err.code, "chain: a shipped profile is found");
	profile_free(profile);
	profile = load("empty", &err);
	OK(profile && profile->guard == GUARD_KILL, "chain: the administrator's wins over a shipped one of the same name");
	profile_free(profile);
	write_file(elsewhere, "{ \"version\": 1, \"extends\": \"shipped\" }");
	profile = NULL;
	OK(!profile_load_file(elsewhere, &where, &profile, &err) && profile && profile->guard == GUARD_NETWORK &&
		   !strcmp(profile->name, "mine"),
	   "chain: a file that lies elsewhere finds its parents");
	profile_free(profile);
	profile = load("../mine", &err);
	OK(!profile && err.code == EINVAL, "chain: a path is no name");
	profile = load("nobody", &err);
	OK(!profile && err.code == ENOENT, "chain: a profile that isn't there");
	OK(!profile_list(&where, &names, &err) && strings_has(&names, "shipped") && strings_has(&names, "c3"),
	   "list: profiles of both places");
	OK(names.count && !strcmp(names.items[0], "c0") && strcmp(names.items[names.count - 2], names.items[names.count - 1]) < 0,
	   "list: sorted, each once");
	strings_free(&names);
}

static void test_owners(void)
{
	struct profile_paths where = paths();
	struct profile *profile = NULL;
	cleanup_free char *path = alloc_printf("%s/own.json", profiles), *link = alloc_printf("%s/link.json", profiles),
			  *away = alloc_printf("%s/away", root), *through = alloc_printf("%s/away/own.json", root);
	struct err err = ERR_INIT;

	where.skip_owner_check = false;
	write_profile("own", "{ \"version\": 1 }");
	OK(!profile_load("own", &where, &profile, &err), "owners: a file that only its trusted owner can change (%s)", err.text);
	profile_free(profile);
	profile = NULL;
	chmod(path, 0646);
	OK(profile_load("own", &where, &profile, &err) == -EPERM && strstr(err.text, "written by everyone"),
	   "owners: refused when others may write the file");
	chmod(path, 0644);
	chmod(profiles, 0757);
	OK(profile_load("own", &where, &profile, &err) == -EPERM, "owners: refused when others may write the directory");
	chmod(profiles, 0755);
	OK(!symlink(path, link) && profile_load("link", &where, &profile, &err) == -ELOOP, "owners: a file that is a link is refused");
	OK(!symlink(profiles, away) && !profile_load_file(through, &where, &profile, &err),
	   "owners: a link on the way is fine where only its trusted owner can change it (%s)", err.text);
	profile_free(profile);
	profile = NULL;
	chmod(root, 0757);
	OK(profile_load_file(through, &where, &profile, &err) == -EPERM, "owners: not where others can change the link");
	chmod(root, 0755);
}

static bool child_is_refused(const struct profile_paths *where, const char *word)
{
	struct profile *profile = NULL;
	struct err err = ERR_INIT;
	bool refused = profile_load("child", where, &profile, &err) < 0;

	if (!refused)
		profile_free(profile);
	return refused && strstr(err.text, word);
}

/* What lies beside a file that was found good is looked at all the same. */
static void test_owners_beside(void)
{
	struct profile_paths where = paths();
	struct profile *profile = NULL;
	cleanup_free char *parent = alloc_printf("%s/parent.json", profiles), *first = alloc_printf("%s/first.json", groups),
			  *second = alloc_printf("%s/second.json", groups), *link = alloc_printf("%s/other.json", groups);
	struct err err = ERR_INIT;

	where.skip_owner_check = false;
	write_profile("parent", "{ \"version\": 1 }");
	write_file(first, "{ \"version\": 1, \"hosts\": [\"a.example\"] }");
	write_file(second, "{ \"version\": 1, \"hosts\": [\"b.example\"] }");
	write_profile("child", "{ \"version\": 1, \"extends\": \"parent\", \"egress\": { \"allow\": [\"@first\", \"@second\"] } }");
	OK(!profile_load("child", &where, &profile, &err) && profile->egress.allow_count == 2, "owners: a parent and two groups (%s)",
	   err.text);
	profile_free(profile);
	profile = NULL;
	chmod(parent, 0646);
	OK(child_is_refused(&where, parent), "owners: not when others may write the parent");
	chmod(parent, 0644);
	chmod(second, 0646);
	OK(child_is_refused(&where, second),
	   "owners: nor the second group of a directory");
	chmod(second, 0644);
	OK(geteuid() || (!chown(second, 4711, 0) && child_is_refused(&where, "belongs to uid 4711")),
	   "owners: nor when it is another's");
	OK(!unlink(second) && !symlink(first, link) && !rename(link, second) && child_is_refused(&where, "is a symbolic link"),
	   "owners: nor when it is a link");
	OK(!unlink(second), "owners: the link is gone");
	write_file(second, "{ \"version\": 1, \"hosts\": [\"b.example\"] }");
	chmod(groups, 0757);
	OK(child_is_refused(&where, groups),
	   "owners: nor when others may write the groups' directory, and the profiles' is good");
	chmod(groups, 0755);
	OK(!profile_load("child", &where, &profile, &err), "owners: and is fine again (%s)", err.text);
	profile_free(profile);
}

static size_t dead(const char *egress, struct strings *texts)
{
	cleanup_free char *text = alloc_printf("{ \"version\": 1, \"egress\": %s }", egress);
	struct profile *profile;
	struct err err;
	size_t count;

	strings_free(texts);
	write_profile("dead", text);
	profile = load("dead", &err);
	if (!profile)
		printf("# %s\n", err.text);
	count = profile ? profile_find_dead_entries(profile, texts) : 99;
	profile_free(profile);
	return count;
}

static void test_dead_entries(void)
{
	static const struct {
		const char *egress, *why;
	} samples[] = {
		{ "{ \"allow\": [\"10.1.0.0/16:443\"], \"deny\": [\"10.0.0.0/8:*\"] }", "egress.deny has '10.0.0.0/8:*'" },
		{ "{ \"allow\": [\"a.corp.example\"], \"deny\": [\"**.corp.example\"] }", "egress.deny has" },
		{ "{ \"allow\": [\"10.0.0.1:443\"], \"deny\": [\"10.0.0.1:400-500/tcp\"] }", "egress.deny has" },
		{ "{ \"allow\": [\"169.254.0.0/16:80\"] }", "exactly one address" },
		{ "{ \"allow\": [\"169.254.169.254/32:80\"] }", "exactly one address" },
		{ "{ \"allow\": [\"x.example:80@127.0.0.0/8\"] }", "never reachable by name" },
		{ "{ \"allow\": [\"db.localhost\"] }", "never leads outside" },
		{ "{ \"deny\": [{ \"of\": \"**.a.example\", \"except\": [\"b.example\"] }] }", "is not within" },
		{ "{ \"allow\": [\"a.example\", \"@public:443\"], \"caps\": { \"a.example\": \"1M\" } }", "'@public:443' lets the same places out" },
		{ "{ \"caps\": { \"a.example\": \"1M\" } }", "caps what egress.allow does not allow" },
		{ "{ \"allow\": [\"a.example\"], \"caps\": { \"@npm\": \"1M\" } }", "caps what egress.allow does not allow" },
	};
	static const char *const alive[] = {
		"{ \"allow\": [\"10.0.0.0/8:443\"], \"deny\": [\"10.1.0.0/16:*\"] }",
		"{ \"allow\": [\"10.1.0.0/16:443\"], \"deny\": [\"10.0.0.0/8:80\"] }",
		"{ \"allow\": [\"10.1.0.0/16:443\"], \"deny\": [\"10.0.0.0/8:*/udp\"] }",
		"{ \"allow\": [\"10.1.0.0/16:*\"], \"deny\": [\"10.0.0.0/8:*/tcp\"] }",
		"{ \"allow\": [\"a.example\"], \"deny\": [\"a.example:443\"] }",
		"{ \"allow\": [\"jira.corp.example\"], \"deny\": [{ \"of\": \"**.corp.example\", \"except\": [\"jira.corp.example\"] }] }",
		"{ \"allow\": [\"a.example\"], \"deny\": [\"a.example@10.0.0.0/8\"] }",
		"{ \"allow\": [\"169.254.169.254:80\", \"@public:*\", \"10.0.0.0/8/icmp\"] }",
		"{ \"allow\": [\"**.a.example\", \"@npm\"], \"caps\": { \"b.a.example\": \"1M\", \"@npm\": \"1M\" } }",
	};
	struct strings texts = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		OK(dead(samples[i].egress, &texts) == 1 && strstr(texts.items[0], samples[i].why), "dead: %s", samples[i].egress);
	for (size_t i = 0; i < ARRAY_SIZE(alive); i++)
		OK(dead(alive[i], &texts) == 0, "dead: nothing in %s", alive[i]);
	strings_free(&texts);
}

static void test_memory(void)
{
	static const struct bad bad[] = {
		{ "{ \"version\": 1, \"extends\": \"empty\" }", "m:1: /extends: a profile in memory can't have a parent" },
		{ "{ \"version\": 1, \"egress\": { \"allow\": [\"@npm\"] } }", "a resolved profile has its groups' entries" },
		{ "[]", "must be an object" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_json_tree struct json_tree *tree = NULL;
		struct profile *profile = NULL;
		struct err err = ERR_INIT;

		OK(!json_parse(bad[i].text, strlen(bad[i].text), JSON_PLAIN, NULL, &tree, &err) &&
			   profile_from_json(json_root(tree), "m", &profile, &err) == -EINVAL && strstr(err.text, bad[i].why) && !profile,
		   "memory: refused with '%s' (%s)", bad[i].why, err.text);
	}
}

/* The property that the digest and the record stand on. */
static void test_round_trip(const char *dir)
{
	struct profile_paths where = { .profile_dirs = { dir }, .group_dirs = { groups }, .skip_owner_check = true };
	struct strings names;
	struct err err = ERR_INIT;

	OK(!profile_list(&where, &names, &err) && names.count >= 3, "round trip: there are profiles in %s", strrchr(dir, '/'));
	for (size_t i = 0; i < names.count; i++) {
		cleanup_free char *first = NULL, *second = NULL;
		struct profile *profile = NULL;

		if (profile_load(names.items[i], &where, &profile, &err) < 0)
			continue;
		first = print(profile);
		second = print_again(first, names.items[i]);
		IS_STR(second, first, "round trip: '%s' prints and reads back as the same", names.items[i]);
		profile_free(profile);
	}
	strings_free(&names);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	const char *source = getenv("srcdir");
	cleanup_free char *own = alloc_printf("%s/profiles", source ? source : ".");
	cleanup_free char *npm = NULL, *nested = NULL;

	snprintf(root, sizeof(root), "/var/tmp/quod-test-profile-XXXXXX");
	umask(022);
	if (!mkdtemp(root) || chmod(root, 0755) < 0)
		return 99;
	snprintf(profiles, sizeof(profiles), "%s/profiles", root);
	snprintf(shipped, sizeof(shipped), "%s/shipped", root);
	snprintf(groups, sizeof(groups), "%s/groups", root);
	if (mkdir(profiles, 0755) < 0 || mkdir(shipped, 0755) < 0 || mkdir(groups, 0755) < 0)
		return 99;
	npm = alloc_printf("%s/npm.json", groups);
	nested = alloc_printf("%s/nested.json", groups);
	write_file(npm, "{ \"version\": 1, \"description\": \"d\", \"source\": \"s\", \"hosts\": [\"registry.npmjs.org\", \"10.9.0.0/16:443\"] }");
	write_file(nested, "{ \"version\": 1, \"hosts\": [\"@npm\"] }");
	test_strict();
	test_every_key();
	test_bad_files();
	test_merge();
	test_chain();
	test_owners();
	test_owners_beside();
	test_dead_entries();
	test_memory();
	test_round_trip(profiles);
	test_round_trip(own);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
