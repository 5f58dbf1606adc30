/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the hook hands to quod-warden: one fixed, versioned struct, read from descriptor 3, and descriptors at fixed
 * numbers. quod-warden parses no JSON.
 */
#ifndef QUOD_WARDEN_SETTINGS_H
#define QUOD_WARDEN_SETTINGS_H

#include <stdint.h>

#include "shim/base/err.h"
#include "shim/egress/ruleset.h"
#include "shim/policy/address.h"

#define WARDEN_MAGIC 0x71756f64u	/* "quod" */
#define WARDEN_VERSION 7u

/* Descriptors of the guardian at its start. */
enum warden_fd {
	WARDEN_FD_SETTINGS = 3,		/* memfd, sealed */
	WARDEN_FD_READY,		/* pipe: WARDEN_READY when everything is in force; else WARDEN_FAILED and a text that
					   says why, or just its end */
	WARDEN_FD_STATE,		/* O_PATH-less directory of the container's state, /run/quod/containers/KEY */
	WARDEN_FD_NETLINK,		/* owner of the table, inherited by the gate; /dev/null when there is no table */
	WARDEN_FD_NETNS,		/* the container's network namespace, for the gate's watching socket; or /dev/null */
	WARDEN_FD_NAMES,		/* memfd, sealed: struct name_rules; /dev/null when no names are allowed */
};

/* The head of limits.json, which the guardian rewrites (told.h): one page at most, so that one write changes it. */
#define WARDEN_TOLD_HEAD 1024u
#define WARDEN_TOLD_HEAD_CAPS 4096u	/* where the profile has caps */

#define WARDEN_READY '+'
#define WARDEN_FAILED '-'

#define WARDEN_RESOLVERS 4

struct warden_settings {
	uint32_t magic, version;
	int32_t pid;			/* container's first process, host pid namespace */
	uint32_t guard;			/* enum guard: 0 kill, 1 network */
	uint64_t allowed_capabilities;	/* what may be in any set when the program is executed (guard kill) */
	uint32_t must_have_no_new_privs;	/* and what must be on then */
	uint32_t must_have_filters;	/* as many at least; 0: none need be */
	uint64_t wall_ms, cpu_ms, egress_bytes;	/* budgets of the profile, UINT64_MAX unlimited */
	uint64_t wall_spent_ms, cpu_spent_us, egress_spent;	/* from the ledger */
	uint64_t reset_period_ms;	/* budgets.reset with a period; 0 without */
	int64_t period_start_s;		/* of the ledger, when it was read */
	uint32_t is_shared;		/* the ledger is several containers' (budgets.scope) */
	uint32_t counts_only_egress;	/* a pod's sandbox: its time is nobody's */
	uint64_t grace_ms;
	uint32_t freeze_when_spent;	/* wall and CPU: 0 stop, 1 freeze */
	uint32_t stop_when_egress_spent;	/* 0: cut by the kernel alone */
	uint32_t has_table, table_is_owned;
	uint32_t alive_ms;
	uint32_t cpus_milli;		/* how fast CPU time can run out; 0 unknown */
	char key[72];			/* state and ledger key */
	char remove_dir[256];		/* the container's state, when nobody will delete it (`run`): removed at the end; or "" */
	char ledger_key[72];
	char container[128], engine[32], profile[128], digest[72];
	char cgroup_paths[1024];	/* of /proc/PID/cgroup as the hook read it, for messages */
	char audit_file[256], audit_head[256], ledger_dir[256];
	uint64_t audit_rotate;
	uint32_t audit_keep, audit_syslog;
	uint32_t has_names;		/* the warden answers for names, not only for what is refused; only with has_table */
	uint32_t record_refusals, record_dns, record_connections;	/* audit.record; the last one only with the names' block */
	uint32_t observes;		/* egress.mode: names that aren't allowed are told, and recorded */
	uint32_t learn_ms;		/* for how long new connections to what a name led to are let out */
	uint32_t resolver_count;
	uint32_t only_services_embedded;	/* dns.upstream is given: 127.0.0.11 is asked for names of one label alone */
	struct address resolvers[WARDEN_RESOLVERS];
	struct warden_cap {
		uint64_t id;		/* in the ledger */
		uint64_t bytes, spent;	/* as of budgets */
		char text[384];		/* its entry */
	} caps[RULESET_CAPS_MAX];	/* the ruleset's, in its order */
	uint32_t cap_count;		/* only with has_table */
	uint32_t told_head;		/* WARDEN_TOLD_HEAD or ..._CAPS: as limits.json was made */
};

#endif
