#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The program quod as a runtime's stand-in: what it hands on and how, what it takes out of the line, what it refuses before
# anything else happens. A probe in the runtime's place shows what arrives. Nothing is created here.
# shellcheck disable=SC2154,SC2030,SC2031 # builddir comes from tests/run; each test is a subshell

setup() {
	quod=$builddir/quod
	probe=$BATS_TEST_TMPDIR/runc-probe
	root=$BATS_TEST_TMPDIR/root
	cat >"$probe" <<-'SCRIPT'
		#!/bin/sh
		printf '<%s>' "$@"
		echo
	SCRIPT
	chmod 755 "$probe"
	cd "$BATS_TEST_TMPDIR" || return 1
}

make_probe() {
	printf '#!/bin/sh\n%s\n' "$1" >"$probe"
}

# as_runtime RUNTIME ARGUMENT...: quod answers as the runtime does: output, errors and exit status.
as_runtime() {
	local runtime=$1 wanted got
	shift
	wanted=$("$runtime" "$@" 2>&1; echo "status $?")
	got=$("$quod" --runtime "$runtime" "$@" 2>&1; echo "status $?")
	# times in log lines differ, and the name in getopt's messages is the path
	[ "$(sed -E 's/time="[^"]*"//; s|^/[a-z/]*/||' <<<"$got")" = "$(sed 's/time="[^"]*"//' <<<"$wanted")" ] || {
		printf 'quod %s\n%s\n--- the runtime:\n%s\n' "$*" "$got" "$wanted"
		return 1
	}
}

# refused SAYS ARGUMENT...: exit status 1, one line that has SAYS in it, and the probe wasn't run.
refused() {
	local says=$1
	shift
	run "$quod" --runtime "$probe" "$@"
	echo "$output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output = "quod: "*"$says"* ]]
}

# handed_on WANTED ARGUMENT...: the probe was run with these arguments.
handed_on() {
	local wanted=$1
	shift
	run "$quod" --runtime "$probe" "$@"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$wanted" ]
}

@test "quod: version, help and no arguments are the runtime's own" {
	local runtime
	for runtime in runc crun; do
		as_runtime "$runtime" --version
		as_runtime "$runtime" --help
		as_runtime "$runtime"
		as_runtime "$runtime" create --help
		as_runtime "$runtime" -v
	done
}

@test "quod: commands and options that it doesn't know are the runtime's to answer" {
	local runtime
	for runtime in runc crun; do
		as_runtime "$runtime" frobnicate --x
		as_runtime "$runtime" --root "$root" kill no-such-container 9
		as_runtime "$runtime" --root "$root" state no-such-container
		as_runtime "$runtime" --root "$root" delete no-such-container
		as_runtime "$runtime" --root "$root" delete --force no-such-container
		as_runtime "$runtime" --root "$root" ps no-such-container
		as_runtime "$runtime" --root "$root" list
		as_runtime "$runtime" --root "$root" list --format json
		as_runtime "$runtime" --frob
	done
	as_runtime runc spec --help
	as_runtime crun features
}

@test "quod: its own options are taken out, the rest arrives in order and as it was" {
	handed_on '<--root></r><kill><--all><id><9>' --root /r kill --all id 9
	handed_on '<--root><--profile=x><kill><a b><>' --profile=web --root --profile=x kill 'a b' ''
	handed_on '<--debug><kill><--config></c>' --debug --config /no/such/file kill --config /c
}

@test "quod: it becomes the runtime: same process, standard input, exit status" {
	make_probe 'echo $$; cat; exit 7'
	echo hello >input
	"$quod" --runtime "$probe" kill id <input >output &
	local pid=$! status=0
	wait "$pid" || status=$?
	[ "$status" = 7 ]
	[ "$(cat output)" = "$pid"$'\n'hello ]
}

@test "quod: a signal reaches the runtime" {
	make_probe 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.05; done'
	"$quod" --runtime "$probe" kill id >output &
	local pid=$! status=0
	until grep -q ready output; do sleep 0.05; done
	kill -TERM "$pid"
	wait "$pid" || status=$?
	[ "$status" = 9 ]
	[ "$(tail -n 1 output)" = caught ]
}

@test "quod: the runtime inherits umask, limits and ignored signals as the caller gave them" {
	make_probe 'umask; ulimit -c; ulimit -f; grep SigIgn: /proc/self/status'
	local wanted got
	wanted=$(trap '' XFSZ; umask 027; ulimit -c 0 -f 9999; "$probe")
	got=$(trap '' XFSZ; umask 027; ulimit -c 0 -f 9999; "$quod" --runtime "$probe" kill id)
	[ "$got" = "$wanted" ]
	wanted=$("$probe")
	got=$("$quod" --runtime "$probe" kill id)
	[ "$got" = "$wanted" ]
}

@test "quod: the runtime gets no variable that steers its loader or its language" {
	make_probe env
	run env LD_PRELOAD= LD_LIBRARY_PATH=/x GODEBUG=x=1 GOTRACEBACK=crash QUOD_PROFILE=none LISTEN_PID=1 XDG_SESSION_ID=c2 \
		_OCI_SYNCPIPE=3 "$quod" --runtime "$probe" kill id
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *LD_* && $output != *GODEBUG* && $output != *GOTRACEBACK* && $output != *QUOD_* ]]
	[[ $output = *LISTEN_PID=1* && $output = *XDG_SESSION_ID=c2* && $output = *_OCI_SYNCPIPE=3* ]]
}

@test "quod: with closed standard descriptors nothing is written into a wrong file" {
	local status=0
	"$quod" --runtime "$probe" --log log --log-format json create <&- >&- 2>&- || status=$?
	[ "$status" = 1 ]
	[ "$(jq -r .msg log)" = "quod: create: the container's id is missing" ]
	[ "$(wc -l <log)" = 1 ]
	make_probe 'ls -l /proc/self/fd | grep -c "[012] -> /dev/null" >seen'
	"$quod" --runtime "$probe" kill id <&- >&- 2>&-
	[ "$(cat seen)" -ge 2 ]
}

@test "quod: an unknown option is refused where something could be started, and said" {
	local command
	for command in create run restore exec update start resume checkpoint; do
		refused "option --frob is not known" "$command" --frob id
	done
	refused "option -dt is not known" exec -dt id sh
	refused "option --bundle is not known here, or its value is missing" create --bundle
	handed_on '<kill><--frob><id>' kill --frob id
	handed_on '<delete><--frob><id>' delete --frob id
}

@test "quod: an unknown option in front can't hide a command that starts something" {
	refused "option --frob is not known" --frob create id
	refused "option --frob is not known" --frob value create id
	refused "option --frob is not known" --frob value --other exec id
	refused "option -x is not known" -x run id
	handed_on '<--frob><value><kill><id>' --frob value kill id
}

@test "quod: help never lets a command through" {
	handed_on '<--root></r><create><--help>' --root /r create --bundle /b --help id
	handed_on '<--help>' --help create --bundle /b id
	handed_on '<-v>' -v run id
	refused "'id' is not a container of quod's" exec id sh --help
	refused "'id' is not a container of quod's" exec --help=false id sh
}

@test "quod: a line that releases read in two ways is refused" {
	refused "can be read in two ways" create --no-pivot id --bundle /b
	refused "can be read in two ways" run ' id'
	handed_on '<kill><-><--all>' kill - --all
	mv "$probe" crun-probe
	probe=$BATS_TEST_TMPDIR/crun-probe
	refused "--rootless can be read in two ways" --rootless auto create id
}

@test "quod: one container at a time, and only the bundle's own config.json" {
	refused "takes the container's id and nothing behind it" create --bundle /b id other
	refused "the container's id is missing" run
	refused "the container's id is missing" create ''
	mv "$probe" crun-probe
	probe=$BATS_TEST_TMPDIR/crun-probe
	refused "only the bundle's own config.json" create -f other.json id
}

@test "quod: a container that isn't quod's is not driven, but can be ended" {
	refused "'id' is not a container of quod's" exec id sh
	refused "'id' is not a container of quod's" exec --process /no/such id
	refused "'id' is not a container of quod's" update --memory 1g id
	refused "'id' is not a container of quod's" start id
	refused "'id' is not a container of quod's" resume id
	refused "'id' is not a container of quod's" checkpoint id
	handed_on '<kill><id><9>' kill id 9
	handed_on '<delete><--force><id>' delete --force id
	handed_on '<pause><id>' pause id
	handed_on '<events><id>' events id
	mv "$probe" crun-probe
	probe=$BATS_TEST_TMPDIR/crun-probe
	refused "'id' is not a container of quod's" mounts add id m.json
}

@test "quod: a broken configuration refuses what starts something, and lets engines clean up" {
	echo '{ "version": 1, "runtine": [] }' >quod.json
	chmod 644 quod.json
	refused "runtine" --config "$PWD/quod.json" create id
	refused "runtine" --config "$PWD/quod.json" start id
	refused "nowhere.json" --config "$PWD/nowhere.json" run id
	handed_on '<delete><--force><id>' --config "$PWD/quod.json" delete --force id
	handed_on '<kill><id>' --config "$PWD/nowhere.json" kill id
	handed_on '<state><id>' --config "$PWD/quod.json" state id
}

@test "quod: only sockets and pipes are handed to a container" {
	refused "descriptor 3, to be handed to the container, is a directory" create --preserve-fds 1 id 3</
	refused "descriptor 3, to be handed to the container, is a regular file" run --preserve-fds=1 id 3<"$probe"
	refused "descriptor 3, to be handed to the container, is not open" exec --preserve-fds 1 id sh 3>&-
	refused "option --preserve-fds is not known" restore --preserve-fds x id
	LISTEN_FDS=1 refused "descriptor 3, to be handed to the container, is a character device" create id 3</dev/null
	refused "'id' is not a container of quod's" exec --preserve-fds 1 id sh 3< <(:)
}

@test "quod: the profile of a link can't be argued with" {
	ln -s "$quod" quod-web
	run ./quod-web --runtime "$probe" --profile none kill id
	echo "$output"
	[ "$status" = 1 ]
	[ "$output" = "quod: --profile none: quod-web has chosen the profile" ]
	run ./quod-web --runtime "$probe" kill id
	[ "$status" = 0 ]
	[ "$output" = "<kill><id>" ]
}

@test "quod: a refusal is in the runtime's log, in its format" {
	run "$quod" --runtime "$probe" --log "$PWD/log.json" --log-format=json exec $'i\ed' sh
	[ "$status" = 1 ]
	[ "$(jq -r .level log.json)" = error ]
	[ "$(jq -r .msg log.json)" = "quod: exec: 'i\\x1bd' is not a container of quod's" ]
	jq -e '.time | fromdate' log.json
	run "$quod" --runtime "$probe" --log "$PWD/log.text" exec id sh
	grep -q '^time=".*Z" level=error msg="quod: exec: .id. is not' log.text
	run "$quod" --profile --log "$PWD/log.early" --log-format json create id
	[ "$status" = 1 ]
	[ "$(jq -r .msg log.early)" = "quod: --profile: a value is missing" ]
}

@test "quod: it never executes itself, nor what others may write" {
	ln -s "$quod" runc
	run "$quod" --runtime "$PWD/runc" kill id
	[ "$status" = 1 ]
	[[ $output = *"is quod itself"* ]]
	chmod 777 "$probe"
	run "$quod" --runtime "$probe" kill id
	[ "$status" = 1 ]
	[[ $output = *"is not trusted"* ]]
}

@test "quod: features are the runtime's, with what quod is" {
	make_probe 'echo "{\"ociVersionMin\":\"1.0.0\",\"annotations\":{\"a\":\"b\"}}"'
	run "$quod" --runtime "$probe" features
	[ "$status" = 0 ]
	[ "$(jq -r .ociVersionMin <<<"$output")" = 1.0.0 ]
	[ "$(jq -r .annotations.a <<<"$output")" = b ]
	[ -n "$(jq -r '.annotations["dev.quod.version"] // empty' <<<"$output")" ]
	jq -e '.annotations | has("dev.quod.profiles")' <<<"$output"
	make_probe 'echo "no features" >&2; exit 3'
	run "$quod" --runtime "$probe" features
	[ "$status" = 3 ]
	[ "$output" = "no features" ]
}
