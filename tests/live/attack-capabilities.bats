#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by capabilities, identity and process attributes: the C entries of tests/attacks, on raw bundles.
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
	end
}

# What balanced allows: CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7.
allowed=eb
all='["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP", "CAP_SYS_CHROOT",
	"CAP_NET_BIND_SERVICE", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH", "CAP_SYS_TIME", "CAP_CHOWN", "CAP_SETUID"]'

over='grep Cap /proc/self/status | while read -r name set; do [ $((0x$set & ~0x'$allowed')) = 0 ] || echo "over: $name $set"; done'

@test "C01: no set of capabilities holds more than the profile's" {
	attack ".process.capabilities[] = $all" "$over"
	works_bare 'over: CapEff'
	held over
	attack ".process.capabilities = {bounding: $all, effective: $all, permitted: $all, inheritable: $all, ambient: $all} | .process.user.uid = 1000" "$over"
	works_bare 'over: CapAmb'
	held over
	attack ".process.capabilities = {bounding: $all} | .process.noNewPrivileges = false" "$over"
	held over
	attack 'del(.process.capabilities)' "$over; grep CapEff /proc/self/status"
	held 'over|CapEff:.0*[1-9a-f]'
	local name
	for name in cap_sys_admin SYS_ADMIN ALL CAP_ALL 'CAP_SYS_ADMIN ' CAP_LAST_CAP ''; do
		attack ".process.capabilities.bounding += [\"$name\"]"
		refused 'unknown capability'
	done
	attack '.process.capabilities.Bounding = ["CAP_SYS_ADMIN"]'
	refused '.'
}

@test "C02: what engines give to everybody goes" {
	attack '.process.capabilities[] = ["CAP_NET_RAW", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP", "CAP_SYS_CHROOT", "CAP_NET_BIND_SERVICE", "CAP_SETPCAP"]' \
		"$over; attack-try raw packet mknod chroot mark transparent bind-device"
	works_bare 'raw worked'
	held 'over|worked'
}

@test "C03: exec gets no more than the container, by file or by option" {
	attack . 'sleep 60'
	jq -n --argjson all "$all" --arg over "$over" '{args: ["sh", "-c", ($over + "; echo ran")], cwd: "/", user: {uid: 0, gid: 0}, env: ["PATH=/bin"],
		capabilities: {bounding: $all, effective: $all, permitted: $all, inheritable: $all, ambient: $all}, noNewPrivileges: false}' >"$bundle/process.json"
	local runtime
	for runtime in runc crun; do
		start $runtime
		exec_in --process "$bundle/process.json" c1
		[[ $output == *ran* && $output != *over* ]]
		exec_in --cap CAP_SYS_ADMIN --cap CAP_NET_ADMIN c1 sh -c "$over; echo ran"
		[[ $output == *ran* && $output != *over* ]]
		exec_in -c CAP_SYS_PTRACE c1 sh -c "$over; echo ran"
		[[ $output == *ran* && $output != *over* ]]
		end
	done
}

@test "C07: no_new_privs can't be switched off" {
	attack '.process.noNewPrivileges = false' 'grep NoNewPrivs /proc/self/status'
	works_bare 'NoNewPrivs:.*0'
	held 'NoNewPrivs:.*0'
	attack 'del(.process.noNewPrivileges)' 'grep NoNewPrivs /proc/self/status'
	held 'NoNewPrivs:.*0'
	attack '.process.noNewPrivileges = false' 'sleep 60'
	start
	exec_in --no-new-privs=false c1 grep NoNewPrivs /proc/self/status
	[[ $output == *1 ]]
}

@test "C08: a set-user-ID program of the image stays its caller's" {
	own_rootfs
	mkdir "$bundle/rootfs/elevated"
	cp "$bundle/rootfs/bin/busybox" "$bundle/rootfs/elevated"
	chown 0:0 "$bundle/rootfs/elevated/busybox"
	chmod 4755 "$bundle/rootfs/elevated/busybox"
	attack "$own_root | .process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = false" '/elevated/busybox grep -E "^(Uid|CapPrm)" /proc/self/status'
	works_bare 'Uid:.1000.(1000.)?0'
	held 'Uid:.1000.(1000.)?0.|CapPrm:.0*[1-9a-f]'
}

@test "C09: groups of the host's go where uid 0 is not allowed" {
	profile=locked
	attack '.process.user = {uid: 1000, gid: 1000, additionalGids: [0, 6, 42, 998, 1000]}' 'id; echo "groups: $(id -G)"'
	works_bare 'groups: .* 42'
	held 'groups:.* (0|6|42|998)( |$)'
	attack '.process.user = {uid: 0, gid: 0}'
	refused 'uid 0 is not allowed'
	attack '.process.user = {uid: 1000, gid: 1000}' 'sleep 60'
	start
	exec_in --user 1000:1000 --additional-gids 42 --additional-gids 6 c1 id -G
	[[ ! " $output " =~ \ (6|42)\  ]]
	exec_in --user 0 c1 id
	[ "$status" = 1 ]
	[[ $output == *"uid 0 is not allowed"* ]]
	exec_in --user 0:0 c1 id
	[ "$status" = 1 ]
	exec_in --user 4294967296 c1 id
	[ "$status" = 1 ]
	exec_in --user -1 c1 id
	[ "$status" != 0 ]
}

@test "C10: no process is spared by the OOM killer" {
	attack '.process.oomScoreAdj = -500' 'echo "score:$(cat /proc/self/oom_score_adj)"'
	held 'score:-'
	(echo -500 >/proc/self/oom_score_adj) 2>/dev/null && works_bare 'score:-500'
	attack '.process.oomScoreAdj = 300' 'echo "score:$(cat /proc/self/oom_score_adj)"'
	runs 'score:300'
	attack '.process.oomScoreAdj = "-500"'
	refused 'oomScoreAdj'
	attack '.process.oomScoreAdj = -1001'
	held 'score:-'
}

@test "C11: limits have a limit" {
	write_profile files <<<'{ "version": 1, "extends": "balanced", "process": { "rlimits": { "nofile": 512, "core": 0, "nproc": 50 } } }'
	profile=files
	attack '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1000000000, hard: 1000000000}, {type: "RLIMIT_RTPRIO", soft: 99, hard: 99},
		{type: "RLIMIT_MEMLOCK", soft: 1000000000000, hard: 1000000000000}, {type: "RLIMIT_NICE", soft: 40, hard: 40},
		{type: "RLIMIT_MSGQUEUE", soft: 999999999, hard: 999999999}, {type: "RLIMIT_CORE", soft: 1000000000000, hard: 1000000000000}]' \
		'cat /proc/self/limits | sed "s/^/limit /"; attack-try mlock nice realtime'
	held 'open files +[0-9]{4}|locked memory +(unlimited|[0-9]{8})|nice priority +[1-9]|realtime priority +[1-9]|core file size +[1-9u]|msgqueue size +[0-9]{7}|worked'
	attack '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 9, hard: 9}, {type: "RLIMIT_NOFILE", soft: 99999, hard: 99999}]'
	refused 'given twice'
	attack '.process.rlimits = [{type: "RLIMIT_nofile", soft: 9, hard: 9}]'
	refused 'unknown or incomplete limit'
	attack '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 9}]'
	refused 'unknown or incomplete limit'
}

@test "C12: no real-time scheduling, no other CPUs, no other personality" {
	local member
	for member in '.process.scheduler = {policy: "SCHED_FIFO", priority: 10}' '.process.scheduler = {policy: "SCHED_RR", priority: 1}' \
		'.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 3}' '.process.scheduler = {policy: "SCHED_OTHER", nice: -5}' \
		'.process.scheduler = {policy: "SCHED_OTHER", flags: ["SCHED_FLAG_RESET_ON_FORK"]}' '.process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 0}' \
		'.process.execCPUAffinity = {initial: "0", final: "0"}' '.linux.intelRdt = {closID: "x"}' '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}' \
		'.linux.personality = {domain: "LINUX32"}'; do
		attack "$member"
		refused 'allowed|the host'
	done
	attack . 'attack-try realtime nice'
	held worked
}

@test "C15: an image that calls uid 0 by another name is uid 0" {
	own_rootfs
	printf 'agent:x:0:0::/:/bin/sh\n' >"$bundle/rootfs/etc/passwd"
	profile=locked
	attack "$own_root | .process.user = {uid: 0, gid: 0, username: \"agent\"}"
	refused 'uid 0 is not allowed'
	attack "$own_root | .process.user = {uid: 1000, gid: 1000, username: \"agent\"}" id
	held 'uid=0'
}

@test "C16: a profile can demand that uid 0 inside is nobody outside" {
	write_profile mapped <<<'{ "version": 1, "extends": "balanced", "namespaces": { "user": "require" } }'
	profile=mapped
	attack .
	refused 'a user namespace is required'
}

@test "C17: the runtime's own groups can't be kept" {
	attack '.annotations = {"run.oci.keep_original_groups": "1"}'
	refused keep_original_groups
}

@test "C18: no capability comes back from inside" {
	attack ".process.capabilities[] = $all | .process.capabilities.inheritable = $all" 'attack-try ambient capset hostname clock'
	works_bare 'ambient worked'
	held worked
}

@test "C19: a terminal has an ordinary size" {
	local size
	for size in '{height: 65535, width: 65535}' '{height: 4294967295, width: 1}' '{height: -1, width: 1}' '{height: 18446744073709551615, width: 1}'; do
		attack ".process.terminal = true | .process.consoleSize = $size"
		refused '.'
	done
}

@test "C20: no keystroke is pushed into the caller's terminal" {
	attack . 'attack-try tiocsti'
	local runtime
	for runtime in runc crun; do
		run script -qec "quod --profile balanced --runtime $runtime run --bundle $bundle c1" /dev/null </dev/null
		echo "$output"
		[[ $output == *"tiocsti: Operation not permitted"* && $output == *"at the end"* ]]
	done
}

@test "C21: nothing of quod's can be traced from inside" {
	attack '.process.capabilities[] += ["CAP_SYS_PTRACE"]' 'for p in /proc/[0-9]*; do grep -l quod $p/comm; done; ls /proc/1/root/run/quod/containers; attack-try ptrace-first'
	held 'quod$|worked|containers/'
}

@test "C22: escape sequences in names stay out of messages and records" {
	attack '.mounts += [{destination: "/mnt\u001b[2J\n{\"event\":\"forged\"}", type: "bind", source: "/etc", options: ["rbind"]}]'
	refused 'host path /etc'
	[[ $output != *$'\e'* ]]
	attack . 'sleep 60'
	start
	exec_in c1 sh -c true $'\e[2Jx\n{"event":"forged"}' $'\x7f\x01'
	[ "$status" = 0 ]
	none grep -q $'\e' /var/log/quod/audit.jsonl
	jq -e -s 'map(select(.event == "forged")) | length == 0' /var/log/quod/audit.jsonl
}
