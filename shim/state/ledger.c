/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger's files: see ledger.h. A file is lines "name value" in fixed order, closed by a checksum over all before it;
 * what does not print back to the very same bytes is refused. The guardian writes through here: nothing may allocate but
 * the making of a missing directory.
 */
#include "shim/state/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/sha256.h"

#define FILE_MAX 8192u
#define FORM "quod-ledger 1\n"
#define LOCK_NAME ".lock"
#define LOCK_WAIT_MS 5000
#define SUM_WAIT_MS 100
#define SUM_NAME_MAX 140

enum kind { KIND_UINT, KIND_INT, KIND_TEXT };

static const struct field {
	const char *name;
	enum kind kind;
	size_t offset, size;
} fields[] = {
#define FIELD(name, kind) { #name, kind, offsetof(struct ledger, name), sizeof(((struct ledger *)0)->name) }
	FIELD(wall_ms, KIND_UINT),   FIELD(cpu_us, KIND_UINT),	       FIELD(egress_bytes, KIND_UINT), FIELD(runs, KIND_UINT),
	FIELD(updated_s, KIND_INT),  FIELD(period_start_s, KIND_INT),  FIELD(ended, KIND_TEXT),	       FIELD(container, KIND_TEXT),
	FIELD(profile, KIND_TEXT),   FIELD(engine, KIND_TEXT),
#undef FIELD
};

uint64_t ledger_cap_id(const char *entry)
{
	char hex[SHA256_HEX];

	sha256_hex(entry, strlen(entry), hex);
	hex[16] = '\0';
	return strtoull(hex, NULL, 16) | 1;
}

uint64_t ledger_cap_spent(const struct ledger *ledger, uint64_t id)
{
	for (uint32_t i = 0; i < ledger->cap_count; i++)
		if (ledger->caps[i].id == id)
			return ledger->caps[i].bytes;
	return 0;
}

static void add(uint64_t *to, uint64_t more)
{
	if (__builtin_add_overflow(*to, more, to))
		*to = UINT64_MAX;
}

bool ledger_add_cap(struct ledger *ledger, uint64_t id, uint64_t bytes)
{
	for (uint32_t i = 0; i < ledger->cap_count; i++)
		if (ledger->caps[i].id == id) {
			add(&ledger->caps[i].bytes, bytes);
			return true;
		}
	if (ledger->cap_count == LEDGER_CAPS)
		return false;
	ledger->caps[ledger->cap_count++] = (struct ledger_cap){ id, bytes };
	return true;
}

static bool is_key(const char *key)
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";

	return key[0] && key[0] != '.' && strlen(key) < 128 && strspn(key, allowed) == strlen(key);
}

static void print_ledger(struct buf *text, const struct ledger *ledger)
{
	char sum[SHA256_HEX];

	buf_puts(text, FORM);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const void *at = (const char *)ledger + fields[i].offset;

		buf_printf(text, "%s ", fields[i].name);
		if (fields[i].kind == KIND_UINT)
			buf_printf(text, "%llu", (unsigned long long)*(const uint64_t *)at);
		else if (fields[i].kind == KIND_INT)
			buf_printf(text, "%lld", (long long)*(const int64_t *)at);
		else
			for (const char *c = at; *c && c < (const char *)at + fields[i].size - 1; c++)
				buf_putc(text, (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
		buf_putc(text, '\n');
	}
	for (uint32_t i = 0; i < ledger->cap_count; i++)
		buf_printf(text, "cap %016llx %llu\n", (unsigned long long)ledger->caps[i].id, (unsigned long long)ledger->caps[i].bytes);
	sha256_hex(text->data, text->len, sum);
	buf_printf(text, "sum %s\n", sum);
}

/* One "name value" line; returns what is behind it, NULL when it isn't that. */
static const char *parse_field(const char *at, const struct field *field, struct ledger *ledger)
{
	size_t name_len = strlen(field->name);
	void *to = (char *)ledger + field->offset;
	const char *end = strchr(at, '\n');
	char *stop = NULL;

	if (!end || strncmp(at, field->name, name_len) || at[name_len] != ' ')
		return NULL;
	at += name_len + 1;
	if (field->kind == KIND_TEXT) {
		if ((size_t)(end - at) >= field->size)
			return NULL;
		memcpy(to, at, (size_t)(end - at));
		return end + 1;
	}
	if (field->kind == KIND_UINT)
		*(uint64_t *)to = strtoull(at, &stop, 10);
	else
		*(int64_t *)to = strtoll(at, &stop, 10);
	return stop == end ? end + 1 : NULL;
}

/* As many as there are; what is none, and what doesn't print back, is seen by who compares. */
static void parse_caps(const char *at, struct ledger *ledger)
{
	unsigned long long id, bytes;

	while (at && ledger->cap_count < LEDGER_CAPS && sscanf(at, "cap %16llx %llu\n", &id, &bytes) == 2) {
		ledger->caps[ledger->cap_count++] = (struct ledger_cap){ id, bytes };
		at = strchr(at, '\n');
		at += at != NULL;
	}
}

static int parse_ledger(const char *text, size_t len, struct ledger *ledger)
{
	char memory[FILE_MAX];
	struct buf again = buf_fixed(memory, sizeof(memory));
	const char *at = text + strlen(FORM);

	if (strncmp(text, FORM, strlen(FORM)))
		return !strncmp(text, "quod-ledger ", 12) && strchr(text, '\n') ? -EPROTO : -EBADMSG;
	for (size_t i = 0; at && i < ARRAY_SIZE(fields); i++)
		at = parse_field(at, &fields[i], ledger);
	if (!at)
		return -EBADMSG;
	parse_caps(at, ledger);
	print_ledger(&again, ledger);
	return !again.is_cut && again.len == len && !memcmp(again.data, text, len) ? 0 : -EBADMSG;
}

static int read_at(int dir_fd, const char *key, struct ledger *ledger, struct err *err)
{
	cleanup_close int fd = file_open_regular(dir_fd, key, err);
	char text[FILE_MAX + 1];
	ssize_t got;
	int r;

	*ledger = (struct ledger){ 0 };
	if (fd < 0)
		return fd;
	got = pread(fd, text, FILE_MAX, 0);
	if (got < 0)
		return err_set_errno(err, errno, "read ledger %s", key);
	text[got] = '\0';
	r = strlen(text) == (size_t)got ? parse_ledger(text, (size_t)got, ledger) : -EBADMSG;
	if (r) {
		*ledger = (struct ledger){ 0 };
		return err_set(err, -r, "ledger %s: %s", key,
			       r == -EPROTO ? "written by another version of quod" : "damaged (remove it to start at zero)");
	}
	return 0;
}

static int write_at(int dir_fd, const char *key, const struct ledger *ledger, struct err *err)
{
	char memory[FILE_MAX];
	struct buf text = buf_fixed(memory, sizeof(memory));
	struct ledger now = *ledger;

	now.updated_s = (int64_t)time(NULL);
	print_ledger(&text, &now);
	if (text.is_cut)
		return err_set(err, EMSGSIZE, "ledger %s: too long", key);
	return file_replace_durable(dir_fd, key, text.data, text.len, 0600, err);
}

static int open_dir(const char *dir, bool create, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0 && errno == ENOENT && create) {
		r = file_make_dirs(dir, 0700, err);
		if (r)
			return r;
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_set_errno(err, errno, "%s", dir) : fd;
}

/* Held by whoever reads, adds and writes; polled, so that somebody stopped can't stop the guardian for good. */
static int lock_file(int dir_fd, const char *name, int most_ms, struct err *err)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	cleanup_close int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "ledger lock");
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ms++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, errno, "ledger lock");
		if (waited_ms >= most_ms)
			return err_set(err, ETIMEDOUT, "ledger: another process has held the lock for %d ms", most_ms);
		nanosleep(&pause, NULL);
	}
	return steal_fd(&fd);
}

static int lock_dir(int dir_fd, struct err *err)
{
	return lock_file(dir_fd, LOCK_NAME, LOCK_WAIT_MS, err);
}

static const char *sum_name(const char *key, char name[SUM_NAME_MAX])
{
	snprintf(name, SUM_NAME_MAX, ".%s.sum", key);
	return name;
}

/* What the ledger has forgotten, or never knew, its running sum must not remember. */
static void drop_sum(int dir_fd, const char *key)
{
	char name[SUM_NAME_MAX];

	unlinkat(dir_fd, sum_name(key, name), 0);
}

int ledger_read(const char *dir, const char *key, struct ledger *ledger, struct err *err)
{
	cleanup_close int dir_fd = -1;
	struct err found = ERR_INIT;
	int r;

	*ledger = (struct ledger){ 0 };
	if (!is_key(key))
		return err_set(err, EINVAL, "ledger: '%s' is no key", key);
	dir_fd = open_dir(dir, false, &found);
	r = dir_fd < 0 ? dir_fd : read_at(dir_fd, key, ledger, &found);
	if (r && r != -ENOENT)
		*err = found;
	return r == -ENOENT ? 0 : r;
}

int ledger_write(const char *dir, const char *key, const struct ledger *ledger, struct err *err)
{
	cleanup_close int dir_fd = -1, lock_fd = -1;

	if (!is_key(key))
		return err_set(err, EINVAL, "ledger: '%s' is no key", key);
	dir_fd = open_dir(dir, true, err);
	if (dir_fd < 0)
		return dir_fd;
	lock_fd = lock_dir(dir_fd, err);
	return lock_fd < 0 ? lock_fd : write_at(dir_fd, key, ledger, err);
}

void ledger_forget_spent(struct ledger *ledger)
{
	ledger->wall_ms = ledger->cpu_us = ledger->egress_bytes = 0;
	for (uint32_t i = 0; i < ledger->cap_count; i++)
		ledger->caps[i].bytes = 0;
}

void ledger_forget(struct ledger *ledger, uint64_t period_ms, int64_t now_s)
{
	int64_t start_s = ledger->period_start_s, period_s;

	if (!period_ms)
		return;
	period_s = period_ms / 1000 > INT32_MAX ? INT32_MAX : (int64_t)(period_ms / 1000);
	if (!period_s)
		period_s = 1;
	if (start_s <= 0 || start_s > now_s) {
		ledger->period_start_s = now_s;
		return;
	}
	if (now_s - start_s < period_s)
		return;
	ledger->period_start_s = start_s + (now_s - start_s) / period_s * period_s;
	ledger_forget_spent(ledger);
}

int ledger_begin(const char *dir, const char *key, const struct ledger_reset *reset, struct ledger *ledger, struct err *err)
{
	cleanup_close int dir_fd = -1, lock_fd = -1;
	struct err found = ERR_INIT;
	int r;

	if (!reset->at_restart && !reset->period_ms)
		return ledger_read(dir, key, ledger, err);
	if (!is_key(key))
		return err_set(err, EINVAL, "ledger: '%s' is no key", key);
	dir_fd = open_dir(dir, true, err);
	if (dir_fd < 0)
		return dir_fd;
	lock_fd = lock_dir(dir_fd, err);
	if (lock_fd < 0)
		return lock_fd;
	r = read_at(dir_fd, key, ledger, &found);
	if (r && r != -ENOENT) {
		*err = found;
		return r;
	}
	if (reset->at_restart)
		ledger_forget_spent(ledger);
	ledger_forget(ledger, reset->period_ms, (int64_t)time(NULL));
	if (reset->at_restart || r)
		drop_sum(dir_fd, key);
	return write_at(dir_fd, key, ledger, err);
}

/* False when there is no room for all their caps. */
static bool add_all(struct ledger *to, const struct ledger *more)
{
	add(&to->wall_ms, more->wall_ms);
	add(&to->cpu_us, more->cpu_us);
	add(&to->egress_bytes, more->egress_bytes);
	for (uint32_t i = 0; i < more->cap_count; i++)
		if (!ledger_add_cap(to, more->caps[i].id, more->caps[i].bytes))
			return false;
	return true;
}

int ledger_add(const char *dir, const char *key, const struct ledger *more, struct ledger *ledger, struct err *err)
{
	cleanup_close int dir_fd = -1, lock_fd = -1;
	struct err found = ERR_INIT;
	struct ledger sum;
	int r;

	if (!is_key(key))
		return err_set(err, EINVAL, "ledger: '%s' is no key", key);
	dir_fd = open_dir(dir, true, err);
	if (dir_fd < 0)
		return dir_fd;
	lock_fd = lock_dir(dir_fd, err);
	if (lock_fd < 0)
		return lock_fd;
	r = read_at(dir_fd, key, ledger, &found);
	if (r && r != -ENOENT) {
		*err = found;
		return r;
	}
	if (r)
		drop_sum(dir_fd, key);
	sum = *ledger;
	ledger_forget(&sum, more->period_ms, (int64_t)time(NULL));
	*ledger = *more;
	if (!add_all(ledger, &sum))
		return err_set(err, ENOSPC, "ledger %s: has no room for more than %u caps (remove it to start at zero)", key, LEDGER_CAPS);
	add(&ledger->runs, sum.runs);
	ledger->period_start_s = sum.period_start_s;
	return write_at(dir_fd, key, ledger, err);
}

static void raise_to(uint64_t *to, uint64_t least)
{
	if (*to < least)
		*to = least;
}

/* Opened and locked; *sum is what it holds, or -EBADMSG comes back in *state for nothing that can be read. */
static int open_sum(const char *dir, const char *key, struct ledger *sum, int *state, struct err *err)
{
	cleanup_close int dir_fd = -1, fd = -1;
	char text[FILE_MAX + 1], name[SUM_NAME_MAX];
	ssize_t got;

	if (!is_key(key))
		return err_set(err, EINVAL, "ledger: '%s' is no key", key);
	dir_fd = open_dir(dir, true, err);
	if (dir_fd < 0)
		return dir_fd;
	fd = lock_file(dir_fd, sum_name(key, name), SUM_WAIT_MS, err);
	if (fd < 0)
		return fd;
	got = pread(fd, text, FILE_MAX, 0);
	if (got < 0)
		return err_set_errno(err, errno, "read %s", name);
	text[got] = '\0';
	*sum = (struct ledger){ 0 };
	*state = strlen(text) == (size_t)got ? parse_ledger(text, (size_t)got, sum) : -EBADMSG;
	return steal_fd(&fd);
}

static int rewrite_sum(int fd, const struct ledger *sum, struct err *err)
{
	char memory[FILE_MAX];
	struct buf text = buf_fixed(memory, sizeof(memory));

	print_ledger(&text, sum);
	if (pwrite(fd, text.data, text.len, 0) != (ssize_t)text.len || ftruncate(fd, (off_t)text.len) < 0)
		return err_set_errno(err, errno, "write the running sum");
	return 0;
}

int ledger_sum_add(const char *dir, const char *key, const struct ledger *more, struct ledger *sum, struct err *err)
{
	int state = 0;
	cleanup_close int fd = open_sum(dir, key, sum, &state, err);

	if (fd < 0)
		return fd;
	if (state || sum->period_start_s != more->period_start_s)
		return err_set(err, ESTALE, "ledger %s: no running sum of this period", key);
	if (!add_all(sum, more))
		return err_set(err, ENOSPC, "ledger %s: its running sum has no room for more than %u caps", key, LEDGER_CAPS);
	return rewrite_sum(fd, sum, err);
}

int ledger_sum_raise(const char *dir, const char *key, const struct ledger *least, struct ledger *sum, struct err *err)
{
	int state = 0;
	cleanup_close int fd = open_sum(dir, key, sum, &state, err);

	if (fd < 0)
		return fd;
	if (state || sum->period_start_s != least->period_start_s)
		*sum = (struct ledger){ .period_start_s = least->period_start_s };
	raise_to(&sum->wall_ms, least->wall_ms);
	raise_to(&sum->cpu_us, least->cpu_us);
	raise_to(&sum->egress_bytes, least->egress_bytes);
	for (uint32_t i = 0; i < least->cap_count; i++) {
		uint64_t known = ledger_cap_spent(sum, least->caps[i].id), bytes = least->caps[i].bytes;

		ledger_add_cap(sum, least->caps[i].id, bytes > known ? bytes - known : 0);
	}
	return rewrite_sum(fd, sum, err);
}

/* When it was last written: by its own word, or by the file's when it has none (torn, temporary, another version's). */
static int64_t updated_at(int dir_fd, const char *name)
{
	struct err none = ERR_INIT;
	struct ledger ledger;
	struct stat st;

	if (is_key(name) && !read_at(dir_fd, name, &ledger, &none))
		return ledger.updated_s;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) ? INT64_MAX : (int64_t)st.st_mtime;
}

int ledger_each(const char *dir, int (*visit)(const char *key, const struct ledger *ledger, void *data), void *data,
		struct err *err)
{
	DIR *listing = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!listing)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "%s", dir);
	while (!r && (entry = readdir(listing))) {
		struct err none = ERR_INIT;
		struct ledger ledger;

		if (is_key(entry->d_name) && !read_at(dirfd(listing), entry->d_name, &ledger, &none))
			r = visit(entry->d_name, &ledger, data);
	}
	closedir(listing);
	return r;
}

int ledger_prune(const char *dir, uint64_t keep_ms, struct err *err)
{
	struct err found = ERR_INIT;
	int dir_fd = open_dir(dir, false, &found), removed = 0;
	uint64_t keep_s = keep_ms / 1000;
	int64_t now_s = (int64_t)time(NULL), before_s;
	struct dirent *entry;
	DIR *listing;

	if (dir_fd == -ENOENT)
		return 0;
	if (dir_fd < 0) {
		*err = found;
		return dir_fd;
	}
	listing = fdopendir(dir_fd);
	if (!listing) {
		close(dir_fd);
		return err_set_errno(err, errno, "%s", dir);
	}
	before_s = keep_s >= (uint64_t)now_s ? INT64_MIN : now_s - (int64_t)keep_s;
	while ((entry = readdir(listing))) {
		struct stat st;

		if (!strcmp(entry->d_name, LOCK_NAME) || fstatat(dirfd(listing), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		if (updated_at(dirfd(listing), entry->d_name) < before_s && !unlinkat(dirfd(listing), entry->d_name, 0))
			removed += entry->d_name[0] != '.';
	}
	closedir(listing);
	return removed;
}
