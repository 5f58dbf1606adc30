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
