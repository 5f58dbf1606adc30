/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits in a JSON text that leave every other byte as it is: order, indentation, line ends, comments (quod's own files have
 * them). The text must have been taken by json_parse; an edit is to be checked by parsing the result.
 */
#ifndef QUOD_CTL_SETUP_JSON_H
#define QUOD_CTL_SETUP_JSON_H

#include <stdbool.h>

#include "shim/base/buf.h"

/* A value by the names that lead to it, NULL-terminated: { "runtimes", "quod", NULL }. Names are compared as they are
 * written: one that is written with escapes isn't found. */
typedef const char *const json_path[];

/* Sets the value (JSON on one line), as the last member where it isn't there; objects on the way are made. False, and the
 * text as it was, when something on the way is no object. */
bool json_text_set(struct buf *text, json_path path, const char *value);

/* Appends to the array, which is made when it isn't there. False as above. */
bool json_text_append(struct buf *text, json_path path, const char *value);

/* Takes the member out, and its line where it has one of its own. False when it isn't there. Undoes a json_text_set that
 * added the member. */
bool json_text_remove(struct buf *text, json_path path);

/* Takes the item of that index out of the array. */
bool json_text_remove_item(struct buf *text, json_path path, size_t index);

#endif
