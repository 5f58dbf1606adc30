#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The table in a namespace like a container's: what gets out, what gets in, and how the rest is refused. The probe runs with
# root's capabilities, so raw sockets are tried as well; a container has none.
# shellcheck disable=SC2154 # from helpers.bash and egress.bash: builddir, took_ms, standard_rules

load ../helpers
load ../egress

setup_file() {
	load ../helpers
	load ../egress
	make_world
}

teardown_file() {
	end_world
}

setup() {
	clear_world
}

# from WORD [src=ADDRESS] TRY...: the probe from outside.
from() {
	probe_in=outer is "$@"
}

@test "egress: without a table everything is reached, so the probes can tell" {
	is connected tcp 10.9.0.3 80
	is connected tcp fd09::4 80
	is connected tcp 169.254.169.254 80
	is reply udp 10.9.0.5 5000
	is reply udpto fd09::5 5000
	is reply ping 10.9.0.5
	is reply ping fd09::5
	is sent raw 10.9.0.5 132 80
	is sent fragment 10.9.0.5 5000 1480 nodefrag
	is sent options 10.9.0.3 5000
	is sent routed fd09::3 5000 fd09::1
	is reply large 10.9.0.3 5000 4000
	[ "$(witness elsewhere)" -gt 0 ]
}

@test "egress: what is allowed works, over both families" {
	load_table "${standard_rules[@]}"
	is connected tcp 10.9.0.3 80
	is connected tcp fd09::3 80
	is reply udp 10.9.0.3 5000
	is reply udpto fd09::3 5000
	is reply ping 10.9.0.3
	is reply ping fd09::3
	is reply large 10.9.0.3 5000 4000
	is reply large fd09::3 5000 4000
	nothing_elsewhere
}

@test "egress: TCP to what isn't allowed is refused at once" {
	load_table "${standard_rules[@]}"
	is ECONNREFUSED tcp 10.9.0.5 80
	is ECONNREFUSED tcp fd09::5 80
	is ECONNREFUSED tcp ::ffff:10.9.0.5 80
	is ECONNREFUSED tcp 10.9.0.3 81
	is ECONNREFUSED tcp fd09::3 81
	is ECONNREFUSED tcp 10.9.0.1 80
	is ECONNREFUSED tcp fd09::1 80
	is ECONNREFUSED tcp 169.254.169.254 80
	is ECONNREFUSED tcp 192.0.2.1 443
	nothing_elsewhere
}

@test "egress: a datagram to what isn't allowed fails in its send" {
	load_table "${standard_rules[@]}"
	is EPERM udp 10.9.0.5 5000
	is EPERM udpto 10.9.0.5 5000
	is EPERM udp fd09::5 5000
	is EPERM udpto fd09::5 5000
	is EPERM udp ::ffff:10.9.0.5 5000
	is EPERM udpto 10.9.0.3 5001
	is EPERM udpto 10.9.0.1 53
	is EPERM udpto 224.0.0.251 5353
	is EPERM udpto ff02::fb 5353
	is EPERM raw 10.9.0.5 17 5000
	nothing_elsewhere
}

@test "egress: a deny wins over an allow of the same address" {
	load_table "${standard_rules[@]}"
	is ECONNREFUSED tcp 10.9.0.4 80
	is ECONNREFUSED tcp fd09::4 80
	nothing_elsewhere
}

@test "egress: an exact entry reaches a place that is never reached otherwise, on its port alone" {
	load_table "${standard_rules[@]}" "exact=tcp 169.254.169.254 80" "allow=tcp 169.254.0.0-169.254.255.255 81"
	is connected tcp 169.254.169.254 80
	is ECONNREFUSED tcp 169.254.169.254 81
	clear_world
	load_table "${standard_rules[@]}" "exact=tcp 169.254.169.254 80" "deny=tcp 169.254.169.254 80"
	is ECONNREFUSED tcp 169.254.169.254 80
}

@test "egress: a denied port leaves the others of an allowed address" {
	load_table "allow=tcp 10.9.0.0-10.9.0.255 1-65535" "allow=udp 10.9.0.3 1-65535" "deny=tcp 10.9.0.3 81" "deny=any 10.9.0.3 5001"
	is connected tcp 10.9.0.3 80
	is ECONNREFUSED tcp 10.9.0.3 81
	is reply udp 10.9.0.3 5000
	is EPERM udp 10.9.0.3 5001
	is connected tcp 10.9.0.5 81
}

@test "egress: other protocols don't leave, not even to an allowed address" {
	load_table "${standard_rules[@]}"
	local address protocol
	for address in 10.9.0.5 10.9.0.3 fd09::5 fd09::3; do
		for protocol in 132 47 50 51 33 136 89 254; do
			is EPERM raw "$address" "$protocol" 80
		done
	done
	is EPERM raw 10.9.0.3 4 80
	is EPERM raw 10.9.0.3 41 80
	[ "$(witness any)" = 0 ]
}

@test "egress: of ICMP only an echo request leaves, and only to an allowed address" {
	load_table "${standard_rules[@]}"
	is EPERM ping 10.9.0.5
	is silence ping fd09::5 # the kernel doesn't tell this kind of socket
	is EPERM icmp 10.9.0.5 8
	is EPERM icmp 10.9.0.3 3
	is EPERM icmp 10.9.0.3 13
	is EPERM icmp 10.9.0.3 0
	is EPERM icmp 10.9.0.5 3
	is EPERM icmp fd09::3 1
	is EPERM icmp fd09::3 137
	is EPERM icmp fd09::5 128
	is sent icmp 10.9.0.3 8
	nothing_elsewhere
}

@test "egress: an ACK without a connection is judged as a new one" {
	load_table "${standard_rules[@]}"
	is EPERM ack 10.9.0.5 80
	is EPERM ack 10.9.0.3 81
	is sent ack 10.9.0.3 80
	nothing_elsewhere
}

@test "egress: a fragment is judged as part of the whole, or not sent" {
	load_table "${standard_rules[@]}"
	is EPERM fragment 10.9.0.5 5000 1480 nodefrag
	is EPERM fragment 10.9.0.3 5000 1480 nodefrag
	# held until the whole is there, which never comes
	is sent fragment 10.9.0.5 5000 0
	is sent fragment 10.9.0.5 5000 1480
	is EPERM large 10.9.0.5 5000 4000
	is EPERM large fd09::5 5000 4000
	is EPERM large 10.9.0.3 5001 4000
	[ "$(witness any)" = 0 ]
}

@test "egress: no packet carries a source route, of a new connection or an old one" {
	load_table "${standard_rules[@]}" "allow=udp fd09::1 5000" "exact=udp fd09::1 5000"
	is EPERM options 10.9.0.3 5000
	is EPERM routed fd09::3 5000 fd09::3
	is EPERM routed fd09::3 5000 fd09::1
	nothing_elsewhere
}

@test "egress: an IPv6 routing header needs no privilege, and is refused all the same" {
	local unprivileged=(setpriv --reuid=1000 --regid=1000 --clear-groups --bounding-set=-all --inh-caps=-all)
	run inner "${unprivileged[@]}" "$builddir/tests/live/egress-probe" routed fd09::3 5000 fd09::3
	[[ $output = "sent "* ]]
	load_table "${standard_rules[@]}"
	run inner "${unprivileged[@]}" "$builddir/tests/live/egress-probe" routed fd09::3 5000 fd09::3
	[[ $output = "EPERM "* ]]
}

@test "egress: the container's own addresses work, and a closed port there refuses" {
	load_table "${standard_rules[@]}"
	is connected tcp 127.0.0.1 7000
	is connected tcp ::1 7000
	is connected tcp 10.9.0.2 7000
	is connected tcp fd09::2 7000
	is connected tcp 127.0.0.53 7000
	is ECONNREFUSED tcp 127.0.0.1 7001
	is reply ping 127.0.0.1
	is reply udp ::1 7001
}

@test "egress: a socket bound to a device reaches nothing else" {
	load_table "${standard_rules[@]}"
	is ECONNREFUSED dev=eth0 tcp 127.0.0.1 80
	is ECONNREFUSED dev=eth0 tcp 10.9.0.5 80
	is EPERM dev=eth0 udpto 127.0.0.1 53
	is EPERM dev=eth0 udpto 127.0.0.11 53
	is connected dev=eth0 tcp 10.9.0.3 80
	nothing_elsewhere
}

@test "egress: the container is no router between two networks" {
	ip netns add third
	ip -n third link add eth0 type veth peer name eth2 netns inner
	ip -n third addr add 10.29.0.2/24 dev eth0
	ip -n inner addr add 10.29.0.1/24 dev eth2
	ip -n third link set eth0 up
	ip -n inner link set eth2 up
	ip -n third route add default via 10.29.0.1
	ip -n outer route add 10.29.0.0/24 via 10.9.0.2
	inner sysctl -qw net.ipv4.ip_forward=1
	from reply ping 10.29.0.2
	load_table "${standard_rules[@]}"
	forget
	from silence ping 10.29.0.2
	ip netns exec third "$builddir/tests/live/egress-probe" udpto 10.9.0.3 5000 | grep silence
	inner sysctl -qw net.ipv4.ip_forward=0
	ip netns delete third
	ip -n outer route delete 10.29.0.0/24
	[ "$(witness any)" = 0 ]
}

@test "egress: a redirected packet that still goes out by the cable is stopped at the last moment" {
	inner nft -f - <<-'RULES'
		table inet turn {
			chain out {
				type nat hook output priority -100; policy accept;
				udp dport 5000 redirect to :5353
			}
		}
	RULES
	inner sysctl -qw net.ipv4.conf.eth0.route_localnet=1
	# the leak, where nothing stops it
	is silence dev=eth0 udpto 10.9.0.3 5000
	[ "$(witness elsewhere)" -gt 0 ]
	forget
	load_table "${standard_rules[@]}"
	is EPERM dev=eth0 udpto 10.9.0.3 5000
	is EPERM dev=eth0 udpto fd09::3 5000
	[ "$(witness any)" = 0 ]
	inner sysctl -qw net.ipv4.conf.eth0.route_localnet=0
}

@test "egress: nothing leaves for another place than the one that was judged" {
	load_table "${standard_rules[@]}"
	inner nft -f - <<-'RULES'
		table inet elsewhere {
			chain out {
				type nat hook output priority -100; policy accept;
				meta nfproto ipv4 udp dport 5000 dnat ip to 10.9.0.5
				ip daddr 10.9.0.2 udp dport 5001 dnat ip to 10.9.0.5
			}
		}
	RULES
	is EPERM udpto 10.9.0.3 5000
	is EPERM udpto 10.9.0.2 5001
	[ "$(witness any)" = 0 ]
}

@test "egress: Docker's way to its resolver stays open" {
	inner nft -f - <<-'RULES'
		table inet docker {
			chain out {
				type nat hook output priority -100; policy accept;
				ip daddr 127.0.0.11 udp dport 53 dnat ip to 127.0.0.11:7001
			}
		}
	RULES
	load_table "${standard_rules[@]}"
	is reply udp 127.0.0.11 53
}

@test "ingress: what isn't allowed is refused at once" {
	load_table "${standard_rules[@]}" "ingress=tcp 10.9.0.3 7000" "ingress=udp 0.0.0.0-255.255.255.255 7001" "ingress=tcp fd09::3 7000"
	from connected src=10.9.0.3 tcp 10.9.0.2 7000
	from connected src=fd09::3 tcp fd09::2 7000
	from reply udp 10.9.0.2 7001
	from ECONNREFUSED src=10.9.0.5 tcp 10.9.0.2 7000
	from ECONNREFUSED src=fd09::5 tcp fd09::2 7000
	from ECONNREFUSED src=10.9.0.3 tcp 10.9.0.2 80
	from EHOSTUNREACH udp 10.9.0.2 5000
	from EACCES udp fd09::2 7001
	from silence ping 10.9.0.2
	from silence ping fd09::2
}

@test "ingress: a flood of knocks costs the egress budget next to nothing" {
	load_table "${standard_rules[@]}"
	local round
	for round in {1..40}; do
		outer "$builddir/tests/live/egress-probe" pour udp 10.9.0.2 9 42000 >"$BATS_TEST_TMPDIR/round.$round"
	done
	local counters
	counters=$(ask counters)
	[[ $counters =~ out_packets=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -lt 600 ]
	[[ $counters =~ denied_packets=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -ge 1000 ]
}

@test "egress: an ICMP error for a connection of ours comes in" {
	load_table "${standard_rules[@]}" "allow=udp 10.9.0.3 5008"
	is ECONNREFUSED udp 10.9.0.3 5008
}

@test "egress: a connection that the kernel has forgotten is judged again" {
	load_table "allow=tcp 10.9.0.3 80"
	local before
	before=$(inner sysctl -n net.netfilter.nf_conntrack_tcp_timeout_established)
	inner sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=1
	probe talk 10.9.0.3 80 say sleep=2500 say >"$BATS_TEST_TMPDIR/talk" 3>&- &
	local talk=$!
	wait_for 5 grep -q reply "$BATS_TEST_TMPDIR/talk"
	inner nft delete element inet quod allow4 '{ 10.9.0.3 . tcp . 80 }'
	wait "$talk"
	inner sysctl -qw "net.netfilter.nf_conntrack_tcp_timeout_established=$before"
	[ "$(cat "$BATS_TEST_TMPDIR/talk")" = "reply
ECONNRESET" ]
}

# Reports of multicast groups that come out while COMMAND runs.
count_reports() {
	outer nft -f - <<-'RULES'
		table inet reports {
			counter told { }
			chain seen {
				type filter hook prerouting priority -600; policy accept;
				icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } counter name told
			}
		}
	RULES
	"$@"
	reports=$(outer nft list counter inet reports told | sed -n 's/.*packets \([0-9]*\) .*/\1/p')
	outer nft delete table inet reports
}

@test "egress: the groups that it joins are told to the link a few times a minute only" {
	inner sysctl -qw net.ipv6.conf.eth0.force_mld_version=1
	count_reports probe join ff02::1:2:3 60
	[ "$reports" -ge 50 ]
	load_table "${standard_rules[@]}"
	count_reports probe join ff02::1:2:4 60
	inner sysctl -qw net.ipv6.conf.eth0.force_mld_version=0
	echo "$reports"
	[ "$reports" -ge 1 ]
	[ "$reports" -le 14 ]
}

@test "ingress: an ICMP redirect is not for us" {
	load_table "${standard_rules[@]}"
	is reply src=10.9.0.2 sport=40100 udp 10.9.0.3 5000
	[[ $(ask counters) =~ denied_packets=([0-9]+) ]]
	local before=${BASH_REMATCH[1]}
	outer "$builddir/tests/live/egress-probe" redirect 10.9.0.2 10.9.0.3 40100
	[[ $(ask counters) =~ denied_packets=([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" = $((before + 1)) ]
}

@test "egress: another network that is joined later is walled in as well" {
	load_table "${standard_rules[@]}"
	ip -n outer link add cable1 type veth peer name eth1 netns inner
	ip -n outer addr add 10.19.0.1/24 dev cable1
	ip -n outer link set cable1 up
	ip -n inner addr add 10.19.0.2/24 dev eth1
	ip -n inner link set eth1 up
	is ECONNREFUSED tcp 10.19.0.1 80
	is EPERM udpto 10.19.0.1 5000
	is connected tcp 10.9.0.3 80
	nothing_elsewhere
	ip -n outer link delete cable1
}
