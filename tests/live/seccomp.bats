#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The seccomp floor as a real kernel enforces it, under runc and crun: a container with every capability, so that nothing
# but the merged filter can say no.

load ../helpers

setup_file() {
	load ../helpers
	need_box
	make -s -C "$builddir" --no-print-directory tests/live/seccomp-plan
	"${CC:-cc}" -static -pthread -O1 -o "$BATS_FILE_TMPDIR/probe" "$srcdir/tests/live/syscall-probe.c"
}

# What a filter looks like before quod: one name each.
filter_none='del(.linux.seccomp)'
filter_engine='.linux.seccomp = $engine[0]'
# as Docker's with every capability: what the floor denies is allowed, by name and without conditions
filter_engine_generous='.linux.seccomp = ($engine[0] | .syscalls |= map(select(.names | contains(["clone"]) | not)) | .syscalls += [
	{"names": ["bpf", "clone", "clone3", "fanotify_init", "userfaultfd", "perf_event_open", "open_by_handle_at", "mount", "umount2",
	"pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "mount_setattr", "setns", "unshare", "add_key",
	"keyctl", "request_key", "process_madvise", "pidfd_getfd", "kcmp", "mbind", "set_mempolicy", "migrate_pages", "move_pages",
	"kexec_load", "init_module", "finit_module", "delete_module", "reboot", "syslog", "acct", "swapon", "swapoff", "quotactl",
	"settimeofday", "clock_settime", "iopl", "ioperm"], "action": "SCMP_ACT_ALLOW"}, {"names": ["personality"], "action": "SCMP_ACT_ALLOW"}])'
filter_open='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdirat", "mkdir"], "action": "SCMP_ACT_ERRNO"}]}'
filter_open_with_arguments='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
	{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]},
	{"names": ["ioctl", "clone"], "action": "SCMP_ACT_LOG"},
	{"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 2048, "valueTwo": 2048, "op": "SCMP_CMP_MASKED_EQ"}]}]}'
filter_with_conditions='.linux.seccomp = ($engine[0] | .defaultErrnoRet = 38 | .syscalls[0].names -= ["socket"] | .syscalls += [
	{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22, "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 9, "op": "SCMP_CMP_EQ"}]},
	{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 2, "value": 9, "op": "SCMP_CMP_NE"}]},
	{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_NE"}]}])'

# make_probe_bundle FILTER MODE: every capability, so that seccomp alone decides.
make_probe_bundle() {
	bundle=$BATS_TEST_TMPDIR/bundle
	rm -rf "$bundle"
	make_bundle "$bundle"
	cp "$BATS_FILE_TMPDIR/probe" "$bundle/rootfs/probe"
	local all
	all=$(capsh --print | sed -n 's/^Bounding set =//p' | tr 'a-z' 'A-Z' | jq -R 'split(",")')
	jq --slurpfile engine "$srcdir/tests/data/seccomp/docker-default.json" --argjson all "$all" --arg mode "$2" \
		".process.args = [\"/probe\", \$mode] | .process.capabilities |= map_values(\$all) | .process.noNewPrivileges = false
		| del(.process.rlimits) | $1" "$bundle/config.json" >"$bundle/new"
	mv "$bundle/new" "$bundle/config.json"
}

# plan_bundle [FAMILY...]
plan_bundle() {
	"$builddir/tests/live/seccomp-plan" "$@" <"$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
}

run_bundle() {
	run "$1" run --bundle "$bundle" "probe-$1-$RANDOM" </dev/null
	printf '%s\n' "$output" | grep -v '^ok' || :
}

# is_held FILTER [NOT-NEEDED]: denied is denied, needed works (but for what the filter itself denies), under both runtimes.
is_held() {
	local runtime mode
	for mode in deny work; do
		make_probe_bundle "$1" "$mode"
		plan_bundle unix inet inet6
		for runtime in runc crun; do
			echo "$runtime $mode"
			run_bundle "$runtime"
			[ "$(grep -c '^ok' <<<"$output")" -gt 10 ]
			[ "$(grep '^BAD' <<<"$output" | grep -cvx "BAD ${2-}.*")" = 0 ]
			[ -n "${2-}" ] || [ "$status" = 0 ]
		done
	done
}

@test "seccomp: without a filter everything that the floor denies gets through, so the other tests prove something" {
	make_probe_bundle "$filter_none" control
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$status" = 0 ]
		[ "$(grep -c '^ok' <<<"$output")" -gt 60 ]
		# at most what this kernel lacks
		[ "$(grep -cw 'ENOSYS\|EAFNOSUPPORT' <<<"$output")" -lt 15 ]
	done
}

@test "seccomp: the floor holds in a container without a filter" {
	is_held "$filter_none"
}

@test "seccomp: the floor holds under an engine's filter" {
	is_held "$filter_engine" "unshare fs"
}

@test "seccomp: the floor holds under an engine's filter that allows everything it denies" {
	is_held "$filter_engine_generous"
}

@test "seccomp: the floor holds under an engine's filter that looks at sockets itself" {
	is_held "$filter_with_conditions" "unshare fs"
}

@test "seccomp: the floor holds under a user's filter that allows by default" {
	is_held "$filter_open"
}

@test "seccomp: what the user's filter denies stays denied" {
	make_probe_bundle "$filter_open" work
	edit_bundle "$bundle" '.process.args = ["sh", "-c", "mkdir /tmp/x"]'
	plan_bundle unix
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$status" != 0 ]
		[[ "$output" == *"Operation not permitted"* ]]
	done
}

# Names that libseccomp doesn't know can't be denied in such a filter; a note of the plan says so.
@test "seccomp: the floor holds under a filter that allows by default and looks at arguments, but for unknown calls" {
	make_probe_bundle "$filter_open_with_arguments" deny
	plan_bundle unix inet inet6
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$(grep '^BAD' <<<"$output" | grep -cv 'open_tree_attr\|statmount\|listmount')" = 0 ]
		[ "$(grep -c '^ok' <<<"$output")" -gt 60 ]
	done
	make_probe_bundle "$filter_open_with_arguments" work
	plan_bundle unix inet inet6
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$status" = 0 ]
	done
}

@test "seccomp: netlink only where the profile lists it, and only for routes" {
	make_probe_bundle "$filter_none" deny
	plan_bundle unix inet inet6 netlink
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$status" = 0 ]
		[[ "$output" == *"ok socket netlink netfilter"* ]]
	done
	make_probe_bundle "$filter_engine" work
	edit_bundle "$bundle" '.process.args = ["ip", "link", "show"]'
	cp "$bundle/config.json" "$bundle/before"
	plan_bundle unix inet inet6 netlink
	run_bundle runc
	[[ "$status" = 0 && "$output" == *LOOPBACK* ]]
	cp "$bundle/before" "$bundle/config.json"
	plan_bundle unix inet inet6
	run_bundle runc
	[ "$status" != 0 ]
}

@test "seccomp: a family that the profile doesn't list is denied" {
	make_probe_bundle "$filter_engine" work
	plan_bundle unix
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$status" = 1 ]
		[[ "$output" == *"BAD socket inet "* && "$output" == *"BAD socket inet6 "* && "$output" == *"ok socket unix "* ]]
	done
}

@test "seccomp: speculative execution stays guarded" {
	make_probe_bundle "$filter_engine" work
	edit_bundle "$bundle" '.process.args = ["sh", "-c", "grep -E ^Speculation /proc/self/status; grep Seccomp: /proc/self/status"]'
	cp "$bundle/config.json" "$bundle/plain"
	edit_bundle "$bundle" 'del(.linux.seccomp)'
	run_bundle runc
	bare=$(grep -v Seccomp <<<"$output")
	cp "$bundle/plain" "$bundle/config.json"
	plan_bundle unix
	for runtime in runc crun; do
		run_bundle "$runtime"
		[ "$status" = 0 ]
		[[ "$output" == *"Seccomp:"*2* ]]
		[ "$(grep -v Seccomp <<<"$output")" = "$bare" ]
	done
}
