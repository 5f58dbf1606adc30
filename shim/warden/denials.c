/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel refuses the container, told to the guardian: the same place once a minute, no more events than the bucket
 * holds, the rest as a number. A name that led to the place is told with it, so that who reads it knows what was meant. Must
 * never do more than remember: the verdict has been given, and the packet is the container's.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/base/cleanup.h"
#include "shim/warden/warden.h"

#define WINDOW_MS 60000u
#define ONCE_MOST 32

static bool is_same_address(const struct address *a, const struct address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

void known_add(struct warden *warden, const struct known *like, const struct dns_addresses *addresses)
{
	for (size_t i = 0; i < addresses->count; i++) {
		struct known *place = &warden->known[0];

		for (size_t k = 0; k < KNOWN_PLACES; k++) {
			struct known *known = &warden->known[k];

			if (known->at_ms && is_same_address(&known->address, &addresses->items[i])) {
				place = known;
				break;
			}
			if (known->at_ms < place->at_ms)
				place = known;
		}
		*place = *like;
		place->address = addresses->items[i];
	}
}

const struct known *known_find(const struct warden *warden, const struct address *address)
{
	for (size_t i = 0; i < KNOWN_PLACES; i++)
		if (warden->known[i].at_ms && is_same_address(&warden->known[i].address, address))
			return &warden->known[i];
	return NULL;
}

static void say(struct warden *warden, const struct warden_event *event)
{
	if (send(warden->events_fd, event, sizeof(*event), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*event))
		warden->denied_unsaid += 1 + event->repeated;
}

static struct address address_of(const struct denial *place)
{
	struct address address = { .family = place->family };

	memcpy(address.bytes, place->address, sizeof(address.bytes));
	return address;
}

static void say_denied(struct warden *warden, const struct denied *denied, uint32_t repeated)
{
	struct warden_event event = { .word = WARDEN_SAYS_DENIED, .reason = denied->reason, .repeated = repeated, .address_count = 1,
				      .protocol = denied->place.protocol, .has_port = denied->place.has_port,
				      .port = denied->place.port, .entry = denied->place.cap };
	const struct known *known;

	event.addresses[0] = address_of(&denied->place);
	known = known_find(warden, &event.addresses[0]);
	if (known)
		strcpy(event.text, known->name);
	say(warden, &event);
}

/* Of an address that a name led to, that nothing allows it means: on this port, or not any more. */
static uint32_t reason_of(const struct warden *warden, const struct denial *place, uint64_t now_ms)
{
	const struct address address = address_of(place);
	const struct known *known = known_find(warden, &address);

	if (place->reason != DENIED_UNLISTED || !known || !known->is_open)
		return place->reason;
	return now_ms - known->at_ms >= warden->settings->learn_ms ? DENIED_AGED : DENIED_OTHER_PORTS;
}

static bool is_same_place(const struct denial *a, const struct denial *b)
{
	return a->family == b->family && a->protocol == b->protocol && a->has_port == b->has_port && a->port == b->port &&
	       !memcmp(a->address, b->address, sizeof(a->address));
}

static bool is_tried_by_proof(const struct denial *place)
{
	static const uint8_t tried[] = DENIALS_TRIED_BYTES, loopback[] = { 127, 0, 0, 1 };

	if (place->family != 4 || place->protocol != IPPROTO_TCP)
		return false;
	return (place->port == DENIALS_TRIED_PORT && !memcmp(place->address, tried, sizeof(tried))) ||
	       (place->port == RULESET_PORT_NAMED && !memcmp(place->address, loopback, sizeof(loopback)));
}

static void take_one(struct warden *warden, const struct denial *place, uint64_t now_ms)
{
	struct denied *oldest = &warden->denied[0];
	uint32_t reason = reason_of(warden, place, now_ms);

	for (size_t i = 0; i < DENIED_PLACES; i++) {
		struct denied *denied = &warden->denied[i];

		if (denied->said_ms && denied->reason == reason && is_same_place(&denied->place, place)) {
			denied->repeated++;
			return;
		}
		if (denied->said_ms < oldest->said_ms)
			oldest = denied;
	}
	if (!bucket_take(&warden->denials, now_ms)) {
		warden->denied_unsaid++;
		return;
	}
	warden->denied_unsaid += oldest->repeated;
	*oldest = (struct denied){ .said_ms = now_ms, .reason = reason, .place = *place };
	say_denied(warden, oldest, 0);
}

void denials_take(struct warden *warden, uint64_t now_ms)
{
	struct denial places[ONCE_MOST];
	size_t count = denials_read(warden->denials_fd, places, ONCE_MOST, &warden->denied_unsaid);

	for (size_t i = 0; i < count; i++)
		if (!is_tried_by_proof(&places[i]))
			take_one(warden, &places[i], now_ms);
}

void denials_keep_time(struct warden *warden, uint64_t now_ms)
{
	for (size_t i = 0; i < DENIED_PLACES; i++) {
		struct denied *denied = &warden->denied[i];

		if (!denied->said_ms || now_ms - denied->said_ms < WINDOW_MS)
			continue;
		if (denied->repeated && bucket_take(&warden->denials, now_ms))
			say_denied(warden, denied, denied->repeated - 1);
		else
			warden->denied_unsaid += denied->repeated;
		denied->said_ms = 0;
	}
	if (warden->denied_unsaid && bucket_take(&warden->denials, now_ms)) {
		struct warden_event event = { .word = WARDEN_SAYS_DENIED, .repeated = warden->denied_unsaid - 1 };

		warden->denied_unsaid = 0;
		say(warden, &event);
	}
}
