#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by names, in DNS, TLS and HTTP: the W entries of tests/attacks. Each is tried in a container of the bare runtime first;
# at the end a capture shows that nothing has left under quod, and the name server's log that no other name was told to it.
# shellcheck disable=SC2016,SC2154 # the container's shell expands; what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	load attack-net
	write_profile attack <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "dns": { "upstream": ["11.22.33.53"], "names_per_minute": "unlimited" },
		    "allow": ["good.test", "twin.test", "chain.test", "junk.test", "loop.test", "zero.test", "ever.test", "big.test", "lie.test",
		              "*.wild.test", "**.many.test", "11.22.33.80:5432"] } }
	J
	write_profile dead <<<'{ "version": 1, "extends": "balanced", "egress": { "dns": { "upstream": ["11.22.33.99"] }, "allow": ["good.test"] } }'
	write_profile empty <<<'{ "version": 1, "extends": "locked", "process": { "root": true }, "egress": { "allow": [] } }'
	make_two_containers <<-'R'
		good.test A 20 11.22.33.80
		good.test AAAA 20 2a0b::80
		twin.test A 20 11.22.43.99
		evil.test A 20 11.22.33.66
		chain.test CNAME 20 a.foreign
		a.foreign CNAME 20 b.foreign
		b.foreign A 20 11.22.43.7
		junk.test A 20 11.22.33.80
		junk.test junk
		loop.test CNAME 20 loop2.foreign
		loop2.foreign CNAME 20 loop.test
		zero.test A 0 11.22.43.20
		ever.test A 2147483647 11.22.43.21
		big.test many 100
		lie.test A 20 11.22.33.80
		lie.test lie
		x.wild.test A 20 11.22.33.80
		a.b.wild.test A 20 11.22.33.66
		wild.test A 20 11.22.33.66
		xwild.test A 20 11.22.33.66
		many.test spread
	R
	mkdir "$BATS_FILE_TMPDIR/rootfs/corpus"
	cp "$srcdir"/tests/fuzz/corpus/dns/* "$BATS_FILE_TMPDIR/rootfs/corpus"
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
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
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
}

teardown() {
	quod delete --force other 2>/dev/null || :
}

# ask_bare DIG-ARGUMENT...: what the bare container is told.
ask_bare() { ip netns exec bare dig +tries=1 +time=4 +short "$@" @11.22.33.54; }

@test "W06: an alias leads on within its answer alone, and nowhere without an end" {
	[ "$(ask_bare loop.test | wc -l)" -gt 0 ]
	ask chain.test
	[ "$data" = 11.22.43.7 ]
	ask junk.test
	[ "$data" = 11.22.33.80 ]
	not connects 11.22.33.99 443
	ask loop.test
	[ "$code" = SERVFAIL ]
}

@test "W08: a lifetime of nothing is long enough to connect, and one without end ends" {
	ask zero.test
	sleep 1.2
	connects 11.22.43.20 443
	ip netns exec bare dig +noall +answer ever.test @11.22.33.54 | grep -q 2147483647
	ask ever.test
	[ "$(awk '/^ever.test/ { print $2 }' <<<"$output")" -le 3600 ]
	inside nft list set inet quod named4 | tr ',' '\n' | grep '11.22.43.21 . tcp . 443' | grep -q 'timeout .*expires'
}

@test "W09: no address is open before it is told, and each one is when it is" {
	run inside "$client" race 300 8.8.8.8 many.test 443
	echo "$output"
	[[ $output == 'ok 300 failed 0 unanswered 0 early 0 '* ]]
}

@test "W10: a zone with more addresses than there is room for shuts nobody else out" {
	local n
	ask big.test A +tcp
	for n in 1 2 3; do
		inside "$client" flood 3000 8.8.8.8 "s$n.many.test"
	done
	ask good.test
	[ "$data" = 11.22.33.80 ]
	connects 11.22.33.80 443
	not connects 11.22.33.66 443
}

@test "W11: no records but addresses, asked for or handed on" {
	local type
	for type in TXT NULL ANY HTTPS SVCB MX SRV; do
		ask_bare evil.test "$type" +notcp >/dev/null || :
		ask good.test "$type"
		[ "$code $data" = 'NOERROR ' ]
	done
	grep -q '^evil.test 16$' "$BATS_FILE_TMPDIR/asked-bare"
	not grep -vE ' (1|28)$' "$BATS_FILE_TMPDIR/asked-held"
}

@test "W12: connections that are idle, full of queries or lie about their length keep nobody out" {
	mkfifo "$BATS_TEST_TMPDIR/end"
	inside "$client" idle 200 8.8.8.8 53 <"$BATS_TEST_TMPDIR/end" >"$BATS_TEST_TMPDIR/idle" 2>&1 3>&- &
	exec 5>"$BATS_TEST_TMPDIR/end"
	wait_for 30 grep -q idle "$BATS_TEST_TMPDIR/idle"
	run timeout 40 quod exec held sh -c 'attack-net lengths 8.8.8.8; attack-net queries 8.8.8.8 good.test 2000' </dev/null
	exec 5>&-
	echo "$output"
	[[ $output != *answer$'\n'* ]]
	[[ ${lines[3]} == *' of '* ]]
	ask good.test A +tcp
	[ "$data" = 11.22.33.80 ]
	ask good.test
	[ "$data" = 11.22.33.80 ]
}

@test "W13: DNS over TLS, and what another resolver tells, open nothing" {
	ask good.test
	both 'egress-probe udpto 11.22.33.80 853 & egress-probe tcp 11.22.33.80 853; egress-probe tcp 11.22.33.66 443; wait'
	[[ $bare == connected*connected*silence* ]]
	stopped 3
	# the name is allowed and the address is what a resolver behind an allowed connection may have told
	both 'attack-net tls 11.22.33.66 443 good.test plain'
	works 1 answer
	stopped 1
}

@test "W14: forged answers are not believed" {
	ask_bare lie.test >/dev/null
	ask lie.test
	[ "$data" = 11.22.33.80 ]
	not connects 11.22.33.66 443
}

@test "W15: malformed queries, thousands of them, cost no answer of the next one" {
	local warden
	warden=$(helper_of held warden)
	both 'for i in 1 2 3; do attack-net datagrams 8.8.8.8 53 /corpus/*; done'
	[[ $held =~ ^[1-9] ]]
	ask good.test
	[ "$data" = 11.22.33.80 ]
	[ "$(helper_of held warden)" = "$warden" ]
	kill -0 "$warden"
}

@test "W16: a flood of names reaches no resolver and fills no record" {
	local records
	records=$(wc -l </var/log/quod/audit.jsonl)
	ip netns exec bare "$client" flood 50 11.22.33.54 flood.test
	inside "$client" flood 10000 8.8.8.8 flood.test
	grep -q flood.test "$BATS_FILE_TMPDIR/asked-bare"
	not grep -q flood.test "$BATS_FILE_TMPDIR/asked-held"
	[ $(($(wc -l </var/log/quod/audit.jsonl) - records)) -lt 100 ]
}

@test "W17: search domains carry nothing out" {
	local where
	for where in bare held; do
		printf 'nameserver %s\nsearch secret.corp.example\noptions ndots:5\n' "$([ $where = bare ] && echo 11.22.33.54 || echo 8.8.8.8)" >"$BATS_TEST_TMPDIR/resolv.conf"
		ip netns exec "$where" unshare --mount sh -c "mount --bind '$BATS_TEST_TMPDIR/resolv.conf' /etc/resolv.conf && getent ahostsv4 good.test" | grep -q '^11.22.33.80 '
	done
	grep -qi good.test.secret.corp.example "$BATS_FILE_TMPDIR/asked-bare"
	not grep -qi secret "$BATS_FILE_TMPDIR/asked-held"
}

@test "W18: letters that look alike are other letters, and no profile takes them" {
	local name
	for name in 'g\208\190\208\190d.test' 'xn--gd-7lca.test' 'good\.test' 'good.test\000.x' 'GOOD\227\128\130test'; do
		ask "$name" +noidnin
		[ "$code" != NOERROR ]
	done
	write_profile alike <<<'{ "version": 1, "extends": "balanced", "egress": { "allow": ["gооd.test"] } }'
	run quodctl profile check alike
	echo "$output"
	[ "$status" != 0 ]
	ask GoOd.TEST
	[ "$data" = 11.22.33.80 ]
}

@test "W19: no question to all neighbours at once" {
	both 'for a in "224.0.0.251 5353" "224.0.0.252 5355" "ff02::fb 5353" "10.77.1.255 137"; do egress-probe udpto $a & done; wait'
	[ "$(grep -c silence <<<"$bare")" -ge 3 ]
	stopped 4
}

@test "W20: who stands at the address of an engine's resolver is asked nothing" {
	local where
	for where in bare held; do
		ip netns exec $where "$builddir/tests/live/dns-server" 127.0.0.11 "$BATS_TEST_TMPDIR/$where" >"$BATS_TEST_TMPDIR/ready" 2>&1 3>&- <<<'evil.test A 5 11.22.33.66' &
		echo $! >>"$BATS_FILE_TMPDIR/internet.pids"
		wait_for 8 grep -q ready "$BATS_TEST_TMPDIR/ready"
	done
	[ "$(ip netns exec bare dig +tries=1 +time=4 +short evil.test @127.0.0.11)" = 11.22.33.66 ]
	ask evil.test @127.0.0.11
	[ "$code" = NXDOMAIN ]
	ask good.test @127.0.0.11
	[ "$data" = 11.22.33.80 ]
	ask service @127.0.0.11
	[ "$code" = NXDOMAIN ]
	[ ! -s "$BATS_TEST_TMPDIR/held" ]
}

@test "W23: an encrypted hello is judged by the name that it shows, and nobody is told its keys" {
	ask good.test
	ask good.test HTTPS
	[ "$code $data" = 'NOERROR ' ]
	both 'attack-net tls 11.22.33.80 443 evil.test ech; attack-net tls 11.22.33.80 443 good.test plain'
	[ "$(xargs <<<"$bare")" = 'answer answer' ]
	[[ $held =~ ^(end|ECONNRESET)$'\n'answer$ ]]
}

@test "W24: no QUIC to an allowed name" {
	ask good.test
	both 'for a in 11.22.33.80 2a0b::80; do egress-probe udpto $a 443 & done; wait'
	works 2 silence
	stopped 2
}

@test "W25: a hello in pieces, with urgent bytes or a second one behind it, hides no name" {
	ask good.test
	both 'for w in plain records bytes urgent late; do attack-net tls 11.22.33.80 443 evil.test $w; done'
	works 5 answer
	[ "$(grep -c answer <<<"$held")" -le 1 ] # of the two names the first one counts: it is what the server answers to
	[[ $(head -n 4 <<<"$held") != *answer* ]]
	both 'for w in records bytes; do attack-net tls 11.22.33.80 443 good.test $w; done'
	[ "$(xargs <<<"$held")" = 'answer answer' ]
}

@test "W26: a protocol that says no name is not spoken where a name must be said" {
	ask good.test
	both 'printf "SSH-2.0-OpenSSH\r\n" | nc -w 2 11.22.33.80 443; echo; printf "\0\0\0\4abcd" | nc -w 2 11.22.33.80 443; echo'
	[ "$(grep -c '!' <<<"$bare")" = 2 ]
	[[ $held != *'!'* ]]
}

@test "W27: an allowed name said to another address is refused" {
	ask good.test
	both 'attack-net tls 11.22.33.66 443 good.test plain; attack-net tls 11.22.33.80 443 twin.test plain'
	works 2 answer
	[[ $held =~ ^ECONNREFUSED$'\n'(end|ECONNRESET)$ ]]
}

@test "W28: a relay inside the container gets no further than who speaks to it" {
	both 'nc -l -p 8080 -e nc 11.22.33.66 81 2>/dev/null & sleep 0.3; (echo hello; sleep 1) | nc -w 3 127.0.0.1 8080; kill $! 2>/dev/null; true'
	[[ $bare == *hello* ]]
	[[ $held != *hello* ]]
}

@test "W29: a pattern covers one label, and neither its own name nor one that ends alike" {
	local name
	ask x.wild.test
	[ "$data" = 11.22.33.80 ]
	for name in wild.test a.b.wild.test xwild.test x.wild.test.evil.test; do
		ask "$name"
		[ "$code" = NXDOMAIN ]
	done
	[ "$(ask_bare a.b.wild.test)" = 11.22.33.66 ]
	write_profile wide <<<'{ "version": 1, "extends": "balanced", "egress": { "allow": ["*.com"] } }'
	run quodctl profile check wide
	echo "$output"
	[ "$status" != 0 ]
}

@test "W30: an address that was learnt is somebody else's in time" {
	local load=$builddir/tests/live/egress-load
	make_network aged 5
	ip netns exec aged "$load" install names=1 "learn=tcp 11.22.33.66 81" lifetime=1500
	[[ $(ip netns exec aged "$builddir/tests/live/egress-probe" tcp 11.22.33.66 81) == connected* ]]
	sleep 1.7
	[[ $(ip netns exec aged "$builddir/tests/live/egress-probe" tcp 11.22.33.66 81) == ECONNREFUSED* ]]
}

@test "W31: no address is looked up backwards" {
	ask_bare -x 11.22.33.66 >/dev/null
	grep -q in-addr.arpa "$BATS_FILE_TMPDIR/asked-bare"
	ask -x 11.22.33.80
	[ "$code" = NXDOMAIN ]
	not grep -q in-addr.arpa "$BATS_FILE_TMPDIR/asked-held"
}

@test "W32: while there is no warden, nothing new opens" {
	kill -KILL "$(pgrep -x -P "$(helper_of held cradle)" quod-warden)"
	not connects 11.22.33.66 443
	not connects 11.22.33.66 81
	ask good.test
	[ "$data" = 11.22.33.80 ]
}

@test "W33: a resolver that is dead is replaced by no other" {
	local before
	make_network dead 6
	two_bundle other dead
	start_container other dead dead
	: >"$BATS_FILE_TMPDIR/asked-bare" # the host's
	ask good.test
	[ "$code" != NOERROR ]
	[ ! -s "$BATS_FILE_TMPDIR/asked-bare" ]
}

@test "W34: an empty list allows nothing" {
	make_network empty 7
	two_bundle other empty
	start_container other empty empty
	not connects 11.22.33.80 5432
	not connects 11.22.33.66 81
	run inside dig +tries=1 +time=2 +short good.test @11.22.33.54
	not grep -qx 11.22.33.80 <<<"$output"
	[ "$(came_out 7 any)" = 0 ]
}

@test "W06: of all this no packet left for a place that isn't allowed, and no other name was told to a resolver" {
	nothing_left 'dst host 11.22.33.80 or dst net 11.22.40.0/22 or dst net 11.64.0.0/14 or dst host 2a0b::80'
	not grep -viE '^((good|twin|chain|junk|loop|zero|ever|big|lie|x.wild|[a-z0-9]+.many|[a-z0-9]+.s[123].many).test|[ab].foreign|loop2.foreign) ' "$BATS_FILE_TMPDIR/asked-held"
}
