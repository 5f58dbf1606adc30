/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guardian's side of the gate: starts the nursery, which starts it and starts it again when it is lost, sends the beat
 * that keeps the network open, hears what was counted. Nothing opens by a loss: the table stays, and when no gate comes back
 * its dead man's switch lapses, and the container is without network until it ends.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/warden/guardian.h"
#include "shim/warden/nursery.h"

#define BEAT_MS 3000u
#define BEAT_SHARED_MS 1000u
#define BEAT_CLOSE_MS 100u		/* little is left of what others may spend, too */
#define FIRST_ANSWER_MS 3000
#define LAST_ANSWER_MS 200
#define UNANSWERED_MOST 3u

static int become_nursery(const struct guardian *guardian, int channel_fd, pid_t guardian_pid)
{
	struct nursery nursery = {
		.gate = { .nl_fd = WARDEN_FD_NETLINK,
			  .watch_fd = -1,
			  .channel_fd = channel_fd,
			  .learn_fd = guardian->learn_fds[0],
			  .alive_ms = guardian->settings->alive_ms,
			  .owned = guardian->settings->table_is_owned,
			  .cap_count = guardian->settings->cap_count },
		.guardian_pid = guardian_pid,
		.title = guardian->title,
	};
	struct gate_settings *gate = &nursery.gate;
	struct err err = ERR_INIT;

	if (gate_port_id(gate->nl_fd, &gate->nl_port_id, &err))
		return 1;
	/* A socket belongs to the namespace in which it was opened: the watching one, and those that are made for the warden. */
	if ((!gate->owned || guardian->settings->has_names) && setns(WARDEN_FD_NETNS, CLONE_NEWNET) < 0)
		return 1;
	/* Of an owned table nobody else can change anything. */
	if (!gate->owned) {
		gate->watch_fd = nft_open(&err);
		if (gate->watch_fd < 0 || ruleset_watch(gate->watch_fd, &err))
			return 1;
	}
	return nursery_main(&nursery);
}

int guardian_start_gate(struct guardian *guardian, struct err *err)
{
	pid_t guardian_pid = getpid();
	int ends[2];

	if (guardian->settings->has_names && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, guardian->learn_fds) < 0)
		return err_set_errno(err, errno, "gate: the warden's channel");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, errno, "gate: channel");
	guardian->nursery_pid = fork();
	if (guardian->nursery_pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set_errno(err, errno, "gate: fork");
	}
	if (guardian->nursery_pid == 0)
		_exit(become_nursery(guardian, ends[1], guardian_pid));
	close(ends[1]);
	guardian->channel_fd = ends[0];
	return 0;
}

/* 0, or the errno of a channel that has ended. A gate that is too slow to read is no end: it misses a beat. */
static int send_beat(struct guardian *guardian, bool is_last, bool only_counts)
{
	struct gate_message beat = { .word = GATE_BEAT, .cut_at_bytes = guardian->cut_at_bytes, .is_closed = guardian->is_halted,
				     .is_last = is_last, .only_counts = only_counts };

	memcpy(beat.cap_cuts, guardian->cap_cuts, sizeof(beat.cap_cuts));

	if (send(guardian->channel_fd, &beat, sizeof(beat), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(beat))
		return 0;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR ? 0 : errno;
}

/* 1 and a message; 0 when none has come; -1 at the channel's end, or for what no gate says. */
static int take_message(struct guardian *guardian, int wait_ms, struct gate_message *message)
{
	struct pollfd end = { .fd = guardian->channel_fd, .events = POLLIN };
	ssize_t got;

	if (wait_ms && poll(&end, 1, wait_ms) <= 0)
		return 0;
	got = recv(guardian->channel_fd, message, sizeof(*message), MSG_DONTWAIT | MSG_TRUNC);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	return got == (ssize_t)sizeof(*message) ? 1 : -1;
}

/* Until its counters come; what the nursery says before is heard. */
static int take_first_answer(struct guardian *guardian, struct gate_message *message)
{
	uint64_t end_ms = guardian_now_ms() + FIRST_ANSWER_MS, now_ms;
	int r = 1;

	while (r == 1 && (now_ms = guardian_now_ms()) < end_ms) {
		r = take_message(guardian, (int)(end_ms - now_ms), message);
		if (r != 1 || message->word != GATE_STARTED)
			return r;
		guardian->gate_pid = message->pid;
	}
	return 0;
}

int guardian_first_beat(struct guardian *guardian, struct err *err)
{
	struct gate_message message = { 0 };

	if (send_beat(guardian, false, false) || take_first_answer(guardian, &message) != 1 || message.word == GATE_ENDED)
		return err_set(err, EPIPE, "the gate could not start");
	if (message.word != GATE_COUNTERS || message.error)
		return err_set_errno(err, message.word == GATE_COUNTERS ? message.error : EPROTO, "the gate cannot renew the table");
	return 0;
}

/* Its number is nobody's from then on, and soon another's. A gate that is there goes on: only it can't be replaced. */
void guardian_reap_nursery(struct guardian *guardian)
{
	int status;

	if (guardian->nursery_pid <= 0 || waitpid(guardian->nursery_pid, &status, WNOHANG) != guardian->nursery_pid)
		return;
	guardian->nursery_pid = 0;
	if (!guardian->is_first_gone)
		guardian_audit(guardian, "warden.lost", "\"helper\":\"nursery\"");
}

static void say_lost(struct guardian *guardian)
{
	guardian_change_answered(guardian, CHANGE_GATE, EPIPE);
	guardian->gate_pid = 0;
	if (!guardian->gate_lost)
		guardian_audit(guardian, "warden.lost", "\"helper\":\"gate\"");
	guardian->gate_lost = true;
}

/* Nobody holds its other end: neither gate nor nursery is left. */
static void lose_channel(struct guardian *guardian)
{
	close(guardian->channel_fd);
	guardian->channel_fd = -1;
	say_lost(guardian);
	guardian_reap_nursery(guardian);
}

static void table_changed(struct guardian *guardian, uint64_t now_ms)
{
	guardian_end(guardian, "killed: table changed", false, now_ms);
	guardian_audit(guardian, "table.changed", "\"action\":\"kill\"");
}

/* At which count of this table's the whole budget is used up, by what is known of the others. */
static uint64_t cut_of(const struct budget *budget)
{
	uint64_t left = budget->limit > budget->before ? budget->limit - budget->before : 0, cut;

	if (__builtin_add_overflow(left, budget->forgotten, &cut))
		return UINT64_MAX;
	return cut ? cut : 1;
}

/* Of another quota than the one that was asked for, that it is used up says nothing. What was too much for one, of which a little
 * is left, has spent it: for the next run, too, and for all who share it. (With a period it comes back by itself.) */
static void count_caps(struct guardian *guardian, const struct gate_message *message)
{
	for (size_t i = 0; i < guardian->settings->cap_count; i++) {
		bool is_spent = message->caps.spent >> i & 1 && message->cap_cuts[i] == guardian->cap_cuts[i];
		uint64_t cut = cut_of(&guardian->caps[i]), bytes = message->caps.bytes[i];

		if (is_spent && bytes < cut && !guardian->settings->reset_period_ms)
			bytes = cut;
		guardian_count_cap(guardian, i, bytes, is_spent);
	}
}

static void take_counters(struct guardian *guardian, const struct gate_message *message, uint64_t now_ms)
{
	if (message->error == ENOENT || message->error == EPERM) {
		table_changed(guardian, now_ms);
		return;
	}
	if (message->error)
		return;		/* unanswered, and counted as such */
	guardian->unanswered = 0;
	guardian->is_closed = message->is_closed;
	guardian->denied_packets = message->counters.denied_packets;
	if (guardian->gate_lost)
		guardian_audit(guardian, "warden.back", "\"helper\":\"gate\"");
	guardian->gate_lost = false;
	guardian_note_untold(guardian, message->counters.untold_packets, now_ms);
	/* Of another quota than the one that was asked for, that it is used up says nothing. */
	guardian_count_egress(guardian, message->counters.out_bytes,
			      message->counters.egress_is_spent && message->cut_at_bytes == guardian->cut_at_bytes, now_ms);
	count_caps(guardian, message);
}

static void place_cuts(struct guardian *guardian)
{
	if (!guardian_must_share(guardian))
		return;
	guardian->cut_at_bytes = cut_of(&guardian->budgets[BUDGET_EGRESS]);
	for (size_t i = 0; i < guardian->settings->cap_count; i++)
		guardian->cap_cuts[i] = cut_of(&guardian->caps[i]);
}

/* Its first answer says that it is back. */
static void hail_gate(struct guardian *guardian, pid_t pid, uint64_t now_ms)
{
	guardian->gate_pid = pid;
	guardian->beat_ms = now_ms;
}

int guardian_open_ranges(struct guardian *guardian, const struct control_change *order)
{
	struct gate_open open = { .word = GATE_OPEN, .count = order->count };

	if (guardian->channel_fd < 0)
		return guardian->settings->has_table ? EPIPE : ENOENT;
	memcpy(open.opened, order->opened, sizeof(open.opened));
	if (send(guardian->channel_fd, &open, sizeof(open), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(open))
		return 0;
	return errno;
}

void guardian_hear_gate(struct guardian *guardian, uint64_t now_ms)
{
	struct gate_message message;
	int r = 1;

	while (guardian->channel_fd >= 0 && (r = take_message(guardian, 0, &message)) == 1) {
		if (message.word == GATE_COUNTERS)
			take_counters(guardian, &message, now_ms);
		else if (message.word == GATE_OPENED)
			guardian_change_answered(guardian, CHANGE_GATE, message.error);
		else if (message.word == GATE_CHANGED)
			table_changed(guardian, now_ms);
		else if (message.word == GATE_ENDED)
			say_lost(guardian);
		else if (message.word == GATE_STARTED)
			hail_gate(guardian, message.pid, now_ms);
		else
			r = -1;
		if (r < 0)
			break;
	}
	if (r < 0)
		lose_channel(guardian);
}

static bool is_close(const struct budget *budget)
{
	return budget->mark >= 80 && budget->mark < 100;
}

static uint64_t beat_wait_ms(const struct guardian *guardian)
{
	bool is_near = is_close(&guardian->budgets[BUDGET_EGRESS]);

	for (size_t i = 0; i < guardian->settings->cap_count; i++)
		is_near = is_near || is_close(&guardian->caps[i]);
	if (!guardian_must_share(guardian))
		return BEAT_MS;
	return guardian->settings->is_shared && is_near && !guardian->unanswered ? BEAT_CLOSE_MS : BEAT_SHARED_MS;
}

void guardian_beat(struct guardian *guardian, uint64_t now_ms)
{
	guardian->beat_ms = now_ms + beat_wait_ms(guardian);
	if (guardian->channel_fd < 0)
		return;
	place_cuts(guardian);
	if (send_beat(guardian, false, false)) {
		lose_channel(guardian);
		return;
	}
	if (++guardian->unanswered <= UNANSWERED_MOST || guardian->gate_lost)
		return;
	guardian->gate_lost = true;
	guardian_audit(guardian, "warden.lost", "\"helper\":\"gate\",\"answers\":false");
}

void guardian_last_count(struct guardian *guardian, uint64_t now_ms)
{
	struct gate_message message;

	if (guardian->channel_fd < 0 || send_beat(guardian, guardian->settings->record_connections, true))
		return;
	while (take_message(guardian, LAST_ANSWER_MS, &message) == 1)
		if (message.word == GATE_COUNTERS && !message.error) {
			guardian_count_egress(guardian, message.counters.out_bytes, message.counters.egress_is_spent, now_ms);
			count_caps(guardian, &message);
			guardian_hear_last(guardian);
			return;
		}
}
