#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each key of a profile flipped, and a real container seen to behave differently: the same bundle under two profiles that
# differ in that key alone, under runc and crun. The network's keys are in keys-network.bats. A line "# flips: KEY" above a
# test puts it into the table of quod-profile(5) (tests/flips).

load ../helpers

setup_file() {
	install_quod
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	mkdir -p /srv/keys/.git/hooks /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~empty-dir/v \
		/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~projected/token
	touch /srv/keys/file /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~projected/token/token
	printf '#!/bin/sh\necho hooked >/srv/hooked\n' >/usr/local/bin/key-hook
	chmod 755 /usr/local/bin/key-hook
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	(cd "$bundle" && runc spec)
	edit_bundle "$bundle" ".process.terminal = false | .root.path = \"$BATS_FILE_TMPDIR/rootfs\""
	rm -rf /var/lib/quod/*
	root=() clear=1
}

# What on_exhausted has frozen would outlive even the box.
teardown() {
	local runtime
	for runtime in runc crun; do
		quod --runtime "$runtime" delete --force c1 || :
	done
} 2>/dev/null

does() { # COMMAND-TEXT: what the container does
	edit_bundle "$bundle" ".process.args = [\"sh\", \"-c\", $(jq -n --arg c "$1" '$c')]"
}

# ends_with KEYS STATUS TEXT: the bundle under the strictest profile with these keys, under both runtimes; $clear: with
# nothing spent before.
ends_with() {
	local runtime
	jq -n "{ version: 1, process: { root: true } } * { $1 }" | write_profile keys
	for runtime in runc crun; do
		[ -z "$clear" ] || rm -rf /var/lib/quod/*
		run timeout -k 5 30 quod --profile keys --runtime "$runtime" "${root[@]}" run --bundle "$bundle" c1 </dev/null 3>&-
		timeout 10 quod --profile keys --runtime "$runtime" "${root[@]}" delete --force c1 >/dev/null 2>&1 || :
		[[ ($2 == any || $status == "$2") && $output == *"$3"* ]] && continue
		printf 'with %s under %s: status %s, wanted %s and "%s":\n%s\n' "$1" "$runtime" "$status" "$2" "$3" "$output"
		return 1
	done
}

gives() { # KEYS TEXT
	ends_with "$1" 0 "$2"
}

refuses() { # KEYS TEXT
	ends_with "$1" 1 "refused by profile 'keys': $2"
}

# flips: version
@test "keys: version" {
	does 'echo ran'
	gives '"version": 1' ran
	ends_with '"version": 2' 1 'this quod knows version 1 only'
}

# flips: extends
@test "keys: extends" {
	does 'grep -c " /var/tmp tmpfs" /proc/mounts; true'
	gives '' 0
	gives '"extends": "balanced"' 1
}

# flips: mounts.host
@test "keys: mounts.host" {
	edit_bundle "$bundle" '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind", "ro"]}]'
	does 'test -e /mnt/shadow && echo there || echo absent'
	refuses '"mounts": { "host": "refuse" }' '/mounts/'
	gives '"mounts": { "host": "strip" }' absent
}

# flips: mounts.allow
@test "keys: mounts.allow" {
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace", "type": "bind", "source": "/srv/keys", "options": ["bind", "rw"]}]'
	does 'touch /workspace/new 2>/dev/null && echo written || ls /workspace'
	refuses '' '/mounts/'
	gives '"mounts": { "allow": [{ "source": "/srv/keys", "destination": "/workspace" }] }' file
	gives '"mounts": { "allow": [{ "source": "/srv/keys", "destination": "/workspace", "readonly": false }] }' written
	rm /srv/keys/new
}

# As containerd's CRI calls: its own root, and the pod's uid.
kubernetes() { # SOURCE DESTINATION
	root=(--root /run/containerd/runc/k8s.io)
	edit_bundle "$bundle" ".annotations[\"io.kubernetes.cri.sandbox-uid\"] = \"u-1\" |
		.mounts += [{\"destination\": \"$2\", \"type\": \"bind\", \"source\": \"/var/lib/kubelet/pods/u-1/volumes/$1\", \"options\": [\"rbind\", \"rw\"]}]"
}

# flips: mounts.volumes
@test "keys: mounts.volumes" {
	kubernetes kubernetes.io~empty-dir/v /tmp
	does 'touch /tmp/x && echo written'
	refuses '"mounts": { "volumes": false }' '/mounts/'
	refuses '"mounts": { "volumes": "tmpfs" }' '/mounts/'
	gives '"mounts": { "volumes": true }' written
}

# flips: mounts.service_account
@test "keys: mounts.service_account" {
	kubernetes kubernetes.io~projected/token /run/secrets/kubernetes.io/serviceaccount
	does 'test -e /run/secrets/kubernetes.io/serviceaccount/token && echo there || echo absent'
	gives '"mounts": { "volumes": true, "service_account": false }' absent
	gives '"mounts": { "volumes": true, "service_account": true }' there
}

# flips: mounts.protect
@test "keys: mounts.protect" {
	local allow='"allow": [{ "source": "/srv/keys", "destination": "/workspace", "readonly": false }]'
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace", "type": "bind", "source": "/srv/keys", "options": ["bind", "rw"]}]'
	does 'touch /workspace/.git/hooks/x 2>/dev/null && echo written || echo held'
	gives "\"mounts\": { $allow, \"protect\": [] }" written
	rm /srv/keys/.git/hooks/x
	gives "\"mounts\": { $allow, \"protect\": [\".git/hooks\"] }" held
}

# flips: rootfs.readonly
@test "keys: rootfs.readonly" {
	edit_bundle "$bundle" '.root.readonly = false'
	does 'touch /home/x 2>/dev/null && echo written || echo held'
	gives '"rootfs": { "readonly": true }' held
	gives '"rootfs": { "readonly": false }' written
	rm "$BATS_FILE_TMPDIR/rootfs/home/x"
}

# flips: rootfs.mask
@test "keys: rootfs.mask" {
	edit_bundle "$bundle" 'del(.linux.maskedPaths, .linux.readonlyPaths)'
	does 'test -s /proc/keys -o -s /proc/interrupts && echo seen; grep -c " /proc/keys " /proc/mounts; true'
	gives '"rootfs": { "mask": true }' 1
	gives '"rootfs": { "mask": false }' 0
}

# flips: rootfs.tmpfs
@test "keys: rootfs.tmpfs" {
	does 'dd if=/dev/zero of=/tmp/f bs=64k count=32 2>/dev/null; wc -c </tmp/f; true'
	gives '"rootfs": { "tmpfs": { "/tmp": "1M" } }' 1048576
	gives '"rootfs": { "tmpfs": { "/tmp": "8M" } }' 2097152
	does 'touch /tmp/f 2>/dev/null && echo written || echo held'
	gives '"rootfs": { "tmpfs": { } }' held
}

# flips: process.capabilities
@test "keys: process.capabilities" {
	edit_bundle "$bundle" '.process.capabilities |= map_values(["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_CHOWN"])'
	does 'grep CapBnd /proc/self/status; chown 1 /run/x 2>/dev/null; touch /run/x; chown 1 /run/x 2>/dev/null && echo given || echo kept'
	gives '"process": { "capabilities": [] }' "CapBnd:	0000000000000000"$'\n'kept
	gives '"process": { "capabilities": ["CAP_CHOWN"] }' "CapBnd:	0000000000000001"$'\n'given
}

# flips: process.no_new_privs
@test "keys: process.no_new_privs" {
	edit_bundle "$bundle" '.process.noNewPrivileges = false'
	does 'grep NoNewPrivs /proc/self/status'
	gives '"process": { "no_new_privs": true }' "NoNewPrivs:	1"
	gives '"process": { "no_new_privs": false }' "NoNewPrivs:	0"
}

# flips: process.root
@test "keys: process.root" {
	does 'id -u'
	refuses '"process": { "root": false }' '/process/user: uid 0'
	gives '"process": { "root": true }' 0
	edit_bundle "$bundle" '.process.user = {"uid": 1000, "gid": 1000}'
	gives '"process": { "root": false }' 1000
}

# flips: process.env.scrub
@test "keys: process.env.scrub" {
	edit_bundle "$bundle" '.process.env += ["AWS_KEY=secret"]'
	does 'echo "<$AWS_KEY>"'
	gives '' '<secret>'
	gives '"process": { "env": { "scrub": ["AWS_*"] } }' '<>'
}

# flips: process.env.set
@test "keys: process.env.set" {
	edit_bundle "$bundle" '.process.env += ["HTTP_PROXY=theirs"]'
	does 'echo "<$HTTP_PROXY>"'
	gives '' '<theirs>'
	gives '"process": { "env": { "set": { "HTTP_PROXY": "ours" } } }' '<ours>'
}

# flips: process.rlimits
@test "keys: process.rlimits" {
	does 'ulimit -n'
	gives '"process": { "rlimits": { "nofile": 100 } }' 100
	gives '"process": { "rlimits": { "nofile": 50 } }' 50
}

# flips: seccomp.deny
@test "keys: seccomp.deny" {
	does 'mkdir /run/d 2>/dev/null && echo made || echo denied'
	gives '' made
	gives '"seccomp": { "deny": ["mkdir*"] }' denied
}

# flips: seccomp.floor
@test "keys: seccomp.floor" {
	does 'unshare -U true 2>&1 && echo unshared || echo denied'
	gives '"seccomp": { "floor": true }' denied
	gives '"seccomp": { "floor": false }' unshared
}

# flips: seccomp.sockets
@test "keys: seccomp.sockets" {
	does 'ifconfig lo >/dev/null 2>&1 && echo opened || echo denied'
	gives '"seccomp": { "sockets": ["unix", "inet"] }' opened
	gives '"seccomp": { "sockets": ["unix"] }' denied
}

# flips: namespaces.private
@test "keys: namespaces.private" {
	edit_bundle "$bundle" '.linux.namespaces |= map(select(.type != "ipc"))'
	does 'readlink /proc/self/ns/ipc'
	refuses '' '/linux/namespaces'
	gives '"namespaces": { "private": ["pid", "network", "mount", "uts", "cgroup"] }' "$(readlink /proc/self/ns/ipc)"
}

# flips: namespaces.user
@test "keys: namespaces.user" {
	does 'echo ran'
	refuses '"namespaces": { "user": "require" }' '/linux/namespaces'
	gives '"namespaces": { "user": "any" }' ran
}

# flips: hooks.allow
@test "keys: hooks.allow" {
	edit_bundle "$bundle" '.hooks = { "createRuntime": [{ "path": "/usr/local/bin/key-hook" }] }'
	does 'echo ran'
	rm -f /srv/hooked
	refuses '' '/hooks/createRuntime/0'
	[ ! -e /srv/hooked ]
	gives '"hooks": { "allow": ["/usr/local/bin/key-*"] }' ran
	[ -e /srv/hooked ]
}

# flips: devices.allow
@test "keys: devices.allow" {
	edit_bundle "$bundle" '.linux.devices = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}] |
		.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]'
	does 'head -c 0 /dev/fuse && echo opened; true 2>/dev/null >/dev/fuse && echo written; true'
	refuses '' '/linux/resources/devices/1'
	gives '"devices": { "allow": ["/dev/fuse:rw"] }' $'opened\nwritten'
}

# flips: sysctls.allow
@test "keys: sysctls.allow" {
	edit_bundle "$bundle" '.linux.sysctl = { "kernel.msgmax": "4321" }'
	does 'cat /proc/sys/kernel/msgmax'
	refuses '' '/linux/sysctl/kernel.msgmax'
	gives '"sysctls": { "allow": ["kernel.msg*"] }' 4321
}

# Of the cgroup that the container sees as its own.
shows() { # FILE-OF-V2 FILE-OF-V1
	does "cat /sys/fs/cgroup/$1 /sys/fs/cgroup/*/$2 2>/dev/null | head -n 1"
}

# flips: resources.cpus
@test "keys: resources.cpus" {
	shows cpu.max cpu.cfs_quota_us
	gives '"resources": { "cpus": 0.5 }' 50000
	gives '"resources": { "cpus": 0.25 }' 25000
}

# flips: resources.memory
@test "keys: resources.memory" {
	does 'dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null && echo held it || echo killed'
	gives '"resources": { "memory": "32M" }' killed
	gives '"resources": { "memory": "256M" }' 'held it'
}

# flips: resources.swap
@test "keys: resources.swap" {
	shows memory.swap.max memory.memsw.limit_in_bytes
	local file=0
	gives '"resources": { "memory": "64M", "swap": "0" }' ''
	case $output in
	67108864) file=67108864;;
	0) ;;
	*) skip "the cgroups of this kernel count no swap";;
	esac
	gives '"resources": { "memory": "64M", "swap": "16M" }' $((file + 16777216))
}

# flips: resources.pids
@test "keys: resources.pids" {
	does 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>/dev/null; echo all'
	ends_with '"resources": { "pids": 5 }' any ''
	[[ $output != *all* ]]
	gives '"resources": { "pids": 100 }' all
}

# flips: budgets.wall
@test "keys: budgets.wall" {
	does 'sleep 3; echo lived'
	ends_with '"budgets": { "wall": "1s", "grace": "0s" }' 137 ''
	[[ $output != *lived* ]]
	gives '"budgets": { "wall": "1m" }' lived
}

# flips: budgets.cpu
@test "keys: budgets.cpu" {
	# until two seconds of its own CPU time have gone
	does 'while read -r all </proc/self/stat; set -- ${all##*) }; [ $((${12} + ${13})) -lt 200 ]; do :; done; echo lived'
	ends_with '"budgets": { "cpu": "1s", "grace": "0s" }' 137 ''
	[[ $output != *lived* ]]
	gives '"budgets": { "cpu": "1m" }' lived
}

# flips: budgets.grace
@test "keys: budgets.grace" {
	does 'trap "sleep 1; echo tidied; exit 7" TERM; while :; do sleep 0.1; done'
	ends_with '"budgets": { "wall": "1s", "grace": "0s" }' 137 ''
	[[ $output != *tidied* ]]
	ends_with '"budgets": { "wall": "1s", "grace": "20s" }' 7 tidied
}

# flips: budgets.reset
@test "keys: budgets.reset" {
	clear=
	does 'exec sleep 20'
	ends_with '"budgets": { "wall": "1s", "grace": "0s", "reset": "never" }' 137 ''
	does 'echo ran again'
	ends_with '"budgets": { "wall": "1s", "grace": "0s", "reset": "never" }' 1 'wall'
	[[ $output != *'ran again'* ]]
	ends_with '"budgets": { "wall": "1s", "grace": "0s", "reset": "restart" }' 0 'ran again'
}

# flips: budgets.scope
@test "keys: budgets.scope" {
	local mounts='"mounts": { "allow": [{ "source": "/srv/keys", "destination": "/workspace", "readonly": false }] }' wall='"wall": "1s", "grace": "0s"'
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace", "type": "bind", "source": "/srv/keys", "options": ["bind", "rw"]}]'
	clear=
	for scope in container workspace; do
		does 'exec sleep 20'
		jq -n "{ version: 1, process: { root: true }, $mounts, budgets: { $wall, scope: \"$scope\" } }" | write_profile keys
		rm -rf /var/lib/quod/*
		run timeout -k 5 30 quod --profile keys run --bundle "$bundle" other </dev/null 3>&-
		[ "$status" = 137 ]
		quod --profile keys delete --force other
		does 'echo has its own'
		if [ "$scope" = container ]; then
			gives "$mounts, \"budgets\": { $wall, \"scope\": \"$scope\" }" 'has its own'
		else
			ends_with "$mounts, \"budgets\": { $wall, \"scope\": \"$scope\" }" 1 wall
		fi
	done
}

# starts KEYS: c1 of the bundle runs beside the test; $first is its process.
starts() {
	jq -n "{ version: 1, process: { root: true } } * { $1 }" | write_profile keys
	rm -rf /var/lib/quod/* /var/log/quod
	quod --profile keys --runtime "$runtime" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >/dev/null 2>&1 3>&-
	quod --runtime "$runtime" start c1
	first=$(cat "$BATS_TEST_TMPDIR/pid")
}

state_is() {
	[ "$(quod --runtime "$runtime" state c1 | jq -r .status)" = "$1" ]
}

exhausts() { # ACTION STATE
	starts "\"budgets\": { \"wall\": \"1s\", \"grace\": \"0s\", \"on_exhausted\": \"$1\" }"
	wait_for 8 state_is "$2"
	quod --runtime "$runtime" delete --force c1
}

# flips: budgets.on_exhausted
@test "keys: budgets.on_exhausted" {
	local runtime
	does 'exec sleep 60'
	for runtime in runc crun; do
		exhausts stop stopped
		exhausts freeze paused
	done
}

loses_its_guardian() { # GUARD STATE
	starts "\"guard\": \"$1\""
	kill -KILL "$(jq .pid /run/quod/containers/*/guardian)"
	if [ "$2" = stopped ]; then
		wait_for 8 state_is stopped
	else
		sleep 0.5
		state_is running
	fi
	quod --runtime "$runtime" delete --force c1
}

# flips: guard
@test "keys: guard" {
	local runtime
	does 'exec sleep 60'
	for runtime in runc crun; do
		loses_its_guardian kill stopped
		loses_its_guardian network running
	done
}

execs() { # KEYS COUNT: so many records of an exec
	starts "$1"
	quod --runtime "$runtime" exec c1 true
	quod --runtime "$runtime" delete --force c1
	[ "$(jq -s 'map(select(.event == "exec")) | length' /var/log/quod/audit.jsonl)" = "$2" ]
}

# flips: audit.record
@test "keys: audit.record" {
	local runtime
	does 'exec sleep 60'
	for runtime in runc crun; do
		execs '"audit": { "record": ["refusals", "exec"] }' 1
		execs '"audit": { "record": ["refusals"] }' 0
	done
}
