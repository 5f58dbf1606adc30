/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The warden: the process that reads what the container asks of DNS, what resolvers answer, and what connections say first
 * (named.h). It holds no capability, runs as a user of its own in an empty root, and can open nothing: its sockets were made
 * before, or come from the gate, and only those can be connected. After it has said that it is ready it allocates nothing;
 * each table below has its size for good.
 */
#ifndef QUOD_WARDEN_WARDEN_H
#define QUOD_WARDEN_WARDEN_H

#include <netinet/in.h>

#include "shim/base/err.h"
#include "shim/egress/conntrack.h"
#include "shim/egress/denials.h"
#include "shim/policy/name-rules.h"
#include "shim/warden/dns-wire.h"
#include "shim/warden/settings.h"
#include "shim/warden/warden-event.h"

#ifndef QUOD_WARDEN_UID
#define QUOD_WARDEN_UID 64533	/* nobody else's: between the dynamic system users and nobody */
#endif

/* Where queries come in. Docker's 127.0.0.11 is IPv4's alone. */
enum warden_listener { LISTEN_EMBEDDED, LISTEN_OTHERS, LISTEN_OTHERS6, LISTENERS };

#define RESOLVER_SOCKETS 6	/* of each resolver: one is chosen at random each time */
#define RESOLVERS (1 + WARDEN_RESOLVERS)
#define RESOLVER_EMBEDDED 0	/* 127.0.0.11 in the container's namespace; the others follow */
#define CONNECTIONS 16
#define PENDING 128
#define RECENT_NAMES 128
#define REFUSED_NAMES 32
#define TCP_QUERY 1024
#define DENIED_PLACES 64
#define KNOWN_PLACES 128

struct resolver {
	struct address address;
	bool is_inside;			/* asked from the container's namespace, by marked sockets */
	int fds[RESOLVER_SOCKETS];	/* connected; -1 */
	uint64_t rest_until_ms[RESOLVER_SOCKETS];
};

/* Who is to get the answer. */
struct client {
	uint8_t listener;
	bool is_tcp;
	uint16_t connection;
	uint32_t generation;
	socklen_t address_len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
};

/* One query that a resolver has been asked. */
struct pending {
	bool is_used;
	uint8_t resolver, socket, tries;
	struct client client;
	struct dns_question question;
	struct dns_asked asked;
	uint64_t deadline_ms;
};

struct connection {
	int fd;				/* -1: free */
	uint8_t listener;
	uint32_t generation;
	uint64_t at_ms;			/* when something was done last */
	bool is_waiting;		/* for an answer to what it has asked */
	uint16_t got;
	uint8_t bytes[TCP_QUERY];
};

/* So many a time, in thousandths, to be filled up by `per_minute`. */
struct bucket {
	uint64_t level, most, per_minute, at_ms;
};

/* What a name led to. */
struct known {
	uint64_t at_ms;			/* when last; 0: free */
	bool is_open;			/* some port of it was let out */
	struct address address;
	char name[NAME_SIZE];
};

/* Descriptors from warden.fixed_fds on are resolvers' sockets, some of them in the host's network namespace: never connected
 * again. A power of two; less than the most where the limit of descriptors is small: crun starts helpers under the
 * container's own. */
#define FIXED_FDS_MOST 1024
#define FIXED_FDS_LEAST 128

struct named;

struct warden {
	struct named *named;
	int fixed_fds;
	int32_t pid;
	const struct warden_settings *settings;
	const struct name_rules *entries;	/* of the profile; NULL when nobody asks for them */
	const struct name_rules *rules;	/* NULL when no names are allowed: then it reads denials alone */
	void *rooms[2];		/* of NAME_RULES_BYTES_MAX: for rules that were given later; NULL */
	struct name_rules *given;	/* which of them holds `rules` or `entries`; NULL: the cradle's hold */
	int names_fd, netns_fd, state_fd, events_fd, learn_fd;
	int denials_fd;
	int tracked_fd;			/* -1: connections are not recorded */
	struct bucket tracked;
	uint32_t connections_unsaid;
	int udp_fds[LISTENERS], tcp_fds[LISTENERS];
	struct resolver resolvers[RESOLVERS];
	size_t resolver_count;
	size_t preferred;		/* the resolver that answered last, of those that are not the embedded one */
	struct pending pending[PENDING];
	struct connection connections[CONNECTIONS];
	uint32_t generation, learn_number;
	struct bucket queries, names, events, denials;
	struct recent {
		uint64_t at_ms;
		char name[NAME_SIZE];
	} recent[RECENT_NAMES];
	struct refused {
		uint64_t said_ms;
		uint32_t word, reason, repeated;
		uint16_t type;
		uint16_t port;		/* of a connection, as is the address */
		struct address address;
		char name[NAME_SIZE];
	} refused[REFUSED_NAMES];
	uint32_t unsaid;		/* refusals of which nobody was told */
	struct denied {
		uint64_t said_ms;	/* 0: free */
		uint32_t reason, repeated;
		struct denial place;
	} denied[DENIED_PLACES];
	uint32_t denied_unsaid;
	struct known known[KNOWN_PLACES];
	uint64_t flushed_ms;
	uint8_t random[256];
	size_t random_used;
	char reason_text[64 + NAME_PROFILE_SIZE];
};

/* What it begins with. */
struct warden_start {
	const struct warden_settings *settings;
	int names_fd, netns_fd, state_fd, events_fd, learn_fd;
	char *title;		/* argv[0], for ps */
};

/* cradle.c: becomes the warden's cradle in the calling process, a child forked for it, which starts the warden, and again when
 * it ends. Each says on events_fd that it is ready, or why not; the cradle says that one has ended, and returns at that
 * channel's end. */
int warden_main(const struct warden_start *start);

/* warden.c: before the last lockdown, and after it; returns at events_fd's end */
void warden_begin(struct warden *warden, bool is_first);
int warden_serve(struct warden *warden);

/* warden-orders.c: what the guardian says; false at the channel's end */
int orders_make_rooms(struct warden *warden, struct err *err);
bool orders_wait(struct warden *warden);	/* for the first one */
bool orders_take(struct warden *warden, uint64_t now_ms);
void orders_keep_time(struct warden *warden);	/* what has run out is allowed no more */

/* warden-sockets.c: those for names only where names are allowed */
int warden_open_sockets(struct warden *warden, struct err *err);
int warden_open_listener(const struct address *address, uint16_t port, int type, int *made, struct err *err);

/* dns-relay.c: false when there will be no answer */
bool relay_query(struct warden *warden, const struct client *client, const uint8_t *bytes, size_t size, uint64_t now_ms);
void relay_receive(struct warden *warden, size_t resolver, size_t socket, uint64_t now_ms);
void relay_keep_time(struct warden *warden, uint64_t now_ms);
uint64_t relay_next_ms(const struct warden *warden);
void warden_reply(struct warden *warden, const struct client *client, const uint8_t *message, size_t len);
void warden_random(struct warden *warden, void *bytes, size_t len);

/* dns-learn.c */
struct learning {
	const char *name;	/* that leads there */
	size_t count;
	struct ruleset_opening openings[RULESET_LEARN_MAX];
	uint64_t until_ms[RULESET_LEARN_MAX];	/* CLOCK_BOOTTIME; 0: learn_ms */
};
/* What a name that was found opens of an address; false when it is not to be told. */
bool learning_add(const struct warden *warden, const struct name_found *found, const struct address *address, struct learning *learning);
/* 0, or the errno with which the kernel's set could not be changed; for at most most_ms. */
int warden_learn(struct warden *warden, const struct learning *learning, uint64_t most_ms);
uint64_t warden_boot_ms(void);	/* CLOCK_BOOTTIME */

/* A socket for TCP in the container's namespace, with the warden's mark and those of the caps that count it; 0 or an errno. */
int warden_make_socket(struct warden *warden, uint8_t family, uint32_t caps, int *made);

/* denials.c */
void denials_take(struct warden *warden, uint64_t now_ms);
void denials_keep_time(struct warden *warden, uint64_t now_ms);
void known_add(struct warden *warden, const struct known *like, const struct dns_addresses *addresses);	/* one for each */
const struct known *known_find(const struct warden *warden, const struct address *address);	/* NULL: no name led there */

/* connections.c */
void connections_take(struct warden *warden, uint64_t now_ms);
void connections_keep_time(struct warden *warden, uint64_t now_ms);

/* dns-tcp.c */
void tcp_accept(struct warden *warden, size_t listener, uint64_t now_ms);
void tcp_receive(struct warden *warden, size_t connection, uint64_t now_ms);
void tcp_reply(struct warden *warden, const struct client *client, const uint8_t *message, size_t len);
void tcp_keep_time(struct warden *warden, uint64_t now_ms);
bool tcp_is_open(const struct warden *warden);

/* dns-report.c */
bool bucket_take(struct bucket *bucket, uint64_t now_ms);
bool bucket_has(struct bucket *bucket, uint64_t now_ms);
bool report_may_ask(struct warden *warden, const char *name, uint64_t now_ms);	/* names_per_minute */
void report_refused(struct warden *warden, const struct dns_question *question, uint32_t reason, uint64_t now_ms);
struct report_place {
	const struct address *address;
	uint16_t port;
	const char *name;	/* "" when none was said */
};
void report_disconnected(struct warden *warden, const struct report_place *place, uint32_t reason, uint64_t now_ms);
void report_answered(struct warden *warden, const struct dns_question *question, const struct dns_addresses *addresses);
void report_keep_time(struct warden *warden, uint64_t now_ms);

#endif
