#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Docker where systemd keeps the cgroups, on version 2, and AppArmor confines what it starts.

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	install_quod
	write_config <<<'{ "version": 1, "default_profile": "agent" }'
	box_start_engines agent
	docker_load_busybox
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

teardown() {
	docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || :
}

@test "docker: its containers lie in systemd's scopes, under AppArmor's profile, and within quod's bounds" {
	[ "$(docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}')" = "systemd 2" ]
	for runtime in quod quod-crun; do
		docker run -d --name c1 --network none --runtime "$runtime" -m 128m $image sleep 600
		id=$(docker inspect --format '{{.Id}}' c1)
		pid=$(docker inspect --format '{{.State.Pid}}' c1)
		grep -F "/system.slice/docker-$id.scope" "/proc/$pid/cgroup"
		[ "$(cat "/proc/$pid/attr/current")" = "docker-default (enforce)" ]
		[ "$(cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$pid/cgroup")/memory.max")" = 134217728 ]
		[ "$(docker exec c1 cat /proc/self/attr/current)" = "docker-default (enforce)" ]
		run quodctl verify "$id"
		echo "$output"
		[ "$status" = 0 ]
		docker rm -f c1
	done
}

@test "docker: AppArmor can't be switched off by the caller" {
	run docker run --rm --network none --runtime quod --security-opt apparmor=unconfined $image true
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"AppArmor profile unconfined confines nothing"* ]]
}
