/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod's own options: see options.h. Docker's script puts them first, Podman's --runtime-flag anywhere in front of the
 * command. Must never take for its own what is the value of one of the runtime's options, nor anything behind the command.
 */
#include "shim/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

/* Which of quod's options the argument is; -1 for none. *value points behind "=", NULL without one. */
static int find_own(const char *argument, const char *const names[], const char **value)
{
	for (int i = 0; names[i]; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(argument, "--", 2) || strncmp(argument + 2, names[i], len))
			continue;
		*value = argument[2 + len] == '=' ? argument + 2 + len + 1 : NULL;
		if (*value || !argument[2 + len])
			return i;
	}
	return -1;
}

static int set_once(const char **place, const char *name, const char *value, struct err *err)
{
	if (!value || !*value)
		return err_set(err, EINVAL, "--%s: a value is missing", name);
	if (*place && strcmp(*place, value))
		return err_set(err, EINVAL, "--%s is given twice: '%s' and '%s'", name, *place, value);
	*place = value;
	return 0;
}

/* quod-NAME: as --profile NAME. A link of that name is what an administrator made, so it can't be argued with. */
static int take_link(struct shim *shim, const char *program, struct err *err)
{
	const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;

	if (strncmp(name, "quod-", 5))
		return 0;
	if (!name[5])
		return err_set(err, EINVAL, "%s: a profile's name is missing behind 'quod-'", name);
	if (shim->profile_name && strcmp(shim->profile_name, name + 5))
		return err_set(err, EINVAL, "--profile %s: %s has chosen the profile", shim->profile_name, name);
	shim->profile_name = name + 5;
	return 0;
}

int options_take(struct shim *shim, int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "profile", "config", "runtime", NULL };
	const char **const places[] = { &shim->profile_name, &shim->config_file, &shim->runtime_name };
	int i = 1;

	shim->argv = alloc_zeroed((size_t)argc + 2, sizeof(char *));
	shim->argv[0] = argc ? argv[0] : (char *)"quod";
	shim->argc = 1;
	while (i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--")) {
		const char *value = NULL;
		int own = find_own(argv[i], names, &value);

		if (own < 0) {
			for (int span = oci_global_span(argv[i]); span && i < argc; span--)
				shim->argv[shim->argc++] = argv[i++];
			continue;
		}
		if (!value && i + 1 < argc && argv[i + 1][0] != '-')
			value = argv[++i];
		i++;
		if (set_once(places[own], names[own], value, err) < 0)
			break;
	}
	while (i < argc)
		shim->argv[shim->argc++] = argv[i++];
	return err->code ? -err->code : take_link(shim, shim->argv[0], err);
}
