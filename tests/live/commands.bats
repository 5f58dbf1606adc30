#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The commands beside create, on raw bundles, with the real runc and crun underneath: exec, update, start, state, list,
# delete, and what isn't quod's.
# shellcheck disable=SC2016 # sh -c expands

load ../helpers

setup_file() {
	install_quod
	write_profile small <<-'J'
		{ "version": 1, "process": { "root": true, "capabilities": ["CAP_KILL"] },
		  "resources": { "cpus": 1, "memory": "256M", "pids": 100 },
		  "audit": { "record": ["refusals", "exec"] } }
	J
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle" '.process.args = ["sleep", "1000"]'
}

teardown() {
	local runtime
	for runtime in runc crun; do
		quod --runtime "$runtime" delete --force c1 >/dev/null 2>&1 || :
		"$runtime" delete --force c1 >/dev/null 2>&1 || :
	done
	rm -f /etc/quod/quod.json
}

end_runtime() {
	teardown
}

# The container c1, created; its stdio must not hold the test up.
create() {
	quod --profile small --runtime "$runtime" create --bundle "$bundle" c1 >"$BATS_TEST_TMPDIR/create.out" 2>&1 </dev/null || {
		cat "$BATS_TEST_TMPDIR/create.out"
		return 1
	}
}

start() {
	create && quod start c1
}

containers() {
	ls -A /run/quod/containers
}

cgroup_file() { # FILE CONTROLLER: its content for the container; with ".", version 2's
	local path prefix=${2#.}
	path=$(sed -nE "s/^[0-9]+:([^:]*,)?$prefix(,[^:]*)?:(.*)/\3/p" "/proc/$(quod state c1 | jq .pid)/cgroup" | head -n 1)
	[ -n "$path" ] && cat "/sys/fs/cgroup/$prefix$path/$1"
}

process_file() { # JQ-FILTER: a process as an engine sends it, filtered
	jq -n '{ "args": ["sh", "-c", "true"], "cwd": "/", "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/bin"],
		"capabilities": { "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"] } } | '"$1" \
		>"$BATS_TEST_TMPDIR/process.json"
}

exec_file() {
	run quod exec --process "$BATS_TEST_TMPDIR/process.json" c1
	echo "$output"
}

shows_the_engines_bundle() {
	start
	[ "$(quod state c1 | jq -r .bundle)" = "$bundle" ]
	[ "$(quod --runtime "$runtime" list --format json | jq -r '.[] | select(.id == "c1").bundle')" = "$bundle" ]
	run quod --runtime "$runtime" list
	[[ $output = *" $bundle "* && $output != */run/quod* ]]
	[ "$(quod --runtime "$runtime" list -q)" = c1 ]
}
@test "commands: state and list show the engine's bundle" {
	both_runtimes shows_the_engines_bundle
}

later_commands_find_the_runtime() {
	create
	[ "$(quod state c1 | jq -r .status)" = created ]
	quod start c1
	[ "$(quod exec c1 echo hello)" = hello ]
	quod pause c1
	quod resume c1
	quod kill c1 KILL
	wait_for 5 sh -c 'quod state c1 | grep -q stopped'
	quod delete c1
	[ -z "$(containers)" ]
}
@test "commands: no later command needs to be told the profile or the runtime" {
	both_runtimes later_commands_find_the_runtime
}

bounds_the_process_file() {
	start
	process_file '.args[2] = "grep -E ^Cap.nd /proc/self/status; grep NoNewPrivs /proc/self/status; exit 5"
		| .capabilities[] += ["CAP_SYS_ADMIN", "CAP_NET_RAW"]'
	exec_file
	[ "$status" = 5 ]
	[[ $output = *"CapBnd:"*"0000000000000020"* && $output = *"NoNewPrivs:"*1* ]]
	process_file '.args[2] = "env"'
	exec_file
	[[ $output = *QUOD_PROFILE=small* ]]
}
@test "commands: exec's process file is held to the profile" {
	both_runtimes bounds_the_process_file
}

refuses_the_process_file() {
	start
	process_file '.cwd = "/proc/self/fd/7"'
	exec_file
	[ "$status" = 1 ]
	[[ $output = "quod: refused by profile 'small': /cwd: "* ]]
	process_file '.args = "sh"'
	exec_file
	[ "$status" = 1 ]
	[[ $output = "quod: refused by profile 'small': process/args: "* ]]
	process_file '.frobnicate = true'
	exec_file
	[ "$status" = 1 ]
	[[ $output = *"process/frobnicate"* ]]
	printf '{"args":["true"],"cwd":"/","args":["sh"]}' >"$BATS_TEST_TMPDIR/process.json"
	exec_file
	[ "$status" = 1 ]
	ln -sf process.json "$BATS_TEST_TMPDIR/link.json"
	run quod exec --process "$BATS_TEST_TMPDIR/link.json" c1
	[ "$status" = 1 ]
	[ -p "$BATS_TEST_TMPDIR/fifo.json" ] || mkfifo "$BATS_TEST_TMPDIR/fifo.json"
	run timeout 5 quod exec --process "$BATS_TEST_TMPDIR/fifo.json" c1
	[ "$status" = 1 ]
}
@test "commands: a process file that isn't clear or asks for more is refused" {
	both_runtimes refuses_the_process_file
}

bounds_the_options() {
	start
	run quod exec --cap CAP_SYS_ADMIN --user 1:2 --env A=B --cwd /tmp c1 sh -c 'id -u; id -g; pwd; echo $A; grep CapEff /proc/self/status'
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[*]:0:4}" = "1 2 /tmp B" ]
	[[ ${lines[4]} = *0000000000000000 ]]
	run quod exec c1 sh -c 'grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status; exit 9'
	echo "$output"
	[ "$status" = 9 ]
	[[ $output = *0000000000000020* && $output = *NoNewPrivs:*1* ]]
	run quod exec --cwd /proc/self/fd/7 c1 true
	[ "$status" = 1 ]
	run quod exec --cgroup ../other c1 true
	[ "$status" = 1 ]
	[[ $output = *"out of the container's own cgroup"* ]]
}
@test "commands: exec's own options are held to the profile as well" {
	both_runtimes bounds_the_options
}

hands_pipes_to_exec() {
	start
	echo through >"$BATS_TEST_TMPDIR/input"
	run quod exec --preserve-fds 1 c1 sh -c 'cat <&3; ls /proc/self/fd' 3< <(cat "$BATS_TEST_TMPDIR/input")
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = through ]
	[[ ! ${lines[*]:1} =~ (^| )[5-9] ]]
}
@test "commands: exec hands on the pipes that were asked for, and no descriptor of quod's" {
	both_runtimes hands_pipes_to_exec
}

@test "commands: exec without runc's --no-new-privs=false is the same as with it" {
	runtime=runc
	start
	run quod exec --no-new-privs=false c1 grep NoNewPrivs /proc/self/status
	[[ $output = *1 ]]
}

records_exec() {
	start
	quod exec c1 true secret-word
	run quod exec --cwd /proc c1 true
	[ "$status" = 1 ]
	[ "$(jq -rs 'map(select(.event == "exec"))[-1].args | join(" ")' /var/log/quod/audit.jsonl)" = "true secret-word" ]
	[ "$(jq -rs 'map(select(.event == "refuse"))[-1].command' /var/log/quod/audit.jsonl)" = exec ]
}
@test "commands: exec and its refusals are in the audit trail" {
	both_runtimes records_exec
}

lowers_resources() {
	start
	quod update --memory 104857600 c1
	[ "$(cgroup_file memory.limit_in_bytes memory || cgroup_file memory.max .)" = 104857600 ]
	echo '{ "pids": { "limit": 50 }, "memory": { "limit": 0 } }' | quod update --resources - c1
	[ "$(cgroup_file pids.max pids || cgroup_file pids.max .)" = 50 ]
	[ "$(cgroup_file memory.limit_in_bytes memory || cgroup_file memory.max .)" = 104857600 ]
	echo '{ "pids": { "limit": 60 } }' >"$BATS_TEST_TMPDIR/resources.json"
	quod update -r "$BATS_TEST_TMPDIR/resources.json" c1
	[ "$(cgroup_file pids.max pids || cgroup_file pids.max .)" = 60 ]
}
# bats test_tags=v2
@test "commands: update lowers resources, from options, standard input and a file" {
	both_runtimes lowers_resources
}

# What is over the profile is lowered to it, and one line says so: here, in the runtime's log and in the audit trail.
lowers_to_the_bounds() {
	local log=$BATS_TEST_TMPDIR/log.json
	start
	quod update --memory 104857600 --pids-limit 50 c1
	rm -f "$log"
	run quod --log "$log" --log-format json update -r - c1 <<<'{ "pids": { "limit": -1 }, "memory": { "limit": 999999999999 } }'
	echo "$output"
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 1 ]
	[ "$output" = "quod: held to profile 'small': /memory/limit: 999999999999 is over the profile's 256M (resources.memory); /pids/limit: -1 is over the profile's 100 (resources.pids)" ]
	[ "$(jq -r 'select(.level == "warning").msg' "$log")" = "$output" ]
	[ "quod: $(jq -rs 'map(select(.event == "update"))[-1].held' /var/log/quod/audit.jsonl)" = "$output" ]
	[ "$(cgroup_file memory.limit_in_bytes memory || cgroup_file memory.max .)" = 268435456 ]
	[ "$(cgroup_file pids.max pids || cgroup_file pids.max .)" = 100 ]
	run quod update --cpu-quota -1 c1
	[ "$status" = 0 ]
	[[ $output = *"/cpu/quota"* ]]
	run quod update --cpu-period 1000 c1
	[ "$status" = 0 ]
	[[ $output = *"/cpu/quota"* ]]
	[ "$(quod update --pids-limit 60 c1 2>&1)" = "" ]
	[ "$(jq -rs 'map(select(.event == "update"))[-1].held' /var/log/quod/audit.jsonl)" = null ]
}
# bats test_tags=v2
@test "commands: update over the profile's bounds ends at them, and says so" {
	both_runtimes lowers_to_the_bounds
}

refuses_what_cannot_be_lowered() {
	start
	run quod update -r - c1 <<<'{ "frob": 1, "pids": { "limit": 5 } }'
	[ "$status" = 1 ]
	run quod update -r - c1 <<<'{ "memory": { "limit": 1, "limit": 2 } }'
	[ "$status" = 1 ]
	run quod update -r - c1 <<<'{ "memory": { "disableOOMKiller": true }, "cpu": { "realtimeRuntime": 1000 }, "pids": { "limit": 5 } }'
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output = "quod: refused by profile 'small': /cpu/realtimeRuntime: "*"; /memory/disableOOMKiller: "* ]]
	run quod update -r - c1 <<<'{ "devices": [ { "allow": true, "access": "rwm" } ], "pids": { "limit": 5 } }'
	echo "$output"
	[ "$status" = 1 ]
	run quod update -r /dev/zero c1
	[ "$status" = 1 ]
	[ "$(cgroup_file pids.max pids || cgroup_file pids.max .)" = 100 ]
}
# bats test_tags=v2
@test "commands: update refuses what no bound lowers, says every reason, and changes nothing" {
	both_runtimes refuses_what_cannot_be_lowered
}

@test "commands: an update to no memory limit, which takes swap's away, too, is refused where swap is bounded" {
	local update='{ "memory": { "limit": -1 } }'
	swap_limit() { cgroup_file memory.memsw.limit_in_bytes memory; }
	start_swapless() { "$@" create --bundle "$bundle" c1 >"$BATS_TEST_TMPDIR/create.out" 2>&1 </dev/null; }
	write_profile swapless <<<'{ "version": 1, "extends": "balanced", "resources": { "memory": "unlimited", "swap": "0" } }'
	edit_bundle "$bundle" '.linux.resources.memory = { limit: 67108864, swap: 67108864 }'
	start_swapless runc
	swap_limit || skip "no swap accounting of version 1"
	runc update -r - c1 <<<"$update"
	[ "$(swap_limit)" -gt 67108864 ] # what it does by itself
	runc delete --force c1
	start_swapless quod --profile swapless
	[ "$(swap_limit)" = 67108864 ]
	run quod update -r - c1 <<<"$update"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"/memory/limit: swap can't be bounded without a limit on memory (resources.swap)" ]]
	[ "$(swap_limit)" = 67108864 ]
}

refuses_the_halted() {
	create
	touch "/run/quod/containers/$(containers)/halted"
	run quod start c1
	[ "$status" = 1 ]
	[[ $output = *"container c1 is halted"* ]]
	rm "/run/quod/containers/$(containers)/halted"
	quod start c1
	touch "/run/quod/containers/$(containers)/halted"
	run quod exec c1 true
	[ "$status" = 1 ]
	[[ $output = *"container c1 is halted"* ]]
	run quod resume c1
	[ "$status" = 1 ]
	[[ $output = *"container c1 is halted"* ]]
	quod kill c1 KILL
	wait_for 5 sh -c 'quod state c1 | grep -q stopped'
	quod delete c1
}
@test "commands: a halted container is neither started nor entered nor resumed, but can be ended" {
	both_runtimes refuses_the_halted
}

drives_only_its_own() {
	"$runtime" create --bundle "$bundle" c1 </dev/null >"$BATS_TEST_TMPDIR/create.out" 2>&1
	local command
	for command in "exec c1 true" "update --memory 1048576 c1" "start c1" "resume c1" "checkpoint c1"; do
		# shellcheck disable=SC2086 # words
		run quod --runtime "$runtime" $command
		echo "$output"
		[ "$status" = 1 ]
		[[ $output = *"'c1' is not a container of quod's" ]]
	done
	[ "$(quod --runtime "$runtime" state c1 | jq -r .status)" = created ]
	quod --runtime "$runtime" delete --force c1
}
@test "commands: a container of the runtime's alone is not driven, but can be seen and ended" {
	both_runtimes drives_only_its_own
}

deletes_state() {
	start
	run quod delete c1
	[ "$status" != 0 ]
	[ -n "$(containers)" ]
	quod delete --force c1
	[ -z "$(containers)" ]
	run quod --runtime "$runtime" delete c1
	[ "$status" != 0 ]
	[[ $output != *quod* ]]
}
@test "commands: delete clears quod's state once the runtime doesn't know the container, and not before" {
	both_runtimes deletes_state
}

deletes_without_configuration() {
	start
	echo '{ "broken' >/etc/quod/quod.json
	run quod exec c1 true
	[ "$status" = 1 ]
	quod state c1 | jq -e '.status == "running"'
	quod kill c1 KILL
	quod delete --force c1
	[ -z "$(containers)" ]
}
@test "commands: a broken configuration lets kill, state and delete work" {
	both_runtimes deletes_without_configuration
}

@test "commands: delete with crun's regular expression clears what is gone" {
	runtime=crun
	start
	quod --runtime crun delete --force --regex '^c'
	[ -z "$(containers)" ]
}

@test "commands: crun's mounts can't add a host path to a container of quod's" {
	runtime=crun
	start
	echo '[{ "destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind"] }]' >"$BATS_TEST_TMPDIR/mounts.json"
	run quod --runtime crun mounts add c1 "$BATS_TEST_TMPDIR/mounts.json"
	[ "$status" = 1 ]
	[[ $output = *"the mounts of a container are those of its create"* ]]
}

@test "commands: one id under two roots is two containers" {
	runtime=runc
	start
	run quod --root "$BATS_TEST_TMPDIR/root" exec c1 true
	[ "$status" = 1 ]
	[[ $output = *"'c1' is not a container of quod's" ]]
	[ "$(quod --root /run/./runc/ exec c1 echo same)" = same ]
	quod --root "$BATS_TEST_TMPDIR/root" delete --force c1
	[ -n "$(containers)" ]
}
