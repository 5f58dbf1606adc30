/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the container is told about itself: see told.h. Only what its own processes could find out by trying, never what the
 * host or another container is about.
 */
#include "shim/told.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/warden/settings.h"

static void set_amount(struct json_tree *tree, struct json *node, const char *name, uint64_t amount)
{
	json_set(tree, node, name,
		 amount == LIMIT_UNLIMITED ? json_make_string(tree, "unlimited") : json_make_uint(tree, amount));
}

static struct json *limits_to_json(struct json_tree *tree, const struct profile *profile)
{
	struct json *node = json_make_object(tree), *tmpfs = json_make_object(tree);

	set_amount(tree, node, "cpus_milli", profile->resources.cpus_milli);
	set_amount(tree, node, "memory_bytes", profile->resources.memory);
	set_amount(tree, node, "swap_bytes", profile->resources.swap);
	set_amount(tree, node, "pids", profile->resources.pids);
	for (size_t i = 0; i < profile->rootfs.tmpfs_count; i++)
		set_amount(tree, tmpfs, profile->rootfs.tmpfs[i].path, profile->rootfs.tmpfs[i].bytes);
	json_set(tree, node, "tmpfs_bytes", tmpfs);
	return node;
}

/* Of a profile that others have tightened each list must allow it: the first is "allow", the others are "and". */
static struct json *egress_to_json(struct json_tree *tree, const struct profile *profile)
{
	struct json *node = json_make_object(tree), *others = json_make_array(tree);

	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);
		struct json *list = json_make_array(tree);

		if (!(layer.lists & LIST_EGRESS))
			continue;
		for (size_t k = 0; k < layer.egress_count; k++)
			json_append(tree, list, json_make_string(tree, layer.egress[k].text));
		if (json_get(node, "allow"))
			json_append(tree, others, list);
		else
			json_set(tree, node, "allow", list);
	}
	if (others->count)
		json_set(tree, node, "and", others);
	return node;
}

/* One object in two parts: a head of fixed length that ends in spaces, and what doesn't change. */
static void print_limits(struct buf *buf, const struct profile *profile, const char *deadline)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_buf struct buf rest = BUF_INIT;
	struct json *node = json_make_object(tree);

	json_set(tree, node, "profile", json_make_string(tree, profile->name));
	json_set(tree, node, "deadline", json_make_string(tree, *deadline ? deadline : "unlimited"));
	json_set(tree, node, "limits", limits_to_json(tree, profile));
	json_set(tree, node, "egress", egress_to_json(tree, profile));
	json_print(&rest, node, 0);
	buf_puts(buf, "{\"budgets\":{},\"warn\":[]");
	while (buf->len < (profile->egress.caps_count ? WARDEN_TOLD_HEAD_CAPS : WARDEN_TOLD_HEAD))
		buf_putc(buf, ' ');
	buf_printf(buf, ",%s\n", rest.data + 1);
}

/* For every user inside, whatever the umask is. */
static int write_told(int dir_fd, const char *name, const struct buf *buf, struct err *err)
{
	cleanup_close int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : 0;

	if (!r)
		r = file_write_all(fd, buf->data, buf->len);
	if (!r && fchmod(fd, 0644) < 0)
		r = -errno;
	return r ? err_set_errno(err, -r, "told/%s", name) : 0;
}

int told_make(int state_fd, const struct profile *profile, const char *deadline, struct err *err)
{
	cleanup_buf struct buf limits = BUF_INIT, nothing = BUF_INIT;
	cleanup_close int dir_fd = -1;
	int r;

	if (mkdirat(state_fd, "told", 0700) < 0)
		return err_set_errno(err, errno, "make told");
	dir_fd = openat(state_fd, "told", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0 || fchmod(dir_fd, 0755) < 0)
		return err_set_errno(err, errno, "told");
	print_limits(&limits, profile, deadline);
	r = write_told(dir_fd, "limits.json", &limits, err);
	return r ? r : write_told(dir_fd, "denied.jsonl", &nothing, err);
}
