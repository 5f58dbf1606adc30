/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where state lies: the places of configure for the host's root, the user's own for everybody else. The host's root must
 * never be steered by an environment variable.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/state/record.h"

/* Root of the first user namespace: its map is the identity over all ids. `outer` is the caller's uid outside. */
static bool is_host_root(unsigned *outer)
{
	cleanup_fclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, count;

	*outer = (unsigned)geteuid();
	if (!map || fscanf(map, "%u %u %u", &inside, &outside, &count) != 3)
		return geteuid() == 0;
	if (inside == 0 && outside == 0 && count == 4294967295u)
		return geteuid() == 0;
	if (geteuid() >= inside && geteuid() - inside < count)
		*outer = outside + ((unsigned)geteuid() - inside);
	return false;
}

static const char *absolute(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' && strlen(value) < 200 ? value : NULL;
}

void state_places_init(struct state_places *places)
{
	const char *run = NULL, *state = NULL, *home = NULL, *config = NULL;
	char state_dir[240] = QUOD_STATEDIR;
	unsigned outer;

	places->profiles_dir[0] = '\0';
	snprintf(places->run_dir, sizeof(places->run_dir), "%s", QUOD_RUNDIR);
	if (!is_host_root(&outer)) {
		run = absolute("XDG_RUNTIME_DIR");
		state = absolute("XDG_STATE_HOME");
		home = absolute("HOME");
		config = absolute("XDG_CONFIG_HOME");
		if (run)
			snprintf(places->run_dir, sizeof(places->run_dir), "%s/quod", run);
		else
			snprintf(places->run_dir, sizeof(places->run_dir), "/run/user/%u/quod", outer);
		if (state)
			snprintf(state_dir, sizeof(state_dir), "%s/quod", state);
		else if (home)
			snprintf(state_dir, sizeof(state_dir), "%s/.local/state/quod", home);
		else
			snprintf(state_dir, sizeof(state_dir), "%.230s", places->run_dir);
		if (config)
			snprintf(places->profiles_dir, sizeof(places->profiles_dir), "%s/quod/profiles", config);
		else if (home)
			snprintf(places->profiles_dir, sizeof(places->profiles_dir), "%s/.config/quod/profiles", home);
	}
	snprintf(places->ledger_dir, sizeof(places->ledger_dir), "%s/ledger", state_dir);
	snprintf(places->placeholders_dir, sizeof(places->placeholders_dir), "%s/placeholders", state_dir);
	snprintf(places->audit_head, sizeof(places->audit_head), "%s/audit.head", state_dir);
}
