/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision: profile + configuration + facts -> plan. Pure: no system calls, nothing is opened, nothing is changed.
 * Three kinds of answer: refuse (a refusal), tighten and add (an edit with the profile key that asked for it). What the
 * engine or the user made stricter than the profile is never loosened; planning the planned document again changes nothing.
 */
#ifndef QUOD_POLICY_PLAN_H
#define QUOD_POLICY_PLAN_H

#include <sys/types.h>

#include "oci/edit.h"
#include "oci/spec.h"
#include "shim/egress/ruleset.h"
#include "shim/policy/profile.h"

/* What the host shows about one mount of the configuration. */
struct fact_mount {
	bool is_bind;			/* type "bind", or an option bind/rbind */
	int error;			/* positive errno of the look-up of a bind's source; 0 when it was found */
	char *resolved;			/* the source, absolute, without any link; NULL when not found */
	mode_t mode;			/* S_IFMT part says what it is */
	uint64_t fs_magic;		/* statfs f_type */
	bool is_mount_point;		/* something is mounted exactly at the source */
	bool has_submounts;
	bool is_other_mount;		/* lies on another mount than the engine's data root does */
	bool is_root_only;		/* nobody but root can change the path to it */
	bool holds_token;		/* a pod's volume: of a service account, or it can't be said that it doesn't */
	char *destination;		/* where it really lands: absolute, links of the image resolved within the root file
					   system, no "//", ".", "..", no slash at the end; NULL when there is no such place */
};

/* One path below a workspace that mounts.protect names, or what lies above such a path inside the workspace. Those of one mount
 * stand together, an ancestor in front of what it holds. */
struct fact_protected {
	size_t mount_index;		/* the workspace's, in facts.mounts */
	char *path;			/* below its source; the first part of it that is absent, where something is */
	bool is_ancestor;		/* only held, not read-only */
	bool is_absent;			/* a placeholder must stand there */
	bool is_placeholder;		/* another container's stands there */
	int error;			/* positive errno: ELOOP a symbolic link, EXDEV another mount, ... */
	char *linked;			/* a file, there or below, that has another name, too; NULL */
};

/* What the host shows about one namespace entry with a path. */
struct fact_namespace {
	int error;			/* positive errno when the path is no namespace file */
	bool is_host;			/* the same namespace as pid 1's (or quod's own) */
	bool is_empty;			/* network: no process is in it */
	char *owner_key;		/* state key of the quod container that made it; NULL */
	char *owner_id;			/* and its id */
	struct profile *owner_profile;	/* network: what it runs under; an owner without one is none */
};

/* What the host itself has at the path of one device node of the configuration. */
struct fact_device {
	int error;			/* positive errno when it has nothing there */
	mode_t mode;			/* S_IFMT part */
	int64_t major, minor;
};

enum engine { ENGINE_UNKNOWN, ENGINE_DOCKER, ENGINE_CONTAINERD, ENGINE_CRI, ENGINE_PODMAN, ENGINE_CRIO, ENGINE_BUILDKIT };

enum cgroup_part { CGROUP_CPU = 1, CGROUP_MEMORY = 2, CGROUP_PIDS = 4, CGROUP_CPU_TIME = 8 };

struct facts {
	enum engine engine;
	const char *id;			/* the container's, borrowed */
	const char *bundle_path;	/* the engine's, resolved, borrowed */
	char *rootfs;			/* /root/path, absolute and resolved */
	bool rootfs_is_root_only;	/* nobody but root can change the path to it */
	char *home;			/* the user's home inside: HOME of process.env, else the image's /etc/passwd, else "/" */
	char *engine_data_root;		/* Docker's data root ("/var/lib/docker") as the rootfs shows it; NULL */
	struct fact_mount *mounts;	/* one per oci_config.mounts */
	size_t mount_count;
	struct fact_protected *protected;	/* of all workspaces */
	size_t protected_count;
	struct fact_namespace *namespaces;	/* one per oci_config.namespaces */
	size_t namespace_count;
	struct fact_device *devices;	/* one per entry of /linux/devices */
	size_t device_count;
	int cgroup_version;		/* 1 or 2 */
	bool has_swap_accounting;
	unsigned cgroup_lacks;		/* enum cgroup_part: what the container's cgroup can't do here, for want of rights */
	bool is_rootless;		/* in a user namespace, or not uid 0 */
	uint32_t user;			/* the invoking uid, as the host outside of the user namespace sees it */
	uint64_t own_capabilities;	/* quod's bounding set: what can't be given can't be asked for */
	uint64_t rlimit_hard[16];	/* quod's own hard limits, index RLIMIT_*; raising needs CAP_SYS_RESOURCE */
	bool may_raise_rlimits;
	struct network *host_addresses;	/* the host's own addresses, v4 and v6 */
	size_t host_address_count;
	bool wants_systemd_cgroup;	/* --systemd-cgroup was given */
	bool cgroup_is_taken;		/* what would be the container's cgroup has processes already */
	char *docker_program;		/* "/proc/PID/exe" in a hook, where that is dockerd's own program; NULL */
	char *hook_path;		/* $(libexecdir)/quod/quod-hook */
	const char *state_dir;		/* of this container: /run/quod/containers/KEY */
	const char *key;
	bool has_apparmor, has_selinux;
	const char *deadline;		/* RFC 3339 of QUOD_DEADLINE, or "" when wall is unlimited */
	int oom_score_adj;		/* quod's own: what a process inherits that asks for none */
};

void facts_release(struct facts *facts);

struct refusal {
	char *pointer;		/* where in the document, "" for the whole */
	char *text;		/* "host path /etc is not allowed at /mnt" */
	char *key;		/* the profile key: "mounts.allow" */
};

/* A mount whose checked source is cloned into quod's own directory; config.json then names the clone. */
struct plan_clone {
	bool is_protected;
	size_t mount_index;	/* in the engine's /mounts; of a protected one: in facts.protected */
	bool recursive, readonly;
	size_t number;		/* the clone is <state_dir>/mounts/<number> */
};

/* What is read-only inside a workspace, as long as the container lives. */
struct plan_protected {
	size_t index;		/* in facts.protected */
	char *destination;
};

struct plan {
	struct oci_edits edits;
	struct refusal *refusals;
	size_t refusal_count;
	struct refusal *lowered;	/* wishes over the profile's bound that an edit brings down to it, in the same words */
	size_t lowered_count;
	struct strings notes;		/* what the profile asks for and this host can't hold: "resources.swap: no swap accounting" */
	struct plan_clone *clones;
	size_t clone_count;
	struct plan_protected *protected;
	size_t protected_count;
	bool has_placeholders;		/* something must be taken away from a workspace when the container is gone */
	struct strings volumes;		/* destinations of volumes that became a tmpfs */
	bool has_network;		/* this container makes its network namespace: install `ruleset` there */
	bool is_sandbox;		/* a pod's: its network is the pod's, its time nobody's */
	bool joins_network;		/* it joins one that another container under quod made */
	bool joins;			/* that, or another namespace of such a container */
	struct ruleset ruleset;
	char *resolv_conf;		/* the engine's own file at /etc/resolv.conf, on the host; NULL */
};

/* What every planner gets. (mount_is_workspace: a writable directory of the host's that mounts.allow lets in.) */
struct plan_input {
	const struct profile *profile;
	const struct oci_config *config;
	const struct facts *facts;
	const char *own_wish;	/* the creator's wish that was one of his own profiles, and has tightened this one; NULL */
};

/* Without a profile: a writable directory of the host's, let in or not. */
bool mount_is_workspace(const struct plan_input *input, size_t index);

/* What names a ledger that several containers share: the pod's uid, the workspaces' sources. NULL for a container's own, and
 * where there is no such thing (plan_budgets refuses it). malloc'ed. */
char *budget_scope_name(const struct plan_input *input);

void plan_init(struct plan *plan);	/* an empty plan; every plan_make* begins with it */
void plan_make(const struct plan_input *input, struct plan *plan);	/* free with plan_release */
void plan_release(struct plan *plan);

/* exec: the same bounds for one more process. `root` is the whole process.json. */
void plan_make_exec(const struct plan_input *input, const struct json *root, struct plan *plan);

/* update: `resources` is a runtime-spec resources object, and config is what was planned at create. What is over the profile's
 * bounds is lowered to them; what can't be lowered is refused. */
void plan_make_update(const struct plan_input *input, const struct json *resources, struct plan *plan);

/* The refusal line: "refused by profile 'balanced': /mounts/9: ... (mounts.allow); /linux/...", escaped for a terminal. */
void plan_print_refusals(struct buf *buf, const struct plan *plan, const char *profile_name);

/* "held to profile 'balanced': /pids/limit: 2048 is over the profile's 512 (resources.pids); ...". Nothing where nothing was. */
void plan_print_lowered(struct buf *buf, const struct plan *plan, const char *profile_name);

/* For the planners (policy/{document,mounts,process,seccomp,namespaces,devices,hooks,resources,network}.c). Each touches
 * its own part of the document only. Removals from an array are added from the highest index down, after the replacements
 * and before the appends of that array. */
void plan_refuse(struct plan *plan, const char *key, const char *pointer, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void plan_tell_lowered(struct plan *plan, const char *key, const char *pointer, const char *text);
void plan_note(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

void plan_document(const struct plan_input *input, struct plan *plan);	/* unknown, other case, wrong type */
void plan_document_exec(const struct json *root, struct plan *plan);	/* the same of a process.json */
void plan_document_update(const struct json *resources, struct plan *plan);
void plan_joined(const struct plan_input *input, struct plan *plan);	/* after plan_network */
void plan_mounts(const struct plan_input *input, struct plan *plan);	/* mounts, root, masks */
void plan_process(const struct plan_input *input, const struct oci_process *process, const char *pointer, struct plan *plan);
void plan_seccomp(const struct plan_input *input, struct plan *plan);
void plan_namespaces(const struct plan_input *input, struct plan *plan);
void plan_devices(const struct plan_input *input, struct plan *plan);	/* devices, their cgroup rules */
void plan_kernel(const struct plan_input *input, struct plan *plan);	/* sysctls, annotations, LSM, everything else of linux */
void plan_hooks(const struct plan_input *input, struct plan *plan);	/* the engine's own pass; quod's is added behind them */
void plan_resources(const struct plan_input *input, struct plan *plan);
void plan_network(const struct plan_input *input, struct plan *plan);	/* fills plan->ruleset */
void plan_budgets(const struct plan_input *input, struct plan *plan);	/* whose ledger */
void plan_unenforced(const struct plan_input *input, struct plan *plan);	/* keys that this version can't hold: refused */

#endif
