/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a bundle to a plan: see decide.h. Everything here looks; what it found is held by descriptor until it is enacted.
 */
#include "shim/decide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/budgets.h"

void decision_release(struct decision *decision)
{
	if (decision->has_plan)
		plan_release(&decision->plan);
	facts_held_close(&decision->held);
	facts_release(&decision->facts);
	selection_release(&decision->selection);
	oci_config_release(&decision->config);
	oci_bundle_close(&decision->bundle);
	free(decision->state_dir);
	free(decision->deadline);
}

/* A field of the wrong type makes the typed view unsafe: then only the document itself is judged. */
static bool has_sound_types(const struct json *root)
{
	struct oci_findings findings = { 0 };
	bool sound;

	oci_check(root, OCI_CONFIG, &findings);
	sound = !findings.is_cut;
	for (size_t i = 0; i < findings.count; i++)
		sound = sound && findings.items[i].kind != OCI_WRONG_TYPE;
	oci_findings_free(&findings);
	return sound;
}

static int read_bundle(const struct shim *shim, const char *path, struct decision *decision, struct err *err)
{
	const struct json *root;
	int r;

	r = oci_bundle_open(path, &decision->bundle, err);
	if (!r)
		r = oci_bundle_read_config(&decision->bundle, shim->config->config_bytes, err);
	if (r)
		return err_wrap(err, "bundle %s", path);
	root = json_root(decision->bundle.tree);
	decision->is_sound = has_sound_types(root);
	if (decision->is_sound)
		oci_config_view(root, &decision->config);
	else
		decision->config.root = root;
	if (decision->config.mount_count > shim->config->mounts_max)
		return err_set(err, E2BIG, "/mounts: %zu mounts are more than this host reads (limits.mounts %llu)",
			       decision->config.mount_count, (unsigned long long)shim->config->mounts_max);
	return 0;
}

/* Kubernetes gives a restarted container another id: its ledger is the pod's uid and the container's name. */
static void find_ledger_key(const struct shim *shim, struct decision *decision)
{
	const char *uid = oci_annotation(&decision->config, "io.kubernetes.cri.sandbox-uid");
	const char *name = oci_annotation(&decision->config, "io.kubernetes.cri.container-name");

	if (decision->facts.engine == ENGINE_CRI && uid && name)
		state_key(uid, name, decision->ledger_key);
	else
		memcpy(decision->ledger_key, shim->key, sizeof(decision->ledger_key));
}

static void digest_profile(const struct profile *profile, char digest[SHA256_HEX])
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_buf struct buf buf = BUF_INIT;

	json_print(&buf, profile_to_json(profile, tree), 0);
	sha256_hex(buf.data, buf.len, digest);
}

/* An entry that can never take effect is a mistake: what its writer wanted is not what would run. */
static void refuse_dead_entries(const struct profile *profile, struct plan *plan)
{
	struct strings texts = { NULL, 0 };

	profile_find_dead_entries(profile, &texts);
	for (size_t i = 0; i < texts.count; i++)
		plan_refuse(plan, "egress", "", "%s", texts.items[i]);
	strings_free(&texts);
}

static int decide(const struct shim *shim, struct decision *decision, struct err *err)
{
	struct plan_input input = { .config = &decision->config, .facts = &decision->facts };
	cleanup_free char *spent = NULL;
	int r;

	r = host_config_check_enforced(shim->config, err);
	if (r)
		return r;
	r = profile_select(shim, &decision->config, &decision->selection, err);
	if (r)
		return r;
	input.profile = decision->selection.profile;
	digest_profile(input.profile, decision->digest);
	if (decision->is_sound) {
		decision->facts.state_dir = decision->state_dir;
		r = facts_gather(shim, &decision->bundle, &decision->config, &decision->facts, &decision->held, err);
		if (r)
			return r;
	}
	find_ledger_key(shim, decision);
	r = ledger_read(shim->places.ledger_dir, decision->ledger_key, &decision->ledger, err);
	if (r)
		return r;
	spent = budgets_find_spent(input.profile, &decision->ledger);
	if (spent)
		return err_set(err, EDQUOT, "refused by profile '%s': %s (budgets)", input.profile->name, spent);
	decision->deadline = budgets_deadline(input.profile, &decision->ledger);
	decision->facts.deadline = decision->deadline;
	plan_make(&input, &decision->plan);
	decision->has_plan = true;
	refuse_dead_entries(input.profile, &decision->plan);
	return 0;
}

int decision_make(const struct shim *shim, const char *bundle, struct decision *decision, struct err *err)
{
	int r;

	decision->state_dir = alloc_printf("%s/containers/%s", shim->places.run_dir, shim->key);
	r = read_bundle(shim, bundle, decision, err);
	return r ? r : decide(shim, decision, err);
}
