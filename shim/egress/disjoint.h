/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes ranges disjoint: nf_tables refuses a whole batch in which two intervals of a set overlap. What is covered stays
 * exactly the same. Pure: no system calls.
 */
#ifndef QUOD_EGRESS_DISJOINT_H
#define QUOD_EGRESS_DISJOINT_H

#include "shim/egress/ruleset.h"

/* The most ranges that one set may come to after splitting; E2BIG beyond. */
#define DISJOINT_MAX 262144u

/* 0 when every range is well-formed: family 4 or 6, first <= last, bytes behind a v4 address zero, ports in order,
 * protocol TCP, UDP or ICMP (or 0 where `may_be_any`); else -EINVAL with the index in err. */
int rule_ranges_check(const struct rule_ranges *ranges, bool may_be_any, struct err *err);

/* The ranges of `family` that have a protocol, pairwise disjoint, sorted by protocol and address; touching ones are joined
 * where that is possible. Of ICMP they come out with all ports. A range of every protocol (0) but only some ports is one of
 * TCP and of UDP with these ports and one of ICMP. `out` is empty before and owned by the caller. */
int disjoint_triples(const struct rule_ranges *ranges, uint8_t family, struct rule_ranges *out, struct err *err);

/* Addresses alone: of the ranges of `family` that have every protocol and every port, or, with `all`, of all of them. */
void disjoint_addresses(const struct rule_ranges *ranges, uint8_t family, bool all, struct rule_ranges *out);

/* The address after `address`; false when it was the last of its family. */
bool address_next(uint8_t family, const uint8_t address[16], uint8_t next[16]);

#endif
