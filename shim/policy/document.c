/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document itself: does it mean one thing to every reader, and is there anything in it that nobody here can judge? A
 * deviation is refused, never repaired. It knows no profile; what a known field may say is the other planners' business.
 */
#include "shim/policy/plan.h"

#include <string.h>

#include "oci/pointer.h"
#include "shim/base/cleanup.h"

#define KEY "config"
#define REFUSALS_MAX 24		/* a message that a person can still read */

/* Parts of the specification for platforms on which quod never runs: no planner looks into them. */
static const char *const foreign[] = { "windows", "solaris", "vm", "zos", "freebsd" };

static bool is_top_level(const char *pointer)
{
	return strchr(pointer, '/') == strrchr(pointer, '/');
}

/* An unknown name in a known object stands beside fields that open and close doors, so a newer runtime may take it for
 * one. At the top of config.json a lone value hurts nobody and survives; what holds more could be a section like linux. */
static bool may_stay(enum oci_document document, const struct json *root, const struct oci_finding *finding)
{
	const struct json *value;

	if (document != OCI_CONFIG || !is_top_level(finding->pointer))
		return false;
	value = pointer_find(root, finding->pointer);
	return value && !json_is(value, JSON_OBJECT) && !json_is(value, JSON_ARRAY);
}

static void refuse_finding(struct plan *plan, const struct oci_finding *finding)
{
	const char *why = "";

	if (finding->kind == OCI_OTHER_CASE)
		why = ", which runc and crun read differently";
	else if (finding->kind == OCI_UNKNOWN)
		why = ", so that quod can't judge it";
	plan_refuse(plan, KEY, finding->pointer, "%s%s", finding->text, why);
}

static void judge(const struct json *root, enum oci_document document, struct plan *plan)
{
	struct oci_findings findings;
	size_t refused = 0;

	oci_check(root, document, &findings);
	for (size_t i = 0; i < findings.count; i++) {
		if (findings.items[i].kind == OCI_UNKNOWN && may_stay(document, root, &findings.items[i]))
			continue;
		if (refused++ < REFUSALS_MAX)
			refuse_finding(plan, &findings.items[i]);
	}
	if (findings.is_cut)
		plan_refuse(plan, KEY, "", "more than %zu deviations from the OCI runtime specification", findings.count);
	else if (refused > REFUSALS_MAX)
		plan_refuse(plan, KEY, "", "%zu more deviations from the OCI runtime specification", refused - REFUSALS_MAX);
	oci_findings_free(&findings);
}

void plan_document(const struct plan_input *input, struct plan *plan)
{
	const struct json *root = input->config->root;

	judge(root, OCI_CONFIG, plan);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		const struct json *node = json_get(root, foreign[i]);
		cleanup_free char *pointer = alloc_printf("/%s", foreign[i]);

		if (node && !json_is(node, JSON_NULL))
			plan_refuse(plan, KEY, pointer, "is for another platform, so that quod can't judge it");
	}
}

void plan_document_exec(const struct json *root, struct plan *plan)
{
	judge(root, OCI_PROCESS, plan);
}

void plan_document_update(const struct json *resources, struct plan *plan)
{
	judge(resources, OCI_RESOURCES, plan);
}
