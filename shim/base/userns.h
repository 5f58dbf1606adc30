/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which user namespace this process lives in. */
#ifndef QUOD_BASE_USERNS_H
#define QUOD_BASE_USERNS_H

#include <stdbool.h>

/* The first user namespace: its map is the identity over all ids. False when the map can't be read. */
bool userns_is_initial(void);

#endif
