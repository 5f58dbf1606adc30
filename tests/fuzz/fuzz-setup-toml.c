/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/ctl/setup-toml.c and setup-block.c. Input: a text. What is taken must be a list of places inside it, and
 * a block that is put must go without a trace. Where the text with the block is still taken and the handler is where it should
 * be, everything else says what it said.
 *
 * With libFuzzer, after ./configure && make:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. tests/fuzz/fuzz-setup-toml.c shim/ctl/setup-toml.c \
 *     shim/ctl/setup-block.c shim/policy/strings.c shim/base/buf.c shim/base/err.c -o fuzz-setup-toml && mkdir -p build/new &&
 *   ./fuzz-setup-toml -max_total_time=60 -max_len=4096 build/new tests/fuzz/corpus/setup-toml
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-block.h"
#include "shim/ctl/setup-toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char handler[] = "[plugins.cri.containerd.runtimes.quod]\n  x = [\"y\"]\n[plugins.cri.containerd.runtimes.quod.options]\n";

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_places(const struct toml *toml, size_t len)
{
	for (size_t i = 0; i < toml->count; i++) {
		const struct toml_entry *entry = &toml->entries[i];
		cleanup_free char *meaning = toml_string(toml, entry);
		struct strings strings = { NULL, 0 };

		must(entry->begin < entry->end && entry->end <= len && entry->line >= 1 && entry->path[0]);
		must(toml_find(toml, entry->path) == entry);
		must((meaning != NULL) == (entry->kind == TOML_VALUE && (toml->text[entry->begin] == '"' || toml->text[entry->begin] == '\'')));
		toml_strings(toml, entry, &strings);
		strings_free(&strings);
	}
}

static void check_edit(const struct toml *before, const char *text, size_t len)
{
	cleanup_free char *runtimes = toml_path("plugins", "cri", "containerd", "runtimes", NULL), *quod = toml_path(runtimes, "quod", NULL);
	cleanup_toml struct toml after = { NULL, NULL, 0 };
	cleanup_buf struct buf edited = BUF_INIT;
	struct strings except = { NULL, 0 };
	struct err err = ERR_INIT;
	size_t begin, end;
	bool is_new = block_find(text, len, &begin, &end, &err) == 0;

	buf_put(&edited, text, len);
	block_put(&edited, handler);
	strings_add(&except, quod);
	if (toml_read(edited.data, edited.len, &after, &err) == 0 && toml_has(&after, quod) && !toml_has(before, quod))
		must(toml_same(before, &after, &except));
	if (is_new) {
		must(block_cut(&edited, &err) == 1);
		must(edited.len == len && !memcmp(edited.data, text, len));
	}
	strings_free(&except);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_toml struct toml toml = { NULL, NULL, 0 };
	struct err err = ERR_INIT;

	if (size && toml_read((const char *)data, size, &toml, &err) == 0) {
		check_places(&toml, size);
		must(toml_same(&toml, &toml, &(struct strings){ NULL, 0 }));
		check_edit(&toml, (const char *)data, size);
	}
	return 0;
}
