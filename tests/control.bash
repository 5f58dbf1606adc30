# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # bundle, first: the tests'; srcdir, output, status: helpers.bash and bats
# For the live tests of quodctl's commands at run time: raw containers in a network namespace made before, which reach a
# little world, and what they do there.

# A world on the other side of a cable: 10.66.0.1 (this box: a host's address), 11.22.33.80, .81, 10.9.9.9, 169.254.169.254.
make_small_world() {
	need_box || return
	local address
	ip netns add small
	ip -n small link set lo up
	for address in 11.22.33.80 11.22.33.81 11.22.33.82 10.9.9.9 169.254.169.254; do
		ip -n small addr add "$address/32" dev lo
	done
	ip netns exec small sh -c 'for port in 80 443 81; do
		while :; do echo hello | busybox nc -l -p $port; done & done; wait' </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >"$BATS_FILE_TMPDIR/small.pid"
}

# make_cable NAME: the network namespace NAME, joined to the small world.
make_cable() {
	ip netns add "$1"
	ip link add eth0 netns "$1" type veth peer name "to-$1" netns small
	ip -n "$1" link set lo up
	ip -n "$1" addr add 10.66.1.2/24 dev eth0
	ip -n "$1" link set eth0 up
	ip -n small addr add 10.66.1.1/24 dev "to-$1"
	ip -n small link set "to-$1" up
	ip -n "$1" route add default via 10.66.1.1
}

remove_cable() {
	ip netns del "$1"
	wait_for 5 is_unplugged "$1"
}

is_unplugged() {
	! ip -n small link show "to-$1" >/dev/null 2>&1
}

end_small_world() {
	ip netns pids small | xargs -r kill
}

quod() {
	command quod --runtime "$runtime" "$@"
}

end_runtime() {
	rm -rf /var/log/quod /var/lib/quod/*
}

# create PROFILE [ID [JQ-FILTER]]: not started; $first is its first process.
create() {
	local id=${2-c1}
	bundle=$BATS_TEST_TMPDIR/$id
	[ -d "$bundle/rootfs" ] || { mkdir -p "$bundle"; make_rootfs "$bundle/rootfs"; }
	make_bundle "$bundle" "${3-.}"
	quod --profile "$1" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" "$id" </dev/null >"$BATS_TEST_TMPDIR/out.$id" 2>&1 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/out.$id"; return 1; }
	first=$(cat "$BATS_TEST_TMPDIR/pid")
}

# start PROFILE [ID [JQ-FILTER]]
start() {
	create "$@" && quod start "${2-c1}"
}

state_dir() { # ID
	local file
	for file in /run/quod/containers/*/record.json; do
		[ "$(jq -r .id "$file")" != "$1" ] || dirname "$file"
	done
}

audited() { # EVENT JQ-FILTER
	jq -r "select(.event == \"$1\") | $2" /var/log/quod/audit.jsonl
}

# Where the freezer of PID's cgroup lies.
freezer_of() {
	local path
	if [ -d /sys/fs/cgroup/freezer ]; then
		path=$(sed -nE 's/^[0-9]+:([^:]*,)?freezer(,[^:]*)?:(.*)/\3/p' "/proc/$1/cgroup")
		echo "/sys/fs/cgroup/freezer$path"
	else
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
	fi
}

is_frozen() {
	local dir
	dir=$(freezer_of "$1")
	grep -qsx FROZEN "$dir/freezer.state" || grep -qsx 'frozen 1' "$dir/cgroup.events"
}

is_thawed() {
	not is_frozen "$1"
}

thaw_behind() {
	local dir
	dir=$(freezer_of "$1")
	if [ -e "$dir/freezer.state" ]; then echo THAWED >"$dir/freezer.state"; else echo 0 >"$dir/cgroup.freeze"; fi
}

not() {
	if "$@"; then
		echo "this should have failed: $*"
		return 1
	fi
}

# From this container's network namespace, by a process that isn't in its cgroup: what the table says.
reaches() { # ADDRESS PORT [NAMESPACE]
	ip netns exec "${3-net1}" timeout 2 busybox nc "$1" "$2" </dev/null 2>/dev/null | grep -q hello
}

table_says_closed() { # NAMESPACE
	[ -z "$(ip netns exec "${1-net1}" nft list set inet quod alive 2>/dev/null | grep elements)" ]
}

end_all() {
	quodctl release --all >/dev/null 2>&1 || :
	local runtime id
	for runtime in runc crun; do
		for id in $(command quod --runtime "$runtime" list -q 2>/dev/null); do
			command quod --runtime "$runtime" delete --force "$id"
		done
	done
} 2>/dev/null
