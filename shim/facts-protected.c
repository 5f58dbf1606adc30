/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about what mounts.protect names inside the workspaces. Each step goes from the descriptor of the one before, follows no
 * link and leaves no mount: what the workspace's mount will show is what is looked at. Changes nothing; an absent path gets
 * its placeholder later (placeholders.h).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/syscalls.h"
#include "shim/facts.h"
#include "shim/placeholders.h"
#include "shim/policy/paths.h"
#include "shim/policy/protect.h"

#define ENTRIES_MOST 100000u
#define DEPTH_MOST 64u

struct look {
	struct facts *facts;
	struct facts_held *held;
	const struct placeholders *known;
	size_t mount_index;
};

/* Takes `fd`. */
static struct fact_protected *add(struct look *look, const char *path, size_t len, int fd)
{
	struct facts *facts = look->facts;
	size_t count = facts->protected_count + 1;

	facts->protected = alloc_grow(facts->protected, count, sizeof(*facts->protected));
	look->held->protected_fds = alloc_grow(look->held->protected_fds, count, sizeof(int));
	facts->protected[count - 1] = (struct fact_protected){ .mount_index = look->mount_index, .path = strndup(path, len) };
	look->held->protected_fds[count - 1] = fd;
	look->held->protected_count = count;
	facts->protected_count = count;
	return &facts->protected[count - 1];
}

static void add_ancestor(struct look *look, const char *path, size_t len, int fd)
{
	const struct facts *facts = look->facts;

	for (size_t i = 0; i < facts->protected_count; i++) {
		const struct fact_protected *fact = &facts->protected[i];

		if (fact->mount_index == look->mount_index && strlen(fact->path) == len && !strncmp(fact->path, path, len))
			return;
	}
	add(look, path, len, fcntl(fd, F_DUPFD_CLOEXEC, 0))->is_ancestor = true;
}

struct walk {
	size_t entries;
	char *linked;	/* the first regular file with another name */
	int error;
};

/* A file with a second name could be changed by that name, wherever in the workspace it lies. */
static void walk(struct walk *state, int dir_fd, const char *path, unsigned depth)
{
	int copy_fd = sys_openat2(dir_fd, ".", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	DIR *listing = copy_fd < 0 ? NULL : fdopendir(copy_fd);
	struct dirent *entry;

	if (!listing) {
		state->error = errno;
		if (copy_fd >= 0)
			close(copy_fd);
		return;
	}
	while (!state->error && !state->linked && (entry = readdir(listing))) {
		cleanup_free char *below = NULL;
		cleanup_close int fd = -1;
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (++state->entries > ENTRIES_MOST || depth > DEPTH_MOST)
			state->error = E2BIG;
		else if (fstatat(copy_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 && errno != ENOENT)
			state->error = errno;
		if (state->error || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			continue;
		below = alloc_printf("%s/%s", path, entry->d_name);
		if (S_ISREG(st.st_mode) && st.st_nlink > 1)
			state->linked = steal_ptr(&below);
		if (!S_ISDIR(st.st_mode))
			continue;
		/* What is mounted there isn't seen inside. */
		fd = sys_openat2(copy_fd, entry->d_name, O_PATH | O_DIRECTORY,
				 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
		if (fd >= 0)
			walk(state, fd, below, depth + 1);
		else if (errno != EXDEV && errno != ENOENT)
			state->error = errno;
	}
	closedir(listing);
}

static void find_links(struct fact_protected *fact, const struct stat *st, int fd)
{
	struct walk state = { 0, NULL, 0 };

	if (S_ISREG(st->st_mode) && st->st_nlink > 1)
		fact->linked = alloc_copy(fact->path);
	if (!S_ISDIR(st->st_mode))
		return;
	walk(&state, fd, fact->path, 0);
	fact->linked = state.linked;
	fact->error = state.linked ? 0 : state.error;
}

/* What the path ends at: itself, the first part that is absent, or a file in the way of the rest. */
static void add_end(struct look *look, const char *path, size_t len, int fd)
{
	struct fact_protected *fact = add(look, path, len, fd);
	struct stat st;

	if (fstat(fd, &st) < 0)
		fact->error = errno;
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		fact->error = EINVAL;
	else if (placeholders_have(look->known, &st))
		fact->is_placeholder = true;
	else
		find_links(fact, &st, fd);
}

static void look_at(struct look *look, const char *path)
{
	cleanup_close int above_fd = fcntl(look->held->mount_fds[look->mount_index], F_DUPFD_CLOEXEC, 0);

	for (const char *at = path; at;) {
		const char *slash = strchr(at, '/');
		cleanup_free char *name = slash ? strndup(at, (size_t)(slash - at)) : alloc_copy(at);
		size_t len = (size_t)(at - path) + strlen(name);
		cleanup_close int fd = sys_openat2(above_fd, name, O_PATH,
						   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
		struct stat st = { 0 };

		if (fd < 0) {
			int error = errno;
			struct fact_protected *fact = add(look, path, len, -1);

			fact->is_absent = error == ENOENT;
			fact->error = error == ENOENT ? 0 : error;
			return;
		}
		if (!slash || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || placeholders_have(look->known, &st)) {
			add_end(look, path, len, steal_fd(&fd));
			return;
		}
		add_ancestor(look, path, len, fd);
		close(above_fd);
		above_fd = steal_fd(&fd);
		at = slash + 1;
	}
}

/* Several paths may end at one place: ".git" is absent, and so is all below it. */
static bool is_known(const struct look *look, const char *path)
{
	for (size_t i = 0; i < look->facts->protected_count; i++) {
		const struct fact_protected *fact = &look->facts->protected[i];
		size_t len = strlen(fact->path);

		if (fact->mount_index == look->mount_index && !fact->is_ancestor && !strncmp(fact->path, path, len) &&
		    (path[len] == '/' || path[len] == '\0'))
			return true;
	}
	return false;
}

/* A workspace below another one is reached by two ways. */
static void list_nested(const struct plan_input *input, size_t index, struct strings *inside)
{
	const struct strings *protect = &input->profile->mounts.protect;
	const struct facts *facts = input->facts;

	for (size_t i = 0; i < facts->mount_count; i++) {
		const char *below = i != index && mount_is_workspace(input, i) ?
					    path_behind(facts->mounts[i].resolved, facts->mounts[index].resolved) : NULL;

		for (size_t k = 0; below && k < protect->count; k++) {
			cleanup_free char *path = alloc_printf("%s/%s", below, protect->items[k]);

			strings_add(inside, path);
		}
	}
}

void facts_gather_protected(const struct plan_input *input, const struct state_places *places, struct facts *facts,
			    struct facts_held *held)
{
	struct placeholders known = { NULL, 0 };
	struct look look = { .facts = facts, .held = held, .known = &known };

	if (!input->profile->mounts.protect.count)
		return;
	placeholders_read(places, &known);
	for (look.mount_index = 0; look.mount_index < facts->mount_count; look.mount_index++) {
		struct strings inside = { NULL, 0 };

		if (!mount_is_workspace(input, look.mount_index))
			continue;
		protect_list_inside(&input->profile->mounts.protect, facts->mounts[look.mount_index].resolved, &inside);
		list_nested(input, look.mount_index, &inside);
		for (size_t i = 0; i < inside.count; i++)
			if (!is_known(&look, inside.items[i]))
				look_at(&look, inside.items[i]);
		strings_free(&inside);
	}
	placeholders_free(&known);
}
