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
	box_start_engines short frozen longer again
	docker_load_busybox
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

teardown() {
	docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || :
}

run_with() { # PROFILE
	docker run -d --name c1 --network none --runtime "quod-$1" $image sleep 60 >/dev/null
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

# Last: what it leaves is not the engines' own.
@test "docker: dockerd and containerd killed, the guardian goes on, and what was spent stays spent" {
	run_with longer
	kill -KILL "$(cat /run/dockerd.started)" "$(cat /run/containerd.started)"
	wait_for 30 grep -qx 'ended wall 8s spent' "$ledger"
	rm -f /run/docker.pid /var/run/docker.pid
	box_start_engines short frozen longer again
	wait_for 30 has_exited
	refuses "wall 8s spent" docker start c1
}
