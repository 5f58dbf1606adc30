#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The guardian and its gate: guard-run plays the runtime, and puts a table into the first process's network namespace that
# lets UDP and TCP to 10.9.9.0/24 out.
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

nursery() {
	pgrep -x -P "$guardian" quod-nursery
}

gate() {
	ps -o pid=,stat= --ppid "$(nursery)" | awk '$2 !~ /Z/ { print $1 }'
}

has_other_gate() { # OLD-PID
	local now
	now=$(gate)
	[ -n "$now" ] && [ "$now" != "$1" ] && gate=$now
}

switch_is() { # 0 or 1
	inside "$load_program" inspect | grep -q "table=1 .* whole=1 alive=$1"
}

inside() {
	nsenter --net --target "$first" -- "$@"
}

@test "guardian: the gate is its nursery's child, and of the container's namespace they hold the socket alone" {
	guard table=1 -- sleep 60
	nursery=$(nursery) gate=$(gate)
	for helper in nursery gate; do
		pid=${!helper}
		[ "$(status_of "$pid" Name)" = "quod-$helper" ]
		[ "$(tr '\0' ' ' <"/proc/$pid/cmdline" | tr -d ' ')" = "quod-$helper" ]
		[ "$(status_of "$pid" CapEff)" = 0000000000001000 ]
		[ "$(status_of "$pid" CapBnd)" = 0000000000001000 ]
		[ "$(status_of "$pid" NoNewPrivs)" = 1 ]
		[ "$(status_of "$pid" Seccomp)" = 2 ]
		grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits"
		[ "$(readlink "/proc/$pid/fd/"* | grep -vc '^/dev/null$')" = 2 ]
		[ "$(readlink "/proc/$pid/fd/"* | grep -c '^socket:')" = 2 ]
	done
	[ "$(status_of "$nursery" Seccomp_filters)" -lt "$(status_of "$gate" Seccomp_filters)" ]
	[ "$(readlink "/proc/$guardian/ns/net")" = "$(readlink /proc/$$/ns/net)" ]
	[ "$(readlink "/proc/$nursery/ns/net")" = "$(readlink /proc/$$/ns/net)" ]
	! readlink "/proc/$guardian/fd/"* | grep -E 'net:'
	jq -e ".nursery_pid == $nursery" "$dir/state/guardian"
	switch_is 1
}

@test "guardian: all helpers end with the container, and its network namespace goes" {
	guard table=1 -- sh -c 'ip link add quodtest0 type veth peer name quodtest1; exec sleep 60'
	nursery=$(nursery) gate=$(gate)
	lsns -t net -o PID,NS -n | grep -q "^ *$first "
	kill -KILL "$first"
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	wait_for 20 is_gone "$gate"
	wait_for 20 is_gone "$nursery"
	[ -z "$(lsns -t net -o NS -n | sort -u | tail -n +2)" ]
}

@test "guardian: together they need less than a mebibyte" {
	guard table=1 wall=60000 -- sleep 60
	total=0
	for pid in "$guardian" "$(nursery)" "$(gate)" "$(pgrep -x -P "$guardian" quod-cradle)" "$(pgrep -x -P "$(pgrep -x -P "$guardian" quod-cradle)" quod-warden)"; do
		kib=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
		echo "# $(status_of "$pid" Name) $kib kB" >&3
		total=$((total + kib))
	done
	[ "$total" -lt 1024 ]
}

@test "guardian: as long as it lives the switch stays" {
	guard table=1 alive=4000 -- sleep 60
	sleep 5
	inside "$load_program" inspect | grep -q 'alive=1'
}

@test "guardian: killed with guard network, the network closes by itself and the container lives on" {
	guard table=1 guard=network alive=1000 -- sleep 60
	nursery=$(nursery) gate=$(gate)
	kill -KILL "$guardian"
	wait_for 20 is_gone "$gate"
	wait_for 20 is_gone "$nursery"
	wait_for 20 sh -c "nsenter --net --target $first -- '$load_program' inspect | grep -q 'table=1 .* whole=1 alive=0'"
	kill -0 "$first"
}

# A host beside it that echoes over TCP; $peer is its process.
make_peer() {
	unshare --net -- sleep 60 3>&- &
	peer=$!
	wait_for 20 grep -q sleep "/proc/$peer/comm"
	inside ip link add v0 type veth peer name v1 netns "$peer"
	inside ip addr add 10.9.9.1/24 dev v0
	inside ip link set v0 up
	nsenter --net --target "$peer" -- ip addr add 10.9.9.2/24 dev v1
	nsenter --net --target "$peer" -- ip link set v1 up
	nsenter --net --target "$peer" -- socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat 3>&- &
	wait_for 20 echoes first
}

echoes() { # over a new connection
	[ "$(inside timeout 2 bash -c 'exec 4<>/dev/tcp/10.9.9.2/7; echo "$0" >&4; read -r line <&4; echo "$line"' "$1")" = "$1" ]
}

@test "guardian: a gate that is killed is there again, five times in a row, and connections old and new pass" {
	guard table=1 alive=6000 -- sleep 60
	make_peer
	coproc old { inside socat - TCP:10.9.9.2:7; }
	gate=$(gate)
	for round in 1 2 3 4 5; do
		kill -KILL "$gate"
		timed wait_for 20 has_other_gate "$gate"
		echo "round $round: again after $took_ms ms"
		[ "$(gate)" != "" ]
		gate=$(gate)
		wait_for 20 sh -c "[ \"\$(grep -c '\"event\":\"warden.back\"' '$dir/log/audit.jsonl')\" = $round ]"
		echo "round $round" >&"${old[1]}"
		read -r -t 3 -u "${old[0]}" line
		[ "$line" = "round $round" ]
		echoes "new $round"
	done
	[ "$(audit warden.lost .helper)" = "$(yes gate | head -n 5)" ]
	# beyond what one beat had opened
	sleep 7
	switch_is 1
	echoes last
	kill "$peer"
}

@test "guardian: gates are started at most once a second" {
	guard table=1 -- sleep 60
	gate=$(gate) kills=0 until=$((${EPOCHREALTIME/./} + 3500000))
	while [ "${EPOCHREALTIME/./}" -lt "$until" ]; do
		gate=$(gate)
		[ -z "$gate" ] || { kill -KILL "$gate" && kills=$((kills + 1)); } || :
	done
	echo "$kills gates killed"
	[ "$kills" -ge 2 ]
	[ "$kills" -le 5 ]
	wait_for 20 has_other_gate "$gate"
}

@test "guardian: a nursery that is killed is recorded, its gate goes on, and without both the network closes" {
	guard table=1 alive=4000 -- sleep 60
	nursery=$(nursery) gate=$(gate)
	kill -KILL "$nursery"
	wait_for 20 grep -q '"event":"warden.lost"' "$dir/log/audit.jsonl"
	[ "$(audit warden.lost .helper)" = nursery ]
	wait_for 20 sh -c "! ps -o comm= --ppid $guardian | grep nursery"
	sleep 5
	switch_is 1
	kill -KILL "$gate"
	wait_for 20 grep -q '"helper":"gate"' "$dir/log/audit.jsonl"
	wait_for 20 switch_is 0
	kill -0 "$first"
	kill -0 "$guardian"
}

@test "guardian: gate and nursery killed at once, the network closes and stays closed" {
	guard table=1 alive=1000 -- sleep 60
	nursery=$(nursery) gate=$(gate)
	kill -KILL "$nursery" "$gate"
	wait_for 20 switch_is 0
	wait_for 20 grep -q '"helper":"gate"' "$dir/log/audit.jsonl"
	sleep 3.5
	switch_is 0
	kill -0 "$first"
}

@test "guardian: only SIGKILL ends the nursery" {
	guard table=1 -- sleep 60
	nursery=$(nursery)
	for signal in HUP INT TERM USR1 ALRM PIPE; do kill -$signal "$nursery"; done
	sleep 0.2
	kill -0 "$nursery"
}

@test "guardian: a gate that no longer answers is recorded, and so is its return" {
	guard table=1 -- sleep 60
	kill -STOP "$(gate)"
	wait_for 20 grep -q '"event":"warden.lost"' "$dir/log/audit.jsonl"
	[ "$(audit warden.lost .answers)" = false ]
	kill -CONT "$(gate)"
	wait_for 20 grep -q '"event":"warden.back"' "$dir/log/audit.jsonl"
}

@test "guardian: a table that somebody else changed ends the container" {
	guard table=1 orphan=1 -- sleep 60
	inside nft add element inet quod never4 '{ 192.0.2.7 }'
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(audit table.changed .action)" = kill ]
	[ "$(audit exit .cause)" = "killed: table changed" ]
	[ "$(ledger ended)" = "killed: table changed" ]
}

@test "guardian: what was changed while there was no gate ends the container, too" {
	guard table=1 orphan=1 -- sleep 60
	kill -KILL "$(gate)"
	inside nft add element inet quod never4 '{ 192.0.2.7 }'
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(audit exit .cause)" = "killed: table changed" ]
}

@test "guardian: a flushed ruleset ends the container" {
	guard table=1 orphan=1 -- sleep 60
	inside nft flush ruleset
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(audit table.changed .action | sort -u)" = kill ]
}

@test "guardian: what was sent is in the ledger, the last bytes too" {
	guard table=1 -- bash -c "$network"' send 50; exit 0'
	ends 20 "exit 0"
	wait_for 20 is_gone "$guardian"
	echo "$(ledger egress_bytes) bytes"
	[ "$(ledger egress_bytes)" -ge 50000 ]
	[ "$(ledger egress_bytes)" -lt 60000 ]
	[ "$(audit exit .egress_bytes)" = "$(ledger egress_bytes)" ]
}

@test "guardian: a spent egress budget is recorded once, and cut by the kernel" {
	guard table=1 egress=20000 -- bash -c "$network"' for i in 1 2 3 4 5 6; do send 10; sleep 1; done; exit 0'
	ends 15 "exit 0"
	wait_for 20 is_gone "$guardian"
	[ "$(audit budget.spent '"\(.budget) \(.action)"')" = "egress cut" ]
	[ "$(ledger egress_bytes)" -le 20000 ]
	[ "$(ledger ended)" = "exit 0" ]
}

@test "guardian: egress stop ends the container" {
	guard table=1 egress=20000 egress_stops=1 grace=200 -- bash -c "$network"' while :; do send 5; sleep 0.1; done'
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[[ $(ledger ended) == "egress "*" spent" ]]
}

@test "guardian: a cut egress budget is open again in the next period, and as small" {
	guard table=1 egress=20000 period=4000 -- bash -c "$network"' send 30; sleep 6; send 10; sleep 4.5; send 40; exit 0'
	ends 30 "exit 0"
	wait_for 20 is_gone "$guardian"
	echo "$(audit exit .egress_bytes) bytes in all"
	[ "$(audit exit .egress_bytes)" -gt 40000 ]
	[ "$(audit exit .egress_bytes)" -le 60000 ]
	[ "$(audit budget.reset .event | grep -c .)" -ge 2 ]
}

@test "guardian: of an egress budget that two share, the second has what the first left" {
	guard table=1 egress=40000 shared=1 -- bash -c "$network"' send 20; sleep 60'
	first_a=$first dir=$dir/b
	guard "ledger=$BATS_TEST_TMPDIR/lib/ledger" table=1 egress=40000 shared=1 -- bash -c "$network"' sleep 3; send 60; exit 0'
	ends 20 "exit 0"
	wait_for 20 is_gone "$guardian"
	[ "$(audit budget.spent .action)" = cut ]
	sent=$(audit exit .egress_bytes)
	echo "$sent bytes of the second"
	[ "$sent" -gt 10000 ]
	[ "$sent" -lt 22000 ]
	kill -KILL "$first_a"
	dir=$BATS_TEST_TMPDIR
	wait_for 20 grep -q '"event":"exit"' "$dir/log/audit.jsonl"
	[ "$(ledger egress_bytes)" = $((sent + $(audit exit .egress_bytes))) ]
	[ "$(ledger egress_bytes)" -le 40000 ]
}
