/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl setup: registers quod in an engine's own configuration, and takes it out again. The engine's file decides what is
 * to be; here it is shown (--dry-run) or done, in an order that leaves a working engine wherever it is interrupted.
 */
#include "shim/ctl/setup.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-kubernetes.h"

static const struct setup_engine *const engines[] = { &setup_docker, &setup_containerd, &setup_crio, &setup_podman,
						       &setup_host, &setup_profiles };

void setup_note(struct setup *setup, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	strings_add(&setup->notes, text);
}

void setup_next(struct setup *setup, const char *command)
{
	if (!strings_has(&setup->next, command))
		strings_add(&setup->next, command);
}

static const char *option_value(const struct ctl *ctl, int *i, const char *name)
{
	const char *word = ctl->argv[*i];
	size_t len = strlen(name);

	if (strncmp(word, name, len) != 0)
		return NULL;
	if (word[len] == '=')
		return word + len + 1;
	return word[len] || *i + 1 >= ctl->argc ? NULL : ctl->argv[++*i];
}

static bool take_switch(struct setup *setup, const char *word)
{
	if (!strcmp(word, "--dry-run"))
		setup->dry_run = true;
	else if (!strcmp(word, "--remove"))
		setup->remove = true;
	else if (!strcmp(word, "--check"))
		setup->check = true;
	else if (!strcmp(word, "--default"))
		setup->standard = "quod";
	else
		return false;
	return true;
}

static int take_words(struct setup *setup)
{
	const struct ctl *ctl = setup->ctl;

	for (int i = 1; i < ctl->argc; i++) {
		const char *word = ctl->argv[i], *value;

		if (take_switch(setup, word))
			continue;
		if ((value = option_value(ctl, &i, "--profile")))
			strings_add(&setup->profiles, value);
		else if (!strncmp(word, "--default=", 10))
			setup->standard = word + 10;
		else if ((value = option_value(ctl, &i, "--root")))
			setup->root = strcmp(value, "/") ? value : "";
		else if ((value = option_value(ctl, &i, "--output")))
			setup->output = value;
		else if ((value = option_value(ctl, &i, "--from")))
			setup->from = value;
		else if (word[0] == '-' || setup->engine)
			return ctl_fail_usage(ctl, "setup does not take '%s'", word);
		if (word[0] != '-' && !strcmp(word, "kubernetes") && !setup->engine) {
			setup->is_kubernetes = true;
			setup->engine = &setup_containerd;
		}
		for (size_t j = 0; !setup->engine && word[0] != '-' && j < ARRAY_SIZE(engines); j++)
			setup->engine = strcmp(engines[j]->name, word) ? NULL : engines[j];
		if (word[0] != '-' && !setup->engine)
			return ctl_fail_usage(ctl, "setup knows no engine '%s'", word);
	}
	if (!setup->engine)
		return ctl_fail_usage(ctl, "setup of what?");
	if (setup->remove && (setup->profiles.count || setup->standard))
		return ctl_fail_usage(ctl, "--remove takes back all that was set up there: without --profile and --default");
	return CTL_YES;
}

/* --default=web is quod-web, whether --profile web is said or not. */
static char *use_standard(struct setup *setup)
{
	char *name;

	if (!setup->standard || !strcmp(setup->standard, "quod"))
		return NULL;
	if (!strings_has(&setup->profiles, setup->standard))
		strings_add(&setup->profiles, setup->standard);
	name = alloc_printf("quod-%s", setup->standard);
	setup->standard = name;
	return name;
}

static bool is_anything_changed(const struct setup *setup)
{
	bool changed = setup->new_links.count || setup->old_links.count || setup->moves.count;

	for (size_t i = 0; i < setup->file_count; i++)
		changed = changed || setup_is_changed(&setup->files[i]);
	return changed;
}

/* Links before what names them, and away after it; the record before both, so that --remove always knows enough. */
static int apply(struct setup *setup, struct err *err)
{
	int r;

	if (setup->remove && setup->moves.count && setup->engine->move(setup, err) < 0)
		return -err->code;
	if (setup->remove)
		return setup_apply_files(setup, err) || setup_apply_links(setup, &setup->old_links, false, err) ||
		       setup_record_write(setup, err) ? -err->code : 0;
	r = setup_record_write(setup, err) || setup_apply_links(setup, &setup->new_links, true, err) ||
	    setup_apply_files(setup, err) || setup_record_write(setup, err) ? -err->code : 0;
	if (!r && setup->moves.count)
		r = setup->engine->move(setup, err) || setup_record_write(setup, err) ? -err->code : 0;
	return r;
}

static struct json *strings_to_json(struct json_tree *tree, const struct strings *strings)
{
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < strings->count; i++)
		json_append(tree, list, json_make_string(tree, strings->items[i]));
	return list;
}

static struct json *file_to_json(struct json_tree *tree, const struct setup_file *file)
{
	struct json *node = json_make_object(tree);
	cleanup_buf struct buf diff = BUF_INIT;

	setup_put_diff(&diff, file);
	json_set(tree, node, "file", json_make_string(tree, file->path));
	json_set(tree, node, "change", json_make_string(tree, !file->before ? "made" : !file->after ? "removed" : "edited"));
	json_set(tree, node, "diff", json_make_string(tree, diff.data));
	return node;
}

static void print_json(const struct setup *setup, const char *proof, bool proven)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *root = json_make_object(tree), *files = json_make_array(tree);

	json_set(tree, root, "engine", json_make_string(tree, setup->engine->name));
	json_set(tree, root, "changed", json_make_bool(tree, is_anything_changed(setup)));
	json_set(tree, root, "dry_run", json_make_bool(tree, setup->dry_run));
	for (size_t i = 0; i < setup->file_count; i++)
		if (setup_is_changed(&setup->files[i]))
			json_append(tree, files, file_to_json(tree, &setup->files[i]));
	json_set(tree, root, "files", files);
	json_set(tree, root, "links_made", strings_to_json(tree, &setup->new_links));
	json_set(tree, root, "links_removed", strings_to_json(tree, &setup->old_links));
	json_set(tree, root, setup->remove ? "put_back" : "replaced", strings_to_json(tree, &setup->moves));
	json_set(tree, root, "notes", strings_to_json(tree, &setup->notes));
	json_set(tree, root, "next", strings_to_json(tree, &setup->next));
	if (setup->is_kubernetes && !setup->remove) {
		cleanup_buf struct buf classes = BUF_INIT;

		kubernetes_put_classes(setup, &classes);
		json_set(tree, root, "manifests", json_make_string(tree, classes.data));
	}
	if (proof) {
		json_set(tree, root, "proven", json_make_bool(tree, proven));
		json_set(tree, root, "proof", json_make_string(tree, proof));
	}
	ctl_print_json(root);
}

static void put_lines(const char *before, const struct strings *strings, const char *behind)
{
	for (size_t i = 0; i < strings->count; i++) {
		fputs(before, stdout);
		ctl_put(strings->items[i]);
		puts(behind);
	}
}

static void print_files(const struct setup *setup)
{
	for (size_t i = 0; i < setup->file_count; i++) {
		const struct setup_file *file = &setup->files[i];
		cleanup_buf struct buf diff = BUF_INIT;

		if (!setup_is_changed(file))
			continue;
		if (setup->dry_run) {
			setup_put_diff(&diff, file);
			fputs(diff.data, stdout);
			continue;
		}
		fputs(!file->before ? "made " : !file->after ? "removed " : "edited ", stdout);
		ctl_put(setup->root);
		ctl_put(file->path);
		putchar('\n');
	}
}

static void print_people(const struct setup *setup)
{
	bool changed = is_anything_changed(setup);

	if (!changed) {
		ctl_put(setup->engine->name);
		puts(setup->remove ? ": nothing of quodctl's is there; nothing to change" : ": all is there; nothing to change");
	}
	put_lines(setup->dry_run ? "would link " : "linked ", &setup->new_links, " -> quod");
	print_files(setup);
	if (setup->moves.count)
		put_lines(setup->remove ? setup->engine->moved_back : setup->engine->moved, &setup->moves,
			  setup->dry_run ? " (not yet)" : "");
	put_lines(setup->dry_run ? "would remove link " : "removed link ", &setup->old_links, "");
	put_lines("", &setup->notes, "");
	if (changed && setup->dry_run)
		puts("Nothing was changed (--dry-run).");
	else if (changed)
		put_lines("then: ", &setup->next, "");
}

/* stdout is for what the cluster gets. */
static void print_node(const struct setup *setup)
{
	cleanup_close int kept = -1;

	fflush(stdout);
	kept = dup(STDOUT_FILENO);
	if (kept < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return;
	print_people(setup);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
}

static int show(struct setup *setup)
{
	cleanup_free char *says = NULL;
	struct err err = ERR_INIT;
	bool wants_proof = setup->check && !setup->dry_run && !setup->remove;
	int r = 0;

	if (wants_proof && !setup->engine->check)
		return ctl_fail("--check: %s can't be asked for a container from here; start one and see quodctl ps", setup->engine->name);
	if (wants_proof)
		r = setup->engine->check(setup, &says, &err);
	if (wants_proof && !says)
		says = alloc_copy(err.text);
	if (setup->ctl->json)
		print_json(setup, says, r == 0);
	else if (setup->is_kubernetes)
		print_node(setup);
	else
		print_people(setup);
	if (says && !setup->ctl->json) {
		fputs(r ? "not proven: " : "proven: ", stdout);
		ctl_put(says);
		putchar('\n');
	}
	if (setup->is_kubernetes && !setup->ctl->json && !setup->remove && kubernetes_show_classes(setup) != CTL_YES)
		return CTL_FAILED;
	if (setup->dry_run)
		return is_anything_changed(setup) ? CTL_NO : CTL_YES;
	return r ? CTL_NO : CTL_YES;
}

static int run(struct setup *setup)
{
	cleanup_close int lock_fd = -1;
	struct err err = ERR_INIT;
	int r = setup->dry_run ? 0 : setup_lock(setup, &lock_fd, &err);

	r = r ? r : setup_record_read(setup, &err);
	if (!r && setup->remove && !setup->record.is_there)
		return show(setup);
	r = r ? r : setup_plan_links(setup, &err);
	r = r ? r : setup->engine->plan(setup, &err);
	if (!r && !setup->dry_run && (is_anything_changed(setup) || (setup->remove && setup->record.is_there)))
		r = apply(setup, &err);
	return r ? ctl_fail("setup %s: %s", setup->engine->name, err.text) : show(setup);
}

static void release(struct setup *setup)
{
	struct strings *const lists[] = { &setup->profiles, &setup->new_links, &setup->old_links, &setup->moves, &setup->notes,
					  &setup->next };

	for (size_t i = 0; i < setup->file_count; i++) {
		free(setup->files[i].path);
		free(setup->files[i].before);
		free(setup->files[i].after);
	}
	free(setup->files);
	setup_record_release(&setup->record);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strings_free(lists[i]);
}

int setup_main(struct ctl *ctl)
{
	struct setup setup = { .ctl = ctl, .root = "" };
	cleanup_free char *standard = NULL;
	int status = take_words(&setup);

	if (status == CTL_YES) {
		standard = use_standard(&setup);
		if (setup.is_kubernetes)
			setup.engine = kubernetes_node_engine(&setup);
		setup.is_file_given = ctl->config_file != NULL;
		setup.file = ctl->config_file ? ctl->config_file : setup.engine->file;
		status = setup.file[0] == '/' && setup.file[1] ? run(&setup) : ctl_fail("--config %s: an absolute path is wanted", setup.file);
	}
	release(&setup);
	return status;
}
