/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was refused the container, written down twice: in the audit trail, and for itself in denied.jsonl. That is a ring of
 * lines of one length, each written by one write: who reads never sees half a line. Must never write what it can't name: of
 * what the warden says only numbers, addresses and names are taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/policy/name-rules.h"
#include "shim/warden/guardian.h"
#include "shim/warden/warden-event.h"

#define LINES 256u
#define LINE_BYTES 640u		/* the longest name, address and reason fit */
#define SUM_EACH_MS 60000u

/* A container that can't be told goes on: what it is told is no control. */
static void tell_line(struct guardian *guardian, const char *event, const char *members)
{
	off_t at = (off_t)(guardian->denied_lines % LINES) * LINE_BYTES;
	char memory[LINE_BYTES], when[32];
	struct buf line = buf_fixed(memory, sizeof(memory));
	struct timespec now = { 0 };
	struct tm tm;

	if (guardian->denied_fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm) || !strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return;
	buf_printf(&line, "{\"n\":%u,\"time\":\"%s\",\"event\":\"%s\",%s}", guardian->denied_lines + 1, when, event, members);
	if (line.is_cut)
		return;
	memset(memory + line.len, ' ', LINE_BYTES - line.len);
	memory[LINE_BYTES - 1] = '\n';
	if (pwrite(guardian->denied_fd, memory, LINE_BYTES, at) == (ssize_t)LINE_BYTES)
		guardian->denied_lines++;
}

void guardian_refused(struct guardian *guardian, const char *event, const char *members)
{
	char memory[1200];
	struct buf observed = buf_fixed(memory, sizeof(memory));

	if (!guardian->settings->observes)
		tell_line(guardian, event, members);
	if (!guardian->settings->record_refusals)
		return;
	buf_printf(&observed, "%s%s", members, guardian->settings->observes ? ",\"observed\":true" : "");
	guardian_audit(guardian, event, observed.data);
}

int guardian_open_denied(struct guardian *guardian, int state_fd, struct err *err)
{
	guardian->denied_fd = openat(state_fd, "told/denied.jsonl", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (guardian->denied_fd < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "told/denied.jsonl");
	return 0;
}

static void put_protocol(struct buf *members, uint8_t protocol)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = { { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_ICMP, "icmp" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == protocol) {
			buf_printf(members, ",\"protocol\":\"%s\"", names[i].name);
			return;
		}
	buf_printf(members, ",\"protocol\":\"%u\"", protocol);
}

/* What the warden names of it is a number: the text is the profile's own. */
int guardian_map_entries(struct guardian *guardian, int names_fd, struct err *err)
{
	const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	const struct name_rules *entries;
	struct stat st;
	void *memory;

	if ((fcntl(names_fd, F_GET_SEALS) & wanted) != wanted || fstat(names_fd, &st) < 0 || st.st_size <= 0)
		return err_set(err, EINVAL, "the profile's entries are missing");
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, names_fd, 0);
	if (memory == MAP_FAILED)
		return err_set_errno(err, errno, "the profile's entries");
	entries = name_rules_check(memory, (size_t)st.st_size);
	if (!entries) {
		munmap(memory, (size_t)st.st_size);
		return err_set(err, EINVAL, "the profile's entries are not whole");
	}
	if (guardian->entries)
		munmap((void *)(uintptr_t)guardian->entries, guardian->entries->size);
	guardian->entries = entries;
	return 0;
}

static void put_place(struct buf *members, const struct warden_event *event)
{
	buf_puts(members, "\"address\":\"");
	address_print(members, &event->addresses[0]);
	buf_putc(members, '"');
	if (event->has_port)
		buf_printf(members, ",\"port\":%u", event->port);
	put_protocol(members, event->protocol);
	if (guardian_is_name(event->text))
		buf_printf(members, ",\"name\":\"%s\"", event->text);
}

void guardian_write_connection(struct guardian *guardian, const struct warden_event *event)
{
	const char *entry = guardian->entries ? name_rules_text(guardian->entries, event->entry) : NULL;
	bool is_open = event->word == WARDEN_SAYS_OPENED;
	char memory[1500];
	struct buf members = buf_fixed(memory, sizeof(memory));

	if (event->address_count) {
		put_place(&members, event);
		if (entry) {
			buf_puts(&members, ",\"entry\":");
			buf_put_json(&members, entry);
		}
	} else {
		buf_printf(&members, "\"repeated\":%llu", (unsigned long long)event->repeated + 1);
	}
	if (is_open) {
		guardian_audit(guardian, "connect.open", members.data);
		return;
	}
	buf_printf(&members, ",\"out_bytes\":%llu,\"in_bytes\":%llu,\"ms\":%llu", (unsigned long long)event->out_bytes,
		   (unsigned long long)event->in_bytes, (unsigned long long)event->lasted_ms);
	guardian_audit(guardian, "connect.close", members.data);
}

static void write_sum(struct guardian *guardian, uint64_t count)
{
	char members[64];

	snprintf(members, sizeof(members), "\"repeated\":%llu", (unsigned long long)count);
	guardian_refused(guardian, "connect.refuse", members);
}

void guardian_write_denied(struct guardian *guardian, const struct warden_event *event)
{
	static const char *const reasons[DENIED_REASONS] = {
		[DENIED_UNLISTED] = "no entry allows it",
		[DENIED_RULE] = "egress.deny",
		[DENIED_NEVER] = "never reachable, but by an entry of exactly that address",
		[DENIED_ROUTE] = "carries IP options or a route",
		[DENIED_SPENT] = "budgets.egress is spent",
		[DENIED_LAPSED] = "nobody renews the rules",
		[DENIED_OWN] = "the warden's own",
		[DENIED_CAP] = "egress.caps is spent",
		[DENIED_OTHER_PORTS] = "the name is allowed, on other ports",
		[DENIED_AGED] = "the name is allowed, and must be asked for again",
	};
	char memory[1024];
	struct buf members = buf_fixed(memory, sizeof(memory));

	if (!event->address_count) {
		write_sum(guardian, (uint64_t)event->repeated + 1);
		return;
	}
	buf_printf(&members, "\"reason\":\"%s\",", reasons[event->reason]);
	put_place(&members, event);
	if (event->reason == DENIED_CAP && event->entry >= 0 && (uint32_t)event->entry < guardian->settings->cap_count) {
		buf_puts(&members, ",\"cap\":");
		buf_put_json(&members, guardian->settings->caps[event->entry].text);
	}
	if (event->repeated)
		buf_printf(&members, ",\"repeated\":%llu", (unsigned long long)event->repeated + 1);
	guardian_refused(guardian, "connect.refuse", members.data);
}

/* Refused in a flood, beyond what the kernel tells one by one. */
void guardian_note_untold(struct guardian *guardian, uint64_t packets, uint64_t now_ms)
{
	if (packets <= guardian->untold || now_ms < guardian->untold_ms)
		return;
	write_sum(guardian, packets - guardian->untold);
	guardian->untold = packets;
	guardian->untold_ms = now_ms + SUM_EACH_MS;
}
