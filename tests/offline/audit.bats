#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl audit verify, on a trail that quod itself wrote: as a user, whose trail lies in a directory of the test.

load ../helpers

setup() {
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	mkdir "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
	trail=$XDG_STATE_HOME/quod/audit.jsonl
	config=$BATS_TEST_TMPDIR/quod.json
	echo '{ "version": 1 }' >"$config"
}

# The host's root has a trail of its own; root of a user namespace is a user.
as_user() {
	if [ "$(id -u)" = 0 ]; then
		unshare --user --map-root-user "$@"
	else
		"$@"
	fi
}

verify() {
	run as_user "$builddir/quodctl" --config "$config" audit verify "$@"
	echo "$output"
}

# write_trail COUNT: each refusal is a record.
write_trail() {
	local i
	for ((i = 1; i <= $1; i++)); do
		run as_user "$builddir/quod" --config "$config" create --bundle /nonexistent "c$i"
		[ "$status" = 1 ] || return 1
	done
	[ "$(wc -l <"$trail")" = "$1" ]
}

hash_of() {
	jq -r "select(.seq == $1).hash" "$trail"
}

@test "audit: a whole trail is said to be whole, up to its last record" {
	write_trail 3
	verify
	[ "$status" = 0 ]
	[ "$output" = "$trail: ok, 3 records, head $(hash_of 3)" ]
	verify --json
	[ "$status" = 0 ]
	jq -e --arg file "$trail" --arg head "$(hash_of 3)" \
		'. == {file: $file, ok: true, records: 3, head: $head, first_bad: null}' <<<"$output"
}

@test "audit: where nothing was recorded nothing is wrong" {
	verify
	[ "$status" = 0 ]
	[ "$output" = "$trail: ok, no records" ]
}

# forge_ledger SECONDS: as quod writes one, of a container that was last seen then.
forge_ledger() {
	local dir=$XDG_STATE_HOME/quod/ledger text
	mkdir -p "$dir"
	text=$(printf '%s\n' 'quod-ledger 1' 'wall_ms 5' 'cpu_us 5' 'egress_bytes 0' 'runs 1' "updated_s $1" 'period_start_s 0' \
		'ended exit 0' 'container c9' 'profile web' 'engine docker')
	printf '%s\nsum %s\n' "$text" "$(printf '%s\n' "$text" | sha256sum | cut -d' ' -f1)" >"$dir/k9"
	as_user "$builddir/quodctl" --json ps --ended | jq -e '.[0].id == "c9"'
}

@test "audit: a trail that was taken away together with its head is missed" {
	write_trail 2
	rm "$trail" "$XDG_STATE_HOME/quod/audit.head"
	verify
	[ "$status" = 1 ]
	[[ $output == "$trail: the trail and its head are missing, but $trail.lock was made for it "* ]]
	rm "$trail.lock"
	verify
	[ "$status" = 0 ]
	forge_ledger "$(date +%s)"
	verify
	[ "$status" = 1 ]
	[[ $output == *"the trail and its head are missing, but the ledger knows of container c9 (k9) "* ]]
	verify --json
	[ "$status" = 1 ]
	jq -e '.ok == false and .records == 0 and (.first_bad | test("c9"))' <<<"$output"
	verify --head "$(printf '%064d' 7)"
	[ "$status" = 1 ]
}

@test "audit: a trail that begins anew is told from a first one by the ledger" {
	forge_ledger "$(($(date +%s) - 3600))"
	write_trail 2
	verify
	[ "$status" = 1 ]
	[[ $output == *"the trail begins anew at 20"*", but the ledger knows of container c9 (k9) since before"* ]]
	forge_ledger "$(date +%s)"
	verify
	[ "$status" = 0 ]
}

@test "audit: a clock that was set back takes nothing from the trail" {
	cc -shared -fPIC -O1 -o "$BATS_TEST_TMPDIR/fake-clock.so" "$srcdir/tests/live/fake-clock.c"
	# recorded while the clock was a day ahead; the ledger is written since it was set back, and nothing has been recorded
	LD_PRELOAD=$BATS_TEST_TMPDIR/fake-clock.so CLOCK_OFFSET=86400 write_trail 2
	forge_ledger "$(date +%s)"
	verify
	[ "$status" = 0 ]
	# a record under the clock as it is, and the clock has caught up with the first ones
	run as_user "$builddir/quod" --config "$config" create --bundle /nonexistent c3
	LD_PRELOAD=$BATS_TEST_TMPDIR/fake-clock.so CLOCK_OFFSET=90000 verify
	[ "$status" = 0 ]
	forge_ledger "$(($(date +%s) - 3600))"
	LD_PRELOAD=$BATS_TEST_TMPDIR/fake-clock.so CLOCK_OFFSET=90000 verify
	[ "$status" = 1 ]
	[[ $output == *"since before"* ]]
}

@test "audit: an altered record is named" {
	write_trail 4
	sed -i '3s/"container":"c3"/"container":"c9"/' "$trail"
	verify
	[ "$status" = 1 ]
	[ "$output" = "$trail: audit.jsonl:3: hash does not match (2 records before it are whole)" ]
	verify --json
	[ "$status" = 1 ]
	jq -e '.ok == false and .records == 2 and .first_bad == "audit.jsonl:3: hash does not match"' <<<"$output"
}

@test "audit: a record that was cut out or moved is named" {
	write_trail 4
	cp "$trail" "$BATS_TEST_TMPDIR/whole"
	sed -i 2d "$trail"
	verify
	[ "$status" = 1 ]
	[[ $output == "$trail: audit.jsonl:2: record 3 where 2 belongs "* ]]
	sed '2{h;d};3G' "$BATS_TEST_TMPDIR/whole" >"$trail"
	verify
	[ "$status" = 1 ]
	[[ $output == "$trail: audit.jsonl:2: record 3 where 2 belongs "* ]]
	sed 1d "$BATS_TEST_TMPDIR/whole" >"$trail"
	verify
	[ "$status" = 1 ]
	[[ $output == "$trail: audit.jsonl:1: records 1 to 1 are missing before it "* ]]
}

@test "audit: a missing end is seen, and so is a missing head" {
	local head
	write_trail 3
	head=$(hash_of 3)
	sed -i '$d' "$trail"
	verify
	[ "$status" = 1 ]
	[[ $output == "$trail: audit.jsonl: ends at record 2 without the head $head: cut "* ]]
	rm "$XDG_STATE_HOME/quod/audit.head"
	verify
	[ "$status" = 1 ]
	[[ $output == *"the head file is missing"* ]]
}

@test "audit: a head that was kept elsewhere proves the trail up to it" {
	local head
	write_trail 3
	verify --head "$(hash_of 2)"
	[ "$status" = 0 ]
	[ "$output" = "$trail: ok, 2 records, head $(hash_of 2)" ]
	head=$(hash_of 3)
	rm -r "$XDG_STATE_HOME/quod"
	write_trail 3
	verify
	[ "$status" = 0 ]
	verify --head="$head"
	[ "$status" = 1 ]
	[[ $output == *"without the head $head: cut"* ]]
}

@test "audit: what can't be asked or answered is exit status 2" {
	write_trail 1
	verify --head 1234
	[ "$status" = 2 ]
	[[ $output == *"64 hexadecimal digits"*"usage: quodctl audit verify [--head HASH]"* ]]
	verify --all
	[ "$status" = 2 ]
	verify --config "$BATS_TEST_TMPDIR/absent.json"
	[ "$status" = 2 ]
	run as_user "$builddir/quodctl" audit
	[ "$status" = 2 ]
	rm "$trail"
	mkdir "$trail"
	verify
	[ "$status" = 2 ]
}

@test "audit: a record's hash is that of its bytes in front of it, as quodctl(8) says" {
	local line prev
	write_trail 2
	prev=$(printf '%064d' 0)
	while read -r line; do
		[ "$(jq -r .prev <<<"$line")" = "$prev" ]
		prev=$(sed 's/,"hash":"[0-9a-f]*"}$//' <<<"$line" | tr -d '\n' | sha256sum | cut -d' ' -f1)
		[ "$(jq -r .hash <<<"$line")" = "$prev" ]
	done <"$trail"
}
