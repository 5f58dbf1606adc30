/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding a container under quod: see find.h. An id under two roots is asked for by its state key. */
#include "shim/ctl/find.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

struct search {
	const struct state_places *places;
	const char *name;
	char key[STATE_KEY];
	size_t exact, partial;
};

static int look(const char *key, void *data)
{
	struct search *search = data;
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(search->places, key, false, &ignored);
	struct record record;
	size_t len = strlen(search->name);
	bool is_exact;

	if (dir_fd < 0 || record_read(dir_fd, &record, &ignored) < 0)
		return 0;
	is_exact = !strcmp(record.id, search->name) || !strcmp(key, search->name);
	if (is_exact || (len >= 4 && !strncmp(record.id, search->name, len))) {
		if (is_exact || !search->exact)
			memcpy(search->key, key, sizeof(search->key));
		search->exact += is_exact;
		search->partial += !is_exact;
	}
	record_release(&record);
	return 0;
}

int container_find(const struct state_places *places, const char *name, struct record *record, int *dir_fd, struct err *err)
{
	struct search search = { .places = places, .name = name };
	cleanup_close int fd = -1;
	int r;

	r = record_each(places, look, &search, err);
	if (r < 0)
		return r;
	if (!search.exact && !search.partial)
		return err_set(err, ENOENT, "no container of quod's is called %s (see quodctl ps)", name);
	if (search.exact > 1 || (!search.exact && search.partial > 1))
		return err_set(err, ENOTUNIQ, "%zu containers are called %s: give more of the id, or the key of quodctl ps --json",
			       search.exact > 1 ? search.exact : search.partial, name);
	fd = record_open_dir(places, search.key, false, err);
	if (fd < 0)
		return fd;
	r = record_read(fd, record, err);
	if (!r)
		*dir_fd = steal_fd(&fd);
	return r;
}
