/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the audit trail as it grows: see audit-read.h. A descriptor is held on the file that is being read, so a rotation
 * takes nothing away: the rest of that file is read first, then the file that was begun after it. The lock is taken only to
 * find that one, while nobody can rename.
 */
#include "shim/state/audit-read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/state/audit-chain.h"

#define FILES_MAX 4096u

struct audit_reader {
	char *file;
	int fd;			/* -1: no file of the trail is there yet */
	bool is_rotated;	/* nobody writes to it any more */
	uint64_t offset;	/* of the first byte that isn't in memory */
	char *memory;		/* AUDIT_LINE_MAX bytes and a NUL */
	int64_t oldest_s;	/* files last written to before then are not read */
	size_t begin, end;	/* in memory: what is not handed out yet */
	uint64_t seq;		/* of the record handed out last; 0: none yet */
	char time[31];		/* and its time */
	struct audit_reader_losses losses;
};

int audit_reader_new(const char *file, struct audit_reader **reader, struct err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s.%u", file, FILES_MAX) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "%s: path too long", file);
	*reader = alloc_zeroed(1, sizeof(**reader));
	(*reader)->file = alloc_copy(file);
	(*reader)->fd = -1;
	(*reader)->memory = alloc_zeroed(1, AUDIT_LINE_MAX + 1);
	return 0;
}

void audit_reader_free(struct audit_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->memory);
	free(reader->file);
	free(reader);
}

/* A minute: clocks of a file system are not exact. */
void audit_reader_skip_older(struct audit_reader *reader, int64_t seconds)
{
	reader->oldest_s = seconds - 60;
}

const struct audit_reader_losses *audit_reader_losses(const struct audit_reader *reader)
{
	return &reader->losses;
}

static int open_nth(const struct audit_reader *reader, unsigned n, struct err *err)
{
	struct err found = ERR_INIT;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), n ? "%s.%u" : "%s", reader->file, n);
	fd = audit_open(path, O_RDONLY, &found);
	if (fd < 0 && fd != -ENOENT)
		*err = found;
	return fd;
}

static bool is_same(int a, int b)
{
	struct stat one, other;

	return !fstat(a, &one) && !fstat(b, &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool is_too_old(const struct audit_reader *reader, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mtim.tv_sec < reader->oldest_s;
}

static void take(struct audit_reader *reader, int fd, unsigned n)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = fd;
	reader->is_rotated = n > 0;
	reader->offset = reader->begin = reader->end = 0;
}

/* Under the lock: the file that was begun after ours, or the oldest of all. 1 when there is one. */
static int find_next(struct audit_reader *reader, struct err *err)
{
	cleanup_close int newer_fd = -1;
	unsigned newer = 0;

	for (unsigned n = 0; n < FILES_MAX; n++) {
		cleanup_close int fd = open_nth(reader, n, err);

		if (fd < 0 && fd != -ENOENT)
			return fd;
		if (fd == -ENOENT && n)
			break;
		if (fd == -ENOENT)
			continue;
		if ((reader->fd >= 0 && is_same(fd, reader->fd)) || (n && is_too_old(reader, fd)))
			break;
		if (newer_fd >= 0)
			close(newer_fd);
		newer_fd = steal_fd(&fd);
		newer = n;
	}
	if (newer_fd < 0)
		return 0;
	take(reader, steal_fd(&newer_fd), newer);
	return 1;
}

/* 1 when another file goes on where ours ends, and is now the one that is read. */
static int go_on(struct audit_reader *reader, struct err *err)
{
	cleanup_close int lock_fd = -1;
	struct err none = ERR_INIT;

	lock_fd = audit_lock(reader->file, false, &none);
	if (lock_fd < 0 && lock_fd != -ENOENT) {
		*err = none;
		return lock_fd;
	}
	return find_next(reader, err);
}

/* More bytes into memory: their number, 0 at the end of what is there. */
static ssize_t fill(struct audit_reader *reader, struct err *err)
{
	ssize_t got;

	if (reader->fd < 0)
		return 0;
	memmove(reader->memory, reader->memory + reader->begin, reader->end - reader->begin);
	reader->end -= reader->begin;
	reader->begin = 0;
	if (reader->end == AUDIT_LINE_MAX) {
		/* longer than any record: what is left of it won't be one either */
		reader->losses.foreign++;
		reader->end = 0;
	}
	got = pread(reader->fd, reader->memory + reader->end, AUDIT_LINE_MAX - reader->end, (off_t)reader->offset);
	if (got < 0)
		return err_set_errno(err, errno, "read %s", reader->file);
	reader->offset += (size_t)got;
	reader->end += (size_t)got;
	return got;
}

/* Has our file been rotated since we opened it, or is there one by now? */
static bool has_moved(const struct audit_reader *reader)
{
	struct stat ours, current;

	if (reader->fd < 0 || reader->is_rotated)
		return true;
	if (fstat(reader->fd, &ours) < 0 || stat(reader->file, &current) < 0)
		return errno == ENOENT;
	return ours.st_dev != current.st_dev || ours.st_ino != current.st_ino;
}

/* A record that could not be completed was taken back: what was read of it is nothing. */
static void forget_what_was_taken_back(struct audit_reader *reader)
{
	struct stat st;

	if (reader->fd < 0 || reader->is_rotated || fstat(reader->fd, &st) < 0 || (uint64_t)st.st_size >= reader->offset)
		return;
	reader->offset = (uint64_t)st.st_size;
	reader->begin = reader->end = 0;
}

void audit_reader_place(const struct audit_reader *reader, struct audit_place *place)
{
	struct stat st;

	*place = (struct audit_place){ .seq = reader->seq };
	memcpy(place->time, reader->time, sizeof(place->time));
	if (reader->fd < 0 || fstat(reader->fd, &st) < 0)
		return;
	place->device = st.st_dev;
	place->inode = st.st_ino;
	place->offset = reader->offset - (reader->end - reader->begin);
}

/* A number of a file that was removed comes back: what stands at the place must be what follows. */
static bool continues_at(int fd, const struct audit_place *place)
{
	char text[AUDIT_TIME_AT + 64] = "";
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) < 0 || st.st_dev != place->device || st.st_ino != place->inode || (uint64_t)st.st_size < place->offset)
		return false;
	got = pread(fd, text, sizeof(text) - 1, (off_t)place->offset);
	return got == 0 || (got > AUDIT_TIME_AT + 38 && strtoull(text + AUDIT_TIME_AT + 38, NULL, 10) == place->seq + 1);
}

int audit_reader_go_to(struct audit_reader *reader, const struct audit_place *place, struct err *err)
{
	reader->seq = place->seq;
	snprintf(reader->time, sizeof(reader->time), "%s", place->time);
	for (unsigned n = 0; place->inode && n < FILES_MAX; n++) {
		cleanup_close int fd = open_nth(reader, n, err);

		if (fd < 0 && (fd != -ENOENT || n))
			return fd == -ENOENT ? 0 : fd;
		if (fd < 0 || !continues_at(fd, place))
			continue;
		take(reader, steal_fd(&fd), n);
		reader->offset = place->offset;
		return 0;
	}
	return 0;
}

/* The next whole line of our file; 0 when none is there. */
static int next_line(struct audit_reader *reader, const char **line, size_t *len, struct err *err)
{
	for (;;) {
		char *at = reader->memory + reader->begin;
		char *newline = memchr(at, '\n', reader->end - reader->begin);
		ssize_t got;

		if (newline) {
			*newline = '\0';
			*line = at;
			*len = (size_t)(newline - at);
			reader->begin += *len + 1;
			return 1;
		}
		got = fill(reader, err);
		if (got <= 0)
			return (int)got;
	}
}

/* False for what isn't a record, or was handed out before. */
static bool note(struct audit_reader *reader, const char *line, size_t len)
{
	struct audit_fields fields;

	if (!audit_fields_parse(line, len, &fields)) {
		reader->losses.foreign++;
		return false;
	}
	/* our file may have been removed by hand: those older than it are read again then */
	if (fields.seq <= reader->seq && memcmp(fields.time, reader->time, sizeof(reader->time) - 1) <= 0)
		return false;
	if (reader->seq && fields.seq > reader->seq + 1)
		reader->losses.missed += fields.seq - reader->seq - 1;
	reader->seq = fields.seq;
	memcpy(reader->time, fields.time, sizeof(reader->time) - 1);
	return true;
}

int audit_reader_next(struct audit_reader *reader, const char **line, size_t *len, struct err *err)
{
	for (;;) {
		int r = next_line(reader, line, len, err);

		if (r < 0)
			return r;
		if (r == 1 && !note(reader, *line, *len))
			continue;
		if (r == 1)
			return 1;
		forget_what_was_taken_back(reader);
		if (!has_moved(reader))
			return 0;
		/* Whoever moved it had written to it before: once more, now that nobody writes to it any more. */
		if (reader->fd >= 0 && !reader->is_rotated) {
			reader->is_rotated = true;
			continue;
		}
		r = go_on(reader, err);
		if (r <= 0)
			return r;
	}
}

/* The JSON string at `at`: what stands between its quotes. Returns what is behind it, or NULL. */
static const char *take_text(const char *at, const char *name, const char **text, size_t *len)
{
	size_t name_len = strlen(name);

	if (strncmp(at, name, name_len))
		return NULL;
	at += name_len;
	for (*text = at; *at && *at != '"'; at++)
		if (*at == '\\' && !*++at)
			return NULL;
	*len = (size_t)(at - *text);
	return *at == '"' ? at + 1 : NULL;
}

/* As audit.c writes it, and nothing else: who reckons with it need not ask again. */
static bool is_time(const char *text)
{
	static const char form[] = "0000-00-00T00:00:00.000000000Z";

	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

int64_t audit_time_s(const struct audit_fields *fields)
{
	struct tm tm = { 0 };

	if (sscanf(fields->time, "%4d-%2d-%2dT%2d:%2d:%2d.", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return INT64_MIN;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm);
}

bool audit_fields_parse(const char *line, size_t len, struct audit_fields *fields)
{
	static const char repeated[] = "\"repeated\":", begin[] = "{\"v\":1,\"time\":\"";
	const char *at, *sum;
	char *end;

	*fields = (struct audit_fields){ .time = line + AUDIT_TIME_AT, .repeated = 1 };
	if (len < AUDIT_TIME_AT + 40 || strlen(line) != len || strncmp(line, begin, AUDIT_TIME_AT) ||
	    !is_time(line + AUDIT_TIME_AT) || strncmp(line + AUDIT_TIME_AT + 30, "\",\"seq\":", 8))
		return false;
	fields->seq = strtoull(line + AUDIT_TIME_AT + 38, &end, 10);
	at = take_text(end, ",\"event\":\"", &fields->event, &fields->event_len);
	at = at ? take_text(at, ",\"container\":\"", &fields->container, &fields->container_len) : NULL;
	at = at ? take_text(at, ",\"engine\":\"", &fields->engine, &fields->engine_len) : NULL;
	at = at ? take_text(at, ",\"profile\":\"", &fields->profile, &fields->profile_len) : NULL;
	if (!at || !fields->seq || line[len - 1] != '}')
		return false;
	/* inside a string its quotes would be escaped */
	fields->is_observed = strstr(at, ",\"observed\":true") != NULL;
	sum = strstr(at, repeated);
	if (sum && sum[sizeof(repeated) - 1] >= '1' && sum[sizeof(repeated) - 1] <= '9')
		fields->repeated = strtoull(sum + sizeof(repeated) - 1, NULL, 10);
	return true;
}

bool audit_event_is(const struct audit_fields *fields, const char *event)
{
	return fields->event_len == strlen(event) && !memcmp(fields->event, event, fields->event_len);
}
