#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The guardian by itself: guard-run plays the runtime and its hook.
# shellcheck disable=SC2154 # builddir is helpers.bash's

setup_file() {
	load ../helpers
	need_box
}

setup() {
	load ../helpers
	load guard
	make_groups
}

teardown() {
	remove_groups
}

@test "guardian: it is nobody's child, in a session and a cgroup of its own, with one capability, a filter, and no core" {
	guard guard=network -- sleep 60
	[ "$(status_of "$guardian" Name)" = quod-guardian ]
	[ "$(tr '\0' ' ' <"/proc/$guardian/cmdline")" = "quod-guardian " ]
	[ "$(status_of "$guardian" Uid)" = "$(printf '0\t0\t0\t0')" ]
	for set in CapPrm CapEff CapBnd; do
		[ "$(status_of "$guardian" $set)" = 0000000000000020 ]
	done
	for set in CapInh CapAmb; do
		[ "$(status_of "$guardian" $set)" = 0000000000000000 ]
	done
	[ "$(status_of "$guardian" NoNewPrivs)" = 1 ]
	[ "$(status_of "$guardian" Seccomp)" = 2 ]
	[ "$(ps -o sid= -p "$guardian" | tr -d ' ')" != "$(ps -o sid= -p $$ | tr -d ' ')" ]
	[ "$(ps -o ppid= -p "$guardian" | tr -d ' ')" != "$runner" ]
	grep -qE '^Max core file size +0 +0 ' "/proc/$guardian/limits"
	wait_for 20 in_own_cgroup "$guardian"
	[ "$(readlink "/proc/$guardian/cwd")" = / ]
	[ "$(readlink "/proc/$guardian/fd/0")" = /dev/null ]
	[ -z "$(tr -d '\0' <"/proc/$guardian/environ")" ]
	! readlink "/proc/$guardian/fd/"* | grep -E 'pipe|quod-settings|/state$'
	jq -e ".pid == $guardian and (.helpers_cgroup | . == \"/quod\" or . == \"partly\")" "$dir/state/guardian"
}

in_own_cgroup() { ! grep -v ':/quod$' "/proc/$1/cgroup" | grep -v '^0::/$'; }

@test "guardian: with guard kill it keeps the right to hold the one process again, and the filter limits it to that" {
	guard -- sleep 60
	[ "$(status_of "$guardian" CapEff)" = 0000000000080020 ]
	[ "$(status_of "$guardian" CapBnd)" = 0000000000080020 ]
	[ "$(status_of "$first" TracerPid)" = "$guardian" ]
}

@test "guardian: of all files it sees the directories of the trail, its head and the ledger" {
	guard -- sleep 60
	[ "$(cd "/proc/$guardian/root" && find . -xdev -type f | head)" = "" ]
	[ "$(ls "/proc/$guardian/root$dir")" = "$(printf 'lib\nlog')" ]
	[ -s "/proc/$guardian/root$dir/log/audit.jsonl" ] || [ -e "/proc/$guardian/root$dir/lib/ledger/k1" ]
	[ "$(cut -d' ' -f5 "/proc/$guardian/mountinfo" | grep -v '^/dev/log$' | sort | tr '\n' ' ')" = "/ $dir/lib $dir/lib/ledger $dir/log " ]
	run touch "/proc/$guardian/root/x"
	[[ $output == *"Read-only"* ]]
}

@test "guardian: the exit status is seen by the parent, the trail and the ledger, and the helpers end" {
	guard -- sh -c 'exit 37'
	ends 20 "exit 37"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "exit 37" ]
	[ "$(audit exit '"\(.cause) \(.code) \(.container) \(.engine) \(.profile)"')" = "exit 37 37 c1 test web" ]
}

@test "guardian: a signal that ends the first process is named" {
	guard -- sh -c 'sleep 60'
	kill -KILL "$first"
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "signal 9" ]
	[ "$(audit exit .code)" = 137 ]
}

@test "guardian: killed, the container is gone at once" {
	guard -- sh -c 'sleep 60 & exec sleep 61'
	wait_for 20 test "$(pids_of_all_groups | sort -u | wc -l)" -ge 1
	kill -KILL "$guardian"
	ends 20 "signal 9"
	wait_for 20 test -z "$(pids_of_all_groups)"
}

@test "guardian: with guard network its death leaves the container alone" {
	guard guard=network -- sleep 60
	kill -KILL "$guardian"
	wait_for 20 is_gone "$guardian"
	sleep 0.3
	kill -0 "$first"
	[ "$(status_of "$first" TracerPid)" = 0 ]
	kill -KILL "$first"
	ends 20 "signal 9"
}

@test "guardian: who takes the container's record away ends it, started or not" {
	guard hold=60000 -- true
	rm -rf "$dir/state"
	wait_for 20 is_gone "$guardian"
	[ "$(status_of "$first" State)" = "Z (zombie)" ] # its parent holds still
	[ "$(audit exit .cause)" = "killed: its record is gone" ]
	kill "$runner"
	guard guard=network -- sleep 60
	rm -rf "$dir/state"
	ends 20 "signal 9"
}

@test "guardian: with guard network the end is seen, too" {
	guard guard=network -- sh -c 'exit 3'
	ends 20 "exit 3"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "ended" ]
	[ "$(audit exit .cause)" = ended ]
}

@test "guardian: only SIGKILL ends it" {
	guard -- sleep 60
	for signal in HUP INT TERM USR1 ALRM PIPE CONT XFSZ; do
		kill -$signal "$guardian"
	done
	sleep 0.2
	kill -0 "$guardian"
	kill -0 "$first"
}

@test "guardian: signals reach the first process as they would untraced" {
	guard -- sh -c 'trap "echo usr1" USR1; trap "echo winch" WINCH; trap "echo term; exit 5" TERM; echo up; while :; do sleep 0.05; done'
	wait_for 20 grep -qx up "$dir/out"
	kill -USR1 "$first"
	wait_for 20 grep -qx usr1 "$dir/out"
	kill -WINCH "$first"
	wait_for 20 grep -qx winch "$dir/out"
	kill -TERM "$first"
	ends 20 "exit 5"
	grep -qx term "$dir/out"
}

@test "guardian: a stop stays a stop until SIGCONT" {
	guard -- sh -c 'echo up; while :; do sleep 0.05; echo beat >>'"$dir"'/beats; done'
	wait_for 20 grep -q beat "$dir/beats"
	kill -STOP "$first"
	wait_for 20 grep -qx 'stopped 19' "$dir/out"
	sleep 0.2
	before=$(wc -l <"$dir/beats")
	sleep 0.3
	[ "$(wc -l <"$dir/beats")" = "$before" ]
	kill -CONT "$first"
	wait_for 20 grep -qx continued "$dir/out"
	wait_for 20 test "$(wc -l <"$dir/beats")" -gt "$before"
	kill -STOP "$first"
	wait_for 20 sh -c "[ \$(grep -cx 'stopped 19' '$dir/out') = 2 ]"
	kill -KILL "$first"
	ends 20 "signal 9"
}

@test "guardian: the wall budget ends the container by SIGTERM" {
	guard wall=1500 grace=30000 -- sh -c 'trap "exit 9" TERM; while :; do sleep 0.02; done'
	ends 20 "exit 9"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "wall 1500ms spent" ]
	[ "$(audit exit '"\(.cause) \(.code)"')" = "wall 1500ms spent 9" ]
	[ "$(audit budget.spent '"\(.budget) \(.action)"')" = "wall stop" ]
	[ "$(audit budget.warn .percent | paste -sd' ')" = "80 95" ]
}

@test "guardian: who ignores SIGTERM is killed after the grace, all of the cgroup" {
	guard wall=1500 grace=300 -- sh -c 'trap "" TERM; setsid sh -c "trap \"\" TERM; exec sleep 60" & while :; do sleep 0.05; done'
	ends 20 "signal 9"
	wait_for 20 sh -c "! cat ${cgroups[*]/#cgroup=/} 2>/dev/null | grep -q ."
	wait_for 20 is_gone "$guardian"
	[ "$(audit exit '"\(.cause) \(.code)"')" = "wall 1500ms spent 137" ]
}

ends_nested() {
	guard pidns=0 wall=3000 grace=200 -- sh -c 'trap "" TERM; for i in 1 2 3; do setsid sleep 60 & done; wait; sleep 60'
	for group in "${cgroups[@]}"; do
		mkdir "${group#cgroup=}/nested"
		pids_of_all_groups | sort -u | tail -n 1 >"${group#cgroup=}/nested/cgroup.procs"
	done
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	for group in "${cgroups[@]}"; do
		[ -z "$(cat "${group#cgroup=}/cgroup.procs" "${group#cgroup=}/nested/cgroup.procs")" ]
	done
}
@test "guardian: without a pid namespace of its own all of the cgroup ends, nested ones too" {
	ends_nested
}

@test "guardian: under cgroup version 2 without a pid namespace of its own all of the cgroup ends, nested ones too" {
	use_version_2
	ends_nested
}

@test "guardian: without a pid namespace of its own the first process's end is everybody's" {
	guard pidns=0 -- sh -c 'setsid sleep 60 & exit 0'
	ends 20 "exit 0"
	wait_for 20 is_gone "$guardian"
	[ -z "$(pids_of_all_groups)" ]
}

ends_frozen() {
	guard wall=3000 grace=200 -- sh -c 'while :; do sleep 0.05; done'
	for group in "${cgroups[@]}"; do freeze "${group#cgroup=}"; done
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "wall 3s spent" ]
}
@test "guardian: a frozen container ends by its budget, too" {
	ends_frozen
}

@test "guardian: under cgroup version 2 a frozen container ends by its budget, too" {
	use_version_2
	ends_frozen
}

is_recorded() { [ "$(audit budget.spent .action)" = "$1" ]; }

freezes() {
	guard wall=300 freeze=1 -- sh -c 'while :; do sleep 0.05; done'
	frozen=
	for group in "${cgroups[@]}"; do [ ! -e "${group#cgroup=}/freezer.state" ] && [ ! -e "${group#cgroup=}/cgroup.freeze" ] || frozen=${group#cgroup=}; done
	wait_for 20 is_frozen "$frozen"
	wait_for 20 is_recorded freeze # what is done comes first, its record then
	thaw "$frozen"
	wait_for 20 is_frozen "$frozen"
	kill -0 "$first"
	kill -KILL "$first"
	thaw "$frozen"
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(audit exit .cause)" = "signal 9" ]
}
@test "guardian: on_exhausted freeze freezes, again when it is thawed, and leaves the rest to people" {
	freezes
}

@test "guardian: under cgroup version 2 on_exhausted freeze freezes, again when it is thawed, and leaves the rest to people" {
	use_version_2
	freezes
}

counts_cpu() {
	guard cpu=600 cpus=2000 grace=100 -- sh -c '(while :; do :; done) & while :; do :; done'
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "cpu 600ms spent" ]
	spent=$(ledger cpu_us)
	echo "spent $spent"
	[ "$spent" -ge 600000 ]
	[ "$spent" -lt 3000000 ]
	[ "$(audit budget.spent .budget)" = cpu ]
}
@test "guardian: the CPU budget is the cgroup's, however many processes burn it" {
	counts_cpu
}

@test "guardian: under cgroup version 2 the CPU budget is the cgroup's, however many processes burn it" {
	use_version_2
	counts_cpu
}

@test "guardian: sleeping spends no CPU" {
	guard cpu=500 -- sleep 1
	ends 20 "exit 0"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger cpu_us)" -lt 300000 ]
}

@test "guardian: the ledger sums two runs, and the second has what the first left" {
	guard wall=4000 -- sleep 0.6
	ends 20 "exit 0"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger runs)" = 1 ]
	[ "$(ledger wall_ms)" -ge 600 ]
	[ "$(ledger wall_ms)" -lt 3000 ]
	guard wall=4000 grace=100 -- sleep 60
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger runs)" = 2 ]
	[ "$(ledger wall_ms)" -ge 4000 ]
	[ "$(ledger wall_ms)" -lt 4600 ] # as much it would be with a whole budget for the second
}

@test "guardian: a created container that hasn't started spends nothing" {
	guard wall=500 hold=700 -- sh -c 'exit 4'
	ends 20 "exit 4"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger wall_ms)" -lt 700 ]
}

@test "guardian: one that is killed before it has started says so" {
	guard hold=2000 -- true
	kill -KILL "$first"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "never started" ]
	[ "$(ledger runs)" = 0 ]
}

@test "guardian: a fault that nobody catches ends the first process as it would untraced" {
	guard -- "$act" fault
	ends 20 "signal 11"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "signal 11" ]
}

@test "guardian: abort and a trap end it, too" {
	guard -- "$act" abort
	ends 20 "signal 11"
	guard -- "$act" trap
	wait_for 20 is_gone "$runner"
	tail -n 1 "$dir/out" | grep -qE '^signal (5|9)$'
}

@test "guardian: a fault that is caught is the program's own affair" {
	guard -- "$act" caught-fault
	ends 20 "exit 7"
}

@test "guardian: a program that another thread executes is held as before" {
	guard -- "$act" thread-exec sleep 60
	wait_for 20 grep -q sleep "/proc/$first/cmdline"
	wait_for 20 test "$(status_of "$first" TracerPid)" = "$guardian"
	kill -KILL "$guardian"
	ends 20 "signal 9"
}

@test "guardian: nor does a thread that asks not to be traced get away" {
	guard -- "$act" untraced-exec sleep 60
	wait_for 20 grep -q sleep "/proc/$first/cmdline"
	wait_for 20 test "$(status_of "$first" TracerPid)" = "$guardian"
	kill -KILL "$guardian"
	ends 20 "signal 9"
}

@test "guardian: a first process whose main thread ends alone is ended" {
	guard -- "$act" main-ends
	ends 15 "signal 9"
	wait_for 20 is_gone "$guardian"
	[[ $(ledger ended) == "killed: main thread ended alone"* ]]
}

@test "guardian: a flood of signals comes through, and does not use up the guardian" {
	guard -- "$act" signals 20000
	ends 20 "exit 0"
}

@test "guardian: a set-user-id program gets its rights under the leash" {
	cp /usr/bin/id /usr/bin/id-as-user
	chown 1000 /usr/bin/id-as-user
	chmod 4755 /usr/bin/id-as-user
	guard -- /usr/bin/setpriv --reuid 2000 --clear-groups /usr/bin/id-as-user -u
	ends 20 "exit 0"
	grep -qx 1000 "$dir/out"
}

@test "guardian: a hook that has entered the container's network does not leave the helpers there" {
	guard netns=1 -- sleep 60
	[ "$(readlink "/proc/$guardian/ns/net")" = "$(readlink /proc/$$/ns/net)" ]
	[ "$(readlink "/proc/$guardian/ns/net")" != "$(readlink "/proc/$first/ns/net")" ]
}

@test "guardian: what it can't promise it refuses, in words" {
	cgroups=()
	guard cpu=1000 -- true
	grep -q 'refused: the container has no cgroup of its own that counts CPU time' "$dir/out"
	guard pidns=0 -- true
	grep -q 'refused: .*nothing can end all of it' "$dir/out"
	guard wall=1000 freeze=1 -- true
	grep -q 'refused: the container has no freezer' "$dir/out"
	guard key=../x -- true
	grep -q "refused: ledger: '../x' is no key" "$dir/out"
}

@test "guardian: the engine's own cgroup is never taken for the container's" {
	for group in "${cgroups[@]}"; do echo $$ >"${group#cgroup=}/cgroup.procs"; done
	guard pidns=0 -- true
	for group in "${cgroups[@]}"; do
		parent=$(dirname "${group#cgroup=}")
		echo $$ >"$parent/cgroup.procs"
	done
	grep -q 'refused: .*nothing can end all of it' "$dir/out"
}

@test "guardian: a program that isn't there, or that is started by hand, is refused in words" {
	guard program=/nonexistent -- true
	grep -q 'refused: /nonexistent: No such file' "$dir/out"
	run "$builddir/quod-warden"
	[ "$status" = 2 ]
	[[ $output == *"is started by quod's hook"* ]]
}

@test "guardian: an audit trail that is full does not stop the budgets" {
	mkdir -p "$dir/log"
	mount -t tmpfs -o size=4k,mode=700 full "$dir/log"
	head -c 8192 /dev/zero >"$dir/log/fill" 2>/dev/null || :
	guard wall=300 grace=100 -- sleep 60
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	umount "$dir/log"
	[ "$(ledger ended)" = "wall 300ms spent" ]
}

unproven() { # OPTION WHAT
	guard "$1" -- sh -c "touch $dir/ran"
	ends 20 "signal 9"
	[[ "$(ledger ended)" == "killed: not proven at its first instruction: $2"* ]]
	[ ! -e "$dir/ran" ]
}

@test "guardian: a program that is executed without what was promised is killed at its first instruction" {
	unproven caps=0 "process.capabilities: CapPrm is"
	unproven nnp=1 "process.no_new_privs is off"
	unproven filter=1 "seccomp.floor: no filter"
}

# The kernel's status file begins with the name of the program, which is the image's choice.
@test "guardian: a program's name does not prove what it says" {
	for name in $'NoNewPrivs:\t1' $'\nNoNewPrivs:\t1'; do
		cp /usr/bin/true "$dir/$name"
		guard nnp=1 -- "$dir/$name"
		ends 20 "signal 9"
		wait_for 20 is_gone "$guardian"
		[[ "$(ledger ended)" == *"process.no_new_privs is off" ]]
	done
}

@test "guardian: the status of a process of many groups is read to its end" {
	guard -- setpriv --groups "$(seq -s, 100000 100800)" "$act" fault
	ends 20 "signal 11"
}

@test "guardian: a period that has passed is forgotten while the container runs" {
	guard wall=4000 period=2000 grace=100 -- sleep 60
	sleep 7
	kill -0 "$first"
	[ "$(audit budget.reset .event | grep -c .)" -ge 2 ]
	[ "$(ledger wall_ms)" -lt 4000 ]
	kill -KILL "$first"
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(audit exit .wall_ms)" -ge 7000 ]
	[ "$(ledger wall_ms)" -lt 4000 ]
}

@test "guardian: within a period the budget ends the container as ever" {
	guard wall=1500 period=60000 grace=100 -- sleep 60
	ends 20 "signal 9"
	wait_for 20 is_gone "$guardian"
	[ "$(ledger ended)" = "wall 1500ms spent" ]
}

@test "guardian: what is frozen for want of a budget goes on with the next period" {
	guard wall=1000 freeze=1 period=4000 -- sh -c 'while :; do echo alive; sleep 0.1; done'
	wait_for 20 grep -q budget.spent "$dir/log/audit.jsonl"
	sleep 0.5
	before=$(grep -c alive "$dir/out")
	wait_for 20 sh -c "[ \$(grep -c alive '$dir/out') -gt $((before + 2)) ]"
	[ "$(audit budget.reset .event)" = budget.reset ]
}

@test "guardian: two that share a ledger are ended when their sum is spent" {
	guard cpu=1500 shared=1 cpus=1000 grace=100 -- sh -c 'while :; do :; done'
	other=$runner shared=$dir/lib/ledger dir=$dir/b
	guard "ledger=$shared" cpu=1500 shared=1 cpus=1000 grace=100 "audit=$BATS_TEST_TMPDIR/log/audit.jsonl" \
		"head=$BATS_TEST_TMPDIR/lib/audit.head" -- sh -c 'while :; do :; done'
	wait_for 20 is_gone "$other"
	wait_for 20 is_gone "$runner"
	dir=$BATS_TEST_TMPDIR
	wait_for 20 is_gone "$guardian"
	wait_for 20 sh -c "[ \$(grep -c '\"event\":\"exit\"' '$dir/log/audit.jsonl') = 2 ]"
	[ "$(audit exit .cause | sort -u)" = "cpu 1500ms spent" ]
	[ "$(audit exit .cpu_us | jq -s add)" = "$(ledger cpu_us)" ]
}
