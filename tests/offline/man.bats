#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The man pages: without a fault in their form, and saying what the sources say. A name that is in one and not in the other is
# printed.

load ../helpers

setup() {
	cd "$srcdir" || return 1
}

# same SOURCE PAGE: two lists of words, one a line, in any order.
same() {
	[ -n "$1" ] || { echo "nothing was found in the sources"; return 1; }
	diff -u <(sort -u <<<"$1") <(sort -u <<<"$2")
}

# Words of a page's tags (the line behind .TP) between two lines that begin with FROM and TO.
tags_between() {
	awk -v from="$2" -v to="$3" '
		index($0, from) == 1 { on = 1; next }
		index($0, to) == 1 { on = 0 }
		on && is_tag { gsub(/^\.[A-Z]+ |",? *"|,/, " "); gsub(/"/, ""); print }
		{ is_tag = /^\.TP/ }' "$1" | tr -s ' ' '\n' | grep .
}

@test "man: mandoc has no complaint about a page" {
	local pages=(man/*.[1-8])
	[ -f "${pages[0]}" ]
	run mandoc -T lint "${pages[@]}"
	echo "$output"
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "man: every page is installed, and every installed page is there" {
	same "$(ls man/*.[1-8])" "$(grep -oE '\bman/[a-z.-]+\.[1-8]\b' Makefile.am)"
}

# keys_of FILE: the first word of each row of a table of keys.
keys_of() {
	grep -oE '^	\{ "[^"]+", (KEY_|\.kind)' "$1" | cut -d'"' -f2
}

@test "man: quod-profile(5) has every key of a profile" {
	same "$(keys_of shim/policy/profile-keys.c)" "$(tags_between man/quod-profile.5 '.SH "OF THE FILE"' '.SH ENTRIES')"
}

@test "man: quod.json(5) has every key of the host configuration" {
	same "$(keys_of shim/policy/config.c)" "$(tags_between man/quod.json.5 '.SH KEYS' '.SH EXAMPLES')"
}

@test "man: quod-profile(5) gives the defaults that a profile without a word has" {
	local key default
	echo '{ "version": 1 }' >"$BATS_TEST_TMPDIR/empty.json"
	"$builddir/quodctl" profile show --resolved --profiles "$BATS_TEST_TMPDIR" empty >"$BATS_TEST_TMPDIR/resolved"
	# "Default X." and "Default\n.BR X ." behind a key's tag; lists are said in words where there are none
	awk '/^\.TP/ { tag = 1; next } tag { key = $2; tag = 0 }
		/^Default$/ { getline; sub(/^\.BR? /, ""); sub(/ \.$/, ""); print key, $0; next }
		/^Default [^:]/ { sub(/^Default /, ""); sub(/\.$/, ""); print key, $0 }' man/quod-profile.5 |
		sed 's/\\(dq/"/g; s/^\([a-z_.]*\) "\([[{].*\)"$/\1 \2/' >"$BATS_TEST_TMPDIR/defaults"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/defaults")" -ge 25 ]
	while read -r key default; do
		[ "$key" != budgets.on_exhausted ] || default='"stop"' # as it is printed; the page gives its long form
		jq -e --argjson wanted "$default" --arg key "$key" \
			'getpath($key / ".") as $got | $got == $wanted or error("\($key) is \($got)")' "$BATS_TEST_TMPDIR/resolved" ||
			{ echo "quod-profile(5) says: $key $default"; return 1; }
	done <"$BATS_TEST_TMPDIR/defaults"
}

# without_roff: words of a page as they are read.
without_roff() {
	sed 's/\\f[A-Z]//g; s/\\-/-/g'
}

@test "man: quod(8) has quod's own options and no other" {
	same "$(sed -n 's/.*names\[\] = {\(.*\), NULL };/\1/p' shim/options.c | tr -d '" ' | tr ',' '\n' | sed 's/^/--/')" \
		"$(tags_between man/quod.8 '.SH OPTIONS' '.SH "WHAT' | without_roff | grep -oE -- '--[a-z]+')"
}

@test "man: quod(8) has every command that quod itself looks at" {
	same "$(grep -oE '^	\{ OCI_[A-Z]+, [a-z]+_main' shim/main.c | sed 's/.*OCI_//; s/,.*//' | tr 'A-Z' 'a-z')" \
		"$(tags_between man/quod.8 '.SH COMMANDS' '.SH "WHAT' | grep -vx others)"
}

@test "man: quodctl(8) has the commands and options of quodctl --help, and no other" {
	same "$("$builddir/quodctl" --help | sed -E 's/^(usage|options)://; s/^ *quodctl//' | grep -oE '(--)?[a-z]+')" \
		"$(tags_between man/quodctl.8 '.SH OPTIONS' '.SH CONTAINER' | without_roff | grep -oE '(--)?[a-z]+')"
}

@test "man: quodctl(8) has every event of the audit trail, and no other" {
	same "$(grep -ohE '\b(shim_audit|guardian_audit|guardian_refused|say_limit|ctl_audit)\(.*' shim/*.c shim/warden/*.c shim/ctl/*.c | grep -oE '"[a-z]+(\.[a-z]+)?"' | tr -d '"')" \
		"$(tags_between man/quodctl.8 'Events and their' '.SH FILES')"
}
