/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an HTTP client says of each request: taken, waited for, refused, by the table of http-head.h. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "shim/warden/http-head.h"
#include "tests/unit/tap.h"

static const char *const words[] = { "more", "", "no name", "nonsense" };

/* "NAME", then " N" for a body, " chunked", " websocket". */
static const char *judge_bytes(const char *bytes, size_t size)
{
	static char text[512];
	struct http_head head;
	enum said said = http_head_parse((const uint8_t *)bytes, size, &head);
	int len;

	if (said != SAID_NAME)
		return words[said];
	len = snprintf(text, sizeof(text), "%s", head.name);
	if (head.body_bytes)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " %" PRIu64, head.body_bytes);
	snprintf(text + len, sizeof(text) - (size_t)len, "%s%s", head.is_chunked ? " chunked" : "", head.asks_websocket ? " websocket" : "");
	return text;
}

static const char *judge(const char *bytes)
{
	return judge_bytes(bytes, strlen(bytes));
}

struct sample {
	const char *what, *bytes, *wanted;
};

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: good.test\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static const struct sample samples[] = {
	{ "a request", GET HOST "\r\n", "good.test" },
	{ "letters, spaces and a port", GET "hOsT:\t Good.TEST:8080 \t\r\n\r\n", "good.test" },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\n" HOST "\r\n", "good.test" },
	{ "other fields", GET "A: b\r\n" HOST "X-Y: \xc3\xa4\r\nEmpty:\r\n\r\n", "good.test" },
	{ "a method that nobody knows", "BREW /pot HTTP/1.1\r\n" HOST "\r\n", "good.test" },
	{ "OPTIONS of all", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "good.test" },
	{ "absolute-form that agrees", "GET http://good.test/a?b HTTP/1.1\r\n" HOST "\r\n", "good.test" },
	{ "absolute-form, with the usual port", "GET HTTP://GOOD.test:80/ HTTP/1.1\r\n" HOST "\r\n", "good.test" },
	{ "absolute-form without a path", "GET http://good.test HTTP/1.1\r\n" HOST "\r\n", "good.test" },
	{ "a body by length", POST "Content-Length: 17\r\n\r\n", "good.test 17" },
	{ "a body in chunks", POST "Transfer-Encoding: Chunked\r\n\r\n", "good.test chunked" },
	{ "a websocket", GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "good.test websocket" },
	{ "another upgrade is none", GET HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", "good.test" },
	{ "two upgrades are none", GET HOST "Upgrade: websocket\r\nUpgrade: websocket\r\n\r\n", "good.test" },

	{ "no Host", GET "\r\n", "no name" },
	{ "an empty Host", GET "Host:\r\n\r\n", "no name" },
	{ "an address", GET "Host: 11.22.33.44\r\n\r\n", "no name" },
	{ "an address and a port", GET "Host: 11.22.33.44:80\r\n\r\n", "no name" },
	{ "an address of IPv6", GET "Host: [2a0b::80]:80\r\n\r\n", "no name" },
	{ "a user in front", GET "Host: good.test@evil.test\r\n\r\n", "no name" },
	{ "two names in one", GET "Host: good.test, evil.test\r\n\r\n", "no name" },
	{ "a space within", GET "Host: good.test evil.test\r\n\r\n", "no name" },
	{ "a path within", GET "Host: good.test/x\r\n\r\n", "no name" },

	{ "Host twice", GET HOST HOST "\r\n", "nonsense" },
	{ "Host twice, in other letters", GET HOST "HOST: evil.test\r\n\r\n", "nonsense" },
	{ "a space in front of the colon", GET "Host : good.test\r\n\r\n", "nonsense" },
	{ "a tab in front of the colon", GET "Host\t: good.test\r\n\r\n", "nonsense" },
	{ "a port that is none", GET "Host: good.test:x\r\n\r\n", "nonsense" },
	{ "a line that goes on", GET "X: a\r\n b\r\n" HOST "\r\n", "nonsense" },
	{ "a Host that goes on", GET "Host:\r\n good.test\r\n\r\n", "nonsense" },
	{ "a space in front of the first field", GET " " HOST HOST "\r\n", "nonsense" },
	{ "a field without a colon", GET HOST "evil\r\n\r\n", "nonsense" },
	{ "a field without a name", GET HOST ": evil\r\n\r\n", "nonsense" },
	{ "a bare LF in the head", "GET / HTTP/1.1\n" HOST "\r\n", "nonsense" },
	{ "a bare LF at a field's end", GET "A: b\n" HOST "\r\n", "nonsense" },
	{ "a bare LF at the head's end", GET HOST "\n", "nonsense" },
	{ "a bare CR", GET "A: b\rHost: evil.test\r\n" HOST "\r\n", "nonsense" },
	{ "CR twice", GET "A: b\r\r\n" HOST "\r\n", "nonsense" },
	{ "a control character", GET "A: \x1b[2J\r\n" HOST "\r\n", "nonsense" },
	{ "a DEL", GET "A: \x7f\r\n" HOST "\r\n", "nonsense" },
	{ "an empty line in front", "\r\n" GET HOST "\r\n", "nonsense" },
	{ "CONNECT", "CONNECT good.test:443 HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "CONNECT in small letters", "connect good.test:443 HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "absolute-form for another name", "GET http://evil.test/ HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "absolute-form for another port", "GET http://good.test:8080/ HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "absolute-form with a user", "GET http://a@good.test/ HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "absolute-form of another scheme", "GET https://good.test/ HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "absolute-form of nobody", "GET http:///x HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "a target that is none", "GET good.test HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "a * of no OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "two spaces in the request line", "GET  / HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "a space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", "nonsense" },
	{ "no version", "GET /\r\n" HOST "\r\n", "nonsense" },
	{ "HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", "nonsense" },
	{ "HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", "nonsense" },
	{ "HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "nonsense" },
	{ "a length that is none", POST "Content-Length: +1\r\n\r\n", "nonsense" },
	{ "a length in hexadecimal", POST "Content-Length: 0x10\r\n\r\n", "nonsense" },
	{ "an empty length", POST "Content-Length:\r\n\r\n", "nonsense" },
	{ "a length beyond all bounds", POST "Content-Length: 9999999999999999999\r\n\r\n", "nonsense" },
	{ "two lengths", POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "nonsense" },
	{ "two lengths in one", POST "Content-Length: 1, 1\r\n\r\n", "nonsense" },
	{ "a length and chunks", POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "nonsense" },
	{ "chunks of something", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "nonsense" },
	{ "chunks twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "nonsense" },
	{ "something that looks like chunks", POST "Transfer-Encoding: \vchunked\r\n\r\n", "nonsense" },
	{ "chunks of HTTP/1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "nonsense" },

	{ "nothing", "", "more" },
	{ "half a line", "GET / HT", "more" },
	{ "half a head", GET HOST, "more" },
	{ "all but the last byte", GET HOST "\r", "more" },
};

static void test_limits(void)
{
	static char head[HTTP_HEAD_MOST + 8192];
	size_t len = (size_t)snprintf(head, sizeof(head), "%s%s", GET, HOST);

	for (unsigned i = 0; i < HTTP_FIELDS - 2; i++)
		len += (size_t)snprintf(head + len, sizeof(head) - len, "A%u: b\r\n", i);
	snprintf(head + len, sizeof(head) - len, "\r\n");
	IS_STR(judge(head), "good.test", "head: many fields");
	snprintf(head + len, sizeof(head) - len, "B: c\r\nC: d\r\n\r\n");
	IS_STR(judge(head), "nonsense", "head: too many fields");
	len = (size_t)snprintf(head, sizeof(head), "%s%sA: ", GET, HOST);
	memset(head + len, 'a', HTTP_HEAD_MOST);
	IS_STR(judge_bytes(head, HTTP_HEAD_MOST - 1), "more", "head: a long field is waited on");
	IS_STR(judge_bytes(head, HTTP_HEAD_MOST + 4096), "nonsense", "head: a field that doesn't end");
	IS_STR(judge_bytes("GET / HTTP/1.1\r\nHost: good.test\0\r\n\r\n", 36), "nonsense", "head: a NUL");
}

static void test_size(void)
{
	static const char request[] = POST "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n";
	struct http_head head = { 0 };
	bool waits = true;
	size_t size = strlen(POST "Content-Length: 3\r\n\r\n");

	OK(http_head_parse((const uint8_t *)request, sizeof(request) - 1, &head) == SAID_NAME && head.size == size, "head: ends where the body begins");
	for (size_t i = 0; i < size; i++)
		waits = waits && http_head_parse((const uint8_t *)request, i, &head) == SAID_MORE;
	OK(waits, "head: every beginning of it is waited on");
}

static const char *judge_chunk(const char *bytes)
{
	static char text[64];
	struct http_chunk chunk;
	enum said said = http_chunk_parse((const uint8_t *)bytes, strlen(bytes), &chunk);

	if (said != SAID_NAME)
		return words[said];
	snprintf(text, sizeof(text), "%zu+%" PRIu64, chunk.line_size, chunk.bytes);
	return text;
}

static void test_chunks(void)
{
	static const struct sample chunks[] = {
		{ "a chunk", "1aF\r\nxyz", "5+431" },	 { "the last one", "0\r\n\r\n", "3+0" },	{ "zeros in front", "0003\r\n", "6+3" },
		{ "an extension", "3;a=b\r\n", "7+3" },	 { "no size", "\r\n", "nonsense" },		{ "no number", "x\r\n", "nonsense" },
		{ "a sign", "-1\r\n", "nonsense" },	 { "0x", "0x3\r\n", "nonsense" },		{ "a space", "3 \r\n", "nonsense" },
		{ "a space in front", " 3\r\n", "nonsense" }, { "a bare LF", "3\n", "nonsense" },	{ "a CR within", "3;\ra\r\n", "nonsense" },
		{ "too many digits", "1000000000000000\r\n", "nonsense" }, { "half a line", "3", "more" },	{ "no LF yet", "3\r", "more" },
	};

	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		IS_STR(judge_chunk(chunks[i].bytes), chunks[i].wanted, "chunk: %s", chunks[i].what);
}

static void test_trailers(void)
{
	static const struct sample trailers[] = {
		{ "none", "\r\n", "2" },		   { "a field", "A: b\r\n\r\nGET", "8" },
		{ "Host", "Host: evil.test\r\n\r\n", "nonsense" }, { "a length", "content-length: 3\r\n\r\n", "nonsense" },
		{ "no field", "GET / HTTP/1.1\r\n\r\n", "nonsense" }, { "half of it", "A: b\r\n", "more" },
	};

	for (size_t i = 0; i < sizeof(trailers) / sizeof(trailers[0]); i++) {
		size_t size = 0;
		enum said said = http_trailer_parse((const uint8_t *)trailers[i].bytes, strlen(trailers[i].bytes), &size);
		char text[32];

		snprintf(text, sizeof(text), "%zu", size);
		IS_STR(said == SAID_NAME ? text : words[said], trailers[i].wanted, "trailer: %s", trailers[i].what);
	}
}

static void test_status(void)
{
	static const struct sample answers[] = {
		{ "101", "HTTP/1.1 101 Switching", "" }, { "200", "HTTP/1.1 200 OK", "no name" }, { "an old one's", "HTTP/1.0 101 x", "no name" },
		{ "half of it", "HTTP/1.1 10", "more" },
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		IS_STR(words[http_status_is_switch((const uint8_t *)answers[i].bytes, strlen(answers[i].bytes))], answers[i].wanted,
		       "status: %s", answers[i].what);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		IS_STR(judge(samples[i].bytes), samples[i].wanted, "head: %s", samples[i].what);
	test_limits();
	test_size();
	test_chunks();
	test_trailers();
	test_status();
	return tap_done();
}
