# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # image, name and so on: driver.bash
# Podman, rootful: a link per profile by its path; no daemon.

export PODMAN_IGNORE_CGROUPSV1_WARNING=1

engine_setup() {
	# nothing here can raise a limit, which Podman's defaults would do
	mkdir -p /etc/containers
	cat >/etc/containers/containers.conf <<-'END'
		[containers]
		default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "runc"
	END
	printf '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
		>/etc/containers/storage.conf
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
	make_sentence_image "$BATS_FILE_TMPDIR/image.tar"
	podman load -q -i "$BATS_FILE_TMPDIR/image.tar"
}

engine_stop_daemons() { :; }

engine_start() {
	local options=() item
	[ -n "$connected" ] || [ "$host" = network ] || options+=(--network none)
	[ -z "$host" ] || options+=("--$host" host)
	[ -z "$user" ] || options+=(--user "$user")
	[ -z "$memory" ] || options+=(--memory "$memory" --memory-swap "$memory")
	[ -z "$device" ] || options+=(--device "$device")
	[ -z "$privileged" ] || options+=(--privileged)
	for item in "${binds[@]}" "${volumes[@]}"; do options+=(--volume "$item"); done
	for item in "${annotations[@]}"; do options+=(--annotation "$item"); done
	for item in "${environment[@]}"; do options+=(--env "$item"); done
	podman --runtime "/usr/bin/quod-$profile" run -d --name "$name" "${options[@]}" "$image" "${command[@]}"
}

engine_exec() { podman exec "$@"; }
engine_exec_privileged() { podman exec --privileged "$@"; }
# From 5 on it also asks for the processes that it began with, 2048: held to the profile's.
engine_update_memory() { podman update --memory "$2" --memory-swap "$2" "$1"; }
engine_pause() { podman pause "$1"; }
engine_resume() { podman unpause "$1"; }
engine_signal() { podman kill --signal "$2" "$1"; }
engine_stop() { podman stop "$1"; }
engine_restart() { podman restart -t 0 "$1"; }
engine_logs() { podman logs "$1" 2>&1; }
engine_id() { podman inspect --format '{{.Id}}' "$1"; }

engine_remove() {
	! podman container exists "$1" || podman rm -f -t 0 -v "$1" >/dev/null
}

engine_status() {
	podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$1" | sed '/^exited/!s/ .*//'
}

engine_lacks() { false; }
