#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The gate by itself: gate-run plays the guardian in a network namespace that ends with it.
# shellcheck disable=SC2154 # builddir is helpers.bash's

setup() {
	load ../helpers
	load_program=$builddir/tests/live/egress-load
}

# gate STEP...: in a network namespace of its own.
gate() {
	run unshare --net -- "$builddir/tests/live/gate-run" "$@"
	printf '%s\n' "$output"
}

has() {
	grep -qxF -- "$1" <<<"$output" || { printf 'missing: %s\n' "$1"; return 1; }
}

@test "gate: it beats with one capability, three descriptors beside the standard ones, a filter, and no core" {
	gate beat status
	has "beat: error=0 out=0 in=0 denied=0"
	has "Name:	quod-gate"
	has "CapPrm:	0000000000001000"
	has "CapEff:	0000000000001000"
	has "CapBnd:	0000000000001000"
	has "CapInh:	0000000000000000"
	has "CapAmb:	0000000000000000"
	has "NoNewPrivs:	1"
	has "Seccomp:	2"
	has "fds: 7"
	grep -qE '^Max core file size +0 +0 ' <<<"$output"
}

@test "gate: a system call that it has no use for ends it" {
	gate beat intrude ended=1000
	has "ended by signal 31"
}

@test "gate: as long as it is asked to, the switch stays" {
	gate alive=600 beats=8:200 "sh=$load_program inspect | grep -o ' alive=.'"
	has " alive=1"
}

@test "gate: a silent guardian lets the switch lapse, a beat restores it" {
	gate alive=400 beat sleep=700 "sh=$load_program inspect | grep -o ' alive=.'" beat \
		"sh=$load_program inspect | grep -o 'owned=.\| alive=.'"
	[ "$(grep -c ' alive=0' <<<"$output")" = 1 ]
	[ "$(grep -c ' alive=1' <<<"$output")" = 1 ]
	has "owned=1"
}

@test "gate: a last count renews nothing" {
	gate alive=600 beat sleep=400 count sleep=400 "sh=$load_program inspect | grep -o ' alive=.'"
	[ "$(grep -c 'beat: error=0' <<<"$output")" = 2 ]
	has " alive=0"
}

@test "gate: it ends with the channel, the table stays and closes by itself" {
	gate alive=400 beat close ended=1000 sleep=600 "sh=$load_program inspect | head -n 1"
	has "ended 0"
	has "table=1 dormant=0 owned=0 persistent=1 whole=1 alive=0"
}

@test "gate: it ends with a guardian that is killed, and the network closes" {
	local guardian gate holder
	unshare --net -- "$builddir/tests/live/gate-run" alive=800 beats=1000:100 >"$BATS_TEST_TMPDIR/run" 2>&1 3>&- &
	guardian=$!
	wait_for 20 grep -q 'beat: error=0' "$BATS_TEST_TMPDIR/run"
	gate=$(cat "/proc/$guardian/task/$guardian/children")
	gate=${gate// /}
	[ "$(cat "/proc/$gate/comm")" = quod-gate ]
	# keeps the namespace, as the container's processes would
	nsenter --net="/proc/$guardian/ns/net" sleep 20 3>&- &
	holder=$!
	wait_for 20 grep -q sleep "/proc/$holder/comm"
	nsenter --net="/proc/$holder/ns/net" "$load_program" inspect | grep ' alive=1'
	kill -9 "$guardian"
	wait_for 20 is_gone "$gate"
	sleep 1
	nsenter --net="/proc/$holder/ns/net" "$load_program" inspect >"$BATS_TEST_TMPDIR/after"
	kill "$holder"
	grep 'table=1 .* whole=1 alive=0' "$BATS_TEST_TMPDIR/after"
}

@test "gate: another's change of an unowned table is told, its own renewals and what lapses are not" {
	gate orphan=1 alive=300 beat changed=100 sleep=1500 changed=100 beat \
		"sh=nft add element inet quod never4 '{ 192.0.2.7 }'" changed=1000 beat changed=100
	[ "$(grep -c '^unchanged$' <<<"$output")" = 3 ]
	[ "$(grep -c '^changed$' <<<"$output")" = 1 ]
}

@test "gate: a table of another name is nobody's business" {
	gate orphan=1 beat "sh=nft add table inet other" "sh=nft add chain inet other c" changed=200
	has "unchanged"
}

@test "gate: news that were lost are taken for a change, unless nobody can change the table" {
	local flood="nft add table inet other; nft add set inet other s '{ type ipv4_addr; }'"
	flood+="; nft add element inet other s '{ $(printf '10.0.0.%s,' {1..250}) }'"
	gate orphan=1 beat pause "sh=$flood" resume changed=200
	has "unchanged"
	gate orphan=1 deaf=1 beat pause "sh=$flood" resume changed=6000
	has "changed"
	gate deaf=1 beat pause "sh=$flood" resume changed=200 beat
	has "unchanged"
}

@test "gate: a flushed ruleset is told, and the next beat says that the table is gone" {
	gate orphan=1 beat "sh=nft flush ruleset" changed=6000 beat
	has "changed"
	has "beat: error=2 out=0 in=0 denied=0"
}

@test "gate: the root of the host can't flush the table that it owns" {
	gate beat "sh=nft flush ruleset" "sh=nft delete table inet quod" "sh=nft add element inet quod allow4 '{ 192.0.2.7 . tcp . 443 }'" \
		changed=200 beat "sh=$load_program inspect | head -n 1"
	has "unchanged"
	[ "$(grep -c '^sh: 1$' <<<"$output")" = 2 ]
	has "table=1 dormant=0 owned=1 persistent=1 whole=1 alive=1"
}

@test "gate: a message that it doesn't know ends it" {
	gate beat garbage ended=1000
	has "ended 1"
}

learnt() {
	echo "sh=$load_program inspect | grep '^set learnt4'"
}

@test "gate: what the warden names is in the set when it answers, up to the most that one message holds" {
	gate "learn=1:6:60000" "$(learnt)" "learn=128:6:60000" "$(learnt)"
	[ "$(grep -cx 'learn: number=7 error=0' <<<"$output")" = 2 ]
	has "set learnt4: there=1 elements=1"
	has "set learnt4: there=1 elements=128"
}

@test "gate: what was learnt ages, and learnt again begins anew" {
	gate "learn=2:6:600" sleep=400 "learn=1:6:600" sleep=400 "$(learnt)" sleep=500 "$(learnt)"
	has "set learnt4: there=1 elements=1"
	has "set learnt4: there=1 elements=0"
}

@test "gate: what is no opening is not learnt, and nothing beside it is" {
	gate "learn=0:6:60000" "learn=129:6:60000" "learn=1:1:60000" "learn=1:132:60000" "learn=1:6:0" "$(learnt)" beat
	[ "$(grep -cx 'learn: number=7 error=22' <<<"$output")" = 5 ]
	has "set learnt4: there=1 elements=0"
	has "beat: error=0 out=0 in=0 denied=0"
}

@test "gate: a warden that says what none says is not heard again, and the beat goes on" {
	gate babble "learn=1:6:60000" beat "$(learnt)"
	has "learn: no answer"
	has "set learnt4: there=1 elements=0"
	has "beat: error=0 out=0 in=0 denied=0"
}

@test "gate: a lifetime beyond an hour is none that a warden says" {
	gate "learn=1:6:3600001" beat "$(learnt)"
	has "learn: no answer"
	has "set learnt4: there=1 elements=0"
	has "beat: error=0 out=0 in=0 denied=0"
}

@test "gate: what goes by way of the warden has a set of its own, for TCP alone" {
	gate "named=3:6:60000" "$(learnt)" "sh=$load_program inspect | grep '^set named4'" "named=1:17:60000" "named=1:6:60000!" "sh=$load_program inspect | grep '^set named4'"
	[ "$(grep -cx 'learn: number=7 error=0' <<<"$output")" = 1 ]
	[ "$(grep -cx 'learn: number=7 error=22' <<<"$output")" = 2 ]
	has "set learnt4: there=1 elements=0"
	[ "$(grep -cx 'set named4: there=1 elements=3' <<<"$output")" = 2 ]
}

@test "gate: a socket's mark says which of the table's caps count it, and of no other cap is heard" {
	gate socket=4:1 socket=6:3 beat
	has "socket: number=7 error=0 descriptor=1 mark=151"
	has "socket: number=7 error=0 descriptor=1 mark=351"
	has "beat: error=0 out=0 in=0 denied=0"
	gate socket=4:4 socket=4 beat
	[ "$(grep -cx 'socket: no answer' <<<"$output")" = 2 ]
	has "beat: error=0 out=0 in=0 denied=0"
}

@test "gate: it makes sockets with the warden's mark, of the two families alone" {
	gate socket=4 socket=6 socket=0 socket=1 socket=4 beat
	[ "$(grep -cx 'socket: number=7 error=0 descriptor=1 mark=51' <<<"$output")" = 3 ]
	[ "$(grep -cx 'socket: number=7 error=22 descriptor=0 mark=0' <<<"$output")" = 2 ]
	has "beat: error=0 out=0 in=0 denied=0"
}
