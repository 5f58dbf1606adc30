/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The askers' side of DNS messages: see dns-wire.h. Must never read a byte beyond the message, nor follow what goes forward. */
#include "shim/warden/dns-wire.h"

#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/warden/dns-parts.h"

int dns_read_name(const struct dns_span *message, size_t *at, uint8_t wire[DNS_WIRE_NAME], uint16_t *wire_len)
{
	size_t from = *at, limit = *at, len = 0;
	bool has_jumped = false;

	for (;;) {
		uint8_t label;

		if (from >= message->size)
			return -EBADMSG;
		label = message->bytes[from];
		if ((label & 0xc0) == 0xc0) {
			size_t to;

			if (from + 2 > message->size)
				return -EBADMSG;
			to = (size_t)(label & 0x3f) << 8 | message->bytes[from + 1];
			if (!has_jumped)
				*at = from + 2;
			has_jumped = true;
			if (to >= limit)	/* only ever further back: so it ends */
				return -EBADMSG;
			from = limit = to;
			continue;
		}
		if (label > 63 || from + 1 + label > message->size || len + 1 + label > DNS_WIRE_NAME)
			return -EBADMSG;
		memcpy(wire + len, message->bytes + from, 1u + label);
		len += 1u + label;
		from += 1u + label;
		if (!label)
			break;
	}
	if (!has_jumped)
		*at = from;
	*wire_len = (uint16_t)len;
	return 0;
}

void dns_name_text(const uint8_t *wire, char name[NAME_SIZE])
{
	char text[DNS_WIRE_NAME];
	size_t at = 0, len = 0;

	name[0] = '\0';
	while (wire[at]) {
		uint8_t label = wire[at++];

		for (uint8_t i = 0; i < label; i++, at++) {
			if (wire[at] == '.' || !wire[at])
				return;
			text[len++] = (char)wire[at];
		}
		text[len++] = '.';
	}
	text[len] = '\0';
	if (name_normalize(text, name))
		name[0] = '\0';
}

/* The one OPT record that may stand behind the question. */
static int read_edns(const struct dns_span *message, size_t at, struct dns_question *question)
{
	uint16_t wire_len, len;
	uint8_t wire[DNS_WIRE_NAME];
	const uint8_t *bytes;

	if (dns_read_name(message, &at, wire, &wire_len) || wire_len != 1 || at + 10 > message->size)
		return DNS_FORMERR;
	bytes = message->bytes + at;
	if (dns_get16(bytes) != DNS_OPT)
		return DNS_FORMERR;
	len = dns_get16(bytes + 8);
	if (at + 10 + len > message->size)
		return DNS_FORMERR;
	question->has_edns = true;
	question->udp_size = dns_get16(bytes + 2) < 512 ? 512 : dns_get16(bytes + 2);
	question->dnssec_ok = bytes[6] & 0x80;
	return bytes[5] ? DNS_BADVERS : DNS_NOERROR;
}

int dns_parse_question(const uint8_t *bytes, size_t size, struct dns_question *question)
{
	const struct dns_span message = { bytes, size };
	uint16_t more, records;
	size_t at = DNS_HEADER;

	memset(question, 0, sizeof(*question));
	question->udp_size = 512;
	if (size < DNS_HEADER || (bytes[2] & 0x80))
		return DNS_SILENCE;
	question->id = dns_get16(bytes);
	question->opcode = bytes[2] >> 3 & 15;
	question->recursion = bytes[2] & 1;
	question->checking_disabled = bytes[3] & 0x10;
	if (question->opcode)
		return DNS_NOTIMP;
	records = dns_get16(bytes + 6) | dns_get16(bytes + 8);
	more = dns_get16(bytes + 10);
	if (dns_get16(bytes + 4) != 1 || records || more > 1 || (bytes[2] & 2) ||
	    dns_read_name(&message, &at, question->wire, &question->wire_len) || at + 4 > size)
		return DNS_FORMERR;
	question->type = dns_get16(bytes + at);
	question->class = dns_get16(bytes + at + 2);
	question->has_question = true;
	dns_name_text(question->wire, question->name);
	return more ? read_edns(&message, at + 4, question) : DNS_NOERROR;
}

/* What is printed: everything fits into DNS_MESSAGE by what a name and a reason are at most. */
static size_t print_head(const struct dns_question *question, int rcode, uint8_t *message)
{
	size_t len = DNS_HEADER;

	memset(message, 0, DNS_HEADER);
	dns_put16(message, question->id);
	message[2] = (uint8_t)(0x80 | question->opcode << 3 | (question->recursion ? 1 : 0));
	message[3] = (uint8_t)(0x80 | (question->checking_disabled ? 0x10 : 0) | (rcode & 15));
	if (!question->has_question)
		return len;
	message[5] = 1;
	memcpy(message + len, question->wire, question->wire_len);
	len += question->wire_len;
	dns_put16(message + len, question->type);
	dns_put16(message + len + 2, question->class);
	return len + 4;
}

#define OPT_BYTES 11u
#define REASON_MOST 200u

static size_t reason_bytes(const struct dns_reason *reason)
{
	size_t len = reason && reason->text ? strlen(reason->text) : 0;

	return len ? 6 + (len > REASON_MOST ? REASON_MOST : len) : 0;
}

static size_t print_edns(const struct dns_question *question, int rcode, const struct dns_reason *reason, uint8_t *message,
			 size_t len)
{
	size_t data = reason_bytes(reason);
	uint8_t *opt = message + len;

	if (!question->has_edns)
		return len;
	memset(opt, 0, OPT_BYTES);
	dns_put16(opt + 1, DNS_OPT);
	dns_put16(opt + 3, DNS_UDP_SIZE);
	opt[5] = (uint8_t)(rcode >> 4);
	opt[7] = question->dnssec_ok ? 0x80 : 0;
	dns_put16(opt + 9, (uint16_t)data);
	if (data) {
		dns_put16(opt + 11, 15);	/* extended DNS error */
		dns_put16(opt + 13, (uint16_t)(data - 4));
		dns_put16(opt + 15, reason->code);
		memcpy(opt + 17, reason->text, data - 6);
	}
	message[11] = 1;
	return len + OPT_BYTES + data;
}

size_t dns_print_empty(const struct dns_question *question, int rcode, const struct dns_reason *reason, uint8_t *message)
{
	size_t len = print_head(question, rcode, message);

	return print_edns(question, rcode, reason, message, len);
}

size_t dns_print_addresses(const struct dns_question *question, const struct dns_addresses *addresses, size_t room,
			   uint8_t *message)
{
	size_t len = print_head(question, DNS_NOERROR, message), end = question->has_edns ? OPT_BYTES : 0;
	uint16_t bytes = question->type == DNS_A ? 4 : 16, count = 0;

	for (size_t i = 0; i < addresses->count; i++) {
		if (len + 12 + bytes + end > room) {
			message[2] |= 2;
			break;
		}
		dns_put16(message + len, 0xc000 | DNS_HEADER);	/* the question's name */
		dns_put16(message + len + 2, question->type);
		dns_put16(message + len + 4, 1);
		dns_put16(message + len + 6, (uint16_t)(addresses->ttl >> 16));
		dns_put16(message + len + 8, (uint16_t)addresses->ttl);
		dns_put16(message + len + 10, bytes);
		memcpy(message + len + 12, addresses->items[i].bytes, bytes);
		len += 12u + bytes;
		count++;
	}
	dns_put16(message + 6, count);
	return print_edns(question, DNS_NOERROR, NULL, message, len);
}

uint8_t dns_cased(const struct dns_question *question, const struct dns_asked *asked, size_t i)
{
	uint8_t c = question->wire[i];
	bool is_upper = asked->cases[i / 8] >> (i % 8) & 1;

	if (c >= 'A' && c <= 'Z')
		c = (uint8_t)(c - 'A' + 'a');
	return c >= 'a' && c <= 'z' && is_upper ? (uint8_t)(c - 'a' + 'A') : c;
}

/* A length is never a letter: at most 63. */
size_t dns_print_query(const struct dns_question *question, const struct dns_asked *asked, uint8_t *message)
{
	struct dns_question onward = { .id = asked->id, .type = question->type, .class = 1, .has_question = true,
				       .has_edns = !asked->is_plain, .recursion = true, .wire_len = question->wire_len };
	size_t len;

	for (size_t i = 0; i < question->wire_len; i++)
		onward.wire[i] = dns_cased(question, asked, i);
	len = print_head(&onward, DNS_NOERROR, message);
	message[2] = 1;
	message[3] = 0;
	return print_edns(&onward, DNS_NOERROR, NULL, message, len);
}
