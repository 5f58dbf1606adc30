#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each key of quod.json(5) flipped, and a real container seen to go another way.

load ../helpers

setup_file() {
	install_quod
	mkdir -p "$BATS_FILE_TMPDIR/bundle"
	make_bundle "$BATS_FILE_TMPDIR/bundle"
	write_profile other <<<'{ "version": 1, "extends": "balanced", "rootfs": { "tmpfs": { "/tmp": "1M" } } }'
}

setup() {
	bundle=$BATS_FILE_TMPDIR/bundle
	find /etc/quod/quod.json /var/log/quod /var/lib/quod /opt/log -mindepth 1 -delete 2>/dev/null || :
	rm -f /etc/quod/quod.json
}

config() {
	write_config <<<"{ \"version\": 1, $1 }"
}

runs() {
	run quod "$@" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
}

refused() { # PART OF THE TEXT
	run quod run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"$1"* ]]
}

# A disk that is full for the trail alone.
full_trail() {
	mkdir -p /var/log/quod
	mount -t tmpfs -o size=4k,mode=700 full /var/log/quod
	head -c 4096 /dev/zero >/var/log/quod/fill || :
}

teardown() {
	umount /var/log/quod 2>/dev/null || :
}

# flips: quod.json audit.file
@test "config: audit.file is where the trail goes" {
	config '"audit": { "file": "/opt/log/trail.jsonl" }'
	runs
	wait_for 5 grep -q '"event":"exit"' /opt/log/trail.jsonl
	[ ! -e /var/log/quod/audit.jsonl ]
}

# flips: quod.json audit.on_error
@test "config: audit.on_error refuse stops a container whose trail can't be written, continue lets it run" {
	full_trail
	config '"audit": { "on_error": "refuse" }'
	refused "audit.on_error"
	config '"audit": { "on_error": "continue" }'
	runs
}

# flips: quod.json audit.rotate
# flips: quod.json audit.keep
@test "config: audit.rotate and audit.keep bound the trail, and its chain goes on over the files" {
	config '"audit": { "rotate": "64K", "keep": 2 }, "containers": { "creates_per_minute": 0 }'
	local i
	edit='.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc"}]'
	mkdir -p "$BATS_TEST_TMPDIR/refused"
	jq "$edit" "$bundle/config.json" >"$BATS_TEST_TMPDIR/refused/config.json"
	ln -s "$bundle/rootfs" "$BATS_TEST_TMPDIR/refused/rootfs"
	for i in $(seq 500); do
		quod create --bundle "$BATS_TEST_TMPDIR/refused" "c$i" 2>/dev/null || :
	done
	ls -la /var/log/quod
	[ -e /var/log/quod/audit.jsonl.1 ]
	[ -e /var/log/quod/audit.jsonl.2 ]
	[ ! -e /var/log/quod/audit.jsonl.3 ]
	[ "$(stat -c %s /var/log/quod/audit.jsonl)" -le 65536 ]
	quodctl audit verify
}

# flips: quod.json audit.anchor
@test "config: audit.anchor syslog sends the head away at a rotation, none does not" {
	rm -f /dev/log
	socat -u UNIX-RECV:/dev/log,mode=666 OPEN:"$BATS_TEST_TMPDIR/log",creat,append 3>&- &
	socat=$!
	wait_for 5 test -S /dev/log
	mkdir -p "$BATS_TEST_TMPDIR/refused"
	jq '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc"}]' "$bundle/config.json" >"$BATS_TEST_TMPDIR/refused/config.json"
	ln -s "$bundle/rootfs" "$BATS_TEST_TMPDIR/refused/rootfs"
	for anchor in none syslog; do
		mkdir -p /var/log/quod /var/lib/quod
		find /var/log/quod /var/lib/quod -mindepth 1 -delete
		config "\"audit\": { \"rotate\": \"64K\", \"anchor\": \"$anchor\" }, \"containers\": { \"creates_per_minute\": 0 }"
		for i in $(seq 160); do
			quod create --bundle "$BATS_TEST_TMPDIR/refused" "c$i" 2>/dev/null || :
		done
		[ -e /var/log/quod/audit.jsonl.1 ]
		sleep 0.2
		if [ "$anchor" = none ]; then
			! grep -q "audit" "$BATS_TEST_TMPDIR/log"
		else
			grep -qE 'audit.*[0-9a-f]{64}' "$BATS_TEST_TMPDIR/log"
		fi
	done
	kill "$socat"
	rm -f /dev/log
}

# set_seq N: the trail of one record is given a head that says it was the Nth.
set_seq() {
	local file=/var/log/quod/audit.jsonl head
	head="quod-audit-head 1 seq $1 hash $(jq -r .hash "$file") first 1 size $(stat -c %s "$file") file $((0x$(stat -c %D "$file"))):$(stat -c %i "$file") sum "
	printf '%-319s\n%-319s\n' '' "$head$(printf %s "$head" | sha256sum | cut -c 1-16)" >/var/lib/quod/audit.head
}

@test "config: audit.anchor syslog sends the head away at each 1,000th record" {
	rm -f /dev/log
	socat -u UNIX-RECV:/dev/log,mode=666 OPEN:"$BATS_TEST_TMPDIR/log",creat,append 3>&- &
	socat=$!
	wait_for 5 test -S /dev/log
	mkdir -p /var/log/quod /var/lib/quod
	find /var/log/quod /var/lib/quod -mindepth 1 -delete
	config '"containers": { "creates_per_minute": 0 }'
	run quod create --bundle /nonexistent c1
	set_seq 998
	run quod create --bundle /nonexistent c2
	run quod create --bundle /nonexistent c3
	[ "$(jq .seq /var/log/quod/audit.jsonl | tail -n 2 | tr '\n' ' ')" = "999 1000 " ]
	head=$(tail -n 1 /var/log/quod/audit.jsonl | jq -r .hash)
	wait_for 5 grep -qF "audit head $head seq 1000 of /var/log/quod/audit.jsonl" "$BATS_TEST_TMPDIR/log"
	[ "$(grep -c 'audit head' "$BATS_TEST_TMPDIR/log")" = 1 ]
	kill "$socat"
	rm -f /dev/log
}

# flips: quod.json limits.config_bytes
@test "config: limits.config_bytes bounds what is read" {
	config '"limits": { "config_bytes": 65536 }'
	runs
	mkdir -p "$BATS_TEST_TMPDIR/long"
	jq '.process.env += ["LONG=" + ("x" * 70000)]' "$bundle/config.json" >"$BATS_TEST_TMPDIR/long/config.json"
	ln -s "$bundle/rootfs" "$BATS_TEST_TMPDIR/long/rootfs"
	bundle=$BATS_TEST_TMPDIR/long
	refused "longer than 65536 bytes"
	rm /etc/quod/quod.json
	runs
}

# flips: quod.json limits.mounts
@test "config: limits.mounts bounds how many mounts are judged" {
	config '"limits": { "mounts": 5 }'
	refused "limits.mounts"
	config '"limits": { "mounts": 50 }'
	runs
}

# flips: quod.json default_profile
@test "config: default_profile is what runs when nothing else is said" {
	config '"default_profile": "locked"'
	refused "refused by profile 'locked'"
	config '"default_profile": "other"'
	runs
	[ "$(jq -r 'select(.event == "create") | .profile' /var/log/quod/audit.jsonl)" = other ]
}

# flips: quod.json runtime
@test "config: runtime is what is executed underneath, the first that is there" {
	config '"runtime": ["no-such-runtime", "crun"]'
	quod create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	[ "$(jq -r .runtime /run/quod/containers/*/record.json)" = "$(readlink -f "$(command -v crun)")" ]
	quod delete --force c1
	config '"runtime": ["runc", "crun"]'
	quod create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	[ "$(jq -r .runtime /run/quod/containers/*/record.json)" = "$(readlink -f "$(command -v runc)")" ]
	quod delete --force c1
}

# flips: quod.json version
@test "config: version is one that this quod knows" {
	config '"prove": "start"'
	runs
	write_config <<<'{ "version": 2 }'
	refused "this quod knows version 1 only"
}

# flips: quod.json containers.max
@test "config: containers.max bounds the containers of one profile" {
	config '"containers": { "max": 1 }'
	quod create --bundle "$bundle" first </dev/null >/dev/null 2>&1 3>&-
	refused "containers.max"
	config '"containers": { "max": 2 }'
	runs
	quod delete --force first
}

# flips: quod.json containers.creates_per_minute
@test "config: containers.creates_per_minute bounds how fast they are made" {
	rm -rf /run/quod/creates
	config '"containers": { "creates_per_minute": 1 }'
	runs
	refused "creates_per_minute"
	config '"containers": { "creates_per_minute": 0 }'
	runs
}

@test "config: a file that others can write, or with an unknown key, refuses every container" {
	config '"audit": { "flie": "/x" }'
	refused "unknown key 'flie'"
	config '"default_profile": "balanced"'
	chmod 666 /etc/quod/quod.json
	refused "can be written by everyone"
}
