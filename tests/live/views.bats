#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What quodctl shows of a host's containers, with real engines: ps, events.

load ../helpers

setup_file() {
	install_quod
	write_profile view <<-'J'
		{ "version": 1, "extends": "balanced", "budgets": { "wall": "1h", "cpu": "30m", "egress": "5M" },
		  "egress": { "allow": ["allowed.test:443"], "verify_name": false } }
	J
	box_start_engines view
	docker_load_busybox
	ctr -n views image import "$BATS_FILE_TMPDIR/image.tar" >/dev/null
	# under quod: one that asks for a name that it may not have, and one of containerd's
	docker run -d --name under --runtime quod-view quod.test/busybox:1 \
		sh -c 'nslookup one.denied.test; nslookup two.denied.test; sleep 600' >"$BATS_FILE_TMPDIR/under"
	ctr -n views run -d --runc-binary /usr/bin/quod quod.test/busybox:1 ctr-under sleep 600
	# not: a runtime that the user named, containerd's default, and a bare runtime's
	docker run -d --name named --network none --runtime bare-crun quod.test/busybox:1 sleep 600 >"$BATS_FILE_TMPDIR/named"
	ctr -n views run -d quod.test/busybox:1 ctr-bare sleep 600
	wait_for 20 was_denied two.denied.test
}

teardown_file() {
	load ../helpers
	docker rm -f under named >/dev/null
	# their shims hold a descriptor of ours
	ctr -n views tasks delete --force ctr-under >/dev/null
	ctr -n views tasks delete --force ctr-bare >/dev/null
	box_stop_engines
}

setup() {
	under=$(cat "$BATS_FILE_TMPDIR/under")
	named=$(cat "$BATS_FILE_TMPDIR/named")
}

was_denied() {
	quodctl --json events | jq -se --arg name "$1" 'any(.event == "dns.refuse" and .name == $name)'
}

# of ID JQ-CONDITION: of what `quodctl --json ps --all` says of it
of() {
	quodctl --json ps --all | tee /dev/stderr | jq -e --arg id "$1" "[.[] | select(.id == \$id)] | length == 1 and (.[0] | $2)"
}

@test "views: ps says what is left of each budget, and how often something was denied" {
	of "$under" '.under_quod and .profile == "view" and .engine == "docker" and .status == "running" and .denied >= 2 and
		.left.wall_ms <= 3600000 and .left.wall_ms > 3000000 and .left.cpu_ms <= 1800000 and .left.egress <= 5242880'
	of ctr-under '.under_quod and .denied == 0'
	run quodctl ps
	echo "$output"
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} == *"EGRESS LEFT  DENIED" ]]
}

@test "views: ps --all lists a container whose user named another runtime" {
	of "$named" '.under_quod == false and .engine == "docker" and .runtime == "crun" and .created > 0'
	[ "$(docker inspect -f '{{.State.Pid}}' named)" = "$(quodctl --json ps --all | jq --arg id "$named" '.[] | select(.id == $id).pid')" ]
	run quodctl ps --all
	echo "$output"
	[[ $output == *"Not under quod:"*"${named:0:12}"*"docker"*"crun"* ]]
	[[ ${output#*Not under} != *"${under:0:12}"* ]]
}

@test "views: ps --all lists those of containerd's default runtime" {
	of ctr-bare '.under_quod == false and .engine == "containerd" and .runtime == "runc" and .seen == "/run/containerd/runc/views/ctr-bare"'
}

@test "views: ps --all lists an image build, which takes runc from PATH" {
	mkdir "$BATS_TEST_TMPDIR/build"
	printf 'FROM quod.test/busybox:1\nRUN sleep 30\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
	DOCKER_BUILDKIT=1 docker build --network none "$BATS_TEST_TMPDIR/build" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- 5>&- 6>&- &
	builder=$!
	wait_for 20 lists_build
	kill "$builder"
}

lists_build() {
	quodctl --json ps --all | jq -e '[.[] | select(.engine == "build")] | length == 1 and .[0].runtime == "runc" and .[0].pid > 0'
}

@test "views: ps --all lists a shim of another kind, and says only that of its name" {
	bash -c 'exec -a /usr/bin/containerd-shim-kata-v2 sh -c "sleep 60 & wait" -namespace k8s.io -id "vm$(printf "\033[31m")1"' 3>&- 4>&- 5>&- 6>&- &
	shim=$!
	wait_for 5 lists_shim
	run quodctl ps --all
	kill $(cat "/proc/$shim/task/$shim/children") "$shim"
	echo "$output"
	[[ $output == *'vm\x1b[31m1'*cri*containerd-shim-kata-v2* ]]
	run grep -c $'\x1b' <<<"$output"
	[ "$output" = 0 ]
}

lists_shim() {
	quodctl --json ps --all | jq -e '[.[] | select(.runtime == "containerd-shim-kata-v2")] | length == 1'
}

@test "views: a container that takes the id of one under quod in another root is listed all the same" {
	make_bundle "$BATS_TEST_TMPDIR/bundle" '.process.args = ["sleep", "60"]'
	runc run -d --bundle "$BATS_TEST_TMPDIR/bundle" ctr-under 3>&- 4>&- 5>&- 6>&-
	run quodctl --json ps --all
	runc delete --force ctr-under
	echo "$output"
	jq -e '[.[] | select(.id == "ctr-under") | .under_quod] == [true, false]' <<<"$output"
}

@test "views: events are those of a container as Docker names it" {
	run quodctl --json events "$under"
	[ "$(jq -r .container <<<"$output" | sort -u)" = "$under" ]
	[ "$(jq -r 'select(.event == "create").profile' <<<"$output")" = view ]
	run quodctl events "${under:0:12}"
	echo "$output"
	[[ $output == *"dns.refuse"*"${under:0:12}"*"name=two.denied.test"* ]]
}

@test "views: a trail that is gone while containers live is missed" {
	cp -a /var/log/quod "$BATS_TEST_TMPDIR/log"
	cp -a /var/lib/quod "$BATS_TEST_TMPDIR/lib"
	rm -rf /var/log/quod/audit.jsonl* /var/lib/quod/audit.head /var/lib/quod/ledger
	run quodctl audit verify
	echo "$output"
	cp -a "$BATS_TEST_TMPDIR/log/." /var/log/quod/
	cp -a "$BATS_TEST_TMPDIR/lib/." /var/lib/quod/
	[ "$status" = 1 ]
	[[ $output == *"the trail and its head are missing, but container "*" is there"* ]]
}
