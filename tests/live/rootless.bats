#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A user's own Podman, without a cgroup of his: what can't be held is refused by name, and what can be is in force.
# shellcheck disable=SC2154 # srcdir: helpers.bash

load ../helpers

image=quod.test/busybox:1
export PODMAN_IGNORE_CGROUPSV1_WARNING=1

# as_user COMMAND...
as_user() {
	(cd / && exec setpriv --reuid user --regid user --init-groups env -i PATH="$PATH" HOME=/var/lib/user USER=user LOGNAME=user \
		XDG_RUNTIME_DIR=/run/user/4200 PODMAN_IGNORE_CGROUPSV1_WARNING=1 "$@")
}

setup_file() {
	load ../helpers
	load ../engines/driver
	need_box
	install_quod
	useradd --uid 4200 --home-dir /var/lib/user --create-home --shell /bin/bash user
	grep -q '^user:' /etc/subuid || usermod --add-subuids 300000-365535 --add-subgids 300000-365535 user
	mkdir -p /run/user/4200 /etc/containers
	chown user:user /run/user/4200
	chmod 700 /run/user/4200
	cat >/etc/containers/containers.conf <<-'END'
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "runc"
	END
	printf '[storage]\ndriver = "vfs"\n' >/etc/containers/storage.conf
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
	ln -sfn quod /usr/bin/quod-locked
	write_profile alone <<-'END'
		{"version": 1, "extends": "locked", "budgets": {"cpu": "unlimited"},
		 "resources": {"cpus": "unlimited", "memory": "unlimited", "pids": "unlimited"}}
	END
	make_sentence_image /var/lib/user/image.tar
	chmod 644 /var/lib/user/image.tar
	as_user podman load -q -i /var/lib/user/image.tar
}

@test "rootless: limits without a cgroup are refused by name" {
	run as_user podman --runtime /usr/bin/quod-locked run --rm --network none $image true
	echo "$output"
	[ "$status" != 0 ]
	for key in resources.cpus resources.memory resources.pids budgets.cpu; do
		[[ $output == *"this user has no cgroup that holds it"*"($key)"* ]] || { echo "$key isn't named"; return 1; }
	done
	[[ $output != *"container could not join"* ]]
}

@test "rootless: a profile that leaves them unlimited runs, with its other bounds" {
	run as_user podman --runtime /usr/bin/quod-alone run --rm --network none $image \
		sh -c 'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status; touch /x'
	echo "$output"
	[[ $output == *"CapEff:"*"0000000000000000"* ]]
	[[ $output == *"NoNewPrivs:"*"1"* ]]
	[[ $output == *"Read-only file system"* ]]
}

@test "rootless: verify, exec and the engine's end" {
	local id pid
	id=$(as_user podman --runtime /usr/bin/quod-alone run -d --network slirp4netns $image sleep 1000)
	run as_user podman unshare quodctl verify --json "$id"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"namespaces.private"* ]]
	# nobody but the user himself
	[ "$(as_user podman exec "$id" id -u)" = 0 ]
	as_user podman exec --user 1000 "$id" true
	pid=$(as_user podman inspect --format '{{.State.Pid}}' "$id")
	# the table is in the container's own network
	run nsenter --user --net --target "$pid" nft list tables
	echo "$output"
	[[ $output == *"quod"* ]]
	as_user podman rm -f -t 0 "$id"
	run as_user podman unshare quodctl ps --json
	[ "$output" = "[]" ]
}

# A profile of the user's own: as far as the administrator's lets it.
@test "rootless: a profile of the user's own tightens, and nothing else" {
	local own=/var/lib/user/.config/quod/profiles
	own_profile() { as_user sh -c "mkdir -p $own && cat >$own/mine.json"; }
	mine() { run as_user podman --runtime /usr/bin/quod-alone run --rm --network none "$@" $image \
		sh -c 'echo "profile $QUOD_PROFILE"; ulimit -Hn; grep CapEff /proc/self/status; touch /x'; echo "$output"; }
	own_profile <<-'END'
		{"version": 1, "extends": "alone", "rootfs": {"readonly": false},
		 "process": {"capabilities": ["CAP_CHOWN", "CAP_SYS_ADMIN"], "rlimits": {"nofile": 77}}}
	END
	for way in "--annotation quod.dev/profile=mine" "--env QUOD_PROFILE=mine"; do
		# shellcheck disable=SC2086 # two words
		mine $way
		[[ $output == *"profile alone"*$'\n77'*"CapEff:"*"0000000000000000"*"Read-only file system"* ]]
	done
	run as_user podman unshare quodctl profile list
	echo "$output"
	[[ $output == *"$own/mine.json"* ]]
	# the administrator's link decides, whatever the user's file says
	mine
	[[ $output == *"profile alone"* && $output != *$'\n77'* ]]
	ln -sfn quod /usr/bin/quod-mine
	run as_user podman --runtime /usr/bin/quod-mine run --rm --network none $image true
	echo "$output"
	[[ $output == *"mine"* && $status != 0 ]]
	# a name of the administrator's is his
	cp /etc/quod/profiles/alone.json $own/locked.json
	mine --annotation quod.dev/profile=locked
	[[ $output == *"'locked' can't be asked for"* ]]
	# nobody else may have written it
	chmod 666 $own/mine.json
	mine --annotation quod.dev/profile=mine
	[ "$status" != 0 ]
	[[ $output == *"mine.json"* && $output != *CapEff* ]]
	rm -rf /var/lib/user/.config/quod /usr/bin/quod-mine
}
