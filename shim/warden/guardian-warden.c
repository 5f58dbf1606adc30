/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guardian's side of the warden: starts its cradle, waits until the first one is locked down, writes down what it says, and
 * when one is lost and the next one there. Until then names are dead, what was learnt ages, and nothing opens. What it says may
 * have been said by code that took it over: only names and numbers are read in it, and only as such.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/warden/guardian.h"
#include "shim/warden/warden.h"

#define READY_MS 3000
#define ONCE_MOST 16
#define LAST_MS 100
#define LAST_ROUNDS 64

static int become_warden(const struct guardian *guardian, int events_fd)
{
	const struct warden_start start = {
		.settings = guardian->settings, .names_fd = WARDEN_FD_NAMES, .netns_fd = WARDEN_FD_NETNS,
		.state_fd = WARDEN_FD_STATE, .events_fd = events_fd, .learn_fd = guardian->learn_fds[1],
		.title = guardian->title,
	};

	return warden_main(&start);
}

int guardian_start_warden(struct guardian *guardian, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, errno, "warden: channel");
	guardian->cradle_pid = fork();
	if (guardian->cradle_pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set_errno(err, errno, "warden: fork");
	}
	if (guardian->cradle_pid == 0)
		_exit(become_warden(guardian, ends[1]));
	close(ends[1]);
	guardian->warden_fd = ends[0];
	for (size_t i = 0; i < ARRAY_SIZE(guardian->learn_fds); i++)
		close(steal_fd(&guardian->learn_fds[i]));
	return 0;
}

/* 1 and an event whose text has an end; 0 when none has come; -1 at the channel's end, or for what no warden says. */
static int take_event(struct guardian *guardian, struct warden_event *event)
{
	ssize_t got = recv(guardian->warden_fd, event, sizeof(*event), MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (got != (ssize_t)sizeof(*event) || !memchr(event->text, '\0', sizeof(event->text)) ||
	    event->address_count > WARDEN_EVENT_ADDRESSES)
		return -1;
	return event->reason < (event->word == WARDEN_SAYS_DENIED ? (uint32_t)DENIED_REASONS : (uint32_t)REFUSED_REASONS) ? 1 : -1;
}

int guardian_wait_warden(struct guardian *guardian, struct err *err)
{
	struct pollfd end = { .fd = guardian->warden_fd, .events = POLLIN };
	struct warden_event event;

	if (poll(&end, 1, READY_MS) != 1 || take_event(guardian, &event) != 1)
		return err_set(err, EPIPE, "the warden could not start");
	if (event.word != WARDEN_SAYS_READY)
		return err_set(err, ECHILD, "%s", event.text);
	guardian->warden_pid = event.pid;
	guardian_greet_warden(guardian);
	return 0;
}

void guardian_reap_warden(struct guardian *guardian)
{
	int status;

	if (guardian->cradle_pid > 0 && waitpid(guardian->cradle_pid, &status, WNOHANG) == guardian->cradle_pid)
		guardian->cradle_pid = 0;
}

static void say_lost(struct guardian *guardian)
{
	guardian->warden_pid = 0;
	guardian_warden_done(guardian, guardian->change.number, 0);	/* the next one gets the rules before it serves anybody */
	if (!guardian->warden_lost && !guardian->is_first_gone)
		guardian_audit(guardian, "warden.lost", "\"helper\":\"warden\"");
	guardian->warden_lost = true;
}

static void say_back(struct guardian *guardian, pid_t pid)
{
	guardian->warden_pid = pid;
	guardian_greet_warden(guardian);
	if (guardian->warden_lost)
		guardian_audit(guardian, "warden.back", "\"helper\":\"warden\"");
	guardian->warden_lost = false;
}

/* For good: neither warden nor cradle is left, or what was said is what neither says. */
static void lose_channel(struct guardian *guardian)
{
	close(steal_fd(&guardian->warden_fd));
	say_lost(guardian);
	guardian_reap_warden(guardian);
}

/* The warden sends normalized names; anything else isn't one. */
bool guardian_is_name(const char *text)
{
	char name[NAME_SIZE];

	return !name_normalize(text, name) && !strcmp(name, text);
}

static void print_type(struct buf *members, uint16_t type)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = { { 1, "A" }, { 2, "NS" }, { 5, "CNAME" }, { 6, "SOA" }, { 12, "PTR" }, { 15, "MX" }, { 16, "TXT" }, { 28, "AAAA" },
		      { 33, "SRV" }, { 64, "SVCB" }, { 65, "HTTPS" }, { 255, "ANY" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].type == type) {
			buf_printf(members, ",\"type\":\"%s\"", names[i].name);
			return;
		}
	buf_printf(members, ",\"type\":\"TYPE%u\"", type);
}

static const char *const reasons[] = {
	[REFUSED_NAME] = "no entry allows it",
	[REFUSED_NO_NAME] = "not a host name",
	[REFUSED_RATE] = "egress.dns.names_per_minute",
	[REFUSED_ADDRESS] = "leads to an address that is not allowed",
	[REFUSED_ALIAS] = "an alias of what is denied",
	[REFUSED_PORT] = "no entry allows it on this port",
	[REFUSED_PROTOCOL] = "no entry allows it by this protocol on this port",
	[REFUSED_OTHER] = "the name was not looked up at this address",
	[REFUSED_NAMELESS] = "says no host name",
	[REFUSED_NONSENSE] = "says what is neither TLS nor HTTP, or could be read in two ways",
	[REFUSED_SILENT] = "said no name in time",
	[REFUSED_FULL] = "too many connections at a time",
	[REFUSED_COUNTED] = "another cap (egress.caps) counts this name than the connection",
};

static void write_refused(struct guardian *guardian, const struct warden_event *event)
{
	char memory[1024];
	struct buf members = buf_fixed(memory, sizeof(memory));
	bool has_name = guardian_is_name(event->text), is_sum = !event->text[0] && event->repeated && !event->type;

	guardian->refused_names += event->repeated + 1;
	if (is_sum) {
		buf_printf(&members, "\"repeated\":%llu", (unsigned long long)event->repeated + 1);
	} else {
		buf_printf(&members, "\"reason\":\"%s\"", reasons[event->reason]);
		print_type(&members, event->type);
		if (has_name)
			buf_printf(&members, ",\"name\":\"%s\"", event->text);
		if (event->repeated)
			buf_printf(&members, ",\"repeated\":%llu", (unsigned long long)event->repeated + 1);
	}
	guardian_refused(guardian, "dns.refuse", members.data);
}

static void write_disconnected(struct guardian *guardian, const struct warden_event *event)
{
	char memory[1024];
	struct buf members = buf_fixed(memory, sizeof(memory));

	buf_printf(&members, "\"reason\":\"%s\"", reasons[event->reason]);
	if (event->text[0] && guardian_is_name(event->text))
		buf_printf(&members, ",\"name\":\"%s\"", event->text);
	if (event->address_count) {
		buf_puts(&members, ",\"address\":\"");
		address_print(&members, &event->addresses[0]);
		buf_printf(&members, "\",\"port\":%u,\"protocol\":\"tcp\"", event->port);
	}
	if (event->repeated)
		buf_printf(&members, ",\"repeated\":%llu", (unsigned long long)event->repeated + 1);
	guardian_refused(guardian, "connect.refuse", members.data);
}

static void write_answered(struct guardian *guardian, const struct warden_event *event)
{
	char memory[1024];
	struct buf members = buf_fixed(memory, sizeof(memory));

	if (!guardian_is_name(event->text))
		return;
	buf_printf(&members, "\"name\":\"%s\"", event->text);
	print_type(&members, event->type);
	buf_puts(&members, ",\"addresses\":[");
	for (size_t i = 0; i < event->address_count; i++) {
		buf_puts(&members, i ? ",\"" : "\"");
		address_print(&members, &event->addresses[i]);
		buf_putc(&members, '"');
	}
	buf_putc(&members, ']');
	guardian_audit(guardian, "dns.answer", members.data);
}

/* A few at a time: who floods must not keep the guardian from its budgets. */
void guardian_hear_warden(struct guardian *guardian)
{
	struct warden_event event;
	int r = 1;

	for (int taken = 0; taken < ONCE_MOST && (r = take_event(guardian, &event)) == 1; taken++) {
		if (event.word == WARDEN_SAYS_REFUSED)
			write_refused(guardian, &event);
		else if (event.word == WARDEN_SAYS_ANSWERED)
			write_answered(guardian, &event);
		else if (event.word == WARDEN_SAYS_DENIED)
			guardian_write_denied(guardian, &event);
		else if (event.word == WARDEN_SAYS_DISCONNECTED)
			write_disconnected(guardian, &event);
		else if (event.word == WARDEN_SAYS_OPENED || event.word == WARDEN_SAYS_CLOSED)
			guardian_write_connection(guardian, &event);
		else if (event.word == WARDEN_SAYS_READY)
			say_back(guardian, event.pid);
		else if (event.word == WARDEN_SAYS_DONE)
			guardian_warden_done(guardian, event.repeated, event.entry);
		else if (event.word == WARDEN_SAYS_ENDED || event.word == WARDEN_SAYS_FAILED)
			say_lost(guardian);
		else
			r = -1;
		if (r < 0)
			break;
	}
	if (r < 0)
		lose_channel(guardian);
}

void guardian_hear_last(struct guardian *guardian)
{
	for (int round = 0; round < LAST_ROUNDS && guardian->settings->record_connections && guardian->warden_fd >= 0; round++) {
		struct pollfd end = { .fd = guardian->warden_fd, .events = POLLIN };

		if (poll(&end, 1, LAST_MS) <= 0)
			return;
		guardian_hear_warden(guardian);
	}
}
