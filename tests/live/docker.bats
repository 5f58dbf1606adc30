#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Docker in front of quod: what it forbids is refused in Docker's own words, and what it allows behaves as under the bare
# runtime. A scenario prints what a user would see; it is run under runc alone, then under quod over runc and over crun.

load ../helpers

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	need_box
	install_quod
	write_config <<-END
		{ "version": 1, "default_profile": "agent" }
	END
	box_start_engines agent locked
	docker_load_busybox
	# what the first container makes and all later ones use
	docker run --rm --runtime quod --network none quod.test/busybox:1 true
	docker run --rm --runtime bare --network host quod.test/busybox:1 true
}

teardown_file() {
	load ../helpers
	box_stop_engines
}

setup() {
	before=$(leftovers)
}

teardown() {
	docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || :
}

# What is asked for once; the network is another file's matter.
run_it() {
	docker run --runtime "$runtime" --network none "$@"
}

# as_bare SCENARIO <WANTED: SCENARIO prints WANTED under each runtime, and leaves nothing.
as_bare() {
	local wanted got
	wanted=$(cat)
	for runtime in bare quod quod-crun; do
		got=$("$1" 2>&1) || :
		if [ "$got" != "$wanted" ]; then
			printf '%s\n' "--- wanted" "$wanted" "--- under $runtime" "$got"
			return 1
		fi
		docker ps -aq | xargs -r docker rm -f >/dev/null
	done
	nothing_left
}

nothing_left() {
	wait_for 30 same_as_before
}

same_as_before() {
	diff <(echo "$before") <(leftovers)
}

# --- what works as under runc ---

run_and_status() {
	run_it --rm $image sh -c 'echo out; echo err >&2; exit 3' 2>"$BATS_TEST_TMPDIR/err"
	echo "status $?"
	cat "$BATS_TEST_TMPDIR/err"
}

@test "docker: run hands on output and exit status" {
	as_bare run_and_status <<-END
		out
		status 3
		err
	END
}

run_with_input() {
	echo hello | run_it --rm -i $image sh -c 'read -r word; echo "got $word"; readlink /proc/self/fd/0 | cut -d: -f1'
}

@test "docker: run -i hands on standard input" {
	as_bare run_with_input <<-END
		got hello
		pipe
	END
}

run_as_asked() {
	run_it --rm -e GREETING='a b' -w /tmp -u 1000:1000 --hostname here --read-only --tmpfs /scratch $image \
		sh -c 'echo "$GREETING"; pwd; id -u; id -g; hostname; touch /x 2>/dev/null || echo read-only; touch /scratch/x && echo scratch'
}

@test "docker: environment, directory, user, host name, read-only root and tmpfs are as asked" {
	as_bare run_as_asked <<-END
		a b
		/tmp
		1000
		1000
		here
		read-only
		scratch
	END
}

run_missing_command() {
	run_it --rm $image no-such-command 2>&1 | grep -o 'no-such-command.*not found[^:]*' | head -n 1
	echo "status ${PIPESTATUS[0]}"
}

@test "docker: a command that isn't there is told as ever" {
	for runtime in bare quod; do
		run run_missing_command
		echo "$runtime: $output"
		[[ $output == *'not found in $PATH'*'status 127' ]]
	done
}

create_start_wait() {
	run_it -d --name c1 $image sh -c 'sleep 0.2; echo done; exit 5' >/dev/null
	docker wait c1
	docker logs c1
	docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' c1
	docker start c1 >/dev/null && docker wait c1
	docker logs c1
	docker rm c1
}

@test "docker: create, start, wait, logs, a second start and rm" {
	as_bare create_start_wait <<-END
		5
		done
		exited 5 false
		5
		done
		done
		c1
	END
}

exec_in_it() {
	run_it -d --name c1 $image sleep 1000 >/dev/null
	docker exec c1 sh -c 'echo in; exit 4'
	echo "status $?"
	echo word | docker exec -i -u 1000 -w /tmp -e A=b c1 sh -c 'cat; id -u; pwd; echo $A'
	docker exec -d c1 touch /tmp/by-exec
	wait_for 30 docker exec c1 test -e /tmp/by-exec && echo detached
	docker exec c1 no-such-command >/dev/null 2>&1
	echo "status $?"
}

@test "docker: exec, its user, directory, environment, input and status" {
	as_bare exec_in_it <<-END
		in
		status 4
		word
		1000
		/tmp
		b
		detached
		status 126
	END
}

ends_on_term='trap "echo got TERM; exit 9" TERM; trap "echo got USR1" USR1; echo up; while :; do sleep 0.05; done'

logs_have() {
	docker logs c1 2>&1 | grep -q "$1"
}

stop_it() {
	run_it -d --name c1 $image sh -c "$ends_on_term" >/dev/null
	wait_for 30 logs_have up
	docker kill -s USR1 c1
	wait_for 30 logs_have USR1
	docker stop c1
	docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' c1
	docker logs c1
}

@test "docker: kill -s and stop reach the process as signals" {
	as_bare stop_it <<-END
		c1
		c1
		exited 9
		up
		got USR1
		got TERM
	END
}

kill_it() {
	run_it -d --name c1 $image sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
	wait_for 30 logs_have up
	docker stop -t 1 c1
	docker inspect --format '{{.State.ExitCode}}' c1
}

@test "docker: stop kills what ignores it after its time" {
	as_bare kill_it <<-END
		c1
		137
	END
}

count_up() {
	[ "$(docker logs c1 | grep -c up)" = "$1" ]
}

restart_it() {
	run_it -d --name c1 $image sh -c "$ends_on_term" >/dev/null
	wait_for 30 count_up 1
	docker restart c1
	wait_for 30 count_up 2
	docker inspect --format '{{.State.Running}}' c1
	docker logs c1
}

@test "docker: restart runs it again" {
	as_bare restart_it <<-END
		c1
		true
		up
		got TERM
		up
	END
}

has_exited() {
	[ "$(docker inspect --format '{{.State.Status}}' c1)" = exited ]
}

restart_policy() {
	run_it -d --name c1 --restart on-failure:2 $image sh -c 'echo try; exit 1' >/dev/null
	wait_for 30 has_exited
	docker inspect --format '{{.RestartCount}}' c1
	docker logs c1
}

@test "docker: a restart policy starts it again as often as it says" {
	as_bare restart_policy <<-END
		2
		try
		try
		try
	END
}

# The limit as the container sees it, under either version of cgroups.
limit_inside() {
	docker exec c1 sh -c "cat /sys/fs/cgroup/$1 /sys/fs/cgroup/$2 2>/dev/null"
}

update_it() {
	run_it -d --name c1 -m 128m --memory-swap 128m --pids-limit 60 $image sleep 1000 >/dev/null
	limit_inside memory/memory.limit_in_bytes memory.max
	limit_inside pids/pids.max pids.max
	docker update -m 64m --memory-swap 64m --pids-limit 40 c1
	limit_inside memory/memory.limit_in_bytes memory.max
	limit_inside pids/pids.max pids.max
}

@test "docker: limits are in force, and update lowers them" {
	as_bare update_it <<-END
		134217728
		60
		c1
		67108864
		40
	END
}

pause_it() {
	run_it -d --name c1 $image sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/i; sleep 0.01; done' >/dev/null
	docker pause c1
	docker inspect --format '{{.State.Status}}' c1
	docker exec c1 true >/dev/null 2>&1 || echo "no exec while paused"
	docker unpause c1
	docker inspect --format '{{.State.Status}}' c1
	docker exec c1 true && echo "exec again"
}

@test "docker: pause and unpause" {
	as_bare pause_it <<-END
		c1
		paused
		no exec while paused
		c1
		running
		exec again
	END
}

copy_it() {
	run_it -d --name c1 $image sh -c 'echo inside >/workspace/there; sleep 1000' >/dev/null
	echo outside >"$BATS_TEST_TMPDIR/here"
	docker cp "$BATS_TEST_TMPDIR/here" c1:/workspace/here 2>/dev/null && docker exec c1 cat /workspace/here
	wait_for 30 docker exec c1 test -s /workspace/there
	docker cp c1:/workspace/there - 2>/dev/null | tar -xO
}

@test "docker: cp goes both ways" {
	as_bare copy_it <<-END
		outside
		inside
	END
}

# COMMAND as at a terminal of 30 rows and 100 columns, at which nobody types.
at_terminal() {
	set -o pipefail
	[ -p "$BATS_TEST_TMPDIR/keyboard" ] || mkfifo "$BATS_TEST_TMPDIR/keyboard"
	script -qefc "stty rows 30 cols 100; $*" /dev/null <>"$BATS_TEST_TMPDIR/keyboard" | tr -d '\r'
}

terminal() {
	at_terminal docker run -it --rm --runtime "$runtime" --network none $image \
		sh -c "'test -t 0 && test -t 1 && tty; sleep 0.2; stty size; exit 6'"
	echo "status $?"
	run_it -dit --name c1 $image sh >/dev/null
	at_terminal docker exec -it c1 sh -c "'tty; exit 0'"
}

@test "docker: run -it and exec -it have a terminal" {
	as_bare terminal <<-END
		/dev/pts/0
		30 100
		status 6
		/dev/pts/1
	END
}

with_init() {
	run_it --rm --init $image sh -c 'cat /proc/1/comm; (sleep 0 &); exit 2'
	echo "status $?"
}

@test "docker: --init puts an init in front" {
	as_bare with_init <<-END
		docker-init
		status 2
	END
}

removed() {
	run_it --rm --name c1 $image true
	docker ps -aq --filter name=c1
	run_it -d --rm --name c1 $image sleep 1000 >/dev/null
	docker stop -t 0 c1
	wait_for 30 is_unknown && echo gone
}

is_unknown() {
	! docker inspect c1 >/dev/null 2>&1
}

@test "docker: --rm removes it when it ends and when it is stopped" {
	as_bare removed <<-END
		c1
		gone
	END
}

is_health() {
	[ "$(docker inspect --format '{{.State.Health.Status}}' c1)" = "$1" ]
}

health() {
	run_it -d --name c1 --health-cmd 'test -e /tmp/ok' --health-interval 100ms --health-retries 2 $image \
		sh -c 'touch /tmp/ok; sleep 1000' >/dev/null
	wait_for 30 is_health healthy && echo healthy
	docker exec c1 rm /tmp/ok
	wait_for 30 is_health unhealthy && echo unhealthy
}

@test "docker: a health check sees it healthy and sick" {
	as_bare health <<-END
		healthy
		unhealthy
	END
}

looked_at() {
	run_it -d --name c1 $image sleep 1000 >/dev/null
	docker top c1 -o pid,comm | awk 'NR > 1 { print $2 }'
	docker stats --no-stream --format '{{.Name}} {{.PIDs}}' c1
	docker diff c1 | grep -vE '^[AC] /(dev|etc|run|tmp)' || echo "nothing written"
	docker inspect --format '{{.State.Pid}}' c1 | xargs -I{} cat /proc/{}/comm
}

@test "docker: top, stats, diff and inspect look at it" {
	as_bare looked_at <<-END
		sleep
		c1 1
		nothing written
		sleep
	END
}

volumes() {
	docker volume create vol >/dev/null
	run_it --rm -v vol:/data $image sh -c 'echo kept >/data/file'
	run_it --rm -v vol:/data:ro $image sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo read-only'
	docker volume rm vol
}

@test "docker: a named volume keeps its data, and :ro holds" {
	as_bare volumes <<-END
		kept
		read-only
		vol
	END
}

@test "docker: a container outlives dockerd's reload of its runtimes" {
	runtime=quod
	run_it -d --name c1 $image sleep 1000
	kill -HUP "$(cat /run/dockerd.started)"
	wait_for 30 docker exec c1 true
	docker info --format '{{json .Runtimes}}' | grep -q quod-locked
}

# --- what is refused ---

# refused WHAT OPTION...: `docker run` says so in one line that holds WHAT, exits with 125, and nothing is left.
refused() {
	local what=$1
	shift
	run docker run --rm --runtime "${runtime:-quod}" "$@" $image echo it ran
	printf '%s\n' "$output"
	[ "$status" = 125 ]
	[[ $output != *'it ran'* ]]
	grep -q "refused by profile 'agent': .*$what" <<<"$output"
	nothing_left
}

@test "docker: a host directory is refused, with the place and the key" {
	refused 'host path / is not allowed at /host (mounts.allow)' -v /:/host
}

@test "docker: so is Docker's own socket" {
	refused 'docker.sock.*(mounts.allow)' -v /var/run/docker.sock:/var/run/docker.sock
}

@test "docker: --privileged is refused" {
	refused '' --privileged
}

@test "docker: the host's namespaces are refused" {
	refused 'host network (namespaces.private)' --network host
	refused 'host processes (namespaces.private)' --pid host
	refused 'host IPC (namespaces.private)' --ipc host
	refused 'host UTS (namespaces.private)' --uts host
}

@test "docker: a device is refused" {
	refused '/dev/kmsg.*(devices.allow)' --device /dev/kmsg
}

@test "docker: all reasons come in one line" {
	refused 'namespaces.private.*mounts.allow' -v /etc:/mnt --pid host
}

@test "docker: a container that was refused stays refused at its next start" {
	docker create --name c1 --runtime quod -v /etc:/mnt $image true
	for try in 1 2; do
		run docker start c1
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"refused by profile 'agent'"* ]]
	done
	docker rm c1
	nothing_left
}

@test "docker: update above the profile ends at its bounds, and the audit trail says so" {
	runtime=quod
	run_it -d --name c1 -m 128m --memory-swap 128m $image sleep 1000
	docker update -m 100g --memory-swap 100g c1
	[ "$(limit_inside memory/memory.limit_in_bytes memory.max)" = 8589934592 ]
	[[ $(jq -rs 'map(select(.event == "update"))[-1].held' /var/log/quod/audit.jsonl) == *"is over the profile's 8G (resources.memory)"* ]]
}

@test "docker: exec --privileged gets no more than the profile has" {
	runtime=quod
	run_it -d --name c1 $image sleep 1000
	bounds=$(docker exec c1 grep -E '^Cap(Bnd|Prm|Eff)' /proc/self/status)
	[ "$(docker exec --privileged c1 grep -E '^Cap(Bnd|Prm|Eff)' /proc/self/status)" = "$bounds" ]
}

@test "docker: a link and an argument choose the profile" {
	for runtime in quod-locked quod-args-locked; do
		run docker run --rm --runtime "$runtime" -v /:/host $image true
		echo "$output"
		[ "$status" = 125 ]
		[[ $output == *"refused by profile 'locked'"* ]]
	done
}

@test "docker: a profile that isn't there lets nothing run" {
	rm /usr/share/quod/profiles/agent.json
	run docker run --rm --runtime quod-agent $image echo it ran
	make -s -C "$builddir" install >/dev/null 2>&1
	echo "$output"
	[ "$status" = 125 ]
	[[ $output != *'it ran'* ]]
	[[ $output == *"profile 'agent'"* ]]
}
