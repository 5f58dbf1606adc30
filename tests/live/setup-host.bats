#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl setup host: quod in the place of runc and crun, for engines that were never told of it; builds and packages.
# shellcheck disable=SC2154 # srcdir: helpers.bash

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	load ../engines/driver
	load ../engines/podman
	need_box
	install_quod
	sha256sum /usr/sbin/runc /usr/bin/crun >"$BATS_FILE_TMPDIR/before"
	start_containerd
	rm -rf /etc/docker
	dockerd --containerd /run/containerd/containerd.sock >/run/dockerd.log 2>&1 3>&- &
	echo $! >/run/dockerd.started
	wait_for 30 docker version
	docker_load_busybox
	engine_setup
	docker run -d --name old --network none $image sleep 1000
	quodctl setup host >"$BATS_FILE_TMPDIR/says"
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

@test "setup: host: what stands in the runtimes' place is quod, and they lie beside it" {
	cat "$BATS_FILE_TMPDIR/says"
	grep -q '^quod is in the place of /usr/sbin/runc$' "$BATS_FILE_TMPDIR/says"
	[ "$(readlink /usr/sbin/runc)" = /usr/bin/quod ]
	[ "$(readlink /usr/bin/crun)" = /usr/bin/quod ]
	sed 's/$/.quod-diverted/' "$BATS_FILE_TMPDIR/before" | sha256sum -c --quiet
	[[ $(dpkg-divert --list '*/runc') == *"local diversion of /usr/sbin/runc to /usr/sbin/runc.quod-diverted"* ]]
	[ "$(runc --version | head -n 1)" = "$(runc.quod-diverted --version | head -n 1)" ]
	run quodctl setup host --check
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"host: all is there; nothing to change"* ]]
	[[ $output == *"proven: "*"was refused by quod"* ]]
}

@test "setup: host: a container of docker's own default goes through quod" {
	docker run -d --name c1 --network none $image sleep 1000
	[ "$(quodctl ps --json | jq -r '.[].profile')" = balanced ]
	docker exec c1 true
	docker rm -f c1
	run docker run --rm --network none -v /etc:/mnt $image true
	echo "$output"
	[[ $output == *"refused by profile 'balanced': "* ]]
	[ "$(quodctl ps --json | jq length)" = 0 ]
}

@test "setup: host: one that ran before goes on, can't be entered, and ends" {
	[ "$(docker inspect -f '{{.State.Running}}' old)" = true ]
	run docker exec old true
	echo "$output"
	[ "$status" != 0 ]
	docker kill old
	docker start old
	docker exec old true
	docker rm -f old
}

@test "setup: host: podman's crun and runc are quod, too" {
	podman --runtime crun run -d --name c2 --network none $image sleep 1000
	[ "$(quodctl ps --json | jq -r '.[].engine')" = podman ]
	podman rm -f -t 0 c2
	podman --runtime runc run --rm --network none $image true
	[ "$(quodctl ps --ended --json | jq '[.[] | select(.engine == "podman")] | length')" -ge 2 ]
}

@test "setup: host: a build by BuildKit is left as it is, and recorded" {
	mkdir "$BATS_TEST_TMPDIR/build"
	printf 'FROM %s\nRUN cp /bin/sh /made && touch /also && mkdir /anywhere\n' $image >"$BATS_TEST_TMPDIR/build/Dockerfile"
	DOCKER_BUILDKIT=1 docker build --network none -t quod.test/made:1 "$BATS_TEST_TMPDIR/build"
	jq -se 'any(.[]; .event == "create" and .engine == "buildkit" and .profile == "unmanaged")' /var/log/quod/audit.jsonl
	# nothing but the path makes it one: a bundle that others can change is no build
	make_bundle "/tmp/buildkit/executor/b1" '.process.args = ["true"]'
	chmod 777 /tmp/buildkit
	run quod run --bundle /tmp/buildkit/executor/b1 b1
	jq -se 'any(.[]; .container == "b1" and .engine == "unknown" and .profile == "balanced")' /var/log/quod/audit.jsonl
}

@test "setup: host: a package's next version goes beside quod" {
	mkdir -p "$BATS_TEST_TMPDIR/deb/DEBIAN" "$BATS_TEST_TMPDIR/deb/usr/sbin"
	printf 'Package: runc\nVersion: 99\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >"$BATS_TEST_TMPDIR/deb/DEBIAN/control"
	{ cat /usr/sbin/runc.quod-diverted; echo next; } >"$BATS_TEST_TMPDIR/deb/usr/sbin/runc"
	chmod 755 "$BATS_TEST_TMPDIR/deb/usr/sbin/runc"
	dpkg-deb --root-owner-group -b "$BATS_TEST_TMPDIR/deb" "$BATS_TEST_TMPDIR/runc.deb"
	dpkg -i --force-all "$BATS_TEST_TMPDIR/runc.deb"
	[ "$(readlink /usr/sbin/runc)" = /usr/bin/quod ]
	[ "$(tail -c 5 /usr/sbin/runc.quod-diverted)" = next ]
	docker run --rm --network none $image true
}

@test "setup: host: --remove, and all is as it was; what ran goes on under quod until it ends" {
	ln -sfn quod /usr/bin/quod-agent
	quod-agent --version >/dev/null
	make_bundle "$BATS_TEST_TMPDIR/b2" '.process.args = ["sleep", "1000"]'
	quod-agent create --bundle "$BATS_TEST_TMPDIR/b2" b2 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || { cat "$BATS_TEST_TMPDIR/out"; false; }
	quod-agent start b2
	run quodctl setup host --remove
	echo "$output"
	[ "$status" = 0 ]
	[ ! -L /usr/sbin/runc ]
	[ ! -e /usr/sbin/runc.quod-diverted ]
	sha256sum -c --quiet <(grep crun "$BATS_FILE_TMPDIR/before")
	[ -z "$(dpkg-divert --list '*runc*' | grep quod)" ]
	[ ! -e /etc/quod/quod.json ]
	[ ! -d /etc/quod ] || [ -z "$(ls /etc/quod)" ]
	docker run --rm --network none $image true
	quodctl ps --json | jq -e 'any(.[]; .id == "b2" and .status == "running")'
	# its record names the runtime where it was
	quod-agent exec b2 true
	quod-agent kill b2 KILL
	wait_for 10 quod-agent delete b2
}
