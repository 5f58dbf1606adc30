#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers that come and go, many at a time: none fails, none leaves anything.

load ../helpers

cycles=300
at_once=8

setup_file() {
	load ../helpers
	need_box
	install_quod
	write_config <<-END
		{ "version": 1, "default_profile": "agent", "containers": { "max": 0, "creates_per_minute": 0 } }
	END
	make_bundle "$BATS_FILE_TMPDIR/b" '.process.args = ["sleep", "1000"] | .linux.resources.memory.limit = 67108864'
	# what the first container makes and all later ones use
	make_bundle "$BATS_FILE_TMPDIR/first"
	quod run --bundle "$BATS_FILE_TMPDIR/first" first
}

# The life of container $1 of this bundle; prints what went wrong.
one_life() {
	local id=cycle-$1 answer
	# a file, not a pipe: the container keeps it open
	"$quod" "--runtime=$under" create --bundle "$BATS_FILE_TMPDIR/b" "$id" </dev/null >"$BATS_TEST_TMPDIR/$id" 2>&1 ||
		answer=$(cat "$BATS_TEST_TMPDIR/$id")
	[ -z "${answer-}" ] && answer=$("$quod" "--runtime=$under" start "$id" 2>&1) &&
		answer=$("$quod" "--runtime=$under" exec "$id" sh -c 'echo alive' 2>&1) && [ "$answer" = alive ] &&
		answer=$("$quod" "--runtime=$under" kill "$id" KILL 2>&1) &&
		answer=$(wait_for 30 delete_it "$id" 2>&1) || echo "$id: $answer"
}

delete_it() {
	"$quod" "--runtime=$under" delete "$1"
}

# A worker's share of the lives, one after the other.
lives() {
	local i
	for ((i = $1; i < cycles; i += at_once)); do
		one_life "$i"
	done
}

live_cycles() {
	local worker workers=()
	before=$(leftovers)
	for ((worker = 0; worker < at_once; worker++)); do
		lives "$worker" 3>&- >>"$BATS_TEST_TMPDIR/failures" &
		workers+=($!)
	done
	wait "${workers[@]}"
	cat "$BATS_TEST_TMPDIR/failures"
	[ ! -s "$BATS_TEST_TMPDIR/failures" ]
	wait_for 30 same_as_before
}

same_as_before() {
	diff <(echo "$before") <(leftovers)
}

@test "cycles: $cycles lives over runc, $at_once at a time, without failure or leftover" {
	quod=/usr/bin/quod under=runc live_cycles
}

@test "cycles: $cycles lives over crun, $at_once at a time, without failure or leftover" {
	quod=/usr/bin/quod under=crun live_cycles
}
