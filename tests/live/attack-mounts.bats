#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by mounts and file systems: the M entries of tests/attacks, on raw bundles. Those by Docker's options are in
# attack-docker.bats.
# shellcheck disable=SC2016 # the container's shell expands

load ../helpers
load attack

setup_file() {
	attack_setup_file
	mkdir -p /srv/site/web /srv/conf/web /srv/secret
	echo host-secret >/srv/secret/file
	echo conf >/srv/conf/web/file
}

setup() {
	attack_setup
}

teardown() {
	[ -z "${swap-}" ] || kill "$swap" 2>/dev/null || :
}

@test "M01: a bind of the host is refused, in any of its spellings" {
	attack "$(mount_at /mnt /srv/secret)" 'cat /mnt/file'
	works_bare host-secret
	refused 'host path /srv/secret is not allowed at /mnt \(mounts.allow\)'
	local source
	for source in / /srv /etc/shadow /proc/1/root /proc/self/root/srv/secret //srv/./secret/ /srv/site/../secret; do
		attack "$(mount_at /mnt "$source")"
		refused 'host path .* is not allowed at /mnt'
	done
	for source in '"type": "none", "options": ["rbind"]' '"options": ["bind"]' '"type": "bind"' '"type": "tmpfs", "options": ["bind"]' \
		'"type": "proc", "options": ["rbind", "ro"]'; do
		attack ".mounts += [{\"destination\": \"/mnt\", \"source\": \"/srv/secret\", $source}]"
		refused 'host path /srv/secret is not allowed at /mnt'
	done
	ln -s /srv/secret "$bundle/inner"
	attack "$(mount_at /mnt inner)"
	refused 'host path /srv/secret is not allowed at /mnt'
	attack "$(mount_at /mnt ../../../../../../../../srv/secret)"
	refused 'host path /srv/secret is not allowed at /mnt'
}

@test "M11: the sockets of engines are refused, even below a path that is allowed" {
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' /srv/site/web/engine.sock
	attack "$(mount_at /workspace/s /srv/site/web/engine.sock)" '[ ! -S /workspace/s ] || echo reached'
	works_bare reached
	profile=work
	refused 'engine.sock \(a socket\) is neither a directory nor a file'
	rm /srv/site/web/engine.sock
}

@test "M17: no file system of the kernel's but the ordinary ones, and these only at their own places" {
	attack "$(mount_at /mnt sysfs sysfs rw)" 'ls /mnt'
	works_bare kernel
	refused 'sysfs may stand at /sys only'
	local type
	for type in overlay fuse fuse.sshfs 9p bpf tracefs debugfs securityfs devtmpfs configfs binfmt_misc nfs nfs4 cifs ext4 xfs \
		squashfs hugetlbfs ramfs pstore efivarfs fusectl rpc_pipefs virtiofs tmpfs,bind TMPFS Bind ''; do
		attack "$(mount_at /mnt x "${type:- }" ro)"
		refused "mount type .* is not allowed at /mnt"
	done
	for type in proc cgroup cgroup2 devpts mqueue; do
		attack "$(mount_at /mnt "$type" "$type" ro)"
		refused "$type may stand at"
	done
}

@test "M20: an image whose /proc, /sys or /dev is a link is refused" {
	local place
	for place in proc sys dev; do
		own_rootfs
		rm -rf "$bundle/rootfs/$place"
		ln -s /tmp "$bundle/rootfs/$place"
		attack "$own_root"
		refused '/mounts/.*(may stand at|no place|nothing may be mounted)|/tmp'
		rm -rf "$bundle/rootfs"
	done
}

@test "M23: nothing is mounted over /proc, /sys or what of /dev is the kernel's" {
	attack "$(mount_at /sys/module tmpfs tmpfs rw)" 'echo x >/sys/module/x && echo written'
	works_bare written
	refused 'nothing may be mounted at /sys/module'
	local place
	for place in /proc /proc/sys /proc/self /proc/ //proc/./sys /sys /sys/fs/cgroup/x /dev/null /dev/pts/0 /dev/mqueue/x /; do
		attack "$(mount_at "$place" tmpfs tmpfs rw)"
		refused "nothing may be mounted at"
		profile=work
		attack "$(mount_at "$place" /srv/site/web)"
		refused "nothing may be mounted at|is not allowed at"
		profile=balanced
	done
	attack "$(mount_at /proc/../proc/sys tmpfs tmpfs rw)"
	refused 'is no place in the root file system'
}

@test "M25: nothing that is mounted on either side shows on the other" {
	profile=work
	attack "$(mount_at /workspace /srv/site/web bind rbind rshared) | .linux.rootfsPropagation = \"shared\"" \
		'grep -c " shared:\| master:" /proc/self/mountinfo | sed s/^/open:/'
	works_bare 'open:[1-9]'
	held 'open:[1-9]'
	attack "$(mount_at /workspace /srv/site/web bind rbind slave) | .linux.rootfsPropagation = \"rslave\"" \
		'grep -c " shared:\| master:" /proc/self/mountinfo | sed s/^/open:/'
	held 'open:[1-9]'
	attack '.linux.rootfsPropagation = "loose"'
	refused 'propagation loose is not known'
}

# 300 creates while two directories that lie in a directory of another user change places.
@test "M26: a source that is swapped for a link while containers are made never leads to the host" {
	mkdir -p /srv/site/race/a
	echo mine >/srv/site/race/a/file
	ln -s /srv/secret /srv/site/race/b
	chown -h 1000:1000 /srv/site/race /srv/site/race/a /srv/site/race/b
	cc -O1 -o "$BATS_TEST_TMPDIR/swap" "$srcdir/tests/live/attack-swap.c"
	"$BATS_TEST_TMPDIR/swap" /srv/site/race/a /srv/site/race/b 3>&- &
	swap=$!
	local i seen=0 mine=0
	attack "$(mount_at /workspace /srv/site/race/a)" 'cat /workspace/file'
	for ((i = 0; i < 100 && seen == 0; i++)); do
		output=$(runc run --bundle "$bundle" c1 2>&1 </dev/null) || :
		[[ $output != *host-secret* ]] || seen=1
	done
	echo "bare: read the host after $i creates; the last: $output"
	[ "$seen" = 1 ]
	seen=0
	for ((i = 0; i < ${ATTACK_CREATES:-100}; i++)); do
		output=$(quod-work run --bundle "$bundle" c1 2>&1 </dev/null) || :
		case $output in *host-secret*) seen=$((seen + 1));; mine*) mine=$((mine + 1));; esac
	done
	kill "$swap"
	echo "quod: $seen read the host, $mine their own, of $i"
	[ "$seen" = 0 ]
	[ "$mine" -gt 0 ]
}

@test "M27: a destination is judged by where it lands, and .. is none" {
	profile=work
	own_rootfs
	ln -s /proc "$bundle/rootfs/workspace/p"
	ln -s ../proc/sys "$bundle/rootfs/workspace/q"
	ln -s ../../../../../../etc "$bundle/rootfs/workspace/r"
	ln -s nowhere "$bundle/rootfs/workspace/dangling"
	local place
	for place in /workspace/p /workspace/q /workspace/p/sys /workspace/r /workspace/dangling /workspace/dangling/x \
		/workspace/../proc /workspace/.. workspace/../../proc; do
		attack "$own_root | $(mount_at "$place" /srv/site/web)"
		refused 'nothing may be mounted at|is not allowed at|is no place in the root file system'
	done
}

# What stands in front of it, a volume or a workspace, may hold a link at the place where the next one is to stand.
@test "M27: a destination below another mount lands where it says, whatever that mount holds" {
	profile=work
	mkdir -p /srv/site/front /srv/site/back
	ln -sfn /proc /srv/site/front/l
	ln -sfn /etc /srv/site/front/e
	echo faked >/srv/site/back/version
	attack "$(mount_at /workspace /srv/site/front) | $(mount_at /workspace/l /srv/site/back)" 'cat /proc/version'
	works_bare -r crun faked
	refused '/workspace/l is no place'
	attack "$(mount_at /workspace /srv/site/front) | $(mount_at /workspace/e /srv/site/back)" 'ls /etc'
	works_bare -r runc version
	refused '/workspace/e is no place'
	mkdir -p /srv/site/front/plain
	attack "$(mount_at /workspace /srv/site/front) | $(mount_at /workspace/plain /srv/site/back)" 'cat /workspace/plain/version'
	runs faked
}

@test "M28: a missing mount point is never made on the host" {
	profile=work
	own_rootfs
	ln -s ../../../../../../../../../../srv/secret "$bundle/rootfs/workspace/out"
	attack "$own_root | $(mount_at /workspace/out/made /srv/site/web)"
	run quod-work run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ ! -e /srv/secret/made ]
	attack "$own_root | $(mount_at /workspace/out/made tmpfs tmpfs rw)"
	for runtime in runc crun; do
		run quod-work --runtime "$runtime" run --bundle "$bundle" c1 </dev/null
		[ ! -e /srv/secret/made ]
	done
}

@test "M29: id mappings of a mount are refused" {
	attack '.mounts += [{"destination": "/mnt", "type": "tmpfs", "source": "t", "options": ["rw"],
		"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}]'
	refused 'id mappings'
	profile=work
	local option
	for option in idmap ridmap 'idmap=uids=0-1000-1'; do
		attack "$(mount_at /workspace /srv/site/web bind rbind "$option")"
		refused "option '.*' is not allowed"
	done
}

@test "M30: options that only one runtime knows, or that are data for the kernel, are refused" {
	profile=work
	local option
	for option in copy-symlink src-nofollow dest-nofollow tmpcopyup rsuid rdev 'context=x' 'data=x' 'size=1m' remount mand silent \
		iversion lazytime nosymfollow,dev RO Rbind 'bind ' ' ro' 'ro,dev' ''; do
		attack "$(mount_at /workspace /srv/site/web bind rbind "$option")"
		refused "option '.*' is not allowed"
	done
}

@test "M31: read-only holds for what is mounted below the source, too" {
	mkdir -p /srv/conf/web/sub
	mount -t tmpfs sub /srv/conf/web/sub
	profile=work
	attack "$(mount_at /conf /srv/conf/web bind rbind ro)" 'echo x >/conf/sub/x && echo written; echo x >/conf/x && echo written'
	works_bare written
	held written
	attack "$(mount_at /conf /srv/conf/web bind rbind rw)" 'echo x >/conf/sub/x && echo written; echo x >/conf/x && echo written'
	held written
	umount /srv/conf/web/sub
}

@test "M33: a file at an engine's init's place is judged by its source" {
	local place
	for place in /sbin/docker-init /usr/sbin/docker-init /dev/init /run/podman-init; do
		attack "$(mount_at "$place" /srv/secret/file bind bind ro)"
		refused 'host path /srv/secret/file is not allowed at'
	done
	# the source's name and place alone are not enough either
	cp /bin/busybox /usr/bin/tini-mine
	attack "$(mount_at /sbin/docker-init /usr/bin/tini-mine bind bind ro)"
	refused 'host path /usr/bin/tini-mine is not allowed'
}

pod='.annotations = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-uid": "1111-aaaa",
	"io.kubernetes.cri.sandbox-id": "s1", "io.kubernetes.cri.container-name": "a"}'
refused_in_pod() {
	run quod --profile "$profile" --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" = 1 ]
	[[ $output =~ ^quod:\ .*$1 ]]
}

@test "M34: another pod's directories and the host's paths are no volumes of this pod" {
	mkdir -p /var/lib/kubelet/pods/2222-bbbb/volumes/kubernetes.io~empty-dir/v /var/lib/kubelet/pods/1111-aaaa/volumes/kubernetes.io~nfs/v \
		/var/lib/kubelet/pods/1111-aaaa/volume-subpaths/v/a/0
	local source
	for source in /var/lib/kubelet/pods/2222-bbbb/volumes/kubernetes.io~empty-dir/v \
		/var/lib/kubelet /var/lib/kubelet/pods/1111-aaaa /srv/secret; do
		attack "$pod | $(mount_at /mnt "$source")"
		refused_in_pod 'is not allowed at /mnt'
	done
	attack "$pod | $(mount_at /mnt /var/lib/kubelet/pods/1111-aaaa/volumes/kubernetes.io~nfs/v)"
	refused_in_pod 'is a mount of something else, at /mnt'
	# the annotation counts only where the call comes from the engine's own root
	mkdir -p /var/lib/kubelet/pods/1111-aaaa/volumes/kubernetes.io~empty-dir/v
	attack "$pod | $(mount_at /mnt /var/lib/kubelet/pods/1111-aaaa/volumes/kubernetes.io~empty-dir/v)"
	refused 'is not allowed at /mnt'
}

@test "M35: the token of a service account is taken out" {
	local token=/var/lib/kubelet/pods/1111-aaaa/volumes/kubernetes.io~projected/kube-api-access-x
	mkdir -p "$token"
	echo api-token >"$token/token"
	attack "$pod | $(mount_at /var/run/secrets/kubernetes.io/serviceaccount "$token" bind rbind ro)" \
		'cat /var/run/secrets/kubernetes.io/serviceaccount/token'
	works_bare api-token
	for runtime in runc crun; do
		run quod --profile balanced --runtime "$runtime" --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1 </dev/null
		echo "$output"
		[[ $output == *"at the end"* && $output != *api-token* ]]
	done
}

@test "M35: a token under another name is known by what it says" {
	local volumes=/var/lib/kubelet/pods/1111-aaaa/volumes claims='{"iss":"x","kubernetes.io":{"namespace":"n"}}' kind
	write_profile token <<<'{ "version": 1, "extends": "balanced", "mounts": { "service_account": true } }'
	for kind in projected secret; do
		mkdir -p "$volumes/kubernetes.io~$kind/mine/..2026_11"
		printf 'eyJhbGciOiJSUzI1NiJ9.%s.c2lnbmVk' "$(printf %s "$claims" | base64 -w0 | tr '+/' '-_' | tr -d =)" \
			>"$volumes/kubernetes.io~$kind/mine/..2026_11/vault"
		ln -s ..2026_11 "$volumes/kubernetes.io~$kind/mine/..data"
		ln -s ..data/vault "$volumes/kubernetes.io~$kind/mine/vault"
		attack "$pod | $(mount_at /mnt "$volumes/kubernetes.io~$kind/mine" bind rbind ro)" 'cat /mnt/vault'
		works_bare eyJhbGciOiJSUzI1NiJ9
		refused_in_pod "with a service account's token is not allowed at /mnt \(mounts.service_account\)"
		run quod --profile token --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1 </dev/null
		[[ $output == *eyJhbGciOiJSUzI1NiJ9*"at the end"* ]]
	done
	# what is no token stays what it is
	echo eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmVk >"$volumes/kubernetes.io~secret/mine/..2026_11/vault"
	run quod --profile balanced --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1 </dev/null
	[[ $output == *eyJhbGciOiJSUzI1NiJ9.e30*"at the end"* ]]
}

@test "M36: what a container writes to its termination log can be bounded" {
	write_profile short <<<'{ "version": 1, "extends": "balanced", "process": { "rlimits": { "fsize": 65536 } } }'
	local log=/var/lib/kubelet/pods/1111-aaaa/containers/a/0
	mkdir -p "${log%/*}"
	: >"$log"
	attack "$pod | $(mount_at /dev/termination-log "$log" bind rbind rw)" 'dd if=/dev/zero of=/dev/termination-log bs=1M count=8 2>/dev/null'
	works_bare 'at the end'
	[ "$(stat -c %s "$log")" = 8388608 ]
	: >"$log"
	run quod --profile short --root /run/containerd/runc/k8s.io run --bundle "$bundle" c1 </dev/null
	[[ $output == *"at the end"* ]]
	[ "$(stat -c %s "$log")" -le 65536 ]
	attack "$pod | $(mount_at /dev/termination-log /srv/secret/file bind rbind rw)"
	refused_in_pod 'is not allowed at /dev/termination-log'
}

# Podman mounts an overlay over the host's directory beside the container's files, and binds that.
@test "M37: an overlay that an engine made over a host path is a host path, and secrets aren't the container's to choose" {
	local storage=/var/lib/containers/storage/overlay-containers/c1/userdata
	mkdir -p $storage/overlay/1/upper $storage/overlay/1/work $storage/overlay/1/merge $storage/secrets
	mount -t overlay -o "lowerdir=/srv/secret,upperdir=$storage/overlay/1/upper,workdir=$storage/overlay/1/work" overlay $storage/overlay/1/merge
	attack "$(mount_at /mnt $storage/overlay/1/merge)" 'cat /mnt/file'
	works_bare host-secret
	cp "$bundle/config.json" $storage/
	bundle=$storage
	refused 'host path .*/merge is not allowed at /mnt'
	umount $storage/overlay/1/merge
	attack "$(mount_at /run/secrets $storage/secrets)"
	refused 'is not allowed at /run/secrets'
	attack "$(mount_at /mnt overlay overlay lowerdir=/srv/secret upperdir=/tmp workdir=/tmp)"
	refused 'mount type overlay is not allowed'
}

@test "M38: without a writable root nothing is written to the engine's storage" {
	attack '.root.readonly = false' 'dd if=/dev/zero of=/f bs=1M count=4 2>/dev/null && echo written'
	works_bare written
	rm -f "$BATS_FILE_TMPDIR/rootfs/f"
	held written
	[ ! -e "$BATS_FILE_TMPDIR/rootfs/f" ]
}

@test "M40: FIFOs and devices are no sources, even below a path that is allowed" {
	profile=work
	mkfifo /srv/site/web/fifo
	mknod /srv/site/web/kmsg c 1 11
	attack "$(mount_at /workspace/f /srv/site/web/fifo)"
	refused 'fifo \(a FIFO\) is neither'
	attack "$(mount_at /workspace/f /srv/site/web/kmsg)"
	refused 'kmsg \(a device\) is neither'
	attack "$(mount_at /workspace /srv/site/web)" 'echo x >/workspace/kmsg && echo written; head -c 1 /workspace/kmsg && echo read'
	held 'written|read'
	rm /srv/site/web/fifo /srv/site/web/kmsg
}

@test "M41: /dev/shm and every other tmpfs have a bound" {
	attack '(.mounts[] | select(.destination == "/dev/shm").options) += ["size=500g"] |
		.mounts += [{"destination": "/big", "type": "tmpfs", "source": "t", "options": ["size=500g", "nr_inodes=0"]}]' \
		'df -k /dev/shm /big | awk "NR > 1 && \$2 > 100000000 { print \"huge \" \$6 }"'
	works_bare 'huge /dev/shm'
	held huge
	attack '(.mounts[] | select(.destination == "/dev/shm").options) += ["size=100%"]' \
		'df -k /dev/shm | awk "NR > 1 && \$2 > 4194304 { print \"huge\" }"'
	held huge
}

@test "M42: the kernel's files stay masked and read-only when the configuration lists none" {
	attack '.linux.maskedPaths = [] | .linux.readonlyPaths = []' \
		'cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern && echo written; [ -n "$(head -c 1 /proc/kallsyms)" ] && echo read'
	works_bare written.*read
	held 'written|read'
	attack 'del(.linux.maskedPaths, .linux.readonlyPaths)' \
		'cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern && echo written; [ -n "$(head -c 1 /proc/kallsyms)" ] && echo read'
	held 'written|read'
	attack '.linux.maskedPaths = ["/nothing"] | .linux.readonlyPaths = ["/proc/sys/net"]' \
		'cat /proc/sys/kernel/modprobe >/proc/sys/kernel/modprobe && echo written; head -c 1 /proc/kcore && echo read'
	held 'written|read'
	# neither is a place, and no runtime hides anything by them
	for path in '' /; do
		attack ".linux.maskedPaths = [\"$path\"] | .linux.readonlyPaths = [\"$path\"]" \
			'cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern && echo written; [ -n "$(head -c 1 /proc/kallsyms)" ] && echo read'
		works_bare written.*read
		held 'written|read'
	done
}

@test "M43: what newer kernels have added is hidden or read-only, too" {
	attack . 'echo "some 500000 1000000" >/proc/pressure/cpu && echo written
		for file in /proc/interrupts /proc/key-users /proc/kallsyms /proc/kpagecount /proc/vmallocinfo /proc/slabinfo /proc/config.gz; do
			[ -s $file ] && echo read $file; [ -n "$(head -c 1 $file)" ] && echo read $file; done
		for dir in /sys/devices/virtual/powercap /sys/kernel/debug /sys/kernel/tracing /sys/kernel/security /sys/fs/bpf /sys/firmware; do
			[ -z "$(ls $dir)" ] || echo read $dir; done 2>/dev/null
		find /sys -writable -type f 2>/dev/null | head -n 3 | while read -r f; do (: >>$f) 2>/dev/null && echo written $f; done'
	works_bare 'read /proc/interrupts'
	held 'written|read'
}
