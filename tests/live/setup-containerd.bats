#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl setup containerd, with a real containerd: what its own `config dump` reads, and a pod by CRI as a kubelet asks for it.
# shellcheck disable=SC2154 # srcdir: helpers.bash

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	load ../engines/driver
	load ../engines/cri
	need_box
	install_quod
	make_cni_network
	mkdir -p /etc/containerd /run/cri
	base_config >/etc/containerd/config.toml
	cp /etc/containerd/config.toml "$BATS_FILE_TMPDIR/before.toml"
	containerd config dump >"$BATS_FILE_TMPDIR/before"
	quodctl setup containerd --profile agent --profile locked >"$BATS_FILE_TMPDIR/says"
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

# As Debian ships it and a cluster's administrator goes on.
base_config() {
	cat <<-'END'
		version = 2

		[plugins]
		  [plugins."io.containerd.grpc.v1.cri"]
		    sandbox_image = "quod.test/pause:1" # ours
		    restrict_oom_score_adj = true
		    [plugins."io.containerd.grpc.v1.cri".cni]
		      bin_dir = "/usr/lib/cni"
		      conf_dir = "/etc/cni/net.d"
		  [plugins."io.containerd.internal.v1.opt"]
		    path = "/var/lib/containerd/opt"
	END
}

# dumped HANDLER KEY: as containerd reads it.
dumped() {
	/usr/bin/python3 -c 'import sys, tomllib
config = tomllib.load(sys.stdin.buffer)["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]
value = config
for name in sys.argv[1:]: value = value[name]
print(value)' "$@" < <(containerd --config "${config_file:-/etc/containerd/config.toml}" config dump)
}

@test "setup: containerd: its own reader finds the handlers, and runc's as before" {
	grep -q 'then: systemctl restart containerd' "$BATS_FILE_TMPDIR/says"
	[ "$(dumped quod-locked options BinaryName)" = /usr/bin/quod-locked ]
	[ "$(dumped quod options BinaryName)" = /usr/bin/quod ]
	[ "$(dumped quod-agent pod_annotations)" = "['quod.dev/*']" ]
	[ "$(dumped quod-agent container_annotations)" = "['quod.dev/*']" ]
	[ "$(dumped runc runtime_type)" = io.containerd.runc.v2 ]
	containerd config dump | grep -q 'sandbox_image = "quod.test/pause:1"'
	[ "$(head -n 11 /etc/containerd/config.toml)" = "$(cat "$BATS_FILE_TMPDIR/before.toml")" ]
}

@test "setup: containerd: a pod of each handler is under that profile, one of runc is not" {
	pod=$(cri pod name=p1 uid=u1 handler=quod-agent)
	container=$(cri container "pod=$pod" name=main image=$image 'command:=["sleep", "1000"]' start:=true)
	quodctl ps --json | jq -e 'length == 2 and all(.[]; .profile == "agent" and .engine == "cri")'
	cri stop-pod "pod=$pod"
	cri remove-pod "pod=$pod"
	pod=$(cri pod name=p2 uid=u2 handler=runc)
	quodctl ps --json | jq -e 'length == 0'
	cri stop-pod "pod=$pod"
	cri remove-pod "pod=$pod"
}

@test "setup: containerd: --check shows what containerd reads, and that quod answers" {
	run quodctl setup containerd --profile locked --check
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"proven: a container of runtime quod-locked was refused by quod"* ]]
	[ "$(ctr namespaces ls -q | grep -c quod-setup-check)" = 0 ]
	# not before a restart
	touch -d '1 minute' /etc/containerd/config.toml
	run quodctl setup containerd --profile locked --check
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"not proven: containerd has not been restarted since"* ]]
}

@test "setup: containerd: the pod's annotations reach quod" {
	run cri pod name=p3 uid=u3 handler=quod-locked 'annotations:={"quod.dev/profile": "agent"}'
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"refused by profile 'locked': /annotations/quod.dev~1profile: 'agent' can't be asked for"* ]]
}

@test "setup: containerd: the options of runc are the handlers' own, and a dump says the rest is as it was" {
	config_file=$BATS_TEST_TMPDIR/config.toml
	{ base_config; printf '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]\n    runc.runtime_type = "io.containerd.runc.v2"\n    runc.options.SystemdCgroup = true\n    runc.cni_max_conf_num = 2'; } >"$config_file"
	containerd --config "$config_file" config dump >"$BATS_TEST_TMPDIR/before"
	quodctl setup containerd --config "$config_file" --profile locked
	[ "$(dumped quod-locked options SystemdCgroup)" = True ]
	[ "$(dumped quod-locked cni_max_conf_num)" = 2 ]
	[ "$(dumped runc options SystemdCgroup)" = True ]
	# nothing is gone, nothing but the handlers has come
	run diff "$BATS_TEST_TMPDIR/before" <(containerd --config "$config_file" config dump)
	[ -z "$(grep '^<' <<<"$output")" ]
	quodctl setup containerd --config "$config_file" --remove
	diff "$BATS_TEST_TMPDIR/before" <(containerd --config "$config_file" config dump)
}

@test "setup: containerd: where an import has the plugin's table, the handlers are there" {
	config_file=$BATS_TEST_TMPDIR/config.toml
	printf 'version = 2\nimports = ["%s/conf.d/*.toml"]\n[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "lost"\n' \
		"$BATS_TEST_TMPDIR" >"$config_file"
	mkdir "$BATS_TEST_TMPDIR/conf.d"
	base_config >"$BATS_TEST_TMPDIR/conf.d/10-site.toml"
	printf 'version = 2\n[metrics]\n  address = "x"\n' >"$BATS_TEST_TMPDIR/conf.d/20-more.toml"
	cp "$config_file" "$BATS_TEST_TMPDIR/main"
	run quodctl setup containerd --config "$config_file"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"edited $BATS_TEST_TMPDIR/conf.d/10-site.toml"* ]]
	cmp "$config_file" "$BATS_TEST_TMPDIR/main"
	[ "$(dumped quod options BinaryName)" = /usr/bin/quod ]
	[ "$(dumped runc runtime_type)" = io.containerd.runc.v2 ]
	containerd --config "$config_file" config dump | grep -q 'sandbox_image = "quod.test/pause:1"'
	quodctl setup containerd --config "$config_file" --remove
	diff <(base_config) "$BATS_TEST_TMPDIR/conf.d/10-site.toml"
}

@test "setup: containerd: one that runs with another file is not mixed up" {
	mkdir -p /run/other
	printf 'version = 2\nroot = "/run/other/root"\nstate = "/run/other/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "/run/other/c.sock"\n' >/run/other/config.toml
	containerd --config /run/other/config.toml >/run/other/log 2>&1 3>&- &
	echo $! >"$BATS_TEST_TMPDIR/pid"
	wait_for 20 test -S /run/other/c.sock
	run quodctl setup containerd
	echo "$output"
	[ "$status" = 2 ]
	[[ $output == *"a containerd here runs with --config /run/other/config.toml: say which file is meant"* ]]
	run quodctl setup containerd --config /run/other/config.toml
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"The CRI plugin is switched off there"* ]]
	kill "$(cat "$BATS_TEST_TMPDIR/pid")"
	wait_for 15 is_gone "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "setup: containerd: --remove, and the file is as it was" {
	quodctl setup containerd --remove
	cmp /etc/containerd/config.toml "$BATS_FILE_TMPDIR/before.toml"
	diff "$BATS_FILE_TMPDIR/before" <(containerd config dump)
}
