/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a bundle to a plan: see decide.h. Everything here looks; what it found is held by descriptor until it is enacted.
 */
#include "shim/decide.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/budgets.h"
#include "shim/caller.h"
#include "shim/invocation.h"
#include "shim/runtime-safety.h"

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

/* Kubernetes gives a restarted container another id: its ledger is the pod's uid and the container's name. A shared one has the
 * name of what shares it, in front of which no runtime's root stands. */
static void find_ledger_key(const struct shim *shim, struct decision *decision, const struct plan_input *input)
{
	cleanup_free char *shared = input->profile && decision->is_sound ? budget_scope_name(input) : NULL;
	const char *uid = oci_annotation(&decision->config, "io.kubernetes.cri.sandbox-uid");
	const char *name = oci_annotation(&decision->config, "io.kubernetes.cri.container-name");

	if (decision->facts.engine == ENGINE_CRI && uid && name)
		state_key(uid, name, decision->identity);
	else
		memcpy(decision->identity, shim->key, sizeof(decision->identity));
	if (shared)
		state_key(input->profile->budgets.scope == SCOPE_POD ? "pod" : "workspace", shared, decision->ledger_key);
	else
		memcpy(decision->ledger_key, decision->identity, sizeof(decision->ledger_key));
}

static void digest_profile(const struct profile *profile, char digest[SHA256_HEX])
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_buf struct buf buf = BUF_INIT;

	json_print(&buf, profile_to_json(profile, tree), 0);
	sha256_hex(buf.data, buf.len, digest);
}

/* An entry that can never take effect is a mistake: what its writer wanted is not what would run. */
static void refuse_dead_entries(const struct strings *dead, struct plan *plan)
{
	for (size_t i = 0; i < dead->count; i++)
		plan_refuse(plan, "egress", "", "%s", dead->items[i]);
}

static int select_profile(const struct shim *shim, struct decision *decision, struct err *err)
{
	struct profile_paths paths;
	const struct selection_input input = { &decision->config, &decision->facts, &decision->held, &paths,
					       shim->places.profiles_dir };
	int r;

	shim_profile_paths(shim, &paths);
	if (!decision->is_sound)
		return profile_select_plain(shim, &decision->selection, err);
	r = facts_gather(shim, &decision->bundle, &decision->config, &decision->facts, &decision->held, err);
	return r ? r : profile_select(shim, &input, &decision->selection, err);
}

static void set_state_dir(const struct shim *shim, struct decision *decision)
{
	free(decision->state_dir);
	decision->state_dir = alloc_printf("%s/containers/%s", shim->places.run_dir, shim->key);
	decision->facts.state_dir = decision->state_dir;
}

/* The other runtime may read the same line in another way: then it is not the same container that was judged. */
static int check_line_again(const struct shim *shim, const char *id, const char *bundle, struct err *err)
{
	const char *now = oci_cmdline_id(&shim->line);

	if (shim->line.unknown || !now || strcmp(now, id) || shim->line.positional_count != 1 ||
	    strcmp(oci_cmdline_value(&shim->line, "bundle", "."), bundle) || oci_cmdline_option(&shim->line, "config"))
		return err_set(err, EINVAL, "%s reads this command line in another way than the runtime of quod.json (runtime)",
			       shim->runtime);
	return caller_check_descriptors(&shim->line, err) < 0 ? -err->code : 0;
}

static bool is_among(const struct strings *wanted, const char *path)
{
	for (size_t i = 0; i < wanted->count; i++) {
		struct strings one = { &wanted->items[i], 1 };
		cleanup_free char *found = NULL;
		struct err ignored = ERR_INIT;

		if (!runtime_find(&one, &found, &ignored) && !strcmp(found, path))
			return true;
	}
	return false;
}

/* The profile's own runtimes, first found; --runtime may pick one of them and no other. */
static int use_runtime(struct shim *shim, struct decision *decision, const char *bundle, struct err *err)
{
	const struct strings *wanted = &decision->selection.profile->runtime;
	const char *id = oci_cmdline_id(&shim->line);
	cleanup_free char *found = NULL, *kept_bundle = alloc_copy(bundle), *kept_id = alloc_copy(id ? id : "");

	if (!wanted->count)
		return 0;
	if (shim->runtime_name)
		return is_among(wanted, shim->runtime) ? 0 :
		       err_set(err, EACCES, "refused by profile '%s': --runtime %s is not one that it executes (runtime)",
			       selection_name(&decision->selection), shim->runtime_name);
	if (runtime_find(wanted, &found, err) < 0)
		return err_wrap(err, "profile '%s'", selection_name(&decision->selection));
	if (!strcmp(found, shim->runtime))
		return 0;
	if (invocation_use_runtime(shim, wanted, err) < 0 || check_line_again(shim, kept_id, kept_bundle, err) < 0)
		return -err->code;
	decision->facts.id = oci_cmdline_id(&shim->line);
	decision->facts.wants_systemd_cgroup = oci_cmdline_global(&shim->line, "systemd-cgroup") != NULL;
	set_state_dir(shim, decision);
	return 0;
}

/* Switches that leave something of the host inside, and what keeps a container from reaching it. */
static void refuse_switches(const struct shim *shim, const struct profile *profile, struct plan *plan)
{
	if (oci_cmdline_has(&shim->line, "no-pivot") && (profile->process.capabilities & (1ull << CAP_SYS_CHROOT)))
		plan_refuse(plan, "process.capabilities", "", "--no-pivot leaves the host's root where CAP_SYS_CHROOT leads back to it");
	if (oci_cmdline_has(&shim->line, "no-new-keyring") && !profile->seccomp.floor)
		plan_refuse(plan, "seccomp.floor", "", "--no-new-keyring leaves the caller's keyring to the container");
}

static int decide(struct shim *shim, const char *bundle, struct decision *decision, struct err *err)
{
	struct plan_input input = { .config = &decision->config, .facts = &decision->facts };
	cleanup_free char *spent = NULL;
	int r;

	r = select_profile(shim, decision, err);
	if (!r && !decision->selection.is_unmanaged)
		r = use_runtime(shim, decision, bundle, err);
	if (!r && shim->config->require_safe_runtime)
		r = runtime_check_safe(shim->runtime, err);
	if (r)
		return r;
	input.profile = decision->selection.is_unmanaged ? NULL : decision->selection.profile;
	input.own_wish = decision->selection.own_wish;
	find_ledger_key(shim, decision, &input);
	if (decision->selection.is_unmanaged)
		return 0;
	digest_profile(input.profile, decision->digest);
	if (decision->is_sound)
		facts_gather_protected(&input, &shim->places, &decision->facts, &decision->held);
	r = ledger_read(shim->places.ledger_dir, decision->ledger_key, &decision->ledger, err);
	if (r)
		return r;
	budgets_forget(input.profile, true, &decision->ledger);
	spent = budgets_find_spent(input.profile, &decision->ledger);
	if (spent)
		return err_set(err, EDQUOT, "refused by profile '%s': %s (budgets)", input.profile->name, spent);
	decision->deadline = budgets_deadline(input.profile, &decision->ledger);
	decision->facts.deadline = decision->deadline;
	plan_make(&input, &decision->plan);
	decision->has_plan = true;
	refuse_dead_entries(&decision->selection.dead, &decision->plan);
	refuse_switches(shim, input.profile, &decision->plan);
	return 0;
}

int decision_make(struct shim *shim, const char *bundle, struct decision *decision, struct err *err)
{
	int r;

	set_state_dir(shim, decision);
	r = read_bundle(shim, bundle, decision, err);
	return r ? r : decide(shim, bundle, decision, err);
}
