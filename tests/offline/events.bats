#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl events, on a trail that quod itself wrote: as a user, whose trail lies in a directory of the test.

load ../helpers

setup() {
	user=(env)
	[ "$(id -u)" != 0 ] || user=(unshare --user --map-root-user)
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	mkdir "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
	trail=$XDG_STATE_HOME/quod/audit.jsonl
	config=$BATS_TEST_TMPDIR/quod.json
	echo '{ "version": 1 }' >"$config"
}

as_user() {
	"${user[@]}" "$@"
}

ctl() {
	run as_user "$builddir/quodctl" --config "$config" "$@"
	echo "$output"
}

# refuse ID...: each refusal is a record.
refuse() {
	local id
	for id; do
		run as_user "$builddir/quod" --config "$config" create --bundle /nonexistent "$id"
		[ "$status" = 1 ] || return 1
	done
}

# forge SEQ CONTAINER EVENT MEMBERS: a line as quod writes one, at the trail's end; its hash proves nothing.
forge() {
	local zeros
	zeros=$(printf '%064d' 0)
	printf '{"v":1,"time":"2026-01-01T00:00:%02d.000000000Z","seq":%d,"event":"%s","container":"%s","engine":"docker","profile":"web","digest":"d"%s,"prev":"%s","hash":"%s"}\n' \
		"$1" "$1" "$3" "$2" "$4" "$zeros" "$zeros" >>"$trail"
}

@test "events: a record is a line for people, and itself with --json" {
	refuse one two
	ctl events
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} =~ ^20[0-9-]{8}T[0-9:]{8}Z\ refuse\ +one\ .*reason= ]]
	ctl --json events
	[ "$status" = 0 ]
	[ "$output" = "$(cat "$trail")" ]
}

@test "events: where there is no trail there are none" {
	ctl events
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "events: those of one container, by its id or the beginning of it" {
	refuse one-container other-container one
	ctl --json events one-container
	[ "$(jq -r .container <<<"$output")" = one-container ]
	ctl --json events one-c
	[ "$(jq -r .container <<<"$output")" = one-container ]
	ctl --json events one
	[ "$(jq -r .container <<<"$output")" = one ]
	ctl --json events --since "$(date -u +%Y-%m-%d)"
	[ "${#lines[@]}" = 3 ]
	ctl --json events --since 1h other-container
	[ "${#lines[@]}" = 1 ]
	ctl --json events --since=2100-01-01T00:00:00Z
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "events: text of a container is escaped, and a line that is no record left out" {
	mkdir -p "$XDG_STATE_HOME/quod"
	forge 1 c1 dns.refuse ',"name":"\u001b[31mred\u0007"'
	printf 'no \033[31mrecord\n{"v":2}\n' >>"$trail"
	forge 2 'c\u009b1' exec ',"args":["sh","\u001b]0;title"]'
	ctl events
	[ "$status" = 0 ]
	[[ $output == *'name=\x1b[31mred\x07'* ]]
	[[ $output == *'2 lines of the trail are no records'* ]]
	[[ $output == *'args=["sh","\\u001b]0;title"]'* ]] || [[ $output == *'args=["sh","\u001b]0;title"]'* ]]
	run grep -c $'[\x01-\x08\x0b-\x1f]' <<<"$output"
	[ "$output" = 0 ]
}

@test "events: --follow loses and repeats nothing over rotations" {
	local seen=$BATS_TEST_TMPDIR/seen follower count=60
	echo '{ "version": 1, "audit": { "rotate": "64K", "keep": 16 } }' >"$config"
	mkdir -p "$XDG_STATE_HOME/quod"
	refuse first
	"${user[@]}" "$builddir/quodctl" --config "$config" --json events --follow >"$seen" 3>&- 4>&- &
	follower=$!
	wait_for 10 grep -q '"seq":1,' "$seen"
	# an id of nearly a kilobyte: the file is full after some of them
	for i in $(seq "$count"); do
		as_user "$builddir/quod" --config "$config" create --bundle "/nonexistent/$(printf 'x%.0s' {1..900})" "c$i-$(printf 'y%.0s' {1..900})" 2>/dev/null || :
	done
	[ -e "$trail.1" ]
	wait_for 20 grep -q "\"seq\":$((count + 1))," "$seen"
	kill "$follower"
	wait "$follower" || :
	if pgrep -f "$config --json events --follow"; then return 1; fi
	[ "$(jq .seq "$seen")" = "$(seq $((count + 1)))" ]
}

@test "events: what can't be asked or answered is exit status 2" {
	ctl events --nonsense
	[ "$status" = 2 ]
	[[ $output == *"usage: quodctl events"* ]]
	ctl events one two
	[ "$status" = 2 ]
	ctl events --since yesterday
	[ "$status" = 2 ]
	[[ $output == *"'yesterday' is no time"* ]]
	mkdir -p "$trail"
	ctl events
	[ "$status" = 2 ]
}
