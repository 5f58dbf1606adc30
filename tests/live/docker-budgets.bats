#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Budgets under a real Docker: what is spent stays spent, whatever Docker is asked for.

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	need_box
	install_quod
	write_profile short <<<'{ "version": 1, "extends": "agent", "budgets": { "wall": "2s", "grace": "0s" } }'
	write_profile frozen <<<'{ "version": 1, "extends": "agent", "budgets": { "wall": "2s", "on_exhausted": "freeze" } }'
	write_profile longer <<<'{ "version": 1, "extends": "agent", "budgets": { "wall": "8s", "grace": "0s" } }'
	write_profile again <<<'{ "version": 1, "extends": "agent", "budgets": { "wall": "2s", "grace": "0s", "reset": "restart" } }'
	write_profile spinning <<<'{ "version": 1, "extends": "agent", "budgets": { "cpu": "2s", "grace": "0s" } }'
	write_profile hour <<<'{ "version": 1, "extends": "agent" }'
	box_start_engines short frozen longer again spinning hour
	docker_load_busybox
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

teardown() {
	docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || :
}

run_with() { # PROFILE [COMMAND...]
	local profile=$1
	shift
	[ $# -gt 0 ] || set -- sleep 600
	docker run -d --name c1 --network none --runtime "quod-$profile" $image "$@" >/dev/null
	key=$(jq -r 'select(.id | startswith("'"$(docker inspect --format '{{.Id}}' c1)"'")) | .ledger_key' /run/quod/containers/*/record.json)
	ledger=/var/lib/quod/ledger/$key
}

has_exited() {
	[ "$(docker inspect --format '{{.State.Status}}' c1)" = exited ]
}

is_spent() {
	jq -e -s --arg id "$(docker inspect --format '{{.Id}}' c1)" 'any(.event == "budget.spent" and .container == $id)' /var/log/quod/audit.jsonl
}

refuses() { # WHAT-WAS-SPENT COMMAND...
	local spent=$1
	shift
	run "$@"
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"$spent"* ]]
}

@test "docker: a spent container is started again neither by start nor by restart, and Docker says what was spent" {
	run_with short
	wait_for 15 has_exited
	[ "$(docker inspect --format '{{.State.ExitCode}}' c1)" = 137 ]
	refuses "wall 2s spent" docker start c1
	refuses "wall 2s spent" docker restart c1
	has_exited
	grep -qx 'ended wall 2s spent' "$ledger"
}

@test "docker: exec into a spent container is refused with what was spent" {
	run_with frozen
	docker exec c1 true
	wait_for 10 is_spent
	refuses "wall 2s spent" timeout 20 docker exec c1 true
}

@test "docker: restart gives no new budget, and the sum of all runs is what ends it" {
	run_with longer
	sleep 2
	docker restart -t 0 c1 >/dev/null
	sleep 2
	docker restart -t 0 c1 >/dev/null
	wait_for 30 has_exited
	wait_for 5 grep -qx 'ended wall 8s spent' "$ledger"
	[ "$(sed -n 's/^runs //p' "$ledger")" = 3 ]
	[ "$(sed -n 's/^wall_ms //p' "$ledger")" -ge 8000 ]
	[ "$(sed -n 's/^wall_ms //p' "$ledger")" -lt 10000 ] # with a whole budget for each run it would be 12 s
	refuses "wall 8s spent" docker start c1
}

@test "docker: with reset restart each start has the whole budget" {
	run_with again
	wait_for 15 has_exited
	docker start c1
	wait_for 15 has_exited
	[ "$(sed -n 's/^runs //p' "$ledger")" = 2 ]
	[ "$(sed -n 's/^wall_ms //p' "$ledger")" -lt 2600 ]
}

ended_as() { # CAUSE
	wait_for 30 has_exited
	wait_for 5 grep -qx "ended $1" "$ledger"
}

spin() {
	docker exec -d c1 sh -c 'while :; do :; done'
}

@test "docker: CPU time is counted of what forks and of what exec brings in" {
	run_with spinning sh -c 'for i in 1 2 3; do while :; do (:); done & done; sleep 600'
	spin
	ended_as "cpu 2s spent"
	refuses "cpu 2s spent" docker start c1
}

@test "docker: what stands paused spends its wall time, and is ended all the same" {
	run_with short
	docker pause c1 >/dev/null
	ended_as "wall 2s spent"
}

@test "docker: a kill ends a run, not what was spent" {
	run_with spinning
	docker exec c1 timeout -s KILL 1 sh -c 'while :; do :; done' || :
	docker kill c1 >/dev/null
	ended_as "signal 9"
	[ "$(sed -n 's/^cpu_us //p' "$ledger")" -gt 200000 ]
	docker start c1 >/dev/null
	spin
	ended_as "cpu 2s spent"
	[ "$(sed -n 's/^runs //p' "$ledger")" = 2 ]
	[ "$(sed -n 's/^cpu_us //p' "$ledger")" -lt 3000000 ]
}

helper() { # guardian, nursery, gate, cradle or warden: of c1
	local note
	note=$(grep -l "\"id\": *\"$(docker inspect --format '{{.Id}}' c1)\"" /run/quod/containers/*/record.json)
	note=${note%record.json}guardian
	case $1 in
	guardian) jq .pid "$note";;
	nursery | cradle) jq ".$1_pid" "$note";;
	gate) pgrep -x -P "$(helper nursery)" quod-gate;;
	warden) pgrep -x -P "$(helper cradle)" quod-warden;;
	esac
}

# A second after the start they are where they stay.
are_settled() {
	grep -q ':/.*quod$' "/proc/$(helper warden)/cgroup"
}

start_helpers() { # PROFILE
	run_with "$1"
	wait_for 20 are_settled
}

gone() {
	[ ! -d "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status"
}

killed() { kill -KILL "$@"; }

# The kernel's own killer, in a cgroup with room for little: these are the first to go, before any of those that ask for more.
out_of_memory() {
	local tiny=/sys/fs/cgroup/memory/tiny pid before
	mkdir -p $tiny
	echo $((8 << 20)) >$tiny/memory.limit_in_bytes
	before=$(sed -n 's/^oom_kill //p' $tiny/memory.oom_control)
	for pid; do
		echo "$pid" >$tiny/cgroup.procs
		echo 1000 >"/proc/$pid/oom_score_adj"
	done
	for pid; do
		gone "$pid" || bash -c "echo \$\$ >$tiny/cgroup.procs; for i in 1 2 3 4; do dd if=/dev/zero of=/dev/null bs=4M count=200 & done; wait" 3>&- >/dev/null 2>&1
	done
	[ "$(sed -n 's/^oom_kill //p' $tiny/memory.oom_control)" -gt "$before" ]
}

is_recorded() { # EVENT HELPER
	jq -e -s --arg e "$1" --arg h "$2" --arg id "$(docker inspect --format '{{.Id}}' c1)" \
		'any(.event == $e and .helper == $h and .container == $id)' /var/log/quod/audit.jsonl >/dev/null
}

comes_back() { # gate or warden
	is_recorded warden.lost "$1" && is_recorded warden.back "$1" && [ -n "$(helper "$1")" ]
}

survives() { # HOW
	local which pid
	start_helpers spinning
	for which in warden gate; do
		pid=$(helper $which)
		"$1" "$pid"
		wait_for 20 gone "$pid"
		wait_for 20 comes_back $which
	done
	for which in nursery cradle; do
		pid=$(helper $which)
		"$1" "$pid"
		wait_for 20 gone "$pid"
	done
	wait_for 20 is_recorded warden.lost nursery
	spin
	ended_as "cpu 2s spent"
	docker rm c1 >/dev/null
}

@test "docker: gate and warden that are killed are there again, their parents' end is recorded, and the budget ends the container" {
	survives killed
	survives out_of_memory
}

follows() { # HOW HELPER...
	local how=$1 which pids=()
	shift
	start_helpers hour
	for which; do pids+=("$(helper "$which")"); done
	$how "${pids[@]}"
	wait_for 30 has_exited
	for which in "${pids[@]}"; do wait_for 20 gone "$which"; done
	docker start c1 >/dev/null # nothing is spent
	docker rm -f c1 >/dev/null
}

@test "docker: a guardian that is killed takes the container with it, alone and with all other helpers" {
	follows killed guardian
	follows out_of_memory guardian
	follows killed guardian nursery gate cradle warden
	follows out_of_memory warden gate cradle nursery guardian
}

network_is() { # VERDICT
	quodctl verify "$(docker inspect --format '{{.Id}}' c1)" --json | jq -e --arg o "$1" '[.. | objects | select(.key? == "egress.allow") | .verdict] | length > 0 and all(. == $o)'
}

@test "docker: helpers that stand still close the network, whose word is needed for it, and lengthen no budget once they go on" {
	local which pids=()
	start_helpers hour
	for which in guardian nursery gate cradle warden; do pids+=("$(helper $which)"); done
	kill -STOP "${pids[1]}" "${pids[3]}" "${pids[4]}"
	wait_for 30 network_is proven
	kill -STOP "${pids[0]}" "${pids[2]}"
	wait_for 30 network_is failed
	kill -CONT "${pids[@]}"
	wait_for 30 network_is proven
	docker rm -f c1 >/dev/null
	start_helpers spinning
	pids=()
	for which in guardian nursery gate cradle warden; do pids+=("$(helper $which)"); done
	kill -STOP "${pids[@]}"
	# nobody counts, and nothing is forgotten
	docker exec c1 sh -c 'ulimit -t 3; exec sh -c "while :; do :; done"' || :
	[ "$(docker inspect --format '{{.State.Status}}' c1)" = running ]
	kill -CONT "${pids[@]}"
	ended_as "cpu 2s spent"
}

# Last: what it leaves is not the engines' own.
@test "docker: dockerd and containerd killed, the guardian goes on, and what was spent stays spent" {
	run_with longer
	kill -KILL "$(cat /run/dockerd.started)" "$(cat /run/containerd.started)"
	wait_for 30 grep -qx 'ended wall 8s spent' "$ledger"
	rm -f /run/docker.pid /var/run/docker.pid
	box_start_engines short frozen longer again spinning hour
	wait_for 30 has_exited
	refuses "wall 8s spent" docker start c1
}
