#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each budget with each thing that may become of a container whose budget is spent, under runc and crun; on this machine's
# cgroups, and on version 2 alone in tests/vm. What can't be promised is refused in words.

load ../helpers

setup_file() {
	install_quod
	local action
	for action in stop freeze; do
		write_profile "wall-$action" <<<"{ \"version\": 1, \"extends\": \"balanced\", \"budgets\": { \"wall\": \"2s\", \"grace\": \"0s\", \"on_exhausted\": \"$action\" } }"
		write_profile "cpu-$action" <<<"{ \"version\": 1, \"extends\": \"balanced\", \"budgets\": { \"cpu\": \"1s\", \"grace\": \"0s\", \"on_exhausted\": \"$action\" } }"
	done
	for action in stop cut; do
		write_profile "egress-$action" <<-J
			{ "version": 1, "extends": "balanced", "egress": { "allow": ["10.77.0.1:5000"] },
			  "budgets": { "egress": "64K", "grace": "0s", "on_exhausted": { "egress": "$action" } } }
		J
	done
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	# what it sends goes to nobody
	socat TCP-LISTEN:5000,fork,reuseaddr OPEN:/dev/null,wronly >/dev/null 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/listener"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/listener")"
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	(cd "$bundle" && runc spec)
	edit_bundle "$bundle" ".process.terminal = false | .root.path = \"$BATS_FILE_TMPDIR/rootfs\""
}

# What is frozen would outlive even the box.
teardown() {
	for runtime in runc crun; do
		quod delete --force c1 || :
	done
} 2>/dev/null

quod() {
	command quod --runtime "$runtime" "$@"
}

# A cable to the machine outside, which is all that it has.
connect() { # PID
	ip link add cable type veth peer name eth0 netns "$1"
	ip addr add 10.77.0.1/24 dev cable
	ip link set cable up
	nsenter -t "$1" -n ip addr add 10.77.0.2/24 dev eth0
	nsenter -t "$1" -n ip link set eth0 up
}

does() { # BUDGET: what spends it
	case $1 in
	wall) echo 'exec sleep 600';;
	cpu) echo 'while :; do :; done';;
	egress) echo 'while :; do dd if=/dev/zero bs=1k count=16 2>/dev/null | nc -w 2 10.77.0.1 5000; sleep 0.1; done';;
	esac
}

is_spent() { # BUDGET ACTION
	jq -e -s --arg b "$1" --arg a "$2" 'any(.event == "budget.spent" and .budget == $b and .action == $a)' /var/log/quod/audit.jsonl
}

has_status() {
	[ "$(quod state c1 | jq -r .status)" = "$1" ]
}

is_listed_as() {
	quodctl ps --ended | grep -F "$1"
}

cell() { # BUDGET ACTION LIMIT
	edit_bundle "$bundle" ".process.args = [\"sh\", \"-c\", \"$(does "$1")\"]"
	for runtime in ${QUOD_RUNTIMES:-runc crun}; do
		echo "under $runtime"
		rm -rf /var/log/quod /var/lib/quod/*
		quod --profile "$1-$2" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- ||
			{ cat "$BATS_TEST_TMPDIR/out"; return 1; }
		[ "$1" != egress ] || connect "$(cat "$BATS_TEST_TMPDIR/pid")"
		quod start c1
		wait_for 60 is_spent "$1" "$2"
		case $2 in
		stop)
			wait_for 30 has_status stopped
			wait_for 30 is_listed_as "$1 $3 spent";;
		freeze)
			wait_for 30 has_status paused
			run quod resume c1
			[ "$status" = 1 ]
			[[ $output == *"$1 $3 spent"* ]];;
		cut)
			has_status running
			# not another byte: a connection can't be opened any more
			run quod exec c1 nc -w 2 10.77.0.1 5000 </dev/null
			[ "$status" != 0 ];;
		esac
		quod delete --force c1
	done
}

# bats test_tags=v2
@test "cells: wall, stop" { cell wall stop 2s; }
# bats test_tags=v2
@test "cells: wall, freeze" { cell wall freeze 2s; }
# bats test_tags=v2
@test "cells: cpu, stop" { cell cpu stop 1s; }
# bats test_tags=v2
@test "cells: cpu, freeze" { cell cpu freeze 1s; }
# bats test_tags=v2
@test "cells: egress, stop" { cell egress stop 64K; }
# bats test_tags=v2
@test "cells: egress, cut" { cell egress cut 64K; }

no_cell() { # BUDGET ACTION ON-EXHAUSTED
	local why="'$2' is none of"
	write_profile "$1-$2" <<<"{ \"version\": 1, \"extends\": \"balanced\", \"budgets\": { \"on_exhausted\": $3 } }"
	run quodctl profile check "/etc/quod/profiles/$1-$2.json"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"/budgets/on_exhausted/$1"*"$why"* ]]
	for runtime in ${QUOD_RUNTIMES:-runc crun}; do
		run quod --profile "$1-$2" run --bundle "$bundle" c1 </dev/null
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"/budgets/on_exhausted/$1"*"$why"* ]]
	done
	rm "/etc/quod/profiles/$1-$2.json"
}

# bats test_tags=v2
@test "cells: wall, cut is none" { no_cell wall cut '{ "wall": "cut", "cpu": "cut" }'; }
# bats test_tags=v2
@test "cells: cpu, cut is none" { no_cell cpu cut '{ "wall": "stop", "cpu": "cut" }'; }
# bats test_tags=v2
@test "cells: egress, freeze is none" { no_cell egress freeze '{ "egress": "freeze" }'; }
