#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the table remembers and who may touch it: the dead man's switch, budget and rate, owner, size, and the lives of
# namespaces.
# shellcheck disable=SC2154 # from helpers.bash and egress.bash: builddir, took_ms, standard_rules

load ../helpers
load ../egress

setup_file() {
	load ../helpers
	load ../egress
	make_world
}

teardown_file() {
	end_world
}

setup() {
	clear_world
}

# A socket that owns the table, until release_owner.
hold_table() {
	mkfifo "$BATS_TEST_TMPDIR/hold"
	inner "$builddir/tests/live/egress-load" install "$@" hold=1 <"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/held" 3>&- &
	owner=$!
	exec 7>"$BATS_TEST_TMPDIR/hold"
	wait_for 20 grep -q . "$BATS_TEST_TMPDIR/held"
}

release_owner() {
	exec 7>&-
	wait "$owner"
}

inspect() {
	ask inspect | head -n 1
}

elements() {
	ask inspect | sed -n "s/^set $1: there=1 elements=//p"
}

@test "switch: when it lapses new connections are refused and old ones wait" {
	load_table "${standard_rules[@]}" alive=60000
	probe talk 10.9.0.3 80 say until="$BATS_TEST_TMPDIR/lapsed" say until="$BATS_TEST_TMPDIR/renewed" say >"$BATS_TEST_TMPDIR/talk" 3>&- &
	local talk=$!
	wait_for 20 grep -q reply "$BATS_TEST_TMPDIR/talk"
	is connected tcp 10.9.0.3 80
	ask renew 300
	sleep 0.5
	touch "$BATS_TEST_TMPDIR/lapsed"
	is ECONNREFUSED tcp 10.9.0.3 80
	is ECONNREFUSED tcp fd09::3 80
	is EPERM udp 10.9.0.3 5000
	is EPERM ping 10.9.0.3
	is connected tcp 127.0.0.1 7000
	[ "$(inspect | grep -o 'alive=.')" = alive=0 ]
	wait_for 20 sh -c "[ \$(wc -l <$BATS_TEST_TMPDIR/talk) = 2 ]"
	ask renew 60000
	is connected tcp 10.9.0.3 80
	is connected tcp fd09::3 80
	touch "$BATS_TEST_TMPDIR/renewed"
	wait "$talk"
	# nothing was reset: the second byte comes late, with the third
	[ "$(cat "$BATS_TEST_TMPDIR/talk")" = "reply
silence
reply" ]
}

@test "switch: when it lapses nothing comes in either" {
	load_table "ingress=tcp 10.9.0.0-10.9.0.255 7000" alive=500
	probe_in=outer is connected tcp 10.9.0.2 7000
	sleep 0.7
	probe_in=outer is ETIMEDOUT tcp 10.9.0.2 7000
	ask renew 60000
	probe_in=outer is connected tcp 10.9.0.2 7000
}

@test "switch: a renewal holds from now on, also a shorter one" {
	load_table "${standard_rules[@]}" alive=60000
	ask renew 400
	sleep 0.6
	is ECONNREFUSED tcp 10.9.0.3 80
	ask renew 60000
	is connected tcp 10.9.0.3 80
	run ask renew 0
	[ "$status" = 1 ]
	[[ $output = *"has no time"* ]]
}

@test "switch: renewed all the time, no packet is lost" {
	mkfifo "$BATS_TEST_TMPDIR/hold"
	inner "$builddir/tests/live/egress-load" install "allow=udp 10.9.0.3 5009" alive=200 renew=1 <"$BATS_TEST_TMPDIR/hold" >/dev/null 3>&- &
	local keeper=$!
	exec 7>"$BATS_TEST_TMPDIR/hold"
	wait_for 20 sh -c 'ip netns exec inner nft list table inet quod >/dev/null 2>&1'
	probe pour udp 10.9.0.3 5009 28000000
	[[ $(ask counters) =~ denied_packets=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" = 0 ]
	[ "$(witness any)" = 20000 ]
	exec 7>&-
	wait "$keeper"
}

@test "budget: never more than it leaves, then connections end and new ones are refused" {
	load_table "allow=tcp 10.9.0.3 80-90" bytes=1048576
	run probe pour tcp 10.9.0.3 90 20000000
	[ "$status" = 0 ]
	[ "$(witness_bytes any)" -le 1048576 ]
	[ "$(witness_bytes any)" -gt 900000 ]
	is ECONNREFUSED tcp 10.9.0.3 80
	[ "$(witness_bytes any)" -le 1048576 ]
	[[ $(ask counters) =~ out=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -le 1048576 ]
	[ "${BASH_REMATCH[1]}" = "$(witness_bytes any)" ]
}

@test "budget: what was spent before counts" {
	load_table "allow=udp 10.9.0.3 5000" bytes=100000 spent=99900
	is reply udp 10.9.0.3 5000
	probe pour udp 10.9.0.3 5000 28000
	[ "$(witness_bytes any)" -le 100 ]
	clear_world
	load_table "allow=tcp 10.9.0.3 80" "allow=udp 10.9.0.3 5000" bytes=100000 spent=100000
	is ECONNREFUSED tcp 10.9.0.3 80
	is EPERM udp 10.9.0.3 5000
	clear_world
	load_table "allow=udp 10.9.0.3 5000" bytes=1000 spent=5000
	is EPERM udp 10.9.0.3 5000
	[ "$(witness any)" = 0 ]
}

@test "budget: none at all lets nothing out" {
	load_table "allow=udp 10.9.0.3 5000" "allow=tcp 10.9.0.3 80" bytes=0
	is EPERM udp 10.9.0.3 5000
	is ECONNREFUSED tcp 10.9.0.3 80
	[ "$(witness any)" = 0 ]
}

@test "budget: refused packets don't use it up" {
	load_table "allow=tcp 10.9.0.3 80" "allow=udp 10.9.0.3 5000" bytes=100000
	probe pour udp 10.9.0.5 5000 1400000
	is connected tcp 10.9.0.3 80
}

@test "rate: no more than it and one burst leaves" {
	load_table "allow=udp 10.9.0.3 5000" rate=1000000
	local begin=${EPOCHREALTIME/./} ms
	probe pour udp 10.9.0.3 5000 20000000
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	# a bucket of one second and the burst is full at the start
	[ "$(witness_bytes any)" -le $((1000000 + 131072 + ms * 1000)) ]
	[ "$(witness_bytes any)" -ge 500000 ]
	[[ $(ask counters) =~ denied_packets=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -gt 5000 ]
}

@test "rate: TCP lives with it" {
	load_table "allow=tcp 10.9.0.3 90" rate=4000000
	local begin=${EPOCHREALTIME/./} ms
	probe pour tcp 10.9.0.3 90 8000000
	arrived() { [ "$(witness_bytes any)" -ge 7900000 ]; }
	wait_for 30 arrived
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	[ "$ms" -ge 800 ]
	[ "$(witness_bytes any)" -le $((4000000 + 400000 + ms * 4000)) ]
}

@test "rate: one that can't be held is refused" {
	run load_table rate=0
	[ "$status" = 1 ]
	[[ $output = "error 22: rules: a rate of 0 bytes a second can't be held"* ]]
	run load_table rate=16000000001
	[ "$status" = 1 ]
	load_table rate=16000000000 "allow=tcp 10.9.0.3 80"
	is connected tcp 10.9.0.3 80
}

@test "install: a table that is there is another container's" {
	load_table "${standard_rules[@]}"
	run load_table "allow=tcp 10.9.0.5 80"
	[ "$status" = 1 ]
	[ "$output" = "error 17: network namespace: holds a table 'quod' already, of another container" ]
	is ECONNREFUSED tcp 10.9.0.5 80
	is connected tcp 10.9.0.3 80
}

@test "install: nothing is left of what is refused" {
	local wrong
	for wrong in alive=0 rate=0 "allow=any 10.9.0.3" "ingress=any 10.9.0.3 80" "allow=tcp 10.9.0.3 90-80" "allow=tcp 10.9.0.3-10.9.0.1 80"; do
		run load_table "$wrong"
		[ "$status" = 1 ]
		[[ $output = "error 22: "* ]]
	done
	[ "$(inspect)" = "table=0 dormant=0 owned=0 persistent=0 whole=0 alive=0" ]
}

@test "install: beside the rules that others have made there" {
	inner nft add table inet engine
	inner nft add chain inet engine out '{ type filter hook output priority 0; policy accept; }'
	inner nft add rule inet engine out accept
	load_table "${standard_rules[@]}"
	is ECONNREFUSED tcp 10.9.0.5 80
	inner nft list table inet engine | grep -q 'hook output'
}

@test "install: 65,000 networks" {
	timed load_table "${standard_rules[@]}" many=65000
	[ "$took_ms" -lt 30000 ]
	[ "$(elements allow4)" = 65003 ] # .3 and .4 touch
	inner nft get element inet quod allow4 '{ 11.0.0.7 . tcp . 443 }' >/dev/null
	inner nft get element inet quod allow4 '{ 11.15.222.112 . tcp . 443 }' >/dev/null
	run inner nft get element inet quod allow4 '{ 11.15.222.120 . tcp . 443 }'
	[ "$status" != 0 ]
	is connected tcp 10.9.0.3 80
	is ECONNREFUSED tcp 10.9.0.5 80
}

@test "install: networks that overlap in addresses and ports" {
	load_table nested=300 "allow=tcp 10.0.0.0-10.255.255.255 1-100" "allow=tcp 10.9.0.3 50-200" "allow=tcp 10.9.0.0-10.9.0.3 80" \
		"allow=tcp 10.9.0.3 50-200" "allow=udp ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 5000" "allow=udp fd09::3 1-9000" \
		"never=any 10.9.0.4 1" "never=any 10.9.0.4-10.9.0.5" "never=any 255.255.255.0-255.255.255.255" "deny=any 10.9.0.1" \
		"deny=any 10.9.0.0-10.9.0.1"
	is connected tcp 10.9.0.3 80
	is connected tcp 10.9.0.3 90
	is reply udp fd09::3 5000
	is reply udp fd09::3 5001
	is reply udp fd09::5 5000
	is EPERM udp fd09::5 5001
	is ECONNREFUSED tcp 10.9.0.5 80
	is ECONNREFUSED tcp 10.9.0.1 80
	is ECONNREFUSED tcp 10.9.0.3 7000
	inner nft get element inet quod allow4 '{ 20.0.0.255 . tcp . 29745 }' >/dev/null
	run inner nft get element inet quod allow4 '{ 20.0.0.255 . tcp . 29744 }'
	[ "$status" != 0 ]
}

@test "owner: nobody else changes the table, the host's root included" {
	hold_table "${standard_rules[@]}"
	[ "$(cat "$BATS_TEST_TMPDIR/held")" = owned ]
	inner nft flush ruleset
	for change in "delete table inet quod" "flush table inet quod" "flush chain inet quod out4" \
		"insert rule inet quod output accept" "add element inet quod allow4 { 10.9.0.5 . tcp . 80 }" \
		"chain inet quod output { policy accept; }" "delete element inet quod never4 { 127.0.0.0/8 }" \
		"add table inet quod { flags dormant; }"; do
		run inner nft "$change"
		[ "$status" != 0 ] || { echo "$change was done"; return 1; }
	done
	run ask renew 1000
	[[ $output = "error 1: "* ]]
	run ask adopt
	[[ $output = "error 1: "* ]]
	[ "$(inspect)" = "table=1 dormant=0 owned=1 persistent=1 whole=1 alive=1" ]
	is ECONNREFUSED tcp 10.9.0.5 80
	release_owner
}

@test "owner: when he dies the table stays in force, and the next can take it" {
	hold_table "${standard_rules[@]}"
	kill -9 "$(pgrep -P "$owner" || echo "$owner")"
	exec 7>&-
	wait_for 20 sh -c "ip netns exec inner $builddir/tests/live/egress-load inspect | grep -q owned=0"
	is ECONNREFUSED tcp 10.9.0.5 80
	is connected tcp 10.9.0.3 80
	ask adopt
	ask renew 30000
	[ "$(inspect)" = "table=1 dormant=0 owned=0 persistent=1 whole=1 alive=1" ]
}

@test "owner: one that takes a left table's place does so in one commit, and only when it has no owner" {
	local changes=$BATS_TEST_TMPDIR/changes monitor
	hold_table "${standard_rules[@]}"
	run load_table replaces=1 "allow=tcp 10.9.0.5 80"
	[[ $output = "error 1: "* ]]
	release_owner
	inner nft monitor </dev/null >"$changes" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	monitor=$!
	tried() { inner nft 'add table inet tried; delete table inet tried' && grep -q tried "$changes"; }
	wait_for 20 tried
	[ "$(load_table replaces=1 "allow=tcp 10.9.0.5 80")" = owned ]
	is connected tcp 10.9.0.5 80
	is ECONNREFUSED tcp 10.9.0.3 80
	wait_for 20 grep -q '^create table inet quod' "$changes"
	wait_for 20 sh -c "tail -n 1 '$changes' | grep -q generation"
	kill "$monitor"
	grep "table\|generation" "$changes"
	grep -q '^delete table inet quod' "$changes"
	run sed -n '/^delete table inet quod/,/^create table inet quod/p' "$changes"
	[[ $output != *generation* ]]
}

@test "inspect: what somebody has taken away or weakened is seen" {
	load_table "${standard_rules[@]}"
	[ "$(inspect)" = "table=1 dormant=0 owned=0 persistent=1 whole=1 alive=1" ]
	[ "$(elements never4)" = 5 ]
	inner nft add chain inet quod output '{ policy accept; }'
	[[ $(inspect) = *whole=0* ]]
	ask inspect | grep -x 'chain output: base=1 there=1 wanted=0 rules=3'
	inner nft add chain inet quod output '{ policy drop; }'
	[[ $(inspect) = *whole=1* ]]
	inner nft insert rule inet quod pass accept
	inner nft insert rule inet quod pass accept
	[[ $(inspect) = *whole=0* ]]
	clear_world
	inner nft add table inet quod '{ flags dormant; }'
	[[ $(inspect) = "table=1 dormant=1 "*whole=0* ]]
	clear_world
	[ "$(inspect)" = "table=0 dormant=0 owned=0 persistent=0 whole=0 alive=0" ]
}

@test "container: its root without CAP_NET_ADMIN can neither read nor change anything" {
	load_table "${standard_rules[@]}"
	local contained=(setpriv "--bounding-set=-net_admin,-sys_admin" --inh-caps=-all)
	for change in "list ruleset" "flush ruleset" "delete table inet quod" "add element inet quod allow4 { 10.9.0.5 . tcp . 80 }" "add table inet x"; do
		run inner "${contained[@]}" nft "$change"
		[ "$status" != 0 ]
	done
	run inner "${contained[@]}" ip link set eth0 down
	[ "$status" != 0 ]
	run inner "${contained[@]}" ip route add 10.99.0.0/24 dev lo
	[ "$status" != 0 ]
	run inner "${contained[@]}" "$builddir/tests/live/egress-load" renew 1000
	[[ $output = "error 1: "* ]]
	is ECONNREFUSED tcp 10.9.0.5 80
	[ "$(inspect)" = "table=1 dormant=0 owned=0 persistent=1 whole=1 alive=1" ]
}

@test "container: a user namespace of its own doesn't help it" {
	load_table "${standard_rules[@]}"
	local contained=(setpriv "--bounding-set=-net_admin,-sys_admin" --inh-caps=-all unshare --user --map-root-user)
	if inner "${contained[@]}" true; then
		run inner "${contained[@]}" nft flush ruleset
		[ "$status" != 0 ]
		# its own network namespace is an empty one
		inner "${contained[@]}" --net "$builddir/tests/live/egress-load" inspect | grep '^table=0 '
		inner "${contained[@]}" --net nft flush ruleset
	fi
	[ "$(inspect)" = "table=1 dormant=0 owned=0 persistent=1 whole=1 alive=1" ]
}

@test "netns: the host's is never entered, nor the own one" {
	# in this box pid 1's is the host's
	run inner "$builddir/tests/live/egress-load" enter 1
	[ "$status" = 1 ]
	[ "$output" = "error 1: network namespace: is the host's, which quod never touches" ]
	run "$builddir/tests/live/egress-load" enter $$
	[ "$status" = 1 ]
	[[ $output = "error 1: network namespace: is quod's own"* ]]
	local holder
	ip netns exec outer sleep 30 3>&- &
	holder=$!
	wait_for 20 grep -q sleep "/proc/$holder/comm"
	run "$builddir/tests/live/egress-load" enter "$holder"
	[ "$output" = entered ]
	kill "$holder"
	run nft list ruleset
	[ -z "$output" ]
}

@test "netns: it goes with its last process and the socket that owns its table" {
	ip netns add brief
	ip -n brief link add x0 type veth peer name x1
	ip -n brief link set x1 netns outer
	mkfifo "$BATS_TEST_TMPDIR/hold"
	ip netns exec brief "$builddir/tests/live/egress-load" install hold=1 <"$BATS_TEST_TMPDIR/hold" 3>&- &
	exec 7>"$BATS_TEST_TMPDIR/hold"
	wait_for 20 sh -c 'ip netns exec brief nft list table inet quod >/dev/null 2>&1'
	ip netns delete brief
	sleep 0.3
	outer ip link show x1 >/dev/null
	exec 7>&-
	wait_for 20 sh -c '! ip netns exec outer ip link show x1 2>/dev/null'
}
