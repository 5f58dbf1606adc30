/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking the audit trail's chain: see audit.h. Reads only; the lock is held just long enough to open all files and to learn
 * the head, so that a long walk never makes a container wait for its record.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/state/audit.h"
#include "shim/state/audit-chain.h"

#define FILES_MAX 4096

struct walk {
	int fds[FILES_MAX];	/* the oldest first */
	size_t count;
	bool has_current;	/* the newest is the trail itself, not a rotated one */
	uint64_t last_size;	/* of the trail itself, when the lock was held */
	struct audit_head head;
	bool has_head, head_bad;
	char *memory;		/* AUDIT_LINE_MAX bytes */
	const char *name;	/* of the trail, without its directory */
	uint64_t seq;		/* of the record before; 0: none */
	char prev[SHA256_HEX];
	struct audit_check *check;
	const char *expect;	/* NULL: the kept head */
	bool is_done;		/* the expected head was met */
	bool has_met_head;	/* the kept one */
};

static void walk_release(struct walk *walk)
{
	for (size_t i = 0; i < walk->count; i++)
		close(walk->fds[i]);
	free(walk->memory);
}

/* file, file.1, ... as far as they go; turned round. */
static int open_files(struct walk *walk, const char *file, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	for (unsigned i = 0; i < FILES_MAX; i++) {
		int fd;

		snprintf(path, sizeof(path), i ? "%s.%u" : "%s", file, i);
		fd = audit_open(path, O_RDONLY, err);
		if (fd == -ENOENT && i)
			break;
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		walk->has_current |= !i;
		if (!i && !fstat(fd, &st))
			walk->last_size = (uint64_t)st.st_size;
		walk->fds[walk->count++] = fd;
	}
	for (size_t i = 0; i < walk->count / 2; i++) {
		int kept = walk->fds[i];

		walk->fds[i] = walk->fds[walk->count - 1 - i];
		walk->fds[walk->count - 1 - i] = kept;
	}
	return 0;
}

static int open_all(struct walk *walk, const struct audit_settings *settings, struct err *err)
{
	cleanup_close int lock_fd = -1, head_fd = -1;
	struct err none = ERR_INIT;
	int r;

	lock_fd = audit_lock(settings->file, false, &none);
	if (lock_fd < 0 && lock_fd != -ENOENT) {
		*err = none;
		return lock_fd;
	}
	r = open_files(walk, settings->file, err);
	if (r)
		return r;
	head_fd = audit_open(settings->head_file, O_RDONLY, &none);
	if (head_fd < 0 && head_fd != -ENOENT) {
		*err = none;
		return head_fd;
	}
	r = head_fd < 0 ? -ENOENT : audit_head_read(head_fd, &walk->head);
	walk->has_head = !r;
	walk->head_bad = r == -EBADMSG;
	return r && r != -ENOENT && r != -EBADMSG ? err_set_errno(err, -r, "%s", settings->head_file) : 0;
}

static void __attribute__((format(printf, 4, 5))) say_bad(struct walk *walk, size_t index, uint64_t line_number,
							   const char *format, ...)
{
	cleanup_buf struct buf buf = BUF_INIT;
	size_t age = walk->count - index - walk->has_current;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_puts(&buf, walk->name);
	if (age)
		buf_printf(&buf, ".%zu", age);
	if (line_number)
		buf_printf(&buf, ":%llu", (unsigned long long)line_number);
	buf_printf(&buf, ": %s", text);
	walk->check->first_bad = buf_steal(&buf);
}

static void note_time(struct audit_check *check, const char *text)
{
	char time[sizeof(check->first_time)] = "";

	memcpy(time, text + AUDIT_TIME_AT, sizeof(time) - 1);
	if (!check->records)
		memcpy(check->first_time, time, sizeof(time));
	if (!check->records || strcmp(time, check->least_time) < 0)
		memcpy(check->least_time, time, sizeof(time));
	if (!check->records || strcmp(time, check->most_time) > 0)
		memcpy(check->most_time, time, sizeof(time));
}

static void check_line(struct walk *walk, size_t index, uint64_t number, const char *text, size_t len)
{
	struct audit_line line;
	int r = audit_line_parse(text, len, &line);
	uint64_t first = walk->expect ? 0 : walk->head.first_seq;

	if (r) {
		say_bad(walk, index, number, "%s", r == -EILSEQ ? "hash does not match" : "is not a record");
	} else if (line.head_lost) {
		say_bad(walk, index, number, "the head file was missing when this was written: what stood before it is unproven");
	} else if (!walk->seq && first && line.seq != first) {
		say_bad(walk, index, number, "records %llu to %llu are missing before it", (unsigned long long)first,
			(unsigned long long)line.seq - 1);
	} else if (!walk->seq && line.seq == 1 && strcmp(line.prev, AUDIT_ZERO)) {
		say_bad(walk, index, number, "the first record continues another chain");
	} else if (walk->seq && line.seq != walk->seq + 1) {
		say_bad(walk, index, number, "record %llu where %llu belongs", (unsigned long long)line.seq,
			(unsigned long long)walk->seq + 1);
	} else if (walk->seq && strcmp(line.prev, walk->prev)) {
		say_bad(walk, index, number, "does not continue the record before it");
	} else {
		if (!walk->seq)
			walk->check->first_seq = line.seq;
		note_time(walk->check, text);
		walk->seq = line.seq;
		memcpy(walk->prev, line.hash, sizeof(line.hash));
		walk->check->records++;
		walk->is_done = walk->expect && !strcmp(walk->expect, line.hash);
		walk->has_met_head |= walk->has_head && line.seq == walk->head.seq && !strcmp(walk->head.hash, line.hash);
	}
}

static int walk_file(struct walk *walk, size_t index, struct err *err)
{
	uint64_t offset = 0, number = 0, end = UINT64_MAX;

	if (walk->has_current && index == walk->count - 1)
		end = walk->last_size;

	while (offset < end && !walk->is_done && !walk->check->first_bad) {
		size_t want = end - offset < AUDIT_LINE_MAX ? (size_t)(end - offset) : AUDIT_LINE_MAX;
		ssize_t got = pread(walk->fds[index], walk->memory, want, (off_t)offset);
		const char *at = walk->memory, *newline;

		if (got < 0)
			return err_set_errno(err, errno, "read %s", walk->name);
		if (!got)
			break;
		while (!walk->is_done && !walk->check->first_bad &&
		       (newline = memchr(at, '\n', (size_t)(walk->memory + got - at)))) {
			check_line(walk, index, ++number, at, (size_t)(newline - at));
			at = newline + 1;
		}
		if (at == walk->memory) {
			say_bad(walk, index, number + 1, "is not a whole record");
			break;
		}
		offset += (uint64_t)(at - walk->memory);
	}
	return 0;
}

static void check_end(struct walk *walk)
{
	const char *wanted = walk->expect ? walk->expect : walk->head.hash;

	if (walk->check->first_bad || walk->is_done)
		return;
	if (!walk->expect && !walk->has_head) {
		if (walk->count || walk->head_bad)
			walk->check->first_bad = alloc_printf("the head file is %s: whether the trail was cut can't be told",
							      walk->head_bad ? "damaged" : "missing");
		return;
	}
	/* A writer that died between line and head leaves whole records behind the head; the next one takes them over. */
	if (!walk->expect && walk->has_met_head)
		return;
	walk->check->first_bad = alloc_printf("%s: ends at record %llu without the head %s: cut", walk->name,
					      (unsigned long long)walk->seq, wanted);
}

int audit_verify(const struct audit_settings *settings, const char *expect_head, struct audit_check *check, struct err *err)
{
	const char *slash = strrchr(settings->file, '/');
	struct walk *walk = alloc_zeroed(1, sizeof(*walk));
	int r;

	*check = (struct audit_check){ 0 };
	walk->memory = alloc_zeroed(1, AUDIT_LINE_MAX);
	walk->name = slash ? slash + 1 : settings->file;
	walk->check = check;
	walk->expect = expect_head;
	memcpy(walk->prev, AUDIT_ZERO, sizeof(walk->prev));
	r = open_all(walk, settings, err);
	for (size_t i = 0; !r && i < walk->count && !walk->is_done && !check->first_bad; i++)
		r = walk_file(walk, i, err);
	if (!r) {
		check_end(walk);
		if (walk->seq)
			memcpy(check->head, walk->prev, sizeof(check->head));
	} else {
		free(steal_ptr(&check->first_bad));
	}
	walk_release(walk);
	free(walk);
	return r;
}
