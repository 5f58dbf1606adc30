/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages: what is understood, what is refused, what is printed. */
#include <errno.h>
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/warden/dns-wire.h"
#include "tests/unit/tap.h"

/* A message under construction. */
struct message {
	uint8_t bytes[4096];
	size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void put16(struct message *message, unsigned value)
{
	put(message, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void put_name(struct message *message, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		put(message, &(uint8_t){ (uint8_t)len }, 1);
		put(message, name, len);
		name += len + (name[len] == '.');
	}
	put(message, "", 1);
}

static void put_header(struct message *message, unsigned flags, unsigned questions, unsigned answers, unsigned additional)
{
	message->len = 0;
	put16(message, 0x1234);
	put16(message, flags);
	put16(message, questions);
	put16(message, answers);
	put16(message, 0);
	put16(message, additional);
}

static void put_question(struct message *message, const char *name, unsigned type)
{
	put_name(message, name);
	put16(message, type);
	put16(message, 1);
}

static void put_record(struct message *message, const char *owner, unsigned type, unsigned ttl)
{
	put_name(message, owner);
	put16(message, type);
	put16(message, 1);
	put16(message, ttl >> 16);
	put16(message, ttl & 0xffff);
}

static void put_address(struct message *message, const char *owner, uint8_t last, unsigned ttl)
{
	put_record(message, owner, DNS_A, ttl);
	put16(message, 4);
	put(message, (uint8_t[]){ 11, 0, 0, last }, 4);
}

static void put_alias(struct message *message, const char *owner, const char *target)
{
	put_record(message, owner, DNS_CNAME, 30);
	put16(message, (unsigned)strlen(target) + 2);
	put_name(message, target);
}

static void put_opt(struct message *message, unsigned size, unsigned version)
{
	put(message, "", 1);
	put16(message, DNS_OPT);
	put16(message, size);
	put(message, (uint8_t[]){ 0, (uint8_t)version, 0x80, 0 }, 4);
	put16(message, 0);
}

static int parse(const struct message *message, struct dns_question *question)
{
	/* of exactly its size, so that a sanitizer sees the first byte beyond it */
	uint8_t *copy = malloc(message->len ? message->len : 1);
	int r;

	memcpy(copy, message->bytes, message->len);
	r = dns_parse_question(copy, message->len, question);
	free(copy);
	return r;
}

static void test_questions(void)
{
	struct dns_question question;
	struct message message;

	put_header(&message, 0x0100, 1, 0, 0);
	put_question(&message, "WWW.Good.Test", DNS_A);
	OK(parse(&message, &question) == DNS_NOERROR, "dns: a plain question");
	IS_STR(question.name, "www.good.test", "dns: the name in lower case");
	OK(!memcmp(question.wire + 1, "WWW", 3), "dns: the name as it was written");
	OK(question.type == DNS_A && question.class == 1 && question.recursion && !question.has_edns && question.udp_size == 512,
	   "dns: type, class, flags, and 512 bytes without EDNS");
	put_header(&message, 0x0100, 1, 0, 1);
	put_question(&message, "good.test", DNS_AAAA);
	put_opt(&message, 4096, 0);
	OK(parse(&message, &question) == DNS_NOERROR && question.has_edns && question.udp_size == 4096 && question.dnssec_ok, "dns: EDNS is read");
	put_header(&message, 0x0100, 1, 0, 1);
	put_question(&message, "good.test", DNS_AAAA);
	put_opt(&message, 100, 0);
	OK(parse(&message, &question) == DNS_NOERROR && question.udp_size == 512, "dns: a size below 512 counts as 512");
	put_header(&message, 0x0100, 1, 0, 1);
	put_question(&message, "good.test", DNS_A);
	put_opt(&message, 512, 1);
	OK(parse(&message, &question) == DNS_BADVERS, "dns: a later EDNS is BADVERS");
	for (size_t len = 0; len < message.len; len++) {
		struct message cut = message;
		int r;

		cut.len = len;
		r = parse(&cut, &question);
		if (r != (len < 12 ? DNS_SILENCE : DNS_FORMERR)) {
			OK(0, "dns: cut at %zu it is no question", len);
			return;
		}
	}
	OK(1, "dns: a question that is cut anywhere is FORMERR, and without a whole header met with silence");
}

static void test_bad_questions(void)
{
	static const struct {
		unsigned flags, questions, answers, additional;
		int wanted;
		const char *what;
	} cases[] = {
		{ 0x8100, 1, 0, 0, DNS_SILENCE, "an answer is met with silence" },
		{ 0x0100, 0, 0, 0, DNS_FORMERR, "no question is FORMERR" },
		{ 0x0100, 2, 0, 0, DNS_FORMERR, "two questions are FORMERR" },
		{ 0x0100, 1, 1, 0, DNS_FORMERR, "a question with an answer is FORMERR" },
		{ 0x0100, 1, 0, 2, DNS_FORMERR, "two records behind the question are FORMERR" },
		{ 0x0100, 1, 0, 1, DNS_FORMERR, "a record that is announced and isn't there is FORMERR" },
		{ 0x0300, 1, 0, 0, DNS_FORMERR, "a cut question is FORMERR" },
		{ 0x2900, 1, 0, 0, DNS_NOTIMP, "an update is NOTIMP" },
	};
	struct dns_question question;
	struct message message;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_header(&message, cases[i].flags, cases[i].questions, cases[i].answers, cases[i].additional);
		put_question(&message, "good.test", DNS_A);
		OK(parse(&message, &question) == cases[i].wanted, "dns: %s", cases[i].what);
	}
}

static void test_names(void)
{
	struct dns_question question;
	struct message message;

	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\xc0\x0c\0\1\0\1", 6);
	OK(parse(&message, &question) == DNS_FORMERR, "dns: a pointer to itself ends");
	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\1a\xc0\x20\0\1\0\1", 8);
	OK(parse(&message, &question) == DNS_FORMERR, "dns: a pointer goes back, never forward");
	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\x41" "a\0\0\1\0\1", 7);
	OK(parse(&message, &question) == DNS_FORMERR, "dns: a label of the extended kind is FORMERR");
	put_header(&message, 0x0100, 1, 0, 0);
	for (int i = 0; i < 5; i++)
		put(&message, "\77aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64);
	put(&message, "\0\0\1\0\1", 5);
	OK(parse(&message, &question) == DNS_FORMERR, "dns: a name of more than 255 bytes is FORMERR");
	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\0\0\1\0\1", 5);
	OK(parse(&message, &question) == DNS_NOERROR && !question.name[0], "dns: the root is no host name");
	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\6good\0x\4test\0\0\1\0\1", 17);
	OK(parse(&message, &question) == DNS_NOERROR && !question.name[0], "dns: a zero byte in a label makes no host name");
	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\11good.test\0\0\1\0\1", 15);
	OK(parse(&message, &question) == DNS_NOERROR && !question.name[0], "dns: nor does a dot");
	put_header(&message, 0x0100, 1, 0, 0);
	put(&message, "\11g\xd0\xbe\xd0\xbe" "d.te\4test\0\0\1\0\1", 20);
	OK(parse(&message, &question) == DNS_NOERROR && !question.name[0], "dns: nor do letters beyond ASCII");
}

static void test_refusal(void)
{
	const struct dns_reason reason = { 17, "quod: profile web" };
	struct dns_question question;
	uint8_t out[DNS_MESSAGE];
	struct message message;
	size_t len;

	put_header(&message, 0x0110, 1, 0, 1);
	put_question(&message, "Bad.Test", DNS_A);
	put_opt(&message, 1232, 0);
	parse(&message, &question);
	len = dns_print_empty(&question, DNS_NXDOMAIN, &reason, out);
	OK(out[0] == 0x12 && out[1] == 0x34 && out[2] == 0x81 && out[3] == 0x93, "dns: a refusal has the query's id, its flags and NXDOMAIN");
	OK(!memcmp(out + 12, message.bytes + 12, 14), "dns: and its question as it was written");
	OK(out[5] == 1 && !out[7] && !out[9] && out[11] == 1 && len > 40 && !memcmp(out + len - 17, "quod: profile web", 17) && out[len - 18] == 17,
	   "dns: and says why to who speaks EDNS");
	put_header(&message, 0x0100, 1, 0, 0);
	put_question(&message, "Bad.Test", DNS_A);
	parse(&message, &question);
	len = dns_print_empty(&question, DNS_NXDOMAIN, &reason, out);
	OK(len == message.len && !out[11], "dns: and nothing more to who doesn't");
	put_header(&message, 0x0100, 1, 0, 1);
	put_question(&message, "good.test", DNS_A);
	put_opt(&message, 512, 7);
	parse(&message, &question);
	len = dns_print_empty(&question, DNS_BADVERS, NULL, out);
	OK((out[3] & 15) == 0 && out[len - 6] == 1, "dns: BADVERS lies in the extended code");
}

/* What is asked, and an answer to it that `fill` completes. */
struct exchange {
	struct dns_question question;
	struct dns_asked asked;
	struct message answer;
};

static void ask(struct exchange *exchange, unsigned answers)
{
	struct message message;
	uint8_t query[DNS_MESSAGE];
	size_t len;

	put_header(&message, 0x0100, 1, 0, 0);
	put_question(&message, "good.test", DNS_A);
	parse(&message, &exchange->question);
	exchange->asked = (struct dns_asked){ .id = 0x4711, .cases = { 0xaa, 0x05 } };
	len = dns_print_query(&exchange->question, &exchange->asked, query);
	exchange->answer.len = 0;
	put(&exchange->answer, query, len - 11);
	exchange->answer.bytes[2] = 0x81;
	exchange->answer.bytes[3] = 0x80;
	exchange->answer.bytes[7] = (uint8_t)answers;
	exchange->answer.bytes[11] = 0;
}

static int hear(const struct exchange *exchange, struct dns_answer *answer)
{
	uint8_t *copy = malloc(exchange->answer.len);
	int r;

	memcpy(copy, exchange->answer.bytes, exchange->answer.len);
	r = dns_parse_answer(copy, exchange->answer.len, &exchange->question, &exchange->asked, answer);
	free(copy);
	return r;
}

static void test_query(void)
{
	struct exchange exchange;
	uint8_t query[DNS_MESSAGE];
	size_t len;

	ask(&exchange, 0);
	len = dns_print_query(&exchange.question, &exchange.asked, query);
	OK(query[0] == 0x47 && query[1] == 0x11 && query[2] == 1 && !query[3] && query[11] == 1, "dns: asked on with an id of its own, recursion and EDNS");
	OK(!memcmp(query + 12, "\4GoOd\4TeSt", 10) || !strncasecmp((char *)query + 13, "good", 4), "dns: the same name");
	OK(memcmp(query + 12, exchange.question.wire, exchange.question.wire_len) != 0, "dns: in letters of another case");
	exchange.asked.is_plain = true;
	OK(dns_print_query(&exchange.question, &exchange.asked, query) == len - 11 && !query[11], "dns: the plain form has no EDNS");
}

static void test_answer(void)
{
	struct exchange exchange;
	struct dns_answer answer;

	ask(&exchange, 2);
	put_address(&exchange.answer, "good.test", 1, 300);
	put_address(&exchange.answer, "GOOD.test", 2, 60);
	OK(!hear(&exchange, &answer) && answer.addresses.count == 2 && answer.addresses.items[1].bytes[3] == 2, "dns: the addresses of an answer");
	OK(answer.addresses.ttl == 60, "dns: and their smallest lifetime");
	ask(&exchange, 3);
	put_alias(&exchange.answer, "good.test", "cdn.foreign");
	put_address(&exchange.answer, "cdn.foreign", 7, 300);
	put_address(&exchange.answer, "other.test", 9, 300);
	OK(!hear(&exchange, &answer) && answer.addresses.count == 1 && answer.addresses.items[0].bytes[3] == 7, "dns: an alias is followed, another name's address is not taken");
	OK(answer.alias_count == 1 && answer.addresses.ttl == 30, "dns: the alias and its lifetime are told");
	IS_STR(answer.aliases[0], "cdn.foreign", "dns: the alias by name");
	ask(&exchange, 3);
	put_address(&exchange.answer, "cdn.foreign", 7, 300);
	put_alias(&exchange.answer, "x.good.test", "good.test");
	put_alias(&exchange.answer, "good.test", "cdn.foreign");
	OK(!hear(&exchange, &answer) && answer.addresses.count == 1, "dns: the order of records doesn't matter");
	ask(&exchange, 1);
	put_address(&exchange.answer, "good.test", 1, 0x80000000u);
	OK(!hear(&exchange, &answer) && answer.addresses.ttl == 0, "dns: a lifetime with the high bit is zero");
	ask(&exchange, 1);
	put_record(&exchange.answer, "good.test", DNS_A, 60);
	put16(&exchange.answer, 16);
	put(&exchange.answer, "0123456789abcdef", 16);
	OK(!hear(&exchange, &answer) && !answer.addresses.count, "dns: an A record of sixteen bytes is none");
	ask(&exchange, 0);
	exchange.answer.bytes[3] |= DNS_NXDOMAIN;
	OK(!hear(&exchange, &answer) && answer.rcode == DNS_NXDOMAIN, "dns: NXDOMAIN");
}

static void test_chains(void)
{
	struct exchange exchange;
	struct dns_answer answer;
	char from[32], to[32];

	for (int links = DNS_CHAIN; links <= DNS_CHAIN + 1; links++) {
		ask(&exchange, (unsigned)links + 1);
		for (int i = 0; i < links; i++) {
			snprintf(from, sizeof(from), i ? "n%d.test" : "good.test", i);
			snprintf(to, sizeof(to), "n%d.test", i + 1);
			put_alias(&exchange.answer, from, to);
		}
		put_address(&exchange.answer, to, 1, 60);
		if (links == DNS_CHAIN)
			OK(!hear(&exchange, &answer) && answer.addresses.count == 1, "dns: sixteen aliases are followed");
		else
			OK(hear(&exchange, &answer) == -EBADMSG, "dns: seventeen are not");
	}
	ask(&exchange, 2);
	put_alias(&exchange.answer, "good.test", "b.test");
	put_alias(&exchange.answer, "b.test", "good.test");
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: a loop of aliases ends");
	ask(&exchange, 1);
	put_record(&exchange.answer, "good.test", DNS_CNAME, 60);
	put16(&exchange.answer, 4);
	put_name(&exchange.answer, "b.test");
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: an alias longer than its record is no alias");
}

static void test_forged(void)
{
	struct exchange exchange;
	struct dns_answer answer;
	size_t whole;

	ask(&exchange, 1);
	put_address(&exchange.answer, "good.test", 1, 60);
	whole = exchange.answer.len;
	exchange.answer.bytes[1] ^= 1;
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: another id is no answer");
	exchange.answer.bytes[1] ^= 1;
	exchange.answer.bytes[13] ^= 0x20;
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: another case of a letter is no answer");
	exchange.answer.bytes[13] ^= 0x21;
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: another name is no answer");
	exchange.answer.bytes[13] ^= 1;
	exchange.answer.bytes[2] = 1;
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: a question is no answer");
	exchange.answer.bytes[2] = 0x81;
	exchange.answer.bytes[24] = DNS_AAAA;
	OK(hear(&exchange, &answer) == -EBADMSG, "dns: another type is no answer");
	exchange.answer.bytes[24] = DNS_A;
	OK(!hear(&exchange, &answer), "dns: the true one is");
	for (exchange.answer.len = 0; exchange.answer.len < whole; exchange.answer.len++)
		if (hear(&exchange, &answer) != -EBADMSG) {
			OK(0, "dns: cut at %zu it is no answer", exchange.answer.len);
			return;
		}
	OK(1, "dns: an answer that is cut anywhere is none");
}

static void test_print(void)
{
	struct dns_addresses addresses = { .ttl = 77 };
	struct dns_question question;
	uint8_t out[DNS_MESSAGE];
	struct message message;
	size_t len;

	for (size_t i = 0; i < DNS_ADDRESSES; i++)
		addresses.items[addresses.count++] = (struct address){ 6, { 0x2a, [15] = (uint8_t)i } };
	put_header(&message, 0x0100, 1, 0, 0);
	put_question(&message, "good.test", DNS_AAAA);
	parse(&message, &question);
	len = dns_print_addresses(&question, &addresses, 512, out);
	OK(len <= 512 && (out[2] & 2) && out[7] == (512 - message.len) / 28, "dns: what doesn't fit is cut off, and TC says so");
	len = dns_print_addresses(&question, &addresses, DNS_MESSAGE, out);
	OK(len == message.len + DNS_ADDRESSES * 28 && !(out[2] & 2) && out[7] == DNS_ADDRESSES, "dns: what fits is told");
	OK(out[message.len] == 0xc0 && out[message.len + 9] == 77 && out[message.len + 11] == 16 && out[message.len + 12] == 0x2a,
	   "dns: an address of the question's name, with its lifetime");
}

int main(void)
{
	test_questions();
	test_bad_questions();
	test_names();
	test_refusal();
	test_query();
	test_answer();
	test_chains();
	test_forged();
	test_print();
	return tap_done();
}
