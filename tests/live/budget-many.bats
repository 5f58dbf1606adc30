#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Many containers at once: one ledger for a pod, bounds that hold for creates side by side; and helpers that stand still.

load ../helpers

setup_file() {
	install_quod
	write_profile pod <<<'{ "version": 1, "extends": "balanced", "resources": { "cpus": "unlimited" }, "budgets": { "cpu": "2s", "grace": "0s", "scope": "pod" } }'
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	mkdir "$BATS_FILE_TMPDIR/plain"
	(cd "$BATS_FILE_TMPDIR/plain" && runc spec)
	edit_bundle "$BATS_FILE_TMPDIR/plain" ".process.terminal = false | .process.args = [\"sleep\", \"600\"] | .root.path = \"$BATS_FILE_TMPDIR/rootfs\""
}

setup() {
	rm -rf /var/log/quod /var/lib/quod/*
	runtime=runc
	cri=()
}

teardown() {
	local id
	rm -f /etc/quod/quod.json
	for id in $(quodctl ps --json | jq -r '.[].id'); do
		quod delete --force "$id" || quod --root /run/pods/k8s.io delete --force "$id"
	done
} 2>/dev/null

bundle_of() { # ID JQ-FILTER
	mkdir -p "$BATS_TEST_TMPDIR/$1"
	jq "$2" "$BATS_FILE_TMPDIR/plain/config.json" >"$BATS_TEST_TMPDIR/$1/config.json"
}

create() { # ID [OPTION...]
	local id=$1
	shift
	quod "${cri[@]}" --runtime "$runtime" "$@" create --bundle "$BATS_TEST_TMPDIR/$id" --pid-file "$BATS_TEST_TMPDIR/$id.pid" "$id" \
		</dev/null >"$BATS_TEST_TMPDIR/$id.out" 2>&1 3>&-
}

start() { quod "${cri[@]}" start "$1"; }

# As containerd's CRI asks for them: a sandbox, and two containers in its network.
pod_member() { # ID SANDBOX-PID JQ-FILTER
	bundle_of "$1" ".annotations = {\"io.kubernetes.cri.container-type\": \"container\", \"io.kubernetes.cri.sandbox-id\": \"s\",
		\"io.kubernetes.cri.sandbox-uid\": \"uid-1\", \"io.kubernetes.cri.container-name\": \"$1\"}
		| (.linux.namespaces[] | select(.type == \"network\")).path = \"/proc/$2/ns/net\" | $3"
}

all_spent() { # WANTED
	[ "$(jq -s '[.[] | select(.event == "exit" and .cause == "cpu 2s spent")] | length' /var/log/quod/audit.jsonl)" = "$1" ]
}

spends_together() {
	cri=(--root /run/pods/k8s.io)
	bundle_of s '.annotations = {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "s", "io.kubernetes.cri.sandbox-uid": "uid-1"}'
	create s --profile pod || { cat "$BATS_TEST_TMPDIR/s.out"; return 1; }
	start s
	for id in a b; do
		pod_member "$id" "$(cat "$BATS_TEST_TMPDIR/s.pid")" '.process.args = ["sh", "-c", "while :; do :; done"]'
		create "$id" --profile pod || { cat "$BATS_TEST_TMPDIR/$id.out"; return 1; }
	done
	start a
	start b
	wait_for 60 all_spent 2
	ls /var/lib/quod/ledger
	[ "$(find /var/lib/quod/ledger -type f ! -name '.*' | wc -l)" = 1 ]
	# the sandbox has spent none of it, and lives on
	[ "$(quod "${cri[@]}" state s | jq -r .status)" = running ]
	[ "$(jq -s '[.[] | select(.event == "exit") | .cpu_us] | add' /var/log/quod/audit.jsonl)" = "$(sed -n 's/^cpu_us //p' /var/lib/quod/ledger/*)" ]
	# a third one of the same pod finds nothing left
	pod_member c "$(cat "$BATS_TEST_TMPDIR/s.pid")" .
	if create c --profile pod; then return 1; fi
	cat "$BATS_TEST_TMPDIR/c.out"
	grep -F 'cpu 2s spent' "$BATS_TEST_TMPDIR/c.out"
	for id in a b s; do
		quod "${cri[@]}" delete --force "$id"
	done
}
@test "many: the containers of a pod spend one budget, its sandbox none of it" {
	for runtime in runc crun; do
		rm -rf /var/log/quod /var/lib/quod/*
		spends_together
	done
}

# COUNT creates at once; prints how many became containers.
at_once() {
	local i pids='' made=0
	for ((i = 0; i < $1; i++)); do
		bundle_of "p$i" .
		create "p$i" & pids+=" $!"
	done
	for i in $pids; do
		if wait "$i"; then made=$((made + 1)); fi
	done
	echo "$made"
}

@test "many: containers.max holds for creates side by side" {
	write_config <<<'{ "version": 1, "containers": { "max": 4, "creates_per_minute": 0 } }'
	for runtime in runc crun; do
		[ "$(at_once 12)" = 4 ]
		[ "$(grep -l 'containers.max' "$BATS_TEST_TMPDIR"/p*.out | wc -l)" = 8 ]
		[ "$(find /run/quod/containers -mindepth 1 -maxdepth 1 | wc -l)" = 4 ]
		for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
			quod delete --force "p$i" || :
		done
	done
}

@test "many: so does creates_per_minute" {
	write_config <<<'{ "version": 1, "containers": { "max": 0, "creates_per_minute": 5 } }'
	rm -rf /run/quod/creates
	[ "$(at_once 12)" = 5 ]
	[ "$(grep -l 'creates_per_minute' "$BATS_TEST_TMPDIR"/p*.out | wc -l)" = 7 ]
}

network_is() { # OUTCOME
	quodctl verify c1 --json | jq -e --arg o "$1" '[.. | objects | select(.key? == "egress.allow") | .verdict] | length > 0 and all(. == $o)'
}

stands_still() { # PROCESS...: stopped, the network closes; going on, it is open again
	kill -STOP "$@"
	wait_for 30 network_is failed
	kill -CONT "$@"
	wait_for 30 network_is proven
}

@test "many: a helper that stands still closes the network until it goes on, and verify says so" {
	for runtime in runc crun; do
		bundle_of c1 .
		create c1 || { cat "$BATS_TEST_TMPDIR/c1.out"; return 1; }
		start c1
		guardian=$(jq .pid /run/quod/containers/*/guardian)
		nursery=$(jq .nursery_pid /run/quod/containers/*/guardian)
		gate=$(ps -o pid= --ppid "$nursery" | tr -d ' ')
		wait_for 30 network_is proven
		stands_still "$guardian"
		stands_still "$gate"
		stands_still "$guardian" "$nursery" "$gate"
		[ "$(quod state c1 | jq -r .status)" = running ]
		quod delete --force c1
	done
}
