/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl profile import FORMAT FILE: another tool's list of hosts as a profile of quod's on stdout, with what could not be
 * carried over as comments in front. Must never allow more than the other tool's list said: what it means by an entry is
 * written out in quod's words, and what has none is a comment.
 */
#include "shim/ctl/profile-import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define FILE_BYTES_MAX (4u << 20)

void import_note(struct import *import, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	if (!strings_has(&import->notes, text))
		strings_add(&import->notes, text);
}

void import_entry(struct import *import, struct strings *to, const char *text)
{
	struct err why = ERR_INIT;
	struct entry entry;

	if (entry_parse(text, &entry, &why) < 0) {
		import_note(import, "'%s': %s", text, why.text);
		return;
	}
	entry_release(&entry);
	if (!strings_has(to, text))
		strings_add(to, text);
}

static struct json *texts_to_json(struct json_tree *tree, const struct strings *texts)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < texts->count; i++)
		json_append(tree, array, json_make_string(tree, texts->items[i]));
	return array;
}

static struct json *profile_of(struct json_tree *tree, const struct import *import, const char *format)
{
	struct json *profile = json_make_object(tree), *egress = json_make_object(tree);
	cleanup_free char *description = alloc_printf("Imported from %s", format);

	json_set(tree, profile, "version", json_make_uint(tree, 1));
	json_set(tree, profile, "description", json_make_string(tree, description));
	json_set(tree, egress, "allow", texts_to_json(tree, &import->allow));
	if (import->deny.count)
		json_set(tree, egress, "deny", texts_to_json(tree, &import->deny));
	json_set(tree, profile, "egress", egress);
	return profile;
}

/* A note comes from the file: it must not end the comment. */
static void put_comment(const char *text)
{
	fputs("//   ", stdout);
	ctl_put(text);
	fputc('\n', stdout);
}

static void print(const struct ctl *ctl, const struct import *import, const char *format, const char *file)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *profile = profile_of(tree, import, format), *node = json_make_object(tree);

	if (ctl->json) {
		json_set(tree, node, "profile", profile);
		json_set(tree, node, "not_carried_over", texts_to_json(tree, &import->notes));
		ctl_print_json(node);
		return;
	}
	printf("// Imported by quodctl profile import %s from ", format);
	ctl_put(file);
	puts(".\n// All but the network is at its strictest: add what the containers need, or \"extends\" a profile; what that one\n"
	     "// allows is then allowed as well.");
	puts(import->notes.count ? "// Not carried over, or not as it was:" : "// Everything was carried over.");
	for (size_t i = 0; i < import->notes.count; i++)
		put_comment(import->notes.items[i]);
	ctl_print_json(profile);
}

static int read_text(const char *file, char **text, struct err *err)
{
	cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len;
	int r;

	if (fd < 0)
		return err_set_errno(err, errno, "%s", file);
	r = file_read_all(fd, FILE_BYTES_MAX, text, &len, err);
	if (!r && strlen(*text) != len)
		return err_set(err, EINVAL, "%s: has a NUL in it: no text", file);
	return r ? err_wrap(err, "%s", file) : 0;
}

int profile_import_main(struct ctl *ctl)
{
	static const struct {
		const char *name;
		int (*read)(struct import *import, const char *text, struct err *err);
	} formats[] = {
		{ "srt", import_srt }, { "harden-runner", import_harden_runner }, { "awf", import_awf },
		{ "devcontainer", import_devcontainer },
	};
	struct import import = { .allow = { NULL, 0 } };
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;
	size_t at = 0;
	int r;

	while (ctl->argc > 2 && at < ARRAY_SIZE(formats) && strcmp(formats[at].name, ctl->argv[2]) != 0)
		at++;
	if (ctl->argc != 4 || at == ARRAY_SIZE(formats))
		return ctl_fail_usage(ctl, "'profile import' takes srt, harden-runner, awf or devcontainer, and a file");
	r = read_text(ctl->argv[3], &text, &err);
	if (!r)
		r = formats[at].read(&import, text, &err);
	if (!r && !import.allow.count && !import.deny.count)
		r = err_set(&err, ENOENT, "%s: no list of hosts was found in it", ctl->argv[3]);
	if (!r)
		print(ctl, &import, formats[at].name, ctl->argv[3]);
	strings_free(&import.allow);
	strings_free(&import.deny);
	strings_free(&import.notes);
	return r ? ctl_fail("%s", err.text) : CTL_YES;
}
