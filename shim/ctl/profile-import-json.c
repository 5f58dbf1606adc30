/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of srt (Anthropic's sandbox runtime): JSON with network.allowedDomains and network.deniedDomains. A domain there is
 * any port of it, "*.x" every name below x.
 */
#include <string.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/ctl/profile-import.h"

/* "x", "*.x", "x:8443", "*". */
static void add_domain(struct import *import, const char *domain, bool denies)
{
	struct strings *to = denies ? &import->deny : &import->allow;
	bool has_port = strchr(domain, ':') != NULL, is_pattern = !strncmp(domain, "*.", 2);
	cleanup_free char *entry = alloc_printf("%s%s", is_pattern ? "*" : "", domain);

	if (!strcmp(domain, "localhost") || !strncmp(domain, "localhost:", 10)) {
		import_note(import, "%s: the container's own loopback is always open, the host's never", domain);
		return;
	}
	if (domain[0] == '*' && !is_pattern) {
		import_note(import, "%s of deniedDomains: what isn't allowed is denied anyway", domain);
		return;
	}
	if (!has_port && !denies)
		import_note(import, "%s was any port: here it is 443 and 80", domain);
	import_entry(import, to, entry);
}

static void add_domains(struct import *import, const struct json *list, bool denies)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++)
		if (json_is(list->items[i], JSON_STRING))
			add_domain(import, list->items[i]->text, denies);
}

static void note_members(struct import *import, const struct json *object, const char *prefix, const char *why)
{
	for (size_t i = 0; json_is(object, JSON_OBJECT) && i < object->count; i++)
		if (strcmp(object->members[i].name, "allowedDomains") && strcmp(object->members[i].name, "deniedDomains"))
			import_note(import, "%s%s: %s", prefix, object->members[i].name, why);
}

int import_srt(struct import *import, const char *text, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	const struct json *root, *network;
	int r = json_parse(text, strlen(text), JSON_COMMENTS, NULL, &tree, err);

	if (r)
		return r;
	/* Claude Code's own settings have them one level deeper */
	root = json_get(json_root(tree), "sandbox") ? json_get(json_root(tree), "sandbox") : json_root(tree);
	network = json_get(root, "network");
	add_domains(import, json_get(network, "allowedDomains"), false);
	add_domains(import, json_get(network, "deniedDomains"), true);
	note_members(import, network, "network.", "has no counterpart: quod holds the container's own network namespace");
	note_members(import, json_get(root, "filesystem"), "filesystem.",
		     "a container has files of its own: what of the host it sees is mounts.allow, what it must not write mounts.protect");
	for (size_t i = 0; json_is(root, JSON_OBJECT) && i < root->count; i++)
		if (strcmp(root->members[i].name, "network") && strcmp(root->members[i].name, "filesystem"))
			import_note(import, "%s: not carried over", root->members[i].name);
	return 0;
}
