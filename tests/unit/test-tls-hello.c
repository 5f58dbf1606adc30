/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a TLS client says first: taken, waited for, refused, by the table of tls-hello.h. */
#include <stdbool.h>
#include <stdlib.h>

#include "shim/warden/tls-hello.h"
#include "tests/unit/tap.h"

struct message {
	uint8_t bytes[40000];
	size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void put8(struct message *message, unsigned value)
{
	message->bytes[message->len++] = (uint8_t)value;
}

static void put16(struct message *message, size_t value)
{
	put8(message, (unsigned)(value >> 8));
	put8(message, (unsigned)value);
}

static void put_extension(struct message *message, unsigned type, size_t len)
{
	put16(message, type);
	put16(message, len);
	memset(message->bytes + message->len, 0, len);
	message->len += len;
}

static void put_name(struct message *message, const char *name, size_t len)
{
	put16(message, 0);
	put16(message, len + 5);
	put16(message, len + 3);
	put8(message, 0);
	put16(message, len);
	put(message, name, len);
}

/* What tests turn: everything else is an ordinary hello. */
struct shape {
	const char *name;	/* NULL: none */
	unsigned version;	/* 0: 3.3 */
	bool is_twice, has_two;	/* the extension; names in its list */
	size_t padding;		/* bytes of another extension in front */
	unsigned odd;		/* cipher suites' bytes, when not 0 */
	unsigned session;	/* bytes */
	int total;		/* added to the extensions' length */
	bool has_grease;
	uint8_t type;		/* 0: a ClientHello */
};

static void make_extensions(struct message *message, const struct shape *shape)
{
	if (shape->has_grease) {
		put_extension(message, 0x2a2a, 0);
		put_extension(message, 0xfe0d, 186);	/* encrypted_client_hello, made up */
	}
	if (shape->padding)
		put_extension(message, 21, shape->padding);
	for (int i = 0; shape->name && i <= shape->is_twice; i++) {
		if (!shape->has_two) {
			put_name(message, shape->name, strlen(shape->name));
			continue;
		}
		put16(message, 0);
		put16(message, 2 + 2 * (3 + strlen(shape->name)));
		put16(message, 2 * (3 + strlen(shape->name)));
		for (int k = 0; k < 2; k++) {
			put8(message, 0);
			put16(message, strlen(shape->name));
			put(message, shape->name, strlen(shape->name));
		}
	}
	put_extension(message, 43, 3);
	if (shape->has_grease)
		put_extension(message, 0xbaba, 1);
}

static void make_hello(struct message *hello, const struct shape *shape)
{
	static const uint8_t random[32] = { 1, 2, 3 };
	static struct message extensions;
	unsigned suites = shape->odd ? shape->odd : 4;

	extensions.len = hello->len = 0;
	make_extensions(&extensions, shape);
	put8(hello, shape->type ? shape->type : 1);
	put8(hello, 0);
	put16(hello, 0);
	put16(hello, shape->version ? shape->version : 0x303);
	put(hello, random, 32);
	put8(hello, shape->session);
	put(hello, (uint8_t[64]){ 0 }, shape->session);
	put16(hello, suites);
	put(hello, (uint8_t[16]){ 0 }, suites);
	put16(hello, 0x100);
	put16(hello, extensions.len + (size_t)shape->total);
	put(hello, extensions.bytes, extensions.len);
	hello->bytes[1] = (uint8_t)((hello->len - 4) >> 16);
	hello->bytes[2] = (uint8_t)((hello->len - 4) >> 8);
	hello->bytes[3] = (uint8_t)(hello->len - 4);
}

/* In records of `each` bytes. */
static void make_records(const struct message *hello, size_t each, unsigned version, struct message *out)
{
	out->len = 0;
	for (size_t at = 0; at < hello->len; at += each) {
		size_t len = hello->len - at < each ? hello->len - at : each;

		put8(out, 22);
		put16(out, version);
		put16(out, len);
		put(out, hello->bytes + at, len);
	}
}

static const char *print(enum said said, const char *name)
{
	static const char *const words[] = { "more", "", "no name", "nonsense" };

	return said == SAID_NAME ? name : words[said];
}

static const char *judge(const struct message *message)
{
	static char name[NAME_SIZE];

	return print(tls_hello_parse(message->bytes, message->len, name), name);
}

static const char *judge_shape(struct shape shape)
{
	static struct message hello, records;

	make_hello(&hello, &shape);
	make_records(&hello, 16384, 0x301, &records);
	return judge(&records);
}

static void test_shapes(void)
{
	IS_STR(judge_shape((struct shape){ .name = "good.test" }), "good.test", "hello: a name");
	IS_STR(judge_shape((struct shape){ .name = "GOOD.Test" }), "good.test", "hello: letters are made small");
	IS_STR(judge_shape((struct shape){ .name = "good.test." }), "good.test", "hello: a final dot is none");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .has_grease = true }), "good.test",
	       "hello: what nobody assigned, and an encrypted hello or one that looks so, are passed over");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .padding = 20000 }), "good.test", "hello: over 16 KiB, in two records");
	IS_STR(judge_shape((struct shape){ .name = NULL }), "no name", "hello: no name");
	IS_STR(judge_shape((struct shape){ .name = "" }), "no name", "hello: an empty name is none");
	IS_STR(judge_shape((struct shape){ .name = "11.22.33.44" }), "no name", "hello: an address is no name");
	IS_STR(judge_shape((struct shape){ .name = "2a0b::80" }), "no name", "hello: nor is one of IPv6");
	IS_STR(judge_shape((struct shape){ .name = "0x0b162150" }), "no name", "hello: nor is a number");
	IS_STR(judge_shape((struct shape){ .name = "good.test\r\n" }), "no name", "hello: other characters than a host's");
	IS_STR(judge_shape((struct shape){ .name = "b\303\274cher.test" }), "no name", "hello: letters beyond ASCII");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .is_twice = true }), "nonsense", "hello: two extensions that say a name");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .has_two = true }), "nonsense", "hello: two names");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .version = 0x300 }), "nonsense", "hello: SSL 3.0 inside");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .version = 0x301 }), "good.test", "hello: TLS 1.0 inside");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .version = 0x304 }), "nonsense", "hello: a version that none says there");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .version = 0x7f1c }), "nonsense", "hello: a draft's version");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .odd = 3 }), "nonsense", "hello: half a cipher suite");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .session = 32 }), "good.test", "hello: the longest session id");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .session = 33 }), "nonsense", "hello: a session id that is too long");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .total = 1 }), "nonsense", "hello: extensions longer than the message");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .total = -1 }), "nonsense", "hello: extensions shorter than the message");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .type = 2 }), "nonsense", "hello: a server's");
	IS_STR(judge_shape((struct shape){ .name = "good.test", .padding = 33000 }), "nonsense", "hello: longer than anybody's");
}

static void test_names(void)
{
	static struct message hello, records;
	struct shape shape = { .name = "good.testX" };
	char name[256];

	make_hello(&hello, &shape);
	make_records(&hello, 16384, 0x303, &records);
	for (size_t i = 0; i + 10 < records.len; i++)
		if (!memcmp(records.bytes + i, "good.testX", 10))
			records.bytes[i + 9] = 0;
	IS_STR(judge(&records), "nonsense", "hello: a NUL in the name");
	memset(name, 'a', sizeof(name));
	for (size_t i = 60; i < 253; i += 60)
		name[i] = '.';
	name[253] = '\0';
	IS_STR(judge_shape((struct shape){ .name = name }), name, "hello: the longest name");
	name[253] = 'a';
	name[254] = '\0';
	IS_STR(judge_shape((struct shape){ .name = name }), "no name", "hello: a name that is too long");
	name[254] = 'a';
	name[255] = '\0';
	IS_STR(judge_shape((struct shape){ .name = name }), "no name", "hello: a name that is much too long");
}

static void test_records(void)
{
	static struct message hello, records;
	struct shape shape = { .name = "good.test", .has_grease = true };
	static const unsigned versions[] = { 0x300, 0x301, 0x302, 0x303, 0x304, 0x200, 0xfeff };
	static const char *const verdicts[] = { "nonsense", "good.test", "good.test", "good.test", "nonsense", "nonsense", "nonsense" };

	make_hello(&hello, &shape);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		make_records(&hello, 16384, versions[i], &records);
		IS_STR(judge(&records), verdicts[i], "hello: a record of version %x", versions[i]);
	}
	make_records(&hello, 10, 0x301, &records);
	IS_STR(judge(&records), "good.test", "hello: in many records");
	make_records(&hello, 1, 0x301, &records);
	IS_STR(judge(&records), "nonsense", "hello: in more records than anybody sends");
	make_records(&hello, 50, 0x301, &records);
	records.bytes[55] = 21;
	IS_STR(judge(&records), "nonsense", "hello: an alert between its records");
	make_records(&hello, 50, 0x301, &records);
	records.bytes[58] = records.bytes[59] = 0;
	IS_STR(judge(&records), "nonsense", "hello: an empty record");
	make_records(&hello, 16384, 0x301, &records);
	records.bytes[3] = 0x40;
	records.bytes[4] = 1;
	IS_STR(judge(&records), "nonsense", "hello: a record that is too long");
}

/* A verdict, once given, is not changed by what comes later. */
static void test_pieces(void)
{
	static struct message hello, records;
	struct shape shape = { .name = "good.test", .has_grease = true };
	bool waits = true;
	char name[NAME_SIZE];

	make_hello(&hello, &shape);
	make_records(&hello, 100, 0x301, &records);
	for (size_t i = 0; i < records.len; i++)
		waits = waits && tls_hello_parse(records.bytes, i, name) == SAID_MORE;
	OK(waits, "hello: every beginning of it is waited on");
	put(&records, "\x14\3\3\0\1\1", 6);
	IS_STR(judge(&records), "good.test", "hello: what follows it doesn't matter");
}

static void test_others(void)
{
	static const char *const others[] = { "GET / HTTP/1.1\r\n", "\x80\x2e\1\0\2\0\x15\0\0\0\x10", "\x17\3\3\0\1x", "SSH-2.0-x\r\n", "\x15\3\1\0\2\2(" };
	char name[NAME_SIZE];

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		OK(tls_hello_parse((const uint8_t *)others[i], 6, name) == SAID_NONSENSE, "hello: none of other protocols, %zu", i);
	OK(tls_hello_parse((const uint8_t *)"", 0, name) == SAID_MORE, "hello: nothing is not enough");
	OK(tls_hello_parse((const uint8_t *)"\x16\2", 2, name) == SAID_MORE, "hello: a version is judged when it is there");
	OK(tls_hello_parse((const uint8_t *)"\x16\2\1", 3, name) == SAID_NONSENSE, "hello: and not later");
}

int main(void)
{
	test_shapes();
	test_names();
	test_records();
	test_pieces();
	test_others();
	return tap_done();
}
