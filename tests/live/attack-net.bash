# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # bare, held are the tests'; builddir, srcdir: helpers.bash
# For the attack files of sections E and W: the little internet of names.bash, and in it two containers with the same
# configuration, Docker's capabilities with CAP_NET_RAW among them: `bare` under runc alone, `held` under quod. Each attack is tried
# in both. What leaves either is captured on the outer side of its cable, and looked at when all have been tried.

# In setup_file. Rules of the name servers on standard input: 11.22.33.53 is held's, .54 bare's.
make_two_containers() {
	local n
	install_quod
	make_internet 22 853 5432 8443
	ip netns exec internet ip addr add 169.254.169.254/32 dev lo
	ip route add 169.254.169.254 via 11.22.33.80
	serve_in internet "$builddir/tests/live/egress-world"
	serve_in internet "$builddir/tests/live/named-load" serve 443
	tee "$BATS_FILE_TMPDIR/names" | name_server 11.22.33.53 "$BATS_FILE_TMPDIR/asked-held"
	name_server 11.22.33.54 "$BATS_FILE_TMPDIR/asked-bare" <"$BATS_FILE_TMPDIR/names"
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	printf 'nameserver 11.22.33.54\n' | tee /etc/resolv.conf >"$BATS_FILE_TMPDIR/rootfs/etc/resolv.conf"
	for n in attack-net attack-try egress-probe; do
		cc -static -pthread -O1 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/rootfs/bin/$n" "$srcdir/tests/live/$n.c"
	done
	for n in 1 2; do
		capture "to$n" "$([ "$n" = 1 ] && echo held || echo bare)" "$n"
	done
	two_bundle bare
	runc run --detach --bundle "$BATS_FILE_TMPDIR/bare" bare </dev/null >"$BATS_FILE_TMPDIR/bare.out" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/bare.out"; return 1; }
	two_bundle held
	start_container held attack held
}

came_out_bytes() { # NUMBER
	nft -j list counter inet "witness$1" any | jq '.nftables[1].counter.bytes'
}

# two_bundle NAME [NETWORK]: where start_container looks for it, with all that Docker gives and CAP_NET_RAW.
two_bundle() {
	local bundle=$BATS_FILE_TMPDIR/bundle-$1
	mkdir -p "$bundle"
	ln -sfn "bundle-$1" "$BATS_FILE_TMPDIR/$1"
	(cd "$bundle" && rm -f config.json && runc spec)
	edit_bundle "$bundle" ".process.terminal = false | .process.args = [\"sleep\", \"1000\"] | .root.path = \"$BATS_FILE_TMPDIR/rootfs\" |
		.linux.namespaces |= map(if .type == \"network\" then .path = \"/run/netns/${2:-$1}\" else . end) |
		.process.capabilities |= map_values(. + [\"CAP_NET_RAW\", \"CAP_CHOWN\", \"CAP_DAC_OVERRIDE\", \"CAP_SETUID\", \"CAP_SETGID\", \"CAP_MKNOD\"])"
}

# capture DEVICE NETWORK NUMBER: makes that network; all that passes its cable is written down from its first packet on.
capture() {
	make_network "$2" "$3"
	ip netns exec "$2" sysctl -qw net.ipv4.ping_group_range='0 2147483647'
	tcpdump -Z root -p -U -s 0 -i "$1" -w "$BATS_FILE_TMPDIR/$2.pcap" </dev/null >"$BATS_FILE_TMPDIR/$2.tcpdump" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	echo $! >>"$BATS_FILE_TMPDIR/internet.pids"
	wait_for 10 grep -q listening "$BATS_FILE_TMPDIR/$2.tcpdump"
}

# captured NETWORK FILTER: packets that came out of it.
captured() {
	local mac
	mac=$(ip -n "$1" -j link show eth0 | jq -r '.[0].address')
	tcpdump -nn -r "$BATS_FILE_TMPDIR/$1.pcap" "ether src $mac and ($2)" 2>/dev/null
}

end_two_containers() {
	runc delete --force bare
	end_container held attack
	end_internet
}

# both SCRIPT: in `bare`, then in `held`; what they print in $bare and $held.
both() {
	bare=$(timeout 40 runc exec bare sh -c "$1" </dev/null 2>&1) || :
	held=$(timeout 40 quod exec held sh -c "$1" </dev/null 2>&1) || :
	printf '%s\n' "--- bare:" "$bare" "--- under quod:" "$held"
}

# works COUNT PATTERN: so many lines of the bare container's begin with it.
works() {
	[ "$(grep -cE "^($2)( |$)" <<<"$bare")" = "$1" ]
}

# stopped COUNT: under quod there are so many lines, each a refusal that came at once.
stopped() {
	local word took
	[ "$(wc -l <<<"$held")" = "$1" ] || return
	while read -r word took; do
		case $word in
		ECONNREFUSED | EPERM | EACCES | EHOSTUNREACH | EAFNOSUPPORT | EPROTONOSUPPORT | ESOCKTNOSUPPORT) ;;
		egress-probe:) [[ $took == *'Operation not permitted' ]] || return;;
		*) return 1;;
		esac
		[[ ! $took =~ ^[0-9]+$ ]] || [ "$took" -lt 1000000 ] || return
	done <<<"$held"
}

# nothing_left ALLOWED: after all of them: the capture of `held` has no packet to any place but those of the filter ALLOWED, no
# word of any other name and no request for another neighbour than the gateway, and that of `bare` has.
nothing_left() {
	local near='icmp6 and (ip6[40] >= 133 and ip6[40] <= 136)' reports='ip6[6] = 0 and ip6[48] = 143 and dst host ff02::16'
	sleep 0.5
	[ "$(captured bare "dst host 11.22.33.66 or dst host 2a0b::66" | wc -l)" -gt 0 ]
	[ "$(captured held "$1" | wc -l)" -gt 0 ]
	captured held "(ip and not ($1)) or (ip6 and not ($1) and not ($near) and not ($reports))" | tee "$BATS_TEST_TMPDIR/left"
	captured held "arp and arp[6:2] = 1 and not arp[24:4] = 0x0a4d0101" | tee -a "$BATS_TEST_TMPDIR/left"
	captured held "udp port 53 or tcp port 53" | tee -a "$BATS_TEST_TMPDIR/left"
	[ ! -s "$BATS_TEST_TMPDIR/left" ]
}
