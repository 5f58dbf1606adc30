/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles from elsewhere (a ConfigMap on a node): NAME.json and group.NAME.json in one directory become the administrator's,
 * all or none. They are checked as they would be used, in a place of their own; then each directory is exchanged in one
 * step. Must never touch a file that it did not bring itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/profile.h"
#include "shim/ctl/setup.h"
#include "shim/policy/texts.h"

#define FILE_MAX (1u << 20)
#define FILES_MAX 500
#define GROUP "group."

struct bundle {
	struct setup *setup;
	struct strings names[2];	/* of profiles, of groups: "web.json" */
	struct strings texts[2];
};

static const char *const places[2] = { QUOD_SYSCONFDIR "/profiles", QUOD_SYSCONFDIR "/groups" };

/* A ConfigMap's files are links: they are followed. */
static int read_one(struct bundle *bundle, int dir_fd, const char *entry, struct err *err)
{
	bool is_group = !strncmp(entry, GROUP, strlen(GROUP));
	const char *name = entry + (is_group ? strlen(GROUP) : 0), *dot = strrchr(name, '.');
	cleanup_free char *bare = alloc_printf("%.*s", dot ? (int)(dot - name) : 0, name), *text = NULL;
	cleanup_close int fd = -1;
	size_t len;

	if (!dot || strcmp(dot, ".json") || want_profile_name(bare))
		return err_set(err, EINVAL, "%s is neither NAME.json nor " GROUP "NAME.json", entry);
	fd = openat(dir_fd, entry, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", entry);
	if (file_read_all(fd, FILE_MAX, &text, &len, err) < 0)
		return err_wrap(err, "%s", entry);
	if (strlen(text) != len)
		return err_set(err, EINVAL, "%s has a NUL in it", entry);
	strings_add(&bundle->names[is_group], name);
	strings_add(&bundle->texts[is_group], text);
	return 0;
}

static int read_bundle(struct bundle *bundle, const char *from, struct err *err)
{
	cleanup_close int dir_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_set_errno(err, errno, "--from %s", from);
	while (!r && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = bundle->names[0].count + bundle->names[1].count >= FILES_MAX ?
				    err_set(err, E2BIG, "--from %s: more than %d files", from, FILES_MAX) :
				    read_one(bundle, dir_fd, entry->d_name, err);
	closedir(dir);
	return r;
}

static int write_files(const struct bundle *bundle, int kind, int dir_fd, struct err *err)
{
	for (size_t i = 0; i < bundle->names[kind].count; i++) {
		const char *text = bundle->texts[kind].items[i];

		if (file_replace_durable(dir_fd, bundle->names[kind].items[i], text, strlen(text), 0644, err) < 0 ||
		    fchmodat(dir_fd, bundle->names[kind].items[i], 0644, 0) < 0)
			return err->code ? -err->code : err_set_errno(err, errno, "%s", bundle->names[kind].items[i]);
	}
	return fsync(dir_fd) < 0 ? err_set_errno(err, errno, "write profiles") : 0;
}

static void remove_files(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* As `profile check` says it, with these as the only ones of the administrator's. */
static int check_in(const struct bundle *bundle, const char *dir, struct err *err)
{
	cleanup_free char *profiles = alloc_printf("%s/profiles", dir), *groups = alloc_printf("%s/groups", dir);
	cleanup_free char *shipped = alloc_printf("%s" QUOD_DATADIR "/profiles", bundle->setup->root);
	cleanup_free char *shipped_groups = alloc_printf("%s" QUOD_DATADIR "/groups", bundle->setup->root);
	struct ctl ctl = *bundle->setup->ctl;
	int r = 0;

	ctl.paths = (struct profile_paths){ .profile_dirs = { profiles, shipped }, .group_dirs = { groups, shipped_groups },
					    .skip_owner_check = true };
	ctl.all_paths = ctl.paths;
	for (size_t i = 0; i < bundle->names[0].count && !r; i++) {
		cleanup_free char *file = alloc_printf("%s/%s", profiles, bundle->names[0].items[i]);
		struct strings errors = { NULL, 0 };

		ctl_profile_find_errors(&ctl, file, &errors);
		if (errors.count)
			r = err_set(err, EINVAL, "%s: %s; nothing was changed", bundle->names[0].items[i],
				    strncmp(errors.items[0], profiles, strlen(profiles)) ? errors.items[0] :
											   errors.items[0] + strlen(profiles) + 1);
		strings_free(&errors);
	}
	return r;
}

static int check_bundle(const struct bundle *bundle, struct err *err)
{
	static const char *const names[2] = { "profiles", "groups" };
	char dir[] = "/tmp/quod-setup-profiles.XXXXXX";
	cleanup_close int dir_fd = -1;
	int r = 0;

	if (!mkdtemp(dir))
		return err_set_errno(err, errno, "make a directory in /tmp");
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int kind = 0; kind < 2 && !r; kind++) {
		cleanup_close int fd = mkdirat(dir_fd, names[kind], 0755) < 0 ? -1 :
			openat(dir_fd, names[kind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = fd < 0 ? err_set_errno(err, errno, "%s/%s", dir, names[kind]) : write_files(bundle, kind, fd, err);
	}
	r = r ? r : check_in(bundle, dir, err);
	for (int kind = 0; kind < 2; kind++)
		remove_files(dir_fd, names[kind]);
	rmdir(dir);
	return r;
}

static bool holds(int dir_fd, const char *name, const char *text)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = file_open_regular(dir_fd, name, &ignored);
	cleanup_free char *there = NULL;
	size_t len;

	return fd >= 0 && file_read_all(fd, FILE_MAX, &there, &len, &ignored) == 0 && len == strlen(text) && !memcmp(there, text, len);
}

/* What is there must be ours to replace; *same: and needs no replacing. */
static int look_at_place(struct bundle *bundle, int kind, bool *same, struct err *err)
{
	struct setup *setup = bundle->setup;
	cleanup_free char *inside = alloc_printf("%s/x", places[kind]);
	struct err why = ERR_INIT;
	cleanup_close int dir_fd = setup_open_dir(setup, inside, false, &why);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));
	struct dirent *entry;
	size_t there = 0;
	int r = 0;

	if (!dir) {
		*same = !bundle->names[kind].count;
		return why.code == ENOENT ? 0 : (*err = why, -why.code);
	}
	*same = true;
	while (!r && (entry = readdir(dir))) {
		cleanup_free char *path = alloc_printf("%s/%s", places[kind], entry->d_name);

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		there++;
		*same = *same && strings_has(&bundle->names[kind], entry->d_name);
		if (!strings_has(&setup->record.added, path))
			r = err_set(err, EEXIST, "%s%s is this host's own: profiles that come from elsewhere don't go beside it", setup->root,
				    path);
	}
	closedir(dir);
	for (size_t i = 0; i < bundle->names[kind].count; i++)
		*same = *same && holds(dir_fd, bundle->names[kind].items[i], bundle->texts[kind].items[i]);
	*same = *same && there == bundle->names[kind].count;
	return r;
}

static void release(struct bundle *bundle)
{
	for (int kind = 0; kind < 2; kind++) {
		strings_free(&bundle->names[kind]);
		strings_free(&bundle->texts[kind]);
	}
}

/* --remove is an empty bundle. */
static int open_bundle(struct bundle *bundle, struct err *err)
{
	struct setup *setup = bundle->setup;

	if (setup->remove)
		return 0;
	if (!setup->from)
		return err_set(err, EINVAL, "profiles come --from DIR");
	return read_bundle(bundle, setup->from, err) < 0 ? -err->code : check_bundle(bundle, err);
}

static void note_names(const struct bundle *bundle)
{
	struct strings *added = &bundle->setup->record.added;

	for (int kind = 0; kind < 2; kind++)
		for (size_t i = 0; i < bundle->names[kind].count; i++) {
			cleanup_free char *path = alloc_printf("%s/%s", places[kind], bundle->names[kind].items[i]);

			if (!strings_has(added, path))
				strings_add(added, path);
		}
}

static int plan(struct setup *setup, struct err *err)
{
	struct bundle bundle = { .setup = setup };
	int r = setup->standard || setup->profiles.count ? err_set(err, EINVAL, "profiles take no --profile and no --default") : 0;

	r = r ? r : open_bundle(&bundle, err);
	for (int kind = 0; kind < 2 && !r; kind++) {
		bool same;

		r = look_at_place(&bundle, kind, &same, err);
		if (!r && !same)
			strings_add(&setup->moves, places[kind]);
	}
	/* what was there and what comes are both ours until it is done */
	if (!r && !setup->remove)
		note_names(&bundle);
	release(&bundle);
	return r;
}

static int exchange(struct bundle *bundle, int kind, struct err *err)
{
	static const char *const fresh[2] = { ".profiles.quod-new", ".groups.quod-new" };
	const char *name = strrchr(places[kind], '/') + 1;
	cleanup_close int dir_fd = setup_open_dir(bundle->setup, places[kind], true, err), fd = -1;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	remove_files(dir_fd, fresh[kind]);
	if (mkdirat(dir_fd, fresh[kind], 0755) < 0 || (fd = openat(dir_fd, fresh[kind], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_set_errno(err, errno, "make %s", fresh[kind]);
	if (fchmod(fd, 0755) < 0 || write_files(bundle, kind, fd, err) < 0)
		return err->code ? -err->code : err_set_errno(err, errno, "%s", fresh[kind]);
	r = renameat2(dir_fd, fresh[kind], dir_fd, name, RENAME_EXCHANGE);
	if (r < 0 && errno == ENOENT)
		r = renameat(dir_fd, fresh[kind], dir_fd, name);
	if (r < 0 || fsync(dir_fd) < 0)
		return err_set_errno(err, errno, "exchange %s%s", bundle->setup->root, places[kind]);
	remove_files(dir_fd, fresh[kind]);
	if (!bundle->names[kind].count)
		unlinkat(dir_fd, name, AT_REMOVEDIR);
	return 0;
}

/* Groups first: a profile may name a new one. */
static int move(struct setup *setup, struct err *err)
{
	struct bundle bundle = { .setup = setup };
	int r = open_bundle(&bundle, err);

	for (int kind = 1; kind >= 0 && !r; kind--)
		if (strings_has(&setup->moves, places[kind]))
			r = exchange(&bundle, kind, err);
	if (!r && !setup->remove) {
		strings_free(&setup->record.added);
		note_names(&bundle);
	}
	release(&bundle);
	return r;
}

const struct setup_engine setup_profiles = { "profiles", QUOD_SYSCONFDIR "/profiles", plan, NULL, move, "exchanged ", "emptied " };
