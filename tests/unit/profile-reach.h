/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile lets through: a row of numbers, each the larger the more. Told by looking at what the planners make of
 * probes, never by asking the code that combines profiles.
 */
#ifndef QUOD_TESTS_UNIT_PROFILE_REACH_H
#define QUOD_TESTS_UNIT_PROFILE_REACH_H

#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "shim/policy/rootfs.h"
#include "tests/unit/profile-tools.h"

#define PROBES 512

struct reach {
	uint64_t value[PROBES];
	const char *what[PROBES];
	size_t count;
};

static inline void note(struct reach *reach, const char *what, uint64_t value)
{
	reach->what[reach->count] = what;
	reach->value[reach->count++] = value;
}

static inline bool is_refused(planner run, const struct profile *profile, const struct facts *facts, const char *text)
{
	struct outcome outcome = plan_document_text(run, profile, facts, text);
	bool refused = *outcome.refusals;

	outcome_free(&outcome);
	return refused;
}

/* 0: not in the container; 1: to be read; 2: to be written. */
static inline uint64_t probe_mount(const struct profile *profile, const char *source, const char *destination)
{
	struct fact_mount mount = { .is_bind = true, .resolved = (char *)source, .mode = S_IFDIR, .fs_magic = EXT4_SUPER_MAGIC,
				    .destination = (char *)destination };
	struct facts facts = { .mounts = &mount, .mount_count = 1, .state_dir = "/run/quod/c", .home = (char *)"/root",
			       .rootfs = (char *)"/var/lib/x/root" };
	cleanup_free char *text = alloc_printf("{'root':{'path':'r','readonly':true},'mounts':[{'destination':'%s','type':'bind',"
					       "'source':'%s','options':['bind','nosuid','nodev']}]}", destination, source);
	struct outcome outcome = plan_document_text(plan_mounts, profile, &facts, text);
	const struct json *list = json_get(json_root(outcome.tree), "mounts");
	uint64_t reached = 0;

	for (size_t i = 0; !*outcome.refusals && i < list->count; i++) {
		cleanup_buf struct buf buf = BUF_INIT;

		json_print(&buf, list->items[i], 0);
		if (strstr(buf.data, "\"bind\"") && strstr(buf.data, destination))
			reached = strstr(buf.data, "\"ro\"") ? 1 : 2;
	}
	outcome_free(&outcome);
	return reached;
}

static inline void probe_mounts(const struct profile *profile, struct reach *reach)
{
	static const char *const sources[] = { "/srv/a", "/srv/a/x/y", "/srv/b", "/data/d" };
	static const char *const destinations[] = { "/workspace", "/workspace/w", "/mnt", "/mnt/m" };

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		for (size_t k = 0; k < ARRAY_SIZE(destinations); k++)
			note(reach, "a mount", probe_mount(profile, sources[i], destinations[k]));
}

static inline void probe_devices(const struct profile *profile, struct reach *reach)
{
	static const struct {
		const char *path;
		int64_t minor;
	} devices[] = { { "/dev/fuse", 229 }, { "/dev/kvm", 232 } };

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		for (const char *letter = "rwm"; *letter; letter++) {
			struct fact_device fact = { .mode = S_IFCHR, .major = 10, .minor = devices[i].minor };
			struct facts facts = { .devices = &fact, .device_count = 1 };
			cleanup_free char *text = alloc_printf(
				"{'linux':{'devices':[{'path':'%s','type':'c','major':10,'minor':%d}],'resources':{'devices':["
				"{'allow':false,'access':'rwm'},{'allow':true,'type':'c','major':10,'minor':%d,'access':'%c'}]}}}",
				devices[i].path, (int)devices[i].minor, (int)devices[i].minor, *letter);
			struct outcome outcome = plan_document_text(plan_devices, profile, &facts, text);

			note(reach, "a device", !*outcome.refusals && !strcmp(at(&outcome, "/linux/resources/devices/1/allow"), "true"));
			outcome_free(&outcome);
		}
}

static inline void probe_patterns(const struct profile *profile, struct reach *reach)
{
	static const char *const hooks[] = { "/usr/bin/hook", "/opt/x", "/usr/bin/y" };
	static const char *const sysctls[] = { "net.ipv4.tcp_mem", "net.core.somaxconn", "kernel.shmmax", "net.ipv4.ip_forward" };
	struct facts facts = { .state_dir = "/run/quod/c", .hook_path = (char *)"/h" };

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		cleanup_free char *text = alloc_printf("{'hooks':{'poststop':[{'path':'%s'}]}}", hooks[i]);

		note(reach, "a hook", !is_refused(plan_hooks, profile, &facts, text));
	}
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		cleanup_free char *text = alloc_printf("{'linux':{'sysctl':{'%s':'1'}}}", sysctls[i]);

		note(reach, "a sysctl", !is_refused(plan_kernel, profile, &facts, text));
	}
}

static inline bool has(const struct rule_ranges *ranges, const struct address *address, uint8_t protocol, uint16_t port, bool all)
{
	size_t len = address->family == 4 ? 4 : 16;

	for (size_t i = 0; i < ranges->count; i++) {
		const struct rule_range *range = &ranges->items[i];

		if (range->family == address->family && memcmp(range->first, address->bytes, len) <= 0 &&
		    memcmp(address->bytes, range->last, len) <= 0 &&
		    (all || ((!range->protocol || range->protocol == protocol) && range->port_first <= port && port <= range->port_last)))
			return true;
	}
	return false;
}

static inline void probe_network(const struct profile *profile, struct reach *reach)
{
	static const char *const addresses[] = { "10.0.0.1", "10.1.0.1", "10.1.2.3", "10.2.3.4", "9.9.9.9", "169.254.169.254",
						 "169.254.1.1", "2606:4700::", "2606:4700::7", "8.8.8.8" };
	static const uint16_t ports[] = { 53, 80, 443, 8000, 8085, 9000 };
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct facts facts = { .mount_count = 0 };
	struct plan_input input = { .profile = profile, .facts = &facts };
	struct plan plan;

	plan_init(&plan);
	plan_network(&input, &plan);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ports); k++)
			for (size_t n = 0; n < ARRAY_SIZE(protocols); n++) {
				struct address address;
				bool out;

				if (address_parse(addresses[i], &address))
					exit(99);
				out = has(&plan.ruleset.exact, &address, protocols[n], ports[k], false) ||
				      (has(&plan.ruleset.allow, &address, protocols[n], ports[k], false) &&
				       !has(&plan.ruleset.never, &address, 0, 0, true));
				note(reach, addresses[i], out && !has(&plan.ruleset.deny, &address, protocols[n], ports[k], false));
				note(reach, "ingress", has(&plan.ruleset.ingress, &address, protocols[n], ports[k], false));
			}
	note(reach, "budgets.egress", plan.ruleset.egress_bytes);
	note(reach, "egress.rate", plan.ruleset.rate);
	plan_release(&plan);
}

static inline bool denies(const struct strings *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (pattern_matches(patterns->items[i], text))
			return true;
	return false;
}

static inline void probe_process(const struct profile *profile, struct reach *reach)
{
	static const char *const families[] = { "unix", "inet", "inet6", "netlink", "vsock" };
	static const char *const variables[] = { "AWS_KEY", "GH_TOKEN", "ABC", "HOME" };
	static const char *const calls[] = { "bpf", "io_uring_enter", "keyctl", "read" };
	static const char *const limits[] = { "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_NPROC", "RLIMIT_RTPRIO" };
	struct facts facts = { .own_capabilities = UINT64_MAX, .may_raise_rlimits = true };

	for (size_t i = 0; i < ARRAY_SIZE(facts.rlimit_hard); i++)
		facts.rlimit_hard[i] = LIMIT_UNLIMITED;
	for (unsigned i = 0; i < 41; i++)
		note(reach, "a capability", profile->process.capabilities >> i & 1);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		note(reach, "a socket family", strings_has(&profile->seccomp.sockets, families[i]));
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		note(reach, "a variable", !denies(&profile->process.env_scrub, variables[i]));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		note(reach, "a system call", !denies(&profile->seccomp.deny, calls[i]));
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		cleanup_free char *text = alloc_printf("{'process':{'user':{'uid':1,'gid':1},'args':['a'],'cwd':'/','rlimits':[{'type':"
						       "'%s','hard':1000000000,'soft':1}]}}", limits[i]);
		cleanup_json_tree struct json_tree *tree = parse_text(text);
		struct oci_config config;
		struct plan_input input = { .profile = profile, .facts = &facts, .config = &config };
		struct err err = ERR_INIT;
		uint64_t hard = 0;
		struct plan plan;

		oci_config_view(json_root(tree), &config);
		plan_init(&plan);
		plan_process(&input, &config.process, "/process", &plan);
		if (oci_edits_apply(&plan.edits, tree, &err))
			fail(&err);
		json_uint(pointer_find(json_root(tree), "/process/rlimits/0/hard"), &hard);
		note(reach, limits[i], hard);
		plan_release(&plan);
		oci_config_release(&config);
	}
}

static inline void probe_places(const struct profile *profile, struct reach *reach)
{
	static const char *const places[] = { "/tmp", "/run", "/x", "/root", "/other" };
	static const char *const kept[] = { ".git", ".envrc", ".idea" };
	struct facts facts = { .home = (char *)"/root" };
	struct plan_input input = { .profile = profile, .facts = &facts };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		note(reach, places[i], rootfs_tmpfs_bound(&input, places[i]));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		note(reach, "a protected path", !strings_has(&profile->mounts.protect, kept[i]));
	note(reach, "rootfs.readonly", !profile->rootfs.readonly);
	note(reach, "rootfs.mask", !profile->rootfs.mask);
	note(reach, "mounts.volumes", profile->mounts.volumes == VOLUMES_ALLOW ? 2 : profile->mounts.volumes == VOLUMES_TMPFS);
	note(reach, "mounts.service_account", profile->mounts.service_account);
	note(reach, "mounts.host", profile->mounts.strip);
}

static inline void probe_values(const struct profile *profile, struct reach *reach)
{
	note(reach, "process.no_new_privs", !profile->process.no_new_privs);
	note(reach, "process.root", profile->process.root);
	note(reach, "seccomp.floor", !profile->seccomp.floor);
	for (unsigned bit = 1; bit <= NS_CGROUP; bit <<= 1)
		note(reach, "namespaces.private", !(profile->namespaces.private & bit));
	note(reach, "namespaces.user", !profile->namespaces.user_required);
	note(reach, "resources.cpus", profile->resources.cpus_milli);
	note(reach, "resources.memory", profile->resources.memory);
	note(reach, "resources.swap", profile->resources.swap);
	note(reach, "resources.pids", profile->resources.pids);
	note(reach, "guard", profile->guard == GUARD_NETWORK);
	note(reach, "budgets.wall", profile->budgets.wall_ms);
	note(reach, "budgets.cpu", profile->budgets.cpu_ms);
	note(reach, "budgets.grace", profile->budgets.grace_ms);
	note(reach, "budgets.on_exhausted", profile->budgets.on_exhausted == EXHAUSTED_FREEZE);
	note(reach, "budgets.on_exhausted egress", !profile->budgets.egress_stops);
	note(reach, "egress.mode", profile->egress.mode == EGRESS_OBSERVE);
	note(reach, "egress.dns.names_per_minute", profile->egress.names_per_minute);
	note(reach, "egress.verify_name", !profile->egress.verify_name);
	for (unsigned bit = 1; bit <= AUDIT_CONNECTIONS; bit <<= 1)
		note(reach, "audit.record", !(profile->audit_record & bit));
	for (const char *text = "10.0.0.0/8:443"; text; text = strcmp(text, "9.9.9.9:53") ? "9.9.9.9:53" : NULL) {
		uint64_t cap = LIMIT_UNLIMITED;

		for (size_t i = 0; i < profile->egress.caps_count; i++)
			if (!strcmp(profile->egress.caps[i].entry.text, text))
				cap = profile->egress.caps[i].bytes;
		note(reach, "egress.caps", cap);
	}
}

static inline struct reach *probe(const struct profile *profile)
{
	struct reach *reach = alloc_zeroed(1, sizeof(*reach));

	probe_mounts(profile, reach);
	probe_devices(profile, reach);
	probe_patterns(profile, reach);
	probe_network(profile, reach);
	probe_process(profile, reach);
	probe_places(profile, reach);
	probe_values(profile, reach);
	return reach;
}

/* Is `met` the smaller of both at each place? With `b` NULL: nowhere more than `a`. Says the first place where not. */
static inline bool is_meet(const struct reach *met, const struct reach *a, const struct reach *b)
{
	for (size_t i = 0; i < met->count; i++) {
		uint64_t wanted = !b || a->value[i] < b->value[i] ? a->value[i] : b->value[i];

		if (b ? met->value[i] != wanted : met->value[i] > wanted) {
			printf("# %s (%zu): %llu, wanted %llu\n", met->what[i], i, (unsigned long long)met->value[i],
			       (unsigned long long)wanted);
			return false;
		}
	}
	return true;
}

#endif
