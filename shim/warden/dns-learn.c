/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the gate is asked for, and waited for. Set before answer: what an allowed name leads to is in the kernel's set before
 * the container hears of it; without the gate's word there is no answer. And sockets, for connections that said their name.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "shim/base/beside.h"
#include "shim/base/cleanup.h"
#include "shim/warden/gate.h"
#include "shim/warden/warden.h"

#define GATE_MS 1000

/* 0, or the errno of the gate. An answer that came too late for its own question is passed over. */
static int ask_gate(struct warden *warden, struct gate_learn *question, int *made)
{
	struct pollfd end = { .fd = warden->learn_fd, .events = POLLIN };

	question->number = ++warden->learn_number;
	if (send(warden->learn_fd, question, sizeof(*question), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*question))
		return EPIPE;
	for (;;) {
		struct gate_learnt answer;
		cleanup_close int fd = -1;

		if (poll(&end, 1, GATE_MS) != 1)
			return ETIMEDOUT;
		if (beside_receive(warden->learn_fd, &answer, sizeof(answer), &fd, MSG_DONTWAIT) != (ssize_t)sizeof(answer))
			return EPIPE;
		if (answer.number != question->number)
			continue;
		if (made && fd < 0 && !answer.error)
			return EPROTO;
		if (made && !answer.error)
			*made = steal_fd(&fd);
		return answer.error;
	}
}

uint64_t warden_boot_ms(void)
{
	struct timespec time = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

bool learning_add(const struct warden *warden, const struct name_found *found, const struct address *address, struct learning *learning)
{
	struct name_opening openings[RULESET_LEARN_MAX];
	size_t count = name_rules_open(warden->rules, found, address, openings, RULESET_LEARN_MAX - learning->count);

	for (size_t i = 0; i < count; i++) {
		struct ruleset_opening *opening = &learning->openings[learning->count];
		const struct name_place place = { address, openings[i].protocol, openings[i].port };
		bool is_turned = !(openings[i].ways & NAME_BARE);

		*opening = (struct ruleset_opening){ address->family, openings[i].protocol, openings[i].port, { 0 },
						     is_turned, is_turned ? 0 : name_rules_caps(warden->rules, learning->name, &place) };
		memcpy(opening->address, address->bytes, sizeof(opening->address));
		learning->until_ms[learning->count++] = openings[i].until_ms;
	}
	return count || warden->settings->observes;
}

/* Those that last, or those that end, as soon as the first of them does. */
static int learn_part(struct warden *warden, const struct learning *learning, bool ends, uint64_t most_ms)
{
	struct gate_learn question = { .wish = GATE_LEARN };
	uint64_t lifetime_ms = most_ms, boot_ms = warden_boot_ms();

	for (size_t i = 0; i < learning->count; i++) {
		uint64_t until_ms = learning->until_ms[i];

		if (ends != (until_ms != 0) || (ends && until_ms <= boot_ms))
			continue;
		if (ends && until_ms - boot_ms < lifetime_ms)
			lifetime_ms = until_ms - boot_ms;
		question.openings[question.count++] = learning->openings[i];
	}
	question.lifetime_ms = (uint32_t)lifetime_ms;
	return question.count ? ask_gate(warden, &question, NULL) : 0;
}

int warden_learn(struct warden *warden, const struct learning *learning, uint64_t most_ms)
{
	int r = learn_part(warden, learning, false, most_ms);

	return r ? r : learn_part(warden, learning, true, most_ms);
}

int warden_make_socket(struct warden *warden, uint8_t family, uint32_t caps, int *made)
{
	struct gate_learn question = { .wish = GATE_SOCKET };

	question.openings[0].family = family;
	question.openings[0].caps = caps;
	return ask_gate(warden, &question, made);
}
