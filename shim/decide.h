/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a bundle to a plan: read config.json once, choose the profile, look at the host, decide. Changes nothing: create
 * enacts the result, `quodctl explain` prints it.
 */
#ifndef QUOD_SHIM_DECIDE_H
#define QUOD_SHIM_DECIDE_H

#include "oci/bundle.h"
#include "shim/facts.h"
#include "shim/policy/plan.h"
#include "shim/select.h"
#include "shim/state/ledger.h"
#include "shim/state/sha256.h"

struct decision {
	struct oci_bundle bundle;
	bool is_sound;			/* no field of a wrong type: the typed view and the facts are there */
	struct oci_config config;
	struct selection selection;	/* its profile is NULL until it was chosen, and where it leaves the container unmanaged */
	struct facts facts;
	struct facts_held held;
	struct ledger ledger;
	char ledger_key[STATE_KEY];
	char identity[STATE_KEY];	/* by which it is known again after a restart */
	char digest[SHA256_HEX];	/* of the resolved profile; "" until it was chosen */
	char *state_dir, *deadline;
	bool has_plan;
	struct plan plan;
};

#define DECISION_INIT { .bundle = OCI_BUNDLE_INIT, .held = { .rootfs_fd = -1 } }

/* `bundle` is a path as the command line gives it. 0 also when the plan is a list of refusals. Free with decision_release,
 * on failure too. */
/* The profile may name another runtime: then `shim` is made anew for that. */
int decision_make(struct shim *shim, const char *bundle, struct decision *decision, struct err *err);
void decision_release(struct decision *decision);

#endif
