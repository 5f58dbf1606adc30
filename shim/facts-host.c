/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about the host: cgroups, limits, capabilities, addresses, security modules. Looks, changes nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/facts.h"

static bool has_file(const char *path)
{
	return access(path, F_OK) == 0;
}

/* v2 has no memory.swap.max in its root: any child shows whether the kernel accounts swap. */
static bool child_has_file(const char *directory, const char *name)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		cleanup_free char *path = alloc_printf("%s/%s/%s", directory, entry->d_name, name);

		found = entry->d_name[0] != '.' && has_file(path);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void look_at_cgroups(struct facts *facts)
{
	struct statfs fs;

	facts->cgroup_version = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC ? 2 : 1;
	facts->has_swap_accounting = facts->cgroup_version == 2 ? child_has_file("/sys/fs/cgroup", "memory.swap.max") :
								  has_file("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
}

static void look_at_limits(struct facts *facts)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;

		facts->rlimit_hard[i] = getrlimit((__rlimit_resource_t)i, &limit) == 0 ? limit.rlim_max : 0;
	}
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			facts->own_capabilities |= 1ull << i;
	facts->may_raise_rlimits = facts->own_capabilities >> CAP_SYS_RESOURCE & 1;
}

/* The whole of uid_map in one line "0 0 4294967295" is the initial user namespace. */
static bool in_user_namespace(void)
{
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned inside = 1, outside = 1, count = 0;

	if (!map || fscanf(map, "%u %u %u", &inside, &outside, &count) != 3)
		return true;
	return inside != 0 || outside != 0 || count != 4294967295u;
}

bool host_is_rootless(void)
{
	return geteuid() != 0 || in_user_namespace();
}

int facts_gather_addresses(struct facts *facts, struct err *err)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return err_set_errno(err, errno, "the host's own addresses can't be listed");
	for (struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct network network = { .prefix = 32 };

		if (!at->ifa_addr)
			continue;
		if (at->ifa_addr->sa_family == AF_INET) {
			network.base.family = 4;
			memcpy(network.base.bytes, &((struct sockaddr_in *)at->ifa_addr)->sin_addr, 4);
		} else if (at->ifa_addr->sa_family == AF_INET6) {
			network.base.family = 6;
			network.prefix = 128;
			memcpy(network.base.bytes, &((struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, 16);
		} else {
			continue;
		}
		facts->host_addresses = alloc_grow(facts->host_addresses, facts->host_address_count + 1,
						   sizeof(*facts->host_addresses));
		facts->host_addresses[facts->host_address_count++] = network;
	}
	freeifaddrs(list);
	return 0;
}

/* What the host has at the path of each device node: a path inside says nothing of what is behind it. */
static void look_at_devices(const struct oci_config *config, struct facts *facts)
{
	size_t count = json_is(config->devices, JSON_ARRAY) ? config->devices->count : 0;

	facts->devices = alloc_zeroed(count, sizeof(*facts->devices));
	facts->device_count = count;
	for (size_t i = 0; i < count; i++) {
		const char *path = json_string(json_get(config->devices->items[i], "path"));
		struct fact_device *fact = &facts->devices[i];
		struct stat st;

		if (!path || lstat(path, &st) < 0) {
			fact->error = path ? errno : ENOENT;
			continue;
		}
		fact->mode = st.st_mode & S_IFMT;
		fact->major = major(st.st_rdev);
		fact->minor = minor(st.st_rdev);
	}
}

/* What a process inherits that asks for nothing else. */
static int look_at_oom_score(void)
{
	cleanup_fclose FILE *file = fopen("/proc/self/oom_score_adj", "re");
	int value = 0;

	return file && fscanf(file, "%d", &value) == 1 ? value : 0;
}

static bool is_apparmor_on(void)
{
	cleanup_close int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char flag = 'N';

	return fd >= 0 && read(fd, &flag, 1) == 1 && flag == 'Y';
}

/* In a user namespace the real uid is what ours is mapped to outside. */
static uint32_t invoking_user(void)
{
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, count, uid = getuid();

	while (map && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3)
		if (uid >= inside && uid - inside < count)
			return outside + (uid - inside);
	return uid;
}

int facts_gather_host(const struct shim *shim, const struct oci_config *config, struct facts *facts, struct err *err)
{
	look_at_cgroups(facts);
	look_at_limits(facts);
	look_at_devices(config, facts);
	facts->oom_score_adj = look_at_oom_score();
	facts->user = invoking_user();
	facts->wants_systemd_cgroup = oci_cmdline_global(&shim->line, "systemd-cgroup") != NULL;
	facts->hook_path = alloc_copy(QUOD_LIBEXECDIR "/quod-hook");
	facts->has_apparmor = is_apparmor_on();
	facts->has_selinux = has_file("/sys/fs/selinux/enforce");
	return facts_gather_addresses(facts, err);
}
