/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the audit trail as it grows: each record once, in order, through all rotated files and across rotations that
 * happen meanwhile. Proves nothing (audit.h's audit_verify does): a line that is no record is counted and left out.
 */
#ifndef QUOD_STATE_AUDIT_READ_H
#define QUOD_STATE_AUDIT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"

struct audit_reader;

/* Begins with the oldest record that is there; a trail that isn't there yet has none. Free with audit_reader_free. */
int audit_reader_new(const char *file, struct audit_reader **reader, struct err *err);

/* Before the first record is read: files that were last written to before then needn't be read. */
void audit_reader_skip_older(struct audit_reader *reader, int64_t seconds);
void audit_reader_free(struct audit_reader *reader);

/* Where a reader is, to go on from there in another process. */
struct audit_place {
	uint64_t device, inode, offset;	/* of the file and the line that comes next */
	uint64_t seq;			/* of the record handed out last */
	char time[31];
};
void audit_reader_place(const struct audit_reader *reader, struct audit_place *place);

/* Before the first record is read. When that file is gone: from the oldest one, without what was handed out. */
int audit_reader_go_to(struct audit_reader *reader, const struct audit_place *place, struct err *err);

/* 1 and the next line, without its newline and NUL-terminated, borrowed until the next call; 0 when there is none now; or a
 * negative errno. Half a line is none. */
int audit_reader_next(struct audit_reader *reader, const char **line, size_t *len, struct err *err);

/* How many lines were no records, and how many records were rotated away before they could be read, so far. */
struct audit_reader_losses {
	uint64_t foreign, missed;
};
const struct audit_reader_losses *audit_reader_losses(const struct audit_reader *reader);

/* What stands at fixed places of a record's line: borrowed from it, as JSON has it (without quotes, escapes not undone). */
struct audit_fields {
	const char *time;	/* 30 characters */
	const char *event, *container, *engine, *profile;
	size_t event_len, container_len, engine_len, profile_len;
	uint64_t seq;
	uint64_t repeated;	/* of a record that sums up; 1 without */
	bool is_observed;	/* a refusal of a profile that only observes: it passed */
};

/* False when it isn't a line that quod writes. Neither hash nor the rest is looked at. */
bool audit_fields_parse(const char *line, size_t len, struct audit_fields *fields);
int64_t audit_time_s(const struct audit_fields *fields);	/* seconds since 1970; INT64_MIN when its time is none */
bool audit_event_is(const struct audit_fields *fields, const char *event);

#endif
