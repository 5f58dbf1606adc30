#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# audit.record "connections": each connection that was let out, when it begins and when it has ended, with the entry that let
# it out, the name that led there, its bytes and its time.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile recorded <<-'J'
		{ "version": 1, "extends": "balanced", "audit": { "record": ["connections"] },
		  "egress": { "verify_name": false, "dns": { "upstream": ["11.22.33.53"] },
		    "allow": ["good.test", "*.wild.test:5432", "11.22.33.66:80", "11.22.33.54:9/udp", "11.22.40.0/24:443"] },
		  "ingress": { "allow": ["8080"] } }
	J
	write_profile plain <<-'J'
		{ "version": 1, "extends": "recorded", "audit": { "record": ["refusals"] } }
	J
	write_profile byaddress <<-'J'
		{ "version": 1, "extends": "locked", "process": { "root": true }, "budgets": { "egress": "100M" }, "audit": { "record": ["connections"] },
		  "egress": { "allow": ["11.22.33.0/24:80", "@public:443"] } }
	J
	make_internet
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		good.test A 20 11.22.33.80
		x.wild.test A 20 11.22.33.80
	R
	serve_in internet socat -u TCP-LISTEN:7443,fork,reuseaddr OPEN:/dev/null
	make_network one 1
	start_container one recorded one
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
}

teardown_file() {
	load ../helpers
	load ../names
	end_container one recorded || :
	end_internet
}

setup() {
	load ../helpers
	load ../names
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
}

@test "connections: one by name tells name, entry, address and port" {
	ask good.test
	connects 11.22.33.80 80
	wait_for 8 has_audit connect.open '.container == "one" and .name == "good.test" and .entry == "good.test" and .address == "11.22.33.80" and .port == 80 and .protocol == "tcp"'
}

@test "connections: the entry is the one that let it out" {
	ask x.wild.test
	connects 11.22.33.80 5432
	wait_for 8 has_audit connect.open '.port == 5432 and .entry == "*.wild.test:5432"'
	connects 11.22.33.66 80
	wait_for 8 has_audit connect.open '.address == "11.22.33.66" and .entry == "11.22.33.66:80" and .name == null'
	connects 11.22.40.7 443
	wait_for 8 has_audit connect.open '.address == "11.22.40.7" and .entry == "11.22.40.0/24:443"'
	inside bash -c 'echo x >/dev/udp/11.22.33.54/9'
	wait_for 8 has_audit connect.open '.address == "11.22.33.54" and .port == 9 and .protocol == "udp" and .entry == "11.22.33.54:9/udp"'
}

@test "connections: what was refused, what stays inside, what comes in and DNS are no connections out" {
	not connects 11.22.33.54 22
	not connects 11.22.33.66 81
	inside "$client" serve 8080 </dev/null >/dev/null 2>&1 3>&- &
	local server=$!
	wait_for 5 timeout 3 bash -c 'exec 3<>/dev/tcp/10.77.1.2/8080'
	connects 127.0.0.1 8080
	kill "$server"
	ask good.test @8.8.8.8
	connects 11.22.40.8 443
	wait_for 8 has_audit connect.open '.address == "11.22.40.8"'
	not has_audit connect.open '.port == 22 or .port == 81 or .port == 8080 or .port == 53 or .address == "127.0.0.1" or .port == 1055'
	not has_audit connect.refuse '.container == "one"'
}

@test "connections: at the latest when the container ends each is told with its bytes and time" {
	make_network two 2
	start_container two recorded two
	inside bash -c 'exec 3<>/dev/tcp/11.22.40.9/443; sleep 60' 3>&- &
	local holder=$!
	wait_for 8 has_audit connect.open '.container == "two" and .address == "11.22.40.9"'
	not has_audit connect.close '.container == "two" and .address == "11.22.40.9"'
	ask good.test
	connects 11.22.33.80 80
	end_container two recorded
	kill "$holder" || :
	wait_for 8 has_audit connect.close '.container == "two" and .address == "11.22.40.9" and .out_bytes > 100'
	wait_for 8 has_audit connect.close '.container == "two" and .name == "good.test" and .entry == "good.test" and .port == 80 and .out_bytes > 100 and .in_bytes > 100 and .ms >= 0'
}

@test "connections: without a name in the profile the entries for addresses are told" {
	make_network three 3
	start_container three byaddress three
	connects 11.22.33.80 80
	connects 11.22.33.80 443
	wait_for 8 has_audit connect.open '.container == "three" and .port == 80 and .entry == "11.22.33.0/24:80"'
	wait_for 8 has_audit connect.open '.container == "three" and .port == 443 and .entry == "@public:443"'
	end_container three byaddress
}

@test "connections: a flood is summed up" {
	local before
	make_network four 4
	start_container four byaddress four
	before=$(wc -l </var/log/quod/audit.jsonl)
	inside bash -c 'for i in {1..1500}; do exec 3<>/dev/tcp/11.22.33.80/80; exec 3>&-; done' 2>/dev/null || :
	wait_for 20 has_audit connect.open '.container == "four" and .address == null and .repeated > 10'
	[ $(($(wc -l </var/log/quod/audit.jsonl) - before)) -lt 900 ]
	end_container four byaddress
}

# flips: audit.record
@test "connections: a profile that does not record them leaves them out" {
	make_network five 5
	start_container five plain five
	connects 11.22.33.66 80
	not connects 11.22.33.54 22
	wait_for 8 has_audit connect.refuse '.container == "five"'
	not has_audit connect.open '.container == "five"'
	end_container five plain
}
