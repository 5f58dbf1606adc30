/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole plans, one case a file (tests/data/plans/README.md). Without arguments each case's plan is compared with what is
 * written beside it, planned a second time, and looked at for anything that became wider. `test-plans update` writes the
 * expectations anew, for a person to review; `test-plans write DIR` writes the planned document of each accepted case.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "shim/base/file.h"
#include "tests/unit/plan-run.h"
#include "tests/unit/tap.h"
#include "tests/unit/widening.h"

#define PLANS TESTS_DATA "/plans"
#define SHORT_VALUE 400
#define RANGES_SHOWN 6

enum mode { MODE_CHECK, MODE_UPDATE, MODE_WRITE };

static void __attribute__((noreturn, format(printf, 1, 2))) bail(const char *format, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(2);
}

/* The whole file, or NULL. */
static char *read_text(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t len;

	if (fd >= 0 && file_read_all(fd, 4 << 20, &text, &len, &err))
		bail("%s: %s", path, err.text);
	return text;
}

static void write_text(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || file_write_all(fd, text, strlen(text)))
		bail("%s can't be written", path);
}

static struct json_tree *parse_or_bail(const char *text, const char *path)
{
	struct json_tree *tree;
	struct err err = ERR_INIT;

	if (!text)
		bail("%s is missing", path);
	if (json_parse(text, strlen(text), JSON_COMMENTS, profile_free_form, &tree, &err))
		bail("%s: %s", path, err.text);
	return tree;
}

/* `word` in `text` becomes `by`, everywhere. */
static char *substitute(const char *text, const char *word, const char *by)
{
	struct buf out = BUF_INIT;
	const char *at;

	buf_puts(&out, "");
	for (; (at = strstr(text, word)); text = at + strlen(word)) {
		buf_put(&out, text, (size_t)(at - text));
		buf_puts(&out, by);
	}
	buf_puts(&out, text);
	return buf_steal(&out);
}

/* RFC 6902 operations. */
static void change(struct json_tree *tree, const struct json *list, const char *path)
{
	static const char *const names[] = { [OCI_EDIT_ADD] = "add", [OCI_EDIT_REPLACE] = "replace", [OCI_EDIT_REMOVE] = "remove" };
	struct err err = ERR_INIT;
	struct oci_edits edits;

	oci_edits_init(&edits);
	for (size_t i = 0; i < length(list); i++) {
		const char *op = json_string(json_get(list->items[i], "op")), *at = json_string(json_get(list->items[i], "path"));
		size_t k = 0;

		while (op && k < ARRAY_SIZE(names) && strcmp(names[k], op))
			k++;
		if (!op || !at || k == ARRAY_SIZE(names))
			bail("%s: change %zu is no operation", path, i);
		oci_edits_add(&edits, (enum oci_edit_op)k, "case", json_get(list->items[i], "value"), "%s", at);
	}
	if (oci_edits_apply(&edits, tree, &err))
		bail("%s: %s", path, err.text);
	oci_edits_free(&edits);
}

/* One case, read. */
struct plan_case {
	char *name, *path, *expected_path;
	struct json_tree *tree;		/* the case's own file */
	enum engine engine;
	struct profile *profile;
	struct json_tree *document;	/* NULL when the reader refuses it */
	struct err unreadable;
};

static void case_release(struct plan_case *test)
{
	free(test->name);
	free(test->path);
	free(test->expected_path);
	profile_free(test->profile);
	json_tree_free(test->tree);
	json_tree_free(test->document);
}

static enum engine engine_of(const char *name, const char *path)
{
	static const char *const names[] = { "unknown", "docker", "containerd", "cri", "podman", "crio", "buildkit" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (name && !strcmp(names[i], name))
			return (enum engine)i;
	bail("%s: no engine '%s'", path, name ? name : "");
}

/* bases/NAME.json: a bundle of tests/data/bundles as an engine wrote it, and what has to change in it. */
static struct json_tree *read_base(const char *name, enum engine *engine)
{
	cleanup_free char *path = alloc_printf(PLANS "/bases/%s.json", name), *text = read_text(path), *bundle = NULL, *bytes = NULL;
	cleanup_json_tree struct json_tree *base = parse_or_bail(text, path);
	struct json_tree *tree;

	bundle = alloc_printf(TESTS_DATA "/bundles/%s/config.json", json_string(json_get(json_root(base), "bundle")));
	bytes = read_text(bundle);
	tree = parse_or_bail(bytes, bundle);
	change(tree, json_get(json_root(base), "change"), path);
	*engine = engine_of(json_string(json_get(json_root(base), "engine")), path);
	return tree;
}

/* By name, or an object in a profile's form, which may extend the shipped ones. */
static struct profile *load_profile(const struct json *wanted, const char *case_path)
{
	struct profile_paths paths = { .profile_dirs = { TESTS_DATA "/../../profiles" },
						.group_dirs = { TESTS_DATA "/../../profiles/groups" }, .skip_owner_check = true };
	char dir[] = "/tmp/test-plans-XXXXXX";
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (json_string(wanted)) {
		profile_load(json_string(wanted), &paths, &profile, &err);
	} else if (json_is(wanted, JSON_OBJECT) && mkdtemp(dir)) {
		cleanup_free char *file = alloc_printf("%s/inline.json", dir);
		cleanup_buf struct buf text = BUF_INIT;

		json_print(&text, wanted, 0);
		write_text(file, text.data);
		profile_load_file(file, &paths, &profile, &err);
		unlink(file);
		rmdir(dir);
	}
	if (!profile)
		bail("%s: profile: %s", case_path, err.text);
	return profile;
}

/* "text": [FROM, TO, ...]: what no tree can hold (a name twice, NUL) is written into the document's text. */
static void read_document(struct plan_case *test, const struct json_tree *changed)
{
	const struct json *texts = json_get(json_root(test->tree), "text");
	cleanup_buf struct buf printed = BUF_INIT;
	cleanup_free char *text = NULL;

	json_print(&printed, json_root(changed), 0);
	text = buf_steal(&printed);
	for (size_t i = 0; i + 1 < length(texts); i += 2) {
		char *next = substitute(text, text_at(texts, i), text_at(texts, i + 1));

		if (!strcmp(next, text))
			bail("%s: nothing to change at '%s'", test->path, text_at(texts, i));
		free(text);
		text = next;
	}
	json_parse(text, strlen(text), JSON_PLAIN, oci_config_free_form, &test->document, &test->unreadable);
}

static struct plan_case read_case(const char *name)
{
	static const char *const known[] = { "what", "base", "profile", "change", "text", "facts", NULL };
	struct plan_case test = { .name = alloc_copy(name), .path = alloc_printf(PLANS "/%s.json", name),
				  .expected_path = alloc_printf(PLANS "/%s.expected", name), .unreadable = ERR_INIT };
	cleanup_free char *raw = read_text(test.path), *text = NULL;
	cleanup_json_tree struct json_tree *first = parse_or_bail(raw, test.path), *base = NULL;

	if (!json_string(json_get(json_root(first), "base")) || !json_string(json_get(json_root(first), "what")))
		bail("%s: needs base and what", test.path);
	base = read_base(json_string(json_get(json_root(first), "base")), &test.engine);
	text = substitute(raw, "$ID", synthetic_id(json_root(base)));
	test.tree = parse_or_bail(text, test.path);
	know_members(json_root(test.tree), known);
	change(base, json_get(json_root(test.tree), "change"), test.path);
	test.profile = load_profile(json_get(json_root(test.tree), "profile"), test.path);
	read_document(&test, base);
	return test;
}

/* A list of words: what was taken out and what was put in. */
static void print_list_change(struct buf *out, const struct json *before, const struct json *after)
{
	for (size_t i = 0; i < length(before); i++)
		if (!list_holds(after, text_at(before, i)))
			buf_printf(out, " -%s", text_at(before, i));
	for (size_t i = 0; i < length(after); i++)
		if (!list_holds(before, text_at(after, i)))
			buf_printf(out, " +%s", text_at(after, i));
}

static bool is_list_of_words(const struct json *node)
{
	for (size_t i = 0; i < length(node); i++)
		if (!json_string(node->items[i]))
			return false;
	return json_is(node, JSON_ARRAY);
}

static void print_value(struct buf *out, const struct json *before, const struct oci_edit *edit)
{
	cleanup_buf struct buf value = BUF_INIT;

	if (!edit->value)
		return;
	if (is_list_of_words(before) && is_list_of_words(edit->value)) {
		print_list_change(out, before, edit->value);
		return;
	}
	json_print(&value, edit->value, 0);
	/* which system calls and architectures there are is the library's and the machine's */
	if (!strncmp(edit->path, "/linux/seccomp", 14) && (json_is(edit->value, JSON_ARRAY) || json_is(edit->value, JSON_OBJECT)))
		buf_puts(out, " ...");
	else
		buf_printf(out, " %.*s%s", SHORT_VALUE, value.data, value.len > SHORT_VALUE ? "..." : "");
}

static void print_edits(struct buf *out, const struct plan_run *run)
{
	static const char *const names[] = { [OCI_EDIT_ADD] = "add", [OCI_EDIT_REPLACE] = "replace", [OCI_EDIT_REMOVE] = "remove" };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct err err = ERR_INIT;

	json_set_root(tree, json_copy(tree, run->given));
	for (size_t i = 0; i < run->plan.edits.count; i++) {
		struct oci_edit *edit = &run->plan.edits.items[i];
		struct oci_edits one = { run->plan.edits.tree, edit, 1 };
		bool is_machine = !strcmp(edit->path, "/linux/seccomp/architectures");

		if (!is_machine) {
			buf_printf(out, "%s %s", names[edit->op], edit->path);
			print_value(out, pointer_find(json_root(tree), edit->path), edit);
			buf_printf(out, " (%s)\n", edit->reason);
		}
		if (oci_edits_apply(&one, tree, &err))
			bail("%s", err.text);
	}
}

/* What the filter lets through no longer, of calls that every architecture has. */
static void print_seccomp(struct buf *out, const struct plan_run *run)
{
	static const struct {
		const char *name, *shown;
		uint64_t first, second;
	} calls[] = {
		{ "add_key", "", 0, 0 }, { "bpf", "", 0, 0 }, { "chroot", "", 0, 0 }, { "clone", "(thread)", 0x3d0f00, 0 },
		{ "clone", "(NEWUSER)", 0x10000000, 0 }, { "clone3", "", 0, 0 }, { "fork", "", 0, 0 }, { "io_uring_setup", "", 0, 0 },
		{ "ioctl", "(TIOCSTI)", 0, 0x5412 }, { "ioctl", "(TCGETS)", 0, 0x5401 }, { "keyctl", "", 0, 0 },
		{ "mount", "", 0, 0 }, { "open_by_handle_at", "", 0, 0 }, { "openat", "", 0, 0 }, { "perf_event_open", "", 0, 0 },
		{ "personality", "(0)", 0, 0 }, { "personality", "(ADDR_NO_RANDOMIZE)", 0x40000, 0 }, { "process_vm_readv", "", 0, 0 },
		{ "ptrace", "", 0, 0 }, { "reboot", "", 0, 0 }, { "seccomp", "(NEW_LISTENER)", 1, 8 }, { "setns", "", 0, 0 },
		{ "socket", "(inet)", 2, 0 }, { "socket", "(netlink)", 16, 0 }, { "socket", "(packet)", 17, 0 },
		{ "socket", "(unix)", 1, 0 }, { "socket", "(vsock)", 40, 0 }, { "swapon", "", 0, 0 }, { "umount2", "", 0, 0 },
		{ "unshare", "(FILES)", 0x400, 0 }, { "unshare", "(NEWUSER)", 0x10000000, 0 }, { "userfaultfd", "", 0, 0 },
		{ "write", "", 0, 0 }, { "mkdir", "", 0, 0 },
	};
	const struct json *before = pointer_find(run->given, "/linux/seccomp");
	const struct json *after = pointer_find(json_root(run->planned), "/linux/seccomp");

	buf_puts(out, "seccomp no longer:");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (filter_allows(before, calls[i].name, calls[i].first, calls[i].second) &&
		    !filter_allows(after, calls[i].name, calls[i].first, calls[i].second))
			buf_printf(out, " %s%s", calls[i].name, calls[i].shown);
	buf_puts(out, "\n");
}

static void print_address(struct buf *out, const struct rule_range *range, const uint8_t bytes[16])
{
	struct address address = { .family = range->family };

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	address_print(out, &address);
}

static void print_ranges(struct buf *out, const char *what, const struct rule_ranges *ranges)
{
	if (!ranges->count)
		return;
	buf_printf(out, "%s:", what);
	if (ranges->count > RANGES_SHOWN)
		buf_printf(out, " %zu ranges", ranges->count);
	for (size_t i = 0; ranges->count <= RANGES_SHOWN && i < ranges->count; i++) {
		const struct rule_range *range = &ranges->items[i];

		buf_puts(out, i ? ", " : " ");
		print_address(out, range, range->first);
		if (memcmp(range->first, range->last, 16)) {
			buf_puts(out, " to ");
			print_address(out, range, range->last);
		}
		buf_printf(out, " port %u-%u protocol %u", range->port_first, range->port_last, range->protocol);
	}
	buf_puts(out, "\n");
}

static void print_network(struct buf *out, const struct plan *plan)
{
	buf_printf(out, "network: %s, %lld bytes out\n", plan->joins_network ? "joined" : plan->has_network ? "own" : "none",
		   plan->ruleset.egress_bytes == LIMIT_UNLIMITED ? -1 : (long long)plan->ruleset.egress_bytes);
	print_ranges(out, "out exactly", &plan->ruleset.exact);
	print_ranges(out, "out", &plan->ruleset.allow);
	print_ranges(out, "not out", &plan->ruleset.deny);
	print_ranges(out, "in", &plan->ruleset.ingress);
}

static void print_clone(struct buf *out, const struct plan_run *run, const struct plan_clone *clone)
{
	const struct facts *facts = &run->facts;
	const struct fact_protected *inside = clone->is_protected ? &facts->protected[clone->mount_index] : NULL;
	const struct fact_mount *mount = &facts->mounts[inside ? inside->mount_index : clone->mount_index];

	buf_printf(out, "clone %zu: %s%s%s%s%s\n", clone->number, mount->resolved, inside ? "/" : "", inside ? inside->path : "",
		   inside && inside->is_absent ? ", absent" : "", clone->readonly ? ", read-only" : "");
}

static char *print_plan(const struct plan_run *run)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, "");
	for (size_t i = 0; i < run->plan.refusal_count; i++) {
		const struct refusal *refusal = &run->plan.refusals[i];

		buf_printf(&out, "refused %s: ", refusal->pointer);
		buf_put_plain(&out, refusal->text);
		buf_printf(&out, " (%s)\n", refusal->key);
	}
	if (run->plan.refusal_count)
		return buf_steal(&out);
	print_edits(&out, run);
	for (size_t i = 0; i < run->plan.clone_count; i++)
		print_clone(&out, run, &run->plan.clones[i]);
	for (size_t i = 0; i < run->plan.volumes.count; i++)
		buf_printf(&out, "volume in memory: %s\n", run->plan.volumes.items[i]);
	for (size_t i = 0; i < run->plan.notes.count; i++)
		if (strncmp(run->plan.notes.items[i], "seccomp.", 8))
			buf_printf(&out, "note: %s\n", run->plan.notes.items[i]);
	print_seccomp(&out, run);
	print_network(&out, &run->plan);
	return buf_steal(&out);
}

/* What is wrong with the result, beside the expectation; "" for nothing. */
static char *find_faults(const struct plan_run *run)
{
	cleanup_free char *again = NULL, *wider = NULL;

	if (run->plan.refusal_count)
		return alloc_copy("");
	if (!run->planned)
		return alloc_printf("the edits can't be applied: %s", run->err.text);
	again = plan_run_again(run);
	wider = widening_find(run->profile, &run->facts, run->given, json_root(run->planned));
	return alloc_printf("%s%s%s%s", *again ? "a second plan is not empty: " : "", again, *wider ? "wider: " : "", wider);
}

/* The first line that differs, as a comment. */
static void show_difference(const char *wanted, const char *got)
{
	size_t begin = 0;

	for (size_t i = 0; wanted[i] && wanted[i] == got[i]; i++)
		begin = wanted[i] == '\n' ? i + 1 : begin;
	printf("# wanted: %.*s\n# got:    %.*s\n", (int)strcspn(wanted + begin, "\n"), wanted + begin,
	       (int)strcspn(got + begin, "\n"), got + begin);
}

static void check_case(const struct plan_case *test, const char *got, const char *faults)
{
	cleanup_free char *wanted = read_text(test->expected_path);
	bool is_same = wanted && !strcmp(wanted, got);

	OK(is_same && !*faults, "plans: %s: %s", test->name, json_string(json_get(json_root(test->tree), "what")));
	if (!wanted)
		printf("# there is no %s\n", test->expected_path);
	else if (!is_same)
		show_difference(wanted, got);
	if (*faults)
		printf("# %s\n", faults);
}

static void write_planned(const struct plan_case *test, const struct plan_run *run, const char *directory)
{
	cleanup_free char *path = alloc_printf("%s/%s.json", directory, test->name);
	cleanup_buf struct buf text = BUF_INIT;

	if (!run->planned)
		return;
	json_print(&text, json_root(run->planned), 1);
	write_text(path, text.data);
}

static bool run_case(const char *name, enum mode mode, const char *directory)
{
	struct plan_case test = read_case(name);
	struct plan_run run = { .profile = test.profile, .engine = test.engine, .said = json_get(json_root(test.tree), "facts"),
				.err = ERR_INIT };
	cleanup_free char *got = NULL, *faults = NULL;
	bool is_accepted;

	if (test.document) {
		run.given = json_root(test.document);
		plan_run_begin(&run);
		plan_run_end(&run);
	} else {
		plan_init(&run.plan);
	}
	is_accepted = run.planned != NULL;
	got = test.document ? print_plan(&run) : alloc_printf("unreadable %s\n", test.unreadable.text);
	faults = test.document ? find_faults(&run) : alloc_copy("");
	if (mode == MODE_UPDATE)
		write_text(test.expected_path, got);
	else if (mode == MODE_WRITE)
		write_planned(&test, &run, directory);
	else
		check_case(&test, got, faults);
	plan_run_release(&run);
	case_release(&test);
	return is_accepted;
}

/* The comparison itself sees each of these: what it complains of in a planned document that was changed once more. */
static void check_comparison(const char *name)
{
	cleanup_free char *path = alloc_printf(PLANS "/wider/%s.json", name), *text = read_text(path);
	cleanup_json_tree struct json_tree *list = parse_or_bail(text, path);
	struct plan_case test = read_case(name);
	struct plan_run run = { .profile = test.profile, .engine = test.engine, .given = json_root(test.document), .err = ERR_INIT };

	plan_run_begin(&run);
	plan_run_end(&run);
	for (size_t i = 0; run.planned && i < length(json_root(list)); i++) {
		const struct json *item = json_item(json_root(list), i);
		cleanup_json_tree struct json_tree *wider = json_tree_new();
		cleanup_free char *found = NULL;

		json_set_root(wider, json_copy(wider, json_root(run.planned)));
		change(wider, json_get(item, "change"), path);
		found = widening_find(run.profile, &run.facts, run.given, json_root(wider));
		OK(*found, "plans: the comparison sees %s", json_string(json_get(item, "what")));
	}
	plan_run_release(&run);
	case_release(&test);
}

static int is_case(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && !strcmp(entry->d_name + len - 5, ".json");
}

static int is_expectation(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 9 && !strcmp(entry->d_name + len - 9, ".expected");
}

static int count_expectations(void)
{
	struct dirent **entries = NULL;
	int count = scandir(PLANS, &entries, is_expectation, NULL);

	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return count;
}

int main(int argc, char **argv)
{
	enum mode mode = argc == 2 && !strcmp(argv[1], "update") ? MODE_UPDATE : argc == 3 && !strcmp(argv[1], "write") ? MODE_WRITE :
													       MODE_CHECK;
	struct dirent **entries = NULL;
	int count = scandir(PLANS, &entries, is_case, alphasort), accepted = 0;

	for (int i = 0; i < count; i++) {
		cleanup_free char *name = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - 5);

		accepted += run_case(name, mode, mode == MODE_WRITE ? argv[2] : NULL);
		free(entries[i]);
	}
	free(entries);
	if (mode != MODE_CHECK)
		return 0;
	check_comparison("docker-balanced");
	OK(count_expectations() == count, "plans: each expectation has its case");
	OK(count >= 150 && accepted >= 50 && count - accepted >= 50, "plans: %d cases, %d of them accepted", count, accepted);
	return tap_done();
}
