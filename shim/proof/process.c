/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof: the first process as the kernel describes it in /proc/PID, and its namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/proof/proof.h"

char *proof_proc_field(pid_t pid, const char *file, const char *name)
{
	cleanup_free char *path = alloc_printf("/proc/%d/%s", (int)pid, file);
	cleanup_fclose FILE *stream = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t room = 0, len = strlen(name);

	while (stream && getline(&line, &room, stream) > 0) {
		char *value;

		if (strncmp(line, name, len))
			continue;
		value = line + len + strspn(line + len, ": \t");
		value[strcspn(value, "\n")] = '\0';
		return alloc_copy(value);
	}
	return NULL;
}

static void check_capabilities(struct proof *proof)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	uint64_t seen = 0, allowed = proof->profile->process.capabilities;
	bool is_known = true;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		cleanup_free char *value = proof_proc_field(proof->spaces.pid, "status", sets[i]);

		is_known = is_known && value;
		seen |= value ? strtoull(value, NULL, 16) : 0;
	}
	proof_add(proof, "process.capabilities", !is_known ? PROOF_INCONCLUSIVE : seen & ~allowed ? PROOF_FAILED : PROOF_PROVEN,
		   "/proc/PID/status, all five sets", "at most %016llx", (unsigned long long)allowed);
	proof_saw(proof, "%016llx", (unsigned long long)seen);
}

static void check_flag(struct proof *proof, const char *key, const char *field, const char *wanted, const char *promised)
{
	cleanup_free char *value = proof_proc_field(proof->spaces.pid, "status", field);
	cleanup_free char *how = alloc_printf("/proc/PID/status, %s", field);

	proof_add(proof, key, !value ? PROOF_INCONCLUSIVE : strcmp(value, wanted) ? PROOF_FAILED : PROOF_PROVEN, how, "%s", promised);
	proof_saw(proof, "%s %s", field, value ? value : "unknown");
}

/* Those over the runtime are inherited: the one of config.json comes on top. */
static void check_filter(struct proof *proof)
{
	cleanup_free char *mode = proof_proc_field(proof->spaces.pid, "status", "Seccomp");
	cleanup_free char *count = proof_proc_field(proof->spaces.pid, "status", "Seccomp_filters");
	unsigned filters = count ? (unsigned)strtoul(count, NULL, 10) : 0, least = proof->spaces.filters + 1;
	bool is_on = mode && !strcmp(mode, "2") && (!count || filters >= least);

	proof_add(proof, "seccomp.floor", !mode ? PROOF_INCONCLUSIVE : is_on ? PROOF_PROVEN : PROOF_FAILED,
		  "/proc/PID/status, Seccomp and Seccomp_filters", "a filter of its own, %u in all", least);
	proof_saw(proof, "Seccomp %s, %u filters", mode ? mode : "unknown", filters);
}

/* As the namespace around quod's own has it: uid 0 of a user namespace is somebody else there. -1: nobody. */
static int64_t uid_outside(unsigned uid)
{
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, count;

	while (map && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3)
		if (uid >= inside && uid - inside < count)
			return (int64_t)outside + (uid - inside);
	return -1;
}

static void check_uid(struct proof *proof)
{
	cleanup_free char *value = proof_proc_field(proof->spaces.pid, "status", "Uid");
	int64_t uid = value ? uid_outside((unsigned)strtoul(value, NULL, 10)) : -1;

	if (proof->profile->process.root)
		return;
	proof_add(proof, "process.root", uid < 0 ? PROOF_INCONCLUSIVE : uid == 0 ? PROOF_FAILED : PROOF_PROVEN,
		   "/proc/PID/status, Uid", "not uid 0");
	proof_saw(proof, "uid %lld", (long long)uid);
}

static const char *limits_line(const char *name)
{
	static const char *const names[][2] = {
		{ "nofile", "Max open files" },	      { "core", "Max core file size" },	    { "nproc", "Max processes" },
		{ "memlock", "Max locked memory" },   { "fsize", "Max file size" },	    { "stack", "Max stack size" },
		{ "cpu", "Max cpu time" },	      { "as", "Max address space" },	    { "data", "Max data size" },
		{ "msgqueue", "Max msgqueue size" },  { "nice", "Max nice priority" },	    { "rtprio", "Max realtime priority" },
		{ "rttime", "Max realtime timeout" }, { "rss", "Max resident set" },	    { "locks", "Max file locks" },
		{ "sigpending", "Max pending signals" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i][0], name))
			return names[i][1];
	return NULL;
}

static void check_rlimits(struct proof *proof)
{
	for (size_t i = 0; i < proof->profile->process.rlimit_count; i++) {
		const struct rlimit_rule *rule = &proof->profile->process.rlimits[i];
		const char *name = limits_line(rule->name);
		cleanup_free char *value = name ? proof_proc_field(proof->spaces.pid, "limits", name) : NULL;
		char soft[32] = "", hard[32] = "";
		uint64_t seen;

		if (rule->value == LIMIT_UNLIMITED)
			continue;
		if (value)
			sscanf(value, "%31s %31s", soft, hard);
		seen = !strcmp(hard, "unlimited") ? UINT64_MAX : strtoull(hard, NULL, 10);
		proof_add(proof, "process.rlimits", !hard[0] ? PROOF_INCONCLUSIVE : seen > rule->value ? PROOF_FAILED : PROOF_PROVEN,
			   "/proc/PID/limits", "%s at most %llu", rule->name, (unsigned long long)rule->value);
		proof_saw(proof, "%s %s", rule->name, hard[0] ? hard : "unknown");
	}
}

static void check_guard(struct proof *proof)
{
	cleanup_free char *tracer = proof_proc_field(proof->spaces.pid, "status", "TracerPid");
	pid_t pid = tracer ? (pid_t)atoi(tracer) : 0;
	cleanup_free char *name = pid > 0 ? proof_proc_field(pid, "status", "Name") : NULL;
	bool is_ours = name && !strncmp(name, "quod", 4);

	if (proof->profile->guard != GUARD_KILL)
		return;
	proof_add(proof, "guard", is_ours ? PROOF_PROVEN : PROOF_FAILED, "/proc/PID/status, TracerPid",
		   "kill: ends with its guardian");
	if (is_ours)
		proof_saw(proof, "traced by %s, pid %d", name, (int)pid);
	else
		proof_saw(proof, "not traced by a guardian");
}

void proof_process(struct proof *proof)
{
	check_guard(proof);
	if (proof->stage == PROOF_CREATED)
		return;
	check_capabilities(proof);
	if (proof->profile->process.no_new_privs)
		check_flag(proof, "process.no_new_privs", "NoNewPrivs", "1", "on");
	check_uid(proof);
	check_rlimits(proof);
	if (proof->profile->seccomp.floor)
		check_filter(proof);
}

/* The inode that every kernel gives the initial user namespace (PROC_USER_INIT_INO). */
#define INIT_USER_NAMESPACE_INODE 0xeffffffdu

/* Where pid 1 is closed to quod (rootless): the host's belongs to the initial user namespace, which from inside of another
 * isn't even shown. What belongs to ours or one below it, and isn't the one quod is in, is the container's own. */
static enum proof_outcome belongs_to_user(const char *path, const struct stat *own, const char *name)
{
	cleanup_free char *quods_path = alloc_printf("/proc/self/ns/%s", name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC), owner_fd = fd < 0 ? -1 : ioctl(fd, NS_GET_USERNS);
	struct stat owner, quods;

	if (fd < 0 || stat(quods_path, &quods) < 0 || (owner_fd < 0 && errno != EPERM))
		return PROOF_INCONCLUSIVE;
	if (owner_fd < 0 || own->st_ino == quods.st_ino)
		return PROOF_FAILED;
	if (fstat(owner_fd, &owner) < 0)
		return PROOF_INCONCLUSIVE;
	return owner.st_ino == INIT_USER_NAMESPACE_INODE ? PROOF_INCONCLUSIVE : PROOF_PROVEN;
}

static void check_namespace(struct proof *proof, const char *name, const char *file)
{
	cleanup_free char *path = alloc_printf("/proc/%d/ns/%s", (int)proof->spaces.pid, file);
	cleanup_free char *host_path = alloc_printf("/proc/1/ns/%s", file);
	enum proof_outcome result = PROOF_INCONCLUSIVE;
	struct stat own, host;
	bool is_known = stat(path, &own) == 0;
	bool is_closed = is_known && stat(host_path, &host) < 0;

	if (is_closed && (errno == EACCES || errno == EPERM))
		result = belongs_to_user(path, &own, file);
	else if (is_known && !is_closed)
		result = own.st_ino == host.st_ino ? PROOF_FAILED : PROOF_PROVEN;
	proof_add(proof, "namespaces.private", result, is_closed ? "/proc/PID/ns, its owner" : "/proc/PID/ns beside /proc/1/ns",
		   "%s of its own", name);
	if (result != PROOF_INCONCLUSIVE)
		proof_saw(proof, "%s:[%llu]%s", file, (unsigned long long)own.st_ino, result == PROOF_FAILED ? ", the host's" : "");
}

void proof_namespaces(struct proof *proof)
{
	static const struct {
		unsigned bit;
		const char *name, *proc;
	} namespaces[] = {
		{ NS_PID, "pid", "pid" }, { NS_NETWORK, "network", "net" }, { NS_MOUNT, "mount", "mnt" },
		{ NS_IPC, "ipc", "ipc" }, { NS_UTS, "uts", "uts" },	    { NS_CGROUP, "cgroup", "cgroup" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (proof->profile->namespaces.private & namespaces[i].bit)
			check_namespace(proof, namespaces[i].name, namespaces[i].proc);
}
