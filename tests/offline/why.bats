#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl why --profile: allowed or not, by which entry, and what else is to be said.
# shellcheck disable=SC2154 # builddir comes from tests/run; status and output from run

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p groups
	cat >web.json <<-'EOT'
		{ "version": 1,
		  "egress": {
		    "allow": ["api.example.com:5432", "*.svc.example.com:8443", "db.prod.test:5432@10.96.0.0/12", "10.20.0.0/16:5432",
		              "169.254.169.254:80", "@public:443", "dns.example:53/udp", "half.test:81", "10.7.7.7:81", "c.test/icmp", "@mirror"],
		    "deny": ["10.20.9.0/24:*",
		             { "of": "**.svc.example.com", "except": ["ok.svc.example.com"] }] } }
	EOT
	echo '{ "version": 1, "hosts": ["mirror.test:8080", "10.8.8.8:8080"] }' >groups/mirror.json
}

quodctl() {
	"$builddir/quodctl" --profiles . "$@"
}

# yes QUESTION LINE..., no QUESTION LINE...: the answer, and that it says each LINE.
answers() {
	local status_wanted=$1 word=$2 line
	run quodctl why --profile "$profile" "$3"
	[ "$status" = "$status_wanted" ] || { echo "$3: status $status: $output"; return 1; }
	[[ $output == "$word: $3 under $profile"* ]] || { echo "$output"; return 1; }
	shift 3
	for line; do
		[[ $output == *"$line"* ]] || { echo "not said: $line in: $output"; return 1; }
	done
}

yes() { answers 0 allowed "$@"; }
no() { answers 1 denied "$@"; }

@test "why: a name by its entry, with its place, on its ports alone" {
	profile=web
	yes api.example.com:5432 "by egress.allow 'api.example.com:5432', $BATS_TEST_TMPDIR/web.json:3: /egress/allow/0" 'where it leads to a public address'
	yes API.example.com.:5432
	no api.example.com:5433 "allowed is only 'api.example.com:5432'"
	no api.example.com:5432/udp "allowed is only 'api.example.com:5432'"
	no other.example:5432 'no entry of egress.allow names it'
	yes dns.example:53/udp
	no dns.example:53
	yes c.test/icmp
	no c.test:443
}

@test "why: deny wins, but for its own exceptions" {
	profile=web
	no a.svc.example.com:8443 "by egress.deny '**.svc.example.com', $BATS_TEST_TMPDIR/web.json:6: /egress/deny/1/of"
	yes ok.svc.example.com:8443 "by egress.allow '*.svc.example.com:8443'"
	no x.ok.svc.example.com:8443
	no 10.20.9.1:5432 "by egress.deny '10.20.9.0/24:*'"
	yes 10.20.8.1:5432 "by egress.allow '10.20.0.0/16:5432'"
}

@test "why: where a name leads decides with it" {
	profile=web
	yes db.prod.test:5432 'where it leads into 10.96.0.0/12'
	yes db.prod.test:5432@10.97.0.1 "by egress.allow 'db.prod.test:5432@10.96.0.0/12'"
	no db.prod.test:5432@10.1.0.1 'allowed elsewhere, but not at this address'
	no db.prod.test:5432@11.22.33.44
	yes api.example.com:5432@11.22.33.44
	no api.example.com:5432@192.168.0.1 'a private or special one is told only where the entry says @NETWORK'
	no api.example.com:5432@169.254.169.254
	# another entry opens that address on that port
	yes half.test:81@10.7.7.7 "by egress.allow 'half.test:81'"
	no half.test:81@10.7.7.8
}

@test "why: addresses, those that are never reachable too" {
	profile=web
	yes 8.8.8.8:443 "by egress.allow '@public:443'"
	yes '[2600::1]:443'
	no 10.0.0.1:443 'no entry of egress.allow has it'
	no 8.8.8.8:80 "allowed is only '@public:443'"
	no 8.8.8.8/icmp
	yes 169.254.169.254:80
	no 169.254.169.254:443 'never reachable, but by an entry that is exactly that address'
	no 127.0.0.1:443 "the container's own loopback is always open"
	no '[fe80::1]:443' 'never reachable'
	no 224.0.0.1:443 'never reachable'
}

@test "why: a group's entry says whose it is" {
	profile=web
	yes mirror.test:8080 "'mirror.test:8080' of @mirror, $BATS_TEST_TMPDIR/web.json:4: /egress/allow/10"
	yes 10.8.8.8:8080 "'10.8.8.8:8080' of @mirror"
}

@test "why: this host's own addresses are never reachable" {
	local own
	own=$(ip -j addr 2>/dev/null | jq -r '[.[] | select(.ifname != "lo") | .addr_info[] | select(.family == "inet") | .local][0] // empty')
	[ -n "$own" ] || own=127.0.0.1
	echo '{ "version": 1, "egress": { "allow": ["0.0.0.0/0:443"] } }' >all.json
	profile=all
	no "$own:443" 'never reachable'
	echo "{ \"version\": 1, \"egress\": { \"allow\": [\"$own:443\"] } }" >all.json
	yes "$own:443"
}

@test "why: without a name in the profile names are not judged" {
	echo '{ "version": 1, "egress": { "allow": ["@public:443", "10.0.0.0/8:22"] } }' >plain.json
	profile=plain
	yes api.example.com:443 'names are not judged, only addresses'
	no api.example.com:22
	yes api.example.com:22@10.1.1.1
	echo '{ "version": 1 }' >none.json
	profile=none
	no api.example.com:443
	no 8.8.8.8:443
}

@test "why: says where a connection must say its name, and where nobody looks" {
	cat >says.json <<-'EOT'
		{ "version": 1, "egress": { "allow": ["a.test", "b.test:8443/tls", "c.test:5432"] } }
	EOT
	sed 's/"allow"/"verify_name": false, "allow"/' says.json >loose.json
	profile=says
	yes a.test:443 'the connection must say the name, in TLS (egress.verify_name)'
	yes a.test:80 'the connection must say the name, in HTTP'
	yes b.test:8443 'must say the name, in TLS'
	yes c.test:5432 'bound to its addresses alone'
	profile=loose
	yes a.test:443 'bound to its addresses alone'
}

@test "why: the company's proxy by its key, and 80 and 443 only through it" {
	echo '{ "version": 1, "egress": { "via": "10.0.0.7:3128", "allow": ["@public:22"] } }' >proxy.json
	profile=proxy
	yes 10.0.0.7:3128 'by egress.via'
	no 11.22.33.44:443 'ports 80 and 443 only through the proxy'
	no 10.0.0.7:443
	yes 11.22.33.44:22 "by egress.allow '@public:22'"
}

@test "why: where a profile observes everything passes, and what would not is said" {
	echo '{ "version": 1, "egress": { "mode": "observe", "allow": ["a.test"] } }' >look.json
	profile=look
	yes a.test:443 'enforced it would be allowed'
	yes b.test:443 'enforced it would be denied' 'no entry of egress.allow names it'
	yes 10.0.0.1:22 'enforced it would be denied'
}

@test "why: answers in JSON" {
	run quodctl --json why --profile web a.svc.example.com:8443
	[ "$status" = 1 ]
	jq -e '.allowed == false and .profile == "web" and (.by | length) == 1 and .asked == "a.svc.example.com:8443"' <<<"$output"
	run quodctl --json why --profile web api.example.com:5432
	[ "$status" = 0 ]
	jq -e '.allowed and (.by[0] | startswith("egress.allow")) and (.why | length) >= 1' <<<"$output"
}

@test "why: what is no question is a failure, not an answer" {
	for words in '' 'x' '--profile web' '--profile web a.example:443 b' '--profile nobody a.example:443' '--profile web a.example' \
		'--profile web *.a.example:443' '--profile web @public:443' '--profile web a.example:1-2' '--profile web 10.0.0.0/8:443' \
		'--profile web a.example:443@10.0.0.0/8' '--profile web a..b:443' 'nobody a.example:443'; do
		set -f
		# shellcheck disable=SC2086 # words are words
		run quodctl why $words
		set +f
		[ "$status" = 2 ] || { echo "$words: $status: $output"; return 1; }
	done
}

@test "why: a terminal escape in a question is not handed to the terminal" {
	run quodctl why --profile web $'a\033[2J.example:443'
	[ "$status" = 2 ]
	[[ $output != *$'\033'* ]]
}
