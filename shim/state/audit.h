/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The audit trail: JSON Lines, one write(2) a record, a SHA-256 chain over all records (seq, prev, hash), kept whole
 * under parallel writers by a lock beside the file. Record format: quodctl(8), "AUDIT".
 */
#ifndef QUOD_STATE_AUDIT_H
#define QUOD_STATE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/base/buf.h"
#include "shim/base/err.h"

struct audit_settings {
	const char *file;	/* "/var/log/quod/audit.jsonl" */
	const char *head_file;	/* the chain's head, beside the ledger: "/var/lib/quod/audit.head" */
	uint64_t rotate_bytes;
	uint32_t keep_files;
	bool anchor_syslog;	/* the head goes to syslog at each rotation and each 1,000 records */
};

struct audit_record {
	const char *event;	/* create refuse exec update exit budget.warn budget.spent ... */
	const char *container, *engine, *profile, *digest;	/* "" when unknown */
	const char *members;	/* further members as JSON text without braces: "\"cause\":\"wall 8h spent\",\"code\":137"; "" for none */
};

/* Appends one record: takes the lock, reads the head, writes the line, writes the head, rotates when due. A field longer
 * than 4 KiB is cut and marked. */
int audit_write(const struct audit_settings *settings, const struct audit_record *record, struct err *err);

struct audit_check {
	uint64_t records;
	char head[65];		/* hash of the last record, hex */
	uint64_t first_seq;	/* of the oldest record that is there; 0: none */
	char first_time[31];	/* its time as it stands there: RFC 3339, UTC, nanoseconds; "" */
	char least_time[31], most_time[31];	/* of all records: other than the first's and the last's where the clock was set */
	char *first_bad;	/* "audit.jsonl:17: hash does not match", or NULL; malloc'ed */
};

/* Walks the chain through all rotated files up to the head (`expect_head` NULL: the kept one). 0 when it was walked (see
 * first_bad for the verdict), negative errno when it could not be. */
int audit_verify(const struct audit_settings *settings, const char *expect_head, struct audit_check *check, struct err *err);

#endif
