/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quantities: what is read, what is refused, and that the shortest print reads back as the same. */
#include <errno.h>
#include <stdlib.h>

#include "shim/policy/units.h"
#include "tests/unit/tap.h"

typedef int parse_function(const char *text, uint64_t *value);
typedef void print_function(struct buf *buf, uint64_t value);

struct sample {
	const char *text;
	int r;
	uint64_t value;
	const char *printed;	/* NULL: as text */
};

static void check(const char *area, parse_function *parse, print_function *print, const struct sample *sample)
{
	cleanup_buf struct buf buf = BUF_INIT;
	uint64_t value = 4711, again = 4711;
	int r = parse(sample->text, &value);

	OK(r == sample->r, "%s: '%s' gives %d", area, sample->text, sample->r);
	OK(value == (r ? 4711 : sample->value), "%s: '%s' is %llu, and nothing is set on failure", area, sample->text,
	   (unsigned long long)sample->value);
	if (r || sample->r)
		return;
	print(&buf, value);
	IS_STR(buf.data, sample->printed ? sample->printed : sample->text, "%s: '%s' prints in its shortest form", area,
	       sample->text);
	OK(!parse(buf.data, &again) && again == value, "%s: the print of '%s' reads back as the same", area, sample->text);
}

static void test_bytes(void)
{
	static const struct sample samples[] = {
		{ "0", 0, 0, NULL }, { "1000", 0, 1000, NULL }, { "1024", 0, 1024, "1K" }, { "512M", 0, 512u << 20, NULL },
		{ "1536M", 0, 1536ull << 20, NULL }, { "4G", 0, 4ull << 30, NULL }, { "4096M", 0, 4ull << 30, "4G" },
		{ "2T", 0, 2ull << 40, NULL }, { "unlimited", 0, LIMIT_UNLIMITED, NULL }, { "", -EINVAL, 0, NULL },
		{ "4g", -EINVAL, 0, NULL }, { "4GB", -EINVAL, 0, NULL }, { "4 G", -EINVAL, 0, NULL }, { " 4G", -EINVAL, 0, NULL },
		{ "-1", -EINVAL, 0, NULL }, { "+1", -EINVAL, 0, NULL }, { "1.5G", -EINVAL, 0, NULL }, { "0x10", -EINVAL, 0, NULL },
		{ "010", -EINVAL, 0, NULL }, { "00", -EINVAL, 0, NULL }, { "G", -EINVAL, 0, NULL }, { "1/s", -EINVAL, 0, NULL },
		{ "Unlimited", -EINVAL, 0, NULL }, { "8388608T", -ERANGE, 0, NULL }, { "8388607T", 0, 8388607ull << 40, NULL },
		{ "18446744073709551615", -ERANGE, 0, NULL }, { "18446744073709551616", -ERANGE, 0, NULL },
		{ "9223372036854775807", 0, INT64_MAX, NULL }, { "99999999999999999999T", -ERANGE, 0, NULL },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check("bytes", bytes_parse, bytes_print, &samples[i]);
}

static void test_durations(void)
{
	static const struct sample samples[] = {
		{ "0", 0, 0, NULL }, { "500ms", 0, 500, NULL }, { "1500ms", 0, 1500, NULL }, { "90s", 0, 90000, NULL },
		{ "60s", 0, 60000, "1m" }, { "90m", 0, 5400000, NULL }, { "8h", 0, 28800000, NULL }, { "24h", 0, 86400000, "1d" },
		{ "30d", 0, 2592000000ull, NULL }, { "unlimited", 0, LIMIT_UNLIMITED, NULL }, { "0s", 0, 0, "0" },
		{ "10", -EINVAL, 0, NULL }, { "", -EINVAL, 0, NULL }, { "8H", -EINVAL, 0, NULL }, { "8h30m", -EINVAL, 0, NULL },
		{ "1.5h", -EINVAL, 0, NULL }, { "-1s", -EINVAL, 0, NULL }, { "1 s", -EINVAL, 0, NULL }, { "1us", -EINVAL, 0, NULL },
		{ "36500d", 0, 3153600000000ull, NULL }, { "36501d", -ERANGE, 0, NULL }, { "99999999999999999999d", -ERANGE, 0, NULL },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check("durations", duration_parse, duration_print, &samples[i]);
}

static void test_rates_and_cpus(void)
{
	static const struct sample rates[] = {
		{ "50M/s", 0, 50u << 20, NULL }, { "1000/s", 0, 1000, NULL }, { "0", 0, 0, NULL },
		{ "unlimited", 0, LIMIT_UNLIMITED, NULL }, { "50M", -EINVAL, 0, NULL }, { "50M/m", -EINVAL, 0, NULL },
		{ "/s", -EINVAL, 0, NULL }, { "50M/s/s", -EINVAL, 0, NULL },
	};
	static const struct sample cpus[] = {
		{ "2", 0, 2000, "2.0" }, { "2.0", 0, 2000, NULL }, { "0.5", 0, 500, NULL }, { "0.25", 0, 250, NULL },
		{ "0.125", 0, 125, NULL }, { "1.0050", 0, 1005, "1.005" }, { "unlimited", 0, LIMIT_UNLIMITED, NULL },
		{ "0.0001", -ERANGE, 0, NULL }, { "1e1", -EINVAL, 0, NULL }, { "1.", -EINVAL, 0, NULL }, { ".5", -EINVAL, 0, NULL },
		{ "-1", -EINVAL, 0, NULL }, { "", -EINVAL, 0, NULL }, { "1000001", -ERANGE, 0, NULL },
	};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		check("rates", rate_parse, rate_print, &rates[i]);
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		check("cpus", cpus_parse, cpus_print, &cpus[i]);
}

int main(void)
{
	test_bytes();
	test_durations();
	test_rates_and_cpus();
	return tap_done();
}
