#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# create and run on raw bundles, with the real runc and crun underneath.

load ../helpers

setup_file() {
	install_quod
	write_profile open <<-'J'
		{ "version": 1, "extends": "balanced", "rootfs": { "readonly": false } }
	J
	write_profile work <<-'J'
		{ "version": 1, "extends": "balanced",
		  "mounts": { "allow": [ { "source": "/srv/agents/**", "destination": "/workspace/**", "readonly": true } ] } }
	J
	write_profile strip <<-'J'
		{ "version": 1, "extends": "balanced", "mounts": { "host": "strip" } }
	J
	mkdir -p "$BATS_FILE_TMPDIR/sweep"
	make_bundle "$BATS_FILE_TMPDIR/sweep"
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle"
}

teardown() {
	sweep
}

run_in() { # COMMAND-TEXT: as the container's command
	edit_bundle "$bundle" ".process.args = [\"sh\", \"-c\", $(jq -n --arg c "$1" '$c')]"
}

# crun's run waits for whatever a hook has started: what quod keeps of it goes with the next create.
sweep() {
	[ -e /run/quod/containers ] || return 0
	quod --profile balanced create --bundle "$BATS_FILE_TMPDIR/sweep" sweep </dev/null >/dev/null 2>&1 3>&-
	quod delete --force sweep
}

left() { # what a container leaves while it is there
	ls -A /run/quod/containers /run/runc /run/crun 2>/dev/null | grep -v -e ':$' -e '^\.cache$' | grep .
	grep /run/quod/containers /proc/self/mountinfo
	pgrep -x quod-guardian
	pgrep -x 'quod-nursery|quod-gate'
	find /sys/fs/cgroup -type d -name c1
}

is_clean() {
	local found
	found=$(left)
	[ -z "$found" ] || { echo "left: $found"; return 1; }
}

nothing_left() {
	[ "${runtime-}" != crun ] || sweep
	wait_for 5 is_clean
}

runs() {
	run_in 'echo hello from $(id -u)'
	run quod --profile balanced --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "hello from 0" ]
	nothing_left
}
# bats test_tags=v2
@test "create: a plain bundle runs under runc and crun, and nothing is left" {
	both_runtimes runs
}

passes_status() {
	run_in 'exit 37'
	run quod --runtime "$runtime" run --bundle "$bundle" c1
	[ "$status" = 37 ]
}
@test "create: the exit status is the container's" {
	both_runtimes passes_status
}

@test "create: a host path is refused in one line, on stderr and in the log, with status 1, and nothing is left" {
	edit_bundle "$bundle" '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind"]}]'
	run quod --log "$BATS_TEST_TMPDIR/log" --log-format json run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == "quod: refused by profile 'balanced': /mounts/"*": host path /etc is not allowed at /mnt (mounts.allow)" ]]
	[ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = error ]
	[ "$(jq -r .msg "$BATS_TEST_TMPDIR/log")" = "$output" ]
	nothing_left
}

@test "create: all reasons stand in one line" {
	edit_bundle "$bundle" '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind"]}]
		| .linux.namespaces |= map(select(.type != "network" and .type != "pid"))'
	run quod run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"host path /etc"* && $output == *"host network (namespaces.private)"* && $output == *"host processes (namespaces.private)"* ]]
}

@test "create: mounts.host strip takes the host path away and runs" {
	edit_bundle "$bundle" '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind"]}]'
	run_in '[ ! -e /mnt/shadow ] && echo clean'
	run quod-strip run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = clean ]
}

allowed_workspace() {
	run quod-work --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$(printf 'source\nread-only')" ]
	nothing_left
}
@test "create: mounts.allow admits a workspace, read-only where it says so" {
	mkdir -p /srv/agents/web
	echo source >/srv/agents/web/file
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace", "type": "bind", "source": "/srv/agents/web", "options": ["rbind", "rw"]}]'
	run_in 'cat /workspace/file; touch /workspace/new 2>/dev/null || echo read-only'
	both_runtimes allowed_workspace
}

@test "create: the workspace's source behind a link is judged by where it leads" {
	mkdir -p /srv/agents
	ln -sfn /etc /srv/agents/link
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace", "type": "bind", "source": "/srv/agents/link", "options": ["rbind"]}]'
	run quod-work run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"host path /etc is not allowed at /workspace"* ]]
}

@test "create: a destination behind a link of the image is judged by where it lands" {
	mkdir -p /srv/agents/web
	ln -s /proc "$bundle/rootfs/workspace/p"
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace/p", "type": "bind", "source": "/srv/agents/web", "options": ["rbind"]}]'
	run quod-work run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"nothing may be mounted at /proc"* ]]
}

@test "create: the host's root as root file system is refused" {
	edit_bundle "$bundle" '.root.path = "/"'
	run quod run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"/root/path: the root file system / is the host's own"* ]]
	edit_bundle "$bundle" '.root.path = "/etc/ssl"'
	run quod run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"/root/path: the root file system /etc/ssl is the host's own"* ]]
}

bounded() {
	run quod --profile balanced --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	# CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7
	[[ $output == *"CapBnd:"*"00000000000000eb"* || $output == *"CapBnd:"*"0000000000000020"* ]]
	[[ $output == *"NoNewPrivs:"*"1"* ]]
	[[ $output == *"root is read-only"* && $output == *"tmp is writable"* ]]
}
# bats test_tags=v2
@test "create: capabilities, no_new_privs and the read-only root are in force inside" {
	run_in 'grep -E "CapBnd|NoNewPrivs" /proc/self/status; touch /x 2>/dev/null || echo root is read-only; touch /tmp/x && echo tmp is writable'
	both_runtimes bounded
}

@test "create: rootfs.readonly false leaves the root writable" {
	edit_bundle "$bundle" '.root.readonly = false'
	run_in 'touch /x && echo writable'
	run quod-open run --bundle "$bundle" c1
	[ "$status" = 0 ]
	[ "$output" = writable ]
}

@test "create: the engine's bundle is left as it was" {
	before=$(sha256sum "$bundle/config.json"; ls -la --time-style=full-iso "$bundle")
	run quod run --bundle "$bundle" c1
	[ "$status" = 0 ]
	[ "$before" = "$(sha256sum "$bundle/config.json"; ls -la --time-style=full-iso "$bundle")" ]
}

state_shows() {
	run_in 'sleep 60'
	quod --runtime "$runtime" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/err"; return 1; }
	[ "$(quod --runtime "$runtime" state c1 | jq -r .bundle)" = "$bundle" ]
	[ "$(quod --runtime "$runtime" state c1 | jq -r '.annotations["quod.dev/applied-profile"]')" = balanced ]
	quod --runtime "$runtime" start c1
	run quod --runtime "$runtime" exec c1 sh -c 'grep CapEff /proc/self/status; echo $QUOD_PROFILE'
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *balanced* ]]
	quod --runtime "$runtime" kill c1 KILL
	wait_for 5 stopped
	quod --runtime "$runtime" delete c1
	nothing_left
}
stopped() { [ "$(quod --runtime "$runtime" state c1 | jq -r .status)" = stopped ]; }
@test "create: create, state, start, exec, kill, delete go their way, and state names the engine's bundle" {
	both_runtimes state_shows
}

@test "create: an id that the runtime knows is refused, and the first container lives on" {
	run_in 'sleep 60'
	quod create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	run quod create --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"exists already"* ]]
	quod start c1
	quod delete --force c1
	nothing_left
}

refuses() { # PART OF THE TEXT
	run quod --log "$BATS_TEST_TMPDIR/log" --log-format json run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == "quod: "*"$1"* ]]
	nothing_left
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/log" | jq -r .msg)" = "$output" ]
}

@test "create: a missing, empty, cut or huge config.json, a FIFO or a link in its place: one clear line" {
	cp "$bundle/config.json" "$BATS_TEST_TMPDIR/good.json"
	rm "$bundle/config.json"
	refuses "No such file"
	: >"$bundle/config.json"
	refuses config.json
	head -c 700 "$BATS_TEST_TMPDIR/good.json" >"$bundle/config.json"
	refuses config.json
	truncate -s 100M "$bundle/config.json"
	refuses "longer than 4194304 bytes"
	rm "$bundle/config.json"
	mkfifo "$bundle/config.json"
	refuses "not a regular file"
	rm "$bundle/config.json"
	ln -s "$BATS_TEST_TMPDIR/good.json" "$bundle/config.json"
	refuses config.json
}

@test "create: a document that runc and crun read differently is refused" {
	edit_bundle "$bundle" '.Process = .process'
	refuses "case"
	make_bundle "$bundle" '.linux.netDevices = {"eth0": {}}'
	refuses netDevices
}

@test "create: an unknown profile, an unknown key, a profile that others can write: one clear line" {
	run quod --profile nosuch run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *nosuch* ]]
	write_profile typo <<<'{ "version": 1, "egress": { "alow": [] } }'
	run quod-typo run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == */etc/quod/profiles/typo.json:*"/egress/alow"*allow* ]]
	write_profile loose <<<'{ "version": 1 }'
	chmod 666 /etc/quod/profiles/loose.json
	run quod-loose run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"can be written by everyone"* ]]
	nothing_left
}

@test "create: no runtime, or one that others can write, is one clear line" {
	run quod --runtime /nosuch run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	cp /usr/sbin/runc /opt/evil-runc
	chmod 777 /opt/evil-runc
	run quod --runtime /opt/evil-runc run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *evil-runc* ]]
	nothing_left
}

@test "create: a full disk under the state or the audit trail refuses, and nothing is left" {
	mkdir -p /run/quod
	mount -t tmpfs -o size=8k,mode=700 full /run/quod
	head -c 8192 /dev/zero >/run/quod/fill 2>/dev/null || :
	run quod run --bundle "$bundle" c1
	echo "$output"
	umount /run/quod
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"No space left"* ]]
	mkdir -p /var/log/quod
	mount -t tmpfs -o size=4k,mode=700 full /var/log/quod
	head -c 4096 /dev/zero >/var/log/quod/fill 2>/dev/null || :
	run quod run --bundle "$bundle" c1
	echo "$output"
	umount /var/log/quod
	[ "$status" = 1 ]
	[[ $output == *audit* ]]
	nothing_left
}

@test "create: the audit trail holds create, refuse and exit, in one chain" {
	rm -rf /var/log/quod /var/lib/quod/audit.head
	quod run --bundle "$bundle" c1
	edit_bundle "$bundle" '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind"]}]'
	run quod run --bundle "$bundle" c2
	wait_for 5 grep -q '"event":"exit"' /var/log/quod/audit.jsonl
	jq -e -s 'map(.event) | contains(["create", "exit", "refuse"])' /var/log/quod/audit.jsonl
	jq -e -s '[.[1:], .[:-1]] | transpose | all(.[0].prev == .[1].hash)' /var/log/quod/audit.jsonl
	[ "$(stat -c %a /var/log/quod/audit.jsonl)" = 600 ]
}

@test "create: containers.max and creates_per_minute hold" {
	write_config <<<'{ "version": 1, "containers": { "max": 1, "creates_per_minute": 3 } }'
	rm -rf /run/quod/creates
	run_in 'sleep 60'
	quod create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	run quod create --bundle "$bundle" c2
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"containers.max"* ]]
	quod delete --force c1
	run_in true
	quod run --bundle "$bundle" c1
	quod run --bundle "$bundle" c1
	run quod run --bundle "$bundle" c1
	rm /etc/quod/quod.json
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"creates_per_minute"* ]]
}

without_netfilter() {
	run "$builddir/tests/live/without-netfilter" quod --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"quod: "*"nf_tables"* || $runtime == crun ]]
	[[ $output == *quod-hook* || $runtime == runc ]]
	[[ $output != *hello* ]]
	jq -e -s '.[-1] | .event == "refuse" and (.reason | contains("nf_tables"))' /var/log/quod/audit.jsonl
	nothing_left
}
@test "create: no nf_tables in the kernel: the container does not run, in words" {
	run_in 'echo hello'
	both_runtimes without_netfilter
}

takes_the_next() {
	local used='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/before" | .process.args = ["sleep", "1000"]' last
	ip netns add before
	ip -n before link set lo up
	edit_bundle "$bundle" "$used"
	for last in 80 81 80; do
		quod --profile "only$last" create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
		quod start c1
		[[ $(ip netns exec before nft list set inet quod exact4) = *"11.22.33.$last . tcp . 80 }"* ]]
		quodctl verify c1
		quod delete --force c1
	done
	# whoever else lives there is bound by what is left, and keeps it
	ip netns exec before sleep 1000 </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	last=$!
	wait_for 5 lives_in_before "$last"
	run quod --profile only81 create --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"network"*"(namespaces.private)"* ]]
	[[ $(ip netns exec before nft list set inet quod exact4) = *"11.22.33.80 . tcp . 80 }"* ]]
	kill "$last"
	ip netns del before
}

lives_in_before() {
	[ "$(stat -Lc %i "/proc/$1/ns/net")" = "$(stat -Lc %i /run/netns/before)" ]
}

@test "create: a network namespace made before takes one container after the other, each under its own rules" {
	local last
	for last in 80 81; do
		write_profile "only$last" <<<'{ "version": 1, "extends": "balanced", "egress": { "allow": ["11.22.33.'"$last"':80"] } }'
	done
	both_runtimes takes_the_next
}
