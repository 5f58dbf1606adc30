#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl why of a real container says what that container then meets; quodctl group test in a little internet.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	write_profile why <<-'J'
		{ "version": 1, "extends": "balanced",
		  "egress": { "verify_name": false, "dns": { "upstream": ["11.22.33.53"] },
		    "allow": ["good.test", "private.test", "11.22.33.66:80", "@public:5432"], "deny": ["11.22.33.54:*", "bad.test"] } }
	J
	make_internet
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		good.test A 20 11.22.33.80
		private.test A 20 10.1.2.3
	R
	make_network one 1
	start_container one why one
	echo "$pid" >"$BATS_FILE_TMPDIR/pid"
}

teardown_file() {
	load ../helpers
	load ../names
	end_container one why
	end_internet
}

setup() {
	load ../helpers
	load ../names
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
}

# agrees YES|NO ADDRESS PORT QUESTION: why says it, and so does a connection.
agrees() {
	run quodctl why one "$4"
	echo "$output"
	if [ "$1" = yes ]; then
		[ "$status" = 0 ]
		connects "$2" "$3"
	else
		[ "$status" = 1 ]
		not connects "$2" "$3"
	fi
}

@test "why: a container's answers are what its connections meet" {
	ask good.test
	agrees yes 11.22.33.80 443 good.test:443
	agrees yes 11.22.33.80 80 good.test:80@11.22.33.80
	agrees yes 11.22.33.66 80 11.22.33.66:80
	agrees no 11.22.33.66 443 11.22.33.66:443
	agrees yes 11.22.33.66 5432 11.22.33.66:5432
	agrees no 11.22.33.54 5432 11.22.33.54:5432
	agrees no 11.22.33.1 5432 11.22.33.1:5432
	[[ $output == *'never reachable'* ]]
	run quodctl why one bad.test:443
	[ "$status" = 1 ]
	run quodctl why one private.test:443@10.1.2.3
	[ "$status" = 1 ]
	ask private.test
	[ -z "$data" ]
}

@test "why: a container that isn't there or isn't quod's is a failure" {
	run quodctl why nobody good.test:443
	[ "$status" = 2 ]
	[[ $output == *"no container of quod's is called nobody"* ]]
	make_bundle "$BATS_TEST_TMPDIR/bundle" '.process.args = ["sleep", "100"]'
	write_config <<<'{ "version": 1, "rules": [ { "match": { "user": 0 }, "profile": "unmanaged" } ] }'
	quod create --bundle "$BATS_TEST_TMPDIR/bundle" free </dev/null >/dev/null 2>&1 3>&-
	rm /etc/quod/quod.json
	run quodctl why free good.test:443
	quod delete --force free
	[ "$status" = 2 ]
	[[ $output == *'runs unmanaged'* ]]
}

@test "group: test says of each host what happened, from this host" {
	mkdir -p /etc/quod/groups
	echo nameserver 11.22.33.53 >/etc/resolv.conf
	echo '{ "version": 1, "hosts": ["good.test", "11.22.33.66:80"] }' >/etc/quod/groups/there.json
	run quodctl group test @there
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'443 at 11.22.33.80 reached; 80 at 11.22.33.80 reached'* ]]
	echo '{ "version": 1, "hosts": ["good.test", "nobody.test", "private.test:80", "good.test:81", "*.wild.test", "11.22.33.66:81", "11.22.33.53:53/udp"] }' \
		>/etc/quod/groups/mixed.json
	run quodctl --json group test @mixed
	echo "$output"
	[ "$status" = 1 ]
	jq -e 'map(.verdict) == ["reached", "failed", "failed", "failed", "not tried", "failed", "not tried"]' <<<"$output"
	jq -e '(.[1].what | startswith("no address: ")) and (.[3].what | contains("Connection refused"))' <<<"$output"
	run quodctl group list
	[ "$status" = 0 ]
	[[ $output == *'@there'*2* && $output == *'@npm'* ]]
	run quodctl group test @nobody
	[ "$status" = 2 ]
}
