/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/policy's profile language. Input: a profile without parent and groups. One that loads must print, and
 * what was printed must load and print as the same bytes; each entry that it allows must cover itself; looking for dead
 * entries must end.
 *
 * With libFuzzer, after ./configure && make:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -DQUOD_LOGDIR='"/"' -I. tests/fuzz/fuzz-profile.c \
 *     oci/[!b]*.c shim/policy/[!.]*.c shim/base/{buf,err,file}.c shim/egress/rule-ranges.c -lyajl -lseccomp -lcap -o fuzz-profile &&
 *   mkdir -p build/new &&
 *   ./fuzz-profile -max_total_time=60 -max_len=8192 build/new tests/fuzz/corpus/profile
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static struct profile *load(const char *bytes, size_t len, enum json_flags flags)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (json_parse(bytes, len, flags, profile_free_form, &tree, &err))
		return NULL;
	if (profile_from_json(json_root(tree), "fuzz", &profile, &err)) {
		must(err.code > 0 && err.text[0] && !profile);
		return NULL;
	}
	return profile;
}

static char *print(const struct profile *profile)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct buf buf = BUF_INIT;

	json_print(&buf, profile_to_json(profile, tree), 0);
	return buf_steal(&buf);
}

static void check_entries(const struct profile *profile)
{
	struct strings texts = { NULL, 0 };

	for (size_t i = 0; i < profile->egress.allow_count; i++)
		must(entry_covers(&profile->egress.allow[i], &profile->egress.allow[i]));
	must(profile_find_dead_entries(profile, &texts) == texts.count);
	strings_free(&texts);
}

/* What meets with the strictest profile, from either side: the same, whole, and it reads back. */
static void check_meet(const struct profile *other)
{
	static const char strictest[] = "{\"version\":1}";
	struct profile *strict = load(strictest, strlen(strictest), JSON_PLAIN), *one = NULL, *two = NULL, *again;
	struct err err = ERR_INIT;

	must(strict != NULL);
	if (profile_meet(strict, other, &one, &err)) {
		must(err.text[0] && profile_meet(other, strict, &two, &err));
	} else {
		cleanup_free char *first = print(one), *second = NULL, *third = NULL;

		must(!profile_meet(other, strict, &two, &err) && !one->unsaid);
		second = print(two);
		again = load(first, strlen(first), JSON_PLAIN);
		must(again != NULL);
		third = print(again);
		must(!strcmp(first, second) && !strcmp(first, third));
		must(one->resources.memory <= strict->resources.memory && !(one->process.capabilities & ~strict->process.capabilities));
		profile_free(again);
	}
	profile_free(strict);
	profile_free(one);
	profile_free(two);
}

/* The same bytes as a project's own file. */
static void check_word(const char *bytes, size_t len)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct profile *word = NULL;
	struct err err = ERR_INIT;

	if (json_parse(bytes, len, JSON_COMMENTS, profile_free_form, &tree, &err))
		return;
	if (profile_read_word(json_root(tree), "fuzz", NULL, &word, &err))
		must(err.text[0] && !word);
	else
		check_meet(word);
	profile_free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile *profile = load((const char *)data, size, JSON_COMMENTS), *again;
	cleanup_free char *first = NULL, *second = NULL;

	check_word((const char *)data, size);
	if (!profile)
		return 0;
	first = print(profile);
	again = load(first, strlen(first), JSON_PLAIN);
	must(again != NULL);
	second = print(again);
	must(!strcmp(first, second));
	check_entries(profile);
	check_meet(profile);
	profile_free(profile);
	profile_free(again);
	return 0;
}
