/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of how mounts, the root file system and the network are planned. Facts are given, no host is asked. */
#include <errno.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/policy/mount-options.h"
#include "shim/policy/paths.h"
#include "shim/policy/plan.h"
#include "shim/policy/ranges.h"
#include "tests/unit/tap.h"

#define ID "5d0e4f6d6e2b"
#define EXT4 0xef53

static struct mount_rule workspace_rule = { (char *)"/srv/agents/web/**", (char *)"/workspace/**", false };

/* One case: a mount (as JSON) with the facts of its source, under a profile; what comes out. */
struct mount_case {
	const char *mount;
	const char *resolved, *destination;
	mode_t mode;
	uint64_t fs_magic;
	bool is_mount_point, not_root_only;
	const char *wanted;	/* "kept", "removed" or a part of the refusal */
	const char *what;
};

static void base_profile(struct profile *profile)
{
	*profile = (struct profile){ .name = (char *)"test" };
	profile->mounts.allow = &workspace_rule;
	profile->mounts.allow_count = 1;
	profile->mounts.volumes = VOLUMES_ALLOW;
	profile->resources.memory = 1u << 30;
	profile->rootfs.mask = false;
}


/* A mount that is put in another's place is shown by its last option but the copy. */
static const char *replacement(const struct plan *plan)
{
	for (size_t i = 0; i < plan->edits.count; i++) {
		const struct json *options = json_get(plan->edits.items[i].value, "options");

		if (plan->edits.items[i].op == OCI_EDIT_REPLACE && options && plan->volumes.count == 1)
			return json_string(options->items[options->count - 3]);
	}
	return NULL;
}

static const char *verdict(const struct plan *plan)
{
	if (plan->refusal_count)
		return plan->refusals[0].text;
	if (replacement(plan))
		return replacement(plan);
	for (size_t i = 0; i < plan->edits.count; i++)
		if (plan->edits.items[i].op == OCI_EDIT_REMOVE)
			return "removed";
	return "kept";
}

static void run_case(const struct mount_case *test, const struct profile *profile)
{
	cleanup_free char *text = alloc_printf("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"linux\":{},\"mounts\":[%s]}",
					       test->mount);
	struct fact_mount fact = { .resolved = (char *)test->resolved, .destination = (char *)test->destination,
				   .mode = test->mode, .fs_magic = test->fs_magic ? test->fs_magic : EXT4,
				   .is_bind = strstr(test->mount, "bind") != NULL, .is_mount_point = test->is_mount_point,
				   .is_root_only = !test->not_root_only };
	struct facts facts = { .engine = ENGINE_DOCKER, .id = ID, .rootfs = (char *)"/var/lib/docker/overlay2/x/merged",
			       .engine_data_root = (char *)"/var/lib/docker", .mounts = &fact, .mount_count = 1,
			       .state_dir = "/run/quod/containers/k", .home = (char *)"/root" };
	struct json_tree *tree = NULL;
	struct oci_config config;
	struct err err = ERR_INIT;
	struct plan plan;

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &tree, &err)) {
		OK(0, "mounts: %s: the case itself is JSON (%s)", test->what, err.text);
		return;
	}
	oci_config_view(json_root(tree), &config);
	plan_init(&plan);
	plan_mounts(&(struct plan_input){ profile, &config, &facts }, &plan);
	OK(strstr(verdict(&plan), test->wanted) != NULL, "mounts: %s", test->what);
	if (!strstr(verdict(&plan), test->wanted))
		printf("# got:    %s\n# wanted: %s\n", verdict(&plan), test->wanted);
	plan_release(&plan);
	oci_config_release(&config);
	json_tree_free(tree);
}

#define BIND(source, destination) "{\"destination\":\"" destination "\",\"type\":\"bind\",\"source\":\"" source "\",\"options\":[\"rbind\",\"rprivate\"]}"
#define OWN "/var/lib/docker/containers/" ID
#define KERNEL(type, destination) "{\"destination\":\"" destination "\",\"type\":\"" type "\",\"source\":\"" type "\"}"

static const struct mount_case cases[] = {
	{ BIND("/etc", "/mnt"), "/etc", "/mnt", S_IFDIR, 0, false, false, "host path /etc is not allowed at /mnt", "a host path is refused in the contract's words" },
	{ BIND("/var/run/docker.sock", "/s"), "/run/docker.sock", "/s", S_IFSOCK, 0, false, false, "(a socket)", "a socket says that it is one" },
	{ BIND("/dev/kmsg", "/f"), "/dev/kmsg", "/f", S_IFCHR, 0, false, false, "(a device)", "so does a device" },
	{ BIND(OWN "/hosts", "/etc/hosts"), OWN "/hosts", "/etc/hosts", S_IFREG, 0, false, false, "kept", "the engine's own hosts file is known" },
	{ BIND(OWN "/hosts", "/etc/hosts"), OWN "/hosts", "/etc/hosts", S_IFREG, 0, false, true, "not allowed", "unless somebody else could change the path to it" },
	{ BIND(OWN "/hosts", "/etc/passwd"), OWN "/hosts", "/etc/passwd", S_IFREG, 0, false, false, "not allowed", "at another place it is a host path" },
	{ BIND("/var/lib/docker/containers/other/hosts", "/etc/hosts"), "/var/lib/docker/containers/other/hosts", "/etc/hosts", S_IFREG, 0, false, false, "not allowed", "another container's hosts file is a host path" },
	{ BIND("/srv/containers/" ID "/hosts", "/etc/hosts"), "/srv/containers/" ID "/hosts", "/etc/hosts", S_IFREG, 0, false, false, "not allowed", "a directory that only looks like the engine's is none" },
	{ BIND(OWN "/hosts", "/etc/hosts"), "/etc/shadow", "/etc/hosts", S_IFREG, 0, false, false, "host path /etc/shadow", "a link to somewhere else is judged by where it leads" },
	{ BIND("/var/lib/docker/volumes/v/_data", "/v"), "/var/lib/docker/volumes/v/_data", "/v", S_IFDIR, 0, false, false, "kept", "a volume is the engine's own" },
	{ BIND("/var/lib/docker/volumes/v/_data", "/v"), "/var/lib/docker/volumes/v/_data", "/v", S_IFDIR, 0, true, false, "mount of something else", "a volume that is a mount is a bind in disguise" },
	{ BIND("/var/lib/docker/volumes/v/secret", "/v"), "/var/lib/docker/volumes/v/secret", "/v", S_IFDIR, 0, false, false, "not allowed", "beside _data there is no volume" },
	{ BIND("/srv/agents/web/src", "/workspace/src"), "/srv/agents/web/src", "/workspace/src", S_IFDIR, 0, false, false, "kept", "an allowed workspace is mounted" },
	{ BIND("/srv/agents/web", "/workspace"), "/srv/agents/web", "/workspace", S_IFDIR, 0, false, false, "kept", "/** takes the directory itself along" },
	{ BIND("/srv/agents/website", "/workspace"), "/srv/agents/website", "/workspace", S_IFDIR, 0, false, false, "not allowed", "but not one whose name only begins like it" },
	{ BIND("/srv/agents/web", "/etc"), "/srv/agents/web", "/etc", S_IFDIR, 0, false, false, "not allowed", "an allowed source at another destination is refused" },
	{ BIND("/srv/agents/web/s", "/workspace/s"), "/srv/agents/web/s", "/workspace/s", S_IFSOCK, 0, false, false, "neither a directory nor a file", "a socket inside an allowed workspace is refused" },
	{ BIND("/srv/agents/web/p", "/workspace/p"), "/srv/agents/web/p", "/workspace/p", S_IFDIR, PROC_SUPER_MAGIC, false, false, "kernel's", "so is a procfs inside it" },
	{ BIND("/srv/agents/web", "/proc/x"), "/srv/agents/web", "/proc/x", S_IFDIR, 0, false, false, "nothing may be mounted at /proc/x", "nothing may hide a mask of /proc" },
	{ BIND("/x", "/workspace"), "/x", NULL, S_IFDIR, 0, false, false, "no place", "a destination with .. has no place" },
	{ KERNEL("proc", "/proc"), NULL, "/proc", 0, 0, false, false, "kept", "proc at /proc stays" },
	{ KERNEL("proc", "/p"), NULL, "/p", 0, 0, false, false, "may stand at /proc only", "a second proc is refused" },
	{ KERNEL("debugfs", "/mnt"), NULL, "/mnt", 0, 0, false, false, "mount type debugfs", "a type that nobody listed is refused" },
	{ KERNEL("overlay", "/mnt"), NULL, "/mnt", 0, 0, false, false, "mount type overlay", "an overlay is a mount of host directories" },
	{ "{\"destination\":\"/t\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"size=1m,size=99g\"]}", NULL, "/t", 0, 0, false, false, "option 'size=1m,size=99g'", "an option that hides a second one is refused" },
	{ "{\"destination\":\"/t\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"context=x\"]}", NULL, "/t", 0, 0, false, false, "option 'context=x'", "unknown mount data is refused" },
	{ "{\"destination\":\"/sys/firmware\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}", NULL, "/sys/firmware", 0, 0, false, false, "nothing may be mounted", "a tmpfs over /sys is refused" },
};

static void test_strip(void)
{
	struct profile profile;

	base_profile(&profile);
	profile.mounts.strip = true;
	run_case(&(struct mount_case){ BIND("/etc", "/mnt"), "/etc", "/mnt", S_IFDIR, 0, false, false, "removed", "mounts.host strip takes a host path away" }, &profile);
	profile.mounts.volumes = VOLUMES_REFUSE;
	run_case(&(struct mount_case){ BIND("/var/lib/docker/volumes/v/_data", "/v"), "/var/lib/docker/volumes/v/_data", "/v", S_IFDIR, 0, false, false, "volume", "mounts.volumes false refuses a volume" }, &profile);
}

#define ANONYMOUS "/var/lib/docker/volumes/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/_data"

static void test_volumes(void)
{
	struct profile profile;

	base_profile(&profile);
	profile.mounts.volumes = VOLUMES_TMPFS;
	run_case(&(struct mount_case){ BIND(ANONYMOUS, "/v"), ANONYMOUS, "/v", S_IFDIR, 0, false, false, "size=1073741824", "an anonymous volume becomes a bounded tmpfs" }, &profile);
	run_case(&(struct mount_case){ BIND(ANONYMOUS, "/v"), ANONYMOUS, "/v", S_IFDIR, 0, true, false, "mount of something else", "but not one that is a bind in disguise" }, &profile);
	run_case(&(struct mount_case){ BIND(ANONYMOUS "/x", "/v"), ANONYMOUS "/x", "/v", S_IFDIR, 0, false, false, "isn't an anonymous one", "nor a part of one" }, &profile);
	run_case(&(struct mount_case){ BIND("/var/lib/docker/volumes/v/_data", "/v"), "/var/lib/docker/volumes/v/_data", "/v", S_IFDIR, 0, false, false, "isn't an anonymous one", "a named volume is refused then" }, &profile);
}

static void is_bounded(const char *options, const struct mount_bounds *bounds, enum mount_kind kind, const char *wanted)
{
	cleanup_free char *text = alloc_printf("{\"options\":%s}", options);
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;
	struct oci_mount mount = { 0 };

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &tree, &err))
		return;
	mount.options = json_get(json_root(tree), "options");
	json_print(&buf, mount_options_bound(tree, &mount, kind, bounds), 0);
	IS_STR(buf.data, wanted, "mounts: options %s become stricter", options);
}

static void test_options(void)
{
	const struct mount_bounds readonly = { true, true, UINT64_MAX, true }, sized = { false, true, 1048576, false };

	is_bounded("[\"rbind\",\"rw\",\"rshared\"]", &readonly, MOUNT_BIND, "[\"bind\",\"rprivate\",\"ro\",\"nosuid\",\"nodev\"]");
	is_bounded("[\"bind\",\"rprivate\",\"ro\",\"nosuid\",\"nodev\"]", &readonly, MOUNT_BIND, "[\"bind\",\"rprivate\",\"ro\",\"nosuid\",\"nodev\"]");
	is_bounded("[\"size=4k\"]", &sized, MOUNT_TMPFS, "[\"size=4k\",\"nosuid\",\"nodev\",\"nr_inodes=1024\"]");
	is_bounded("[\"size=2g\",\"nr_inodes=0\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	is_bounded("[\"size=50%\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	/* what the kernel takes for 2^60 bytes, and what it doesn't take */
	is_bounded("[\"size=1E\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	is_bounded("[\"size=1p\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	is_bounded("[\"size=0x7fffffffffff\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	is_bounded("[\"size=-1\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	is_bounded("[\"size=6MMM1k\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
	is_bounded("[\"nr_inodes=1E\"]", &sized, MOUNT_TMPFS, "[\"nosuid\",\"nodev\",\"size=1048576\",\"nr_inodes=1024\"]");
}

static void test_subtract(void)
{
	const struct network all = { .base = { .family = 4 } }, ten = { .base = { .family = 4, .bytes = { 10 } }, .prefix = 8 };
	struct rule_ranges ranges = { NULL, 0 };
	struct rule_range whole = range_of_network(&all), cut = range_of_network(&ten);

	rule_ranges_add(&ranges, &whole);
	cut.port_first = 80;
	cut.port_last = 443;
	ranges_subtract(&ranges, &cut);
	OK(ranges.count == 4, "ranges: a cut out of the middle leaves four pieces");
	OK(ranges.items[0].last[0] == 9 && ranges.items[0].last[3] == 255, "ranges: the first ends just before it");
	OK(ranges.items[1].first[0] == 11 && ranges.items[1].first[3] == 0, "ranges: the second begins just behind it");
	OK(ranges.items[2].port_last == 79 && ranges.items[3].port_first == 444, "ranges: its other ports stay");
	free(ranges.items);
}

static bool list_covers(const struct rule_ranges *ranges, const char *text, uint16_t port, uint8_t protocol)
{
	struct address address;
	size_t len;

	if (address_parse(text, &address))
		return false;
	len = address.family == 4 ? 4 : 16;
	for (size_t i = 0; i < ranges->count; i++) {
		const struct rule_range *range = &ranges->items[i];

		if (range->family == address.family && range->protocol == protocol && port >= range->port_first &&
		    port <= range->port_last && memcmp(range->first, address.bytes, len) <= 0 &&
		    memcmp(address.bytes, range->last, len) <= 0)
			return true;
	}
	return false;
}

static void test_network(void)
{
	struct entry allow[3];
	struct profile profile;
	struct facts facts = { .host_addresses = (struct network[]){ { .base = { .family = 4, .bytes = { 192, 0, 2, 1 } }, .prefix = 32 } },
			       .host_address_count = 1 };
	struct err err = ERR_INIT;
	struct plan plan;

	base_profile(&profile);
	profile.egress.allow = allow;
	profile.egress.allow_count = 3;
	if (entry_parse("@public:443", &allow[0], &err) || entry_parse("10.20.0.0/16:5432", &allow[1], &err) ||
	    entry_parse("169.254.169.254:80", &allow[2], &err)) {
		OK(0, "network: the entries parse (%s)", err.text);
		return;
	}
	plan_init(&plan);
	plan_network(&(struct plan_input){ &profile, NULL, &facts }, &plan);
	OK(list_covers(&plan.ruleset.allow, "8.8.8.8", 443, IPPROTO_TCP), "network: @public holds a public address");
	OK(list_covers(&plan.ruleset.allow, "2606:4700::1", 443, IPPROTO_TCP), "network: and a public v6 one");
	OK(!list_covers(&plan.ruleset.allow, "8.8.8.8", 80, IPPROTO_TCP), "network: on its port only");
	OK(!list_covers(&plan.ruleset.allow, "8.8.8.8", 443, IPPROTO_UDP), "network: and its protocol");
	OK(!list_covers(&plan.ruleset.allow, "10.1.2.3", 443, IPPROTO_TCP), "network: no private address");
	OK(!list_covers(&plan.ruleset.allow, "100.64.0.1", 443, IPPROTO_TCP), "network: no shared address");
	OK(!list_covers(&plan.ruleset.allow, "::ffff:10.0.0.1", 443, IPPROTO_TCP), "network: no private address in v6's clothes");
	OK(list_covers(&plan.ruleset.allow, "10.20.3.4", 5432, IPPROTO_TCP), "network: a network that is named is allowed");
	OK(list_covers(&plan.ruleset.exact, "169.254.169.254", 80, IPPROTO_TCP), "network: a single address is an exact entry");
	OK(list_covers(&plan.ruleset.never, "192.0.2.1", 1, 0), "network: the host's own address is never reachable");
	OK(list_covers(&plan.ruleset.never, "169.254.169.254", 1, 0), "network: nor is cloud metadata");
	plan_release(&plan);
	profile.process.capabilities = 1ull << 13;
	plan_init(&plan);
	plan_network(&(struct plan_input){ &profile, NULL, &facts }, &plan);
	OK(plan.refusal_count == 1, "network: CAP_NET_RAW beside egress rules is refused");
	plan_release(&plan);
	for (size_t i = 0; i < 3; i++)
		entry_release(&allow[i]);
}

int main(void)
{
	struct profile profile;

	base_profile(&profile);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], &profile);
	test_strip();
	test_volumes();
	test_options();
	test_subtract();
	test_network();
	return tap_done();
}
