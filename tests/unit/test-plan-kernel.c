/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/kernel.c: sysctls, annotations, propagation, the cgroup's place. */
#include "tests/unit/plan-tools.h"

static char *sysctls[] = { (char *)"net.core.*" };
static struct profile strict = { .name = (char *)"strict", .sysctls_allow = { sysctls, 1 } };
static struct facts facts = { .id = "c1" };
static struct facts taken = { .id = "c1", .cgroup_is_taken = true };
static struct facts systemd = { .id = "c1", .wants_systemd_cgroup = true };

static void is_refused(const struct facts *given, const char *members, const char *wanted, const char *what)
{
	cleanup_free char *text = alloc_printf("{%s}", members);
	cleanup_outcome struct outcome outcome = plan_document_text(plan_kernel, &strict, given, text);

	IS_STR(outcome.refusals, wanted, "kernel: %s", what);
}

#define SYSCTL(name) "'linux':{'sysctl':{'" name "':'1'}}"

static void test_sysctls(void)
{
	is_refused(&facts, SYSCTL("net.ipv4.ip_unprivileged_port_start"), "", "a sysctl that engines always send passes");
	is_refused(&facts, SYSCTL("net.ipv4.ping_group_range"), "", "so does the other one");
	is_refused(&facts, SYSCTL("net.core.somaxconn"), "", "and one that the profile names");
	is_refused(&facts, SYSCTL("kernel.core_pattern"), "/linux/sysctl/kernel.core_pattern: sysctl kernel.core_pattern is not allowed (sysctls.allow)", "another is refused");
	is_refused(&facts, SYSCTL("net.core./../kernel.x"), "/linux/sysctl/net.core.~1..~1kernel.x: sysctl net.core./../kernel.x is not allowed (sysctls.allow)", "a name that leads elsewhere is refused");
	is_refused(&facts, SYSCTL("net.core.....kernel"), "/linux/sysctl/net.core.....kernel: sysctl net.core.....kernel is not allowed (sysctls.allow)", "as one with dots, which become slashes");
	is_refused(&facts, SYSCTL("net/core/somaxconn"), "/linux/sysctl/net~1core~1somaxconn: sysctl net/core/somaxconn is not allowed (sysctls.allow)", "and one with slashes");
}

#define ANNOTATION(name, value) "'annotations':{'" name "':'" value "'}"

static void test_annotations(void)
{
	static const char *const steering[] = { "run.oci.keep_original_groups", "run.oci.handler", "krun.cpus", "org.systemd.property.DeviceAllow",
						"org.criu.config", "io.katacontainers.config.hypervisor.path" };

	for (size_t i = 0; i < ARRAY_SIZE(steering); i++) {
		cleanup_free char *members = alloc_printf("'annotations':{'%s':'1'}", steering[i]);
		cleanup_free char *wanted = alloc_printf("/annotations/%s: annotation %s would steer the runtime (annotations)", steering[i], steering[i]);

		is_refused(&facts, members, wanted, steering[i]);
	}
	is_refused(&facts, ANNOTATION("org.systemd.property.TimeoutStopUSec", "uint64 10"), "", "what Podman and CRI-O say to systemd passes");
	is_refused(&facts, ANNOTATION("io.kubernetes.cri.container-type", "sandbox"), "", "an engine's own annotation passes");
	is_refused(&facts, ANNOTATION("quod.dev/profile", "strict"), "", "the wish for the chosen profile passes");
	is_refused(&facts, ANNOTATION("quod.dev/profile", "open"), "/annotations/quod.dev~1profile: asks for profile 'open', and 'strict' was chosen (annotations)", "the wish for another doesn't");
	is_refused(&facts, ANNOTATION("quod.dev/applied-profile", "strict"), "/annotations/quod.dev~1applied-profile: quod.dev/applied-profile is quod's own to write (annotations)", "what quod writes itself is refused");
	is_refused(&facts, ANNOTATION("quod.dev/profile-digest", "00"), "/annotations/quod.dev~1profile-digest: quod.dev/profile-digest is quod's own to write (annotations)", "the digest, too");
	is_refused(&facts, ANNOTATION("quod.dev/budgets.wall", "1h"), "", "one that has tightened the profile passes");
	is_refused(&facts, ANNOTATION("quod.dev/budgets.wal", "1h"), "/annotations/quod.dev~1budgets.wal: quod.dev/budgets.wal is no annotation that quod knows (quod.dev/KEY of quod-profile(5)) (annotations)", "one of no key is refused");
	is_refused(&facts, ANNOTATION("quod.dev/runtime", "crun"), "/annotations/quod.dev~1runtime: quod.dev/runtime is no annotation that quod knows (quod.dev/KEY of quod-profile(5)) (annotations)", "one of a key that can't tighten is refused");
	is_refused(&facts, ANNOTATION("Quod.dev/budgets.wall", "1h"), "/annotations/Quod.dev~1budgets.wall: Quod.dev/budgets.wall is no annotation that quod knows (quod.dev/KEY of quod-profile(5)) (annotations)", "one in another case, which nobody has heard, is refused");
}

static void test_linux(void)
{
	cleanup_outcome struct outcome shared = plan_document_text(plan_kernel, &strict, &facts, "{'linux':{'rootfsPropagation':'rshared'}}");

	IS_AT(&shared, "/linux/rootfsPropagation", "'rprivate'", "kernel: shared propagation becomes private");
	IS_SETTLED(&shared, "a shared root");
	is_refused(&facts, "'linux':{'rootfsPropagation':'odd'}", "/linux/rootfsPropagation: propagation odd is not known (mounts.host)", "an unknown propagation is refused");
	is_refused(&facts, "'linux':{'intelRdt':{'closID':'x'}}", "/linux/intelRdt: cache and bandwidth classes are the host's (config)", "cache classes are refused");
	is_refused(&facts, "'linux':{'personality':{'domain':'LINUX32'}}", "/linux/personality: another execution domain is not allowed (config)", "another personality is refused");
	is_refused(&facts, "'linux':{'netDevices':{'eth0':{}}}", "/linux/netDevices: network devices of the host are not allowed (config)", "a network device of the host is refused");
	is_refused(&facts, "'linux':{'timeOffsets':{'monotonic':{'secs':5}}}", "/linux/timeOffsets: other clocks are not allowed (config)", "other clocks are refused");
	is_refused(&facts, "'linux':{'timeOffsets':{},'intelRdt':null}", "", "empty ones pass");
}

#define CGROUP(path) "'linux':{'cgroupsPath':'" path "'}"

static void test_cgroups_path(void)
{
	is_refused(&facts, CGROUP("/docker/c1"), "", "an engine's cgroup passes");
	is_refused(&facts, CGROUP("/libpod_parent/libpod-c1"), "", "so does Podman's");
	is_refused(&facts, CGROUP("/"), "/linux/cgroupsPath: / is no place for a container's cgroup (resources)", "the root is refused");
	is_refused(&facts, CGROUP("/docker/../c1"), "/linux/cgroupsPath: /docker/../c1 is no place for a container's cgroup (resources)", "so is a path with ..");
	is_refused(&facts, CGROUP("/system.slice/sshd.service"), "/linux/cgroupsPath: cgroup /system.slice/sshd.service does not carry the container's id (resources)", "somebody else's cgroup is refused");
	is_refused(&taken, CGROUP("/system.slice/c1"), "/linux/cgroupsPath: cgroup /system.slice/c1 holds processes already (resources)", "one with processes of others is refused");
	is_refused(&taken, "'linux':{}", "/linux/cgroupsPath: cgroup of that id holds processes already (resources)", "also where the id alone leads there");
	is_refused(&facts, CGROUP("/c1/other"), "/linux/cgroupsPath: cgroup /c1/other does not carry the container's id (resources)", "the id must be in the last part");
	is_refused(&systemd, CGROUP("system.slice:docker:c1"), "", "systemd's form passes");
	is_refused(&systemd, CGROUP(":cri-containerd:c1"), "", "without a slice, too");
	is_refused(&systemd, CGROUP("-.slice:docker:c1"), "/linux/cgroupsPath: -.slice:docker:c1 is no place for a container's cgroup (resources)", "but not the root slice");
	is_refused(&systemd, CGROUP("user.slice:..:c1"), "/linux/cgroupsPath: user.slice:..:c1 is no place for a container's cgroup (resources)", "nor dots");
	is_refused(&systemd, CGROUP("system.slice:docker:c1.slice"), "/linux/cgroupsPath: system.slice:docker:c1.slice is no place for a container's cgroup (resources)", "nor what runc takes for a slice");
	is_refused(&systemd, CGROUP("/docker/c1"), "/linux/cgroupsPath: /docker/c1 is no place for a container's cgroup (resources)", "nor a plain path");
}

int main(void)
{
	test_sysctls();
	test_annotations();
	test_linux();
	test_cgroups_path();
	return tap_done();
}
