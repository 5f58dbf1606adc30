#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What quod promises, said once and held against each engine: ENGINE=docker|podman|cri|ctr tests/box bats
# tests/engines/sentences.bats. The words are driver.bash's; the matrix in README.md is made from the results.
# shellcheck disable=SC2154 # what helpers.bash, driver.bash and bats set

load ../helpers
load ../names
load driver
# shellcheck source=tests/engines/docker.bash
. "$srcdir/tests/engines/$ENGINE.bash"

write_profiles() {
	write_config <<-'J'
		{ "version": 1, "default_profile": "sentences", "selectable": ["strict"] }
	J
	write_profile sentences <<-'J'
		{ "version": 1, "extends": "balanced", "mounts": { "allow": [ { "source": "/srv/agents/**", "destination": "/workspace/**", "readonly": false } ] },
		  "resources": { "cpus": 1.0, "memory": "96M", "pids": 40 }, "rootfs": { "tmpfs": { "/tmp": "8M" } },
		  "egress": { "verify_name": false, "dns": { "upstream": ["11.22.33.53"] }, "allow": ["11.22.33.80:80", "good.test:443"] } }
	J
	write_profile strict <<<'{ "version": 1, "extends": "sentences", "resources": { "pids": 20 } }'
	write_profile short <<<'{ "version": 1, "extends": "sentences", "budgets": { "wall": "2s", "grace": "0s" } }'
	# no sandbox and no engine's own default may stand for what is asked here
	write_profile rule <<<'{ "version": 1, "extends": "sentences" }'
}

setup_file() {
	install_quod
	write_profiles
	make_internet
	echo 'nameserver 11.22.33.53' >/etc/resolv.conf
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/upstream" <<-'R'
		good.test A 20 11.22.40.5
		denied.test A 20 11.22.33.66
	R
	engine_setup sentences strict short rule
	# what the first container makes and all later ones use
	start first --network -- true
	engine_remove first
	left_over >"$BATS_FILE_TMPDIR/before"
	start shared --network --env 'GREETING=a b' -- sh -c 'echo "$GREETING"; sleep 1000'
}

# How often a profile's containers were created is counted, whatever becomes of them.
left_over() {
	local found
	found=$(leftovers)
	grep -v '^/run/quod/creates/' <<<"$found"
}

same_as() { diff "$1" <(left_over); }

teardown_file() {
	engine_remove shared || :
	engine_stop_daemons
	end_internet
}

teardown() {
	local name
	for name in c1 c2; do engine_remove "$name" >/dev/null 2>&1 || :; done
}

in_shared() { engine_exec shared sh -c "$1"; }

has_status() { [ "$(engine_status "$1")" = "$2" ]; }

has_exited() { [[ $(engine_status "$1") == exited* ]]; }

logs_are() { [ "$(engine_logs "$1")" = "$2" ]; }

logs_have() { engine_logs "$1" | grep -q "$2"; }

record_dir() { dirname "$(grep -l "\"id\":\"$(engine_id "$1")\"" /run/quod/containers/*/record.json)"; }

# quods NAME: the row of `quodctl ps` of a container.
quods() { quodctl --json ps | jq -e --arg id "$(engine_id "$1")" '.[] | select(.id == $id)'; }

first_process() { awk 'NR == 1 { print $3 }' "$(record_dir "$1")/spaces"; }

# The limit of a container in the kernel, by either version of cgroups: NAME CONTROLLER FILE-OF-V1 FILE-OF-V2.
limit_of() {
	local pid path
	pid=$(first_process "$1")
	path=$(sed -n "s/^[0-9]*:$2://p" "/proc/$pid/cgroup")
	if [ -n "$path" ]; then
		cat "/sys/fs/cgroup/$2$path/$3"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/$4"
	fi
}

# refused WHAT START-OPTION...: the engine's user sees the reason, and nothing has run.
refused() {
	local what=$1
	shift
	run start c1 "$@" -- sh -c 'echo it ran'
	printf '%s\n' "$output"
	[ "$status" != 0 ]
	[[ $output == *"refused by profile 'sentences': "*$what* ]]
	not ls /run/quod/containers/*/record.json.new 2>/dev/null
	engine_remove c1
}

# --- it runs ---

@test "a container runs under its profile, and its output and exit status are the engine's" {
	start c1 -- sh -c 'echo out; echo err >&2; exit 3'
	wait_for 20 has_status c1 "exited 3"
	wait_for 20 logs_have c1 out
	logs_have c1 err
}

@test "what was asked for arrives: environment and user" {
	wait_for 20 logs_are shared "a b"
	! engine_lacks user || skip "this engine has no such thing"
	start c1 --user 1000:1000 -- sh -c 'id -u; id -g; sleep 1000'
	wait_for 20 logs_are c1 "$(printf '1000\n1000')"
	[ "$(engine_exec c1 id -u)" = 1000 ]
}

@test "the engine and quod agree on what runs, and quod knows which engine it is" {
	has_status shared running
	run quods shared
	echo "$output"
	[ "$(jq -r '"\(.engine) \(.profile) \(.status)"' <<<"$output")" = "$(sed 's/^ctr/containerd/' <<<"$ENGINE") sentences running" ]
}

@test "verify proves every control" {
	run quodctl verify "$(engine_id shared)"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *proven* ]]
}

@test "stop ends it politely" {
	start c1 -- sh -c 'trap "echo got TERM; exit 9" TERM; echo up; while :; do sleep 0.05; done'
	wait_for 20 logs_have c1 up
	engine_stop c1
	wait_for 20 has_status c1 "exited 9"
	logs_have c1 'got TERM'
}

@test "kill ends what ignores it" {
	start c1 -- sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	wait_for 20 logs_have c1 up
	engine_signal c1 KILL
	wait_for 20 has_status c1 "exited 137"
}

@test "pause stops it, and it goes on afterwards" {
	! engine_lacks pause || skip "this engine has no such thing"
	start c1 -- sh -c 'while :; do echo tick; sleep 0.1; done'
	wait_for 20 logs_have c1 tick
	engine_pause c1
	has_status c1 paused
	engine_resume c1
	has_status c1 running
	[ "$(engine_exec c1 echo again)" = again ]
}

@test "a volume keeps its data from one container to the next" {
	! engine_lacks volumes || skip "this engine has no such thing"
	start c1 --volume kept /data -- sh -c 'cat /data/file 2>/dev/null; echo kept >/data/file; sleep 1000'
	wait_for 20 engine_exec c1 test -s /data/file
	engine_restart c1
	wait_for 20 logs_have c1 kept
}

@test "an allowed workspace is mounted, and is the host's" {
	mkdir -p /srv/agents/one
	start c1 --bind /srv/agents/one /workspace/one -- sh -c 'echo word >/workspace/one/file; sleep 1000'
	wait_for 20 grep -qx word /srv/agents/one/file
}

# --- it is bounded ---

@test "exec stands under the bounds of the first process" {
	for field in CapBnd CapEff CapPrm NoNewPrivs Seccomp; do
		echo "$field"
		[ "$(in_shared "grep $field: /proc/self/status")" = "$(in_shared "grep $field: /proc/1/status")" ]
	done
	run in_shared 'echo inside; exit 4'
	[ "$status" = 4 ]
	[ "$output" = inside ]
}

@test "a privileged exec gets no more" {
	! engine_lacks privileged-exec || skip "this engine has no such thing"
	[ "$(engine_exec_privileged shared grep -E '^(Cap(Bnd|Prm|Eff)|NoNewPrivs|Seccomp):' /proc/self/status)" = \
		"$(engine_exec shared grep -E '^(Cap(Bnd|Prm|Eff)|NoNewPrivs|Seccomp):' /proc/self/status)" ]
}

@test "no capability beyond the profile's" {
	# CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID
	[ "$(in_shared 'grep ^CapBnd: /proc/self/status')" = "$(printf 'CapBnd:\t00000000000000eb')" ]
	[ "$(in_shared 'grep ^CapAmb: /proc/self/status')" = "$(printf 'CapAmb:\t0000000000000000')" ]
}

@test "no new privileges, and a filter of system calls" {
	[ "$(in_shared 'grep -E "^(NoNewPrivs|Seccomp):" /proc/1/status')" = "$(printf 'NoNewPrivs:\t1\nSeccomp:\t2')" ]
	not in_shared 'unshare -r true'
	not in_shared 'mount -t tmpfs tmpfs /tmp'
}

@test "the root file system can't be written to, the profile's tmpfs can, up to its size" {
	not in_shared 'touch /bin/x'
	not in_shared 'touch /workspace/x'
	in_shared 'touch /tmp/x'
	not in_shared 'dd if=/dev/zero of=/tmp/big bs=1M count=9 2>/dev/null'
	in_shared 'rm -f /tmp/big'
	in_shared 'grep " /tmp tmpfs " /proc/mounts | grep nosuid | grep -q nodev'
}

@test "the kernel's files are masked" {
	not in_shared 'head -c 1 /proc/kcore'
	not in_shared 'echo 1 >/proc/sys/kernel/panic'
	not in_shared 'echo b >/proc/sysrq-trigger'
	not in_shared 'echo 1 >/sys/kernel/profiling'
}

@test "the limits in the kernel are the profile's, and a lower wish stands" {
	[ "$(limit_of shared memory memory.limit_in_bytes memory.max)" = $((96 << 20)) ]
	[ "$(limit_of shared pids pids.max pids.max)" = 40 ]
	start c1 --memory $((32 << 20)) -- sleep 1000
	[ "$(limit_of c1 memory memory.limit_in_bytes memory.max)" = $((32 << 20)) ]
}

@test "a higher wish is brought down" {
	start c1 --memory $((512 << 20)) -- sleep 1000
	[ "$(limit_of c1 memory memory.limit_in_bytes memory.max)" = $((96 << 20)) ]
}

@test "more processes than allowed can't be started" {
	start c1 -- sh -c '(i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i + 1)); done); echo done; sleep 1000'
	wait_for 20 logs_have c1 "can't fork"
	wait_for 20 logs_have c1 done
	[ "$(limit_of c1 pids pids.current pids.current)" -le 40 ]
}

@test "update may lower a limit" {
	! engine_lacks update || skip "this engine has no such thing"
	start c1 -- sleep 1000
	engine_update_memory c1 $((48 << 20))
	[ "$(limit_of c1 memory memory.limit_in_bytes memory.max)" = $((48 << 20)) ]
}

@test "update can't raise one, and says why" {
	! engine_lacks update || skip "this engine has no such thing"
	start c1 -- sleep 1000
	engine_update_memory c1 $((512 << 20))
	has_audit update '.held | test("536870912 is over the profile.s 96M .resources.memory")'
	[ "$(limit_of c1 memory memory.limit_in_bytes memory.max)" = $((96 << 20)) ]
}

# --- what is refused ---

@test "a host directory is refused, with its place and the profile's key" {
	refused '/etc is not allowed at /mnt (mounts.allow)' --bind /etc /mnt
}

@test "so is a socket of the host" {
	mkdir -p /run/daemon
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/daemon/sock")' 2>/dev/null ||
		socat -u UNIX-LISTEN:/run/daemon/sock,fork /dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	wait_for 10 test -S /run/daemon/sock
	refused 'mounts.allow' --bind /run/daemon/sock /run/daemon.sock
	rm -rf /run/daemon
}

@test "the host's network is refused" {
	refused 'host network (namespaces.private)' --host network
}

@test "the host's processes are refused" {
	! engine_lacks host-pid || skip "this engine has no such thing"
	refused 'host processes (namespaces.private)' --host pid
}

@test "a privileged container is refused" {
	refused '' --privileged
}

@test "a device is refused" {
	refused '/dev/kmsg' --device /dev/kmsg
}

@test "what a refused container leaves is nothing" {
	left_over >"$BATS_TEST_TMPDIR/before"
	refused 'mounts.allow' --bind /etc /mnt
	wait_for 30 same_as "$BATS_TEST_TMPDIR/before"
}

# --- who chooses ---

@test "the creator may wish for what may be wished for, and for nothing else" {
	! engine_lacks annotations || skip "this engine has no such thing"
	start c1 --profile rule --annotation quod.dev/profile=rule -- sleep 1000
	engine_remove c1
	run start c1 --annotation quod.dev/profile=strict -- true
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *strict* ]]
}

@test "the creator may tighten" {
	! engine_lacks annotations || skip "this engine has no such thing"
	start c1 --annotation quod.dev/resources.pids=15 -- sleep 1000
	[ "$(limit_of c1 pids pids.max pids.max)" = 15 ]
}

# --- the network ---

connects_from() { # NAME ADDRESS PORT
	engine_exec "$1" nc -w 10 "$2" "$3" </dev/null
}

@test "an allowed address is reached" {
	connects_from shared 11.22.33.80 80
}

@test "any other is refused at once: neither reached nor waited for" {
	run timed connects_from shared 11.22.33.66 80
	[ "$status" != 0 ]
	timed not connects_from shared 11.22.33.80 443
	echo "$took_ms ms"
	[ "$took_ms" -lt 8000 ]
	not connects_from shared 169.254.169.254 80
}

@test "an allowed name is found and reached, another is not found and never asked for" {
	in_shared 'nslookup -type=a good.test 11.22.33.53' | grep -q 11.22.40.5
	connects_from shared 11.22.40.5 443
	run in_shared 'nslookup -type=a denied.test 11.22.33.53'
	echo "$output"
	[[ $output == *NXDOMAIN* ]]
	not grep -qi '^denied.test' "$BATS_FILE_TMPDIR/upstream"
}

@test "a container without a name for it can't take the rules away" {
	not in_shared 'ip link set lo down'
	not in_shared 'ip route del default'
}

# --- budgets ---

@test "a spent budget ends it, the engine sees that, and it is not started again" {
	start c1 --profile short -- sleep 1000
	wait_for 20 has_status c1 "exited 137"
	run engine_restart c1
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *'wall 2s spent'* ]]
}

@test "a restart gives no new budget" {
	start c1 -- sleep 1000
	sleep 1
	engine_restart c1
	quods c1
	[ "$(quods c1 | jq .left.wall_ms)" -lt $((8 * 3600 * 1000 - 900)) ]
}

@test "the container reads what bounds it" {
	run in_shared 'cat /run/quod/limits.json'
	[ "$(jq -r '"\(.profile) \(.limits.memory_bytes)"' <<<"$output")" = "sentences $((96 << 20))" ]
	not in_shared 'touch /run/quod/x'
}

@test "the audit trail has it, and is whole" {
	has_audit create ".container == \"$(engine_id shared)\" and .profile == \"sentences\""
	has_audit refuse '.reason | test("mounts.allow")'
	quodctl audit verify
}

# --- it goes away ---

# The last one here.
@test "nothing is left of all that, but ledger and audit trail" {
	engine_remove shared
	wait_for 30 same_as "$BATS_FILE_TMPDIR/before"
}
