/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Set before answer: what an allowed name leads to is in the kernel's set before the container hears of it. The gate is
 * asked and waited for; without its word there is no answer.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "shim/warden/gate.h"
#include "shim/warden/warden.h"

#define GATE_MS 1000

int warden_learn(struct warden *warden, const struct ruleset_opening *openings, size_t count)
{
	struct gate_learn message = { ++warden->learn_number, (uint32_t)count, warden->settings->learn_ms, { { 0 } } };
	struct pollfd end = { .fd = warden->learn_fd, .events = POLLIN };
	struct gate_learnt answer;
	ssize_t got;

	memcpy(message.openings, openings, count * sizeof(*openings));
	if (send(warden->learn_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(message))
		return EPIPE;
	for (;;) {
		if (poll(&end, 1, GATE_MS) != 1)
			return ETIMEDOUT;
		got = recv(warden->learn_fd, &answer, sizeof(answer), MSG_DONTWAIT);
		if (got != (ssize_t)sizeof(answer))
			return EPIPE;
		if (answer.number == message.number)	/* an older one came too late for its own query */
			return answer.error;
	}
}
