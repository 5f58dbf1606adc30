/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which profile a container runs under, and who said so (quod.json(5), "rules" and "selectable"). */
#ifndef QUOD_SHIM_SELECT_H
#define QUOD_SHIM_SELECT_H

#include "oci/spec.h"
#include "shim/facts.h"
#include "shim/shim.h"

struct selection {
	bool is_unmanaged;		/* by a rule: handed on untouched, there is no profile */
	struct profile *chosen;		/* by whom chosen_by says; NULL before */
	struct profile *profile;	/* what runs: the chosen one, or its meet with all that tightens it */
	const char *own_wish;		/* the wish that is a profile of the user's own: it tightens. Of the configuration; NULL */
	char *chosen_by;		/* "--profile", "rules/0", "default_profile", "annotation quod.dev/profile" */
	struct strings tightened_by;	/* "QUOD_PROFILE locked", "own profile FILE", "/srv/a/.quod.json", ... */
	struct strings dead;		/* entries of all these that can never take effect */
};

/* What is chosen by. */
struct selection_input {
	const struct oci_config *config;
	const struct facts *facts;
	const struct facts_held *held;
	const struct profile_paths *paths;	/* where profiles and groups lie */
	const char *own_dir;		/* a user's own profiles, which only tighten; "" for the host's root */
};

/* The chosen profile's name, "unmanaged", or "" before: for messages and records. */
const char *selection_name(const struct selection *selection);

/* -EACCES with the list of what may be asked for when the creator's wish isn't granted, and when a word that may only
 * tighten can't be read or held. Free with selection_release, on failure too. */
int profile_select(const struct shim *shim, const struct selection_input *input, struct selection *selection, struct err *err);

/* For a document that can't be judged: --profile's, else the default, so that a refusal has a name. */
int profile_select_plain(const struct shim *shim, struct selection *selection, struct err *err);
void selection_release(struct selection *selection);

/* `paths`, and behind them a user's own profiles: never for what is chosen, only for what tightens it. */
struct profile_paths profile_paths_with_own(const struct profile_paths *paths, const char *own_dir);

/* --profiles of quodctl, else the compiled-in places. */
void shim_profile_paths(const struct shim *shim, struct profile_paths *paths);

#endif
