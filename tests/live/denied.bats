#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What is refused a container: told at once, in the audit trail and at /run/quod/denied.jsonl inside, with the reason.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile denied <<-'J'
		{ "version": 1, "extends": "balanced",
		  "egress": { "verify_name": false, "dns": { "upstream": ["11.22.33.53"] },
		    "allow": ["good.test", "11.22.33.0/24:80", "[2a0b::/64]:80"], "deny": ["11.22.33.66:*", "[2a0b::66]:*"] } }
	J
	write_profile plain <<-'J'
		{ "version": 1, "extends": "locked", "process": { "root": true }, "budgets": { "egress": "4K" }, "egress": { "allow": ["11.22.33.80:80"] } }
	J
	write_profile mute <<-'J'
		{ "version": 1, "extends": "locked", "process": { "root": true }, "budgets": { "egress": "1M" }, "audit": { "record": ["exec"] }, "egress": { "allow": ["11.22.33.80:80"] } }
	J
	make_internet
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		good.test A 20 11.22.33.54
	R
	make_network one 1
	start_container one denied one
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
	make_network two 2
	start_container two plain two
	echo "$pid" >"$BATS_FILE_TMPDIR/pid2"
}

teardown_file() {
	load ../helpers
	load ../names
	end_container one denied
	end_container two plain
	end_internet
}

setup() {
	load ../helpers
	load ../names
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
}

told() { # JQ-CONDITION: a line of denied.jsonl, as the container $pid reads it
	jq -e "select($1)" "/proc/$pid/root/run/quod/denied.jsonl" | grep -q .
}

# refused JQ-CONDITION: in the trail and inside.
refused() {
	wait_for 8 has_audit connect.refuse "$1" && wait_for 8 told ".event == \"connect.refuse\" and ($1)"
}

@test "denied: what no entry allows, what a deny covers, and what is never reachable, each with its reason" {
	not connects 11.22.33.54 22
	not connects 11.22.33.66 80
	not connects 169.254.169.254 80
	refused '.address == "11.22.33.54" and .port == 22 and .protocol == "tcp" and .reason == "no entry allows it" and .name == null'
	refused '.address == "11.22.33.66" and .port == 80 and .reason == "egress.deny"'
	refused '.address == "169.254.169.254" and .port == 80 and (.reason | startswith("never reachable"))'
}

@test "denied: what quod itself tries, at the start and to verify, is nobody's doing" {
	quodctl verify one | grep -q '192.0.2.1:9 refused'
	not connects 11.22.33.54 23
	refused '.address == "11.22.33.54" and .port == 23'
	not told '.address == "192.0.2.1" or .port == 1443'
	not has_audit connect.refuse '.address == "192.0.2.1" or .port == 1443'
	not connects 192.0.2.1 10
	refused '.address == "192.0.2.1" and .port == 10'
}

@test "denied: IPv6, UDP and ping as well" {
	not connects 2a0b::80 81
	not connects 2a0b::66 80
	not inside bash -c 'echo x >/dev/udp/11.22.33.54/9'
	not inside busybox ping -c 1 -W 1 11.22.33.54
	refused '.address == "2a0b::80" and .port == 81 and .protocol == "tcp"'
	refused '.address == "2a0b::66" and .reason == "egress.deny"'
	refused '.address == "11.22.33.54" and .port == 9 and .protocol == "udp"'
	refused '.address == "11.22.33.54" and .port == null and .protocol == "icmp"'
}

@test "denied: where only the port is wrong, it says so, by name" {
	ask good.test
	[ "$data" = 11.22.33.54 ]
	connects 11.22.33.54 80
	not connects 11.22.33.54 2222
	refused '.address == "11.22.33.54" and .port == 2222 and .name == "good.test" and .reason == "the name is allowed, on other ports"'
}

@test "denied: names that are refused are told inside as well" {
	ask bad.test
	wait_for 8 has_audit dns.refuse '.name == "bad.test"'
	wait_for 8 told '.event == "dns.refuse" and .name == "bad.test" and .type == "A" and .reason == "no entry allows it"'
}

@test "denied: without names a warden reads denials alone, and holds nothing" {
	local warden kib
	pid=$(cat "$BATS_FILE_TMPDIR/pid2")
	not connects 11.22.33.54 80
	refused '.address == "11.22.33.54" and .port == 80'
	has_audit connect.refuse '.container == "two" and .address == "11.22.33.54"'
	warden=$(helper_of two warden)
	grep -qx 'Uid:	64533	64533	64533	64533' "/proc/$warden/status"
	[ "$(grep -c '^Cap.*0000000000000000$' "/proc/$warden/status")" = 5 ]
	grep -qx 'Seccomp:	2' "/proc/$warden/status"
	readlink "/proc/$warden/fd/"* | not grep -vE '^(socket:|/dev/null$)'
	kib=$(awk '/^Pss:/ { print $2 }' "/proc/$warden/smaps_rollup")
	echo "# $kib kB" >&3
	[ "$kib" -lt 500 ]
}

@test "denied: a budget that is spent is a reason of its own" {
	pid=$(cat "$BATS_FILE_TMPDIR/pid2")
	inside timeout 3 bash -c 'head -c 100000 /dev/zero >/dev/tcp/11.22.33.80/80' || :
	not connects 11.22.33.80 80
	refused '.address == "11.22.33.80" and .reason == "budgets.egress is spent"'
}

@test "denied: a profile that does not record refusals leaves them out of the trail, and tells them inside" {
	make_network three 3
	start_container three mute three
	not connects 11.22.33.54 80
	wait_for 8 told '.address == "11.22.33.54"'
	end_container three mute
	not has_audit connect.refuse '.container == "three"'
}

@test "denied: a flood is summed up, and the file inside keeps the last 256 at one length" {
	local records before size
	make_network four 4
	start_container four plain four
	records=$(wc -l </var/log/quod/audit.jsonl)
	before=$(awk '/^Pss:/ { print $2 }' "/proc/$(helper_of four warden)/smaps_rollup")
	inside bash -c 'for i in {1..5000}; do echo x >/dev/udp/11.22.33.54/$((10000 + i)); done' 2>/dev/null || :
	wait_for 20 has_audit connect.refuse '.container == "four" and .address == null and .repeated > 1000'
	[ $(($(wc -l </var/log/quod/audit.jsonl) - records)) -lt 100 ]
	size=$(stat -c %s "/proc/$pid/root/run/quod/denied.jsonl")
	[ $((size % 640)) = 0 ]
	[ "$size" -le $((256 * 640)) ]
	[ "$(awk '{ print length }' "/proc/$pid/root/run/quod/denied.jsonl" | sort -u)" = 639 ]
	jq -e . "/proc/$pid/root/run/quod/denied.jsonl" >/dev/null
	echo "# $before kB, then $(awk '/^Pss:/ { print $2 }' "/proc/$(helper_of four warden)/smaps_rollup") kB" >&3
	[ "$(awk '/^Pss:/ { print $2 }' "/proc/$(helper_of four warden)/smaps_rollup")" -lt $((before + 100)) ]
	end_container four plain
}

@test "denied: packets that lie about themselves are refused, and harm nobody" {
	local warden
	warden=$(helper_of one warden)
	kill -0 "$warden"
	run inside "$builddir/tests/live/egress-probe" options 11.22.33.54 4712
	run inside "$builddir/tests/live/egress-probe" routed 2a0b::54 4712 2a0b::53
	run inside "$builddir/tests/live/egress-probe" fragment 11.22.33.54 4712 8 nodefrag
	run inside "$builddir/tests/live/egress-probe" raw 11.22.33.54 132 4712
	not connects 11.22.33.54 4711
	refused '.address == "11.22.33.54" and .port == 4711'
	kill -0 "$warden"
}
