# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For the guardian's tests: cgroups for a first process, guard-run in the background, what it left in writing.
# shellcheck disable=SC2154 # builddir is helpers.bash's

act=$builddir/tests/live/guard-act
dir=$BATS_TEST_TMPDIR

make_groups() {
	cgroups=()
	for controller in freezer cpuacct pids memory; do
		[ -d "/sys/fs/cgroup/$controller" ] || continue
		mkdir -p "/sys/fs/cgroup/$controller/guarded"
		cgroups+=("cgroup=/sys/fs/cgroup/$controller/guarded")
	done
	if [ ${#cgroups[@]} = 0 ]; then
		mkdir -p /sys/fs/cgroup/guarded
		cgroups+=("cgroup=/sys/fs/cgroup/guarded")
	fi
}

# From here on there is version 2 alone: what lies below its mount can't be reached.
use_version_2() {
	[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || return 0
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	is_covered=1
	make_groups
}

remove_groups() {
	local group
	for pid in $(pids_of_all_groups); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	for group in "${cgroups[@]}"; do
		thaw "${group#cgroup=}"
		wait_for 20 remove_group "${group#cgroup=}"
	done
	[ -z "${is_covered-}" ] || { remove_group /sys/fs/cgroup/quod; umount /sys/fs/cgroup; }
}

pids_of_all_groups() {
	local group
	for group in "${cgroups[@]}"; do
		cat "${group#cgroup=}/cgroup.procs" 2>/dev/null || :
	done
}

remove_group() {
	find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
	[ ! -d "$1" ]
}

freeze() {
	if [ -e "$1/freezer.state" ]; then echo FROZEN >"$1/freezer.state"; elif [ -e "$1/cgroup.freeze" ]; then echo 1 >"$1/cgroup.freeze"; fi
}

thaw() {
	if [ -e "$1/freezer.state" ]; then echo THAWED >"$1/freezer.state"; elif [ -e "$1/cgroup.freeze" ]; then echo 0 >"$1/cgroup.freeze"; fi
}

is_frozen() {
	grep -qsx FROZEN "$1/freezer.state" || grep -qsx 'frozen 1' "$1/cgroup.events"
}

# guard OPTION=VALUE... -- COMMAND...: in the background, its words in $dir/out; sets $first and $guardian.
guard() {
	rm -f "$dir/out" # of the one before
	mkdir -p "$dir/state"
	"$builddir/tests/live/guard-run" program="$builddir/quod-warden" state="$dir/state" audit="$dir/log/audit.jsonl" \
		head="$dir/lib/audit.head" ledger="$dir/lib/ledger" key=k1 "${cgroups[@]}" "$@" >"$dir/out" 2>&1 </dev/null 3>&- &
	runner=$!
	wait_for 20 grep -qE '^(guardian|refused)' "$dir/out"
	first=$(said first)
	guardian=$(said guardian)
}

said() {
	sed -n "s/^$1 //p" "$dir/out"
}

# ends WITHIN_SECONDS LINE: the runner's last word.
ends() {
	wait_for "$1" is_gone "$runner"
	cat "$dir/out"
	[ "$(tail -n 1 "$dir/out")" = "$2" ]
}

ledger() { # NAME
	sed -n "s/^$1 //p" "$dir/lib/ledger/k1"
}

audit() { # EVENT JQ-FILTER
	jq -r "select(.event == \"$1\") | $2" "$dir/log/audit.jsonl"
}

status_of() { # PID NAME
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}
