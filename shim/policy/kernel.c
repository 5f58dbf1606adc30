/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the kernel a configuration may turn: sysctls, propagation, its cgroup's place, and the annotations by which crun,
 * systemd and CRIU are steered past everything that the document says elsewhere.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "shim/base/cleanup.h"
#include "shim/policy/place.h"

static const char *const always_allowed_sysctls[] = { "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range" };

/* One of the runtimes makes a path of the name, so slashes and empty components would lead elsewhere in /proc/sys. */
static bool is_plain_sysctl(const char *name)
{
	if (!*name || *name == '.' || name[strlen(name) - 1] == '.' || strstr(name, ".."))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

static bool is_allowed_sysctl(const struct plan_input *input, const char *name)
{
	bool allowed = false;

	if (!is_plain_sysctl(name))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(always_allowed_sysctls); i++)
		if (!strcmp(always_allowed_sysctls[i], name))
			return true;
	for (size_t i = 0; i < profile_layer_count(input->profile); i++) {
		struct profile_layer layer = profile_layer(input->profile, i);

		if (!(layer.lists & LIST_SYSCTLS))
			continue;
		if (!strings_match(&layer.sysctls, name))
			return false;
		allowed = true;
	}
	return allowed;
}

static void judge_sysctls(const struct plan_input *input, const struct place *linux_place)
{
	struct place sysctl = place_member(linux_place, "sysctl");

	for (size_t i = 0; json_is(sysctl.node, JSON_OBJECT) && i < sysctl.node->count; i++) {
		const char *name = sysctl.node->members[i].name;

		if (!is_allowed_sysctl(input, name))
			place_refuse(&sysctl, "sysctls.allow", name, "sysctl %s is not allowed", name);
	}
}

/* Prefixes that make a runtime, its helpers or systemd do what the specification doesn't say. */
static const char *const steering[] = {
	"run.oci.*",		"krun.*",	     "org.systemd.property.*", "org.criu.*", "io.katacontainers.*",
	"dev.gvisor.*",		"module.wasm.image/*", "run.oci/*",	       "io.containers.trace-syscall",
};

/* Podman and CRI-O set these for every container where systemd keeps the cgroups: they order its end, no more. */
static const char *const harmless[] = {
	"org.systemd.property.CollectMode",	"org.systemd.property.DefaultDependencies", "org.systemd.property.After",
	"org.systemd.property.TimeoutStopUSec", "org.systemd.property.KillSignal",
};

static bool matches_one(const char *const *patterns, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (pattern_matches(patterns[i], text))
			return true;
	return false;
}

static void judge_own_annotation(const struct plan_input *input, const struct place *annotations, const char *name,
				 const char *value)
{
	const char *what = name + strlen("quod.dev/");

	if (!strcmp(what, "applied-profile") || !strcmp(what, "profile-digest"))
		place_refuse(annotations, "annotations", name, "%s is quod's own to write", name);
	else if (!strncmp(name, "quod.dev/", strlen("quod.dev/")) && profile_word_has_key(what))
		return;	/* it has tightened the profile */
	else if (strcmp(name, "quod.dev/profile"))
		place_refuse(annotations, "annotations", name, "%s is no annotation that quod knows (quod.dev/KEY of quod-profile(5))",
			     name);
	else if (!value || (strcmp(value, input->profile->name) && (!input->own_wish || strcmp(value, input->own_wish))))
		place_refuse(annotations, "annotations", name, "asks for profile '%s', and '%s' was chosen", value ? value : "",
			     input->profile->name);
}

static void judge_annotations(const struct plan_input *input, struct plan *plan)
{
	struct place annotations = place_first(plan, "/annotations", input->config->annotations);

	for (size_t i = 0; annotations.node && i < annotations.node->count; i++) {
		const struct json_member *member = &annotations.node->members[i];

		if (!strncasecmp(member->name, "quod.dev/", strlen("quod.dev/")))
			judge_own_annotation(input, &annotations, member->name, json_string(member->value));
		else if (matches_one(steering, ARRAY_SIZE(steering), member->name) &&
			 !matches_one(harmless, ARRAY_SIZE(harmless), member->name))
			place_refuse(&annotations, "annotations", member->name, "annotation %s would steer the runtime", member->name);
	}
}

/* Members of linux that no profile can allow: what they move, change or share is the host's. */
static const struct {
	const char *name, *why;
} never[] = {
	{ "intelRdt", "cache and bandwidth classes are the host's" },
	{ "personality", "another execution domain is not allowed" },
	{ "netDevices", "network devices of the host are not allowed" },
	{ "memoryPolicy", "a memory policy is not allowed" },
	{ "timeOffsets", "other clocks are not allowed" },
};

static void judge_never(const struct place *linux_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		const struct json *node = json_get(linux_place->node, never[i].name);

		if (node && !json_is(node, JSON_NULL) && !(json_is(node, JSON_OBJECT) && !node->count))
			place_refuse(linux_place, "config", never[i].name, "%s", never[i].why);
	}
}

/* What is mounted on either side would show on the other. */
static void plan_propagation(const struct plan_input *input, const struct place *linux_place)
{
	static const char *const closed[] = { "private", "rprivate", "unbindable", "runbindable" };
	static const char *const open[] = { "shared", "rshared", "slave", "rslave" };
	const char *given = input->config->rootfs_propagation;

	if (!given || !*given || matches_one(closed, ARRAY_SIZE(closed), given))
		return;
	if (matches_one(open, ARRAY_SIZE(open), given))
		place_set(linux_place, "mounts.host", "rootfsPropagation",
			  json_make_string(linux_place->plan->edits.tree, "rprivate"));
	else
		place_refuse(linux_place, "mounts.host", "rootfsPropagation", "propagation %s is not known", given);
}

static bool has_dots(const char *path)
{
	for (const char *at = path; *at; at += strcspn(at, "/:")) {
		size_t len;

		at += strspn(at, "/:");
		len = strcspn(at, "/:");
		if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
			return true;
	}
	return false;
}

/* The last component; in systemd's form "slice:prefix:name" the name. */
static const char *last_part(const char *path)
{
	const char *last = path;

	for (; *path; path++)
		if ((*path == '/' || *path == ':') && path[1])
			last = path + 1;
	return last;
}

/* A name that ends in .slice would be a whole slice to runc, with all that is in it. */
static bool is_systemd_form(const char *path)
{
	size_t colons = 0, slice = strcspn(path, ":"), len = strlen(path);

	if (len >= strlen(".slice") && !strcmp(path + len - strlen(".slice"), ".slice"))
		return false;

	for (const char *at = path; *at; at++) {
		colons += *at == ':';
		if (!isalnum((unsigned char)*at) && !strchr(":._-\\@", *at))
			return false;
	}
	return colons == 2 && (!slice || (slice > 6 && !strncmp(path + slice - 6, ".slice", 6) && strncmp(path, "-.slice", 7)));
}

/* Everything in the cgroup ends with the container, so it must be the container's own: all engines put the id into its name. */
static void judge_cgroups_path(const struct plan_input *input, const struct place *linux_place)
{
	const char *path = input->config->cgroups_path;

	if (input->facts->cgroup_is_taken)
		place_refuse(linux_place, "resources", "cgroupsPath", "cgroup %s holds processes already", path && *path ? path : "of that id");
	if (!path || !*path)
		return;
	if (has_dots(path) || (input->facts->wants_systemd_cgroup ? !is_systemd_form(path) : !path[strspn(path, "/")]))
		place_refuse(linux_place, "resources", "cgroupsPath", "%s is no place for a container's cgroup", path);
	else if (!input->facts->id || !strstr(last_part(path), input->facts->id))
		place_refuse(linux_place, "resources", "cgroupsPath", "cgroup %s does not carry the container's id", path);
}

void plan_kernel(const struct plan_input *input, struct plan *plan)
{
	struct place linux_place = place_first(plan, "/linux", input->config->linux_node);

	judge_annotations(input, plan);
	if (!linux_place.node)
		return;
	judge_sysctls(input, &linux_place);
	judge_never(&linux_place);
	plan_propagation(input, &linux_place);
	judge_cgroups_path(input, &linux_place);
}
