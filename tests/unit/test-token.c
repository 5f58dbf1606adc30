/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/facts-token.c: what is a service account's token, and what only looks like one. */
#include <string.h>

#include "shim/facts.h"
#include "tests/unit/tap.h"

/* {"iss":"x","kubernetes.io":{"namespace":"n"}}, and the claims of a token that was kept in a Secret */
#define BOUND "eyJpc3MiOiJ4Iiwia3ViZXJuZXRlcy5pbyI6eyJuYW1lc3BhY2UiOiJuIn19"
#define LEGACY "eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50Iiwia3ViZXJuZXRlcy5pby9zZXJ2aWNlYWNjb3VudC9uYW1lc3BhY2UiOiJuIn0"
/* {"iss":"x","sub":"kubernetes.io"} */
#define OTHER "eyJpc3MiOiJ4Iiwic3ViIjoia3ViZXJuZXRlcy5pbyJ9"

static bool is_token(const char *text)
{
	return is_service_account_token(text, strlen(text));
}

/* Its audience comes before what is Kubernetes', and may be of any length; here a part of 64K is seen. */
static void test_long(void)
{
	static char bytes[64 * 1024 + 1];

	memset(bytes, 'x', sizeof(bytes) - 1);
	OK(!is_token(bytes), "token: a long word is none");
	memcpy(bytes, "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOl", 31);
	OK(is_token(bytes), "token: claims whose end isn't seen may be one's");
	bytes[1000] = ' ';
	OK(!is_token(bytes), "token: not where they are none");
	bytes[1000] = '.';
	OK(!is_token(bytes), "token: nor where they end and are another issuer's");
	bytes[1000] = 'x';
	bytes[sizeof(bytes) - 2] = '\0';
	OK(!is_token(bytes), "token: nor where the file ends");
}

int main(void)
{
	test_long();
	OK(is_token("eyJhbGciOiJSUzI1NiJ9." BOUND ".c2ln"), "token: what the kubelet projects");
	OK(is_token("\n eyJhbGciOiJSUzI1NiJ9." BOUND ".c2ln\n"), "token: with white space around it");
	OK(is_token("eyJhbGciOiJSUzI1NiJ9." LEGACY ".c2ln"), "token: one of a Secret");
	OK(is_token("eyJhbGciOiJub25lIn0." BOUND "."), "token: without a signature");
	OK(is_token("eyJhbGciOiJSUzI1NiJ9." OTHER ".c2ln"), "token: one that only names Kubernetes counts as one");
	OK(!is_token("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln"), "token: another issuer's is none");
	OK(!is_token(BOUND), "token: claims alone are none");
	OK(!is_token("eyJhbGciOiJSUzI1NiJ9." BOUND), "token: nothing behind the claims");
	OK(!is_token("." BOUND ".c2ln"), "token: nothing in front of the claims");
	OK(!is_token("a.b.c") && !is_token("a..c") && !is_token("") && !is_token("192.168.1.1\n"), "token: text with points");
	OK(!is_token("apiVersion: v1\nkind: Config\n"), "token: a document");
	return tap_done();
}
