#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# verify_name: a connection must say a name that its address was looked up for. curl and openssl as clients, TLS and HTTP
# servers in the little internet, one container for most tests.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile verify <<-'J'
		{ "version": 1, "extends": "balanced", "audit": { "record": ["refusals", "dns"] },
		  "egress": { "verify_name": true, "dns": { "upstream": ["11.22.33.53"], "names_per_minute": "unlimited" },
		    "allow": ["good.test", "twin.test", "six.test", "alt.test:8443/tls", "alt.test:8080/http", "bare.test:5432",
		              "inner.svc.cluster.test:80@10.0.0.0/8", "alt.test:8081/http", "11.22.33.66:443"] } }
	J
	printf 'nameserver 8.8.8.8\n' >/etc/resolv.conf
	make_internet 5432
	internet ip addr add 10.1.2.3/32 dev lo
	ip route add 10.1.2.3/32 via 11.22.33.80
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		good.test A 20 11.22.33.80
		good.test AAAA 20 2a0b::80
		twin.test A 20 11.22.33.80
		six.test AAAA 20 2a0b::80
		alt.test A 20 11.22.33.80
		bare.test A 20 11.22.33.80
		inner.svc.cluster.test A 20 10.1.2.3
	R
	(
		cd "$BATS_FILE_TMPDIR" || exit
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=good.test
		printf 'subjectAltName=DNS:good.test,DNS:twin.test,DNS:six.test,DNS:alt.test,IP:11.22.33.66' >extensions
		openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem
	) >"$BATS_FILE_TMPDIR/openssl" 2>&1
	local port
	for port in 80 8080; do
		web_server "TCP6-LISTEN:$port,ipv6only=0,reuseaddr,fork"
	done
	for port in 443 8443; do
		web_server "OPENSSL-LISTEN:$port,pf=ip6,ipv6only=0,reuseaddr,fork,verify=0,cert=$BATS_FILE_TMPDIR/cert.pem,key=$BATS_FILE_TMPDIR/key.pem"
	done
	ip netns exec internet "$builddir/tests/live/named-load" serve 8081 </dev/null >"$BATS_FILE_TMPDIR/ports" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >>"$BATS_FILE_TMPDIR/internet.pids"
	make_network one 1
	start_container one verify one
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
}

web_server() {
	serve_in internet socat -t 10 "$1" "SYSTEM:$srcdir/tests/live/verify-reply.sh"
}

teardown_file() {
	load ../helpers
	load ../names
	end_container one verify
	end_internet
}

setup() {
	load ../helpers
	load ../names
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
}

# fetch CURL-ARGUMENT...: as the container; what came is in $output, curl's status in $status.
fetch() {
	run inside curl -sS --max-time 8 --cacert "$BATS_FILE_TMPDIR/ca.pem" "$@"
	printf '%s\n' "$status: $output"
}

# tell ADDRESS PORT <BYTES: sends them as they are and prints what comes back.
tell() {
	run inside timeout 8 socat -t 3 - "TCP:$1:$2"
	printf '%s\n' "$status: $output"
}

reset() { # what curl and socat say of a connection that was reset
	[ "$status" != 0 ] && [[ $output == *'reset by peer'* || $output == *'Connection reset'* ]]
}

refused_record() { # JQ-CONDITION
	wait_for 8 has_audit connect.refuse "$1"
}

@test "verify_name: the right name works on IPv4 and IPv6, with TLS and with HTTP, and the server sees the container's address" {
	fetch -4 https://good.test/a
	[ "$output" = 'good.test /a 10.77.1.2 0' ]
	fetch -6 https://good.test/b
	[ "$output" = 'good.test /b [fd77:0001:0000:0000:0000:0000:0000:0002] 0' ]
	fetch -4 http://good.test/c
	[ "$output" = 'good.test /c 10.77.1.2 0' ]
	fetch -6 http://good.test/d
	[ "$output" = 'good.test /d [fd77:0001:0000:0000:0000:0000:0000:0002] 0' ]
	fetch https://six.test/e
	[ "$output" = 'six.test /e [fd77:0001:0000:0000:0000:0000:0000:0002] 0' ]
}

@test "verify_name: another name in the hello is reset, nothing reaches the server, and it is recorded" {
	ask good.test
	fetch --connect-to evil.test:443:11.22.33.80:443 https://evil.test/
	reset
	refused_record '.name == "evil.test" and .address == "11.22.33.80" and .port == 443 and .reason == "no entry allows it"'
	ask six.test AAAA
	fetch --connect-to evil.test:443:[2a0b::80]:443 https://evil.test/
	reset
	fetch --connect-to evil.test:80:[2a0b::80]:80 http://evil.test/
	reset
	refused_record '.name == "evil.test" and .address == "2a0b::80" and .port == 80'
}

# flips: egress.verify_name
@test "verify_name: switched off, the same connection passes" {
	write_profile loose <<-'J'
		{ "version": 1, "extends": "verify", "egress": { "verify_name": false } }
	J
	make_network four 4
	start_container four loose four
	ask good.test
	fetch -k --connect-to evil.test:443:11.22.33.80:443 https://evil.test/x
	[ "$output" = 'evil.test /x 10.77.4.2 0' ]
	end_container four loose
}

@test "verify_name: a hello without a name, or with an address for one, is reset" {
	ask good.test
	fetch -k https://11.22.33.80/
	reset
	refused_record '.name == null and .address == "11.22.33.80" and .port == 443 and .reason == "says no host name"'
	run inside timeout 5 openssl s_client -connect 11.22.33.80:443 -noservername </dev/null
	[[ $output != *'BEGIN CERTIFICATE'* ]]
	run inside timeout 5 openssl s_client -connect 11.22.33.80:443 -servername 11.22.33.80 </dev/null
	[[ $output != *'BEGIN CERTIFICATE'* ]]
	run inside timeout 5 openssl s_client -connect 11.22.33.80:443 -servername good.test </dev/null
	[[ $output == *'BEGIN CERTIFICATE'* ]]
}

@test "verify_name: an allowed name is refused at an address that only another name led to, until it is looked up itself" {
	make_network two 2
	start_container two verify two
	ask good.test
	fetch --resolve twin.test:443:11.22.33.80 https://twin.test/
	reset
	fetch --resolve twin.test:80:11.22.33.80 http://twin.test/
	reset
	refused_record '.container == "two" and .name == "twin.test" and .reason == "the name was not looked up at this address"'
	ask twin.test
	fetch --resolve twin.test:443:11.22.33.80 https://twin.test/x
	[ "$output" = 'twin.test /x 10.77.2.2 0' ]
	end_container two verify
}

@test "verify_name: an address that no name led to is refused, whatever name is said" {
	fetch --resolve good.test:443:11.22.40.9 https://good.test/
	[ "$status" = 7 ]
}

@test "verify_name: of HTTP, a request for another name is reset, the first and any later one" {
	ask good.test
	ask twin.test
	fetch -H 'Host: evil.test' http://good.test/
	reset
	refused_record '.name == "evil.test" and .port == 80'
	tell 11.22.33.80 80 <<<$'GET /one HTTP/1.1\r\nHost: good.test\r\n\r\nGET /two HTTP/1.1\r\nHost: twin.test\r\n\r\nGET /three HTTP/1.1\r\nHost: evil.test\r\n\r\n'
	[[ $output != *three* ]]
	tell 11.22.33.80 80 < <(printf 'GET /one HTTP/1.1\r\nHost: good.test\r\n\r\n'; sleep 1; printf 'GET /three HTTP/1.1\r\nHost: evil.test\r\n\r\n'; sleep 1)
	[[ $output == *'good.test /one'* ]]
	[[ $output != *three* ]]
	tell 11.22.33.80 80 < <(printf 'GET /one HTTP/1.1\r\nHost: good.test\r\n\r\n'; sleep 1; printf 'GET /two HTTP/1.1\r\nHost: twin.test\r\n\r\n'; sleep 1)
	[[ $output == *'good.test /one'*'twin.test /two'* ]]
}

@test "verify_name: what hides a request from one of two readers is refused" {
	local try
	ask good.test
	for try in 'GET / HTTP/1.1\r\n\r\n' 'GET / HTTP/1.1\r\nHost: good.test\r\nHost: good.test\r\n\r\n' 'GET / HTTP/1.1\r\nHost : good.test\r\n\r\n' \
		'GET / HTTP/1.1\nHost: good.test\n\n' 'GET / HTTP/1.1\r\nX: a\r\n b\r\nHost: good.test\r\n\r\n' 'CONNECT good.test:80 HTTP/1.1\r\nHost: good.test\r\n\r\n' \
		'GET http://evil.test/ HTTP/1.1\r\nHost: good.test\r\n\r\n' 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' 'GET /\r\n' \
		'POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' 'SSH-2.0-OpenSSH\r\n'; do
		# shellcheck disable=SC2059 # the format is the input
		tell 11.22.33.80 80 < <(printf "$try"; sleep 0.5)
		[[ $output != *HTTP/1.1* ]]
	done
	tell 11.22.33.80 443 <<<'GET / HTTP/1.1'
	[[ $output != *HTTP* ]]
	refused_record '.reason == "says what is neither TLS nor HTTP, or could be read in two ways"'
}

@test "verify_name: bodies by length and in chunks pass whole, and what follows them is a request again" {
	head -c 3000000 /dev/zero >"$BATS_TEST_TMPDIR/body"
	fetch --data-binary "@$BATS_TEST_TMPDIR/body" http://good.test/length
	[ "$output" = 'good.test /length 10.77.1.2 3000000' ]
	fetch -4 -H 'Transfer-Encoding: chunked' --data-binary "@$BATS_TEST_TMPDIR/body" http://good.test/chunks
	[ "$output" = 'good.test /chunks 10.77.1.2 3000000' ]
	fetch -4 --data-binary "@$BATS_TEST_TMPDIR/body" https://good.test/tls
	[ "$output" = 'good.test /tls 10.77.1.2 3000000' ]
	tell 11.22.33.80 80 < <(printf 'POST /a HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: evil.test\r\n\r\n'; sleep 1)
	[[ $output != *evil* ]]
}

@test "verify_name: much passes, both ways" {
	[ "$(inside curl -sS --cacert "$BATS_FILE_TMPDIR/ca.pem" https://good.test/big | sha256sum)" = "$(head -c 8388608 /dev/zero | sha256sum)" ]
	[ "$(inside curl -sS http://good.test/big | sha256sum)" = "$(head -c 8388608 /dev/zero | sha256sum)" ]
}

@test "verify_name: a half-closed connection goes on the other way" {
	ask good.test
	tell 11.22.33.80 80 < <(printf 'POST /eof HTTP/1.1\r\nHost: good.test\r\n\r\n')
	[[ $output == *'0 bytes to the end'* ]]
}

@test "verify_name: a websocket is let go when the server agrees, anything else stays HTTP" {
	local upgrade='Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
	ask good.test
	tell 11.22.33.80 80 < <(printf "GET /ws HTTP/1.1\r\nHost: good.test\r\n$upgrade"; sleep 1; printf '\001\002no request at all\n'; sleep 1)
	[[ $output == *'101 Switching'*'no request at all'* ]]
	tell 11.22.33.80 80 < <(printf "GET /plain HTTP/1.1\r\nHost: good.test\r\n$upgrade"; sleep 1; printf 'GET /x HTTP/1.1\r\nHost: evil.test\r\n\r\n'; sleep 1)
	[[ $output == *'good.test /plain'* ]]
	[[ $output != *evil* ]]
	tell 11.22.33.80 80 < <(printf 'GET /ws HTTP/1.1\r\nHost: good.test\r\nUpgrade: h2c\r\n\r\n'; sleep 1; printf '\001\002no request at all\n'; sleep 1)
	[[ $output != *'no request at all'* ]]
}

@test "verify_name: a hello in pieces is put together" {
	local hello=$BATS_TEST_TMPDIR/hello
	ask good.test
	# what a client says first, taken from one
	(timeout 2 socat -u TCP-LISTEN:4433,bind=127.0.0.1,reuseaddr "OPEN:$hello,creat,trunc" 3>&- & echo $! >"$BATS_TEST_TMPDIR/catcher")
	sleep 0.3
	timeout 1 openssl s_client -connect 127.0.0.1:4433 -servername good.test </dev/null >/dev/null 2>&1 || :
	wait_for 3 test -s "$hello"
	run bash -c "inside() { nsenter --net --target $pid -- \"\$@\"; }; (head -c 40 '$hello'; sleep 0.5; tail -c +41 '$hello'; sleep 1) | inside timeout 8 socat -t 3 - TCP:11.22.33.80:443 2>/dev/null | head -c 3 | od -An -tx1"
	echo "$output"
	[ "$output" = ' 16 03 03' ]
	run bash -c "inside() { nsenter --net --target $pid -- \"\$@\"; }; (sed s/good/evil/ '$hello'; sleep 1) | inside timeout 8 socat -t 3 - TCP:11.22.33.80:443 2>/dev/null | head -c 3 | od -An -tx1"
	echo "$output"
	[[ $output != *16* ]]
}

@test "verify_name: other ports by what their entry says" {
	fetch https://alt.test:8443/a
	[ "$output" = 'alt.test:8443 /a 10.77.1.2 0' ]
	fetch http://alt.test:8080/b
	[ "$output" = 'alt.test:8080 /b 10.77.1.2 0' ]
	fetch -H 'Host: evil.test' http://alt.test:8080/b
	reset
	fetch http://alt.test:8443/
	reset
	refused_record '.name == "alt.test" and .port == 8443 and .reason == "no entry allows it by this protocol on this port"'
	ask bare.test
	connects 11.22.33.80 5432
}

@test "verify_name: what is allowed by its address is bound to no name" {
	fetch https://11.22.33.66/x
	[ "$output" = '11.22.33.66 /x 10.77.1.2 0' ]
	fetch --resolve evil.test:443:11.22.33.66 -k https://evil.test/y
	[ "$output" = 'evil.test /y 10.77.1.2 0' ]
}

@test "verify_name: a server inside may be called as it was typed, with a search list" {
	ask inner.svc.cluster.test
	fetch --resolve inner:80:10.1.2.3 http://inner/a
	[ "$output" = 'inner /a 10.77.1.2 0' ]
	fetch --resolve inner.svc:80:10.1.2.3 http://inner.svc/b
	[ "$output" = 'inner.svc /b 10.77.1.2 0' ]
	fetch --resolve inn:80:10.1.2.3 http://inn/c
	reset
	ask good.test
	fetch -H 'Host: good' -4 http://good.test/d
	[ "$output" = 'good /d 10.77.1.2 0' ]
}

@test "verify_name: what is denied can't be said for short either" {
	write_profile denies <<-'J'
		{ "version": 1, "extends": "verify", "egress": { "deny": ["inner.svc"] } }
	J
	make_network seven 7
	start_container seven denies seven
	ask inner.svc.cluster.test
	fetch --resolve inner:80:10.1.2.3 http://inner/a
	[ "$output" = 'inner /a 10.77.7.2 0' ]
	fetch --resolve inner.svc:80:10.1.2.3 http://inner.svc/b
	reset
	refused_record '.name == "inner.svc" and .address == "10.1.2.3" and .port == 80'
	end_container seven denies
}

@test "verify_name: QUIC, and any UDP on 443, is refused" {
	ask good.test
	run inside bash -c 'exec 3<>/dev/udp/11.22.33.80/443 && printf x >&3'
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *'not permitted'* ]]
}

@test "verify_name: the warden's port is nobody's to speak to" {
	not connects 127.0.0.1 1443
	not connects 10.77.1.2 1443
	not connects ::1 1443
	not connects fd77:1::2 1443
}

@test "verify_name: who connects and says nothing is let go" {
	ask good.test
	timed inside timeout 30 bash -c 'exec 3<>/dev/tcp/11.22.33.80/443; read -r x <&3' || :
	echo "$took_ms"
	[ "$took_ms" -lt 25000 ]
	refused_record '.reason == "said no name in time"'
}

@test "verify_name: a server that refuses shows as a reset" {
	make_network three 3
	write_profile closed <<-'J'
		{ "version": 1, "extends": "verify", "egress": { "allow": ["good.test:9443/tls"] } }
	J
	start_container three closed three
	ask good.test
	fetch https://good.test:9443/
	reset
	end_container three closed
}

@test "verify_name: nobody takes over a connection that the warden made: its ports and its end are no way out" {
	local load=$builddir/tests/live/named-load port ports seen
	ask alt.test
	# the server resets what says "/reset": the entry of the warden's connection stays in conntrack for a while
	inside "$load" from 0 11.22.33.80 8081 $'GET /reset HTTP/1.1\r\nHost: alt.test\r\n\r\n' || :
	ports=$(tail -n 1 "$BATS_FILE_TMPDIR/ports")
	[ "$ports" -gt 0 ]
	seen=$(wc -l <"$BATS_FILE_TMPDIR/ports")
	for port in $ports; do
		run inside "$load" from "$port" 11.22.33.80 8081 'says no name at all'
		echo "$port: $output"
		[[ $output == *refused* ]]
	done
	[ "$(wc -l <"$BATS_FILE_TMPDIR/ports")" = "$seen" ]
}

@test "verify_name: a socket that is bound to the cable, or wants the warden's mark, gets no further" {
	local before
	ask good.test
	before=$(came_out 1 any)
	run inside timeout 5 socat -t 1 - TCP:11.22.33.80:80,so-bindtodevice=eth0,connect-timeout=2 <<<'GET / HTTP/1.1'
	echo "$output"
	[ "$status" != 0 ]
	[[ $output != *HTTP* ]]
	[ "$(came_out 1 any)" = "$before" ]
	run quod-verify exec one sh -c 'exit 0'
	[ "$status" = 0 ]
	run nsenter --net --target "$pid" -- setpriv --reuid 1000 --clear-groups --bounding-set -all --inh-caps -all socat -u /dev/null TCP:11.22.33.80:80,setsockopt-int=1:36:81
	[[ $output == *'not permitted'* ]]
}

@test "verify_name: what the warden has from the host's network lies where it can't be connected to anything" {
	local warden
	warden=$(jq -r .warden_pid /run/quod/containers/*/guardian)
	# six sockets of each resolver, 127.0.0.11 one of the two
	[ "$(ls "/proc/$warden/fd" | awk '$1 >= 1024' | wc -l)" = 12 ]
	[ "$(ls "/proc/$warden/fd" | awk '$1 < 1024' | wc -l)" -lt 600 ]
	[ "$(readlink "/proc/$(jq -r .nursery_pid /run/quod/containers/*/guardian)/ns/net")" = "$(readlink "/proc/$pid/ns/net")" ]
	[ "$(readlink "/proc/$warden/ns/net")" != "$(readlink "/proc/$pid/ns/net")" ]
}

@test "verify_name: verify tries what it says, and explain says how each name is bound" {
	quodctl verify one | tee "$BATS_TEST_TMPDIR/verify"
	grep -qE '^egress.verify_name .*proven' "$BATS_TEST_TMPDIR/verify" || grep -E 'proven.*egress.verify_name|egress.verify_name' "$BATS_TEST_TMPDIR/verify" | grep -q proven
	quodctl --json explain --profile verify one | jq -e '.names_bound_by | .["good.test"] == "connection" and .["alt.test:8443/tls"] == "connection" and .["bare.test:5432"] == "address"'
	quodctl explain --profile verify one | grep -F 'egress allowed: good.test (each connection must say the name)'
}

@test "verify_name: bytes out count once, those to the warden not at all" {
	local before after counter='inside nft -j list counter inet quod out'
	ask good.test
	head -c 4000000 /dev/zero >"$BATS_TEST_TMPDIR/body"
	before=$($counter | jq '.nftables[1].counter.bytes')
	fetch -4 --data-binary "@$BATS_TEST_TMPDIR/body" https://good.test/tls
	after=$($counter | jq '.nftables[1].counter.bytes')
	echo "$((after - before))"
	[ $((after - before)) -gt 4000000 ]
	[ $((after - before)) -lt 5500000 ]
}

@test "verify_name: what ends between its verdict and its turning does not leave" {
	make_network five 5
	ip netns exec five "$builddir/tests/live/egress-load" install names=1 "learn=turned tcp 11.22.33.80 443" lifetime=60000
	# as if the element ended when the packet had been judged and not turned yet
	ip netns exec five nft flush chain inet quod redirects
	not ip netns exec five timeout 3 bash -c 'exec 3<>/dev/tcp/11.22.33.80/443'
	[ "$(came_out 5 any)" = 0 ]
}

@test "verify_name: a warden that is lost ends its connections, and the next one looks again" {
	make_network six 6
	start_container six verify six
	fetch -4 https://good.test/a
	[ "$output" = 'good.test /a 10.77.6.2 0' ]
	kill -KILL "$(jq -r .warden_pid "$(grep -l "\"pid\":$(pgrep -x quod-guardian | tail -n 1)" /run/quod/containers/*/guardian)")"
	wait_for 8 has_audit warden.back '.container == "six" and .helper == "warden"'
	wait_for 10 inside curl -4 -sSf -o /dev/null --max-time 5 --cacert "$BATS_FILE_TMPDIR/ca.pem" https://good.test/b
	fetch --connect-to evil.test:443:11.22.33.80:443 -k https://evil.test/
	reset
	end_container six verify
}

@test "verify_name: many refused connections are one record and a number" {
	local records
	ask good.test
	records=$(wc -l </var/log/quod/audit.jsonl)
	run inside bash -c 'for ((i = 0; i < 300; i++)); do { printf "GET / HTTP/1.1\r\nHost: evil%s.test\r\n\r\n" $((i % 2)) >&3; } 3<>/dev/tcp/11.22.33.80/80; done'
	[ $(($(wc -l </var/log/quod/audit.jsonl) - records)) -lt 20 ]
}

@test "verify_name: more connections than there are places are reset, and the others go on" {
	ask good.test
	run inside bash -c 'for ((i = 0; i < 300; i++)); do exec {fd}<>/dev/tcp/11.22.33.80/443; done; exec 2>/dev/null; sleep 2'
	refused_record '.reason == "too many connections at a time"'
	wait_for 20 inside curl -sSf -o /dev/null --cacert "$BATS_FILE_TMPDIR/ca.pem" https://good.test/
}
