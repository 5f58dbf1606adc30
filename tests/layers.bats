#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The house rules that a program can check: which room may include which, sizes, and what no file may lack or hold.

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return 1
}

sources() {
	find oci shim tests/unit tests/fuzz -name '*.[ch]' | sort
}

# includes_outside ROOM PATTERN: prints "file: header" for what ROOM's own files include from this repository and PATTERN
# (an extended regular expression of headers) does not cover. A room is a directory without those below it.
includes_outside() {
	find "$1" -maxdepth 1 -name '*.[ch]' -exec grep -HoE '^[ 	]*#[ 	]*include[ 	]*"[^"]*"' {} + 2>/dev/null |
		sed -E 's/:[^"]*"/: /; s/"$//' | grep -vE ": ($2)$" || true
}

# library_outside HEADER PATTERN: who includes <HEADER> although PATTERN doesn't cover him.
library_outside() {
	find oci shim -name '*.[ch]' -exec grep -lE "^[ 	]*#[ 	]*include[ 	]*<$1" {} + | grep -vE "^($2)$" || true
}

nothing() {
	[ -z "$1" ] || { printf '%s\n' "$1"; return 1; }
}

@test "layers: base knows nothing of quod" {
	nothing "$(includes_outside shim/base 'shim/base/.*')"
}

@test "layers: oci includes base alone" {
	nothing "$(includes_outside oci 'oci/.*|shim/base/.*')"
}

@test "layers: policy includes base, oci and the shape of the rules, nothing that acts" {
	nothing "$(includes_outside shim/policy 'shim/policy/.*|oci/.*|shim/base/.*|shim/egress/ruleset\.h')"
}

@test "layers: policy makes no system call but to read profiles" {
	nothing "$(grep -lE '\b(open|openat|fopen|socket|fork|execve|mount|unlink|stat|lstat|opendir|getenv|time|clock_gettime)\(' \
		$(find shim/policy -name '*.c' ! -name 'profile*.c' ! -name 'config*.c') || true)"
}

@test "layers: egress includes base alone" {
	nothing "$(includes_outside shim/egress 'shim/egress/.*|shim/base/.*')"
}

@test "layers: state includes base, and its record oci" {
	nothing "$(includes_outside shim/state 'shim/state/.*|shim/base/.*|oci/.*')"
	nothing "$(grep -lE '#include "oci/' $(find shim/state -name '*.[ch]' ! -name 'record*.[ch]') || true)"
}

@test "layers: the warden includes base, state, egress and the name matcher, and parses no JSON" {
	nothing "$(includes_outside shim/warden \
		'shim/warden/.*|shim/base/.*|shim/state/(audit|ledger|sha256)\.h|shim/egress/.*|shim/policy/(names|name-rules|address)\.h')"
}

@test "layers: the proof includes what it looks at and nothing that starts or writes" {
	nothing "$(includes_outside shim/proof \
		'shim/proof/.*|shim/(base|policy|egress)/.*|shim/state/(record|spaces)\.h|oci/.*')"
}

@test "layers: quodctl includes everything but the insides of the helpers" {
	nothing "$(includes_outside shim/ctl \
		'shim/ctl/.*|shim/(base|policy|egress|state|proof)/.*|oci/.*|shim/[a-z-]*\.h|shim/warden/(settings|control|cgroup)\.h')"
}

@test "layers: quod includes neither quodctl nor the helpers' insides" {
	nothing "$(includes_outside shim 'shim/[a-z-]*\.h|shim/(base|policy|egress|state|proof)/.*|oci/.*|shim/warden/(settings|start)\.h')"
}

@test "layers: each library is met in its own room" {
	nothing "$(library_outside yajl/ 'oci/json\.c')"
	nothing "$(library_outside libmnl/ 'shim/egress/.*')"
	nothing "$(library_outside linux/netfilter/nf_tables 'shim/egress/.*')"
	nothing "$(library_outside seccomp\\.h 'shim/warden/.*|shim/[a-z-]*\.c|shim/policy/seccomp[a-z-]*\.c')"
	nothing "$(library_outside sys/capability\\.h 'shim/(policy|ctl|warden)/.*')"
	nothing "$(library_outside nettle/ 'shim/state/.*')"
}

@test "sizes: no file is longer than 600 lines" {
	nothing "$(sources | xargs wc -l | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }')"
}

@test "sizes: no function is longer than 100 lines" {
	nothing "$(sources | grep '\.c$' | xargs awk '
		FNR == 1 { start = 0 }
		/^[A-Za-z_].*\(/ && !/;$/ { name = $0 }
		/^\{/ { start = FNR }
		/^\}/ {
			if (start && FNR - start - 1 > 100)
				print FILENAME ": " name ": " FNR - start - 1 " lines"
			start = 0
		}')"
}

@test "words: each file says its licence first" {
	nothing "$(for file in $(sources) $(find tests .ci -type f \
			! -path 'tests/unit/*' ! -path 'tests/fuzz/*' \( -name '*.bats' -o -name '*.bash' -o -name '*.sh' -o -perm -100 \) 2>/dev/null); do
		case $file in */corpus/* | */data/*) continue;; esac
		grep -qI . "$file" || continue # a program that was built beside its source
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || echo "$file"
	done)"
}

@test "words: each header is guarded by its own name" {
	nothing "$(for file in $(sources | grep '\.h$'); do
		guard=QUOD_$(echo "$file" | sed 's|^shim/\(.*/\)|\1|' | tr 'a-z/.-' 'A-Z___')
		grep -q "^#ifndef $guard\$" "$file" && grep -q "^#define $guard\$" "$file" || echo "$file: $guard"
	done)"
}

@test "words: nothing is left to be done" {
	nothing "$(grep -rnIE '\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b' oci shim profiles man tests GNUmakefile Makefile.am configure.ac \
		--exclude-dir=corpus --exclude-dir=data -s || true)"
	nothing "$(grep -rnIE 'not (yet )?imple[m]ented|unimple[m]ented' oci shim profiles man -s || true)"
}

@test "words: a skipped test gives its reason" {
	nothing "$(grep -rnE '\bskip\b' tests --include='*.bats' --exclude=layers.bats | grep -vE 'ski[p] "[^"]{12,}"|@test|^[^:]*:[0-9]*:[ 	]*#' || true)"
}

@test "words: a test waits for what it started, by number" {
	# a bare wait waits for the countdown of BATS_TEST_TIMEOUT, too
	nothing "$(grep -nE '^[ 	]*wait( -n.*)?$' tests/live/* tests/offline/* tests/*.bats -s --binary-files=without-match || true)"
}

@test "words: what Makefile.am lists is there" {
	nothing "$(grep -oE '\b(oci|shim|tests/unit|tests/fuzz|tests/live)/[A-Za-z0-9/_.-]+\.[ch]\b' Makefile.am | sort -u | while read -r file; do
		[ -f "$file" ] || echo "$file"
	done)"
}

@test "words: every source file is in the tarball's list" {
	nothing "$(for file in $(sources); do
		grep -qF "$file" Makefile.am || echo "$file is not in Makefile.am"
	done)"
}
