/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that must say a name (egress.verify_name). The kernel turns them to the warden, which reads what the client says
 * first, and only when that is a name that the profile allows there, and that the warden itself has told this address for,
 * connects further, by a socket of the gate's. Then bytes are moved both ways and not read any more, but the heads of further
 * requests. Nothing of what was said leaves before it was judged; nothing is changed in it. A refused connection is reset.
 *
 * Every table here has its size for good. Where there are more connections than places a new one is reset.
 */
#ifndef QUOD_WARDEN_NAMED_H
#define QUOD_WARDEN_NAMED_H

#include "shim/warden/http-head.h"
#include "shim/warden/warden.h"

#define NAMED_CONNECTIONS 256
#define NAMED_PER_SECOND 2000u	/* new ones; beyond it they wait in the kernel */
#define NAMED_PIPES 8		/* for what is in flight in bulk; without a free one bytes are copied */
#define NAMED_NAMES 512		/* that were told last */
#define NAMED_PLACES 32		/* of each name */

enum named_side { NAMED_CLIENT, NAMED_SERVER, NAMED_SIDES };

enum named_state {
	NAMED_FREE,
	NAMED_HEARS,		/* what the client says first */
	NAMED_CONNECTS,		/* to the server */
	NAMED_PASSES,
};

/* Where a request of HTTP stands; of TLS everything is passed. */
enum named_step { STEP_HEAD, STEP_CHUNK, STEP_CHUNK_END, STEP_TRAILER, STEP_STATUS /* of the server's answer to an upgrade */, STEP_ALL };

/* One direction, from the side of the same number to the other. */
struct named_way {
	int8_t pipe;		/* -1: none */
	bool is_bulk;		/* worth a pipe */
	bool is_ended, is_shut;	/* nothing more comes; and the other side was told */
	uint32_t held;		/* bytes in the pipe */
};

struct named_connection {
	int fds[NAMED_SIDES];	/* -1 */
	uint8_t state, step;
	uint8_t said;		/* NAME_TLS or NAME_HTTP, when it is known */
	bool is_due;		/* more could be moved at once */
	bool is_first;		/* request */
	uint16_t port;
	uint32_t generation;
	uint32_t looked_bytes;	/* at what is no whole head yet */
	uint64_t at_ms;		/* when it was looked at last */
	uint64_t until_ms;	/* for what the state waits for; UINT64_MAX */
	uint64_t may_pass;	/* of the client's bytes; UINT64_MAX: whatever comes */
	uint32_t caps;			/* that count what goes to the server, a bit each */
	struct address address;
	struct named_way ways[NAMED_SIDES];
	char name[NAME_SIZE];	/* by which it may pass; "" before it was judged */
};

/* A name, and where it was told to lead. */
struct named_name {
	uint64_t told_ms;	/* last; 0: free */
	struct {
		struct address address;
		uint64_t until_ms;
	} places[NAMED_PLACES];
	char name[NAME_SIZE];
};

struct named {
	struct named_connection connections[NAMED_CONNECTIONS];
	size_t most;		/* of them that there are descriptors for */
	struct named_name names[NAMED_NAMES];
	int listen_fds[2];	/* 127.0.0.1, ::1; -1 */
	int epoll_fd;		/* -1: connections are not looked at */
	int pipes[NAMED_PIPES][2];
	bool pipe_is_used[NAMED_PIPES];
	size_t due_count;
	uint64_t next_look_ms;
	struct bucket accepts;
	uint8_t bytes[65536];	/* of whoever is looked at just now */
};

/* named.c */
void named_clear(struct named *named);				/* no descriptor is open */
int named_open(struct warden *warden, struct err *err);		/* in the container's network namespace */
int named_open_pipes(struct named *named, struct err *err);
bool named_may_accept(struct warden *warden, uint64_t now_ms);
void named_accept(struct warden *warden, size_t listener, uint64_t now_ms);
void named_serve(struct warden *warden, uint64_t now_ms);
bool named_is_busy(const struct warden *warden);	/* named_serve has more to do at once */
void named_keep_time(struct warden *warden, uint64_t now_ms);
void named_judge_again(struct warden *warden, uint64_t now_ms);	/* by new rules */

/* named-judge.c: 0, or enum warden_reason + 1 */
void named_learn(struct warden *warden, const char *name, const struct address *addresses, size_t count, uint64_t now_ms);
int named_judge(struct warden *warden, struct named_connection *connection, const char *name, uint64_t now_ms);
int named_judge_rules(struct warden *warden, const struct named_connection *connection, const char *name);
void named_learn_again(struct warden *warden, uint64_t least_ms, uint64_t now_ms);	/* by new rules, what was told */
int named_hear(struct warden *warden, struct named_connection *connection, char name[NAME_SIZE], uint64_t now_ms);
int named_next(struct warden *warden, struct named_connection *connection, char name[NAME_SIZE], uint64_t now_ms);

/* named-pump.c */
enum pumped { PUMPED_ALL /* there is no more just now */, PUMPED_SOME, PUMPED_ASKS /* what may pass is used up */, PUMPED_BROKEN };
enum pumped named_pump(struct named *named, struct named_connection *connection, enum named_side from);
void named_release_pipes(struct named *named, struct named_connection *connection);

#endif
