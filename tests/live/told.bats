#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What a container reads about itself at /run/quod, under runc, crun and Docker.

load ../helpers

setup_file() {
	install_quod
	write_profile told <<-'J'
		{ "version": 1, "extends": "balanced", "budgets": { "wall": "1h", "cpu": "unlimited", "egress": "10M" },
		  "egress": { "allow": ["10.20.0.0/16:5432"] } }
	J
	write_profile soon <<-'J'
		{ "version": 1, "extends": "balanced", "budgets": { "wall": "2s", "grace": "0s", "on_exhausted": "stop" } }
	J
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle"
}

run_in() { # COMMAND-TEXT
	edit_bundle "$bundle" ".process.args = [\"sh\", \"-c\", $(jq -n --arg c "$1" '$c')]"
}

# Of a `run` of crun's the next create takes away what quod keeps.
is_clean() {
	[ "$runtime" = crun ] || [ -z "$(ls -A /run/quod/containers)" ]
}

tells() {
	run quod --profile told --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	jq -e '.profile == "told" and .warn == [] and .budgets.wall_ms.limit == 3600000 and .budgets.wall_ms.left <= 3600000 and
		.budgets.wall_ms.left > 3400000 and .budgets.cpu_ms == {"limit": "unlimited", "left": "unlimited"} and
		.budgets.egress_bytes == {"limit": 10485760, "left": 10485760} and (.deadline | test("^20..-.*Z$")) and
		(.egress.allow | contains(["10.20.0.0/16:5432", "registry.npmjs.org"])) and .limits.memory_bytes == 4294967296 and
		.limits.tmpfs_bytes["/tmp"] == 1073741824' <<<"$output"
	wait_for 20 is_clean
}
# bats test_tags=v2
@test "told: limits.json says limits, budgets, what is left of them and what may be reached" {
	run_in 'cat /run/quod/limits.json'
	both_runtimes tells
}

is_held() {
	run quod --profile told --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "0 /run/quod/denied.jsonl" ]
	[ "${lines[1]}" = "still there" ]
	[[ ${lines[2]} == *" /run/quod "*ro,nosuid,nodev,noexec* ]]
	[ "${#lines[@]}" = 3 ]
	wait_for 20 is_clean
	[ ! -e "$bundle/rootfs/run/quod" ]
}
@test "told: nobody inside can change it, and nothing of it is left in the image" {
	run_in 'cd /run/quod; wc -c /run/quod/denied.jsonl; rm -rf limits.json denied.jsonl 2>/dev/null; echo x 2>/dev/null >limits.json;
		touch new 2>/dev/null && echo new; chmod 777 . 2>/dev/null && echo changed; mv /run/quod /run/q 2>/dev/null && echo moved
		[ -s limits.json ] && echo still there; grep /run/quod /proc/self/mountinfo'
	edit_bundle "$bundle" '.process.capabilities[] |= . + ["CAP_DAC_OVERRIDE", "CAP_FOWNER"]'
	both_runtimes is_held
}

@test "told: a user without rights reads it too" {
	run_in 'grep -c egress_bytes /run/quod/limits.json; ls /run/quod'
	edit_bundle "$bundle" '.process.user = {"uid": 1000, "gid": 1000}'
	run quod --profile told run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$(printf '1\ndenied.jsonl\nlimits.json')" ]
}

warns() {
	rm -rf /var/log/quod /var/lib/quod/*
	run quod --profile soon --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	grep -q '^{.*"warn":\["wall 80%"\]' <<<"$output"
	grep -q '^{.*"warn":\["wall 95%"\]' <<<"$output"
	# and in the trail, once each
	[ "$(jq -r 'select(.event == "budget.warn" and .budget == "wall") | .percent' /var/log/quod/audit.jsonl | paste -sd' ')" = "80 95" ]
	# a reader never sees half: each line is whole, and of one length
	[ "$(awk '{ print length }' <<<"$output" | sort -u | wc -l)" = 1 ]
	jq -e . >/dev/null <<<"$output"
}
@test "told: at 80 % and 95 % of a budget it says so, at once" {
	run_in 'while :; do cat /run/quod/limits.json; usleep 20000; done'
	both_runtimes warns
}

@test "told: what is left is rewritten while the container runs" {
	run_in 'cat /run/quod/limits.json; sleep 4; cat /run/quod/limits.json'
	run quod --profile told run --bundle "$bundle" c1
	[ "$status" = 0 ]
	jq -e -s '.[0].budgets.wall_ms.left - .[1].budgets.wall_ms.left > 1500 and .[1].updated_s > .[0].updated_s' <<<"$output"
}

@test "told: a tmpfs of the user's at /run carries it, a mount at its place is refused" {
	edit_bundle "$bundle" '.mounts += [{"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]}]'
	run_in 'grep -c wall_ms /run/quod/limits.json'
	run quod --profile told run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = 1 ]
	edit_bundle "$bundle" '.mounts += [{"destination": "/run/../run/quod/", "type": "tmpfs", "source": "tmpfs"}]'
	run quod --profile told run --bundle "$bundle" c1
	[ "$status" = 1 ]
	edit_bundle "$bundle" '.mounts[-1].destination = "/run//quod/x"'
	run quod --profile told run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"/run/quod/x is quod's own place (mounts.allow)"* ]]
}

@test "told: under Docker it is there, and verify finds no mount that wasn't planned" {
	box_start_engines told
	docker_load_busybox
	docker run -d --name t1 --runtime quod-told quod.test/busybox:1 sleep 60
	run docker exec t1 cat /run/quod/limits.json
	echo "$output"
	[ "$status" = 0 ]
	jq -e '.profile == "told" and .budgets.wall_ms.left > 0' <<<"$output"
	run quodctl verify --json "$(docker inspect -f '{{.Id}}' t1)"
	docker rm -f t1
	box_stop_engines
	jq -e '[.[0].controls[] | select(.key == "mounts.allow") | .verdict] == ["proven"]' <<<"$output"
}
