#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by namespaces: the N entries of tests/attacks, on raw bundles.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
	make_tries
}

setup() {
	attack_setup
}

teardown() {
	local id
	for id in c1 other; do
		quod delete --force "$id" >/dev/null 2>&1 || :
		runc delete --force "$id" >/dev/null 2>&1 || :
	done
}

without() { # TYPE: a jq filter
	echo ".linux.namespaces |= map(select(.type != \"$1\"))"
}

# handed TYPE PATH: a jq filter that takes the namespace from PATH
handed() {
	echo "$(without "$1") | .linux.namespaces += [{type: \"$1\", path: \"$2\"}]"
}

same_as_host() { # NAME
	echo "[ \$(readlink /proc/self/ns/$1) = \"$(readlink "/proc/self/ns/$1")\" ] && echo of-the-host"
}

@test "N01: the host's network is refused, missing or by any path that leads to it" {
	attack "$(without network)" "$(same_as_host net)"
	works_bare of-the-host
	refused 'host network \(namespaces.private\)'
	local path
	ln -s /proc/self/ns/net "$bundle/net"
	touch "$bundle/bound"
	mount --bind /proc/1/ns/net "$bundle/bound"
	for path in /proc/1/ns/net /proc/self/ns/net "/proc/$$/ns/net" /proc/thread-self/ns/net "$bundle/net" "$bundle/bound" \
		/proc/1/task/1/ns/net; do
		attack "$(handed network "$path")"
		refused 'host network|can.t be shared|not of a container'
	done
	umount "$bundle/bound"
	attack "$(handed network /proc/1/ns/uts)"
	refused '/proc/1/ns/uts is no network namespace'
	attack "$(handed network /nowhere)"
	refused 'is no network namespace'
}

@test "N02: the host's processes are refused" {
	attack "$(without pid)" "$(same_as_host pid)"
	works_bare of-the-host
	refused 'host processes \(namespaces.private\)'
	attack "$(handed pid /proc/1/ns/pid)"
	refused 'host processes'
	attack "$(handed pid /proc/self/ns/pid_for_children)"
	refused 'host processes'
}

@test "N03: the host's IPC, UTS and mounts are refused, and a cgroup namespace is added" {
	attack "$(without ipc)" "$(same_as_host ipc)"
	works_bare of-the-host
	refused 'host IPC'
	attack "$(without uts) | del(.hostname)"
	refused 'host UTS'
	attack "$(without mount)"
	refused 'host mounts'
	attack "$(handed mount /proc/1/ns/mnt)"
	refused 'host mounts'
	attack "$(without cgroup)" "$(same_as_host cgroup)"
	works_bare of-the-host
	held of-the-host
	attack '.linux.namespaces = []'
	refused 'host network'
	attack 'del(.linux.namespaces)'
	refused 'host network'
	attack 'del(.linux)'
	refused '.'
}

@test "N07: whoever enters the network namespace from outside opens nothing for the container" {
	attack . 'while :; do busybox nc -w 1 192.0.2.1 80 2>&1; sleep 0.1; done'
	quod --profile balanced create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	quod start c1
	local pid
	pid=$(quod state c1 | jq .pid)
	[ "$(nsenter -t "$pid" -n nft list tables | grep -c quod)" -gt 0 ]
	nsenter -t "$pid" -n nft flush ruleset || :
	nsenter -t "$pid" -n nft delete table inet quod || :
	wait_for 10 closed_or_gone "$pid"
}
closed_or_gone() {
	! kill -0 "$1" 2>/dev/null || nsenter -t "$1" -n nft list table inet quod | grep -q 'policy drop'
}

@test "N09: a second container of a pod is bound like any other" {
	attack '.annotations = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "s", "io.kubernetes.cri.sandbox-uid": "u"} |
		.linux.resources.devices = [{allow: true, access: "rwm"}] | .process.capabilities[] += ["CAP_SYS_ADMIN"] | '"$(handed network /proc/1/ns/net)"
	run quod --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"host network"* && $output == *"all devices"* ]]
}

@test "N10: the namespaces of a container that isn't under quod can't be joined" {
	attack . 'sleep 60'
	runc create --bundle "$bundle" other </dev/null >/dev/null 2>&1 3>&-
	runc start other
	local pid type
	pid=$(runc state other | jq .pid)
	attack "$(handed pid "/proc/$pid/ns/pid")" 'ps | grep "sleep [6]0" && echo seen'
	works_bare seen
	for type in pid ipc uts network; do
		attack "$(handed "$type" "/proc/$pid/ns/${type/network/net}")"
		refused 'is not of a container under quod'
	done
	for type in mount cgroup; do
		attack "$(handed "$type" "/proc/$pid/ns/${type/mount/mnt}")"
		refused "can't be shared|host (mounts|cgroups)"
	done
}

@test "N11: a namespace given twice, of an unknown kind, or spelled otherwise is refused" {
	attack '.linux.namespaces += [{type: "network"}]'
	refused 'network namespace is given twice'
	attack '.linux.namespaces += [{type: "network", path: "/proc/1/ns/net"}]'
	refused 'given twice|host network'
	local type
	for type in Network NETWORK net mnt 'network ' pid_for_children syslog ''; do
		attack ".linux.namespaces += [{type: \"$type\"}]"
		refused "namespace type .* is not allowed"
	done
	attack '.linux.namespaces += [{}]'
	refused '.'
	attack '.linux.namespaces += [null]'
	refused '.'
}

@test "N12: clocks of its own are refused" {
	attack '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 1000}}'
	refused 'namespace type time is not allowed.*other clocks are not allowed|other clocks.*namespace type time'
	attack '.linux.timeOffsets = {boottime: {nanosecs: 1}}'
	refused 'other clocks'
}

mapped() { # HOST-ID SIZE
	echo ".linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = [{containerID: 0, hostID: $1, size: $2}] | .linux.gidMappings = .linux.uidMappings"
}

@test "N13: a user namespace in which the host's root is mapped is none" {
	attack "$(mapped 0 4294967295)" 'cat /proc/self/uid_map'
	refused "host's id 0 can't be mapped"
	attack "$(mapped 0 1)"
	refused "host's id 0 can't be mapped"
	attack "$(mapped 100000 65536) | .linux.gidMappings += [{containerID: 70000, hostID: 0, size: 1}]"
	refused "gidMappings: the host's id 0"
	attack "$(mapped -1 2)"
	refused '.'
	attack "$(mapped 4294967295 2)"
	run quod run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" != 0 ]
	quod delete --force c1 || :
	attack "$(handed user /proc/1/ns/user)"
	refused 'host users'
	attack '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]'
	refused "host's id 0"
}

@test "N14: no namespace is made inside, with or without capabilities" {
	attack . 'attack-try newuser newnet; unshare -U true 2>/dev/null && echo worked'
	works_bare 'newuser worked'
	held worked
	attack '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}' 'attack-try newuser; syscall-probe deny | grep -E "^BAD (clone|unshare|setns)"'
	works_bare 'newuser worked'
	held 'worked|BAD'
}

@test "N15: nothing of quod's or the host's is among the processes inside" {
	attack . 'ls -d /proc/[0-9]* | wc -l | sed "s/^/processes:/"; for p in /proc/[0-9]*; do cat $p/comm; done; ls -l /proc/1/fd | grep -v "pipe:\|/dev/null\|socket:\|^total"'
	held 'quod|runc|crun|processes:([6-9]|[1-9][0-9])|/run/|/sys/'
}

@test "N16: a network device of the host can't be moved into the container" {
	ip link add dummy7 type dummy 2>/dev/null || ip link add dummy7 type veth peer name dummy8
	attack '.linux.netDevices = {dummy7: {}}'
	refused 'netDevices'
	attack '.linux.netDevices = {lo: {name: "x"}}'
	refused 'netDevices'
	ip link show dummy7
}

@test "N17: what a container leaves behind in a pod's processes ends with its first process" {
	attack '.process.args = ["sleep", "100"]' 'sleep 100'
	quod --profile balanced create --bundle "$bundle" other </dev/null >/dev/null 2>&1 3>&-
	quod start other
	local pid
	pid=$(quod state other | jq .pid)
	attack "$(handed pid "/proc/$pid/ns/pid") | $(handed network "/proc/$pid/ns/net")" '(setsid sleep 77 >/dev/null 2>&1 </dev/null &)'
	runc run --detach --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	wait_for 5 sh -c '[ "$(runc state c1 | jq -r .status)" = stopped ]'
	pgrep -f 'sleep 77'
	runc delete --force c1
	wait_for 5 no_sleeper
	run timeout 10 quod --profile balanced run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[[ $output == *"at the end"* ]]
	wait_for 5 no_sleeper
}
no_sleeper() {
	! pgrep -f 'sleep 77'
}
