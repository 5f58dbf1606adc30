# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For live tests (and those offline ones that want a profile or a bundle): a busybox root, bundles, images without a registry,
# quod installed, engines started. What changes the machine works only in tests/box: tests/run puts each file of
# tests/live into one; by hand: tests/box bats tests/live/FILE.bats.

srcdir=${srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
builddir=${builddir:-$srcdir}

need_box() {
	[ "${QUOD_BOX-}" = 1 ] && return
	echo "this changes the machine it runs on: tests/box bats $BATS_TEST_FILENAME" >&2
	return 1
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; prints its last output when it doesn't.
wait_for() {
	local last until=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until last=$("$@" 2>&1); do
		if [ "${EPOCHREALTIME/./}" -ge "$until" ]; then
			printf 'not in time: %s\n%s\n' "$*" "$last" >&2
			return 1
		fi
		sleep 0.05
	done
}

# both_runtimes COMMAND...: under runc, then under crun; each ends with the file's own `end_runtime`, where it has one.
# COMMAND fails the test by itself: in a condition (behind && or ||, after if) its assertions would not count.
both_runtimes() {
	local runtime
	for runtime in runc crun; do
		echo "under $runtime"
		"$@"
		[ "$(type -t end_runtime)" != function ] || end_runtime
	done
}

# Milliseconds that COMMAND took, into $took_ms; its status is kept.
timed() {
	local begin=${EPOCHREALTIME/./} status=0
	"$@" || status=$?
	took_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	return "$status"
}

# --- quod ---

# As a user installs it, into this box's /usr.
install_quod() {
	need_box || return
	[ "${QUOD_INSTALLED-}" != 1 ] || return 0 # tests/vm did
	make -s -C "$builddir" --no-print-directory install >"${BATS_FILE_TMPDIR:-$scratch}/install.log" 2>&1 ||
		{ cat "${BATS_FILE_TMPDIR:-$scratch}/install.log"; return 1; }
}

# write_profile NAME <JSON: the administrator's profile of that name, and the link quod-NAME.
write_profile() {
	need_box || return
	mkdir -p /etc/quod/profiles
	cat >"/etc/quod/profiles/$1.json"
	ln -sfn quod "/usr/bin/quod-$1"
}

# write_config <JSON: the host configuration.
write_config() {
	need_box || return
	mkdir -p /etc/quod
	cat >/etc/quod/quod.json
}

# --- bundles and images ---

# make_rootfs DIR: a small root directory with a shell and the usual commands (busybox).
make_rootfs() {
	mkdir -p "$1"/{bin,dev,etc,home/user,proc,root,run,sys,tmp,usr/bin,var/cache,var/tmp,workspace}
	chmod 1777 "$1/tmp" "$1/var/tmp"
	chown 1000:1000 "$1/home/user" 2>/dev/null || :
	cp /bin/busybox "$1/bin/busybox"
	"$1/bin/busybox" --install "$1/bin" 2>/dev/null || : # one process makes all links; those that are there stay
	ln -sfn /bin/env "$1/usr/bin/env"
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' >"$1/etc/group"
}

# make_bundle DIR [JQ-FILTER]: what `runc spec` writes, with a busybox root, no terminal and `sh -c true`, then filtered.
make_bundle() {
	make_rootfs "$1/rootfs"
	(cd "$1" && rm -f config.json && runc spec) || return
	edit_bundle "$1" '.process.terminal = false | .process.args = ["sh", "-c", "true"]' || return
	[ -z "${2-}" ] || edit_bundle "$1" "$2"
}

# edit_bundle DIR JQ-FILTER
edit_bundle() {
	jq "$2" "$1/config.json" >"$1/config.json.new" && mv "$1/config.json.new" "$1/config.json"
}

image_architecture() {
	case $(uname -m) in
	x86_64) echo amd64;;
	aarch64) echo arm64;;
	*) uname -m;;
	esac
}

# make_image NAME:TAG DIR OUT.tar [CONFIG]: a docker-archive of one layer, which docker, ctr and podman load. CONFIG is
# the image's "config" member: {"Env":["A=b"],"Cmd":["sh"]}.
make_image() {
	local name=$1 root=$2 out=$3 config=${4:-'{}'} work layer conf
	work=$(mktemp -d)
	tar --create --file="$work/layer.tar" --sort=name --numeric-owner --mtime=@0 --directory="$root" . || return
	layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
	mv "$work/layer.tar" "$work/$layer.tar"
	printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}' \
		"$(image_architecture)" "$config" "$layer" >"$work/config.json"
	conf=$(sha256sum "$work/config.json" | cut -d' ' -f1)
	mv "$work/config.json" "$work/$conf.json"
	printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["%s.tar"]}]' "$conf" "$name" "$layer" >"$work/manifest.json"
	tar --create --file="$out" --directory="$work" "$conf.json" "$layer.tar" manifest.json || return
	rm -rf "$work"
}

# --- engines ---

# start_containerd: on its default paths.
start_containerd() {
	need_box || return
	mkdir -p /run/containerd
	containerd >/run/containerd.log 2>&1 3>&- &
	echo $! >/run/containerd.started
	wait_for 20 ctr version || { cat /run/containerd.log; return 1; }
}

# start_dockerd [PROFILE...]: on its default paths, with the runtimes bare and bare-crun (runc and crun alone), quod,
# quod-crun (quod over crun), and for each PROFILE quod-PROFILE (by link) and quod-args-PROFILE (by argument).
start_dockerd() {
	need_box || return
	local profile runtimes
	runtimes="\"bare\": {\"path\": \"$(command -v runc)\"}, \"quod\": {\"path\": \"/usr/bin/quod\"}"
	if command -v crun >/dev/null; then
		runtimes+=", \"bare-crun\": {\"path\": \"$(command -v crun)\"}"
		runtimes+=', "quod-crun": {"path": "/usr/bin/quod", "runtimeArgs": ["--runtime=crun"]}'
	fi
	for profile; do
		ln -sfn quod "/usr/bin/quod-$profile"
		runtimes+=", \"quod-$profile\": {\"path\": \"/usr/bin/quod-$profile\"}"
		runtimes+=", \"quod-args-$profile\": {\"path\": \"/usr/bin/quod\", \"runtimeArgs\": [\"--profile=$profile\"]}"
	done
	mkdir -p /etc/docker
	printf '{"runtimes": {%s}, "storage-driver": "overlay2", "ipv6": true, "fixed-cidr-v6": "fd00:90d::/64"}\n' "$runtimes" \
		>/etc/docker/daemon.json
	dockerd --containerd /run/containerd/containerd.sock >/run/dockerd.log 2>&1 3>&- &
	echo $! >/run/dockerd.started
	wait_for 30 docker version || { cat /run/dockerd.log; return 1; }
}

# box_start_engines [PROFILE...]: in setup_file. They end with the box; box_stop_engines ends them before.
box_start_engines() {
	start_containerd && start_dockerd "$@"
}

box_stop_engines() {
	local file pid
	for file in /run/dockerd.started /run/containerd.started; do
		[ -f "$file" ] || continue
		pid=$(cat "$file")
		kill "$pid" 2>/dev/null || :
		wait_for 15 is_gone "$pid"
		rm -f "$file"
	done
}

is_gone() {
	! kill -0 "$1" 2>/dev/null
}

# docker_load_busybox: the image quod.test/busybox:1.
docker_load_busybox() {
	make_rootfs "$BATS_FILE_TMPDIR/image"
	make_image quod.test/busybox:1 "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/image.tar" '{"Env":["PATH=/bin:/usr/bin"],"Cmd":["sh"]}'
	docker load -q -i "$BATS_FILE_TMPDIR/image.tar"
}

# leftovers: what containers leave in this box: quod's live state, cgroups of engines and runtimes, mounts of containers,
# processes that are neither the engines nor ours. Sorted, to be compared with what was there before.
leftovers() {
	{
		find /run/quod -mindepth 1 2>/dev/null
		# crun keeps compiled filters beside its containers
		find /run/runc /run/crun /run/docker/runtime-runc /run/containerd/runc -mindepth 2 2>/dev/null | grep -v '/\.cache'
		find /sys/fs/cgroup -mindepth 2 -type d 2>/dev/null
		awk '{ print "mount " $5 }' /proc/self/mountinfo
		ps -eo comm= | grep -E 'quod|runc|crun|containerd-shim'
	} | sort
}
