#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks on limits and budgets: the T entries of tests/attacks, on raw bundles.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
	write_profile small <<-'J'
		{ "version": 1, "extends": "balanced", "resources": { "cpus": 1, "memory": "128M", "swap": "0", "pids": 40 } }
	J
	write_profile brief <<-'J'
		{ "version": 1, "extends": "small", "resources": { "pids": 20 }, "budgets": { "wall": "2s", "grace": "1s" } }
	J
}

setup() {
	attack_setup
	profile=small
}

teardown() {
	end
	rm -rf /var/lib/quod/ledger # what c1 has used is c1's, whatever test it was in
}

is_stopped() {
	[ "$(quod state c1 | jq -r .status)" = stopped ]
}

limit() { # FILE CONTROLLER: of c1
	local path
	path=$(sed -nE "s/^[0-9]+:([^:]*,)?$2(,[^:]*)?:(.*)/\3/p" "/proc/$(quod state c1 | jq .pid)/cgroup" | head -n 1)
	cat "/sys/fs/cgroup/$2$path/$1"
}

# What bounds c1: a share of CPU is the same in any period.
bounds() {
	local quota period
	quota=$(limit cpu.cfs_quota_us cpu) && period=$(limit cpu.cfs_period_us cpu) || read -r quota period <<<"$(limit cpu.max .)"
	echo "$((quota * 1000 / period)) $(limit memory.limit_in_bytes memory || limit memory.max .) $(limit pids.max pids || limit pids.max .)" \
		"$(limit memory.memsw.limit_in_bytes memory || limit memory.swap.max . || :)"
}

@test "T06: update raises nothing, by option or by file" {
	attack . 'sleep 60'
	local runtime change before
	for runtime in runc crun; do
		start "$runtime"
		before=$(bounds)
		[[ $before == "1000 134217728 40 "* ]]
		for change in '--memory 268435456' '--memory -1' '--pids-limit 41' '--pids-limit -1' '--cpu-quota -1' '--cpu-quota 200000' \
			'--cpu-period 1000' '--cpu-quota 300000 --cpu-period 100000' '--memory-reservation 999999999999'; do
			# shellcheck disable=SC2086 # words
			run quod update $change c1
			echo "$change: $output"
			[ "$status" = 0 ]
			[[ $output == "quod: held to profile 'small': /"*" (resources."*")" ]]
			[ "$(bounds)" = "$before" ]
		done
		for change in '{"memory": {"limit": 268435456}}' '{"memory": {"limit": -1, "swap": -1}}' '{"pids": {"limit": 99}}' \
			'{"cpu": {"quota": 0, "period": 1000}}' '{"cpu": {"burst": 100000}}' '{"cpu": {"quota": -1, "period": 100000}}'; do
			run quod update -r - c1 <<<"$change"
			echo "$change: $output"
			[ "$status" = 0 ]
			[[ $output == "quod: held to profile 'small': /"*" (resources."*")" ]]
			[ "$(bounds)" = "$before" ]
		done
		for change in '{"pids": {"limit": 0, "limit": 99}}' '{"memory": {"disableOOMKiller": true}}' '{"memory": {"limit": 9223372036854775808}}' \
			'{"Memory": {"limit": 268435456}}' '{"network": {"classID": 1}}' '{"rdma": {"mlx5_1": {"hcaHandles": 3}}}' '[]' 'null' '""' \
			'{"cpu": {"realtimeRuntime": 950000}}' '{"cpu": {"realtimePeriod": 1000000}}'; do
			run quod update -r - c1 <<<"$change"
			echo "$change: $output"
			[ "$status" = 1 ]
		done
		for change in --memory-swap=-1 --cpu-rt-runtime=950000 --cpu-rt-period=1000000; do # refused, or the runtime fails: not raised
			run quod update "$change" c1
			[ "$(bounds)" = "$before" ]
		done
		quod delete --force c1
	done
}

@test "T07: raw cgroup keys that could raise a limit are refused" {
	local key
	for key in cpu.max cpu.max.burst memory.max memory.high memory.swap.max memory.low memory.min pids.max cgroup.procs cgroup.freeze \
		cgroup.subtree_control cgroup.type memory.reclaim '../memory.max' 'io.max/../memory.max' 'Memory.max' cpu.uclamp.min io.latency devices.allow ''; do
		attack ".linux.resources.unified = {\"$key\": \"max\"}"
		refused 'is not to be set this way'
	done
}

@test "T08: bursts go, and real-time budgets and priorities of traffic are refused" {
	attack '.linux.resources.cpu = {quota: 50000, period: 100000, burst: 1000000000}' true
	held 'no such word'
	attack '.linux.resources.cpu = {realtimeRuntime: 950000, realtimePeriod: 1000000}'
	refused 'real-time CPU'
	attack '.linux.resources.network = {classID: 1048577}'
	refused 'network traffic'
	attack '.linux.resources.network = {priorities: [{name: "eth0", priority: 9}]}'
	refused 'network traffic'
	attack '.linux.resources.rdma = {mlx5_1: {hcaHandles: 3}}'
	refused 'RDMA'
	attack '.linux.resources.memory = {swappiness: 101}'
	refused 'swappiness'
	attack '.linux.resources.cpu = {quota: -1, period: 100000} | .linux.resources.pids.limit = -1 | .linux.resources.memory = {limit: -1, swap: -1}' 'sleep 60'
	start
	[ "$(limit pids.max pids || limit pids.max .)" = 40 ]
	[ "$(limit memory.limit_in_bytes memory || limit memory.max .)" = 134217728 ]
}

@test "T10: a cgroup that isn't the container's own is refused" {
	local path
	for path in / /system.slice /system.slice/ssh.service /c1/other /../c1 /a/../c1 ../c1 . ''/.; do
		attack ".linux.cgroupsPath = \"$path\""
		refused '/linux/cgroupsPath'
	done
	# the name fits, but somebody is there already: he would end with the container
	mkdir -p /sys/fs/cgroup/pids/service-c1/sub /sys/fs/cgroup/service-c1/sub 2>/dev/null || :
	sleep 1000 3>&- &
	local other=$!
	echo $other >/sys/fs/cgroup/pids/service-c1/sub/cgroup.procs 2>/dev/null || echo $other >/sys/fs/cgroup/service-c1/sub/cgroup.procs
	for path in /service-c1 /service-c1/sub service-c1; do
		attack ".linux.cgroupsPath = \"$path\""
		works_bare 'at the end'
	done
	kill -0 $other
	attack '.linux.cgroupsPath = "/service-c1"'
	refused 'holds processes already'
	attack 'del(.linux.cgroupsPath)'
	run quod run --bundle "$bundle" service-c1 </dev/null # without a path the id is one
	echo "$output"
	kill -0 $other
	kill $other
	[ "$status" = 1 ]
	[[ $output == *'holds processes already'* ]]
}

@test "T11: a systemd slice is one, and none that stands for another" {
	local path
	for path in 'user.slice:..:c1' '-.slice:docker:c1' 'x:y:c1' 'system.slice/a:docker:c1' 'a.slice:b' 'a.slice:b:c1:d' 'a.slice:b:other' '/docker/c1' 'a.slice:b:c1;x'; do
		attack ".linux.cgroupsPath = \"$path\""
		run quod --profile small --systemd-cgroup run --bundle "$bundle" c1 </dev/null
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *cgroupsPath* ]]
	done
}

@test "T15: no process is added once a budget is spent, not even while its end is on the way" {
	write_profile slow <<<'{ "version": 1, "extends": "small", "budgets": { "wall": "1s", "grace": "4s" } }'
	profile=slow
	attack . 'trap "touch /tmp/termed" TERM; while :; do sleep 0.1; done'
	start
	wait_for 8 test -e "/proc/$(quod state c1 | jq .pid)/root/tmp/termed"
	exec_in --detach c1 sh -c 'sleep 78'
	[ "$status" = 1 ]
	[[ $output == *budget* ]]
	wait_for 6 is_stopped
	exec_in c1 true
	[ "$status" != 0 ]
	nobody_sleeps
}
nobody_sleeps() { ! pgrep -f 'sleep 78'; }

@test "T16: with the guardian the container ends" {
	attack . 'sleep 60'
	local runtime
	for runtime in runc crun; do
		start "$runtime"
		pkill -KILL -x quod-guardian
		wait_for 5 is_stopped
		quod delete --force c1
	done
}

@test "T23: a profile has a bound on containers, whatever budgets each of them has" {
	write_config <<<'{ "version": 1, "containers": { "max": 2 } }'
	attack . 'sleep 60'
	local i made=0
	for ((i = 0; i < 6; i++)); do
		quod --profile small create --bundle "$bundle" "many$i" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- && made=$((made + 1))
	done
	cat "$BATS_TEST_TMPDIR/out"
	for ((i = 0; i < 6; i++)); do
		quod delete --force "many$i" >/dev/null 2>&1 || :
	done
	rm /etc/quod/quod.json
	[ "$made" = 2 ]
}

@test "T25: a container that takes every process it may have ends in time all the same" {
	profile=brief
	attack . 'trap "" TERM; while :; do sh -c "trap \"\" TERM; sleep 79" & done 2>/dev/null; while :; do :; done'
	start
	wait_for 6 is_stopped
	none pgrep -f 'sleep 79'
}

@test "T26: what is run beside the container, a health check or a last command, is bound by the same budget" {
	write_profile frozen <<<'{ "version": 1, "extends": "small", "budgets": { "wall": "1s", "on_exhausted": "freeze" } }'
	profile=frozen
	attack . 'sleep 60'
	start
	quod exec c1 true
	wait_for 5 no_health
	quod kill c1 KILL
	quod resume c1 && return 1
	quod delete --force c1
}
no_health() { ! timeout -k 1 1 quod exec c1 true 2>"$BATS_TEST_TMPDIR/exec" && grep -q budget "$BATS_TEST_TMPDIR/exec"; }

@test "T28: the OOM killer stays on" {
	attack '.linux.resources.memory = {disableOOMKiller: true}'
	refused "OOM killer can't be switched off"
}
