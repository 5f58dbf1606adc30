/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories of small files: see setup-dropin.h. Must never write into a file that somebody else made. */
#include "shim/ctl/setup-dropin.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

#include "shim/base/cleanup.h"

#define HEADER "# Made by quodctl setup; --remove takes it away. What is changed in here is overwritten.\n"

static int add_other(struct setup *setup, const char *path, struct dropins *all, struct err *err)
{
	struct setup_file *file;
	struct dropin_other *other;
	struct err why = ERR_INIT;

	if (setup_read(setup, path, &file, err) < 0)
		return -err->code;
	if (!file->before)
		return 0;
	all->others = alloc_grow(all->others, all->count + 1, sizeof(*all->others));
	other = &all->others[all->count++];
	*other = (struct dropin_other){ .path = alloc_copy(path), .text = alloc_copy(file->before) };
	if (toml_read(other->text, file->before_len, &other->toml, &why) < 0)
		return err_set(err, EINVAL, "%s%s: %s", setup->root, path, why.text);
	return 0;
}

int dropins_read(struct setup *setup, const char *main_file, struct dropins *all, struct err *err)
{
	int dir_len = (int)(strrchr(setup->file, '/') - setup->file);
	cleanup_free char *pattern = alloc_printf("%s%.*s/*.conf", setup->root, dir_len, setup->file);
	glob_t found = { .gl_pathc = 0 };
	int r = add_other(setup, main_file, all, err);

	for (size_t i = 0; i < setup->record.added.count; i++)
		if (!strncmp(setup->record.added.items[i], "quod", 4) && !strings_has(&all->names, setup->record.added.items[i]))
			strings_add(&all->names, setup->record.added.items[i]);
	setup_runtimes(setup, &all->names);
	if (!r && glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && !r; i++)
			if (strcmp(found.gl_pathv[i] + strlen(setup->root), setup->file))
				r = add_other(setup, found.gl_pathv[i] + strlen(setup->root), all, err);
	globfree(&found);
	return r;
}

void dropins_release(struct dropins *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->others[i].path);
		free(all->others[i].text);
		toml_release(&all->others[i].toml);
	}
	free(all->others);
	strings_free(&all->names);
}

const struct toml_entry *dropins_find(const struct dropins *all, const char *path, const struct dropin_other **where)
{
	for (size_t i = all->count; i--;) {
		const struct toml_entry *entry = toml_find(&all->others[i].toml, path);

		if (entry) {
			*where = &all->others[i];
			return entry;
		}
	}
	return NULL;
}

int dropin_write(struct setup *setup, const struct dropins *all, const char *lines, struct err *err)
{
	struct setup_file *file;
	cleanup_buf struct buf text = BUF_INIT;

	if (setup_read(setup, setup->file, &file, err) < 0)
		return -err->code;
	if (file->before && strncmp(file->before, HEADER, strlen(HEADER)) != 0)
		return err_set(err, EEXIST, "%s%s is not quodctl's own, and is left as it is", setup->root, setup->file);
	if (setup->remove) {
		free(file->after);
		file->after = NULL;
		return 0;
	}
	for (size_t i = 0; i < all->names.count; i++)
		if (!strings_has(&setup->record.added, all->names.items[i]))
			strings_add(&setup->record.added, all->names.items[i]);
	if (setup->standard) {
		free(setup->record.was);
		setup->record.was = alloc_copy(setup->standard);
	}
	buf_printf(&text, HEADER "%s", lines);
	setup_want(file, &text);
	return 0;
}
