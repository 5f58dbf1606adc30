#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The guardian and its gate: guard-run plays the runtime, and puts a table into the first process's network namespace that
# lets UDP to 10.9.9.0/24 out.
# shellcheck disable=SC2154 # builddir and took_ms are helpers.bash's

setup_file() {
	load ../helpers
	need_box
}

setup() {
	load ../helpers
	load guard
	load_program=$builddir/tests/live/egress-load
	make_groups
}

teardown() {
	remove_groups
}

# A network that takes what is sent and answers nothing.
network='ip link add v0 type veth peer name v1; ip addr add 10.9.9.1/24 dev v0; ip link set v0 up; ip link set v1 up; ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev v0; send() { dd if=/dev/zero bs=1000 count=$1 >/dev/udp/10.9.9.2/9 2>/dev/null || :; };'

gate() {
	ps -o pid= --ppid "$guardian" | tr -d ' '
}

inside() {
	nsenter --net --target "$first" -- "$@"
}

@test "guardian: the gate is its child, and neither holds the container's namespace but the gate by its socket" {
	guard table=1 -- sleep 60
	gate=$(gate)
	[ "$(status_of "$gate" Name)" = quod-gate ]
	[ "$(tr '\0' ' ' <"/proc/$gate/cmdline" | tr -d ' ')" = quod-gate ]
	[ "$(status_of "$gate" CapEff)" = 0000000000001000 ]
	[ "$(status_of "$gate" Seccomp)" = 2 ]
	[ "$(readlink "/proc/$guardian/ns/net")" = "$(readlink /proc/$$/ns/net)" ]
	! readlink "/proc/$guardian/fd/"* | grep -E 'net:'
	jq -e ".gate_pid == $gate" "$dir/state/guardian"
	inside "$load_program" inspect | grep -q 'alive=1'
}

@test "guardian: both helpers end with the container, and its network namespace goes" {
	guard table=1 -- sh -c 'ip link add quodtest0 type veth peer name quodtest1; exec sleep 60'
	gate=$(gate)
	lsns -t net -o PID,NS -n | grep -q "^ *$first "
	kill -KILL "$first"
	ends 5 "signal 9"
	wait_for 5 is_gone "$guardian"
	wait_for 2 is_gone "$gate"
	[ -z "$(lsns -t net -o NS -n | sort -u | tail -n +2)" ]
}

@test "guardian: together they need less than a mebibyte" {
	guard table=1 wall=60000 -- sleep 60
	gate=$(gate)
	total=$(awk '/^Pss:/ { sum += $2 } END { print sum }' "/proc/$guardian/smaps_rollup" "/proc/$gate/smaps_rollup")
	echo "$total kB"
	[ "$total" -lt 1024 ]
}

@test "guardian: as long as it lives the switch stays" {
	guard table=1 alive=4000 -- sleep 60
	sleep 5
	inside "$load_program" inspect | grep -q 'alive=1'
}

@test "guardian: killed with guard network, the network closes by itself and the container lives on" {
	guard table=1 guard=network alive=1000 -- sleep 60
	gate=$(gate)
	kill -KILL "$guardian"
	wait_for 2 is_gone "$gate"
	wait_for 3 sh -c "nsenter --net --target $first -- '$load_program' inspect | grep -q 'table=1 .* whole=1 alive=0'"
	kill -0 "$first"
}

@test "guardian: a gate that is lost is recorded, the network closes, the container lives on" {
	guard table=1 alive=1000 -- sleep 60
	kill -KILL "$(gate)"
	wait_for 5 grep -q '"event":"warden.lost"' "$dir/log/audit.jsonl"
	[ "$(audit warden.lost .helper)" = gate ]
	wait_for 3 sh -c "nsenter --net --target $first -- '$load_program' inspect | grep -q 'alive=0'"
	kill -0 "$first"
	kill -0 "$guardian"
	wait_for 2 sh -c "[ -z \"\$(ps -o stat= --ppid $guardian)\" ]"
}

@test "guardian: a gate that no longer answers is recorded, and so is its return" {
	guard table=1 -- sleep 60
	kill -STOP "$(gate)"
	wait_for 20 grep -q '"event":"warden.lost"' "$dir/log/audit.jsonl"
	[ "$(audit warden.lost .answers)" = false ]
	kill -CONT "$(gate)"
	wait_for 7 grep -q '"event":"warden.back"' "$dir/log/audit.jsonl"
}

@test "guardian: a table that somebody else changed ends the container" {
	guard table=1 orphan=1 -- sleep 60
	inside nft add element inet quod never4 '{ 192.0.2.7 }'
	ends 3 "signal 9"
	wait_for 5 is_gone "$guardian"
	[ "$(audit table.changed .action)" = kill ]
	[ "$(audit exit .cause)" = "killed: table changed" ]
	[ "$(ledger ended)" = "killed: table changed" ]
}

@test "guardian: a flushed ruleset ends the container" {
	guard table=1 orphan=1 -- sleep 60
	inside nft flush ruleset
	ends 3 "signal 9"
	wait_for 5 is_gone "$guardian"
	[ "$(audit table.changed .action | sort -u)" = kill ]
}

@test "guardian: what was sent is in the ledger, the last bytes too" {
	guard table=1 -- bash -c "$network"' send 50; exit 0'
	ends 5 "exit 0"
	wait_for 5 is_gone "$guardian"
	echo "$(ledger egress_bytes) bytes"
	[ "$(ledger egress_bytes)" -ge 50000 ]
	[ "$(ledger egress_bytes)" -lt 60000 ]
	[ "$(audit exit .egress_bytes)" = "$(ledger egress_bytes)" ]
}

@test "guardian: a spent egress budget is recorded once, and cut by the kernel" {
	guard table=1 egress=20000 -- bash -c "$network"' for i in 1 2 3 4 5 6; do send 10; sleep 1; done; exit 0'
	ends 15 "exit 0"
	wait_for 5 is_gone "$guardian"
	[ "$(audit budget.spent '"\(.budget) \(.action)"')" = "egress cut" ]
	[ "$(ledger egress_bytes)" -le 20000 ]
	[ "$(ledger ended)" = "exit 0" ]
}

@test "guardian: egress stop ends the container" {
	guard table=1 egress=20000 egress_stops=1 grace=200 -- bash -c "$network"' while :; do send 5; sleep 0.1; done'
	ends 10 "signal 9"
	wait_for 5 is_gone "$guardian"
	[[ $(ledger ended) == "egress "*" spent" ]]
}
