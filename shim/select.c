/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which profile: the administrator's word on the command line, else the host's default, then the creator's wish where the
 * administrator lists it. A wish that isn't granted refuses the container: silence would run it under another profile.
 */
#include "shim/select.h"

#include <errno.h>
#include <string.h>

static const char *const wish_key = "quod.dev/profile";

void shim_profile_paths(struct profile_paths *paths)
{
	*paths = (struct profile_paths){
		.profile_dirs = { QUOD_SYSCONFDIR "/profiles", QUOD_DATADIR "/profiles", NULL },
		.group_dirs = { QUOD_SYSCONFDIR "/groups", QUOD_DATADIR "/groups", NULL },
	};
}

static int refuse_wish(const struct shim *shim, const char *chosen, const char *wish, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	const struct strings *selectable = &shim->config->selectable;

	buf_printf(&text, "refused by profile '%s': /annotations/quod.dev~1profile: '", chosen);
	buf_put_plain(&text, wish);
	if (shim->profile_name) {
		buf_puts(&text, "' can't be asked for: the administrator has chosen the profile (selectable)");
		return err_set(err, EACCES, "%s", text.data);
	}
	buf_puts(&text, "' can't be asked for; what may be: ");
	for (size_t i = 0; i < selectable->count; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", selectable->items[i]);
	buf_puts(&text, selectable->count ? " (selectable)" : "nothing (selectable)");
	return err_set(err, EACCES, "%s", text.data);
}

int profile_select(const struct shim *shim, const struct oci_config *config, struct selection *selection, struct err *err)
{
	const char *name = shim->profile_name ? shim->profile_name : shim->config->default_profile;
	const char *wish = oci_annotation(config, wish_key);
	struct profile_paths paths;

	selection->chosen_by = shim->profile_name ? "--profile" : "default_profile";
	if (wish && strcmp(wish, name)) {
		if (shim->profile_name || !strings_has(&shim->config->selectable, wish))
			return refuse_wish(shim, name, wish, err);
		name = wish;
		selection->chosen_by = "annotation quod.dev/profile";
	}
	shim_profile_paths(&paths);
	return profile_load(name, &paths, &selection->profile, err);
}

void selection_release(struct selection *selection)
{
	profile_free(selection->profile);
	selection->profile = NULL;
}
