/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The meet of profiles, over generated ones: what comes out of the planners under the meet is what both inputs let through,
 * in any order, and a word never lets through more.
 */
#include "tests/unit/profile-reach.h"

#define ROUNDS 300

/* --- properties --- */

static void test_both_agree(void)
{
	bool exact = true, round = true;
	unsigned layered = 0, reached = 0;

	for (unsigned i = 0; i < ROUNDS && exact && round; i++) {
		struct profile *a = make_profile(), *b = make_profile(), *both = meet(a, b), *again = NULL;
		struct reach *of_a = probe(a), *of_b = probe(b), *of_both = probe(both);
		cleanup_free char *text = print(both), *second = NULL;
		cleanup_json_tree struct json_tree *tree = NULL;
		struct err err = ERR_INIT;

		exact = is_meet(of_both, of_a, of_b);
		layered += both->layer_count != 0;
		for (size_t n = 0; n < 200; n++)
			reached += of_both->value[n] != 0;
		if (json_parse(text, strlen(text), JSON_PLAIN, profile_free_form, &tree, &err) ||
		    profile_from_json(json_root(tree), "p", &again, &err))
			fail(&err);
		second = print(again);
		round = !strcmp(text, second);
		if (!round)
			printf("# %s\n# %s\n", text, second);
		profile_free(again);
		profile_free(a);
		profile_free(b);
		profile_free(both);
		free(of_a);
		free(of_b);
		free(of_both);
	}
	OK(exact, "meet: what both profiles allow is allowed, and nothing else");
	OK(round, "meet: a meet reads back as it was printed, layers and all");
	OK(layered > ROUNDS / 2 && reached > ROUNDS, "meet: the generated profiles differ, and still allow something together");
}

static void test_order(void)
{
	bool commutes = true, associates = true, is_idempotent = true;

	for (unsigned i = 0; i < ROUNDS && commutes && associates && is_idempotent; i++) {
		struct profile *a = make_profile(), *b = make_profile(), *c = pick(2) ? make_word() : make_profile();
		struct profile *ab = meet(a, b), *ba = meet(b, a), *bc = meet(b, c), *left = meet(ab, c), *right = meet(a, bc);
		struct profile *same = meet(ab, ab), *a_again = meet(a, a);
		cleanup_free char *ab_text = print(ab), *ba_text = print(ba), *left_text = print(left), *right_text = print(right);
		cleanup_free char *same_text = print(same);
		struct reach *of_a = probe(a), *of_a_again = probe(a_again);

		commutes = !strcmp(ab_text, ba_text);
		associates = !strcmp(left_text, right_text);
		is_idempotent = !strcmp(ab_text, same_text) && is_meet(of_a_again, of_a, of_a);
		if (!associates)
			printf("# %s\n# %s\n", left_text, right_text);
		free(of_a);
		free(of_a_again);
		profile_free(a);
		profile_free(b);
		profile_free(c);
		profile_free(ab);
		profile_free(ba);
		profile_free(bc);
		profile_free(left);
		profile_free(right);
		profile_free(same);
		profile_free(a_again);
	}
	OK(commutes, "meet: the order of two profiles makes no difference, to the digest's bytes");
	OK(associates, "meet: three profiles may be taken together in any order");
	OK(is_idempotent, "meet: a profile met with itself is itself");
}

static void test_words(void)
{
	bool tightens = true, has_effect = false, is_whole = true;

	for (unsigned i = 0; i < ROUNDS && tightens; i++) {
		struct profile *profile = make_profile(), *word = make_word(), *met = meet(profile, word), *other = meet(word, profile);
		struct reach *of_profile = probe(profile), *of_met = probe(met);
		cleanup_free char *text = print(met), *other_text = print(other);

		tightens = is_meet(of_met, of_profile, NULL);
		for (size_t n = 0; n < of_met->count; n++)
			has_effect = has_effect || of_met->value[n] < of_profile->value[n];
		is_whole = is_whole && !met->unsaid && !strcmp(text, other_text);
		free(of_profile);
		free(of_met);
		profile_free(profile);
		profile_free(word);
		profile_free(met);
		profile_free(other);
	}
	OK(tightens, "word: no project file ever gives a container more than its profile");
	OK(has_effect, "word: and it does take away");
	OK(is_whole, "word: with a profile it makes a whole one, from either side");
}

/* --- single cases --- */

static struct profile *read_profile(const char *text)
{
	cleanup_json_tree struct json_tree *tree = parse_text(text);
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	return profile_from_json(json_root(tree), "p", &profile, &err) ? fail(&err) : profile;
}

static char *meet_error(const char *first, const char *second)
{
	struct profile *a = read_profile(first), *b = read_profile(second), *made = NULL;
	struct err err = ERR_INIT;
	char *text;

	text = profile_meet(a, b, &made, &err) ? alloc_copy(err.text) : alloc_copy("");
	profile_free(a);
	profile_free(b);
	profile_free(made);
	return text;
}

static void test_conflicts(void)
{
	static const char *const pairs[][3] = {
		{ "{'version':1,'runtime':['runc']}", "{'version':1,'runtime':['crun']}", "runtime" },
		{ "{'version':1,'egress':{'via':'10.0.0.1:1'}}", "{'version':1,'egress':{'via':'10.0.0.2:1'}}", "egress.via" },
		{ "{'version':1,'egress':{'dns':{'upstream':['1.1.1.1']}}}", "{'version':1,'egress':{'dns':{'upstream':['9.9.9.9']}}}",
		  "egress.dns.upstream" },
		{ "{'version':1,'budgets':{'scope':'pod'}}", "{'version':1}", "budgets.scope" },
		{ "{'version':1,'budgets':{'reset':'24h'}}", "{'version':1,'budgets':{'reset':'48h'}}", "budgets.reset" },
		{ "{'version':1,'process':{'env':{'set':{'A':'1'}}}}", "{'version':1,'process':{'env':{'set':{'A':'2'}}}}",
		  "process.env.set: A" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup_free char *text = meet_error(pairs[i][0], pairs[i][1]), *same = meet_error(pairs[i][0], pairs[i][0]);

		OK(strstr(text, pairs[i][2]) && strstr(text, "can't both hold"), "meet: %s that differ are refused by name", pairs[i][2]);
		IS_STR(same, "", "meet: %s that are alike are kept", pairs[i][2]);
	}
}

static char *word_error(const char *text)
{
	cleanup_json_tree struct json_tree *tree = parse_text(text);
	struct profile *word = NULL;
	struct err err = ERR_INIT;
	int r = profile_read_word(json_root(tree), "/w/.quod.json", NULL, &word, &err);

	profile_free(word);
	return alloc_copy(r ? err.text : "");
}

static void test_word_limits(void)
{
	static const char *const refused[][2] = {
		{ "{'version':1,'extends':'agent'}", "/w/.quod.json: extends is not a project's own to say" },
		{ "{'version':1,'runtime':['/bin/x']}", "runtime is not a project's own" },
		{ "{'version':1,'process':{'env':{'set':{'LD_PRELOAD':'/w/x'}}}}", "process.env.set is not a project's own" },
		{ "{'version':1,'egress':{'via':'10.0.0.1:1'}}", "egress.via is not a project's own" },
		{ "{'version':1,'egress':{'dns':{'upstream':['1.1.1.1']}}}", "egress.dns.upstream is not a project's own" },
		{ "{'version':1,'layers':[{'hooks':{'allow':['/*']}}]}", "layers come of combining profiles" },
		{ "{'version':1,'budget':{}}", "unknown key 'budget'" },
		{ "{}", "the key 'version' is missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		cleanup_free char *text = word_error(refused[i][0]);

		OK(strstr(text, refused[i][1]), "word: %s is refused", refused[i][0]);
		if (!strstr(text, refused[i][1]))
			printf("# %s\n", text);
	}
}

static char *annotation(const char *key, const char *value)
{
	struct profile *profile = read_profile("{'version':1,'resources':{'memory':'1G','pids':100,'cpus':2},'seccomp':{'floor':true}}");
	struct profile *word = NULL, *met = NULL;
	struct err err = ERR_INIT;
	char *text;

	if (profile_read_word_of_key(key, value, NULL, &word, &err)) {
		text = alloc_copy(err.text);
	} else {
		met = meet(profile, word);
		text = print(met);
	}
	profile_free(profile);
	profile_free(word);
	profile_free(met);
	return text;
}

static void test_annotations(void)
{
	static const char *const cases[][3] = {
		{ "budgets.wall", "10m", "\"wall\":\"10m\"" },
		{ "budgets.wall", "9h", "\"wall\":\"1h\"" },
		{ "budgets.wall", "unlimited", "\"wall\":\"1h\"" },
		{ "resources.memory", "64M", "\"memory\":\"64M\"" },
		{ "resources.memory", "67108864", "\"memory\":\"64M\"" },
		{ "resources.pids", "7", "\"pids\":7" },
		{ "resources.cpus", "0.5", "\"cpus\":0.5" },
		{ "seccomp.floor", "false", "\"floor\":true" },
		{ "seccomp.deny", "[\"bpf\"]", "\"deny\":[\"bpf\"]" },
		{ "rootfs.tmpfs", "{\"/tmp\":\"1M\"}", "\"/tmp\":\"1M\"" },
		{ "budgets.wal", "1h", "annotation quod.dev/budgets.wal: there is no key 'budgets.wal'" },
		{ "budgets", "{\"wall\":\"1s\"}", "there is no key 'budgets'" },
		{ "runtime", "[\"crun\"]", "there is no key 'runtime'" },
		{ "budgets.wall", "soon", "annotation quod.dev/budgets.wall:" },
		{ "resources.pids", "null", "/resources/pids:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *text = annotation(cases[i][0], cases[i][1]);

		OK(strstr(text, cases[i][2]), "word: the annotation %s = %s", cases[i][0], cases[i][1]);
		if (!strstr(text, cases[i][2]))
			printf("# %s\n", text);
	}
}

static void test_deny_exception(void)
{
	struct profile *a = read_profile("{'version':1,'egress':{'allow':['10.0.0.0/8:443'],'deny':[{'of':'10.0.0.0/8:*','except':"
					 "['10.1.0.0/16:443']}]}}");
	struct profile *b = read_profile("{'version':1,'egress':{'allow':['10.0.0.0/8:443'],'deny':['10.1.0.0/16:*']}}");
	struct profile *both = meet(a, b);
	struct reach *reach = probe(both);
	uint64_t reached = 0;

	for (size_t i = 0; i < reach->count; i++)
		reached += !strncmp(reach->what[i], "10.1.", 5) && reach->value[i];
	OK(both->egress.deny_count == 2 && !reached, "meet: the exception of one deny opens nothing that the other denies");
	free(reach);
	profile_free(a);
	profile_free(b);
	profile_free(both);
}

int main(void)
{
	test_both_agree();
	test_order();
	test_words();
	test_conflicts();
	test_word_limits();
	test_annotations();
	test_deny_exception();
	return tap_done();
}
