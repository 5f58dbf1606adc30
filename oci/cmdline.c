/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command lines of runc and crun: see cmdline.h. One reader for both, told by tables what an option takes. Must never
 * guess: what a runtime could take for something else is an error or is reported as unknown.
 */
#include "oci/cmdline.h"

#include <errno.h>
#include <string.h>

#include "oci/cmdline-tables.h"
#include "shim/base/buf.h"
#include "shim/base/cleanup.h"

/* How a list of arguments reads: options and positional arguments, both as argv indices. */
struct reading {
	struct oci_option *options;
	size_t option_count;
	int *positionals;
	size_t positional_count;
	const char *unknown;	/* the argument */
	const char *odd;	/* an argument that runc's releases don't agree about */
};

struct reader {
	enum oci_dialect dialect;
	const struct oci_option_def *tables[2];
	char **argv;
	const int *order;	/* argv indices in the order in which they are read */
	int count;
	bool permutes;		/* options may follow a positional argument */
};

static void reading_release(struct reading *reading)
{
	free(reading->options);
	free(reading->positionals);
	*reading = (struct reading){ 0 };
}

static void add_positional(struct reading *reading, int index)
{
	reading->positionals = alloc_grow(reading->positionals, reading->positional_count + 1, sizeof(int));
	reading->positionals[reading->positional_count++] = index;
}

static struct oci_option *add_option(struct reading *reading, const struct oci_option_def *def, int index)
{
	struct oci_option *option;

	reading->options = alloc_grow(reading->options, reading->option_count + 1, sizeof(struct oci_option));
	option = &reading->options[reading->option_count++];
	*option = (struct oci_option){ .name = def->name, .index = index, .value_index = -1 };
	return option;
}

static void set_value(const struct reader *reader, struct oci_option *option, int index, size_t offset)
{
	option->value_index = index;
	option->value_offset = (int)offset;
	option->value = reader->argv[index] + offset;
}

static void set_unknown(struct reading *reading, const char *argument)
{
	if (!reading->unknown)
		reading->unknown = argument;
}

/* The next argument as the option's value; returns the position that was read last. */
static int take_next(const struct reader *reader, struct reading *reading, struct oci_option *option, int at)
{
	if (at + 1 >= reader->count) {
		set_unknown(reading, reader->argv[option->index]);
		return at;
	}
	set_value(reader, option, reader->order[at + 1], 0);
	return at + 1;
}

static const struct oci_option_def *find_exact(const struct reader *reader, const char *name, size_t len)
{
	for (size_t t = 0; t < ARRAY_SIZE(reader->tables); t++) {
		for (const struct oci_option_def *def = reader->tables[t]; def && def->name; def++) {
			if (strlen(def->name) == len && !memcmp(def->name, name, len))
				return def;
		}
	}
	return NULL;
}

static const struct oci_option_def *find_letter(const struct reader *reader, char letter)
{
	for (size_t t = 0; t < ARRAY_SIZE(reader->tables); t++) {
		for (const struct oci_option_def *def = reader->tables[t]; def && def->name; def++) {
			if (def->letter == letter)
				return def;
		}
	}
	return NULL;
}

/* getopt_long: the exact name, else the only one that begins so. */
static const struct oci_option_def *find_prefix(const struct reader *reader, const char *name, size_t len)
{
	const struct oci_option_def *found = find_exact(reader, name, len);

	if (found || !len)
		return found;
	for (size_t t = 0; t < ARRAY_SIZE(reader->tables); t++) {
		for (const struct oci_option_def *def = reader->tables[t]; def && def->name; def++) {
			if (strncmp(def->name, name, len) || (found && !strcmp(found->name, def->name)))
				continue;
			if (found)
				return NULL;
			found = def;
		}
	}
	return found;
}

/* The words that Go's strconv.ParseBool takes: 1 true, 0 false, -1 none. */
static int go_bool(const char *text)
{
	static const char *const words[2][6] = { { "0", "f", "F", "false", "False", "FALSE" },
						 { "1", "t", "T", "true", "True", "TRUE" } };

	for (int value = 0; value < 2; value++) {
		for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++) {
			if (!strcmp(text, words[value][i]))
				return value;
		}
	}
	return -1;
}

/* Go's package flag: one or two dashes, the whole name (long or one letter), "=value". Returns the position read last. */
static int read_runc_option(const struct reader *reader, struct reading *reading, int at)
{
	const char *argument = reader->argv[reader->order[at]];
	const char *name = argument + (argument[1] == '-' ? 2 : 1);
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct oci_option_def *def = len == 1 ? find_letter(reader, name[0]) : find_exact(reader, name, len);
	struct oci_option *option;

	if (!def) {
		set_unknown(reading, argument);
		return at;
	}
	option = add_option(reading, def, reader->order[at]);
	if (equals)
		set_value(reader, option, reader->order[at], (size_t)(equals + 1 - argument));
	if (def->takes == OCI_TAKES_VALUE && !equals)
		return take_next(reader, reading, option, at);
	if (def->takes == OCI_TAKES_NOTHING && equals && go_bool(equals + 1) < 0)
		set_unknown(reading, argument);
	return at;
}

static int read_crun_long(const struct reader *reader, struct reading *reading, int at)
{
	const char *argument = reader->argv[reader->order[at]];
	const char *name = argument + 2, *equals = strchr(name, '=');
	const struct oci_option_def *def = find_prefix(reader, name, equals ? (size_t)(equals - name) : strlen(name));
	struct oci_option *option;

	if (!def || (equals && def->takes == OCI_TAKES_NOTHING)) {
		set_unknown(reading, argument);
		return at;
	}
	option = add_option(reading, def, reader->order[at]);
	if (equals)
		set_value(reader, option, reader->order[at], (size_t)(equals + 1 - argument));
	else if (def->takes == OCI_TAKES_VALUE)
		return take_next(reader, reading, option, at);
	return at;
}

/* A cluster of letters; the rest of the argument is the value of the first one that takes one. */
static int read_crun_letters(const struct reader *reader, struct reading *reading, int at)
{
	const char *argument = reader->argv[reader->order[at]];

	for (size_t i = 1; argument[i]; i++) {
		const struct oci_option_def *def = find_letter(reader, argument[i]);
		struct oci_option *option;

		if (!def) {
			set_unknown(reading, argument);
			continue;
		}
		option = add_option(reading, def, reader->order[at]);
		if (def->takes == OCI_TAKES_NOTHING)
			continue;
		if (argument[i + 1])
			set_value(reader, option, reader->order[at], i + 1);
		else if (def->takes == OCI_TAKES_VALUE)
			return take_next(reader, reading, option, at);
		break;
	}
	return at;
}

static int read_option(const struct reader *reader, struct reading *reading, int at)
{
	if (reader->dialect == OCI_DIALECT_RUNC)
		return read_runc_option(reader, reading, at);
	if (reader->argv[reader->order[at]][1] == '-')
		return read_crun_long(reader, reading, at);
	return read_crun_letters(reader, reading, at);
}

static bool has_space_at_edge(const char *text)
{
	static const char spaces[] = " \t\n\v\f\r";
	size_t len = strlen(text);

	return len && (strchr(spaces, text[0]) || strchr(spaces, text[len - 1]));
}

/* Reads all arguments. Returns the position of the first positional one, or the count. */
static int read_arguments(const struct reader *reader, struct reading *reading)
{
	int first = reader->count;

	for (int at = 0; at < reader->count; at++) {
		const char *argument = reader->argv[reader->order[at]];
		bool is_end = !strcmp(argument, "--");

		if (has_space_at_edge(argument) || (reader->permutes && !strcmp(argument, "-")))
			reading->odd = argument;
		if (is_end || argument[0] != '-' || !argument[1]) {
			if (first == reader->count)
				first = at + is_end;
			if (!is_end)
				add_positional(reading, reader->order[at]);
			if (!is_end && reader->permutes)
				continue;
			while (++at < reader->count)
				add_positional(reading, reader->order[at]);
			break;
		}
		at = read_option(reader, reading, at);
	}
	return first;
}

/* urfave/cli up to 1.22.1 (runc 1.0 and 1.1) moves what begins with a dash, and what follows that, to the front. */
static void order_first(const struct reader *reader, int *order)
{
	cleanup_free int *rest = alloc_zeroed((size_t)reader->count, sizeof(int));
	int front = 0, back = 0;
	bool wants_value = false;

	for (int at = 0; at < reader->count; at++) {
		const char *argument = reader->argv[reader->order[at]];
		bool dashed = argument[0] == '-';

		if (!strcmp(argument, "--")) {
			while (at < reader->count)
				rest[back++] = reader->order[at++];
			break;
		}
		if ((wants_value && !dashed) || (dashed && argument[1]))
			order[front++] = reader->order[at];
		else
			rest[back++] = reader->order[at];
		wants_value = dashed && argument[1] && !strchr(argument, '=');
	}
	memcpy(order + front, rest, (size_t)back * sizeof(int));
}

static bool is_known_flag(const struct reader *reader, const char *argument)
{
	const char *name = argument, *equals;
	size_t len;

	if (argument[0] != '-' || !argument[1] || !strcmp(argument, "--"))
		return false;
	name += argument[1] == '-' ? 2 : 1;
	if (argument[1] == '-' && *name == '-')
		name++;
	equals = strchr(name, '=');
	len = equals ? (size_t)(equals - name) : strlen(name);
	return find_exact(reader, name, len) || (len == 1 && find_letter(reader, name[0]));
}

/* urfave/cli from 1.22.2 (Debian's runc 1.1, runc 1.2 to 1.5) moves the flags that it knows, and what follows those. */
static void order_second(const struct reader *reader, int *order)
{
	cleanup_free int *rest = alloc_zeroed((size_t)reader->count + 1, sizeof(int));
	int front = 0, back = 0;
	bool wants_value = false;

	for (int at = 0; at < reader->count; at++) {
		const char *argument = reader->argv[reader->order[at]];
		bool is_flag = is_known_flag(reader, argument);

		if (wants_value && !is_flag) {
			order[front++] = reader->order[at];
			wants_value = false;
		} else if (!strcmp(argument, "--")) {
			memmove(rest + 1, rest, (size_t)back * sizeof(int));
			rest[0] = reader->order[at];
			for (back++, at++; at < reader->count; at++)
				rest[back++] = reader->order[at];
		} else if (is_flag) {
			order[front++] = reader->order[at];
			wants_value = !strchr(argument, '=');
		} else {
			rest[back++] = reader->order[at];
		}
	}
	memcpy(order + front, rest, (size_t)back * sizeof(int));
}

static bool is_same(const struct reading *a, const struct reading *b)
{
	if (a->option_count != b->option_count || a->positional_count != b->positional_count)
		return false;
	for (size_t i = 0; i < a->option_count; i++) {
		const struct oci_option *x = &a->options[i], *y = &b->options[i];

		if (x->name != y->name || x->index != y->index || x->value_index != y->value_index ||
		    x->value_offset != y->value_offset)
			return false;
	}
	return !a->positional_count ||
	       !memcmp(a->positionals, b->positionals, a->positional_count * sizeof(*a->positionals));
}

/* Does each release of runc that moves options to the front come to the same reading? */
static bool is_agreed(const struct reader *reader, const struct reading *reading)
{
	static void (*const orders[])(const struct reader *, int *) = { order_first, order_second };
	cleanup_free int *order = alloc_zeroed((size_t)reader->count, sizeof(int));
	bool agreed = true;

	for (size_t i = 0; i < ARRAY_SIZE(orders) && agreed; i++) {
		struct reader moved = *reader;
		struct reading other = { 0 };

		orders[i](reader, order);
		moved.order = order;
		moved.permutes = false;
		read_arguments(&moved, &other);
		agreed = is_same(reading, &other);
		reading_release(&other);
	}
	return agreed;
}

static const struct oci_command_def *find_command(enum oci_dialect dialect, const char *name)
{
	const struct oci_command_def *def = oci_command_defs(dialect);

	while (def->name && strcmp(def->name, name))
		def++;
	return def->name ? def : NULL;
}

/* What stands behind the command. */
static int read_command(struct oci_cmdline *line, const int *order, struct err *err)
{
	const struct oci_command_def *def = find_command(line->dialect, line->argv[line->command_index]);
	struct reader reader = { .dialect = line->dialect, .argv = line->argv, .order = order + line->command_index + 1,
				 .count = line->argc - line->command_index - 1 };
	struct reading reading = { 0 };
	int r = 0;

	line->command = def ? def->command : OCI_OTHER_COMMAND;
	if (!def) {
		for (int at = 0; at < reader.count; at++)
			add_positional(&reading, reader.order[at]);
	} else {
		reader.tables[0] = def->options;
		reader.tables[1] = oci_common_defs(line->dialect);
		reader.permutes = !def->stops;
		read_arguments(&reader, &reading);
		if (line->dialect == OCI_DIALECT_RUNC && reading.odd)
			r = err_set(err, EINVAL, "argument '%s' of %s can be read in two ways: write it without blanks at its "
				    "ends, and no lone '-' in an option's place", reading.odd, def->name);
		else if (reader.permutes && !is_agreed(&reader, &reading))
			r = err_set(err, EINVAL, "the arguments of %s can be read in two ways: put every option in front of the "
				    "container's id", def->name);
	}
	line->options = reading.options;
	line->option_count = reading.option_count;
	line->positionals = reading.positionals;
	line->positional_count = reading.positional_count;
	if (!line->unknown)
		line->unknown = reading.unknown;
	return r;
}

/* crun up to 1.27 takes --rootless for --root, later releases ignore it. */
static int check_rootless(const struct oci_cmdline *line, struct err *err)
{
	const struct oci_option *root = oci_cmdline_global(line, "root"), *rootless = oci_cmdline_global(line, "rootless");

	if (line->dialect != OCI_DIALECT_CRUN || !rootless || (root && root->index > rootless->index))
		return 0;
	return err_set(err, EINVAL, "--rootless can be read in two ways: some releases of crun take it for --root; leave it out "
		       "or put --root behind it");
}

int oci_cmdline_parse(enum oci_dialect dialect, int argc, char **argv, struct oci_cmdline *line, struct err *err)
{
	cleanup_free int *order = alloc_zeroed((size_t)argc + 1, sizeof(int));
	struct reader reader = { .dialect = dialect, .tables = { oci_global_defs(dialect), NULL }, .argv = argv,
				 .order = order + 1, .count = argc > 0 ? argc - 1 : 0 };
	struct reading reading = { 0 };

	for (int i = 0; i < argc; i++)
		order[i] = i;
	*line = (struct oci_cmdline){ .dialect = dialect, .argc = argc, .argv = argv };
	line->command_index = read_arguments(&reader, &reading) + 1;
	if (line->command_index >= argc)
		line->command_index = argc;
	line->globals = reading.options;
	line->global_count = reading.option_count;
	line->unknown = reading.unknown;
	free(reading.positionals);
	if (line->command_index == argc)
		return 0;
	return read_command(line, order, err) < 0 ? -EINVAL : check_rootless(line, err);
}

int oci_global_span(const char *argument)
{
	static const int order[] = { 0, 1 };
	char *argv[] = { (char *)argument, (char *)"value", NULL };
	int span = 1;

	for (int dialect = OCI_DIALECT_RUNC; dialect <= OCI_DIALECT_CRUN; dialect++) {
		struct reader reader = { .dialect = (enum oci_dialect)dialect, .argv = argv, .order = order, .count = 2,
					 .tables = { oci_global_defs((enum oci_dialect)dialect), NULL } };
		struct reading reading = { 0 };

		if (read_option(&reader, &reading, 0) > 0)
			span = 2;
		reading_release(&reading);
	}
	return span;
}

void oci_cmdline_free(struct oci_cmdline *line)
{
	free(line->globals);
	free(line->options);
	free(line->positionals);
	*line = (struct oci_cmdline){ 0 };
}

static const struct oci_option *find_last(const struct oci_option *options, size_t count, const char *name)
{
	while (count--) {
		if (!strcmp(options[count].name, name))
			return &options[count];
	}
	return NULL;
}

const struct oci_option *oci_cmdline_global(const struct oci_cmdline *line, const char *name)
{
	return find_last(line->globals, line->global_count, name);
}

const struct oci_option *oci_cmdline_option(const struct oci_cmdline *line, const char *name)
{
	return find_last(line->options, line->option_count, name);
}

static const struct oci_option *find_anywhere(const struct oci_cmdline *line, const char *name)
{
	const struct oci_option *option = oci_cmdline_option(line, name);

	return option ? option : oci_cmdline_global(line, name);
}

bool oci_cmdline_has(const struct oci_cmdline *line, const char *name)
{
	const struct oci_option *option = find_anywhere(line, name);

	if (!option || !option->value)
		return option;
	if (line->dialect == OCI_DIALECT_RUNC)
		return go_bool(option->value) != 0;
	return strcmp(option->value, "false") && strcmp(option->value, "no");
}

const char *oci_cmdline_value(const struct oci_cmdline *line, const char *name, const char *otherwise)
{
	const struct oci_option *option = find_anywhere(line, name);

	return option && option->value ? option->value : otherwise;
}

const char *oci_cmdline_id(const struct oci_cmdline *line)
{
	size_t place = line->command == OCI_MOUNTS;

	switch (line->command) {
	case OCI_NO_COMMAND:
	case OCI_OTHER_COMMAND:
	case OCI_LIST:
	case OCI_FEATURES:
	case OCI_SPEC:
		return NULL;
	default:
		break;
	}
	if (place >= line->positional_count || oci_cmdline_option(line, "regex"))
		return NULL;
	return line->argv[line->positionals[place]][0] ? line->argv[line->positionals[place]] : NULL;
}

static char *replaced(const char *argument, int offset, const char *value)
{
	return alloc_printf("%.*s%s", offset, argument, value);
}

char **oci_cmdline_replace(const struct oci_cmdline *line, const char *name, const char *value)
{
	char **argv = alloc_zeroed((size_t)line->argc + 2, sizeof(char *));
	int count = 0;

	for (int i = 0; i < line->argc; i++) {
		for (size_t k = 0; k < line->option_count; k++) {
			const struct oci_option *option = &line->options[k];

			if (option->value_index != i || strcmp(option->name, name))
				continue;
			free(argv[count]);
			argv[count] = replaced(line->argv[i], option->value_offset, value);
		}
		if (!argv[count])
			argv[count] = alloc_copy(line->argv[i]);
		count++;
		/* Added as one argument, so that no release of runc can take its value apart from it. */
		if (i == line->command_index && !oci_cmdline_option(line, name))
			argv[count++] = alloc_printf("--%s=%s", name, value);
	}
	return argv;
}

void oci_argv_free(char **argv)
{
	for (char **at = argv; at && *at; at++)
		free(*at);
	free(argv);
}

const char *oci_command_name(enum oci_command command)
{
	for (int dialect = OCI_DIALECT_RUNC; dialect <= OCI_DIALECT_CRUN; dialect++) {
		for (const struct oci_command_def *def = oci_command_defs((enum oci_dialect)dialect); def->name; def++) {
			if (def->command == command)
				return def->name;
		}
	}
	return command == OCI_NO_COMMAND ? "" : "unknown";
}
