#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pods, as a kubelet makes them through containerd's CRI: the sandbox's rules bind each container, two containers of a pod can't
# widen each other, and a volume is what the kernel's mount table says it is.
# shellcheck disable=SC2154 # what helpers.bash, driver.bash and bats set

load ../helpers
load ../names
load driver
load cri

kubelet=/var/lib/kubelet

setup_file() {
	install_quod
	write_config <<-'J'
		{ "version": 1, "default_profile": "pod", "selectable": ["pod", "wide", "narrow", "short"],
		  "rules": [ { "match": { "namespace": "team-*" }, "profile": "narrow" } ] }
	J
	write_profile pod <<-'J'
		{ "version": 1, "extends": "balanced", "mounts": { "allow": [ { "source": "/srv/agents/**", "destination": "/workspace/**", "readonly": false } ] },
		  "resources": { "memory": "96M", "pids": 60 },
		  "egress": { "verify_name": false, "allow": ["11.22.33.80:80"] } }
	J
	write_profile wide <<<'{ "version": 1, "extends": "pod", "egress": { "allow": ["11.22.33.80:1-65535"] } }'
	write_profile narrow <<<'{ "version": 1, "extends": "pod", "egress": { "deny": ["11.22.33.80:*"] }, "resources": { "pids": 30 } }'
	write_profile short <<<'{ "version": 1, "extends": "pod", "budgets": { "wall": "3s", "grace": "0s" } }'
	write_profile token <<<'{ "version": 1, "extends": "pod", "mounts": { "service_account": true } }'
	# what rules and wishes choose needs a handler without a word about the profile
	ln -sfn quod /usr/bin/quod-plain
	make_internet
	engine_setup pod wide narrow short token
	sed 's,BinaryName = "/usr/bin/quod-pod",BinaryName = "/usr/bin/quod",; s/runtimes.quod-pod/runtimes.quod/' \
		<(cri_config pod | sed -n '/runtimes.quod-pod\]/,$p') >>/etc/containerd/config.toml
	box_stop_engines
	start_containerd
	wait_for 30 cri version
}

teardown_file() {
	engine_stop_daemons
	end_internet
}

setup() {
	uid=uid-${EPOCHREALTIME/./}
	: >"$BATS_TEST_TMPDIR/pods"
}

teardown() {
	local pod
	while read -r pod; do
		cri stop-pod "pod=$pod" && cri remove-pod "pod=$pod"
	done <"$BATS_TEST_TMPDIR/pods"
	umount -R "$kubelet/pods/$uid"/volume* 2>/dev/null || :
	awk -v at="$kubelet/pods/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n1 umount || :
}

# new_pod HANDLER [KEY=VALUE]...: its sandbox is $pod.
new_pod() {
	local handler=$1
	shift
	pod=$(cri pod "name=p${RANDOM}" "uid=$uid" "handler=$handler" "$@") || { echo "$pod"; return 1; }
	echo "$pod" >>"$BATS_TEST_TMPDIR/pods"
}

# add NAME [KEY=VALUE]...: a container of $pod that sleeps; its id is ${!NAME}.
add() {
	local name=$1 id
	shift
	id=$(cri container "pod=$pod" "name=$name" "image=$image" 'command:=["sleep","1000"]' "$@") || { echo "$id"; return 1; }
	printf -v "$name" %s "$id"
}

in_it() { # ID COMMAND-TEXT
	cri exec "id=$1" "command:=$(as_list sh -c "$2")"
}

is_refused() { # WHAT COMMAND...
	local what=$1
	shift
	run "$@"
	printf '%s\n' "$output"
	[ "$status" != 0 ]
	[[ $output == *"refused by profile "*$what* ]]
}

volume() { # KIND NAME: its directory
	mkdir -p "$kubelet/pods/$uid/volumes/kubernetes.io~$1/$2"
	echo "$kubelet/pods/$uid/volumes/kubernetes.io~$1/$2"
}

# mount_of SOURCE DESTINATION [ro]
mount_of() {
	jq -nc --arg s "$1" --arg d "$2" --argjson ro "$([ "${3-}" = ro ] && echo true || echo false)" '[{source: $s, destination: $d, readonly: $ro}]'
}

status_of() { cri status "id=$1"; }

has_ended() { [[ $(status_of "$1") == exited* ]]; }

# --- one pod, several containers ---

@test "pods: containers of a pod share its network and its name, and nothing else" {
	new_pod quod-pod
	add one
	add two
	[ "$(in_it "$one" 'readlink /proc/self/ns/net')" = "$(in_it "$two" 'readlink /proc/self/ns/net')" ]
	[ "$(in_it "$one" hostname)" = "$(in_it "$two" hostname)" ]
	[ "$(in_it "$one" 'readlink /proc/self/ns/pid')" != "$(in_it "$two" 'readlink /proc/self/ns/pid')" ]
	[ "$(in_it "$one" 'readlink /proc/self/ns/mnt')" != "$(in_it "$two" 'readlink /proc/self/ns/mnt')" ]
	for id in "$pod" "$one" "$two"; do
		run quodctl verify "$id"
		echo "$output"
		[ "$status" = 0 ]
	done
}

@test "pods: the sandbox's rules bind each container, whatever the container asks for" {
	new_pod quod
	add one 'annotations:={"quod.dev/profile": "wide"}'
	in_it "$one" 'nc -w 5 11.22.33.80 80 </dev/null'
	not in_it "$one" 'nc -w 5 11.22.33.80 443 </dev/null'
}

@test "pods: a container that is held more strictly than its pod's network is refused" {
	new_pod quod
	is_refused 'is not held as strictly (egress.' cri container "pod=$pod" name=one "image=$image" 'command:=["sleep","9"]' \
		'annotations:={"quod.dev/profile": "narrow"}'
}

@test "pods: a container can't give another one what its own profile forbids" {
	new_pod quod-pod
	add one
	cri update "id=$one" memory=$((512 << 20))
	has_audit update '.held | test("resources.memory")'
	is_refused mounts.allow cri container "pod=$pod" name=two "image=$image" "mounts:=$(mount_of /etc /mnt)"
	[ "$(in_it "$one" 'grep ^CapBnd: /proc/self/status')" = "$(printf 'CapBnd:\t00000000000000eb')" ]
}

@test "pods: shared processes are seen, and the end of one container is not another's" {
	new_pod quod-pod
	add one share-pid:=true
	add two share-pid:=true
	[ "$(in_it "$two" 'ps | grep -c "[s]leep 1000"')" = 2 ]
	for id in "$one" "$two"; do
		run quodctl verify "$id"
		echo "$output"
		[ "$status" = 0 ]
	done
	cri stop "id=$two" seconds=0
	[ "$(status_of "$one")" = running ]
	in_it "$one" true
}

@test "pods: an ephemeral container that enters another one's processes stands under the same profile" {
	new_pod quod-pod
	add one
	add debugger "target=$one"
	[ "$(in_it "$debugger" 'readlink /proc/self/ns/pid')" = "$(in_it "$one" 'readlink /proc/self/ns/pid')" ]
	[ "$(in_it "$debugger" 'grep ^CapBnd: /proc/self/status')" = "$(printf 'CapBnd:\t00000000000000eb')" ]
	cri stop "id=$debugger" seconds=0
	[ "$(status_of "$one")" = running ]
	run quodctl verify "$one"
	echo "$output"
	[ "$status" = 0 ]
}

@test "pods: init containers run one after the other, and the pod's network is the same afterwards" {
	new_pod quod-pod
	add init 'command:=["sh","-c","nc -w 5 11.22.33.80 80 </dev/null"]'
	wait_for 20 has_ended "$init"
	[ "$(status_of "$init")" = "exited 0" ]
	add main
	in_it "$main" 'nc -w 5 11.22.33.80 80 </dev/null'
}

@test "pods: a sandbox has no wall and no CPU budget, its containers have" {
	new_pod quod-short
	add one
	wait_for 20 has_ended "$one"
	[ "$(status_of "$one")" = "exited 137" ]
	sleep 1
	ctr -n k8s.io tasks ls | grep -q "$pod.*RUNNING"
	is_refused 'wall 3s spent' cri container "pod=$pod" name=one attempt=1 "image=$image" 'command:=["sleep","9"]'
	add two
	[ "$(status_of "$two")" = running ]
}

# --- who chooses ---

@test "pods: the namespace of the pod is a rule's" {
	new_pod quod namespace=team-one
	[ "$(quodctl --json ps | jq -r --arg id "$pod" '.[] | select(.id == $id) | .profile')" = narrow ]
	add one
	[ "$(quodctl --json ps | jq -r --arg id "$one" '.[] | select(.id == $id) | .profile')" = narrow ]
}

@test "pods: the pod's wish by annotation holds for its sandbox and its containers" {
	new_pod quod 'annotations:={"quod.dev/profile": "narrow"}'
	add one
	for id in "$pod" "$one"; do
		[ "$(quodctl --json ps | jq -r --arg id "$id" '.[] | select(.id == $id) | .profile')" = narrow ]
	done
	not in_it "$one" 'nc -w 5 11.22.33.80 80 </dev/null'
	is_refused "can't be asked for" new_pod quod 'annotations:={"quod.dev/profile": "token"}'
}

@test "pods: the node's network, processes and IPC are refused at the sandbox" {
	is_refused 'host network' new_pod quod-pod 'host:=["network"]'
	is_refused 'host IPC' new_pod quod-pod 'host:=["ipc"]'
}

@test "pods: a privileged container is refused, although its sandbox is none" {
	new_pod quod-pod privileged:=true
	is_refused 'all devices' cri container "pod=$pod" name=one "image=$image" privileged:=true
}

# --- volumes ---

@test "pods: what the kubelet keeps in the pod's directory is a volume" {
	local kind
	new_pod quod-pod
	for kind in empty-dir configmap secret downward-api projected; do
		echo word >"$(volume "$kind" v)/file"
	done
	chmod 777 "$(volume empty-dir v)"
	mount -t tmpfs tmpfs "$(volume empty-dir memory)"
	add one "mounts:=$(for kind in empty-dir configmap secret downward-api projected; do mount_of "$(volume "$kind" v)" "/$kind"; done |
		jq -sc --arg memory "$(volume empty-dir memory)" 'add + [{source: $memory, destination: "/memory"}]')"
	for kind in empty-dir configmap secret downward-api projected; do
		[ "$(in_it "$one" "cat /$kind/file")" = word ]
	done
	in_it "$one" 'echo x >/memory/x && echo x >/empty-dir/x'
}

@test "pods: the service account's token is there only where the profile says so" {
	local volume
	volume=$(volume projected kube-api-access-abcde)
	echo secret >"$volume/token"
	new_pod quod-pod
	add one "mounts:=$(mount_of "$volume" /var/run/secrets/kubernetes.io/serviceaccount ro)"
	not in_it "$one" 'cat /var/run/secrets/kubernetes.io/serviceaccount/token'
	new_pod quod-token
	add two "mounts:=$(mount_of "$volume" /var/run/secrets/kubernetes.io/serviceaccount ro)"
	[ "$(in_it "$two" 'cat /var/run/secrets/kubernetes.io/serviceaccount/token')" = secret ]
}

# sub_path VOLUME-DIRECTORY WHAT: as the kubelet binds it; prints where.
sub_path() {
	local at=$kubelet/pods/$uid/volume-subpaths/v/one/$RANDOM
	mkdir -p "${at%/*}"
	if [ -d "$1/$2" ]; then mkdir "$at"; else touch "$at"; fi
	mount --bind "$1/$2" "$at"
	echo "$at"
}

@test "pods: a part of a volume is a volume, be it a file or a directory" {
	local directory memory
	directory=$(volume configmap v)
	echo word >"$directory/file"
	memory=$(volume empty-dir m)
	mount -t tmpfs tmpfs "$memory"
	mkdir "$memory/sub"
	echo inner >"$memory/sub/file"
	new_pod quod-pod
	add one "mounts:=$( (mount_of "$(sub_path "$directory" file)" /etc/app.conf; mount_of "$(sub_path "$memory" sub)" /sub) | jq -sc add)"
	[ "$(in_it "$one" 'cat /etc/app.conf')" = word ]
	[ "$(in_it "$one" 'cat /sub/file')" = inner ]
}

@test "pods: a part of a hostPath is a host path, and is judged as what it is" {
	mkdir -p /srv/agents/web/sub
	echo word >/srv/agents/web/sub/file
	new_pod quod-pod
	is_refused 'host path /etc/ssl is not allowed at /mnt (mounts.allow)' cri container "pod=$pod" name=one "image=$image" \
		"mounts:=$(mount_of "$(sub_path /etc ssl)" /mnt)"
	add one "mounts:=$(mount_of "$(sub_path /srv/agents/web sub)" /workspace/web)"
	[ "$(in_it "$one" 'cat /workspace/web/file')" = word ]
}

@test "pods: a driver's file system is a volume, a directory of the host that a driver binds is not" {
	local csi="$kubelet/pods/$uid/volumes/kubernetes.io~csi"
	mkdir -p "$csi/disk/mount" "$csi/bound/mount" "$csi/empty/mount" "$kubelet/plugins/kubernetes.io/csi/d/1/globalmount" /srv/agents/local
	mount -t tmpfs disk "$kubelet/plugins/kubernetes.io/csi/d/1/globalmount"
	mount --bind "$kubelet/plugins/kubernetes.io/csi/d/1/globalmount" "$csi/disk/mount"
	mount --bind /etc "$csi/bound/mount"
	new_pod quod-pod
	add one "mounts:=$(mount_of "$csi/disk/mount" /data)"
	in_it "$one" 'echo x >/data/x'
	is_refused 'host path /etc is not allowed at /data (mounts.allow)' cri container "pod=$pod" name=two "image=$image" \
		"mounts:=$(mount_of "$csi/bound/mount" /data)"
	is_refused 'mount of something else' cri container "pod=$pod" name=three "image=$image" "mounts:=$(mount_of "$csi/empty/mount" /data)"
	umount "$kubelet/plugins/kubernetes.io/csi/d/1/globalmount"
}

@test "pods: another pod's volume is a host path" {
	new_pod quod-pod
	mkdir -p "$kubelet/pods/another/volumes/kubernetes.io~empty-dir/v"
	is_refused mounts.allow cri container "pod=$pod" name=one "image=$image" \
		"mounts:=$(mount_of "$kubelet/pods/another/volumes/kubernetes.io~empty-dir/v" /data)"
}

@test "pods: an image that is mounted as a volume is one, and read-only" {
	local at="/run/containerd/io.containerd.grpc.v1.cri/image-volumes"
	new_pod quod-pod
	mkdir -p "$at/$pod/sha256:1" "$at/another/sha256:1"
	mount --bind "$BATS_FILE_TMPDIR/image" "$at/$pod/sha256:1"
	mount --bind "$BATS_FILE_TMPDIR/image" "$at/another/sha256:1"
	add one "mounts:=$(mount_of "$at/$pod/sha256:1" /model)"
	in_it "$one" 'test -e /model/bin/sh'
	not in_it "$one" 'touch /model/x'
	is_refused mounts.allow cri container "pod=$pod" name=two "image=$image" "mounts:=$(mount_of "$at/another/sha256:1" /model)"
	umount "$at/$pod/sha256:1" "$at/another/sha256:1"
}
