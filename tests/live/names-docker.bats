#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Names behind Docker: its default network, its own resolver on networks of users, and what the container could do to both.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

image=quod.test/busybox:1

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile names <<-'J'
		{ "version": 1, "extends": "balanced", "audit": { "record": ["refusals", "dns"] },
		  "egress": { "verify_name": false, "allow": ["good.test:80", "second.test:443", "web:80@172.16.0.0/12"] } }
	J
	write_profile verify <<<'{ "version": 1, "extends": "balanced", "egress": { "allow": ["web:80@172.16.0.0/12"] } }'
	make_internet
	echo 'nameserver 11.22.33.53' >/etc/resolv.conf
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/upstream" <<-'R'
		good.test A 20 11.22.33.80
		second.test A 20 11.22.40.5
		denied.test A 20 11.22.33.66
		evil.test A 20 11.22.33.66
	R
	box_start_engines names verify
	docker_load_busybox
	docker network create --subnet 172.20.0.0/24 people
	docker run -d --runtime bare --network people --name web "$image" httpd -f -p 80
	docker run -d --runtime bare --network people --name hidden "$image" httpd -f -p 80
}

teardown_file() {
	load ../helpers
	docker rm -f web hidden
	box_stop_engines
	load ../names
	end_internet
}

setup() {
	load ../helpers
	load ../names
	upstream=$BATS_FILE_TMPDIR/upstream
}

# in_container NETWORK COMMAND-TEXT
in_container() {
	run docker run --rm --runtime quod-names --network "$1" "$image" sh -c "$2"
	printf '%s\n' "$output"
}

reaches='reaches() { nc -w 3 "$1" "$2" </dev/null >/dev/null 2>&1 && echo "reaches $1" || echo "no $1"; }; asks() { nslookup -type=a "$@" 2>&1 | sed -n "s/.*\(NXDOMAIN\|SERVFAIL\|timed out\).*/\1/p; /^Name/,\$ { s/^Address:[[:space:]]*//p }"; }; '

@test "names: on Docker's default network an allowed name is found and reached, another is not" {
	in_container bridge "$reaches asks good.test; reaches 11.22.33.80 80; reaches 11.22.33.80 443; asks denied.test; reaches 11.22.33.66 80"
	[ "$output" = "$(printf '%s\n' 11.22.33.80 'reaches 11.22.33.80' 'no 11.22.33.80' NXDOMAIN 'no 11.22.33.66')" ]
	not grep -qi '^denied.test' "$upstream"
}

@test "names: on a user's network services and the world are found through Docker's own resolver, as far as they are allowed" {
	in_container people "$reaches cat /etc/resolv.conf | grep ^nameserver; asks web; reaches 172.20.0.2 80; asks good.test; reaches 11.22.33.80 80; asks hidden; reaches 172.20.0.3 80; asks denied.test"
	[ "$output" = "$(printf '%s\n' 'nameserver 127.0.0.11' 172.20.0.2 'reaches 172.20.0.2' 11.22.33.80 'reaches 11.22.33.80' NXDOMAIN 'no 172.20.0.3' NXDOMAIN)" ]
	not grep -qi '^denied.test' "$upstream"
}

@test "names: a service behind Docker's own resolver is reached by its name, and by no other" {
	run docker run --rm --runtime quod-verify --network people "$image" sh -c 'wget -qO- http://web/; wget -qO- --header "Host: hidden" http://web/'
	echo "$output"
	[[ ${lines[0]} == *'HTTP/1.'?' 404'* ]]
	[[ ${lines[1]} != *HTTP/1.* ]]
	wait_for 8 has_audit connect.refuse '.name == "hidden" and .port == 80'
}

@test "names: Docker's own resolver can't be asked past the warden" {
	in_container people "$reaches asks web; ports=\$(awk '\$2 ~ /^0B00007F:/ { sub(/.*:/, \"\", \$2); print \$2 }' /proc/net/udp); for port in \$ports; do asks hidden 127.0.0.11:\$(printf %d 0x\$port); done"
	[ "${lines[0]}" = 172.20.0.2 ]
	[ "${lines[1]}" = NXDOMAIN ]
	[[ $output != *172.20.0.3* ]]
}

@test "names: another resolver than Docker's is no way past either" {
	in_container people "$reaches asks denied.test 11.22.33.53; asks good.test 8.8.8.8; asks web 8.8.8.8"
	[ "$output" = "$(printf '%s\n' NXDOMAIN 11.22.33.80 NXDOMAIN)" ]
}

@test "names: the container can't choose its resolver, not for its next start either" {
	docker run -d --runtime quod-names --name chooser "$image" sh -c 'echo nameserver 11.22.33.66 2>/dev/null >/etc/resolv.conf; exec sleep 300'
	docker exec chooser cat /etc/resolv.conf | grep -q 11.22.33.53
	docker restart -t 0 chooser
	run docker exec chooser nslookup -type=a second.test
	docker rm -f chooser
	echo "$output"
	[[ $output == *11.22.40.5* ]]
}

@test "names: a name is found again after a restart, and in a container that runs for a second time" {
	docker run -d --runtime quod-names --network people --name again "$image" sleep 300
	docker restart -t 0 again
	run docker exec again sh -c "$reaches asks web; asks good.test; reaches 11.22.33.80 80"
	docker rm -f again
	echo "$output"
	[ "$output" = "$(printf '%s\n' 172.20.0.2 11.22.33.80 'reaches 11.22.33.80')" ]
}

@test "names: a network that is connected later opens nothing, and its services are judged as all are" {
	docker run -d --runtime quod-names --name later "$image" sleep 300
	docker network connect people later
	run docker exec later sh -c "$reaches reaches 172.20.0.3 80; asks hidden 127.0.0.11; asks good.test; reaches 11.22.33.80 80"
	docker rm -f later
	echo "$output"
	[ "$output" = "$(printf '%s\n' 'no 172.20.0.3' NXDOMAIN 11.22.33.80 'reaches 11.22.33.80')" ]
}
