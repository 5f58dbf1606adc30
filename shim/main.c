/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program quod: its own options, the runtime underneath, and one function per command. What it does not know is handed
 * on as it came; an option that could hide a command which starts something is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/caller.h"
#include "shim/invocation.h"
#include "shim/options.h"
#include "shim/own.h"

enum needs {
	NEEDS_STRICT = 1,	/* known options, one reading, an id */
	NEEDS_CONFIG = 2,
	NEEDS_DESCRIPTORS = 4,	/* those that the container gets must be sockets or pipes */
};

/* Handed on, but only for a container of quod's that is not halted: what was written down of it could be begun again elsewhere. */
static int checkpoint_main(struct shim *shim)
{
	struct own_container own = OWN_CONTAINER_INIT;
	struct err err = ERR_INIT;

	if (own_open(shim, &own, &err) == 0 && own_check_halted(shim, &own, &err) == 0)
		runtime_exec(shim->runtime, shim->argv, &err);
	own_release(&own);
	return report_failure(shim, err.text);
}

/* What is halted stands still already; paused besides, it would be so after its release. */
static int pause_main(struct shim *shim)
{
	struct own_container own = OWN_CONTAINER_INIT;
	struct err err = ERR_INIT;
	int r = oci_cmdline_id(&shim->line) ? own_open(shim, &own, &err) : -ENOENT;

	if (r == -ENOENT || (!r && own_check_halted(shim, &own, &err) == 0))
		runtime_exec(shim->runtime, shim->argv, &err);
	own_release(&own);
	return report_failure(shim, err.text);
}

/* crun's `mounts add` puts a host path into a running container, past everything that create has judged. */
static int mounts_main(struct shim *shim)
{
	struct own_container own = OWN_CONTAINER_INIT;
	struct err err = ERR_INIT;
	int r = own_open(shim, &own, &err);

	if (!r && !own_is_unmanaged(&own))
		err_set(&err, EPERM, "mounts refused by profile '%s': the mounts of a container are those of its create (mounts)",
			own.record.profile);
	else if (!r)
		runtime_exec(shim->runtime, shim->argv, &err);
	own_release(&own);
	return report_failure(shim, err.text);
}

static const struct command {
	enum oci_command command;
	int (*main)(struct shim *shim);
	unsigned needs;
} commands[] = {
	{ OCI_CREATE, create_main, NEEDS_STRICT | NEEDS_CONFIG | NEEDS_DESCRIPTORS },
	{ OCI_RUN, create_main, NEEDS_STRICT | NEEDS_CONFIG | NEEDS_DESCRIPTORS },
	{ OCI_RESTORE, create_main, NEEDS_STRICT | NEEDS_CONFIG | NEEDS_DESCRIPTORS },
	{ OCI_EXEC, exec_main, NEEDS_STRICT | NEEDS_CONFIG | NEEDS_DESCRIPTORS },
	{ OCI_UPDATE, update_main, NEEDS_STRICT | NEEDS_CONFIG },
	{ OCI_START, start_main, NEEDS_STRICT | NEEDS_CONFIG },
	{ OCI_RESUME, start_main, NEEDS_STRICT | NEEDS_CONFIG },
	{ OCI_CHECKPOINT, checkpoint_main, NEEDS_STRICT },
	{ OCI_PAUSE, pause_main, 0 },
	{ OCI_MOUNTS, mounts_main, NEEDS_STRICT },
	{ OCI_DELETE, delete_main, 0 },
	{ OCI_STATE, answer_main, 0 },
	{ OCI_LIST, answer_main, 0 },
	{ OCI_FEATURES, answer_main, 0 },
};

static const struct command *find_command(enum oci_command wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].command == wanted)
			return &commands[i];
	}
	return NULL;
}

static bool is_strict_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if ((commands[i].needs & NEEDS_STRICT) && !strcmp(word, oci_command_name(commands[i].command)))
			return true;
	}
	return false;
}

/* An unknown option in front of the command may take a value: then the command is another one than it seems. */
static bool may_hide_command(const struct oci_cmdline *line)
{
	int at = 1;

	while (at < line->argc && line->argv[at] != line->unknown)
		at++;
	if (at >= line->command_index)
		return false;
	while (++at < line->argc) {
		if (is_strict_word(line->argv[at]))
			return true;
	}
	return false;
}

static int check_line(const struct shim *shim, const struct command *command, int ambiguous, struct err *err)
{
	const struct oci_cmdline *line = &shim->line;
	bool is_strict = command && (command->needs & NEEDS_STRICT);
	size_t wanted = line->command == OCI_MOUNTS ? 3 : 1;

	if (line->unknown && (is_strict || may_hide_command(line)))
		return err_set(err, EINVAL, "option %s is not known here, or its value is missing or wrong", line->unknown);
	if (!is_strict)
		return 0;
	if (ambiguous)
		return -err->code;
	if (!oci_cmdline_id(line))
		return err_set(err, EINVAL, "%s: the container's id is missing", oci_command_name(line->command));
	if (line->command != OCI_EXEC && line->positional_count != wanted)
		return err_set(err, EINVAL, "%s takes the container's id and nothing behind it", oci_command_name(line->command));
	if (line->dialect == OCI_DIALECT_CRUN && oci_cmdline_option(line, "config"))
		return err_set(err, EINVAL, "%s --config: only the bundle's own config.json is taken",
			       oci_command_name(line->command));
	return 0;
}

static int hand_on(const struct shim *shim, char **argv)
{
	struct err err = ERR_INIT;

	runtime_exec(shim->runtime, argv, &err);
	return report_failure(shim, err.text);
}

static const char *asked_help(const struct oci_cmdline *line)
{
	static const char *const names[] = { "help", "usage", "version" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (oci_cmdline_has(line, names[i]))
			return names[i];
	}
	return NULL;
}

/* Help and version: handed on without what stands behind the command, so that nothing can be started by a runtime that reads
 * the line in another way. */
static int hand_on_help(const struct shim *shim, const char *name)
{
	const struct oci_cmdline *line = &shim->line;
	cleanup_free char **argv = alloc_zeroed((size_t)line->argc + 2, sizeof(char *));
	cleanup_free char *option = alloc_printf("--%s", name);
	int count = 0;

	while (count < line->command_index)
		argv[count] = line->argv[count], count++;
	if (!oci_cmdline_global(line, name)) {
		argv[count++] = line->argv[line->command_index];
		argv[count++] = option;
	}
	return hand_on(shim, argv);
}

static int run(struct shim *shim)
{
	const struct command *command;
	struct err err = ERR_INIT, config_err = ERR_INIT;
	const char *help;
	int ambiguous;

	invocation_load_config(shim, &config_err);
	ambiguous = invocation_choose_runtime(shim, &err);
	if (ambiguous && !shim->line.argv)
		return report_failure(shim, err.text);
	command = find_command(shim->line.command);
	help = asked_help(&shim->line);
	if (help && !shim->line.unknown && (command || oci_cmdline_global(&shim->line, help)))
		return hand_on_help(shim, help);
	if (check_line(shim, command, ambiguous, &err) < 0)
		return report_failure(shim, err.text);
	if (!command)
		return hand_on(shim, shim->argv);
	if ((command->needs & NEEDS_CONFIG) && config_err.code)
		return report_failure(shim, config_err.text);
	if ((command->needs & NEEDS_DESCRIPTORS) && caller_check_descriptors(&shim->line, &err) < 0)
		return report_failure(shim, err.text);
	return command->main(shim);
}

int main(int argc, char **argv)
{
	struct shim shim = { NULL };
	struct err err = ERR_INIT;

	if (caller_sanitise(&err) < 0 || options_take(&shim, argc, argv, &err) < 0)
		return report_failure(&shim, err.text);
	return run(&shim);
}
