# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For tests/box: the first process of the throw-away machine. Makes its mounts, runs COMMAND and reaps what is orphaned
# until COMMAND has ended. It changes no mount of the machine outside: propagation is private when it starts.
set -eu

mount_cgroups() {
	if [ "$BOX_VERSION" = 2 ]; then
		# one file system is not mounted over itself
		umount -l /sys/fs/cgroup
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
			echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
		done
		return
	fi
	mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
	for hierarchy in $BOX_HIERARCHIES; do
		controller=${hierarchy##*/}
		mkdir "/sys/fs/cgroup/$controller"
		[ "$controller" != systemd ] || controller=none,name=systemd
		mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/${hierarchy##*/}"
	done
}

# What is written below DIR (an overlay on itself) is kept in memory.
cover() {
	mkdir "$BOX_WORK/$2.upper" "$BOX_WORK/$2.work"
	mount -t overlay -o "lowerdir=$1,upperdir=$BOX_WORK/$2.upper,workdir=$BOX_WORK/$2.work" overlay "$3"
}

own_packages() {
	mkdir "$BOX_WORK/repository" "$BOX_WORK/directory"
	mount --bind "$BOX_REPOSITORY" "$BOX_WORK/repository"
	mount --bind "$BOX_DIRECTORY" "$BOX_WORK/directory"
	mount -t proc proc /proc
	for dir in usr etc opt var; do
		[ ! -d "/$dir" ] || cover "/$dir" "$dir" "/$dir"
	done
	mount -t tmpfs -o mode=755 run /run
	[ ! -d /srv ] || mount -t tmpfs -o mode=755 srv /srv
	# the tree under test and where we stand are seen as they are, wherever they lie
	for held in "repository $BOX_REPOSITORY" "directory $BOX_DIRECTORY"; do
		case ${held#* } in
		/usr/* | /etc/* | /opt/* | /var/* | /run/* | /srv/*)
			mkdir -p "${held#* }"
			mount --bind "$BOX_WORK/${held%% *}" "${held#* }";;
		esac
	done
	cd "$BOX_DIRECTORY"
}

own_root() {
	mkdir "$BOX_WORK/root"
	cover "$BOX_ROOT" root "$BOX_WORK/root"
	cd "$BOX_WORK/root"
	mount -t proc proc proc
	for dir in sys dev; do
		mount --rbind "/$dir" "$dir"
	done
	mount -t tmpfs -o mode=755 run run
	mount -t tmpfs -o mode=1777 tmp tmp
	for dir in $BOX_BINDS; do
		mkdir -p "./$dir"
		mount --rbind "$dir" "./$dir"
	done
	[ ! -e /etc/resolv.conf ] || cat /etc/resolv.conf >etc/resolv.conf
	mkdir -p .box
	pivot_root . .box
	umount -l .box
	rmdir .box
	cd /
}

mount -t tmpfs -o mode=755 "$(basename "$BOX_WORK")" "$BOX_WORK"
mount_cgroups
if [ "$BOX_ROOT" = / ]; then
	own_packages
else
	own_root
fi
for dir in docker containerd containers quod; do
	mkdir -p "/var/lib/$dir"
	mount -t tmpfs -o mode=711 "$dir" "/var/lib/$dir"
done
for dir in /etc/quod /var/log/quod; do
	rm -rf "$dir"
done
mkdir -p /run/lock
mount --make-rshared /
hostname box
ip link set lo up 2>/dev/null || :
status=0
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" CI="${CI-}" \
	QUOD_BOX=1 QUOD_BOX_NAME="$(basename "$BOX_WORK")" "$@" || status=$?
# what is frozen (version 1) can't be killed with us, and we would wait for it
find /sys/fs/cgroup -name freezer.state 2>/dev/null | while read -r state; do
	echo THAWED 2>/dev/null >"$state" || :
done
exit "$status"
