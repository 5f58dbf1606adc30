/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl profile: what profiles there are, what one says, whether it is good. `diff` is in profile-diff.c. */
#include "shim/ctl/profile.h"
#include "shim/ctl/profile-import.h"

#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/table.h"
#include "shim/policy/plan.h"

static void set_text(struct json_tree *tree, struct json *object, const char *name, const char *text)
{
	json_set(tree, object, name, text ? json_make_string(tree, text) : json_make_null(tree));
}

static int list_main(struct ctl *ctl)
{
	static const char *const heads[] = { "NAME", "DESCRIPTION", "FILE", NULL };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *array = json_make_array(tree);
	struct strings names;
	struct table table;
	struct err err = ERR_INIT;
	int status = CTL_YES;

	if (ctl->argc != 2)
		return ctl_fail_usage(ctl, "'profile list' takes no words");
	if (profile_list(&ctl->all_paths, &names, &err) < 0)
		return ctl_fail("%s", err.text);
	table_init(&table, heads);
	for (size_t i = 0; i < names.count; i++) {
		struct json *object = json_make_object(tree);
		struct profile *profile = NULL;
		bool loads = profile_load(names.items[i], &ctl->all_paths, &profile, &err) == 0;

		table_add(&table, TONE_PLAIN, names.items[i]);
		table_add(&table, loads ? TONE_PLAIN : TONE_BAD,
			  !loads ? err.text : profile->description ? profile->description : "");
		table_add(&table, TONE_PLAIN, loads ? profile->file : "");
		set_text(tree, object, "name", names.items[i]);
		set_text(tree, object, "description", loads ? profile->description : NULL);
		set_text(tree, object, "file", loads ? profile->file : NULL);
		set_text(tree, object, "error", loads ? NULL : err.text);
		json_append(tree, array, object);
		status = loads ? status : CTL_NO;
		profile_free(profile);
	}
	if (ctl->json)
		ctl_print_json(array);
	else
		table_print(&table, stdout);
	table_release(&table);
	strings_free(&names);
	return status;
}

int ctl_profile_load(struct ctl *ctl, const char *word, struct profile **profile, struct err *err)
{
	size_t len = strlen(word);

	if (strchr(word, '/') || (len > 5 && !strcmp(word + len - 5, ".json"))) {
		struct profile_paths paths = ctl->all_paths;

		paths.skip_owner_check = true;
		return profile_load_file(word, &paths, profile, err);
	}
	return profile_load(word, &ctl->all_paths, profile, err);
}

static int show_resolved(struct ctl *ctl, const char *name)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (ctl_profile_load(ctl, name, &profile, &err) < 0)
		return ctl_fail("%s", err.text);
	ctl_print_json(profile_to_json(profile, tree));
	profile_free(profile);
	return CTL_YES;
}

static int show_document(struct ctl *ctl, const char *name)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *file = NULL;
	struct err err = ERR_INIT;

	if (profile_read_document(name, &ctl->all_paths, &tree, &file, &err) < 0)
		return ctl_fail("%s", err.text);
	if (!ctl->json) {
		fputs("// ", stdout);
		ctl_put(file);
		fputc('\n', stdout);
	}
	ctl_print_json(json_root(tree));
	return CTL_YES;
}

static int show_main(struct ctl *ctl)
{
	const char *name = NULL;
	bool resolved = false;

	for (int i = 2; i < ctl->argc; i++) {
		if (!strcmp(ctl->argv[i], "--resolved"))
			resolved = true;
		else if (!name && ctl->argv[i][0] != '-')
			name = ctl->argv[i];
		else
			return ctl_fail_usage(ctl, "'profile show' doesn't know '%s'", ctl->argv[i]);
	}
	if (!name)
		return ctl_fail_usage(ctl, "'profile show' takes a profile's name");
	return resolved ? show_resolved(ctl, name) : show_document(ctl, name);
}

/* What a container under it would be refused for, whatever the container is. */
static void find_unenforced(const struct profile *profile, const struct profile_paths *paths, struct strings *errors)
{
	struct plan_input input = { .profile = profile };
	struct plan plan = { .refusal_count = 0 };

	plan_unenforced(&input, &plan);
	for (size_t i = 0; i < plan.refusal_count; i++) {
		const struct refusal *refusal = &plan.refusals[i];
		cleanup_free char *place = profile_key_place(profile->file, paths, refusal->key);
		cleanup_free char *text = alloc_printf("%s: %s: %s", place, refusal->key, refusal->text);

		strings_add(errors, text);
	}
	plan_release(&plan);
}

void ctl_profile_find_errors(struct ctl *ctl, const char *file, struct strings *errors)
{
	struct profile_paths paths = ctl->all_paths;
	struct profile *profile;

	paths.skip_owner_check = true;
	profile = profile_check_file(file, &paths, errors);
	if (!profile)
		return;
	profile_find_dead_entries(profile, errors);
	find_unenforced(profile, &paths, errors);
	profile_free(profile);
}

static void add_check(struct json_tree *tree, struct json *array, const char *file, const struct strings *errors)
{
	struct json *object = json_make_object(tree), *texts = json_make_array(tree);

	for (size_t i = 0; i < errors->count; i++)
		json_append(tree, texts, json_make_string(tree, errors->items[i]));
	set_text(tree, object, "file", file);
	json_set(tree, object, "ok", json_make_bool(tree, !errors->count));
	json_set(tree, object, "errors", texts);
	json_append(tree, array, object);
}

static int check_main(struct ctl *ctl)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *array = json_make_array(tree);
	int status = CTL_YES;

	if (ctl->argc < 3)
		return ctl_fail_usage(ctl, "'profile check' takes files");
	for (int i = 2; i < ctl->argc; i++) {
		struct strings errors = { NULL, 0 };

		ctl_profile_find_errors(ctl, ctl->argv[i], &errors);
		add_check(tree, array, ctl->argv[i], &errors);
		for (size_t n = 0; !ctl->json && n < errors.count; n++) {
			ctl_put(errors.items[n]);
			fputc('\n', stdout);
		}
		if (!ctl->json && !errors.count) {
			ctl_put(ctl->argv[i]);
			fputs(": ok\n", stdout);
		}
		status = errors.count ? CTL_NO : status;
		strings_free(&errors);
	}
	if (ctl->json)
		ctl_print_json(array);
	return status;
}

int profile_main(struct ctl *ctl)
{
	static const struct {
		const char *name;
		int (*main)(struct ctl *ctl);
	} commands[] = {
		{ "list", list_main }, { "show", show_main }, { "check", check_main }, { "diff", profile_diff_main },
		{ "import", profile_import_main },
	};

	for (size_t i = 0; ctl->argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, ctl->argv[1]))
			return commands[i].main(ctl);
	if (ctl->argc > 1)
		return ctl_fail_usage(ctl, "there is no command 'profile %s'", ctl->argv[1]);
	return ctl_fail_usage(ctl, "'profile' takes a command");
}
