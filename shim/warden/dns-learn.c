/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the gate is asked for, and waited for. Set before answer: what an allowed name leads to is in the kernel's set before
 * the container hears of it; without the gate's word there is no answer. And sockets, for connections that said their name.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/base/cleanup.h"
#include "shim/warden/gate.h"
#include "shim/warden/warden.h"

#define GATE_MS 1000

/* -1 when the answer brought no descriptor. */
static int take_descriptor(struct msghdr *message)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

/* 0, or the errno of the gate. An answer that came too late for its own question is passed over. */
static int ask_gate(struct warden *warden, struct gate_learn *question, int *made)
{
	struct pollfd end = { .fd = warden->learn_fd, .events = POLLIN };

	question->number = ++warden->learn_number;
	if (send(warden->learn_fd, question, sizeof(*question), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*question))
		return EPIPE;
	for (;;) {
		struct gate_learnt answer;
		struct iovec part = { &answer, sizeof(answer) };
		union {
			struct cmsghdr head;
			char room[CMSG_SPACE(sizeof(int))];
		} beside;
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof(beside) };
		cleanup_close int fd = -1;

		if (poll(&end, 1, GATE_MS) != 1)
			return ETIMEDOUT;
		if (recvmsg(warden->learn_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(answer))
			return EPIPE;
		fd = take_descriptor(&message);
		if (answer.number != question->number)
			continue;
		if (made && fd < 0 && !answer.error)
			return EPROTO;
		if (made && !answer.error)
			*made = steal_fd(&fd);
		return answer.error;
	}
}

int warden_learn(struct warden *warden, const struct ruleset_opening *openings, size_t count)
{
	struct gate_learn question = { .wish = GATE_LEARN, .count = (uint32_t)count, .lifetime_ms = warden->settings->learn_ms };

	memcpy(question.openings, openings, count * sizeof(*openings));
	return ask_gate(warden, &question, NULL);
}

int warden_make_socket(struct warden *warden, uint8_t family, int *made)
{
	struct gate_learn question = { .wish = GATE_SOCKET };

	question.openings[0].family = family;
	return ask_gate(warden, &question, made);
}
