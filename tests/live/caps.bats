#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# egress.caps: bytes out to what an entry covers, by name and by address, in a real container. (What the table does with them
# alone is egress-caps.bats.)
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	mkdir -p /etc/quod/groups
	echo '{ "version": 1, "hosts": ["one.test", "two.test"] }' >/etc/quod/groups/pair.json
	printf 'nameserver 8.8.8.8\n' >/etc/resolv.conf
	make_internet 443
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		a.test A 20 11.22.33.80
		b.test A 20 11.22.33.80
		six.test AAAA 20 2a0b::80
		one.test A 20 11.22.33.80
		two.test A 20 11.22.33.80
		bare.test A 20 11.22.33.66
		datagrams.test A 20 11.22.33.54
	R
	echo 0 >"$BATS_FILE_TMPDIR/networks"
	local port
	for port in 80 5432; do
		serve_in internet socat "TCP6-LISTEN:$port,ipv6only=0,reuseaddr,fork" 'SYSTEM:cat >/dev/null'
	done
}

teardown_file() {
	load ../helpers
	load ../names
	end_internet
}

setup() {
	load ../helpers
	load ../names
	rm -rf /var/lib/quod/ledger
}

teardown() {
	local name
	for name in c1 c2; do quod --profile capped delete --force "$name" || :; done
} >/dev/null 2>&1

profile() { # EGRESS [KEYS]: of network NUMBER
	jq -n "{ version: 1, process: { root: true }, budgets: { egress: \"unlimited\" } } * { egress: ({ dns: { upstream: [\"11.22.33.53\"] } } + $1) } * { ${2:-} }" |
		write_profile capped
}

# post NAME BYTES [ADDRESS]: one request with so large a body; what left the network of number $network by it is $sent.
post() {
	local before last=-1
	before=$(out_bytes)
	{ printf 'POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %s\r\n\r\n' "$1" "$2"; head -c "$2" /dev/zero; } |
		inside timeout 10 socat -u - "TCP:${3:-11.22.33.80}:80" 2>/dev/null || true
	# the warden passes on what it has taken
	while sent=$(($(out_bytes) - before)) && [ "$sent" != "$last" ]; do
		last=$sent
		sleep 0.3
	done
	echo "post $1 $2: sent $sent"
}

out_bytes() { nft -j list counter inet "witness$network" any | jq '.nftables[1].counter.bytes'; }

# begin [NAME [MORE]]: the container in a new network, whose number is $network; MORE edits its bundle.
begin() {
	local name=${1:-c1}
	network=$(($(cat "$BATS_FILE_TMPDIR/networks") + 1))
	echo "$network" >"$BATS_FILE_TMPDIR/networks"
	make_network "caps$network" "$network"
	rm -rf "$BATS_FILE_TMPDIR/bundle-$name"
	make_bundle "$BATS_FILE_TMPDIR/bundle-$name" ".process.args = [\"sleep\", \"1000\"] | ${2:-.} |
		.linux.namespaces |= map(if .type == \"network\" then .path = \"/run/netns/caps$network\" else . end)"
	start_container "$name" capped "caps$network"
}

finish() {
	end_container "${1:-c1}" capped
}

told() { jq -c "$1" "$(dirname "$(find /run/quod -path '*told/limits.json')")/limits.json"; }

@test "caps: two names behind one address have each their own, where a connection must say its name" {
	profile '{ allow: ["a.test", "b.test"], caps: { "a.test": "256K", "b.test": "10M" } }'
	begin
	ask a.test
	ask b.test
	post a.test 1000000
	[ "$sent" -le 262144 ]
	[ "$sent" -gt 150000 ]
	post a.test 1000
	[ "$sent" -lt 1000 ]
	post b.test 1000000
	[ "$sent" -ge 1000000 ]
	wait_for 8 has_audit budget.spent '.budget == "egress.caps" and .entry == "a.test" and .action == "cut" and .limit == 262144 and .spent <= 262144'
	wait_for 8 has_audit connect.refuse '.reason == "egress.caps is spent" and .cap == "a.test" and .address == "11.22.33.80"'
	grep -q '"cap":"a.test"' "$(find /run/quod -name denied.jsonl)"
	[ "$(told '.caps[0]')" = '{"entry":"a.test","limit":262144,"left":0}' ]
	b_counted() { [ "$(told '.caps[1].left')" -le $((10485760 - 1000000)) ] && [ "$(told '.caps[1].left')" -gt 9000000 ]; }
	wait_for 8 b_counted
	run quodctl verify c1
	[ "$status" = 0 ]
	[[ $output == *"egress.caps"*"at most 256K to a.test"*"spent"* ]]
	[[ $output == *"at most 10M to b.test"* ]]
	finish
}

@test "caps: what was spent stays spent in the next run, and a reset forgets it" {
	profile '{ allow: ["a.test", "b.test"], caps: { "a.test": "256K", "b.test": "10M" } }'
	begin
	ask a.test
	post a.test 1000000
	finish
	begin
	ask a.test
	ask b.test
	post a.test 2000
	[ "$sent" -lt 2000 ]
	post b.test 100000
	[ "$sent" -ge 100000 ]
	finish
	profile '{ allow: ["a.test", "b.test"], caps: { "a.test": "256K", "b.test": "10M" } }' 'budgets: { reset: "restart" }'
	begin
	ask a.test
	post a.test 100000
	[ "$sent" -ge 100000 ]
	finish
}

@test "caps: a further request on one connection that another cap counts ends the connection" {
	profile '{ allow: ["a.test", "b.test"], caps: { "a.test": "256K" } }'
	begin
	ask a.test
	ask b.test
	{ printf 'GET / HTTP/1.1\r\nHost: b.test\r\n\r\n'; sleep 0.5; printf 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello'; sleep 2; } |
		inside timeout 10 socat - TCP:11.22.33.80:80 || true
	wait_for 8 has_audit connect.refuse '.name == "a.test" and .reason == "another cap (egress.caps) counts this name than the connection"'
	finish
}

@test "caps: a group has one for all that it holds, and IPv6 counts" {
	profile '{ allow: ["@pair", "six.test"], caps: { "@pair": "256K", "six.test": "128K" } }'
	begin
	ask one.test
	ask two.test
	ask six.test AAAA
	post one.test 200000
	[ "$sent" -ge 200000 ]
	post two.test 200000
	[ "$sent" -le $((262144 - 200000)) ]
	post one.test 1000
	[ "$sent" -lt 1000 ]
	post six.test 100000 '[2a0b::80]'
	[ "$sent" -ge 100000 ]
	post six.test 100000 '[2a0b::80]'
	[ "$sent" -le 31072 ]
	wait_for 8 has_audit budget.spent '.entry == "@pair"'
	wait_for 8 has_audit budget.spent '.entry == "six.test"'
	finish
}

@test "caps: a name that no connection says is counted by its addresses, TCP and UDP" {
	profile '{ allow: ["bare.test:5432", "datagrams.test:5000/udp"], caps: { "bare.test": "256K", "datagrams.test": "64K" } }'
	begin
	ask bare.test
	ask datagrams.test
	local before
	before=$(out_bytes)
	head -c 1000000 /dev/zero | inside timeout 10 socat -u - TCP:11.22.33.66:5432 || true
	[ $(($(out_bytes) - before)) -le 262144 ]
	[ $(($(out_bytes) - before)) -gt 150000 ]
	run inside timeout 5 socat -u /dev/null TCP:11.22.33.66:5432
	[ "$status" != 0 ]
	[[ $output == *refused* ]]
	before=$(out_bytes)
	inside "$builddir/tests/live/egress-probe" pour udp 11.22.33.54 5000 1000000
	[ $(($(out_bytes) - before)) -le 65536 ]
	[ $(($(out_bytes) - before)) -gt 60000 ]
	finish
}

@test "caps: containers of one workspace share them" {
	profile '{ allow: ["11.22.33.80:80"], caps: { "11.22.33.80:80": "512K" } }' 'mounts: { allow: [{ source: "/srv/caps", destination: "/w", readonly: false }] }, budgets: { scope: "workspace" }'
	mkdir -p /srv/caps
	local mount='.mounts += [{ source: "/srv/caps", destination: "/w", type: "bind", options: ["bind", "rw"] }]'
	begin c1 "$mount"
	begin c2 "$mount"
	head -c 1000000 /dev/zero | inside timeout 10 socat -u - TCP:11.22.33.80:80 || true
	pid=$(cat "$BATS_FILE_TMPDIR/c1.pid")
	closed() { not inside timeout 5 socat -u /dev/null TCP:11.22.33.80:80 2>/dev/null; }
	wait_for 15 closed
	finish c1
	finish c2
}
