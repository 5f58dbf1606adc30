/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: its lists, and the order in which the planners are asked. Decides nothing itself and acts on nothing.
 */
#include "shim/policy/plan.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"

static void add(struct refusal **list, size_t *count, struct refusal refusal)
{
	*list = alloc_grow(*list, *count + 1, sizeof(**list));
	(*list)[(*count)++] = refusal;
}

void plan_refuse(struct plan *plan, const char *key, const char *pointer, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	add(&plan->refusals, &plan->refusal_count, (struct refusal){ alloc_copy(pointer), text, alloc_copy(key) });
}

void plan_tell_lowered(struct plan *plan, const char *key, const char *pointer, const char *text)
{
	add(&plan->lowered, &plan->lowered_count, (struct refusal){ alloc_copy(pointer), alloc_copy(text), alloc_copy(key) });
}

void plan_note(struct plan *plan, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	strings_add(&plan->notes, text);
}

static void print(struct buf *buf, const char *begin, const char *profile_name, const struct refusal *list, size_t count)
{
	buf_puts(buf, begin);
	buf_put_plain(buf, profile_name);
	buf_puts(buf, "': ");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(buf, "; ");
		buf_put_plain(buf, list[i].pointer);
		if (list[i].pointer[0])
			buf_puts(buf, ": ");
		buf_put_plain(buf, list[i].text);
		buf_puts(buf, " (");
		buf_put_plain(buf, list[i].key);
		buf_putc(buf, ')');
	}
}

void plan_print_refusals(struct buf *buf, const struct plan *plan, const char *profile_name)
{
	print(buf, "refused by profile '", profile_name, plan->refusals, plan->refusal_count);
}

void plan_print_lowered(struct buf *buf, const struct plan *plan, const char *profile_name)
{
	if (plan->lowered_count)
		print(buf, "held to profile '", profile_name, plan->lowered, plan->lowered_count);
}

void plan_init(struct plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	oci_edits_init(&plan->edits);
	plan->ruleset.egress_bytes = LIMIT_UNLIMITED;
	plan->ruleset.rate = LIMIT_UNLIMITED;
}

static void release(struct refusal *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].pointer);
		free(list[i].text);
		free(list[i].key);
	}
	free(list);
}

void plan_release(struct plan *plan)
{
	oci_edits_free(&plan->edits);
	release(plan->refusals, plan->refusal_count);
	release(plan->lowered, plan->lowered_count);
	free(plan->clones);
	for (size_t i = 0; i < plan->protected_count; i++)
		free(plan->protected[i].destination);
	free(plan->protected);
	strings_free(&plan->notes);
	strings_free(&plan->volumes);
	ruleset_release(&plan->ruleset);
	free(plan->resolv_conf);
}

/* A document that means two things is judged no further: what a planner would say of it could be wrong. */
void plan_make(const struct plan_input *input, struct plan *plan)
{
	plan_init(plan);
	plan_document(input, plan);
	if (plan->refusal_count)
		return;
	plan_budgets(input, plan);
	plan_unenforced(input, plan);
	plan_namespaces(input, plan);
	plan_mounts(input, plan);
	plan_devices(input, plan);
	plan_process(input, &input->config->process, "/process", plan);
	plan_seccomp(input, plan);
	plan_kernel(input, plan);
	plan_resources(input, plan);
	plan_network(input, plan);
	plan_joined(input, plan);
	plan_hooks(input, plan);
}

void plan_make_exec(const struct plan_input *input, const struct json *root, struct plan *plan)
{
	struct oci_process process;

	plan_init(plan);
	plan_document_exec(root, plan);
	if (plan->refusal_count)
		return;
	oci_process_view(root, &process);
	plan_process(input, &process, "", plan);
}

static void free_namespace(struct fact_namespace *fact)
{
	free(fact->owner_key);
	free(fact->owner_id);
	profile_free(fact->owner_profile);
}

void facts_release(struct facts *facts)
{
	for (size_t i = 0; i < facts->mount_count; i++) {
		free(facts->mounts[i].resolved);
		free(facts->mounts[i].destination);
	}
	for (size_t i = 0; i < facts->namespace_count; i++)
		free_namespace(&facts->namespaces[i]);
	for (size_t i = 0; i < facts->protected_count; i++) {
		free(facts->protected[i].path);
		free(facts->protected[i].linked);
	}
	free(facts->protected);
	free(facts->mounts);
	free(facts->namespaces);
	free(facts->devices);
	free(facts->rootfs);
	free(facts->home);
	free(facts->engine_data_root);
	free(facts->host_addresses);
	free(facts->hook_path);
	free(facts->docker_program);
}
