#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl setup docker, with a real dockerd: one command, a reload, and its containers go through quod; one command, and not.

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	need_box
	install_quod
	start_containerd
	rm -rf /etc/docker
	mkdir -p /etc/docker
	printf '{\n  "storage-driver": "overlay2",\n  "labels": ["site=here"]\n}\n' >/etc/docker/daemon.json
	restart_dockerd
	docker_load_busybox
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

restart_dockerd() {
	if [ -f /run/dockerd.started ]; then
		kill "$(cat /run/dockerd.started)"
		wait_for 15 is_gone "$(cat /run/dockerd.started)"
	fi
	dockerd --containerd /run/containerd/containerd.sock >>/run/dockerd.log 2>&1 3>&- &
	echo $! >/run/dockerd.started
	wait_for 30 docker version || { cat /run/dockerd.log; return 1; }
}

reload_dockerd() {
	kill -HUP "$(cat /run/dockerd.started)"
}

has_runtimes() {
	[ "$(docker info --format '{{json .Runtimes}}' | jq -c '[keys[] | select(startswith("quod"))]')" = "$1" ]
}

has_default() {
	[ "$(docker info --format '{{.DefaultRuntime}}')" = "$1" ]
}

@test "setup: docker: a reload is enough, and a container goes through quod under that profile" {
	run quodctl setup docker --profile locked --profile agent
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"then: systemctl reload docker"* ]]
	reload_dockerd
	wait_for 10 has_runtimes '["quod","quod-agent","quod-locked"]'
	docker run -d --name c1 --runtime quod-agent --network none $image sleep 1000
	[ "$(quodctl ps --json | jq -r '.[].profile')" = agent ]
	docker rm -f c1
	run docker run --rm --runtime quod-locked --network none -v /etc:/mnt $image true
	echo "$output"
	[[ $output == *"refused by profile 'locked': "* ]]
	# what was in the file is still in force
	[ "$(docker info --format '{{json .Labels}}')" = '["site=here"]' ]
}

@test "setup: docker: --check shows that quod answers, and when it doesn't" {
	run quodctl setup docker --profile locked --check
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"proven: a container of runtime quod-locked was refused by quod"* ]]
	[ -z "$(docker ps -aq)" ]
	[ -z "$(docker images -q quod-setup-check)" ]
	run quodctl setup docker --profile balanced --check
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"not proven: dockerd has not heard of quod-balanced"* ]]
	# a link that leads elsewhere is no proof
	reload_dockerd
	wait_for 10 has_runtimes '["quod","quod-agent","quod-balanced","quod-locked"]'
	ln -sfn "$(command -v runc)" /usr/bin/quod
	run quodctl setup docker --check
	echo "$output"
	[ "$status" != 0 ]
	install_quod
}

@test "setup: docker: --default is in force after the same reload" {
	quodctl setup docker --default=agent
	reload_dockerd
	wait_for 10 has_default quod-agent
	docker run -d --name c1 --network none $image sleep 1000
	[ "$(quodctl ps --json | jq -r '.[].profile')" = agent ]
	docker rm -f c1
}

@test "setup: docker: a default runtime on dockerd's command line is named, not met at the next start" {
	kill "$(cat /run/dockerd.started)"
	wait_for 15 is_gone "$(cat /run/dockerd.started)"
	mv /etc/docker/daemon.json /run/daemon.json
	dockerd --containerd /run/containerd/containerd.sock --default-runtime runc >>/run/dockerd.log 2>&1 3>&- &
	echo $! >/run/dockerd.started
	wait_for 30 docker version
	mv /run/daemon.json /etc/docker/daemon.json
	run quodctl setup docker --default
	echo "$output"
	[ "$status" = 2 ]
	[[ $output == *"dockerd runs with --default-runtime runc"* ]]
	restart_dockerd
}

@test "setup: docker: --remove and a restart, and docker is as it was" {
	run quodctl setup docker --remove
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"then: systemctl restart docker"* ]]
	[ "$(cat /etc/docker/daemon.json)" = "$(printf '{\n  "storage-driver": "overlay2",\n  "labels": ["site=here"]\n}')" ]
	for name in locked agent balanced; do
		[ ! -e "/usr/bin/quod-$name" ]
	done
	restart_dockerd
	has_runtimes '[]'
	has_default runc
	docker run --rm --network none $image true
	[ "$(quodctl ps --json | jq length)" = 0 ]
}
