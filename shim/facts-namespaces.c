/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about namespaces that are handed over by path: the host's own in disguise, one of a container under quod, or a
 * fresh one without any process. Compared by device and inode.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/egress/netns.h"
#include "shim/facts.h"
#include "shim/policy/selection.h"
#include "shim/state/spaces.h"

static const char *proc_name(const char *type)
{
	static const char *const names[][2] = { { "network", "net" }, { "mount", "mnt" }, { "pid", "pid" }, { "ipc", "ipc" },
						{ "uts", "uts" }, { "user", "user" }, { "cgroup", "cgroup" }, { "time", "time" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i][0], type))
			return names[i][1];
	return NULL;
}

static bool is_namespace_of(const char *process, const char *name, const struct stat *wanted)
{
	cleanup_free char *path = alloc_printf("/proc/%s/ns/%s", process, name);
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

/* The kernel's word for what a namespace file is: a path says nothing of it. */
static bool is_of_type(int fd, const char *name)
{
	static const struct {
		const char *name;
		int flag;
	} types[] = { { "net", CLONE_NEWNET }, { "mnt", CLONE_NEWNS },	 { "pid", CLONE_NEWPID },	{ "ipc", CLONE_NEWIPC },
		      { "uts", CLONE_NEWUTS }, { "user", CLONE_NEWUSER }, { "cgroup", CLONE_NEWCGROUP }, { "time", 0x80 /* NEWTIME */ } };
	cleanup_free char *path = alloc_printf("/proc/self/fd/%d", fd);
	cleanup_close int ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	int type = ns_fd < 0 ? -1 : ioctl(ns_fd, NS_GET_NSTYPE);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, name))
			return types[i].flag == type;
	return false;
}

struct owner_search {
	const struct state_places *places;
	const char *name;
	const struct stat *wanted;
	struct fact_namespace *fact;
};

/* What the container runs under; NULL for one that a rule leaves as it is. */
static struct profile *read_profile(const struct state_places *places, const char *key)
{
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(places, key, false, &ignored);
	struct record record = { .tree = NULL };
	struct profile *profile = NULL;

	if (dir_fd >= 0 && record_read(dir_fd, &record, &ignored) == 0 && strcmp(record.profile, PROFILE_UNMANAGED) &&
	    profile_from_json(record.profile_json, record.profile, &profile, &ignored) < 0)
		profile = NULL;
	record_release(&record);
	return profile;
}

/* A container that made the namespace itself, and still runs in it. */
static int match_owner(const char *key, void *data)
{
	struct owner_search *search = data;
	struct spaces spaces;
	struct err ignored = ERR_INIT;

	if (spaces_read(search->places, key, &spaces, &ignored) < 0)
		return 0;
	if (spaces_has(&spaces, search->name, search->wanted)) {
		/* a network without quod's rules is nobody's to join */
		if (!strcmp(search->name, "net") && !(search->fact->owner_profile = read_profile(search->places, key)))
			return 1;
		search->fact->owner_key = alloc_copy(key);
		search->fact->owner_id = alloc_copy(spaces.id);
		return 1;
	}
	return 0;
}

static void look_at(const struct shim *shim, const struct oci_namespace *entry, struct fact_namespace *fact)
{
	const char *name = entry->type ? proc_name(entry->type) : NULL;
	cleanup_close int fd = open(entry->path, O_PATH | O_CLOEXEC);
	struct owner_search search;
	struct err ignored = ERR_INIT;
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		fact->error = errno;
		return;
	}
	if (fs.f_type != NSFS_MAGIC || !name || !is_of_type(fd, name)) {
		fact->error = EINVAL;
		return;
	}
	fact->is_host = is_namespace_of("1", name, &st) || is_namespace_of("self", name, &st);
	if (fact->is_host)
		return;
	search = (struct owner_search){ &shim->places, name, &st, fact };
	record_each(&shim->places, match_owner, &search, &ignored);
	if (!strcmp(name, "net") && !fact->owner_key)
		fact->is_empty = netns_is_inhabited(fd, 0, &ignored) == 0;
}

int facts_gather_namespaces(const struct shim *shim, const struct oci_config *config, struct facts *facts, struct err *err)
{
	facts->namespaces = alloc_zeroed(config->namespace_count, sizeof(*facts->namespaces));
	facts->namespace_count = config->namespace_count;
	for (size_t i = 0; i < config->namespace_count; i++)
		if (config->namespaces[i].path && config->namespaces[i].path[0])
			look_at(shim, &config->namespaces[i], &facts->namespaces[i]);
	return 0;
}
