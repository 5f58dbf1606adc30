#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Other rules for a container that runs: names that are allowed for a while.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile web <<-'J'
		{ "version": 1, "extends": "balanced", "audit": { "record": ["refusals", "dns"] },
		  "egress": { "dns": { "upstream": ["11.22.33.53"], "names_per_minute": "unlimited" },
		    "allow": ["good.test", "bare.test:5432"], "deny": ["bad.test"] } }
	J
	make_internet 5432
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		good.test A 20 11.22.33.80
		bare.test A 20 11.22.40.1
		later.test A 20 11.22.40.2
		other.test A 20 11.22.40.3
		inner.test A 20 10.1.2.3
		api.anthropic.com A 20 11.22.40.4
		bad.test A 20 11.22.33.66
	R
	serve_in internet socat -t 10 TCP4-LISTEN:80,reuseaddr,fork "SYSTEM:$srcdir/tests/live/verify-reply.sh"
	make_network one 1
}

teardown_file() {
	load ../helpers
	load ../names
	end_internet
}

setup() {
	load ../helpers
	load ../names
	start_container one web one
}

teardown() {
	end_container one web
}

fetches() { # NAME
	[ "$(inside curl -sS --max-time 8 "http://$1/")" = "$1 / 10.77.1.2 0" ]
}

found() { # NAME
	ask "$1"
	[ "$code" = NOERROR ]
}

@test "change: a name is allowed for its time: looked up, connected to by its name alone, and not any more after it" {
	ask later.test
	[ "$code" = NXDOMAIN ]
	run quodctl allow one later.test:80 --for 7s
	[ "$output" = 'one: later.test:80 is open for 7s' ]
	quodctl allow one other.test:5432 --for 1h
	fetches later.test
	fetches good.test
	not inside curl -sS --max-time 8 --connect-to other.test:80:11.22.40.2:80 http://other.test/
	not connects 11.22.40.2 443
	run quodctl why one later.test:80
	[ "$status" = 0 ]
	[[ $output = *"by quodctl allow 'later.test:80' ("*s' left)'* ]]
	run quodctl why one later.test:443
	[ "$status" = 1 ]
	[[ $(quodctl explain one) = *'opened for a while: later.test:80 ('*' left)'* ]]
	[ "$(quodctl explain --json one | jq -r '.opened[].entry' | xargs)" = 'other.test:5432 later.test:80' ]
	run quodctl verify one
	[ "$status" = 0 ]
	[[ $output = *"opened for a while besides"* ]]
	ask other.test
	connects 11.22.40.3 5432
	ask bad.test
	[ "$code" = NXDOMAIN ]
	[ "$(audit allow .entry | xargs)" = 'later.test:80 other.test:5432' ]
	wait_for 15 not found later.test
	not connects 11.22.40.2 80
	run quodctl why one later.test:80
	[ "$status" = 1 ]
	found other.test
	fetches good.test
	quodctl allow one other.test:5432 --for 1s # anew: as it was said last
	wait_for 10 not connects 11.22.40.3 5432
	not found other.test
}

@test "change: a warden that was lost comes back with the names that are allowed for a while, and without those that were" {
	local warden
	quodctl allow one later.test:80 --for 1h
	quodctl allow one other.test --for 1s
	fetches later.test
	wait_for 10 not found other.test
	warden=$(helper quod-warden)
	kill -KILL "$warden"
	wait_for 10 found later.test
	not found other.test
	found good.test
	fetches later.test
	kill -STOP "$(pgrep -x quod-warden)"
	run quodctl allow one other.test
	kill -CONT "$(pgrep -x quod-warden)"
	[ "$status" = 2 ]
	wait_for 10 found later.test
	not found other.test
}

@test "change: a group is opened as its entries are, and never past a network" {
	not found api.anthropic.com
	quodctl allow one @anthropic
	[ "$(audit allow .entry | tail -n 1)" = @anthropic ]
	found api.anthropic.com
	quodctl allow one inner.test:5432
	ask inner.test
	[ "$code $data" = 'NOERROR ' ]
	quodctl allow one inner.test:5432@10.1.0.0/16
	ask inner.test
	[ "$code $data" = 'NOERROR 10.1.2.3' ]
}
