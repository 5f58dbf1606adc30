/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other rules while the container runs: an administrator's order, step by step. First the warden gets the new names, then the gate
 * what the table is to hold; if the table can't be changed, the warden gets its old names back. Last, what was told of names is
 * learnt anew, for as long as it holds by the new ones. A helper that is lost meanwhile does not undo it: a new warden gets the
 * names that hold before it serves anybody. Waits for nobody, and one change at a time.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/base/beside.h"
#include "shim/base/cleanup.h"
#include "shim/warden/guardian.h"
#include "shim/warden/warden-event.h"

static bool has_warden(const struct guardian *guardian)
{
	return guardian->warden_fd >= 0 && guardian->warden_pid > 0;
}

/* False when it could not be said. */
static bool tell_warden(struct guardian *guardian, enum warden_order_word word, int fd)
{
	struct warden_order order = { .word = word, .pid = (int32_t)guardian->warden_pid, .number = ++guardian->change.number };

	return beside_send(guardian->warden_fd, &order, sizeof(order), fd, MSG_DONTWAIT);
}

void guardian_greet_warden(struct guardian *guardian)
{
	tell_warden(guardian, guardian->names_are_given ? WARDEN_RULES : WARDEN_GO, guardian->names_are_given ? guardian->names_fd : -1);
}

static void finish(struct guardian *guardian, int error)
{
	struct err ignored = ERR_INIT;

	cleanup_close_at(&guardian->change.names_fd);
	if (guardian->settings->record_connections && guardian->names_fd >= 0)
		guardian_map_entries(guardian, guardian->names_fd, &ignored);
	guardian->change.is_on = guardian->change.waits = false;
	guardian_answer_change(guardian, error);
}

/* Nothing of it is in force: the warden, too, goes on by what it had. */
static void undo(struct guardian *guardian, int error)
{
	struct change *change = &guardian->change;

	if (change->names_fd >= 0) {
		close(guardian->names_fd);
		guardian->names_fd = steal_fd(&change->names_fd);
		if (has_warden(guardian))
			tell_warden(guardian, WARDEN_RULES, guardian->names_fd);
	}
	finish(guardian, error);
}

/* Begins the step; 0, or a positive errno. Where there is nothing to do or nobody to do it, nothing is waited for. */
static int begin_step(struct guardian *guardian)
{
	struct change *change = &guardian->change;
	uint32_t parts = change->order.parts;

	if (change->step == CHANGE_GATE && (parts & CONTROL_OPENED)) {
		change->waits = true;
		return guardian_open_ranges(guardian, &change->order);
	}
	if (change->step == CHANGE_GATE || !(parts & CONTROL_NAMES) || !has_warden(guardian))
		return 0;
	change->waits = true;
	if (change->step == CHANGE_RULES)
		return tell_warden(guardian, WARDEN_RULES, guardian->names_fd) ? 0 : EPIPE;
	return tell_warden(guardian, WARDEN_LEARN, -1) ? 0 : EPIPE;
}

static void go_on(struct guardian *guardian)
{
	struct change *change = &guardian->change;
	int error;

	while (change->is_on && !change->waits) {
		if (change->step == CHANGE_DONE) {
			finish(guardian, 0);
			return;
		}
		error = begin_step(guardian);
		if (error && change->step < CHANGE_LEARN) {
			undo(guardian, error);
			return;
		}
		if (error || !change->waits) {
			change->waits = false;
			change->step++;
		}
	}
}

void guardian_change_answered(struct guardian *guardian, enum change_step step, int error)
{
	struct change *change = &guardian->change;

	if (!change->is_on || !change->waits || change->step != step)
		return;
	change->waits = false;
	if (error && step < CHANGE_LEARN) {
		undo(guardian, error);
		return;
	}
	change->step++;
	go_on(guardian);
}

void guardian_warden_done(struct guardian *guardian, uint32_t number, int error)
{
	if (number != guardian->change.number || guardian->change.step == CHANGE_GATE)
		return;
	guardian_change_answered(guardian, guardian->change.step, error);
}

void guardian_abandon_change(struct guardian *guardian)
{
	if (guardian->change.step == CHANGE_LEARN)
		finish(guardian, 0);
	else
		undo(guardian, ETIMEDOUT);
}

static int check(const struct guardian *guardian, const struct control_change *order, int names_fd)
{
	if (((order->parts & CONTROL_NAMES) != 0) != (names_fd >= 0))
		return EINVAL;
	if ((order->parts & CONTROL_NAMES) && (guardian->names_fd < 0 || guardian->warden_fd < 0))
		return guardian->names_fd < 0 ? EOPNOTSUPP : EPIPE;
	return (order->parts & CONTROL_OPENED) && guardian->channel_fd < 0 ? EPIPE : 0;
}

int guardian_begin_change(struct guardian *guardian, const struct control_change *order, int names_fd)
{
	struct change *change = &guardian->change;
	int error = check(guardian, order, names_fd);

	if (error) {
		if (names_fd >= 0)
			close(names_fd);
		return error;
	}
	change->order = *order;
	change->is_on = true;
	change->waits = false;
	change->step = CHANGE_RULES;
	if (names_fd >= 0) {
		change->names_fd = guardian->names_fd;
		guardian->names_fd = names_fd;
		guardian->names_are_given = true;
	}
	go_on(guardian);
	return 0;
}
