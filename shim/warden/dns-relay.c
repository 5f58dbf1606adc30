/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a query to its answer: judged by the profile's names, asked of a resolver, what comes back judged again, put into the
 * kernel's set, and told. Must never tell an address that the kernel does not let out, nor ask about a name that isn't
 * allowed: no packet leaves for it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/base/cleanup.h"
#include "shim/base/syscalls.h"
#include "shim/warden/named.h"

#define TTL_MOST 300u		/* so that whoever keeps an answer asks again before the set forgets it */
#define REST_MS 200000u		/* longer than the kernel remembers where a flow of UDP was turned to */
#define ONCE_MOST 16		/* datagrams taken from one socket before the others have their turn */

static const uint32_t try_ms[] = { 1000, 1500, 2000 };

enum { EDE_OTHER = 0, EDE_FILTERED = 17 };

void warden_random(struct warden *warden, void *bytes, size_t len)
{
	if (warden->random_used + len > sizeof(warden->random)) {
		for (size_t have = 0; have < sizeof(warden->random);) {
			ssize_t got = sys_getrandom(warden->random + have, sizeof(warden->random) - have);

			if (got > 0)
				have += (size_t)got;
		}
		warden->random_used = 0;
	}
	memcpy(bytes, warden->random + warden->random_used, len);
	warden->random_used += len;
}

void warden_reply(struct warden *warden, const struct client *client, const uint8_t *message, size_t len)
{
	if (client->is_tcp)
		tcp_reply(warden, client, message, len);
	else
		sendto(warden->udp_fds[client->listener], message, len, MSG_DONTWAIT | MSG_NOSIGNAL, &client->address.any,
		       client->address_len);
}

static void reply_empty(struct warden *warden, const struct client *client, const struct dns_question *question, int rcode,
			const struct dns_reason *reason)
{
	uint8_t message[DNS_MESSAGE];

	warden_reply(warden, client, message, dns_print_empty(question, rcode, reason, message));
}

static void refuse(struct warden *warden, const struct client *client, const struct dns_question *question, uint32_t reason,
		   uint64_t now_ms)
{
	const struct dns_reason filtered = { EDE_FILTERED, warden->reason_text };
	const struct dns_reason too_many = { EDE_OTHER, "quod: egress.dns.names_per_minute" };

	report_refused(warden, question, reason, now_ms);
	if (reason == REFUSED_RATE)
		reply_empty(warden, client, question, DNS_SERVFAIL, &too_many);
	else
		reply_empty(warden, client, question, reason == REFUSED_ADDRESS ? DNS_NOERROR : DNS_NXDOMAIN, &filtered);
}

static bool is_same_client(const struct client *a, const struct client *b)
{
	return !a->is_tcp && !b->is_tcp && a->listener == b->listener && a->address_len == b->address_len &&
	       !memcmp(&a->address, &b->address, a->address_len);
}

/* NULL when all places are taken; *is_repeated when the same query is being asked already. */
static struct pending *find_place(struct warden *warden, const struct client *client, const struct dns_question *question,
				  bool *is_repeated)
{
	struct pending *place = NULL;

	*is_repeated = false;
	for (size_t i = 0; i < PENDING; i++) {
		struct pending *pending = &warden->pending[i];

		if (!pending->is_used)
			place = pending;
		else if (pending->question.id == question->id && pending->question.type == question->type &&
			 is_same_client(&pending->client, client) && !strcmp(pending->question.name, question->name))
			*is_repeated = true;
	}
	return place;
}

/* Which resolver for this try; -1 when there is none. Where no engine serves 127.0.0.11, the first try fails. */
static int choose_resolver(const struct warden *warden, const struct pending *pending)
{
	size_t others = warden->resolver_count - 1;
	bool may_be_service = !strchr(pending->question.name, '.') || (!warden->settings->only_services_embedded && (!pending->tries || !others));
	bool to_embedded = pending->client.listener == LISTEN_EMBEDDED && may_be_service;

	if (to_embedded)
		return RESOLVER_EMBEDDED;
	return others ? (int)(1 + (warden->preferred + pending->tries) % others) : -1;
}

/* One at random of those that don't rest, or of all when all do. */
static int choose_socket(struct warden *warden, const struct resolver *resolver, uint64_t now_ms)
{
	uint8_t order;

	warden_random(warden, &order, 1);
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < RESOLVER_SOCKETS; i++) {
			size_t at = (order + i) % RESOLVER_SOCKETS;

			if (resolver->fds[at] >= 0 && (round || resolver->rest_until_ms[at] <= now_ms))
				return (int)at;
		}
	return -1;
}

static void draw_cases(struct warden *warden, struct pending *pending, bool is_plain)
{
	warden_random(warden, &pending->asked.id, sizeof(pending->asked.id));
	memset(pending->asked.cases, 0, sizeof(pending->asked.cases));
	if (!is_plain)
		warden_random(warden, pending->asked.cases, sizeof(pending->asked.cases));
	pending->asked.is_plain = is_plain;
}

static void give_up(struct warden *warden, struct pending *pending)
{
	pending->is_used = false;
	reply_empty(warden, &pending->client, &pending->question, DNS_SERVFAIL, NULL);
}

static void rest(struct resolver *resolver, size_t socket, uint64_t now_ms)
{
	if (resolver->is_inside)
		resolver->rest_until_ms[socket] = now_ms + REST_MS;
}

/* The last try is as plain as can be: some resolvers stumble over EDNS, or don't keep the letters' case. */
static void ask(struct warden *warden, struct pending *pending, uint64_t now_ms)
{
	uint8_t message[DNS_MESSAGE];
	size_t len;

	for (; pending->tries < ARRAY_SIZE(try_ms); pending->tries++) {
		int resolver = choose_resolver(warden, pending);
		int socket = resolver < 0 ? -1 : choose_socket(warden, &warden->resolvers[resolver], now_ms);

		if (socket < 0)
			continue;
		pending->resolver = (uint8_t)resolver;
		pending->socket = (uint8_t)socket;
		draw_cases(warden, pending, pending->tries + 1 == ARRAY_SIZE(try_ms));
		len = dns_print_query(&pending->question, &pending->asked, message);
		if (send(warden->resolvers[resolver].fds[socket], message, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len) {
			pending->deadline_ms = now_ms + try_ms[pending->tries++];
			return;
		}
		rest(&warden->resolvers[resolver], (size_t)socket, now_ms);
	}
	give_up(warden, pending);
}

static void begin(struct warden *warden, const struct client *client, const struct dns_question *question, uint64_t now_ms)
{
	bool is_repeated;
	struct pending *pending = find_place(warden, client, question, &is_repeated);

	if (is_repeated)
		return;		/* one answer is enough */
	if (!pending) {
		reply_empty(warden, client, question, DNS_SERVFAIL, NULL);
		return;
	}
	pending->is_used = true;
	pending->tries = 0;
	pending->client = *client;
	pending->question = *question;
	ask(warden, pending, now_ms);
}

/* True when it is let through all the same: where the profile observes, it is only recorded. */
static bool observe(struct warden *warden, const struct dns_question *question, uint32_t reason, uint64_t now_ms)
{
	if (warden->settings->observes)
		report_refused(warden, question, reason, now_ms);
	return warden->settings->observes;
}

bool relay_query(struct warden *warden, const struct client *client, const uint8_t *bytes, size_t size, uint64_t now_ms)
{
	struct dns_question question;
	struct name_found found;
	int rcode = dns_parse_question(bytes, size, &question);

	if (rcode == DNS_SILENCE)
		return false;
	if (rcode)
		reply_empty(warden, client, &question, rcode, NULL);
	else if (!question.name[0] || question.class != 1)
		refuse(warden, client, &question, REFUSED_NO_NAME, now_ms);
	else if (!name_rules_find(warden->rules, question.name, &found) && !observe(warden, &question, REFUSED_NAME, now_ms))
		refuse(warden, client, &question, REFUSED_NAME, now_ms);
	else if (question.type != DNS_A && question.type != DNS_AAAA)
		reply_empty(warden, client, &question, DNS_NOERROR, NULL);	/* nothing but addresses is handed on */
	else if (!report_may_ask(warden, question.name, now_ms) && !observe(warden, &question, REFUSED_RATE, now_ms))
		refuse(warden, client, &question, REFUSED_RATE, now_ms);
	else
		begin(warden, client, &question, now_ms);
	return true;
}

/* Aliases lead anywhere, to a content network's name that nobody allowed; but not to what is denied. */
static bool is_denied_alias(const struct warden *warden, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->alias_count; i++)
		if (!answer->aliases[i][0] || name_rules_deny(warden->rules, answer->aliases[i]))
			return true;
	return false;
}

struct told {
	struct dns_addresses addresses;
	struct learning learning;
};

static void tell(struct warden *warden, const struct pending *pending, const struct told *told, uint64_t now_ms)
{
	size_t room = pending->client.is_tcp ? DNS_MESSAGE : pending->question.udp_size;
	struct known known = { .at_ms = now_ms, .is_open = told->learning.count };
	uint8_t message[DNS_MESSAGE];

	if (!pending->client.is_tcp && room > DNS_UDP_SIZE)
		room = DNS_UDP_SIZE;
	strcpy(known.name, pending->question.name);
	known_add(warden, &known, &told->addresses);
	report_answered(warden, &pending->question, &told->addresses);
	warden_reply(warden, &pending->client, message, dns_print_addresses(&pending->question, &told->addresses, room, message));
}

static void deliver(struct warden *warden, struct pending *pending, const struct dns_answer *answer, uint64_t now_ms)
{
	struct told told = { .learning = { .name = pending->question.name } };
	struct name_found found;

	if (!name_rules_find(warden->rules, pending->question.name, &found) && !warden->settings->observes)
		return;
	if (is_denied_alias(warden, answer) && !observe(warden, &pending->question, REFUSED_ALIAS, now_ms)) {
		refuse(warden, &pending->client, &pending->question, REFUSED_ALIAS, now_ms);
		return;
	}
	told.addresses.ttl = answer->addresses.ttl > TTL_MOST ? TTL_MOST : answer->addresses.ttl;
	for (size_t i = 0; i < answer->addresses.count; i++)
		if (learning_add(warden, &found, &answer->addresses.items[i], &told.learning))
			told.addresses.items[told.addresses.count++] = answer->addresses.items[i];
	if (found.allow_count && answer->addresses.count && !told.learning.count)
		observe(warden, &pending->question, REFUSED_ADDRESS, now_ms);
	if (told.addresses.count && !warden_learn(warden, &told.learning, warden->settings->learn_ms)) {
		named_learn(warden, pending->question.name, told.addresses.items, told.addresses.count, now_ms);
		tell(warden, pending, &told, now_ms);
	} else if (told.addresses.count || answer->is_cut)
		reply_empty(warden, &pending->client, &pending->question, DNS_SERVFAIL, NULL);
	else if (answer->addresses.count)
		refuse(warden, &pending->client, &pending->question, REFUSED_ADDRESS, now_ms);
	else
		reply_empty(warden, &pending->client, &pending->question, DNS_NOERROR, NULL);
}

static void take_answer(struct warden *warden, struct pending *pending, const struct dns_answer *answer, uint64_t now_ms)
{
	if (answer->rcode != DNS_NOERROR && answer->rcode != DNS_NXDOMAIN) {
		ask(warden, pending, now_ms);	/* the next resolver, if there is another try */
		return;
	}
	if (pending->resolver != RESOLVER_EMBEDDED)
		warden->preferred = pending->resolver - 1u;
	pending->is_used = false;
	if (answer->rcode)
		reply_empty(warden, &pending->client, &pending->question, DNS_NXDOMAIN, NULL);
	else
		deliver(warden, pending, answer, now_ms);
}

/* Nobody listens there: what was asked by this socket is asked elsewhere. */
static void fail_socket(struct warden *warden, size_t resolver, size_t socket, uint64_t now_ms)
{
	rest(&warden->resolvers[resolver], socket, now_ms);
	for (size_t i = 0; i < PENDING; i++) {
		struct pending *pending = &warden->pending[i];

		if (pending->is_used && pending->resolver == resolver && pending->socket == socket)
			ask(warden, pending, now_ms);
	}
}

void relay_receive(struct warden *warden, size_t resolver, size_t socket, uint64_t now_ms)
{
	uint8_t message[4096];
	struct dns_answer answer;

	for (int taken = 0; taken < ONCE_MOST; taken++) {
		ssize_t got = recv(warden->resolvers[resolver].fds[socket], message, sizeof(message), MSG_DONTWAIT);

		if (got < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
				fail_socket(warden, resolver, socket, now_ms);
			return;
		}
		for (size_t i = 0; i < PENDING; i++) {
			struct pending *pending = &warden->pending[i];

			if (!pending->is_used || pending->resolver != resolver || pending->socket != socket ||
			    dns_parse_answer(message, (size_t)got, &pending->question, &pending->asked, &answer))
				continue;
			take_answer(warden, pending, &answer, now_ms);
			break;
		}
	}
}

void relay_keep_time(struct warden *warden, uint64_t now_ms)
{
	for (size_t i = 0; i < PENDING; i++) {
		struct pending *pending = &warden->pending[i];

		if (!pending->is_used || pending->deadline_ms > now_ms)
			continue;
		rest(&warden->resolvers[pending->resolver], pending->socket, now_ms);
		ask(warden, pending, now_ms);
	}
}

uint64_t relay_next_ms(const struct warden *warden)
{
	uint64_t next_ms = UINT64_MAX;

	for (size_t i = 0; i < PENDING; i++)
		if (warden->pending[i].is_used && warden->pending[i].deadline_ms < next_ms)
			next_ms = warden->pending[i].deadline_ms;
	return next_ms;
}
