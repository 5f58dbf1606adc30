/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which profile: the administrator's word on the command line, else his first rule that fits, else his default; then the
 * creator's wish where the administrator lists it. A wish that isn't granted refuses the container: silence would run it
 * under another profile. What others say after that (image, annotations, the project) can only tighten.
 */
#include "shim/select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim/base/cleanup.h"
#include "shim/policy/selection.h"
#include "shim/project-word.h"

static const char wish_key[] = "quod.dev/profile", own_prefix[] = "quod.dev/", own_variable[] = "QUOD_PROFILE=";

void shim_profile_paths(const struct shim *shim, struct profile_paths *paths)
{
	if (shim && shim->profile_paths) {
		*paths = *shim->profile_paths;
		return;
	}
	*paths = (struct profile_paths){
		.profile_dirs = { QUOD_SYSCONFDIR "/profiles", QUOD_DATADIR "/profiles", NULL },
		.group_dirs = { QUOD_SYSCONFDIR "/groups", QUOD_DATADIR "/groups", NULL },
	};
}

struct profile_paths profile_paths_with_own(const struct profile_paths *paths, const char *own_dir)
{
	struct profile_paths all = *paths;
	size_t count = 0;

	while (count < ARRAY_SIZE(all.profile_dirs) && all.profile_dirs[count])
		count++;
	if (*own_dir && count < ARRAY_SIZE(all.profile_dirs))
		all.profile_dirs[count] = own_dir;
	return all;
}

const char *selection_name(const struct selection *selection)
{
	return selection->profile ? selection->profile->name : selection->is_unmanaged ? PROFILE_UNMANAGED : "";
}

static int load_named(const char *name, const struct profile_paths *paths, struct profile **profile, struct err *err)
{
	if (!strcmp(name, PROFILE_UNMANAGED))
		return err_set(err, EACCES, "profile '" PROFILE_UNMANAGED "': only a rule of quod.json may leave a container as it is");
	return profile_load(name, paths, profile, err);
}

/* One that lies in the user's own place alone: a name of the administrator's means the administrator's. 1, 0 or an error. */
static int is_own(const struct selection_input *input, const char *name, struct err *err)
{
	const struct profile_paths own = { .profile_dirs = { input->own_dir } };
	struct strings theirs, ours;
	bool found;

	if (!*input->own_dir)
		return 0;
	if (profile_list(input->paths, &theirs, err) < 0)
		return -err->code;
	if (profile_list(&own, &ours, err) < 0) {
		strings_free(&theirs);
		return -err->code;
	}
	found = strings_has(&ours, name) && !strings_has(&theirs, name);
	strings_free(&theirs);
	strings_free(&ours);
	return found;
}

static int refuse_wish(const struct shim *shim, const char *chosen, const char *wish, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	const struct strings *selectable = &shim->config->selectable;

	buf_printf(&text, "refused by profile '%s': /annotations/quod.dev~1profile: '", chosen);
	buf_put_plain(&text, wish);
	if (shim->profile_name) {
		buf_puts(&text, "' can't be asked for: the administrator has chosen the profile (selectable)");
		return err_set(err, EACCES, "%s", text.data);
	}
	buf_puts(&text, "' can't be asked for; what may be: ");
	for (size_t i = 0; i < selectable->count; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", selectable->items[i]);
	buf_puts(&text, selectable->count ? " (selectable)" : "nothing (selectable)");
	return err_set(err, EACCES, "%s", text.data);
}

/* 1 when it fits, 0 when not; the profile of a rule that asks for a workspace must load to say whether it lets one in. */
static int try_rule(const struct host_rule *rule, const struct selection_input *input, const struct call *call, struct err *err)
{
	struct plan_input plan_input = { .config = input->config, .facts = input->facts };
	struct profile *profile = NULL;
	bool fits;

	if (!selection_fits(rule, call))
		return 0;
	if (!rule->workspace)
		return 1;
	if (strcmp(rule->profile, PROFILE_UNMANAGED) && load_named(rule->profile, input->paths, &profile, err) < 0)
		return -err->code;
	plan_input.profile = profile;
	fits = selection_fits_workspace(rule, &plan_input);
	profile_free(profile);
	return fits;
}

/* The administrator's choice. *name is borrowed. */
static int choose(const struct shim *shim, const struct selection_input *input, struct selection *selection, const char **name,
		  struct err *err)
{
	const struct host_config *config = shim->config;
	struct call call = { engine_name(input->facts->engine), selection_namespace(input->config, input->facts),
			     input->facts->user };

	if (shim->profile_name) {
		*name = shim->profile_name;
		selection->chosen_by = alloc_copy("--profile");
		return 0;
	}
	for (size_t i = 0; i < config->rule_count; i++) {
		int fits = try_rule(&config->rules[i], input, &call, err);

		if (fits < 0)
			return err_wrap(err, "rules/%zu", i);
		if (fits) {
			*name = config->rules[i].profile;
			selection->chosen_by = alloc_printf("rules/%zu", i);
			selection->is_unmanaged = !strcmp(*name, PROFILE_UNMANAGED);
			return 0;
		}
	}
	*name = config->default_profile;
	selection->chosen_by = alloc_copy("default_profile");
	return 0;
}

static int hear_wish(const struct shim *shim, const struct selection_input *input, struct selection *selection,
		     const char **name, struct err *err)
{
	const char *wish = oci_annotation(input->config, wish_key);
	int own;

	if (!wish || (!strcmp(wish, *name) && !selection->is_unmanaged))
		return 0;
	own = is_own(input, wish, err);
	if (own < 0)
		return own;
	if (own) {
		selection->own_wish = wish;
		return 0;
	}
	if (shim->profile_name || !strings_has(&shim->config->selectable, wish))
		return refuse_wish(shim, *name, wish, err);
	*name = wish;
	selection->is_unmanaged = false;
	free(selection->chosen_by);
	selection->chosen_by = alloc_copy("annotation quod.dev/profile");
	return 0;
}

/* What runs from here on is what both allow; `other` is used up. */
static int tighten(struct selection *selection, struct profile *other, const char *who, struct err *err)
{
	struct err why = ERR_INIT;
	struct profile *met = NULL;
	int r;

	profile_find_dead_entries(other, &selection->dead);
	r = profile_meet(selection->profile, other, &met, &why);
	profile_free(other);
	if (r)
		return err_set(err, EACCES, "refused by profile '%s': tightened by %s: %s", selection->profile->name, who, why.text);
	if (selection->profile != selection->chosen)
		profile_free(selection->profile);
	selection->profile = met;
	strings_add(&selection->tightened_by, who);
	return 0;
}

/* A word that can't be read is a wish that isn't granted. */
static int refuse_word(const struct selection *selection, struct err *err)
{
	struct err why = *err;

	return err_set(err, EACCES, "refused by profile '%s': %s", selection->profile->name, why.text);
}

/* What has no stricter and no looser would be the user's choice, where the administrator says nothing of it. */
static const char *find_choice(const struct profile *before, const struct profile *after)
{
	if (before->runtime.count != after->runtime.count)
		return "runtime";
	if (before->process.env_set_count != after->process.env_set_count)
		return "process.env.set";
	if (before->egress.has_via != after->egress.has_via)
		return "egress.via";
	return before->egress.dns_upstream.count != after->egress.dns_upstream.count ? "egress.dns.upstream" : NULL;
}

/* Whoever starts containers as himself may hold them to a profile of his own as well. */
static int tighten_by_own(const struct selection_input *input, const char *name, struct selection *selection, struct err *err)
{
	struct profile_paths paths = profile_paths_with_own(input->paths, input->own_dir);
	const struct profile *before = selection->profile;
	cleanup_free char *who = NULL;
	struct profile *own, *met = NULL;
	const char *choice;
	int r;

	if (load_named(name, &paths, &own, err) < 0)
		return refuse_word(selection, err);
	who = alloc_printf("own profile %s", own->file);
	choice = profile_meet(before, own, &met, err) < 0 ? NULL : find_choice(before, met);
	profile_free(met);
	if (!choice)
		return tighten(selection, own, who, err);
	r = err_set(err, EACCES, "refused by profile '%s': %s: %s is not a user's own to say: it can only tighten", before->name,
		    who, choice);
	profile_free(own);
	return r;
}

/* May come from the image. */
static int hear_environment(const struct selection_input *input, struct selection *selection, struct err *err)
{
	const struct json *env = input->config->process.env;

	for (size_t i = 0; env && i < env->count; i++) {
		const char *text = json_string(env->items[i]), *name = text ? text + strlen(own_variable) : NULL;
		cleanup_buf struct buf who = BUF_INIT;
		struct profile *other;
		int r;

		if (!text || strncmp(text, own_variable, strlen(own_variable)) || !*name || !strcmp(name, selection->profile->name))
			continue;
		buf_puts(&who, "QUOD_PROFILE ");
		buf_put_plain(&who, name);
		r = is_own(input, name, err);
		if (r > 0) {
			r = tighten_by_own(input, name, selection, err);
		} else if (!r && load_named(name, input->paths, &other, err) < 0) {
			err_wrap(err, "%s", who.data);
			r = refuse_word(selection, err);
		} else if (!r) {
			r = tighten(selection, other, who.data, err);
		}
		if (r)
			return r;
	}
	return 0;
}

static int hear_annotations(const struct selection_input *input, struct selection *selection, struct err *err)
{
	const struct json *annotations = input->config->annotations;

	for (size_t i = 0; annotations && i < annotations->count; i++) {
		const struct json_member *member = &annotations->members[i];
		const char *value = json_string(member->value), *key = member->name + strlen(own_prefix);
		cleanup_free char *who = NULL;
		struct profile *word;
		int r;

		/* the others of quod's are the planner's to refuse: it names them all */
		if (strncmp(member->name, own_prefix, strlen(own_prefix)) || !profile_word_has_key(key) || !value)
			continue;
		if (profile_read_word_of_key(key, value, input->paths, &word, err) < 0)
			return refuse_word(selection, err);
		who = alloc_printf("annotation %s", member->name);
		r = tighten(selection, word, who, err);
		if (r)
			return r;
	}
	return 0;
}

/* Of each writable directory that the chosen profile lets in: what tightens it must not hide a project's word. */
static int hear_projects(const struct selection_input *input, struct selection *selection, struct err *err)
{
	struct plan_input plan_input = { .profile = selection->chosen, .config = input->config, .facts = input->facts };

	for (size_t i = 0; i < input->facts->mount_count && i < input->held->count; i++) {
		cleanup_free char *name = NULL;
		struct profile *word;
		int r;

		if (!mount_is_workspace(&plan_input, i) || input->held->mount_fds[i] < 0)
			continue;
		name = alloc_printf("%s/" PROJECT_WORD_FILE, input->facts->mounts[i].resolved);
		if (project_word_read(input->held->mount_fds[i], name, input->paths, &word, err) < 0)
			return refuse_word(selection, err);
		r = word ? tighten(selection, word, name, err) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* What is left as it is can't be held to anything, and a mark of quod's on it would be a lie. */
static int check_unmanaged(const struct selection_input *input, const struct selection *selection, struct err *err)
{
	const struct json *annotations = input->config->annotations;

	for (size_t i = 0; annotations && i < annotations->count; i++)
		if (!strncasecmp(annotations->members[i].name, own_prefix, strlen(own_prefix))) {
			cleanup_buf struct buf name = BUF_INIT;

			buf_put_plain(&name, annotations->members[i].name);
			return err_set(err, EACCES, "refused: annotation %s: this container is left as it is (%s: unmanaged), nothing "
				       "holds it to that", name.data, selection->chosen_by);
		}
	return 0;
}

int profile_select(const struct shim *shim, const struct selection_input *input, struct selection *selection, struct err *err)
{
	const char *name = NULL;
	int r;

	r = choose(shim, input, selection, &name, err);
	if (!r)
		r = hear_wish(shim, input, selection, &name, err);
	if (r)
		return r;
	if (selection->is_unmanaged)
		return check_unmanaged(input, selection, err);
	r = load_named(name, input->paths, &selection->chosen, err);
	if (r)
		return r;
	selection->profile = selection->chosen;
	profile_find_dead_entries(selection->chosen, &selection->dead);
	r = selection->own_wish ? tighten_by_own(input, selection->own_wish, selection, err) : 0;
	if (!r)
		r = hear_environment(input, selection, err);
	if (!r)
		r = hear_annotations(input, selection, err);
	return r ? r : hear_projects(input, selection, err);
}

int profile_select_plain(const struct shim *shim, struct selection *selection, struct err *err)
{
	const char *name = shim->profile_name ? shim->profile_name : shim->config->default_profile;
	struct profile_paths paths;

	shim_profile_paths(shim, &paths);
	selection->chosen_by = alloc_copy(shim->profile_name ? "--profile" : "default_profile");
	if (load_named(name, &paths, &selection->chosen, err) < 0)
		return -err->code;
	selection->profile = selection->chosen;
	return 0;
}

void selection_release(struct selection *selection)
{
	if (selection->profile != selection->chosen)
		profile_free(selection->profile);
	profile_free(selection->chosen);
	selection->profile = selection->chosen = NULL;
	free(selection->chosen_by);
	selection->chosen_by = NULL;
	strings_free(&selection->tightened_by);
	strings_free(&selection->dead);
}
