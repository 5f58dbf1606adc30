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
	enum entry_protocol protocol;	/* none written: TCP, with ":*" TCP and UDP; in a deny: all */
	bool has_at;
	struct network at;	/* "@NETWORK" */
	char *group;		/* the group that it came from; NULL: written itself */
	char *place;		/* "FILE:LINE: /pointer" of where it was written; NULL: a document in memory */
	unsigned depth;		/* of its document: 0 is the root of a profile's chain, the profile itself is the deepest */
};

/* Parses one entry; err says what is wrong with it. Free with entry_release. */
int entry_parse(const char *text, struct entry *entry, struct err *err);
void entry_release(struct entry *entry);
void entry_copy(const struct entry *from, struct entry *to);	/* deep; free with entry_release */
bool entry_is_name(const struct entry *entry);	/* a name or a pattern */

/* `name` must come from name_normalize. Names and patterns only: ports and addresses are the caller's to compare. */
bool entry_matches_name(const struct entry *entry, const char *name);

/* Whatever `inner`'s name, pattern or network matches is matched by `outer`'s; ports and protocols are not looked at. */
bool entry_covers_what(const struct entry *outer, const struct entry *inner);

/* What an entry means by the protocol that it names or doesn't: ON_*. */
enum { ON_TCP = 1, ON_UDP = 2, ON_ICMP = 4 };
unsigned entry_protocols(const struct entry *entry, bool denies);

/* By what a name is bound to what its entry lets out, with egress.verify_name or without. */
enum entry_bound { BOUND_BY_ADDRESS, BOUND_IN_CONNECTION, BOUND_ON_SOME_PORTS /* in the connection on 443 and 80 */ };
enum entry_bound entry_bound_by(const struct entry *entry, bool verify_name);

/* Both as entries of an allow list: all that `inner` lets out `outer` lets out. False where only several entries together
 * would. */
bool entry_covers(const struct entry *outer, const struct entry *inner);

/* Lower case, without a final dot; -EINVAL for what is no host name: other characters than letters, digits, hyphens and
 * underscores, lengths beyond DNS's, a last label that is a number. */
#define NAME_SIZE 254
int name_normalize(const char *text, char name[NAME_SIZE]);

/* The matcher itself (name-match.c, which the warden links without the rest): does `name` match a name, or the pattern of
 * `kind` over `base`? Both are normalized. */
bool name_is_matched(enum entry_kind kind, const char *base, const char *name);

int ports_parse(const char *text, uint16_t *first, uint16_t *last);	/* "443" or "8000-8099"; 0 or -EINVAL */

int address_parse(const char *text, struct address *address);		/* 0 or -EINVAL; "::ffff:a.b.c.d" becomes v4 */
int network_parse(const char *text, struct network *network);	/* "addr" (full prefix) or "addr/len" without host bits */
void address_print(struct buf *buf, const struct address *address);
void network_print(struct buf *buf, const struct network *network);	/* without "/len" when it is one address */
bool network_has(const struct network *network, const struct address *address);
bool network_covers(const struct network *outer, const struct network *inner);

/* Networks that nothing but an entry naming exactly that address opens: cloud metadata, link-local, multicast, broadcast,
 * loopback, this-network. The host's own addresses come beside these from the facts. */
const struct network *never_reachable(size_t *count);

/* IANA's special-purpose registries, v4 and v6: all that is not globally reachable, with multicast and the blocks of
 * IPv6 that nobody has. Sorted, no two overlap. @public is what lies outside. */
const struct network *special_purpose(size_t *count);
bool address_is_public(const struct address *address);
bool network_is_public(const struct network *network);	/* no part of it is special */

#endif
