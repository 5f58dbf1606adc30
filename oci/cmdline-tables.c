/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of cmdline-tables.h. An option missing here is refused by the commands that start something. */
#include "oci/cmdline-tables.h"

#define SWITCH OCI_TAKES_NOTHING
#define VALUE OCI_TAKES_VALUE
#define ATTACHED OCI_TAKES_ATTACHED
#define END { NULL, 0, SWITCH }

static const struct oci_option_def runc_globals[] = {
	{ "debug", 0, SWITCH },
	{ "log", 0, VALUE },
	{ "log-format", 0, VALUE },
	{ "root", 0, VALUE },
	{ "criu", 0, VALUE },
	{ "systemd-cgroup", 0, SWITCH },
	{ "rootless", 0, VALUE },
	{ "help", 'h', SWITCH },
	{ "version", 'v', SWITCH },
	END
};

static const struct oci_option_def runc_common[] = {
	{ "help", 'h', SWITCH },
	END
};

static const struct oci_option_def no_options[] = { END };

static const struct oci_option_def runc_create[] = {
	{ "bundle", 'b', VALUE },
	{ "console-socket", 0, VALUE },
	{ "pidfd-socket", 0, VALUE },
	{ "pid-file", 0, VALUE },
	{ "no-pivot", 0, SWITCH },
	{ "no-new-keyring", 0, SWITCH },
	{ "preserve-fds", 0, VALUE },
	END
};

static const struct oci_option_def runc_run[] = {
	{ "bundle", 'b', VALUE },
	{ "console-socket", 0, VALUE },
	{ "pidfd-socket", 0, VALUE },
	{ "detach", 'd', SWITCH },
	{ "keep", 0, SWITCH },
	{ "pid-file", 0, VALUE },
	{ "no-subreaper", 0, SWITCH },
	{ "no-pivot", 0, SWITCH },
	{ "no-new-keyring", 0, SWITCH },
	{ "preserve-fds", 0, VALUE },
	END
};

static const struct oci_option_def runc_restore[] = {
	{ "console-socket", 0, VALUE },
	{ "image-path", 0, VALUE },
	{ "work-path", 0, VALUE },
	{ "tcp-established", 0, SWITCH },
	{ "ext-unix-sk", 0, SWITCH },
	{ "shell-job", 0, SWITCH },
	{ "file-locks", 0, SWITCH },
	{ "manage-cgroups-mode", 0, VALUE },
	{ "bundle", 'b', VALUE },
	{ "detach", 'd', SWITCH },
	{ "pid-file", 0, VALUE },
	{ "no-subreaper", 0, SWITCH },
	{ "no-pivot", 0, SWITCH },
	{ "empty-ns", 0, VALUE },
	{ "auto-dedup", 0, SWITCH },
	{ "lazy-pages", 0, SWITCH },
	{ "lsm-profile", 0, VALUE },
	{ "lsm-mount-context", 0, VALUE },
	END
};

static const struct oci_option_def runc_checkpoint[] = {
	{ "image-path", 0, VALUE },
	{ "work-path", 0, VALUE },
	{ "parent-path", 0, VALUE },
	{ "leave-running", 0, SWITCH },
	{ "tcp-established", 0, SWITCH },
	{ "tcp-skip-in-flight", 0, SWITCH },
	{ "link-remap", 0, SWITCH },
	{ "ext-unix-sk", 0, SWITCH },
	{ "shell-job", 0, SWITCH },
	{ "lazy-pages", 0, SWITCH },
	{ "status-fd", 0, VALUE },
	{ "page-server", 0, VALUE },
	{ "file-locks", 0, SWITCH },
	{ "pre-dump", 0, SWITCH },
	{ "manage-cgroups-mode", 0, VALUE },
	{ "empty-ns", 0, VALUE },
	{ "auto-dedup", 0, SWITCH },
	END
};

static const struct oci_option_def runc_exec[] = {
	{ "console-socket", 0, VALUE },
	{ "pidfd-socket", 0, VALUE },
	{ "cwd", 0, VALUE },
	{ "env", 'e', VALUE },
	{ "tty", 't', SWITCH },
	{ "user", 'u', VALUE },
	{ "additional-gids", 'g', VALUE },
	{ "process", 'p', VALUE },
	{ "detach", 'd', SWITCH },
	{ "pid-file", 0, VALUE },
	{ "process-label", 0, VALUE },
	{ "apparmor", 0, VALUE },
	{ "no-new-privs", 0, SWITCH },
	{ "cap", 'c', VALUE },
	{ "preserve-fds", 0, VALUE },
	{ "cgroup", 0, VALUE },
	{ "ignore-paused", 0, SWITCH },
	END
};

static const struct oci_option_def runc_update[] = {
	{ "resources", 'r', VALUE },
	{ "blkio-weight", 0, VALUE },
	{ "cpu-period", 0, VALUE },
	{ "cpu-quota", 0, VALUE },
	{ "cpu-burst", 0, VALUE },
	{ "cpu-share", 0, VALUE },
	{ "cpu-rt-period", 0, VALUE },
	{ "cpu-rt-runtime", 0, VALUE },
	{ "cpu-idle", 0, VALUE },
	{ "cpuset-cpus", 0, VALUE },
	{ "cpuset-mems", 0, VALUE },
	{ "kernel-memory", 0, VALUE },
	{ "kernel-memory-tcp", 0, VALUE },
	{ "memory", 0, VALUE },
	{ "memory-reservation", 0, VALUE },
	{ "memory-swap", 0, VALUE },
	{ "pids-limit", 0, VALUE },
	{ "l3-cache-schema", 0, VALUE },
	{ "mem-bw-schema", 0, VALUE },
	END
};

static const struct oci_option_def runc_delete[] = {
	{ "force", 'f', SWITCH },
	END
};

static const struct oci_option_def runc_kill[] = {
	{ "all", 'a', SWITCH },
	END
};

static const struct oci_option_def list_options[] = {
	{ "format", 'f', VALUE },
	{ "quiet", 'q', SWITCH },
	END
};

static const struct oci_option_def ps_options[] = {
	{ "format", 'f', VALUE },
	END
};

static const struct oci_option_def runc_events[] = {
	{ "interval", 0, VALUE },
	{ "stats", 0, SWITCH },
	END
};

static const struct oci_option_def runc_spec[] = {
	{ "bundle", 'b', VALUE },
	{ "rootless", 0, SWITCH },
	END
};

static const struct oci_command_def runc_commands[] = {
	{ "create", OCI_CREATE, false, runc_create },
	{ "run", OCI_RUN, false, runc_run },
	{ "restore", OCI_RESTORE, false, runc_restore },
	{ "exec", OCI_EXEC, true, runc_exec },
	{ "update", OCI_UPDATE, false, runc_update },
	{ "start", OCI_START, false, no_options },
	{ "resume", OCI_RESUME, false, no_options },
	{ "delete", OCI_DELETE, false, runc_delete },
	{ "state", OCI_STATE, false, no_options },
	{ "list", OCI_LIST, false, list_options },
	{ "features", OCI_FEATURES, false, no_options },
	{ "kill", OCI_KILL, false, runc_kill },
	{ "pause", OCI_PAUSE, false, no_options },
	{ "ps", OCI_PS, true, ps_options },
	{ "events", OCI_EVENTS, false, runc_events },
	{ "spec", OCI_SPEC, false, runc_spec },
	{ "checkpoint", OCI_CHECKPOINT, false, runc_checkpoint },
	{ NULL, OCI_NO_COMMAND, false, NULL },
};

/* argp adds the last four to the program and to each command; two of them it hides. */
#define ARGP_COMMON                                                                  \
	{ "help", '?', SWITCH }, { "usage", 0, SWITCH }, { "program-name", 0, VALUE }, \
	{ "HANG", 0, ATTACHED }

static const struct oci_option_def crun_globals[] = {
	{ "debug", 0, SWITCH },
	{ "cgroup-manager", 0, VALUE },
	{ "systemd-cgroup", 0, SWITCH },
	{ "log", 0, VALUE },
	{ "log-format", 0, VALUE },
	{ "log-level", 0, VALUE },
	{ "root", 0, VALUE },
	{ "rootless", 0, VALUE },
	{ "version", 'v', SWITCH },
	{ "version", 'V', SWITCH },
	ARGP_COMMON,
	END
};

static const struct oci_option_def crun_common[] = {
	ARGP_COMMON,
	END
};

static const struct oci_option_def crun_create[] = {
	{ "bundle", 'b', VALUE },
	{ "config", 'f', VALUE },
	{ "console-socket", 0, VALUE },
	{ "preserve-fds", 0, VALUE },
	{ "no-pivot", 0, SWITCH },
	{ "pid-file", 0, VALUE },
	{ "no-subreaper", 0, SWITCH },
	{ "no-new-keyring", 0, SWITCH },
	END
};

static const struct oci_option_def crun_run[] = {
	{ "bundle", 'b', VALUE },
	{ "config", 'f', VALUE },
	{ "detach", 'd', SWITCH },
	{ "console-socket", 0, VALUE },
	{ "preserve-fds", 0, VALUE },
	{ "pid-file", 0, VALUE },
	{ "keep", 0, SWITCH },
	{ "no-subreaper", 0, SWITCH },
	{ "no-new-keyring", 0, SWITCH },
	{ "no-pivot", 0, SWITCH },
	END
};

static const struct oci_option_def crun_restore[] = {
	{ "bundle", 'b', VALUE },
	{ "image-path", 0, VALUE },
	{ "work-path", 0, VALUE },
	{ "tcp-established", 0, SWITCH },
	{ "tcp-close", 0, SWITCH },
	{ "ext-unix-sk", 0, SWITCH },
	{ "shell-job", 0, SWITCH },
	{ "detach", 'd', SWITCH },
	{ "pid-file", 0, VALUE },
	{ "console-socket", 0, VALUE },
	{ "file-locks", 0, SWITCH },
	{ "manage-cgroups-mode", 0, VALUE },
	{ "network-lock", 0, SWITCH },
	{ "lsm-profile", 0, VALUE },
	{ "lsm-mount-context", 0, VALUE },
	END
};

static const struct oci_option_def crun_checkpoint[] = {
	{ "image-path", 0, VALUE },
	{ "work-path", 0, VALUE },
	{ "leave-running", 0, SWITCH },
	{ "tcp-established", 0, SWITCH },
	{ "ext-unix-sk", 0, SWITCH },
	{ "shell-job", 0, SWITCH },
	{ "file-locks", 0, SWITCH },
	{ "network-lock", 0, SWITCH },
	{ "parent-path", 0, VALUE },
	{ "pre-dump", 0, SWITCH },
	{ "manage-cgroups-mode", 0, VALUE },
	END
};

static const struct oci_option_def crun_exec[] = {
	{ "console-socket", 0, VALUE },
	{ "tty", 't', ATTACHED },
	{ "process", 'p', VALUE },
	{ "cwd", 0, VALUE },
	{ "cgroup", 0, VALUE },
	{ "detach", 'd', SWITCH },
	{ "user", 'u', VALUE },
	{ "env", 'e', VALUE },
	{ "cap", 'c', VALUE },
	{ "pid-file", 0, VALUE },
	{ "preserve-fds", 0, VALUE },
	{ "no-new-privs", 0, SWITCH },
	{ "process-label", 0, VALUE },
	{ "apparmor", 0, VALUE },
	END
};

static const struct oci_option_def crun_update[] = {
	{ "resources", 'r', VALUE },
	{ "blkio-weight", 0, VALUE },
	{ "cpu-period", 0, VALUE },
	{ "cpu-quota", 0, VALUE },
	{ "cpu-share", 0, VALUE },
	{ "cpu-rt-period", 0, VALUE },
	{ "cpu-rt-runtime", 0, VALUE },
	{ "cpuset-cpus", 0, VALUE },
	{ "cpuset-mems", 0, VALUE },
	{ "kernel-memory", 0, VALUE },
	{ "kernel-memory-tcp", 0, VALUE },
	{ "memory", 0, VALUE },
	{ "memory-reservation", 0, VALUE },
	{ "memory-swap", 0, VALUE },
	{ "pids-limit", 0, VALUE },
	{ "l3-cache-schema", 0, VALUE },
	{ "mem-bw-schema", 0, VALUE },
	END
};

static const struct oci_option_def crun_delete[] = {
	{ "force", 'f', SWITCH },
	{ "regex", 'r', SWITCH },
	END
};

static const struct oci_option_def crun_kill[] = {
	{ "all", 'a', SWITCH },
	{ "regex", 'r', SWITCH },
	END
};

static const struct oci_option_def crun_spec[] = {
	{ "bundle", 'b', VALUE },
	{ "file", 'f', VALUE },
	{ "rootless", 0, SWITCH },
	END
};

static const struct oci_command_def crun_commands[] = {
	{ "create", OCI_CREATE, true, crun_create },
	{ "run", OCI_RUN, true, crun_run },
	{ "restore", OCI_RESTORE, true, crun_restore },
	{ "exec", OCI_EXEC, true, crun_exec },
	{ "update", OCI_UPDATE, true, crun_update },
	{ "start", OCI_START, true, no_options },
	{ "resume", OCI_RESUME, true, no_options },
	{ "delete", OCI_DELETE, true, crun_delete },
	{ "state", OCI_STATE, true, no_options },
	{ "list", OCI_LIST, true, list_options },
	{ "features", OCI_FEATURES, true, no_options },
	{ "kill", OCI_KILL, true, crun_kill },
	{ "pause", OCI_PAUSE, true, no_options },
	{ "ps", OCI_PS, true, ps_options },
	{ "spec", OCI_SPEC, true, crun_spec },
	{ "checkpoint", OCI_CHECKPOINT, true, crun_checkpoint },
	{ "mounts", OCI_MOUNTS, true, no_options },
	{ NULL, OCI_NO_COMMAND, true, NULL },
};

const struct oci_option_def *oci_global_defs(enum oci_dialect dialect)
{
	return dialect == OCI_DIALECT_CRUN ? crun_globals : runc_globals;
}

const struct oci_command_def *oci_command_defs(enum oci_dialect dialect)
{
	return dialect == OCI_DIALECT_CRUN ? crun_commands : runc_commands;
}

const struct oci_option_def *oci_common_defs(enum oci_dialect dialect)
{
	return dialect == OCI_DIALECT_CRUN ? crun_common : runc_common;
}
