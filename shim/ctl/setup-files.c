/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of engines: read with who owns them, written beside, synced and renamed, so that an engine finds either the old
 * text or the new. Paths are resolved below --root, links included: a root directory from elsewhere must never reach this
 * machine's own files.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/syscalls.h"
#include "shim/ctl/setup.h"

#define FILE_MAX (4u << 20)

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int open_below(int root_fd, const char *path)
{
	return sys_openat2(root_fd, *path ? path : "/", O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT);
}

/* The directory `path` itself, made with all above it where that is asked for; what was made is written down. */
static int open_dir(struct setup *setup, const char *path, bool make, struct err *err)
{
	cleanup_close int root_fd = open(*setup->root ? setup->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *above = NULL;
	cleanup_close int above_fd = -1;
	int fd;

	if (root_fd < 0)
		return err_set_errno(err, errno, "--root %s", setup->root);
	fd = open_below(root_fd, path);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT || !make)
		return err_set_errno(err, errno, "%s%s", setup->root, path);
	above = alloc_copy(path);
	*strrchr(above, '/') = '\0';
	above_fd = open_dir(setup, above, true, err);
	if (above_fd < 0)
		return above_fd;
	if (mkdirat(above_fd, base_name(path), 0755) < 0)
		return err_set_errno(err, errno, "make directory %s%s", setup->root, path);
	if (!strings_has(&setup->record.created, path))
		strings_add(&setup->record.created, path);
	fd = open_below(root_fd, path);
	return fd < 0 ? err_set_errno(err, errno, "%s%s", setup->root, path) : fd;
}

int setup_open_dir(struct setup *setup, const char *path, bool make, struct err *err)
{
	cleanup_free char *dir = alloc_copy(path);

	*strrchr(dir, '/') = '\0';
	return open_dir(setup, dir, make, err);
}

int setup_read(struct setup *setup, const char *path, struct setup_file **file, struct err *err)
{
	struct err why = ERR_INIT;
	cleanup_close int dir_fd = setup_open_dir(setup, path, false, &why);
	cleanup_close int fd = -1;
	struct setup_file *made;

	setup->files = alloc_grow(setup->files, setup->file_count + 1, sizeof(*setup->files));
	made = *file = &setup->files[setup->file_count++];
	*made = (struct setup_file){ .path = alloc_copy(path), .mode = 0644 };
	if (dir_fd < 0 && why.code == ENOENT)
		return 0;
	if (dir_fd >= 0)
		fd = file_open_regular(dir_fd, base_name(path), &why);
	if (fd < 0 && why.code == ENOENT)
		return 0;
	if (fd < 0 && why.code == ELOOP)
		return err_set(err, ELOOP, "%s%s is a symbolic link: give the file that it leads to (--config FILE)", setup->root, path);
	if (fd < 0 || file_read_all(fd, FILE_MAX, &made->before, &made->before_len, &why) < 0) {
		*err = why;
		return fd < 0 ? -err->code : err_wrap(err, "%s%s", setup->root, path);
	}
	if (fstat(fd, &made->stat) < 0)
		return err_set_errno(err, errno, "%s%s", setup->root, path);
	if (strlen(made->before) != made->before_len)
		return err_set(err, EINVAL, "%s%s: has a NUL in it, and is left as it is", setup->root, path);
	made->after = alloc_copy(made->before);
	made->after_len = made->before_len;
	return 0;
}

void setup_want(struct setup_file *file, struct buf *text)
{
	free(file->after);
	file->after_len = text->len;
	file->after = buf_steal(text);
}

bool setup_is_changed(const struct setup_file *file)
{
	if (!file->before || !file->after)
		return file->before != file->after;
	return file->before_len != file->after_len || memcmp(file->before, file->after, file->after_len) != 0;
}

char *setup_backup_name(const struct setup_file *file)
{
	char when[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	return alloc_printf("%s.quod-backup-%s", file->path, when);
}

/* Who owns it, its mode and its label are those of the file that it replaces. */
static int take_after(int fd, const struct setup_file *file, int dir_fd)
{
	cleanup_close int old_fd = -1;
	char label[256];
	ssize_t len;

	if (!file->before)
		return fchmod(fd, file->mode) < 0 ? -errno : 0;
	if (fchown(fd, file->stat.st_uid, file->stat.st_gid) < 0 || fchmod(fd, file->stat.st_mode & 07777) < 0)
		return -errno;
	old_fd = openat(dir_fd, base_name(file->path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	len = old_fd < 0 ? -1 : fgetxattr(old_fd, "security.selinux", label, sizeof(label));
	if (len > 0 && fsetxattr(fd, "security.selinux", label, (size_t)len, 0) < 0 && errno != ENOTSUP)
		return -errno;
	return 0;
}

/* Nobody else may have changed it since it was read. */
static int check_unchanged(int dir_fd, const struct setup_file *file)
{
	struct stat now;

	if (fstatat(dir_fd, base_name(file->path), &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && !file->before ? 0 : -errno;
	if (!file->before || now.st_ino != file->stat.st_ino || now.st_size != file->stat.st_size ||
	    now.st_mtim.tv_sec != file->stat.st_mtim.tv_sec || now.st_mtim.tv_nsec != file->stat.st_mtim.tv_nsec)
		return -ESTALE;
	return 0;
}

static int write_new(int dir_fd, const char *name, const struct setup_file *file, bool is_backup)
{
	cleanup_free char *temporary = alloc_printf(".%s.quod-new", name);
	cleanup_close int fd = -1;
	int r;

	unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = is_backup ? file_write_all(fd, file->before, file->before_len) : file_write_all(fd, file->after, file->after_len);
	r = r ? r : take_after(fd, file, dir_fd);
	if (!r && fsync(fd) < 0)
		r = -errno;
	r = r ? r : check_unchanged(dir_fd, file);
	if (!r && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r)
		unlinkat(dir_fd, temporary, 0);
	return r;
}

static int apply_file(struct setup *setup, const struct setup_file *file, struct err *err)
{
	cleanup_close int dir_fd = setup_open_dir(setup, file->path, file->after != NULL, err);
	cleanup_free char *backup = setup_backup_name(file);
	int r = 0;

	if (dir_fd < 0)
		return dir_fd;
	if (file->before && !setup->record.is_there) {
		r = write_new(dir_fd, base_name(backup), file, true);
		if (r)
			return err_set_errno(err, -r, "write %s%s", setup->root, backup);
		setup_note(setup, "%s%s is as it was before.", setup->root, backup);
	}
	if (file->after)
		r = write_new(dir_fd, base_name(file->path), file, false);
	else if (unlinkat(dir_fd, base_name(file->path), 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == -ESTALE)
		return err_set(err, ESTALE, "%s%s was changed by somebody else just now: try again", setup->root, file->path);
	if (r || fsync(dir_fd) < 0)
		return err_set_errno(err, r ? -r : errno, "write %s%s", setup->root, file->path);
	return 0;
}

static void remove_directories(struct setup *setup)
{
	const struct strings *created = &setup->record.created;

	for (size_t i = created->count; i--;) {
		struct err ignored = ERR_INIT;
		cleanup_close int dir_fd = setup_open_dir(setup, created->items[i], false, &ignored);

		if (dir_fd >= 0)
			unlinkat(dir_fd, base_name(created->items[i]), AT_REMOVEDIR);
	}
}

int setup_apply_files(struct setup *setup, struct err *err)
{
	for (size_t i = 0; i < setup->file_count; i++) {
		if (setup_is_changed(&setup->files[i]) && apply_file(setup, &setup->files[i], err) < 0)
			return -err->code;
	}
	if (setup->remove)
		remove_directories(setup);
	return 0;
}
