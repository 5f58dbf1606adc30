/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --dry-run shows: lines that go, lines that come, three around them, as diff -u does. Escaped for a terminal. */
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup.h"

#define CONTEXT 3
#define LINES_MAX 3000	/* of the part that differs; beyond that it is shown as one piece */

struct lines {
	const char **begin;	/* count + 1 of them: a line ends where the next begins */
	size_t count;
};

static void split(const char *text, size_t len, struct lines *lines)
{
	const char *end = text + len;

	lines->begin = alloc_zeroed(1, sizeof(*lines->begin));
	lines->begin[0] = text;
	for (const char *at = text; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
		lines->count++;
		lines->begin = alloc_grow(lines->begin, lines->count + 1, sizeof(*lines->begin));
		lines->begin[lines->count] = at;
	}
}

static bool same_line(const struct lines *a, size_t i, const struct lines *b, size_t j)
{
	size_t len = (size_t)(a->begin[i + 1] - a->begin[i]);

	return len == (size_t)(b->begin[j + 1] - b->begin[j]) && !memcmp(a->begin[i], b->begin[j], len);
}

/* One line of the script: ' ' both, '-' old, '+' new. */
struct step {
	char kind;
	size_t old_line, new_line;
};

struct script {
	struct step *steps;
	size_t count;
};

static void add_step(struct script *script, char kind, size_t old_line, size_t new_line)
{
	script->steps = alloc_grow(script->steps, script->count + 1, sizeof(*script->steps));
	script->steps[script->count++] = (struct step){ kind, old_line, new_line };
}

/* length[i * (n + 1) + j]: of the longest common subsequence of a from i and b from j. */
static void compare(const struct lines *a, const struct lines *b, size_t first, size_t last, struct script *script)
{
	size_t m = a->count - first - last, n = b->count - first - last, i = 0, j = 0;
	cleanup_free unsigned short *length = NULL;

	if (m <= LINES_MAX && n <= LINES_MAX) {
		length = alloc_zeroed((m + 1) * (n + 1), sizeof(*length));
		for (size_t x = m; x--;)
			for (size_t y = n; y--;) {
				unsigned short down = length[(x + 1) * (n + 1) + y], right = length[x * (n + 1) + y + 1];

				length[x * (n + 1) + y] = same_line(a, first + x, b, first + y) ?
					(unsigned short)(length[(x + 1) * (n + 1) + y + 1] + 1) : down > right ? down : right;
			}
	}
	while (i < m || j < n) {
		if (length && i < m && j < n && same_line(a, first + i, b, first + j)) {
			add_step(script, ' ', first + i, first + j);
			i++, j++;
		} else if (i < m && (!length || j == n || length[(i + 1) * (n + 1) + j] >= length[i * (n + 1) + j + 1])) {
			add_step(script, '-', first + i, first + j);
			i++;
		} else {
			add_step(script, '+', first + i, first + j);
			j++;
		}
	}
}

static void put_line(struct buf *out, char kind, const struct lines *lines, size_t index)
{
	const char *at = lines->begin[index], *end = lines->begin[index + 1];
	bool has_end = end > at && end[-1] == '\n';

	end -= has_end;
	end -= end > at && end[-1] == '\r';
	buf_putc(out, kind);
	while (at < end) {
		const char *tab = memchr(at, '\t', (size_t)(end - at)), *stop = tab ? tab : end;
		cleanup_buf struct buf part = BUF_INIT;

		buf_put(&part, at, (size_t)(stop - at));
		if (part.len)
			buf_put_plain(out, part.data);
		if (tab)
			buf_putc(out, '\t');
		at = tab ? tab + 1 : end;
	}
	buf_puts(out, has_end ? "\n" : "\n\\ No newline at end of file\n");
}

/* Steps from..to are one hunk. */
static void put_hunk(struct buf *out, const struct script *script, size_t from, size_t to, const struct lines *both)
{
	size_t old_count = 0, new_count = 0;

	for (size_t i = from; i < to; i++) {
		old_count += script->steps[i].kind != '+';
		new_count += script->steps[i].kind != '-';
	}
	buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", script->steps[from].old_line + (old_count > 0), old_count,
		   script->steps[from].new_line + (new_count > 0), new_count);
	for (size_t i = from; i < to; i++) {
		const struct step *step = &script->steps[i];

		put_line(out, step->kind, step->kind == '+' ? &both[1] : &both[0], step->kind == '+' ? step->new_line : step->old_line);
	}
}

static void put_hunks(struct buf *out, const struct script *script, const struct lines *both)
{
	size_t at = 0;

	for (;;) {
		size_t from, to, last;

		while (at < script->count && script->steps[at].kind == ' ')
			at++;
		if (at == script->count)
			return;
		from = at > CONTEXT ? at - CONTEXT : 0;
		for (last = at, to = at; to < script->count && to - last <= 2 * CONTEXT; to++)
			last = script->steps[to].kind == ' ' ? last : to;
		to = last + 1 + CONTEXT < script->count ? last + 1 + CONTEXT : script->count;
		put_hunk(out, script, from, to, both);
		at = last + 1;
	}
}

void setup_put_diff(struct buf *out, const struct setup_file *file)
{
	struct lines both[2] = { { NULL, 0 }, { NULL, 0 } };
	struct script script = { NULL, 0 };
	size_t first = 0, last = 0;

	split(file->before ? file->before : "", file->before ? file->before_len : 0, &both[0]);
	split(file->after ? file->after : "", file->after ? file->after_len : 0, &both[1]);
	while (first < both[0].count && first < both[1].count && same_line(&both[0], first, &both[1], first))
		first++;
	while (last < both[0].count - first && last < both[1].count - first &&
	       same_line(&both[0], both[0].count - last - 1, &both[1], both[1].count - last - 1))
		last++;
	for (size_t i = 0; i < first; i++)
		add_step(&script, ' ', i, i);
	compare(&both[0], &both[1], first, last, &script);
	for (size_t i = last; i > 0; i--)
		add_step(&script, ' ', both[0].count - i, both[1].count - i);
	buf_printf(out, "--- %s\n+++ %s\n", file->before ? file->path : "/dev/null", file->after ? file->path : "/dev/null");
	put_hunks(out, &script, both);
	free(script.steps);
	free(both[0].begin);
	free(both[1].begin);
}
