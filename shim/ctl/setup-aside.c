/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod in a runtime's place: see setup-aside.h. The diversion is registered without a rename, which would leave the place
 * empty for a moment: the runtime gets its second name first, and the link is renamed over the old one.
 */
#include "shim/ctl/setup-aside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/ctl/setup-run.h"
#include "shim/shim.h"

const char *const aside_dirs[ASIDE_DIRS] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* The directory of `path`, where it is one itself; -1. */
static int open_own_dir(const struct setup *setup, const char *path)
{
	cleanup_close int root_fd = open(*setup->root ? setup->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *dir = alloc_copy(path + 1);

	*strrchr(dir, '/') = '\0';
	return root_fd < 0 ? -1 : sys_openat2(root_fd, dir, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

static bool is_quods_link(int dir_fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len <= 0)
		return false;
	target[len] = '\0';
	return !strcmp(target, SETUP_QUOD);
}

/* A link to a runtime of that name in one of the places, which leads to quod as soon as that does, or to quod already. */
static bool leads_to_another(const struct setup *setup, const char *path)
{
	cleanup_close int root_fd = open(*setup->root ? setup->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = root_fd < 0 ? -1 : sys_openat2(root_fd, path, O_PATH, RESOLVE_IN_ROOT);
	cleanup_free char *root = file_fd_path(root_fd), *leads = fd < 0 ? NULL : file_fd_path(fd);
	size_t skip = root && strcmp(root, "/") ? strlen(root) : 0;

	if (leads && !strcmp(leads + skip, SETUP_QUOD))
		return true;
	for (size_t i = 0; leads && i < ARRAY_SIZE(aside_dirs); i++) {
		cleanup_free char *place = alloc_printf("%s/%s", aside_dirs[i], base_name(path));

		if (!strcmp(leads + skip, place))
			return true;
	}
	return false;
}

void aside_look(const struct setup *setup, const char *path, enum aside_state *state)
{
	cleanup_close int dir_fd = open_own_dir(setup, path);
	struct stat st;

	*state = ASIDE_ABSENT;
	if (dir_fd < 0 || fstatat(dir_fd, base_name(path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (is_quods_link(dir_fd, base_name(path)))
		*state = ASIDE_DONE;
	else if (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && !leads_to_another(setup, path)))
		*state = ASIDE_PLAIN;
}

bool aside_has_dpkg(struct setup *setup)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = setup_open_dir(setup, "/var/lib/dpkg/info/x", false, &ignored);

	return fd >= 0 && access("/usr/bin/dpkg-divert", X_OK) == 0;
}

static int divert(struct setup *setup, const char *path, const char *action, struct err *err)
{
	cleanup_free char *aside = alloc_printf("%s" RUNTIME_ASIDE, path), *says = NULL;
	const char *const argv[] = { "/usr/bin/dpkg-divert", "--quiet", "--root", *setup->root ? setup->root : "/", "--local",
				     "--no-rename", "--divert", aside, action, path, NULL };

	if (!aside_has_dpkg(setup))
		return 0;
	if (setup_run(argv, NULL, &says, err) == 0)
		return 0;
	return err_set(err, EIO, "dpkg-divert %s %s: %s", action, path, says ? says : err->text);
}

int aside_put(struct setup *setup, const char *path, struct err *err)
{
	cleanup_close int dir_fd = open_own_dir(setup, path);
	const char *name = base_name(path);
	cleanup_free char *aside = alloc_printf("%s" RUNTIME_ASIDE, name), *temporary = alloc_printf(".%s.quod-new", name);

	if (dir_fd < 0)
		return err_set_errno(err, errno, "%s%s", setup->root, path);
	if (divert(setup, path, "--add", err) < 0)
		return -err->code;
	unlinkat(dir_fd, temporary, 0);
	if ((unlinkat(dir_fd, aside, 0) < 0 && errno != ENOENT) || linkat(dir_fd, name, dir_fd, aside, 0) < 0 ||
	    symlinkat(SETUP_QUOD, dir_fd, temporary) < 0 || renameat(dir_fd, temporary, dir_fd, name) < 0 || fsync(dir_fd) < 0)
		return err_set_errno(err, errno, "put quod in the place of %s%s", setup->root, path);
	return 0;
}

int aside_take_back(struct setup *setup, const char *path, struct err *err)
{
	cleanup_close int dir_fd = open_own_dir(setup, path);
	const char *name = base_name(path);
	cleanup_free char *aside = alloc_printf("%s" RUNTIME_ASIDE, name);
	struct stat st;

	if (dir_fd < 0)
		return err_set_errno(err, errno, "%s%s", setup->root, path);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_quods_link(dir_fd, name)) {
		setup_note(setup, "%s is not quod any more: what stands there stays, and so does %s" RUNTIME_ASIDE ".", path, aside);
		return divert(setup, path, "--remove", err);
	}
	if (fstatat(dir_fd, aside, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		setup_note(setup, "%s is gone from beside %s: its package has been removed since.", aside, path);
		unlinkat(dir_fd, name, 0);
		return divert(setup, path, "--remove", err);
	}
	if (renameat(dir_fd, aside, dir_fd, name) < 0 || fsync(dir_fd) < 0)
		return err_set_errno(err, errno, "put %s%s back into its place", setup->root, path);
	return divert(setup, path, "--remove", err);
}
