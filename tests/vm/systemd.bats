#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers whose cgroup systemd keeps (--systemd-cgroup), under runc and crun: in a scope below a slice, as an engine asks for
# it. Runs in the machine of tests/vm/run itself: a box has a cgroup namespace, and systemd would not find what lies in it.

load ../helpers

setup_file() {
	install_quod
	write_profile short <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "2s", "grace": "1s" } }'
	write_profile long <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "1h", "grace": "10s" } }'
	write_profile frozen <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "1s", "on_exhausted": "freeze" } }'
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle" '.linux.cgroupsPath = "quod-test.slice:try:c1" | .process.args = ["sh", "-c", "sleep 600 & exec sleep 601"]'
	rm -rf /var/log/quod /var/lib/quod/*
}

teardown() {
	local runtime
	for runtime in runc crun; do
		under delete --force c1 || :
	done
} 2>/dev/null

under() {
	quod --systemd-cgroup --runtime "$runtime" "$@"
}

create() { # PROFILE
	under --profile "$1" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &&
		under start c1 || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
}

of_unit() { # PROPERTY
	systemctl show --value -p "$1" try-c1.scope
}

limit() { # FILE: of the container's own cgroup
	cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cgroup")/$1"
}

has_stopped() {
	[ "$(under state c1 | jq -r .status)" = stopped ]
}

is_ended_as() {
	cat /var/lib/quod/ledger/*
	grep -qsx "ended $1" /var/lib/quod/ledger/*
}

no_helper_left() {
	! pgrep -x 'quod-guardian|quod-nursery|quod-gate|quod-warden'
}

each_runtime() {
	for runtime in runc crun; do
		rm -rf /var/log/quod /var/lib/quod/*
		echo "under $runtime"
		"$@"
	done
}

in_scope() {
	create long
	[ "$(of_unit Slice)" = quod-test.slice ]
	[ "$(of_unit ControlGroup)" = /quod.slice/quod-test.slice/try-c1.scope ]
	grep -F "$(of_unit ControlGroup)" "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cgroup" # crun's lies one below
	[ "$(of_unit RuntimeMaxUSec)" = "1h 10min 10s" ]
	[ "$(limit pids.max)" = 512 ]
	[ "$(limit memory.max)" = 4294967296 ]
	run quodctl verify c1
	echo "$output"
	[ "$status" = 0 ]
	under update --memory 104857600 --pids-limit 50 c1
	[ "$(limit memory.max)" = 104857600 ]
	[ "$(limit pids.max)" = 50 ]
	run under update --pids-limit 5000 c1
	echo "$output"
	[[ $output == *"5000 is over the profile's 512 (resources.pids)" ]]
	[ "$(limit pids.max)" = 512 ]
	# whatever makes systemd apply the unit again must not open what the runtime wrote beside it
	[ "$(of_unit MemorySwapMax)" = 0 ]
	systemctl daemon-reload
	systemctl set-property --runtime try-c1.scope CPUWeight=50
	[ "$(limit memory.swap.max)" = 0 ]
	[ "$(limit memory.max)" = 104857600 ]
	[ "$(limit pids.max)" = 512 ]
	# what lives in the scope is no other container's to join
	under --root "$BATS_TEST_TMPDIR/other" --profile long create --bundle "$bundle" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- && return 1
	cat "$BATS_TEST_TMPDIR/out"
	grep -F "/linux/cgroupsPath: cgroup quod-test.slice:try:c1 holds processes already (resources)" "$BATS_TEST_TMPDIR/out"
	under delete --force c1
	wait_for 60 no_helper_left
}
@test "systemd: a container is in its scope with its limits, which ends after the wall budget if nobody else ends it, and no other may join" {
	each_runtime in_scope
}

is_paused() {
	[ "$(under state c1 | jq -r .status)" = paused ]
}

wall_ends() {
	create short
	wait_for 60 has_stopped
	wait_for 60 is_ended_as "wall 2s spent"
	under delete --force c1
}
@test "systemd: the wall budget ends what is in a scope" {
	each_runtime wall_ends
}

freezes() {
	create frozen
	[ "$(of_unit RuntimeMaxUSec)" = infinity ]
	wait_for 60 is_paused
	run under resume c1
	[ "$status" = 1 ]
	under delete --force c1
	wait_for 60 no_helper_left
}
@test "systemd: on_exhausted freeze freezes the scope" {
	each_runtime freezes
}
