/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guardian's ear for the administrator: a socket in the state directory (control.h), opened before the lockdown. A halt
 * is kept here: what somebody thaws behind quod's back is frozen again, and each beat tells the gate to stay closed. Allocates
 * nothing, waits for nobody, and a halt never stands in the way of ending the container.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/base/beside.h"
#include "shim/base/cleanup.h"
#include "shim/warden/guardian.h"

/* How long what was thawed may run at most. */
#define FREEZE_AGAIN_MS 50u

/* Until an order is done it is looked at that often: of what a freezer does no version 1 gives word. */
#define LOOK_MS 2u

int guardian_open_control(struct guardian *guardian, int state_fd, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	guardian->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (guardian->control_fd < 0)
		return err_set_errno(err, errno, "control socket");
	unlinkat(state_fd, CONTROL_SOCKET, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", state_fd, CONTROL_SOCKET);
	if (bind(guardian->control_fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(guardian->control_fd, 64) < 0)
		return err_set_errno(err, errno, "control socket");
	guardian->user = geteuid();
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/%d/status", (int)guardian->settings->pid);
	guardian->first_fd = open(address.sun_path, O_RDONLY | O_CLOEXEC);
	return guardian->first_fd < 0 ? err_set_errno(err, errno, "%s", address.sun_path) : 0;
}

void guardian_poll_control(const struct guardian *guardian, struct pollfd polls[CONTROL_POLLS])
{
	polls[0] = (struct pollfd){ .fd = guardian->control_fd, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		polls[1 + i] = (struct pollfd){ .fd = guardian->clients[i].fd, .events = POLLIN };
}

static void drop_client(struct control_client *client)
{
	cleanup_close_at(&client->fd);
	client->word = 0;
}

/* When all places are taken, one goes who waits for nothing. */
static void take_client(struct guardian *guardian)
{
	cleanup_close int fd = accept4(guardian->control_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof(peer) || peer.uid != guardian->user)
		return;
	for (int may_drop = 0; may_drop < 2; may_drop++)
		for (size_t i = 0; fd >= 0 && i < CONTROL_CLIENTS; i++) {
			struct control_client *client = &guardian->clients[i];

			if (may_drop && !client->word)
				drop_client(client);
			if (client->fd < 0)
				client->fd = steal_fd(&fd);
		}
}

static void answer(struct guardian *guardian, struct control_client *client, int error)
{
	const struct budget *budgets = guardian->budgets;
	const struct control_answer words = {
		.version = CONTROL_VERSION,
		.word = client->word,
		.error = error,
		.is_halted = guardian->is_halted,
		.may_freeze = guardian->cgroup.freeze_fd >= 0,
		.is_frozen = cgroup_is_frozen(&guardian->cgroup),
		.has_network = guardian->settings->has_table,
		.is_closed = guardian->is_closed,
		.wall_ms = budget_spent(&budgets[BUDGET_WALL]),
		.cpu_us = budget_spent(&budgets[BUDGET_CPU]),
		.egress_bytes = budget_spent(&budgets[BUDGET_EGRESS]),
		.denied_packets = guardian->denied_packets,
		.refused_names = guardian->refused_names,
	};

	client->word = 0;
	if (send(client->fd, &words, sizeof(words), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(words))
		drop_client(client);
}

/* What its engine had paused before stays paused after. */
static void halt(struct guardian *guardian)
{
	if (!guardian->is_halted)
		guardian->was_paused = guardian->phase != PHASE_FROZEN && cgroup_is_frozen(&guardian->cgroup);
	guardian->is_halted = true;
	cgroup_freeze(&guardian->cgroup, true);
}

static void release(struct guardian *guardian)
{
	if (guardian->is_halted && !guardian->was_paused && guardian->phase != PHASE_FROZEN)
		cgroup_freeze(&guardian->cgroup, false);
	guardian->is_halted = false;
	guardian->halt_ms = UINT64_MAX;
}

void guardian_answer_change(struct guardian *guardian, int error)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (guardian->clients[i].fd >= 0 && guardian->clients[i].word == CONTROL_CHANGE)
			answer(guardian, &guardian->clients[i], error);
}

/* It may be answered before this returns. */
static void take_change(struct guardian *guardian, struct control_client *client, const struct control_change *order, int *names_fd,
			uint64_t now_ms)
{
	int error = guardian->change.is_on ? EBUSY : 0;

	client->word = error ? 0 : CONTROL_CHANGE;
	client->until_ms = now_ms + CONTROL_CHANGE_MS;
	guardian->halt_ms = now_ms;
	if (!error)
		error = guardian_begin_change(guardian, order, steal_fd(names_fd));
	if (error) {
		client->word = CONTROL_CHANGE;
		answer(guardian, client, error);
	}
}

static void take_order(struct guardian *guardian, struct control_client *client, uint64_t now_ms)
{
	struct control_change order;
	cleanup_close int beside = -1;
	ssize_t got = beside_receive(client->fd, &order, sizeof(order), &beside, MSG_DONTWAIT | MSG_TRUNC);
	bool is_change = got == (ssize_t)sizeof(order) && order.word == CONTROL_CHANGE && order.count <= RULESET_OPENED_MAX;

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if ((got != (ssize_t)sizeof(struct control_order) && !is_change) || order.version != CONTROL_VERSION) {
		drop_client(client);
		return;
	}
	if (is_change) {
		take_change(guardian, client, &order, &beside, now_ms);
		return;
	}
	client->word = order.word;
	client->until_ms = now_ms + CONTROL_WAIT_MS;
	if (order.word == CONTROL_HALT)
		halt(guardian);
	else if (order.word == CONTROL_RELEASE)
		release(guardian);
	else {
		answer(guardian, client, order.word == CONTROL_LOOK ? 0 : EINVAL);
		return;
	}
	guardian->halt_ms = now_ms;
	guardian_beat(guardian, now_ms);
}

void guardian_hear_control(struct guardian *guardian, const struct pollfd polls[CONTROL_POLLS], uint64_t now_ms)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (polls[1 + i].revents && guardian->clients[i].fd >= 0)
			take_order(guardian, &guardian->clients[i], now_ms);
	if (polls[0].revents)
		take_client(guardian);
}

static bool is_done(const struct guardian *guardian, uint32_t word)
{
	bool is_halt = word == CONTROL_HALT, is_frozen = cgroup_is_frozen(&guardian->cgroup);

	if (word == CONTROL_CHANGE)
		return false;	/* it is answered when it is done */
	if (guardian->settings->has_table && guardian->is_closed != is_halt)
		return false;
	if (guardian->cgroup.freeze_fd < 0 || guardian->phase >= PHASE_KILLING)
		return true;
	return is_halt ? is_frozen : !is_frozen || guardian->was_paused || guardian->phase == PHASE_FROZEN;
}

/* An engine that kills what stands still thaws it for that (version 1), and on a busy machine it may not have died before it is
 * frozen again. */
static bool is_being_killed(const struct guardian *guardian)
{
	static const char *const names[] = { "\nSigPnd:", "\nShdPnd:" };
	char text[4096];
	ssize_t got = pread(guardian->first_fd, text, sizeof(text) - 1, 0);
	bool found = false;

	if (got <= 0)
		return false;
	text[got] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *at = strstr(text, names[i]);

		found = found || (at && strtoull(at + strlen(names[i]), NULL, 16) & (1ull << (SIGKILL - 1)));
	}
	return found;
}

/* Who is being killed is thawed for it. */
void guardian_keep_halt(struct guardian *guardian, uint64_t now_ms)
{
	bool waits = false;

	if (now_ms < guardian->halt_ms)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &guardian->clients[i];

		if (client->word == CONTROL_CHANGE && now_ms >= client->until_ms)
			guardian_abandon_change(guardian);
		else if (client->word && (now_ms >= client->until_ms || is_done(guardian, client->word)))
			answer(guardian, client, 0);
		waits = waits || client->word;
	}
	guardian->halt_ms = waits ? now_ms + LOOK_MS : UINT64_MAX;
	if (!guardian->is_halted || guardian->phase >= PHASE_KILLING)
		return;
	if (is_being_killed(guardian)) {
		guardian->phase = PHASE_KILLING;
		guardian->kill_ms = now_ms;
		return;
	}
	if (!waits)
		guardian->halt_ms = now_ms + FREEZE_AGAIN_MS;
	if (!cgroup_is_frozen(&guardian->cgroup))
		cgroup_freeze(&guardian->cgroup, true);
}
