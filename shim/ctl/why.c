/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl why CONTAINER|--profile NAME HOST:PORT[/PROTOCOL][@ADDRESS]: allowed or not, and by which entry (policy/reach.h).
 * Asks no resolver: "@ADDRESS" says where the name leads. Exit status 0 when it is allowed, 1 when not.
 */
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/find.h"
#include "shim/ctl/openings.h"
#include "shim/ctl/profile.h"
#include "shim/facts.h"
#include "shim/policy/reach.h"
#include "shim/ruleset-json.h"

/* Under what it is asked: a container's profile and rules, or a profile's on this host. */
struct subject {
	struct record record;		/* tree NULL: of a profile */
	struct profile *profile;
	struct ruleset ruleset;
	struct openings openings;	/* quodctl allow */
	bool joins_network;
};

static void subject_release(struct subject *subject)
{
	profile_free(subject->profile);
	ruleset_release(&subject->ruleset);
	openings_release(&subject->openings);
	if (subject->record.tree)
		record_release(&subject->record);
}

static int load_container(const struct ctl *ctl, const char *name, struct subject *subject, struct err *err)
{
	cleanup_close int dir_fd = -1;
	const struct json *rules;
	int r = container_find(&ctl->places, name, &subject->record, &dir_fd, err);

	if (r)
		return r;
	rules = json_get(subject->record.plan, "ruleset");
	if (!rules)
		return err_set(err, ENOENT, "container %s: nothing was planned for it: it runs unmanaged", name);
	openings_read(ctl, dir_fd, &subject->openings);
	subject->joins_network = json_bool(json_get(subject->record.plan, "joins_network"), false);
	r = profile_from_json(subject->record.profile_json, subject->record.profile, &subject->profile, err);
	return r ? r : ruleset_from_json(rules, &subject->ruleset, err);
}

static int load_profile(struct ctl *ctl, const char *name, struct subject *subject, struct err *err)
{
	struct facts facts = { .mount_count = 0 };
	struct plan plan = { .refusal_count = 0 };
	struct plan_input input = { .facts = &facts };
	int r = ctl_profile_load(ctl, name, &subject->profile, err);

	if (r || (r = facts_gather_addresses(&facts, err)))
		return r;
	input.profile = subject->profile;
	plan_network(&input, &plan);
	subject->ruleset = plan.ruleset;
	memset(&plan.ruleset, 0, sizeof(plan.ruleset));
	plan_release(&plan);
	free(facts.host_addresses);
	return 0;
}

/* What is asked has the form of an entry. */
static int read_question(const char *text, struct entry *entry, struct reach_question *question, struct err *err)
{
	struct err why = ERR_INIT;
	bool is_address;

	if (entry_parse(text, entry, &why) < 0)
		return err_set(err, EINVAL, "'%s': %s", text, why.text);
	is_address = entry->kind == ENTRY_NETWORK && entry->is_single_address;
	if (entry->kind != ENTRY_NAME && !is_address)
		return err_set(err, EINVAL, "'%s': one name or one address is asked for", text);
	if (entry->protocol != ENTRY_ICMP && (!entry->has_port || entry->port_first != entry->port_last))
		return err_set(err, EINVAL, "'%s': one port is asked for: HOST:PORT, or HOST/icmp", text);
	if (entry->has_at && entry->at.prefix != (entry->at.base.family == 4 ? 32 : 128))
		return err_set(err, EINVAL, "'%s': behind @ stands the address that the name leads to", text);
	*question = (struct reach_question){
		.name = is_address ? NULL : entry->name,
		.has_address = is_address || entry->has_at,
		.address = is_address ? entry->network.base : entry->at.base,
		.protocol = entry->protocol == ENTRY_UDP ? IPPROTO_UDP : entry->protocol == ENTRY_ICMP ? IPPROTO_ICMP : IPPROTO_TCP,
		.port = entry->protocol == ENTRY_ICMP ? 0 : entry->port_first,
	};
	return 0;
}

static void put_lines(const char *head, const struct strings *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		fputs(head, stdout);
		ctl_put(texts->items[i]);
		fputc('\n', stdout);
	}
}

static struct json *texts_to_json(struct json_tree *tree, const struct strings *texts)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < texts->count; i++)
		json_append(tree, array, json_make_string(tree, texts->items[i]));
	return array;
}

static void print(const struct ctl *ctl, const struct subject *subject, const char *asked, const struct reach_answer *answer)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *node = json_make_object(tree);

	if (!ctl->json) {
		fputs(answer->is_allowed ? "allowed: " : "denied: ", stdout);
		ctl_put(asked);
		fputs(" under ", stdout);
		ctl_put(subject->profile->name);
		fputc('\n', stdout);
		put_lines("  by ", &answer->by);
		put_lines("  ", &answer->why);
		return;
	}
	json_set(tree, node, "asked", json_make_string(tree, asked));
	json_set(tree, node, "profile", json_make_string(tree, subject->profile->name));
	json_set(tree, node, "allowed", json_make_bool(tree, answer->is_allowed));
	json_set(tree, node, "by", texts_to_json(tree, &answer->by));
	json_set(tree, node, "why", texts_to_json(tree, &answer->why));
	ctl_print_json(node);
}

/* What the profile does not let out may be open for a while. */
static void judge_openings(const struct subject *subject, const struct reach_question *question, struct reach_answer *answer)
{
	for (size_t i = 0; i < subject->openings.count && !answer->is_allowed; i++) {
		const struct opening *opening = &subject->openings.items[i];
		cleanup_buf struct buf left = BUF_INIT;
		cleanup_free char *text = NULL;

		if (!opening_reaches(subject->profile, &subject->ruleset, opening, question))
			continue;
		opening_print_left(&left, opening);
		text = alloc_printf("quodctl allow '%s' (%s)", opening->text, left.data);
		reach_release(answer);
		*answer = (struct reach_answer){ .is_allowed = true };
		strings_add(&answer->by, text);
	}
}

/* What holds whatever the entries say. */
static void add_notes(const struct subject *subject, struct reach_answer *answer)
{
	if (subject->joins_network)
		strings_add(&answer->why, "the container is in the network of another one, whose rules hold: ask for that one");
}

static int ask(struct ctl *ctl, struct subject *subject, const char *text, int loaded, struct err *err)
{
	struct entry entry = { .kind = ENTRY_NAME };
	struct reach_question question;
	struct reach_answer answer;
	int r = loaded ? loaded : read_question(text, &entry, &question, err), status;

	if (r) {
		entry_release(&entry);
		return ctl_fail("%s", err->text);
	}
	reach_judge(subject->profile, &subject->ruleset, &question, &answer);
	judge_openings(subject, &question, &answer);
	add_notes(subject, &answer);
	print(ctl, subject, text, &answer);
	status = answer.is_allowed ? CTL_YES : CTL_NO;
	reach_release(&answer);
	entry_release(&entry);
	return status;
}

int why_main(struct ctl *ctl)
{
	struct subject subject = { .profile = NULL };
	bool by_profile = ctl->argc > 1 && !strcmp(ctl->argv[1], "--profile");
	struct err err = ERR_INIT;
	int status, r;

	if (ctl->argc != (by_profile ? 4 : 3))
		return ctl_fail_usage(ctl, "why takes a container or --profile NAME, and HOST:PORT");
	if (by_profile)
		r = load_profile(ctl, ctl->argv[2], &subject, &err);
	else
		r = load_container(ctl, ctl->argv[1], &subject, &err);
	status = ask(ctl, &subject, ctl->argv[by_profile ? 3 : 2], r, &err);
	subject_release(&subject);
	return status;
}
