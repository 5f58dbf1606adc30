#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The planned documents of tests/data/plans, as the real runc and crun take them: each case that was accepted and needs no
# more of its engine than a root file system starts. Only the sources of mounts, quod's hook and the program are stood in for.

load ../helpers

setup_file() {
	load ../helpers
	need_box
	make -s -C "$builddir" --no-print-directory tests/unit/test-plans
	mkdir -p "$BATS_FILE_TMPDIR/planned" "$BATS_FILE_TMPDIR/sources"
	"$builddir/tests/unit/test-plans" write "$BATS_FILE_TMPDIR/planned"
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	mkdir -p "$BATS_FILE_TMPDIR/sources/directory"
	: >"$BATS_FILE_TMPDIR/sources/file"
	write_bundles
}

# Hooks and namespaces of others are the engine's; LSM profiles, CPUs, keys of cgroup v2 and the limits that this shell itself has are the host's. A
# file is bound where a file is wanted.
write_bundles() {
	jq -c --argjson nofile "$(ulimit -Hn | sed 's/unlimited/1048576/')" --arg sources "$BATS_FILE_TMPDIR/sources" --arg rootfs "$BATS_FILE_TMPDIR/rootfs" '
		del(.hooks, .linux.cgroupsPath, .process.apparmorProfile, .process.selinuxLabel, .linux.mountLabel)
		| .process.terminal = false | .process.cwd = "/" | .process.args = ["/bin/true"] | .root.path = $rootfs
		| .process.rlimits |= map(select(.type | IN("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_NICE", "RLIMIT_RTPRIO"))
			| if .hard > $nofile then .hard = $nofile | .soft = ([.soft, $nofile] | min) else . end)
		| .linux.namespaces |= map(del(.path))
		| .linux.resources |= del(.cpu.cpus, .cpu.mems, .hugepageLimits, .blockIO, .unified)
		| .mounts |= map(if (.options // []) | any(. == "bind")
			then .source = $sources + (if .destination | test("^/etc/(hosts|hostname|resolv.conf|passwd|group)$|init$|containerenv$|log$|[.]conf$")
				then "/file" else "/directory" end) else . end)
		| [(input_filename | split("/")[-1] | rtrimstr(".json")), .] | @json' "$BATS_FILE_TMPDIR/planned/"{docker,runc,crun,containerd,podman,mount,device,annotation,process}-*.json |
		jq -r . >"$BATS_FILE_TMPDIR/bundles"
}

# What a case needs beyond that, and no bundle here has.
needs_more() { # NAME
	case $1 in
	*-userns* | runc-rootless*) return 0;; # a root file system that belongs to the mapped user
	docker-device-allowed) return 0;; # the host's /dev/fuse
	docker-terminal) return 0;; # a console socket
	docker-seccomp-tiny) return 0;; # a filter with which no program loads
	esac
	return 1
}

# start_all RUNTIME: prints what did not start; sets $started.
start_all() {
	local line name bundle=$BATS_TEST_TMPDIR/bundle
	started=0
	mkdir -p "$bundle"
	while read -r line; do
		name=${line#[\"} name=${name%%\"*}
		! needs_more "$name" || continue
		line=${line#*,}
		printf '%s' "${line%]}" >"$bundle/config.json"
		if ! output=$("$1" run --bundle "$bundle" "plan-$started" 2>&1 </dev/null); then
			echo "$1: $name: $output"
			return 1
		fi
		started=$((started + 1))
	done <"$BATS_FILE_TMPDIR/bundles"
}

@test "plans: runc starts each accepted case" {
	start_all runc
	[ "$started" -ge 100 ]
}

@test "plans: crun starts each accepted case" {
	start_all crun
	[ "$started" -ge 100 ]
}
