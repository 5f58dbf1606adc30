/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start, resume: only what is quod's, not halted, and has something left of each budget. A start is proven first: what the
 * kernel shows must be what the profile promises, before the container's first instruction. Then quod is gone.
 */
#include <errno.h>

#include "shim/base/cleanup.h"
#include "shim/own.h"
#include "shim/proof/proof.h"

static int refuse_unproven(const struct own_container *own, const struct proof *proof, struct err *err)
{
	const struct proof_row *row = proof_find_failed(proof);

	if (!row)
		return 0;
	return err_set(err, EPERM, "start refused by profile '%s': %s is %s: promised %s, in force %s, as %s shows (prove)",
		       own->record.profile, row->key, row->outcome == PROOF_FAILED ? "not in force" : "not proven", row->promised,
		       row->in_force, row->how);
}

static int prove(const struct shim *shim, struct own_container *own, struct err *err)
{
	struct proof proof = { .record = &own->record, .profile = own->profile, .stage = PROOF_CREATED };
	struct json_tree *tree = NULL;
	struct oci_config config;
	int r;

	r = own_read_config(shim, own, &tree, &config, err);
	if (r)
		return r;
	proof.config = json_root(tree);
	r = proof_look(&proof, &shim->places, err);
	if (!r)
		r = refuse_unproven(own, &proof, err);
	proof_release(&proof);
	oci_config_release(&config);
	json_tree_free(tree);
	return r;
}

int start_main(struct shim *shim)
{
	struct own_container own = OWN_CONTAINER_INIT;
	struct err err = ERR_INIT;
	int r;

	r = own_open(shim, &own, &err);
	if (!r)
		r = own_check_running(shim, &own, &err);
	if (!r && shim->line.command == OCI_START && shim->config->prove && !own_is_unmanaged(&own))
		r = prove(shim, &own, &err);
	if (!r)
		runtime_exec(shim->runtime, shim->argv, &err);
	own_release(&own);
	return report_failure(shim, err.text);
}
