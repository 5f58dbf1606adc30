/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does containerd go through quod? Its own reader must find the handlers, it must have started since they were written, and
 * a container of the handlers' binary must be refused by quod. The handler itself only a kubelet can ask for.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-containerd.h"
#include "shim/ctl/setup-run.h"
#include "shim/ctl/setup-toml.h"

/* What `containerd config dump` prints, which may begin with lines of its log. */
static int read_dump(const struct setup *setup, char **text, struct toml *toml, struct err *err)
{
	const char *const dump[] = { "containerd", "--config", setup->file, "config", "dump", NULL };
	struct err why = ERR_INIT;
	char *begin;
	int r = setup_run(dump, NULL, text, err);

	if (r)
		return err->code ? -err->code : err_set(err, EIO, "containerd config dump: %.300s", *text);
	begin = *text;
	while (!strncmp(begin, "time=", 5) && strchr(begin, '\n'))
		begin = strchr(begin, '\n') + 1;
	return toml_read(begin, strlen(begin), toml, &why) < 0 ?
		       err_set(err, EINVAL, "containerd config dump: %s", why.text) : 0;
}

static bool reads_handler(const struct toml *toml, const char *name)
{
	static const char *const plugins[] = { "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime" };
	cleanup_free char *link = setup_link_path(name);

	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		cleanup_free char *path = toml_path("plugins", plugins[i], "containerd", "runtimes", name, "options", "BinaryName", NULL);
		cleanup_free char *binary = toml_string(toml, toml_find(toml, path));

		if (binary && !strcmp(binary, link))
			return true;
	}
	return false;
}

/* Once for all handlers: it is one daemon. */
static int check_started(const struct setup *setup, struct err *err)
{
	struct stat file;
	struct timespec started;

	if (setup_program_started("containerd", &started) < 0)
		return err_set(err, ESRCH, "containerd does not run");
	for (size_t i = 0; i < setup->file_count; i++)
		if (stat(setup->files[i].path, &file) == 0 && file.st_mtim.tv_sec > started.tv_sec)
			return err_set(err, ESTALE, "containerd has not been restarted since %s was changed: systemctl restart containerd, then "
				       "ask again", setup->files[i].path);
	return 0;
}

static int check_binary(const char *name, const char *address, const char *rootfs, char **says, struct err *err)
{
	cleanup_free char *link = setup_link_path(name);
	const char *const run[] = { "ctr", "--address", address, "--namespace", "quod-setup-check", "run", "--rm", "--runc-binary", link,
				    "--env", SETUP_CHECK_ENV, "--rootfs", rootfs, "quod-setup-check", "/x", NULL };
	const char *const forget[] = { "ctr", "--address", address, "--namespace", "quod-setup-check", "containers", "rm",
				       "quod-setup-check", NULL };

	free(*says);
	*says = NULL;
	setup_run(run, NULL, says, err);
	setup_run(forget, NULL, NULL, &(struct err)ERR_INIT);
	return setup_judge(name, says);
}

int containerd_check(struct setup *setup, char **says, struct err *err)
{
	char rootfs[] = "/tmp/quod-setup-check.XXXXXX";
	cleanup_toml struct toml toml = { NULL, NULL, 0 };
	cleanup_free char *dump = NULL, *address = NULL, *address_path = toml_path("grpc", "address", NULL);
	const char *const forget[] = { "ctr", "--address", NULL, "namespaces", "rm", "quod-setup-check", NULL };
	const char *argv[ARRAY_SIZE(forget)];
	struct strings names = { NULL, 0 };
	int r = read_dump(setup, &dump, &toml, err);

	r = r ? r : check_started(setup, err);
	if (r)
		return r;
	address = toml_string(&toml, toml_find(&toml, address_path));
	if (!address || !mkdtemp(rootfs))
		return err_set(err, EINVAL, "containerd's address or a directory in /tmp is missing");
	setup_runtimes(setup, &names);
	for (size_t i = 0; i < names.count && !r; i++) {
		if (!reads_handler(&toml, names.items[i]))
			r = err_set(err, ENOENT, "containerd reads no handler %s from %s that executes quod", names.items[i], setup->file);
		else
			r = check_binary(names.items[i], address, rootfs, says, err);
	}
	memcpy(argv, forget, sizeof(argv));
	argv[2] = address;
	setup_run(argv, NULL, NULL, &(struct err)ERR_INIT);
	rmdir(rootfs);
	strings_free(&names);
	return r;
}
