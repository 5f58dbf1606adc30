#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each of a profile's keys for the network flipped, and a real container seen to reach another place: the same bundle under
# two profiles that differ in that key alone, each in a network namespace of its own beside a little internet. See keys.bats.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	make_internet
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		a.test A 20 11.22.33.80
		many.test spread
	R
	name_server 11.22.33.54 "$BATS_FILE_TMPDIR/second" <<-'R'
		a.test A 20 11.22.33.66
	R
	# what comes to port 7000 is counted; the file is begun anew by each connection
	serve_in internet socat -u TCP-LISTEN:7000,fork,reuseaddr "OPEN:$BATS_FILE_TMPDIR/sink,creat,trunc"
	echo 0 >"$BATS_FILE_TMPDIR/networks"
}

teardown_file() {
	load ../helpers
	load ../names
	end_internet
}

setup() {
	load ../helpers
	load ../names
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	(cd "$bundle" && runc spec)
	sink=$BATS_FILE_TMPDIR/sink
}

teardown() {
	quod delete --force c1 || :
} 2>/dev/null

does() { # COMMAND-TEXT
	command=$1
}

# prepare KEYS: the profile with these keys, and the bundle in a new network, whose number is $network.
prepare() {
	jq -n "{ version: 1, process: { root: true } } * { $1 }" | write_profile keys
	network=$(($(cat "$BATS_FILE_TMPDIR/networks") + 1))
	echo "$network" >"$BATS_FILE_TMPDIR/networks"
	make_network "k$network" "$network"
	rm -rf /var/lib/quod/*
	edit_bundle "$bundle" ".process.terminal = false | .root.path = \"$BATS_FILE_TMPDIR/rootfs\" |
		.process.args = [\"sh\", \"-c\", $(jq -n --arg c "$command" '$c')] |
		.linux.namespaces |= map(if .type == \"network\" then .path = \"/run/netns/k$network\" else . end)"
}

# gives KEYS TEXT: the bundle under the strictest profile with these keys says TEXT.
gives() {
	prepare "$1"
	run timeout -k 5 40 quod --profile keys run --bundle "$bundle" c1 </dev/null 3>&-
	quod --profile keys delete --force c1 >/dev/null 2>&1 || :
	[[ $output == *"$2"* ]] && return
	printf 'with %s: status %s, wanted "%s":\n%s\n' "$1" "$status" "$2" "$output"
	return 1
}

# flips: egress.allow
@test "keys: egress.allow" {
	does 'nc -w 2 11.22.33.80 80 </dev/null >/dev/null 2>&1 && echo reached || echo refused'
	gives '' refused
	gives '"egress": { "allow": ["11.22.33.80:80"] }' reached
}

# flips: egress.deny
@test "keys: egress.deny" {
	does 'nc -w 2 11.22.33.80 80 </dev/null >/dev/null 2>&1 && echo reached || echo refused'
	gives '"egress": { "allow": ["@public:80"], "deny": ["11.22.33.66:*"] }' reached
	gives '"egress": { "allow": ["@public:80"], "deny": ["11.22.33.80:*"] }' refused
}

# flips: egress.dns.upstream
@test "keys: egress.dns.upstream" {
	does 'nslookup a.test 11.22.33.99; true'
	gives '"egress": { "allow": ["a.test:5432"], "dns": { "upstream": ["11.22.33.53"] } }' 11.22.33.80
	gives '"egress": { "allow": ["a.test:5432"], "dns": { "upstream": ["11.22.33.54"] } }' 11.22.33.66
}

# flips: egress.dns.names_per_minute
@test "keys: egress.dns.names_per_minute" {
	does 'for i in 1 2 3; do nslookup -type=a "n900$i.many.test" 11.22.33.99 >/dev/null 2>&1 && echo "told $i"; done; echo end'
	gives '"egress": { "allow": ["**.many.test:5432"], "dns": { "upstream": ["11.22.33.53"], "names_per_minute": 2 } }' $'told 1\ntold 2\nend'
	gives '"egress": { "allow": ["**.many.test:5432"], "dns": { "upstream": ["11.22.33.53"], "names_per_minute": 20 } }' $'told 1\ntold 2\ntold 3\nend'
}

arrived() { # LEAST MOST: bytes at the sink
	local size
	size=$(stat -c %s "$sink")
	echo "arrived: $size"
	[ "$size" -ge "$1" ] && [ "$size" -le "$2" ]
}

# flips: egress.rate
@test "keys: egress.rate" {
	does 'timeout 3 sh -c "dd if=/dev/zero bs=64k count=16 2>/dev/null | nc -w 1 11.22.33.80 7000" && echo sent; echo end'
	gives '"egress": { "allow": ["11.22.33.80:7000"], "rate": "unlimited" }' end
	wait_for 5 arrived 1048576 1048576
	gives '"egress": { "allow": ["11.22.33.80:7000"], "rate": "64K/s" }' end
	arrived 1 700000
}

# flips: budgets.egress
@test "keys: budgets.egress" {
	does 'timeout 3 sh -c "dd if=/dev/zero bs=64k count=16 2>/dev/null | nc -w 1 11.22.33.80 7000"; echo end'
	gives '"egress": { "allow": ["11.22.33.80:7000"] }, "budgets": { "egress": "10M" }' end
	wait_for 5 arrived 1048576 1048576
	gives '"egress": { "allow": ["11.22.33.80:7000"] }, "budgets": { "egress": "256K" }' end
	arrived 1 262144
}

# flips: egress.caps
@test "keys: egress.caps" {
	does 'timeout 3 sh -c "dd if=/dev/zero bs=64k count=16 2>/dev/null | nc -w 1 11.22.33.80 7000"; echo end'
	gives '"egress": { "allow": ["11.22.33.80:7000"], "caps": { "11.22.33.80:7000": "10M" } }' end
	wait_for 5 arrived 1048576 1048576
	gives '"egress": { "allow": ["11.22.33.80:7000"], "caps": { "11.22.33.80:7000": "256K" } }' end
	arrived 1 262144
}

# serves KEYS: the container's server runs, and listens.
serves() {
	prepare "$1"
	quod --profile keys create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >/dev/null 2>&1 3>&-
	quod start c1
	wait_for 10 grep -q ':1F90 ' "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/net/tcp6" "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/net/tcp"
}

visit() { # from this host
	timeout 3 bash -c "exec 3<>/dev/tcp/10.77.$network.2/8080 && cat <&3" 2>&1
}

# flips: ingress.allow
@test "keys: ingress.allow" {
	does 'while :; do echo served | nc -l -p 8080; done'
	serves ''
	run visit
	[[ $output == *refused* ]] || { echo "$output"; return 1; }
	quod delete --force c1
	serves '"ingress": { "allow": ["8080/tcp"] }'
	[[ $(visit) == *served* ]]
}

# A neighbour on the container's link, which is not this host.
neighbour() { # NUMBER
	ip netns add "beside$1"
	ip link add "br$1" type bridge
	ip addr del "10.77.$1.1/24" dev "to$1"
	ip link set "to$1" master "br$1"
	ip addr add "10.77.$1.1/24" dev "br$1"
	ip link add "by$1" master "br$1" type veth peer name eth0 netns "beside$1"
	ip -n "beside$1" addr add "10.77.$1.3/24" dev eth0
	ip link set "br$1" up
	ip link set "by$1" up
	ip -n "beside$1" link set eth0 up
}

visit_from() { # NAMESPACE
	ip netns exec "$1" timeout 3 bash -c "exec 3<>/dev/tcp/10.77.$network.2/8080 && cat <&3" 2>&1
}

# flips: ingress.allow
@test "keys: ingress.allow, from this host and from nobody else" {
	does 'while :; do echo served | nc -l -p 8080; done'
	prepare '"ingress": { "allow": ["8080@node"] }'
	neighbour "$network"
	quod --profile keys create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >/dev/null 2>&1 3>&-
	quod start c1
	wait_for 10 grep -q ':1F90 ' "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/net/tcp6" "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/net/tcp"
	[[ $(visit) == *served* ]]
	run visit_from "beside$network"
	[[ $output == *refused* ]] || { echo "$output"; return 1; }
	quod delete --force c1
	prepare '"ingress": { "allow": ["8080/tcp"] }'
	neighbour "$network"
	quod --profile keys create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >/dev/null 2>&1 3>&-
	quod start c1
	wait_for 10 grep -q ':1F90 ' "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/net/tcp6" "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/net/tcp"
	[[ $(visit_from "beside$network") == *served* ]]
}

# flips: egress.via
@test "keys: egress.via" {
	does 'for place in 11.22.33.80:80 11.22.33.80:443 11.22.33.80:5432 11.22.33.66:80 11.22.33.54:7000; do
		timeout 3 nc -w 1 ${place%:*} ${place#*:} </dev/null >/dev/null 2>&1 && echo "$place"; done; echo end'
	gives '"egress": { "allow": ["11.22.33.80:*", "11.22.33.66:1-100"] }' '11.22.33.80:80
11.22.33.80:443
11.22.33.80:5432
11.22.33.66:80
end'
	gives '"egress": { "via": "11.22.33.54:7000", "allow": ["11.22.33.80:*", "11.22.33.66:1-100"] }' '11.22.33.80:5432
11.22.33.54:7000
end'
}
