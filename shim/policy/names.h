/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Egress and ingress entries: how they are written, parsed, printed and matched. ONE evaluator: the rule compiler, the
 * warden, `explain` and `why` call these functions and no other. Pure; names are compared as lower-case A-labels.
 *
 *   WHAT[:PORT[-PORT]][/tcp|/udp|/icmp|/tls|/http][@NETWORK]
 */
#ifndef QUOD_POLICY_NAMES_H
#define QUOD_POLICY_NAMES_H

#include "shim/base/buf.h"
#include "shim/base/err.h"
#include "shim/policy/address.h"

enum entry_kind {
	ENTRY_NAME,		/* api.example.com */
	ENTRY_ONE_LABEL,	/* *.example.com */
	ENTRY_ANY_LABELS,	/* **.example.com */
	ENTRY_NETWORK,		/* an address or a network */
	ENTRY_PUBLIC,		/* @public */
	ENTRY_GROUP,		/* @GROUP: replaced by the group's entries when a profile is resolved */
};

enum entry_protocol { ENTRY_ANY_PROTOCOL, ENTRY_TCP, ENTRY_UDP, ENTRY_ICMP, ENTRY_TLS, ENTRY_HTTP };

struct entry {
	enum entry_kind kind;
	char *text;		/* as written */
	char *name;		/* names, patterns (the part behind "*." or "**."), groups; NULL else */
	struct network network;	/* ENTRY_NETWORK */
	bool is_single_address;	/* written as an address without a prefix: what "never reachable" yields to */
	bool has_port;		/* false: a name's default, 443 and 80 */
	bool any_port;		/* ":*" */
	uint16_t port_first, port_last;
	enum entry_protocol protocol;
	bool has_at;
	struct network at;	/* "@NETWORK" */
};

/* Parses one entry; err says what is wrong with it. Free with entry_release. */
int entry_parse(const char *text, struct entry *entry, struct err *err);
void entry_release(struct entry *entry);
bool entry_is_name(const struct entry *entry);	/* a name or a pattern */

int address_parse(const char *text, struct address *address);		/* 0 or -EINVAL; "::ffff:a.b.c.d" becomes v4 */
int network_parse(const char *text, struct network *network);		/* "addr" (full prefix) or "addr/len" */
void address_print(struct buf *buf, const struct address *address);
bool network_has(const struct network *network, const struct address *address);
bool network_covers(const struct network *outer, const struct network *inner);

/* Networks that nothing but an entry naming exactly that address opens: cloud metadata, link-local, multicast, broadcast,
 * loopback, this-network. The host's own addresses come beside these from the facts. */
const struct network *never_reachable(size_t *count);

/* IANA's special-purpose registries, v4 and v6: all that is not globally reachable. @public is what lies outside. */
const struct network *special_purpose(size_t *count);
bool address_is_public(const struct address *address);

#endif
