/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose ledger a container's budgets are counted in (budgets.scope). What a project or a pod is, the engine and the mounts
 * say, not the container's caller: where they don't, a shared budget can't be held and the container is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/paths.h"
#include "shim/policy/plan.h"

static int by_text(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The workspaces' sources, sorted; one that lies in another is the other's. */
static char *workspace_name(const struct plan_input *input)
{
	cleanup_free const char **sources = alloc_zeroed(input->facts->mount_count + 1, sizeof(*sources));
	cleanup_buf struct buf name = BUF_INIT;
	const char *last = NULL;
	size_t count = 0;

	for (size_t i = 0; i < input->facts->mount_count; i++)
		if (mount_is_workspace(input, i))
			sources[count++] = input->facts->mounts[i].resolved;
	if (!count)
		return NULL;
	qsort(sources, count, sizeof(*sources), by_text);
	for (size_t i = 0; i < count; i++) {
		bool is_inner = last && path_is_within(sources[i], last);

		if (is_inner)
			continue;
		last = sources[i];
		buf_put_json(&name, last);
	}
	return buf_steal(&name);
}

char *budget_scope_name(const struct plan_input *input)
{
	const char *uid;

	if (input->profile->budgets.scope == SCOPE_WORKSPACE)
		return workspace_name(input);
	uid = oci_annotation(input->config, "io.kubernetes.cri.sandbox-uid");
	if (input->profile->budgets.scope == SCOPE_POD && input->facts->engine == ENGINE_CRI && uid && *uid)
		return alloc_copy(uid);
	return NULL;
}

static bool is_sandbox(const struct plan_input *input)
{
	const char *type = oci_annotation(input->config, "io.kubernetes.cri.container-type");

	return input->facts->engine == ENGINE_CRI && type && !strcmp(type, "sandbox");
}

void plan_budgets(const struct plan_input *input, struct plan *plan)
{
	const struct profile *profile = input->profile;
	cleanup_free char *name = NULL;

	plan->is_sandbox = is_sandbox(input);
	if (profile->budgets.scope == SCOPE_CONTAINER)
		return;
	name = budget_scope_name(input);
	if (!name && profile->budgets.scope == SCOPE_POD)
		plan_refuse(plan, "budgets.scope", "", "\"pod\" needs a pod's uid, which containerd's CRI gives and this engine does not");
	else if (!name)
		plan_refuse(plan, "budgets.scope", "", "\"workspace\" needs a writable mount that mounts.allow lets in, and there is none");
	if (profile->budgets.reset == RESET_RESTART)
		plan_refuse(plan, "budgets.reset", "", "\"restart\" would give a shared budget anew to each container that starts");
}
