/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAP for unit tests: `OK(condition, "area: a sentence")`, `IS_STR(got, wanted, "...")`, `return tap_done();`.
 * A failed line says where and what it got.
 */
#ifndef QUOD_TESTS_UNIT_TAP_H
#define QUOD_TESTS_UNIT_TAP_H

#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

#define OK(condition, ...)                                                                   \
	do {                                                                                 \
		int tap_ok_ = !!(condition);                                                 \
		printf("%sok %d - ", tap_ok_ ? "" : "not ", ++tap_count);                    \
		printf(__VA_ARGS__);                                                         \
		printf("\n");                                                                \
		if (!tap_ok_) {                                                              \
			tap_failed++;                                                        \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);             \
		}                                                                            \
	} while (0)

#define IS_STR(got, wanted, ...)                                                             \
	do {                                                                                 \
		const char *tap_got_ = (got), *tap_wanted_ = (wanted);                       \
		int tap_same_ = tap_got_ && tap_wanted_ ? !strcmp(tap_got_, tap_wanted_) : tap_got_ == tap_wanted_; \
		OK(tap_same_, __VA_ARGS__);                                                  \
		if (!tap_same_)                                                              \
			printf("# got:    %s\n# wanted: %s\n", tap_got_ ? tap_got_ : "(null)", \
			       tap_wanted_ ? tap_wanted_ : "(null)");                         \
	} while (0)

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
