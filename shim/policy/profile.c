/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strictest profile, the base that every chain is read onto, and the end of each. What is absent allows nothing. */
#include "shim/policy/profile.h"

#include <stdlib.h>
#include <string.h>

#include "shim/policy/profile-keys.h"

static void add_rlimit(struct profile *profile, const char *name, uint64_t value)
{
	struct rlimit_rule *rule = list_add(profile->process.rlimits, profile->process.rlimit_count);

	rule->name = alloc_copy(name);
	rule->value = value;
}

/* quod-profile(5) gives each of these values as its key's default: change both. */
struct profile *profile_make_strict(const char *name)
{
	struct profile *profile = alloc_zeroed(1, sizeof(*profile));

	profile->name = alloc_copy(name);
	profile->rootfs.readonly = true;
	profile->rootfs.mask = true;
	profile->process.no_new_privs = true;
	add_rlimit(profile, "nofile", 1024);
	add_rlimit(profile, "core", 0);
	profile->seccomp.floor = true;
	strings_add(&profile->seccomp.sockets, "unix");
	strings_add(&profile->seccomp.sockets, "inet");
	strings_add(&profile->seccomp.sockets, "inet6");
	profile->namespaces.private = NS_PID | NS_NETWORK | NS_MOUNT | NS_IPC | NS_UTS | NS_CGROUP;
	profile->resources.cpus_milli = 1000;
	profile->resources.memory = 512ull << 20;
	profile->resources.pids = 256;
	profile->budgets.wall_ms = 3600000;
	profile->budgets.cpu_ms = 1800000;
	profile->budgets.egress = 64ull << 20;
	profile->budgets.grace_ms = 10000;
	profile->egress.names_per_minute = 60;
	profile->egress.rate = LIMIT_UNLIMITED;
	profile->egress.verify_name = true;
	profile->audit_record = AUDIT_REFUSALS | AUDIT_EXEC;
	return profile;
}

static void free_mounts(struct profile *profile)
{
	for (size_t i = 0; i < profile->mounts.allow_count; i++) {
		free(profile->mounts.allow[i].source);
		free(profile->mounts.allow[i].destination);
	}
	free(profile->mounts.allow);
	strings_free(&profile->mounts.protect);
	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++)
		free(profile->rootfs.tmpfs[i].path);
	free(profile->rootfs.tmpfs);
}

static void free_process(struct profile *profile)
{
	strings_free(&profile->process.env_scrub);
	for (size_t i = 0; i < profile->process.env_set_count; i++) {
		free(profile->process.env_set[i].name);
		free(profile->process.env_set[i].value);
	}
	free(profile->process.env_set);
	for (size_t i = 0; i < profile->process.rlimit_count; i++)
		free(profile->process.rlimits[i].name);
	free(profile->process.rlimits);
	strings_free(&profile->seccomp.deny);
	strings_free(&profile->seccomp.sockets);
	strings_free(&profile->hooks_allow);
	for (size_t i = 0; i < profile->devices_allow_count; i++) {
		free(profile->devices_allow[i].path);
		free(profile->devices_allow[i].access);
	}
	free(profile->devices_allow);
	strings_free(&profile->sysctls_allow);
}

static void cap_release(struct cap_rule *cap)
{
	entry_release(&cap->entry);
	for (size_t i = 0; i < cap->member_count; i++)
		entry_release(&cap->members[i]);
	free(cap->members);
}

static void free_network(struct profile *profile)
{
	for (size_t i = 0; i < profile->egress.allow_count; i++)
		entry_release(&profile->egress.allow[i]);
	free(profile->egress.allow);
	for (size_t i = 0; i < profile->egress.deny_count; i++) {
		struct deny_rule *rule = &profile->egress.deny[i];

		entry_release(&rule->of);
		for (size_t n = 0; n < rule->except_count; n++)
			entry_release(&rule->except[n]);
		free(rule->except);
	}
	free(profile->egress.deny);
	for (size_t i = 0; i < profile->egress.caps_count; i++)
		cap_release(&profile->egress.caps[i]);
	free(profile->egress.caps);
	strings_free(&profile->egress.dns_upstream);
	for (size_t i = 0; i < profile->ingress_count; i++)
		free(profile->ingress[i].text);
	free(profile->ingress);
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	free_mounts(profile);
	free_process(profile);
	free_network(profile);
	for (size_t i = 0; i < profile->layer_count; i++)
		layer_release(&profile->layers[i]);
	free(profile->layers);
	strings_free(&profile->runtime);
	free(profile->name);
	free(profile->file);
	free(profile->description);
	free(profile);
}
