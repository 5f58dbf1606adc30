/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl setup ENGINE: what one invocation wants, what it will change, and what it changed before. An engine's own file
 * (setup-ENGINE.c) reads, decides and says what is to be; nothing is written before all of it is decided.
 */
#ifndef QUOD_CTL_SETUP_H
#define QUOD_CTL_SETUP_H

#include <sys/stat.h>

#include "shim/base/buf.h"
#include "shim/ctl/ctl.h"

#define SETUP_QUOD QUOD_BINDIR "/quod"

/* One file of the engine's, as it is and as it is to be. Paths are those the engine knows: --root is put in front by who opens. */
struct setup_file {
	char *path;
	char *before;		/* NUL-terminated; NULL: not there */
	size_t before_len;
	struct stat stat;	/* of `before` */
	char *after;		/* NULL: not to be there */
	size_t after_len;
	mode_t mode;		/* of a file that is made: 0644, or as the engine's file says */
};

/* What setup did before, and has to take back: /var/lib/quod/setup/NAME.json. */
struct setup_record {
	char *name;		/* "docker+etc+docker+daemon.json" */
	bool is_there;		/* was read */
	struct strings created;	/* files and directories that weren't there */
	struct strings links;	/* that stand for profiles */
	struct strings added;	/* the engine's own words: members, handlers */
	char *was;		/* what a replaced value was, or NULL */
};

struct setup;

struct setup_engine {
	const char *name;
	const char *file;	/* its configuration, without --config */
	/* Fills files, links, record and words; changes nothing. */
	int (*plan)(struct setup *setup, struct err *err);
	/* Has the running engine start a container that quod must refuse: 0 when quod's refusal came back, *says is the proof or
	 * what came instead (malloc'ed). NULL: there is no way to ask it. */
	int (*check)(struct setup *setup, char **says, struct err *err);
	/* Does setup->moves, when all else is done (--remove: before all else). NULL: there are none. */
	int (*move)(struct setup *setup, struct err *err);
	const char *moved, *moved_back;	/* in front of what was moved, for people */
};

struct setup {
	struct ctl *ctl;
	const struct setup_engine *engine;
	const char *root;	/* --root; "" */
	const char *file;	/* --config, else the engine's */
	const char *output;	/* --output FILE, of kubernetes */
	const char *from;	/* --from DIR, of profiles */
	bool is_file_given, is_kubernetes;
	bool dry_run, remove, check;
	const char *standard;	/* --default: "quod", "quod-NAME", or NULL */
	struct strings profiles;
	struct setup_record record;
	struct setup_file *files;
	size_t file_count;
	struct strings new_links, old_links;
	struct strings moves;	/* host: runtimes in whose place quod is put, or was; profiles: directories */
	struct strings notes;	/* sentences */
	struct strings next;	/* commands */
};

extern const struct setup_engine setup_docker, setup_containerd, setup_crio, setup_podman, setup_host, setup_profiles;

/* setup-files.c: every path is resolved below --root. */
int setup_open_dir(struct setup *setup, const char *path, bool make, struct err *err);	/* the directory that holds `path` */
int setup_read(struct setup *setup, const char *path, struct setup_file **file, struct err *err);	/* absent is no error */
void setup_want(struct setup_file *file, struct buf *text);	/* takes the bytes */
int setup_apply_files(struct setup *setup, struct err *err);
bool setup_is_changed(const struct setup_file *file);
char *setup_backup_name(const struct setup_file *file);

/* setup-links.c: quod-NAME beside quod. */
char *setup_link_path(const char *runtime);	/* "/usr/bin/quod-web" of "quod-web", SETUP_QUOD of "quod" */
int setup_plan_links(struct setup *setup, struct err *err);
int setup_apply_links(struct setup *setup, const struct strings *links, bool make, struct err *err);

/* setup-record.c */
int setup_lock(struct setup *setup, int *lock_fd, struct err *err);
int setup_record_read(struct setup *setup, struct err *err);
int setup_record_write(struct setup *setup, struct err *err);	/* --remove: takes it away */
bool setup_record_shares(struct setup *setup, const char *link);	/* another engine's record has the link, too */
void setup_record_release(struct setup_record *record);

/* setup-diff.c: as diff -u shows it, escaped for a terminal. */
void setup_put_diff(struct buf *out, const struct setup_file *file);

/* Runtimes by name: "quod", and "quod-NAME" for each profile, behind those that are there. Free with strings_free. */
void setup_runtimes(const struct setup *setup, struct strings *names);

void setup_note(struct setup *setup, const char *format, ...) __attribute__((format(printf, 2, 3)));
void setup_next(struct setup *setup, const char *command);

#endif
