/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of quodctl's own at the end of somebody else's file, between two comments, so that they can be found again. */
#ifndef QUOD_CTL_SETUP_BLOCK_H
#define QUOD_CTL_SETUP_BLOCK_H

#include "shim/base/buf.h"
#include "shim/base/err.h"

#define BLOCK_BEGIN "# quod: begin (made by quodctl setup, which takes it out with --remove)"
#define BLOCK_END "# quod: end"

/* Where the block is, the line end in front of it included. 1; 0 when there is none; -EINVAL when its comments were moved. */
int block_find(const char *text, size_t len, size_t *begin, size_t *end, struct err *err);

/* Takes it out: all as it was before block_put. As block_find. */
int block_cut(struct buf *text, struct err *err);

/* Appends it; `lines` end in newlines, which become the file's own. */
void block_put(struct buf *text, const char *lines);

#endif
