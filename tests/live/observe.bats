#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# egress.mode "observe": everything passes, and is recorded as it would have been judged; budgets hold all the same.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile strict <<-'J'
		{ "version": 1, "extends": "balanced", "budgets": { "egress": "256K" },
		  "egress": { "dns": { "upstream": ["11.22.33.53"] }, "allow": ["11.22.33.80:80", "db.test:5432", "*.wild.test:5432"], "deny": ["bad.wild.test", "11.22.33.66:*"] } }
	J
	write_profile watch <<-'J'
		{ "version": 1, "extends": "strict", "egress": { "mode": "observe" } }
	J
	write_profile nothing <<-'J'
		{ "version": 1, "extends": "locked", "process": { "root": true }, "budgets": { "egress": "1M" }, "egress": { "mode": "observe", "dns": { "upstream": ["11.22.33.53"] } } }
	J
	make_internet
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		db.test A 20 11.22.33.80
		other.test A 20 11.22.33.54
		inner.test A 20 10.1.2.3
		bad.wild.test A 20 11.22.33.54
		x.wild.test A 20 10.1.2.4
	R
	make_network one 1
	start_container one watch one
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
}

teardown_file() {
	load ../helpers
	load ../names
	end_container one watch
	end_internet
}

setup() {
	load ../helpers
	load ../names
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
}

would() { # EVENT JQ-CONDITION: recorded as what would have been refused
	wait_for 8 has_audit "$1" ".container == \"one\" and .observed == true and ($2)"
}

@test "observe: what would be refused passes, and is recorded with the reason" {
	connects 11.22.33.80 443
	connects 11.22.33.66 80
	connects 2a0b::80 80
	would connect.refuse '.address == "11.22.33.80" and .port == 443 and .reason == "no entry allows it"'
	would connect.refuse '.address == "11.22.33.66" and .reason == "egress.deny"'
	would connect.refuse '.address == "2a0b::80"'
}

@test "observe: what is allowed passes without a word" {
	connects 11.22.33.80 80
	ask db.test
	[ "$data" = 11.22.33.80 ]
	connects 11.22.33.80 5432
	not connects 11.22.33.80 5433
	would connect.refuse '.address == "11.22.33.80" and .port == 5433 and .name == "db.test" and .reason == "the name is allowed, on other ports"'
	not has_audit connect.refuse '.address == "11.22.33.80" and (.port == 5432 or .port == 80)'
	not has_audit dns.refuse '.name == "db.test"'
}

@test "observe: names that would be refused are told, wherever they lead" {
	ask other.test
	[ "$code $data" = "NOERROR 11.22.33.54" ]
	connects 11.22.33.54 443
	ask inner.test
	[ "$data" = 10.1.2.3 ]
	ask bad.wild.test
	[ "$data" = 11.22.33.54 ]
	ask x.wild.test
	[ "$data" = 10.1.2.4 ]
	would dns.refuse '.name == "other.test" and .reason == "no entry allows it"'
	would dns.refuse '.name == "inner.test"'
	would dns.refuse '.name == "bad.wild.test"'
	would dns.refuse '.name == "x.wild.test" and .reason == "leads to an address that is not allowed"'
	would connect.refuse '.address == "11.22.33.54" and .reason == "no entry allows it"'
	[ ! -s "/proc/$pid/root/run/quod/denied.jsonl" ]
}

@test "observe: explain and verify say that nothing is enforced" {
	run quodctl explain --profile watch "$BATS_FILE_TMPDIR/bundle-one"
	echo "$output"
	[[ $output == *'egress: NOT ENFORCED'* ]]
	[[ $output == *'NOTHING is refused in the network'* ]]
	run quodctl verify one
	echo "$output"
	[ "$status" = 0 ]
	grep -q 'egress.mode .*NOT ENFORCED.*NOTHING IS REFUSED.*proven' <<<"$output"
	[[ $output != *'drops all but'* ]]
}

@test "observe: others may connect to any port" {
	inside "$client" serve 8080 </dev/null >/dev/null 2>&1 3>&- &
	local server=$!
	wait_for 5 timeout 3 bash -c 'exec 3<>/dev/tcp/10.77.1.2/8080'
	kill "$server"
}

# flips: egress.mode
@test "observe: enforced again, the same things are refused" {
	make_network two 2
	start_container two strict two
	not connects 11.22.33.80 443
	not connects 11.22.33.66 80
	ask other.test
	[ "$code" = NXDOMAIN ]
	inside "$client" serve 8080 </dev/null >/dev/null 2>&1 3>&- &
	local server=$!
	not timeout 3 bash -c 'exec 3<>/dev/tcp/10.77.2.2/8080'
	kill "$server"
	end_container two strict
}

@test "observe: a profile that allows nothing observes all the same" {
	make_network three 3
	start_container three nothing three
	ask other.test
	[ "$data" = 11.22.33.54 ]
	connects 11.22.33.54 443
	wait_for 8 has_audit dns.refuse '.container == "three" and .name == "other.test" and .observed'
	wait_for 8 has_audit connect.refuse '.container == "three" and .address == "11.22.33.54" and .observed'
	end_container three nothing
}

@test "observe: the profile that quodctl learns lets just that pass" {
	write_profile plain <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "verify_name": false, "dns": { "upstream": ["11.22.33.53"] }, "deny": ["11.22.33.66:*"] } }
	J
	ask other.test
	connects 11.22.33.54 443
	connects 11.22.33.66 80
	would connect.refuse '.address == "11.22.33.54" and .port == 443 and .name == "other.test"'
	would connect.refuse '.address == "11.22.33.66"'
	quodctl learn --base plain one >"$BATS_TEST_TMPDIR/learnt.json"
	cat "$BATS_TEST_TMPDIR/learnt.json"
	quodctl profile check "$BATS_TEST_TMPDIR/learnt.json"
	grep -q '^ *"other.test:443"' "$BATS_TEST_TMPDIR/learnt.json"
	grep -q '// .*left out: 11.22.33.66:80' "$BATS_TEST_TMPDIR/learnt.json"
	write_profile learnt <"$BATS_TEST_TMPDIR/learnt.json"
	make_network four 4
	start_container four learnt four
	ask other.test
	[ "$data" = 11.22.33.54 ]
	connects 11.22.33.54 443
	not connects 11.22.33.54 80
	not connects 11.22.33.66 80
	ask never-seen.test
	[ "$code" = NXDOMAIN ]
	end_container four learnt
}

@test "observe: a budget holds" {
	inside bash -c "dd if=/dev/zero bs=1000 count=500 >/dev/udp/11.22.33.99/9" 2>/dev/null || :
	not connects 11.22.33.80 80
	wait_for 8 has_audit budget.spent '.container == "one" and .budget == "egress"'
}
