/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host configuration, quod.json(5): what the administrator decided for this host. As strict as a profile. */
#ifndef QUOD_POLICY_CONFIG_H
#define QUOD_POLICY_CONFIG_H

#include "shim/policy/profile.h"

struct host_rule {
	char *namespace_pattern;	/* NULL: not asked for */
	char *engine;
	char *workspace;
	bool has_user;
	uint32_t user;
	char *profile;			/* "unmanaged" is a value */
};

struct host_config {
	char *file;			/* NULL: no file, defaults */
	struct strings runtime;		/* names or absolute paths, first found; default runc, crun */
	bool require_safe_runtime;
	char *default_profile;		/* "balanced" */
	struct host_rule *rules;
	size_t rule_count;
	struct strings selectable;
	char *audit_file;		/* /var/log/quod/audit.jsonl */
	bool audit_continue;		/* on_error: "continue"; default refuse */
	uint64_t audit_rotate;		/* bytes, 64M */
	uint64_t audit_keep;		/* files, 16 */
	bool audit_anchor_syslog;	/* anchor: "syslog" (default) or "none" */
	uint64_t ledger_keep_ms;	/* 30d */
	uint64_t containers_max;	/* 256; 0 = no bound */
	uint64_t creates_per_minute;	/* 600; 0 = no bound */
	bool prove;			/* "start"; default "off" */
	uint64_t config_bytes;		/* limits.config_bytes, 4 MiB */
	uint64_t mounts_max;		/* limits.mounts, 1024 */
};

/* file NULL: the default place, whose absence means the defaults; a named file must be there. */
int host_config_load(const char *file, const char *default_file, struct host_config **config, struct err *err);

void host_config_free(struct host_config *config);

/* The table of its keys (keys.h). */
struct key;
const struct key *host_config_keys(size_t *count);

#endif
