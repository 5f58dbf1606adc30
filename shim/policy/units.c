/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quantities as profiles write them: see units.h. One spelling, one meaning: no sign, no space, no leading zero, no lower
 * case multiples, and nothing that later arithmetic in int64 or in nanoseconds could overflow.
 */
#include "shim/policy/units.h"

#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"

#define DURATION_MAX_MS 3153600000000ull /* 100 years of 365 days */
#define CPUS_MAX_MILLI 1000000000ull

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{ "T", 1ull << 40 }, { "G", 1ull << 30 }, { "M", 1ull << 20 }, { "K", 1ull << 10 }, { "", 1 },
};

static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

/* Digits without a leading zero; *end is what follows them. */
static int digits_parse(const char *text, uint64_t *value, const char **end)
{
	const char *at = text;

	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(*value, 10u, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
			return -ERANGE;
	if (at == text || (text[0] == '0' && at != text + 1))
		return -EINVAL;
	*end = at;
	return 0;
}

static int unit_apply(const struct unit *units, size_t count, const char *name, uint64_t *value)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(units[i].name, name))
			return __builtin_mul_overflow(*value, units[i].factor, value) ? -ERANGE : 0;
	return -EINVAL;
}

static void unit_print(struct buf *buf, const struct unit *units, size_t count, uint64_t value)
{
	size_t i = 0;

	if (value == LIMIT_UNLIMITED) {
		buf_puts(buf, "unlimited");
		return;
	}
	if (!value) {
		buf_putc(buf, '0');
		return;
	}
	while (i + 1 < count && value % units[i].factor)
		i++;
	buf_printf(buf, "%llu%s", (unsigned long long)(value / units[i].factor), units[i].name);
}

/* `suffix` must end the text behind the unit: "" or "/s". */
static int quantity_parse(const char *text, const char *suffix, uint64_t *bytes)
{
	char unit[2] = "";
	const char *end;
	uint64_t value;
	int r;

	if (!strcmp(text, "unlimited")) {
		*bytes = LIMIT_UNLIMITED;
		return 0;
	}
	r = digits_parse(text, &value, &end);
	if (r)
		return r;
	if (*end && *end != '/')
		unit[0] = *end++;
	if (strcmp(end, suffix))
		return -EINVAL;
	r = unit_apply(byte_units, ARRAY_SIZE(byte_units), unit, &value);
	if (r)
		return r;
	if (value > INT64_MAX)
		return -ERANGE;
	*bytes = value;
	return 0;
}

int bytes_parse(const char *text, uint64_t *bytes)
{
	return quantity_parse(text, "", bytes);
}

int rate_parse(const char *text, uint64_t *bytes_per_second)
{
	return quantity_parse(text, strcmp(text, "0") ? "/s" : "", bytes_per_second);
}

int duration_parse(const char *text, uint64_t *ms)
{
	const char *end;
	uint64_t value;
	int r;

	if (!strcmp(text, "unlimited")) {
		*ms = LIMIT_UNLIMITED;
		return 0;
	}
	r = digits_parse(text, &value, &end);
	if (r)
		return r;
	if (*end || value)
		r = unit_apply(duration_units, ARRAY_SIZE(duration_units), end, &value);
	if (r)
		return r;
	if (value > DURATION_MAX_MS)
		return -ERANGE;
	*ms = value;
	return 0;
}

int cpus_parse(const char *text, uint64_t *milli)
{
	uint64_t whole, part = 0, scale = 1000;
	const char *end;
	int r;

	if (!strcmp(text, "unlimited")) {
		*milli = LIMIT_UNLIMITED;
		return 0;
	}
	r = digits_parse(text, &whole, &end);
	if (r)
		return r;
	if (*end == '.') {
		const char *first = ++end;

		for (; *end >= '0' && *end <= '9'; end++) {
			if (scale == 1 && *end != '0')
				return -ERANGE;
			scale = scale > 1 ? scale / 10 : 1;
			part += (uint64_t)(*end - '0') * scale;
		}
		if (end == first)
			return -EINVAL;
	}
	if (*end)
		return -EINVAL;
	if (whole > CPUS_MAX_MILLI / 1000)
		return -ERANGE;
	*milli = whole * 1000 + part;
	return 0;
}

void bytes_print(struct buf *buf, uint64_t bytes)
{
	unit_print(buf, byte_units, ARRAY_SIZE(byte_units), bytes);
}

void rate_print(struct buf *buf, uint64_t bytes_per_second)
{
	bytes_print(buf, bytes_per_second);
	if (bytes_per_second && bytes_per_second != LIMIT_UNLIMITED)
		buf_puts(buf, "/s");
}

void duration_print(struct buf *buf, uint64_t ms)
{
	unit_print(buf, duration_units, ARRAY_SIZE(duration_units), ms);
}

void cpus_print(struct buf *buf, uint64_t milli)
{
	unsigned part = (unsigned)(milli % 1000);

	if (milli == LIMIT_UNLIMITED) {
		buf_puts(buf, "unlimited");
		return;
	}
	buf_printf(buf, "%llu", (unsigned long long)(milli / 1000));
	if (part % 100 == 0)
		buf_printf(buf, ".%u", part / 100);
	else if (part % 10 == 0)
		buf_printf(buf, ".%02u", part / 10);
	else
		buf_printf(buf, ".%03u", part);
}
