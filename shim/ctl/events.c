/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl events [--follow] [--since TIME] [CONTAINER]: the records of the audit trail, a line each; with --follow those that
 * come, too, until it is interrupted. With --json the records as they stand in the trail.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/table.h"
#include "shim/ctl/trail.h"

#define LOOK_AGAIN_MS 1000	/* also without a word from inotify */

struct options {
	bool follow;
	const char *since, *container;
};

static int read_words(struct ctl *ctl, struct options *options)
{
	*options = (struct options){ .follow = false };
	for (int i = 1; i < ctl->argc; i++) {
		const char *word = ctl->argv[i];

		if (!strcmp(word, "--follow") || !strcmp(word, "-f"))
			options->follow = true;
		else if (!strcmp(word, "--since") && i + 1 < ctl->argc)
			options->since = ctl->argv[++i];
		else if (!strncmp(word, "--since=", 8))
			options->since = word + 8;
		else if (word[0] == '-' || options->container)
			return ctl_fail_usage(ctl, "events takes --follow, --since TIME and one container");
		else
			options->container = word;
	}
	return CTL_YES;
}

static enum tone tone_of(const char *event)
{
	if (!strcmp(event, "refuse") || !strcmp(event, "dns.refuse") || !strcmp(event, "connect.refuse") ||
	    !strcmp(event, "budget.spent") || !strcmp(event, "table.changed"))
		return TONE_BAD;
	if (!strncmp(event, "budget.", 7) || !strncmp(event, "limit.", 6) || !strcmp(event, "warden.lost"))
		return TONE_DOUBT;
	return TONE_PLAIN;
}

/* Strings as they are, all else as JSON; every value escaped by whoever prints. */
void ctl_put_members(struct buf *buf, const struct json *record)
{
	static const char *const elsewhere[] = { "v", "time", "seq", "event", "container", "engine", "profile", "digest", "prev", "hash" };

	for (size_t i = 0; i < record->count; i++) {
		const struct json_member *member = &record->members[i];
		bool is_elsewhere = false;

		for (size_t k = 0; k < ARRAY_SIZE(elsewhere); k++)
			is_elsewhere |= !strcmp(member->name, elsewhere[k]);
		if (is_elsewhere)
			continue;
		buf_printf(buf, "%s%s=", buf->len ? " " : "", member->name);
		if (json_is(member->value, JSON_STRING))
			buf_puts(buf, json_string(member->value));
		else
			json_print(buf, member->value, 0);
	}
}

static void put_column(struct buf *line, const char *text, size_t width)
{
	size_t from = line->len, wide = 0;

	buf_put_plain(line, text);
	for (size_t i = from; i < line->len; i++)
		wide += ((unsigned char)line->data[i] & 0xc0) != 0x80;
	while (wide++ < width)
		buf_putc(line, ' ');
	buf_putc(line, ' ');
}

static const char *text_of(const struct json *record, const char *name)
{
	const char *text = json_string(json_get(record, name));

	return text ? text : "";
}

static void print_for_people(const char *text, size_t len)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf line = BUF_INIT, members = BUF_INIT;
	cleanup_free char *id = NULL;
	struct err why = ERR_INIT;
	const struct json *record;
	const char *event;
	enum tone tone;

	if (json_parse(text, len, JSON_PLAIN, NULL, &tree, &why) < 0) {
		ctl_fail("a line of the trail is no record: %s", why.text);
		return;
	}
	record = json_root(tree);
	event = text_of(record, "event");
	tone = tone_is_shown(stdout) ? tone_of(event) : TONE_PLAIN;
	id = alloc_printf("%.12s", text_of(record, "container"));
	printf("%.19sZ %s", text_of(record, "time"), tone_begin(tone));
	put_column(&line, event, 14);
	fputs(line.data, stdout);
	fputs(tone_end(tone), stdout);
	line.len = 0;
	put_column(&line, *id ? id : "-", 12);
	put_column(&line, *text_of(record, "profile") ? text_of(record, "profile") : "-", 10);
	ctl_put_members(&members, record);
	buf_put_plain(&line, members.data ? members.data : "");
	while (line.len && line.data[line.len - 1] == ' ')
		line.data[--line.len] = '\0';
	puts(line.data);
}

/* All that are there now. */
static int print_those_there(const struct ctl *ctl, struct trail *trail, struct err *err)
{
	struct audit_fields fields;
	const char *line;
	size_t len;
	int r;

	while ((r = trail_next(trail, &line, &len, &fields, err)) == 1) {
		if (ctl->json)
			puts(line);
		else
			print_for_people(line, len);
	}
	return r;
}

/* Something happened in the trail's directory, or a while has passed. A reader of our output that has gone ends us. */
static bool wait_for_more(int notify_fd)
{
	struct pollfd ends[] = { { .fd = notify_fd, .events = POLLIN }, { .fd = STDOUT_FILENO, .events = 0 } };
	char events[4096];

	if (poll(ends, ARRAY_SIZE(ends), LOOK_AGAIN_MS) < 0 && errno != EINTR)
		return false;
	if (ends[1].revents & (POLLERR | POLLNVAL))
		return false;
	while (notify_fd >= 0 && read(notify_fd, events, sizeof(events)) > 0)
		;
	return true;
}

static int watch(const char *file)
{
	cleanup_free char *dir = alloc_copy(file);
	char *slash = strrchr(dir, '/');
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (slash && slash > dir)
		*slash = '\0';
	if (fd >= 0)
		inotify_add_watch(fd, slash ? dir : ".", IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO);
	return fd;
}

/* A directory that can't be watched (it isn't there yet) is looked at each second. */
static int follow(const struct ctl *ctl, struct trail *trail, struct err *err)
{
	cleanup_close int notify_fd = watch(trail->shim.audit.file);
	int r;

	do {
		r = print_those_there(ctl, trail, err);
		if (fflush(stdout) != 0)
			return 0;
	} while (!r && wait_for_more(notify_fd));
	return r;
}

int events_main(struct ctl *ctl)
{
	struct err err = ERR_INIT;
	struct options options;
	struct trail trail;
	int r, status = read_words(ctl, &options);

	if (status != CTL_YES)
		return status;
	r = trail_open(ctl, &trail, &err);
	if (!r && options.container)
		r = trail_choose_container(ctl, &trail, options.container, &err);
	if (!r && options.since)
		r = trail_choose_since(&trail, options.since, &err);
	if (!r)
		r = options.follow ? follow(ctl, &trail, &err) : print_those_there(ctl, &trail, &err);
	if (r < 0)
		status = ctl_fail("%s", err.text);
	else
		trail_say_losses(&trail);
	trail_release(&trail);
	return status;
}
