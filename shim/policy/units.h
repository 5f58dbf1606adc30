/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quantities as profiles write them: "4G", "512M" (binary multiples: K M G T), "8h", "30m", "10s", "500ms", "24h", "30d",
 * "50M/s", 2.0 CPUs, "unlimited". Pure. */
#ifndef QUOD_POLICY_UNITS_H
#define QUOD_POLICY_UNITS_H

#include "shim/base/buf.h"
#include "shim/policy/profile.h"

int bytes_parse(const char *text, uint64_t *bytes);		/* 0 or -EINVAL, -ERANGE; "0" and "unlimited" are fine */
int duration_parse(const char *text, uint64_t *ms);
int rate_parse(const char *text, uint64_t *bytes_per_second);
int cpus_parse(const char *text, uint64_t *milli);		/* "2", "2.0", "0.125": at most three digits count */
void bytes_print(struct buf *buf, uint64_t bytes);		/* shortest exact form: 4G, 1536M, 1000 */
void rate_print(struct buf *buf, uint64_t bytes_per_second);	/* 50M/s */
void duration_print(struct buf *buf, uint64_t ms);		/* shortest exact form: 8h, 90m, 1500ms */
void cpus_print(struct buf *buf, uint64_t milli);		/* 2.0, 0.125: a JSON number unless it is unlimited */

#endif
