#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Profiles where they are used: what is wrong with one, or with quod.json, refuses the container with the reason.

load ../helpers

setup_file() {
	install_quod
	make_bundle "$BATS_FILE_TMPDIR/bundle" '.process.user.uid = 1000 | .process.user.gid = 1000'
}

setup() {
	rm -rf /etc/quod
	bundle=$BATS_FILE_TMPDIR/bundle
}

# refused TEXT: create under the profile x ends with 1 and says TEXT, and nothing is left; so does explain.
refused() {
	run quod-x create --bundle "$bundle" c1
	[ "$status" = 1 ] || { echo "status $status: $output"; return 1; }
	[[ $output == *"$1"* ]] || { echo "got: $output"; return 1; }
	[ -z "$(ls -A /run/quod/containers 2>/dev/null)" ]
	run quodctl explain --profile x "$bundle"
	[ "$status" != 0 ]
	[[ $output == *"$1"* ]] || { echo "explain: $output"; return 1; }
}

@test "profile: a good one of the administrator's is taken" {
	write_profile x <<<'{ "version": 1, "description": "mine" }'
	run quod-x run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
}

@test "profile: a misspelt key refuses the container, with its place" {
	write_profile x <<<'{ "version": 1, "egress": { "alow": [] } }'
	refused "/etc/quod/profiles/x.json:1: /egress/alow: unknown key 'alow'"
}

@test "profile: an empty file is not a profile" {
	write_profile x <<<''
	refused '/etc/quod/profiles/x.json:'
}

@test "profile: one that others can change is refused" {
	write_profile x <<<'{ "version": 1 }'
	chmod 666 /etc/quod/profiles/x.json
	refused 'can be written by everyone'
	chmod 644 /etc/quod/profiles/x.json
	chown 1000 /etc/quod/profiles
	refused 'belongs to uid 1000'
}

@test "profile: parents that come back are refused" {
	write_profile x <<<'{ "version": 1, "extends": "y" }'
	write_profile y <<<'{ "version": 1, "extends": "x" }'
	refused "its chain of 'extends' comes back"
}

@test "profile: an entry that can never take effect refuses the container" {
	write_profile x <<<'{ "version": 1, "egress": { "allow": ["10.1.0.0/16:443"], "deny": ["10.0.0.0/8:*"] } }'
	refused "'10.1.0.0/16:443' can never take effect"
}

@test "profile: what this version can't hold refuses the container" {
	write_profile x <<<'{ "version": 1, "egress": { "allow": ["10.0.0.1:53/udp"] }, "audit": { "record": ["dns"] } }'
	refused "is not enforced by this version"
}

@test "config: what is wrong in quod.json refuses every container" {
	write_profile x <<<'{ "version": 1 }'
	write_config <<<'{ "version": 1, "defaultprofile": "x" }'
	refused "unknown key 'defaultprofile': the nearest known one is 'default_profile'"
}
