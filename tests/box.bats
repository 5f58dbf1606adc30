#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The throw-away machine that live tests run in: it holds engines, and it leaves nothing.

load helpers

box="$BATS_TEST_DIRNAME/box"

# What needs the helpers inside: FUNCTION-BODY on standard input.
inside() {
	"$box" "BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME" "BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR" "builddir=$builddir" \
		bash -c '. "$BATS_TEST_DIRNAME/helpers.bash"; set -e; eval "$(cat)"'
}

# What the machine around a box shows: cgroups, mounts, directories.
around() {
	find /sys/fs/cgroup -type d | sort
	cat /proc/self/mountinfo
	ls -d /tmp/quod-box.* 2>/dev/null | sort
	cat /proc/sys/kernel/keys/root_maxkeys
}

@test "box: the exit status is the command's" {
	run "$box" sh -c 'exit 7'
	[ "$status" = 7 ]
}

@test "box: standard input reaches the command" {
	run bash -c "echo hello | '$box' cat"
	[ "$output" = hello ]
}

@test "box: what is written below /usr, /etc, /var and /run vanishes" {
	"$box" sh -c 'for d in /usr /etc /var /run /var/lib/docker; do echo x >$d/quod-was-here; done'
	[ ! -e /usr/quod-was-here ]
	[ ! -e /etc/quod-was-here ]
	[ ! -e /var/quod-was-here ]
	[ ! -e /run/quod-was-here ]
}

@test "box: the tree under test is seen where it lies" {
	run "$box" sh -c "head -n 1 '$srcdir/README.md'"
	[ "$output" = "# quod" ]
}

@test "box: a process that outlives its command ends with it, and its cgroup goes" {
	before=$(around)
	"$box" sh -c 'mkdir /sys/fs/cgroup/pids/deep 2>/dev/null && echo $$ >/sys/fs/cgroup/pids/deep/cgroup.procs; setsid sleep 4711 & exit 0'
	[ "$(around)" = "$before" ]
	! pgrep -f 'sleep 4711'
}

@test "box: ended from outside, nothing is left" {
	before=$(around)
	"$box" sh -c 'echo started; sleep 4712' >"$BATS_TEST_TMPDIR/out" 3>&- &
	wait_for 10 grep -q started "$BATS_TEST_TMPDIR/out"
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	[ "$(around)" = "$before" ]
	! pgrep -f 'sleep 4712'
}

@test "box: its network has a loopback and nothing else" {
	run "$box" sh -c 'ls /sys/class/net; ip -o link show | wc -l'
	[ "${lines[-1]}" = 1 ]
	"$box" ping -c 1 127.0.0.1 || "$box" busybox ping -c 1 127.0.0.1
}

@test "box: runc and crun run a bundle with limits" {
	make_bundle "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "echo in: $(id -u)"] | .linux.resources.memory.limit = 67108864
		| .linux.resources.pids.limit = 20'
	run "$box" runc run --bundle "$BATS_TEST_TMPDIR/b" b1
	[ "$output" = "in: 0" ]
	run "$box" crun run --bundle "$BATS_TEST_TMPDIR/b" b2
	[ "$output" = "in: 0" ]
}

@test "box: Docker runs an image made on the spot, with its network" {
	run inside <<-'END'
		box_start_engines
		docker_load_busybox
		docker run --rm --runtime bare quod.test/busybox:1 sh -c 'ip -o addr show dev eth0 | grep -q inet6 && echo both'
		docker run --rm --runtime bare-crun --network none -m 64m quod.test/busybox:1 echo by crun
		box_stop_engines
	END
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *both*'by crun' ]]
}
