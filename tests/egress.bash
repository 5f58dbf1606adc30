# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # builddir, output, status: helpers.bash and bats
# For the live tests of shim/egress: two network namespaces, `inner` (the container's) and `outer` (the world: its gateway, an
# allowed and a denied server, metadata), joined by a cable, and a witness in `outer` that counts what arrives from inside.

inner() { ip netns exec inner "$@"; }
outer() { ip netns exec outer "$@"; }
load_table() { inner "$builddir/tests/live/egress-load" install "$@"; }
probe() { inner "$builddir/tests/live/egress-probe" "$@"; }
ask() { inner "$builddir/tests/live/egress-load" "$@"; }

# Addresses of `outer`: .1 gateway, .3 allowed, .4 denied, .5 nobody's rule.
make_world() {
	need_box || return
	local n
	ip netns add inner
	ip netns add outer
	ip -n outer link add eth0 netns inner type veth peer name cable
	ip -n inner link set lo up
	ip -n outer link set lo up
	# duplicate address detection would hold the first second's packets
	inner sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0
	outer sysctl -qw net.ipv6.conf.cable.accept_dad=0
	for n in 1 3 4 5; do
		ip -n outer addr add "10.9.0.$n/24" dev cable
		ip -n outer addr add "fd09::$n/64" dev cable
	done
	ip -n outer addr add 169.254.169.254/32 dev lo
	ip -n inner addr add 10.9.0.2/24 dev eth0
	ip -n inner addr add fd09::2/64 dev eth0
	ip -n outer link set cable up
	ip -n inner link set eth0 up
	ip -n inner route add default via 10.9.0.1
	ip -n inner route add default via fd09::1
	serve_world
	outer nft -f - <<-'RULES'
		table inet witness {
			counter any { }
			counter elsewhere { }
			set places4 { type ipv4_addr . inet_proto . inet_service; flags dynamic; }
			set places6 { type ipv6_addr . inet_proto . inet_service; flags dynamic; }
			chain seen {
				type filter hook prerouting priority -500; policy accept;
				iif "lo" accept
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
				counter name any
				ip daddr 10.9.0.3 accept
				ip6 daddr fd09::3 accept
				counter name elsewhere
				update @places4 { ip daddr . meta l4proto . th dport }
				update @places6 { ip6 daddr . meta l4proto . th dport }
			}
		}
	RULES
}

# Servers in both namespaces; end_world stops them.
serve_world() {
	local where
	for where in inner outer; do
		# sysctl: any group may open a ping socket, as dockerd sets it
		ip netns exec "$where" sysctl -qw net.ipv4.ping_group_range='0 2147483647'
		ip netns exec "$where" "$builddir/tests/live/egress-world" >"$BATS_FILE_TMPDIR/world.$where" 3>&- &
		echo $! >>"$BATS_FILE_TMPDIR/world.pids"
		wait_for 5 grep -q ready "$BATS_FILE_TMPDIR/world.$where"
	done
}

end_world() {
	# shellcheck disable=SC2046 # one word each
	kill $(cat "$BATS_FILE_TMPDIR/world.pids")
}

# The last test's table, wherever its owner has gone.
clear_world() {
	inner nft flush ruleset
	forget
}

# The witness begins anew.
forget() {
	outer nft reset counters >/dev/null
	outer nft flush set inet witness places4
	outer nft flush set inet witness places6
}

# What a profile gives: one address is allowed, the usual places never, one network denied although it is allowed.
# shellcheck disable=SC2034 # the test files use it
standard_rules=(
	"allow=tcp 10.9.0.3 80" "allow=udp 10.9.0.3 5000" "allow=icmp 10.9.0.3" "allow=tcp 10.9.0.4 80"
	"allow=tcp fd09::3 80" "allow=udp fd09::3 5000" "allow=icmp fd09::3" "allow=tcp fd09::4 80"
	"deny=any 10.9.0.4" "deny=any fd09::4"
	"never=any 0.0.0.0-0.255.255.255" "never=any 127.0.0.0-127.255.255.255" "never=any 169.254.0.0-169.254.255.255"
	"never=any 224.0.0.0-255.255.255.255" "never=any 10.9.0.1" "never=any ::-::ffff:ffff:ffff"
	"never=any fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff" "never=any ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	"never=any fd09::1"
)

# witness NAME: packets of that counter; witness_bytes NAME.
witness() { outer nft list counter inet witness "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
witness_bytes() { outer nft list counter inet witness "$1" | sed -n 's/.*bytes \([0-9]*\).*/\1/p'; }

# is WORD TRY...: the probe says WORD, and a refusal comes within 200 ms. With probe_in=outer, from there.
is() {
	local want=$1 got took
	shift
	read -r got took < <(ip netns exec "${probe_in:-inner}" "$builddir/tests/live/egress-probe" "$@" 2>&1)
	if [ "$got" != "$want" ]; then
		printf '%s: got "%s", wanted "%s"\n' "$*" "$got $took" "$want"
		return 1
	fi
	case $want in
	ETIMEDOUT) ;;
	E*) [ "$took" -lt 200000 ] || { printf '%s: took %s us\n' "$*" "$took"; return 1; };;
	esac
}

# Nothing came to anybody but the allowed address.
nothing_elsewhere() {
	local seen
	seen=$(witness elsewhere)
	[ "$seen" = 0 ] || { echo "$seen packets went elsewhere:"; outer nft list sets | grep elements; return 1; }
}
