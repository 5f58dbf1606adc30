/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table itself, from the specification's versions 1.0 to 1.3; fields that a later version dropped (intelRdt's enableCMT and
 * enableMBM) stay known. Other platforms' objects are opaque. A field that isn't here is unknown to quod, so an entry is
 * added only together with what the policy says of it.
 */
#include "oci/spec-schema.h"

/* Maps whose names somebody else defines; all other objects have the specification's names only. */
const char *const oci_config_free_form[] = {
	"/annotations", "/linux/sysctl", "/linux/resources/unified", "/linux/resources/rdma", "/linux/netDevices", NULL,
};
const char *const oci_resources_free_form[] = { "/unified", "/rdma", NULL };

/* One value: of a Go value type (ONE), which null doesn't suit, or of a pointer type (OPTIONAL), where it means absent. */
#define ONE(name, type) { name, type, SPEC_ONE, false, NULL }
#define OPTIONAL(name, type) { name, type, SPEC_ONE, true, NULL }
#define OBJECT(name, fields) { name, SPEC_OBJECT, SPEC_ONE, true, fields }
#define OPAQUE(name) { name, SPEC_OPAQUE, SPEC_ONE, true, NULL }
#define LIST(name, type) { name, type, SPEC_LIST, true, NULL }
#define OBJECTS(name, fields) { name, SPEC_OBJECT, SPEC_LIST, true, fields }
#define MAP(name, type) { name, type, SPEC_MAP, true, NULL }
#define OBJECT_MAP(name, fields) { name, SPEC_OBJECT, SPEC_MAP, true, fields }
#define DOCUMENT(fields) { "", SPEC_OBJECT, SPEC_ONE, false, fields }
#define END { NULL, SPEC_STRING, SPEC_ONE, false, NULL }

static const struct spec_field id_mapping[] = {
	ONE("containerID", SPEC_UINT32), ONE("hostID", SPEC_UINT32), ONE("size", SPEC_UINT32), END
};

static const struct spec_field root[] = {
	ONE("path", SPEC_STRING), ONE("readonly", SPEC_BOOL), END
};

static const struct spec_field mount[] = {
	ONE("destination", SPEC_STRING), ONE("type", SPEC_STRING), ONE("source", SPEC_STRING), LIST("options", SPEC_STRING),
	OBJECTS("uidMappings", id_mapping), OBJECTS("gidMappings", id_mapping), END
};

static const struct spec_field hook[] = {
	ONE("path", SPEC_STRING), LIST("args", SPEC_STRING), LIST("env", SPEC_STRING), OPTIONAL("timeout", SPEC_INT32), END
};

static const struct spec_field hooks[] = {
	OBJECTS("prestart", hook), OBJECTS("createRuntime", hook), OBJECTS("createContainer", hook),
	OBJECTS("startContainer", hook), OBJECTS("poststart", hook), OBJECTS("poststop", hook), END
};

/* process */

static const struct spec_field console_size[] = {
	ONE("height", SPEC_UINT64), ONE("width", SPEC_UINT64), END
};

static const struct spec_field user[] = {
	ONE("uid", SPEC_UINT32), ONE("gid", SPEC_UINT32), OPTIONAL("umask", SPEC_UINT32), LIST("additionalGids", SPEC_UINT32),
	ONE("username", SPEC_STRING), END
};

static const struct spec_field capabilities[] = {
	LIST("bounding", SPEC_STRING), LIST("effective", SPEC_STRING), LIST("inheritable", SPEC_STRING),
	LIST("permitted", SPEC_STRING), LIST("ambient", SPEC_STRING), END
};

static const struct spec_field rlimit[] = {
	ONE("type", SPEC_STRING), ONE("hard", SPEC_UINT64), ONE("soft", SPEC_UINT64), END
};

static const struct spec_field scheduler[] = {
	ONE("policy", SPEC_STRING), ONE("nice", SPEC_INT32), ONE("priority", SPEC_INT32), LIST("flags", SPEC_STRING),
	ONE("runtime", SPEC_UINT64), ONE("deadline", SPEC_UINT64), ONE("period", SPEC_UINT64), END
};

static const struct spec_field io_priority[] = {
	ONE("class", SPEC_STRING), ONE("priority", SPEC_INT32), END
};

static const struct spec_field cpu_affinity[] = {
	ONE("initial", SPEC_STRING), ONE("final", SPEC_STRING), END
};

static const struct spec_field process[] = {
	ONE("terminal", SPEC_BOOL), OBJECT("consoleSize", console_size), OBJECT("user", user), LIST("args", SPEC_STRING),
	ONE("commandLine", SPEC_STRING), LIST("env", SPEC_STRING), ONE("cwd", SPEC_STRING), OBJECT("capabilities", capabilities),
	OBJECTS("rlimits", rlimit), ONE("noNewPrivileges", SPEC_BOOL), ONE("apparmorProfile", SPEC_STRING),
	OPTIONAL("oomScoreAdj", SPEC_INT32), OBJECT("scheduler", scheduler), ONE("selinuxLabel", SPEC_STRING),
	OBJECT("ioPriority", io_priority), OBJECT("execCPUAffinity", cpu_affinity), END
};

/* linux.resources */

static const struct spec_field device_rule[] = {
	ONE("allow", SPEC_BOOL), ONE("type", SPEC_STRING), OPTIONAL("major", SPEC_INT64), OPTIONAL("minor", SPEC_INT64),
	ONE("access", SPEC_STRING), END
};

static const struct spec_field memory[] = {
	OPTIONAL("limit", SPEC_INT64), OPTIONAL("reservation", SPEC_INT64), OPTIONAL("swap", SPEC_INT64),
	OPTIONAL("kernel", SPEC_INT64), OPTIONAL("kernelTCP", SPEC_INT64), OPTIONAL("swappiness", SPEC_UINT64),
	OPTIONAL("disableOOMKiller", SPEC_BOOL), OPTIONAL("useHierarchy", SPEC_BOOL), OPTIONAL("checkBeforeUpdate", SPEC_BOOL), END
};

static const struct spec_field cpu[] = {
	OPTIONAL("shares", SPEC_UINT64), OPTIONAL("quota", SPEC_INT64), OPTIONAL("burst", SPEC_UINT64),
	OPTIONAL("period", SPEC_UINT64), OPTIONAL("realtimeRuntime", SPEC_INT64), OPTIONAL("realtimePeriod", SPEC_UINT64),
	ONE("cpus", SPEC_STRING), ONE("mems", SPEC_STRING), OPTIONAL("idle", SPEC_INT64), END
};

static const struct spec_field pids[] = {
	OPTIONAL("limit", SPEC_INT64), END
};

static const struct spec_field weight_device[] = {
	ONE("major", SPEC_INT64), ONE("minor", SPEC_INT64), OPTIONAL("weight", SPEC_UINT16), OPTIONAL("leafWeight", SPEC_UINT16), END
};

static const struct spec_field throttle_device[] = {
	ONE("major", SPEC_INT64), ONE("minor", SPEC_INT64), ONE("rate", SPEC_UINT64), END
};

static const struct spec_field block_io[] = {
	OPTIONAL("weight", SPEC_UINT16), OPTIONAL("leafWeight", SPEC_UINT16), OBJECTS("weightDevice", weight_device),
	OBJECTS("throttleReadBpsDevice", throttle_device), OBJECTS("throttleWriteBpsDevice", throttle_device),
	OBJECTS("throttleReadIOPSDevice", throttle_device), OBJECTS("throttleWriteIOPSDevice", throttle_device), END
};

static const struct spec_field hugepage_limit[] = {
	ONE("pageSize", SPEC_STRING), ONE("limit", SPEC_UINT64), END
};

static const struct spec_field interface_priority[] = {
	ONE("name", SPEC_STRING), ONE("priority", SPEC_UINT32), END
};

static const struct spec_field network[] = {
	OPTIONAL("classID", SPEC_UINT32), OBJECTS("priorities", interface_priority), END
};

static const struct spec_field rdma[] = {
	OPTIONAL("hcaHandles", SPEC_UINT32), OPTIONAL("hcaObjects", SPEC_UINT32), END
};

static const struct spec_field resources[] = {
	OBJECTS("devices", device_rule), OBJECT("memory", memory), OBJECT("cpu", cpu), OBJECT("pids", pids),
	OBJECT("blockIO", block_io), OBJECTS("hugepageLimits", hugepage_limit), OBJECT("network", network),
	OBJECT_MAP("rdma", rdma), MAP("unified", SPEC_STRING), END
};

/* linux */

static const struct spec_field namespaces[] = {
	ONE("type", SPEC_STRING), ONE("path", SPEC_STRING), END
};

static const struct spec_field device[] = {
	ONE("path", SPEC_STRING), ONE("type", SPEC_STRING), ONE("major", SPEC_INT64), ONE("minor", SPEC_INT64),
	OPTIONAL("fileMode", SPEC_UINT32), OPTIONAL("uid", SPEC_UINT32), OPTIONAL("gid", SPEC_UINT32), END
};

static const struct spec_field net_device[] = {
	ONE("name", SPEC_STRING), END
};

static const struct spec_field seccomp_arg[] = {
	ONE("index", SPEC_UINT32), ONE("value", SPEC_UINT64), ONE("valueTwo", SPEC_UINT64), ONE("op", SPEC_STRING), END
};

static const struct spec_field seccomp_rule[] = {
	LIST("names", SPEC_STRING), ONE("action", SPEC_STRING), OPTIONAL("errnoRet", SPEC_UINT32), OBJECTS("args", seccomp_arg), END
};

static const struct spec_field seccomp[] = {
	ONE("defaultAction", SPEC_STRING), OPTIONAL("defaultErrnoRet", SPEC_UINT32), LIST("architectures", SPEC_STRING),
	LIST("flags", SPEC_STRING), ONE("listenerPath", SPEC_STRING), ONE("listenerMetadata", SPEC_STRING),
	OBJECTS("syscalls", seccomp_rule), END
};

static const struct spec_field intel_rdt[] = {
	ONE("closID", SPEC_STRING), LIST("schemata", SPEC_STRING), ONE("l3CacheSchema", SPEC_STRING),
	ONE("memBwSchema", SPEC_STRING), ONE("enableMonitoring", SPEC_BOOL), ONE("enableCMT", SPEC_BOOL),
	ONE("enableMBM", SPEC_BOOL), END
};

static const struct spec_field memory_policy[] = {
	ONE("mode", SPEC_STRING), ONE("nodes", SPEC_STRING), LIST("flags", SPEC_STRING), END
};

static const struct spec_field personality[] = {
	ONE("domain", SPEC_STRING), LIST("flags", SPEC_STRING), END
};

static const struct spec_field time_offset[] = {
	ONE("secs", SPEC_INT64), ONE("nanosecs", SPEC_UINT32), END
};

/* Go has a map here; only these two clocks exist. */
static const struct spec_field time_offsets[] = {
	OBJECT("boottime", time_offset), OBJECT("monotonic", time_offset), END
};

static const struct spec_field linux_fields[] = {
	OBJECTS("uidMappings", id_mapping), OBJECTS("gidMappings", id_mapping), MAP("sysctl", SPEC_STRING),
	OBJECT("resources", resources), ONE("cgroupsPath", SPEC_STRING), OBJECTS("namespaces", namespaces),
	OBJECTS("devices", device), OBJECT_MAP("netDevices", net_device), OBJECT("seccomp", seccomp),
	ONE("rootfsPropagation", SPEC_STRING), LIST("maskedPaths", SPEC_STRING), LIST("readonlyPaths", SPEC_STRING),
	ONE("mountLabel", SPEC_STRING), OBJECT("intelRdt", intel_rdt), OBJECT("memoryPolicy", memory_policy),
	OBJECT("personality", personality), OBJECT("timeOffsets", time_offsets), END
};

static const struct spec_field config[] = {
	ONE("ociVersion", SPEC_STRING), OBJECT("process", process), OBJECT("root", root), ONE("hostname", SPEC_STRING),
	ONE("domainname", SPEC_STRING), OBJECTS("mounts", mount), OBJECT("hooks", hooks), MAP("annotations", SPEC_STRING),
	OBJECT("linux", linux_fields), OPAQUE("solaris"), OPAQUE("windows"), OPAQUE("vm"), OPAQUE("zos"), OPAQUE("freebsd"), END
};

const struct spec_field spec_config = DOCUMENT(config);
const struct spec_field spec_process = DOCUMENT(process);
const struct spec_field spec_resources = DOCUMENT(resources);
