/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl group test: are a group's hosts still there? All names are asked for at once and all connections are tried at once,
 * each for a few seconds. Connects and closes; not one byte is sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/group.h"
#include "shim/ctl/table.h"

#define WAIT_MS 5000
#define TRIES_MAX 4096		/* of all hosts together */

/* One connection: a host's address and port. */
struct try {
	size_t host;
	struct sockaddr_storage to;
	socklen_t to_len;
	struct address address;
	uint16_t port;
	int fd, error;		/* positive errno; 0: connected */
};

struct test {
	const struct host_group *group;
	struct gaicb *lookups;	/* one of each host; ar_name NULL: no name to look up */
	char **notes;		/* of each host: why it wasn't tried; NULL */
	struct try *tries;
	size_t try_count;
};

static bool is_connected(const struct entry *entry)
{
	return entry->protocol != ENTRY_UDP && entry->protocol != ENTRY_ICMP;
}

static char *why_not_tried(const struct entry *entry)
{
	if (entry->kind == ENTRY_ONE_LABEL || entry->kind == ENTRY_ANY_LABELS)
		return alloc_copy("a pattern: no name to ask for");
	if (entry->kind == ENTRY_NETWORK && !entry->is_single_address)
		return alloc_copy("a network: no address to connect to");
	if (!is_connected(entry))
		return alloc_copy("not TCP: nothing to connect to");
	if (entry->any_port)
		return alloc_copy("all ports: none to connect to");
	return NULL;
}

static void look_up(struct test *test)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	size_t count = test->group->count, asked = 0;
	cleanup_free struct gaicb **list = alloc_zeroed(count + 1, sizeof(*list));

	for (size_t i = 0; i < count; i++) {
		const struct entry *entry = &test->group->hosts[i];

		test->notes[i] = why_not_tried(entry);
		if (test->notes[i] || entry->kind != ENTRY_NAME)
			continue;
		test->lookups[i].ar_name = entry->name;
		test->lookups[i].ar_request = &hints;
		list[asked++] = &test->lookups[i];
	}
	if (asked && getaddrinfo_a(GAI_WAIT, list, (int)asked, NULL))
		for (size_t i = 0; i < asked; i++)
			list[i]->ar_name = NULL;
}

static void add_try(struct test *test, size_t host, const struct address *address, uint16_t port)
{
	struct try *try;

	if (test->try_count == TRIES_MAX)
		return;
	test->tries = alloc_grow(test->tries, test->try_count + 1, sizeof(*test->tries));
	try = &test->tries[test->try_count++];
	*try = (struct try){ .host = host, .address = *address, .port = port, .fd = -1, .error = ETIMEDOUT };
	if (address->family == 4) {
		struct sockaddr_in *to = (struct sockaddr_in *)&try->to;

		to->sin_family = AF_INET;
		to->sin_port = htons(port);
		memcpy(&to->sin_addr, address->bytes, 4);
		try->to_len = sizeof(*to);
	} else {
		struct sockaddr_in6 *to = (struct sockaddr_in6 *)&try->to;

		to->sin6_family = AF_INET6;
		to->sin6_port = htons(port);
		memcpy(&to->sin6_addr, address->bytes, 16);
		try->to_len = sizeof(*to);
	}
}

static void add_ports(struct test *test, size_t host, const struct address *address)
{
	const struct entry *entry = &test->group->hosts[host];

	if (!entry->has_port) {
		add_try(test, host, address, 443);
		add_try(test, host, address, 80);
		return;
	}
	for (uint32_t port = entry->port_first; port <= entry->port_last && port < entry->port_first + 16u; port++)
		add_try(test, host, address, (uint16_t)port);
}

static void list_tries(struct test *test)
{
	for (size_t i = 0; i < test->group->count; i++) {
		const struct entry *entry = &test->group->hosts[i];

		if (test->notes[i])
			continue;
		if (entry->kind == ENTRY_NETWORK)
			add_ports(test, i, &entry->network.base);
		for (const struct addrinfo *one = test->lookups[i].ar_result; one; one = one->ai_next) {
			struct address address = { .family = one->ai_family == AF_INET ? 4 : 6 };

			if (address.family == 4)
				memcpy(address.bytes, &((const struct sockaddr_in *)one->ai_addr)->sin_addr, 4);
			else
				memcpy(address.bytes, &((const struct sockaddr_in6 *)one->ai_addr)->sin6_addr, 16);
			add_ports(test, i, &address);
		}
		if (entry->kind == ENTRY_NAME && !test->lookups[i].ar_result)
			test->notes[i] = alloc_printf("no address: %s", gai_strerror(gai_error(&test->lookups[i])));
	}
}

static void begin(struct try *try)
{
	try->fd = socket(try->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (try->fd < 0 || (connect(try->fd, (struct sockaddr *)&try->to, try->to_len) < 0 && errno != EINPROGRESS))
		try->error = errno;
	else
		return;
	if (try->fd >= 0)
		close(try->fd);
	try->fd = -1;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void connect_all(struct test *test)
{
	cleanup_free struct pollfd *polls = alloc_zeroed(test->try_count + 1, sizeof(*polls));
	long until = now_ms() + WAIT_MS, left;
	size_t open = 0;

	for (size_t i = 0; i < test->try_count; i++) {
		begin(&test->tries[i]);
		polls[i] = (struct pollfd){ .fd = test->tries[i].fd, .events = POLLOUT };
		open += polls[i].fd >= 0;
	}
	while (open && (left = until - now_ms()) > 0 && poll(polls, test->try_count, (int)left) > 0)
		for (size_t i = 0; i < test->try_count; i++) {
			socklen_t len = sizeof(int);

			if (polls[i].fd < 0 || !polls[i].revents)
				continue;
			if (getsockopt(polls[i].fd, SOL_SOCKET, SO_ERROR, &test->tries[i].error, &len) < 0)
				test->tries[i].error = errno;
			polls[i].fd = -1;
			open--;
		}
	for (size_t i = 0; i < test->try_count; i++)
		if (test->tries[i].fd >= 0)
			close(test->tries[i].fd);
}

/* The warden tells no such address of the name. */
static bool is_kept_back(const struct entry *entry, const struct address *address)
{
	return entry->kind == ENTRY_NAME && !(entry->has_at ? network_has(&entry->at, address) : address_is_public(address));
}

/* A host is there when one connection to it was made, to an address that a container is told. */
static bool is_reached(const struct test *test, size_t host)
{
	for (size_t i = 0; i < test->try_count; i++)
		if (test->tries[i].host == host && !test->tries[i].error &&
		    !is_kept_back(&test->group->hosts[host], &test->tries[i].address))
			return true;
	return false;
}

static void describe(const struct test *test, size_t host, struct buf *buf)
{
	const struct entry *entry = &test->group->hosts[host];
	const char *separator = "";

	buf_puts(buf, "");
	if (test->notes[host]) {
		buf_puts(buf, test->notes[host]);
		return;
	}
	for (size_t i = 0; i < test->try_count; i++) {
		const struct try *try = &test->tries[i];

		if (try->host != host)
			continue;
		buf_printf(buf, "%s%u at ", separator, try->port);
		address_print(buf, &try->address);
		buf_printf(buf, " %s", try->error ? strerror(try->error) : "reached");
		if (is_kept_back(entry, &try->address))
			buf_puts(buf, entry->has_at ? " (outside of its network: a container isn't told it)" :
						      " (a private or special address: a container isn't told it)");
		separator = "; ";
	}
}

static int print(struct ctl *ctl, const struct test *test)
{
	static const char *const heads[] = { "HOST", "", "WHAT HAPPENED", NULL };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *array = json_make_array(tree);
	struct table table;
	int status = CTL_YES;

	table_init(&table, heads);
	for (size_t i = 0; i < test->group->count; i++) {
		const char *text = test->group->hosts[i].text;
		bool reached = is_reached(test, i), tried = reached || test->lookups[i].ar_name || !test->notes[i];
		struct json *object = json_make_object(tree);
		cleanup_buf struct buf what = BUF_INIT;

		describe(test, i, &what);
		table_add(&table, TONE_PLAIN, text);
		table_add(&table, reached ? TONE_GOOD : tried ? TONE_BAD : TONE_DOUBT, reached ? "reached" : tried ? "failed" : "not tried");
		table_add(&table, TONE_PLAIN, what.data);
		json_set(tree, object, "host", json_make_string(tree, text));
		json_set(tree, object, "verdict", json_make_string(tree, reached ? "reached" : tried ? "failed" : "not tried"));
		json_set(tree, object, "what", json_make_string(tree, what.data));
		json_append(tree, array, object);
		status = tried && !reached ? CTL_NO : status;
	}
	if (ctl->json)
		ctl_print_json(array);
	else
		table_print(&table, stdout);
	table_release(&table);
	return status;
}

int group_test(struct ctl *ctl, const struct host_group *group)
{
	struct test test = { .group = group, .lookups = alloc_zeroed(group->count + 1, sizeof(*test.lookups)),
			     .notes = alloc_zeroed(group->count + 1, sizeof(*test.notes)) };
	int status;

	look_up(&test);
	list_tries(&test);
	connect_all(&test);
	status = print(ctl, &test);
	for (size_t i = 0; i < group->count; i++) {
		if (test.lookups[i].ar_result)
			freeaddrinfo(test.lookups[i].ar_result);
		free(test.notes[i]);
	}
	free(test.lookups);
	free(test.notes);
	free(test.tries);
	return status;
}
