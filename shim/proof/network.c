/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proof: the network namespace. The table is read from the kernel, then two connections are tried in that namespace by a
 * short-lived child: one to an address that isn't allowed, which must be refused at once, and one over loopback, which must
 * work: a network that is dead altogether proves nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/proof/proof.h"
#include "shim/egress/denials.h"
#include "shim/egress/inspect.h"
#include "shim/egress/netns.h"
#include "shim/egress/ruleset.h"
#include "shim/policy/caps.h"
#include "shim/policy/units.h"

/* What the child saw, handed over by a pipe. */
struct probe {
	int error;			/* positive errno: the child could not look */
	struct ruleset_inspection table;
	struct ruleset_caps caps;
	int denied_error;		/* of the connection that must fail; 0: it was established */
	unsigned denied_us;
	bool local_works;
	int named_error, held_error;	/* of a connection to the warden's port for names, of binding it */
	unsigned named_us;
};

static int connect_timed(const struct sockaddr_in *to, unsigned *us)
{
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	struct timespec before, after;
	socklen_t len = sizeof(int);
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &before);
	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		error = errno;
		if (error == EINPROGRESS) {
			error = ETIMEDOUT;
			if (poll(&wait, 1, 1000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
				error = errno;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	*us = (unsigned)((after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000);
	return error;
}

static bool try_loopback(void)
{
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	unsigned us;

	return fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0 &&
	       getsockname(fd, (struct sockaddr *)&at, &len) == 0 && connect_timed(&at, &us) == 0;
}

/* Held by the warden, it is nobody else's to take. */
static int try_to_hold(const struct sockaddr_in *port)
{
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (const struct sockaddr *)port, sizeof(*port)) == 0 ? 0 : errno;
}

static void look(pid_t pid, struct probe *probe)
{
	struct sockaddr_in denied = { .sin_family = AF_INET, .sin_port = htons(DENIALS_TRIED_PORT) };
	struct sockaddr_in named = { .sin_family = AF_INET, .sin_port = htons(RULESET_PORT_NAMED), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct err err = ERR_INIT;
	cleanup_close int netns_fd = netns_open(pid, &err), nl_fd = -1;

	inet_pton(AF_INET, DENIALS_TRIED_TEXT, &denied.sin_addr);
	if (netns_fd < 0 || netns_enter(netns_fd, &err) < 0 || (nl_fd = nft_open(&err)) < 0 ||
	    ruleset_inspect(nl_fd, &probe->table, &err) < 0 ||
	    ruleset_read_caps(nl_fd, probe->table.cap_count, &probe->caps, &err) < 0) {
		probe->error = err.code;
		return;
	}
	probe->denied_error = connect_timed(&denied, &probe->denied_us);
	probe->local_works = try_loopback();
	probe->named_error = connect_timed(&named, &probe->named_us);
	probe->held_error = try_to_hold(&named);
}

/* In a child: a process that has entered the container's namespace does nothing else any more. */
static int run_probe(pid_t pid, struct probe *probe)
{
	int ends[2];
	pid_t child;
	ssize_t got;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		struct probe seen = { 0 };

		look(pid, &seen);
		_exit(write(ends[1], &seen, sizeof(seen)) == (ssize_t)sizeof(seen) ? 0 : 1);
	}
	close(ends[1]);
	got = child < 0 ? -1 : read(ends[0], probe, sizeof(*probe));
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return got == (ssize_t)sizeof(*probe) ? 0 : -EIO;
}

static bool may_reach_denied(const struct proof *proof)
{
	struct address address;

	if (address_parse(DENIALS_TRIED_TEXT, &address))
		return true;
	for (size_t i = 0; i < profile_layer_count(proof->profile); i++) {
		struct profile_layer layer = profile_layer(proof->profile, i);
		bool reached = !(layer.lists & LIST_EGRESS);

		for (size_t k = 0; k < layer.egress_count; k++)
			reached = reached || (layer.egress[k].kind == ENTRY_NETWORK && network_has(&layer.egress[k].network, &address));
		if (!reached)
			return false;
	}
	return true;
}

static size_t count_entries(const struct profile *profile)
{
	size_t count = 0;

	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		count += layer.lists & LIST_EGRESS ? layer.egress_count : 0;
	}
	return count;
}

static bool has_opened(const struct ruleset_inspection *table)
{
	for (size_t i = 0; i < table->set_count; i++)
		if (!strncmp(table->sets[i].name, "opened", 6) && table->sets[i].elements)
			return true;
	return false;
}

static void judge_table(struct proof *proof, const struct probe *probe)
{
	/* what turns DNS round is only in the table of who made the namespace */
	bool has_names = json_bool(json_get(json_get(proof->record->plan, "ruleset"), "has_names"), false) &&
			 json_bool(json_get(proof->record->plan, "has_network"), false);
	bool observes = proof->profile->egress.mode == EGRESS_OBSERVE && json_bool(json_get(proof->record->plan, "has_network"), false);
	/* of a namespace that it shares, whether it is halted says nothing */
	bool is_closed = proof->is_halted && json_bool(json_get(proof->record->plan, "has_network"), false);
	bool whole = !probe->error && probe->table.is_whole && probe->table.is_alive != is_closed &&
		     (probe->table.has_names || !has_names) && (observes || !probe->table.observes);

	proof_add(proof, "egress.allow", probe->error ? PROOF_INCONCLUSIVE : whole ? PROOF_PROVEN : PROOF_FAILED,
		   "nf_tables of its namespace", observes ? "records all but %zu entries" : "drops all but %zu entries",
		   count_entries(proof->profile));
	if (probe->error)
		proof_saw(proof, "%s", strerror(probe->error));
	else
		proof_saw(proof, "%s%s%s", !probe->table.has_table ? "no table" :
			   !probe->table.is_whole ? "the table was changed" :
			   has_names && !probe->table.has_names ? "DNS is not turned to the warden" :
			   is_closed ? (probe->table.is_alive ? "OPEN, though it is halted" : "closed: it is halted") :
			   !probe->table.is_alive ? "closed: its gate does not renew it" :
			   probe->table.observes ? "NOTHING IS REFUSED: table quod observes" : "table quod, policy drop",
			   probe->table.is_owned ? ", owned by its gate" : "",
			   proof->is_opened || has_opened(&probe->table) ? ", opened for a while besides (quodctl allow)" : "");
}

/* Without any route nothing can leave: the refusal then is the namespace's own. */
static void judge_connections(struct proof *proof, const struct probe *probe)
{
	static const int refusals[] = { ECONNREFUSED, EPERM, EACCES, EHOSTUNREACH, ENETUNREACH };
	bool refused = false;

	if (probe->error)
		return;
	if (proof->profile->egress.mode == EGRESS_OBSERVE) {
		bool is_own = json_bool(json_get(proof->record->plan, "has_network"), false);

		proof_add(proof, "egress.mode", probe->table.observes || !is_own ? PROOF_PROVEN : PROOF_FAILED,
			  "nf_tables of its namespace", "observe: NOT ENFORCED, only recorded");
		proof_saw(proof, "%s", probe->table.observes ? "NOTHING IS REFUSED" : "enforced all the same");
		return;
	}
	if (may_reach_denied(proof))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		refused = refused || probe->denied_error == refusals[i];
	proof_add(proof, "egress.mode", !probe->local_works ? PROOF_INCONCLUSIVE : refused ? PROOF_PROVEN : PROOF_FAILED,
		   "two connections tried in its namespace", "%s:%d refused, loopback works", DENIALS_TRIED_TEXT, DENIALS_TRIED_PORT);
	proof_saw(proof, "%s after %u us, loopback %s", probe->denied_error ? strerror(probe->denied_error) : "CONNECTED",
		   probe->denied_us, probe->local_works ? "works" : "is dead");
}

/* Whoever made the namespace has the warden that looks; one that joined it is bound by that. */
static void judge_named(struct proof *proof, const struct probe *probe)
{
	bool is_bound = probe->table.is_whole && probe->table.has_names && probe->held_error == EADDRINUSE && probe->named_error == ECONNREFUSED;

	if (!proof->profile->egress.verify_name || proof->profile->egress.mode == EGRESS_OBSERVE ||
	    !json_bool(json_get(json_get(proof->record->plan, "ruleset"), "has_names"), false) ||
	    !json_bool(json_get(proof->record->plan, "has_network"), false))
		return;
	proof_add(proof, "egress.verify_name", probe->error ? PROOF_INCONCLUSIVE : is_bound ? PROOF_PROVEN : PROOF_FAILED,
		  "nf_tables of its namespace, and its port tried", "connections to names on 443, 80, /tls and /http go to the warden");
	proof_saw(proof, "%s", probe->error ? strerror(probe->error) :
		  !probe->table.is_whole || !probe->table.has_names ? "the table turns none" :
		  probe->held_error != EADDRINUSE ? "NOBODY LISTENS: such connections are refused" :
		  probe->named_error != ECONNREFUSED ? "THE WARDEN'S PORT CAN BE SPOKEN TO" : "the table turns them, the warden listens, to nobody else");
}

/* A quota's size is moved where others spend of the same ledger, never beyond the cap. */
static void judge_caps(struct proof *proof, const struct probe *probe)
{
	const struct cap_rule *caps[RULESET_CAPS_MAX];
	size_t count = caps_list(proof->profile, caps);

	for (size_t i = 0; i < count && json_bool(json_get(proof->record->plan, "has_network"), false); i++) {
		bool is_held = probe->table.is_whole && i < probe->table.cap_count && probe->caps.limits[i] <= caps[i]->bytes;
		cleanup_buf struct buf bytes = BUF_INIT;

		bytes_print(&bytes, caps[i]->bytes);
		proof_add(proof, "egress.caps", probe->error ? PROOF_INCONCLUSIVE : is_held ? PROOF_PROVEN : PROOF_FAILED,
			  "nf_tables of its namespace", "at most %s to %s", bytes.data, caps[i]->entry.text);
		if (probe->error)
			proof_saw(proof, "%s", strerror(probe->error));
		else if (!is_held)
			proof_saw(proof, "NOT WEIGHED");
		else
			proof_saw(proof, "a quota of the table, %llu bytes counted%s", (unsigned long long)probe->caps.bytes[i],
				  probe->caps.spent >> i & 1 ? ": spent" : "");
	}
}

void proof_network(struct proof *proof)
{
	struct probe probe = { 0 };
	int r = run_probe(proof->spaces.pid, &probe);

	if (r < 0)
		probe.error = -r;
	judge_table(proof, &probe);
	judge_connections(proof, &probe);
	judge_named(proof, &probe);
	judge_caps(proof, &probe);
}
