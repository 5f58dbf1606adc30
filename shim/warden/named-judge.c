/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which name a connection says, and whether it may: see named.h. The name must be allowed at that address, on that port, by
 * that protocol, and the address must be one that the container was told for this very name.
 */
#include <string.h>
#include <sys/socket.h>

#include "shim/warden/named.h"

#define LOOK_MOST (4u << 20)	/* bytes looked at for one head: who sends it by the byte gets no further */

static bool is_same(const struct address *a, const struct address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The name's own place, or that of the one that was told longest ago. */
static struct named_name *place_of(struct named *named, const char *name)
{
	struct named_name *oldest = &named->names[0];

	for (size_t i = 0; i < NAMED_NAMES; i++) {
		struct named_name *known = &named->names[i];

		if (known->told_ms && !strcmp(known->name, name))
			return known;
		if (known->told_ms < oldest->told_ms)
			oldest = known;
	}
	memset(oldest, 0, sizeof(*oldest));
	strcpy(oldest->name, name);
	return oldest;
}

void named_learn(struct warden *warden, const char *name, const struct address *addresses, size_t count, uint64_t now_ms)
{
	struct named_name *known = place_of(warden->named, name);

	known->told_ms = now_ms;
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		for (size_t k = 0; k < NAMED_PLACES; k++) {
			if (is_same(&known->places[k].address, &addresses[i])) {
				at = k;
				break;
			}
			if (known->places[k].until_ms < known->places[at].until_ms)
				at = k;
		}
		known->places[at].address = addresses[i];
		known->places[at].until_ms = now_ms + warden->settings->learn_ms;
	}
}

static void learn_place(struct warden *warden, const struct named_name *known, size_t place, uint64_t most_ms)
{
	struct learning learning = { .name = known->name };
	struct name_found found;

	if (name_rules_find(warden->rules, known->name, &found) && learning_add(warden, &found, &known->places[place].address, &learning))
		warden_learn(warden, &learning, most_ms);
}

void named_learn_again(struct warden *warden, uint64_t least_ms, uint64_t now_ms)
{
	for (size_t i = 0; i < NAMED_NAMES; i++) {
		const struct named_name *known = &warden->named->names[i];

		for (size_t k = 0; known->told_ms && k < NAMED_PLACES; k++) {
			uint64_t until_ms = known->places[k].until_ms, most_ms = until_ms > now_ms ? until_ms - now_ms : 0;

			if (until_ms && (most_ms || least_ms))
				learn_place(warden, known, k, most_ms > least_ms ? most_ms : least_ms);
		}
	}
}

static bool leads_to(const struct named_name *known, const struct address *address, uint64_t now_ms)
{
	for (size_t i = 0; i < NAMED_PLACES; i++)
		if (known->places[i].until_ms > now_ms && is_same(&known->places[i].address, address))
			return true;
	return false;
}

/* What was asked with a search list says in the connection only what was typed. That is taken for the whole name where nobody
 * else could be meant: a single label, which no public name is, or a server inside. */
static bool may_be_short_for(const char *said, const char *name, const struct address *address)
{
	size_t len = strlen(said);

	return !strncmp(name, said, len) && name[len] == '.' && (!strchr(said, '.') || !address_is_public(address));
}

int named_judge_rules(struct warden *warden, const struct named_connection *connection, const char *name)
{
	struct name_opening openings[RULESET_LEARN_MAX];
	struct name_found found;
	size_t count;

	if (!name_rules_find(warden->rules, name, &found))
		return 1 + REFUSED_NAME;
	count = name_rules_open(warden->rules, &found, &connection->address, openings, RULESET_LEARN_MAX);
	for (size_t i = 0; i < count; i++)
		if (openings[i].protocol == IPPROTO_TCP && openings[i].port == connection->port)
			return openings[i].ways & connection->said ? 0 : 1 + REFUSED_PROTOCOL;
	return 1 + (count ? REFUSED_PORT : REFUSED_ADDRESS);
}

/* Its socket is counted by the caps of the name that it was made for: what others count begins a connection of its own. */
static int count_by(struct named_connection *connection, uint32_t caps)
{
	if (connection->fds[NAMED_SERVER] < 0)
		connection->caps = caps;
	return connection->caps == caps ? 0 : 1 + REFUSED_COUNTED;
}

int named_judge(struct warden *warden, struct named_connection *connection, const char *name, uint64_t now_ms)
{
	const struct name_place place = { &connection->address, IPPROTO_TCP, connection->port };
	const struct named *named = warden->named;
	bool may_be_short = !name_rules_deny(warden->rules, name), is_allowed = false;
	uint32_t caps = 0;
	int r;

	for (size_t i = 0; i < NAMED_NAMES; i++) {
		const struct named_name *known = &named->names[i];

		if (!known->told_ms || !leads_to(known, &connection->address, now_ms))
			continue;
		if (strcmp(known->name, name) && !(may_be_short && may_be_short_for(name, known->name, &connection->address)))
			continue;
		if (named_judge_rules(warden, connection, known->name))
			continue;
		if (!is_allowed)
			memcpy(connection->name, known->name, sizeof(connection->name));
		is_allowed = true;
		caps |= name_rules_caps(warden->rules, known->name, &place);
	}
	if (is_allowed)
		return count_by(connection, caps);
	r = named_judge_rules(warden, connection, name);
	return r ? r : 1 + REFUSED_OTHER;
}

static int reason_of(enum said said)
{
	return 1 + (said == SAID_NO_NAME ? REFUSED_NAMELESS : REFUSED_NONSENSE);
}

/* Bytes, 0 at the end, -1 with errno; nothing is taken. */
static ssize_t look(struct named *named, struct named_connection *connection)
{
	ssize_t seen = recv(connection->fds[NAMED_CLIENT], named->bytes, HTTP_HEAD_MOST, MSG_PEEK | MSG_DONTWAIT);

	if (seen > 0)
		connection->looked_bytes += (uint32_t)seen;
	return seen;
}

static int hear_head(struct warden *warden, struct named_connection *connection, size_t size, char name[NAME_SIZE], uint64_t now_ms)
{
	struct http_head head;
	enum said said = http_head_parse(warden->named->bytes, size, &head);
	int r;

	if (said == SAID_MORE)
		return connection->looked_bytes > LOOK_MOST ? 1 + REFUSED_NONSENSE : -1;
	if (said != SAID_NAME)
		return reason_of(said);
	memcpy(name, head.name, sizeof(head.name));
	r = named_judge(warden, connection, name, now_ms);
	if (r)
		return r;
	connection->looked_bytes = 0;
	connection->may_pass = head.size + head.body_bytes;
	connection->step = head.is_chunked ? STEP_CHUNK : head.asks_websocket && connection->is_first && !head.body_bytes ? STEP_STATUS : STEP_HEAD;
	connection->is_first = false;
	return 0;
}

static int hear_hello(struct warden *warden, struct named_connection *connection, size_t size, char name[NAME_SIZE], uint64_t now_ms)
{
	enum said said = tls_hello_parse(warden->named->bytes, size, name);
	int r;

	if (said == SAID_MORE)
		return connection->looked_bytes > LOOK_MOST ? 1 + REFUSED_NONSENSE : -1;
	if (said != SAID_NAME) {
		name[0] = '\0';
		return reason_of(said);
	}
	r = named_judge(warden, connection, name, now_ms);
	if (r)
		return r;
	connection->may_pass = UINT64_MAX;
	connection->step = STEP_ALL;
	return 0;
}

/* -1: not enough has been said yet. */
int named_hear(struct warden *warden, struct named_connection *connection, char name[NAME_SIZE], uint64_t now_ms)
{
	struct named *named = warden->named;
	ssize_t seen = look(named, connection);

	name[0] = '\0';
	if (seen < 0)
		return -1;
	if (!seen)
		return 1 + REFUSED_SILENT;
	connection->said = named->bytes[0] == TLS_HANDSHAKE ? NAME_TLS : NAME_HTTP;
	if (connection->said == NAME_TLS)
		return hear_hello(warden, connection, (size_t)seen, name, now_ms);
	return hear_head(warden, connection, (size_t)seen, name, now_ms);
}

static int next_part(struct named_connection *connection, const uint8_t *bytes, size_t size)
{
	struct http_chunk chunk;
	size_t trailer = 0;
	enum said said;

	if (connection->step == STEP_CHUNK) {
		said = http_chunk_parse(bytes, size, &chunk);
		if (said == SAID_NAME) {
			connection->may_pass = chunk.line_size + chunk.bytes;
			connection->step = chunk.bytes ? STEP_CHUNK_END : STEP_TRAILER;
		}
	} else if (connection->step == STEP_CHUNK_END) {
		said = memcmp(bytes, "\r\n", size < 2 ? size : 2) ? SAID_NONSENSE : size < 2 ? SAID_MORE : SAID_NAME;
		connection->may_pass = said == SAID_NAME ? 2 : 0;
		connection->step = said == SAID_NAME ? STEP_CHUNK : STEP_CHUNK_END;
	} else {
		said = http_trailer_parse(bytes, size, &trailer);
		connection->may_pass = trailer;
		connection->step = said == SAID_NAME ? STEP_HEAD : STEP_TRAILER;
	}
	if (said == SAID_MORE)
		return connection->looked_bytes > LOOK_MOST ? 1 + REFUSED_NONSENSE : -1;
	if (said != SAID_NAME)
		return 1 + REFUSED_NONSENSE;
	connection->looked_bytes = 0;
	return 0;
}

/* What was judged has passed: the next part of the request, or the next request. 0 also at the client's end. */
int named_next(struct warden *warden, struct named_connection *connection, char name[NAME_SIZE], uint64_t now_ms)
{
	ssize_t seen;

	name[0] = '\0';
	if (connection->step == STEP_STATUS)
		return -1;
	seen = look(warden->named, connection);
	if (!seen) {
		connection->ways[NAMED_CLIENT].is_ended = true;
		return 0;
	}
	if (seen < 0)
		return -1;
	if (connection->step == STEP_HEAD)
		return hear_head(warden, connection, (size_t)seen, name, now_ms);
	return next_part(connection, warden->named->bytes, (size_t)seen);
}
