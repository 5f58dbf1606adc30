#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by devices: the D entries of tests/attacks, on raw bundles.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
}

setup() {
	attack_setup
}

# device PATH TYPE MAJOR MINOR: a jq filter for the node and the rule that opens it.
device() {
	echo ".linux.devices += [{path: \"$1\", type: \"$2\", major: $3, minor: $4, fileMode: 438, uid: 0, gid: 0}] |
		.linux.resources.devices += [{allow: true, type: \"$2\", major: $3, minor: $4, access: \"rwm\"}]"
}

@test "D01: a device of the host is refused, by its node and by its rule" {
	attack "$(device /dev/kmsg c 1 11) | .process.capabilities[] += [\"CAP_SYSLOG\"]" 'head -c 1 /dev/kmsg >/dev/null && echo read'
	works_bare read
	refused 'access to device c 1:11 is not allowed.*device /dev/kmsg \(c 1:11\) is not allowed'
	attack "$(device /dev/kmsg c 1 11) | .linux.resources.devices = [.linux.resources.devices[0]]"
	refused 'device /dev/kmsg'
	attack '.linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 11, access: "r"}]'
	refused 'access to device c 1:11'
	attack "$(device /dev/null c 1 1)" # memory in /dev/null's place
	refused 'device /dev/null \(c 1:1\) is not allowed'
	attack "$(device /dev/null u 1 11)"
	refused 'device /dev/null \(c 1:11\) is not allowed'
	attack "$(device /dev/sda b 8 0)"
	refused 'device /dev/sda'
	attack "$(device /dev/../dev/null c 1 3)"
	refused 'is not allowed'
}

@test "D01: rules with wildcards, without a type, or of no sense are refused" {
	local rule
	for rule in 'allow: true' 'allow: true, access: "rwm"' 'allow: true, type: "a"' 'allow: true, type: "c", access: "rwm"' \
		'allow: true, type: "b", access: "r"' 'allow: true, type: "c", major: 1, access: "rwm"' 'allow: true, type: "c", minor: 3' \
		'allow: true, type: "c", major: -1, minor: -1' 'allow: true, type: "c", major: 1, minor: 11, access: ""' \
		'allow: true, type: "", major: 1, minor: 11' 'allow: true, type: "c", major: 10, minor: -1, access: "rw"'; do
		attack ".linux.resources.devices += [{$rule}]"
		refused 'devices.allow'
	done
}

@test "D05: none of the nodes that open another way into the kernel" {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		attack "$(device $line)"
		refused "device ${line%% *} .*is not allowed"
	done <<-END
		/dev/fuse c 10 229
		/dev/kvm c 10 232
		/dev/vsock c 10 121
		/dev/vhost-vsock c 10 241
		/dev/vhost-net c 10 238
		/dev/userfaultfd c 10 126
		/dev/uinput c 10 223
		/dev/dri/card0 c 226 0
		/dev/snd/seq c 116 1
		/dev/ttyS0 c 4 64
		/dev/tty1 c 4 1
		/dev/hwrng c 10 183
		/dev/cpu/0/msr c 202 0
		/dev/btrfs-control c 10 234
		/dev/loop-control c 10 237
		/dev/mem c 1 1
		/dev/port c 1 4
		/dev/nvidia0 c 195 0
	END
}

@test "D06: all devices at once, as a privileged container has them, are refused" {
	attack '.linux.resources.devices = [{allow: true, access: "rwm"}]'
	refused 'all devices \(a privileged container\) are not allowed'
	attack '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "a", access: "rwm"}]'
	refused 'all devices'
}

@test "D07: what a device's description brings along is judged as if the user had asked for it" {
	attack "$(device /dev/vendor0 c 240 0) | $(mount_at /usr/lib/vendor.so /etc/hostname) |
		.hooks = {createContainer: [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"true\"]}]}"
	refused 'host path /etc/hostname.*device /dev/vendor0.*createContainer hook /bin/sh is not allowed'
}

@test "D08: a node in the image opens nothing" {
	own_rootfs
	mknod "$bundle/rootfs/kmsg" c 1 11
	mknod "$bundle/rootfs/loop" b 7 0
	mkdir -p "$bundle/rootfs/dev"
	attack "$own_root | .linux.resources.devices = []" 'for node in kmsg loop; do head -c 1 /$node >/dev/null && echo opened; done'
	works_bare -r crun opened
	held opened
	attack "$own_root | del(.linux.resources)" 'for node in kmsg loop; do head -c 1 /$node >/dev/null && echo opened; done'
	held opened
}

@test "D09: no node for a terminal of the host can be made or opened" {
	attack '.process.capabilities[] += ["CAP_MKNOD"] | .root.readonly = false' \
		'cd /tmp; for minor in 0 1; do mknod t$minor c 4 $minor && echo made; [ -e t$minor ] && cat t$minor && echo opened; done'
	works_bare made
	rm -f "$BATS_FILE_TMPDIR"/rootfs/tmp/t?
	held 'made|opened'
}

@test "D10: update opens no device" {
	attack . 'sleep 60'
	local runtime
	for runtime in runc crun; do
		quod --profile balanced --runtime "$runtime" create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
		quod start c1
		for rule in '{"allow": true, "access": "rwm"}' '{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}'; do
			run quod update -r - c1 <<<"{\"devices\": [$rule]}"
			echo "$output"
			[ "$status" = 1 ]
			[[ $output == *devices.allow* ]]
		done
		quod delete --force c1
	done
}

@test "D12: a container that takes all terminals leaves the host its own" {
	own_rootfs
	cc -static -O1 -o "$bundle/rootfs/bin/try" "$srcdir/tests/live/attack-try.c"
	write_profile files <<<'{ "version": 1, "extends": "balanced", "process": { "rlimits": { "nofile": 256 } } }'
	attack "$own_root | .process.rlimits = []" 'try terminals'
	runc run --bundle "$bundle" c1 </dev/null >"$BATS_TEST_TMPDIR/bare" 2>&1 3>&- &
	wait_for 5 grep -q 'holds [0-9]' "$BATS_TEST_TMPDIR/bare"
	runc delete --force c1
	quod --profile files run --bundle "$bundle" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	wait_for 5 grep -q 'holds [0-9]' "$BATS_TEST_TMPDIR/out"
	script -qc true /dev/null </dev/null
	quod delete --force c1
	cat "$BATS_TEST_TMPDIR/bare" "$BATS_TEST_TMPDIR/out"
	[ "$(sed -n 's/holds \([0-9]*\) .*/\1/p' "$BATS_TEST_TMPDIR/out")" -lt 256 ]
}

@test "D13: the host's entropy count is not the container's to raise" {
	own_rootfs
	cc -static -O1 -o "$bundle/rootfs/bin/try" "$srcdir/tests/live/attack-try.c"
	attack "$own_root | .process.capabilities[] += [\"CAP_SYS_ADMIN\"]" 'try entropy'
	works_bare 'entropy worked'
	held worked
}
