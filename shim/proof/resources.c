/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof: the container's cgroup as its files say, on cgroup v1 and v2. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/proof/proof.h"
#include "shim/policy/units.h"

/* The path of the first process in the hierarchy of `controller` ("" is v2's), below the hierarchy's mount. */
static char *cgroup_path(pid_t pid, const char *controller)
{
	cleanup_free char *file = alloc_printf("/proc/%d/cgroup", (int)pid);
	cleanup_fclose FILE *stream = fopen(file, "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (stream && getline(&line, &room, stream) > 0) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL, *name;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		list++;
		if (!*list && !*controller)
			return alloc_copy(path);
		while (*controller && (name = strsep(&list, ",")))
			if (!strcmp(name, controller))
				return alloc_copy(path);
	}
	return NULL;
}

static bool is_v2(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

char *proof_cgroup_value(pid_t pid, const char *controller, const char *file)
{
	bool v2 = is_v2();
	cleanup_free char *path = cgroup_path(pid, v2 ? "" : controller), *text = NULL;
	cleanup_free char *name = !path ? NULL : v2 ? alloc_printf("/sys/fs/cgroup%s/%s", path, file) :
							alloc_printf("/sys/fs/cgroup/%s%s/%s", controller, path, file);
	cleanup_close int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	struct err ignored = ERR_INIT;
	size_t len;

	if (fd < 0 || file_read_all(fd, 4096, &text, &len, &ignored) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return steal_ptr(&text);
}

static char *cgroup_value(struct proof *proof, const char *controller, const char *file)
{
	return proof_cgroup_value(proof->spaces.pid, controller, file);
}

/* "max" and v1's huge page-rounded number are no bound. */
static uint64_t limit_value(const char *text)
{
	uint64_t value = strtoull(text, NULL, 10);

	return !strncmp(text, "max", 3) || text[0] == '-' || value >= (UINT64_MAX >> 1) - 65536 ? UINT64_MAX : value;
}

static void add_bytes(struct proof *proof, const char *key, uint64_t promised, const char *value, const char *how)
{
	cleanup_buf struct buf wanted = BUF_INIT, seen = BUF_INIT;

	bytes_print(&wanted, promised);
	if (value && limit_value(value) != UINT64_MAX)
		bytes_print(&seen, limit_value(value));
	proof_add(proof, key, !value || limit_value(value) > promised ? PROOF_FAILED : PROOF_PROVEN, how, "at most %s", wanted.data);
	proof_saw(proof, "%s", !value ? "not in force: this host has no such limit" : seen.len ? seen.data : "no limit");
}

static void check_memory(struct proof *proof)
{
	const struct profile *profile = proof->profile;
	const char *limit_file = is_v2() ? "memory.max" : "memory.limit_in_bytes";
	const char *swap_file = is_v2() ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
	cleanup_free char *limit = cgroup_value(proof, "memory", limit_file), *swap = cgroup_value(proof, "memory", swap_file);
	uint64_t swap_bound = profile->resources.swap;

	if (profile->resources.memory == LIMIT_UNLIMITED)
		return;
	add_bytes(proof, "resources.memory", profile->resources.memory, limit, limit_file);
	if (swap_bound == LIMIT_UNLIMITED)
		return;
	if (!is_v2())
		swap_bound += profile->resources.memory;	/* memsw is memory and swap together */
	add_bytes(proof, "resources.swap", swap_bound, swap, swap_file);
}

/* Thousandths of a CPU; UINT64_MAX when there is no bound. */
static uint64_t cpus_milli(struct proof *proof)
{
	cleanup_free char *quota = cgroup_value(proof, "cpu", is_v2() ? "cpu.max" : "cpu.cfs_quota_us");
	cleanup_free char *period = is_v2() ? NULL : cgroup_value(proof, "cpu", "cpu.cfs_period_us");
	char *end = quota;
	uint64_t us = quota && strncmp(quota, "max", 3) && quota[0] != '-' ? strtoull(quota, &end, 10) : 0;
	uint64_t per = period ? strtoull(period, NULL, 10) : us ? strtoull(end, NULL, 10) : 0;

	return us && per ? us * 1000 / per : UINT64_MAX;
}

static void check_cpus(struct proof *proof)
{
	unsigned long long promised = proof->profile->resources.cpus_milli, seen = cpus_milli(proof);

	if (promised == LIMIT_UNLIMITED)
		return;
	proof_add(proof, "resources.cpus", seen > promised ? PROOF_FAILED : PROOF_PROVEN, is_v2() ? "cpu.max" : "cpu.cfs_quota_us",
		   "at most %llu.%02llu CPUs", promised / 1000, promised % 1000 / 10);
	if (seen == UINT64_MAX)
		proof_saw(proof, "no limit");
	else
		proof_saw(proof, "%llu.%02llu CPUs", seen / 1000, seen % 1000 / 10);
}

static void check_pids(struct proof *proof)
{
	cleanup_free char *value = cgroup_value(proof, "pids", "pids.max");
	uint64_t promised = proof->profile->resources.pids;

	if (promised == LIMIT_UNLIMITED)
		return;
	proof_add(proof, "resources.pids", !value || limit_value(value) > promised ? PROOF_FAILED : PROOF_PROVEN, "pids.max",
		   "at most %llu", (unsigned long long)promised);
	proof_saw(proof, "%s", value ? value : "not in force: this host has no such limit");
}

void proof_resources(struct proof *proof)
{
	check_cpus(proof);
	check_memory(proof);
	check_pids(proof);
}
