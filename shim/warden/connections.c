/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container's connections (audit.record), told to the guardian: each when it begins and when it has ended, with the entry
 * that let it out and the name that led there. A flood is summed up.
 */
#include <string.h>
#include <sys/socket.h>

#include "shim/base/cleanup.h"
#include "shim/warden/warden.h"

#define ONCE_MOST 32

static void say(struct warden *warden, const struct warden_event *event)
{
	if (send(warden->events_fd, event, sizeof(*event), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*event))
		warden->connections_unsaid += 1 + event->repeated;
}

static void say_one(struct warden *warden, const struct tracked *tracked)
{
	struct warden_event event = { .word = tracked->is_end ? WARDEN_SAYS_CLOSED : WARDEN_SAYS_OPENED, .address_count = 1,
				      .protocol = tracked->protocol, .has_port = tracked->protocol != IPPROTO_ICMP,
				      .port = tracked->port, .out_bytes = tracked->out_bytes, .in_bytes = tracked->in_bytes,
				      .lasted_ms = tracked->lasted_ms };
	struct name_place place = { .protocol = tracked->protocol, .port = tracked->port };
	const struct known *known;

	event.addresses[0].family = tracked->family;
	memcpy(event.addresses[0].bytes, tracked->address, sizeof(event.addresses[0].bytes));
	known = known_find(warden, &event.addresses[0]);
	if (known)
		strcpy(event.text, known->name);
	place.address = &event.addresses[0];
	event.entry = warden->entries ? name_rules_entry(warden->entries, known ? known->name : NULL, &place) : -1;
	say(warden, &event);
}

void connections_take(struct warden *warden, uint64_t now_ms)
{
	struct tracked tracked[ONCE_MOST];
	size_t count = conntrack_read(warden->tracked_fd, tracked, ONCE_MOST, &warden->connections_unsaid);

	for (size_t i = 0; i < count; i++)
		if (bucket_take(&warden->tracked, now_ms))
			say_one(warden, &tracked[i]);
		else
			warden->connections_unsaid++;
}

void connections_keep_time(struct warden *warden, uint64_t now_ms)
{
	struct warden_event event = { .word = WARDEN_SAYS_OPENED, .repeated = warden->connections_unsaid - 1, .entry = -1 };

	if (!warden->connections_unsaid || !bucket_take(&warden->tracked, now_ms))
		return;
	warden->connections_unsaid = 0;
	say(warden, &event);
}
