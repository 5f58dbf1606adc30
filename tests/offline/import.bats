#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl profile import: other tools' lists as profiles, never allowing more than they said, the rest as comments.
# shellcheck disable=SC2154 # builddir and srcdir come from tests/run; status and output from run

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

quodctl() {
	"$builddir/quodctl" "$@"
}

# imports FORMAT <TEXT: the profile is in $json, and is good.
imports() {
	cat >list
	quodctl profile import "$1" list >imported.json
	json=$(quodctl --json profile import "$1" list)
	jq '.profile * { egress: { verify_name: false } }' <<<"$json" >good.json
	run quodctl profile check --profiles "$srcdir/profiles" good.json
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	# the text is the same document behind its comments
	diff <(grep -v '^//' imported.json | jq -S .) <(jq -S .profile <<<"$json")
}

allows() {
	[ "$(jq -c '.profile.egress.allow | sort' <<<"$json")" = "$(jq -c sort <<<"$1")" ] || { jq .profile.egress.allow <<<"$json"; return 1; }
}

notes() { # each is a comment
	for text; do
		grep -qF -- "$text" imported.json || { echo "no comment: $text"; cat imported.json; return 1; }
		jq -e --arg t "$text" '.not_carried_over | any(contains($t))' <<<"$json" >/dev/null
	done
}

@test "import: srt's settings" {
	imports srt <<-'EOT'
		{ "network": { "allowedDomains": ["github.com", "*.npmjs.org:443", "api.example.com:8443", "localhost", "bad_*.x"],
		               "deniedDomains": ["evil.github.com", "*"], "allowUnixSockets": ["/var/run/docker.sock"], "allowLocalBinding": true },
		  "filesystem": { "denyRead": ["~/.ssh"], "allowWrite": ["."], "denyWrite": [".env"] },
		  "ignoreViolations": { } }
	EOT
	allows '["github.com", "**.npmjs.org:443", "api.example.com:8443"]'
	[ "$(jq -c .profile.egress.deny <<<"$json")" = '["evil.github.com"]' ]
	notes 'github.com was any port' 'localhost:' "'bad_*.x'" 'network.allowUnixSockets' 'network.allowLocalBinding' 'filesystem.denyRead' \
		'filesystem.allowWrite' 'filesystem.denyWrite' 'ignoreViolations' '* of deniedDomains'
}

@test "import: harden-runner's workflow, block, folded and plain" {
	imports harden-runner <<-'EOT'
		jobs:
		  build:
		    steps:
		      - uses: step-security/harden-runner@v2
		        with:
		          disable-sudo: true
		          egress-policy: block
		          allowed-endpoints: >
		            api.github.com:443
		            github.com:443

		            *.data.mcr.microsoft.com:443 registry.npmjs.org:443
		      - run: curl not.example:443
		  test:
		    steps:
		      - uses: step-security/harden-runner@v2
		        with:
		          allowed-endpoints: "pypi.org:443 files.pythonhosted.org:443"
		          egress-policy: audit
		      - uses: step-security/harden-runner@v2
		        with:
		          allowed-endpoints: |-
		            github.com:443
		            ${{ vars.MORE }}
		          name: x
	EOT
	allows '["api.github.com:443", "github.com:443", "*.data.mcr.microsoft.com:443", "registry.npmjs.org:443", "pypi.org:443", "files.pythonhosted.org:443"]'
	notes 'disable-sudo' 'audit: nothing was blocked' 'an expression of the workflow'
}

@test "import: awf's file of domains, and a script that calls it" {
	imports awf <<-'EOT'
		# GitHub
		github.com, api.github.com
		*.googleapis.com   # all of them
		https://secure.example.com
		http://old.example.com
		api-*.example.com
		localhost
	EOT
	allows '["github.com", "**.github.com", "api.github.com", "**.api.github.com", "**.googleapis.com", "secure.example.com:443",
		"**.secure.example.com:443", "old.example.com:80", "**.old.example.com:80"]'
	notes "'api-*.example.com'" 'localhost'
	imports awf <<-'EOT'
		sudo awf --allow-domains github.com,arxiv.org \
			--block-domains='evil.github.com' --allow-domains-file more.txt -- curl https://api.github.com
	EOT
	allows '["github.com", "**.github.com", "arxiv.org", "**.arxiv.org"]'
	jq -e '.profile.egress.deny == ["evil.github.com", "**.evil.github.com"]' <<<"$json"
	notes 'import those files, too'
}

@test "import: a development container's init-firewall.sh" {
	imports devcontainer <<-'EOT'
		#!/bin/bash
		iptables -A OUTPUT -p udp --dport 53 -j ACCEPT
		iptables -A OUTPUT -p tcp --dport 22 -j ACCEPT
		gh_ranges=$(curl -s https://api.github.com/meta)
		for domain in \
		    "registry.npmjs.org" \
		    "api.anthropic.com" \
		    "sentry.io"; do
		    ips=$(dig +short A "$domain" not.example)
		done
		DOMAINS=(
		    "statsig.com"   # switches
		    marketplace.visualstudio.com
		)
		for more in $(cat list.example); do echo; done
		HOST_NETWORK=$(echo "$HOST_IP" | sed "s/\.[0-9]*$/.0\/24/")
	EOT
	allows '["@github", "registry.npmjs.org", "api.anthropic.com", "sentry.io", "statsig.com", "marketplace.visualstudio.com"]'
	notes 'the group @github' 'SSH to everywhere' 'DNS to everywhere' "the host's network"
}

@test "import: what a file says never ends its comment" {
	printf '{ "network": { "allowedDomains": ["a.example", "x\\n\\"egress\\": 1"], "evil\\n},{": 1 } }' >list
	quodctl profile import srt list >imported.json
	grep -v '^//' imported.json | jq -e '.egress.allow == ["a.example"]'
}

@test "import: no list, another format and a file that isn't there are failures" {
	echo '{ "network": { } }' >list
	for words in 'srt list' 'harden-runner list' 'devcontainer list' 'srt nowhere' 'srt' 'other list' 'srt /dev/null' 'srt .'; do
		# shellcheck disable=SC2086 # words are words
		run quodctl profile import $words
		[ "$status" = 2 ] || { echo "$words: $status: $output"; return 1; }
	done
	printf 'a.example\0b.example' >list
	run quodctl profile import awf list
	[ "$status" = 2 ]
}
