/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts: each is judged by what it is, not by how it is spelled. A bind of what is neither the engine's own nor allowed is
 * refused or stripped; the kernel's file systems stand at their own places, read-only where they are the host's.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/policy/engine-files.h"
#include "shim/policy/mount-options.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/paths.h"
#include "shim/policy/protect.h"
#include "shim/policy/rootfs.h"

enum answer { ANSWER_KEEP, ANSWER_REMOVE, ANSWER_TMPFS, ANSWER_REFUSED };

/* One mount while it is judged. */
struct judged {
	const struct plan_input *input;
	const struct oci_mount *mount;
	const struct fact_mount *fact;
	char pointer[32];
	const char *reason;		/* profile key behind an edit of it */
	struct mount_bounds bounds;
};

static const char *kind_of_file(mode_t mode)
{
	return S_ISSOCK(mode) ? " (a socket)" : S_ISFIFO(mode) ? " (a FIFO)" : S_ISBLK(mode) || S_ISCHR(mode) ? " (a device)" : "";
}

static enum answer refuse_host_path(struct judged *judged, struct plan *plan, const char *why)
{
	const struct fact_mount *fact = judged->fact;

	if (judged->input->profile->mounts.strip && fact->destination) {
		judged->reason = "mounts.host";
		return ANSWER_REMOVE;
	}
	plan_refuse(plan, "mounts.allow", judged->pointer, "host path %s%s %s at %s",
		    fact->resolved ? fact->resolved : judged->mount->source, kind_of_file(fact->mode), why,
		    judged->mount->destination);
	return ANSWER_REFUSED;
}

static const struct mount_rule *find_rule(const struct profile_layer *layer, const struct fact_mount *fact)
{
	for (size_t i = 0; i < layer->mount_count; i++)
		if (path_matches(layer->mounts[i].source, fact->resolved) &&
		    path_matches(layer->mounts[i].destination, fact->destination))
			return &layer->mounts[i];
	return NULL;
}

/* Every layer must allow it, and only where all do may it be written to; not where it lies in a protected path of a project,
 * unless the administrator has written just that out. */
static bool is_allowed(const struct profile *profile, const struct fact_mount *fact, bool *readonly)
{
	size_t named = SIZE_MAX;
	bool allowed = false;

	*readonly = false;
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);
		const struct mount_rule *rule;

		if (!(layer.lists & LIST_MOUNTS))
			continue;
		rule = find_rule(&layer, fact);
		if (!rule)
			return false;
		allowed = true;
		*readonly = *readonly || rule->readonly;
		if (protect_count_named(rule->source) < named)
			named = protect_count_named(rule->source);
	}
	*readonly = *readonly || protect_covers(&profile->mounts.protect, fact->resolved, named);
	return allowed;
}

bool mount_is_workspace(const struct plan_input *input, size_t index)
{
	const struct oci_mount *mount = &input->config->mounts[index];
	const struct fact_mount *fact = &input->facts->mounts[index];
	bool readonly = false;

	return fact->is_bind && !fact->error && fact->destination && S_ISDIR(fact->mode) && fs_is_storage(fact->fs_magic) &&
	       engine_file_kind(input, fact) == ENGINE_FILE_NONE && !mount_is_given_readonly(mount) &&
	       (!input->profile || is_allowed(input->profile, fact, &readonly)) && !readonly;
}

static enum answer judge_host_path(struct judged *judged, struct plan *plan)
{
	bool readonly;

	if (!is_allowed(judged->input->profile, judged->fact, &readonly))
		return refuse_host_path(judged, plan, "is not allowed");
	if (!S_ISDIR(judged->fact->mode) && !S_ISREG(judged->fact->mode))
		return refuse_host_path(judged, plan, "is neither a directory nor a file and can't be allowed");
	if (!fs_is_storage(judged->fact->fs_magic))
		return refuse_host_path(judged, plan, "lies on a file system of the kernel's and can't be allowed");
	judged->reason = "mounts.allow";
	judged->bounds.readonly = readonly;
	judged->bounds.is_flat = true;	/* what is mounted below the source was not judged */
	return ANSWER_KEEP;
}

static enum answer judge_volume(struct judged *judged, struct plan *plan)
{
	enum volumes volumes = judged->input->profile->mounts.volumes;

	judged->reason = "mounts.volumes";
	if (volumes == VOLUMES_TMPFS && engine_volume_is_anonymous(judged->input, judged->fact))
		return ANSWER_TMPFS;
	if (volumes != VOLUMES_ALLOW) {
		plan_refuse(plan, "mounts.volumes", judged->pointer, "volume %s is not allowed at %s%s", judged->fact->resolved,
			    judged->mount->destination, volumes == VOLUMES_TMPFS ? ": it isn't an anonymous one" : "");
		return ANSWER_REFUSED;
	}
	judged->bounds.is_flat = true;
	return ANSWER_KEEP;
}

static enum answer judge_bind(struct judged *judged, struct plan *plan)
{
	const struct fact_mount *fact = judged->fact;

	if (fact->error) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "source %s: %s", judged->mount->source, strerror(fact->error));
		return ANSWER_REFUSED;
	}
	judged->bounds.nosuid_nodev = true;
	judged->bounds.is_flat = true;
	judged->reason = "mounts.host";
	switch (engine_file_kind(judged->input, fact)) {
	case ENGINE_FILE_ETC:
		/* what the container writes there would say after a restart where its allowed names lead */
		if (!strcmp(fact->destination, "/etc/resolv.conf") && profile_has_names(judged->input->profile)) {
			judged->reason = "egress.allow";
			judged->bounds.readonly = true;
		}
		return ANSWER_KEEP;
	case ENGINE_FILE_SHM:
		return ANSWER_KEEP;
	case ENGINE_FILE_INIT:
		judged->bounds.readonly = true;
		return ANSWER_KEEP;
	case ENGINE_FILE_IMAGE:
		judged->bounds.readonly = true;
		return judge_volume(judged, plan);
	case ENGINE_FILE_VOLUME:
		return judge_volume(judged, plan);
	case ENGINE_FILE_TOKEN:
		judged->reason = "mounts.service_account";
		return judged->input->profile->mounts.service_account ? ANSWER_KEEP : ANSWER_REMOVE;
	case ENGINE_FILE_TOKEN_ASKED:
		if (judged->input->profile->mounts.service_account)
			return judge_volume(judged, plan);
		plan_refuse(plan, "mounts.service_account", judged->pointer, "volume %s with a service account's token is not "
			    "allowed at %s", fact->resolved, judged->mount->destination);
		return ANSWER_REFUSED;
	case ENGINE_FILE_DISGUISE:
		plan_refuse(plan, "mounts.volumes", judged->pointer, "volume %s is a mount of something else, at %s",
			    fact->resolved, judged->mount->destination);
		return ANSWER_REFUSED;
	case ENGINE_FILE_NONE:
		break;
	}
	return judge_host_path(judged, plan);
}

/* The kernel's file systems and where each may stand. */
static const struct kernel_mount {
	const char *type, *destination;
	enum mount_kind kind;
	bool readonly;
} kernel_mounts[] = {
	{ "proc", "/proc", MOUNT_PROC, false },
	{ "sysfs", "/sys", MOUNT_SYSFS, true },
	{ "cgroup", "/sys/fs/cgroup", MOUNT_CGROUP, true },
	{ "cgroup2", "/sys/fs/cgroup", MOUNT_CGROUP, true },
	{ "devpts", "/dev/pts", MOUNT_DEVPTS, false },
	{ "mqueue", "/dev/mqueue", MOUNT_MQUEUE, false },
};

static const struct kernel_mount *find_kernel_mount(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel_mounts); i++)
		if (!strcmp(kernel_mounts[i].type, type))
			return &kernel_mounts[i];
	return NULL;
}

static enum answer judge_kernel_mount(struct judged *judged, const struct kernel_mount *kernel, struct plan *plan)
{
	if (strcmp(judged->fact->destination, kernel->destination)) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "%s may stand at %s only, not at %s", kernel->type,
			    kernel->destination, judged->mount->destination);
		return ANSWER_REFUSED;
	}
	judged->reason = "rootfs.mask";
	judged->bounds.readonly = kernel->readonly;
	judged->bounds.nosuid_nodev = kernel->kind != MOUNT_DEVPTS;
	return ANSWER_KEEP;
}

static enum answer judge_tmpfs(struct judged *judged, struct plan *plan)
{
	judged->reason = "rootfs.tmpfs";
	judged->bounds.size = rootfs_tmpfs_bound(judged->input, judged->fact->destination);
	judged->bounds.nosuid_nodev = strcmp(judged->fact->destination, "/dev") != 0;
	return ANSWER_KEEP;
}

/* Over /proc, /sys and /dev only what belongs there: anything else could hide a mask or fake a file. */
static bool is_at_kernel_place(const struct judged *judged, enum mount_kind kind)
{
	static const char *const own[] = { "/dev/shm", "/dev/pts", "/dev/mqueue", "/dev/termination-log", "/dev/init" };
	const char *destination = judged->fact->destination;

	if (kind != MOUNT_BIND && kind != MOUNT_TMPFS)
		return false;
	if (path_is_within(destination, "/proc") || path_is_within(destination, "/sys"))
		return true;
	if (!strcmp(destination, "/"))
		return true;
	if (!path_is_within(destination, "/dev") || (kind == MOUNT_TMPFS && !strcmp(destination, "/dev")))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(destination, own[i]))
			return false;
	return true;
}

static bool mount_kind_of(const struct judged *judged, enum mount_kind *kind)
{
	const char *type = judged->mount->type;
	const struct kernel_mount *kernel;

	if (judged->fact->is_bind)
		*kind = MOUNT_BIND;
	else if (type && !strcmp(type, "tmpfs"))
		*kind = MOUNT_TMPFS;
	else if (type && (kernel = find_kernel_mount(type)))
		*kind = kernel->kind;
	else
		return false;
	return true;
}

static enum answer judge_by_kind(struct judged *judged, enum mount_kind kind, struct plan *plan)
{
	switch (kind) {
	case MOUNT_BIND:
		return judge_bind(judged, plan);
	case MOUNT_TMPFS:
		return judge_tmpfs(judged, plan);
	default:
		return judge_kernel_mount(judged, find_kernel_mount(judged->mount->type), plan);
	}
}

static enum answer judge(struct judged *judged, enum mount_kind *kind, struct plan *plan)
{
	const char *unknown;
	enum answer answer;

	if (!judged->fact->destination) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "destination %s is no place in the root file system",
			    judged->mount->destination ? judged->mount->destination : "(none)");
		return ANSWER_REFUSED;
	}
	if (!mount_kind_of(judged, kind)) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "mount type %s is not allowed at %s",
			    judged->mount->type ? judged->mount->type : "(none)", judged->mount->destination);
		return ANSWER_REFUSED;
	}
	if (json_get(judged->mount->node, "uidMappings") || json_get(judged->mount->node, "gidMappings")) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "id mappings of a mount are not allowed");
		return ANSWER_REFUSED;
	}
	if (path_is_within(judged->fact->destination, QUOD_TOLD)) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "%s is quod's own place", judged->fact->destination);
		return ANSWER_REFUSED;
	}
	if (is_at_kernel_place(judged, *kind)) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "nothing may be mounted at %s", judged->fact->destination);
		return ANSWER_REFUSED;
	}
	answer = judge_by_kind(judged, *kind, plan);
	if (answer == ANSWER_KEEP && (unknown = mount_options_unknown(judged->mount, *kind))) {
		plan_refuse(plan, "mounts.allow", judged->pointer, "option '%s' is not allowed at %s", unknown,
			    judged->mount->destination);
		return ANSWER_REFUSED;
	}
	return answer;
}

static void edit_string(struct judged *judged, const char *member, const char *given, const char *wanted, struct plan *plan)
{
	if (given && !strcmp(given, wanted))
		return;
	oci_edits_add(&plan->edits, OCI_EDIT_ADD, judged->reason, json_make_string(plan->edits.tree, wanted), "%s/%s",
		      judged->pointer, member);
}

/* A bind is handed to the runtime as the clone that quod makes of what was checked. */
static void add_clone(struct judged *judged, struct plan *plan)
{
	cleanup_free char *source = alloc_printf("%s/mounts/%zu", judged->input->facts->state_dir, plan->clone_count);

	plan->clones = alloc_grow(plan->clones, plan->clone_count + 1, sizeof(*plan->clones));
	plan->clones[plan->clone_count] = (struct plan_clone){
		.mount_index = judged->mount->index,
		.readonly = judged->bounds.readonly,
		.number = plan->clone_count,
	};
	plan->clone_count++;
	edit_string(judged, "source", judged->mount->source, source, plan);
	edit_string(judged, "type", judged->mount->type, "bind", plan);
}

/* What the image has there is copied into it, as the engine would have done with the volume. */
static void replace_by_tmpfs(struct judged *judged, struct plan *plan)
{
	const char *destination = judged->fact->destination;
	struct json_tree *tree = plan->edits.tree;
	struct json *mount = rootfs_make_tmpfs(tree, destination, rootfs_tmpfs_bound(judged->input, destination));

	json_append(tree, json_get(mount, "options"), json_make_string(tree, "tmpcopyup"));
	if (mount_is_given_readonly(judged->mount))
		json_append(tree, json_get(mount, "options"), json_make_string(tree, "ro"));
	if (mount_has_option(judged->mount, "noexec"))
		json_append(tree, json_get(mount, "options"), json_make_string(tree, "noexec"));
	oci_edits_add(&plan->edits, OCI_EDIT_REPLACE, judged->reason, mount, "%s", judged->pointer);
	strings_add(&plan->volumes, destination);
}

static void edit_mount(struct judged *judged, enum mount_kind kind, struct plan *plan)
{
	struct json *options = mount_options_bound(plan->edits.tree, judged->mount, kind, &judged->bounds);

	if (!json_equal(options, judged->mount->options))
		oci_edits_add(&plan->edits, OCI_EDIT_ADD, judged->reason, options, "%s/options", judged->pointer);
	edit_string(judged, "destination", judged->mount->destination, judged->fact->destination, plan);
	if (kind == MOUNT_BIND)
		add_clone(judged, plan);
}

/* containerd's CRI leaves the default /dev/shm in front of the pod's own, which covers it. */
static bool is_shm_over_default(const struct plan_input *input, size_t below, size_t above)
{
	const char *type = input->config->mounts[below].type;

	return type && !strcmp(type, "tmpfs") && !input->facts->mounts[below].is_bind && input->facts->mounts[above].is_bind &&
	       engine_file_kind(input, &input->facts->mounts[above]) == ENGINE_FILE_SHM;
}

static void judge_duplicates(const struct plan_input *input, struct plan *plan)
{
	const struct facts *facts = input->facts;

	for (size_t i = 0; i < facts->mount_count; i++)
		for (size_t k = 0; facts->mounts[i].destination && k < i; k++)
			if (facts->mounts[k].destination && !strcmp(facts->mounts[i].destination, facts->mounts[k].destination) &&
			    !is_shm_over_default(input, k, i)) {
				char pointer[32];

				snprintf(pointer, sizeof(pointer), "/mounts/%zu", i);
				plan_refuse(plan, "mounts.allow", pointer, "two mounts stand at %s", facts->mounts[i].destination);
				break;
			}
}

void plan_mounts(const struct plan_input *input, struct plan *plan)
{
	const struct oci_config *config = input->config;
	cleanup_free bool *removed = alloc_zeroed(config->mount_count, sizeof(*removed));
	cleanup_free const char **reasons = alloc_zeroed(config->mount_count, sizeof(*reasons));

	for (size_t i = 0; i < config->mount_count; i++) {
		struct judged judged = { .input = input, .mount = &config->mounts[i], .fact = &input->facts->mounts[i],
					 .reason = "mounts.allow", .bounds = { .size = UINT64_MAX } };
		enum mount_kind kind = MOUNT_BIND;
		enum answer answer;

		snprintf(judged.pointer, sizeof(judged.pointer), "/mounts/%zu", i);
		answer = judge(&judged, &kind, plan);
		if (answer == ANSWER_KEEP)
			edit_mount(&judged, kind, plan);
		if (answer == ANSWER_TMPFS)
			replace_by_tmpfs(&judged, plan);
		removed[i] = answer == ANSWER_REMOVE;
		reasons[i] = judged.reason;
	}
	judge_duplicates(input, plan);
	for (size_t i = config->mount_count; i-- > 0;)
		if (removed[i])
			oci_edits_add(&plan->edits, OCI_EDIT_REMOVE, reasons[i], NULL, "/mounts/%zu", i);
	protect_plan(input, removed, plan);
	rootfs_plan(input, plan);
}
