#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl learn, from audit files that the test writes: what they show of a container becomes the profile that allows just that.
bats_require_minimum_version 1.5.0

load ../helpers

setup() {
	trail=$BATS_TEST_TMPDIR/trail.jsonl
	profiles=$BATS_TEST_TMPDIR/profiles
	mkdir "$profiles"
	cat >"$profiles/base.json" <<-'J'
		{ "version": 1, "description": "the base", "process": { "root": true }, "egress": { "mode": "observe", "verify_name": false,
		  "allow": ["old.example.com:443"], "caps": { "old.example.com:443": "1M" }, "deny": ["bad.example.com", "192.0.2.66:*"] } }
	J
	seq=0
}

# record EVENT MEMBERS [CONTAINER]
record() {
	local zeros
	zeros=$(printf '%064d' 0)
	seq=$((seq + 1))
	printf '{"v":1,"time":"2026-01-01T00:00:00.%09dZ","seq":%d,"event":"%s","container":"%s","engine":"docker","profile":"base","digest":"d",%s,"prev":"%s","hash":"%s"}\n' \
		"$seq" "$seq" "$1" "${3:-c1}" "$2" "$zeros" "$zeros" >>"$trail"
}

learn() {
	run --separate-stderr "$builddir/quodctl" --profiles "$profiles" learn "$@" "$trail"
	echo "$output"
	echo "stderr: $stderr"
}

# allows ENTRY...: the profile that was printed passes check, and its list is just that.
allows() {
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/learnt.json"
	"$builddir/quodctl" --profiles "$profiles" profile check "$BATS_TEST_TMPDIR/learnt.json" || return
	[ "$(sed 's,^ *//.*,,' "$BATS_TEST_TMPDIR/learnt.json" | jq -c .egress.allow)" = "$(jq -nc '$ARGS.positional' --args "$@")" ]
}

@test "learn: what was observed becomes what is allowed, names before addresses, and says how often" {
	record dns.refuse '"reason":"no entry allows it","type":"A","name":"api.example.com","observed":true'
	record connect.refuse '"reason":"no entry allows it","address":"198.51.100.9","port":443,"protocol":"tcp","name":"api.example.com","observed":true'
	record connect.refuse '"reason":"no entry allows it","address":"8.8.4.4","port":443,"protocol":"tcp","name":"api.example.com","repeated":4,"observed":true'
	record connect.refuse '"reason":"no entry allows it","address":"8.8.8.8","port":53,"protocol":"udp","observed":true'
	record connect.refuse '"reason":"no entry allows it","address":"2001:4860:4860::8888","port":853,"protocol":"tcp","observed":true'
	learn
	[ "$status" = 0 ]
	allows api.example.com:443 api.example.com:443@198.51.100.9 8.8.8.8:53/udp '[2001:4860:4860::8888]:853'
	[[ $output == *"// 1 question, 4 connections"* ]]
	[[ $output == *"// 1 connection; no name led there"* ]]
	[ "$(sed 's,^ *//.*,,' <<<"$output" | jq -r .egress.mode)" = enforce ]
}

@test "learn: names that were answered are allowed, with their ports where connections were recorded" {
	record dns.answer '"name":"one.example.com","type":"A","addresses":["8.8.8.8"]'
	record dns.answer '"name":"two.example.com","type":"A","addresses":["8.8.8.9"]'
	record connect.open '"name":"two.example.com","address":"8.8.8.9","port":5432,"protocol":"tcp","entry":"two.example.com:5432"'
	record dns.answer '"name":"both.example.com","type":"A","addresses":["8.8.8.7"]'
	record connect.open '"name":"both.example.com","address":"8.8.8.7","port":443,"protocol":"tcp"'
	record connect.open '"name":"both.example.com","address":"8.8.8.7","port":80,"protocol":"tcp"'
	record dns.answer '"name":"inner.example.com","type":"A","addresses":["10.1.2.3"]'
	learn
	[ "$status" = 0 ]
	allows both.example.com inner.example.com@10.1.2.3 one.example.com two.example.com:5432
	[[ $output == *"no connection was recorded, so 443 and 80"* ]]
}

@test "learn: what is denied, never reachable or was refused is a comment" {
	record connect.refuse '"reason":"egress.deny","address":"192.0.2.66","port":80,"protocol":"tcp","observed":true'
	record dns.refuse '"reason":"no entry allows it","type":"A","name":"bad.example.com","observed":true'
	record connect.refuse '"reason":"never reachable","address":"169.254.169.254","port":80,"protocol":"tcp","observed":true'
	record dns.refuse '"reason":"no entry allows it","type":"A","name":"wanted.example.com"'
	record connect.refuse '"reason":"no entry allows it","address":"8.8.8.8","port":25,"protocol":"tcp"'
	record dns.answer '"name":"good.example.com","type":"A","addresses":["8.8.8.8"]'
	learn
	[ "$status" = 0 ]
	allows good.example.com
	[[ $output == *"// "*"left out: 192.0.2.66:80: "* ]]
	[[ $output == *"// "*"left out: bad.example.com: "* ]]
	[[ $output == *"// "*"left out: 169.254.169.254:80: never reachable"* ]]
	[[ $output == *"// refused, and so not here: wanted.example.com"* ]]
	[[ $output == *"// refused, and so not here: 8.8.8.8 port 25"* ]]
}

@test "learn: what can't be held with the base is a comment with the reason" {
	sed -i 's/"verify_name": false/"verify_name": true/' "$profiles/base.json"
	record connect.refuse '"address":"8.8.8.8","port":443,"protocol":"udp","name":"quic.example.com","observed":true'
	record connect.refuse '"address":"8.8.8.8","port":443,"protocol":"tcp","name":"quic.example.com","observed":true'
	learn
	[ "$status" = 0 ]
	allows quic.example.com:443
	[[ $output == *"// "*"left out: quic.example.com:443/udp: egress.verify_name: "*QUIC* ]]
}

@test "learn: subdomains are grouped only when that is asked for" {
	local name
	for name in a.cdn.example.com b.cdn.example.com c.cdn.example.com alone.other.example.com example.com; do
		record dns.answer "\"name\":\"$name\",\"type\":\"A\",\"addresses\":[\"8.8.8.8\"]"
	done
	record connect.open '"name":"c.cdn.example.com","address":"8.8.8.8","port":22,"protocol":"tcp"'
	learn
	allows a.cdn.example.com alone.other.example.com b.cdn.example.com c.cdn.example.com:22 example.com
	learn --group
	[ "$status" = 0 ]
	allows '*.cdn.example.com' alone.other.example.com c.cdn.example.com:22 example.com
	[[ $output == *"// a.cdn.example.com, b.cdn.example.com: 2 times"* ]]
}

@test "learn: a forged trail brings nothing but names and addresses into the profile" {
	record dns.answer '"name":"x\n\"],\"mode\":\"observe\"//","type":"A","addresses":["8.8.8.8"]'
	record dns.answer '"name":"fine.example.com","type":"A","addresses":["*/ \u0007","8.8.8.8"]'
	record connect.refuse '"address":"8.8.8.8\n*","port":443,"protocol":"tcp","observed":true'
	record connect.refuse '"address":"8.8.8.8","port":"443\n","protocol":"tcp\"","observed":true'
	record dns.refuse '"name":"evil\nname.example.com","type":"A"'
	learn
	[ "$status" = 0 ]
	allows fine.example.com
	[[ $output != *evil* ]]
}

@test "learn: of a container of several, of a time, and with another base" {
	record dns.answer '"name":"one.example.com","type":"A","addresses":["8.8.8.8"]' first
	record dns.answer '"name":"two.example.com","type":"A","addresses":["8.8.8.8"]' second
	learn --since 2027-01-01
	[ "$status" = 2 ]
	[[ $stderr == *"has no record of it"* ]]
	echo '{ "version": 1, "description": "d", "resources": { "pids": 77 } }' >"$profiles/other.json"
	echo "{ \"version\": 1, \"audit\": { \"file\": \"$trail\" } }" >"$BATS_TEST_TMPDIR/quod.json"
	run --separate-stderr "$builddir/quodctl" --config "$BATS_TEST_TMPDIR/quod.json" --profiles "$profiles" learn --base other second
	echo "$output"
	[ "$(sed 's,^ *//.*,,' <<<"$output" | jq -c '[.resources.pids, .egress.allow]')" = '[77,["two.example.com"]]' ]
	rm "$profiles/base.json"
	learn
	[ "$status" = 2 ]
	[[ $stderr == *"--base NAME"* ]]
}

@test "learn: --json has the profile and what was seen" {
	record dns.answer '"name":"one.example.com","type":"A","addresses":["8.8.8.8"]'
	run --separate-stderr "$builddir/quodctl" --json --profiles "$profiles" learn "$trail"
	[ "$status" = 0 ]
	jq -e '.profile.egress.allow == ["one.example.com"] and .seen[0].times == 1 and .seen[0].left_out == null and .errors == []' <<<"$output"
}

@test "learn: what can't be asked is exit status 2" {
	run "$builddir/quodctl" learn
	[ "$status" = 2 ]
	run "$builddir/quodctl" learn --nonsense x
	[ "$status" = 2 ]
	run "$builddir/quodctl" learn /nonexistent/trail.jsonl
	[ "$status" = 2 ]
	[[ $output == *"/nonexistent/trail.jsonl: No such file"* ]]
}
