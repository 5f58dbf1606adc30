/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON pointer, RFC 6901. */
#ifndef QUOD_OCI_POINTER_H
#define QUOD_OCI_POINTER_H

#include "oci/json.h"

/* The node that `pointer` names, or NULL (also for a malformed pointer). "" is the root itself. */
struct json *pointer_find(const struct json *root, const char *pointer);

/* "/a/b~1c" -> parent "/a" and token "b/c", unescaped. False for "" and for a malformed pointer. */
bool pointer_split(const char *pointer, struct buf *parent, struct buf *token);

/* An index as RFC 6901 writes it: digits without a leading zero. */
bool pointer_parse_index(const char *token, size_t *index);

/* Appends "/name" with ~ and / escaped. */
void pointer_put_name(struct buf *buf, const char *name);
void pointer_put_index(struct buf *buf, size_t index);

#endif
