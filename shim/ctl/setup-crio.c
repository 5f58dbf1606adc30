/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRI-O: a runtime per profile in a file of quodctl's own in crio.conf.d, with what the runtime runc has. Annotations need no
 * permission there: allowed_annotations filters only those that CRI-O itself acts on, and CRI-O does not start when any
 * other stands in it.
 */
#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-dropin.h"

static bool names_runtime(const char *key)
{
	static const char *const own[] = { "runtime_path", "runtime_type", "runtime_config_path", "platform_runtime_paths",
					   "inherit_default_runtime" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(own[i], key))
			return true;
	return strchr(key, TOML_SEPARATOR) != NULL;
}

/* What runc's table has, by each file in turn: the last that says a key counts. */
static void put_model(struct buf *lines, const struct dropins *all, const char *model)
{
	static const char *const root_key = "runtime_root";
	bool has_root = false;

	for (size_t i = 0; i < all->count; i++) {
		const struct toml *toml = &all->others[i].toml;

		for (size_t j = 0; j < toml->count; j++) {
			const char *key = toml_below(&toml->entries[j], model);
			const struct dropin_other *last;

			if (!key || toml->entries[j].kind != TOML_VALUE || names_runtime(key) ||
			    dropins_find(all, toml->entries[j].path, &last) != &toml->entries[j])
				continue;
			has_root = has_root || !strcmp(key, root_key);
			toml_put_key(lines, key);
			buf_puts(lines, " = ");
			buf_put(lines, toml->text + toml->entries[j].begin, toml->entries[j].end - toml->entries[j].begin);
			buf_putc(lines, '\n');
		}
	}
	if (!has_root)
		buf_printf(lines, "%s = \"/run/runc\"\n", root_key);
}

static int put_runtime(const struct setup *setup, const struct dropins *all, const char *name, struct buf *lines, struct err *err)
{
	cleanup_free char *table = toml_path("crio", "runtime", "runtimes", name, NULL), *link = setup_link_path(name);
	cleanup_free char *model = toml_path("crio", "runtime", "runtimes", "runc", NULL);

	for (size_t i = 0; i < all->count && !setup->remove; i++)
		if (toml_has(&all->others[i].toml, table))
			return err_set(err, EEXIST, "%s%s has a runtime %s of its own: take it out or give it another name", setup->root,
				       all->others[i].path, name);
	buf_puts(lines, "\n[crio.runtime.runtimes.");
	toml_put_key(lines, name);
	buf_printf(lines, "]\nruntime_path = \"%s\"\nruntime_type = \"oci\"\n", link);
	put_model(lines, all, model);
	return 0;
}

static int plan(struct setup *setup, struct err *err)
{
	const char *standard = setup->standard ? setup->standard : setup->record.was;
	struct dropins all = { NULL, 0, { NULL, 0 } };
	cleanup_buf struct buf lines = BUF_INIT;
	int r = dropins_read(setup, "/etc/crio/crio.conf", &all, err);

	if (standard)
		buf_printf(&lines, "\n[crio.runtime]\ndefault_runtime = \"%s\"\n", standard);
	for (size_t i = 0; i < all.names.count && !r; i++)
		r = put_runtime(setup, &all, all.names.items[i], &lines, err);
	r = r ? r : dropin_write(setup, &all, lines.data, err);
	setup_next(setup, "systemctl restart crio");
	dropins_release(&all);
	return r;
}

const struct setup_engine setup_crio = { "crio", "/etc/crio/crio.conf.d/50-quod.conf", plan, NULL, NULL, NULL, NULL };
