/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first thing a TLS client says (RFC 8446, 4.1.2; RFC 6066, 3): which name it wants to speak to. Pure; the bytes are a
 * hostile container's. What is taken and what isn't:
 *
 *   records        handshake, version 3.1 to 3.3, 1 to 16,384 bytes each, at most TLS_HELLO_RECORDS; nothing between them
 *   message        a ClientHello, legacy version 3.1 to 3.3, lengths that fit to the byte, TLS_HELLO_MOST in all
 *   server_name    exactly once, with exactly one name, a host name: no address, no other character than DNS's
 *   other          passed over, whatever it is: what nobody assigned (GREASE), a padding, an encrypted_client_hello
 *   SSLv2's hello, a record of anything else, a DTLS record   none
 *
 * An encrypted hello can't be told from one that browsers make up, so the name outside is what is judged; who serves it must
 * be one that the profile allows. A second hello after a retry request, or a request within, may say another name to the same
 * server: that is inside the connection, and unseen.
 */
#ifndef QUOD_WARDEN_TLS_HELLO_H
#define QUOD_WARDEN_TLS_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "shim/policy/names.h"

#define TLS_HELLO_MOST 32768u	/* bytes, records' heads included */
#define TLS_HELLO_RECORDS 64u
#define TLS_HANDSHAKE 22	/* the first byte */

enum said {
	SAID_MORE,	/* good so far, and not whole */
	SAID_NAME,
	SAID_NO_NAME,	/* well-formed, and says none, or what is no host name */
	SAID_NONSENSE,	/* not the protocol, or more than one meaning */
};

/* `name` is normalized, and set with SAID_NAME alone. */
enum said tls_hello_parse(const uint8_t *bytes, size_t size, char name[NAME_SIZE]);

#endif
