/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rule of quod.json(5) a container fits. Only what the administrator or the engine vouches for is looked at. Pure. */
#ifndef QUOD_POLICY_SELECTION_H
#define QUOD_POLICY_SELECTION_H

#include "shim/policy/config.h"
#include "shim/policy/plan.h"

/* The profile that leaves a container as it is: no file has its name, a rule alone can say it. */
#define PROFILE_UNMANAGED "unmanaged"

/* Who calls, for whom. */
struct call {
	const char *engine;	/* as rules say it */
	const char *namespace;	/* of the pod, or NULL */
	uint32_t user;
};

/* The pod's namespace, by the annotation of an engine of Kubernetes and from no other; NULL for none. */
const char *selection_namespace(const struct oci_config *config, const struct facts *facts);

/* All that the rule asks for but the workspace. */
bool selection_fits(const struct host_rule *rule, const struct call *call);

/* A writable directory that input->profile lets in, the rule's own, lies where the rule says. Without a profile (a rule that
 * says "unmanaged") every directory comes in. True where the rule asks for none. */
bool selection_fits_workspace(const struct host_rule *rule, const struct plan_input *input);

#endif
