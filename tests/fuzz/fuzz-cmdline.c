/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of oci/cmdline. Input: the dialect (first byte, odd: crun), then arguments, one a line. What is read must lie
 * within argv, and a line with a value replaced must read as before but for that value.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/cmdline.h"
#include "shim/base/buf.h"

#define ARGUMENTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_options(const struct oci_cmdline *line, const struct oci_option *options, size_t count, int first, int last)
{
	for (size_t i = 0; i < count; i++) {
		const struct oci_option *option = &options[i];

		must(option->name && option->index >= first && option->index < last);
		must(!option->value == (option->value_index < 0));
		if (!option->value)
			continue;
		must(option->value_index >= option->index && option->value_index < last);
		must((size_t)option->value_offset <= strlen(line->argv[option->value_index]));
		must(option->value == line->argv[option->value_index] + option->value_offset);
	}
}

static void check_line(const struct oci_cmdline *line)
{
	must(line->command_index >= 0 && line->command_index <= line->argc);
	must((line->command == OCI_NO_COMMAND) == (line->command_index == line->argc));
	check_options(line, line->globals, line->global_count, 1, line->command_index);
	check_options(line, line->options, line->option_count, line->command_index + 1, line->argc);
	for (size_t i = 0; i < line->positional_count; i++) {
		must(line->positionals[i] > line->command_index && line->positionals[i] < line->argc);
		must(!i || line->positionals[i] > line->positionals[i - 1]);
	}
}

static void check_replaced(const struct oci_cmdline *line, const char *name)
{
	char **argv = oci_cmdline_replace(line, name, "/new");
	struct oci_cmdline again;
	struct err err = ERR_INIT;
	int argc = 0;

	while (argv[argc])
		argc++;
	must(oci_cmdline_parse(line->dialect, argc, argv, &again, &err) == 0);
	check_line(&again);
	must(again.command == line->command && !again.unknown);
	must(again.positional_count == line->positional_count);
	must(!strcmp(oci_cmdline_value(&again, name, ""), "/new"));
	for (size_t i = 0; i < line->positional_count; i++)
		must(!strcmp(argv[again.positionals[i]], line->argv[line->positionals[i]]));
	oci_cmdline_free(&again);
	oci_argv_free(argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum oci_dialect dialect = size && data[0] % 2 ? OCI_DIALECT_CRUN : OCI_DIALECT_RUNC;
	char *copy = malloc(size + 1), *argv[ARGUMENTS_MAX + 1], *at = copy;
	struct oci_cmdline line;
	struct err err = ERR_INIT;
	int argc = 0, r;

	must(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = '\0';
	for (; at && argc < ARGUMENTS_MAX; argc++)
		argv[argc] = strsep(&at, "\n");
	argv[argc] = NULL;
	r = oci_cmdline_parse(dialect, argc, argv, &line, &err);
	check_line(&line);
	must(!r || err.text[0]);
	if (!r && !line.unknown && (line.command == OCI_CREATE || line.command == OCI_RUN))
		check_replaced(&line, "bundle");
	if (!r && !line.unknown && line.command == OCI_EXEC)
		check_replaced(&line, "process");
	(void)oci_cmdline_id(&line);
	oci_cmdline_free(&line);
	free(copy);
	return 0;
}
