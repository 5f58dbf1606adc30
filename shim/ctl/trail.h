/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of the audit trail, one after another, for the commands that read it. */
#ifndef QUOD_CTL_TRAIL_H
#define QUOD_CTL_TRAIL_H

#include "shim/ctl/ctl.h"
#include "shim/shim.h"
#include "shim/state/audit-read.h"

struct trail {
	struct shim shim;		/* its configuration, and where the trail lies */
	struct audit_reader *reader;
	char *container;		/* NULL: all; else an id, or how it begins */
	bool is_whole_id;
	char since[31];			/* "": from the beginning; else as a record has it */
};

/* The host's own trail. With trail_release also after a failure. */
int trail_open(const struct ctl *ctl, struct trail *trail, struct err *err);

/* A trail's file that lies anywhere, and those that were rotated away beside it. */
int trail_open_file(const char *file, struct trail *trail, struct err *err);
void trail_release(struct trail *trail);

/* Only records of this container: its id, the beginning of it (four characters at least), or the key of a live one. */
int trail_choose_container(const struct ctl *ctl, struct trail *trail, const char *word, struct err *err);

/* Only records since a time: "2026-11-24T10:00:00Z", a date, or how long ago ("90m"). -EINVAL for what is neither. */
int trail_choose_since(struct trail *trail, const char *word, struct err *err);

/* As audit_reader_next, of the chosen ones. */
int trail_next(struct trail *trail, const char **line, size_t *len, struct audit_fields *fields, struct err *err);

/* audit_verify, and then what else quod left on disk is asked whether there were records before: see audit-verify.c. */
int ctl_audit_check(const struct ctl *ctl, const struct audit_settings *settings, const char *head, struct audit_check *check,
		    struct err *err);

/* A record's members but those that each one has, "name=value ...", not escaped (events.c). */
void ctl_put_members(struct buf *buf, const struct json *record);

/* One line on stderr for lines that are no records and records that were not there any more; nothing without. */
void trail_say_losses(const struct trail *trail);

#endif
