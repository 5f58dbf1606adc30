# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # code, data, took are the tests'; builddir, output, status: helpers.bash and bats
# For the live tests of names: a little internet in the network namespace `internet` (two name servers, a server on every
# address of 11.22.40.0/22 and 11.64.0.0/14 and on 11.22.33.80, 2a0b::80), this box as router, and containers in namespaces made before.

client=$builddir/tests/live/names-client

# not COMMAND...: COMMAND must fail. (After an exclamation mark a failure that doesn't come would not be noticed.)
not() {
	if "$@"; then
		echo "this should have failed: $*"
		return 1
	fi
}

internet() { ip netns exec internet "$@"; }

# make_internet [PORT]...: with a server that accepts and closes on each of the ports, else 80, 443 and 5432.
make_internet() {
	need_box || return
	ip netns add internet
	ip link add wan type veth peer name far netns internet
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.wan.accept_dad=0
	internet sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.far.accept_dad=0
	ip addr add 11.22.33.1/24 dev wan
	ip addr add 2a0b::1/64 dev wan
	ip link set wan up
	ip route add 11.22.40.0/22 via 11.22.33.80
	ip route add 11.64.0.0/14 via 11.22.33.80
	local last
	for last in 53 54 80 66; do
		ip -n internet addr add "11.22.33.$last/24" dev far
		ip -n internet addr add "2a0b::$last/64" dev far
	done
	ip -n internet link set lo up
	ip -n internet link set far up
	ip -n internet route add default via 11.22.33.1
	ip -n internet route add default via 2a0b::1
	ip -n internet route add local 11.22.40.0/22 dev lo
	ip -n internet route add local 11.64.0.0/14 dev lo
	[ $# -gt 0 ] || set -- 80 443 5432
	for last; do
		serve_in internet "$client" serve "$last"
	done
}

# serve_in NAMESPACE COMMAND...: until end_internet.
serve_in() {
	ip netns exec "$@" </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >>"$BATS_FILE_TMPDIR/internet.pids"
}

# In teardown_file: bats waits for whoever holds a descriptor of its own.
end_internet() {
	local pid
	while read -r pid; do
		kill "$pid" 2>/dev/null || :
	done <"$BATS_FILE_TMPDIR/internet.pids"
}

# name_server ADDRESS LOG <RULES: in `internet`.
name_server() {
	: >"$2.ready"
	cat >"$2.rules"
	ip netns exec internet "$builddir/tests/live/dns-server" "$1" "$2" <"$2.rules" >"$2.ready" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >>"$BATS_FILE_TMPDIR/internet.pids"
	wait_for 5 grep -q ready "$2.ready"
}

# make_network NAME NUMBER: the namespace NAME with 10.77.NUMBER.2 and fd77:NUMBER::2 on eth0, this box behind it; whatever
# comes out of it is counted.
make_network() {
	ip netns add "$1"
	ip link add "to$2" type veth peer name eth0 netns "$1"
	ip addr add "10.77.$2.1/24" dev "to$2"
	ip addr add "fd77:$2::1/64" dev "to$2"
	ip link set "to$2" up
	ip netns exec "$1" sysctl -qw net.ipv6.conf.eth0.accept_dad=0
	ip -n "$1" addr add "10.77.$2.2/24" dev eth0
	ip -n "$1" addr add "fd77:$2::2/64" dev eth0
	ip -n "$1" link set eth0 up
	ip -n "$1" link set lo up
	ip -n "$1" route add default via "10.77.$2.1"
	ip -n "$1" route add default via "fd77:$2::1"
	nft -f - <<-RULES
		table inet witness$2 {
			counter any { }
			counter dns { }
			chain seen {
				type filter hook prerouting priority -500; policy accept;
				iifname != "to$2" accept
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
				counter name any
				meta l4proto { tcp, udp } th dport { 53, 1053, 1055 } counter name dns
				ip daddr 127.0.0.0/8 counter name dns
			}
		}
	RULES
}

# Packets that came out of the container of network NUMBER: all, or those that look like DNS.
came_out() { # NUMBER any|dns
	nft -j list counter inet "witness$1" "$2" | jq '.nftables[1].counter.packets'
}

# start_container NAME PROFILE NETWORK: sleeps under the profile in a namespace made before; $pid is its first process.
start_container() {
	local bundle=$BATS_FILE_TMPDIR/bundle-$1
	[ -d "$bundle" ] || make_bundle "$bundle" ".process.args = [\"sleep\", \"1000\"] | .linux.namespaces |= map(if .type == \"network\" then .path = \"/run/netns/$3\" else . end)"
	"quod-$2" create --bundle "$bundle" --pid-file "$BATS_FILE_TMPDIR/$1.pid" "$1" </dev/null >"$BATS_FILE_TMPDIR/$1.out" 2>&1 3>&- ||
		{ cat "$BATS_FILE_TMPDIR/$1.out"; return 1; }
	"quod-$2" start "$1" || return
	pid=$(cat "$BATS_FILE_TMPDIR/$1.pid")
}

end_container() { # NAME PROFILE
	"quod-$2" kill "$1" KILL
	wait_for 5 "quod-$2" delete "$1"
}

inside() { nsenter --net --target "$pid" -- "$@"; }

# ask NAME [TYPE] [DIG-OPTION]...: the answer's status, and its data.
ask() {
	run inside dig +tries=1 +time=6 "$@"
	printf '%s\n' "$output"
	code=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$output")
	data=$(sed -n '/ANSWER SECTION/,/^$/p' <<<"$output" | awk '/IN/ { print $5 }' | sort | xargs)
	took=$(sed -n 's/.*Query time: \([0-9]*\) msec/\1/p' <<<"$output")
}

connects() { # ADDRESS PORT
	inside timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}

helper() { # quod-warden
	jq -r ".${1#quod-}_pid" /run/quod/containers/*/guardian
}

# helper_of CONTAINER WORD: the pid that the container's guardian noted as WORD_pid.
helper_of() {
	local dir
	for dir in /run/quod/containers/*/; do
		if [ "$(jq -r .id "$dir/record.json")" = "$1" ]; then
			jq -r ".$2_pid" "$dir/guardian"
			return
		fi
	done
	return 1
}

audit() { # EVENT JQ-FILTER
	jq -r "select(.event == \"$1\") | $2" /var/log/quod/audit.jsonl
}

has_audit() { # EVENT JQ-CONDITION
	[ -n "$(audit "$1" "select($2)")" ]
}
