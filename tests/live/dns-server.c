/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns-server ADDRESS LOG: a name server on UDP port 53 of one address, for tests. What it answers stands on its standard
 * input until that ends, one rule a line:
 *
 *   NAME A|AAAA|CNAME TTL VALUE     a record; several of a name and type make one answer, aliases are followed
 *   NAME rcode N                    that error instead
 *   NAME silent                     no answer at all
 *   NAME slow MS                    the answer comes late (everybody waits)
 *   NAME rotate                     each answer has one of its records, in turn
 *   NAME lie                        forged answers first: wrong id, wrong name, wrong case, then the true one
 *   NAME junk                       records of another name around the answer, and in the additional section
 *   NAME many N                     N addresses 11.22.X.Y
 *   NAME spread                     nN.NAME has an address of its own: from 11.22.40.1, from N = 1000 on from 11.64.4.1
 *
 * Writes each query's name and type into LOG as it comes, prints "ready" first. Lower-case names only.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RULES = 256 };

struct rule {
	char name[256], what[16], value[256];
	long number;
	unsigned turn;
};

struct server {
	struct rule rules[RULES];
	size_t count;
	int fd;
	FILE *log;
};

struct message {
	uint8_t bytes[16384];
	size_t len;
	uint16_t answers, additional;
};

static void read_rules(struct server *server)
{
	char line[1024];

	while (server->count < RULES && fgets(line, sizeof(line), stdin)) {
		struct rule *rule = &server->rules[server->count];

		memset(rule, 0, sizeof(*rule));
		if (sscanf(line, "%255s %15s %ld %255s", rule->name, rule->what, &rule->number, rule->value) >= 2)
			server->count++;
	}
}

static struct rule *find(struct server *server, const char *name, const char *what)
{
	for (size_t i = 0; i < server->count; i++)
		if (!strcasecmp(server->rules[i].name, name) && !strcmp(server->rules[i].what, what))
			return &server->rules[i];
	return NULL;
}

static void put(struct message *message, const void *bytes, size_t len)
{
	if (message->len + len > sizeof(message->bytes))
		abort();
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void put16(struct message *message, unsigned value)
{
	put(message, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void put_name(struct message *message, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		put(message, &(uint8_t){ (uint8_t)len }, 1);
		put(message, name, len);
		name += len + (name[len] == '.');
	}
	put(message, "", 1);
}

static void put_record(struct message *message, const char *owner, const struct rule *rule)
{
	struct message data = { .len = 0 };
	uint8_t address[16];
	unsigned type = !strcmp(rule->what, "A") ? 1 : !strcmp(rule->what, "AAAA") ? 28 : 5;

	if (type == 5)
		put_name(&data, rule->value);
	else if (inet_pton(type == 1 ? AF_INET : AF_INET6, rule->value, address) == 1)
		put(&data, address, type == 1 ? 4 : 16);
	put_name(message, owner);
	put16(message, type);
	put16(message, 1);
	put16(message, (unsigned)(rule->number >> 16) & 0xffff);
	put16(message, (unsigned)rule->number & 0xffff);
	put16(message, (unsigned)data.len);
	put(message, data.bytes, data.len);
}

static void put_many(struct message *message, const char *owner, long count)
{
	for (long i = 0; i < count; i++) {
		struct rule rule = { .what = "A", .number = 60 };

		snprintf(rule.value, sizeof(rule.value), "11.22.%ld.%ld", i / 200 + 40, i % 200 + 1);
		put_record(message, owner, &rule);
		message->answers++;
	}
}

/* True when the name is nN.BASE of a rule. */
static bool put_spread(struct server *server, struct message *message, const char *name)
{
	const char *base = strchr(name, '.');
	struct rule rule = { .what = "A", .number = 60 };
	int number;

	if (!base || !find(server, base + 1, "spread") || (name[0] | 0x20) != 'n')
		return false;
	number = atoi(name + 1);
	if (number < 1000)
		snprintf(rule.value, sizeof(rule.value), "11.22.%d.%d", 40 + number / 250, number % 250 + 1);
	else
		snprintf(rule.value, sizeof(rule.value), "11.%d.%d.%d", 64 + number / 62500 % 4, number / 250 % 250, number % 250 + 1);
	put_record(message, name, &rule);
	message->answers++;
	return true;
}

/* The question's name as text, "" at its end; where it ends. */
static size_t read_name(const uint8_t *bytes, size_t len, char *name)
{
	size_t at = 12, out = 0;

	while (at < len && bytes[at] && out + bytes[at] + 2 < 256 && at + 1 + bytes[at] < len) {
		if (out)
			name[out++] = '.';
		memcpy(name + out, bytes + at + 1, bytes[at]);
		out += bytes[at];
		at += 1u + bytes[at];
	}
	name[out] = '\0';
	return at + 1;
}

static void put_answers(struct server *server, struct message *message, const char *name, const char *type)
{
	char owner[256];
	struct rule *rotate = find(server, name, "rotate"), *many = find(server, name, "many"), *alias;
	unsigned at = 0, all = 0;

	snprintf(owner, sizeof(owner), "%s", name);
	for (int hop = 0; hop < 40 && (alias = find(server, owner, "CNAME")); hop++) {
		put_record(message, owner, alias);
		message->answers++;
		snprintf(owner, sizeof(owner), "%s", alias->value);
	}
	for (size_t i = 0; i < server->count; i++)
		all += !strcasecmp(server->rules[i].name, owner) && !strcmp(server->rules[i].what, type);
	for (size_t i = 0; i < server->count; i++) {
		if (strcasecmp(server->rules[i].name, owner) || strcmp(server->rules[i].what, type))
			continue;
		if (!rotate || at == rotate->turn % all) {
			put_record(message, owner, &server->rules[i]);
			message->answers++;
		}
		at++;
	}
	if (rotate)
		rotate->turn++;
	if (many && !strcmp(type, "A"))
		put_many(message, owner, many->number);
}

static void put_junk(struct message *message)
{
	static const struct rule junk = { .what = "A", .value = "11.22.33.99", .number = 60 };

	put_record(message, "junk.example", &junk);
}

static void finish(struct message *message, unsigned id, unsigned rcode)
{
	message->bytes[0] = (uint8_t)(id >> 8);
	message->bytes[1] = (uint8_t)id;
	message->bytes[2] = 0x81;
	message->bytes[3] = (uint8_t)(0x80 | rcode);
	memcpy(message->bytes + 6, (uint8_t[]){ (uint8_t)(message->answers >> 8), (uint8_t)message->answers, 0, 0, 0, (uint8_t)message->additional }, 6);
}

struct asker {
	struct sockaddr_storage address;
	socklen_t len;
};

static void reply(const struct server *server, const struct message *message, const struct asker *asker)
{
	if (sendto(server->fd, message->bytes, message->len, 0, (const struct sockaddr *)&asker->address, asker->len) < 0)
		perror("dns-server: send");
}

/* What somebody on the way might send: all of it leads to 11.22.33.66. */
static void lie(const struct server *server, const struct message *question, unsigned id, const struct asker *asker)
{
	static const struct rule evil = { .what = "A", .value = "11.22.33.66", .number = 60 };
	char name[256];

	read_name(question->bytes, question->len, name);
	for (int kind = 0; kind < 3; kind++) {
		struct message message = *question;

		if (kind == 1)
			message.bytes[13] = 'z';
		for (size_t i = 13; kind == 2 && i < question->len - 4; i++)
			message.bytes[i] ^= (message.bytes[i] & 0xdf) >= 'A' && (message.bytes[i] & 0xdf) <= 'Z' ? 0x20 : 0;
		put_record(&message, name, &evil);
		message.answers = 1;
		finish(&message, kind ? id : id + 1, 0);
		reply(server, &message, asker);
	}
}

static void answer(struct server *server, const uint8_t *bytes, size_t len, const struct asker *asker)
{
	char name[256];
	struct message message = { .len = 0 };
	size_t end = read_name(bytes, len, name) + 4;
	unsigned type, id = (unsigned)(bytes[0] << 8 | bytes[1]);
	const struct rule *rule;

	if (end > len)
		return;
	type = (unsigned)(bytes[end - 4] << 8 | bytes[end - 3]);
	fprintf(server->log, "%s %u\n", name, type);
	fflush(server->log);
	put(&message, bytes, end);
	memcpy(message.bytes + 4, "\0\1\0\0\0\0\0\0", 8);
	if (find(server, name, "silent"))
		return;
	if ((rule = find(server, name, "slow")))
		usleep((useconds_t)rule->number * 1000);
	if (find(server, name, "lie"))
		lie(server, &message, id, asker);
	if ((rule = find(server, name, "rcode"))) {
		finish(&message, id, (unsigned)rule->number);
		reply(server, &message, asker);
		return;
	}
	if (find(server, name, "junk")) {
		put_junk(&message);
		message.answers++;
	}
	if (type != 1 || !put_spread(server, &message, name))
		put_answers(server, &message, name, type == 1 ? "A" : type == 28 ? "AAAA" : "none");
	if (find(server, name, "junk")) {
		put_junk(&message);
		message.additional++;
	}
	finish(&message, id, message.answers || find(server, name, "A") || find(server, name, "AAAA") ? 0 : 3);
	reply(server, &message, asker);
}

int main(int argc, char **argv)
{
	static struct server server;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	bool is6 = argc == 3 && strchr(argv[1], ':');
	uint8_t bytes[4096];

	if (argc != 3 || inet_pton(is6 ? AF_INET6 : AF_INET, argv[1], is6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1 ||
	    !(server.log = fopen(argv[2], "ae"))) {
		fprintf(stderr, "dns-server ADDRESS LOG <RULES\n");
		return 2;
	}
	read_rules(&server);
	server.fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(server.fd, is6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, is6 ? sizeof(v6) : sizeof(v4)) < 0) {
		perror("dns-server: bind");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct asker asker = { .len = sizeof(asker.address) };
		ssize_t len = recvfrom(server.fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&asker.address, &asker.len);

		if (len >= 17)
			answer(&server, bytes, (size_t)len, &asker);
	}
}
