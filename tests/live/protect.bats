#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# mounts.protect: what stays read-only inside a writable workspace, against the container and against the host's own hand.

load ../helpers

setup_file() {
	install_quod
	work=$BATS_FILE_TMPDIR/projects
	write_profile work <<-J
		{ "version": 1, "extends": "balanced",
		  "mounts": { "allow": [ { "source": "$work/**", "destination": "/workspace/**", "readonly": false } ],
		    "protect": [".git/hooks", ".git/config", ".quod.json", ".envrc", ".vscode", ".github/workflows"] } }
	J
	write_profile network <<-'J'
		{ "version": 1, "extends": "work", "guard": "network" }
	J
	write_profile loose <<-'J'
		{ "version": 1, "extends": "work", "seccomp": { "floor": false } }
	J
}

setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	work=$BATS_FILE_TMPDIR/projects/$BATS_TEST_NUMBER
	mkdir -p "$bundle" "$work/.git/hooks"
	echo original >"$work/.git/hooks/pre-commit"
	echo original >"$work/.git/config"
	echo original >"$work/.git/HEAD"
	make_bundle "$bundle"
	mount_workspace "$work" /workspace
}

teardown() {
	local id runtime
	for id in c1 c2; do
		for runtime in runc crun; do
			quod --runtime "$runtime" delete --force "$id" 2>/dev/null || :
		done
	done
}

mount_workspace() { # SOURCE DESTINATION
	edit_bundle "$bundle" ".mounts += [{\"destination\": \"$2\", \"type\": \"bind\", \"source\": \"$1\", \"options\": [\"rbind\", \"rw\"]}]"
}

run_in() { # COMMAND-TEXT
	edit_bundle "$bundle" ".process.args = [\"sh\", \"-c\", $(jq -n --arg c "$1" '$c')]"
}

# The workspace at once; what quod keeps of a `run` of crun's goes with the next create.
nothing_left() {
	[ -z "$(ls -A /var/lib/quod/placeholders 2>/dev/null)" ]
	[ "${runtime-}" != crun ] || sweep
	wait_for 5 is_clean
}
is_clean() {
	local found
	found=$(find /run/quod/containers /var/lib/quod/placeholders -mindepth 1; grep /run/quod/containers /proc/self/mountinfo)
	[ -z "$found" ] || { echo "left: $found"; return 1; }
}

start_container() { # ID: in the background, as an engine would
	quod --profile "${profile-work}" --runtime "${runtime-runc}" create --bundle "$bundle" "$1" </dev/null >"$BATS_TEST_TMPDIR/$1.out" 2>&1 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/$1.out"; return 1; }
	quod --runtime "${runtime-runc}" start "$1"
}

is_running() { # ID
	[ "$(quod --runtime "${runtime-runc}" state "$1" | jq -r .status)" = running ]
}

is_stopped() { # ID
	[ "$(quod --runtime "${runtime-runc}" state "$1" | jq -r .status)" = stopped ]
}

# Everything that shall fail, a line for each that doesn't.
attack='cd /workspace
fails() { "$@" 2>/dev/null && echo "worked: $*"; }
fails sh -c "echo x >>.git/hooks/pre-commit"
fails sh -c "echo x >.git/hooks/new"
fails sh -c "echo x >.git/config"
fails chmod 777 .git/hooks/pre-commit
fails mv .git/hooks .git/h
fails mv .git/config .git/c
fails mv .git .g
fails rm .git/config
fails rm -r .git/hooks
fails ln .git/hooks/pre-commit link
fails sh -c "echo x >n && mv n .git/config"
fails mkdir .vscode/x
fails sh -c "echo x >.vscode/tasks.json"
fails rmdir .vscode
fails mv .vscode v
fails sh -c "echo x >.envrc"
fails rmdir .envrc
fails sh -c "echo x >n && mv -T n .envrc"
fails sh -c "mkdir -p .github/workflows"
fails mv .github g
fails sh -c "echo x >.quod.json"
fails umount .git/hooks
fails mount -o remount,rw,bind .git/hooks
'

holds() {
	run quod --profile work --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$(printf 'original\nwritten\nwritten')" ]
	nothing_left
	[ "$(cat "$work/.git/hooks/pre-commit" "$work/.git/config")" = "$(printf 'original\noriginal')" ]
	[ "$(ls -A "$work" | xargs)" = ".git n other" ]
	[ "$(ls -A "$work/.git" | xargs)" = "HEAD config hooks" ]
	rm -f "$work/n" "$work/other"
}
@test "protect: what is there can't be changed, moved or replaced, what isn't can't be made, and nothing is left of it" {
	run_in "$attack"'cat .git/hooks/pre-commit; echo written >.git/HEAD && cat .git/HEAD; echo written >other; cat other'
	edit_bundle "$bundle" '.process.capabilities[] |= . + ["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN"] | .root.readonly = false'
	both_runtimes holds
}

@test "protect: an owner of the workspace without rights can't either" {
	chown -R 1000:1000 "$work"
	run_in "$attack"'echo end'
	edit_bundle "$bundle" '.process.user = {"uid": 1000, "gid": 1000}'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = end ]
	nothing_left
}

placeholders_stand() {
	start_container c1
	[ "$(stat -c '%a %u %F' "$work/.vscode" "$work/.envrc" "$work/.quod.json" "$work/.github" | sort -u)" = "555 0 directory" ]
	run quodctl verify --json c1
	quod --runtime "$runtime" delete --force c1
	nothing_left
	[ "$(ls -A "$work")" = .git ]
	jq -e '[.[0].controls[] | select(.key == "mounts.protect") | [.verdict, .promised]] | length == 6 and
		all(.[0] == "proven") and (map(.[1]) | contains(["/workspace/.git/hooks read-only", "/workspace/.github read-only"]))' <<<"$output"
	jq -e '[.[0].controls[] | select(.key == "mounts.allow") | .verdict] == ["proven"]' <<<"$output"
}
@test "protect: placeholders stand while the container lives, verify proves each path, delete takes them away" {
	run_in 'sleep 60'
	both_runtimes placeholders_stand
}

is_ended_for() { # PATH COMMAND...: the container ends when the host does COMMAND
	local path=$1
	shift
	start_container c1
	sleep 0.3
	is_running c1
	"$@"
	wait_for 8 is_stopped c1
	quod --runtime "$runtime" delete c1
	[ "$(tail -n 20 /var/log/quod/audit.jsonl | jq -r 'select(.event == "exit") | .cause' | tail -n 1)" = "killed: $path lost (mounts.protect)" ]
	[ -z "$(ls -A /var/lib/quod/placeholders)" ]
}
replace_config() { echo new >"$work/new" && mv "$work/new" "$work/.git/config"; }
move_git() { mv "$work/.git" "$work/git2" && mkdir "$work/.git"; }
move_git_back() { rmdir "$work/.git" && mv "$work/git2" "$work/.git"; }
host_changes() {
	is_ended_for /workspace/.vscode rmdir "$work/.vscode"
	is_ended_for /workspace/.git/config replace_config
	is_ended_for /workspace/.git/hooks move_git
	move_git_back
	is_ended_for /workspace/.envrc mv "$work/.envrc" "$work/moved"
	rmdir "$work/moved"
	[ "$(ls -A "$work")" = .git ]
}
@test "protect: one that the host's user removes, replaces or moves ends the container, and the trail says so" {
	run_in 'sleep 60'
	both_runtimes host_changes
}

@test "protect: so it does where no tracer holds the container" {
	runtime=crun profile=network
	run_in 'sleep 60'
	is_ended_for /workspace/.vscode rmdir "$work/.vscode"
	is_ended_for /workspace/.git/hooks move_git
}

@test "protect: what the host does elsewhere in the workspace ends nothing" {
	run_in 'sleep 60'
	start_container c1
	mkdir "$work/src" && mv "$work/src" "$work/lib" && rmdir "$work/lib"
	echo changed >>"$work/.git/hooks/pre-commit"
	mv "$work/.git/HEAD" "$work/.git/H"
	mv "$work" "$work.moved"
	sleep 1.5
	is_running c1
	mv "$work.moved" "$work"
	quod delete --force c1
	nothing_left
}

@test "protect: of two containers in one workspace the last one takes the placeholders away" {
	run_in 'sleep 60'
	start_container c1
	start_container c2
	quod delete --force c1
	[ "$(ls -A "$work" | xargs)" = ".envrc .git .github .quod.json .vscode" ]
	sleep 1.2
	is_running c2
	run quod exec c2 sh -c 'mkdir /workspace/.vscode/x 2>/dev/null || echo held'
	echo "$output"
	[ "$output" = held ]
	start_container c1
	quod delete --force c2
	is_running c1
	quod delete --force c1
	nothing_left
	[ "$(ls -A "$work")" = .git ]
}

@test "protect: without a repository the whole of .git can't be made" {
	rm -r "$work/.git"
	run_in 'cd /workspace; mkdir -p .git/objects 2>/dev/null || echo held; ls -A .git | wc -l'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$output" = "$(printf 'held\n0')" ]
	nothing_left
	[ -z "$(ls -A "$work")" ]
}

@test "protect: a file in the way of a protected path is held itself" {
	rm -r "$work/.git"
	echo "gitdir: elsewhere" >"$work/.git"
	run_in 'cd /workspace; rm -f .git 2>/dev/null; mv .git g 2>/dev/null; echo x 2>/dev/null >.git; cat .git'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$output" = "gitdir: elsewhere" ]
	nothing_left
}

refuses() { # TEXT
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"$1"*"(mounts.protect)"* ]]
	[ -z "$(find "$work" -perm 555)" ]
	nothing_left
}
@test "protect: what can't be protected is refused: links, devices, mounts of their own" {
	ln "$work/.git/config" "$work/other"
	refuses "$work/.git/config is a hard link, and has another name"
	rm "$work/other"
	mkdir "$work/.git/hooks/deep"
	echo x >"$work/.git/hooks/deep/file"
	ln "$work/.git/hooks/deep/file" "$work/other"
	refuses "$work/.git/hooks/deep/file is a hard link"
	rm "$work/other"
	ln -s /etc "$work/.vscode"
	refuses "$work/.vscode can't be protected: it is a symbolic link"
	rm "$work/.vscode"
	mv "$work/.git" "$work/git" && ln -s git "$work/.git"
	refuses "$work/.git can't be protected: it is a symbolic link"
	rm "$work/.git" && mv "$work/git" "$work/.git"
	mkfifo "$work/.envrc"
	refuses "$work/.envrc can't be protected"
	rm "$work/.envrc"
	mount -t tmpfs none "$work/.git/hooks"
	refuses "$work/.git/hooks can't be protected: it is a mount of its own"
	umount "$work/.git/hooks"
}

@test "protect: a source on the way to a protected path, or inside one, is no way around" {
	edit_bundle "$bundle" 'del(.mounts[-1])'
	mount_workspace "$work/.git" /workspace/a
	mount_workspace "$work/.git/hooks" /workspace/b
	mount_workspace "$work/.git/config" /workspace/c
	run_in 'cd /workspace; for f in a/hooks/x a/config b/x c; do echo x 2>/dev/null >$f && echo "worked: $f"; done; mv a/hooks a/h 2>/dev/null
		echo x >a/HEAD && cat a/HEAD'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$output" = x ]
	nothing_left
	[ "$(ls -A "$work/.git" | xargs)" = "HEAD config hooks" ]
}

@test "protect: a directory that is mounted twice, or in which another workspace lies, is held both ways" {
	mkdir -p "$work/sub/.git/hooks"
	mount_workspace "$work/sub" /workspace/two
	mkdir "$work/two"
	mount_workspace "$work" /workspace/three
	mkdir "$work/three"
	run_in 'cd /workspace; for f in .git/hooks two/.git/hooks sub/.git/hooks three/.git/hooks three/sub/.git/hooks .vscode sub/.vscode two/.vscode \
		three/.vscode three/sub/.vscode; do mkdir -p $f 2>/dev/null; echo x 2>/dev/null >$f/x && echo "worked: $f"; done
		mv sub s 2>/dev/null && echo moved; mv three/sub three/s 2>/dev/null && echo moved too; echo end'
	edit_bundle "$bundle" '.mounts |= sort_by(.destination)'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$output" = end ]
	nothing_left
	[ -z "$(find "$work" -perm 555)" ]
}

@test "protect: a user namespace of the container's own is no way around" {
	run_in "$attack"'unshare -Ur --mount sh -c "
		umount .git/hooks 2>/dev/null && echo bad umount
		mount --bind /workspace /mnt 2>/dev/null && echo bad bind
		mount -o remount,bind,rw /workspace/.git/hooks 2>/dev/null && echo bad remount
		mv .git g 2>/dev/null && echo bad move
		echo x 2>/dev/null >.git/hooks/x && echo bad write
		echo tried"'
	mkdir -p "$bundle/rootfs/mnt"
	edit_bundle "$bundle" '.linux.seccomp = null | .process.user = {"uid": 1000, "gid": 1000}'
	chown -R 1000:1000 "$work"
	run quod --profile loose run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = tried ]
	nothing_left
}

users_namespace() {
	run quod --profile work --runtime "$runtime" run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = end ]
	nothing_left
}
@test "protect: it holds in a container with a user namespace" {
	run_in "$attack"'echo end'
	chown -R 100000:100000 "$bundle/rootfs" "$work"
	chmod 755 "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$(dirname "$BATS_FILE_TMPDIR")" "$(dirname "$(dirname "$BATS_FILE_TMPDIR")")"
	edit_bundle "$bundle" '.linux.namespaces += [{"type": "user"}] |
		.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
	both_runtimes users_namespace
}

@test "protect: a mount of the user's over a protected place is the user's" {
	mkdir -p "$BATS_FILE_TMPDIR/projects/over"
	mount_workspace "$BATS_FILE_TMPDIR/projects/over" /workspace/.git/hooks
	run_in 'cd /workspace; echo x >.git/hooks/new; mv .git g 2>/dev/null; ls -A .git | xargs'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "HEAD config hooks" ]
	[ ! -e "$work/.git/hooks/new" ]
	[ -e "$BATS_FILE_TMPDIR/projects/over/new" ]
	[ -z "$(find "$BATS_FILE_TMPDIR/projects/over" -perm 555)" ]
}

@test "protect: a place with a space or a backslash in its name is proven and held like any other" {
	edit_bundle "$bundle" '.mounts[-1].destination = "/workspace/a b\\c"'
	run_in 'sleep 60'
	start_container c1
	run quod exec c1 sh -c 'cd "/workspace/a b\c" && mv .git g 2>/dev/null; cat .git/HEAD'
	quod delete --force c1
	echo "$output"
	[ "$output" = original ]
	nothing_left
}

@test "protect: a read-only workspace needs none" {
	edit_bundle "$bundle" '.mounts[-1].options = ["rbind", "ro"]'
	run_in 'touch /workspace/x 2>/dev/null || echo read-only; ls -A /workspace'
	run quod --profile work run --bundle "$bundle" c1
	echo "$output"
	[ "$output" = "$(printf 'read-only\n.git')" ]
}

@test "protect: a create that fails later leaves no placeholder" {
	mkdir -p /var/log/quod
	mount -t tmpfs -o size=4k,mode=700 full /var/log/quod
	head -c 4096 /dev/zero >/var/log/quod/fill 2>/dev/null || :
	run quod --profile work run --bundle "$bundle" c1
	umount /var/log/quod
	echo "$output"
	[ "$status" = 1 ]
	[ "$(ls -A "$work")" = .git ]
	edit_bundle "$bundle" '.process.args = ["/nosuch"]'
	run quod --profile work run --bundle "$bundle" c1
	[ "$status" != 0 ]
	nothing_left
	[ "$(ls -A "$work")" = .git ]
}

# As after a power cut, or kill -9 of everything: nobody has deleted the container.
forget_container() { # ID
	local dir
	kill -9 "$(quod state "$1" | jq -r .pid)" "$(pgrep -x quod-guardian)"
	wait_for 5 is_stopped "$1"
	rm -rf "/run/runc/$1"
	for dir in /run/quod/containers/*; do
		[ "$(jq -r .id "$dir/record.json")" = "$1" ] || continue
		sed -i 's/"created_s":[0-9]*/"created_s":1/' "$dir/record.json"
		touch -d '1 hour ago' "$dir"
	done
}
is_gone_state() { # ID
	! grep -q "\"id\":\"$1\"" /run/quod/containers/*/record.json 2>/dev/null
}
sweep() { # any create sweeps
	make_bundle "$BATS_TEST_TMPDIR/sweeper"
	quod --profile balanced run --bundle "$BATS_TEST_TMPDIR/sweeper" sweeper
	wait_for 5 is_gone_state sweeper
}
@test "protect: what a crash left is swept by the next create, but only what is still quod's and empty" {
	run_in 'sleep 60'
	start_container c1
	forget_container c1
	[ -d "$work/.vscode" ]
	echo mine >"$work/.envrc/mine"
	rmdir "$work/.quod.json" && mkdir "$work/.quod.json" && chown 1000 "$work/.quod.json"
	sweep
	[ "$(ls -A "$work" | xargs)" = ".envrc .git .quod.json" ]
	[ "$(cat "$work/.envrc/mine")" = mine ]
	nothing_left
	rm -r "$work/.envrc" "$work/.quod.json"
}

@test "protect: after a power cut, when all of /run is gone, too" {
	run_in 'sleep 60'
	start_container c1
	forget_container c1
	rm -rf /run/quod
	[ -d "$work/.vscode" ]
	sweep
	[ "$(ls -A "$work")" = .git ]
	nothing_left
}

@test "protect: a placeholder's maker that is ended in between leaves nothing for good" {
	mkdir -p -m 700 /var/lib/quod/placeholders
	mkdir -m 500 "$work/.idea"
	printf '0 0 %s' "$work/.idea" >"/var/lib/quod/placeholders/$(printf '%040d' 1)"
	mkdir -m 500 "$work/full"
	sweep
	[ ! -e "$work/.idea" ]
	[ -d "$work/full" ]
	rmdir "$work/full"
}

@test "protect: the way to a placeholder isn't followed over a link" {
	run_in 'sleep 60'
	start_container c1
	mkdir -p "$BATS_TEST_TMPDIR/victim"
	mkdir -m 555 "$BATS_TEST_TMPDIR/victim/.vscode"
	mv "$work" "$work.moved"
	ln -s "$BATS_TEST_TMPDIR/victim" "$work"
	quod delete --force c1
	[ -d "$BATS_TEST_TMPDIR/victim/.vscode" ]
	rm "$work"
	mv "$work.moved" "$work"
}

docker_holds() {
	docker run -d --name p1 --runtime quod-work -v "$work:/workspace" quod.test/busybox:1 sleep 600
	docker run -d --name p2 --runtime quod-work -v "$work:/workspace" quod.test/busybox:1 sleep 600
	run docker exec p1 sh -c "$attack"'echo end'
	echo "$output"
	[ "$output" = end ]
	docker restart -t 0 p1
	run docker exec p1 sh -c "$attack"'echo end'
	[ "$output" = end ]
	docker rm -f p1
	[ -d "$work/.vscode" ]
	[ "$(docker inspect -f '{{.State.Running}}' p2)" = true ]
	docker stop -t 0 p2
	wait_for 5 is_clean
	[ "$(ls -A "$work" | xargs)" = ".git n" ]
	docker start p2
	[ -d "$work/.vscode" ]
	docker rm -f p2
	wait_for 5 is_clean
	[ "$(ls -A "$work" | xargs)" = ".git n" ]
	rm "$work/n"
}
@test "protect: under Docker, over exec, restart, stop and start" {
	box_start_engines work
	docker_load_busybox
	docker_holds
	write_config <<<'{ "version": 1, "runtime": ["crun"] }'
	docker_holds
	rm /etc/quod/quod.json
	box_stop_engines
}
