/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A resolver's answer: see dns-wire.h. Believed is what follows from the question alone: the chain of aliases from its name,
 * within the answer section, and the addresses at the chain's end. Everything else in the message is passed over.
 */
#include <errno.h>
#include <string.h>

#include "shim/warden/dns-parts.h"

#define RECORDS_MOST 128

/* Where one record of the answer section lies. */
struct record {
	size_t name, data;
	uint16_t type, len;
	uint32_t ttl;
};

struct records {
	struct dns_span message;
	struct record items[RECORDS_MOST];
	size_t count;
};

static int read_records(struct records *records, size_t at, size_t count)
{
	const struct dns_span *message = &records->message;

	for (size_t i = 0; i < count && records->count < RECORDS_MOST; i++) {
		struct record *record = &records->items[records->count];
		uint8_t wire[DNS_WIRE_NAME];
		const uint8_t *bytes;
		uint16_t wire_len;

		record->name = at;
		if (dns_read_name(message, &at, wire, &wire_len) || at + 10 > message->size)
			return -EBADMSG;
		bytes = message->bytes + at;
		record->type = dns_get16(bytes);
		record->ttl = (uint32_t)dns_get16(bytes + 4) << 16 | dns_get16(bytes + 6);
		record->len = dns_get16(bytes + 8);
		record->data = at + 10;
		if (record->data + record->len > message->size)
			return -EBADMSG;
		at = record->data + record->len;
		if (dns_get16(bytes + 2) == 1)	/* class IN */
			records->count++;
	}
	return 0;
}

static void lower(uint8_t *wire, uint16_t len)
{
	for (uint16_t i = 0; i < len; i++)
		if (wire[i] >= 'A' && wire[i] <= 'Z')
			wire[i] = (uint8_t)(wire[i] - 'A' + 'a');
}

struct wire_name {
	uint8_t bytes[DNS_WIRE_NAME];
	uint16_t len;
};

/* Read before, so it can be read again. */
static bool is_at(const struct records *records, const struct record *record, const struct wire_name *name)
{
	struct wire_name owner;
	size_t at = record->name;

	if (dns_read_name(&records->message, &at, owner.bytes, &owner.len))
		return false;
	lower(owner.bytes, owner.len);
	return owner.len == name->len && !memcmp(owner.bytes, name->bytes, name->len);
}

/* 1 and the next name of the chain, 0 at its end, -EBADMSG for one that can't be read. */
static int follow(const struct records *records, struct wire_name *name, uint32_t *ttl)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->items[i];
		size_t at = record->data;

		if (record->type != DNS_CNAME || !is_at(records, record, name))
			continue;
		if (dns_read_name(&records->message, &at, name->bytes, &name->len) || at != record->data + record->len)
			return -EBADMSG;
		lower(name->bytes, name->len);
		if (record->ttl < *ttl)
			*ttl = record->ttl;
		return 1;
	}
	return 0;
}

static void add_addresses(const struct records *records, const struct wire_name *name, uint16_t type,
			  struct dns_addresses *addresses)
{
	uint16_t len = type == DNS_A ? 4 : 16;

	for (size_t i = 0; i < records->count && addresses->count < DNS_ADDRESSES; i++) {
		const struct record *record = &records->items[i];
		struct address *address = &addresses->items[addresses->count];

		if (record->type != type || record->len != len || !is_at(records, record, name))
			continue;
		*address = (struct address){ .family = type == DNS_A ? 4 : 6 };
		memcpy(address->bytes, records->message.bytes + record->data, len);
		if (record->ttl < addresses->ttl)
			addresses->ttl = record->ttl;
		addresses->count++;
	}
}

/* The header and the question, byte by byte as it was asked: letters' case too. Returns where the records begin, or 0. */
static size_t check_question(const struct dns_span *message, const struct dns_question *question, const struct dns_asked *asked)
{
	const uint8_t *bytes = message->bytes;
	size_t at = DNS_HEADER + question->wire_len;

	if (message->size < at + 4 || dns_get16(bytes) != asked->id || (bytes[2] & 0xf8) != 0x80 || dns_get16(bytes + 4) != 1)
		return 0;
	for (size_t i = 0; i < question->wire_len; i++)
		if (bytes[DNS_HEADER + i] != dns_cased(question, asked, i))
			return 0;
	return dns_get16(bytes + at) == question->type && dns_get16(bytes + at + 2) == 1 ? at + 4 : 0;
}

int dns_parse_answer(const uint8_t *bytes, size_t size, const struct dns_question *question,
		     const struct dns_asked *asked, struct dns_answer *answer)
{
	struct records records = { .message = { bytes, size } };
	struct wire_name name = { .len = question->wire_len };
	size_t at;
	int r;

	*answer = (struct dns_answer){ .addresses = { .ttl = UINT32_MAX } };
	at = size < DNS_HEADER ? 0 : check_question(&records.message, question, asked);
	if (!at)
		return -EBADMSG;
	answer->rcode = bytes[3] & 15;
	answer->is_cut = bytes[2] & 2;
	if (answer->rcode)
		return 0;
	r = read_records(&records, at, dns_get16(bytes + 6));
	if (r && !answer->is_cut)
		return r;
	memcpy(name.bytes, question->wire, name.len);
	lower(name.bytes, name.len);
	while ((r = follow(&records, &name, &answer->addresses.ttl)) == 1) {
		if (answer->alias_count == DNS_CHAIN)
			return -EBADMSG;
		dns_name_text(name.bytes, answer->aliases[answer->alias_count++]);
	}
	if (r < 0)
		return r;
	add_addresses(&records, &name, question->type, &answer->addresses);
	if (answer->addresses.ttl > INT32_MAX)	/* RFC 2181, 8: taken for zero; and when there is none */
		answer->addresses.ttl = 0;
	return 0;
}
