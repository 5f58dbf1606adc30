/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of hosts in texts: StepSecurity's harden-runner (a workflow's YAML), GitHub's agentic workflow firewall (awf: a file of
 * domains, or a script that calls it), a development container's init-firewall.sh. They are not parsed as what they are: the
 * one place of each that has the list is looked for, line by line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/profile-import.h"

/* The next line of *text, cut out of it; NULL at the end. */
static char *next_line(const char **text)
{
	size_t len = strcspn(*text, "\n");
	char *line;

	if (!**text)
		return NULL;
	line = alloc_printf("%.*s", (int)len, *text);
	*text += len + ((*text)[len] == '\n');
	return line;
}

static size_t indent_of(const char *line)
{
	return strspn(line, " \t");
}

/* Each word of `text` between characters of `between`, without quotes around it. */
static void each_word(struct import *import, const char *text, const char *between,
		      void (*take)(struct import *import, const char *word))
{
	cleanup_free char *copy = alloc_copy(text);
	char *save = NULL;

	for (char *word = strtok_r(copy, between, &save); word; word = strtok_r(NULL, between, &save)) {
		size_t len = strlen(word);

		while (len && strchr("\"'\\;", word[len - 1]))
			word[--len] = '\0';
		word += strspn(word, "\"'");
		if (*word)
			take(import, word);
	}
}

/* "KEY: VALUE" at any depth: the value, or NULL for another line. */
static const char *yaml_value(const char *line, const char *key)
{
	const char *at = line + indent_of(line);
	size_t len = strlen(key);

	at += !strncmp(at, "- ", 2) ? 2 : 0;
	if (strncmp(at, key, len) || at[len] != ':')
		return NULL;
	at += len + 1;
	return at + strspn(at, " \t");
}

static void take_endpoint(struct import *import, const char *word)
{
	import_entry(import, &import->allow, word);
}

/* "${{ ... }}" is known to the workflow alone. */
static void take_endpoints(struct import *import, const char *text)
{
	cleanup_free char *copy = alloc_copy(text);

	for (char *at = strstr(copy, "${{"); at; at = strstr(copy, "${{")) {
		char *end = strstr(at, "}}");
		size_t len = end ? (size_t)(end + 2 - at) : strlen(at);

		import_note(import, "%.*s: an expression of the workflow", (int)len, at);
		memset(at, ' ', len);
	}
	each_word(import, copy, " \t\r,", take_endpoint);
}

/* A block scalar's lines are those that are deeper than its key. */
static void take_block(struct import *import, const char **text, size_t depth)
{
	for (;;) {
		const char *before = *text;
		cleanup_free char *line = next_line(text);

		if (line && line[indent_of(line)] && indent_of(line) <= depth)
			*text = before;
		if (!line || *text == before)
			return;
		take_endpoints(import, line);
	}
}

int import_harden_runner(struct import *import, const char *text, struct err *err)
{
	static const char *const others[] = { "disable-sudo", "disable-sudo-and-containers", "disable-file-monitoring", "policy",
					      "use-policy-store", "exempt-files", "disable-telemetry" };
	char *read;

	(void)err;
	while ((read = next_line(&text))) {
		cleanup_free char *line = read;
		const char *value = yaml_value(line, "allowed-endpoints");

		if (value && strchr(">|", value[0]) && value[0])
			take_block(import, &text, indent_of(line));
		else if (value)
			take_endpoints(import, value);
		value = yaml_value(line, "egress-policy");
		if (value && strstr(value, "audit"))
			import_note(import, "egress-policy: audit: nothing was blocked; here the list is enforced");
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			if (yaml_value(line, others[i]))
				import_note(import, "%s: not carried over", others[i]);
	}
	return 0;
}

/* "x" is x and every name below it, "*.x" every name below; "https://x" and "http://x" on that port alone. */
static void add_awf(struct import *import, struct strings *to, const char *word)
{
	const char *port = !strncmp(word, "https://", 8) ? ":443" : !strncmp(word, "http://", 7) ? ":80" : "";
	const char *domain = *port ? strstr(word, "://") + 3 : word;
	cleanup_free char *below = NULL, *itself = NULL;

	if (!strcmp(domain, "localhost")) {
		import_note(import, "localhost: the container's own loopback is always open, the host's never");
		return;
	}
	if (!strncmp(domain, "*.", 2)) {
		below = alloc_printf("*%s%s", domain, port);
		import_entry(import, to, below);
		return;
	}
	if (strchr(domain, '*')) {
		import_note(import, "'%s': a pattern within a label has no counterpart: name the hosts", word);
		return;
	}
	itself = alloc_printf("%s%s", domain, port);
	import_entry(import, to, itself);
	/* a pattern directly over a top-level domain is no entry, and an address has no names below it */
	if (strchr(domain, '.') && strspn(domain, "0123456789.") != strlen(domain)) {
		below = alloc_printf("**.%s%s", domain, port);
		import_entry(import, to, below);
	}
}

static void take_awf_allowed(struct import *import, const char *word)
{
	add_awf(import, &import->allow, word);
}

static void take_awf_blocked(struct import *import, const char *word)
{
	add_awf(import, &import->deny, word);
}

/* The words behind an option, "--name a,b" or "--name=a,b". */
static void take_option(struct import *import, const char *text, const char *name,
			void (*take)(struct import *import, const char *word))
{
	for (const char *at = strstr(text, name); at; at = strstr(at, name)) {
		cleanup_free char *value = NULL;
		char quote;

		at += strlen(name);
		if (!*at || !strchr(" =\t", *at))
			continue;
		at += strspn(at, " =\t");
		quote = *at == '"' || *at == '\'' ? *at++ : '\0';
		value = alloc_printf("%.*s", (int)(quote ? strcspn(at, quote == '"' ? "\"" : "'") : strcspn(at, " \t\r\n")), at);
		each_word(import, value, ", \t", take);
	}
}

int import_awf(struct import *import, const char *text, struct err *err)
{
	char *read;

	(void)err;
	if (strstr(text, "--allow-domains")) {
		take_option(import, text, "--allow-domains", take_awf_allowed);
		take_option(import, text, "--block-domains", take_awf_blocked);
		if (strstr(text, "--allow-domains-file") || strstr(text, "--block-domains-file"))
			import_note(import, "--allow-domains-file, --block-domains-file: import those files, too");
		return 0;
	}
	while ((read = next_line(&text))) {
		cleanup_free char *line = read;

		line[strcspn(line, "#")] = '\0';
		each_word(import, line, " ,\t\r", take_awf_allowed);
	}
	return 0;
}

static void take_firewall_word(struct import *import, const char *word)
{
	if (strchr(word, '$') || !strcmp(word, "do"))
		return;
	if (!strchr(word, '.'))
		import_note(import, "'%s': no host", word);
	else
		import_entry(import, &import->allow, word);
}

/* Behind "for X in" up to "do", or within "NAME=(" and ")": the rest of the line that begins it, or NULL. */
static const char *list_begins(const char *line, const char **end)
{
	const char *at = line + indent_of(line), *in;

	if (!strncmp(at, "for ", 4) && (in = strstr(at, " in "))) {
		*end = "do";
		return in + 4;
	}
	in = strstr(at, "=(");
	*end = ")";
	return in && strcspn(at, " ") >= (size_t)(in - at) ? in + 2 : !strncmp(at, "declare -a ", 11) && in ? in + 2 : NULL;
}

/* The list goes on to the line that has its end; comments are left out. */
static void take_list(struct import *import, const char **text, const char *rest, const char *end)
{
	cleanup_free char *line = alloc_copy(rest);

	for (;;) {
		char *behind, *comment = strstr(line, "#");

		if (comment)
			*comment = '\0';
		behind = !strcmp(end, ")") ? strchr(line, ')') : strstr(line, "; do");
		if (!behind && !strcmp(end, "do") && !strcmp(line + indent_of(line), "do"))
			behind = line;
		if (behind)
			*behind = '\0';
		/* "$(...)" makes words that only a shell knows */
		if (!strchr(line, '('))
			each_word(import, line, " \t\r;", take_firewall_word);
		if (behind)
			return;
		free(line);
		line = next_line(text);
		if (!line)
			return;
	}
}

int import_devcontainer(struct import *import, const char *text, struct err *err)
{
	char *read;

	(void)err;
	if (strstr(text, "api.github.com/meta")) {
		import_entry(import, &import->allow, "@github");
		import_note(import, "GitHub's networks by api.github.com/meta: here the group @github, by name");
	}
	if (strstr(text, "--dport 22"))
		import_note(import, "SSH to everywhere: says no name; allow HOST:22 where it must be");
	if (strstr(text, "--dport 53"))
		import_note(import, "DNS to everywhere: names go through quod's warden");
	if (strstr(text, "HOST_NETWORK"))
		import_note(import, "the host's network: never reachable as a whole; allow ADDRESS:PORT, and ingress.allow for what comes from there");
	while ((read = next_line(&text))) {
		cleanup_free char *line = read;
		const char *end, *rest = list_begins(line, &end);

		if (rest)
			take_list(import, &text, rest, end);
	}
	return 0;
}
