/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate-run [alive=MS] [orphan=1] [deaf=1] STEP...: plays the guardian in the current network namespace, for tests/live/gate.bats:
 * installs a table, starts the gate, then takes the steps one by one and prints what came of each.
 *
 *   beat         one beat; prints the answer          beats=N:MS   N of them, MS apart
 *   count        the same, and nothing is renewed
 *   sleep=MS                                          sh=COMMAND   prints its exit status
 *   changed=MS   waits for the gate's word            garbage      sends what is no message
 *   close        closes the channel                   status       what the kernel says of the gate
 *   pause        stops the gate's process              resume
 *   learn=COUNT:PROTOCOL:MS  as the warden: 192.0.2.1 and on, port 443, for so long; prints the answer
 *   named=COUNT:PROTOCOL:MS[!]  the same of what goes by way of the warden; "!": says so in a way that none does
 *   socket=FAMILY  as the warden: asks for a socket; prints the answer, its mark, and whether it is of this namespace
 *   babble       as the warden: sends what is no message
 *   ended=MS     waits for the gate's end             intrude      lets the gate make a system call that it has no use for
 *
 * orphan=1: the table belongs to nobody (as before Linux 6.9), so that others can change it. deaf=1: the watching socket has
 * next to no room.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/warden/gate.h"

struct run {
	struct gate_settings settings;
	int channel_fd;		/* the guardian's end */
	int learn_fd;		/* the warden's */
	bool orphan, deaf;
	pid_t gate_pid;
};

/* Stands for code that has taken the gate over: the handler is inherited by the fork. */
static void on_intrusion(int number)
{
	syscall(SYS_getppid);
}

static int fail(const struct err *err)
{
	printf("error %d: %s\n", err->code, err->text);
	return -1;
}

static void sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static int install(struct run *run)
{
	struct ruleset ruleset = {
		.egress_bytes = UINT64_MAX, .rate = UINT64_MAX, .alive_ms = run->settings.alive_ms, .has_names = true,
		.caps = { { .bytes = 100000 }, { .bytes = 200000 } }, .cap_count = 2,
	};
	struct err err = ERR_INIT;
	int little = 1;
	bool owned;

	run->settings.nl_fd = nft_open(&err);
	if (run->settings.nl_fd < 0 || ruleset_install(run->settings.nl_fd, &ruleset, &owned, &err))
		return fail(&err);
	if (run->orphan) {
		close(run->settings.nl_fd);
		run->settings.nl_fd = nft_open(&err);
		owned = false;
	}
	run->settings.owned = owned;
	run->settings.cap_count = 2;
	run->settings.watch_fd = nft_open(&err);
	if (run->settings.watch_fd < 0 || ruleset_watch(run->settings.watch_fd, &err) ||
	    gate_port_id(run->settings.nl_fd, &run->settings.nl_port_id, &err))
		return fail(&err);
	return run->deaf && setsockopt(run->settings.watch_fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)) < 0 ? -1 : 0;
}

static int start(struct run *run)
{
	int ends[2], learn[2];

	if (install(run) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, learn) < 0)
		return -1;
	run->settings.channel_fd = ends[1];
	run->channel_fd = ends[0];
	run->settings.learn_fd = learn[1];
	run->learn_fd = learn[0];
	run->gate_pid = fork();
	if (run->gate_pid == 0)
		_exit(gate_main(&run->settings));
	close(ends[1]);
	close(learn[1]);
	close(run->settings.nl_fd);
	close(run->settings.watch_fd);
	return run->gate_pid < 0 ? -1 : 0;
}

/* The next message within `ms`; false when none came. */
static bool next_message(struct run *run, int ms, struct gate_message *message)
{
	struct pollfd end = { .fd = run->channel_fd, .events = POLLIN };

	return poll(&end, 1, ms) == 1 && recv(run->channel_fd, message, sizeof(*message), 0) == (ssize_t)sizeof(*message);
}

static void step_beat(struct run *run, bool only_counts)
{
	struct gate_message message = { .word = GATE_BEAT, .only_counts = only_counts };

	if (send(run->channel_fd, &message, sizeof(message), MSG_NOSIGNAL) < 0) {
		printf("beat: %s\n", strerror(errno));
		return;
	}
	do
		if (!next_message(run, 20000, &message)) {
			puts("beat: no answer");
			return;
		}
	while (message.word != GATE_COUNTERS);
	printf("beat: error=%d out=%llu in=%llu denied=%llu\n", message.error,
	       (unsigned long long)message.counters.out_bytes, (unsigned long long)message.counters.in_bytes,
	       (unsigned long long)message.counters.denied_packets);
}

static void step_beats(struct run *run, const char *value)
{
	const char *every = strchr(value, ':');

	for (int i = 0; i < atoi(value); i++) {
		step_beat(run, false);
		fflush(stdout);
		sleep_ms(every ? atol(every + 1) : 0);
	}
}

static int take_descriptor(struct msghdr *message)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static void step_socket(struct run *run, const char *value)
{
	struct gate_learn question = { .number = 7, .wish = GATE_SOCKET };
	struct gate_learnt answer = { 0, 0 };
	struct iovec part = { &answer, sizeof(answer) };
	char beside[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = beside, .msg_controllen = sizeof(beside) };
	struct pollfd end = { .fd = run->learn_fd, .events = POLLIN };
	socklen_t len = sizeof(uint32_t);
	uint32_t mark = 0;
	int fd;

	question.openings[0].family = (uint8_t)atoi(value);
	question.openings[0].caps = strchr(value, ':') ? (uint32_t)strtoul(strchr(value, ':') + 1, NULL, 0) : 0;
	if (send(run->learn_fd, &question, sizeof(question), MSG_NOSIGNAL) < 0 || poll(&end, 1, 500) != 1 ||
	    recvmsg(run->learn_fd, &message, 0) != (ssize_t)sizeof(answer)) {
		puts("socket: no answer");
		return;
	}
	fd = take_descriptor(&message);
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len) < 0)
		mark = 0;
	printf("socket: number=%u error=%d descriptor=%d mark=%x\n", answer.number, answer.error, fd >= 0, mark);
	if (fd >= 0)
		close(fd);
}

static void step_learn(struct run *run, const char *value, uint8_t is_turned)
{
	struct gate_learn message = { .number = 7 };
	struct gate_learnt answer = { 0, 0 };
	struct pollfd end = { .fd = run->learn_fd, .events = POLLIN };
	unsigned protocol = 0;

	if (sscanf(value, "%u:%u:%u", &message.count, &protocol, &message.lifetime_ms) != 3)
		return;
	for (uint32_t i = 0; i < message.count && i < RULESET_LEARN_MAX; i++)
		message.openings[i] = (struct ruleset_opening){ 4, (uint8_t)protocol, 443, { 192, 0, 2, (uint8_t)(i + 1) }, is_turned };
	if (send(run->learn_fd, &message, sizeof(message), MSG_NOSIGNAL) < 0 || poll(&end, 1, 20000) != 1 ||
	    recv(run->learn_fd, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
		puts("learn: no answer");
	else
		printf("learn: number=%u error=%d\n", answer.number, answer.error);
}

static void step_changed(struct run *run, int ms)
{
	struct gate_message message;

	puts(next_message(run, ms, &message) && message.word == GATE_CHANGED ? "changed" : "unchanged");
}

static void step_ended(struct run *run, int ms)
{
	int status;

	for (int waited = 0; waited <= ms; waited += 10) {
		if (waitpid(run->gate_pid, &status, WNOHANG) == run->gate_pid) {
			if (WIFSIGNALED(status))
				printf("ended by signal %d\n", WTERMSIG(status));
			else
				printf("ended %d\n", WEXITSTATUS(status));
			return;
		}
		sleep_ms(10);
	}
	puts("still there");
}

static void step_status(struct run *run)
{
	char command[256];

	fflush(stdout);
	snprintf(command, sizeof(command),
		 "grep -E '^(Name|Cap|NoNewPrivs|Seccomp:)' /proc/%d/status; ls /proc/%d/fd | wc -l | sed 's/^/fds: /'; "
		 "grep 'core file' /proc/%d/limits", (int)run->gate_pid, (int)run->gate_pid, (int)run->gate_pid);
	if (system(command) != 0)
		puts("status: no such process");
}

static void step_shell(const char *command)
{
	int status;

	fflush(stdout);
	status = system(command);
	printf("sh: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static int take_step(struct run *run, const char *step)
{
	const char *value = strchr(step, '=');

	value = value ? value + 1 : "";
	if (!strcmp(step, "beat") || !strcmp(step, "count"))
		step_beat(run, step[0] == 'c');
	else if (!strncmp(step, "beats=", 6))
		step_beats(run, value);
	else if (!strncmp(step, "sleep=", 6))
		sleep_ms(atol(value));
	else if (!strncmp(step, "sh=", 3))
		step_shell(value);
	else if (!strncmp(step, "changed=", 8))
		step_changed(run, atoi(value));
	else if (!strncmp(step, "learn=", 6))
		step_learn(run, value, 0);
	else if (!strncmp(step, "named=", 6))
		step_learn(run, value, (uint8_t)(strchr(value, '!') ? 2 : 1));
	else if (!strncmp(step, "socket=", 7))
		step_socket(run, value);
	else if (!strcmp(step, "babble"))
		printf("babble: %zd\n", send(run->learn_fd, "xyz", 3, MSG_NOSIGNAL));
	else if (!strcmp(step, "garbage"))
		printf("garbage: %zd\n", send(run->channel_fd, "xyz", 3, MSG_NOSIGNAL));
	else if (!strcmp(step, "intrude"))
		kill(run->gate_pid, SIGUSR1);
	else if (!strcmp(step, "pause"))
		kill(run->gate_pid, SIGSTOP);
	else if (!strcmp(step, "resume"))
		kill(run->gate_pid, SIGCONT);
	else if (!strcmp(step, "close"))
		close(run->channel_fd);
	else if (!strncmp(step, "ended=", 6))
		step_ended(run, atoi(value));
	else if (!strcmp(step, "status"))
		step_status(run);
	else
		return -1;
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct run run = { .settings = { .alive_ms = 1000, .watch_fd = -1, .learn_fd = -1 }, .channel_fd = -1 };
	int i = 1;

	for (; i < argc; i++) {
		if (!strncmp(argv[i], "alive=", 6))
			run.settings.alive_ms = (uint32_t)atoi(argv[i] + 6);
		else if (!strcmp(argv[i], "orphan=1"))
			run.orphan = true;
		else if (!strcmp(argv[i], "deaf=1"))
			run.deaf = true;
		else
			break;
	}
	signal(SIGUSR1, on_intrusion);
	if (start(&run))
		return 1;
	for (; i < argc; i++) {
		if (take_step(&run, argv[i])) {
			fprintf(stderr, "gate-run: %s?\n", argv[i]);
			return 2;
		}
	}
	return 0;
}
