#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A user's own Podman, without a cgroup of his: what can't be held is refused by name.
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
