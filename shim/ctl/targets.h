/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The containers that a command is about, and asking all their guardians at once. */
#ifndef QUOD_CTL_TARGETS_H
#define QUOD_CTL_TARGETS_H

#include <stdbool.h>

#include "shim/ctl/ctl.h"
#include "shim/warden/control.h"

struct target {
	struct record record;
	int dir_fd;		/* its state directory */
	int fd;			/* to its guardian; -1 */
	pid_t pid;		/* its first process; 0 when there is none */
	int error;		/* 0: `answer` is the guardian's; else a positive errno, ENOENT when it has none */
	struct control_answer answer;
};

struct targets {
	struct target *items;
	size_t count;
	enum control_word at_once;	/* 0, or the word that each guardian gets when its container is found */
};

/* One container by what a person types; unmanaged ones are refused. */
int targets_find(const struct ctl *ctl, const char *name, struct targets *targets, struct err *err);

/* All managed containers, or those of one profile. */
int targets_collect(const struct ctl *ctl, const char *profile, struct targets *targets, struct err *err);

/* Gives the word to all who have not got it yet before it waits for any. */
void targets_ask(struct targets *targets, enum control_word word);
void targets_release(struct targets *targets);

/* Who gives the order, as members of an audit record: "\"uid\":0,\"login_uid\":1000,\"sudo_user\":\"alice\"". */
void ctl_put_who(struct buf *members);

/* An event of the container (NULL: of none) into the audit trail that its helpers write. */
int ctl_audit(const struct ctl *ctl, const char *event, const struct record *record, const char *members, struct err *err);

#endif
