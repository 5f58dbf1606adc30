/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an engine itself puts into a container: see engine-files.h. A source counts only when nobody but root can change the
 * path to it, and when the container id in the path is this container's or that of a namespace's owner that it joins.
 */
#include "shim/policy/engine-files.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/policy/paths.h"

/* The id is this container's, or of the container whose namespace it joins (a pod's sandbox, container:X). */
static bool is_own_id(const struct plan_input *input, const char *id, size_t len)
{
	const struct facts *facts = input->facts;

	if (facts->id && strlen(facts->id) == len && !strncmp(facts->id, id, len))
		return true;
	for (size_t i = 0; i < facts->namespace_count; i++) {
		const char *owner = facts->namespaces[i].owner_id;

		if (owner && strlen(owner) == len && !strncmp(owner, id, len))
			return true;
	}
	return false;
}

/* The path is PREFIX-part `marker` ID/REST with an own id; gives REST. */
static const char *behind_own_id(const struct plan_input *input, const char *path, const char *marker)
{
	const char *at = strstr(path, marker), *slash;

	if (!at)
		return NULL;
	at += strlen(marker);
	slash = strchr(at, '/');
	return slash && is_own_id(input, at, (size_t)(slash - at)) ? slash + 1 : NULL;
}

static bool is_etc_pair(const char *file, const char *destination)
{
	static const char *const pairs[][2] = {
		{ "hosts", "/etc/hosts" },
		{ "hostname", "/etc/hostname" },
		{ "resolv.conf", "/etc/resolv.conf" },
		{ ".containerenv", "/run/.containerenv" },
		{ "passwd", "/etc/passwd" },	/* Podman, for a user that the image doesn't know */
		{ "group", "/etc/group" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (!strcmp(file, pairs[i][0]) && !strcmp(destination, pairs[i][1]))
			return true;
	return false;
}

/* Docker: DATA-ROOT/containers/ID/FILE; containerd's CRI: .../sandboxes/ID/FILE; Podman: ...-containers/ID/userdata/FILE. */
static const char *own_directory_file(const struct plan_input *input, const char *path)
{
	static const char *const docker = "/containers/", *const cri = "/io.containerd.grpc.v1.cri/sandboxes/";
	const char *root = input->facts->engine_data_root, *rest;

	if (root && path_is_within(path, root) && (rest = behind_own_id(input, path + strlen(root), docker)))
		return rest;
	if ((rest = behind_own_id(input, path, cri)))
		return rest;
	if ((rest = behind_own_id(input, path, "-containers/")))
		return path_behind(rest, "userdata");
	return NULL;
}

static bool is_own_file(const struct plan_input *input, const struct fact_mount *fact)
{
	const char *file = own_directory_file(input, fact->resolved);

	return file && S_ISREG(fact->mode) && is_etc_pair(file, fact->destination);
}

static bool is_own_shm(const struct plan_input *input, const struct fact_mount *fact)
{
	const char *file = own_directory_file(input, fact->resolved);

	return file && S_ISDIR(fact->mode) && fact->fs_magic == TMPFS_MAGIC && !strcmp(fact->destination, "/dev/shm") &&
	       (!strcmp(file, "shm") || !strcmp(file, "mounts/shm"));
}

static bool is_engine_init(const struct fact_mount *fact)
{
	static const char *const destinations[] = { "/sbin/docker-init", "/usr/sbin/docker-init", "/run/podman-init", "/dev/init" };
	static const char *const directories[] = { "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/libexec/podman",
						   "/usr/libexec/docker", "/usr/lib/podman" };
	static const char *const names[] = { "docker-init", "tini", "tini-static", "catatonit" };
	bool is_place = false;

	for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++)
		is_place = is_place || !strcmp(fact->destination, destinations[i]);
	if (!is_place || !S_ISREG(fact->mode))
		return false;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		const char *file = path_behind(fact->resolved, directories[i]);

		for (size_t k = 0; file && k < sizeof(names) / sizeof(names[0]); k++)
			if (!strcmp(file, names[k]))
				return true;
	}
	return false;
}

/* Behind the pod's own directory of the kubelet, for the pod that CRI's own annotations name. */
static const char *pod_file(const struct plan_input *input, const char *path)
{
	const char *uid = oci_annotation(input->config, "io.kubernetes.cri.sandbox-uid");
	const char *at = input->facts->engine == ENGINE_CRI && uid && *uid ? strstr(path, "/pods/") : NULL;
	size_t len = uid ? strlen(uid) : 0;

	if (!at || strncmp(at + 6, uid, len) || at[6 + len] != '/')
		return NULL;
	return at + 6 + len + 1;
}

/* Volumes that the kubelet keeps in the pod's own directory, and those that it mounts there: of a CSI driver, of a network. What
 * is mounted there and is seen elsewhere on the host was found to be that (facts-origin.c). */
static enum engine_file pod_volume_kind(const char *file, const struct fact_mount *fact)
{
	static const char *const own[] = { "volumes/kubernetes.io~empty-dir", "volumes/kubernetes.io~configmap",
					   "volumes/kubernetes.io~secret", "volumes/kubernetes.io~downward-api",
					   "volumes/kubernetes.io~projected" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (path_behind(file, own[i]))
			return fact->has_submounts ? ENGINE_FILE_DISGUISE : ENGINE_FILE_VOLUME;
	if (path_behind(file, "volumes") || path_behind(file, "volume-subpaths"))
		return fact->is_mount_point && !fact->has_submounts ? ENGINE_FILE_VOLUME : ENGINE_FILE_DISGUISE;
	return ENGINE_FILE_NONE;
}

static enum engine_file pod_file_kind(const struct plan_input *input, const struct fact_mount *fact)
{
	const char *file = pod_file(input, fact->resolved);
	enum engine_file kind;

	if (!file)
		return ENGINE_FILE_NONE;
	if (!strcmp(file, "etc-hosts") && !strcmp(fact->destination, "/etc/hosts") && S_ISREG(fact->mode))
		return ENGINE_FILE_ETC;
	if (path_behind(file, "containers") && !strcmp(fact->destination, "/dev/termination-log") && S_ISREG(fact->mode))
		return ENGINE_FILE_ETC;
	if (path_is_within(fact->destination, "/run/secrets/kubernetes.io/serviceaccount") ||
	    path_is_within(fact->destination, "/var/run/secrets/kubernetes.io/serviceaccount"))
		return ENGINE_FILE_TOKEN;
	kind = pod_volume_kind(file, fact);
	return kind == ENGINE_FILE_VOLUME && fact->holds_token ? ENGINE_FILE_TOKEN_ASKED : kind;
}

/* An image that Kubernetes mounts as a volume: containerd unpacks it for the pod, .../image-volumes/POD/IMAGE. */
static bool is_image_volume(const struct plan_input *input, const struct fact_mount *fact)
{
	static const char *const marker = "/io.containerd.grpc.v1.cri/image-volumes/";
	const char *image = input->facts->engine == ENGINE_CRI ? behind_own_id(input, fact->resolved, marker) : NULL;

	return image && *image && S_ISDIR(fact->mode) && fact->is_mount_point && !fact->has_submounts;
}

/* Docker: DATA-ROOT/volumes/NAME/_data; Podman: GRAPH-ROOT/volumes/NAME/_data. One that is a mount itself is a bind, a disk
 * or a network file system in disguise. */
static enum engine_file volume_kind(const struct plan_input *input, const struct fact_mount *fact)
{
	const char *root = input->facts->engine_data_root, *name, *data;

	if (!root || !(name = path_behind(fact->resolved, root)) || !(name = path_behind(name, "volumes")))
		return ENGINE_FILE_NONE;
	data = strchr(name, '/');
	if (!data || !path_is_within(data, "/_data"))
		return ENGINE_FILE_NONE;
	if (fact->is_mount_point || fact->has_submounts || fact->is_other_mount || !S_ISDIR(fact->mode))
		return ENGINE_FILE_DISGUISE;
	return ENGINE_FILE_VOLUME;
}

/* Docker and Podman name a volume that nobody named by 64 random hex digits. */
bool engine_volume_is_anonymous(const struct plan_input *input, const struct fact_mount *fact)
{
	const char *root = input->facts->engine_data_root, *name = root ? path_behind(fact->resolved, root) : NULL;

	name = name ? path_behind(name, "volumes") : NULL;
	return name && strspn(name, "0123456789abcdef") == 64 && !strcmp(name + 64, "/_data");
}

enum engine_file engine_file_kind(const struct plan_input *input, const struct fact_mount *fact)
{
	enum engine_file kind;

	if (!fact->resolved || !fact->destination || !fact->is_root_only)
		return ENGINE_FILE_NONE;
	if (is_own_file(input, fact))
		return ENGINE_FILE_ETC;
	if (is_own_shm(input, fact))
		return ENGINE_FILE_SHM;
	if (is_engine_init(fact))
		return ENGINE_FILE_INIT;
	if (is_image_volume(input, fact))
		return ENGINE_FILE_IMAGE;
	kind = pod_file_kind(input, fact);
	return kind != ENGINE_FILE_NONE ? kind : volume_kind(input, fact);
}
