/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cleaning up: see sweep.h. The runtime keeps a directory ROOT/ID while it knows a container: must never remove the state of
 * one that is still there, nor of one that is just being made.
 */
#include "shim/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/placeholders.h"
#include "shim/state/spaces.h"

#define ORPHAN_AGE_S 60
#define LOCK_TIMEOUT_MS 5000
#define CREATES_TIMEOUT_MS 1000	/* a create waits longer: of two that wait for each other, this one gives up */

/* 1: the runtime knows the container, or may; 0: it certainly doesn't. */
static bool is_known(const char *runtime_root, const char *id)
{
	cleanup_free char *path = NULL;
	struct stat st;

	if (!*id || strchr(id, '/') || !strcmp(id, ".") || !strcmp(id, ".."))
		return true;
	path = alloc_printf("%s/%s", runtime_root, id);
	return lstat(path, &st) == 0 || errno != ENOENT;
}

/* What create takes while it counts and claims: with it, nobody makes a state directory anew. */
static int lock_creates(const struct shim *shim, int timeout_ms, struct err *err)
{
	cleanup_free char *path = alloc_printf("%s/creates.lock", shim->places.run_dir);
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	if (record_lock(fd, timeout_ms, err) < 0)
		return err_wrap(err, "%s", path);
	return steal_fd(&fd);
}

static bool is_old(int dir_fd, const struct record *record)
{
	struct stat st;
	int64_t changed;

	if (fstat(dir_fd, &st) < 0)
		return false;
	changed = st.st_mtim.tv_sec > record->created_s ? st.st_mtim.tv_sec : record->created_s;
	return time(NULL) - changed > ORPHAN_AGE_S;
}

/* The hook has seen its first process, and that has ended: nothing is being made any more. */
static bool has_ended(const struct shim *shim, const char *key)
{
	struct err ignored = ERR_INIT;
	struct spaces spaces;
	char path[32];

	if (spaces_read(&shim->places, key, &spaces, &ignored) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d", (int)spaces.pid);
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static int visit_orphan(const char *key, void *data)
{
	const struct shim *shim = data;
	struct record record = { NULL };
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(&shim->places, key, false, &ignored), lock_fd = -1;
	int r;

	if (dir_fd < 0 || !strcmp(key, shim->key))
		return 0;
	r = record_read(dir_fd, &record, &ignored);
	/* Without a record a create has died before it wrote one; one that can't be read may be a newer quod's. */
	if ((r == -ENOENT || (r == 0 && !is_known(record.runtime_root, record.id))) &&
	    (is_old(dir_fd, &record) || has_ended(shim, key)) && record_lock(dir_fd, 0, &ignored) == 0) {
		lock_fd = lock_creates(shim, CREATES_TIMEOUT_MS, &ignored);
		if (lock_fd >= 0 && (r || !is_known(record.runtime_root, record.id)))
			record_remove(&shim->places, key, &ignored);
	}
	record_release(&record);
	return 0;
}

void sweep_orphans(const struct shim *shim)
{
	struct err ignored = ERR_INIT;

	record_each(&shim->places, visit_orphan, (void *)shim, &ignored);
	placeholders_release(&shim->places, NULL, &ignored);
}

static bool is_same_file(int a_fd, int b_fd)
{
	struct stat a, b;

	return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int remove_gone(const struct shim *shim, const char *key, int expect_fd, struct err *err)
{
	cleanup_close int dir_fd = record_open_dir(&shim->places, key, false, err), lock_fd = -1;
	struct record record = { NULL };
	struct err unreadable = ERR_INIT;
	bool is_gone;
	int r;

	if (dir_fd < 0)
		return err->code == ENOENT ? 0 : -err->code;
	r = record_lock(dir_fd, LOCK_TIMEOUT_MS, err);
	if (r)
		return r;
	if (record_read(dir_fd, &record, &unreadable) < 0)
		is_gone = !strcmp(key, shim->key) && !is_known(shim->runtime_root, oci_cmdline_id(&shim->line));
	else
		is_gone = !strcmp(record.runtime_root, shim->runtime_root) && !is_known(record.runtime_root, record.id);
	record_release(&record);
	if (!is_gone)
		return 0;
	lock_fd = lock_creates(shim, CREATES_TIMEOUT_MS, err);
	if (lock_fd < 0)
		return lock_fd;
	if (expect_fd >= 0 && !is_same_file(expect_fd, dir_fd))
		return 0;
	return record_remove(&shim->places, key, err);
}

struct gone {
	const struct shim *shim;
	struct err *err;
};

static int visit_gone(const char *key, void *data)
{
	struct gone *gone = data;

	return remove_gone(gone->shim, key, -1, gone->err);
}

int sweep_gone(const struct shim *shim, const char *key, int expect_fd, struct err *err)
{
	struct gone gone = { shim, err };
	int r = key ? remove_gone(shim, key, expect_fd, err) : record_each(&shim->places, visit_gone, &gone, err);

	return r ? r : placeholders_release(&shim->places, NULL, err);
}
