/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The containers that a command is about: see targets.h. Fifty guardians are asked in the time of the slowest. */
#include "shim/ctl/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/find.h"
#include "shim/invocation.h"
#include "shim/policy/selection.h"
#include "shim/state/spaces.h"

#define ANSWER_MS (CONTROL_WAIT_MS + 1000)

static pid_t find_first(const struct state_places *places, const char *key)
{
	struct spaces spaces;
	struct err ignored = ERR_INIT;
	cleanup_free char *path = NULL;

	if (spaces_read(places, key, &spaces, &ignored) < 0)
		return 0;
	path = alloc_printf("/proc/%d", (int)spaces.pid);
	return access(path, F_OK) == 0 ? spaces.pid : 0;
}

static void send_word(struct target *target, enum control_word word)
{
	struct err err = ERR_INIT;

	target->fd = control_connect(target->dir_fd, &err);
	if (target->fd >= 0 && control_send(target->fd, word, &err) < 0)
		cleanup_close_at(&target->fd);
	target->error = err.code;
}

/* Takes record and descriptor. */
static void add_target(const struct ctl *ctl, struct targets *targets, struct record *record, int *dir_fd)
{
	struct target *target;

	targets->items = alloc_grow(targets->items, targets->count + 1, sizeof(*targets->items));
	target = &targets->items[targets->count++];
	*target = (struct target){ .record = *record, .dir_fd = steal_fd(dir_fd), .fd = -1, .error = ENOENT };
	if (targets->at_once)
		send_word(target, targets->at_once);
	target->pid = find_first(&ctl->places, target->record.key);
}

int targets_find(const struct ctl *ctl, const char *name, struct targets *targets, struct err *err)
{
	struct record record = { .tree = NULL };
	cleanup_close int dir_fd = -1;
	int r = container_find(&ctl->places, name, &record, &dir_fd, err);

	if (r)
		return r;
	if (!strcmp(record.profile, PROFILE_UNMANAGED)) {
		record_release(&record);
		return err_set(err, EOPNOTSUPP, "%s: a rule of quod.json leaves it as it is (unmanaged)", name);
	}
	add_target(ctl, targets, &record, &dir_fd);
	return 0;
}

struct collection {
	const struct ctl *ctl;
	const char *profile;
	struct targets *targets;
};

static int collect_one(const char *key, void *data)
{
	struct collection *collection = data;
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(&collection->ctl->places, key, false, &ignored);
	struct record record = { .tree = NULL };

	if (dir_fd < 0 || record_read(dir_fd, &record, &ignored) < 0)
		return 0;	/* between create and delete: create looks at the marks when its record is there */
	if (!strcmp(record.profile, PROFILE_UNMANAGED) || (collection->profile && strcmp(record.profile, collection->profile)))
		record_release(&record);
	else
		add_target(collection->ctl, collection->targets, &record, &dir_fd);
	return 0;
}

int targets_collect(const struct ctl *ctl, const char *profile, struct targets *targets, struct err *err)
{
	struct collection collection = { ctl, profile, targets };

	return record_each(&ctl->places, collect_one, &collection, err);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void targets_ask(struct targets *targets, enum control_word word)
{
	int64_t end_ms = now_ms() + ANSWER_MS, at_ms;

	for (size_t i = 0; i < targets->count; i++) {
		if (targets->items[i].fd < 0)
			send_word(&targets->items[i], word);
	}
	for (size_t i = 0; i < targets->count; i++) {
		struct target *target = &targets->items[i];
		struct err err = ERR_INIT;

		at_ms = now_ms();
		if (!target->error && control_receive(target->fd, end_ms > at_ms ? (int)(end_ms - at_ms) : 0, &target->answer, &err) < 0)
			target->error = err.code;
		cleanup_close_at(&target->fd);
	}
}

void targets_release(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		record_release(&targets->items[i].record);
		cleanup_close_at(&targets->items[i].dir_fd);
		cleanup_close_at(&targets->items[i].fd);
	}
	free(targets->items);
	*targets = (struct targets){ NULL };
}

void ctl_put_who(struct buf *members)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = file_open_regular(AT_FDCWD, "/proc/self/loginuid", &ignored);
	cleanup_free char *login = NULL;
	const char *sudo = getenv("SUDO_USER");
	unsigned long login_uid = ULONG_MAX;
	size_t len;

	buf_printf(members, "\"uid\":%u", (unsigned)getuid());
	if (fd >= 0 && file_read_all(fd, 64, &login, &len, &ignored) == 0)
		login_uid = strtoul(login, NULL, 10);
	if (login_uid < UINT32_MAX)
		buf_printf(members, ",\"login_uid\":%lu", login_uid);
	if (sudo) {
		buf_puts(members, ",\"sudo_user\":");
		buf_put_json(members, sudo);
	}
}

/* Where the container's helpers write; of no container, what the host's configuration says. */
static int use_trail(struct shim *shim, const struct record *record, struct err *err)
{
	const struct json *node = record ? json_get(record->root, "audit") : NULL;
	uint64_t keep = 0;

	if (invocation_load_config(shim, err) < 0)
		return -err->code;
	if (!node)
		return 0;
	shim->audit.file = json_string(json_get(node, "file"));
	shim->audit.head_file = json_string(json_get(node, "head_file"));
	shim->audit.anchor_syslog = json_bool(json_get(node, "anchor_syslog"), false);
	if (!shim->audit.file || !shim->audit.head_file || !json_uint(json_get(node, "rotate_bytes"), &shim->audit.rotate_bytes) ||
	    !json_uint(json_get(node, "keep_files"), &keep) || keep > UINT32_MAX)
		return err_set(err, EPROTO, "%s: record: where the audit trail lies is missing", record->id);
	shim->audit.keep_files = (uint32_t)keep;
	return 0;
}

int ctl_audit(const struct ctl *ctl, const char *event, const struct record *record, const char *members, struct err *err)
{
	struct shim shim = { .config_file = ctl->config_file };
	int r = use_trail(&shim, record, err);

	if (!r)
		r = shim_audit(&shim, event, record, members, err);
	host_config_free(shim.config);
	return r;
}
