/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container's first process may do, for tests of the guardian: guard-act ACT...
 *   fault, trap, abort     dies of it
 *   caught-fault           catches a fault, goes on, exits with 7
 *   thread-exec COMMAND... another thread executes COMMAND
 *   untraced-exec COMMAND... as before, by a thread that asked not to be traced
 *   main-ends              the main thread ends alone, another sleeps
 *   signals N              sends itself N signals that it catches, and exits with 0 when all came
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t seen;

static void jump(int number)
{
	siglongjmp(back, number);
}

static void count(int number)
{
	seen = seen + (number == SIGUSR1);
}

static void fault(void)
{
	volatile int *nowhere = NULL;

	*nowhere = 1;
}

static void *execute(void *command)
{
	char **argv = command;

	execvp(argv[0], argv);
	_exit(97);
}

static int execute_clone(void *command)
{
	execute(command);
	return 0;
}

static void *sleep_on(void *nothing)
{
	(void)nothing;
	for (;;)
		pause();
	return NULL;
}

static void untraced_exec(char **command)
{
	char *stack = malloc(1 << 20);

	if (!stack || clone(execute_clone, stack + (1 << 20),
			    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_UNTRACED,
			    command) < 0)
		_exit(96);
	sleep_on(NULL);
}

int main(int argc, char **argv)
{
	const char *act = argc > 1 ? argv[1] : "";
	struct sigaction action = { .sa_handler = count };
	pthread_t thread;

	if (!strcmp(act, "fault"))
		fault();
	else if (!strcmp(act, "trap"))
		__asm__ volatile("int3");
	else if (!strcmp(act, "abort"))
		abort();
	if (!strcmp(act, "caught-fault")) {
		action.sa_handler = jump;
		action.sa_flags = SA_NODEFER;
		sigaction(SIGSEGV, &action, NULL);
		if (sigsetjmp(back, 1) == 0)
			fault();
		return 7;
	}
	if (!strcmp(act, "thread-exec") && pthread_create(&thread, NULL, execute, argv + 2) == 0)
		sleep_on(NULL);
	if (!strcmp(act, "untraced-exec"))
		untraced_exec(argv + 2);
	if (!strcmp(act, "main-ends") && pthread_create(&thread, NULL, sleep_on, NULL) == 0)
		pthread_exit(NULL);
	if (!strcmp(act, "signals") && argc > 2) {
		sigaction(SIGUSR1, &action, NULL);
		for (int i = 0, wanted = atoi(argv[2]); i < wanted; i++)
			kill(getpid(), SIGUSR1);
		return seen == atoi(argv[2]) ? 0 : 1;
	}
	return 95;
}
