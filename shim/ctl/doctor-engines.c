/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl doctor, engines: which are there, and how they reach quod. Their files are read as far as they are understood;
 * quodctl setup is what changes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/doctor-engines.h"
#include "shim/ctl/process.h"

#define CONFIG_MAX (4u << 20)

bool doctor_has_program(const char *name)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		cleanup_free char *path = alloc_printf("%s/%s", dirs[i], name);

		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

int doctor_read_config(const char *path, char **text, size_t *len, struct err *err)
{
	struct err found = ERR_INIT;
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	*text = NULL;
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	r = file_read_all(fd, CONFIG_MAX, text, len, &found);
	if (r)
		*err = found;
	return r;
}

bool doctor_is_quod(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct stat it, ours;

	if (slash && stat(path, &it) == 0 && stat(QUOD_BINDIR "/quod", &ours) == 0)
		return it.st_dev == ours.st_dev && it.st_ino == ours.st_ino;
	return !strcmp(name, "quod") || !strncmp(name, "quod-", 5);
}

void doctor_say_engine(struct doctor *doctor, const char *engine, const struct engine_reach *reach)
{
	cleanup_free char *setup = alloc_printf("quodctl setup %s", engine);
	cleanup_free char *standard = alloc_printf("quodctl setup %s --default, where containers that name no runtime are to be under quod, too", engine);
	cleanup_buf struct buf names = BUF_INIT;

	for (size_t i = 0; i < reach->names.count; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", reach->names.items[i]);
	if (!reach->names.count) {
		doctor_add(doctor, DOCTOR_PROBLEM, engine, "registered", setup, "no runtime of it is quod");
		return;
	}
	doctor_add(doctor, DOCTOR_OK, engine, "registered", NULL, "%s", names.data);
	if (reach->is_default)
		doctor_add(doctor, DOCTOR_OK, engine, "default", NULL, "%s", reach->standard);
	else
		doctor_add(doctor, DOCTOR_NOTE, engine, "default", standard, "%s: what names no runtime is not under quod",
			   reach->standard ? reach->standard : "another one");
}

void engine_reach_release(struct engine_reach *reach)
{
	strings_free(&reach->names);
	free(reach->standard);
}

static void take_default(struct engine_reach *reach, const char *name)
{
	free(reach->standard);
	reach->standard = alloc_copy(name);
}

static void read_docker_runtimes(struct doctor *doctor, const struct json *runtimes, struct engine_reach *reach)
{
	for (size_t i = 0; json_is(runtimes, JSON_OBJECT) && i < runtimes->count; i++) {
		const struct json *value = runtimes->members[i].value;
		const char *path = json_string(json_get(value, "path"));

		if (!path)
			path = json_string(json_get(json_get(value, "options"), "BinaryName"));
		if (!path || !doctor_is_quod(path))
			continue;
		strings_add(&reach->names, runtimes->members[i].name);
		if (access(path, X_OK) < 0)
			doctor_add(doctor, DOCTOR_PROBLEM, "docker", runtimes->members[i].name, "install quod there, or quodctl setup docker",
				   "%s: %s", path, strerror(errno));
	}
}

static void read_docker_file(struct doctor *doctor, const char *path, struct engine_reach *reach)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;
	int r = doctor_read_config(path, &text, &len, &err);

	if (r == -ENOENT)
		return;
	if (!r)
		r = json_parse(text, len, JSON_PLAIN, NULL, &tree, &err);
	if (r) {
		doctor_add(doctor, DOCTOR_PROBLEM, "docker", path, "correct it: dockerd does not start with it", "%s", err.text);
		return;
	}
	read_docker_runtimes(doctor, json_get(json_root(tree), "runtimes"), reach);
	if (json_string(json_get(json_root(tree), "default-runtime")))
		take_default(reach, json_string(json_get(json_root(tree), "default-runtime")));
}

struct daemon {
	struct doctor *doctor;
	struct engine_reach *reach;
	char *config;		/* --config-file */
	bool is_there;
};

/* "--NAME=VALUE" or "--NAME VALUE". */
static const char *value_of(const struct strings *words, size_t i, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(words->items[i], name, len))
		return NULL;
	if (words->items[i][len] == '=')
		return words->items[i] + len + 1;
	return words->items[i][len] || i + 1 >= words->count ? NULL : words->items[i + 1];
}

/* A running dockerd: what its command line adds. */
static int look_at_daemon(pid_t pid, void *data)
{
	struct daemon *daemon = data;
	struct strings words = { NULL, 0 };
	const char *name = process_words(pid, &words) && words.count ? strrchr(words.items[0], '/') : NULL;

	name = name ? name + 1 : words.count ? words.items[0] : "";
	for (size_t i = 1; !strcmp(name, "dockerd") && i < words.count; i++) {
		const char *value, *path;

		daemon->is_there = true;
		if ((value = value_of(&words, i, "--add-runtime")) && (path = strchr(value, '=')) && doctor_is_quod(path + 1)) {
			cleanup_free char *runtime = alloc_printf("%.*s", (int)(path - value), value);

			strings_add(&daemon->reach->names, runtime);
		} else if ((value = value_of(&words, i, "--default-runtime"))) {
			take_default(daemon->reach, value);
		} else if ((value = value_of(&words, i, "--config-file"))) {
			free(daemon->config);
			daemon->config = alloc_copy(value);
		}
	}
	daemon->is_there |= !strcmp(name, "dockerd");
	strings_free(&words);
	return 0;
}

static void check_docker(struct doctor *doctor)
{
	struct engine_reach reach = { .standard = alloc_copy("runc") };
	struct daemon daemon = { .doctor = doctor, .reach = &reach };
	const char *path;

	process_each(look_at_daemon, &daemon);
	path = daemon.config ? daemon.config : "/etc/docker/daemon.json";
	if (daemon.is_there || doctor_has_program("dockerd") || access(path, F_OK) == 0) {
		read_docker_file(doctor, path, &reach);
		reach.is_default = strings_has(&reach.names, reach.standard);
		doctor_say_engine(doctor, "docker", &reach);
	}
	free(daemon.config);
	engine_reach_release(&reach);
}

void doctor_engines(struct doctor *doctor)
{
	check_docker(doctor);
	doctor_toml_engines(doctor);
}
