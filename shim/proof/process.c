/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof: the first process as the kernel describes it in /proc/PID, and its namespaces. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void check_uid(struct proof *proof)
{
	cleanup_free char *value = proof_proc_field(proof->spaces.pid, "status", "Uid");

	if (proof->profile->process.root)
		return;
	proof_add(proof, "process.root", !value ? PROOF_INCONCLUSIVE : atoi(value) == 0 ? PROOF_FAILED : PROOF_PROVEN,
		   "/proc/PID/status, Uid", "not uid 0");
	proof_saw(proof, "uid %d", value ? atoi(value) : -1);
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

void proof_namespaces(struct proof *proof)
{
	static const struct {
		unsigned bit;
		const char *name, *proc;
	} namespaces[] = {
		{ NS_PID, "pid", "pid" }, { NS_NETWORK, "network", "net" }, { NS_MOUNT, "mount", "mnt" },
		{ NS_IPC, "ipc", "ipc" }, { NS_UTS, "uts", "uts" },	    { NS_CGROUP, "cgroup", "cgroup" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		cleanup_free char *path = alloc_printf("/proc/%d/ns/%s", (int)proof->spaces.pid, namespaces[i].proc);
		cleanup_free char *host_path = alloc_printf("/proc/1/ns/%s", namespaces[i].proc);
		struct stat own, host;
		bool is_known = stat(path, &own) == 0 && stat(host_path, &host) == 0;

		if (!(proof->profile->namespaces.private & namespaces[i].bit))
			continue;
		proof_add(proof, "namespaces.private",
			   !is_known ? PROOF_INCONCLUSIVE : own.st_ino == host.st_ino ? PROOF_FAILED : PROOF_PROVEN,
			   "/proc/PID/ns beside /proc/1/ns", "%s of its own", namespaces[i].name);
		if (is_known)
			proof_saw(proof, "%s:[%llu]%s", namespaces[i].proc, (unsigned long long)own.st_ino,
				   own.st_ino == host.st_ino ? ", the host's" : "");
	}
}
