/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile (quod-profile(5)): what a container may be. Loaded strictly: an unknown key, a key given twice, a value out of
 * its range, a file that others can write is an error with file, line and JSON pointer, never ignored.
 */
#ifndef QUOD_POLICY_PROFILE_H
#define QUOD_POLICY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci/json.h"
#include "shim/policy/names.h"

#define LIMIT_UNLIMITED UINT64_MAX

struct strings {
	char **items;
	size_t count;
};

struct mount_rule {
	char *source, *destination;	/* absolute patterns: * within one component, ** any depth at the end */
	bool readonly;
};

struct tmpfs_rule {
	char *path;		/* absolute; or "$HOME" */
	uint64_t bytes;
};

struct env_rule {
	char *name, *value;
};

struct rlimit_rule {
	char *name;		/* "nofile", lower case without RLIMIT_ */
	uint64_t value;		/* LIMIT_UNLIMITED allowed */
};

struct device_rule {
	char *path, *access;	/* access: any of r, w, m */
};

struct cap_rule {
	struct entry entry;	/* may be a group */
	uint64_t bytes;
	struct entry *members;	/* of a group: what it holds */
	size_t member_count;
};

struct ingress_rule {
	char *text;		/* as written: "9090/tcp@10.0.0.0/8" */
	uint16_t port_first, port_last;
	bool udp;
	bool from_node;		/* @node */
	bool has_from;
	struct network from;
};

enum namespace_bit {
	NS_PID = 1, NS_NETWORK = 2, NS_MOUNT = 4, NS_IPC = 8, NS_UTS = 16, NS_CGROUP = 32,
};

enum volumes { VOLUMES_REFUSE, VOLUMES_ALLOW, VOLUMES_TMPFS };
enum guard { GUARD_KILL, GUARD_NETWORK };
enum exhausted { EXHAUSTED_STOP, EXHAUSTED_FREEZE };
enum scope { SCOPE_CONTAINER, SCOPE_POD, SCOPE_WORKSPACE };
enum reset { RESET_NEVER, RESET_RESTART, RESET_PERIOD };
enum egress_mode { EGRESS_ENFORCE, EGRESS_OBSERVE };
enum audit_bit { AUDIT_REFUSALS = 1, AUDIT_EXEC = 2, AUDIT_DNS = 4, AUDIT_CONNECTIONS = 8 };

/* The allow lists, and with UNSAID_* what else a project's own word may say nothing about. */
enum list_bit {
	LIST_MOUNTS = 1, LIST_HOOKS = 2, LIST_DEVICES = 4, LIST_SYSCTLS = 8, LIST_EGRESS = 16, LIST_INGRESS = 32, LIST_ALL = 63,
	UNSAID_SCOPE = 64, UNSAID_RESET = 128, UNSAID_SOCKETS = 256, UNSAID_TMPFS = 512, UNSAID_RLIMITS = 1024,
	UNSAID_ALL = 2047,
};

/* One input's allow lists in a meet: something is allowed when each layer that has the list allows it. */
struct profile_layer {
	unsigned lists;			/* list_bit: those that it has */
	struct mount_rule *mounts;
	size_t mount_count;
	struct strings hooks, sysctls;
	struct device_rule *devices;
	size_t device_count;
	struct entry *egress;
	size_t egress_count;
	struct ingress_rule *ingress;
	size_t ingress_count;
};

struct profile {
	char *name;			/* file name without .json */
	char *file;			/* where it was read; NULL for a built one */
	char *description;
	struct strings runtime;		/* count 0: the host configuration's */

	struct {
		bool strip;		/* mounts.host: "strip"; false "refuse" */
		struct mount_rule *allow;
		size_t allow_count;
		enum volumes volumes;
		bool service_account;
		struct strings protect;
	} mounts;

	struct {
		bool readonly, mask;
		struct tmpfs_rule *tmpfs;
		size_t tmpfs_count;
	} rootfs;

	struct {
		uint64_t capabilities;	/* bit n = capability n (linux/capability.h) */
		bool no_new_privs, root;
		struct strings env_scrub;
		struct env_rule *env_set;
		size_t env_set_count;
		struct rlimit_rule *rlimits;
		size_t rlimit_count;
	} process;

	struct {
		struct strings deny;	/* names or patterns of system calls */
		bool floor;
		struct strings sockets;	/* "unix", "inet", "inet6", "netlink", ... */
	} seccomp;

	struct {
		unsigned private;	/* namespace_bit */
		bool user_required;
	} namespaces;

	struct strings hooks_allow;
	struct device_rule *devices_allow;
	size_t devices_allow_count;
	struct strings sysctls_allow;

	struct {
		uint64_t cpus_milli;	/* thousandths of a CPU; LIMIT_UNLIMITED */
		uint64_t memory, swap;	/* bytes; swap beside memory */
		uint64_t pids;
	} resources;

	enum guard guard;

	struct {
		uint64_t wall_ms, cpu_ms;	/* LIMIT_UNLIMITED */
		uint64_t egress;		/* bytes */
		uint64_t grace_ms;
		enum exhausted on_exhausted;	/* wall and CPU */
		bool egress_stops;		/* false: "cut" */
		enum scope scope;
		enum reset reset;
		uint64_t reset_period_ms;	/* RESET_PERIOD */
	} budgets;

	struct {
		enum egress_mode mode;
		struct entry *allow;
		size_t allow_count;
		struct deny_rule {
			struct entry of;
			struct entry *except;
			size_t except_count;
		} *deny;
		size_t deny_count;
		struct cap_rule *caps;
		size_t caps_count;
		bool has_via;
		struct address via;
		uint16_t via_port;
		struct strings dns_upstream;
		uint64_t names_per_minute;
		uint64_t rate;			/* bytes a second; LIMIT_UNLIMITED */
		bool verify_name;
	} egress;

	struct ingress_rule *ingress;
	size_t ingress_count;
	unsigned audit_record;			/* audit_bit */

	struct profile_layer *layers;	/* of a meet: the lists that differ; the fields above hold none of these then */
	size_t layer_count;
	unsigned unsaid;		/* list_bit: what this document says nothing about; 0 in every profile that runs */
};

/* The allow lists that must agree, one layer after another: of a profile that is no meet there is one, its own lists. What
 * asks "is this allowed" asks these, never the fields. The layer borrows from the profile. */
size_t profile_layer_count(const struct profile *profile);
struct profile_layer profile_layer(const struct profile *profile, size_t index);

/* Where profiles and groups lie, in order of precedence: /etc/quod first, then the shipped ones. */
struct profile_paths {
	const char *profile_dirs[3];	/* NULL-terminated */
	const char *group_dirs[3];
	bool skip_owner_check;		/* only for `profile check FILE` on a file being written, and for tests */
	struct trusted_dirs *trusted;	/* of one profile_load, which sets it */
};

/* Loads NAME and its parents, merges them (scalars replace, lists append), puts the groups' entries in. The name must be
 * [A-Za-z0-9_.-]+. Returns 0 and a profile to free with profile_free. */
int profile_load(const char *name, const struct profile_paths *paths, struct profile **profile, struct err *err);

/* As profile_load for a file that lies anywhere (`profile check FILE`). */
int profile_load_file(const char *file, const struct profile_paths *paths, struct profile **profile, struct err *err);

/* NAME's own document as it is written, without its parents. *file is its path without links, malloc'ed. */
int profile_read_document(const char *name, const struct profile_paths *paths, struct json_tree **tree, char **file,
			  struct err *err);

/* As profile_load for a document in memory (a record's resolved profile): no parents, no groups left in it. */
int profile_from_json(const struct json *root, const char *name, struct profile **profile, struct err *err);

void profile_free(struct profile *profile);

/* The profile that allows what both allow, under the name of the first; free with profile_free. -EINVAL with the key for
 * single values that differ where none is the stricter one. Commutative (but for the name), associative, idempotent. */
int profile_meet(const struct profile *a, const struct profile *b, struct profile **meet, struct err *err);

/* A word that can only tighten: the project's own file, or one key and its value (an annotation). A document in a profile's
 * form without parents, runtime and process.env.set, in which an absent key says nothing: only good for profile_meet. `name`
 * stands in front of messages. */
int profile_read_word(const struct json *root, const char *name, const struct profile_paths *paths, struct profile **word,
		      struct err *err);
int profile_read_word_of_key(const char *key, const char *value, const struct profile_paths *paths, struct profile **word,
			     struct err *err);

/* Is it a key of quod-profile(5) that profile_read_word_of_key takes? */
bool profile_word_has_key(const char *key);

/* The bound of "nofile" or another limit that a profile does not name. */
uint64_t rlimit_unnamed_bound(const char *name);
/* The bytes of a tmpfs that a profile does not name, and what it gives for /run. */
uint64_t tmpfs_unnamed_bound(const struct profile *profile, const char *path);

/* The resolved profile as a document with every key that has an effect, no `extends`: profile_from_json gives it back.
 * Its compact print is what the digest is taken of. */
struct json *profile_to_json(const struct profile *profile, struct json_tree *tree);

/* For json_parse of such a document: the maps whose names may differ only in case (http_proxy and HTTP_PROXY). */
extern const char *const profile_free_form[];

/* A named group of hosts: what its file says. */
struct host_group {
	char *description, *source;	/* NULL where the file doesn't say */
	char *file;			/* its path without links */
	struct entry *hosts;
	size_t count;
};

/* The group from the first directory that has it; -ENOENT when none has. Free with group_release. */
int group_find(const char *name, const struct profile_paths *paths, struct host_group *group, struct err *err);
void group_release(struct host_group *group);

/* Every error of the file and of its parents, as "FILE:LINE: /pointer: what is wrong", appended to `errors`; the profile when
 * there is none. A document that is no JSON has one. */
struct profile *profile_check_file(const char *file, const struct profile_paths *paths, struct strings *errors);

/* "FILE:LINE: /pointer" of the document in the file's chain that says the key, the nearest one; else the file. malloc'ed. */
char *profile_key_place(const char *file, const struct profile_paths *paths, const char *key);

/* Entries that can never take effect (egress.allow covered by a deny, caps of what is not allowed): one text each, with the
 * place where it is known. What a parent allows and its child denies is none: so a child narrows. A group is one entry.
 * Returns how many were appended to `texts` (malloc'ed, free with strings_free). */
size_t profile_find_dead_entries(const struct profile *profile, struct strings *texts);

/* Names of the profiles, of the groups that are there, sorted, each once. */
int profile_list(const struct profile_paths *paths, struct strings *names, struct err *err);
int group_list(const struct profile_paths *paths, struct strings *names, struct err *err);

void strings_add(struct strings *strings, const char *text);
bool strings_has(const struct strings *strings, const char *text);
void strings_free(struct strings *strings);

/* [A-Za-z0-9_.-]+, not starting with a dot: the name of a profile or a group, and so a file name. */
#define PROFILE_NAME_MAX 128
bool profile_name_is_valid(const char *name);

/* Shell-like match: '*' any run of characters. For env.scrub, seccomp.deny, sysctls, hooks. */
bool pattern_matches(const char *pattern, const char *text);
bool strings_match(const struct strings *patterns, const char *text);	/* one of them does */

#endif
