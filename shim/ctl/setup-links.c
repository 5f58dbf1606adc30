/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod-NAME beside quod: the link that stands for a profile where an engine takes a path and no arguments. A link that
 * somebody else made is used, and never taken away; one that another engine uses stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup.h"
#include "shim/policy/texts.h"

char *setup_link_path(const char *runtime)
{
	return alloc_printf(QUOD_BINDIR "/%s", runtime);
}

void setup_runtimes(const struct setup *setup, struct strings *names)
{
	if (!strings_has(names, "quod"))
		strings_add(names, "quod");
	for (size_t i = 0; i < setup->profiles.count; i++) {
		cleanup_free char *name = alloc_printf("quod-%s", setup->profiles.items[i]);

		if (!strings_has(names, name))
			strings_add(names, name);
	}
}

static int check_profile(const struct setup *setup, const char *name, struct err *err)
{
	cleanup_free char *dirs[] = { alloc_printf("%s%s", setup->root, setup->ctl->paths.profile_dirs[0]), NULL };
	struct profile_paths paths = setup->ctl->paths;
	cleanup_free char *second = NULL, *groups = NULL, *more_groups = NULL;
	struct profile *profile = NULL;
	const char *wanted = want_profile_name(name);
	int r;

	if (wanted)
		return err_set(err, EINVAL, "--profile '%s' is not %s", name, wanted);
	if (*setup->root && !paths.skip_owner_check) {
		second = alloc_printf("%s" QUOD_DATADIR "/profiles", setup->root);
		groups = alloc_printf("%s" QUOD_SYSCONFDIR "/groups", setup->root);
		more_groups = alloc_printf("%s" QUOD_DATADIR "/groups", setup->root);
		paths = (struct profile_paths){ .profile_dirs = { dirs[0], second }, .group_dirs = { groups, more_groups },
						.skip_owner_check = true };
	}
	r = profile_load(name, &paths, &profile, err);
	profile_free(profile);
	return r ? err_wrap(err, "--profile %s", name) : 0;
}

/* 1: to be made; 0: leads to quod already; negative: something else is there. */
static int look_at_link(int dir_fd, const char *path, struct err *err)
{
	const char *name = strrchr(path, '/') + 1;
	char target[256];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len < 0 && errno == ENOENT)
		return 1;
	if (len > 0) {
		target[len] = '\0';
		if (!strcmp(target, "quod") || !strcmp(target, SETUP_QUOD))
			return 0;
	}
	return err_set(err, EEXIST, "%s is there and is no link to quod: quod-NAME must stand for the profile of that name", path);
}

static int plan_link(struct setup *setup, int dir_fd, const char *profile, struct err *err)
{
	cleanup_free char *runtime = alloc_printf("quod-%s", profile), *path = setup_link_path(runtime);
	int r;

	if (check_profile(setup, profile, err) < 0)
		return -err->code;
	r = look_at_link(dir_fd, path, err);
	if (r < 0)
		return r;
	if (r > 0)
		strings_add(&setup->new_links, path);
	if ((r > 0 || setup_record_shares(setup, path)) && !strings_has(&setup->record.links, path))
		strings_add(&setup->record.links, path);
	return 0;
}

int setup_plan_links(struct setup *setup, struct err *err)
{
	cleanup_close int dir_fd = setup_open_dir(setup, SETUP_QUOD, false, err);
	struct stat st;

	if (setup->remove) {
		for (size_t i = 0; i < setup->record.links.count; i++)
			if (!setup_record_shares(setup, setup->record.links.items[i]))
				strings_add(&setup->old_links, setup->record.links.items[i]);
		return 0;
	}
	if (dir_fd < 0)
		return dir_fd;
	if (fstatat(dir_fd, "quod", &st, 0) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_set(err, ENOENT, "%s" SETUP_QUOD " is not there: install quod first", setup->root);
	for (size_t i = 0; i < setup->profiles.count; i++)
		if (plan_link(setup, dir_fd, setup->profiles.items[i], err) < 0)
			return -err->code;
	return 0;
}

int setup_apply_links(struct setup *setup, const struct strings *links, bool make, struct err *err)
{
	for (size_t i = 0; i < links->count; i++) {
		const char *path = links->items[i], *name = strrchr(path, '/') + 1;
		cleanup_close int dir_fd = setup_open_dir(setup, path, false, err);
		struct err other = ERR_INIT;

		if (dir_fd < 0)
			return dir_fd;
		if (make && symlinkat("quod", dir_fd, name) < 0)
			return err_set_errno(err, errno, "make link %s%s", setup->root, path);
		if (!make && look_at_link(dir_fd, path, &other) == 0 && unlinkat(dir_fd, name, 0) < 0)
			return err_set_errno(err, errno, "remove link %s%s", setup->root, path);
	}
	return 0;
}
