# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # what parse_run sets is for the drivers
# The words in which tests/engines/sentences.bats speaks to any engine. What an engine calls it stands in ENGINE.bash:
#
#	engine_setup PROFILE...		its daemon with a runtime per profile, its network, the image $image
#	engine_stop_daemons
#	engine_start			starts the container that parse_run has read; prints what the engine's user sees when it can't
#	engine_exec NAME COMMAND...	output and exit status are the command's
#	engine_exec_privileged NAME COMMAND...
#	engine_update_memory NAME BYTES
#	engine_pause NAME, engine_resume NAME
#	engine_signal NAME SIGNAL
#	engine_stop NAME		politely, as its users stop a container
#	engine_restart NAME		the same container, for Kubernetes the next of that name in that pod
#	engine_remove NAME		whatever state it is in; nothing to remove is no failure
#	engine_logs NAME		both streams
#	engine_status NAME		created, running, paused or "exited CODE"
#	engine_id NAME			as the runtime knows it
#	engine_lacks WORD		it has no such thing (privileged-exec, pause, annotations)

image=quod.test/busybox:1

# start NAME OPTION... -- COMMAND...: options are alike for all engines.
start() {
	parse_run "$@"
	engine_start
}

# --profile NAME, --network (connected, else none where the engine can), --bind SOURCE DESTINATION, --volume NAME DESTINATION,
# --user UID:GID, --memory BYTES, --device PATH, --host network|pid, --privileged, --annotation KEY=VALUE, --env KEY=VALUE
parse_run() {
	name=$1 profile=sentences connected='' user='' memory='' device='' host='' privileged=''
	binds=() volumes=() annotations=() environment=() command=()
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--profile) profile=$2; shift;;
		--network) connected=1;;
		--bind) binds+=("$2:$3"); shift 2;;
		--volume) volumes+=("$2:$3"); shift 2;;
		--user) user=$2; shift;;
		--memory) memory=$2; shift;;
		--device) device=$2; shift;;
		--host) host=$2; shift;;
		--privileged) privileged=1;;
		--annotation) annotations+=("$2"); shift;;
		--env) environment+=("$2"); shift;;
		--) shift; command=("$@"); return;;
		*) echo "start: what is $1?" >&2; return 2;;
		esac
		shift
	done
}

# make_sentence_image FILE: a docker-archive of $image, with an environment and a command; runs as root.
make_sentence_image() {
	[ -d "$BATS_FILE_TMPDIR/image" ] || make_rootfs "$BATS_FILE_TMPDIR/image"
	make_image "$image" "$BATS_FILE_TMPDIR/image" "$1" '{"Env":["PATH=/bin:/usr/bin"],"Cmd":["sh"]}'
}

# in_background LOG COMMAND...: a daemon that holds nothing of bats'; its pid goes to LOG.pid.
in_background() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >"$log.pid"
}

stop_background() { # LOG
	local pid
	[ -f "$1.pid" ] || return 0
	pid=$(cat "$1.pid")
	kill "$pid" 2>/dev/null || :
	wait_for 15 is_gone "$pid"
	rm -f "$1.pid"
}
