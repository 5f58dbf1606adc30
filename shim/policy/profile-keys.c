/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of quod-profile(5), each with its type and range: the one list of what a profile can say. Data only. */
#include "shim/policy/profile-keys.h"
#include "shim/policy/texts.h"

#define AT(field) KEY_AT(struct profile, field)
#define SIZE_MOST (1ull << 50) /* 1024T */
#define TIME_MOST 3153600000000ull /* 36500d */

static const char *const mounts_host[] = { "refuse", "strip", NULL };
static const char *const namespaces[] = { "pid", "network", "mount", "ipc", "uts", "cgroup", NULL };
static const char *const namespaces_user[] = { "any", "require", NULL };
static const char *const guard[] = { "kill", "network", NULL };
static const char *const scope[] = { "container", "pod", "workspace", NULL };
static const char *const egress_mode[] = { "enforce", "observe", NULL };
static const char *const audit_record[] = { "refusals", "exec", "dns", "connections", NULL };

static const struct key keys[] = {
	{ "version", .kind = KEY_VERSION },
	{ "$schema", .kind = KEY_IGNORED },
	{ "description", KEY_TEXT, AT(description) },
	{ "extends", KEY_OTHER, .read = read_extends },
	{ "runtime", KEY_STRINGS, AT(runtime), .check = want_runtime, .replaces = true },
	{ "mounts.host", KEY_WORD, AT(mounts.strip), .words = mounts_host },
	{ "mounts.allow", KEY_OTHER, .read = read_mounts_allow, .print = print_mounts_allow },
	{ "mounts.volumes", KEY_OTHER, .read = read_volumes, .print = print_volumes },
	{ "mounts.service_account", KEY_BOOL, AT(mounts.service_account) },
	{ "mounts.protect", KEY_STRINGS, AT(mounts.protect), .check = want_relative_path },
	{ "rootfs.readonly", KEY_BOOL, AT(rootfs.readonly) },
	{ "rootfs.mask", KEY_BOOL, AT(rootfs.mask) },
	{ "rootfs.tmpfs", KEY_OTHER, .read = read_tmpfs, .print = print_tmpfs },
	{ "process.capabilities", KEY_OTHER, .read = read_capabilities, .print = print_capabilities },
	{ "process.no_new_privs", KEY_BOOL, AT(process.no_new_privs) },
	{ "process.root", KEY_BOOL, AT(process.root) },
	{ "process.env.scrub", KEY_STRINGS, AT(process.env_scrub), .check = want_env_pattern },
	{ "process.env.set", KEY_OTHER, .read = read_env_set, .print = print_env_set },
	{ "process.rlimits", KEY_OTHER, .read = read_rlimits, .print = print_rlimits },
	{ "seccomp.deny", KEY_STRINGS, AT(seccomp.deny), .check = want_syscall_pattern },
	{ "seccomp.floor", KEY_BOOL, AT(seccomp.floor) },
	{ "seccomp.sockets", KEY_STRINGS, AT(seccomp.sockets), .check = want_socket_family, .replaces = true },
	{ "namespaces.private", KEY_SET, AT(namespaces.private), .words = namespaces },
	{ "namespaces.user", KEY_WORD, AT(namespaces.user_required), .words = namespaces_user },
	{ "hooks.allow", KEY_STRINGS, AT(hooks_allow), .check = want_path_pattern },
	{ "devices.allow", KEY_OTHER, .read = read_devices, .print = print_devices },
	{ "sysctls.allow", KEY_STRINGS, AT(sysctls_allow), .check = want_sysctl_pattern },
	{ "resources.cpus", KEY_CPUS, AT(resources.cpus_milli), .least = 10, .most = 1000000, .unlimited = true },
	{ "resources.memory", KEY_BYTES, AT(resources.memory), .least = 1 << 20, .most = SIZE_MOST, .unlimited = true },
	{ "resources.swap", KEY_BYTES, AT(resources.swap), .most = SIZE_MOST, .unlimited = true },
	{ "resources.pids", KEY_COUNT, AT(resources.pids), .least = 1, .most = 4194304, .unlimited = true },
	{ "guard", KEY_WORD, AT(guard), .words = guard },
	{ "budgets.wall", KEY_DURATION, AT(budgets.wall_ms), .least = 1000, .most = TIME_MOST, .unlimited = true },
	{ "budgets.cpu", KEY_DURATION, AT(budgets.cpu_ms), .least = 1000, .most = TIME_MOST, .unlimited = true },
	{ "budgets.egress", KEY_BYTES, AT(budgets.egress), .most = SIZE_MOST, .unlimited = true },
	{ "budgets.grace", KEY_DURATION, AT(budgets.grace_ms), .most = 3600000 },
	{ "budgets.on_exhausted", KEY_OTHER, .read = read_on_exhausted, .print = print_on_exhausted },
	{ "budgets.scope", KEY_WORD, AT(budgets.scope), .words = scope },
	{ "budgets.reset", KEY_OTHER, .read = read_reset, .print = print_reset },
	{ "egress.mode", KEY_WORD, AT(egress.mode), .words = egress_mode },
	{ "egress.allow", KEY_OTHER, .read = read_egress_allow, .print = print_egress_allow },
	{ "egress.deny", KEY_OTHER, .read = read_egress_deny, .print = print_egress_deny },
	{ "egress.caps", KEY_OTHER, .read = read_caps, .print = print_caps },
	{ "egress.via", KEY_OTHER, .read = read_via, .print = print_via },
	{ "egress.dns.upstream", KEY_STRINGS, AT(egress.dns_upstream), .check = want_address, .replaces = true },
	{ "egress.dns.names_per_minute", KEY_COUNT, AT(egress.names_per_minute), .most = 1000000, .unlimited = true },
	{ "egress.rate", KEY_RATE, AT(egress.rate), .least = 1024, .most = SIZE_MOST, .unlimited = true },
	{ "egress.verify_name", KEY_BOOL, AT(egress.verify_name) },
	{ "ingress.allow", KEY_OTHER, .read = read_ingress, .print = print_ingress },
	{ "audit.record", KEY_SET, AT(audit_record), .words = audit_record },
	{ "layers", KEY_OTHER, .read = read_layers, .print = print_layers },
};

const char *const profile_free_form[] = { "/process/env/set", "/rootfs/tmpfs", NULL };

const struct key *profile_keys(size_t *count)
{
	*count = sizeof(keys) / sizeof(keys[0]);
	return keys;
}
