/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of dns-wire share. Private to them. */
#ifndef QUOD_WARDEN_DNS_PARTS_H
#define QUOD_WARDEN_DNS_PARTS_H

#include "shim/warden/dns-wire.h"

#define DNS_HEADER 12u

struct dns_span {
	const uint8_t *bytes;
	size_t size;
};

static inline uint16_t dns_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void dns_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The name at *at, without compression; *at is then behind it. 0 or -EBADMSG. */
int dns_read_name(const struct dns_span *message, size_t *at, uint8_t wire[DNS_WIRE_NAME], uint16_t *wire_len);

/* As text, normalized; "" for what is no host name. `wire` is whole. */
void dns_name_text(const uint8_t *wire, char name[NAME_SIZE]);

/* Byte `i` of the question's name as it is asked. */
uint8_t dns_cased(const struct dns_question *question, const struct dns_asked *asked, size_t i);

#endif
