#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Names: what a container under a profile gets to know, and where it gets. One container serves most tests; those that wear
# it out have their own.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile names <<-'J'
		{ "version": 1, "extends": "balanced", "audit": { "record": ["refusals", "dns"] },
		  "egress": { "verify_name": false, "dns": { "upstream": ["11.22.33.54", "11.22.33.53"], "names_per_minute": "unlimited" },
		    "allow": ["good.test", "six.test", "db.test:5432@10.0.0.0/8", "*.wild.test:443", "rebind.test", "**.many.test:443", "ping.test/icmp",
		              "half.test", "10.9.9.9:80", "lie.test", "junk.test", "chain.test", "loop.test", "long.test", "alias.test", "silent.test", "error.test",
		              "big.test", "turn.test", "second.test", "slow.test", "gone.test", "meta.test"],
		    "deny": ["bad.wild.test", "evil.foreign"] } }
	J
	write_profile few <<-'J'
		{ "version": 1, "extends": "names", "egress": { "dns": { "upstream": ["11.22.33.53"], "names_per_minute": 5 } } }
	J
	write_profile link <<-'J'
		{ "version": 1, "extends": "names", "egress": { "dns": { "upstream": ["10.77.3.1"] } } }
	J
	make_internet
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		good.test A 20 11.22.33.80
		good.test AAAA 20 2a0b::80
		six.test AAAA 20 2a0b::80
		db.test A 20 10.1.2.3
		rebind.test A 20 10.1.2.3
		rebind.test A 20 127.0.0.1
		rebind.test AAAA 20 ::1
		meta.test A 20 169.254.169.254
		half.test A 20 10.9.9.9
		half.test A 20 10.9.9.8
		x.wild.test A 20 11.22.33.80
		ping.test A 20 11.22.33.80
		lie.test A 20 11.22.33.80
		lie.test lie
		junk.test A 20 11.22.33.80
		junk.test junk
		chain.test CNAME 20 a.foreign
		a.foreign CNAME 20 b.foreign
		b.foreign A 20 11.22.40.7
		loop.test CNAME 20 loop2.foreign
		loop2.foreign CNAME 20 loop.test
		alias.test CNAME 20 evil.foreign
		evil.foreign A 20 11.22.33.66
		silent.test silent
		error.test rcode 2
		big.test many 100
		turn.test A 1 11.22.40.1
		turn.test A 1 11.22.40.2
		turn.test A 1 11.22.40.3
		turn.test rotate
		second.test A 20 11.22.33.80
		slow.test A 20 11.22.33.80
		slow.test slow 300
		many.test spread
	R
	make_network one 1
	start_container one names one
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
}

teardown_file() {
	load ../helpers
	load ../names
	end_container one names
	end_internet
}

setup() {
	load ../helpers
	load ../names
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
	upstream=$BATS_FILE_TMPDIR/first
}

asked() { # NAME: the first name server was asked
	grep -qi "^$1 " "$upstream"
}

@test "names: an allowed name resolves, and its address is let out on its ports alone" {
	not connects 11.22.33.80 443
	ask good.test
	[ "$code" = NOERROR ]
	[ "$data" = 11.22.33.80 ]
	connects 11.22.33.80 443
	connects 11.22.33.80 80
	not connects 11.22.33.80 5432
	not connects 11.22.33.66 80
	wait_for 8 has_audit dns.answer '.name == "good.test" and .type == "A" and .addresses == ["11.22.33.80"]'
}

@test "names: a name that isn't allowed is NXDOMAIN at once, says why, and no packet leaves" {
	local before
	before=$(came_out 1 any)
	ask denied.test
	[ "$code" = NXDOMAIN ]
	[[ $output == *'EDE: 17 (Filtered): (quod: profile names)'* ]]
	[ "$took" -lt 50 ]
	ask bad.wild.test
	[ "$code" = NXDOMAIN ]
	ask very.deep.wild.test
	[ "$code" = NXDOMAIN ]
	[ "$(came_out 1 any)" = "$before" ]
	not asked denied.test
	not asked bad.wild.test
	wait_for 8 has_audit dns.refuse '.name == "denied.test" and .type == "A" and .reason == "no entry allows it"'
}

@test "names: whatever resolver is asked, IPv4 and IPv6, UDP and TCP, the warden answers" {
	local resolver transport
	for resolver in 8.8.8.8 11.22.33.66 10.77.1.1 2001:4860:4860::8888 fd77:1::1 127.0.0.11; do
		for transport in +notcp +tcp; do
			ask good.test A "$transport" "@$resolver"
			[ "$code $data" = "NOERROR 11.22.33.80" ]
			ask denied.test A "$transport" "@$resolver"
			[ "$code" = NXDOMAIN ]
		done
	done
	[ "$(came_out 1 dns)" = 0 ]
}

@test "names: IPv6 addresses are let out as well" {
	not connects 2a0b::80 443
	ask six.test AAAA
	[ "$data" = 2a0b::80 ]
	connects 2a0b::80 443
	not connects 2a0b::66 443
}

@test "names: nothing but addresses is handed on" {
	local type
	for type in TXT MX SRV HTTPS SVCB NS SOA CAA ANY NULL CNAME DNSKEY; do
		ask good.test "$type"
		[ "$code $data" = "NOERROR " ]
	done
	ask -x 11.22.33.80
	[ "$code" = NXDOMAIN ]
	ask good.test A -c CH
	[ "$code" = NXDOMAIN ]
	ask good.test A +opcode=NOTIFY
	[ "$code" = NOTIMP ]
	ask good.test A +opcode=STATUS
	[ "$code" = NOTIMP ]
	ask good.test A +edns=1 +noednsnegotiation
	[ "$code" = BADVERS ]
	run inside dig +tries=1 +time=3 good.test AXFR
	[[ $output != *11.22.33.80* ]]
	not grep -vE ' (1|28)$' "$upstream"
}

@test "names: a thousand names, each connected to as soon as it is told" {
	local count=${NAMES_RACES:-1000}
	run inside "$client" race "$count" 8.8.8.8 many.test 443
	echo "$output"
	[[ $output == "ok $count failed 0 unanswered 0 early 0 "* ]]
}

@test "names: a name that leads to a private, a local or a metadata address is not told" {
	ask rebind.test
	[ "$code $data" = "NOERROR " ]
	[[ $output == *'EDE: 17 (Filtered)'* ]]
	ask rebind.test AAAA
	[ "$code $data" = "NOERROR " ]
	ask meta.test
	[ "$code $data" = "NOERROR " ]
	wait_for 8 has_audit dns.refuse '.name == "meta.test" and .reason == "leads to an address that is not allowed"'
}

@test "names: @NETWORK and another entry for the address open a private one" {
	ask db.test
	[ "$data" = 10.1.2.3 ]
	inside nft list set inet quod learnt4 | grep -q '10.1.2.3 . tcp . 5432'
	inside nft list set inet quod learnt4 | grep -q 'size 24576' # the most that is learnt at a time
	inside nft list set inet quod learnt4 | not grep -q '10.1.2.3 . tcp . 443'
	ask half.test
	[ "$data" = 10.9.9.9 ]
}

@test "names: ping by name" {
	not inside busybox ping -c 1 -W 1 11.22.33.66
	ask ping.test
	inside busybox ping -c 1 -W 1 11.22.33.80
	not inside busybox ping -c 1 -W 1 11.22.33.66
}

@test "names: forged answers are not believed" {
	ask lie.test
	[ "$code $data" = "NOERROR 11.22.33.80" ]
	not connects 11.22.33.66 80
}

@test "names: records of another name are neither told nor let out" {
	ask junk.test
	[ "$data" = 11.22.33.80 ]
	not connects 11.22.33.99 80
	inside nft list set inet quod learnt4 | not grep -q 11.22.33.99
}

@test "names: aliases lead on, but not to what is denied, and not in circles" {
	ask chain.test
	[ "$code $data" = "NOERROR 11.22.40.7" ]
	connects 11.22.40.7 443
	ask alias.test
	[ "$code $data" = "NXDOMAIN " ]
	wait_for 8 has_audit dns.refuse '.name == "alias.test" and .reason == "an alias of what is denied"'
	ask b.foreign
	[ "$code" = NXDOMAIN ]
	ask loop.test
	[ "$code" = SERVFAIL ]
}

@test "names: an answer of many addresses is cut, and each that is told is let out" {
	ask big.test A +tcp
	[ "$(wc -w <<<"$data")" = 32 ]
	connects "${data%% *}" 443
	connects "${data##* }" 80
	ask big.test A +notcp +ignore +noedns
	[[ $output == *' tc '* ]]
}

@test "names: an address that goes leaves those that were told open" {
	local address addresses=
	for _ in 1 2 3; do
		ask turn.test
		addresses+=" $data"
	done
	[ "$(xargs -n1 <<<"$addresses" | sort -u | wc -l)" = 3 ]
	for address in $addresses; do
		connects "$address" 443
	done
}

@test "names: resolvers that fail or are silent end in SERVFAIL, in time for the client" {
	ask error.test
	[ "$code" = SERVFAIL ]
	ask silent.test
	[ "$code" = SERVFAIL ]
	[ "$took" -lt 5000 ]
	ask gone.test
	[ "$code" = NXDOMAIN ]
}

@test "names: queries that come while one waits are answered" {
	inside dig +tries=1 +short slow.test >"$BATS_TEST_TMPDIR/slow" 2>&1 3>&- &
	local slow=$!
	ask denied2.test
	[ "$took" -lt 100 ]
	wait "$slow"
	[ "$(cat "$BATS_TEST_TMPDIR/slow")" = 11.22.33.80 ]
}

@test "names: a libc with search domains finds what is allowed at once" {
	printf 'nameserver 8.8.8.8\nsearch corp.example cluster.local\noptions ndots:5\n' >"$BATS_TEST_TMPDIR/resolv.conf"
	timed inside unshare --mount sh -c "mount --bind '$BATS_TEST_TMPDIR/resolv.conf' /etc/resolv.conf && getent ahostsv4 good.test" >"$BATS_TEST_TMPDIR/out"
	cat "$BATS_TEST_TMPDIR/out"
	echo "$took_ms ms"
	grep -q '^11.22.33.80 ' "$BATS_TEST_TMPDIR/out"
	[ "$took_ms" -lt 1000 ]
}

@test "names: the warden's own ports are refused to who names them" {
	local port
	for port in 1053 1055; do
		run inside "$client" send 0 - 127.0.0.1 "$port"
		[ "$output" = "send: Operation not permitted" ]
		run inside "$client" send 0 - ::1 "$port"
		[ "$output" = "send: Operation not permitted" ]
		not connects 127.0.0.1 "$port"
	done
}

@test "names: every port of 127.0.0.11 is the warden's" {
	run inside "$client" send 0 - 127.0.0.11 40123
	[ "$output" = "answer 0" ]
}

@test "names: a socket bound to the cable doesn't take a query past the warden" {
	local before
	before=$(came_out 1 any)
	run inside "$client" send 0 eth0 8.8.8.8 53
	echo "$output"
	run inside "$client" send 0 eth0 2001:4860:4860::8888 53
	echo "$output"
	run inside "$client" send 0 eth0 127.0.0.11 53
	echo "$output"
	[ "$(came_out 1 dns)" = 0 ]
	[ "$(came_out 1 any)" = "$before" ]
}

@test "names: a resolver of the container's own, on its loopback, is spoken to directly" {
	inside "$builddir/tests/live/dns-server" 127.0.0.1 "$BATS_TEST_TMPDIR/own" >"$BATS_TEST_TMPDIR/ready" 2>&1 3>&- <<<'own.test A 5 127.0.0.9' &
	local server=$!
	wait_for 8 grep -q ready "$BATS_TEST_TMPDIR/ready"
	ask own.test @127.0.0.1
	kill "$server"
	[ "$data" = 127.0.0.9 ]
}

@test "names: two hundred idle connections keep nobody out" {
	mkfifo "$BATS_TEST_TMPDIR/end"
	inside "$client" idle 200 8.8.8.8 53 <"$BATS_TEST_TMPDIR/end" >"$BATS_TEST_TMPDIR/idle" 2>&1 3>&- &
	exec 5>"$BATS_TEST_TMPDIR/end"
	wait_for 30 grep -q idle "$BATS_TEST_TMPDIR/idle"
	ask good.test A +tcp
	exec 5>&-
	[ "$code $data" = "NOERROR 11.22.33.80" ]
	[ "$took" -lt 500 ]
}

@test "names: a flood of refused names costs neither memory nor a long record" {
	local before after records
	ask good.test
	before=$(awk '/^Pss:/ { print $2 }' "/proc/$(helper quod-warden)/smaps_rollup")
	records=$(wc -l </var/log/quod/audit.jsonl)
	run inside "$client" flood 20000 8.8.8.8 flood.test
	echo "$output"
	after=$(awk '/^Pss:/ { print $2 }' "/proc/$(helper quod-warden)/smaps_rollup")
	echo "$before kB, then $after kB; $(($(wc -l </var/log/quod/audit.jsonl) - records)) records"
	[ "$after" -lt $((before + 100)) ]
	[ $(($(wc -l </var/log/quod/audit.jsonl) - records)) -lt 100 ]
	wait_for 12 has_audit dns.refuse '.name == null and .repeated > 100'
	ask good.test
	[ "$code" = NOERROR ]
}

@test "names: the warden holds nothing, sees nothing, and is nobody" {
	local warden
	warden=$(helper quod-warden)
	[ "$(cat "/proc/$warden/comm")" = quod-warden ]
	grep -qx 'Uid:	64533	64533	64533	64533' "/proc/$warden/status"
	grep -qx 'Gid:	64533	64533	64533	64533' "/proc/$warden/status"
	grep -qx 'Groups:	 *' "/proc/$warden/status"
	[ "$(grep -c '^Cap.*0000000000000000$' "/proc/$warden/status")" = 5 ]
	grep -qx 'NoNewPrivs:	1' "/proc/$warden/status"
	grep -qx 'Seccomp:	2' "/proc/$warden/status"
	[[ $(readlink "/proc/$warden/root") == *'/empty (deleted)' ]]
	[ "$(readlink "/proc/$warden/ns/net")" = "$(readlink /proc/$$/ns/net)" ]
	readlink "/proc/$warden/fd/"* | not grep -vE '^(socket:|/dev/null$)'
}

@test "names: the helpers together need less than two mebibytes" {
	local one total
	one=$(jq -r .pid /run/quod/containers/*/guardian)
	total=$(for one in "$one" $(pgrep -P "$one") $(pgrep -P "$(jq -r .nursery_pid /run/quod/containers/*/guardian)") $(pgrep -P "$(jq -r .cradle_pid /run/quod/containers/*/guardian)"); do
		awk '/^Pss:/ { print $2; exit }' "/proc/$one/smaps_rollup"
	done | awk '{ print "# " $1 " kB" >"/dev/stderr"; sum += $1 } END { print sum }')
	echo "$total kB"
	[ "$total" -lt 2048 ]
}

@test "names: names_per_minute bounds what can be told to a resolver" {
	make_network two 2
	start_container two few two
	for i in 1 2 3 4 5; do
		ask "n900$i.many.test"
		[ "$code" = NOERROR ]
	done
	ask n9006.many.test
	[ "$code" = SERVFAIL ]
	[[ $output == *'names_per_minute'* ]]
	ask n9005.many.test
	[ "$code" = NOERROR ]
	not asked n9006.many.test
	wait_for 8 has_audit dns.refuse '.container == "two" and .name == "n9006.many.test" and .reason == "egress.dns.names_per_minute"'
	end_container two few
}

@test "names: a resolver on the container's link is asked from within, and its ports are nobody else's" {
	local port log=$BATS_TEST_TMPDIR/link
	make_network three 3
	"$builddir/tests/live/dns-server" 10.77.3.1 "$log" >"$log.ready" 2>&1 3>&- <<<'good.test A 20 11.22.33.80' &
	wait_for 8 grep -q ready "$log.ready"
	start_container three link three
	ask good.test
	[ "$data" = 11.22.33.80 ]
	[ "$(came_out 3 dns)" = 1 ]
	# /proc/net/udp: addresses and ports in hexadecimal, the peer's 0A4D0301:0035 in the machine's byte order
	ports=$(inside awk '$3 ~ /^(01034D0A|0A4D0301):0035$/ { sub(/.*:/, "", $2); print "0x" $2 }' "/proc/$pid/net/udp" | xargs printf '%d ')
	[ "$(wc -w <<<"$ports")" = 6 ]
	kill -KILL "$(jq -r .warden_pid "$(grep -l "\"pid\":$(pgrep -x quod-guardian | tail -n 1)" /run/quod/containers/*/guardian)")"
	sleep 0.3
	: >"$log"
	for port in $ports; do
		run inside "$client" send "$port" - 10.77.3.1 53
		echo "$output"
		[[ $output != answer* ]]
	done
	[ ! -s "$log" ]
	end_container three link
}

# warden_now CONTAINER: the warden that serves it, a child of the cradle.
warden_now() {
	pgrep -x -P "$(helper_of "$1" cradle)" quod-warden
}

is_another() { # CONTAINER OLD-PID
	local now
	now=$(warden_now "$1") && [ "$now" != "$2" ]
}

@test "names: a warden that is killed is there again, and nothing is open meanwhile that wasn't" {
	local warden before n
	make_network four 4
	start_container four names four
	ask good.test
	connects 11.22.33.80 443
	for n in 1 2 3; do
		warden=$(warden_now four)
		before=$(came_out 4 dns)
		kill -KILL "$warden"
		# until the next one has been asked, what was learnt stays open, and nothing else is
		connects 11.22.33.80 443
		not connects 11.22.33.66 443
		not connects 127.0.0.1 1055
		run inside "$client" hold 1055 "/proc/$pid/ns/net" </dev/null
		[[ $output == *'in use'* ]] || { echo "$output"; return 1; }
		wait_for 8 is_another four "$warden"
		ask good.test
		[ "$code $data" = "NOERROR 11.22.33.80" ]
		ask denied.test
		[ "$code" = NXDOMAIN ]
		[ "$(came_out 4 dns)" = "$before" ]
	done
	[ "$(helper_of four warden)" != "$(warden_now four)" ]
	wait_for 8 has_audit warden.lost '.container == "four" and .helper == "warden"'
	wait_for 8 has_audit warden.back '.container == "four" and .helper == "warden"'
	warden=$(warden_now four)
	grep -qx 'Uid:	64533	64533	64533	64533' "/proc/$warden/status"
	[ "$(grep -c '^Cap.*0000000000000000$' "/proc/$warden/status")" = 5 ]
	[ "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$warden/status")" -gt "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$(helper_of four cradle)/status")" ]
	kill -0 "$pid"
	end_container four names
	wait_for 8 is_gone "$warden"
}

@test "names: a query that waits while there is no warden is answered by the next one" {
	local warden
	make_network eight 8
	start_container eight names eight
	warden=$(warden_now eight)
	kill -KILL "$warden"
	ask good.test
	[ "$code $data" = "NOERROR 11.22.33.80" ]
	is_another eight "$warden"
	end_container eight names
}

@test "names: whoever makes the warden fall gains no names by it" {
	local warden n
	make_network nine 9
	start_container nine few nine
	for n in 1 2 3 4 5; do
		ask "n990$n.many.test"
		[ "$code" = NOERROR ]
	done
	warden=$(warden_now nine)
	kill -KILL "$warden"
	wait_for 8 is_another nine "$warden"
	ask n9906.many.test
	[ "$code" = SERVFAIL ]
	end_container nine few
}

@test "names: without its cradle a warden ends, names are dead, and what was learnt stays open" {
	make_network ten 10
	start_container ten names ten
	ask good.test
	kill -KILL "$(helper_of ten cradle)"
	wait_for 8 has_audit warden.lost '.container == "ten" and .helper == "warden"'
	run inside dig +tries=1 +time=1 good.test
	[[ $output == *'no servers could be reached'* || $output == *'refused'* ]]
	connects 11.22.33.80 443
	not connects 11.22.33.66 443
	kill -0 "$pid"
	end_container ten names
}

@test "names: what was learnt ages" {
	local load=$builddir/tests/live/egress-load
	make_network five 5
	ip netns exec five "$load" install names=1 "learn=tcp 11.22.33.80 443" lifetime=1500
	ip netns exec five timeout 3 bash -c 'exec 3<>/dev/tcp/11.22.33.80/443'
	sleep 1.7
	not ip netns exec five timeout 3 bash -c 'exec 3<>/dev/tcp/11.22.33.80/443'
	[ "$(ip netns exec five "$load" inspect | grep learnt4)" = "set learnt4: there=1 elements=0" ]
}

@test "names: crun starts the helpers under the container's own limit of descriptors, which is enough for them" {
	local bundle=$BATS_TEST_TMPDIR/bundle
	make_network twelve 12
	make_bundle "$bundle" '.process.args = ["sleep", "1000"] | .process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 256}] |
		.linux.namespaces |= map(if .type == "network" then .path = "/run/netns/twelve" else . end)'
	quod --profile names --runtime crun create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" twelve </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/out"; tail -n 1 /var/log/quod/audit.jsonl; return 1; }
	quod --runtime crun start twelve
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
	ask good.test
	[ "$data" = 11.22.33.80 ]
	connects 11.22.33.80 443
	quod --runtime crun delete --force twelve
}

@test "names: a port of the warden's that is taken refuses the container" {
	make_network six 6
	mkfifo "$BATS_TEST_TMPDIR/end"
	ip netns exec six "$client" hold 1055 /proc/1/ns/net <"$BATS_TEST_TMPDIR/end" >"$BATS_TEST_TMPDIR/held" 2>&1 3>&- &
	exec 5>"$BATS_TEST_TMPDIR/end"
	wait_for 8 grep -q held "$BATS_TEST_TMPDIR/held"
	run start_container six names six
	exec 5>&-
	[ "$status" != 0 ]
	[[ $output == *'port 1055 of the container'*'Address already in use'* ]]
}

@test "names: what no name can be bound to, and too many ports, are refused in words" {
	write_profile verify <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "allow": ["good.test", "good.test:443/udp", "db.test:5432"] } }
	J
	make_bundle "$BATS_TEST_TMPDIR/b"
	run quod-verify run --bundle "$BATS_TEST_TMPDIR/b" c9
	[ "$status" = 1 ]
	[[ $output == *"'good.test:443/udp': QUIC hides its name"*'"verify_name": false'*'(egress.verify_name)' ]]
	[[ $output != *db.test* ]]
	write_profile verify <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "verify_name": false, "allow": ["good.test:1-17"] } }
	J
	run quod-verify run --bundle "$BATS_TEST_TMPDIR/b" c9
	[ "$status" = 1 ]
	[[ $output == *"'good.test:1-17': one entry of a name has at most 16 ports (egress.allow)" ]]
}
