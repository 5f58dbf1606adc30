#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The shipped profiles as they are, in a little internet: a container starts under each whether a name resolves or not, gets
# where the profile says, and its helpers stay small.
# shellcheck disable=SC2154 # what helpers.bash and names.bash set

setup_file() {
	load ../helpers
	load ../names
	install_quod
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	printf 'nameserver 11.22.33.53\n' >/etc/resolv.conf
	make_internet 5432
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/first" <<-'R'
		registry.npmjs.org A 20 11.22.33.80
		api.anthropic.com A 20 11.22.33.80
		elsewhere.test A 20 11.22.33.80
	R
	serve_in internet socat -t 10 TCP-LISTEN:80,reuseaddr,fork "SYSTEM:$srcdir/tests/live/verify-reply.sh"
	write_profile mine <<-'J'
		{ "version": 1, "extends": "agent",
		  "mounts": { "allow": [{ "source": "/srv/project", "destination": "/workspace", "readonly": false }] } }
	J
}

teardown_file() {
	load ../helpers
	load ../names
	end_internet
}

setup() {
	load ../helpers
	load ../names
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	(cd "$bundle" && runc spec)
	edit_bundle "$bundle" ".process.terminal = false | .root.path = \"$BATS_FILE_TMPDIR/rootfs\" | .process.args = [\"sh\", \"-c\", \"echo ran\"] |
		.process.user = {\"uid\": 1000, \"gid\": 1000}"
}

# starts PROFILE RUNTIME RESOLVER: the host's resolver is that one.
starts() {
	printf 'nameserver %s\n' "$3" >/etc/resolv.conf
	run timeout 20 quod --profile "$1" --runtime "$2" run --bundle "$bundle" c1 </dev/null 3>&-
	quod --profile "$1" --runtime "$2" delete --force c1 2>/dev/null || :
	[ "$status" = 0 ] && [ "$output" = ran ] || { echo "$1 $2 $3: $status $output"; return 1; }
}

@test "shipped: a container starts under each where no resolver answers, and where there is none" {
	local profile
	for profile in locked balanced agent observe; do
		starts "$profile" runc 203.0.113.53
		starts "$profile" crun 203.0.113.53
	done
	for profile in balanced agent; do
		starts "$profile" runc 127.0.0.53
	done
	printf 'nameserver 11.22.33.53\n' >/etc/resolv.conf
}

# serves PROFILE NETWORK: a container of it sleeps in that network.
serves() {
	make_network "n$2" "$2"
	edit_bundle "$bundle" ".process.args = [\"sleep\", \"1000\"] |
		.linux.namespaces |= map(if .type == \"network\" then .path = \"/run/netns/n$2\" else . end)"
	quod --profile "$1" create --bundle "$bundle" --pid-file "$BATS_TEST_TMPDIR/pid" c1 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/out"; return 1; }
	quod start c1
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
}

fetch() {
	run inside curl -sS --max-time 8 "$@"
	printf '%s\n' "$status: $output"
}

@test "shipped: balanced reaches a registry by its name, no provider of models, and nothing else" {
	serves balanced 1
	fetch http://registry.npmjs.org/x
	[ "$output" = 'registry.npmjs.org /x 10.77.1.2 0' ]
	fetch --connect-to elsewhere.test:80:11.22.33.80:80 http://elsewhere.test/x
	[ "$status" != 0 ]
	ask api.anthropic.com
	[ "$code" = NXDOMAIN ]
	ask elsewhere.test
	[ "$code" = NXDOMAIN ]
	quod delete --force c1
}

@test "shipped: agent reaches a provider of models too, and its helpers stay small" {
	local total=0 one
	serves agent 2
	fetch http://api.anthropic.com/x
	[ "$output" = 'api.anthropic.com /x 10.77.2.2 0' ]
	fetch http://registry.npmjs.org/x
	[ "$status" = 0 ]
	ask elsewhere.test
	[ "$code" = NXDOMAIN ]
	for one in $(pgrep -x 'quod-guardian|quod-nursery|quod-gate|quod-cradle|quod-warden'); do
		echo "# $(cat "/proc/$one/comm"): $(awk '/^Pss:/ { print $2 }' "/proc/$one/smaps_rollup") KiB" >&3
		total=$((total + $(awk '/^Pss:/ { print $2 }' "/proc/$one/smaps_rollup")))
	done
	echo "# helpers of a container under agent: $total KiB PSS" >&3
	[ "$total" -lt 2048 ]
	quod delete --force c1
}

@test "shipped: agent protects what a workspace's tools would execute" {
	mkdir -p /srv/project/.git/hooks
	chown -R 1000:1000 /srv/project
	edit_bundle "$bundle" '.mounts += [{"destination": "/workspace", "type": "bind", "source": "/srv/project", "options": ["bind", "rw"]}] |
		.process.args = ["sh", "-c", "cd /workspace; touch code && echo written; touch .git/hooks/pre-commit .envrc 2>/dev/null || echo held; mkdir -p .github/workflows 2>/dev/null || echo held"]'
	run quod --profile mine run --bundle "$bundle" c1
	[ "$output" = $'written\nheld\nheld' ] || { echo "$output"; return 1; }
}

@test "shipped: observe lets pass what agent refuses" {
	serves observe 3
	ask elsewhere.test
	[ "$data" = 11.22.33.80 ]
	fetch http://elsewhere.test/x
	[ "$output" = 'elsewhere.test /x 10.77.3.2 0' ]
	quod delete --force c1
}
