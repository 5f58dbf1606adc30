#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl's commands at run time under a real Docker: whoever has Docker's socket doesn't undo what the administrator did.

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	need_box
	install_quod
	write_profile web <<<'{ "version": 1, "extends": "agent" }'
	box_start_engines web
	docker_load_busybox
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

run_it() {
	docker run -d --name c1 --runtime quod-web $image sh -c 'trap "exit 0" TERM; while :; do echo x; sleep 0.05; done' >/dev/null
	id=$(docker inspect --format '{{.Id}}' c1)
	first=$(docker inspect --format '{{.State.Pid}}' c1)
}

refuses() { # TEXT COMMAND...
	local text=$1
	shift
	run "$@"
	echo "$output"
	[ "$status" != 0 ] && [[ $output == *"$text"* ]]
}

teardown() {
	quodctl release --all >/dev/null || :
	docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || :
}

is_frozen() {
	grep -qsx FROZEN "/sys/fs/cgroup/freezer$(sed -nE 's/^[0-9]+:freezer:(.*)/\1/p' "/proc/$first/cgroup")/freezer.state" ||
		grep -qsx 'frozen 1' "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$first/cgroup")/cgroup.events"
}

@test "docker: pause, unpause, exec, restart and start don't undo a halt" {
	run_it
	quodctl halt "$id"
	is_frozen
	[ "$(quodctl --json ps | jq -r '.[0].status')" = halted ]
	refuses "is halted" docker pause c1
	refuses "is halted" docker exec c1 true
	docker unpause c1 || :
	is_frozen
	# a busy Docker may have forgotten to forget it: then it says so first
	refuses "c1" docker restart -t 1 c1
	wait_for 20 refuses "is halted (quodctl release" docker restart -t 1 c1
	[ "$(docker inspect --format '{{.State.Running}}' c1)" = false ]
	refuses "is halted (quodctl release" docker start c1
	refuses "profile 'web' is halted" sh -c "quodctl halt --profile web >/dev/null; docker run --rm --runtime quod-web $image true"
	quodctl release --profile web
	docker start c1
	docker exec c1 true
	docker rm -f c1 >/dev/null
}

@test "docker: what was paused is halted, stays paused after the release, and is unpaused by Docker then" {
	run_it
	docker pause c1
	quodctl halt "$id"
	refuses "is halted" docker unpause c1
	quodctl release "$id"
	is_frozen
	docker unpause c1
	docker exec c1 true
	docker rm -f c1 >/dev/null
}
