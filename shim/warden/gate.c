/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: see gate.h. After it has locked itself down it allocates nothing, opens no file, and must never understand more
 * than three messages, one of the guardian's and two of the warden's.
 */
#include "shim/warden/gate.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "shim/base/beside.h"
#include "shim/base/cleanup.h"
#include "shim/egress/conntrack.h"
#include "shim/warden/lockdown.h"

#define SOCKET_TYPE (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

struct gate {
	const struct gate_settings *settings;
	int watch_fd;		/* -1 when there is nothing to watch, or no longer */
	int learn_fd;		/* the same of the warden */
	bool must_tell;		/* GATE_CHANGED is still to be sent */
	uint64_t cut_at_bytes;	/* in force; 0: as it was installed */
	uint64_t cap_cuts[RULESET_CAPS_MAX];	/* the same */
};

int gate_port_id(int nl_fd, uint32_t *port_id, struct err *err)
{
	struct sockaddr_nl own;
	socklen_t len = sizeof(own);

	if (getsockname(nl_fd, (struct sockaddr *)&own, &len) < 0)
		return err_set_errno(err, errno, "gate: netlink port");
	if (len != sizeof(own) || own.nl_family != AF_NETLINK)
		return err_set(err, EINVAL, "gate: the descriptor is no netlink socket");
	*port_id = own.nl_pid;
	return 0;
}

#define CALL(name) { SCMP_SYS(name), 0, { { 0 } } }
#define CALL_IF(name, ...) { SCMP_SYS(name), 2, { __VA_ARGS__ } }

/* Its channels are spoken to by sendto and recvmsg or recvfrom alone, with sendmsg goes the socket that was made for the
 * warden; everything else ends the process. */
static int filter_system_calls(void)
{
	static const struct lockdown_call calls[] = {
		CALL(recvmsg), CALL(recvfrom), CALL(sendto), CALL(poll), CALL(ppoll), CALL(clock_gettime), CALL(restart_syscall),
		CALL(rt_sigreturn), CALL(exit), CALL(exit_group),
		CALL_IF(socket, LOCKDOWN_IS(0, AF_INET), LOCKDOWN_IS(1, SOCKET_TYPE)),
		CALL_IF(socket, LOCKDOWN_IS(0, AF_INET6), LOCKDOWN_IS(1, SOCKET_TYPE)),
		CALL_IF(setsockopt, LOCKDOWN_IS(1, SOL_SOCKET), LOCKDOWN_IS(2, SO_MARK)),
		CALL_IF(setsockopt, LOCKDOWN_IS(1, SOL_SOCKET), LOCKDOWN_IS(2, SO_KEEPALIVE)),
		CALL_IF(setsockopt, LOCKDOWN_IS(1, IPPROTO_TCP), LOCKDOWN_IS(2, TCP_NODELAY)),
		CALL(sendmsg), CALL(close),
	};
	struct err err = ERR_INIT;

	return lockdown_calls(calls, ARRAY_SIZE(calls), &err);
}

static int lock_down(const struct gate_settings *settings)
{
	int kept[] = { settings->nl_fd, settings->watch_fd, settings->channel_fd, settings->learn_fd };
	struct err err = ERR_INIT;
	int r = lockdown_descriptors(kept, ARRAY_SIZE(kept), &err);

	if (!r)
		r = lockdown_privileges(1ull << CAP_NET_ADMIN, &err);
	if (!r && prctl(PR_SET_NAME, "quod-gate", 0, 0, 0) < 0)
		r = -errno;
	return r ? r : filter_system_calls();
}

/* True when the channel still stands. A guardian that doesn't read loses what was said: the next beat says it again. */
static bool say(const struct gate *gate, const struct gate_message *message, bool *said)
{
	ssize_t sent = send(gate->settings->channel_fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL);

	*said = sent == (ssize_t)sizeof(*message);
	return *said || (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS));
}

/* What leaves between the counting and the kernel's new quota is seen at the next count, and met by the guardian. */
static int move_cut(struct gate *gate, uint64_t cut_at_bytes)
{
	struct ruleset_counters counters;
	struct err err = ERR_INIT;
	int r;

	if (!cut_at_bytes || cut_at_bytes == gate->cut_at_bytes)
		return 0;
	r = ruleset_read_counters(gate->settings->nl_fd, &counters, &err);
	if (!r)
		r = ruleset_set_left(gate->settings->nl_fd,
				     cut_at_bytes > counters.out_bytes ? cut_at_bytes - counters.out_bytes : 0, &err);
	if (!r)
		gate->cut_at_bytes = cut_at_bytes;
	return r;
}

static int move_cap_cuts(struct gate *gate, const uint64_t cuts[RULESET_CAPS_MAX])
{
	struct ruleset_caps caps;
	struct err err = ERR_INIT;
	bool is_moved = false;
	int r = 0;

	for (size_t i = 0; i < gate->settings->cap_count; i++)
		is_moved = is_moved || (cuts[i] && cuts[i] != gate->cap_cuts[i]);
	if (is_moved)
		r = ruleset_read_caps(gate->settings->nl_fd, gate->settings->cap_count, &caps, &err);
	for (size_t i = 0; i < gate->settings->cap_count && is_moved && !r; i++) {
		if (!cuts[i] || cuts[i] == gate->cap_cuts[i])
			continue;
		r = ruleset_set_cap_left(gate->settings->nl_fd, i, cuts[i] > caps.bytes[i] ? cuts[i] - caps.bytes[i] : 0, &err);
		if (!r)
			gate->cap_cuts[i] = cuts[i];
	}
	return r;
}

static bool beat(struct gate *gate, const struct gate_message *order)
{
	struct gate_message answer = { .word = GATE_COUNTERS };
	struct err err = ERR_INIT;
	bool said;
	int r = move_cut(gate, order->cut_at_bytes);

	if (!r)
		r = move_cap_cuts(gate, order->cap_cuts);

	/* Closing must not wait for what could not be counted. */
	if (order->is_closed)
		r = ruleset_close(gate->settings->nl_fd, &err);
	else if (!r && !order->only_counts)
		r = ruleset_renew_alive(gate->settings->nl_fd, gate->settings->alive_ms, &err);
	if (!r)
		r = ruleset_read_counters(gate->settings->nl_fd, &answer.counters, &err);
	if (!r)
		r = ruleset_read_caps(gate->settings->nl_fd, gate->settings->cap_count, &answer.caps, &err);
	answer.error = -r;
	answer.is_closed = order->is_closed != 0;
	if (order->is_last)
		conntrack_flush(gate->settings->nl_fd, &err);
	answer.cut_at_bytes = gate->cut_at_bytes;
	memcpy(answer.cap_cuts, gate->cap_cuts, sizeof(answer.cap_cuts));
	return say(gate, &answer, &said);
}

static bool open_ranges(struct gate *gate, const struct gate_open *order)
{
	struct gate_message answer = { .word = GATE_OPENED };
	struct err err = ERR_INIT;
	bool said;

	answer.error = -ruleset_open(gate->settings->nl_fd, order->opened, order->count, &err);
	return say(gate, &answer, &said);
}

/* 1 to go on, 0 at the channel's end, -1 for what the gate doesn't know. */
static int hear(struct gate *gate)
{
	union {
		struct gate_message beat;
		struct gate_open open;
	} message;
	ssize_t got = recv(gate->settings->channel_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 1;
	if (got <= 0)
		return 0;
	if (got == (ssize_t)sizeof(message.open) && message.open.word == GATE_OPEN && message.open.count <= RULESET_OPENED_MAX)
		return open_ranges(gate, &message.open);
	if (got != (ssize_t)sizeof(message.beat) || message.beat.word != GATE_BEAT)
		return -1;
	return beat(gate, &message.beat);
}

/* Every packet of it carries the mark: whose it is can be seen, wherever it goes it is judged as the container's are. */
static int make_socket(uint8_t family, uint32_t caps, struct err *err)
{
	cleanup_close int fd = -1;
	const uint32_t mark = RULESET_MARK | caps << RULESET_CAP_SHIFT;
	const int on = 1;

	if (family != 4 && family != 6)
		return err_set(err, EINVAL, "gate: address family %u", family);
	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCKET_TYPE, IPPROTO_TCP);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return err_set_errno(err, errno, "gate: socket");
	return steal_fd(&fd);
}

static bool names_known_caps(const struct gate *gate, const struct gate_learn *message)
{
	size_t count = message->wish == GATE_SOCKET ? 1 : message->count;

	for (size_t i = 0; i < count && i < RULESET_LEARN_MAX; i++)
		if (message->openings[i].caps >> gate->settings->cap_count)
			return false;
	return true;
}

/* A warden that is gone, or says what no warden says, is not heard again. */
static void learn(struct gate *gate)
{
	struct gate_learn message;
	struct gate_learnt answer = { 0, 0 };
	struct err err = ERR_INIT;
	cleanup_close int fd = -1;
	ssize_t got = recv(gate->learn_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (got != (ssize_t)sizeof(message) || message.lifetime_ms > GATE_LEARN_MOST_MS || message.wish > GATE_SOCKET ||
	    !names_known_caps(gate, &message)) {
		gate->learn_fd = -1;
		return;
	}
	answer.number = message.number;
	if (message.wish == GATE_SOCKET) {
		fd = make_socket(message.openings[0].family, message.openings[0].caps, &err);
		answer.error = fd < 0 ? -fd : 0;
	} else {
		answer.error = -ruleset_learn(gate->settings->nl_fd, message.openings,
					      &(struct ruleset_learning){ message.count, message.lifetime_ms }, &err);
	}
	if (!beside_send(gate->learn_fd, &answer, sizeof(answer), fd, MSG_DONTWAIT))
		gate->learn_fd = -1;
}

/* What can't be watched any more may have been changed. */
static void look(struct gate *gate)
{
	struct err err = ERR_INIT;
	int r = ruleset_watch_read(gate->watch_fd, gate->settings->nl_port_id, &err);

	if (r)
		gate->must_tell = true;
	if (r < 0)
		gate->watch_fd = -1;
}

static int serve(struct gate *gate)
{
	static const struct gate_message changed = { .word = GATE_CHANGED };

	for (;;) {
		struct pollfd ends[] = {
			{ .fd = gate->settings->channel_fd, .events = gate->must_tell ? POLLIN | POLLOUT : POLLIN },
			{ .fd = gate->watch_fd, .events = POLLIN },
			{ .fd = gate->learn_fd, .events = POLLIN },
		};
		bool said = false;
		int r;

		if (poll(ends, ARRAY_SIZE(ends), -1) < 0) {
			if (errno == EINTR)
				continue;
			return 1;
		}
		if (ends[1].revents)
			look(gate);
		if (gate->must_tell && !say(gate, &changed, &said))
			return 0;
		if (said)
			gate->must_tell = false;
		if (ends[2].revents)
			learn(gate);
		r = ends[0].revents & ~POLLOUT ? hear(gate) : 1;
		if (r <= 0)
			return r ? 1 : 0;
	}
}

static bool are_usable(const struct gate_settings *settings)
{
	struct err err = ERR_INIT;
	uint32_t port_id;

	return settings->channel_fd > STDERR_FILENO && settings->nl_fd > STDERR_FILENO && settings->alive_ms &&
	       settings->cap_count <= RULESET_CAPS_MAX &&
	       (settings->watch_fd > STDERR_FILENO || (settings->watch_fd == -1 && settings->owned)) &&
	       (settings->learn_fd > STDERR_FILENO || settings->learn_fd == -1) &&
	       gate_port_id(settings->nl_fd, &port_id, &err) == 0 && port_id == settings->nl_port_id;
}

int gate_main(const struct gate_settings *settings)
{
	/* Of an owned table there is nothing to be seen but that others' news were too many. */
	struct gate gate = { .settings = settings,
			     .watch_fd = settings->owned ? -1 : settings->watch_fd,
			     .learn_fd = settings->learn_fd };

	if (!are_usable(settings) || lock_down(settings))
		return 1;
	return serve(&gate);
}
