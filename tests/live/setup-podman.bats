#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl setup podman, with a real Podman: its runtimes by name, beside those it has by itself.
# shellcheck disable=SC2154 # srcdir: helpers.bash

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	load ../engines/driver
	load ../engines/podman
	need_box
	install_quod
	engine_setup
}

@test "setup: podman: a container of each runtime is under that profile" {
	quodctl setup podman --profile agent --profile locked
	podman --runtime quod-agent run -d --name c1 --network none $image sleep 1000
	[ "$(quodctl ps --json | jq -r '.[] | .profile + " " + .engine')" = "agent podman" ]
	podman rm -f -t 0 c1
	run podman --runtime quod-locked run --rm --network none -v /etc:/mnt $image true
	echo "$output"
	[[ $output == *"refused by profile 'locked': "* ]]
	# Podman's own are still there
	podman --runtime crun run --rm --network none $image true
	[ "$(quodctl ps --json | jq length)" = 0 ]
}

@test "setup: podman: --check shows that quod answers" {
	run quodctl setup podman --profile locked --check
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"proven: a container of runtime quod-locked was refused by quod"* ]]
	[ -z "$(podman images -q quod-setup-check)" ]
	[ -z "$(podman ps -aq)" ]
}

@test "setup: podman: --default, and --remove" {
	# what containers.conf says comes first, what the file of ours says last
	quodctl setup podman --default=agent
	[ "$(podman info --format '{{.Host.OCIRuntime.Name}}')" = quod-agent ]
	quodctl setup podman --remove
	[ "$(podman info --format '{{.Host.OCIRuntime.Name}}')" = runc ]
	run podman --runtime quod-locked run --rm --network none $image true
	[ "$status" != 0 ]
	[ ! -e /etc/containers/containers.conf.d ]
}
