/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one invocation is about: see invocation.h. The runtime decides how the line reads and where the container's state
 * lies, the record decides which runtime: must never take an id of one runtime for a container of the other.
 */
#include "shim/invocation.h"

#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"

/* The audit file of a host's root that left it at its default; everybody else's lies beside his own ledger. */
static const char *audit_file(const struct shim *shim)
{
	const char *slash = strrchr(shim->places.audit_head, '/');

	if (!strcmp(shim->places.run_dir, QUOD_RUNDIR) || strcmp(shim->config->audit_file, QUOD_LOGDIR "/audit.jsonl") || !slash)
		return shim->config->audit_file;
	return alloc_printf("%.*s/audit.jsonl", (int)(slash - shim->places.audit_head), shim->places.audit_head);
}

int invocation_load_config(struct shim *shim, struct err *err)
{
	state_places_init(&shim->places);
	if (host_config_load(shim->config_file, QUOD_SYSCONFDIR "/quod.json", &shim->config, err) < 0) {
		shim->config = NULL;
		return -err->code;
	}
	shim->audit = (struct audit_settings){
		.file = audit_file(shim),
		.head_file = shim->places.audit_head,
		.rotate_bytes = shim->config->audit_rotate,
		.keep_files = (uint32_t)shim->config->audit_keep,
		.anchor_syslog = shim->config->audit_anchor_syslog,
	};
	return 0;
}

static int set_key(struct shim *shim, const char *root, struct err *err)
{
	char *resolved = runtime_resolve_root(root, err);

	if (!resolved)
		return -err->code;
	free(shim->runtime_root);
	shim->runtime_root = resolved;
	shim->key[0] = '\0';
	if (oci_cmdline_id(&shim->line))
		state_key(shim->runtime_root, oci_cmdline_id(&shim->line), shim->key);
	return 0;
}

/* `given` is used up. */
static int use_path(struct shim *shim, char *given, struct err *err)
{
	cleanup_free char *default_root = NULL;
	enum oci_dialect dialect;
	int ambiguous, r;

	free(shim->runtime);
	shim->runtime = given;
	r = runtime_tell(shim->runtime, &dialect, err);
	if (r)
		return r;
	oci_cmdline_free(&shim->line);
	ambiguous = oci_cmdline_parse(dialect, shim->argc, shim->argv, &shim->line, err);
	default_root = runtime_default_root(dialect);
	r = set_key(shim, oci_cmdline_value(&shim->line, "root", default_root), err);
	return r ? r : ambiguous;
}

int invocation_use_runtime(struct shim *shim, const struct strings *wanted, struct err *err)
{
	char *path;
	int r = runtime_find(wanted, &path, err);

	return r ? r : use_path(shim, path, err);
}

/* The path of the runtime in the record of shim->key; NULL without one. malloc'ed. */
static char *recorded_runtime(const struct shim *shim)
{
	struct record record = { NULL };
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = -1;
	char *path = NULL;

	if (!shim->key[0])
		return NULL;
	dir_fd = record_open_dir(&shim->places, shim->key, false, &ignored);
	if (dir_fd >= 0 && record_read(dir_fd, &record, &ignored) == 0)
		path = alloc_copy(record.runtime);
	record_release(&record);
	return path;
}

/* Without --root a container may be one of the other dialect's default root: Podman's cleanup names neither. */
static char *find_recorded(struct shim *shim, struct err *err)
{
	cleanup_free char *own_root = alloc_copy(shim->runtime_root), *other_root = NULL;
	char *path = recorded_runtime(shim);

	if (path || !shim->key[0] || oci_cmdline_global(&shim->line, "root"))
		return path;
	other_root = runtime_default_root(shim->line.dialect == OCI_DIALECT_CRUN ? OCI_DIALECT_RUNC : OCI_DIALECT_CRUN);
	if (set_key(shim, other_root, err) == 0)
		path = recorded_runtime(shim);
	if (!path)
		set_key(shim, own_root, err);
	return path;
}

static bool makes_container(enum oci_command command)
{
	return command == OCI_CREATE || command == OCI_RUN || command == OCI_RESTORE;
}

int invocation_choose_runtime(struct shim *shim, struct err *err)
{
	char *defaults[] = { (char *)"runc", (char *)"crun" }, *named[] = { (char *)shim->runtime_name }, *recorded[1];
	struct strings wanted = { defaults, ARRAY_SIZE(defaults) };
	cleanup_free char *path = NULL;
	int ambiguous, r;

	if (shim->runtime_name)
		wanted = (struct strings){ named, 1 };
	else if (shim->config)
		wanted = shim->config->runtime;
	ambiguous = invocation_use_runtime(shim, &wanted, err);
	if (!shim->runtime_root || makes_container(shim->line.command))
		return ambiguous;
	path = find_recorded(shim, err);
	if (!path || !strcmp(path, shim->runtime))
		return ambiguous;
	recorded[0] = path;
	r = invocation_use_runtime(shim, &(struct strings){ recorded, 1 }, err);
	return r ? err_wrap(err, "the runtime of this container") : 0;
}
