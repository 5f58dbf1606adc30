#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks on the way out, by addresses and protocols: the E entries of tests/attacks. Each is tried in a container of the bare
# runtime first; at the end a capture shows that nothing has left under quod.
# shellcheck disable=SC2016,SC2154 # the container's shell expands; what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	load attack-net
	write_profile attack <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "dns": { "upstream": ["11.22.33.53"] },
		    "allow": ["good.test", "11.22.33.80:5432", "11.22.33.80:5000/udp", "[2a0b::80]:5000/udp", "[2a0b::80]:5432"] } }
	J
	write_profile plain <<<'{ "version": 1, "extends": "balanced", "egress": { "allow": ["good.test"] } }'
	write_profile small <<-'J'
		{ "version": 1, "extends": "attack", "egress": { "allow": ["11.22.33.80:9999"] }, "budgets": { "egress": "200K" } }
	J
	write_profile slow <<-'J'
		{ "version": 1, "extends": "attack", "egress": { "rate": "8K/s" } }
	J
	make_two_containers <<-'R'
		good.test A 20 11.22.33.80
		good.test AAAA 20 2a0b::80
		evil.test A 20 11.22.33.66
	R
	make_network peer 3
	# a network that they share, without a router
	ip link add name shared type bridge
	ip link set shared up
	local n=1 name
	for name in held bare peer; do
		ip link add "port$n" type veth peer name eth1 netns "$name"
		ip link set "port$n" master shared up
		ip -n "$name" addr add "10.88.0.$n/24" dev eth1
		ip -n "$name" link set eth1 up
		n=$((n + 1))
	done
	serve_in peer "$client" serve 7000
	"$client" serve 2375 </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >>"$BATS_FILE_TMPDIR/internet.pids"
}

teardown_file() {
	load ../helpers
	load ../names
	load attack-net
	end_two_containers
}

setup() {
	load ../helpers
	load ../names
	load attack-net
}

teardown() {
	runc delete --force other 2>/dev/null || :
	quod delete --force other 2>/dev/null || :
}

@test "E01: no TCP, no UDP and no ping to a place that no entry names, and what is allowed works" {
	both 'for a in 11.22.33.66 2a0b::66 ::ffff:11.22.33.66; do egress-probe tcp $a 81; egress-probe tcp $a 443; done
		for a in 11.22.33.66 2a0b::66; do egress-probe udp $a 5000; egress-probe udpto $a 5001; done
		egress-probe tcp 169.254.169.254 80; egress-probe tcp 11.22.33.80 81; egress-probe udp 11.22.33.80 5001
		egress-probe ping 11.22.33.80; egress-probe ping 11.22.33.66'
	works 15 'connected|reply'
	stopped 15
	both 'egress-probe ping 2a0b::66'
	works 1 reply
	[[ $held == silence* ]] # the kernel doesn't tell this kind of socket
	both 'egress-probe tcp 11.22.33.80 5432; egress-probe tcp 2a0b::80 5432; egress-probe udp 11.22.33.80 5000; egress-probe udp 2a0b::80 5000'
	works 4 'connected|reply'
	[ "$(grep -cE '^(connected|reply) ' <<<"$held")" = 4 ]
}

@test "E05: no service of the host, at whichever of its addresses" {
	both 'for a in 10.77.1.1 10.77.2.1 11.22.33.1 fd77:1::1 2a0b::1; do egress-probe tcp $a 2375; done'
	works 5 connected
	stopped 5
}

@test "E06: no neighbour, on the same network or another" {
	both 'egress-probe tcp 10.88.0.3 7000; egress-probe tcp 10.77.3.2 7000; egress-probe tcp fd77:3::2 7000'
	works 3 connected
	stopped 3
}

late() { # RUNTIME... : a network that is there only after create
	ip netns add late
	ip -n late link set lo up
	two_bundle other late
	"$@" create --bundle "$BATS_FILE_TMPDIR/other" other </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
	ip link add to9 type veth peer name eth7 netns late
	ip addr add 10.77.9.1/24 dev to9
	ip link set to9 up
	ip -n late addr add 10.77.9.2/24 dev eth7
	ip -n late link set eth7 up
	ip -n late route add default via 10.77.9.1
	"$@" start other
	"$@" exec other sh -c 'egress-probe tcp 11.22.33.66 81; egress-probe tcp 11.22.33.80 5432' </dev/null | tee "$BATS_TEST_TMPDIR/late"
	"$@" delete --force other
	ip netns del late
}
@test "E11: a network that is made after create is walled in as well" {
	late runc
	[ "$(grep -c ^connected "$BATS_TEST_TMPDIR/late")" = 2 ]
	late quod-attack
	[ "$(awk '{ print $1 }' "$BATS_TEST_TMPDIR/late" | xargs)" = 'ECONNREFUSED connected' ]
}

# Opens a connection in a namespace, leaves it, and says something when told to.
leaver='
import ctypes, os, socket, sys, time
home, there = os.open("/proc/self/ns/net", 0), os.open("/run/netns/" + sys.argv[1], 0)
ctypes.CDLL(None).setns(there, 0)
s = socket.create_connection(("11.22.33.66", 7000), 5)
ctypes.CDLL(None).setns(home, 0)
os.close(there)
s.sendall(b"a"); s.recv(1)
print("open", flush=True)
sys.stdin.readline()
s.settimeout(3)
try:
    s.sendall(b"the secret")
    print("answer" if s.recv(9) else "end", flush=True)
except OSError as e:
    print(type(e).__name__, flush=True)
'
earlier() { # RUNTIME...
	make_network early 11
	two_bundle other early
	mkfifo "$BATS_TEST_TMPDIR/say"
	/usr/bin/python3 -c "$leaver" early <"$BATS_TEST_TMPDIR/say" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
	exec 5>"$BATS_TEST_TMPDIR/say"
	wait_for 8 grep -q open "$BATS_TEST_TMPDIR/said"
	if "$@" create --bundle "$BATS_FILE_TMPDIR/other" other </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- && "$@" start other; then
		echo >&5
		wait_for 8 grep -qE 'answer|end|Error|timeout' "$BATS_TEST_TMPDIR/said"
	fi
	exec 5>&-
	cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/said"
	"$@" delete --force other || :
	ip netns del early
	wait_for 5 not ip link show to11
	rm "$BATS_TEST_TMPDIR/say"
}
@test "E12: a connection from before the rules carries nothing on" {
	earlier runc
	grep -qx answer "$BATS_TEST_TMPDIR/said"
	earlier quod-attack
	not grep -qx answer "$BATS_TEST_TMPDIR/said"
}

@test "E13: a connection that goes on after what let it out carries no more than the budget" {
	local name
	two_bundle other thirteen
	make_network thirteen 16
	serve_in internet sh -c 'exec socat -u TCP-LISTEN:9999,fork,reuseaddr OPEN:/dev/null'
	for name in runc quod-small; do
		"$name" create --bundle "$BATS_FILE_TMPDIR/other" other </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
		"$name" start other
		[ "$name" = runc ] || quodctl allow other 11.22.33.66:7000 --for 2s
		"$name" exec other egress-probe talk 11.22.33.66 7000 say sleep=2500 say </dev/null | xargs
		"$name" exec other egress-probe tcp 11.22.33.66 7000 </dev/null
		"$name" exec other egress-probe pour tcp 11.22.33.80 9999 4000000 </dev/null | tee "$BATS_TEST_TMPDIR/poured"
		captured_bytes=$(came_out_bytes 16)
		echo "$name: $captured_bytes"
		"$name" delete --force other
		if [ "$name" = runc ]; then [ "$captured_bytes" -gt 4000000 ]; else [ $((captured_bytes - before)) -lt 260000 ]; fi
		before=$captured_bytes
	done
}

@test "E17: an accomplice in the same network, under a looser profile, is bound by the same rules" {
	write_profile loose <<<'{ "version": 1, "extends": "attack", "egress": { "allow": ["11.22.33.66:*"] } }'
	two_bundle other held
	edit_bundle "$BATS_FILE_TMPDIR/other" '.process.args = ["sh", "-c", "egress-probe tcp 11.22.33.66 81"]'
	sed 's,/run/netns/held,/run/netns/bare,' "$BATS_FILE_TMPDIR/other/config.json" >"$BATS_TEST_TMPDIR/config"
	run timeout 20 quod-loose run --bundle "$BATS_FILE_TMPDIR/other" other </dev/null
	echo "$output"
	[[ $output != *connected* ]]
	cp "$BATS_TEST_TMPDIR/config" "$BATS_FILE_TMPDIR/other/config.json"
	run timeout 20 runc run --bundle "$BATS_FILE_TMPDIR/other" other </dev/null
	[[ $output == *connected* ]]
}

@test "E18: no socket whose bytes pass beside the network" {
	both 'for f in "17 3" "16 3" "40 1" "44 3" "38 5" "29 3" "30 1" "43 1" "21 5"; do attack-net family $f; done'
	works 1 made || works 2 made || works 3 made || works 4 made
	stopped 9
}

@test "E19: no other protocol, to a denied place or an allowed one" {
	both 'for p in 2 4 27 33 41 46 47 50 51 89 94 103 108 112 115 132 136 137 253; do egress-probe raw 11.22.33.80 $p 5000; done; egress-probe raw 2a0b::80 47 5000'
	works 20 sent
	stopped 20
	both 'attack-net stream 262 11.22.33.66 81; attack-net stream 136 11.22.33.66 81'
	[[ $held =~ ^(ECONNREFUSED|EPERM|EPROTONOSUPPORT|EACCES) ]]
	stopped 2
}

@test "E20: no fragment, small, large or overlapping" {
	both 'egress-probe large 11.22.33.66 5000 9000; egress-probe fragment 11.22.33.66 5000 0; egress-probe fragment 11.22.33.66 5000 64 nodefrag; egress-probe fragment 11.22.33.80 5001 8 nodefrag'
	works 1 reply
	works 3 sent
	stopped 4
}

@test "E21: no source route, of either family" {
	both 'egress-probe options 11.22.33.80 5000; egress-probe routed 2a0b::80 5000 2a0b::66'
	works 2 sent
	[ "$(grep -cE '^sent' <<<"$held")" = 0 ]
	[ "$(grep -cE 'EPERM|not permitted' <<<"$held")" = 2 ]
}

@test "E22: no mark and no user opens anything" {
	both 'for m in 0x51 0x52 0x1234 1 0xffffffff; do attack-net mark $m 11.22.33.66 5000; done'
	works 5 sent
	stopped 5
	both 'busybox su user -c "egress-probe udp 11.22.33.66 5000" 2>/dev/null || egress-probe udp 11.22.33.66 5000
		egress-probe src=10.77.1.2 sport=1055 udp 11.22.33.66 5000 || egress-probe src=10.77.2.2 sport=1055 udp 11.22.33.66 5000'
	works 2 reply
	[[ $held != *reply* ]]
}

@test "E23: nobody binds the warden's ports beside it" {
	both 'for p in 1053 1055; do attack-net reuse $p; done'
	works 2 bound
	[ "$held" = $'EADDRINUSE\nEADDRINUSE' ]
}

@test "E24: who has the warden's port before it keeps the container from running" {
	make_network taken 12
	mkfifo "$BATS_TEST_TMPDIR/end"
	ip netns exec taken "$client" hold 1053 /proc/1/ns/net <"$BATS_TEST_TMPDIR/end" >"$BATS_TEST_TMPDIR/held" 2>&1 3>&- &
	exec 5>"$BATS_TEST_TMPDIR/end"
	wait_for 8 grep -q held "$BATS_TEST_TMPDIR/held"
	two_bundle other taken
	run timeout 20 quod-attack run --bundle "$BATS_FILE_TMPDIR/other" other </dev/null
	exec 5>&-
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *'port 1053 of the container'*'in use'* ]]
}

@test "E25: nothing of quod's can be spoken to on the loopback" {
	both 'attack-net scan 127.0.0.1'
	[ "$held" = scanned ]
	both 'for p in 1053 1055 1443; do egress-probe tcp 127.0.0.1 $p; egress-probe udp 127.0.0.1 $p; egress-probe tcp 127.5.6.7 $p; done'
	stopped 9
}

@test "E27: the container is no router for an accomplice" {
	local n=1 name
	ip -n peer route add 11.22.33.66/32 via 10.88.0.2
	for name in held bare; do
		ip netns exec "$name" sysctl -qw net.ipv4.ip_forward=1
		ip route replace 10.88.0.3/32 via "10.77.$n.2"
		ip -n peer route replace 11.22.33.66/32 via "10.88.0.$n"
		run ip netns exec peer "$builddir/tests/live/egress-probe" src=10.88.0.3 tcp 11.22.33.66 81
		echo "$name: $output"
		if [ "$name" = bare ]; then [[ $output == connected* ]]; else [[ $output != connected* ]]; fi
		ip netns exec "$name" sysctl -qw net.ipv4.ip_forward=0
		n=2
	done
}

@test "E30: a flood of new flows is held to the profile's rate" {
	local before sent
	make_network flood 13
	two_bundle other flood
	for name in runc quod-slow; do
		"$name" create --bundle "$BATS_FILE_TMPDIR/other" other </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
		"$name" start other
		before=$(came_out 13 any)
		"$name" exec other attack-net flood 11.22.33.80 5000 20000 </dev/null
		sent=$(($(came_out 13 any) - before))
		echo "$name: $sent"
		"$name" delete --force other
		if [ "$name" = runc ]; then [ "$sent" -ge 19000 ]; else [ "$sent" -lt 15000 ]; fi
	done
}

@test "E32: no helper reads a protocol to open what it speaks of" {
	ip netns exec held nft list ruleset >"$BATS_TEST_TMPDIR/rules"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/rules")" -gt 20 ]
	not grep -qE 'helper|ct expectation' "$BATS_TEST_TMPDIR/rules"
	# what is related passes as ICMP errors and resets alone
	grep related "$BATS_TEST_TMPDIR/rules" | not grep -vE 'l4proto (icmp|ipv6-icmp) ct state related|tcp flags rst|drop'
}

@test "E33: what is refused asks no neighbour for its address" {
	tcpdump -Z root -p -U -i shared -w "$BATS_TEST_TMPDIR/arp" arp </dev/null >"$BATS_TEST_TMPDIR/tcpdump" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	local pid=$!
	wait_for 8 grep -q listening "$BATS_TEST_TMPDIR/tcpdump"
	both 'egress-probe udpto 10.88.0.73 5000'
	sleep 0.3
	kill $pid
	wait_for 5 is_gone $pid
	tcpdump -nn -r "$BATS_TEST_TMPDIR/arp" 2>/dev/null | tee "$BATS_TEST_TMPDIR/seen"
	grep -q 'who-has 10.88.0.73 tell 10.88.0.2' "$BATS_TEST_TMPDIR/seen"
	not grep -q 'who-has 10.88.0.7. tell 10.88.0.1' "$BATS_TEST_TMPDIR/seen"
}

# A router advertisement for 11 of its kind: lifetime 600 s.
advertise='
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth1")
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 600, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("eth1")))
'
has_router() { ip -n "$1" -6 route show default proto ra | grep -q eth1; }
@test "E34: a neighbour that offers itself as router gets nothing that is refused" {
	ip -n peer -6 addr add 2a0b::66/128 dev lo
	local name
	for name in bare held; do
		ip netns exec "$name" sysctl -qw net.ipv6.conf.eth1.accept_ra=2
		ip -n "$name" route del default via "fd77:$([ "$name" = held ] && echo 1 || echo 2)::1"
	done
	ip netns exec peer /usr/bin/python3 -c "$advertise"
	wait_for 5 has_router bare
	wait_for 5 has_router held
	both 'egress-probe udpto 2a0b::66 7000'
	[[ $bare != E* ]]
	stopped 1
	for name in bare held; do
		ip netns exec "$name" sysctl -qw net.ipv6.conf.eth1.accept_ra=0
		ip -n "$name" -6 route flush proto ra
		ip -n "$name" route add default via "fd77:$([ "$name" = held ] && echo 1 || echo 2)::1"
	done
}

@test "E39: nobody in the container answers for a resolver" {
	local name n=17
	for name in runc quod-plain; do
		make_network fake$n $n
		ip netns exec fake$n sysctl -qw net.ipv4.ip_unprivileged_port_start=0 # as Docker does
		two_bundle other fake$n
		"$name" create --bundle "$BATS_FILE_TMPDIR/other" other </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
		"$name" start other
		run "$name" exec other sh -c 'attack-net forge good.test 11.22.33.66; egress-probe tcp 11.22.33.66 443; attack-net spoof' </dev/null
		"$name" delete --force other
		echo "$name: $output"
		n=$((n + 1))
		if [ "$name" = runc ]; then
			[[ $output == *'told 11.22.33.66'*connected* ]]
		else
			[[ $output == *'told 11.22.33.80'*ECONNREFUSED* ]]
			[ "$(grep -c '^EPERM' <<<"$output")" = 6 ]
		fi
	done
	both 'for p in 1053 1055; do egress-probe udp 127.0.0.1 $p; done'
	stopped 2
}

@test "E40: rules that an administrator's script flushes stay, or are put back" {
	run ip netns exec held nft flush ruleset
	echo "$output"
	both 'egress-probe tcp 11.22.33.66 81'
	works 1 connected
	stopped 1
	both 'egress-probe tcp 11.22.33.80 5432'
	[[ $held == connected* ]]
}

@test "E41: an engine's own NAT of its resolver takes no query past the warden" {
	local name n=14 server
	for name in runc quod-plain; do
		make_network nat$n $n
		ip netns exec nat$n nft -f - <<<'table ip engine { chain out { type nat hook output priority -100; ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.2:53; }; }'
		two_bundle other nat$n
		"$name" create --bundle "$BATS_FILE_TMPDIR/other" other </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
		ip netns exec nat$n "$builddir/tests/live/dns-server" 127.0.0.2 "$BATS_TEST_TMPDIR/engine$n" >"$BATS_TEST_TMPDIR/ready$n" 2>&1 3>&- < <(printf '%s\n' 'evil.test A 5 11.22.33.66' 'good.test A 5 11.22.33.80') &
		server=$!
		wait_for 8 grep -q ready "$BATS_TEST_TMPDIR/ready$n"
		"$name" start other
		run ip netns exec nat$n dig +tries=1 +time=4 +short evil.test @127.0.0.11
		echo "$name: $output"
		evil=$output
		run ip netns exec nat$n dig +tries=1 +time=4 +short good.test @127.0.0.11
		echo "$name: $output"
		"$name" delete --force other
		kill "$server"
		[ "$output" = 11.22.33.80 ]
		if [ "$name" = runc ]; then [ "$evil" = 11.22.33.66 ]; else [ -z "$evil" ] && not grep -q evil "$BATS_TEST_TMPDIR/engine$n"; fi
		n=$((n + 1))
	done
}

@test "E42: where the kernel lacks what the rules need, the container does not run" {
	two_bundle other peer
	edit_bundle "$BATS_FILE_TMPDIR/other" '.process.args = ["echo", "it runs"]'
	run "$builddir/tests/live/without-netfilter" runc run --bundle "$BATS_FILE_TMPDIR/other" other </dev/null
	[[ $output == *'it runs'* ]]
	run "$builddir/tests/live/without-netfilter" quod-attack run --bundle "$BATS_FILE_TMPDIR/other" other </dev/null
	echo "$output"
	[ "$status" = 1 ]
	[[ $output != *'it runs'* ]]
}

@test "E43: no frame is written below the rules" {
	both 'attack-try packet raw transparent; attack-net family 44 3'
	works 2 '(packet|raw):? worked' || [[ $bare == *'packet worked'*'raw worked'* ]]
	[[ $held != *worked* ]]
	[[ $held != *made* ]]
}

@test "E01: of all this no packet left for a place that isn't allowed" {
	nothing_left 'dst host 11.22.33.80 or dst host 2a0b::80'
	not grep -viE '^good.test ' "$BATS_FILE_TMPDIR/asked-held"
}
