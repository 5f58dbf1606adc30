/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TOML as a flat list: what is taken means what it should, what isn't understood is refused, a block goes without a trace. */
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-block.h"
#include "shim/ctl/setup-toml.h"
#include "tests/unit/tap.h"

/* The list as one line: "a/b=1 c/ c/d={} c/d/e='x'". */
static char *outline(const char *text)
{
	cleanup_toml struct toml toml = { NULL, NULL, 0 };
	struct err err = ERR_INIT;
	struct buf line = BUF_INIT;

	if (toml_read(text, strlen(text), &toml, &err) < 0) {
		buf_printf(&line, "refused: %s", err.text);
		return buf_steal(&line);
	}
	for (size_t i = 0; i < toml.count; i++) {
		const struct toml_entry *entry = &toml.entries[i];

		buf_puts(&line, i ? " " : "");
		for (const char *at = entry->path; *at; at++)
			buf_putc(&line, *at == TOML_SEPARATOR ? '/' : *at);
		if (entry->kind == TOML_TABLE || entry->kind == TOML_ARRAY_TABLE)
			buf_putc(&line, '/');
		else
			buf_printf(&line, "=%.*s", (int)(entry->end - entry->begin), text + entry->begin);
	}
	return buf_steal(&line);
}

static void reads(const char *text, const char *wanted, const char *sentence)
{
	cleanup_free char *got = outline(text);

	IS_STR(got, wanted, "setup-toml: %s", sentence);
}

static void test_reading(void)
{
	reads("", "", "an empty text");
	reads("# c\r\n\r\na=1# d\r\n", "a=1", "comments and CRLF");
	reads("a . \"b.c\" . 'd e' = true", "a/b.c/d e=true", "dotted and quoted keys");
	reads("[ p . \"io.c\" ]\nx = 1\n[q]\ny = 'z'", "p/io.c/ p/io.c/x=1 q/ q/y='z'", "tables");
	reads("[[a]]\nb = 1\n[a.c]\n[[a]]\nb = 2\n[a.c]\n", "a/#0/ a/#0/b=1 a/#0/c/ a/#1/ a/#1/b=2 a/#1/c/", "arrays of tables");
	reads("a = { b = [ 1, {c=2} ], \"d\".e = '' }\nf = 1", "a={ b = [ 1, {c=2} ], \"d\".e = '' } a/b=[ 1, {c=2} ] a/d/e='' f=1",
	      "inline tables, and arrays as one value");
	reads("a = [ # x ]\n '#', \"]\\\"\",\n]\n", "a=[ # x ]\n '#', \"]\\\"\",\n]", "brackets in strings and comments");
	reads("a = \"\"\"\n[b]\nc = 1\"\"\"\"\nd = '''\n'''", "a=\"\"\"\n[b]\nc = 1\"\"\"\" d='''\n'''", "strings of several lines");
	reads("a = 1979-05-27 07:32:00Z\nb = -1_000.5e+3\nc = +inf\nd=07:32:00", "a=1979-05-27 07:32:00Z b=-1_000.5e+3 c=+inf d=07:32:00",
	      "dates and numbers");
}

static void test_refusals(void)
{
	static const char *const texts[] = {
		"a", "a =", "a = b", "= 1", "a = 1 b = 2", "[a", "[a]]", "[[a]", "[]", "a..b = 1", "a = 'x", "a = \"x\n\"", "a = [1",
		"a = [1 2]", "a = {b = 1,}", "a = {b = 1\n}", "a = \"\\q\"", "a = \"\\ud800\"", "a = 1\na = 2", "[a]\n[a]", "a = 1\n[a]",
		"a = {}\n[a.b]", "a = {}\na.b = 1", "[a]\nb = 1\n[a.b.c]", "\"\" = 1", "\"a\\u0000\" = 1", "\"a\\n\" = 1", "a = 1\rb = 2",
		"# \x01", "{{ template \"base\" . }}", "a = tru", "\xef\xbb\xbf[a]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_free char *got = outline(texts[i]);

		OK(!strncmp(got, "refused: line ", 14), "setup-toml: refused with its line: text %zu", i);
	}
}

static void test_strings(void)
{
	static const char text[] = "a = \"\\u00e9\\t\"\nb = [ 'x', # y\n \"z\" , ]\nc = [1]\nd = '''\nq'''";
	cleanup_toml struct toml toml = { NULL, NULL, 0 };
	cleanup_free char *a = NULL, *d = NULL;
	struct strings strings = { NULL, 0 };
	struct err err = ERR_INIT;

	OK(toml_read(text, strlen(text), &toml, &err) == 0, "setup-toml: strings are read");
	a = toml_string(&toml, toml_find(&toml, "a"));
	IS_STR(a, "\u00e9\t", "setup-toml: escapes mean what they mean");
	d = toml_string(&toml, toml_find(&toml, "d"));
	IS_STR(d, "q", "setup-toml: the line end behind three quotes is none");
	OK(toml_strings(&toml, toml_find(&toml, "b"), &strings) && strings.count == 2, "setup-toml: a list of strings");
	IS_STR(strings.items[1], "z", "setup-toml: ... with its comments left out");
	OK(!toml_strings(&toml, toml_find(&toml, "c"), &strings), "setup-toml: a list of numbers is none");
	OK(!toml_string(&toml, toml_find(&toml, "c")), "setup-toml: nor is it a string");
	strings_free(&strings);
}

static void test_same(void)
{
	static const char one[] = "a = 1\n[b]\nc = 2\n", more[] = "a   = 1\n[b]\nc = 2 # x\n[d.e]\nf = 3\n", other[] = "a = 2\n[b]\nc = 2\n";
	struct toml first = { NULL, NULL, 0 }, second = { NULL, NULL, 0 }, third = { NULL, NULL, 0 };
	struct strings none = { NULL, 0 }, except = { NULL, 0 };
	struct err err = ERR_INIT;

	toml_read(one, strlen(one), &first, &err);
	toml_read(more, strlen(more), &second, &err);
	toml_read(other, strlen(other), &third, &err);
	strings_add(&except, "d");
	OK(toml_same(&first, &second, &except), "setup-toml: what is excepted may differ, and form too");
	OK(!toml_same(&first, &second, &none), "setup-toml: a table more is seen");
	OK(!toml_same(&first, &third, &none), "setup-toml: another value is seen");
	strings_free(&except);
	toml_release(&first);
	toml_release(&second);
	toml_release(&third);
}

static void test_block(void)
{
	static const char *const texts[] = { "", "a = 1", "a = 1\n", "a = 1\n\n\n", "a = 1\r\nb = 2\r\n", "a = 1\r\nb = 2", "\n" };
	cleanup_buf struct buf twice = BUF_INIT, middle = BUF_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buf struct buf text = BUF_INIT;

		buf_puts(&text, texts[i]);
		block_put(&text, "x = 1\n");
		OK(strstr(text.data, "x = 1") && (strchr(texts[i], '\r') != NULL) == (strstr(text.data, "x = 1\r\n") != NULL),
		   "setup-toml: a block has the text's line ends: %zu", i);
		OK(block_cut(&text, &err) == 1, "setup-toml: ... and is found");
		IS_STR(text.data, texts[i], "setup-toml: ... and goes without a trace");
		OK(block_cut(&text, &err) == 0, "setup-toml: ... once");
	}
	buf_puts(&middle, "a = 1");
	block_put(&middle, "x = 1\n");
	buf_puts(&middle, "[b]\n");
	OK(block_cut(&middle, &err) == 1, "setup-toml: a block in the middle goes");
	IS_STR(middle.data, "a = 1\n[b]\n", "setup-toml: ... and leaves two lines");
	block_put(&twice, "x = 1\n");
	block_put(&twice, "x = 1\n");
	OK(block_cut(&twice, &err) < 0, "setup-toml: two blocks are somebody's mistake");
}

int main(void)
{
	test_reading();
	test_refusals();
	test_strings();
	test_same();
	test_block();
	return tap_done();
}
