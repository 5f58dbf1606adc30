#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The proof before the first instruction: what was sabotaged between create and start is not started.

load ../helpers

setup_file() {
	install_quod
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle"
	edit_bundle "$bundle" '.process.args = ["sleep", "60"]'
	rm -f /etc/quod/quod.json
}

create() {
	quod --runtime "$runtime" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/err"; return 1; }
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
}

is_refused() { # PART OF THE TEXT
	run quod start c1
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == "quod: start refused by profile 'balanced': "*"$1"*"(prove)" ]]
	[ "$(quod state c1 | jq -r .status)" = created ]
}

delete() { quod delete --force c1; }

each_runtime() {
	local runtime
	for runtime in runc crun; do
		echo "under $runtime"
		"$@"
	done
}

cgroup_file() { # CONTROLLER FILE-OF-V1 FILE-OF-V2
	local path
	path=$(sed -n "s/^[0-9]*:$1://p" "/proc/$pid/cgroup")
	if [ -n "$path" ]; then
		echo "/sys/fs/cgroup/$1$path/$2"
	else
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/$3"
	fi
}

starts() {
	create
	quod start c1
	wait_for 5 quodctl verify c1
	delete
}
# bats test_tags=v2
@test "prove: an untouched container starts, and verify proves all of it" {
	each_runtime starts
}

lift() { # FILE: what means "no limit" in either version
	echo -1 >"$1" || echo max >"$1"
} 2>/dev/null

raised_memory() {
	create
	lift "$(cgroup_file memory memory.memsw.limit_in_bytes memory.swap.max)" || :
	lift "$(cgroup_file memory memory.limit_in_bytes memory.max)"
	is_refused "resources.memory is not in force: promised at most 4G, in force no limit"
	delete
}
# bats test_tags=v2
@test "prove: a memory limit that was taken away stops the start" {
	each_runtime raised_memory
}

raised_pids() {
	create
	echo max >"$(cgroup_file pids pids.max pids.max)"
	is_refused "resources.pids is not in force: promised at most 512, in force max"
	delete
}
@test "prove: a pids limit that was taken away stops the start" {
	each_runtime raised_pids
}

strange_mount() {
	create
	nsenter -t "$pid" -m mount -t tmpfs strange /workspace
	is_refused "mounts.allow is not in force"
	delete
}
@test "prove: a mount that nobody planned stops the start" {
	each_runtime strange_mount
}

missing_mount() {
	create
	nsenter -t "$pid" -m umount /dev/mqueue
	is_refused "mounts.allow is not in force: promised the mounts of the plan, and no other, in force none at /dev/mqueue"
	delete
}
@test "prove: a planned mount that stands somewhere else stops the start" {
	each_runtime missing_mount
}

uncovered() {
	create
	nsenter -t "$pid" -m umount /proc/keys
	is_refused "rootfs.mask is not in force"
	delete
}
@test "prove: a mask that was taken off stops the start" {
	each_runtime uncovered
}

dead_gate() {
	create
	nursery=$(jq .nursery_pid /run/quod/containers/*/guardian)
	kill -9 "$nursery" "$(ps -o pid= --ppid "$nursery" | tr -d ' ')"
	sleep 10.5
	is_refused "egress.allow is not in force"
	delete
}
@test "prove: a network whose gate is gone for good stops the start" {
	runtime=runc
	dead_gate
}

# A runtime that gives the first process more than config.json says.
generous() { # RUNTIME JQ-FILTER
	printf '#!/bin/sh\nfor file in /run/quod/containers/*/bundle/config.json; do\n\tjq "%s" "$file" >/run/edited && cat /run/edited >"$file"\ndone\nexec %s "$@"\n' \
		"$2" "$(command -v "$1")" >"/usr/bin/$1-generous"
	chmod 755 "/usr/bin/$1-generous"
}

runs_nothing() { # JQ-FILTER WHAT-IS-LACKING
	generous "$runtime" "$1"
	rm -rf /var/log/quod
	run timeout 30 quod --runtime "/usr/bin/$runtime-generous" run --bundle "$bundle" c1 </dev/null
	echo "$status $output"
	[ "$status" != 0 ]
	[[ $output != *"it ran"* ]]
	wait_for 10 grep -F "killed: not proven at its first instruction: $2" /var/log/quod/audit.jsonl
}

run_is_proven() {
	runs_nothing '.process.capabilities[] += [\"CAP_SYS_ADMIN\"]' 'process.capabilities: Cap'
	runs_nothing '.process.noNewPrivileges = false' 'process.no_new_privs is off'
	runs_nothing 'del(.linux.seccomp)' 'seccomp.floor: 1 of 2 filters'
}
@test "prove: a run has no start, and the guardian kills at its first instruction what has more than was promised" {
	edit_bundle "$bundle" '.process.args = ["sh", "-c", "echo it ran"]'
	each_runtime run_is_proven
}

# flips: quod.json prove
@test "prove: off starts what is sabotaged, and verify still says so" {
	write_config <<<'{ "version": 1, "prove": "off" }'
	runtime=runc
	create
	echo max >"$(cgroup_file pids pids.max pids.max)"
	quod start c1
	wait_for 5 eval 'quodctl verify c1 | grep resources.pids'
	run quodctl verify c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"resources.pids"*"max"*"failed"* ]]
	delete
	write_config <<<'{ "version": 1, "prove": "start" }'
	create
	echo max >"$(cgroup_file pids pids.max pids.max)"
	run quod start c1
	[ "$status" = 1 ]
	delete
}
