/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules: what each part of a match looks at, and whom an annotation is believed from. Facts are given, no host is asked. */
#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include "shim/policy/selection.h"
#include "tests/unit/plan-tools.h"

static void test_call(void)
{
	static const struct {
		struct host_rule rule;
		bool fits;
		const char *what;
	} cases[] = {
		{ { .engine = (char *)"cri" }, true, "its engine" },
		{ { .engine = (char *)"docker" }, false, "another engine" },
		{ { .namespace_pattern = (char *)"pay-*" }, true, "a pattern of its namespace" },
		{ { .namespace_pattern = (char *)"pay" }, false, "another namespace" },
		{ { .has_user = true, .user = 1000 }, true, "its user" },
		{ { .has_user = true, .user = 0 }, false, "another user" },
		{ { .engine = (char *)"cri", .has_user = true, .user = 0 }, false, "its engine and another user" },
	};
	const struct call call = { "cri", "pay-eu", 1000 }, without = { "docker", NULL, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		OK(selection_fits(&cases[i].rule, &call) == cases[i].fits, "selection: a rule for %s %s", cases[i].what,
		   cases[i].fits ? "fits" : "does not fit");
	OK(!selection_fits(&(struct host_rule){ .namespace_pattern = (char *)"*" }, &without),
	   "selection: a rule for any namespace fits none without one");
}

static const char *namespace_of(enum engine engine, const char *bundle, bool rootless, const char *annotation)
{
	static struct json_tree *tree;
	cleanup_free char *text = alloc_printf("{'annotations':{'%s':'kube-system'}}", annotation);
	struct facts facts = { .engine = engine, .bundle_path = bundle, .is_rootless = rootless };
	struct oci_config config;
	const char *namespace;

	json_tree_free(tree);
	tree = parse_text(text);
	oci_config_view(json_root(tree), &config);
	namespace = selection_namespace(&config, &facts);
	oci_config_release(&config);
	return namespace ? namespace : "none";
}

static void test_namespace(void)
{
	static const char cri[] = "io.kubernetes.cri.sandbox-namespace", crio[] = "io.kubernetes.cri-o.Namespace";
	static const char run[] = "/run/containers/storage/overlay-containers/1/userdata";
	static const char stored[] = "/var/lib/containers/storage/overlay-containers/1/userdata";

	IS_STR(namespace_of(ENGINE_CRI, "/b", false, cri), "kube-system", "selection: CRI's own annotation says the namespace");
	IS_STR(namespace_of(ENGINE_DOCKER, "/b", false, cri), "none", "selection: from Docker nobody believes it");
	IS_STR(namespace_of(ENGINE_CONTAINERD, "/b", false, cri), "none", "selection: nor from containerd without Kubernetes");
	IS_STR(namespace_of(ENGINE_UNKNOWN, "/b", false, cri), "none", "selection: nor from who knows whom");
	IS_STR(namespace_of(ENGINE_CRIO, run, false, crio), "kube-system", "selection: CRI-O's own annotation says it");
	IS_STR(namespace_of(ENGINE_CRIO, stored, false, crio), "none", "selection: not where Podman keeps its bundles");
	IS_STR(namespace_of(ENGINE_CRIO, run, true, crio), "none", "selection: not rootless");
	IS_STR(namespace_of(ENGINE_PODMAN, run, false, crio), "none", "selection: not from Podman");
	IS_STR(namespace_of(ENGINE_CRI, "/b", false, crio), "none", "selection: CRI-O's annotation is nothing to containerd");
}

struct workspace_case {
	const char *options, *source, *destination;
	mode_t mode;
	int error;
	bool fits, fits_unmanaged;
	const char *what;
};

static bool fits(const struct workspace_case *one, const struct profile *profile)
{
	struct fact_mount mount = { .is_bind = true, .resolved = (char *)one->source, .mode = one->mode, .error = one->error,
				    .fs_magic = EXT4_SUPER_MAGIC, .destination = (char *)one->destination };
	struct facts facts = { .mounts = &mount, .mount_count = 1 };
	struct host_rule rule = { .workspace = (char *)"/srv/web/**" };
	cleanup_free char *text = alloc_printf("{'mounts':[{'destination':'/x','type':'bind','source':'/y','options':[%s]}]}",
					       one->options);
	cleanup_json_tree struct json_tree *tree = parse_text(text);
	struct oci_config config;
	struct plan_input input = { .profile = profile, .config = &config, .facts = &facts };
	bool found;

	oci_config_view(json_root(tree), &config);
	found = selection_fits_workspace(&rule, &input);
	oci_config_release(&config);
	return found;
}

static void test_workspace(void)
{
	static const struct workspace_case cases[] = {
		{ "'bind'", "/srv/web/a", "/workspace", S_IFDIR, 0, true, true, "a project that the profile lets in" },
		{ "'bind','ro','rw'", "/srv/web/a", "/workspace", S_IFDIR, 0, true, true, "one whose last word is rw" },
		{ "'bind','ro'", "/srv/web/a", "/workspace", S_IFDIR, 0, false, false, "one that is mounted read-only" },
		{ "'bind'", "/srv/web/a", "/elsewhere", S_IFDIR, 0, false, true, "one that the profile lets in elsewhere only" },
		{ "'bind'", "/srv/web/ro", "/ro", S_IFDIR, 0, false, true, "one that the profile lets in read-only" },
		{ "'bind'", "/srv/other", "/workspace", S_IFDIR, 0, false, false, "one that lies elsewhere" },
		{ "'bind'", "/srv/web/a", "/workspace", S_IFREG, 0, false, false, "a file" },
		{ "'bind'", "/srv/web/a", "/workspace", S_IFDIR, ENOENT, false, false, "one that isn't there" },
	};
	cleanup_json_tree struct json_tree *tree = parse_text(
		"{'version':1,'mounts':{'allow':[{'source':'/srv/**','destination':'/workspace/**','readonly':false},"
		"{'source':'/srv/**','destination':'/ro'}]}}");
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (profile_from_json(json_root(tree), "web", &profile, &err))
		exit(99);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		OK(fits(&cases[i], profile) == cases[i].fits, "selection: a rule for a workspace %s %s",
		   cases[i].fits ? "fits" : "does not fit", cases[i].what);
		OK(fits(&cases[i], NULL) == cases[i].fits_unmanaged, "selection: and without a profile it %s",
		   cases[i].fits_unmanaged ? "fits" : "does not");
	}
	profile_free(profile);
}

int main(void)
{
	test_call();
	test_namespace();
	test_workspace();
	return tap_done();
}
