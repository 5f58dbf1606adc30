# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # image, name and so on: driver.bash
# containerd's CRI, as a kubelet speaks to it: a RuntimeClass's handler per profile, a pod of one container for each start. The
# sandboxes and containers of NAME stand in /run/cri/NAME.{pod,uid,id,attempt,start}.

# shellcheck source=tests/engines/cni.bash
. "$srcdir/tests/engines/cni.bash"

# cri_config PROFILE...: containerd's configuration, with the handlers bare and quod-PROFILE.
cri_config() {
	local profile
	cri_plain_config
	cat <<-'END'
		[plugins."io.containerd.grpc.v1.cri".containerd]
		default_runtime_name = "bare"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.bare]
		runtime_type = "io.containerd.runc.v2"
	END
	for profile; do
		cat <<-END
			[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.quod-$profile]
			runtime_type = "io.containerd.runc.v2"
			pod_annotations = ["quod.dev/*"]
			container_annotations = ["quod.dev/*"]
			[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.quod-$profile.options]
			BinaryName = "/usr/bin/quod-$profile"
		END
	done
}

engine_setup() {
	make_cni_network
	mkdir -p /etc/containerd /run/cri
	cri_config "$@" >/etc/containerd/config.toml
	start_containerd
	in_background /run/cri-server.log /usr/bin/python3 "$srcdir/tests/engines/cri-server" "$srcdir/tests/engines/cri.proto" \
		/run/containerd/containerd.sock /run/cri/server.sock
	make_sentence_image "$BATS_FILE_TMPDIR/image.tar"
	make_image quod.test/pause:1 "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/pause.tar" \
		'{"Env":["PATH=/bin"],"User":"65535:65535","Entrypoint":["sleep","2147483647"]}'
	ctr -n k8s.io images import "$BATS_FILE_TMPDIR/image.tar"
	ctr -n k8s.io images import "$BATS_FILE_TMPDIR/pause.tar"
	wait_for 30 cri version
}

engine_stop_daemons() {
	stop_background /run/cri-server.log
	box_stop_engines
}

# cri DO [KEY=TEXT | KEY:=JSON]...: one request; prints what came back, its status is ours.
cri() {
	local ask answer item
	ask=$(jq -nc --arg do "$1" '{do: $do}')
	shift
	for item; do
		case ${item%%=*} in
		*:) ask=$(jq -c --arg key "${item%%:=*}" --argjson value "${item#*:=}" '.[$key] = $value' <<<"$ask");;
		*) ask=$(jq -c --arg key "${item%%=*}" --arg value "${item#*=}" '.[$key] = $value' <<<"$ask");;
		esac
	done
	answer=$(socat -t 120 - UNIX-CONNECT:/run/cri/server.sock <<<"$ask") || return 124
	jq -rj '.out' <<<"$answer"
	[ "$(jq -r '.out | endswith("\n") or . == ""' <<<"$answer")" = true ] || echo
	return "$(jq '.status' <<<"$answer")"
}

as_list() { jq -nc '$ARGS.positional' --args -- "$@"; }

# KEY=VALUE... as an object
as_object() { jq -nc '$ARGS.positional | map(index("=") as $at | {key: .[:$at], value: .[$at + 1:]}) | from_entries' --args -- "$@"; }

# SOURCE:DESTINATION...; a volume's name is an emptyDir of the pod NAME
as_mounts() {
	local item
	for item in "${binds[@]}"; do jq -nc --arg s "${item%%:*}" --arg d "${item#*:}" '{source: $s, destination: $d}'; done
	for item in "${volumes[@]}"; do
		mkdir -p "/var/lib/kubelet/pods/$uid/volumes/kubernetes.io~empty-dir/${item%%:*}"
		jq -nc --arg s "/var/lib/kubelet/pods/$uid/volumes/kubernetes.io~empty-dir/${item%%:*}" --arg d "${item#*:}" \
			'{source: $s, destination: $d}'
	done
}

engine_start() {
	local hosts='[]' pod uid=uid-$name-${EPOCHREALTIME/./}
	[ -z "$host" ] || hosts="[\"$host\"]"
	pod=$(cri pod "name=$name" "uid=$uid" "handler=quod-$profile" "host:=$hosts" "privileged:=${privileged:-0}" \
		"annotations:=$(as_object "${annotations[@]}")") || { echo "$pod"; return 1; }
	echo "$pod" >"/run/cri/$name.pod"
	echo "$uid" >"/run/cri/$name.uid"
	jq -nc --arg pod "$pod" --argjson command "$(as_list "${command[@]}")" --argjson mounts "$(as_mounts | jq -sc .)" \
		--argjson env "$(as_object "${environment[@]}")" --argjson hosts "$hosts" --arg user "${user%%:*}" --arg group "${user#*:}" \
		--arg memory "${memory:-0}" --arg device "$device" --arg privileged "$privileged" --arg image "$image" \
		'{do: "container", name: "main", pod: $pod, image: $image, command: $command, mounts: $mounts, env: $env, host: $hosts,
		  memory: $memory, device: $device, privileged: ($privileged != "")} +
		 (if $user == "" then {} else {user: $user, group: $group} end)' >"/run/cri/$name.start"
	start_next 0
}

# start_next ATTEMPT: the container as it was asked for, of that number.
start_next() {
	local answer
	answer=$(jq -c --arg attempt "$1" '.attempt = $attempt' "/run/cri/$name.start" | socat -t 120 - UNIX-CONNECT:/run/cri/server.sock)
	jq -r '.out' <<<"$answer"
	[ "$(jq .status <<<"$answer")" = 0 ] || return 1
	jq -r '.out' <<<"$answer" >"/run/cri/$name.id"
	echo "$1" >"/run/cri/$name.attempt"
}

engine_id() { cat "/run/cri/$1.id"; }

engine_exec() {
	local name=$1
	shift
	cri exec "id=$(engine_id "$name")" "command:=$(as_list "$@")"
}

engine_update_memory() { cri update "id=$(engine_id "$1")" "memory=$2"; }
engine_stop() { cri stop "id=$(engine_id "$1")" seconds=10; }
engine_status() { cri status "id=$(engine_id "$1")"; }
engine_logs() { cut -d' ' -f4- "/var/log/pods/$(cat "/run/cri/$1.uid")/main.$(cat "/run/cri/$1.attempt").log"; }

# Only a kubelet's own kill, by time, is in the interface.
engine_signal() {
	local seconds=10
	[ "$2" = TERM ] || seconds=0
	cri stop "id=$(engine_id "$1")" "seconds=$seconds"
}

engine_restart() {
	local name=$1
	cri stop "id=$(engine_id "$name")" seconds=0
	cri remove "id=$(engine_id "$name")"
	start_next $(($(cat "/run/cri/$name.attempt") + 1))
}

engine_remove() {
	local uid
	[ -f "/run/cri/$1.pod" ] || return 0
	uid=$(cat "/run/cri/$1.uid")
	cri stop-pod "pod=$(cat "/run/cri/$1.pod")" && cri remove-pod "pod=$(cat "/run/cri/$1.pod")" || return
	rm -rf "/run/cri/$1".* "/var/log/pods/$uid" "/var/lib/kubelet/pods/$uid"
}

engine_lacks() {
	case $1 in
	privileged-exec | pause) true;;
	*) false;;
	esac
}
