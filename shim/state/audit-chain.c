/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Line, head and lock of the audit trail: see audit-chain.h. Must not allocate, and must trust no byte of what it reads. */
#include "shim/state/audit-chain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define LOCK_WAIT_MS 5000
#define SEQ_AT 53	/* behind {"v":1,"time":"....-..-..T..:..:...........Z","seq": */

/* At the end of a line: name, 64 hex digits, quote (and the closing brace). */
#define PREV_NAME ",\"prev\":\""
#define HASH_NAME ",\"hash\":\""
#define HASH_LEN (sizeof(HASH_NAME) - 1 + 64 + 2)
#define PREV_LEN (sizeof(PREV_NAME) - 1 + 64 + 1)

static bool take_hex(const char *at, char hex[SHA256_HEX])
{
	for (int i = 0; i < 64; i++)
		if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f')))
			return false;
	memcpy(hex, at, 64);
	hex[64] = '\0';
	return true;
}

static bool take_seq(const char *at, const char *end, uint64_t *seq)
{
	*seq = 0;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(*seq, 10, seq) || __builtin_add_overflow(*seq, (uint64_t)(*at - '0'), seq))
			return false;
	return at < end && *at == ',' && *seq > 0;
}

static bool hash_matches(const char *text, size_t len, const char *hash)
{
	char hex[SHA256_HEX];

	sha256_hex(text, len, hex);
	return !strcmp(hex, hash);
}

int audit_line_parse(const char *text, size_t len, struct audit_line *line)
{
	static const char lost[] = AUDIT_HEAD_LOST;
	const char *hash_at = text + len - HASH_LEN, *prev_at = hash_at - PREV_LEN;
	size_t body = len - HASH_LEN;

	if (len < SEQ_AT + HASH_LEN + PREV_LEN + 2 || len >= AUDIT_LINE_MAX)
		return -EBADMSG;
	if (memcmp(text, "{\"v\":1,\"time\":\"", 15) || memcmp(text + SEQ_AT - 8, "\",\"seq\":", 8))
		return -EBADMSG;
	if (memcmp(hash_at, HASH_NAME, sizeof(HASH_NAME) - 1) || memcmp(text + len - 2, "\"}", 2) ||
	    memcmp(prev_at, PREV_NAME, sizeof(PREV_NAME) - 1) || hash_at[-1] != '"')
		return -EBADMSG;
	if (!take_hex(hash_at + sizeof(HASH_NAME) - 1, line->hash) || !take_hex(prev_at + sizeof(PREV_NAME) - 1, line->prev) ||
	    !take_seq(text + SEQ_AT, prev_at, &line->seq))
		return -EBADMSG;
	line->head_lost = (size_t)(prev_at - text) > SEQ_AT + sizeof(lost) && !memcmp(prev_at - (sizeof(lost) - 1), lost, sizeof(lost) - 1);
	return hash_matches(text, body, line->hash) ? 0 : -EILSEQ;
}

static void print_slot(const struct audit_head *head, char slot[AUDIT_SLOT])
{
	char sum[SHA256_HEX];
	int len;

	len = snprintf(slot, AUDIT_SLOT, "quod-audit-head 1 seq %llu hash %s first %llu size %llu file %llu:%llu sum ",
		       (unsigned long long)head->seq, head->hash, (unsigned long long)head->first_seq,
		       (unsigned long long)head->size, (unsigned long long)head->device, (unsigned long long)head->inode);
	sha256_hex(slot, (size_t)len, sum);
	len += snprintf(slot + len, AUDIT_SLOT - (size_t)len, "%.16s", sum);
	memset(slot + len, ' ', AUDIT_SLOT - (size_t)len);
	slot[AUDIT_SLOT - 1] = '\n';
}

/* What doesn't print back to the very same bytes was not written by print_slot. */
static bool parse_slot(const char *text, struct audit_head *head)
{
	unsigned long long seq, first, size, device, inode;
	char copy[AUDIT_SLOT + 1], again[AUDIT_SLOT];

	memcpy(copy, text, AUDIT_SLOT);
	copy[AUDIT_SLOT] = '\0';
	*head = (struct audit_head){ 0 };
	if (sscanf(copy, "quod-audit-head 1 seq %llu hash %64[0-9a-f] first %llu size %llu file %llu:%llu sum ", &seq, head->hash,
		   &first, &size, &device, &inode) != 6)
		return false;
	head->seq = seq;
	head->first_seq = first;
	head->size = size;
	head->device = device;
	head->inode = inode;
	print_slot(head, again);
	return !memcmp(text, again, AUDIT_SLOT);
}

int audit_head_read(int fd, struct audit_head *head)
{
	char text[2 * AUDIT_SLOT] = "";
	struct audit_head slots[2];
	bool whole[2];
	ssize_t got = pread(fd, text, sizeof(text), 0);

	if (got < 0)
		return -errno;
	if (got == 0)
		return -ENOENT;
	for (int i = 0; i < 2; i++)
		whole[i] = parse_slot(text + (size_t)i * AUDIT_SLOT, &slots[i]);
	if (!whole[0] && !whole[1])
		return -EBADMSG;
	*head = whole[1] && (!whole[0] || slots[1].seq > slots[0].seq) ? slots[1] : slots[0];
	return 0;
}

int audit_head_write(int fd, const struct audit_head *head)
{
	char slot[AUDIT_SLOT];
	ssize_t put;

	print_slot(head, slot);
	put = pwrite(fd, slot, sizeof(slot), (off_t)(head->seq & 1) * (off_t)sizeof(slot));
	if (put < 0)
		return -errno;
	return put == (ssize_t)sizeof(slot) ? 0 : -ENOSPC;
}

int audit_open(const char *path, int flags, struct err *err)
{
	const int all = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	const char *slash = strrchr(path, '/');
	cleanup_close int fd = open(path, all, 0600);
	char dir[PATH_MAX];
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT && (flags & O_CREAT) && slash && slash > path && (size_t)(slash - path) < sizeof(dir)) {
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
		r = file_make_dirs(dir, 0700, err);
		if (r)
			return r;
		fd = open(path, all, 0600);
	}
	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: is not a regular file", path);
	return steal_fd(&fd);
}

int audit_lock(const char *file, bool create, struct err *err)
{
	struct timespec pause = { .tv_nsec = 500000 };
	cleanup_close int fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s.lock", file) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "%s: path too long", file);
	fd = audit_open(path, create ? O_RDWR | O_CREAT : O_RDONLY, err);
	if (fd < 0)
		return fd;
	/* Polling, not LOCK_EX alone: whoever is stopped while he holds the lock must not stop the guardian for good. */
	for (int waited_us = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_us += 500) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, errno, "lock %s", path);
		if (waited_us >= LOCK_WAIT_MS * 1000)
			return err_set(err, ETIMEDOUT, "%s: another process has held the lock for %d ms", path, LOCK_WAIT_MS);
		nanosleep(&pause, NULL);
	}
	return steal_fd(&fd);
}
