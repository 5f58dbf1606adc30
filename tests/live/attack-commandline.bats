#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by the command line, the environment and quod's own process: the X entries of tests/attacks.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
	# what would be dangerous to run, in a bundle beside
	mkdir -p "$BATS_FILE_TMPDIR/evil" /srv/secret
	echo host-secret >/srv/secret/file
	jq ".process.args = [\"cat\", \"/mnt/file\"] | $(mount_at /mnt /srv/secret)" "$BATS_FILE_TMPDIR/plain/config.json" >"$BATS_FILE_TMPDIR/evil/config.json"
	cp -r "$BATS_FILE_TMPDIR/evil" /run/evil
}

setup() {
	attack_setup
	attack . 'echo ordinary'
	rm -f /run/evil/ran
}

teardown() {
	end
}

# no_escape COMMAND...: whatever it says, the host's secret isn't read, and no container runs without a record of quod's.
no_escape() {
	run timeout 20 "$@" </dev/null
	printf '%s => %s: %s\n' "$*" "$status" "$output"
	[[ $output != *host-secret* ]]
	end
}

@test "X02: exec by options is bound like exec by file" {
	attack . 'sleep 60'
	local runtime
	for runtime in runc crun; do
		start $runtime
		exec_in --cap CAP_SYS_ADMIN --cwd / --env A=B --user 0:0 c1 sh -c 'grep -E "CapBnd|NoNewPrivs" /proc/self/status'
		[[ $output == *00000000000000* && $output =~ NoNewPrivs:.1 ]]
		for option in '--cwd /proc/self/fd/7' '--cwd ../x' '--cwd /proc/self/cwd/../..' '--cgroup ../x' '--cap CAP_EVIL' '--env novalue' '--user root' '--user 0:x' '--bogus' \
			'--env QUOD_PROFILE=open --env QUOD_PROFILE=x'; do
			# shellcheck disable=SC2086 # words
			exec_in $option c1 true
			[ "$status" != 0 ]
		done
		exec_in --process /dev/zero c1
		[ "$status" != 0 ]
		exec_in --process /proc/self/environ c1
		[ "$status" != 0 ]
		end
	done
}

@test "X03: options that quod doesn't know are refused, and unknown commands start nothing" {
	local option
	for option in --frobnicate --bundle-dir=/run/evil --bundl=/run/evil -B --no-seccomp --systemd-cgroups; do
		run quod create "$option" --bundle "$bundle" c1 </dev/null
		echo "$option: $output"
		[ "$status" = 1 ]
		[[ $output == quod:* ]]
	done
	no_escape quod frobnicate --bundle /run/evil c1
	no_escape quod RUN --bundle /run/evil c1
	no_escape quod --frobnicate run --bundle /run/evil c1
	no_escape quod --runtime crun rxn --bundle /run/evil c1
}

@test "X04: each way to write a command line leads to the same bundle" {
	local runtime
	for runtime in runc crun; do
		no_escape quod --runtime $runtime run c1 --bundle /run/evil
		no_escape quod --runtime $runtime run c1 -b /run/evil
		no_escape quod --runtime $runtime run --bundle "$bundle" c1 --bundle /run/evil
		no_escape quod --runtime $runtime run --bundle "$bundle" --bundle /run/evil c1
		no_escape quod --runtime $runtime run -b/run/evil c1
		no_escape quod --runtime $runtime run -b=/run/evil c1
		no_escape quod --runtime $runtime run --bundle=/run/evil c1
		no_escape quod --runtime $runtime run -bundle /run/evil c1
		no_escape quod --runtime $runtime run -bundle=/run/evil c1
		no_escape quod --runtime $runtime run --bund /run/evil c1
		no_escape quod --runtime $runtime run --bund=/run/evil c1
		no_escape quod --runtime $runtime run -- c1 --bundle /run/evil
		no_escape quod --runtime $runtime run --bundle "$bundle" -- c1 /run/evil
		no_escape quod --runtime $runtime -- run --bundle /run/evil c1
		no_escape quod --runtime $runtime run -db /run/evil c1
		no_escape quod --runtime $runtime --root run run --bundle /run/evil c1
		no_escape quod --runtime $runtime --log run --log-format run run --bundle /run/evil c1
		no_escape quod --runtime $runtime --debug=true run --bundle /run/evil c1
		no_escape quod --runtime $runtime --cgroup-manager cgroupfs run --bundle /run/evil c1
		no_escape quod --runtime $runtime run --config=/run/evil/config.json --bundle "$bundle" c1
		no_escape quod --runtime $runtime run -f /run/evil/config.json --bundle "$bundle" c1
		no_escape quod --runtime $runtime state --bundle run --bundle /run/evil c1
		(cd /run/evil && no_escape quod --runtime $runtime run c1)
		(cd /run/evil && no_escape quod --runtime $runtime run --bundle '' c1)
		(cd /run/evil && no_escape quod --runtime $runtime run --detach=false c1)
		(cd "$bundle" && run quod --runtime $runtime run c1 </dev/null && [[ $output == *ordinary* ]])
	done
	rm -f run
	rm -rf "$bundle/run"
}

@test "X05: a link's profile can't be argued with, and no file of somebody else's configures quod" {
	run quod-work --profile open run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	[[ $output == *"has chosen the profile"* ]]
	run quod --profile work --profile open run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	echo '{ "version": 1, "default_profile": "open" }' >/tmp/mine.json
	chown 1000 /tmp/mine.json
	local variant
	for variant in '--config /tmp/mine.json' '--config=/tmp/mine.json' '--config /dev/zero' '--config /dev/stdin' '--config relative.json' '--config /nowhere'; do
		# shellcheck disable=SC2086 # words
		run timeout 10 quod $variant run --bundle "$bundle" c1 </dev/null
		echo "$variant: $output"
		[ "$status" = 1 ]
		[[ $output != *ordinary* ]]
	done
	QUOD_CONFIG=/tmp/mine.json QUOD_PROFILE=open QUOD_RUNTIME=/tmp/x QUOD_ROOT=/tmp run quod run --bundle "$bundle" c1 </dev/null
	[[ $output == *ordinary* ]]
	[ "$(tail -n 2 /var/log/quod/audit.jsonl | jq -r 'select(.event == "create").profile')" = balanced ]
}

@test "X06: quod writes no log through a link, and nothing but one line" {
	local target=/run/log-target
	rm -f $target
	jq "$(mount_at /mnt /srv/secret)" "$BATS_FILE_TMPDIR/plain/config.json" >"$bundle/config.json"
	ln -s $target "$bundle/log"
	run quod --log "$bundle/log" run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	[ ! -e $target ]
	echo keep >"$bundle/pid"
	run quod run --pid-file "$bundle/pid" --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	[ "$(cat "$bundle/pid")" = keep ]
	mkfifo "$bundle/fifo"
	run timeout 10 quod --log "$bundle/fifo" run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	run timeout 10 quod --log /dev/full run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
}

@test "X07: the root is a real one, and the session's keyring and descriptors stay outside" {
	local option runtime
	write_profile rooted <<<'{ "version": 1, "extends": "balanced", "process": { "capabilities": ["CAP_SYS_CHROOT"] } }'
	write_profile keyed <<<'{ "version": 1, "extends": "balanced", "seccomp": { "floor": false } }'
	run quod-rooted run --no-pivot --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	[[ $output == *"--no-pivot leaves the host's root"* ]]
	run quod-keyed run --no-new-keyring --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	[[ $output == *"--no-new-keyring leaves the caller's keyring"* ]]
	attack '.process.capabilities[] += ["CAP_SYS_CHROOT"]' 'chroot /tmp /bin/true 2>&1; [ -e /srv/secret/file ] && echo secret; cat /proc/keys 2>/dev/null'
	for runtime in runc crun; do
		run quod --runtime $runtime run --no-pivot --no-new-keyring --bundle "$bundle" c1 </dev/null
		echo "$output"
		[[ $output == *"chroot: can't change root"*"at the end"* && $output != *secret* && $output != *keyring* ]]
	done
	attack . 'ls -l /proc/self/fd | grep -v "pipe:\|/dev/null\|/proc/\|^total\|socket:" | sed "s/^/descriptor /"'
	for runtime in runc crun; do
		run quod --runtime $runtime run --bundle "$bundle" c1 </dev/null 7</srv/secret/file 8</srv/secret 9<>/dev/null
		echo "$output"
		[[ $output == *"at the end"* && $output != *secret* ]]
	done
	for option in '3</srv/secret' '3</srv/secret/file' '3</dev/null'; do
		run bash -c "quod run --preserve-fds 1 --bundle '$bundle' c1 </dev/null $option"
		echo "$option: $output"
		[ "$status" = 1 ]
		run bash -c "LISTEN_FDS=1 quod run --bundle '$bundle' c1 </dev/null $option"
		echo "$option: $output"
		[ "$status" = 1 ]
	done
}

@test "X10: no variable of the caller's brings code into quod or the runtime" {
	cat >"$bundle/evil.c" <<-'END'
		#include <fcntl.h>
		__attribute__((constructor)) static void ran(void) { creat("/run/evil/ran", 0600); }
	END
	cc -shared -fPIC -o "$bundle/evil.so" "$bundle/evil.c"
	LD_PRELOAD="$bundle/evil.so" runc --version
	[ -e /run/evil/ran ]
	rm /run/evil/ran
	local runtime
	for runtime in runc crun; do
		run env LD_PRELOAD="$bundle/evil.so" LD_AUDIT="$bundle/evil.so" LD_LIBRARY_PATH="$bundle" GCONV_PATH="$bundle" LOCPATH="$bundle" \
			GLIBC_TUNABLES=glibc.malloc.check=3 sh -c "unset LD_PRELOAD_NOT; exec quod --runtime $runtime run --bundle $bundle c1" </dev/null
		echo "$output"
		[[ $output == *ordinary* ]]
	done
	# the loader runs what the caller preloads into quod itself, as it would into his own shell: nothing of it is handed on
	printf '#!/bin/sh\nenv >/run/evil/environment\nexec /usr/sbin/runc "$@"\n' >/usr/local/bin/env-runc
	chmod 755 /usr/local/bin/env-runc
	LD_PRELOAD_X=1 LD_LIBRARY_PATH=/x LD_DEBUG_OUTPUT=/run/x GCONV_PATH=/x MALLOC_TRACE=/run/x WASMEDGE_PLUGIN_PATH=/x RUN_OCI_SECCOMP_RECEIVER=/x \
		QUOD_X=1 quod --runtime /usr/local/bin/env-runc run --bundle "$bundle" c1 </dev/null
	cat /run/evil/environment
	none grep -E '^(LD_|GCONV|MALLOC_|WASMEDGE|RUN_OCI|QUOD_)' /run/evil/environment
	GODEBUG=x GOTRACEBACK=crash GOGC=1 GOMAXPROCS=1 quod --runtime /usr/local/bin/env-runc run --bundle "$bundle" c1 </dev/null
	none grep -E '^GO(DEBUG|TRACEBACK|GC|MAXPROCS)=' /run/evil/environment
	rm /usr/local/bin/env-runc
}

@test "X11: the Go runtime's variables are not handed on" {
	printf '#!/bin/sh\nenv >/run/evil/environment\nexec /usr/sbin/runc "$@"\n' >/usr/local/bin/env-runc
	chmod 755 /usr/local/bin/env-runc
	GODEBUG=x GOTRACEBACK=crash GOGC=1 GOMAXPROCS=1 GORACE=log_path=/run/x GOCOVERDIR=/run/x GOMEMLIMIT=1 \
		quod --runtime /usr/local/bin/env-runc run --bundle "$bundle" c1 </dev/null
	grep -q PATH= /run/evil/environment
	none grep -E '^GO' /run/evil/environment
	rm /usr/local/bin/env-runc
}

@test "X15: limits, umask, signals and closed descriptors of the caller change nothing" {
	rm -rf /var/log/quod/* /var/lib/quod/*
	(umask 0; trap '' PIPE CHLD; quod run --bundle "$bundle" c1 </dev/null >/dev/null)
	[ "$(find /var/log/quod /var/lib/quod /run/quod -perm /022 ! -type l | wc -l)" = 0 ]
	local before
	before=$(wc -l </var/log/quod/audit.jsonl)
	(ulimit -f 0; quod run --bundle "$bundle" c1 </dev/null >/dev/null 2>&1) || :
	(ulimit -n 8; quod run --bundle "$bundle" c1 </dev/null >/dev/null 2>&1) || :
	jq -e . /var/log/quod/audit.jsonl >/dev/null
	quod run --bundle "$bundle" c1 0<&- 1>&- 2>&- 3>&- || :
	jq -e . /var/log/quod/audit.jsonl >/dev/null
	[ "$(wc -l </var/log/quod/audit.jsonl)" -gt "$before" ]
	quodctl audit verify
}

@test "X16: a working directory that is gone, or behind a link, leads nowhere" {
	mkdir "$bundle/gone"
	(cd "$bundle/gone" && rmdir "$bundle/gone" && timeout 10 quod run c1 </dev/null) && return 1
	(cd "$bundle/" && mkdir gone && cd gone && rmdir ../gone && timeout 10 quod run --bundle ../evil c1 </dev/null) && return 1
	(mkdir "$bundle/gone" && cd "$bundle/gone" && rmdir "$bundle/gone" && quod run --bundle "$bundle" c1 </dev/null)
}

@test "X18: a refusal stands in the runtime's log, where engines look" {
	jq "$(mount_at /mnt /srv/secret)" "$BATS_FILE_TMPDIR/plain/config.json" >"$bundle/config.json"
	run quod --log "$bundle/log.json" --log-format json create --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	jq -e 'select(.level == "error").msg | contains("host path /srv/secret")' "$bundle/log.json"
	run quod --log "$bundle/log.txt" create --bundle "$bundle" c1 </dev/null
	grep -q 'host path /srv/secret' "$bundle/log.txt"
}

@test "X19: nothing of quod's that reads names or files stays in the container's network" {
	attack . 'sleep 60'
	start
	local pid helper inside
	pid=$(quod state c1 | jq .pid)
	inside=$(readlink "/proc/$pid/ns/net")
	for helper in $(pgrep -x quod-guardian); do
		[ "$(readlink "/proc/$helper/ns/net")" != "$inside" ]
		[ "$(readlink "/proc/$helper/ns/mnt")" != "$(readlink "/proc/$pid/ns/mnt")" ]
		[ "$(readlink "/proc/$helper/ns/pid")" != "$(readlink "/proc/$pid/ns/pid")" ]
	done
	pgrep -x quod-guardian
	none pgrep -x quod
	none pgrep -x quod-hook
}

@test "X20: the programs are built so that an overrun doesn't get far" {
	local program
	for program in /usr/bin/quod /usr/bin/quodctl /usr/libexec/quod/quod-warden /usr/libexec/quod/quod-hook; do
		[ -e "$program" ]
		readelf -hW "$program" | grep -q 'Type:.*DYN'
		readelf -lW "$program" | grep -q GNU_RELRO
		readelf -lW "$program" | grep 'GNU_STACK' | grep -qv 'E '
		readelf -dW "$program" | grep -q 'BIND_NOW\|FLAGS.*NOW'
	done
}

@test "X21: the helpers hold no right that their work doesn't need" {
	attack . 'sleep 60'
	start
	local pid status
	for pid in $(pgrep -x 'quod-guardian|quod-gate|quod-warden'); do
		status=$(cat "/proc/$pid/status")
		grep -E '^(Name|Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' <<<"$status"
		[[ $status =~ Seccomp:.2 && $status =~ NoNewPrivs:.1 ]]
		case $(cat "/proc/$pid/comm") in
		quod-guardian) allowed=80020;;	# KILL, SYS_PTRACE
		quod-gate) allowed=1000;;	# NET_ADMIN
		*) allowed=0;;
		esac
		[ $((0x$(sed -n 's/^CapEff:\t//p' <<<"$status") & ~0x$allowed)) = 0 ]
		[ $((0x$(sed -n 's/^CapPrm:\t//p' <<<"$status") & ~0x$allowed)) = 0 ]
	done
	[ "$(pgrep -x 'quod-guardian|quod-gate' | wc -l)" = 2 ]
}

@test "X22: no word of a configuration reaches a shell" {
	attack '.hostname = "a;touch /run/evil/ran" | .annotations = {"$(touch /run/evil/ran)": "`touch /run/evil/ran`"} | .process.env += ["X=$(touch /run/evil/ran)"]'
	quod run --bundle "$bundle" c1 </dev/null || :
	write_profile 'shell' <<<'{ "version": 1, "extends": "balanced", "egress": { "allow": ["a;touch${IFS}x.example"] } }'
	run quod --profile shell run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	run quod --runtime 'runc;touch /run/evil/ran' run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	[ ! -e /run/evil/ran ]
	local program
	for program in /usr/bin/quod /usr/libexec/quod/quod-hook /usr/libexec/quod/quod-warden; do
		none grep -wE 'system|popen|wordexp' <(nm -D "$program" 2>/dev/null)
	done
}

@test "X25: what crashes leaves no picture of its memory" {
	attack . 'sleep 60'
	start
	local pid
	for pid in $(pgrep -x 'quod-guardian|quod-gate'); do
		grep -E 'Max core file size +0 +0' "/proc/$pid/limits"
	done
}

@test "X27: containers of other runtimes can't be driven through quod" {
	runc create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
	local command
	for command in 'exec c1 true' 'update --memory 99999999 c1' 'start c1' 'exec --privileged c1 true' 'checkpoint c1' 'resume c1'; do
		# shellcheck disable=SC2086 # words
		run quod $command </dev/null
		echo "$command: $output"
		[ "$status" = 1 ]
	done
}

@test "X27: ids that are no names are refused, and so are those that lead elsewhere" {
	local id
	for id in ../x .. . '' / a/b ../../run/quod/x '-' '--' '--force' '-rf' 'a b' $'a\nb' $'a\e[2J' 'ä' "$(printf 'a%.0s' $(seq 2000))" '*' 'a;b' '@x' $'\xff'; do
		run timeout 10 quod run --bundle "$bundle" "$id" </dev/null
		printf '%q: %s %s\n' "${id:0:40}" "$status" "${output:0:200}"
		[ "$status" != 0 ]
		[[ $output != *$'\e'* ]]
		[ -z "$(ls -A /run/quod/containers 2>/dev/null)" ]
		[ "$id" != - ] || continue # to crun it is a name
		run timeout 10 quod --runtime crun run --bundle "$bundle" "$id" </dev/null
		[ "$status" != 0 ]
		[ -z "$(ls -A /run/quod/containers 2>/dev/null)" ]
	done
}

@test "X27: one id, made and taken away at the same time by many, is one container or none" {
	attack . 'sleep 60'
	local i
	pids=
	for ((i = 0; i < 12; i++)); do
		(quod create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&- || :) &
		pids+=" $!"
		(quod delete --force c1 </dev/null >/dev/null 2>&1 3>&- || :) &
		pids+=" $!"
	done
	wait_for 30 none_of_them_runs
	end
	quod run --bundle "$BATS_FILE_TMPDIR/plain" other </dev/null >/dev/null 2>&1 || : # a create sweeps
	none grep /run/quod/containers /proc/self/mountinfo
	wait_for 15 nobody_sleeps # what the runtimes lose in such a race never runs
	quodctl audit verify
}
none_of_them_runs() {
	local pid
	for pid in $pids; do
		if kill -0 "$pid" 2>/dev/null; then return 1; fi
	done
}
nobody_sleeps() { ! pgrep -f 'sleep 60'; }

@test "X27: a delete in the middle of a create leaves neither a first process nor helpers" {
	attack . 'sleep 60'
	local i runtime
	for runtime in runc crun; do
		for ((i = 0; i < ${QUOD_RACES:-25}; i++)); do
			quod --runtime "$runtime" create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&- &
			pids=" $!"
			sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
			quod --runtime "$runtime" delete --force c1 </dev/null >/dev/null 2>&1 3>&- || :
			wait_for 20 none_of_them_runs
			quod --runtime "$runtime" delete --force c1 </dev/null >/dev/null 2>&1 3>&- || :
		done
		wait_for 15 nothing_is_held # a guardian sees within three seconds that its container's record is gone
		quod --runtime "$runtime" run --bundle "$BATS_FILE_TMPDIR/plain" c1 </dev/null >/dev/null
	done
}
nothing_is_held() { ! pgrep -x 'quod-guardian|quod-nursery|quod-gate|quod-warden|runc:\[2:INIT\]|crun'; }
