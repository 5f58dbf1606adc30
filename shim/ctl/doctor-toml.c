/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl doctor, engines whose configuration is TOML: containerd (its CRI plugin), CRI-O and Podman. Every file that the
 * engine may read is looked at, main file first: what a later one says counts.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/doctor-engines.h"
#include "shim/ctl/process.h"
#include "shim/ctl/setup-toml.h"

#define DEPTH_MAX 16

struct toml_engine {
	const char *name;
	const char *files[6];		/* patterns, in the order in which they count; NULL-terminated */
	const char *above;		/* the table that has a runtime's own below it: "runtimes" */
	const char *path_key;		/* within that: the program; NULL: the runtime is an array of paths itself */
	const char *default_key;	/* the runtime of containers that name none */
	const char *annotations_key;	/* within a runtime: what a pod may ask for; NULL: nothing is filtered */
	const char *standard;		/* without a word of the files */
};

static const struct toml_engine toml_engines[] = {
	{ "containerd", { "/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml", "/etc/containerd/config.d/*.toml" }, "runtimes",
	  "BinaryName", "default_runtime_name", "pod_annotations", "runc" },
	{ "crio", { "/etc/crio/crio.conf", "/usr/share/crio/crio.conf.d/*.conf", "/etc/crio/crio.conf.d/*.conf" }, "runtimes", "runtime_path",
	  "default_runtime", NULL, "runc" },
	{ "podman", { "/usr/share/containers/containers.conf", "/usr/share/containers/containers.conf.d/*.conf",
		      "/etc/containers/containers.conf", "/etc/containers/containers.conf.d/*.conf" }, "runtimes", NULL, "runtime", NULL, "crun" },
};

struct reading {
	struct doctor *doctor;
	const struct toml_engine *engine;
	struct engine_reach reach;
	struct strings annotated;	/* runtimes that let our annotations through */
	bool is_off;			/* containerd: its CRI plugin is disabled */
	bool is_unread;			/* a file could not be read */
};

/* The names of a path, cut in place; how many. */
static size_t cut_path(char *path, char *names[DEPTH_MAX])
{
	size_t count = 0;

	for (char *at = path; at && count < DEPTH_MAX; count++) {
		char *end = strchr(at, TOML_SEPARATOR);

		names[count] = at;
		if (end)
			*end++ = '\0';
		at = end;
	}
	return count;
}

static bool has_annotation(const struct toml *toml, const struct toml_entry *entry)
{
	struct strings patterns = { NULL, 0 };
	bool found = false;

	if (toml_strings(toml, entry, &patterns))
		for (size_t i = 0; i < patterns.count; i++)
			found |= pattern_matches(patterns.items[i], "quod.dev/profile");
	strings_free(&patterns);
	return found;
}

static void add_name(struct strings *names, const char *name)
{
	if (!strings_has(names, name))
		strings_add(names, name);
}

/* An array of paths: the first that is there counts. */
static bool is_quod_array(const struct toml *toml, const struct toml_entry *entry)
{
	struct strings paths = { NULL, 0 };
	bool found = toml_strings(toml, entry, &paths) && paths.count && doctor_is_quod(paths.items[0]);

	strings_free(&paths);
	return found;
}

static void take_entry(struct reading *reading, const struct toml *toml, const struct toml_entry *entry)
{
	const struct toml_engine *engine = reading->engine;
	cleanup_free char *path = alloc_copy(entry->path), *text = toml_string(toml, entry);
	char *names[DEPTH_MAX];
	size_t count = cut_path(path, names);
	const char *last = names[count - 1], *name = NULL;

	for (size_t i = 0; i + 1 < count; i++)
		if (!strcmp(names[i], engine->above))
			name = names[i + 1];
	if (!name && !strcmp(last, engine->default_key) && text) {
		free(reading->reach.standard);
		reading->reach.standard = alloc_copy(text);
	} else if (name && engine->path_key && !strcmp(last, engine->path_key) && text && doctor_is_quod(text)) {
		add_name(&reading->reach.names, name);
		if (strchr(text, '/') && access(text, X_OK) < 0)
			doctor_add(reading->doctor, DOCTOR_PROBLEM, engine->name, name, "install quod there, or quodctl setup it anew", "%s: %s", text,
				   strerror(errno));
	} else if (name == last && !engine->path_key && is_quod_array(toml, entry)) {
		add_name(&reading->reach.names, name);
	} else if (name && engine->annotations_key && !strcmp(last, engine->annotations_key) && has_annotation(toml, entry)) {
		add_name(&reading->annotated, name);
	}
}

/* disabled_plugins = ["cri"], as Docker's packages have it; or by its whole name. */
static void look_for_cri(struct reading *reading, const struct toml *toml)
{
	const struct toml_entry *entry = toml_find(toml, "disabled_plugins");
	struct strings plugins = { NULL, 0 };

	if (entry && toml_strings(toml, entry, &plugins))
		for (size_t i = 0; i < plugins.count; i++)
			reading->is_off |= !strcmp(plugins.items[i], "cri") || strstr(plugins.items[i], ".cri.") ||
					   !strcmp(plugins.items[i], "io.containerd.grpc.v1.cri");
	strings_free(&plugins);
}

static void read_one(struct reading *reading, const char *path)
{
	cleanup_toml struct toml toml = { NULL, NULL, 0 };
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;
	int r = doctor_read_config(path, &text, &len, &err);

	if (r == -ENOENT)
		return;
	if (!r)
		r = toml_read(text, len, &toml, &err);
	if (r) {
		reading->is_unread = true;
		doctor_add(reading->doctor, DOCTOR_PROBLEM, reading->engine->name, path, "correct it", "%s", err.text);
		return;
	}
	look_for_cri(reading, &toml);
	for (size_t i = 0; i < toml.count; i++)
		if (toml.entries[i].kind == TOML_VALUE)
			take_entry(reading, &toml, &toml.entries[i]);
}

/* The engine's program is there, or its configuration is. */
static bool is_there(const struct toml_engine *engine)
{
	glob_t found = { 0 };
	bool has_file = false;

	for (size_t i = 0; engine->files[i]; i++) {
		has_file |= !strncmp(engine->files[i], "/etc/", 5) && glob(engine->files[i], 0, NULL, &found) == 0;
		globfree(&found);
	}
	return doctor_has_program(engine->name) || (has_file && strcmp(engine->name, "podman"));
}

static void say(struct reading *reading)
{
	struct doctor *doctor = reading->doctor;
	const struct toml_engine *engine = reading->engine;
	bool is_dockers = !strcmp(engine->name, "containerd") && !reading->reach.names.count &&
			  (reading->is_off || (doctor_has_program("dockerd") && !doctor_has_program("kubelet")));

	if (is_dockers) {
		doctor_add(doctor, DOCTOR_NOTE, engine->name, "registered", "quodctl setup containerd, where Kubernetes is to use it",
			   reading->is_off ? "its CRI plugin is off" : "no handler of it is quod; it is there for Docker, as it seems");
		return;
	}
	reading->reach.is_default = strings_has(&reading->reach.names, reading->reach.standard);
	doctor_say_engine(doctor, engine->name, &reading->reach);
	for (size_t i = 0; engine->annotations_key && i < reading->reach.names.count; i++)
		if (!strings_has(&reading->annotated, reading->reach.names.items[i]))
			doctor_add(doctor, DOCTOR_PROBLEM, engine->name, reading->reach.names.items[i], "quodctl setup containerd",
				   "%s has no \"quod.dev/*\": what a pod asks for by annotation does not reach quod", engine->annotations_key);
}

void doctor_toml_engines(struct doctor *doctor)
{
	for (size_t i = 0; i < ARRAY_SIZE(toml_engines); i++) {
		struct reading reading = { .doctor = doctor, .engine = &toml_engines[i],
					   .reach = { .standard = alloc_copy(toml_engines[i].standard) } };

		for (size_t k = 0; toml_engines[i].files[k]; k++) {
			glob_t found = { 0 };

			if (glob(toml_engines[i].files[k], 0, NULL, &found) == 0)
				for (size_t n = 0; n < found.gl_pathc; n++)
					read_one(&reading, found.gl_pathv[n]);
			globfree(&found);
		}
		if (is_there(&toml_engines[i]) && !reading.is_unread)
			say(&reading);
		strings_free(&reading.annotated);
		engine_reach_release(&reading.reach);
	}
}
