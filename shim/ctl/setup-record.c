/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What setup did to one configuration file, so that --remove takes back just that: /var/lib/quod/setup/ENGINE+PATH.json.
 * Must never be believed to hold anything but names: what is taken away is looked at again first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/setup.h"

#define DIR_PATH QUOD_STATEDIR "/setup"
#define RECORD_MAX (1u << 20)

static const struct {
	const char *name;
	size_t at;
} lists[] = {
	{ "created", offsetof(struct setup_record, created) },
	{ "links", offsetof(struct setup_record, links) },
	{ "added", offsetof(struct setup_record, added) },
};

static struct strings *list_of(struct setup_record *record, size_t index)
{
	return (struct strings *)((char *)record + lists[index].at);
}

int setup_lock(struct setup *setup, int *lock_fd, struct err *err)
{
	cleanup_close int fd = setup_open_dir(setup, DIR_PATH "/x", true, err);

	/* what lies there is quod's own place, and stays */
	strings_free(&setup->record.created);
	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX) < 0)
		return err_set_errno(err, errno, "lock %s" DIR_PATH, setup->root);
	*lock_fd = steal_fd(&fd);
	return 0;
}

static int read_document(int dir_fd, const char *name, struct json_tree **tree, struct err *err)
{
	cleanup_close int fd = file_open_regular(dir_fd, name, err);
	cleanup_free char *text = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return fd;
	r = file_read_all(fd, RECORD_MAX, &text, &len, err);
	r = r ? r : json_parse(text, len, JSON_PLAIN, NULL, tree, err);
	return r ? err_wrap(err, DIR_PATH "/%s", name) : 0;
}

static void read_list(const struct json *list, struct strings *to)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++)
		if (json_string(list->items[i]))
			strings_add(to, json_string(list->items[i]));
}

int setup_record_read(struct setup *setup, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct setup_record *record = &setup->record;
	cleanup_close int dir_fd = -1;
	struct err why = ERR_INIT;
	const struct json *root;

	record->name = alloc_printf("%s%s.json", setup->engine->name, setup->file);
	for (char *at = record->name; *at; at++)
		*at = *at == '/' ? '+' : *at;
	dir_fd = setup_open_dir(setup, DIR_PATH "/x", false, &why);
	if (dir_fd < 0 || read_document(dir_fd, record->name, &tree, &why) < 0) {
		if (why.code == ENOENT)
			return 0;
		*err = why;
		return -why.code;
	}
	root = json_root(tree);
	record->is_there = true;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		read_list(json_get(root, lists[i].name), list_of(record, i));
	if (json_string(json_get(root, "was")))
		record->was = alloc_copy(json_string(json_get(root, "was")));
	return 0;
}

int setup_record_write(struct setup *setup, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_close int dir_fd = setup_open_dir(setup, DIR_PATH "/x", true, err);
	struct json *root = json_make_object(tree);
	cleanup_buf struct buf text = BUF_INIT;

	if (dir_fd < 0)
		return dir_fd;
	if (setup->remove) {
		if (unlinkat(dir_fd, setup->record.name, 0) < 0 && errno != ENOENT)
			return err_set_errno(err, errno, "remove " DIR_PATH "/%s", setup->record.name);
		return 0;
	}
	json_set(tree, root, "version", json_make_int(tree, 1));
	json_set(tree, root, "engine", json_make_string(tree, setup->engine->name));
	json_set(tree, root, "file", json_make_string(tree, setup->file));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct strings *from = list_of(&setup->record, i);
		struct json *list = json_make_array(tree);

		for (size_t j = 0; j < from->count; j++)
			json_append(tree, list, json_make_string(tree, from->items[j]));
		json_set(tree, root, lists[i].name, list);
	}
	json_set(tree, root, "was", setup->record.was ? json_make_string(tree, setup->record.was) : json_make_null(tree));
	json_print(&text, root, 2);
	return file_replace_durable(dir_fd, setup->record.name, text.data, text.len, 0644, err);
}

static bool document_has_link(int dir_fd, const char *name, const char *link)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct strings links = { NULL, 0 };
	struct err ignored = ERR_INIT;
	bool has;

	if (read_document(dir_fd, name, &tree, &ignored) < 0)
		return false;
	read_list(json_get(json_root(tree), "links"), &links);
	has = strings_has(&links, link);
	strings_free(&links);
	return has;
}

bool setup_record_shares(struct setup *setup, const char *link)
{
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = setup_open_dir(setup, DIR_PATH "/x", false, &ignored);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));
	struct dirent *entry;
	bool shares = false;

	while (dir && !shares && (entry = readdir(dir)))
		shares = entry->d_name[0] != '.' && strcmp(entry->d_name, setup->record.name) &&
			 document_has_link(dir_fd, entry->d_name, link);
	if (dir)
		closedir(dir);
	return shares;
}

void setup_record_release(struct setup_record *record)
{
	free(record->name);
	free(record->was);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strings_free(list_of(record, i));
}
