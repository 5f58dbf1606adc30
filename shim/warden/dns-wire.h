/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS messages (RFC 1035, 6891, 8914): what the container asks, what a resolver answers. Pure: no system call, no
 * allocation, no recursion; every length is checked before it is used, and a compression pointer only goes back. Nothing is
 * passed through: what is sent on is printed anew from what was understood.
 */
#ifndef QUOD_WARDEN_DNS_WIRE_H
#define QUOD_WARDEN_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/policy/names.h"

#define DNS_WIRE_NAME 255	/* bytes of a name on the wire, with its last zero */
#define DNS_ADDRESSES 32	/* of one answer; more are left out */
#define DNS_CHAIN 16		/* aliases that are followed */
#define DNS_UDP_SIZE 1232	/* what is asked for and what is sent by UDP at most */
#define DNS_MESSAGE 2048	/* what is printed here fits */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28, DNS_OPT = 41 };

enum dns_rcode {
	DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED, DNS_BADVERS = 16,
	DNS_SILENCE = -1,	/* no answer at all: too short, or itself an answer */
};

struct dns_question {
	uint16_t id, type, class;
	uint8_t opcode;
	bool recursion, checking_disabled;
	bool has_question;			/* the fields below are there, and it is repeated in the answer */
	bool has_edns, dnssec_ok;
	uint16_t udp_size;			/* what the asker takes by UDP: 512 without EDNS */
	uint16_t wire_len;
	uint8_t wire[DNS_WIRE_NAME];		/* the name as it was written */
	char name[NAME_SIZE];			/* normalized; "" for what is no host name */
};

/* DNS_NOERROR and a question to be judged; else the rcode to answer with, or DNS_SILENCE. */
int dns_parse_question(const uint8_t *message, size_t size, struct dns_question *question);

/* An extended error (RFC 8914), told to those who speak EDNS. */
struct dns_reason {
	uint16_t code;
	const char *text;			/* NULL: none is told */
};

/* An answer without a record, into DNS_MESSAGE bytes; its length. */
size_t dns_print_empty(const struct dns_question *question, int rcode, const struct dns_reason *reason, uint8_t *message);

/* An answer with addresses, all of the question's type. What doesn't fit in `room` (at most DNS_MESSAGE) is cut off and TC set. */
struct dns_addresses {
	size_t count;
	uint32_t ttl;
	struct address items[DNS_ADDRESSES];
};
size_t dns_print_addresses(const struct dns_question *question, const struct dns_addresses *addresses, size_t room,
			   uint8_t *message);

/* The same question asked on: `cases` (a bit a byte of the name) makes letters upper case where set, lower where not. */
struct dns_asked {
	uint16_t id;
	bool is_plain;				/* without EDNS */
	uint8_t cases[(DNS_WIRE_NAME + 7) / 8];
};
size_t dns_print_query(const struct dns_question *question, const struct dns_asked *asked, uint8_t *message);

struct dns_answer {
	int rcode;
	bool is_cut;				/* TC */
	struct dns_addresses addresses;
	size_t alias_count;
	char aliases[DNS_CHAIN][NAME_SIZE];	/* what the name is an alias of, in order; "" for what is no host name */
};

/* 0 when the message is a resolver's answer to just what was asked; -EBADMSG else: then it is as if it had not come. */
int dns_parse_answer(const uint8_t *message, size_t size, const struct dns_question *question,
		     const struct dns_asked *asked, struct dns_answer *answer);

#endif
