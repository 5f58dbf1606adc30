/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claiming a container's state directory: see containers.h. One lock over the state of the whole host is held for the
 * microseconds of counting and claiming, never while the runtime runs.
 */
#include "shim/containers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/ledger.h"
#include "shim/sweep.h"

#define LOCK_TIMEOUT_MS 5000
#define PRUNE_EVERY_S 3600
#define KEEP_LEAST_MS 300000u
#define CREATES_MAX_BYTES (1u << 20)

struct count {
	const struct shim *shim;
	const char *profile;
	uint64_t containers;
};

static int count_one(const char *key, void *data)
{
	struct count *count = data;
	struct record record = { .tree = NULL };
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(&count->shim->places, key, false, &ignored);

	if (dir_fd < 0 || !strcmp(key, count->shim->key) || record_read(dir_fd, &record, &ignored) < 0)
		return 0;
	count->containers += !strcmp(record.profile, count->profile);
	record_release(&record);
	return 0;
}

static int check_count(const struct shim *shim, const char *profile, struct err *err)
{
	struct count count = { shim, profile, 0 };
	int r;

	if (!shim->config->containers_max)
		return 0;
	r = record_each(&shim->places, count_one, &count, err);
	if (r < 0)
		return r;
	if (count.containers >= shim->config->containers_max)
		return err_set(err, EDQUOT, "refused by profile '%s': it has %llu containers on this host already (containers.max)",
			       profile, (unsigned long long)count.containers);
	return 0;
}

/* The times of the last minute's creates, one line each, in a file of the profile's name. */
static int check_rate(const struct shim *shim, const char *profile, struct err *err)
{
	cleanup_free char *directory = alloc_printf("%s/creates", shim->places.run_dir), *text = NULL;
	cleanup_buf struct buf kept = BUF_INIT;
	cleanup_close int dir_fd = -1;
	struct err absent = ERR_INIT;
	uint64_t count = 0;
	time_t now = time(NULL);
	size_t len;
	int r;

	if (!shim->config->creates_per_minute)
		return 0;
	r = file_make_dirs(directory, 0700, err);
	dir_fd = r ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return r ? r : err_set_errno(err, errno, "%s", directory);
	{
		cleanup_close int fd = file_open_regular(dir_fd, profile, &absent);

		if (fd >= 0 && file_read_all(fd, CREATES_MAX_BYTES, &text, &len, err) < 0)
			return err_wrap(err, "%s/%s", directory, profile);
	}
	for (char *at = text, *line; at && (line = strsep(&at, "\n")) && *line;)
		if (strtoll(line, NULL, 10) > now - 60 && strtoll(line, NULL, 10) <= now) {
			buf_printf(&kept, "%s\n", line);
			count++;
		}
	if (count >= shim->config->creates_per_minute)
		return err_set(err, EDQUOT, "refused by profile '%s': %llu containers were created within a minute (containers.creates_per_minute)",
			       profile, (unsigned long long)count);
	buf_printf(&kept, "%lld\n", (long long)now);
	return file_replace(dir_fd, profile, kept.data, kept.len, 0600, err);
}

/* The runtime keeps a directory of the id's name below its root while it knows the container. */
static bool is_known_to_runtime(const struct shim *shim)
{
	cleanup_free char *path = alloc_printf("%s/%s", shim->runtime_root, oci_cmdline_id(&shim->line));

	return access(path, F_OK) == 0;
}

/* At most once an hour, or when the clock went back. Housekeeping: what fails here is tried again and refuses nobody. */
static void prune_ledgers(const struct shim *shim)
{
	cleanup_free char *stamp = alloc_printf("%s/ledger-pruned", shim->places.run_dir);
	time_t now = time(NULL);
	uint64_t keep_ms = shim->config->ledger_keep_ms;
	struct err ignored = ERR_INIT;
	cleanup_close int fd = -1;
	struct stat st;

	if (keep_ms == LIMIT_UNLIMITED ||
	    (lstat(stamp, &st) == 0 && st.st_mtim.tv_sec <= now && now - st.st_mtim.tv_sec < PRUNE_EVERY_S))
		return;
	fd = open(stamp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* that of a live container is written each minute */
	if (fd >= 0 && futimens(fd, NULL) == 0)
		ledger_prune(shim->places.ledger_dir, keep_ms < KEEP_LEAST_MS ? KEEP_LEAST_MS : keep_ms, &ignored);
}

static int claim_locked(const struct shim *shim, const char *profile, int *dir_fd, struct err *err)
{
	cleanup_close int fd = -1;
	int r;

	if (is_known_to_runtime(shim))
		return err_set(err, EEXIST, "container with id %s exists already", oci_cmdline_id(&shim->line));
	prune_ledgers(shim);
	/* what is left as it is has no profile whose containers could be counted */
	r = profile ? check_count(shim, profile, err) : 0;
	if (!r && profile)
		r = check_rate(shim, profile, err);
	if (!r)
		r = record_remove(&shim->places, shim->key, err);
	if (r && r != -ENOENT)
		return r;
	fd = record_open_dir(&shim->places, shim->key, true, err);
	if (fd < 0)
		return -err->code;
	r = record_lock(fd, LOCK_TIMEOUT_MS, err);
	if (r)
		return r;
	*dir_fd = steal_fd(&fd);
	return 0;
}

int containers_claim(const struct shim *shim, const char *profile, int *dir_fd, struct err *err)
{
	cleanup_free char *path = alloc_printf("%s/creates.lock", shim->places.run_dir);
	cleanup_close int lock_fd = -1;
	int r;

	r = file_make_dirs(shim->places.run_dir, 0700, err);
	if (r)
		return r;
	sweep_orphans(shim);
	lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock_fd < 0)
		return err_set_errno(err, errno, "%s", path);
	if (record_lock(lock_fd, LOCK_TIMEOUT_MS, err) < 0)
		return err_wrap(err, "%s", path);
	return claim_locked(shim, profile, dir_fd, err);
}
