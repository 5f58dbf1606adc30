/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clones of checked mount sources: see clones.h. A path could be changed between check and mount; a descriptor can't.
 * The runtime mounts the clones into the container, the createRuntime hook detaches them from the host again.
 */
#include "shim/clones.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

/* A mount point of the same kind as what is cloned: a directory, or an empty file. */
static int make_target(int mounts_fd, const char *name, int source_fd, struct err *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (fstat(source_fd, &st) < 0)
		return err_set_errno(err, errno, "look at mount %s again", name);
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(mounts_fd, name, 0700) < 0)
			return err_set_errno(err, errno, "make directory mounts/%s", name);
		return 0;
	}
	fd = openat(mounts_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? err_set_errno(err, errno, "make file mounts/%s", name) : 0;
}

/* Read-only from the start: no moment in which a runtime has bound it and not yet made it so. */
static int make_readonly(int tree_fd, const char *name, struct err *err)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount_setattr(tree_fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return err_set_errno(err, errno, "make mounts/%s read-only", name);
	return 0;
}

static int clone_one(int mounts_fd, const char *name, int source_fd, bool readonly, struct err *err)
{
	cleanup_close int tree_fd = -1;
	int r;

	r = make_target(mounts_fd, name, source_fd, err);
	if (r)
		return r;
	tree_fd = open_tree(source_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree_fd < 0)
		return err_set_errno(err, errno, "clone the source of mounts/%s", name);
	r = readonly ? make_readonly(tree_fd, name, err) : 0;
	if (r)
		return r;
	if (move_mount(tree_fd, "", mounts_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set_errno(err, errno, "mount mounts/%s", name);
	return 0;
}

/* A small tmpfs, made private at once: whatever the host's /run propagates to sees an empty directory at most. */
static int mount_private(int state_dir_fd, const char *path, struct err *err)
{
	if (mkdirat(state_dir_fd, "mounts", 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, errno, "make %s", path);
	if (mount("quod", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=1m,nr_inodes=4096") < 0)
		return err_set_errno(err, errno, "mount %s", path);
	if (mount(NULL, path, NULL, MS_PRIVATE, NULL) < 0)
		return err_set_errno(err, errno, "make %s private", path);
	return 0;
}

static int clone_all(int mounts_fd, const struct plan *plan, const struct facts *facts, const struct facts_held *held,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < plan->clone_count; i++) {
		const struct plan_clone *clone = &plan->clones[i];
		char name[24];

		snprintf(name, sizeof(name), "%zu", clone->number);
		r = clone_one(mounts_fd, name, (clone->is_protected ? held->protected_fds : held->mount_fds)[clone->mount_index],
			      clone->readonly, err);
	}
	if (!r && !facts->rootfs_is_root_only)
		r = clone_one(mounts_fd, "rootfs", held->rootfs_fd, false, err);
	return r;
}

int clones_make(int state_dir_fd, const struct plan *plan, const struct facts *facts, const struct facts_held *held,
		struct err *err)
{
	cleanup_free char *path = alloc_printf("%s/mounts", facts->state_dir);
	cleanup_close int mounts_fd = -1;
	struct err ignored = ERR_INIT;
	int r;

	if (!plan->clone_count && facts->rootfs_is_root_only)
		return 0;
	r = mount_private(state_dir_fd, path, err);
	if (r)
		return r;
	mounts_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = mounts_fd < 0 ? err_set_errno(err, errno, "%s", path) : clone_all(mounts_fd, plan, facts, held, err);
	if (r)
		clones_detach(facts->state_dir, &ignored);
	return r;
}

char *clones_rootfs(const struct facts *facts)
{
	return facts->rootfs_is_root_only ? alloc_copy(facts->rootfs) : alloc_printf("%s/mounts/rootfs", facts->state_dir);
}

int clones_detach(const char *state_dir, struct err *err)
{
	cleanup_free char *path = alloc_printf("%s/mounts", state_dir);

	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		continue;
	return errno == EINVAL || errno == ENOENT ? 0 : err_set_errno(err, errno, "detach %s", path);
}
