#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The throw-away machine that live tests run in: it holds engines, and it leaves nothing.

load helpers

box="$BATS_TEST_DIRNAME/box"
long=1$$ # seconds that no other test sleeps

is_over() {
	! pgrep -f "^sleep $long"
}

# What needs the helpers inside: FUNCTION-BODY on standard input.
inside() {
	"$box" "BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME" "BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR" "builddir=$builddir" \
		bash -c '. "$BATS_TEST_DIRNAME/helpers.bash"; set -e; eval "$(cat)"'
}

# nothing_of NAME: no cgroup, mount or directory of that box is left.
nothing_of() {
	local left
	left=$(find /sys/fs/cgroup -type d -name "${1%.*}"
		grep -F "$1" /proc/self/mountinfo
		ls -d "${TMPDIR:-/tmp}/$1" 2>/dev/null) || :
	[ -n "$1" ] || return
	[ -z "$left" ] || { echo "$left"; return 1; }
}

@test "box: the exit status is the command's" {
	run "$box" sh -c 'exit 7'
	[ "$status" = 7 ]
}

@test "box: standard input reaches the command" {
	run bash -c "echo hello | '$box' cat"
	[ "$output" = hello ]
}

@test "box: what is written below /usr, /etc, /srv, /var and /run vanishes" {
	"$box" sh -c 'for d in /usr /etc /srv /var /run /var/lib/docker; do echo x >$d/quod-was-here; done'
	[ ! -e /srv/quod-was-here ]
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
	run "$box" sh -c 'for dir in /sys/fs/cgroup /sys/fs/cgroup/*/; do
			mkdir $dir/deep 2>/dev/null && echo $$ >$dir/deep/cgroup.procs
		done
		setsid sleep $1 >/dev/null 2>&1 3>&- &
		echo $QUOD_BOX_NAME' sh "$long"
	[ "$status" = 0 ]
	nothing_of "$output"
	is_over
}

@test "box: what is frozen ends with it, too" {
	run "$box" sh -c 'sleep $1 >/dev/null 2>&1 3>&- &
		if [ -d /sys/fs/cgroup/freezer ]; then
			mkdir /sys/fs/cgroup/freezer/cold && echo $! >/sys/fs/cgroup/freezer/cold/cgroup.procs
			echo FROZEN >/sys/fs/cgroup/freezer/cold/freezer.state
		else
			mkdir /sys/fs/cgroup/cold && echo $! >/sys/fs/cgroup/cold/cgroup.procs
			echo 1 >/sys/fs/cgroup/cold/cgroup.freeze
		fi
		echo $QUOD_BOX_NAME' sh "$long"
	[ "$status" = 0 ]
	wait_for 10 is_over
	nothing_of "$output"
}

@test "box: ended from outside, nothing is left" {
	"$box" sh -c 'echo $QUOD_BOX_NAME; sleep $1' sh "$long" >"$BATS_TEST_TMPDIR/out" 3>&- &
	wait_for 30 grep -q quod-box "$BATS_TEST_TMPDIR/out"
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	nothing_of "$(cat "$BATS_TEST_TMPDIR/out")"
	is_over
}

@test "box: killed without a warning, its processes go with it and the next box takes its cgroups" {
	"$box" sh -c 'echo $QUOD_BOX_NAME; sleep $1' sh "$long" >"$BATS_TEST_TMPDIR/out" 3>&- &
	wait_for 30 grep -q quod-box "$BATS_TEST_TMPDIR/out"
	kill -KILL $!
	wait_for 10 is_over
	name=$(cat "$BATS_TEST_TMPDIR/out")
	rmdir "${TMPDIR:-/tmp}/$name"
	wait $! || :
	"$box" true
	nothing_of "$name"
}

@test "box: what dockerd raises for the whole kernel is put back" {
	before=$(cat /proc/sys/kernel/keys/root_maxkeys)
	"$box" sh -c "echo $((before + 1)) >/proc/sys/kernel/keys/root_maxkeys"
	[ "$(cat /proc/sys/kernel/keys/root_maxkeys)" = "$before" ]
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
