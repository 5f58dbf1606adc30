/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the warden tells the guardian, and how often what may be done. A flood is summed up: the same name once a minute, and
 * no more events than the bucket holds; the rest is a number.
 */
#include <string.h>
#include <sys/socket.h>

#include "shim/base/cleanup.h"
#include "shim/warden/warden.h"

#define WINDOW_MS 60000u
#define FLUSH_MS 5000u

static void fill(struct bucket *bucket, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - bucket->at_ms;

	if (passed_ms > WINDOW_MS)
		passed_ms = WINDOW_MS;
	bucket->at_ms = now_ms;
	bucket->level += passed_ms * bucket->per_minute / 60;	/* thousandths a millisecond */
	if (bucket->level > bucket->most)
		bucket->level = bucket->most;
}

bool bucket_has(struct bucket *bucket, uint64_t now_ms)
{
	fill(bucket, now_ms);
	return bucket->level >= 1000;
}

bool bucket_take(struct bucket *bucket, uint64_t now_ms)
{
	if (!bucket_has(bucket, now_ms))
		return false;
	bucket->level -= 1000;
	return true;
}

/* A name that was asked within the last minute tells a resolver nothing new: it isn't counted again. */
bool report_may_ask(struct warden *warden, const char *name, uint64_t now_ms)
{
	struct recent *oldest = &warden->recent[0];

	if (warden->rules->names_per_minute == UINT32_MAX)
		return true;
	for (size_t i = 0; i < RECENT_NAMES; i++) {
		struct recent *recent = &warden->recent[i];

		if (recent->at_ms + WINDOW_MS > now_ms && !strcmp(recent->name, name))
			return true;
		if (recent->at_ms < oldest->at_ms)
			oldest = recent;
	}
	if (!bucket_take(&warden->names, now_ms))
		return false;
	oldest->at_ms = now_ms;
	strcpy(oldest->name, name);
	return true;
}

static void say(struct warden *warden, const struct warden_event *event)
{
	if (send(warden->events_fd, event, sizeof(*event), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*event))
		warden->unsaid += 1 + event->repeated;
}

static void say_refused(struct warden *warden, const struct refused *refused, uint32_t repeated)
{
	struct warden_event event = { .word = refused->word, .reason = refused->reason, .repeated = repeated, .type = refused->type,
				      .port = refused->port };

	event.address_count = refused->address.family != 0;
	event.addresses[0] = refused->address;
	strcpy(event.text, refused->name);
	say(warden, &event);
}

static bool is_same(const struct refused *a, const struct refused *b)
{
	return a->word == b->word && a->reason == b->reason && !memcmp(&a->address, &b->address, sizeof(a->address)) &&
	       a->port == b->port && !strcmp(a->name, b->name);
}

static void report(struct warden *warden, const struct refused *new, uint64_t now_ms)
{
	struct refused *oldest = &warden->refused[0];

	for (size_t i = 0; i < REFUSED_NAMES; i++) {
		struct refused *refused = &warden->refused[i];

		if (refused->said_ms && is_same(refused, new)) {
			refused->repeated++;
			return;
		}
		if (refused->said_ms < oldest->said_ms)
			oldest = refused;
	}
	if (!bucket_take(&warden->events, now_ms)) {
		warden->unsaid++;
		return;
	}
	warden->unsaid += oldest->repeated;
	*oldest = *new;
	say_refused(warden, oldest, 0);
}

void report_refused(struct warden *warden, const struct dns_question *question, uint32_t reason, uint64_t now_ms)
{
	struct refused new = { .said_ms = now_ms, .word = WARDEN_SAYS_REFUSED, .reason = reason, .type = question->type };

	strcpy(new.name, question->name);
	report(warden, &new, now_ms);
}

void report_disconnected(struct warden *warden, const struct report_place *place, uint32_t reason, uint64_t now_ms)
{
	struct refused new = { .said_ms = now_ms, .word = WARDEN_SAYS_DISCONNECTED, .reason = reason, .port = place->port };

	new.address = *place->address;
	strcpy(new.name, place->name);
	report(warden, &new, now_ms);
}

void report_answered(struct warden *warden, const struct dns_question *question, const struct dns_addresses *addresses)
{
	struct warden_event event = { .word = WARDEN_SAYS_ANSWERED, .type = question->type };

	if (!warden->settings->record_dns)
		return;
	for (size_t i = 0; i < addresses->count && i < WARDEN_EVENT_ADDRESSES; i++)
		event.addresses[event.address_count++] = addresses->items[i];
	strcpy(event.text, question->name);
	say(warden, &event);
}

void report_keep_time(struct warden *warden, uint64_t now_ms)
{
	if (now_ms - warden->flushed_ms < FLUSH_MS)
		return;
	warden->flushed_ms = now_ms;
	denials_keep_time(warden, now_ms);
	connections_keep_time(warden, now_ms);
	for (size_t i = 0; i < REFUSED_NAMES; i++) {
		struct refused *refused = &warden->refused[i];

		if (!refused->said_ms || now_ms - refused->said_ms < WINDOW_MS)
			continue;
		if (refused->repeated && bucket_take(&warden->events, now_ms))
			say_refused(warden, refused, refused->repeated - 1);
		else
			warden->unsaid += refused->repeated;
		*refused = (struct refused){ .said_ms = 0 };
	}
	if (warden->unsaid && bucket_take(&warden->events, now_ms)) {
		struct warden_event event = { .word = WARDEN_SAYS_REFUSED, .repeated = warden->unsaid - 1 };

		warden->unsaid = 0;
		say(warden, &event);
	}
}
