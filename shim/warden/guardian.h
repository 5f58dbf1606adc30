/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guardian: one process beside one container that keeps its budgets, ends it, learns how it ended, has the gate
 * started and sends it its beat. It reads no byte that the container chose. See guardian.c for what it keeps of root's rights and why.
 */
#ifndef QUOD_WARDEN_GUARDIAN_H
#define QUOD_WARDEN_GUARDIAN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/state/audit.h"
#include "shim/state/ledger.h"
#include "shim/warden/budget.h"
#include "shim/warden/cgroup.h"
#include "shim/warden/control.h"
#include "shim/warden/leash.h"
#include "shim/warden/settings.h"

enum phase {
	PHASE_CREATED,		/* the first process has not executed its program yet */
	PHASE_RUNNING,
	PHASE_FROZEN,		/* a budget is spent, on_exhausted freeze */
	PHASE_GRACE,		/* SIGTERM was sent */
	PHASE_KILLING,		/* SIGKILL to everything, again and again until it is gone */
	PHASE_GONE,
};

enum { BUDGET_WALL, BUDGET_CPU, BUDGET_EGRESS, BUDGETS };

/* A path inside a workspace that must stay as it is. */
struct protected_path {
	int fd;			/* the container's mount there */
	char *place;		/* inside the container */
	bool is_inside;		/* the container's root is its own by now */
};

/* An administrator's command that has connected; `word` is what it waits for, 0 for nothing. */
#define CONTROL_CLIENTS 8
#define CONTROL_POLLS (1 + CONTROL_CLIENTS)

struct control_client {
	int fd;			/* -1: free */
	uint32_t word;
	uint64_t until_ms;
};

/* Other rules, step by step: guardian-change.c. */
enum change_step { CHANGE_RULES, CHANGE_GATE, CHANGE_LEARN, CHANGE_DONE };

struct change {
	bool is_on, waits;		/* for an answer of the step's helper */
	enum change_step step;
	uint32_t number;		/* of the warden's last order */
	int names_fd;			/* the old ones, until it is done; -1 */
	struct control_change order;
};

struct guardian {
	const struct warden_settings *settings;
	struct audit_settings audit;
	int pid_fd, signal_fd, timer_fd;
	int channel_fd;			/* to the gate; -1 when there is none (any more) */
	pid_t nursery_pid;		/* 0 when it has been reaped: no gate can be started any more */
	pid_t gate_pid;			/* the nursery's child; 0 while there is none */
	int learn_fds[2];		/* gate's and warden's end of their own channel; -1 once they are theirs */
	int warden_fd;			/* from the warden; -1 when there is none (any more) */
	pid_t cradle_pid;		/* the warden's parent; 0 when it has been reaped */
	pid_t warden_pid;		/* the one that was ready last */
	bool warden_lost;		/* recorded */
	const struct name_rules *entries;	/* for what is recorded of connections; NULL */
	int names_fd;			/* the rules that the warden has, or gets when it is there; -1 */
	bool names_are_given;		/* they aren't those that its cradle has */
	struct change change;
	unsigned unanswered;		/* beats */
	bool gate_lost;			/* recorded */
	uint64_t cut_at_bytes;		/* what the gate was asked to close at; 0 when it never was */
	uint64_t cap_cuts[RULESET_CAPS_MAX];	/* the same of caps */
	char *title;			/* argv[0], for ps */
	bool has_leash;
	bool is_init;			/* the first process is its pid namespace's: all others end with it */
	struct leash leash;
	struct cgroup cgroup;
	struct cgroup_own own;		/* opened at the start, entered at own_ms */
	uint64_t cpu_base_us;		/* what the counter showed at the start */
	uint32_t cpus_milli;		/* how fast the CPU budget can run out at most */
	struct limit_count {
		uint64_t base, now, said;	/* of the cgroup's counter: at the start, last read, recorded */
	} oom_kills, pids_refused;
	struct budget budgets[BUDGETS], caps[RULESET_CAPS_MAX];
	enum phase phase;
	bool is_first_gone;		/* the first process was reaped, or its pidfd says so */
	uint64_t started_ms;		/* CLOCK_BOOTTIME; 0 before the run */
	int64_t period_start_s;		/* of the ledger, as last seen */
	bool is_anew;			/* the ledger began a period, and what that means is not done yet */
	uint64_t beat_ms, cpu_look_ms, ledger_ms, kill_ms, give_up_ms, own_ms;	/* when due; UINT64_MAX never */
	unsigned kill_rounds;
	uint64_t limits_said_ms;
	struct protected_path *protected;
	size_t protected_count;
	int mounts_fd;			/* the container's mount table; -1 when nothing is protected */
	int own_fds_fd;			/* /proc/self/fd, and nothing that lies above it */
	uint64_t protect_ms;		/* when to look next */
	int told_fd;			/* limits.json as the container reads it; -1 */
	int denied_fd;			/* denied.jsonl, the same */
	uint32_t denied_lines;		/* written to it */
	uint64_t untold, untold_ms;	/* refusals that were summed up; when the next sum may be said */
	int note_fd;			/* its note in the container's state, which goes with that; -1 */
	bool is_run_counted;		/* in the ledger's `runs` */
	bool audit_failed;		/* said to syslog */
	int control_fd;			/* listens; -1 */
	int first_fd;			/* /proc/PID/status of the first process; -1 */
	uid_t user;			/* whose orders are taken */
	struct control_client clients[CONTROL_CLIENTS];
	bool is_halted, was_paused;	/* by an administrator; by its engine before that */
	bool is_closed;			/* the gate's word: nothing passes */
	uint64_t halt_ms;		/* when to look at it next; UINT64_MAX never */
	uint64_t denied_packets, refused_names;
	char cause[128];		/* why it is being ended: "wall 8h spent"; "" while nothing ends it */
};

/* Becomes the guardian: opens, starts, locks down, says that it is ready on ready_fd, returns when the container has ended.
 * Returns the exit status; a failure before it is ready is told on ready_fd. */
int guardian_main(const struct warden_settings *settings, char *title);

/* CLOCK_BOOTTIME in milliseconds: goes on while the host is suspended, and nobody sets it. */
uint64_t guardian_now_ms(void);

/* guardian-budgets.c: what is spent, and what then happens */
void guardian_start_run(struct guardian *guardian, uint64_t now_ms);
void guardian_look(struct guardian *guardian, uint64_t now_ms);		/* at wall and, when due, CPU */
void guardian_count_egress(struct guardian *guardian, uint64_t bytes, bool is_spent, uint64_t now_ms);
void guardian_count_cap(struct guardian *guardian, size_t cap, uint64_t bytes, bool is_spent);
void guardian_weigh(struct guardian *guardian, uint64_t now_ms);	/* all budgets, with what others have spent */
bool guardian_must_share(const struct guardian *guardian);		/* its egress is bounded by what others may change */
void guardian_end(struct guardian *guardian, const char *cause, bool with_grace, uint64_t now_ms);
void guardian_kill_round(struct guardian *guardian, uint64_t now_ms);
void guardian_read_cpu(struct guardian *guardian);
uint64_t guardian_next_ms(const struct guardian *guardian, uint64_t now_ms);

/* guardian-gate.c: starting it, its beat, its words */
int guardian_start_gate(struct guardian *guardian, struct err *err);
int guardian_first_beat(struct guardian *guardian, struct err *err);	/* waits for its answer */
void guardian_beat(struct guardian *guardian, uint64_t now_ms);
int guardian_open_ranges(struct guardian *guardian, const struct control_change *order);	/* a positive errno */
void guardian_hear_gate(struct guardian *guardian, uint64_t now_ms);
void guardian_reap_nursery(struct guardian *guardian);
void guardian_last_count(struct guardian *guardian, uint64_t now_ms);

/* guardian-protected.c: what mounts.protect holds */
int guardian_hold_protected(struct guardian *guardian, int state_fd, struct err *err);
void guardian_check_protected(struct guardian *guardian, bool table_changed, uint64_t now_ms);
void guardian_let_protected_go(struct guardian *guardian);

/* guardian-control.c: what an administrator asks */
int guardian_open_control(struct guardian *guardian, int state_fd, struct err *err);
void guardian_poll_control(const struct guardian *guardian, struct pollfd polls[CONTROL_POLLS]);
void guardian_hear_control(struct guardian *guardian, const struct pollfd polls[CONTROL_POLLS], uint64_t now_ms);
void guardian_answer_change(struct guardian *guardian, int error);

/* guardian-change.c */
int guardian_begin_change(struct guardian *guardian, const struct control_change *order, int names_fd);	/* takes it; a positive errno */
void guardian_change_answered(struct guardian *guardian, enum change_step step, int error);	/* by the step's helper, or by its end */
void guardian_warden_done(struct guardian *guardian, uint32_t number, int error);
void guardian_abandon_change(struct guardian *guardian);	/* it has taken too long */
void guardian_greet_warden(struct guardian *guardian);		/* one that is ready */
void guardian_keep_halt(struct guardian *guardian, uint64_t now_ms);

/* guardian-told.c: what the container reads of its budgets */
int guardian_open_told(struct guardian *guardian, int state_fd, struct err *err);
void guardian_tell(const struct guardian *guardian);

/* guardian-denied.c: what was refused, for the audit trail and for the container */
struct warden_event;
int guardian_open_denied(struct guardian *guardian, int state_fd, struct err *err);
void guardian_refused(struct guardian *guardian, const char *event, const char *members);
int guardian_map_entries(struct guardian *guardian, int names_fd, struct err *err);	/* instead of those before */
void guardian_write_connection(struct guardian *guardian, const struct warden_event *event);
void guardian_write_denied(struct guardian *guardian, const struct warden_event *event);
void guardian_note_untold(struct guardian *guardian, uint64_t packets, uint64_t now_ms);

/* guardian-warden.c: starting it, its words */
int guardian_start_warden(struct guardian *guardian, struct err *err);
int guardian_wait_warden(struct guardian *guardian, struct err *err);
void guardian_hear_warden(struct guardian *guardian);
void guardian_hear_last(struct guardian *guardian);	/* what was still on its way */
void guardian_reap_warden(struct guardian *guardian);
bool guardian_is_name(const char *text);	/* normalized, as the warden sends names */

/* guardian-report.c: audit trail and ledger */
void guardian_audit(struct guardian *guardian, const char *event, const char *members);
int64_t guardian_period_left_ms(const struct guardian *guardian);	/* INT64_MAX without a period; 0 or less when it has passed */
int guardian_write_ledger(struct guardian *guardian, const char *ended, struct err *err);
void guardian_share(struct guardian *guardian);		/* own spending to those who share the ledger, and theirs to here */
void guardian_read_limits(struct guardian *guardian);
void guardian_say_limits(struct guardian *guardian, uint64_t now_ms);
void guardian_report_end(struct guardian *guardian);
void guardian_remove_state(const struct warden_settings *settings);
int guardian_write_note(struct guardian *guardian, int state_fd, struct err *err);
bool guardian_has_state(const struct guardian *guardian);	/* nobody has taken the container's state away */

#endif
