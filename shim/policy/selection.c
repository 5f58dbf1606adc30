/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules: see selection.h. Must never believe an annotation that anybody but the engine could have written. */
#include "shim/policy/selection.h"

#include <string.h>

#include "shim/policy/paths.h"

/* Podman shares CRI-O's storage and lets its user write any annotation; but its bundles lie in the storage itself, CRI-O's in
 * the run directory, and CRI-O is never rootless. */
static bool is_really_crio(const struct facts *facts)
{
	return facts->engine == ENGINE_CRIO && !facts->is_rootless && facts->bundle_path && path_is_within(facts->bundle_path, "/run");
}

const char *selection_namespace(const struct oci_config *config, const struct facts *facts)
{
	if (facts->engine == ENGINE_CRI)
		return oci_annotation(config, "io.kubernetes.cri.sandbox-namespace");
	return is_really_crio(facts) ? oci_annotation(config, "io.kubernetes.cri-o.Namespace") : NULL;
}

bool selection_fits(const struct host_rule *rule, const struct call *call)
{
	if (rule->namespace_pattern && !(call->namespace && pattern_matches(rule->namespace_pattern, call->namespace)))
		return false;
	if (rule->engine && strcmp(rule->engine, call->engine) != 0)
		return false;
	return !rule->has_user || rule->user == call->user;
}

bool selection_fits_workspace(const struct host_rule *rule, const struct plan_input *input)
{
	if (!rule->workspace)
		return true;
	for (size_t i = 0; i < input->facts->mount_count; i++)
		if (mount_is_workspace(input, i) && path_matches(rule->workspace, input->facts->mounts[i].resolved))
			return true;
	return false;
}
