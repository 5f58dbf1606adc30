#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# How runc and crun take a command line, beside how quod reads it: what the tables in tests/unit/test-cmdline.c expect is
# what the real programs do. Nothing is created: every line fails for want of a bundle or a container.
# shellcheck disable=SC2154 # builddir comes from tests/run

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

# both RUNTIME SAYS READS ARGUMENT...: the runtime's output has SAYS in it, quod's reading is READS.
both() {
	local runtime=$1 says=$2 reads=$3 got
	shift 3
	got=$("$runtime" --root="$BATS_TEST_TMPDIR/root" "$@" 2>&1) || true
	case $got in
	*"$says"*) ;;
	*)
		echo "$runtime $*"
		echo "says:   ${got:0:300}"
		echo "wanted: $says"
		return 1
		;;
	esac
	got=$("$builddir/tests/unit/test-cmdline" --print "$runtime" "--root=/r" "$@")
	[ "$got" = "root=/r $reads" ] || {
		echo "$runtime $*"
		echo "quod reads: $got"
		echo "wanted:     root=/r $reads"
		return 1
	}
}

@test "cmdline: runc takes an option behind the id, unless a switch would take the id along" {
	both runc "chdir /none" "create bundle=/none : id" create id --bundle /none
	both runc "Incorrect Usage" "create no-pivot bundle=/none : id (two ways)" create --no-pivot id --bundle /none
	both runc "chdir /none" "create no-pivot=true bundle=/none : id" create --no-pivot=true id --bundle /none
	both runc "does not exist" "delete : id" delete id
	both runc "" "delete force : id" delete id --force
}

@test "cmdline: runc takes one dash or two, an equals sign or the next argument, whatever it is" {
	both runc "chdir /none" "create bundle=/none : id" create -bundle=/none id
	both runc "chdir /none" "create bundle=/none : id" create --b /none id
	both runc "chdir --:" "create bundle=-- : id" create --bundle -- id
	both runc "chdir --pid-file:" "create bundle=--pid-file : id" create --bundle --pid-file id
	both runc "chdir /none" "create bundle=/a bundle=/none : id" create --bundle /a --bundle /none id
	both runc "chdir /none" "create preserve-fds=-1 bundle=/none : id" create --preserve-fds -1 --bundle /none id
}

@test "cmdline: runc knows no clusters, attached values or prefixes" {
	both runc "not defined: -dt" "exec : id true ?-dt" exec -dt id true
	both runc "not defined: -b/none" "create : id ?-b/none" create -b/none id
	both runc "not defined: -bun" "create : /none id ?--bun" create --bun /none id
	both runc "bad flag syntax: ---bundle" "create : id ?---bundle=/none" create ---bundle=/none id
	both runc "invalid boolean value" "create no-pivot= : id ?--no-pivot=" create --no-pivot= id
	both runc "not defined: -root" "state : /x id ?--root" state --root /x id
	both runc "needs an argument: -bundle" "create bundle : ?--bundle" create --bundle
}

@test "cmdline: runc's exec takes no option behind the id" {
	both runc "container does not exist" "exec : id --cwd /x" exec id --cwd /x
	both runc "container does not exist" "exec tty=false env=A=B : id -x" exec -t=false -e A=B id -x
}

@test "cmdline: runc takes what follows two dashes for positional" {
	both runc "Incorrect Usage" "create : id --bundle /none" create -- id --bundle /none
	both runc "does not exist" "state : id" -- state id
}

@test "cmdline: crun takes no option behind the id" {
	both crun "requires a maximum of 1 arguments" "create : id --bundle /none" create id --bundle /none
	both crun "requires a maximum of 1 arguments" "create no-pivot : id --bundle /none" create --no-pivot id --bundle /none
	both crun "none" "create no-pivot bundle=/none : id" create --no-pivot --bundle /none id
	both crun "/id/status" "exec : id --cwd /x" exec id --cwd /x
	both crun "requires a maximum of 1 arguments" "delete : id --force" delete id --force
}

@test "cmdline: crun takes clusters, attached values and unique prefixes" {
	both crun "/id/status" "exec detach tty : id true" exec -dt id true
	both crun "/id/status" "exec detach detach user=1 : id true" exec -ddu 1 id true
	both crun "none" "create bundle=/none : id" create -b/none id
	both crun "=/none" "create bundle==/none : id" create -b=/none id
	both crun "undle=/none" "create bundle=undle=/none : id" create -bundle=/none id
	both crun "none" "create bundle=/none : id" create --bun /none id
	both crun "is ambiguous" "create : id ?--no" create --no id
	both crun '"level":"error"' "log-format=json state : id" --log-f=json state id
}

@test "cmdline: crun's optional value is attached or not there" {
	both crun "/false/status" "exec tty env=A=B : false id -x" exec -t -e A=B false id -x
	both crun "/id/status" "exec tty=false env=A=B : id -x" exec -tfalse -e A=B id -x
	both crun "/id/status" "exec tty=no : id -x" exec --tty=no id -x
	both crun "doesn't allow an argument" "create : id ?--no-pivot=true" create --no-pivot=true id
}

@test "cmdline: crun has argp's hidden options" {
	both crun "/id/status" "program-name=x HANG=0 state : id" --program-name x --HANG=0 state id
	both crun "Usage: create" "create usage : id" create --usa id
}

@test "cmdline: crun up to 1.27 takes --rootless for --root, so quod takes it for neither" {
	both crun "/id/status" "rootless=elsewhere state : id (two ways)" --rootless elsewhere state id
}

@test "cmdline: each option that the installed runtimes know is in the tables" {
	local runtime command name missing=
	for runtime in runc crun; do
		for command in "" checkpoint create delete exec kill list pause ps restore resume run spec start state update events; do
			# shellcheck disable=SC2086 # no command is no argument
			for name in $("$runtime" $command --help 2>&1 | grep -oE '^ +(-[A-Za-z?], +)*--[a-z][a-z0-9-]*' | grep -oE '[-]-[a-z].*'); do
				case $("$builddir/tests/unit/test-cmdline" --print "$runtime" $command "$name") in
				*"?$name") # one that wants a value is reported as well, but has its name in front
					"$builddir/tests/unit/test-cmdline" --print "$runtime" $command "$name" value |
						grep -qF " ?" && missing="$missing $runtime:$command:$name"
					;;
				esac
			done
		done
	done
	[ -z "$missing" ] || { echo "not in the tables:$missing"; return 1; }
}
