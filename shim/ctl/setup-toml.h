/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TOML text as a flat list of its tables and values, each with its place, so that an edit can leave every other byte as
 * it is. Must never take what it does not understand: such a text is refused, and left alone. (TOML 1.0; but for a key with
 * control characters, and deep nesting.)
 */
#ifndef QUOD_CTL_SETUP_TOML_H
#define QUOD_CTL_SETUP_TOML_H

#include "shim/base/buf.h"
#include "shim/base/err.h"
#include "shim/policy/profile.h"

#define TOML_SEPARATOR '\x1f'	/* between the names of a path; no name has it */

enum toml_kind {
	TOML_TABLE,		/* [a.b] */
	TOML_ARRAY_TABLE,	/* [[a.b]]: its path ends in an index, "#0" */
	TOML_INLINE,		/* a = { } */
	TOML_VALUE,		/* all else; an array is one value */
};

struct toml_entry {
	char *path;		/* from the root: "plugins", SEPARATOR, "cri" */
	enum toml_kind kind;
	bool is_inline;		/* stands within an inline table */
	size_t begin, end;	/* of the value as it is written */
	int line;
};

struct toml {
	const char *text;	/* borrowed */
	struct toml_entry *entries;	/* in the order of the text */
	size_t count;
};

/* -EINVAL with the line in err. Release on failure, too. */
int toml_read(const char *text, size_t len, struct toml *toml, struct err *err);
void toml_release(struct toml *toml);
static inline void cleanup_toml_at(struct toml *toml)
{
	toml_release(toml);
}
#define cleanup_toml __attribute__((cleanup(cleanup_toml_at)))

/* Names joined to a path, NULL-terminated; malloc'ed. */
char *toml_path(const char *name, ...) __attribute__((sentinel));

const struct toml_entry *toml_find(const struct toml *toml, const char *path);

/* Something stands at the path or below it. */
bool toml_has(const struct toml *toml, const char *path);

/* Behind `path` and a separator: the rest of the entry's path; NULL when it stands elsewhere. */
const char *toml_below(const struct toml_entry *entry, const char *path);

/* A string's meaning, malloc'ed; NULL when it is none (or has a NUL in it). */
char *toml_string(const struct toml *toml, const struct toml_entry *entry);

/* An array of strings; false when it is anything else. */
bool toml_strings(const struct toml *toml, const struct toml_entry *entry, struct strings *strings);

/* Both say the same, in the same order, but for what stands at or below the paths `except`. */
bool toml_same(const struct toml *a, const struct toml *b, const struct strings *except);

/* A name as a key: bare where it may be, else quoted. */
void toml_put_key(struct buf *buf, const char *name);

#endif
