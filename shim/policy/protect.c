/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts.protect: see protect.h. A protected path is bound on itself read-only, and what lies above it inside the workspace is
 * bound on itself, too: the kernel renames and removes no mount point, so nobody inside can put another in its place.
 */
#include "shim/policy/protect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/policy/mount-options.h"
#include "shim/policy/paths.h"

#define KEY "mounts.protect"
#define PROTECTED_MOST 256

/* Where the next component begins; NULL behind the last. */
static const char *next_component(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash ? slash + 1 : NULL;
}

static size_t count_components(const char *path)
{
	size_t count = 0;

	for (const char *at = path; at; at = next_component(at))
		count += *at && *at != '/';
	return count;
}

size_t protect_count_named(const char *pattern)
{
	size_t count = 0;

	for (const char *at = pattern; at; at = next_component(at)) {
		size_t len = strcspn(at, "/");

		if (strcspn(at, "*?[") < len)
			break;
		count += len > 0;
	}
	return count;
}

bool protect_covers(const struct strings *protect, const char *source, size_t named)
{
	size_t before = 0;

	for (const char *at = next_component(source); at; at = next_component(at), before++)
		for (size_t i = 0; i < protect->count; i++)
			if (path_is_within(at, protect->items[i]) && before + count_components(protect->items[i]) > named)
				return true;
	return false;
}

static bool is_within_another(const struct strings *list, size_t index)
{
	for (size_t i = 0; i < list->count; i++)
		if (i != index && path_is_within(list->items[index], list->items[i]) &&
		    (i < index || strcmp(list->items[index], list->items[i])))
			return true;
	return false;
}

void protect_list_inside(const struct strings *protect, const char *source, struct strings *inside)
{
	struct strings all = { NULL, 0 };

	for (size_t i = 0; i < protect->count; i++) {
		strings_add(&all, protect->items[i]);
		for (const char *at = next_component(source); at; at = next_component(at)) {
			const char *rest = *at ? path_behind(protect->items[i], at) : NULL;

			if (rest)
				strings_add(&all, rest);
		}
	}
	for (size_t i = 0; i < all.count; i++)
		if (!is_within_another(&all, i))
			strings_add(inside, all.items[i]);
	strings_free(&all);
}

/* Another mount stands over it, further down the list: it can't be reached, and what stands there can't be moved away. */
static bool is_covered(const struct plan_input *input, const bool *removed, size_t index, const char *place)
{
	for (size_t i = index + 1; i < input->facts->mount_count; i++) {
		const char *destination = input->facts->mounts[i].destination;

		if (!removed[i] && destination && path_is_within(place, destination))
			return true;
	}
	return false;
}

static void refuse_unprotectable(const struct plan_input *input, const struct fact_protected *fact, struct plan *plan)
{
	const char *source = input->facts->mounts[fact->mount_index].resolved, *path = fact->path;
	char pointer[32];

	snprintf(pointer, sizeof(pointer), "/mounts/%zu", fact->mount_index);
	if (fact->linked)
		plan_refuse(plan, KEY, pointer, "%s/%s can't be protected: %s/%s is a hard link, and has another name (copy it)", source,
			    path, source, fact->linked);
	else if (fact->error == ELOOP)
		plan_refuse(plan, KEY, pointer, "%s/%s can't be protected: it is a symbolic link", source, path);
	else if (fact->error == EXDEV)
		plan_refuse(plan, KEY, pointer, "%s/%s can't be protected: it is a mount of its own", source, path);
	else if (fact->error == E2BIG)
		plan_refuse(plan, KEY, pointer, "%s/%s can't be protected: it holds too many files to look for hard links", source,
			    path);
	else
		plan_refuse(plan, KEY, pointer, "%s/%s can't be protected: %s", source, path, strerror(fact->error));
}

static void add_mount(const struct plan_input *input, size_t index, const char *place, size_t where, struct plan *plan)
{
	const struct fact_protected *fact = &input->facts->protected[index];
	const struct mount_bounds bounds = { .readonly = !fact->is_ancestor, .nosuid_nodev = true, .size = UINT64_MAX,
					     .is_flat = true };
	cleanup_free char *source = alloc_printf("%s/mounts/%zu", input->facts->state_dir, plan->clone_count);
	struct json_tree *tree = plan->edits.tree;
	struct json *mount = json_make_object(tree);

	json_set(tree, mount, "destination", json_make_string(tree, place));
	json_set(tree, mount, "type", json_make_string(tree, "bind"));
	json_set(tree, mount, "source", json_make_string(tree, source));
	json_set(tree, mount, "options",
		 mount_options_bound(tree, &input->config->mounts[fact->mount_index], MOUNT_BIND, &bounds));
	oci_edits_add(&plan->edits, OCI_EDIT_ADD, KEY, mount, "/mounts/%zu", where);
	plan->clones = alloc_grow(plan->clones, plan->clone_count + 1, sizeof(*plan->clones));
	plan->clones[plan->clone_count] = (struct plan_clone){
		.mount_index = index,
		.is_protected = true,
		.readonly = !fact->is_ancestor,
		.number = plan->clone_count,
	};
	plan->clone_count++;
}

static void add_protected(const struct plan_input *input, size_t index, const char *place, struct plan *plan)
{
	const struct fact_protected *fact = &input->facts->protected[index];

	plan->protected = alloc_grow(plan->protected, plan->protected_count + 1, sizeof(*plan->protected));
	plan->protected[plan->protected_count++] = (struct plan_protected){ index, alloc_copy(place) };
	plan->has_placeholders = plan->has_placeholders || fact->is_absent || fact->is_placeholder;
}

/* The facts of one workspace stand together, each ancestor in front of what it holds. */
static void plan_workspace(const struct plan_input *input, const bool *removed, size_t index, size_t where, struct plan *plan)
{
	for (size_t i = 0; i < input->facts->protected_count; i++) {
		const struct fact_protected *fact = &input->facts->protected[i];
		cleanup_free char *place = NULL;

		if (fact->mount_index != index)
			continue;
		place = alloc_printf("%s/%s", input->facts->mounts[index].destination, fact->path);
		if (is_covered(input, removed, index, place))
			continue;
		if (fact->error || fact->linked) {
			refuse_unprotectable(input, fact, plan);
			continue;
		}
		add_mount(input, i, place, where++, plan);
		if (!fact->is_ancestor)
			add_protected(input, i, place, plan);
	}
}

void protect_plan(const struct plan_input *input, const bool *removed, struct plan *plan)
{
	size_t left = 0;

	if (!input->facts->protected_count)
		return;
	for (size_t i = 0; i < input->facts->mount_count; i++)
		left += !removed[i];
	for (size_t i = input->facts->mount_count; i-- > 0;) {
		if (removed[i])
			continue;
		/* from the last one up: what is added further down moves nothing above */
		plan_workspace(input, removed, i, left--, plan);
	}
	if (plan->protected_count > PROTECTED_MOST)
		plan_refuse(plan, KEY, "/mounts", "%zu protected paths are more than quod can watch over (%d)", plan->protected_count,
			    PROTECTED_MOST);
}
