#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl allow: one more place for a while, never past what is denied or never reachable.
# shellcheck disable=SC2154 # first, runtime: control.bash

load ../helpers
load ../control

setup_file() {
	load ../helpers
	load ../control
	install_quod
	write_profile web <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "allow": ["11.22.33.80:80"], "deny": ["11.22.33.82:*", "**.bad.test"] } }
	J
	make_small_world
}

teardown_file() {
	end_small_world
}

setup() {
	rm -rf /var/log/quod /var/lib/quod/*
	make_cable net1
	in_net1='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/net1" | .process.args = ["sleep", "60"]'
}

teardown() {
	end_all
	remove_cable net1
}

opens() {
	start web c1 "$in_net1"
	reaches 11.22.33.80 80
	not reaches 11.22.33.81 80
	run quodctl allow c1 11.22.33.81:80 --for 3s
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = 'c1: 11.22.33.81:80 is open for 3s' ]
	reaches 11.22.33.81 80
	not reaches 11.22.33.81 443
	[ "$(audited allow '"\(.container) \(.entry) \(.for_ms) \(.uid)"')" = 'c1 11.22.33.81:80 3000 0' ]
	run quodctl verify c1
	echo "$output"
	[ "$status" = 0 ]
	[[ $output = *"opened for a while besides"* ]]
	wait_for 10 not reaches 11.22.33.81 80
	reaches 11.22.33.80 80
	quodctl verify c1
	quod delete --force c1
}
@test "allow: an address is open for its time, and closed after it by the kernel" {
	both_runtimes opens
}

overlap() {
	start web c1 "$in_net1"
	quodctl allow c1 11.22.33.0/24:443 --for 1h
	reaches 11.22.33.81 443
	quodctl allow c1 11.22.33.81/32:* --for=2s
	reaches 11.22.33.81 80
	wait_for 10 not reaches 11.22.33.81 80
	reaches 11.22.33.81 443 # the longer one stands
	SUDO_USER=alice quodctl allow c1 11.22.33.0/24:443 --for 1s # anew: as it was said last
	[ "$(audited allow .sudo_user | tail -n 1)" = alice ]
	wait_for 10 not reaches 11.22.33.81 443
	[ "$(quodctl --json allow c1 10.9.9.9:80 --for unlimited | jq -r .for)" = 'as long as it runs' ]
	reaches 10.9.9.9 80
	# a gate that was lost comes back to what is open
	local gate
	gate=$(pgrep -x quod-gate)
	kill -KILL "$gate"
	wait_for 5 is_gone "$gate"
	wait_for 10 pgrep -x quod-gate
	reaches 10.9.9.9 80
	quodctl allow c1 11.22.33.81:443
	reaches 11.22.33.81 443
	quodctl halt c1
	not reaches 10.9.9.9 80
	quodctl release c1
	reaches 10.9.9.9 80
	quod delete --force c1
	start web c1 "$in_net1" # it ended with the container
	not reaches 10.9.9.9 80
	quod delete --force c1
}
@test "allow: what overlaps is open as long as the longest, whatever becomes of the gate, until the container ends" {
	both_runtimes overlap
}

refused() { # TEXT ENTRY...
	local text=$1 before
	shift
	before=$(audited allow .seq | wc -l)
	run quodctl allow c1 "$@"
	echo "$output"
	[ "$status" = 2 ]
	[[ $output = *"$text"* ]]
	[ "$(audited allow .seq | wc -l)" = "$before" ]
}

never() {
	start web c1 "$in_net1"
	refused 'denies all of it (egress.deny)' 11.22.33.82:80
	refused 'never reachable' 169.254.0.0/16:80
	refused 'never reachable' 127.0.0.0/8:80
	refused 'denies all of it (egress.deny)' x.bad.test:443
	refused 'at most 16 ports' good.test:1-99
	refused '@nonsense' @nonsense
	refused '' 'not an entry'
	refused '' 10.9.9.9
	refused 'is no time' 10.9.9.9:80 --for soon
	refused 'is no time' 10.9.9.9:80 --for 0s
	refused '' 10.9.9.9:80 10.9.9.8:80
	# a network that holds a never reachable address opens all but that; the address alone opens to its own name
	quodctl allow c1 0.0.0.0/0:80
	reaches 10.9.9.9 80
	not reaches 169.254.169.254 80
	not reaches 11.22.33.82 80
	quodctl allow c1 169.254.169.254:80
	reaches 169.254.169.254 80
	quod delete --force c1
}
@test "allow: a container whose profile allows no name has nobody who answers for one" {
	local runtime=runc
	write_profile bare <<<'{ "version": 1, "extends": "locked", "process": { "root": true }, "budgets": { "egress": "1M" }, "egress": { "allow": ["11.22.33.80:80"] } }'
	start bare c1 "$in_net1"
	refused 'nobody answers for names' good.test
	refused 'nobody answers for names' @npm
	quodctl allow c1 11.22.33.81:80
	reaches 11.22.33.81 80
}

@test "allow: never past what is denied, and past what is never reachable only by its exact address" {
	both_runtimes never
}
