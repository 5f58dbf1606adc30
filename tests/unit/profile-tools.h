/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random profiles and words out of the keys of quod-profile(5), the same ones at each run; and how they meet and are printed. */
#ifndef QUOD_TESTS_UNIT_PROFILE_TOOLS_H
#define QUOD_TESTS_UNIT_PROFILE_TOOLS_H

#include "tests/unit/plan-tools.h"

static uint32_t seed = 20240607;

static inline unsigned pick(unsigned count)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % count;
}

/* Some of the words, in an order of their own, as the items of an array. */
static inline void put_some(struct buf *buf, const char *const *words, unsigned count)
{
	unsigned start = pick(count), first = 1;

	for (unsigned i = 0; i < count; i++)
		if (pick(2)) {
			buf_printf(buf, "%s%s", first ? "" : ",", words[(start + i) % count]);
			first = 0;
		}
}

static const struct {
	const char *key;
	const char *words[10];
	unsigned count;
} lists[] = {
	{ "mounts.allow",
	  { "{'source':'/srv/a/**','destination':'/workspace/**','readonly':false}",
	    "{'source':'/srv/a/**','destination':'/workspace/**'}", "{'source':'/srv/*','destination':'/mnt','readonly':false}",
	    "{'source':'/data/**','destination':'/mnt/**','readonly':false}", "{'source':'/srv/a','destination':'/workspace'}" },
	  5 },
	{ "mounts.protect", { "'.git'", "'.envrc'", "'.idea'" }, 3 },
	{ "process.capabilities", { "'CAP_CHOWN'", "'CAP_KILL'", "'CAP_SETUID'", "'CAP_FOWNER'" }, 4 },
	{ "process.env.scrub", { "'AWS_*'", "'*_TOKEN'", "'A*'" }, 3 },
	{ "seccomp.deny", { "'bpf'", "'io_uring_*'", "'keyctl'" }, 3 },
	{ "seccomp.sockets", { "'unix'", "'inet'", "'netlink'", "'vsock'" }, 4 },
	{ "namespaces.private", { "'pid'", "'network'", "'mount'", "'ipc'", "'uts'", "'cgroup'" }, 6 },
	{ "hooks.allow", { "'/usr/bin/hook'", "'/opt/*'", "'/usr/bin/*'" }, 3 },
	{ "devices.allow", { "'/dev/fuse:rw'", "'/dev/fuse:rm'", "'/dev/kvm:rwm'", "'/dev/kvm:r'" }, 4 },
	{ "sysctls.allow", { "'net.ipv4.tcp_*'", "'net.core.somaxconn'", "'kernel.*'", "'net.*'" }, 4 },
	{ "egress.allow",
	  { "'10.0.0.0/8:443'", "'10.1.0.0/16:*'", "'@public:443'", "'9.9.9.9:53/udp'", "'169.254.169.254:80'",
	    "'[2606:4700::]:443'", "'[2606:4700::/32]:1-65535'", "'10.2.3.4:8000-8099'", "'10.0.0.0/8:1-500'" },
	  9 },
	{ "egress.deny",
	  { "'10.1.2.0/24:*'", "{'of':'10.0.0.0/8:*','except':['10.1.0.0/16:443']}", "'9.9.9.9:*'",
	    "{'of':'10.0.0.0/8:*','except':['10.2.0.0/16:*']}" },
	  4 },
	{ "ingress.allow", { "'80'", "'8080-8090@10.0.0.0/8'", "'8000-9000@10.1.0.0/16'", "'53/udp'" }, 4 },
	{ "audit.record", { "'refusals'", "'exec'", "'dns'" }, 3 },
};

static const struct {
	const char *key;
	const char *values[6];
	unsigned count;
} values[] = {
	{ "mounts.host", { "'refuse'", "'strip'" }, 2 },
	{ "mounts.volumes", { "true", "false", "'tmpfs'" }, 3 },
	{ "mounts.service_account", { "true", "false" }, 2 },
	{ "rootfs.readonly", { "true", "false" }, 2 },
	{ "rootfs.mask", { "true", "false" }, 2 },
	{ "rootfs.tmpfs", { "{}", "{'/tmp':'8M'}", "{'/tmp':'64M','/run':'8M'}", "{'/x':'1G','/run':'64M'}", "{'$HOME':'4M'}" }, 5 },
	{ "process.no_new_privs", { "true", "false" }, 2 },
	{ "process.root", { "true", "false" }, 2 },
	{ "process.rlimits", { "{}", "{'nofile':64}", "{'memlock':'unlimited'}", "{'nproc':5,'nofile':4096}", "{'rtprio':9}" }, 5 },
	{ "seccomp.floor", { "true", "false" }, 2 },
	{ "namespaces.user", { "'any'", "'require'" }, 2 },
	{ "resources.cpus", { "0.5", "2", "'unlimited'" }, 3 },
	{ "resources.memory", { "'64M'", "'4G'", "'unlimited'" }, 3 },
	{ "resources.swap", { "'0'", "'1G'" }, 2 },
	{ "resources.pids", { "16", "'unlimited'" }, 2 },
	{ "guard", { "'kill'", "'network'" }, 2 },
	{ "budgets.wall", { "'1m'", "'8h'", "'unlimited'" }, 3 },
	{ "budgets.cpu", { "'1m'", "'8h'" }, 2 },
	{ "budgets.egress", { "'1M'", "'8G'", "'0'" }, 3 },
	{ "budgets.grace", { "'1s'", "'1m'" }, 2 },
	{ "budgets.on_exhausted", { "'stop'", "'freeze'", "{'egress':'stop'}" }, 3 },
	{ "egress.mode", { "'enforce'", "'observe'" }, 2 },
	{ "egress.caps", { "{}", "{'10.0.0.0/8:443':'1M'}", "{'10.0.0.0/8:443':'9M','9.9.9.9:53':'1K'}" }, 3 },
	{ "egress.dns.names_per_minute", { "5", "600" }, 2 },
	{ "egress.rate", { "'1M/s'", "'unlimited'" }, 2 },
	{ "egress.verify_name", { "true", "false" }, 2 },
};

/* Puts `value` at a dotted key; sections are made as they come, so the same section must not come twice apart. */
static inline void set_key(struct json_tree *tree, struct json *root, const char *key, const char *text)
{
	cleanup_json_tree struct json_tree *value = parse_text(text);
	cleanup_free char *rest = alloc_copy(key);
	struct json *at = root, *below;
	char *part = rest, *dot;

	for (; (dot = strchr(part, '.')); part = dot + 1, at = below) {
		*dot = '\0';
		below = json_get(at, part);
		if (!below) {
			below = json_make_object(tree);
			json_set(tree, at, part, below);
		}
	}
	json_set(tree, at, part, json_copy(tree, json_root(value)));
}

/* A random document; `often` in 4 of its keys are there. */
static inline struct json_tree *make_document(unsigned often)
{
	struct json_tree *tree = parse_text("{'version':1}");

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		cleanup_buf struct buf buf = BUF_INIT;

		buf_putc(&buf, '[');
		put_some(&buf, lists[i].words, lists[i].count);
		buf_putc(&buf, ']');
		if (pick(4) < often)
			set_key(tree, json_root(tree), lists[i].key, buf.data);
	}
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (pick(4) < often)
			set_key(tree, json_root(tree), values[i].key, values[i].values[pick(values[i].count)]);
	return tree;
}

static inline struct profile *fail(const struct err *err)
{
	printf("Bail out! %s\n", err->text);
	exit(2);
}

static inline struct profile *make_profile(void)
{
	cleanup_json_tree struct json_tree *tree = make_document(3);
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	return profile_from_json(json_root(tree), "p", &profile, &err) ? fail(&err) : profile;
}

static inline struct profile *make_word(void)
{
	cleanup_json_tree struct json_tree *tree = make_document(1);
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	return profile_read_word(json_root(tree), "w", NULL, &profile, &err) ? fail(&err) : profile;
}

static inline struct profile *meet(const struct profile *a, const struct profile *b)
{
	struct profile *made = NULL;
	struct err err = ERR_INIT;

	return profile_meet(a, b, &made, &err) ? fail(&err) : made;
}

static inline char *print(const struct profile *profile)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct buf buf = BUF_INIT;

	json_print(&buf, profile_to_json(profile, tree), 0);
	return buf_steal(&buf);
}

#endif
