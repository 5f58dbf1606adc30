/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of oci/json.c, oci/json-tree.c and oci/pointer.c. */
#include <stdlib.h>
#include <time.h>

#include "oci/json.h"
#include "oci/pointer.h"
#include "shim/base/cleanup.h"
#include "tests/unit/tap.h"

static struct json_tree *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json_tree *tree = NULL;

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &tree, &err))
		printf("# %s\n", err.text);
	return tree;
}

static void refuses_bytes(const char *bytes, size_t len, enum json_flags flags, const char *wanted, const char *what)
{
	struct err err = ERR_INIT;
	cleanup_json_tree struct json_tree *tree = NULL;
	int result = json_parse(bytes, len, flags, NULL, &tree, &err);

	OK(result < 0 && !tree, "json: refused: %s", what);
	IS_STR(err.text, wanted, "json: the message for it: %s", what);
}

static void refuses(const char *text, const char *wanted, const char *what)
{
	refuses_bytes(text, strlen(text), JSON_PLAIN, wanted, what);
}

static void keeps(const char *text, const char *what)
{
	cleanup_json_tree struct json_tree *tree = parse(text);
	cleanup_buf struct buf buf = BUF_INIT;

	json_print(&buf, json_root(tree), 0);
	IS_STR(buf.data, text, "json: kept as written: %s", what);
}

static void test_kept(void)
{
	keeps("{\"b\":1,\"a\":[true,false,null,\"x\"],\"c\":{}}", "the order of members");
	keeps("{}", "an empty object");
	keeps("[]", "an empty array");
	keeps("\"x\"", "a string alone");
	keeps("null", "null alone");
	keeps("12", "a number alone that ends with the document");
	keeps("[1.50,1e3,1E+2,0.1,-7,9223372036854775807,-9223372036854775808,18446744073709551615]", "numbers");
	keeps("[\"\\u001b\\n\\u0009\\\"\\\\\",\"\xc3\xa4\xf0\x9f\x98\x80\"]", "escapes and letters");
	keeps("[\"\\ufeff\\u202e\\u2028\\u009b\"]", "what a terminal could take for something else, escaped");
	keeps("{\"\":{\"\":\"\"}}", "empty names");
}

static void test_syntax(void)
{
	refuses("", "line 1: parse error: premature EOF", "nothing");
	refuses(" \n ", "line 2: parse error: premature EOF", "white space alone");
	refuses("{\"a\":1,\n\"b\":[1,", "line 2: /b/1: parse error: premature EOF", "half a document");
	refuses("{\v}", "line 1: a vertical tab: white space is space, tab and line ends", "a vertical tab");
	refuses("{}\n\f", "line 2: a form feed: white space is space, tab and line ends", "a form feed");
	refuses_bytes("{} // \f", 7, JSON_COMMENTS, "line 1: a form feed: white space is space, tab and line ends",
		      "a form feed in a comment");
	refuses("{} x", "line 1: parse error: trailing garbage", "text behind the document");
	refuses("{}{}", "line 1: parse error: trailing garbage", "two documents");
	refuses("1 2", "line 1: parse error: trailing garbage", "two numbers");
	refuses("{} \"abc", "line 1: something stands behind the end of the document", "an unfinished string behind it");
	refuses("{}\n1", "line 2: parse error: trailing garbage", "a number that ends with the file behind it");
	refuses("[] tru", "line 1: parse error: trailing garbage", "half a word behind it");
	refuses("[1,]", "line 1: /1: parse error: unallowed token at this point in JSON text", "a comma too many");
	refuses("{\"a\":1,}", "line 1: parse error: invalid object key (must be a string)", "a comma too many in an object");
	refuses("{'a':1}", "line 1: lexical error: invalid char in json text.", "single quotes");
	refuses("\xef\xbb\xbf{}", "line 1: a byte order mark in front of the document", "a byte order mark");
	refuses("// x\n{}", "line 1: lexical error: probable comment found in input text, comments are not enabled.",
		"a comment where none may be");
	refuses("{\"a\":1 /* x */}", "line 1: lexical error: probable comment found in input text, comments are not enabled.",
		"a block comment where none may be");
	refuses("{} // x", "line 1: parse error: trailing garbage",
		"a comment behind the document");
	refuses_bytes("{}\0", 3, JSON_PLAIN, "line 1: parse error: trailing garbage", "a NUL behind the document");
	refuses_bytes("{\0}", 3, JSON_PLAIN, "line 1: lexical error: invalid char in json text.", "a NUL in the document");
}

static void test_strings(void)
{
	refuses("[\"a\\u0000b\"]", "line 1: /0: a NUL character in a string", "\\u0000");
	refuses("{\"a\\u0000b\":1}", "line 1: a NUL character in a string", "\\u0000 in a name");
	refuses_bytes("[\"a\0b\"]", 7, JSON_PLAIN, "line 1: /0: lexical error: invalid character inside string.", "a raw NUL");
	refuses("[\"a\nb\"]", "line 1: /0: lexical error: invalid character inside string.", "a raw line end in a string");
	refuses("[\"\xff\"]", "line 1: /0: invalid UTF-8 in a string", "a byte that no UTF-8 has");
	refuses("[\"\xc0\x80\"]", "line 1: /0: invalid UTF-8 in a string", "an overlong NUL");
	refuses("[\"\xe0\x80\xaf\"]", "line 1: /0: invalid UTF-8 in a string", "an overlong slash");
	refuses("[\"\xed\xa0\x80\"]", "line 1: /0: invalid UTF-8 in a string", "a surrogate in UTF-8");
	refuses("[\"\xf4\x90\x80\x80\"]", "line 1: /0: invalid UTF-8 in a string", "a character over U+10FFFF");
	refuses("[\"\xc3\"]", "line 1: /0: invalid UTF-8 in a string", "a cut sequence");
	refuses("[\"\xc3\\n\"]", "line 1: /0: invalid UTF-8 in a string", "a sequence cut by an escape");
	refuses("[\"\\ud800\"]", "line 1: /0: half of a surrogate pair in a string", "a high surrogate alone");
	refuses("[\"\\udc00\"]", "line 1: /0: half of a surrogate pair in a string", "a low surrogate alone");
	refuses("[\"\\ud800x\"]", "line 1: /0: half of a surrogate pair in a string", "a high surrogate and a letter");
	refuses("[\"\\ud800\\n\"]", "line 1: /0: half of a surrogate pair in a string", "a high surrogate and an escape");
	refuses("[\"\\ud83d\\ud83d\\ude00\"]", "line 1: /0: half of a surrogate pair in a string", "two high surrogates");
	refuses("[\"\\\\\\\"\\ud800\\\"\"]", "line 1: /0: half of a surrogate pair in a string", "one among escaped quotes");
	refuses("{\"\\uDfFf\":1}", "line 1: half of a surrogate pair in a string", "half a pair in a name");
	refuses("[\"\\ud8\"]", "line 1: /0: lexical error: invalid (non-hex) character occurs after '\\u' inside string.",
		"an escape with two digits");
	refuses("[\"\\x41\"]", "line 1: /0: lexical error: inside a string, '\\' occurs before a character which it may not.",
		"an escape that JSON has not");

	cleanup_json_tree struct json_tree *tree = parse("[\"\\ud83d\\ude00\\\\\\ud83d\\uDE00\",\"\\\\ud800\",\"\\u0041\\/\"]");
	IS_STR(json_string(json_item(json_root(tree), 0)), "\xf0\x9f\x98\x80\\\xf0\x9f\x98\x80", "json: pairs are joined");
	IS_STR(json_string(json_item(json_root(tree), 1)), "\\ud800", "json: an escaped backslash begins no surrogate");
	IS_STR(json_string(json_item(json_root(tree), 2)), "A/", "json: escapes are decoded");
}

static void test_numbers(void)
{
	refuses("[-0]", "line 1: /0: the number -0 can't be read the same way everywhere", "-0");
	refuses("[01]", "line 1: /1: parse error: after array element, I expect ',' or ']'", "a leading zero");
	refuses("[-]", "line 1: /0: lexical error: malformed number, a digit is required after the minus sign.", "a sign alone");
	refuses("[+1]", "line 1: /0: lexical error: invalid char in json text.", "a plus sign");
	refuses("[1.]", "line 1: /0: lexical error: malformed number, a digit is required after the decimal point.", "1.");
	refuses("[.5]", "line 1: /0: lexical error: invalid char in json text.", ".5");
	refuses("[0x10]", "line 1: /1: lexical error: invalid char in json text.", "hexadecimal");
	refuses("[NaN]", "line 1: /0: lexical error: invalid char in json text.", "NaN");
	refuses("[18446744073709551616]", "line 1: /0: the number 18446744073709551616 can't be read the same way everywhere",
		"2^64");
	refuses("[-9223372036854775809]", "line 1: /0: the number -9223372036854775809 can't be read the same way everywhere",
		"-2^63-1");
	refuses("[1e999]", "line 1: /0: the number 1e999 can't be read the same way everywhere", "more than a double");
	refuses("{\"a\":1e-999}", "line 1: /a: the number 1e-999 can't be read the same way everywhere", "less than a double");

	cleanup_json_tree struct json_tree *tree =
		parse("[-9223372036854775808,18446744073709551615,9223372036854775808,1.0,1e3,-1,0]");
	const struct json *root = json_root(tree);
	uint64_t uint = 7;
	int64_t sint = 7;

	OK(json_int(json_item(root, 0), &sint) && sint == INT64_MIN, "json: the least int64");
	OK(!json_uint(json_item(root, 0), &uint), "json: which is no uint64");
	OK(json_uint(json_item(root, 1), &uint) && uint == UINT64_MAX, "json: the greatest uint64");
	OK(!json_int(json_item(root, 2), &sint), "json: 2^63 is no int64");
	OK(!json_int(json_item(root, 3), &sint) && !json_uint(json_item(root, 3), &uint), "json: 1.0 is no integer");
	OK(!json_int(json_item(root, 4), &sint), "json: 1e3 is no integer");
	OK(!json_uint(json_item(root, 5), &uint), "json: -1 is no unsigned integer");
	OK(json_uint(json_item(root, 6), &uint) && !uint, "json: 0 is one");
	OK(!json_int(NULL, &sint) && !json_int(root, &sint), "json: nothing and an array are no integers");
}

static void test_names(void)
{
	static const char *const free_form[] = { "/annotations", "/l/0/x~1y", NULL };
	static const char text[] = "{\"annotations\":{\"a\":1,\"A\":2},\"l\":[{\"x/y\":{\"b\":1,\"B\":2}}]}";
	struct err err = ERR_INIT;
	cleanup_json_tree struct json_tree *tree = NULL, *none = NULL;

	refuses("{\"a\":1,\n\"b\":[{},{\n\"type\":1,\"x\":2,\n\"type\":3}]}", "line 4: /b/1: the key 'type' stands twice",
		"a name twice");
	refuses("{\"linux\":1,\"Linux\":2}", "line 1: the keys 'Linux' and 'linux' differ only in case", "names alike but for case");
	refuses("{\"masks\":1,\"ma\xc5\xbfk\xc5\xbf\":2}", "line 1: the keys 'masks' and 'ma\xc5\xbfk\xc5\xbf' differ only in case",
		"names alike but for a long s");
	refuses("{\"\xe2\x84\xaa\":1,\"\\u006b\":2}", "line 1: the keys 'k' and '\xe2\x84\xaa' differ only in case",
		"names alike but for the Kelvin sign");
	refuses("{\"z\":1,\"A\":1,\"a\":1,\"z\":1}", "line 1: the keys 'A' and 'a' differ only in case", "the first pair of two");
	refuses("{\"a\":[[{\"k\":1}],[{\"k\":1,\"k\":2}]]}", "line 1: /a/1/0: the key 'k' stands twice", "a name twice, deep");
	OK(!json_parse(text, strlen(text), JSON_PLAIN, free_form, &tree, &err), "json: a free-form object may have names alike but for case");
	OK(json_parse("{\"l\":[0,{\"x/y\":{\"b\":1,\"B\":2}}]}", 29, JSON_PLAIN, free_form, &none, &err) < 0,
	   "json: but only the one that is named");
	OK(json_parse("{\"annotations\":{\"a\":1,\"a\":2}}", 29, JSON_PLAIN, free_form, &none, &err) < 0,
	   "json: and none twice");
	IS_STR(err.text, "line 1: /annotations: the key 'a' stands twice", "json: with the message for that");
}

static void test_depth(void)
{
	char text[2 * 65 + 1];

	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	text[130] = '\0';
	refuses_bytes(text, 130, JSON_PLAIN,
		      "line 1: /0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"
		      "/0/0/0/0/0/0/0/0/0/0/0/0/0: nested deeper than 64", "65 arrays in one another");
	text[129] = '\0';
	cleanup_json_tree struct json_tree *tree = parse(text + 1);
	OK(tree, "json: 64 are taken");
}

static void test_comments(void)
{
	static const char text[] = "// a\n{ /* b\n **/ \"x\": \"//\\\"/*\", // c\n \"y\": 1 } /* d */ // e";
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;

	OK(!json_parse(text, strlen(text), JSON_COMMENTS, NULL, &tree, &err), "json: comments are taken where they may be");
	OK(json_get(json_root(tree), "y") && json_get(json_root(tree), "y")->line == 4, "json: their lines are counted");
	IS_STR(json_string(json_get(json_root(tree), "x")), "//\"/*", "json: what looks like one in a string is text");
	refuses_bytes("{} /* x", 7, JSON_COMMENTS, "line 1: something stands behind the end of the document",
		      "a comment without end behind the document");
	refuses_bytes("{} // x\n1", 9, JSON_COMMENTS, "line 2: parse error: trailing garbage",
		      "a value behind a comment");
	refuses_bytes("{}\n// \xff", 7, JSON_COMMENTS, "line 2: invalid UTF-8 in a comment", "invalid UTF-8 in a comment");
	refuses_bytes("{ # x\n}", 7, JSON_COMMENTS, "line 1: lexical error: invalid char in json text.", "a shell comment");
	refuses_bytes("/*\\\"*/[\"\\ud800\"]", 16, JSON_COMMENTS, "line 1: /0: half of a surrogate pair in a string",
		      "half a pair behind a comment with a quote");
}

static void test_lines(void)
{
	cleanup_json_tree struct json_tree *tree = parse("\n{\n\"a\":\n[\n1,\n\"x\"],\n\n\"b\": {}}\n");
	const struct json *root = json_root(tree);

	OK(root && root->line == 2, "json: an object's line is that of its brace");
	OK(root && root->members[0].line == 3 && root->members[1].line == 8, "json: a name's line");
	OK(json_get(root, "a")->line == 4 && json_item(json_get(root, "a"), 0)->line == 5, "json: an array's and a number's line");
	OK(json_item(json_get(root, "a"), 1)->line == 6, "json: a string's line");
}

static void prints(const struct json_tree *tree, const char *wanted, const char *what)
{
	cleanup_buf struct buf buf = BUF_INIT;

	json_print(&buf, json_root(tree), 0);
	IS_STR(buf.data, wanted, "json: %s", what);
}

static void test_changes(void)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new(), *source = parse("{\"a\":[1,2,3],\"b\":{\"x\":\"y\"}}");
	struct json *root, *list;

	json_set_root(tree, json_copy(tree, json_root(source)));
	root = json_root(tree);
	list = json_get(root, "a");
	json_append(tree, list, json_make_int(tree, -4));
	json_append(tree, list, json_make_uint(tree, UINT64_MAX));
	json_insert(tree, list, 0, json_make_string(tree, "first"));
	json_insert(tree, list, 99, json_make_null(tree));
	prints(tree, "{\"a\":[\"first\",1,2,3,-4,18446744073709551615,null],\"b\":{\"x\":\"y\"}}", "items are inserted and appended");
	json_remove_item(list, 1);
	json_remove_item(list, 5);
	json_remove_item(list, 99);
	json_set(tree, root, "b", json_make_bool(tree, true));
	json_set(tree, root, "c", json_make_object(tree));
	json_set(tree, json_get(root, "c"), "d", json_make_array(tree));
	prints(tree, "{\"a\":[\"first\",2,3,-4,18446744073709551615],\"b\":true,\"c\":{\"d\":[]}}", "items go, members come");
	json_remove(root, "a");
	json_remove(root, "none");
	prints(tree, "{\"b\":true,\"c\":{\"d\":[]}}", "members go");
	prints(source, "{\"a\":[1,2,3],\"b\":{\"x\":\"y\"}}", "the source of a copy stays as it was");
	for (int i = 0; i < 1000; i++)
		json_insert(tree, json_get(json_get(root, "c"), "d"), 0, json_make_int(tree, i));
	list = json_get(json_get(root, "c"), "d");
	int64_t value = -1;
	OK(list->count == 1000 && json_int(json_item(list, 0), &value) && value == 999, "json: a thousand inserts, the last in front");
	OK(json_int(json_item(list, 999), &value) && value == 0, "json: and the first at the end");
}

static void test_reading(void)
{
	cleanup_json_tree struct json_tree *a = parse("{\"x\":1,\"y\":[true,{\"p\":1,\"q\":2}]}");
	cleanup_json_tree struct json_tree *b = parse("{\"y\":[true,{\"q\":2,\"p\":1}],\"x\":1}");
	cleanup_json_tree struct json_tree *c = parse("{\"y\":[true,{\"q\":2,\"p\":1.0}],\"x\":1}");

	OK(json_equal(json_root(a), json_root(b)), "json: objects are equal regardless of their order");
	OK(!json_equal(json_root(a), json_root(c)), "json: numbers are equal by their text");
	OK(!json_equal(json_root(a), NULL) && json_equal(NULL, NULL), "json: nothing equals only nothing");
	OK(!json_get(NULL, "x") && !json_item(NULL, 0) && !json_string(NULL) && json_bool(NULL, true), "json: look-ups take NULL");
	OK(json_bool(json_item(json_get(json_root(a), "y"), 0), false), "json: a bool is read");
	OK(!json_get(json_get(json_root(a), "y"), "p") && !json_item(json_root(a), 0), "json: an array has no names, an object no indices");
	IS_STR(json_type_name(JSON_OBJECT), "an object", "json: types have names for messages");

	cleanup_buf struct buf buf = BUF_INIT;
	json_print(&buf, json_root(a), 2);
	IS_STR(buf.data, "{\n  \"x\": 1,\n  \"y\": [\n    true,\n    {\n      \"p\": 1,\n      \"q\": 2\n    }\n  ]\n}",
	       "json: printed with indents");
}

static void test_pointer(void)
{
	cleanup_json_tree struct json_tree *tree = parse("{\"a\":[10,{\"b/c\":1,\"m~n\":2,\"\":3}],\"01\":4}");
	const struct json *root = json_root(tree);
	cleanup_buf struct buf buf = BUF_INIT;

	OK(pointer_find(root, "") == root, "pointer: the empty one is the root");
	IS_STR(pointer_find(root, "/a/0")->text, "10", "pointer: an index");
	IS_STR(pointer_find(root, "/a/1/b~1c")->text, "1", "pointer: an escaped slash");
	IS_STR(pointer_find(root, "/a/1/m~0n")->text, "2", "pointer: an escaped tilde");
	IS_STR(pointer_find(root, "/a/1/")->text, "3", "pointer: an empty name");
	IS_STR(pointer_find(root, "/01")->text, "4", "pointer: digits are a name in an object");
	OK(!pointer_find(root, "/a/00") && !pointer_find(root, "/a/01"), "pointer: an index has no leading zero");
	OK(!pointer_find(root, "/a/-") && !pointer_find(root, "/a/2") && !pointer_find(root, "/a/+1"), "pointer: no such item");
	OK(!pointer_find(root, "/a/99999999999999999999999") && !pointer_find(root, "/a/18446744073709551616"),
	   "pointer: a huge index does not wrap around");
	OK(!pointer_find(root, "a") && !pointer_find(root, "/a/1/m~n") && !pointer_find(root, "/a/1/m~"), "pointer: malformed ones name nothing");
	OK(!pointer_find(root, "/a/0/x") && !pointer_find(NULL, "/a"), "pointer: nothing is below a number or nothing");
	pointer_put_name(&buf, "a~b/c");
	pointer_put_index(&buf, 12);
	IS_STR(buf.data, "/a~0b~1c/12", "pointer: names are escaped when printed");
}

/* A hostile document of the size limit may not cost more than a moment. */
static void test_huge(void)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;
	cleanup_json_tree struct json_tree *tree = NULL, *none = NULL;
	clock_t start;

	buf_putc(&buf, '{');
	for (long i = 0; i < 300000; i++)
		buf_printf(&buf, "%s\"K%06ld\":1", i ? "," : "", i * 7919 % 300000);
	buf_putc(&buf, '}');
	start = clock();
	OK(!json_parse(buf.data, buf.len, JSON_PLAIN, NULL, &tree, &err) && json_root(tree)->count == 300000, "json: 300,000 names are parsed");
	printf("# %ld ms\n", (long)(clock() - start) * 1000 / CLOCKS_PER_SEC);
	OK(clock() - start < 2 * CLOCKS_PER_SEC, "json: in a moment");
	buf.len--;
	buf_puts(&buf, ",\"k123456\":1}");
	OK(json_parse(buf.data, buf.len, JSON_PLAIN, NULL, &none, &err) < 0, "json: one alike but for case among them is found");
	IS_STR(err.text, "line 1: the keys 'K123456' and 'k123456' differ only in case", "json: and named");
}

int main(void)
{
	test_kept();
	test_syntax();
	test_strings();
	test_numbers();
	test_names();
	test_depth();
	test_comments();
	test_lines();
	test_changes();
	test_reading();
	test_pointer();
	test_huge();
	return tap_done();
}
