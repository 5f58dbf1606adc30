/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the container reads of its budgets: the head of limits.json, rewritten in place by one write of fixed length. Only
 * written, never read: nothing that the container could do to the file reaches the guardian.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/warden/guardian.h"

static void put_amount(struct buf *buf, const char *name, uint64_t amount, uint64_t unit)
{
	if (amount == BUDGET_UNLIMITED)
		buf_printf(buf, "\"%s\":\"unlimited\"", name);
	else
		buf_printf(buf, "\"%s\":%llu", name, (unsigned long long)(amount / unit));
}

static void put_budget(struct buf *buf, const struct budget *budget, const char *name, uint64_t unit)
{
	buf_printf(buf, "\"%s\":{", name);
	put_amount(buf, "limit", budget->limit, unit);
	buf_puts(buf, ",");
	put_amount(buf, "left", budget_left(budget), unit);
	buf_puts(buf, "}");
}

static void put_warnings(struct buf *buf, const struct guardian *guardian)
{
	const char *comma = "";

	for (size_t i = 0; i < BUDGETS; i++) {
		const struct budget *budget = &guardian->budgets[i];

		if (!budget->mark)
			continue;
		if (budget->mark < 100)
			buf_printf(buf, "%s\"%s %u%%\"", comma, budget->name, budget->mark);
		else
			buf_printf(buf, "%s\"%s spent\"", comma, budget->name);
		comma = ",";
	}
}

/* As many as there is room for, in the table's order: the smaller first. */
static void put_caps(struct buf *buf, const struct guardian *guardian)
{
	const struct warden_settings *settings = guardian->settings;

	buf_puts(buf, ",\"caps\":[");
	for (size_t i = 0; i < settings->cap_count; i++) {
		char memory[WARDEN_TOLD_HEAD];
		struct buf cap = buf_fixed(memory, sizeof(memory));

		buf_puts(&cap, i ? ",{\"entry\":" : "{\"entry\":");
		buf_put_json(&cap, settings->caps[i].text);
		buf_puts(&cap, ",");
		put_amount(&cap, "limit", guardian->caps[i].limit, 1);
		buf_puts(&cap, ",");
		put_amount(&cap, "left", guardian->caps[i].mark == 100 ? 0 : budget_left(&guardian->caps[i]), 1);
		buf_puts(&cap, "}");
		if (cap.is_cut || buf->len + cap.len + 64 > WARDEN_TOLD_HEAD_CAPS)
			break;
		buf_puts(buf, cap.data);
	}
	buf_puts(buf, "]");
}

void guardian_tell(const struct guardian *guardian)
{
	size_t size = guardian->settings->told_head == WARDEN_TOLD_HEAD_CAPS ? WARDEN_TOLD_HEAD_CAPS : WARDEN_TOLD_HEAD;
	char memory[WARDEN_TOLD_HEAD_CAPS + 1];
	struct buf head = buf_fixed(memory, size + 1);
	struct timespec now = { 0 };

	if (guardian->told_fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	buf_puts(&head, "{\"budgets\":{");
	put_budget(&head, &guardian->budgets[BUDGET_WALL], "wall_ms", 1);
	buf_puts(&head, ",");
	put_budget(&head, &guardian->budgets[BUDGET_CPU], "cpu_ms", 1000);
	buf_puts(&head, ",");
	put_budget(&head, &guardian->budgets[BUDGET_EGRESS], "egress_bytes", 1);
	buf_puts(&head, "},\"warn\":[");
	put_warnings(&head, guardian);
	buf_puts(&head, "]");
	if (guardian->settings->cap_count)
		put_caps(&head, guardian);
	buf_printf(&head, ",\"updated_s\":%lld", (long long)now.tv_sec);
	if (head.is_cut)
		return;
	memset(memory + head.len, ' ', size - head.len);
	/* A container that can't be told goes on: what it is told is no control. */
	if (pwrite(guardian->told_fd, memory, size, 0) < 0)
		return;
}

int guardian_open_told(struct guardian *guardian, int state_fd, struct err *err)
{
	guardian->told_fd = openat(state_fd, "told/limits.json", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (guardian->told_fd < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "told/limits.json");
	guardian_tell(guardian);
	return 0;
}
