/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers that are not under quod: see foreign.h. A runtime's directory below one of the usual roots is a container when
 * its process is alive (its start time is in there); it is under quod when quod has a record of that root and id, and the
 * first process that the hook saw is this one.
 */
#include "shim/ctl/foreign.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/process.h"

#define STATE_MAX (8u << 20)

/* Where the engines have the runtimes keep what they know; rootless ones in their users' directories. */
static const char *const roots[] = {
	"/run/runc", "/run/crun", "/run/docker/runtime-*", "/run/docker/runtime-*/*", "/run/containerd/runc/*", "/run/crio/runc",
	"/run/user/*/runc", "/run/user/*/crun", "/run/user/*/docker/runtime-*/*", "/run/user/*/containerd/runc/*",
};

struct search {
	const struct live_list *live;
	struct foreign_list *list;
	struct known {
		char *id;
		pid_t pid;		/* of its first process; 0 when it couldn't be read */
	} *known;			/* what was met in a runtime's directory and lives, whosoever it is */
	size_t known_count;
};

static void add(struct search *search, const struct foreign *found)
{
	struct foreign_list *list = search->list;

	list->items = alloc_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct foreign){
		.id = alloc_copy(found->id), .engine = alloc_copy(found->engine), .runtime = alloc_copy(found->runtime),
		.place = alloc_copy(found->place), .pid = found->pid, .since_s = found->since_s,
	};
}

/* The root alone says it of Docker's and containerd's; else the bundle's path does. */
static const char *engine_of(const char *root, const char *bundle)
{
	if (strstr(root, "/docker/runtime-") || !strcmp(root, "/run/containerd/runc/moby"))
		return "docker";
	if (!strcmp(root, "/run/containerd/runc/k8s.io"))
		return "cri";
	if (strstr(root, "/containerd/runc/"))
		return "containerd";
	if (strstr(bundle, "/buildkit/"))
		return "build";
	if (strstr(bundle, "/overlay-containers/") || strstr(bundle, "/containers/storage/"))
		return strstr(root, "/crio") ? "crio" : "podman";
	if (strstr(bundle, "/buildah"))
		return "build";
	return "unknown";
}

static bool is_under_quod(const struct search *search, const char *root, const char *id, pid_t pid)
{
	char key[STATE_KEY];

	state_key(root, id, key);
	for (size_t i = 0; i < search->live->count; i++) {
		const struct live *live = &search->live->items[i];

		if (!strcmp(live->record.key, key))
			return live->is_unmanaged || !live->pid || live->pid == pid;
	}
	return false;
}

/* runc: an array of "bundle=/path" among others. */
static const char *bundle_label(const struct json *labels)
{
	for (size_t i = 0; json_is(labels, JSON_ARRAY) && i < labels->count; i++) {
		const char *text = json_string(labels->items[i]);

		if (text && !strncmp(text, "bundle=", 7))
			return text + 7;
	}
	return "";
}

static uint64_t number_of(const struct json *root, const char *name)
{
	uint64_t value = 0;

	json_uint(json_get(root, name), &value);
	return value;
}

static void look_at_state(struct search *search, const char *root, const char *id, bool is_crun, const char *text, size_t len)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err ignored = ERR_INIT;
	const struct json *state = json_parse(text, len, JSON_PLAIN, NULL, &tree, &ignored) < 0 ? NULL : json_root(tree);
	uint64_t pid = number_of(state, is_crun ? "pid" : "init_process_pid");
	uint64_t start = number_of(state, is_crun ? "process-start-time" : "init_process_start");
	const char *bundle = is_crun ? json_string(json_get(state, "bundle")) : bundle_label(json_get(json_get(state, "config"), "labels"));
	cleanup_free char *place = alloc_printf("%s/%s", root, id);
	struct foreign found = { .id = (char *)id, .runtime = (char *)(is_crun ? "crun" : "runc"), .place = place };

	/* what can't be read is listed: it might be alive */
	if (state && (!pid || pid > INT32_MAX || process_start(NULL, (pid_t)pid) != start))
		return;
	found.pid = (pid_t)pid;
	search->known = alloc_grow(search->known, search->known_count + 1, sizeof(*search->known));
	search->known[search->known_count++] = (struct known){ alloc_copy(id), found.pid };
	found.since_s = pid ? process_since_s((pid_t)pid) : 0;
	found.engine = (char *)engine_of(root, bundle ? bundle : "");
	if (!is_under_quod(search, root, id, found.pid))
		add(search, &found);
}

static bool read_state(struct search *search, const char *root, const char *id, const char *name)
{
	cleanup_free char *path = alloc_printf("%s/%s/%s", root, id, name), *text = NULL;
	struct err why = ERR_INIT;
	cleanup_close int fd = file_open_regular(AT_FDCWD, path, &why);
	size_t len = 0;

	if (fd < 0) {
		search->list->unreadable += fd != -ENOENT && fd != -ENOTDIR;
		return false;
	}
	if (file_read_all(fd, STATE_MAX, &text, &len, &why) == 0)
		look_at_state(search, root, id, !strcmp(name, "status"), text, len);
	else
		search->list->unreadable++;
	return true;
}

static void look_into_root(struct search *search, const char *path)
{
	cleanup_free char *root = realpath(path, NULL);
	DIR *listing = root ? opendir(root) : NULL;
	struct dirent *entry;

	if (!listing) {
		search->list->unreadable += root && errno != ENOTDIR;
		return;
	}
	while ((entry = readdir(listing)))
		if (entry->d_name[0] != '.' && !read_state(search, root, entry->d_name, "state.json"))
			read_state(search, root, entry->d_name, "status");
	closedir(listing);
}

static void look_into_roots(struct search *search)
{
	struct strings seen = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		glob_t found = { 0 };

		if (glob(roots[i], GLOB_NOSORT, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++)
				strings_add(&seen, found.gl_pathv[k]);
		globfree(&found);
	}
	/* roots of quod's own containers may be unusual ones: others may lie beside them */
	for (size_t i = 0; i < search->live->count; i++)
		if (!strings_has(&seen, search->live->items[i].record.runtime_root))
			strings_add(&seen, search->live->items[i].record.runtime_root);
	for (size_t i = 0; i < seen.count; i++)
		look_into_root(search, seen.items[i]);
	strings_free(&seen);
}

/* What stands behind -NAME or --NAME among the words, or NULL. */
static const char *word_behind(const struct strings *words, const char *name)
{
	for (size_t i = 1; i + 1 < words->count; i++)
		if (!strcmp(words->items[i], name))
			return words->items[i + 1];
	return NULL;
}

static pid_t parent_of(pid_t pid)
{
	pid_t parent = 0;

	return pid && process_start(&parent, pid) ? parent : 0;
}

/* Is what this shim or monitor looks after known by that id? An id alone proves nothing: the same one may live below another
 * root. Its first process is the shim's child; one without a child looks after nothing any more. */
static bool is_known(const struct search *search, const char *id, pid_t shim, pid_t child)
{
	bool has_id = false;

	for (size_t i = 0; i < search->known_count; i++)
		if (!strcmp(search->known[i].id, id)) {
			has_id = true;
			if (!search->known[i].pid || parent_of(search->known[i].pid) == shim)
				return true;
		}
	for (size_t i = 0; i < search->live->count; i++)
		if (!strcmp(search->live->items[i].record.id, id)) {
			has_id = true;
			if (parent_of(search->live->items[i].pid) == shim)
				return true;
		}
	return has_id && !child;
}

/* A shim or a monitor whose container no runtime's directory knows: another kind of runtime, or another root. */
static int look_at_process(pid_t pid, void *data)
{
	struct search *search = data;
	cleanup_free char *place = alloc_printf("process %d", (int)pid);
	struct strings words = { NULL, 0 };
	struct foreign found = { .place = place };
	const char *name = process_words(pid, &words) && words.count ? strrchr(words.items[0], '/') : NULL;
	const char *id = NULL, *namespace, *slash;

	name = name ? name + 1 : words.count ? words.items[0] : "";
	if (!strncmp(name, "containerd-shim", 15)) {
		namespace = word_behind(&words, "-namespace");
		id = word_behind(&words, "-id");
		found.engine = (char *)(!namespace ? "containerd" : !strcmp(namespace, "moby") ? "docker" :
					!strcmp(namespace, "k8s.io") ? "cri" : "containerd");
		found.runtime = (char *)name;
	} else if (!strcmp(name, "conmon") || !strcmp(name, "conmonrs")) {
		id = word_behind(&words, "-c");
		found.runtime = (char *)(word_behind(&words, "-r") ? word_behind(&words, "-r") : "unknown");
		slash = strrchr(found.runtime, '/');
		found.runtime = slash ? (char *)slash + 1 : found.runtime;
		found.engine = (char *)(word_behind(&words, "--exit-dir") && strstr(word_behind(&words, "--exit-dir"), "crio") ? "crio" : "podman");
	}
	if (id && !is_known(search, id, pid, process_first_child(pid))) {
		found.id = (char *)id;
		found.pid = process_first_child(pid) ? process_first_child(pid) : pid;
		found.since_s = process_since_s(found.pid);
		add(search, &found);
	}
	strings_free(&words);
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct foreign *one = a, *other = b;

	return one->since_s != other->since_s ? (one->since_s > other->since_s ? 1 : -1) : strcmp(one->id, other->id);
}

void foreign_find(const struct live_list *live, struct foreign_list *list)
{
	struct search search = { .live = live, .list = list };

	*list = (struct foreign_list){ NULL, 0, 0 };
	look_into_roots(&search);
	process_each(look_at_process, &search);
	for (size_t i = 0; i < search.known_count; i++)
		free(search.known[i].id);
	free(search.known);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_age);
}

void foreign_release(struct foreign_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].id);
		free(list->items[i].engine);
		free(list->items[i].runtime);
		free(list->items[i].place);
	}
	free(list->items);
	*list = (struct foreign_list){ NULL, 0, 0 };
}
