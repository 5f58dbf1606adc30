/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod's own JSON files (profiles, groups, quod.json) are tables: each key with its type, range and place in a struct. One
 * reader and one printer serve all of them, so that no key is read more loosely than another: an unknown key, a wrong type,
 * a value out of range is an error "FILE:LINE: /pointer: what is wrong". Pure.
 */
#ifndef QUOD_POLICY_KEYS_H
#define QUOD_POLICY_KEYS_H

#include <stddef.h>

#include "shim/policy/profile.h"

#define KEYS_LIST_MAX 4096	/* items of one list */
#define KEYS_TEXT_MAX 4096	/* bytes of one text */

/* Where in a document: a value and how it was reached. Lives on the stack of the walk. */
struct spot {
	const struct spot *up;		/* NULL: the root */
	const char *name;		/* NULL: an item of an array */
	size_t index;
	const struct json *value;
};

struct key;

struct reader {
	const char *file;		/* stands in front of messages */
	const struct key *keys;
	size_t key_count;
	void *target;			/* the struct that offsets are relative to */
	const struct profile_paths *paths;	/* where groups are; NULL: a document in memory, which has none */
	bool is_word;			/* a project's own, without parents */
	unsigned depth;			/* of the document in its chain (struct entry) */
	struct strings *all;		/* every error is added, and the walk goes on; NULL: it ends with the first */
	struct err *err;		/* the last one */
};

enum key_kind {
	KEY_VERSION,	/* the number 1, required */
	KEY_IGNORED,	/* a string without effect: $schema */
	KEY_BOOL,
	KEY_WORD,	/* one of `words`: its index, in a bool or an enum */
	KEY_SET,	/* a list out of `words`: bits, in an unsigned; replaces */
	KEY_TEXT,	/* a string, held to `check` */
	KEY_STRINGS,	/* a list of strings, each held to `check`; appends, or replaces */
	KEY_BYTES,	/* quantities: a uint64_t within least..most, perhaps "unlimited" */
	KEY_RATE,
	KEY_DURATION,
	KEY_COUNT,
	KEY_CPUS,
	KEY_OTHER,	/* `read` and `print` */
};

struct key {
	const char *name;		/* "mounts.host" */
	enum key_kind kind;
	size_t offset, size;		/* KEY_AT(struct, field) */
	const char *const *words;	/* NULL-terminated */
	const char *(*check)(const char *text);	/* NULL when it is good, else what it should be */
	uint64_t least, most;
	bool unlimited;			/* "unlimited" is a value */
	bool replaces;			/* KEY_STRINGS: a later document's list takes the place of the earlier one's */
	int (*read)(const struct reader *reader, const struct spot *spot);
	struct json *(*print)(struct json_tree *tree, const void *target);	/* NULL: leave the key out */
};

#define KEY_AT(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)

/* Reads a document onto `target`, which holds the defaults or what earlier documents said. On failure the target is as far
 * as the walk has come: throw it away. */
int keys_read(const struct reader *reader, const struct json *root);

/* The same for an object within a document, without a version of its own. */
int keys_read_object(const struct reader *reader, const struct spot *object);

/* Does the document have the key of that full name? */
bool keys_has(const struct json *root, const char *name);

/* The document that keys_read reads back as the same. */
struct json *keys_print(struct json_tree *tree, const struct key *keys, size_t count, const void *target);

/* The key of that full name, or NULL. */
const struct key *keys_find(const struct key *keys, size_t count, const char *name);

/* For KEY_OTHER readers. keys_read_value: the value of one key, as the table would. */
int keys_read_value(const struct reader *reader, const struct key *key, const struct spot *spot);
int spot_fail(const struct reader *reader, const struct spot *spot, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
char *spot_place(const struct reader *reader, const struct spot *spot);	/* "FILE:LINE: /pointer", malloc'ed */
struct spot spot_item(const struct spot *array, size_t index);
struct spot spot_member(const struct spot *object, size_t index);
int spot_is(const struct reader *reader, const struct spot *spot, enum json_type type);	/* 0, or the error is set */
int spot_text(const struct reader *reader, const struct spot *spot, const char **text);	/* a plain, bounded string */
int spot_list(const struct reader *reader, const struct spot *spot, enum json_type type); /* array or object, bounded */
/* Each item of an array or member of an object, of a bounded one. */
int spot_each(const struct reader *reader, const struct spot *spot, enum json_type type,
	      int (*read)(const struct reader *reader, const struct spot *item));
int spot_word(const struct reader *reader, const struct spot *spot, const char *const *words, size_t *index);
int spot_quantity(const struct reader *reader, const struct spot *spot, const struct key *key, uint64_t *value);

/* The member `name` of an object that may have only `names` (NULL-terminated); spot->value is NULL when it isn't there. */
int spot_only(const struct reader *reader, const struct spot *object, const char *const *names);
struct spot spot_named(const struct spot *object, const char *name);

/* The word of the NULL-terminated list that is nearest to `text` (edit distance). */
const char *nearest_word(const char *text, const char *const *words);

#endif
