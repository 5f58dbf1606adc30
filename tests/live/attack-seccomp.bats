#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by system calls: the S entries of tests/attacks. The container's configuration brings no filter and wants every
# capability: what stops it is quod's.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
	make_tries
	# a profile with every capability that can go with it: then seccomp alone decides
	write_profile wide <<-'J'
		{ "version": 1, "extends": "balanced", "process": { "capabilities": ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH",
			"CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_TIME", "CAP_SYS_RAWIO", "CAP_SYSLOG", "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_IPC_LOCK"] } }
	J
	# what each of syscall-probe's attempts came to, without quod and with it over either runtime
	bundle=$BATS_FILE_TMPDIR/probe
	mkdir "$bundle"
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	attack "$wide" 'syscall-probe deny'
	runc run --bundle "$bundle" c1 </dev/null >"$BATS_FILE_TMPDIR/bare" 2>&1 || :
	local runtime
	for runtime in runc crun; do
		quod --profile wide --runtime $runtime run --bundle "$bundle" c1 </dev/null >"$BATS_FILE_TMPDIR/$runtime" 2>&1 || :
	done
	grep -q 'at the end' "$BATS_FILE_TMPDIR/crun"
}

wide='.process.capabilities[] = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_TIME",
	"CAP_SYS_RAWIO", "CAP_SYSLOG", "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_IPC_LOCK"] | del(.linux.seccomp)'

setup() {
	attack_setup
	profile=wide
}

teardown() {
	end
}

# denied NAME...: each of these attempts gets through without quod and not with it.
denied() {
	local name runtime
	for name; do
		for runtime in runc crun; do
			grep -E "^(ok|BAD) $name" "$BATS_FILE_TMPDIR/$runtime"
			[ "$(grep -cE "^ok $name( |,|$)" "$BATS_FILE_TMPDIR/$runtime")" -gt 0 ]
			[ "$(grep -cE "^BAD $name( |,|$)" "$BATS_FILE_TMPDIR/$runtime")" = 0 ]
		done
	done
	[ "$(for name; do grep -E "^BAD $name( |,|$)" "$BATS_FILE_TMPDIR/bare"; done | wc -l)" -gt 0 ]
}

@test "S04: a configuration without a filter, or with one that allows all, runs under quod's" {
	attack "$wide" 'grep Seccomp: /proc/self/status'
	works_bare 'Seccomp:.*0'
	held 'Seccomp:.*0'
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\"}" 'grep Seccomp: /proc/self/status; attack-try newuser mount'
	held 'Seccomp:.*0|worked'
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [\"mount\", \"unshare\", \"bpf\"], action: \"SCMP_ACT_ALLOW\"}]}" 'attack-try newuser mount'
	held 'worked'
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_TRACE\"}"
	refused 'seccomp|SCMP_ACT_TRACE'
}

# A runtime that forgets the filter of config.json, as a bug in it might.
forgetful() { # RUNTIME
	printf '#!/bin/sh\nfor file in /run/quod/containers/*/bundle/config.json; do\n\tjq "del(.linux.seccomp)" "$file" >/run/edited && cat /run/edited >"$file"\ndone\nexec %s "$@"\n' \
		"$(command -v "$1")" >"/usr/bin/$1-forgetful"
	chmod 755 "/usr/bin/$1-forgetful"
}

@test "S04: where the runtime loses the filter, no instruction of the container runs" {
	attack "$wide" 'echo it ran'
	for runtime in runc crun; do
		forgetful "$runtime"
		run timeout 20 quod --profile wide --runtime "/usr/bin/$runtime-forgetful" run --bundle "$bundle" c1 </dev/null
		echo "$runtime: $status $output"
		[ "$status" != 0 ]
		[[ $output != *"it ran"* ]]
		wait_for 10 grep -F 'not proven at its first instruction: seccomp.floor: 1 of 2 filters' /var/log/quod/audit.jsonl
		rm -rf /var/log/quod
	done
}

@test "S04: and where nobody looks, a second filter lies over the runtime and all that it makes" {
	write_profile unseen <<<'{ "version": 1, "extends": "wide", "guard": "network" }'
	attack "$wide" 'grep Seccomp_filters /proc/self/status; syscall-probe deny'
	for runtime in runc crun; do
		forgetful "$runtime"
		run timeout 20 quod --profile unseen --runtime "/usr/bin/$runtime-forgetful" run --bundle "$bundle" c1 </dev/null
		echo "$output"
		[[ $output == Seccomp_filters:*1* ]]
		for name in io_uring_setup userfaultfd perf_event_open clone3 'getpid by int 0x80' 'getpid by x32 number'; do
			grep -E "^(ok|BAD) $name" <<<"$output"
			[ "$(grep -cE "^BAD $name( |,|$)" <<<"$output")" = 0 ]
		done
	done
	# exec brings it along
	quod --profile unseen --runtime /usr/bin/runc-forgetful create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	run quod exec c1 grep Seccomp_filters /proc/self/status </dev/null
	echo "$output"
	[[ $output == *[1-9] ]]
}

@test "S05: the numbers of x32 and of 32-bit programs lead nowhere" {
	[ "$(grep -c '^ok getpid by' "$BATS_FILE_TMPDIR/runc")" = 2 ]
	[ "$(grep -c '^ok getpid by' "$BATS_FILE_TMPDIR/crun")" = 2 ]
}

@test "S06: ioctls on a terminal that act on others" {
	denied 'ioctl TIOCSTI' 'ioctl TIOCLINUX' 'ioctl TIOCCONS' 'ioctl TIOCSETD' 'ioctl KDSKBENT'
}

@test "S07: socket families with large code behind them" {
	denied 'socket packet' 'socket vsock' 'socket alg'
	attack "$wide" 'attack-try packet vsock alg can raw'
	held worked
}

@test "S09: netlink protocols beside routing" {
	denied 'socket netlink netfilter' 'socket netlink generic' 'socket netlink uevent'
}

@test "S10: io_uring" {
	denied io_uring_setup io_uring_enter io_uring_register
}

@test "S11: clone3" {
	denied clone3
}

@test "S12: new namespaces" {
	denied unshare 'clone newuts' 'clone newuser' 'clone newnet' setns
	attack "$wide" 'attack-try newuser newnet'
	works_bare 'newuser worked'
	held worked
}

@test "S13: the calls of an administrator" {
	denied bpf perf_event_open userfaultfd kexec_load init_module finit_module delete_module mount umount2 pivot_root fsopen \
		swapon swapoff acct quotactl reboot ioperm iopl syslog settimeofday clock_settime
	attack "$wide" 'attack-try mount syslog module'
	works_bare 'mount worked'
	held worked
}

@test "S14: no file is opened by handle" {
	denied open_by_handle_at name_to_handle_at
	attack "$wide" 'attack-try handle'
	works_bare 'handle worked'
	held worked
}

@test "S15: mount calls that lists forget" {
	denied fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr statmount listmount open_tree_attr
}

@test "S16: keyrings" {
	denied add_key keyctl request_key
	attack "$wide" 'attack-try add-key'
	works_bare 'add-key worked'
	"$BATS_FILE_TMPDIR/rootfs/bin/attack-try" remove-key # it is the whole machine's
	held worked
}

@test "S17: other processes' memory and descriptors" {
	denied process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise
}

@test "S18: personalities" {
	denied personality
}

@test "S19: a filter whose answers somebody else gives" {
	denied 'seccomp listener'
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"/run/x\", syscalls: [{names: [\"mkdir\"], action: \"SCMP_ACT_NOTIFY\"}]}"
	refused 'seccomp'
}

@test "S22: flags that weaken the filter" {
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", flags: [\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\", \"SECCOMP_FILTER_FLAG_LOG\"]}" \
		'grep Seccomp: /proc/self/status; grep ^Speculation_Store /proc/self/status'
	run timeout 20 quod --profile wide run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[[ $output != *"Seccomp:	0"* ]]
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_ERRNO\", defaultErrnoRet: 0}" true
	run timeout 20 quod --profile wide run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" != 0 ]
}

@test "S23: a process of exec is under the same filter" {
	attack "$wide" 'sleep 60'
	local runtime
	for runtime in runc crun; do
		start $runtime
		exec_in c1 sh -c 'grep Seccomp: /proc/self/status; attack-try newuser mount add-key'
		[[ $output =~ Seccomp:.*2 && $output != *worked* ]]
		end
	done
}

@test "S24: abstract sockets end at the network namespace" {
	perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un("\0quod-attack")) && listen(S, 1) or die; sleep 30' 3>&- &
	local listener=$!
	wait_for 5 grep -q quod-attack /proc/net/unix
	attack "$wide" 'grep quod-attack /proc/net/unix'
	held quod-attack
	kill $listener
}

@test "S26: sending without connect() is bound by the rules, not by a filter" {
	attack "$wide" 'echo x | timeout 2 nc -w 1 -u 192.0.2.1 53 && echo "sent $(cat /proc/net/snmp | grep Udp: | tail -n 1 | cut -d " " -f 5)"; ip route 2>/dev/null | head -n 3'
	held 'sent [1-9]'
}

@test "S27: socket options that mark, bind or route past rules" {
	attack '.process.capabilities[] = ["CAP_NET_RAW", "CAP_NET_ADMIN"] | del(.linux.seccomp)' 'attack-try mark transparent bind-device source-route raw'
	works_bare 'mark worked'
	profile=balanced
	held worked
}

@test "S29: the clock" {
	denied settimeofday clock_settime
	profile=balanced
	attack "$wide" 'attack-try clock'
	held worked
}

@test "S30: locked memory and pages moved between nodes" {
	denied mbind set_mempolicy migrate_pages move_pages
	profile=balanced
	attack "$wide | .process.rlimits = []" 'attack-try mlock'
	held worked
}

@test "S31: a filter costs an ordinary system call little" {
	attack "$wide" 'time -p dd if=/dev/zero of=/dev/null bs=1 count=200000 2>&1 | grep -E "^(real|user)"'
	run quod --profile wide run --bundle "$bundle" c1 </dev/null
	echo "$output"
	# 400,000 calls: well under 5 us each
	awk '/^real/ { seen = 1; if ($2 > 2) exit 1 } END { exit !seen }' <<<"$output"
}

@test "S32: an architecture that the image asks for opens no other gate" {
	attack "$wide | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", architectures: [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\", \"SCMP_ARCH_AARCH64\"]}" \
		'syscall-probe deny | grep "^BAD"'
	held '^BAD|BAD (getpid|mount|unshare|clone|bpf|setns|socket)'
}

@test "S33: fanotify" {
	denied fanotify_init
}

@test "S34: a misspelt system call in a profile is an error" {
	write_profile slip <<<'{ "version": 1, "extends": "balanced", "seccomp": { "deny": ["io_uring_*", "userfaultfdd"] } }'
	profile=slip
	attack .
	refused 'userfaultfdd'
}
