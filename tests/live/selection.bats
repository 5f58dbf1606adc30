#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Which profile a container gets, who may tighten it, and that the tightened one is what holds: on raw bundles, real runtimes.

load ../helpers

setup_file() {
	install_quod
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
}

setup() {
	rm -rf /etc/quod /srv/site
	bundle=$BATS_TEST_TMPDIR/bundle
	make_bundle "$bundle" '.process.args = ["sh", "-c", "echo profile $QUOD_PROFILE; ulimit -n"] |
		.process.rlimits = [{"type": "RLIMIT_NOFILE", "hard": 1000, "soft": 1000}]'
	mkdir -p /srv/site/web/src /srv/site/api
	write_profile wide <<-'J'
		{ "version": 1, "extends": "balanced", "egress": { "allow": ["10.0.0.0/8:443", "192.0.2.7:80"] },
		  "mounts": { "protect": [], "allow": [ { "source": "/srv/site/**", "destination": "/workspace/**", "readonly": false } ] },
		  "process": { "rlimits": { "nofile": 900 } } }
	J
	write_profile small <<-'J'
		{ "version": 1, "process": { "root": true, "rlimits": { "nofile": 64 } }, "egress": { "allow": ["10.1.0.0/16:1-65535"] } }
	J
	# neither has the seven paths that balanced protects: what this version can't hold is refused
	sed -i 's/"extends": "balanced", //; s/"process": {/"process": { "root": true,/' /etc/quod/profiles/wide.json
	write_config <<<'{ "version": 1, "default_profile": "wide", "selectable": ["small"] }'
}

teardown() {
	quod delete --force c1 2>/dev/null || :
	quod --root /run/containerd/runc/k8s.io delete --force c1 2>/dev/null || :
	rm -rf /run/quod/containers/*
}

annotate() { # KEY VALUE
	edit_bundle "$bundle" ".annotations[\"$1\"] = $(jq -n --arg v "$2" '$v')"
}

mount_workspace() { # SOURCE [OPTION]
	edit_bundle "$bundle" ".mounts += [{\"destination\": \"/workspace\", \"type\": \"bind\", \"source\": \"$1\", \"options\": [\"bind\", \"${2:-rw}\"]}]"
}

# ran PROFILE NOFILE: the container runs under it, with that limit.
ran() {
	run quod run --bundle "$bundle" c1
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$output" = "profile $1"$'\n'"$2" ] || { echo "got: $output"; return 1; }
}

refused() { # TEXT
	run quod run --bundle "$bundle" c1
	[ "$status" = 1 ] || { echo "status $status: $output"; return 1; }
	[[ $output == *"$1"* ]] || { echo "got: $output"; return 1; }
	[ -z "$(ls -A /run/quod/containers 2>/dev/null)" ]
}

chosen() { # what explain says: chosen_by and tightened_by
	quodctl --json explain "$bundle" | jq -c '[.chosen_by] + .tightened_by'
}

# flips: quod.json rules
# flips: quod.json selectable
@test "selection: the default, a rule, a wish, the administrator's word" {
	ran wide 900
	[ "$(chosen)" = '["default_profile"]' ]
	write_config <<<'{ "version": 1, "default_profile": "wide", "rules": [ { "match": { "user": 12 }, "profile": "wide" },
		{ "match": { "user": 0 }, "profile": "small" } ] }'
	ran small 64
	[ "$(chosen)" = '["rules/1"]' ]
	annotate quod.dev/profile wide
	refused "'wide' can't be asked for; what may be: nothing (selectable)"
	write_config <<<'{ "version": 1, "rules": [ { "match": { "user": 0 }, "profile": "small" } ], "selectable": ["wide"] }'
	ran wide 900
	[ "$(chosen)" = '["annotation quod.dev/profile"]' ]
	run quod --profile small run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"the administrator has chosen the profile"* ]]
}

@test "selection: in a user namespace a rule's user is who made it" {
	write_config <<<'{ "version": 1, "default_profile": "wide", "rules": [ { "match": { "user": 1000 }, "profile": "small" } ] }'
	mkdir -p /srv/user
	cp -r "$bundle" /srv/user/
	chown -R 1000:1000 /srv/user
	run setpriv --reuid=1000 --regid=1000 --clear-groups env XDG_RUNTIME_DIR=/srv/user XDG_STATE_HOME=/srv/user \
		unshare --user --map-root-user quodctl --json explain /srv/user/bundle
	echo "$output"
	jq -e '.chosen_by == "rules/0" and .profile == "small"' <<<"$output"
	[ "$(chosen)" = '["default_profile"]' ]
	rm -rf /srv/user
}

@test "selection: a rule for a workspace looks where its source really lies" {
	write_config <<<'{ "version": 1, "default_profile": "small",
		"rules": [ { "match": { "workspace": "/srv/site/web/**" }, "profile": "wide" } ] }'
	ran small 64
	mount_workspace /srv/site/web
	ran wide 900
	ln -s ../api /srv/site/web/link
	edit_bundle "$bundle" '.mounts[-1].source = "/srv/site/web/link"'
	refused "host path /srv/site/api is not allowed at /workspace (mounts.allow)"
	edit_bundle "$bundle" '.mounts[-1].source = "/srv/site/web" | .mounts[-1].destination = "/elsewhere"'
	refused "refused by profile 'small'"
}

@test "selection: an annotation says no namespace where no Kubernetes calls" {
	write_config <<<'{ "version": 1, "default_profile": "small",
		"rules": [ { "match": { "namespace": "kube-system" }, "profile": "unmanaged" } ] }'
	annotate io.kubernetes.cri.sandbox-namespace kube-system
	ran small 64
	# by the root that containerd's CRI gives, it does
	run quod --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1
	[ "$output" = $'profile\n1000' ]
}

@test "selection: what a rule leaves unmanaged is handed on untouched, and recorded" {
	write_config <<<'{ "version": 1, "rules": [ { "match": { "user": 0 }, "profile": "unmanaged" } ] }'
	edit_bundle "$bundle" '.process.args = ["sleep", "100"]'
	quod create --bundle "$bundle" c1 >/dev/null 2>&1 </dev/null
	[ "$(jq -r .bundle /run/runc/c1/state.json 2>/dev/null || runc state c1 | jq -r .bundle)" != "" ]
	[ "$(runc state c1 | jq -r .bundle)" = "$(realpath "$bundle")" ]
	jq -e '.profile == "unmanaged" and .chosen_by == "rules/0" and .profile_json == {}' /run/quod/containers/*/record.json
	quod start c1
	[ "$(quod exec c1 sh -c 'ulimit -n')" = 1000 ]
	[ "$(quodctl --json ps | jq -r '.[0].profile')" = unmanaged ]
	run quodctl verify c1
	[ "$status" = 2 ]
	[[ $output == *"nothing is promised"* ]]
	quod delete --force c1
	[ -z "$(ls -A /run/quod/containers)" ]
	tail -n1 /var/log/quod/audit.jsonl | jq -e '.event == "create" and .profile == "unmanaged"'
}

@test "selection: only a rule says unmanaged, and nobody marks such a container" {
	annotate quod.dev/profile unmanaged
	refused "'unmanaged' can't be asked for"
	run quod --profile unmanaged run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"only a rule of quod.json may leave a container as it is"* ]]
	edit_bundle "$bundle" 'del(.annotations) | .process.env += ["QUOD_PROFILE=unmanaged"]'
	refused "only a rule of quod.json may leave a container as it is"
	write_config <<<'{ "version": 1, "rules": [ { "match": { "user": 0 }, "profile": "unmanaged" } ] }'
	annotate quod.dev/applied-profile wide
	refused "this container is left as it is"
}

@test "selection: QUOD_PROFILE of the image can only tighten" {
	edit_bundle "$bundle" '.process.env += ["QUOD_PROFILE=small"]'
	ran wide 64
	[ "$(chosen)" = '["default_profile","QUOD_PROFILE small"]' ]
	write_config <<<'{ "version": 1, "default_profile": "small" }'
	edit_bundle "$bundle" '.process.env[-1] = "QUOD_PROFILE=wide"'
	ran small 64
	edit_bundle "$bundle" '.process.env[-1] = "QUOD_PROFILE=nowhere"'
	refused "refused by profile 'small': QUOD_PROFILE nowhere: there is no profile 'nowhere'"
	edit_bundle "$bundle" '.process.env[-1] = "QUOD_PROFILE=../../tmp/x"'
	refused "is no profile's name"
}

@test "selection: the project's own file tightens, and never widens" {
	mount_workspace /srv/site/web
	ran wide 900
	echo '{ "version": 1, "process": { "rlimits": { "nofile": 32 } } /* enough */ }' >/srv/site/web/.quod.json
	ran wide 32
	[ "$(chosen)" = '["default_profile","/srv/site/web/.quod.json"]' ]
	echo '{ "version": 1, "process": { "rlimits": { "nofile": 99999 }, "capabilities": ["CAP_SYS_ADMIN"] },
		"seccomp": { "floor": false }, "mounts": { "allow": [ { "source": "/**", "destination": "/**", "readonly": false } ] } }' \
		>/srv/site/web/.quod.json
	ran wide 900
	edit_bundle "$bundle" '.process.args = ["grep", "CapBnd", "/proc/self/status"]'
	run quod run --bundle "$bundle" c1
	[ "$output" = $'CapBnd:\t0000000000000000' ]
	mkdir -p /srv/secret
	edit_bundle "$bundle" '.mounts += [{"destination": "/s", "type": "bind", "source": "/srv/secret", "options": ["bind"]}]'
	refused "host path /srv/secret is not allowed at /s"
}

@test "selection: a project can have its workspace read-only, or not at all" {
	mount_workspace /srv/site/web
	edit_bundle "$bundle" '.process.args = ["sh", "-c", "touch /workspace/x && echo written"]'
	run quod run --bundle "$bundle" c1
	[ "$output" = written ]
	echo '{ "version": 1, "mounts": { "allow": [ { "source": "/srv/**", "destination": "/workspace" } ] } }' >/srv/site/web/.quod.json
	run quod run --bundle "$bundle" c1
	[[ $output == *"Read-only file system"* ]]
	echo '{ "version": 1, "mounts": { "allow": [] } }' >/srv/site/web/.quod.json
	refused "host path /srv/site/web is not allowed at /workspace"
}

@test "selection: a project's word that is no good refuses the container" {
	mount_workspace /srv/site/web
	echo '{ "version": 1, "budget": {} }' >/srv/site/web/.quod.json
	refused "/srv/site/web/.quod.json:1: /budget: unknown key 'budget'"
	echo '{ "version": 1, "extends": "small" }' >/srv/site/web/.quod.json
	refused "extends is not a project's own to say"
	echo '{ "version": 1, "process": { "env": { "set": { "LD_PRELOAD": "/workspace/x" } } } }' >/srv/site/web/.quod.json
	refused "process.env.set is not a project's own to say"
	ln -sf /etc/quod/profiles/small.json /srv/site/web/.quod.json
	refused "/srv/site/web/.quod.json"
	rm /srv/site/web/.quod.json
	mkfifo /srv/site/web/.quod.json
	refused "is no regular file"
	rm /srv/site/web/.quod.json
	# of a workspace that is only read nobody asks
	echo nonsense >/srv/site/web/.quod.json
	edit_bundle "$bundle" '.mounts[-1].options = ["bind", "ro"]'
	ran wide 900
}

@test "selection: annotations tighten, and what widens has no effect" {
	annotate quod.dev/process.rlimits '{"nofile": 48}'
	ran wide 48
	[ "$(chosen)" = '["default_profile","annotation quod.dev/process.rlimits"]' ]
	annotate quod.dev/process.rlimits '{"nofile": 4096}'
	ran wide 900
	annotate quod.dev/budgets.wal 1h
	refused "quod.dev/budgets.wal is no annotation that quod knows"
	edit_bundle "$bundle" 'del(.annotations)'
	annotate quod.dev/budgets.wall soon
	refused "annotation quod.dev/budgets.wall"
}

@test "selection: a wall budget by annotation ends the container" {
	annotate quod.dev/budgets.wall 1s
	edit_bundle "$bundle" '.process.args = ["sleep", "60"]'
	timed quod run --bundle "$bundle" c1 || :
	[ "$took_ms" -lt 20000 ]
	annotate quod.dev/budgets.wall 9h
	[ "$(quodctl --json explain "$bundle" | jq -r .resolved.budgets.wall)" = 1h ]
}

# flips: layers
@test "selection: the network of a tightened container is what both allow" {
	edit_bundle "$bundle" '.process.env += ["QUOD_PROFILE=small"] | .process.args = ["sleep", "100"]'
	quod create --bundle "$bundle" c1 >/dev/null 2>&1 </dev/null
	nsenter -t "$(runc state c1 | jq .pid)" -n nft list table inet quod >"$BATS_TEST_TMPDIR/table"
	grep -q '10\.1\.0\.0' "$BATS_TEST_TMPDIR/table"
	run grep -E '192\.0\.2\.7|10\.0\.0\.0|10\.255' "$BATS_TEST_TMPDIR/table"
	[ "$status" = 1 ]
	jq -e '.tightened_by == ["QUOD_PROFILE small"] and (.profile_json.layers | length) == 2' /run/quod/containers/*/record.json
	tail -n1 /var/log/quod/audit.jsonl | jq -e '.chosen_by == "default_profile" and .tightened_by == ["QUOD_PROFILE small"]'
	[ "$(runc state c1 | jq -r '.annotations["quod.dev/applied-profile"]')" = wide ]
	[ "$(runc state c1 | jq -r '.annotations["quod.dev/profile-digest"]')" = "$(jq -r .digest /run/quod/containers/*/record.json)" ]
	quod start c1
	quodctl verify c1
	quod exec c1 cat /run/quod/limits.json | jq -e '.egress | (.allow + .and[0] | sort) ==
		["10.0.0.0/8:443", "10.1.0.0/16:1-65535", "192.0.2.7:80"]'
	# a later process is held to the same
	[ "$(quod exec c1 sh -c 'ulimit -n')" = 64 ]
	quod delete --force c1
}

@test "selection: profiles that can't be combined refuse the container" {
	write_profile other <<<'{ "version": 1, "process": { "root": true, "env": { "set": { "A": "1" } } } }'
	write_profile wide <<<'{ "version": 1, "process": { "root": true, "env": { "set": { "A": "2" } } } }'
	edit_bundle "$bundle" '.process.env += ["QUOD_PROFILE=other"]'
	refused "tightened by QUOD_PROFILE other: process.env.set: A: '2' and '1' can't both hold"
}

# flips: runtime
@test "runtime: a profile's own is executed, and later commands find the container" {
	write_profile crunned <<<'{ "version": 1, "runtime": ["nowhere", "crun"], "process": { "root": true } }'
	edit_bundle "$bundle" '.process.args = ["sleep", "100"]'
	quod --profile crunned create --bundle "$bundle" c1 >/dev/null 2>&1 </dev/null
	[ "$(crun state c1 | jq -r .status)" = created ]
	run runc state c1
	[ "$status" != 0 ]
	jq -e '.runtime == "/usr/bin/crun" and .runtime_root == "/run/crun"' /run/quod/containers/*/record.json
	quod start c1
	[ "$(quod state c1 | jq -r .status)" = running ]
	quod delete --force c1
	run crun state c1
	[ "$status" != 0 ]
	[ -z "$(ls -A /run/quod/containers)" ]
	run quod --profile crunned --runtime runc run --bundle "$bundle" c1
	[ "$status" = 1 ]
	[[ $output == *"--runtime runc is not one that it executes (runtime)"* ]]
	write_profile crunned <<<'{ "version": 1, "runtime": ["nowhere"] }'
	run quod --profile crunned run --bundle "$bundle" c1
	[[ $output == *"no runtime: nowhere"* ]]
}

# flips: quod.json require_safe_runtime
@test "runtime: one with a known escape is refused where quod.json says so" {
	cat >/usr/local/sbin/runc-test <<-'S'
		#!/bin/sh
		[ "$1" = --version ] && { echo "runc version $(cat /srv/site/version)"; exit; }
		exec runc "$@"
	S
	chmod 755 /usr/local/sbin/runc-test
	write_config <<<'{ "version": 1, "default_profile": "wide", "runtime": ["runc-test"], "require_safe_runtime": true }'
	echo 1.2.7 >/srv/site/version
	refused "runtime /usr/local/sbin/runc-test, runc version 1.2.7, has known escapes: CVE-2025-31133"
	echo 1.4.0 >/srv/site/version
	ran wide 900
	echo new >/srv/site/version
	refused "its version can't be told"
}

# flips: quod.json ledger.keep
@test "ledger: old ones go once an hour" {
	mkdir -p /var/lib/quod/ledger
	ran wide 900
	local old=/var/lib/quod/ledger/$(printf %040d 1) new=/var/lib/quod/ledger/$(printf %040d 2)
	touch -d '3 days ago' "$old"
	touch -d '20 hours ago' "$new"
	touch -d '2 hours ago' /run/quod/ledger-pruned
	ran wide 900
	[ -f "$old" ] # it is kept for thirty days
	write_config <<<'{ "version": 1, "default_profile": "wide", "ledger": { "keep": "1d" } }'
	ran wide 900
	[ -f "$old" ] # the last time is no hour ago
	touch -d '2 hours ago' /run/quod/ledger-pruned
	ran wide 900
	[ ! -f "$old" ]
	[ -f "$new" ]
	[ "$(find /run/quod/ledger-pruned -mmin -1)" ]
}
