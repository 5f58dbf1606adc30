#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The runner's own accounts (tests/tap.sh) and the installer: a test that did not run must never look like one that passed.

setup() {
	src=$BATS_TEST_TMPDIR/src out=$BATS_TEST_TMPDIR
	mkdir -p "$src/tests"
	echo 'live/one: one: needs * -- this machine has none' >"$src/tests/skips"
	mark='# s''kip'
	. "$BATS_TEST_DIRNAME/../tap.sh"
}

# accounts NAME EXIT-STATUS PASSED FAILED SKIPPED <TAP
accounts() {
	cat >"$out/log"
	rm -f "$out/counts"
	account "$1" "$out/log" "$2" 0
	echo "got $(cat "$out/counts")"
	[ "$(cat "$out/counts")" = "$3 $4 $5" ]
}

@test "runner: what passes is counted" {
	printf 'ok 1 - a\nok 2 - b\n1..2\n' | accounts unit/x 0 2 0 0
}

@test "runner: a failure is shown with what follows it" {
	run accounts unit/x 1 1 1 0 < <(printf 'ok 1 - a\nnot ok 2 - b\n# x.c:3: b\n1..2\n')
	[ "$status" = 0 ]
	[[ $output == *'not ok 2 - b'*'x.c:3: b'* ]]
}

@test "runner: a program without a plan has died" {
	printf 'ok 1 - a\n' | accounts unit/x 0 1 1 0
}

@test "runner: a program that ran fewer tests than it planned has failed" {
	printf '1..3\nok 1 - a\n' | accounts unit/x 0 1 1 0
}

@test "runner: an exit status without a failed test is a failure" {
	printf '1..1\nok 1 - a\n' | accounts unit/x 134 1 1 0
}

@test "runner: a program that was ended by its time limit has failed" {
	printf '1..1\nok 1 - a\n' | accounts unit/x 124 1 1 0
}

@test "runner: an empty output is a failure" {
	accounts unit/x 0 0 1 0 </dev/null
}

@test "runner: a skipped test that is listed is counted as skipped" {
	printf '1..1\nok 1 one: needs a tape drive %s there is no tape\n' "$mark" | accounts live/one 0 0 0 1
}

@test "runner: a skipped test that isn't listed is a failure, in another file too" {
	printf '1..1\nok 1 one: wants a tape drive %s there is no tape\n' "$mark" | accounts live/one 0 0 1 0
	printf '1..1\nok 1 one: needs a tape drive %s there is no tape\n' "$mark" | accounts live/two 0 0 1 0
}

@test "runner: a line of tests/skips that is not understood is a failure" {
	echo 'live/one one needs' >>"$src/tests/skips"
	printf '1..1\nok 1 - a\n' | accounts unit/x 0 1 1 0
}

# A machine of stubs: it has a package once apt-get was asked to install it, and lists once it was asked to update; it
# writes down what it was asked for.
stub_machine() {
	bin=$BATS_TEST_TMPDIR/bin asked=$BATS_TEST_TMPDIR/asked
	mkdir -p "$bin"
	: >"$asked"
	printf '#!/bin/sh\nfor p; do :; done; grep -q "install.* $p\\( \\|\\$\\)" %s && echo installed\n' "$asked" >"$bin/dpkg-query"
	printf '#!/bin/sh\ngrep -q update %s\n' "$asked" >"$bin/apt-cache"
	printf '#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>%s\n' "$asked" >"$bin/apt-get"
	printf '#!/bin/sh\necho %s\n' "$1" >"$bin/id"
	chmod +x "$bin"/*
	PATH=$bin:$PATH
}

@test "install-missing: a user is told what root has to install" {
	stub_machine 1000
	run "$BATS_TEST_DIRNAME/../install-missing" build
	[ "$status" = 1 ]
	[[ $output == *'apt-get install --no-install-recommends '*libyajl-dev* ]]
	[ ! -s "$asked" ]
}

@test "install-missing: without lists they are fetched first, and nothing is asked" {
	[ "$(id -u)" = 0 ] || skip "writes policy-rc.d, which takes root"
	stub_machine 0
	run "$BATS_TEST_DIRNAME/../install-missing" build
	echo "$output"
	cat "$asked"
	[ "$status" = 0 ]
	[[ $output == 'quod: installing '*libmnl-dev* ]]
	[ "$(grep -c update "$asked")" = 1 ]
	[[ $(tail -n 1 "$asked") == 'noninteractive install -y -q --no-install-recommends '*libmnl-dev* ]]
}

@test "install-missing: a package that can't be had is named, and is a failure" {
	[ "$(id -u)" = 0 ] || skip "writes policy-rc.d, which takes root"
	stub_machine 0
	printf '#!/bin/sh\n[ "$2" != libmnl-dev ] && grep -q update %s\n' "$asked" >"$bin/apt-cache"
	run "$BATS_TEST_DIRNAME/../install-missing" build
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *'still missing: libmnl-dev'* ]]
}

@test "install-missing: an unknown set is refused" {
	run "$BATS_TEST_DIRNAME/../install-missing" everything
	[ "$status" = 2 ]
}
