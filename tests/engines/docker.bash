# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # image, name and so on: driver.bash
# Docker: a link per profile as a runtime of its own.

engine_setup() {
	box_start_engines "$@"
	make_sentence_image "$BATS_FILE_TMPDIR/image.tar"
	docker load -q -i "$BATS_FILE_TMPDIR/image.tar"
	# what it keeps from its first container of the host's network on
	docker run --rm --runtime bare --network host "$image" true
}

engine_stop_daemons() { box_stop_engines; }

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
	docker run -d --runtime "quod-$profile" --name "$name" "${options[@]}" "$image" "${command[@]}"
}

engine_exec() { docker exec "$@"; }
engine_exec_privileged() { docker exec --privileged "$@"; }
engine_update_memory() { docker update --memory "$2" --memory-swap "$2" "$1"; }
engine_pause() { docker pause "$1"; }
engine_resume() { docker unpause "$1"; }
engine_signal() { docker kill --signal "$2" "$1"; }
engine_stop() { docker stop "$1"; }
engine_restart() { docker restart -t 0 "$1"; }
engine_logs() { docker logs "$1" 2>&1; }
engine_id() { docker inspect --format '{{.Id}}' "$1"; }

engine_remove() {
	! docker inspect "$1" >/dev/null 2>&1 || docker rm -f -v "$1" >/dev/null
}

engine_status() {
	docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$1" | sed '/^exited/!s/ .*//'
}

# --annotation came with API 1.43
engine_lacks() {
	[ "$1" = annotations ] && ! docker run --help | grep -q -e --annotation
}
