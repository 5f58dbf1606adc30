/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guardian says to the warden (warden-event.h): to begin, and other rules while it serves. They are read into memory of
 * its own and checked there, so that nobody can change them under it, and taken between two queries: each is judged by the old
 * ones or by the new ones as a whole. A message that a lost warden has left is passed over.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/base/beside.h"
#include "shim/base/cleanup.h"
#include "shim/warden/named.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

int orders_make_rooms(struct warden *warden, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(warden->rooms); i++) {
		warden->rooms[i] = mmap(NULL, NAME_RULES_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
					-1, 0);
		if (warden->rooms[i] == MAP_FAILED)
			return err_set_errno(err, errno, "warden: room for rules");
	}
	return 0;
}

/* 1 and an order; 0 when there is none; -1 at the channel's end. *beside is the descriptor that came with it, or -1. */
static int receive(struct warden *warden, struct warden_order *order, int flags, int *beside)
{
	ssize_t got = beside_receive(warden->events_fd, order, sizeof(*order), beside, flags);

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	return got == (ssize_t)sizeof(*order) ? 1 : -1;
}

/* The whole file; 0 for one that is too large or can't be read. */
static size_t read_rules(int fd, char *room)
{
	size_t used = 0;

	while (used < NAME_RULES_BYTES_MAX) {
		ssize_t got = pread(fd, room + used, NAME_RULES_BYTES_MAX - used, (off_t)used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? 0 : used;
		used += (size_t)got;
	}
	return 0;
}

static void adopt(struct warden *warden, struct name_rules *rules, uint64_t now_ms)
{
	uint64_t names = rules->names_per_minute;

	warden->given = rules;
	warden->entries = rules;
	if (!warden->settings->has_names)
		return;
	warden->rules = rules;
	warden->names.most = names * 1000;
	warden->names.per_minute = names;
	if (warden->names.level > warden->names.most)
		warden->names.level = warden->names.most;
	orders_keep_time(warden);
	named_judge_again(warden, now_ms);
}

/* 0 or a positive errno: nothing was changed. Where connections are not looked at, none can be from now on. */
static int take_rules(struct warden *warden, int fd, uint64_t now_ms)
{
	char *room = warden->given == warden->rooms[0] ? warden->rooms[1] : warden->rooms[0];
	size_t size = room && fd >= 0 ? read_rules(fd, room) : 0;
	const struct name_rules *rules = size ? name_rules_check(room, size) : NULL;

	if (!rules)
		return EINVAL;
	if (rules->verify_name && warden->settings->has_names && warden->named->epoll_fd < 0)
		return EOPNOTSUPP;
	adopt(warden, (struct name_rules *)(void *)room, now_ms);
	return 0;
}

static bool answer(const struct warden *warden, const struct warden_order *order, int error)
{
	struct warden_event event = { .word = WARDEN_SAYS_DONE, .repeated = order->number, .entry = error };

	return send(warden->events_fd, &event, sizeof(event), MSG_NOSIGNAL) == (ssize_t)sizeof(event);
}

/* False when nobody hears the answer. */
static bool obey(struct warden *warden, const struct warden_order *order, int beside, uint64_t now_ms)
{
	int error = EINVAL;

	if (order->word == WARDEN_GO)
		return true;
	if (order->word == WARDEN_RULES)
		error = take_rules(warden, beside, now_ms);
	if (order->word == WARDEN_LEARN) {
		error = 0;
		if (warden->rules)
			named_learn_again(warden, order->least_ms, now_ms);
	}
	return answer(warden, order, error);
}

bool orders_wait(struct warden *warden)
{
	for (;;) {
		struct warden_order order;
		cleanup_close int beside = -1;
		int r = receive(warden, &order, 0, &beside);

		if (r < 0)
			return false;
		if (r && order.pid == warden->pid)
			return obey(warden, &order, beside, 0);
	}
}

bool orders_take(struct warden *warden, uint64_t now_ms)
{
	struct warden_order order;
	cleanup_close int beside = -1;
	int r = receive(warden, &order, MSG_DONTWAIT, &beside);

	if (r <= 0)
		return !r;
	return order.pid != warden->pid || obey(warden, &order, beside, now_ms);
}

void orders_keep_time(struct warden *warden)
{
	if (warden->given)
		name_rules_end(warden->given, warden_boot_ms());
}
