#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The shipped groups of hosts.
# shellcheck disable=SC2154 # builddir and srcdir come from tests/run; status and output from run

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p groups
	shipped=$srcdir/profiles
}

quodctl() {
	"$builddir/quodctl" "$@"
}

says() {
	[ "$status" = "$1" ] || { echo "status $status: $output"; return 1; }
	[[ $output == *"$2"* ]] || { echo "got: $output"; return 1; }
}

@test "groups: each shipped one passes profile check, alone and all together" {
	local name all=
	for file in "$shipped"/groups/*.json; do
		name=${file##*/}
		name=${name%.json}
		all=$all${all:+, }\"@$name\"
		echo "{ \"version\": 1, \"egress\": { \"verify_name\": false, \"allow\": [\"@$name\"] } }" >one.json
		run quodctl profile check --profiles "$shipped" one.json
		says 0 'one.json: ok'
		run quodctl profile show --profiles "$shipped" --resolved ./one.json
		[ "$(jq '.egress.allow | length' <<<"$output")" -gt 0 ]
	done
	echo "{ \"version\": 1, \"egress\": { \"verify_name\": false, \"allow\": [$all] } }" >everything.json
	run quodctl profile check --profiles "$shipped" everything.json
	says 0 'everything.json: ok'
}

@test "groups: each says what it is, where its list was taken from, and has each host once" {
	local json
	for file in "$shipped"/groups/*.json; do
		head -n 1 "$file" | grep -q "^// @$(basename "$file" .json): "
		grep -q '^// Taken from: ' "$file"
		# the comments are gone: no host has // in it
		json=$(sed 's|[[:space:]]*// .*||; s|^//.*||' "$file")
		jq -e '(.description | length) > 3 and (.source | length) > 5 and (.hosts | length) == (.hosts | unique | length)' \
			<<<"$json" >/dev/null || { echo "$file"; return 1; }
	done
}

@test "groups: those that a coding agent needs are there" {
	for name in npm pypi crates go rubygems maven nuget packagist debian ubuntu alpine fedora github gitlab bitbucket codeberg \
		anthropic openai google-ai mistral; do
		[ -f "$shipped/groups/$name.json" ] || { echo "$name"; return 1; }
	done
}

@test "groups: every one is installed" {
	for file in "$shipped"/groups/*.json; do
		grep -qF "profiles/groups/${file##*/}" "$srcdir/Makefile.am" || { echo "$file"; return 1; }
	done
}

@test "groups: the administrator's file wins, and a broken one is named with its place" {
	printf '{ "version": 1,\n"hosts": ["10.1.0.1:443", "x y", "@other"] }' >groups/npm.json
	echo '{ "version": 1, "egress": { "allow": ["@npm"], "caps": { "@npm": "1M" } } }' >bad.json
	run quodctl profile check --profiles . bad.json
	says 1 "groups/npm.json:2: /hosts/1: 'x y'"
	[ "${#lines[@]}" = 1 ]
	run quodctl profile show --profiles . --resolved ./bad.json
	says 2 "groups/npm.json:2: /hosts/1"
}
