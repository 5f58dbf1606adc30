#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by the kernel's own interfaces: the K entries of tests/attacks, on raw bundles.
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

open='.linux.maskedPaths = [] | .linux.readonlyPaths = [] | .process.capabilities[] += ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SYSLOG"]'

@test "K01: no cgroup's release_agent can be written" {
	attack "$open" 'mkdir /tmp/c; mount -t cgroup -o memory memory /tmp/c 2>/dev/null && echo mounted
		for file in $(find / -xdev -name release_agent 2>/dev/null; ls /sys/fs/cgroup/*/release_agent /tmp/c/release_agent 2>/dev/null); do (echo /x >$file) 2>/dev/null && echo written; done
		for dir in /sys/fs/cgroup/*; do (mkdir $dir/new) 2>/dev/null && echo made; done'
	held 'mounted|written|made'
	attack "$(mount_at /mnt cgroup cgroup rw memory)"
	refused 'cgroup may stand at /sys/fs/cgroup only'
	attack '(.mounts[] | select(.type == "cgroup")).options |= map(select(. != "ro"))' 'for dir in /sys/fs/cgroup/*; do (mkdir $dir/new) 2>/dev/null && echo made; done'
	works_bare made
	held made
}

@test "K02: no program that the kernel starts can be named" {
	attack "$open" 'for file in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/poweroff_cmd /proc/sys/kernel/hotplug \
			/proc/sys/fs/binfmt_misc/register /sys/kernel/uevent_helper /proc/sys/kernel/usermodehelper/bset; do
		[ -e $file ] && v=$(cat $file) && (echo "$v" >$file) 2>/dev/null && echo written $file; done'
	works_bare 'written /proc/sys/kernel/core_pattern'
	held written
}

@test "K03: the keys of an administrator in /proc are read-only" {
	attack "$open" 'for file in /proc/sysrq-trigger /proc/sys/vm/drop_caches /proc/sys/kernel/ns_last_pid /proc/irq/default_smp_affinity /proc/sys/kernel/sysrq \
			/proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj_ /proc/1/../sysrq-trigger; do (: >>$file) 2>/dev/null && echo opened $file; done'
	works_bare 'opened /proc/sys/vm/drop_caches'
	held opened
	attack '.linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	refused 'sysctl net.ipv4.ip_forward is not allowed'
	local name
	for name in kernel.core_pattern kernel.shm_rmid_forced vm.drop_caches net/ipv4/ip_forward net.ipv4.conf.all.route_localnet kernel.yama.ptrace_scope \
		'net.ipv4.../../kernel/core_pattern' net.ipv4.ping_group_range/x .net.ipv4 fs.mqueue.msg_max user.max_user_namespaces; do
		attack ".linux.sysctl = {\"$name\": \"1\"}"
		refused 'sysctl .* is not allowed'
	done
}

@test "K05: no interpreter is registered from a user namespace" {
	attack "$open" 'attack-try newuser; mount -t binfmt_misc b /tmp 2>/dev/null && echo mounted'
	works_bare 'newuser worked'
	held 'worked|mounted'
}

@test "K06: asking for a protocol loads no module" {
	local before
	before=$(cut -d' ' -f1 /proc/modules | sort)
	attack . 'attack-try can alg packet vsock'
	held worked
	[ "$before" = "$(cut -d' ' -f1 /proc/modules | sort)" ]
}

@test "K08: the keyring of uid 0 is not the container's" {
	attack . 'attack-try add-key; cat /proc/keys'
	works_bare 'add-key worked'
	grep -q quod-attack /proc/keys
	"$BATS_FILE_TMPDIR/rootfs/bin/attack-try" remove-key # it is the whole machine's
	held 'worked|quod-attack|keyring'
}

@test "K09: what tells of the host is hidden" {
	attack "$open" 'for file in keys key-users timer_list sched_debug kallsyms config.gz interrupts kcore kmsg kpageflags slabinfo vmallocinfo latency_stats; do
		[ -e /proc/$file ] && [ -n "$(timeout 1 head -c 1 /proc/$file 2>/dev/null)" ] && echo read $file; done
		[ -n "$(ls /sys/firmware /sys/devices/virtual/powercap /sys/kernel/debug /sys/kernel/tracing 2>/dev/null | grep -v :)" ] && echo read directory'
	works_bare 'read keys'
	held read
}

@test "K11: the kernel's log is neither read nor written" {
	attack "$open" 'attack-try syslog; dmesg 2>/dev/null | head -n 1 | sed s/^/read/; mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg | head -c 1 | sed s/^/read/; [ -c /dev/kmsg ] && echo node'
	works_bare 'syslog worked'
	held 'worked|read|node'
}

@test "K12: no program of the kernel's is found by its pin" {
	attack "$(mount_at /sys/fs/bpf bpf bpf rw)"
	refused 'mount type bpf is not allowed|nothing may be mounted'
	attack "$open" 'ls -A /sys/fs/bpf | sed s/^/pinned/'
	held pinned
}

@test "K13: the rules of the network are not root's inside" {
	attack '.process.capabilities[] += ["CAP_NET_ADMIN", "CAP_NET_RAW"]' 'ip link set lo down && echo changed; ip route add 10.9.0.0/16 dev lo && echo changed; ip addr add 10.9.9.9/32 dev lo && echo changed'
	works_bare changed
	held changed
	write_profile netadmin <<<'{ "version": 1, "extends": "balanced", "process": { "capabilities": ["CAP_NET_ADMIN"] } }'
	profile=netadmin
	refused 'NET_ADMIN|allowed'
}

@test "K14: no capability is regained over a user namespace" {
	attack "$open" 'attack-try newuser; unshare -U true 2>/dev/null && echo nested; unshare -Ur sh -c "mount -t tmpfs t /tmp" 2>/dev/null && echo mounted'
	works_bare 'newuser worked'
	held 'worked|nested|mounted'
}

@test "K15: speculation stays as guarded as on the host" {
	attack '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}' 'grep ^Speculation /proc/self/status'
	run quod run --bundle "$bundle" c1 </dev/null
	echo "$output"
	if [[ $output == *"at the end"* ]]; then
		[ "$(grep ^Speculation_Store /proc/self/status)" = "$(grep ^Speculation_Store <<<"$output")" ] || [[ $output == *mitigated* ]]
	else
		[ "$status" = 1 ]
	fi
}

@test "K16: segments and ports of the processor are out of reach" {
	attack "$open | .process.capabilities[] += [\"CAP_SYS_RAWIO\"]" 'syscall-probe deny | grep -E "iopl|ioperm|modify_ldt"'
	works_bare 'BAD modify_ldt'
	held BAD
}
