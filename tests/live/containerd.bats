#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# containerd in front of quod: ctr --runc-binary, a link per profile as BinaryName, and what ctr shows of a refusal.

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	need_box
	install_quod
	write_config <<-END
		{ "version": 1, "default_profile": "agent" }
	END
	ln -sfn quod /usr/bin/quod-locked
	start_containerd
	make_rootfs "$BATS_FILE_TMPDIR/image"
	make_image $image "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/image.tar" '{"Env":["PATH=/bin:/usr/bin"],"Cmd":["sh"]}'
	ctr images import "$BATS_FILE_TMPDIR/image.tar"
	# what the first container makes and all later ones use
	ctr run --rm --runc-binary /usr/bin/quod $image first true
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

setup() {
	before=$(leftovers)
}

teardown() {
	ctr tasks ls -q | xargs -rn1 ctr tasks kill -s KILL >/dev/null 2>&1 || :
	ctr tasks ls -q | xargs -rn1 ctr tasks rm >/dev/null 2>&1 || :
	ctr containers ls -q | xargs -r ctr containers rm >/dev/null 2>&1 || :
}

same_as_before() {
	diff <(echo "$before") <(leftovers)
}

nothing_left() {
	wait_for 30 same_as_before
}

runtimes="$(command -v runc) $(command -v crun) /usr/bin/quod"

@test "containerd: ctr run hands on output, input and exit status" {
	for binary in $runtimes; do
		run bash -c "echo hello | ctr run --rm --runc-binary '$binary' $image c1 sh -c 'read -r word; echo got \$word; exit 3'"
		echo "$binary: $status $output"
		[ "$status" = 3 ]
		[ "$output" = "got hello" ]
	done
	nothing_left
}

has_status() {
	[ "$(ctr tasks ls | awk '$1 == "c1" { print $3 }')" = "$1" ]
}

@test "containerd: a task is started, entered, paused, signalled and deleted" {
	for binary in $runtimes; do
		echo "$binary"
		ctr run -d --runc-binary "$binary" $image c1 sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done'
		run ctr tasks exec --exec-id e1 c1 sh -c 'echo in; exit 4'
		[ "$status" = 4 ] && [ "$output" = in ]
		ctr tasks pause c1
		has_status PAUSED
		ctr tasks resume c1
		has_status RUNNING
		ctr tasks ps c1 | grep -q '[0-9]'
		ctr tasks kill c1
		wait_for 30 has_status STOPPED
		run ctr tasks rm c1
		echo "$output"
		[[ $output == *'exit code 9'* ]]
		ctr containers rm c1
	done
	nothing_left
}

@test "containerd: a refusal is what ctr says, and nothing is left" {
	run ctr run --rm --runc-binary /usr/bin/quod --mount type=bind,src=/etc,dst=/mnt,options=rbind:ro $image c1 echo it ran
	echo "$output"
	[ "$status" = 1 ]
	[[ $output != *'it ran'* ]]
	[[ $output == *"refused by profile 'agent': "*"host path /etc is not allowed at /mnt (mounts.allow)"* ]]
	nothing_left
}

@test "containerd: --privileged and --net-host are refused" {
	for option in --privileged --net-host; do
		run ctr run --rm --runc-binary /usr/bin/quod $option $image c1 echo it ran
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"refused by profile 'agent': "* ]]
	done
	nothing_left
}

@test "containerd: a link as BinaryName chooses the profile" {
	run ctr run --rm --runc-binary /usr/bin/quod-locked --mount type=bind,src=/etc,dst=/mnt,options=rbind:ro $image c1 true
	echo "$output"
	[[ $output == *"refused by profile 'locked': "* ]]
	nothing_left
}

@test "containerd: a container of the same id in another namespace is another container" {
	ctr -n one images import "$BATS_FILE_TMPDIR/image.tar"
	ctr run -d --runc-binary /usr/bin/quod $image c1 sleep 1000
	ctr -n one run -d --runc-binary /usr/bin/quod $image c1 sleep 2000
	ctr -n one tasks kill -s KILL c1
	wait_for 30 sh -c 'ctr -n one tasks ls | grep -q STOPPED'
	ctr -n one tasks rm c1 || :
	ctr -n one containers rm c1
	has_status RUNNING
	run ctr tasks exec --exec-id e1 c1 echo still here
	[ "$output" = "still here" ]
}

@test "containerd: quod in a shim's place fails with words" {
	run timeout 20 ctr run --rm --runtime /usr/bin/quod $image c1 true
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *quod* ]]
	ctr containers rm c1 2>/dev/null || :
}
