/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update's options as a resources object: see update-options.h. Judges nothing; must never read a number in another way
 * than the runtime would. */
#include "shim/update-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

enum form { FORM_NUMBER, FORM_BYTES, FORM_TEXT };

static const struct resource_option {
	const char *option, *section, *name;
	enum form form;
} resource_options[] = {
	{ "blkio-weight", "blockIO", "weight", FORM_NUMBER },
	{ "cpu-period", "cpu", "period", FORM_NUMBER },
	{ "cpu-quota", "cpu", "quota", FORM_NUMBER },
	{ "cpu-burst", "cpu", "burst", FORM_NUMBER },
	{ "cpu-share", "cpu", "shares", FORM_NUMBER },
	{ "cpu-rt-period", "cpu", "realtimePeriod", FORM_NUMBER },
	{ "cpu-rt-runtime", "cpu", "realtimeRuntime", FORM_NUMBER },
	{ "cpu-idle", "cpu", "idle", FORM_NUMBER },
	{ "cpuset-cpus", "cpu", "cpus", FORM_TEXT },
	{ "cpuset-mems", "cpu", "mems", FORM_TEXT },
	{ "kernel-memory", "memory", "kernel", FORM_BYTES },
	{ "kernel-memory-tcp", "memory", "kernelTCP", FORM_BYTES },
	{ "memory", "memory", "limit", FORM_BYTES },
	{ "memory-reservation", "memory", "reservation", FORM_BYTES },
	{ "memory-swap", "memory", "swap", FORM_BYTES },
	{ "pids-limit", "pids", "limit", FORM_NUMBER },
};

/* Zero means "unchanged" there to runc. */
static const struct {
	const char *section, *name;
} zero_members[] = {
	{ "memory", "limit" }, { "memory", "reservation" }, { "memory", "swap" }, { "memory", "kernel" },
	{ "memory", "kernelTCP" }, { "cpu", "shares" }, { "cpu", "quota" }, { "cpu", "period" },
	{ "cpu", "realtimeRuntime" }, { "cpu", "realtimePeriod" }, { "blockIO", "weight" }, { "pids", "limit" },
};

static int parse_number(const struct resource_option *option, const char *text, int64_t *value, struct err *err)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	if (errno || end == text || *end || strchr(" \t+", text[0]))
		return err_set(err, EINVAL, "update --%s %s: a whole number is wanted", option->option, text);
	return 0;
}

/* runc's sizes: digits, then k, m, g, t or p (of 1024), then "b" or "ib", in any case. crun takes digits alone. */
static int parse_bytes(const struct resource_option *option, const char *text, bool is_crun, int64_t *value, struct err *err)
{
	static const char units[] = "kmgtp";
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits, *unit;
	unsigned shift = 0;

	if (is_crun || !digits || !*rest)
		return parse_number(option, text, value, err);
	unit = strchr(units, *rest | 0x20);
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		rest++;
	}
	if (*rest && strcasecmp(rest, "b") && (!unit || strcasecmp(rest, "ib")))
		return err_set(err, EINVAL, "update --%s %s: a size like 512m or 1073741824 is wanted", option->option, text);
	errno = 0;
	*value = strtoll(text, NULL, 10);
	if (errno || *value > INT64_MAX >> shift)
		return err_set(err, ERANGE, "update --%s %s: too large", option->option, text);
	*value <<= shift;
	return 0;
}

static struct json *section_of(struct json *resources, const char *name, struct json_tree *tree)
{
	struct json *section = json_get(resources, name);

	if (!json_is(section, JSON_OBJECT)) {
		section = json_make_object(tree);
		json_set(tree, resources, name, section);
	}
	return section;
}

int update_options_make(const struct oci_cmdline *line, struct json_tree *tree, struct err *err)
{
	struct json *resources = json_make_object(tree);

	json_set_root(tree, resources);
	for (size_t i = 0; i < ARRAY_SIZE(resource_options); i++) {
		const struct resource_option *option = &resource_options[i];
		const char *text = oci_cmdline_value(line, option->option, "");
		struct json *made;
		int64_t value = 0;
		int r = 0;

		if (!*text)
			continue;
		if (option->form == FORM_NUMBER)
			r = parse_number(option, text, &value, err);
		else if (option->form == FORM_BYTES)
			r = parse_bytes(option, text, line->dialect == OCI_DIALECT_CRUN, &value, err);
		if (r)
			return r;
		made = option->form == FORM_TEXT ? json_make_string(tree, text) : json_make_int(tree, value);
		json_set(tree, section_of(resources, option->section, tree), option->name, made);
	}
	return 0;
}

static bool is_zero(const struct json *node)
{
	int64_t value;

	return node && json_int(node, &value) && value == 0;
}

void update_drop_zeros(struct json *resources)
{
	for (size_t i = 0; i < ARRAY_SIZE(zero_members); i++) {
		struct json *section = json_get(resources, zero_members[i].section);

		if (json_is(section, JSON_OBJECT) && is_zero(json_get(section, zero_members[i].name)))
			json_remove(section, zero_members[i].name);
	}
}

/* cgroups' own default when nobody has planned a period. */
#define PERIOD_DEFAULT_US 100000

void update_complete(struct json *resources, const struct json *planned, bool has_swap_accounting, struct json_tree *tree)
{
	struct json *cpu = json_get(resources, "cpu"), *memory = json_get(resources, "memory");
	const struct json *planned_cpu = json_get(planned, "cpu"), *planned_memory = json_get(planned, "memory");
	const struct json *quota = json_get(planned_cpu, "quota"), *period = json_get(planned_cpu, "period");
	int64_t limit, swap, now;

	if (json_get(cpu, "quota") && !json_get(cpu, "period"))
		json_set(tree, cpu, "period", period ? json_copy(tree, period) : json_make_int(tree, PERIOD_DEFAULT_US));
	else if (json_get(cpu, "period") && !json_get(cpu, "quota"))
		json_set(tree, cpu, "quota", quota ? json_copy(tree, quota) : json_make_int(tree, -1));
	/* `swap` is memory and swap together: with less memory and the same sum there would be more swap. */
	if (has_swap_accounting && json_int(json_get(memory, "limit"), &now) && now > 0 && !json_get(memory, "swap") &&
	    json_int(json_get(planned_memory, "limit"), &limit) && json_int(json_get(planned_memory, "swap"), &swap) &&
	    limit > 0 && swap >= limit && now <= INT64_MAX - (swap - limit))
		json_set(tree, memory, "swap", json_make_int(tree, now + (swap - limit)));
}
