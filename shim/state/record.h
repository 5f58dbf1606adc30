/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one live container: /run/quod/containers/KEY/record.json, mode 0700 directory, written by `create` before
 * the runtime runs, read by every later command, by the hook and by quodctl. KEY is derived from the runtime's root and the
 * container's id.
 */
#ifndef QUOD_STATE_RECORD_H
#define QUOD_STATE_RECORD_H

#include <stdint.h>
#include <sys/types.h>

#include "oci/json.h"

#define RECORD_VERSION 1

/* Places of state; from configure, or from the environment of a user namespace (rootless). */
struct state_places {
	char run_dir[256];	/* /run/quod */
	char ledger_dir[256];	/* /var/lib/quod/ledger */
	char audit_head[256];	/* /var/lib/quod/audit.head */
	char placeholders_dir[272];	/* /var/lib/quod/placeholders */
	char profiles_dir[256];	/* a user's own profiles; "" for the host's root */
};

void state_places_init(struct state_places *places);

/* 40 hex digits of SHA-256(root NUL id). */
#define STATE_KEY 41
void state_key(const char *runtime_root, const char *id, char key[STATE_KEY]);

/* record.json is an object with "version" and a member for each field below, of the same name; the strings, "created_s" and
 * "profile_json" must be there, "plan", "identity" and "guardian_pid" may be absent; other members are left to those who know them. */
struct record {
	struct json_tree *tree;		/* owns everything */
	struct json *root;
	const char *id, *key, *runtime_root, *runtime, *bundle;	/* bundle: the engine's own path */
	const char *engine, *profile, *digest, *chosen_by, *ledger_key;
	const char *identity;	/* by which it is known again after a restart (halts.h) */
	const struct json *profile_json;	/* resolved */
	const struct json *plan;		/* edits, rules, budgets as decided */
	int64_t created_s;
	pid_t guardian_pid;
};

/* Opens (and with `create` makes) the container's state directory; a descriptor. -ENOENT when it isn't there. */
int record_open_dir(const struct state_places *places, const char *key, bool create, struct err *err);

/* Exclusive lock on the container's state for the life of the descriptor; waits at most timeout_ms (-ETIMEDOUT). */
int record_lock(int dir_fd, int timeout_ms, struct err *err);

/* Replaces record.json atomically; "version" is set by the caller's document (RECORD_VERSION). */
int record_write(int dir_fd, const struct json *root, struct err *err);

/* -ENOENT when there is none; -EPROTO for one of another version. Free with record_release. */
int record_read(int dir_fd, struct record *record, struct err *err);
void record_release(struct record *record);

/* Removes a container's state directory and all in it. What is mounted on <state>/mounts/NAME is detached first; no link is
 * followed and no mount entered, so that nothing of what was mounted there is ever touched. Absent is no error. */
int record_remove(const struct state_places *places, const char *key, struct err *err);

/* Calls visit(key, data) for each state directory until it returns non-zero; returns that. */
int record_each(const struct state_places *places, int (*visit)(const char *key, void *data), void *data, struct err *err);

#endif
