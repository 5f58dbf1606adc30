/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Appending to the audit trail: see audit.h. One record is one write(2) under the lock, and either the whole line and the
 * head that names it are there afterwards, or neither. The guardian calls this too: no heap (syslog's own aside), only a
 * mapping of its own for the line.
 */
#include "shim/state/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/audit-chain.h"

#define FIELD_MAX 4096u
#define CUT_MARK "...[cut]"
#define TAIL_ROOM 256u		/* head_lost, prev, hash, "}\n" */
#define ANCHOR_EACH 1000u

/* One audit_write in the making. */
struct trail {
	const struct audit_settings *settings;
	int fd, head_fd;
	struct audit_head head;
	bool head_lost;
	bool needs_newline;	/* a foreign piece without newline stands at the end */
	char *memory;		/* AUDIT_LINE_MAX bytes, mapped */
};

static size_t utf8_floor(const char *text, size_t at)
{
	while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

static void put_field(struct buf *line, const char *name, const char *text)
{
	char cut[FIELD_MAX + sizeof(CUT_MARK)];
	size_t len = strnlen(text, FIELD_MAX + 1);

	buf_printf(line, ",\"%s\":", name);
	if (len <= FIELD_MAX) {
		buf_put_json(line, text);
		return;
	}
	len = utf8_floor(text, FIELD_MAX);
	memcpy(cut, text, len);
	memcpy(cut + len, CUT_MARK, sizeof(CUT_MARK));
	buf_put_json(line, cut);
}

/* Length of the character or escape at `at` inside a JSON string; 0 when none is allowed to stand there. */
static size_t unit_len(const char *at)
{
	if ((unsigned char)*at < 0x20 || *at == 0x7f)
		return 0;
	if (*at != '\\')
		return 1;
	if (at[1] == 'u')
		return strspn(at + 2, "0123456789abcdefABCDEF") >= 4 ? 6 : 0;
	return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
}

/* Puts one JSON string that starts at the quote `at`, cut when it is longer than FIELD_MAX; returns what is behind its
 * closing quote, NULL when it isn't a string. */
static const char *put_string(struct buf *line, const char *at)
{
	const char *start = at++, *fits = at;

	while (*at != '"') {
		size_t len = unit_len(at);

		if (!len)
			return NULL;
		if ((size_t)(at - start) <= FIELD_MAX && ((unsigned char)*at & 0xc0) != 0x80)
			fits = at;
		at += len;
	}
	if ((size_t)(at - start) <= FIELD_MAX + 1) {
		buf_put(line, start, (size_t)(at + 1 - start));
		return at + 1;
	}
	buf_put(line, start, (size_t)(fits - start));
	buf_puts(line, CUT_MARK "\"");
	return at + 1;
}

/* Members as the caller gave them: one line, balanced, so that no text of a container ends its string or its record. */
static int put_members(struct buf *line, const char *at, struct err *err)
{
	int depth = 0;

	buf_putc(line, ',');
	while (*at) {
		if (*at == '"') {
			at = put_string(line, at);
			if (!at)
				return err_set(err, EINVAL, "audit: members are no JSON text");
			continue;
		}
		depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
		if (depth < 0 || (unsigned char)*at < 0x20 || *at == 0x7f)
			return err_set(err, EINVAL, "audit: members are no JSON text");
		buf_putc(line, *at++);
	}
	return depth ? err_set(err, EINVAL, "audit: members are no JSON text") : 0;
}

static int put_time(struct buf *line, struct err *err)
{
	struct timespec now;
	struct tm tm;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || !gmtime_r(&now.tv_sec, &tm) || tm.tm_year < 0 || tm.tm_year > 8099)
		return err_set(err, EOVERFLOW, "audit: the clock cannot be read");
	buf_printf(line, "{\"v\":1,\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
		   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec);
	return 0;
}

/* The whole line into trail->memory; *hash is its own. */
static int make_line(struct trail *trail, const struct audit_record *record, struct buf *line, char hash[SHA256_HEX],
		     struct err *err)
{
	size_t kept, skip = trail->needs_newline ? 1 : 0;
	int r;

	*line = buf_fixed(trail->memory, AUDIT_LINE_MAX - TAIL_ROOM);
	if (skip)
		buf_putc(line, '\n');
	r = put_time(line, err);
	if (r)
		return r;
	buf_printf(line, ",\"seq\":%llu", (unsigned long long)trail->head.seq + 1);
	put_field(line, "event", record->event);
	put_field(line, "container", record->container);
	put_field(line, "engine", record->engine);
	put_field(line, "profile", record->profile);
	put_field(line, "digest", record->digest);
	kept = line->len;
	if (record->members[0]) {
		r = put_members(line, record->members, err);
		if (r)
			return r;
	}
	line->room = AUDIT_LINE_MAX;
	if (line->is_cut) {
		line->len = kept;
		line->is_cut = false;
		buf_printf(line, ",\"cut\":%zu", strlen(record->members));
	}
	if (trail->head_lost)
		buf_puts(line, AUDIT_HEAD_LOST);
	buf_printf(line, ",\"prev\":\"%s\"", trail->head.hash);
	sha256_hex(line->data + skip, line->len - skip, hash);
	buf_printf(line, ",\"hash\":\"%s\"}\n", hash);
	return line->is_cut ? err_set(err, EMSGSIZE, "audit: record too long") : 0;
}

/* Reads the line at `offset`. 1 and the line; 0 when nothing whole stands there (*torn: bytes without a newline do). */
static int line_at(struct trail *trail, uint64_t offset, struct audit_line *line, size_t *len, bool *torn)
{
	ssize_t got = pread(trail->fd, trail->memory, AUDIT_LINE_MAX, (off_t)offset);
	const char *newline;

	*torn = false;
	if (got <= 0)
		return got < 0 ? -errno : 0;
	newline = memchr(trail->memory, '\n', (size_t)got);
	if (!newline) {
		*torn = (size_t)got < AUDIT_LINE_MAX;
		return 0;
	}
	*len = (size_t)(newline - trail->memory) + 1;
	return audit_line_parse(trail->memory, *len - 1, line) ? 0 : 1;
}

/* Records behind the head (a writer that died between line and head) are taken over as long as they continue the chain;
 * half a line at the end is cut off. What does not fit is left for audit_verify to show. */
static int follow_chain(struct trail *trail, uint64_t offset, uint64_t size, struct err *err)
{
	struct audit_line line;
	size_t len = 0;
	bool torn;
	char last = '\n';
	int r;

	while ((r = line_at(trail, offset, &line, &len, &torn)) == 1) {
		if (line.seq != trail->head.seq + 1 || strcmp(line.prev, trail->head.hash))
			break;
		trail->head.seq = line.seq;
		memcpy(trail->head.hash, line.hash, sizeof(line.hash));
		offset += len;
	}
	if (r < 0)
		return err_set_errno(err, -r, "%s", trail->settings->file);
	if (torn)
		return ftruncate(trail->fd, (off_t)offset) < 0 ? err_set_errno(err, errno, "%s", trail->settings->file) : 0;
	if (size && pread(trail->fd, &last, 1, (off_t)size - 1) < 0)
		return err_set_errno(err, errno, "%s", trail->settings->file);
	trail->needs_newline = last != '\n';
	return 0;
}

/* Without a head the chain goes on from the last whole line, and the record says so. */
static int recover_head(struct trail *trail, uint64_t size, struct err *err)
{
	uint64_t from = size > AUDIT_LINE_MAX ? size - AUDIT_LINE_MAX : 0;
	ssize_t got = pread(trail->fd, trail->memory, AUDIT_LINE_MAX, (off_t)from);
	struct audit_line line;
	const char *end, *start;

	if (got < 0)
		return err_set_errno(err, errno, "%s", trail->settings->file);
	end = memrchr(trail->memory, '\n', (size_t)got);
	start = end ? memrchr(trail->memory, '\n', (size_t)(end - trail->memory)) : NULL;
	start = start ? start + 1 : trail->memory;
	if (end && !audit_line_parse(start, (size_t)(end - start), &line)) {
		trail->head.seq = line.seq;
		memcpy(trail->head.hash, line.hash, sizeof(line.hash));
	}
	return follow_chain(trail, end ? from + (uint64_t)(end + 1 - trail->memory) : from, size, err);
}

static int read_head(struct trail *trail, struct err *err)
{
	struct stat st;
	bool same;
	int r = audit_head_read(trail->head_fd, &trail->head);

	if (r && r != -ENOENT && r != -EBADMSG)
		return err_set_errno(err, -r, "%s", trail->settings->head_file);
	if (fstat(trail->fd, &st) < 0)
		return err_set_errno(err, errno, "%s", trail->settings->file);
	if (r) {
		trail->head_lost = r == -EBADMSG || st.st_size > 0;
		trail->head = (struct audit_head){ .hash = AUDIT_ZERO, .first_seq = trail->head_lost ? 0 : 1 };
		return trail->head_lost ? recover_head(trail, (uint64_t)st.st_size, err) : 0;
	}
	same = trail->head.device == st.st_dev && trail->head.inode == st.st_ino;
	if (same && trail->head.size == (uint64_t)st.st_size)
		return 0;
	return follow_chain(trail, same && trail->head.size < (uint64_t)st.st_size ? trail->head.size : 0, (uint64_t)st.st_size,
			    err);
}

static uint64_t first_seq_of(struct trail *trail, const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct trail other = { .fd = fd, .memory = trail->memory };
	struct audit_line line;
	size_t len;
	bool torn;

	return fd >= 0 && line_at(&other, 0, &line, &len, &torn) == 1 ? line.seq : 0;
}

/* file -> file.1 -> file.2 ... What is beyond `keep` goes, and the head remembers what is the oldest now. */
static int rotate(struct trail *trail, struct err *err)
{
	const char *file = trail->settings->file;
	uint32_t keep = trail->settings->keep_files;
	char from[PATH_MAX], to[PATH_MAX];
	bool dropped = false;
	int fd;

	for (uint32_t i = keep ? keep : 1;; i++) {
		if (snprintf(from, sizeof(from), "%s.%u", file, i) >= (int)sizeof(from) || unlink(from) < 0)
			break;
		dropped = true;
	}
	for (uint32_t i = keep; i-- > 0;) {
		snprintf(from, sizeof(from), i ? "%s.%u" : "%s", file, i);
		snprintf(to, sizeof(to), "%s.%u", file, i + 1);
		if (rename(from, to) < 0 && errno != ENOENT)
			return err_set_errno(err, errno, "rotate %s", from);
	}
	if (!keep && unlink(file) < 0)
		return err_set_errno(err, errno, "rotate %s", file);
	fd = audit_open(file, O_RDWR | O_CREAT | O_APPEND, err);
	if (fd < 0)
		return fd;
	fdatasync(trail->fd);
	close(trail->fd);
	trail->fd = fd;
	if (!keep) {
		trail->head.first_seq = trail->head.seq + 1;
	} else if (dropped) {
		snprintf(from, sizeof(from), "%s.%u", file, keep);
		trail->head.first_seq = first_seq_of(trail, from);
	}
	return 0;
}

/* All or nothing: what was written of a record that can't be completed is taken back. */
static int append(struct trail *trail, const struct buf *line, struct err *err)
{
	struct stat st;
	ssize_t put;
	int r = 0;

	if (fstat(trail->fd, &st) < 0)
		return err_set_errno(err, errno, "%s", trail->settings->file);
	do {
		put = write(trail->fd, line->data, line->len);
	} while (put < 0 && errno == EINTR);
	if (put != (ssize_t)line->len)
		r = put < 0 ? -errno : -ENOSPC;
	trail->head.size = (uint64_t)st.st_size + line->len;
	trail->head.device = st.st_dev;
	trail->head.inode = st.st_ino;
	if (!r)
		r = audit_head_write(trail->head_fd, &trail->head);
	if (!r)
		return 0;
	if (ftruncate(trail->fd, st.st_size) < 0)
		return err_set_errno(err, -r, "%s: half a record was written and could not be taken back", trail->settings->file);
	return err_set_errno(err, -r, "write %s", trail->settings->file);
}

static void anchor(const struct trail *trail)
{
	syslog(LOG_AUTHPRIV | LOG_NOTICE, "audit head %s seq %llu of %s", trail->head.hash,
	       (unsigned long long)trail->head.seq, trail->settings->file);
}

static int write_record(struct trail *trail, const struct audit_record *record, struct err *err)
{
	const struct audit_settings *settings = trail->settings;
	bool rotated = false;
	struct buf line;
	char hash[SHA256_HEX];
	struct stat st;
	int r;

	r = read_head(trail, err);
	if (!r)
		r = make_line(trail, record, &line, hash, err);
	if (r)
		return r;
	if (fstat(trail->fd, &st) < 0)
		return err_set_errno(err, errno, "%s", settings->file);
	if (settings->rotate_bytes && st.st_size && (uint64_t)st.st_size + line.len > settings->rotate_bytes) {
		if (settings->anchor_syslog)
			anchor(trail);
		rotated = true;
		r = rotate(trail, err);
		trail->needs_newline = false;
		/* The new file starts with a line, and rotating used the line's memory. */
		if (!r)
			r = make_line(trail, record, &line, hash, err);
		if (r)
			return r;
	}
	trail->head.seq++;
	memcpy(trail->head.hash, hash, sizeof(hash));
	r = append(trail, &line, err);
	if (!r && settings->anchor_syslog && !rotated && trail->head.seq % ANCHOR_EACH == 0)
		anchor(trail);
	return r;
}

int audit_write(const struct audit_settings *settings, const struct audit_record *record, struct err *err)
{
	struct trail trail = { .settings = settings, .fd = -1, .head_fd = -1, .memory = MAP_FAILED };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	cleanup_close int lock_fd = -1;
	int r;

	lock_fd = audit_lock(settings->file, true, err);
	if (lock_fd < 0)
		return lock_fd;
	trail.fd = r = audit_open(settings->file, O_RDWR | O_CREAT | O_APPEND, err);
	if (r >= 0)
		trail.head_fd = r = audit_open(settings->head_file, O_RDWR | O_CREAT, err);
	if (r >= 0) {
		trail.memory = mmap(NULL, AUDIT_LINE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		r = trail.memory == MAP_FAILED ? err_set_errno(err, errno, "audit: map a line") : 0;
	}
	if (!r) {
		/* A caller's RLIMIT_FSIZE must be an error here, not a signal. */
		sigaction(SIGXFSZ, &ignore, &before);
		r = write_record(&trail, record, err);
		sigaction(SIGXFSZ, &before, NULL);
		munmap(trail.memory, AUDIT_LINE_MAX);
	}
	if (trail.head_fd >= 0)
		close(trail.head_fd);
	if (trail.fd >= 0)
		close(trail.fd);
	return r;
}
