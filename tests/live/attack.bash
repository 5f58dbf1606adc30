# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For the attack files: an attack is a change to an ordinary config.json and a command to run in the container. Each test
# shows first, where this machine lets it, that the attack works on the bare runtime; then that quod stops it.

# Once a file: quod, a root file system, an ordinary config.json.
attack_setup_file() {
	install_quod
	mount -t tmpfs -o mode=755 srv /srv # the machine's own is seen in a box
	write_profile open <<-'J'
		{ "version": 1, "extends": "balanced", "rootfs": { "readonly": false } }
	J
	write_profile work <<-'J'
		{ "version": 1, "extends": "balanced", "mounts": { "allow": [
			{ "source": "/srv/site/**", "destination": "/workspace/**", "readonly": false },
			{ "source": "/srv/conf/**", "destination": "/conf/**", "readonly": true } ] } }
	J
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	mkdir "$BATS_FILE_TMPDIR/plain"
	(cd "$BATS_FILE_TMPDIR/plain" && runc spec)
	edit_bundle "$BATS_FILE_TMPDIR/plain" ".process.terminal = false | .root.path = \"$BATS_FILE_TMPDIR/rootfs\""
}

attack_setup() {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	profile=balanced
}

# none COMMAND...: it fails. (`! COMMAND` in a test is no assertion.)
none() {
	if "$@"; then return 1; fi
}

# make_tries: the file's root file system gets attack-try (attempts) and syscall-probe (what the floor denies).
make_tries() {
	local name
	for name in attack-try syscall-probe; do
		cc -static -pthread -O1 -o "$BATS_FILE_TMPDIR/rootfs/bin/$name" "$srcdir/tests/live/$name.c"
	done
}

# exec_in ARGUMENT...: in c1
exec_in() {
	run timeout 20 quod exec "$@" </dev/null
	printf '%s\n' "exec: $output"
}

# start [RUNTIME]: c1 runs in the background, under $profile.
start() {
	quod --profile "$profile" --runtime "${1:-runc}" create --bundle "$bundle" c1 </dev/null >"$BATS_TEST_TMPDIR/create" 2>&1 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/create"; return 1; }
	quod start c1
}

end() {
	quod delete --force c1 >/dev/null 2>&1 || :
	runc delete --force c1 >/dev/null 2>&1 || :
}

# attack JQ-FILTER [COMMAND]: what the next lines try. COMMAND is a shell's; what it prints is looked at.
attack() {
	jq --arg command "${2:-true}; echo at the end" "$1 | .process.args = [\"sh\", \"-c\", \$command]" \
		"$BATS_FILE_TMPDIR/plain/config.json" >"$bundle/config.json"
}

# own_rootfs [COMMAND...]: a root file system that this test alone changes; attack() comes after it.
own_rootfs() {
	mkdir -p "$bundle/rootfs"
	cp -a "$BATS_FILE_TMPDIR/rootfs/." "$bundle/rootfs/"
	own_root=".root.path = \"$bundle/rootfs\""
}

# works_bare [-r RUNTIME] PATTERN: without quod the attack succeeds, its command prints what matches.
works_bare() {
	local bare=runc
	[ "$1" != -r ] || { bare=$2; shift 2; }
	run timeout 20 "$bare" run --bundle "$bundle" c1 </dev/null
	printf '%s\n' "bare $bare: $output"
	[[ $output =~ $1 ]]
}

# refused PATTERN: quod says no for a reason that matches, in one line, and nothing has been started or is left.
refused() {
	before=$(ls -A /run/quod/containers 2>/dev/null) || :
	run timeout 20 quod --profile "$profile" run --bundle "$bundle" c1 </dev/null
	printf '%s\n' "quod: $output"
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output =~ ^quod:\ .*$1 ]]
	nothing_is_new
}

nothing_is_new() { # since $before; what ran before may be on its way out
	[ -z "$(comm -13 <(echo "$before") <(ls -A /run/quod/containers 2>/dev/null))" ]
}

# held PATTERN: under quod, with either runtime, the container runs to its end, and nothing that it prints matches.
held() {
	local runtime
	for runtime in ${runtimes:-runc crun}; do
		run timeout 20 quod --profile "$profile" --runtime "$runtime" run --bundle "$bundle" c1 </dev/null
		printf '%s\n' "quod over $runtime: $output"
		[ "$status" = 0 ]
		[[ $output == *"at the end"* ]]
		if [[ $output =~ $1 ]]; then return 1; fi
	done
}

# runs: it is an ordinary container to quod, and prints what matches.
runs() {
	held 'no such word'
	[[ $output =~ $1 ]]
}

mount_at() { # DESTINATION SOURCE [TYPE [OPTION...]]: a jq filter that adds the mount
	local destination=$1 source=$2 type=${3:-bind}
	shift 2; [ $# = 0 ] || shift
	[ $# -gt 0 ] || set -- rbind
	jq -n --arg d "$destination" --arg s "$source" --arg t "$type" '$ARGS.positional as $o
		| {destination: $d, source: $s, type: $t, options: $o}' --args "$@" | sed '1s/^/.mounts += [/; $s/$/]/' | tr '\n' ' '
}
