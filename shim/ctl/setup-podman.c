/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Podman: [engine.runtimes] in a file of quodctl's own in containers.conf.d, which Podman reads at each call. */
#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-dropin.h"
#include "shim/ctl/setup-run.h"

/* A runtime of that name elsewhere must be as good as ours, or one would hide the other. */
static int check_name(const struct setup *setup, const struct dropins *all, const char *name, struct err *err)
{
	cleanup_free char *path = toml_path("engine", "runtimes", name, NULL), *link = setup_link_path(name);
	const struct dropin_other *other;
	const struct toml_entry *entry = dropins_find(all, path, &other);
	struct strings paths = { NULL, 0 };
	bool same;

	if (!entry)
		return 0;
	same = toml_strings(&other->toml, entry, &paths) && paths.count == 1 && !strcmp(paths.items[0], link);
	strings_free(&paths);
	return same ? 0 : err_set(err, EEXIST, "%s%s has a runtime %s that is not [\"%s\"]: take it out or give it another name",
				  setup->root, other->path, name, link);
}

static int plan(struct setup *setup, struct err *err)
{
	const char *standard = setup->standard ? setup->standard : setup->record.was;
	struct dropins all = { NULL, 0, { NULL, 0 } };
	cleanup_buf struct buf lines = BUF_INIT;
	int r = dropins_read(setup, "/etc/containers/containers.conf", &all, err);

	if (standard)
		buf_printf(&lines, "[engine]\nruntime = \"%s\"\n\n", standard);
	buf_puts(&lines, "[engine.runtimes]\n");
	for (size_t i = 0; i < all.names.count && !r; i++) {
		cleanup_free char *link = setup_link_path(all.names.items[i]);

		r = setup->remove ? 0 : check_name(setup, &all, all.names.items[i], err);
		toml_put_key(&lines, all.names.items[i]);
		buf_printf(&lines, " = [\"%s\"]\n", link);
	}
	r = r ? r : dropin_write(setup, &all, lines.data, err);
	if (!r && setup->remove)
		setup_note(setup, "A container that was made with one of these runtimes can't be started again; podman inspect shows it "
			   "(OCIRuntime).");
	setup_next(setup, "systemctl try-restart podman.service (podman itself reads it at each call)");
	dropins_release(&all);
	return r;
}

/* A root directory that is empty is enough: quod refuses before anything starts. */
static int check(struct setup *setup, char **says, struct err *err)
{
	char empty[1024] = "";
	static const char image[] = "localhost/quod-setup-check:1";
	const char *const import[] = { "podman", "import", "-q", "-", image, NULL };
	const char *const remove[] = { "podman", "rmi", "-f", image, NULL };
	struct strings names = { NULL, 0 };
	int r = setup_run(import, &(struct setup_input){ empty, sizeof(empty) }, says, err);

	if (r)
		return err->code ? r : err_set(err, EIO, "podman import: %s", *says);
	setup_runtimes(setup, &names);
	for (size_t i = 0; i < names.count && !r; i++) {
		const char *const run[] = { "podman", "--runtime", names.items[i], "run", "--rm", "--network=none", "-e", SETUP_CHECK_ENV,
					    image, "/x", NULL };

		free(*says);
		setup_run(run, NULL, says, err);
		r = setup_judge(names.items[i], says);
	}
	strings_free(&names);
	setup_run(remove, NULL, NULL, &(struct err)ERR_INIT);
	return r;
}

const struct setup_engine setup_podman = { "podman", "/etc/containers/containers.conf.d/50-quod.conf", plan, check, NULL, NULL, NULL };
