/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile's names as the warden has them: one block of memory without pointers, made by name_rules_make, handed over in a
 * sealed memory file, and judged by the functions here, which are the same that answer for `why`. Everything but
 * name_rules_make and profile_has_names is in name-rules.c: it allocates nothing and reads no file.
 */
#ifndef QUOD_POLICY_NAME_RULES_H
#define QUOD_POLICY_NAME_RULES_H

#include "shim/base/buf.h"
#include "shim/base/err.h"
#include "shim/egress/ruleset.h"
#include "shim/policy/names.h"

#define NAME_RULES_MAGIC 0x716e616du	/* "qnam" */
#define NAME_RULES_MAX 4096u		/* rules of one profile */
#define NAME_PORTS_MAX 16u		/* of one entry: each is an element of a hash in the kernel */
#define NAME_LAYERS_MAX 32u
#define NAME_PROFILE_SIZE 136
#define NAME_RULES_BYTES_MAX (8u << 20)	/* of a block */

enum name_role {
	NAME_ALLOWS,
	NAME_DENIES,
	NAME_EXCEPTS,		/* of the denying rule before it */
	NAME_CAPS,		/* egress.caps: it counts what it covers, and allows nothing */
};

struct name_rule {
	uint8_t kind;		/* enum entry_kind: a name, a pattern; of allowing and capping rules a network or @public, too */
	uint8_t role;		/* enum name_role */
	uint8_t protocols;	/* ON_* */
	uint8_t is_single_address;
	uint8_t has_at;
	uint8_t layer;		/* of an allowing rule: each layer must allow (struct profile_layer) */
	uint8_t cap;		/* of a capping rule: which of the ruleset's */
	uint8_t says;		/* of an allowing rule: NAME_TLS or NAME_HTTP when its entry says so; else 0 */
	uint16_t port_first, port_last;	/* 0..65535 for any */
	struct network network;		/* "@NETWORK", or the network itself */
	uint32_t name;			/* offset in the texts */
	uint32_t text;			/* the same, of the entry as it was written; of allowing rules */
	uint64_t until_ms;		/* CLOCK_BOOTTIME, of an allowing rule that was added at run time; 0: it lasts */
};

/* Behind it: rule_count rules, never_count ranges, text_bytes of texts, each ended by a NUL. */
struct name_rules {
	uint32_t magic;
	uint32_t size;			/* of all, in bytes */
	uint32_t rule_count, never_count, text_bytes;
	uint32_t layer_count;
	uint32_t names_per_minute;	/* UINT32_MAX: no bound */
	uint32_t verify_name;		/* a connection must say its name, where its protocol has a place for it */
	char profile[NAME_PROFILE_SIZE];
};

/* The block when it is whole and every offset in it leads to a text; else NULL. `memory` is aligned for uint64_t. */
const struct name_rules *name_rules_check(const void *memory, size_t size);

/* From now on what has run out allows nothing any more: for who has the block to himself. */
void name_rules_end(struct name_rules *rules, uint64_t boot_ms);

/* Which rules have to do with a name. */
struct name_found {
	uint16_t allows[64], denies[64];
	uint16_t allow_count, deny_count;
	bool is_cut;		/* more denying rules than fit: the name is denied */
};

/* `name` comes from name_normalize. True when the name is allowed on some port, wherever it may lead. */
bool name_rules_find(const struct name_rules *rules, const char *name, struct name_found *found);

/* True when a rule denies the name on every port: what an allowed name must not be an alias of. */
bool name_rules_deny(const struct name_rules *rules, const char *name);

/* How a connection may be let out; of several any. Without NAME_BARE its first bytes must say the name. */
enum { NAME_BARE = 1, NAME_TLS = 2, NAME_HTTP = 4, NAME_ANY_WAY = 7 };

struct name_opening {
	uint8_t protocol;	/* IPPROTO_* */
	uint8_t ways;		/* NAME_*, at least one */
	uint16_t port;		/* 0 of ICMP */
	uint64_t until_ms;	/* CLOCK_BOOTTIME; 0: as long as the rules are these */
};

/* What of an address the name opens: at most `room` openings; when there are more, none, as if nothing were open. 0: the
 * address must not be told. A special address is open only by "@NETWORK" or where another entry opens that address on that
 * port; one that is never reachable only where an entry is exactly that address. Of several layers each must open it, by the
 * name or by the address. */
size_t name_rules_open(const struct name_rules *rules, const struct name_found *found, const struct address *address,
		       struct name_opening *openings, size_t room);

/* Which allowing rule lets a connection out: by the name that led there (NULL: none), else by the address; -1: none. */
struct name_place {
	const struct address *address;
	uint8_t protocol;	/* IPPROTO_* */
	uint16_t port;
};
int32_t name_rules_entry(const struct name_rules *rules, const char *name, const struct name_place *place);

/* Which caps count what goes there for that name, a bit each: by the name, and by the address. */
uint32_t name_rules_caps(const struct name_rules *rules, const char *name, const struct name_place *place);

/* The entry of a rule, as it was written; NULL when there is no such rule. */
const char *name_rules_text(const struct name_rules *rules, int32_t rule);

struct profile;

/* egress.allow names hosts, or what is asked for is to be observed: DNS goes to the warden. */
bool profile_has_names(const struct profile *profile);

/* What is allowed besides, for a while; what is denied stays so. */
struct name_addition {
	const struct entry *entry;	/* no group */
	uint64_t until_ms;		/* CLOCK_BOOTTIME; UINT64_MAX: as long as the rules are these */
};
struct name_additions {
	const struct name_addition *items;
	size_t count;
};

/* The block of a profile; `never` are the ranges of the ruleset, `additions` may be NULL. -E2BIG when there are too many rules. */
int name_rules_make(const struct profile *profile, const struct rule_ranges *never, const struct name_additions *additions,
		    struct buf *block, struct err *err);

#endif
