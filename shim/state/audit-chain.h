/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The audit trail's inner form, shared by its writer and its verifier: one line, and the head file. A line is
 *   {"v":1,"time":"<30 characters>","seq":N,"event":...,"prev":"<64 hex>","hash":"<64 hex>"}\n
 * where `hash` is SHA-256 of the line without `,"hash":"..."` and without the newline. Nothing here allocates.
 */
#ifndef QUOD_STATE_AUDIT_CHAIN_H
#define QUOD_STATE_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"
#include "shim/state/sha256.h"

#define AUDIT_LINE_MAX (256u * 1024)	/* with the newline; what is longer is no record */
#define AUDIT_ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_TIME_AT 15	/* in a line: its time's 30 characters */
#define AUDIT_HEAD_LOST ",\"head\":\"lost\""	/* member of the first record after the head file was missing or unreadable */

struct audit_line {
	uint64_t seq;
	char prev[SHA256_HEX], hash[SHA256_HEX];
	bool head_lost;
};

/* `text` is one line without its newline. 0; -EBADMSG when it isn't a record, -EILSEQ when its hash does not match. */
int audit_line_parse(const char *text, size_t len, struct audit_line *line);

/* What the head file says. Two slots of AUDIT_SLOT bytes are written in turn, so that one that was torn leaves the other. */
#define AUDIT_SLOT 320u
struct audit_head {
	uint64_t seq;			/* of the last record; 0: none yet */
	char hash[SHA256_HEX];		/* of the last record; AUDIT_ZERO: none yet */
	uint64_t first_seq;		/* of the oldest record that is kept; 0 unknown */
	uint64_t size;			/* of the trail's file behind the last record */
	uint64_t device, inode;		/* of that file */
};

/* 0; -ENOENT for an empty file, -EBADMSG when no slot is whole. */
int audit_head_read(int fd, struct audit_head *head);
int audit_head_write(int fd, const struct audit_head *head);

/* Opens a regular file of the trail (O_RDONLY, or O_RDWR with O_CREAT, O_APPEND), following no link in its last component;
 * with O_CREAT missing directories are made 0700 and the file 0600. A descriptor or a negative errno. */
int audit_open(const char *path, int flags, struct err *err);

/* Takes the lock beside the trail; a descriptor, or a negative errno (-ETIMEDOUT after 5 s). With `create` the file and its
 * directories are made. */
int audit_lock(const char *file, bool create, struct err *err);

#endif
