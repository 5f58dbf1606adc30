#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by what two readers understand differently, and by what changes between two looks: the P entries of tests/attacks.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
	mkdir -p /srv/site/web /srv/secret
	echo host-secret >/srv/secret/file
}

setup() {
	attack_setup
}

teardown() {
	[ -z "${busy-}" ] || kill "$busy" 2>/dev/null || :
	end
}

# raw JQ-PATH TEXT: config.json with TEXT, as it stands, in the place of that member's value.
raw() {
	attack "$1 = \"@@\""
	perl -0pi -e 'BEGIN { $text = shift } s/"\@\@"/$text/' -- "$2" "$bundle/config.json"
}

@test "P05: a number that two readers take differently is refused" {
	local number
	for number in 1e9 1.0 -0 9223372036854775808 18446744073709551616 00012 0x40000000 1E+9 NaN Infinity '"1073741824"' 9007199254740993.0 \
		+1 1073741824.5 -9223372036854775809 1e999 '[1]' true; do
		raw .linux.resources.memory.limit "$number"
		refused '.'
	done
	raw .process.user.uid 4294967296
	refused '/process/user/uid'
	raw .process.user.uid -1
	refused '/process/user/uid'
	raw .process.oomScoreAdj 1e2
	refused '.'
}

@test "P06: a string that two readers cut differently is refused" {
	local string
	for string in '"/srv/site/web\u0000/../../secret"' '"/srv/\ud800secret"' '"/srv/\udc00\ud800"' '"/srv/site/web\x"' "\"/srv/site/web$(printf '\xc0\xaf')secret\"" \
		"\"/srv/$(printf '\xff')\"" "\"/srv/$(printf '\xed\xa0\x80')\"" '"/srv/site/web' "'/srv/site/web'" "\"/srv/site/$(printf '\t')web\""; do
		raw '.mounts[0].source' "$string"
		refused '.'
	done
	attack .
	printf '\xef\xbb\xbf' | cat - "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
	refused '.'
	attack .
	printf '{}' >>"$bundle/config.json"
	refused '.'
	attack .
	printf '\0' >>"$bundle/config.json"
	refused '.'
	raw .hostname '"a", "hostname": "b"'
	refused 'hostname'
	raw .hostname '"a", "Hostname": "b"'
	refused 'Hostname|case'
	raw .hostname '"a" /* c */'
	refused '.'
	raw .hostname '"a", "x": '"$(printf '[%.0s' $(seq 200))$(printf ']%.0s' $(seq 200))"
	refused '.'
}

@test "P07: two places that are one, and places that are none" {
	profile=work
	local other
	for other in /workspace/. //workspace /workspace/ /./workspace /workspace//; do
		attack "$(mount_at /workspace /srv/site/web) | $(mount_at "$other" /srv/site/web)"
		refused 'two mounts stand at /workspace'
	done
	for other in '' . .. workspace ../x /a/../b; do
		attack "$(mount_at "$other" /srv/site/web)"
		refused 'no place|is not allowed at|nothing may be mounted'
	done
}

@test "P08: variables given twice or without a name are refused" {
	local list
	for list in '["A=1", "A=2"]' '["PATH=/bin", "PATH=/x"]' '["novalue"]' '["=x"]' '[""]' '[1]' '["A=1", null]'; do
		attack ".process.env = ($list)"
		refused '.'
	done
	attack '.process.env += ["QUOD_PROFILE=open"]' 'touch /x 2>/dev/null && echo opened'
	run quod run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[[ $output != *opened* ]]
	attack '.process.env += ["QUOD_DEADLINE=2999-01-01T00:00:00Z"]' 'echo "until $QUOD_DEADLINE"'
	held 'until 2999'
}

@test "P09: an option within an option is refused" {
	local option
	for option in 'ro,rbind' 'rbind,ro' 'size=1m,size=99g' 'mode=0777,dev' 'size=1m ' 'lowerdir=/a:/b' 'context="x"' 'mode=x' 'uid=0=1' 'size=' 'nr_inodes=-1' \
		'size=1m\,dev' 'size=1P' 'size=1E' 'mpol=bind:0' 'huge=always' 'inode64' 'noswap' 'quota'; do
		attack ".mounts += [{destination: \"/t\", type: \"tmpfs\", source: \"t\", options: [$(jq -n --arg o "$option" '$o')]}]"
		refused "option '.*' is not allowed at /t"
	done
	attack '.mounts += [{destination: "/t", type: "tmpfs", source: "t", options: [1]}]'
	refused '.'
}

@test "P10: fields of a later specification are refused where they could widen access" {
	local member
	for member in '.linux.netDevices = {"eth0": {}}' '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0"}' '.linux.intelRdt = {enableMonitoring: true}' \
		'.linux.timeOffsets = {monotonic: {secs: 1}}' '.linux.newThing = {a: 1}' '.mounts[0].newThing = 1' '.process.newThing = 1' \
		'.linux.resources.newThing = 1' '.linux.seccomp.newThing = 1' '.linux.namespaces[0].newThing = 1' '.hooks.newPoint = [{path: "/bin/sh"}]' \
		'.linux.personality = {domain: "LINUX", flags: ["x"]}'; do
		attack ".ociVersion = \"1.3.0\" | $member"
		run quod run --bundle "$bundle" c1 </dev/null
		printf '%s\n' "$member: $output"
		[ "$status" = 1 ]
		[[ $output == quod:* ]]
	done
	attack '.ociVersion = "9.0.0"'
	run quod run --bundle "$bundle" c1 </dev/null
	echo "$output"
}

@test "P12: what is no regular file isn't read as config.json, and nothing waits for it" {
	attack .
	mv "$bundle/config.json" "$bundle/real.json"
	mkfifo "$bundle/config.json"
	refused 'config.json'
	rm "$bundle/config.json"
	ln -s real.json "$bundle/config.json"
	refused 'config.json'
	ln -sfn /dev/zero "$bundle/config.json"
	refused 'config.json'
	rm "$bundle/config.json"
	mknod "$bundle/config.json" c 1 5
	refused 'config.json'
	rm "$bundle/config.json"
	mkdir "$bundle/config.json"
	refused 'config.json'
	rmdir "$bundle/config.json"
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' "$bundle/config.json"
	refused 'config.json'
}

# The same inode says now this, now that, and both are equally long.
@test "P14: a config.json that is rewritten while quod runs is judged as it runs, or not at all" {
	attack "$(mount_at /mnt /srv/secret)" 'cat /mnt/file'
	works_bare host-secret
	cp "$bundle/config.json" "$bundle/evil"
	sed 's|"source": "/srv/secret"|"source": "/srv/nosuch"|; s|"type": "bind"|"type": "tmpfs"|' "$bundle/evil" >"$bundle/good"
	jq '(.mounts[] | select(.destination == "/mnt")) |= {destination: "/mnt", type: "tmpfs", source: "t", options: ["rw"]}' "$bundle/evil" >"$bundle/good"
	truncate -s "$(stat -c %s "$bundle/evil")" "$bundle/good"
	tr '\0' ' ' <"$bundle/good" >"$bundle/padded"
	perl -e 'my @t = map { open my $f, "<", $_; local $/; <$f> } @ARGV[0, 1]; open my $o, "+<", $ARGV[2]; for (my $i = 0;; $i++) { seek $o, 0, 0; syswrite $o, $t[$i % 2] }' \
		"$bundle/evil" "$bundle/padded" "$bundle/config.json" 3>&- &
	busy=$!
	local i read=0 ran=0
	for ((i = 0; i < 80; i++)); do
		output=$(timeout 10 quod run --bundle "$bundle" c1 2>&1 </dev/null) || :
		[[ $output != *host-secret* ]] || read=$((read + 1))
		[[ $output != *"at the end"* ]] || ran=$((ran + 1))
	done
	echo "$ran ran, $read read the host"
	[ "$read" = 0 ]
	[ "$ran" -gt 0 ]
}

@test "P15: whoever asks for the state is shown the engine's bundle, and it is as it was" {
	attack . 'sleep 60'
	local sum
	sum=$(sha256sum "$bundle/config.json")
	start
	[ "$(quod state c1 | jq -r .bundle)" = "$bundle" ]
	[ "$sum" = "$(sha256sum "$bundle/config.json")" ]
	# rewriting it later changes nothing for the processes to come
	attack '.process.capabilities[] = ["CAP_SYS_ADMIN"]'
	exec_in c1 grep CapBnd /proc/self/status
	[[ $output == *00000000000000* ]]
}

@test "P16: a root file system that another user can swap is held before it is judged" {
	mkdir -p /srv/race/a /srv/race/b/bin
	cp -a "$BATS_FILE_TMPDIR/rootfs/." /srv/race/a/
	mkdir -p /srv/outside
	cp -a "$BATS_FILE_TMPDIR/rootfs/." /srv/outside/
	echo host-secret >/srv/outside/secret
	rm -rf /srv/race/b
	ln -s /srv/outside /srv/race/b
	chown -h 1000:1000 /srv/race /srv/race/a /srv/race/b
	cc -O1 -o "$BATS_TEST_TMPDIR/swap" "$srcdir/tests/live/attack-swap.c"
	"$BATS_TEST_TMPDIR/swap" /srv/race/a /srv/race/b 3>&- &
	busy=$!
	# what is judged and what runs are one: a container of `a` never finds what belongs to the other
	attack '.root.path = "/srv/race/a"' 'sleep 0.05; for i in 1 2 3; do [ -e /secret ] && echo other || echo own; done | sort -u | tr "\n" " "'
	local i
	for ((i = 0; i < 20; i++)); do
		output=$(timeout 10 quod run --bundle "$bundle" c1 2>&1 </dev/null) || :
		echo "$output"
		[[ $output != *"other own"* ]]
	done
	kill $busy
	# and a system directory is none
	local path
	for path in / /etc /usr /proc /sys /var/lib /run; do
		attack ".root.path = \"$path\""
		refused "host's own"
	done
	ln -sfn / "$bundle/rootlink"
	attack ".root.path = \"rootlink\""
	refused "host's own"
}

@test "P17: a runtime that does less than it was told is found out, and the container ends" {
	write_config <<<'{ "version": 1, "prove": "start" }'
	# hands on everything, but takes the filter and no_new_privs out of what it is given
	cat >/usr/local/bin/lazy-runc <<-'END'
		#!/bin/bash
		args=("$@")
		for ((i = 0; i < $#; i++)); do
			if [ "${args[i]}" = --bundle ]; then
				rm -rf /run/lazy; cp -a "${args[i + 1]}" /run/lazy
				jq 'del(.linux.seccomp) | .process.noNewPrivileges = false' "${args[i + 1]}/config.json" >/run/lazy/config.json
				args[i + 1]=/run/lazy
			fi
		done
		exec /usr/sbin/runc "${args[@]}"
	END
	chmod 755 /usr/local/bin/lazy-runc
	attack . 'echo started >/proc/1/fd/1; sleep 60'
	quod --profile balanced --runtime /usr/local/bin/lazy-runc create --bundle "$bundle" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
	# what can only be seen once it runs is for the guardian to see, at once
	quod start c1 </dev/null >>"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || :
	wait_for 8 sh -c '! quod state c1 | grep -q running'
	cat "$BATS_TEST_TMPDIR/out"; tail -n 1 /var/log/quod/audit.jsonl
	wait_for 8 sh -c 'tail -n 1 /var/log/quod/audit.jsonl | grep -q "not proven at its first instruction"'
	rm -f /etc/quod/quod.json /usr/local/bin/lazy-runc
}

@test "P18: the runtime is found in a fixed path, and only where root alone can change it" {
	mkdir -p /tmp/evil
	printf '#!/bin/sh\necho evil >/run/evil\n' >/tmp/evil/runc
	cp /tmp/evil/runc /tmp/evil/crun
	chmod 755 /tmp/evil/*
	attack . true
	PATH=/tmp/evil:$PATH run quod run --bundle "$bundle" c1 </dev/null
	[[ $output == *"at the end"* ]]
	(cd /tmp/evil && PATH=.:$PATH quod run --bundle "$bundle" c1 </dev/null)
	local path
	for path in runc ./runc ../evil/runc evil/runc /tmp/evil/runc; do
		(cd /tmp/evil && chmod 777 /tmp/evil && quod --runtime "$path" run --bundle "$bundle" c1 </dev/null) || :
	done
	ln -s /tmp/evil/runc /usr/local/bin/linked-runc
	run quod --runtime linked-runc run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" = 1 ]
	[ ! -e /run/evil ]
}

@test "P20: a profile with a slip in it, or an empty one, never opens anything" {
	local text
	for text in '{ "version": 1, "egress": { "alow": [] } }' '{}' '' '[]' 'null' '{ "version": 1, "version": 1 }' '{ "version": 2 }' \
		'{ "version": 1, "rootfs": { "readonly": "false" } }' '{ "version": 1 } x' '{ "version": 1, /* }' '{ "version": 1, "extends": "slip" }' \
		'{ "version": 1, "extends": "../balanced" }' '{ "version": 1, "Rootfs": {} }' '{ "version": 1, "resources": { "memory": "4GG" } }'; do
		write_profile slip <<<"$text"
		profile=slip
		attack .
		refused 'slip'
	done
	local name
	for name in ../profiles/open /etc/quod/profiles/open open.json 'open/' '' . .. 'open ' OPEN; do
		run quod --profile "$name" run --bundle "$bundle" c1 </dev/null
		echo "$output"
		[ "$status" = 1 ]
		[[ $output != *"at the end"* ]]
	done
	write_profile bare <<<'{ "version": 1 }' # what isn't said is strict
	profile=bare
	attack '.process.user = {uid: 1000, gid: 1000}' 'touch /x 2>/dev/null && echo written; grep CapBnd /proc/self/status'
	held 'written|CapBnd:.0*[1-9a-f]'
}

@test "P21: a container keeps its profile when that is gone or opened" {
	write_profile fleeting <<<'{ "version": 1, "extends": "balanced", "process": { "capabilities": ["CAP_KILL"] }, "resources": { "pids": 50 } }'
	profile=fleeting
	attack . 'sleep 60'
	start
	write_profile fleeting <<<'{ "version": 1, "process": { "root": true, "capabilities": ["CAP_SYS_ADMIN", "CAP_KILL"] }, "resources": { "pids": "unlimited" } }'
	exec_in --cap CAP_SYS_ADMIN c1 grep CapBnd /proc/self/status
	[[ $output == *0000000000000020 ]]
	run quod update --pids-limit 60 c1
	[[ $output == *"60 is over the profile's 50 (resources.pids)" ]]
	rm /etc/quod/profiles/fleeting.json
	exec_in --cap CAP_SYS_ADMIN c1 grep CapBnd /proc/self/status
	[[ $output == *0000000000000020 ]]
}

@test "P24: characters that some formats take for their own stay what they are" {
	raw .hostname '"h\u2028x"'
	run quod run --bundle "$bundle" c1 </dev/null
	echo "$output"
	raw .annotations '{"a\u2028\u2029\u0085": "\u001b[2J\u007f</script>"}'
	runs 'at the end'
	jq -e -s 'length > 0' /var/log/quod/audit.jsonl
	none grep -qP '[\x00-\x08\x0b-\x1f\x7f]' /var/log/quod/audit.jsonl
}
