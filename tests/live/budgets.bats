#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Budgets, guard and endings with the real runc and crun underneath.
# shellcheck disable=SC2154 # took_ms is helpers.bash's

# A wait here says that something comes, not how soon: that is measured by tests/bench/overshoot.
load ../helpers

setup_file() {
	install_quod
	write_profile wall <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "2s", "grace": "1s" } }'
	write_profile cpu <<<'{ "version": 1, "extends": "balanced", "budgets": { "cpu": "1s", "grace": "1s" } }'
	write_profile frozen <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "1s", "on_exhausted": "freeze" } }'
	write_profile open <<<'{ "version": 1, "extends": "balanced", "guard": "network" }'
	write_profile again <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "1s", "grace": "0s", "reset": "restart" } }'
	write_profile shared <<-'EOF'
		{ "version": 1, "extends": "balanced", "resources": { "cpus": "unlimited" },
		  "mounts": { "allow": [{ "source": "/srv/agents/**", "destination": "/workspace", "readonly": false }], "protect": [] },
		  "budgets": { "cpu": "4s", "grace": "0s", "scope": "workspace" } }
	EOF
	mkdir -p /srv/agents/web /srv/agents/other
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle"
	rm -rf /var/log/quod /var/lib/quod/*
}

# What is frozen would outlive even the box.
teardown() {
	local runtime
	for runtime in runc crun; do
		quod delete --force c1 || :
	done
} 2>/dev/null

run_in() { # COMMAND-TEXT: as the container's command
	edit_bundle "$bundle" ".process.args = [\"sh\", \"-c\", $(jq -n --arg c "$1" '$c')]"
}

end_runtime() {
	rm -rf /var/log/quod /var/lib/quod/*
}

quod() {
	command quod --runtime "$runtime" "$@"
}

# create PROFILE: c1, started.
create() {
	quod --profile "$1" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &&
		quod start c1 || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
	first=$(cat "$BATS_TEST_TMPDIR/pid")
	guardian=$(jq .pid /run/quod/containers/*/guardian)
}

has_stopped() {
	[ "$(quod state c1 | jq -r .status)" = stopped ]
}

ended() {
	sed -n 's/^ended //p' /var/lib/quod/ledger/*
}

is_ended_as() {
	[ "$(ended)" = "$1" ]
}

delete() {
	quod delete --force c1 && [ -z "$(ls -A /run/quod/containers)" ]
}

no_helper_left() {
	! pgrep -x 'quod-guardian|quod-nursery|quod-gate'
}

wall_ends() {
	create wall || return
	timed wait_for 20 has_stopped || return
	[ "$took_ms" -gt 1000 ] || return
	wait_for 20 is_ended_as "wall 2s spent" || return
	wait_for 20 no_helper_left || return
	delete
}
@test "budgets: the wall budget ends a container, who ignores SIGTERM too, and nothing is left" {
	run_in 'trap "" TERM; sleep 60 & while :; do sleep 0.1; done'
	both_runtimes wall_ends
}

cpu_ends() {
	create cpu || return
	wait_for 20 has_stopped || return
	wait_for 20 is_ended_as "cpu 1s spent" || return
	spent=$(sed -n 's/^cpu_us //p' /var/lib/quod/ledger/*)
	echo "spent $spent us"
	[ "$spent" -ge 1000000 ] || return
	[ "$spent" -lt 1300000 ] || return
	delete
}
@test "budgets: the CPU budget counts every process of the container, those of exec too" {
	run_in 'trap "exit 0" TERM; while :; do :; done'
	both_runtimes cpu_ends
}

pause_ends() {
	create wall || return
	quod pause c1 || return
	wait_for 20 has_stopped || return
	wait_for 20 is_ended_as "wall 2s spent" || return
	delete
}
@test "budgets: paused time is wall time, and a paused container ends, too" {
	run_in 'sleep 60'
	both_runtimes pause_ends
}

exec_ends() {
	create wall || return
	quod exec --detach c1 sh -c 'trap "" TERM; while :; do sleep 0.1; done' </dev/null >/dev/null 2>&1 3>&- || return
	wait_for 20 has_stopped || return
	delete
}
@test "budgets: what exec brought in ends with the rest" {
	run_in 'exec sleep 60'
	both_runtimes exec_ends
}

freezes() {
	create frozen || return
	sleep 1.5
	[ "$(quod state c1 | jq -r .status)" = paused ] || return
	run quod resume c1
	[ "$status" = 1 ] || return
	delete || return
	wait_for 20 no_helper_left
}
@test "budgets: on_exhausted freeze leaves it paused, and it can't be resumed" {
	run_in 'sleep 60'
	both_runtimes freezes
}

spent_stays_spent() {
	create wall || return
	wait_for 20 has_stopped || return
	wait_for 20 is_ended_as "wall 2s spent" || return
	delete || return
	run quod --profile wall run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ] || return
	[[ $output == *wall* ]]
}
@test "budgets: a container of the same name has what its forerunner left: nothing" {
	run_in 'sleep 60'
	both_runtimes spent_stays_spent
}

begins_anew() {
	local round
	for round in 1 2; do
		create again || return
		wait_for 20 has_stopped || return
		wait_for 20 is_ended_as "wall 1s spent" || return
		run quod exec c1 true
		[ "$status" != 0 ] || return
		delete || return
	done
	[ "$(sed -n 's/^runs //p' /var/lib/quod/ledger/*)" = 2 ]
}
@test "budgets: reset restart gives each run the whole budget" {
	run_in 'exec sleep 60'
	both_runtimes begins_anew
}

share() { # ID SOURCE
	mkdir -p "$bundle/$1"
	jq --arg r "$BATS_FILE_TMPDIR/rootfs" --arg s "$2" '.root.path = $r |
		.mounts += [{ "destination": "/workspace", "type": "bind", "source": $s, "options": ["rbind", "rw"] }]' \
		"$bundle/config.json" >"$bundle/$1/config.json"
	quod --profile shared create --bundle "$bundle/$1" "$1" </dev/null >"$BATS_TEST_TMPDIR/out.$1" 2>&1 3>&- &&
		quod start "$1" || { cat "$BATS_TEST_TMPDIR/out.$1"; return 1; }
}

exits_are() { # EXIT-RECORDS, by cause
	local found
	found=$(jq -r 'select(.event == "exit") | .cause' /var/log/quod/audit.jsonl | sort | uniq -c | tr -s ' ')
	[ "$found" = "$1" ] || { echo "$found"; return 1; }
}

@test "budgets: twenty containers of one workspace spend one budget, exactly counted, and all end with it" {
	runtime=runc
	run_in 'until [ -e /workspace/go ]; do sleep 0.1; done; while :; do :; done'
	share lone /srv/agents/other
	wait_for 20 grep -qx 'runs 1' -r /var/lib/quod/ledger
	quod kill lone KILL
	wait_for 20 exits_are " 1 signal 9"
	quod delete --force lone
	for ((i = 0; i < 20; i++)); do
		share "s$i" /srv/agents/web &
		sharing[i]=$!
	done
	for ((i = 0; i < 20; i++)); do
		wait "${sharing[i]}"
	done
	touch /srv/agents/web/go
	wait_for 60 exits_are "$(printf ' 20 cpu 4s spent\n 1 signal 9')"
	[ "$(find /var/lib/quod/ledger -type f ! -name '.*' | wc -l)" = 2 ]
	ledger=$(grep -lx 'ended cpu 4s spent' /var/lib/quod/ledger/*)
	sum=$(sed -n 's/^cpu_us //p' "$ledger")
	echo "# the sum of twenty: $sum us of 4000000" >&3
	[ "$(jq -s '[.[] | select(.event == "exit" and .cause == "cpu 4s spent") | .cpu_us] | add' /var/log/quod/audit.jsonl)" = "$sum" ]
	[ "$(sed -n 's/^runs //p' "$ledger")" = 20 ]
	[ "$sum" -ge 4000000 ]
	[ "$sum" -lt 6000000 ]
	run share late /srv/agents/web
	[ "$status" = 1 ]
	[[ $output == *"cpu 4s spent"* ]]
	share free /srv/agents/other
	for i in s{0..19} free; do
		quod delete --force "$i"
	done
	wait_for 20 no_helper_left
}

guardian_killed() {
	create balanced || return
	kill -KILL "$guardian"
	wait_for 20 has_stopped || return
	delete
}
@test "guard: whoever kills the guardian ends the container" {
	run_in 'sleep 60 & exec sleep 61'
	both_runtimes guardian_killed
}

guardian_killed_network() {
	create open || return
	kill -KILL "$guardian"
	sleep 0.5
	[ "$(quod state c1 | jq -r .status)" = running ] || return
	delete
}
@test "guard: with network the container outlives its guardian" {
	run_in 'exec sleep 60'
	both_runtimes guardian_killed_network
}

signals_pass() {
	create balanced || return
	wait_for 20 grep -qx up "$BATS_TEST_TMPDIR/out" || return
	quod kill c1 USR1 || return
	wait_for 20 grep -qx usr1 "$BATS_TEST_TMPDIR/out" || return
	kill -STOP "$first"
	wait_for 20 grep -q '^State:.*[Tt] (' "/proc/$first/status" || return
	kill -CONT "$first"
	quod kill c1 TERM || return
	wait_for 20 has_stopped || return
	wait_for 20 is_ended_as "exit 7" || return
	delete
}
@test "guard: signals, stops and the exit status go through the leash" {
	run_in 'trap "echo usr1" USR1; trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'
	both_runtimes signals_pass
}

is_recorded() { # LIMIT-EVENT
	jq -e -s --arg e "$1" 'any(.event == $e and .repeated >= 1)' /var/log/quod/audit.jsonl
}

memory_named() {
	edit_bundle "$bundle" '.linux.resources.memory.limit = 67108864'
	run quod --profile balanced run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 137 ] || return
	wait_for 20 is_ended_as "signal 9 (memory limit)" || return
	wait_for 20 is_recorded limit.memory # after the ledger
}
# bats test_tags=v2
@test "guard: an end by the memory limit is named as that" {
	run_in 'exec dd if=/dev/zero of=/dev/null bs=128M count=1'
	both_runtimes memory_named
}

pids_named() {
	edit_bundle "$bundle" '.linux.resources.pids.limit = 20'
	create balanced || return
	wait_for 20 is_recorded limit.pids || return
	[ "$(jq -s '[.[] | select(.event == "limit.pids")] | length' /var/log/quod/audit.jsonl)" = 1 ] || return
	delete
}
@test "guard: forks that the pids limit refuses are recorded, summed up" {
	run_in 'while :; do (i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i + 1)); done) 2>/dev/null; sleep 1; done'
	both_runtimes pids_named
}

many_stop() {
	local i
	for i in 1 2 3 4 5; do
		quod --profile balanced create --bundle "$bundle" "m$i" </dev/null >/dev/null 2>&1 3>&- || return
	done
	for i in 1 2 3 4 5; do
		quod delete --force "m$i" || return
	done
	wait_for 20 no_helper_left
}
@test "guard: containers that were never started leave no helper" {
	run_in 'sleep 60'
	both_runtimes many_stop
}
