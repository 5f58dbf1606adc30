#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each key of a profile and of quod.json has a test that flips it, and the man pages name it.
# shellcheck disable=SC2154 # builddir and srcdir come from tests/run; status and output from run

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p tree/tests tree/man
	cp -r "$srcdir/tests/flips" "$srcdir/tests/flips-none" "$srcdir/tests/live" tree/tests/
	cp "$srcdir"/man/*.5 tree/man/
}

@test "flips: every key has its test, and the man pages' tables are as they should be" {
	run "$srcdir/tests/flips" check
	echo "$output"
	[ "$status" = 0 ]
}

@test "flips: a key without a test, one that isn't there and an old table are told" {
	sed -i 's/^# flips: guard$/# flips: gard/' tree/tests/live/keys.bats
	run tree/tests/flips check
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"profile key 'guard' has no test that flips it"* ]]
	[[ $output == *"profile key 'gard' is marked, but there is no such key"* ]]
	[[ $output == *"quod-profile.5: its table of tests is out of date"* ]]
}

@test "flips: an excuse for a key that has a test is told" {
	echo 'profile guard -- no reason' >>tree/tests/flips-none
	run tree/tests/flips check
	[ "$status" = 1 ]
	[[ $output == *"profile key 'guard' has a test: take it out"* ]]
}

@test "flips: a mark without a test right behind it is told" {
	sed -i 's/^# flips: guard$/&\n/' tree/tests/live/keys.bats
	run tree/tests/flips check
	[ "$status" = 1 ]
	[[ $output == *"a marker without a test behind it"* ]]
}
