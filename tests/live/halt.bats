#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl halt and release: what is halted moves no more and says nothing more, and nobody but an administrator undoes it.

load ../helpers
load ../control

setup_file() {
	load ../helpers
	load ../control
	install_quod
	write_profile web <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "allow": ["11.22.33.80:80"] } }
	J
	write_profile other <<<'{ "version": 1, "extends": "web" }'
	write_profile brief <<<'{ "version": 1, "extends": "web", "budgets": { "wall": "2s", "grace": "0s" } }'
	write_profile open <<<'{ "version": 1, "extends": "web", "guard": "network" }'
	make_small_world
}

teardown_file() {
	end_small_world
}

setup() {
	rm -rf /var/log/quod /var/lib/quod/*
	make_cable net1
	in_net1='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/net1"'
	ticks='.process.args = ["sh", "-c", "while :; do echo x; sleep 0.02; done"]'
}

teardown() {
	end_all
	remove_cable net1
}

lines() { wc -l <"$BATS_TEST_TMPDIR/out.${1-c1}"; }

has_grown() { [ "$(lines)" -gt "$1" ]; }

stands_still() {
	local before
	before=$(lines)
	sleep 0.3
	[ "$(lines)" = "$before" ]
}

halts() {
	start web c1 "$in_net1 | $ticks"
	reaches 11.22.33.80 80
	wait_for 5 has_grown 0
	run quodctl --json halt c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$(jq -r '.[] | "\(.id) \(.processes) \(.network) \(.done)"' <<<"$output")" = 'c1 frozen closed true' ]
	is_frozen "$first"
	stands_still
	not reaches 11.22.33.80 80
	[ "$(quodctl --json ps | jq -r '.[] | select(.id == "c1").status')" = halted ]
	[[ $(quodctl ps) = *halted* ]]
	[ "$(audited halt '"\(.container) \(.profile) \(.uid) \(.scope) \(.processes) \(.network)"')" = 'c1 web 0 container frozen closed' ]
	# what is halted is proven to be so
	run quodctl verify c1
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *"closed: it is halted"* ]]
	run quodctl release c1
	echo "$output"
	[ "$status" = 0 ]
	is_thawed "$first"
	wait_for 5 has_grown "$(lines)"
	reaches 11.22.33.80 80
	[ "$(audited release '"\(.container) \(.uid)"')" = 'c1 0' ]
	quodctl verify c1
	run quodctl release c1
	[ "$status" = 1 ]
	[[ $output = *"c1 is not halted"* ]]
	quod delete --force c1
}
@test "halt: processes stand still and the network is closed until the release" {
	both_runtimes halts
}

keeps() {
	start web c1 "$in_net1 | $ticks"
	quodctl halt c1
	local command
	for command in 'exec c1 true' 'resume c1' 'start c1' 'pause c1' 'checkpoint c1'; do
		# shellcheck disable=SC2086 # words
		run quod $command
		echo "$output"
		[ "$status" = 1 ]
		[[ $output = *"is halted (quodctl release c1)"* ]]
	done
	# behind quod's back, by the runtime alone and by hand
	"$runtime" resume c1 || :
	wait_for 5 is_frozen "$first"
	thaw_behind "$first"
	wait_for 5 is_frozen "$first"
	stands_still
	not reaches 11.22.33.80 80
	quodctl halt c1 # once more changes nothing
	quodctl release c1
	wait_for 5 is_thawed "$first"
	quod exec c1 true
	quod delete --force c1
}
@test "halt: no exec, resume, pause or checkpoint, and what is thawed behind quod's back is frozen again" {
	both_runtimes keeps
}

dies_when_killed() {
	local round
	for round in 1 2 3; do
		start web c1 "$in_net1 | $ticks"
		quodctl halt c1
		kill -KILL "$first" # by nobody who would thaw it
		wait_for 10 is_gone "$first"
		quodctl release c1
		quod delete --force c1
	done
}
@test "halt: what is killed dies, though it stands still" {
	both_runtimes dies_when_killed
}

keeps_its_gate_closed() {
	start web c1 "$in_net1 | $ticks"
	quodctl halt c1
	local gate
	gate=$(pgrep -x quod-gate)
	kill -KILL "$gate"
	wait_for 5 is_gone "$gate"
	wait_for 8 pgrep -x quod-gate
	sleep 1.5
	not reaches 11.22.33.80 80
	table_says_closed
	quodctl release c1
	reaches 11.22.33.80 80
	quod delete --force c1
}
@test "halt: a gate that was started again stays closed" {
	both_runtimes keeps_its_gate_closed
}

outlives_delete() {
	start web c1 "$in_net1 | $ticks"
	quodctl halt c1
	quod kill c1 KILL
	wait_for 10 is_gone "$first"
	wait_for 5 quod delete c1
	run create web c1 "$in_net1 | $ticks"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"container c1 is halted (quodctl release c1)"* ]]
	[ -z "$(state_dir c1)" ]
	quodctl release c1
	start web c1 "$in_net1 | $ticks"
	quod delete --force c1
}
@test "halt: a container that is deleted and created again is still halted" {
	both_runtimes outlives_delete
}

halts_a_profile() {
	ip netns add net2
	ip -n net2 link set lo up
	local in_net2='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/net2"' other
	start other c2 "$in_net2 | $ticks"
	other=$first
	start web c1 "$in_net1 | $ticks"
	quodctl halt --profile web
	is_frozen "$first"
	is_thawed "$other"
	run create web c3
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"profile 'web' is halted (quodctl release --profile web)"* ]]
	quodctl release c1 # one of them alone
	is_thawed "$first"
	run create web c3
	[ "$status" = 1 ]
	quodctl halt --all
	is_frozen "$first"
	is_frozen "$other"
	run create other c3
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"everything is halted (quodctl release --all)"* ]]
	quodctl release --profile other
	is_thawed "$other"
	is_frozen "$first"
	quodctl release --all
	is_thawed "$first"
	create web c3
	run quodctl halt --profile no-such
	echo "$output"
	[ "$status" = 2 ]
	[[ $output = *"there is no profile 'no-such'"* ]]
	local id
	for id in c1 c2 c3; do quod delete --force "$id"; done
	ip netns del net2
	quodctl audit verify
}
@test "halt: --profile and --all stop what is there and what would come" {
	both_runtimes halts_a_profile
}

halts_the_created() {
	create web c1 "$in_net1 | $ticks"
	quodctl halt c1
	run quod start c1
	[ "$status" = 1 ]
	[[ $output = *"is halted"* ]]
	[ "$(lines)" = 0 ]
	quodctl release c1
	quod start c1
	wait_for 5 has_grown 0
	quod delete --force c1
}
@test "halt: what was only created is not started" {
	both_runtimes halts_the_created
}

ends_all_the_same() {
	start brief c1 "$in_net1 | $ticks"
	quodctl halt c1
	wait_for 10 is_gone "$first"
	grep -q '^ended wall 2s spent' /var/lib/quod/ledger/*
	quodctl release c1
	quod delete --force c1
	rm -rf /var/lib/quod/ledger
}
@test "halt: its wall budget goes on and ends it" {
	both_runtimes ends_all_the_same
}

stays_paused() {
	start web c1 "$in_net1 | $ticks"
	quod pause c1
	is_frozen "$first"
	quodctl halt c1
	run quodctl --json release c1
	echo "$output"
	[ "$(jq -r '.[].processes' <<<"$output")" = paused ]
	is_frozen "$first"
	quod resume c1
	wait_for 5 is_thawed "$first"
	quod delete --force c1
}
@test "halt: what its engine had paused before is paused after" {
	both_runtimes stays_paused
}

freezes_unguarded() {
	start open c1 "$in_net1 | $ticks"
	local guardian
	guardian=$(jq .pid "$(state_dir c1)/guardian")
	kill -KILL "$guardian"
	wait_for 5 is_gone "$guardian"
	run quodctl --json halt c1
	echo "$output"
	[ "$status" = 1 ]
	[ "$(jq -r '.[].processes' <<<"$output")" = 'frozen, unguarded' ]
	is_frozen "$first"
	thaw_behind "$first"
	rm -rf /run/quod/halts
	quod delete --force c1
}
@test "halt: without a guardian it is frozen all the same, and what can't be held is said" {
	both_runtimes freezes_unguarded
}

is_out_of_reach() {
	start web c1 "$in_net1 | .process.args = [\"sleep\", \"60\"]"
	local dir
	dir=$(state_dir c1)
	[ "$(stat -c '%a %u' "$dir")" = '700 0' ]
	[ -S "$dir/control" ]
	# inside there is what it is told, and no socket; and no socket without a name leads out
	[ "$(quod exec c1 sh -c 'find / -xdev -type s 2>/dev/null; ls /run/quod')" = $'denied.jsonl\nlimits.json' ]
	not grep -q '@.*quod' /proc/net/unix
	# who starts containers can't ask for it
	run create web c2 ".mounts += [{\"destination\": \"/mnt\", \"type\": \"bind\", \"source\": \"$dir\", \"options\": [\"rbind\"]}]"
	echo "$output"
	[ "$status" = 1 ]
	quodctl halt c1
	quodctl release c1
	quod delete --force c1
}
@test "halt: the guardian's ear is out of the container's reach" {
	both_runtimes is_out_of_reach
}
