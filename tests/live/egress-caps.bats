#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Caps in the table: bounds of a part of what is let out, by address and by what is learnt.
# shellcheck disable=SC2154 # from helpers.bash and egress.bash: builddir

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

# counted CAP: bytes that it has counted.
counted() { ask caps $(($1 + 1)) | sed -n "s/^cap$1=\([0-9]*\).*/\1/p"; }
is_spent() { ask caps $(($1 + 1)) | grep -qx "cap$1=[0-9]* spent"; }

@test "caps: never more than one leaves, then connections end and new ones are refused, and others go on" {
	load_table "allow=tcp 10.9.0.3 80-90" "allow=tcp 10.9.0.4 80" cap=1048576 "reach=tcp 10.9.0.3 80-90"
	run probe pour tcp 10.9.0.3 90 20000000
	[ "$status" = 0 ]
	[ "$(witness_bytes any)" -le 1048576 ]
	[ "$(witness_bytes any)" -gt 900000 ]
	[ "$(counted 0)" = "$(witness_bytes any)" ]
	is_spent 0
	is ECONNREFUSED tcp 10.9.0.3 80
	is connected tcp 10.9.0.4 80
	[ "$(counted 0)" -le 1048576 ]
	# the kernel's log says which one
	[[ $(inner nft list chain inet quod weigh) == *'0x51510007'* ]]
}

@test "caps: UDP and IPv6 count, by port and by network" {
	load_table "allow=udp 10.9.0.3 5000" "allow=udp fd09::3 5000" "allow=tcp fd09::3 80" cap=10000 "reach=udp 10.9.0.3 5000" \
		cap=20000 "reach=udp fd09::-fd09::ffff 1-6000"
	probe pour udp 10.9.0.3 5000 28000
	is_spent 0
	is EPERM udp 10.9.0.3 5000
	is reply udp fd09::3 5000
	probe pour udp fd09::3 5000 56000
	is_spent 1
	is EPERM udp fd09::3 5000
	is connected tcp fd09::3 80
	[ "$(counted 0)" -le 10000 ]
	[ "$(counted 0)" -gt 8000 ]
	[ "$(counted 1)" -le 20000 ]
	[ "$(counted 1)" -gt 18000 ]
}

@test "caps: what two cover counts in both, and what the smaller refuses not in the larger" {
	load_table "allow=udp 10.9.0.3 5000" "allow=udp 10.9.0.4 5000" cap=10000 "reach=udp 10.9.0.3 5000" \
		cap=30000 "reach=udp 10.9.0.0-10.9.0.255 0-65535"
	probe pour udp 10.9.0.3 5000 1400000
	is_spent 0
	[ "$(counted 0)" = "$(counted 1)" ]
	probe pour udp 10.9.0.4 5000 14000
	run is_spent 1
	[ "$status" != 0 ]
	probe pour udp 10.9.0.4 5000 1400000
	is_spent 1
	is EPERM udp 10.9.0.4 5000
	[ "$(witness_bytes any)" -le 30000 ]
	[ "$(counted 1)" = "$(witness_bytes any)" ]
}

@test "caps: what one refuses doesn't use up the whole budget" {
	load_table "allow=udp 10.9.0.3 5000" "allow=tcp 10.9.0.4 80" bytes=100000 cap=10000 "reach=udp 10.9.0.3 5000"
	probe pour udp 10.9.0.3 5000 1400000
	is connected tcp 10.9.0.4 80
}

@test "caps: what a name led to is counted, and goes on being counted when that has aged" {
	load_table names=1 cap=100000 "learn=0 tcp 10.9.0.3 80" "learn=0 udp fd09::3 5000"
	probe talk 10.9.0.3 80 say until="$BATS_TEST_TMPDIR/aged" say until="$BATS_TEST_TMPDIR/spent" say >"$BATS_TEST_TMPDIR/talk" 3>&- &
	local talk=$! before
	wait_for 20 grep -q reply "$BATS_TEST_TMPDIR/talk"
	[ "$(counted 0)" -gt 0 ]
	inner nft flush set inet quod cap0by4
	before=$(counted 0)
	touch "$BATS_TEST_TMPDIR/aged"
	more() { [ "$(counted 0)" -gt "$before" ]; }
	wait_for 20 more
	before=$(counted 0)
	is reply udp fd09::3 5000
	more
	ask move 0 0
	is_spent 0
	touch "$BATS_TEST_TMPDIR/spent"
	wait_for 20 grep -qE 'ECONNRESET|EPIPE|ECONNREFUSED' "$BATS_TEST_TMPDIR/talk"
	wait "$talk" || true
	is EPERM udp fd09::3 5000
}

@test "caps: an echo request that is learnt is counted, and what another name led to is not" {
	load_table names=1 cap=100000 "learn=0 icmp 10.9.0.3" "learn=tcp 10.9.0.4 80"
	is connected tcp 10.9.0.4 80
	[ "$(counted 0)" = 0 ]
	is reply ping 10.9.0.3
	[ "$(counted 0)" -gt 0 ]
}

@test "caps: answers to connections from outside count where they go" {
	load_table "ingress=tcp 0.0.0.0-255.255.255.255 7000" cap=100000 "reach=tcp 10.9.0.3 0-65535" cap=100000 "reach=tcp 10.9.0.4 0-65535"
	probe_in=outer is connected src=10.9.0.3 tcp 10.9.0.2 7000
	[ "$(counted 0)" -gt 0 ]
	[ "$(counted 1)" = 0 ]
}

@test "caps: what was spent before counts, and what is left can be moved" {
	load_table "allow=udp 10.9.0.3 5000" cap=10000+10000 "reach=udp 10.9.0.3 5000"
	is EPERM udp 10.9.0.3 5000
	[ "$(counted 0)" = 0 ]
	ask move 0 10000
	is reply udp 10.9.0.3 5000
	probe pour udp 10.9.0.3 5000 28000
	is EPERM udp 10.9.0.3 5000
	[ "$(witness_bytes any)" -le 10000 ]
}

@test "caps: as many as there can be are weighed, and a changed table is seen" {
	local options=() i
	for i in {1..24}; do options+=(cap=100000 "reach=udp 10.9.0.3 5000"); done
	load_table names=1 "allow=udp 10.9.0.3 5000" "${options[@]}"
	[[ $(ask inspect) == *whole=1* ]]
	is reply udp 10.9.0.3 5000
	[ "$(counted 23)" -gt 0 ]
	[ "$(counted 23)" = "$(counted 0)" ]
	inner nft flush chain inet quod caps4
	[[ $(ask inspect) == *whole=0* ]]
	clear_world
	load_table "allow=udp 10.9.0.3 5000" "${options[@]:0:4}"
	[[ $(ask inspect) == *whole=1* ]]
	inner nft flush chain inet quod weigh
	[[ $(ask inspect) == *whole=0* ]]
}
