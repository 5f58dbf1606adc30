/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/warden/dns-wire. Input: a byte that says the direction, then the message. Even: what the container
 * asks; what is printed in answer must itself be well-formed. Odd: what a resolver answers to a fixed question; its header
 * and question are put right first, so that the records are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/warden/dns-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

/* What is sent on is understood as it was meant. */
static void check_query(const struct dns_question *question)
{
	struct dns_asked asked = { .id = 7, .cases = { 0x55, 0x55, 0x55, 0x55 } };
	struct dns_question again;
	uint8_t message[DNS_MESSAGE];
	size_t len = dns_print_query(question, &asked, message);

	must(len <= sizeof(message) && dns_parse_question(message, len, &again) == DNS_NOERROR);
	must(!strcmp(again.name, question->name) && again.type == question->type && again.wire_len == question->wire_len);
}

static void fuzz_question(const uint8_t *data, size_t size)
{
	const struct dns_reason reason = { 17, "quod: profile web" };
	struct dns_addresses addresses = { .count = DNS_ADDRESSES, .ttl = 60 };
	struct dns_question question;
	uint8_t message[DNS_MESSAGE];
	char name[NAME_SIZE];
	int rcode = dns_parse_question(data, size, &question);

	if (rcode == DNS_SILENCE)
		return;
	must(dns_print_empty(&question, rcode ? rcode : DNS_NXDOMAIN, &reason, message) <= sizeof(message));
	if (rcode)
		return;
	must(question.wire_len >= 1 && question.wire_len <= DNS_WIRE_NAME && question.udp_size >= 512);
	must(!question.name[0] || (!name_normalize(question.name, name) && !strcmp(name, question.name)));
	must(dns_print_addresses(&question, &addresses, 512, message) <= 512 + 1);
	check_query(&question);
}

static void fuzz_answer(const uint8_t *data, size_t size)
{
	static const uint8_t asked_for[] = "\0\0\1\0\0\1\0\0\0\0\0\0\4good\4test\0\0\1\0\1";
	const struct dns_asked asked = { .id = 0x4711 };
	struct dns_question question;
	struct dns_answer answer;
	uint8_t *message = malloc(size + sizeof(asked_for));
	size_t head = sizeof(asked_for) - 1;

	must(message && dns_parse_question(asked_for, head, &question) == DNS_NOERROR);
	if (dns_parse_answer(data, size, &question, &asked, &answer))
		answer.addresses.count = 0;
	memcpy(message, asked_for, head);
	memcpy(message + head, data, size);
	message[0] = 0x47;
	message[1] = 0x11;
	message[2] = 0x81;
	message[7] = size ? data[0] : 0;
	if (!dns_parse_answer(message, head + size, &question, &asked, &answer)) {
		must(answer.addresses.count <= DNS_ADDRESSES && answer.alias_count <= DNS_CHAIN && answer.addresses.ttl <= INT32_MAX);
		for (size_t i = 0; i < answer.addresses.count; i++)
			must(answer.addresses.items[i].family == 4);
	}
	free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 65536)
		return 0;
	if (data[0] & 1)
		fuzz_answer(data + 1, size - 1);
	else
		fuzz_question(data + 1, size - 1);
	return 0;
}
