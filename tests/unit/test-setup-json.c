/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits in a JSON text: what was there stays byte for byte, and taking out undoes putting in. */
#include <string.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/ctl/setup-json.h"
#include "tests/unit/tap.h"

static const char *const path[] = { "runtimes", "quod", NULL };
static const char value[] = "{ \"path\": \"/usr/bin/quod\" }";

static void edits(const char *from, const char *to, const char *sentence)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	buf_puts(&text, from);
	OK(json_text_set(&text, path, value), "setup-json: %s", sentence);
	IS_STR(text.data, to, "setup-json: ... its place and form");
	OK(json_parse(text.data, text.len, JSON_COMMENTS, NULL, &tree, &err) == 0, "setup-json: ... which parses");
}

/* Setting and removing gives the text back. `made`: "runtimes" was made on the way, and goes with it. */
static void undoes(const char *from, bool made)
{
	static const char *const parent[] = { "runtimes", NULL };
	cleanup_buf struct buf text = BUF_INIT;

	buf_puts(&text, from);
	json_text_set(&text, path, value);
	OK(json_text_remove(&text, path), "setup-json: what was set is removed");
	if (made)
		json_text_remove(&text, parent);
	IS_STR(text.data, from, "setup-json: ... and all is as before");
}

static void test_set(void)
{
	edits("{}", "{\n  \"runtimes\": {\n    \"quod\": { \"path\": \"/usr/bin/quod\" }\n  }\n}", "an empty object is laid out");
	edits("{\n    \"debug\": true\n}\n",
	      "{\n    \"debug\": true,\n    \"runtimes\": {\n        \"quod\": { \"path\": \"/usr/bin/quod\" }\n    }\n}\n",
	      "the indentation is the file's own");
	edits("{\"debug\":true}", "{\"debug\":true,\"runtimes\":{\"quod\":{ \"path\": \"/usr/bin/quod\" }}}", "one line stays one line");
	edits("{\r\n\t\"runtimes\": {\r\n\t\t\"kata\": {\"path\":\"k\"}\r\n\t}\r\n}\r\n",
	      "{\r\n\t\"runtimes\": {\r\n\t\t\"kata\": {\"path\":\"k\"},\r\n\t\t\"quod\": { \"path\": \"/usr/bin/quod\" }\r\n\t}\r\n}\r\n",
	      "tabs and CRLF are kept");
	edits("{ \"runtimes\": { \"a\": {\"path\": \"}]\\\"{\"} } , \"x\" : [1,\n2] }",
	      "{ \"runtimes\": { \"a\": {\"path\": \"}]\\\"{\"}, \"quod\": { \"path\": \"/usr/bin/quod\" } } , \"x\" : [1,\n2] }",
	      "strings with brackets mislead nobody");
	edits("{\n  // mine\n  \"debug\": true // last\n  /* end */\n}",
	      "{\n  // mine\n  \"debug\": true, // last\n  /* end */\n  \"runtimes\": {\n    \"quod\": { \"path\": \"/usr/bin/quod\" }\n  }\n}",
	      "comments stay where they are");
	edits("{ // c\n}", "{ // c\n  \"runtimes\": {\n    \"quod\": { \"path\": \"/usr/bin/quod\" }\n  }\n}", "a comment alone");
	edits("{\"runtimes\": {\"quod\": 1}}", "{\"runtimes\": {\"quod\": { \"path\": \"/usr/bin/quod\" }}}", "a value is replaced");
}

static void test_undo(void)
{
	undoes("{}", true);
	undoes("{\n    \"debug\": true\n}\n", true);
	undoes("{\"debug\":true}", true);
	undoes("{ \"debug\": true }", true);
	undoes("{\n \"runtimes\": {}, \"b\": 1\n}", false);
	undoes("{\r\n\t\"runtimes\": {\r\n\t\t\"kata\": {\"path\":\"k\"}\r\n\t}\r\n}\r\n", false);
	undoes("{\n  \"debug\": true // last\n  /* end */\n}", true);
}

static void remove_gives(const char *from, const char *to, const char *sentence)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_puts(&text, from);
	OK(json_text_remove(&text, path), "setup-json: %s", sentence);
	IS_STR(text.data, to, "setup-json: ... and nothing else");
}

static void test_remove(void)
{
	remove_gives("{\"runtimes\": {\n  \"quod\": {},\n  // mine\n  \"a\": 1\n}}", "{\"runtimes\": {\n  // mine\n  \"a\": 1\n}}",
		     "the first of many goes with its line");
	remove_gives("{\"runtimes\": {\n  \"b\": 2,\n  \"quod\": {},\n  \"a\": 1\n}}", "{\"runtimes\": {\n  \"b\": 2,\n  \"a\": 1\n}}",
		     "one in the middle goes");
	remove_gives("{\"runtimes\": {\"b\": 2, \"quod\": {}, \"a\": 1}}", "{\"runtimes\": {\"b\": 2, \"a\": 1}}", "one on a shared line goes");
	remove_gives("{\"runtimes\": {\"b\": 2, \"quod\": {}}}", "{\"runtimes\": {\"b\": 2}}", "the last takes the comma along");
}

static void test_refusals(void)
{
	static const char *const rules[] = { "rules", NULL };
	const char *const texts[] = { "[]", "1", "{\"runtimes\": []}", "{\"runtimes\": \"quod\"}", "" };
	cleanup_buf struct buf list = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buf struct buf text = BUF_INIT;

		buf_puts(&text, texts[i]);
		OK(!json_text_set(&text, path, value), "setup-json: what is no object takes no member: %s", texts[i]);
		IS_STR(text.data, texts[i], "setup-json: ... and stays");
	}
	buf_puts(&list, "{ \"a\": 1 }");
	OK(json_text_append(&list, rules, "{ \"x\": 1 }") && json_text_append(&list, rules, "2"), "setup-json: a list is made and grows");
	IS_STR(list.data, "{ \"a\": 1, \"rules\": [{ \"x\": 1 }, 2] }", "setup-json: ... at its end");
	OK(json_text_remove_item(&list, rules, 1) && json_text_remove_item(&list, rules, 0), "setup-json: its items can be taken out");
	IS_STR(list.data, "{ \"a\": 1, \"rules\": [] }", "setup-json: ... one by one");
}

int main(void)
{
	test_set();
	test_undo();
	test_remove();
	test_refusals();
	return tap_done();
}
