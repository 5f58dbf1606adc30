#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# mounts.volumes "tmpfs": what an image's VOLUME becomes, by Docker, with runc and crun underneath.

load ../helpers

setup_file() {
	install_quod
	write_profile mem <<-'J'
		{ "version": 1, "extends": "balanced", "mounts": { "volumes": "tmpfs" }, "resources": { "memory": "64M" },
		  "rootfs": { "tmpfs": { "/bounded": "1M" } } }
	J
	box_start_engines mem
	make_rootfs "$BATS_FILE_TMPDIR/image"
	mkdir "$BATS_FILE_TMPDIR/image/data" "$BATS_FILE_TMPDIR/image/bounded" "$BATS_FILE_TMPDIR/image/own"
	chown 1000:1000 "$BATS_FILE_TMPDIR/image/own"
	echo from the image >"$BATS_FILE_TMPDIR/image/data/file"
	make_image quod.test/volume:1 "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/image.tar" \
		'{"Env":["PATH=/bin:/usr/bin"],"Cmd":["sh"],"Volumes":{"/data":{},"/bounded":{},"/own":{}}}'
	docker load -q -i "$BATS_FILE_TMPDIR/image.tar"
}

teardown_file() {
	box_stop_engines
}

becomes_tmpfs() {
	run docker run --rm --runtime quod-mem quod.test/volume:1 sh -c \
		'cat /data/file; echo new >/data/new && cat /data/new; grep -E " /(data|bounded) " /proc/self/mounts; touch /bounded/x && echo written'
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == "from the image"$'\n'"new"* ]]
	[[ $output == *"tmpfs /data tmpfs rw,nosuid,nodev"*"size=65536k"* ]]
	[[ $output == *"tmpfs /bounded tmpfs rw,nosuid,nodev"*"size=1024k"* ]]
	[[ $output == *written ]]
}
@test "volumes: an image's VOLUME is a tmpfs with the image's files, bounded by rootfs.tmpfs or the memory" {
	becomes_tmpfs
	write_config <<<'{ "version": 1, "runtime": ["crun"] }'
	becomes_tmpfs
	rm /etc/quod/quod.json
}

@test "volumes: nothing of it reaches the host, and who may write to it is the image's word" {
	docker run --name v1 --runtime quod-mem --user 1000 quod.test/volume:1 sh -c 'echo secret >/own/secret; touch /data/x 2>/dev/null && exit 1; true'
	[ -z "$(find /var/lib/docker/volumes -name secret)" ]
	docker rm -v v1
}

@test "volumes: a named one is refused, and so is one that only looks anonymous but is a bind" {
	run docker run --rm --runtime quod-mem -v named:/v quod.test/volume:1 true
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"volume /var/lib/docker/volumes/named/_data is not allowed at /v: it isn't an anonymous one (mounts.volumes)"* ]]
	name=$(printf '%064d' 7)
	docker volume create -o type=none -o o=bind -o device=/etc "$name"
	run docker run --rm --runtime quod-mem -v "$name:/v" quod.test/volume:1 cat /v/shadow
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *"is a mount of something else"* ]]
	docker volume rm named "$name"
}

@test "volumes: verify says which became a tmpfs" {
	docker run -d --name v2 --runtime quod-mem quod.test/volume:1 sleep 60
	run quodctl verify --json "$(docker inspect -f '{{.Id}}' v2)"
	docker rm -f -v v2
	echo "$output"
	jq -e '[.[0].controls[] | select(.key == "mounts.volumes") | .verdict] == ["proven", "proven", "proven"]' <<<"$output"
	jq -e '[.[0].controls[] | select(.key == "mounts.allow") | .verdict] == ["proven"]' <<<"$output"
}
