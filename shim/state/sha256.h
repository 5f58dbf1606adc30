/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 as lower-case hex, by nettle. */
#ifndef QUOD_STATE_SHA256_H
#define QUOD_STATE_SHA256_H

#include <stddef.h>

#define SHA256_HEX 65	/* with the NUL */

void sha256_hex(const void *data, size_t len, char hex[SHA256_HEX]);

#endif
