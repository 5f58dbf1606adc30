#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The guardian's ear by itself, on both versions of cgroups: guard-run plays the runtime and its hook, socat the administrator.
# shellcheck disable=SC2154 # what helpers.bash and guard.bash set

setup_file() {
	load ../helpers
	need_box
}

setup() {
	load ../helpers
	load guard
	make_groups
}

teardown() {
	remove_groups
}

# order WORD: 1 look, 2 halt, 3 release. Prints the answer's is_halted, may_freeze and is_frozen.
order() {
	{ printf '\001\000\000\000'"\\00$1"'\000\000\000'; sleep 0.5; } | socat -t 5 - "UNIX-CONNECT:$dir/state/control,type=5" |
		od -An -v -t u4 -w4 | sed -n '4,6p' | tr -d ' \n'
	echo
}

own_freezer() {
	if [ -d /sys/fs/cgroup/freezer ] && [ -z "${is_covered-}" ]; then echo /sys/fs/cgroup/freezer/guarded; else echo /sys/fs/cgroup/guarded; fi
}

halts_and_releases() {
	guard -- sh -c 'while :; do echo x >>'"$dir/ticks"'; sleep 0.02; done'
	wait_for 5 test -s "$dir/ticks"
	[ "$(order 1)" = 010 ]
	[ "$(order 2)" = 111 ]
	is_frozen "$(own_freezer)"
	thaw "$(own_freezer)"
	wait_for 5 is_frozen "$(own_freezer)"
	[ "$(order 1)" = 111 ]
	[ "$(order 3)" = 010 ]
	wait_for 5 has_grown "$(wc -l <"$dir/ticks")"
	freeze "$(own_freezer)" # as its engine pauses
	wait_for 5 is_frozen "$(own_freezer)"
	[ "$(order 2)" = 111 ]
	[ "$(order 3)" = 011 ]
	is_frozen "$(own_freezer)"
	kill -KILL "$first"
	thaw "$(own_freezer)"
	wait_for 10 is_gone "$guardian"
}

has_grown() { [ "$(wc -l <"$dir/ticks")" -gt "$1" ]; }

@test "guardian: it halts and releases, what is thawed it freezes again, and what was paused it leaves paused" {
	halts_and_releases
}

@test "guardian: so it does on version 2 alone" {
	use_version_2
	halts_and_releases
}

@test "guardian: a halt doesn't keep a spent budget from ending the container" {
	guard wall=2000 grace=100 -- sleep 60
	[ "$(order 2)" = 111 ]
	ends 20 "signal 9"
}

@test "guardian: so it does not on version 2 alone" {
	use_version_2
	guard wall=2000 grace=100 -- sleep 60
	[ "$(order 2)" = 111 ]
	ends 20 "signal 9"
}

@test "guardian: what is no order ends the talk, and who only listens is let go" {
	guard -- sleep 60
	local word i
	for word in 'x' '\001\000\000\000' '\002\000\000\000\001\000\000\000' '\001\000\000\000\011\000\000\000\000'; do
		[ -z "$(printf "$word" | socat -t 5 - "UNIX-CONNECT:$dir/state/control,type=5")" ]
	done
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		socat -u "UNIX-CONNECT:$dir/state/control,type=5" /dev/null 3>&- &
	done
	sleep 0.5
	[ "$(order 1)" = 010 ]
	# another user isn't heard, even where he gets there
	chmod 777 "$dir/state/control"
	chmod 711 "$dir" "$dir/state"
	run setpriv --reuid 1000 --clear-groups sh -c "printf '\\001\\000\\000\\000\\002\\000\\000\\000' | socat -t 5 - UNIX-CONNECT:$dir/state/control,type=5"
	[ -z "$(tr -d '[:print:]\n' <<<"$output")" ]
	[ "$(order 1)" = 010 ]
}
