/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI runtime specification (1.0 to 1.3, linux): what fields it defines and of what type, and a typed, borrowed,
 * read-only view of a configuration. No policy: nothing here knows what quod thinks of a field.
 */
#ifndef QUOD_OCI_SPEC_H
#define QUOD_OCI_SPEC_H

#include "oci/json.h"

/* Free-form maps of config.json: "/annotations", "/linux/sysctl", "/linux/resources/unified", ... (NULL-terminated), for
 * json_parse. */
extern const char *const oci_config_free_form[];
extern const char *const oci_resources_free_form[];	/* the same of update's resources document */

/* One deviation of a document from the specification. */
enum oci_finding_kind {
	OCI_WRONG_TYPE,		/* a known field of another type (an object where a string belongs, 1.5 where an integer does) */
	OCI_OTHER_CASE,		/* a name that is a known field but for its case, which Go takes for it and C does not */
	OCI_UNKNOWN,		/* a field that the specification doesn't have at this place */
	OCI_OUT_OF_RANGE,	/* an integer that its field's type (int32, uint32, int64, uint64) can't hold */
};

struct oci_finding {
	enum oci_finding_kind kind;
	char *pointer;		/* where, RFC 6901 */
	char *text;		/* what, for a person: "is a string, not an array" */
	int line;
};

#define OCI_FINDINGS_MAX 1000

struct oci_findings {
	struct oci_finding *items;
	size_t count;
	bool is_cut;		/* there are more: the walk has ended at OCI_FINDINGS_MAX, the rest is unseen */
};

enum oci_document { OCI_CONFIG, OCI_PROCESS, OCI_RESOURCES };	/* config.json, exec's process.json, update's resources */

/*
 * Walks the whole document by the table of the specification and lists each deviation, in document order.
 *
 * Integers must be written as such: 1.0, 1e3 and -0 are OCI_WRONG_TYPE in an integer's field. null is taken for an object, an
 * array, a map, and for a single value whose absence differs from its zero (a pointer in the specification's Go types:
 * oomScoreAdj, memory.limit, ...), since runc and crun both read it as absent there; the view below shows NULL for it.
 * Anywhere else null is OCI_WRONG_TYPE: for other single values, as an item of an array, as a value of a map. The inside of
 * what is unknown, and of other platforms' objects (windows, solaris, vm, zos, freebsd), is not looked at.
 */
void oci_check(const struct json *root, enum oci_document document, struct oci_findings *findings);
void oci_findings_free(struct oci_findings *findings);

/* Typed view. Everything points into the tree. Absent strings are NULL, absent nodes NULL. Only to be made of a document
 * in which oci_check found no wrong type. */
struct oci_mount {
	const char *destination, *type, *source;
	const struct json *options;	/* array of strings or NULL */
	const struct json *node;
	size_t index;			/* in /mounts */
};

struct oci_namespace {
	const char *type, *path;	/* path NULL: a new one */
	size_t index;
};

struct oci_process {
	const struct json *node;	/* NULL when the document has none */
	bool terminal;
	uint32_t uid, gid;
	const struct json *user;
	const struct json *additional_gids;
	const struct json *args, *env;	/* arrays of strings or NULL */
	const char *cwd;
	const struct json *capabilities;	/* object with bounding, effective, inheritable, permitted, ambient */
	const struct json *rlimits;
	bool no_new_privileges;
	const char *apparmor_profile, *selinux_label;
	const struct json *oom_score_adj;	/* a number or NULL */
	const struct json *scheduler, *io_priority, *exec_cpu_affinity;
};

struct oci_config {
	const struct json *root;	/* the document */
	const char *oci_version, *hostname;
	const char *root_path;		/* /root/path */
	bool root_readonly;
	struct oci_process process;
	struct oci_mount *mounts;
	size_t mount_count;
	const struct json *hooks, *annotations;
	const struct json *linux_node;
	struct oci_namespace *namespaces;
	size_t namespace_count;
	const struct json *devices, *resources, *sysctl, *seccomp, *masked_paths, *readonly_paths;
	const struct json *uid_mappings, *gid_mappings;
	const char *cgroups_path, *rootfs_propagation, *mount_label;
};

void oci_config_view(const struct json *root, struct oci_config *config);	/* free with oci_config_release */
void oci_config_release(struct oci_config *config);
void oci_process_view(const struct json *node, struct oci_process *process);

/* annotations' value for a key, or NULL */
const char *oci_annotation(const struct oci_config *config, const char *key);

#endif
