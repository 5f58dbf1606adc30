#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# deploy/kubernetes/node, what the DaemonSet runs, on a node that is this box: a real containerd, pods by CRI. kubectl and
# systemctl are stand-ins; this one restarts containerd.
# shellcheck disable=SC2154 # srcdir, builddir: helpers.bash

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	load ../engines/driver
	load ../engines/cri
	need_box
	make -s -C "$builddir" --no-print-directory install DESTDIR="$BATS_FILE_TMPDIR/root" >"$BATS_FILE_TMPDIR/install.log" 2>&1
	make_cni_network
	mkdir -p /etc/containerd /run/cri /run/map
	cri_plain_config >/etc/containerd/config.toml
	cp /etc/containerd/config.toml "$BATS_FILE_TMPDIR/before.toml"
	stand_in kubectl 'echo "$*" >>/run/kubectl.asked'
	stand_in systemctl '[ "$1" = restart ] || exec ctr version >/dev/null
kill "$(cat /run/containerd.started)"
for i in $(seq 100); do kill -0 "$(cat /run/containerd.started)" 2>/dev/null || break; sleep 0.1; done
containerd >>/run/containerd.log 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- </dev/null &
echo $! >/run/containerd.started
for i in $(seq 100); do ctr version >/dev/null 2>&1 && exit 0; sleep 0.1; done
exit 1'
	start_containerd
	in_background /run/cri-server.log /usr/bin/python3 "$srcdir/tests/engines/cri-server" "$srcdir/tests/engines/cri.proto" \
		/run/containerd/containerd.sock /run/cri/server.sock
	make_sentence_image "$BATS_FILE_TMPDIR/image.tar"
	make_image quod.test/pause:1 "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/pause.tar" \
		'{"Env":["PATH=/bin"],"User":"65535:65535","Entrypoint":["sleep","2147483647"]}'
	ctr -n k8s.io images import "$BATS_FILE_TMPDIR/image.tar"
	ctr -n k8s.io images import "$BATS_FILE_TMPDIR/pause.tar"
	wait_for 30 cri version
}

teardown_file() {
	load ../helpers
	load ../engines/driver
	load ../engines/cri
	engine_stop_daemons
}

setup() {
	load ../engines/driver
	load ../engines/cri
}

stand_in() {
	rm -f "/usr/bin/$1"
	printf '#!/bin/sh\n%s\n' "$2" >"/usr/bin/$1"
	chmod 755 "/usr/bin/$1"
}

node() {
	run env PATH="$BATS_FILE_TMPDIR/root/usr/bin:$PATH" HOST=/ IMAGE="$BATS_FILE_TMPDIR/root" FROM=/run/map NODE_NAME=n1 ONCE=1 \
		PROFILES='team agent' PERIOD=1 sh "$srcdir/deploy/kubernetes/node" "$@"
	printf '%s\n' "$output"
}

@test "setup: kubernetes: a pod runs under a profile that came with the ConfigMap" {
	echo '{ "version": 1, "extends": "agent", "budgets": { "wall": "1h" } }' >/run/map/team.json
	node install
	[ "$status" = 0 ]
	[[ $output == *"quod-node: this node is ready"* ]]
	[ "$(cat /run/kubectl.asked)" = "label node n1 --overwrite quod.dev/ready=true" ]
	wait_for 30 cri version	# its connection was to the containerd before
	pod=$(cri pod name=p1 uid=u1 handler=quod-team)
	cri container "pod=$pod" name=main image=$image 'command:=["sleep", "1000"]' start:=true >"$BATS_FILE_TMPDIR/container"
	quodctl ps --json | jq -e 'length == 2 and all(.[]; .profile == "team")'
	echo "$pod" >"$BATS_FILE_TMPDIR/pod"
}

@test "setup: kubernetes: the node is not stripped while a pod needs quod, and is as it was after that" {
	pod=$(cat "$BATS_FILE_TMPDIR/pod")
	node remove
	[ "$status" != 0 ]
	[[ $output == *"containers are left under quod"* ]]
	[ "$(cri exec "id=$(cat "$BATS_FILE_TMPDIR/container")" 'command:=["echo", "here"]')" = here ]
	cri stop-pod "pod=$pod"
	cri remove-pod "pod=$pod"
	node remove
	[ "$status" = 0 ]
	cmp /etc/containerd/config.toml "$BATS_FILE_TMPDIR/before.toml"
	[ ! -e /usr/bin/quod ]
	[ ! -e /usr/bin/quod-team ]
	[ ! -e /etc/quod/profiles ]
	pod=$(cri pod name=p2 uid=u2 handler=runc)
	cri remove-pod "pod=$pod"
}
