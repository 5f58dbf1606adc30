/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl top [--once]: what the containers under quod use now, once a second, until q is pressed. Without a terminal, with
 * --once and with --json one table. What a terminal was set to is put back however this ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/live.h"
#include "shim/ctl/table.h"
#include "shim/proof/proof.h"

#define LOOK_EACH_MS 1000
#define LOOK_ONCE_MS 250	/* between the two looks that a CPU share needs */
#define UNKNOWN UINT64_MAX

struct usage {
	char key[STATE_KEY];
	uint64_t cpu_us, memory, pids;	/* UNKNOWN: this host has no such counter, or it has gone */
};

struct look {
	struct usage *items;
	size_t count;
	uint64_t at_us;
	struct live_list live;
};

struct top {
	struct ctl *ctl;
	struct trail trail;
	struct look now, before;
	bool is_screen;
	struct termios terminal;	/* as it was */
	bool has_terminal;
};

static uint64_t now_us(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t number_of(char *text)
{
	uint64_t value = text && *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : UNKNOWN;

	free(text);
	return value;
}

static uint64_t read_cpu(pid_t pid)
{
	cleanup_free char *stat = proof_cgroup_value(pid, "cpu", "cpu.stat");
	uint64_t ns;

	if (stat && !strncmp(stat, "usage_usec ", 11))
		return strtoull(stat + 11, NULL, 10);
	ns = number_of(proof_cgroup_value(pid, "cpuacct", "cpuacct.usage"));
	return ns == UNKNOWN ? UNKNOWN : ns / 1000;
}

static uint64_t read_memory(pid_t pid)
{
	uint64_t bytes = number_of(proof_cgroup_value(pid, "memory", "memory.current"));

	return bytes != UNKNOWN ? bytes : number_of(proof_cgroup_value(pid, "memory", "memory.usage_in_bytes"));
}

static void look_release(struct look *look)
{
	free(look->items);
	live_release(&look->live);
	*look = (struct look){ NULL, 0, 0, { NULL, 0 } };
}

/* Denials are counted on in the trail; those of a look before are taken over by key. */
static int take_look(struct top *top, struct err *err)
{
	struct look *now = &top->now;
	int r;

	look_release(&top->before);
	top->before = *now;
	*now = (struct look){ .at_us = now_us() };
	r = live_read(top->ctl, &now->live, err);
	now->count = now->live.count;
	now->items = alloc_zeroed(now->count + 1, sizeof(*now->items));
	for (size_t i = 0; !r && i < now->count; i++) {
		struct live *live = &now->live.items[i];
		struct usage *usage = &now->items[i];

		snprintf(usage->key, sizeof(usage->key), "%s", live->record.key);
		usage->cpu_us = live->pid ? read_cpu(live->pid) : UNKNOWN;
		usage->memory = live->pid ? read_memory(live->pid) : UNKNOWN;
		usage->pids = live->pid ? number_of(proof_cgroup_value(live->pid, "pids", "pids.current")) : UNKNOWN;
		for (size_t k = 0; k < top->before.count; k++)
			if (!strcmp(top->before.items[k].key, usage->key) &&
			    top->before.live.items[k].record.created_s == live->record.created_s)
				live->denied = top->before.live.items[k].denied;
	}
	if (!top->before.at_us)
		audit_reader_skip_older(top->trail.reader, now->count ? now->live.items[0].record.created_s : (int64_t)time(NULL));
	return r ? r : live_count_denied(&now->live, &top->trail, err);
}

/* Tenths of a percent of one CPU since the look before; UNKNOWN. */
static uint64_t cpu_share(const struct top *top, size_t index)
{
	const struct usage *usage = &top->now.items[index];
	uint64_t passed_us = top->now.at_us - top->before.at_us;

	for (size_t i = 0; i < top->before.count; i++) {
		const struct usage *before = &top->before.items[i];

		if (!strcmp(before->key, usage->key) && usage->cpu_us != UNKNOWN && before->cpu_us != UNKNOWN &&
		    usage->cpu_us >= before->cpu_us && passed_us)
			return (usage->cpu_us - before->cpu_us) * 1000 / passed_us;
	}
	return UNKNOWN;
}

static void put_number(struct table *table, uint64_t value, const char *unit)
{
	if (value == UNKNOWN)
		table_add(table, TONE_PLAIN, "-");
	else
		table_addf(table, TONE_PLAIN, "%llu%s", (unsigned long long)value, unit);
}

static void put_left(struct table *table, const struct live_budget *budget, bool is_time)
{
	enum tone tone = TONE_PLAIN;
	uint64_t s = budget->left / 1000;

	if (budget->limit == LIMIT_UNLIMITED) {
		table_add(table, tone, "-");
		return;
	}
	if (budget->left <= budget->limit / 20)
		tone = TONE_BAD;
	else if (budget->left <= budget->limit / 5)
		tone = TONE_DOUBT;
	if (is_time)
		table_addf(table, tone, "%llu:%02llu:%02llu", (unsigned long long)s / 3600, (unsigned long long)s / 60 % 60,
			   (unsigned long long)s % 60);
	else
		table_addf(table, tone, "%.1fM", (double)budget->left / (1 << 20));
}

static void print_table(const struct top *top)
{
	static const char *const heads[] = { "ID", "PROFILE", "ENGINE", "CPU %", "MEMORY", "PIDS", "WALL LEFT", "CPU LEFT", "EGRESS LEFT",
					     "DENIED", NULL };
	struct table table;

	table_init(&table, heads);
	for (size_t i = 0; i < top->now.count; i++) {
		const struct live *live = &top->now.live.items[i];
		uint64_t share = cpu_share(top, i), memory = top->now.items[i].memory;

		table_addf(&table, TONE_PLAIN, "%.12s", live->record.id);
		table_add(&table, TONE_PLAIN, live->record.profile);
		table_add(&table, TONE_PLAIN, live->record.engine);
		if (live->is_halted)
			table_add(&table, TONE_BAD, "halted");
		else if (share == UNKNOWN)
			table_add(&table, TONE_PLAIN, live->pid ? "-" : "stopped");
		else
			table_addf(&table, TONE_PLAIN, "%llu.%llu", (unsigned long long)share / 10, (unsigned long long)share % 10);
		put_number(&table, memory == UNKNOWN ? UNKNOWN : memory >> 20, "M");
		put_number(&table, top->now.items[i].pids, "");
		for (size_t k = 0; k < LIVE_BUDGETS; k++)
			put_left(&table, &live->budgets[k], k != LIVE_EGRESS);
		table_addf(&table, live->denied ? TONE_DOUBT : TONE_PLAIN, "%llu", (unsigned long long)live->denied);
	}
	table_print(&table, stdout);
	table_release(&table);
}

static void set_number(struct json_tree *tree, struct json *node, const char *name, uint64_t value)
{
	json_set(tree, node, name, value == UNKNOWN ? json_make_null(tree) : json_make_uint(tree, value));
}

static void print_as_json(const struct top *top)
{
	static const char *const left_names[LIVE_BUDGETS] = { "wall_ms", "cpu_ms", "egress" };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < top->now.count; i++) {
		const struct live *live = &top->now.live.items[i];
		struct json *node = json_make_object(tree), *left = json_make_object(tree);

		json_set(tree, node, "id", json_make_string(tree, live->record.id));
		json_set(tree, node, "profile", json_make_string(tree, live->record.profile));
		json_set(tree, node, "engine", json_make_string(tree, live->record.engine));
		set_number(tree, node, "cpu_permille", cpu_share(top, i));
		set_number(tree, node, "memory_bytes", top->now.items[i].memory);
		set_number(tree, node, "pids", top->now.items[i].pids);
		for (size_t k = 0; k < LIVE_BUDGETS; k++)
			set_number(tree, left, left_names[k], live->budgets[k].left);
		json_set(tree, node, "left", left);
		json_set(tree, node, "denied", json_make_uint(tree, live->denied));
		json_append(tree, list, node);
	}
	ctl_print_json(list);
}

/* Keys one by one and unseen, another screen, no cursor. */
static void enter_screen(struct top *top)
{
	struct termios raw;

	top->has_terminal = tcgetattr(STDIN_FILENO, &top->terminal) == 0;
	raw = top->terminal;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	if (top->has_terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
	top->is_screen = true;
}

static void leave_screen(struct top *top)
{
	if (!top->is_screen)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (top->has_terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &top->terminal);
}

static void draw(const struct top *top)
{
	char when[16] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("\033[H\033[2Jquodctl top  %s UTC  %zu containers  q: quit\n\n", when, top->now.count);
	print_table(top);
	fflush(stdout);
}

/* A second, or an end: q, a signal, a terminal that has gone. */
static bool wait_for_next(int signal_fd)
{
	struct pollfd ends[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = signal_fd, .events = POLLIN } };
	char key;

	if (poll(ends, ARRAY_SIZE(ends), LOOK_EACH_MS) < 0)
		return errno == EINTR;
	if (ends[1].revents)
		return false;
	if (!ends[0].revents)
		return true;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

static int show(struct top *top, struct err *err)
{
	cleanup_close int signal_fd = -1;
	sigset_t ends;
	int r;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal_fd = signalfd(-1, &ends, SFD_CLOEXEC);
	if (signal_fd < 0)
		return err_set_errno(err, errno, "signals");
	enter_screen(top);
	do {
		r = take_look(top, err);
		if (!r)
			draw(top);
	} while (!r && wait_for_next(signal_fd));
	leave_screen(top);
	return r;
}

static int show_once(struct top *top, struct err *err)
{
	struct timespec pause = { .tv_nsec = LOOK_ONCE_MS * 1000000 };
	int r = take_look(top, err);

	if (!r && top->now.count) {
		nanosleep(&pause, NULL);
		r = take_look(top, err);
	}
	if (r)
		return r;
	if (top->ctl->json)
		print_as_json(top);
	else
		print_table(top);
	return 0;
}

int top_main(struct ctl *ctl)
{
	bool once = ctl->argc == 2 && !strcmp(ctl->argv[1], "--once");
	struct top top = { .ctl = ctl };
	struct err err = ERR_INIT;
	int r;

	if (ctl->argc != 1 && !once)
		return ctl_fail_usage(ctl, "top takes --once or nothing");
	r = trail_open(ctl, &top.trail, &err);
	if (!r) {
		once |= ctl->json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
		r = once ? show_once(&top, &err) : show(&top, &err);
	}
	if (r < 0)
		ctl_fail("%s", err.text);
	look_release(&top.before);
	look_release(&top.now);
	trail_release(&top.trail);
	return r < 0 ? CTL_FAILED : CTL_YES;
}
