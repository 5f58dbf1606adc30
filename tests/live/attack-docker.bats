#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by Docker's own options and commands, of any section of tests/attacks. Each shows first that the attack works under
# the bare runtime, where it does on this machine.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers

image=quod.test/busybox:1

setup_file() {
	install_quod
	mount -t tmpfs -o mode=755 srv /srv # the machine's own is seen in a box
	mkdir -p /srv/secret
	echo host-secret >/srv/secret/file
	write_config <<<'{ "version": 1, "default_profile": "agent" }'
	box_start_engines locked
	make_rootfs "$BATS_FILE_TMPDIR/image"
	cc -static -O1 -o "$BATS_FILE_TMPDIR/image/bin/attack-try" "$srcdir/tests/live/attack-try.c"
	cp "$BATS_FILE_TMPDIR/image/bin/attack-try" "$BATS_FILE_TMPDIR/image/elevated"
	chmod 4755 "$BATS_FILE_TMPDIR/image/elevated"
	make_image $image "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/image.tar" '{"Env":["PATH=/bin:/usr/bin"],"Cmd":["sh"]}'
	docker load -q -i "$BATS_FILE_TMPDIR/image.tar"
}

teardown_file() {
	box_stop_engines
}

teardown() {
	docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || :
	docker volume ls -q | xargs -r docker volume rm -f >/dev/null 2>&1 || :
}

# attack OPTION... -- COMMAND: what the next lines try.
attack() {
	options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	command=$2
}

try() { # RUNTIME
	run timeout 60 docker run --rm --runtime "$1" --network none "${options[@]}" $image sh -c "$command; echo at the end" </dev/null
	printf '%s\n' "$1: $output"
}

works_bare() { # PATTERN
	try bare
	[[ $output =~ $1 ]]
}

refused() { # PATTERN
	try "${runtime:-quod}"
	[ "$status" = 125 ]
	[[ $output != *"at the end"* ]]
	[[ $output =~ refused\ by\ profile.*$1 ]]
}

held() { # PATTERN
	try "${runtime:-quod}"
	[[ $output == *"at the end"* ]]
	if [[ $output =~ $1 ]]; then return 1; fi
}

start() { # OPTION...: c1, that sleeps
	docker run -d --name c1 --runtime "${runtime:-quod}" --network none "$@" $image sleep 1000 >/dev/null
}

@test "M01: -v and --mount of a host path" {
	attack -v /srv/secret:/h -- 'cat /h/file'
	works_bare host-secret
	refused 'host path /srv/secret is not allowed at /h'
	attack --mount type=bind,src=/srv/secret,dst=/h,readonly,bind-propagation=rslave -- true
	refused 'host path /srv/secret'
	attack -v /:/host:ro -- true
	refused 'host path / '
	attack -v /var/lib/docker:/h -- true
	refused 'host path /var/lib/docker'
	attack -v /proc:/h -- true
	refused 'host path /proc'
}

@test "M05: a volume that mounts a disk" {
	truncate -s 8M /srv/disk
	mkfs.ext2 -q /srv/disk
	docker volume create -o type=ext4 -o device=/srv/disk -o o=loop disk
	attack -v disk:/h -- 'ls /h'
	try quod
	[ "$status" != 0 ]
	[[ $output != *"at the end"* ]]
	docker volume create -o type=none -o o=bind -o device=/srv/secret bound
	attack -v bound:/h -- 'cat /h/file'
	works_bare host-secret
	refused 'volume .* is a mount of something else'
	attack --mount type=volume,src=bound,dst=/h,volume-nocopy -- true
	refused 'is a mount of something else'
}

@test "M06: a volume that mounts cgroups or sysfs" {
	docker volume create -o type=sysfs -o device=sysfs sys
	attack -v sys:/h -- 'ls /h'
	works_bare kernel
	refused 'is a mount of something else'
	docker volume create -o type=cgroup -o device=c -o o=memory cg
	attack -v cg:/h -- true
	refused 'is a mount of something else'
}

# The daemon mounts it, from the host's network: seen from the runtime it is a mount like this one.
@test "M07: a volume on a file system of somebody else's" {
	docker volume create -o type=tmpfs -o device=tmpfs foreign
	attack -v foreign:/h -- 'grep " /h " /proc/self/mountinfo'
	works_bare ' /h '
	refused 'is a mount of something else'
}

@test "M11: the sockets of Docker and containerd" {
	attack -v /var/run/docker.sock:/s -- '[ -S /s ] && echo reached'
	works_bare reached
	refused 'docker.sock \(a socket\)'
	attack -v /run/containerd/containerd.sock:/s -- true
	refused 'containerd.sock \(a socket\)'
	attack -v /run:/s -- true
	refused 'host path /run '
}

@test "M12: volumes shared with a container that no profile holds" {
	docker run -d --name accomplice --runtime bare --network none -v shared:/v $image sh -c 'mkfifo /v/f; sleep 1000' >/dev/null
	attack --volumes-from accomplice -- 'ls /v'
	works_bare 'at the end'
	runtime=quod-locked
	attack --volumes-from accomplice -u 1000 -- 'ls /v'
	refused 'mounts.volumes'
	attack -v shared:/v -u 1000 -- true
	refused 'mounts.volumes'
}

@test "M23: --tmpfs over /proc, /sys and /dev" {
	attack --tmpfs /sys/module -- 'echo x >/sys/module/x && echo written'
	works_bare written
	refused 'nothing may be mounted at /sys/module'
	attack --tmpfs /proc/sys -- true
	refused 'nothing may be mounted at /proc/sys|/proc/sys'
	attack --mount type=tmpfs,dst=/sys/fs/cgroup -- true
	refused 'mounted at /sys/fs/cgroup'
	attack -v named:/sys/kernel -- true
	refused 'nothing may be mounted at /sys/kernel'
}

@test "M32: --init works, by the engine's own program and read-only" {
	attack --init -- 'cat /proc/1/comm; (echo x >/sbin/docker-init) 2>/dev/null && echo written'
	held written
	[[ $output == *init* ]]
}

@test "M33: any other file at the init's place" {
	attack -v /srv/secret/file:/sbin/docker-init:ro -- 'cat /sbin/docker-init'
	works_bare host-secret
	refused 'host path /srv/secret/file is not allowed'
	attack --init -v /srv/secret/file:/sbin/docker-init:ro -- true
	try quod
	[ "$status" = 125 ]
}

@test "M40: a FIFO or a device by -v" {
	mkfifo /srv/fifo
	attack -v /dev/kmsg:/f -- true
	refused 'kmsg \(a device\)'
	attack -v /srv/fifo:/f -- true
	refused 'fifo \(a FIFO\)'
}

@test "M41: --shm-size without measure" {
	attack --shm-size 500g -- 'df -k /dev/shm | awk "NR > 1 && \$2 > 100000000 { print \"huge\" }"'
	works_bare huge
	held huge
}

@test "M42: --security-opt systempaths=unconfined" {
	attack --security-opt systempaths=unconfined -- '[ -n "$(head -c 1 /proc/keys)" ] && echo read; v=$(cat /proc/sys/kernel/core_pattern); (echo "$v" >/proc/sys/kernel/core_pattern) 2>/dev/null && echo written'
	works_bare written
	held 'read|written'
}

@test "D01: --device" {
	attack --device /dev/kmsg --cap-add SYSLOG -- 'head -c 1 /dev/kmsg >/dev/null && echo opened'
	works_bare opened
	refused 'device /dev/kmsg'
	attack --device /dev/kmsg:/dev/null -- true
	refused 'devices.allow'
	attack --device-cgroup-rule 'c 1:11 rwm' -- true
	refused 'access to device c 1:11'
	attack --device-cgroup-rule 'a *:* rwm' -- true
	refused 'devices.allow'
	attack -v /dev:/dev2 -- true
	refused 'host path /dev '
}

@test "D06: --privileged" {
	attack --privileged -- true
	refused 'privileged container'
	attack --privileged --pid host --net host -v /:/host -- true
	run docker run --rm --runtime quod --privileged --pid host -v /:/host $image true
	[ "$status" = 125 ]
	[[ $output == *"host path /"* && $output == *"host processes"* ]]
}

@test "N01: --net=host" {
	run docker run --rm --runtime bare --net host $image readlink /proc/self/ns/net
	[ "$output" = "$(readlink /proc/self/ns/net)" ]
	run docker run --rm --runtime quod --net host $image echo ran
	echo "$output"
	[ "$status" = 125 ]
	[[ $output == *"host network (namespaces.private)"* ]]
	docker run -d --name accomplice --runtime bare --network none $image sleep 1000
	run docker run --rm --runtime quod --net container:accomplice $image echo ran
	echo "$output"
	[ "$status" = 125 ]
	[[ $output == *"is not of a container under quod"* ]]
}

@test "N02: --pid=host, and that of a container without a profile" {
	attack --pid host -- 'readlink /proc/self/ns/pid'
	works_bare "$(readlink /proc/self/ns/pid | tr -d '[]')|pid:"
	refused 'host processes'
	docker run -d --name accomplice --runtime bare --network none $image sleep 1000
	attack --pid container:accomplice -- true
	refused 'not of a container under quod'
}

@test "N03: --ipc, --uts, --cgroupns and --userns of the host" {
	attack --ipc host -- 'touch /dev/shm/quod-attack'
	works_bare 'at the end'
	[ -e /dev/shm/quod-attack ]
	rm /dev/shm/quod-attack
	refused 'host IPC|host path /dev/shm'
	attack --uts host -- true
	refused 'host UTS'
	attack --cgroupns host -- 'readlink /proc/self/ns/cgroup; echo of-host:$([ $(readlink /proc/self/ns/cgroup) = "'"$(readlink /proc/self/ns/cgroup)"'" ] && echo yes)'
	works_bare 'of-host:yes'
	held 'of-host:yes'
}

@test "N18: a network that is connected later opens nothing" {
	docker network create later
	start
	docker network disconnect none c1
	docker network connect later c1 || :
	local gateway
	gateway=$(docker network inspect later --format '{{(index .IPAM.Config 0).Gateway}}')
	perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(LocalAddr => shift, LocalPort => 7777, Listen => 5) or die; while ($c = $l->accept) { print $c "host-service\n"; close $c }' \
		"$gateway" 3>&- &
	local server=$!
	docker run -d --name bare1 --runtime bare --network later $image sleep 1000
	sleep 0.5
	run docker exec bare1 sh -c "nc -w 2 $gateway 7777 </dev/null"
	echo "bare: $output"
	[[ $output == *host-service* ]]
	run docker exec c1 sh -c "nc -w 2 $gateway 7777 </dev/null"
	echo "quod: $output"
	kill $server
	[[ $output != *host-service* ]]
	docker rm -f c1 bare1
	docker network rm later
}

@test "C01: --cap-add" {
	local over='grep CapBnd /proc/self/status | while read -r name set; do [ $((0x$set & ~0xeb)) = 0 ] || echo over; done'
	attack --cap-add SYS_ADMIN --cap-add NET_ADMIN -- "$over"
	works_bare over
	held over
	attack --cap-add ALL -- "$over"
	try quod
	[[ $output != *over* ]]
}

@test "C02: what Docker gives to everybody" {
	attack -- 'attack-try raw mark chroot mknod'
	works_bare 'raw worked'
	held worked
}

@test "C03: exec --privileged, and as another user" {
	start
	run docker exec --privileged c1 sh -c 'grep CapEff /proc/self/status; attack-try raw mount mknod newuser'
	echo "$output"
	[[ $output != *worked* ]]
	[[ $output == *CapEff:*00000000eb* || $output == *"not allowed"* || $output == *0000000000000000* ]]
	runtime=quod-locked
	docker rm -f c1
	start -u 1000
	run docker exec -u 0 c1 id
	echo "$output"
	[ "$status" != 0 ]
	[[ $output != *uid=0* ]]
}

@test "C07: --security-opt no-new-privileges=false" {
	attack --security-opt no-new-privileges=false -- 'grep NoNewPrivs /proc/self/status'
	works_bare 'NoNewPrivs:.0'
	held 'NoNewPrivs:.0'
}

@test "C08: a set-user-ID program in the image" {
	attack -u 1000 -- '/elevated be-root'
	works_bare 'be-root worked'
	held worked
}

@test "C09: --group-add, and --user root, where the profile wants another user" {
	runtime=quod-locked
	attack -u 1000 --group-add 6 --group-add 42 -- 'echo "groups: $(id -G) "'
	works_bare 'groups: .*42'
	held 'groups:.* (6|42) '
	attack -u 0 -- true
	refused 'uid 0 is not allowed'
	attack -- true
	refused 'uid 0 is not allowed'
}

@test "C10: --oom-score-adj" {
	attack --oom-score-adj 300 -- 'echo "score:$(cat /proc/self/oom_score_adj)"'
	held 'score:-'
	[[ $output == *score:300* ]]
	attack --oom-score-adj -500 -- 'echo "score:$(cat /proc/self/oom_score_adj)"'
	held 'score:-'
}

@test "C11: --ulimit" {
	attack --ulimit nofile=1000000:1000000 --ulimit memlock=-1 --ulimit rtprio=99 --ulimit nice=40 --ulimit core=-1 -- 'grep -E "open files|locked|realtime prio|nice|core" /proc/self/limits; attack-try realtime nice'
	held 'open files +[0-9]{7}|locked memory +unlimited|realtime priority +[1-9]|nice priority +[1-9]|core file size +unlimited|worked'
}

@test "C15: a user that the image maps to 0" {
	mkdir "$BATS_TEST_TMPDIR/root"
	cp -a "$BATS_FILE_TMPDIR/image/." "$BATS_TEST_TMPDIR/root/"
	printf 'agent:x:0:0::/:/bin/sh\n' >"$BATS_TEST_TMPDIR/root/etc/passwd"
	make_image quod.test/alias:1 "$BATS_TEST_TMPDIR/root" "$BATS_TEST_TMPDIR/image.tar" '{"User":"agent","Cmd":["id"]}'
	docker load -q -i "$BATS_TEST_TMPDIR/image.tar"
	run docker run --rm --network none --runtime bare quod.test/alias:1
	[[ $output == *uid=0* ]]
	run docker run --rm --network none --runtime quod-locked quod.test/alias:1
	echo "$output"
	[ "$status" = 125 ]
	[[ $output == *"uid 0 is not allowed"* ]]
}

@test "S04: --security-opt seccomp=unconfined" {
	attack --security-opt seccomp=unconfined -- 'grep Seccomp: /proc/self/status; attack-try newuser add-key alg vsock'
	works_bare 'newuser worked'
	"$BATS_FILE_TMPDIR/image/bin/attack-try" remove-key >/dev/null
	held 'Seccomp:.0|worked'
	echo '{"defaultAction": "SCMP_ACT_ALLOW"}' >"$BATS_TEST_TMPDIR/all.json"
	attack --security-opt "seccomp=$BATS_TEST_TMPDIR/all.json" -- 'grep Seccomp: /proc/self/status; attack-try newuser add-key alg vsock'
	held 'Seccomp:.0|worked'
}

@test "T06: docker update" {
	start -m 128m --memory-swap 128m --pids-limit 50 --cpus 1
	local change
	for change in '--memory 100g --memory-swap 100g' '--pids-limit 999999' '--pids-limit -1' '--cpus 64' '--memory-swap -1 --memory 100g' '--cpu-period 100000 --cpu-quota 9900000'; do
		# shellcheck disable=SC2086 # words
		run docker update $change c1
		echo "$change: $output"
		docker exec c1 sh -c 'cd /sys/fs/cgroup; cat pids/pids.max pids.max memory/memory.limit_in_bytes memory.max cpu/cpu.cfs_quota_us cpu.max; true' 2>/dev/null |
			tee /dev/stderr | awk '$1 == "max" || $1 == -1 || $1 > 8589934592 { exit 1 }'
	done
	# the attack was all of it: what the profile allows is what there is
	docker exec c1 sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null' | grep -x 2048
	docker exec c1 sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null' | grep -x 8589934592
}

@test "T10: --cgroup-parent" {
	local parent
	for parent in / /../x /system.slice; do
		start --cgroup-parent $parent
		docker exec c1 sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null' | grep -x 2048
		docker exec c1 sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null' | grep -x 8589934592
		docker rm -f c1
	done
}

@test "T20: a container's end comes though the engine is killed" {
	write_profile brief <<<'{ "version": 1, "extends": "agent", "budgets": { "wall": "3s", "grace": "1s" } }'
	write_config <<<'{ "version": 1, "default_profile": "brief" }'
	start
	local pid
	pid=$(docker inspect --format '{{.State.Pid}}' c1)
	kill -KILL "$(cat /run/dockerd.started)"
	kill -KILL "$(cat /run/containerd.started)"
	wait_for 8 is_gone "$pid"
	write_config <<<'{ "version": 1, "default_profile": "agent" }'
	rm -f /run/docker.pid /var/run/docker.pid /run/docker/containerd/*.pid
	pgrep -x containerd-shim | xargs -r kill -KILL || :
	box_start_engines locked
}

@test "T28: --oom-kill-disable" {
	attack -m 64m --oom-kill-disable -- true
	refused "OOM killer can't be switched off"
}

@test "X18: the reason of a refusal is in Docker's own message" {
	attack -v /srv/secret:/h -- true
	refused 'host path /srv/secret is not allowed at /h \(mounts.allow\)'
}

@test "H03: Docker's own hook makes the network, and quod's rules are in it" {
	run docker run --rm --runtime quod $image ip addr
	echo "$output"
	[[ $output == *eth0* ]]
}

@test "H11: labels of an image change nothing" {
	attack --label quod.dev/profile=open --annotation x=y -- true
	run docker run --rm --network none --runtime quod --label quod.dev/profile=unmanaged --label run.oci.handler=krun $image sh -c 'echo $QUOD_PROFILE'
	echo "$output"
	[ "$output" = agent ]
}

@test "K01: sysctls and raised limits by option" {
	local sysctl
	for sysctl in net.ipv4.ip_forward=1 kernel.shmmax=999999999 net.ipv4.conf.all.route_localnet=1 fs.mqueue.msg_max=10000; do
		attack --sysctl $sysctl -- true
		refused 'sysctl .* is not allowed'
	done
}
