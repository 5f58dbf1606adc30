/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container of quod's own: see own.h. What can't be read counts as what may not run. */
#include "shim/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/budgets.h"

#define LOCK_TIMEOUT_MS 5000

int own_open(const struct shim *shim, struct own_container *own, struct err *err)
{
	const char *id = oci_cmdline_id(&shim->line);
	int r;

	if (!id)
		return err_set(err, EINVAL, "%s: the container's id is missing", oci_command_name(shim->line.command));
	own->dir_fd = record_open_dir(&shim->places, shim->key, false, err);
	if (own->dir_fd < 0 && err->code != ENOENT)
		return err_wrap(err, "container %s", id);
	r = own->dir_fd < 0 ? -ENOENT : record_lock(own->dir_fd, LOCK_TIMEOUT_MS, err);
	if (!r)
		r = record_read(own->dir_fd, &own->record, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "%s: '%s' is not a container of quod's", oci_command_name(shim->line.command), id);
	if (r < 0)
		return err_wrap(err, "container %s", id);
	if (strcmp(own->record.id, id) || strcmp(own->record.runtime_root, shim->runtime_root))
		return err_set(err, EPROTO, "container %s: the record is another container's", id);
	if (!own_is_unmanaged(own) && profile_from_json(own->record.profile_json, own->record.profile, &own->profile, err) < 0)
		return err_wrap(err, "container %s", id);
	return 0;
}

void own_release(struct own_container *own)
{
	profile_free(own->profile);
	record_release(&own->record);
	cleanup_close_at(&own->dir_fd);
	*own = (struct own_container)OWN_CONTAINER_INIT;
}

bool own_is_unmanaged(const struct own_container *own)
{
	return !strcmp(own->record.profile, "unmanaged");
}

int own_check_halted(const struct shim *shim, const struct own_container *own, struct err *err)
{
	const char *command = oci_command_name(shim->line.command), *id = own->record.id;

	if (own_is_unmanaged(own))
		return 0;
	if (faccessat(own->dir_fd, "halted", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, EPERM, "%s refused: container %s is halted (quodctl release %s)", command, id, id);
	return errno == ENOENT ? 0 : err_set_errno(err, errno, "container %s: halted", id);
}

int own_check_running(const struct shim *shim, const struct own_container *own, struct err *err)
{
	const char *command = oci_command_name(shim->line.command), *id = own->record.id;
	cleanup_free char *spent = NULL;
	struct ledger ledger;

	if (own_is_unmanaged(own))
		return 0;
	if (own_check_halted(shim, own, err) < 0)
		return -err->code;
	if (ledger_read(shim->places.ledger_dir, own->record.ledger_key, &ledger, err) < 0)
		return err_wrap(err, "container %s", id);
	budgets_forget(own->profile, false, &ledger);
	spent = budgets_find_spent(own->profile, &ledger);
	if (spent)
		return err_set(err, EDQUOT, "%s refused by profile '%s': %s (budgets)", command, own->record.profile, spent);
	return 0;
}

int own_read_config(const struct shim *shim, const struct own_container *own, struct json_tree **tree,
		    struct oci_config *config, struct err *err)
{
	cleanup_close int bundle_fd = openat(own->dir_fd, "bundle", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	/* What quod added may have made it longer than what it takes from an engine. */
	size_t limit = 2 * (size_t)shim->config->config_bytes + (1 << 20), len = 0;
	cleanup_free char *text = NULL;

	if (bundle_fd < 0)
		return err_set_errno(err, errno, "container %s: its own bundle", own->record.id);
	fd = file_open_regular(bundle_fd, "config.json", err);
	if (fd < 0 || file_read_all(fd, limit, &text, &len, err) < 0 ||
	    json_parse(text, len, JSON_PLAIN, oci_config_free_form, tree, err) < 0)
		return err_wrap(err, "container %s: its own bundle", own->record.id);
	oci_config_view(json_root(*tree), config);
	return 0;
}
