#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# devices.allow with the real runc and crun: a node that the profile names is there and works, any other refuses the container.

load ../helpers

setup_file() {
	install_quod
	write_profile fuse <<<'{ "version": 1, "extends": "balanced", "devices": { "allow": ["/dev/fuse:r"] } }'
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle" '.linux.devices = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}]
		| .linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]
		| .process.args = ["sh", "-c", "head -c 0 /dev/fuse && echo opened; true 2>/dev/null >/dev/fuse && echo written; true"]'
}

allowed() {
	run quod-fuse --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *opened* ]]
	[[ $output != *written* ]]
}

# bats test_tags=v2
@test "devices: one that devices.allow names is there, with the access it names" {
	local runtime
	for runtime in runc crun; do
		echo "under $runtime"
		allowed
	done
}

@test "devices: without the key the same container is refused" {
	run quod --profile balanced run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"device /dev/fuse (c 10:229) is not allowed (devices.allow)"* ]]
}

# bats test_tags=v2
@test "devices: the path of an allowed device with another's numbers is refused" {
	edit_bundle "$bundle" '.linux.devices[0].minor = 1 | .linux.resources.devices[1].minor = 1'
	run quod-fuse run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"devices.allow"* ]]
}
