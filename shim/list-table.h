/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table that `list` prints, with other bundle paths in it. Pure. */
#ifndef QUOD_SHIM_LIST_TABLE_H
#define QUOD_SHIM_LIST_TABLE_H

#include "shim/base/buf.h"

/* Appends the runtime's table to `buf`, each row's bundle replaced by what bundle_of(id, data) says (malloc'ed; NULL leaves
 * it), the columns aligned again. A table of another form is appended as it is. */
void list_table_print(struct buf *buf, const char *table, char *(*bundle_of)(const char *id, void *data), void *data);

#endif
