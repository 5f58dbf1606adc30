# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # image, name and so on: driver.bash
# containerd's own client: a link per profile by --runc-binary. It knows no volumes and no restart: a volume is a bind, and
# what is restarted is the task of the same container.

# shellcheck source=tests/engines/cni.bash
. "$srcdir/tests/engines/cni.bash"

engine_setup() {
	make_cni_network
	start_containerd
	make_sentence_image "$BATS_FILE_TMPDIR/image.tar"
	ctr images import "$BATS_FILE_TMPDIR/image.tar"
	mkdir -p /run/ctr-logs /run/ctr-exits
}

engine_stop_daemons() { box_stop_engines; }

engine_start() {
	local options=() item
	[ -z "$connected" ] || options+=(--cni)
	[ "$host" != network ] || options+=(--net-host)
	[ "$host" != pid ] || options+=(--with-ns pid:/proc/1/ns/pid)
	[ -z "$user" ] || options+=(--user "$user")
	[ -z "$memory" ] || options+=(--memory-limit "$memory")
	[ -z "$device" ] || options+=(--device "$device")
	[ -z "$privileged" ] || options+=(--privileged)
	for item in "${binds[@]}"; do options+=(--mount "type=bind,src=${item%%:*},dst=${item#*:},options=rbind:rw"); done
	for item in "${annotations[@]}"; do options+=(--label "$item"); done
	for item in "${environment[@]}"; do options+=(--env "$item"); done
	rm -f "/run/ctr-logs/$name" "/run/ctr-exits/$name"
	ctr run -d --runc-binary "/usr/bin/quod-$profile" --log-uri "file:///run/ctr-logs/$name" "${options[@]}" "$image" "$name" \
		"${command[@]}"
}

engine_exec() {
	local name=$1
	shift
	ctr tasks exec --exec-id "exec-$RANDOM$RANDOM" "$name" "$@"
}

engine_pause() { ctr tasks pause "$1"; }
engine_resume() { ctr tasks resume "$1"; }
engine_signal() { ctr tasks kill --signal "$2" "$1"; }
engine_logs() { cat "/run/ctr-logs/$1"; }
engine_id() { echo "$1"; }

task_status() {
	ctr tasks ls | awk -v name="$1" '$1 == name { print tolower($3) }'
}

# The exit code is told once, when the task is removed.
remove_task() {
	local said
	said=$(ctr tasks rm "$1" 2>&1) || :
	sed -n 's/.*exit code \([0-9]*\).*/\1/p' <<<"$said" >"/run/ctr-exits/$1"
	[ -s "/run/ctr-exits/$1" ] || echo 0 >"/run/ctr-exits/$1"
}

engine_status() {
	local status
	status=$(task_status "$1")
	if [ "$status" = stopped ]; then
		remove_task "$1"
		status=''
	fi
	if [ -z "$status" ] && [ -f "/run/ctr-exits/$1" ]; then
		status="exited $(cat "/run/ctr-exits/$1")"
	fi
	echo "$status"
}

has_stopped() { [[ $(engine_status "$1") == exited* ]]; }

engine_stop() {
	ctr tasks kill "$1"
	wait_for 10 has_stopped "$1" || { ctr tasks kill -s KILL "$1" && wait_for 10 has_stopped "$1"; }
}

engine_restart() {
	case $(task_status "$1") in
	running | paused) ctr tasks kill -s KILL "$1";;
	esac
	wait_for 10 has_stopped "$1"
	rm -f "/run/ctr-exits/$1"
	ctr tasks start -d --log-uri "file:///run/ctr-logs/$1" "$1"
}

engine_remove() {
	ctr containers info "$1" >/dev/null 2>&1 || return 0
	case $(task_status "$1") in
	running | created | paused)
		ctr tasks resume "$1" 2>/dev/null || :
		ctr tasks kill -s KILL "$1" || :
		wait_for 10 has_stopped "$1";;
	stopped) remove_task "$1";;
	esac
	ctr containers rm "$1"
}

engine_lacks() {
	case $1 in
	privileged-exec | update | volumes) true;;
	user) ! ctr run --help | grep -q -e '--user ';;
	*) false;;
	esac
}
