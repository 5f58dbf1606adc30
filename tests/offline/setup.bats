#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl setup in a root directory of its own: what is added, what stays byte for byte, what is refused, and that --remove
# gives everything back.
# shellcheck disable=SC2154 # builddir and srcdir come from tests/run; status and output from run

setup() {
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root/usr/bin" "$root/usr/share/quod" "$root/etc"
	printf '#!/bin/sh\n' >"$root/usr/bin/quod"
	chmod 755 "$root/usr/bin/quod"
	cp -r "$srcdir/profiles" "$root/usr/share/quod/profiles"
	mv "$root/usr/share/quod/profiles/groups" "$root/usr/share/quod/groups"
}

quodctl() {
	"$builddir/quodctl" "$@"
}

set_up() { # ENGINE ARGUMENT...
	run quodctl setup --root "$root" "$@"
	printf '%s\n' "$output"
}

done_well() {
	set_up "$@"
	[ "$status" = 0 ]
}

# refuses TEXT ENGINE ARGUMENT...: says TEXT, and nothing has changed.
refuses() {
	local text=$1 before
	shift
	before=$(everything)
	set_up "$@"
	[ "$status" = 2 ] || return 1
	[[ $output == *"$text"* ]] || return 1
	diff <(echo "$before") <(everything)
}

# Names, modes, owners, links and contents below the root, but for quod's own record.
everything() {
	(cd "$root" && find . -path ./var/lib/quod -prune -o -path ./var -prune -o -printf '%p %M %U %G %l\n' | sort &&
		find . -path ./var -prune -o -type f -print0 | sort -z | xargs -0 sha256sum)
}

# What --remove must bring back: all but the backup.
without_backup() {
	everything | grep -v quod-backup
}

daemon_json() {
	mkdir -p "$root/etc/docker"
	cat >"$root/etc/docker/daemon.json"
}

@test "setup: docker: an absent daemon.json is made whole, and goes again" {
	before=$(everything)
	done_well docker --profile locked
	diff - "$root/etc/docker/daemon.json" <<-'END'
		{
		  "runtimes": {
		    "quod": { "path": "/usr/bin/quod" },
		    "quod-locked": { "path": "/usr/bin/quod-locked" }
		  }
		}
	END
	[ "$(readlink "$root/usr/bin/quod-locked")" = quod ]
	[ "$(stat -c %a "$root/etc/docker/daemon.json")" = 644 ]
	done_well docker --remove
	diff <(echo "$before") <(everything)
}

@test "setup: docker: a second run changes nothing and says so" {
	done_well docker --profile locked --default
	before=$(everything)
	done_well docker --profile locked --default
	[ "$output" = "docker: all is there; nothing to change" ]
	diff <(echo "$before") <(everything)
	# another profile later is added to it
	done_well docker --profile agent
	jq -e '.runtimes | keys == ["quod", "quod-agent", "quod-locked"]' "$root/etc/docker/daemon.json"
}

@test "setup: docker: everything else stays byte for byte, in whatever form it is" {
	local form
	for form in \
		'{"debug":true,"log-opts":{"max-size":"10m"}}' \
		'{ "debug" : true , "labels" : [ "a=b" , "ü=\u00fc" ] }\n' \
		'{\n\t"insecure-registries": [],\n\n\t"runtimes": { },\n\t"x": 1e3\n}\n' \
		'{\r\n    "runtimes": {\r\n        "nvidia": {\r\n            "path": "nvidia-container-runtime",\r\n            "runtimeArgs": []\r\n        }\r\n    },\r\n    "default-runtime": "nvidia"\r\n}' \
		'\n\n{\n "proxies": { "default": { "httpProxy": "http://[::1]:3128/{x}" } } }\n\n'; do
		# shellcheck disable=SC2059 # the forms are formats
		printf "$form" | daemon_json
		chmod 600 "$root/etc/docker/daemon.json"
		cp "$root/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/before"
		before=$(without_backup)
		done_well docker --profile locked --default=agent
		[ "$(stat -c %a "$root/etc/docker/daemon.json")" = 600 ]
		jq -e '.runtimes.quod.path == "/usr/bin/quod" and .["default-runtime"] == "quod-agent"' "$root/etc/docker/daemon.json"
		# all other keys mean what they meant
		diff <(jq -S 'del(.runtimes["quod", "quod-locked", "quod-agent"], .["default-runtime"]) | del(.runtimes | select(. == {}))' "$root/etc/docker/daemon.json") \
			<(jq -S 'del(.["default-runtime"]) | del(.runtimes | select(. == {}))' "$BATS_TEST_TMPDIR/before")
		cmp "$root"/etc/docker/daemon.json.quod-backup-* "$BATS_TEST_TMPDIR/before"
		done_well docker --remove
		if [[ $form != *'{ }'* ]]; then
			diff <(echo "$before") <(without_backup)
		fi
		rm -f "$root"/etc/docker/*
	done
}

@test "setup: docker: what others changed since stays theirs" {
	printf '{\n  "debug": true\n}\n' | daemon_json
	done_well docker --profile locked --default
	jq --indent 2 '.runtimes.kata = {"path": "kata"} | .runtimes["quod-locked"].runtimeArgs = ["--profile=locked", "--debug"]
		| .["default-runtime"] = "kata" | del(.debug)' "$root/etc/docker/daemon.json" >"$BATS_TEST_TMPDIR/new"
	cat "$BATS_TEST_TMPDIR/new" >"$root/etc/docker/daemon.json"
	done_well docker --remove
	[[ $output == *"/runtimes/quod-locked was changed since: it stays."* ]]
	[[ $output == *"/default-runtime was changed since: it stays."* ]]
	jq -e '. == {"runtimes": {"quod-locked": {"path": "/usr/bin/quod-locked", "runtimeArgs": ["--profile=locked", "--debug"]},
		"kata": {"path": "kata"}}, "default-runtime": "kata"}' "$root/etc/docker/daemon.json"
}

@test "setup: docker: a default runtime of ours that somebody else chose is not taken from under dockerd" {
	done_well docker --profile locked
	jq '.["default-runtime"] = "quod-locked"' "$root/etc/docker/daemon.json" >"$BATS_TEST_TMPDIR/new"
	cat "$BATS_TEST_TMPDIR/new" >"$root/etc/docker/daemon.json"
	refuses "/default-runtime still names quod-locked" docker --remove
}

@test "setup: docker: an entry of that name that isn't quod's is refused, one that is as good is left" {
	daemon_json <<<'{"runtimes": {"quod": {"path": "/opt/other"}}}'
	refuses '/runtimes/quod is there and is not { "path": "/usr/bin/quod" }' docker
	daemon_json <<<'{"runtimes": {"quod": {"path": "/usr/bin/quod"}, "quod-locked": {"path": "/usr/bin/quod", "runtimeArgs": ["--profile=locked"]}}}'
	ln -s quod "$root/usr/bin/quod-locked"
	before=$(everything)
	done_well docker --profile locked
	[ "$output" = "docker: all is there; nothing to change" ]
	done_well docker --remove
	diff <(echo "$before") <(everything)
	daemon_json <<<'{"runtimes": {"quod-locked": {"path": "/usr/bin/quod", "runtimeArgs": ["--profile=agent"]}}}'
	refuses '/runtimes/quod-locked is there' docker --profile locked
}

@test "setup: docker: what can't be read or edited is left as it is" {
	local text
	for text in '{"a": 1' '[]' '{"a": 1, "a": 2}' '{"runtimes": []}' '{} {}' '{"debug": true,}' '// no comments in there
{}' '{"run\u0074imes": {}}' '{"default-runtime": 7}'; do
		daemon_json <<<"$text"
		refuses "" docker --default
		[[ $output == *"left as it is"* ]]
	done
	rm "$root/etc/docker/daemon.json"
	mkdir "$root/etc/docker/daemon.json"
	refuses "not a regular file" docker
	rmdir "$root/etc/docker/daemon.json"
	ln -s elsewhere "$root/etc/docker/daemon.json"
	refuses "symbolic link" docker
}

@test "setup: an empty file is as good as none" {
	printf ' \n' | daemon_json
	done_well docker
	jq -e '.runtimes == {"quod": {"path": "/usr/bin/quod"}}' "$root/etc/docker/daemon.json"
}

@test "setup: --dry-run shows the change as a patch, changes nothing, and answers no" {
	printf '{\n  "debug": true\n}\n' | daemon_json
	before=$(everything)
	set_up docker --profile locked --dry-run
	[ "$status" = 1 ]
	diff <(echo "$before") <(everything)
	[ ! -e "$root/var/lib/quod/setup" ]
	sed -n '/^---/,/^ }/p' <<<"$output" >"$BATS_TEST_TMPDIR/patch"
	(cd "$root" && patch -p1 -s <"$BATS_TEST_TMPDIR/patch")
	cp "$root/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/patched"
	printf '{\n  "debug": true\n}\n' | daemon_json
	done_well docker --profile locked
	cmp "$root/etc/docker/daemon.json" "$BATS_TEST_TMPDIR/patched"
	set_up docker --profile locked --dry-run
	[ "$status" = 0 ]
}

@test "setup: a profile must be there, and quod too" {
	refuses "there is no profile 'nosuch'" docker --profile nosuch
	refuses "is not" docker --profile ../../bin/sh
	ln -s ../../bin/sh "$root/usr/bin/quod-locked"
	refuses "/usr/bin/quod-locked is there and is no link to quod" docker --profile locked
	rm "$root/usr/bin/quod"
	refuses "install quod first" docker
}

@test "setup: a root directory can't lead out of itself" {
	mkdir "$BATS_TEST_TMPDIR/outside"
	ln -s "$BATS_TEST_TMPDIR/outside" "$root/etc/docker"
	set_up docker
	[ "$status" = 2 ]
	[ -z "$(ls "$BATS_TEST_TMPDIR/outside")" ]
	rm "$root/etc/docker"
	ln -s ../../../../../../../../../../../../"$BATS_TEST_TMPDIR/outside" "$root/etc/docker"
	set_up docker
	[ -z "$(ls "$BATS_TEST_TMPDIR/outside")" ]
}

@test "setup: a wrong command line is told" {
	refuses "setup of what?" --dry-run
	refuses "setup knows no engine 'lxc'" lxc
	refuses "setup does not take '--force'" docker --force
	refuses "without --profile" docker --remove --profile locked
	refuses "an absolute path is wanted" docker --config daemon.json
}

@test "setup: --json says the same for programs" {
	set_up docker --profile locked --json
	jq -e '.engine == "docker" and .changed and (.dry_run | not) and .links_made == ["/usr/bin/quod-locked"]
		and .next == ["systemctl reload docker"] and (.files[0] | .file == "/etc/docker/daemon.json" and .change == "made")' <<<"$output"
	set_up docker --profile locked --json
	jq -e '(.changed | not) and .files == []' <<<"$output"
}

config_toml() {
	mkdir -p "$root/etc/containerd"
	cat >"$root/etc/containerd/config.toml"
}

# handler NAME KEY...: as a reader of TOML finds it.
handler() {
	/usr/bin/python3 -c 'import sys, tomllib
value = tomllib.load(open(sys.argv[1], "rb"))["plugins"]
plugin = [p for p in value if "cri" in p][-1]
value = value[plugin]["containerd"]["runtimes"]
for name in sys.argv[2:]: value = value[name]
print(value)' "$root/etc/containerd/config.toml" "$@"
}

@test "setup: containerd: an absent file is made whole, with runc beside quod" {
	before=$(everything)
	done_well containerd --profile locked
	[ "$(handler quod-locked options BinaryName)" = /usr/bin/quod-locked ]
	[ "$(handler runc runtime_type)" = io.containerd.runc.v2 ]
	grep -q '^version = 2$' "$root/etc/containerd/config.toml"
	done_well containerd --profile locked
	[ "$output" = "containerd: all is there; nothing to change" ]
	done_well containerd --profile agent
	done_well containerd --profile agent
	[ "$output" = "containerd: all is there; nothing to change" ]
	[ "$(handler | grep -o "'quod[^']*': {" | sort -u | wc -l)" = 3 ]
	done_well containerd --remove
	diff <(echo "$before") <(everything)
}

@test "setup: containerd: versions 1, 2 and 3, in whatever form, with what runc has" {
	local form
	for form in \
		'[plugins.cri.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v1"\n[plugins.cri.containerd.runtimes.runc.options]\n  SystemdCgroup = true # c\n' \
		"version = 2\r\n[ plugins . 'io.containerd.grpc.v1.cri' ]\r\ncontainerd.runtimes.runc.options.SystemdCgroup = true\r\n" \
		'version = 2\nplugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options.SystemdCgroup=true' \
		'version = 3\n[plugins]\n  [plugins."io.containerd.cri.v1.runtime".containerd]\n    default_runtime_name = "mine"\n    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.mine]\n      runtime_type = "io.containerd.runc.v2"\n      options = { SystemdCgroup = true, BinaryName = "/opt/x" }\n' \
		'# [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.quod]\nversion = 2\nimports = []\n[plugins."io.containerd.grpc.v1.cri".containerd.default_runtime]\nruntime_type = "io.containerd.runc.v2"\noptions.SystemdCgroup = true\n[[a.b]]\nc = """\n# quod: end here\n"""\n'; do
		# shellcheck disable=SC2059 # the forms are formats
		printf "$form" | config_toml
		before=$(without_backup)
		done_well containerd --profile locked
		[ "$(handler quod-locked options SystemdCgroup)" = True ]
		[ "$(handler quod-locked options BinaryName)" = /usr/bin/quod-locked ]
		[ "$(handler quod pod_annotations)" = "['quod.dev/*']" ]
		# shellcheck disable=SC2059
		cmp <(printf "$form") <(head -c "$(printf "$form" | wc -c)" "$root/etc/containerd/config.toml")
		[ "$(grep -c $'\r' <<<"$form" || true)" = 0 ] || [ "$(grep -vc $'\r$' "$root/etc/containerd/config.toml")" = 0 ]
		done_well containerd --remove
		diff <(echo "$before") <(without_backup)
		rm -f "$root"/etc/containerd/*
	done
}

@test "setup: containerd: annotations that runc lets through stay beside quod's" {
	printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\npod_annotations = ["a.b/*", # c\n "c\\u0064"]\nprivileged_without_host_devices = true\nruntime_path = "/opt/shim"\n' | config_toml
	done_well containerd
	[ "$(handler quod pod_annotations)" = "['a.b/*', 'cd', 'quod.dev/*']" ]
	[ "$(handler quod privileged_without_host_devices)" = True ]
	[ "$(grep -c runtime_path "$root/etc/containerd/config.toml")" = 1 ]
}

@test "setup: containerd: what can't be extended, understood or told apart is left as it is" {
	config_toml <<<'version = 2
plugins."io.containerd.grpc.v1.cri".containerd.runtimes = { runc = { runtime_type = "io.containerd.runc.v2" } }'
	refuses "line 2: an inline table" containerd
	config_toml <<<'version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.quod]
runtime_type = "io.containerd.kata.v2"'
	refuses "has a handler quod that does not execute /usr/bin/quod" containerd
	config_toml <<<'[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]'
	refuses 'lacks "version = 2"' containerd
	config_toml <<<'version = 4'
	refuses 'none of 1, 2 and 3' containerd
	config_toml <<<'{{ template "base" . }}'
	refuses 'line 1: ' containerd
	config_toml <<<'version = 2
imports = "x"'
	refuses 'no list of paths' containerd
	config_toml <<<'version = 2
imports = ["conf.d/*.toml"]'
	refuses 'write it with its whole path' containerd
	config_toml <<<'version = 2
# quod: end'
	refuses 'must be there once' containerd
	config_toml <<<'version = 2
[[plugins]]'
	refuses 'without damage' containerd
}

@test "setup: containerd: keys that somebody put behind the block are not moved into another table" {
	printf 'version = 2\n[metrics]\naddress = "x"\n' | config_toml
	done_well containerd
	echo 'Root = "/x"' >>"$root/etc/containerd/config.toml"
	refuses 'without damage' containerd --remove
	sed -i '$d' "$root/etc/containerd/config.toml"
	printf '[debug]\nlevel = "debug"\n' >>"$root/etc/containerd/config.toml"
	done_well containerd --remove
	diff "$root/etc/containerd/config.toml" - <<<'version = 2
[metrics]
address = "x"
[debug]
level = "debug"'
}

@test "setup: containerd: a link that docker uses too stays until the last is removed" {
	done_well docker --profile locked
	done_well containerd --profile locked
	done_well docker --remove
	[ -L "$root/usr/bin/quod-locked" ]
	done_well containerd --remove
	[ ! -e "$root/usr/bin/quod-locked" ]
}

@test "setup: containerd: has no default" {
	refuses "a cluster chooses by RuntimeClass" containerd --default
}

@test "setup: crio: a file of its own, with what runc has; runtimes add up" {
	mkdir -p "$root/etc/crio/crio.conf.d"
	printf '[crio.runtime.runtimes.runc]\nruntime_path = "/usr/bin/runc"\nruntime_root = "/run/old"\nmonitor_cgroup = "pod"\n' >"$root/etc/crio/crio.conf"
	printf '[crio.runtime.runtimes]\nrunc.runtime_root = "/run/new"\nrunc.allowed_annotations = [\n "io.kubernetes.cri-o.Devices" ]\n' >"$root/etc/crio/crio.conf.d/10-site.conf"
	before=$(everything)
	done_well crio --profile locked
	done_well crio --profile agent --default=agent
	/usr/bin/python3 -c 'import sys, tomllib
crio = tomllib.load(open(sys.argv[1], "rb"))["crio"]["runtime"]
assert crio["default_runtime"] == "quod-agent", crio
assert sorted(crio["runtimes"]) == ["quod", "quod-agent", "quod-locked"], crio
assert crio["runtimes"]["quod-locked"] == {"runtime_path": "/usr/bin/quod-locked", "runtime_type": "oci", "runtime_root": "/run/new",
	"monitor_cgroup": "pod", "allowed_annotations": ["io.kubernetes.cri-o.Devices"]}, crio' "$root/etc/crio/crio.conf.d/50-quod.conf"
	done_well crio --profile agent
	[ "$output" = "crio: all is there; nothing to change" ]
	done_well crio
	[ "$output" = "crio: all is there; nothing to change" ]
	done_well crio --remove
	diff <(echo "$before") <(everything)
}

@test "setup: crio, podman: a file, a runtime of that name that is somebody else's is left" {
	mkdir -p "$root/etc/crio/crio.conf.d" "$root/etc/containers"
	echo '# mine' >"$root/etc/crio/crio.conf.d/50-quod.conf"
	refuses "is not quodctl's own" crio
	rm "$root/etc/crio/crio.conf.d/50-quod.conf"
	printf '[crio.runtime.runtimes.quod]\nruntime_path = "/usr/bin/quod"\n' >"$root/etc/crio/crio.conf"
	refuses "has a runtime quod of its own" crio
	printf '[engine.runtimes]\nquod = ["/opt/quod", "/usr/bin/quod"]\n' >"$root/etc/containers/containers.conf"
	refuses 'has a runtime quod that is not ["/usr/bin/quod"]' podman
	printf '[engine.runtimes\n' >"$root/etc/containers/containers.conf"
	refuses "containers.conf: line 1: " podman
}

@test "setup: podman: a file of its own, made and taken away" {
	before=$(everything)
	done_well podman --profile locked --default
	diff - "$root/etc/containers/containers.conf.d/50-quod.conf" <<-'END'
		# Made by quodctl setup; --remove takes it away. What is changed in here is overwritten.
		[engine]
		runtime = "quod"

		[engine.runtimes]
		quod = ["/usr/bin/quod"]
		quod-locked = ["/usr/bin/quod-locked"]
	END
	done_well podman --remove
	diff <(echo "$before") <(everything)
}

runtimes() {
	mkdir -p "$root/usr/sbin" "$root/usr/local/bin"
	ln -s usr/sbin "$root/sbin"
	echo debian >"$root/usr/sbin/runc"
	echo crun >"$root/usr/bin/crun"
	echo local >"$root/usr/local/bin/runc"
	chmod 755 "$root/usr/sbin/runc" "$root/usr/bin/crun" "$root/usr/local/bin/runc"
	ln -s ../sbin/runc "$root/usr/bin/runc"
}

@test "setup: host: quod is put in each runtime's place once, and taken away again" {
	runtimes
	mkdir -p "$root/var/lib/kubelet"
	before=$(everything)
	set_up host --dry-run
	[[ $output == *"other namespaces of the cluster's own"* ]]
	[ "$status" = 1 ]
	diff <(echo "$before") <(everything)
	done_well host
	[ "$(grep -c '^quod is in the place of' <<<"$output")" = 3 ]
	[[ $output == *"There is no dpkg here: run this again"* ]]
	for path in usr/sbin/runc usr/bin/crun usr/local/bin/runc; do
		[ "$(readlink "$root/$path")" = /usr/bin/quod ]
		[ -x "$root/$path.quod-diverted" ]
	done
	[ "$(readlink "$root/usr/bin/runc")" = ../sbin/runc ]
	jq -e '.rules | length == 2 and all(.[]; .profile == "unmanaged")' "$root/etc/quod/quod.json"
	done_well host
	[ "$output" = "host: all is there; nothing to change" ]
	# an update that knows nothing of this
	rm "$root/usr/sbin/runc"
	echo newer >"$root/usr/sbin/runc"
	chmod 755 "$root/usr/sbin/runc"
	done_well host
	[ "$(cat "$root/usr/sbin/runc.quod-diverted")" = newer ]
	[ "$(readlink "$root/usr/sbin/runc")" = /usr/bin/quod ]
	done_well host --remove
	[ "$(cat "$root/usr/sbin/runc")" = newer ]
	echo debian >"$root/usr/sbin/runc"
	diff <(echo "$before") <(everything)
}

@test "setup: host: rules go behind those that are there, and only ours are taken out" {
	runtimes
	mkdir -p "$root/etc/quod"
	cat >"$root/etc/quod/quod.json" <<-'END'
		{
		  // ours
		  "version": 1,
		  "rules": [
		    { "match": { "namespace": "kube-system" }, "profile": "unmanaged" }, /* the cluster's */
		    { "match": { "user": 1000 }, "profile": "locked" } // a person
		  ],
		  "default_profile": "locked"
		}
	END
	before=$(without_backup)
	done_well host
	grep -v '^ *//' "$root/etc/quod/quod.json" | sed 's#//.*##; s#/\*.*\*/##' |
		jq -e '.rules | length == 3 and .[0].match.namespace == "kube-system" and .[1].match.user == 1000 and .[2].match.engine == "buildkit"'
	done_well host --remove
	diff <(echo "$before") <(without_backup)
}

@test "setup: host: nothing to stand in the place of, nothing to choose by name" {
	refuses "neither runc nor crun is there" host
	runtimes
	refuses "which profile is a matter of rules" host --profile locked
	mkdir -p "$root/etc/quod"
	echo '{ "version": 1, "rules": {} }' >"$root/etc/quod/quod.json"
	refuses "is no host configuration" host
}

@test "setup: host: what replaced quod since stays, and so does what was put aside" {
	runtimes
	done_well host
	rm "$root/usr/bin/crun"
	echo other >"$root/usr/bin/crun"
	rm "$root/usr/local/bin/runc.quod-diverted"
	done_well host --remove
	[[ $output == *"/usr/bin/crun is not quod any more"* ]]
	[[ $output == *"runc.quod-diverted is gone from beside /usr/local/bin/runc"* ]]
	[ "$(cat "$root/usr/bin/crun")" = other ]
	[ "$(cat "$root/usr/bin/crun.quod-diverted")" = crun ]
	[ ! -e "$root/usr/local/bin/runc" ]
	[ "$(cat "$root/usr/sbin/runc")" = debian ]
}

@test "setup: kubernetes: this node's handlers, and the cluster's classes on standard output alone" {
	"$builddir/quodctl" setup --root "$root" kubernetes --profile locked >"$BATS_TEST_TMPDIR/classes" 2>"$BATS_TEST_TMPDIR/says"
	grep -q 'made .*/etc/containerd/config.toml' "$BATS_TEST_TMPDIR/says"
	[ "$(grep -c '^---$' "$BATS_TEST_TMPDIR/classes")" = 2 ]
	[ "$(grep '^handler: ' "$BATS_TEST_TMPDIR/classes" | xargs)" = "handler: quod handler: quod-locked" ]
	# a second run prints them again, all that are set up
	done_well kubernetes --output "$BATS_TEST_TMPDIR/file"
	cmp "$BATS_TEST_TMPDIR/classes" "$BATS_TEST_TMPDIR/file"
	done_well kubernetes --remove
	[[ $output != *RuntimeClass* ]]
	[ ! -e "$root/etc/containerd" ]
	# a node of CRI-O's
	mkdir -p "$root/etc/crio/crio.conf.d"
	done_well kubernetes --profile locked --json
	[ -f "$root/etc/crio/crio.conf.d/50-quod.conf" ]
	jq -e '.engine == "crio" and (.manifests | contains("name: quod-locked\n"))' <<<"$output"
}

bundle() { # NAME <TEXT
	mkdir -p "$BATS_TEST_TMPDIR/map/..data"
	cat >"$BATS_TEST_TMPDIR/map/..data/$1"
	ln -sfn "..data/$1" "$BATS_TEST_TMPDIR/map/$1"
}

@test "setup: profiles: a ConfigMap's files become the administrator's, all or none" {
	before=$(everything)
	bundle web.json <<<'{ "version": 1, "extends": "locked", "egress": { "allow": ["@ours"], "verify_name": false } }'
	bundle group.ours.json <<<'{ "version": 1, "hosts": ["a.example.com"] }'
	done_well profiles --from "$BATS_TEST_TMPDIR/map"
	cmp "$root/etc/quod/profiles/web.json" "$BATS_TEST_TMPDIR/map/web.json"
	[ -f "$root/etc/quod/groups/ours.json" ]
	[ "$(stat -c %a "$root/etc/quod/profiles" "$root/etc/quod/profiles/web.json" | xargs)" = "755 644" ]
	done_well profiles --from "$BATS_TEST_TMPDIR/map"
	[ "$output" = "profiles: all is there; nothing to change" ]
	# one that is wrong keeps all of them out
	bundle good.json <<<'{ "version": 1, "extends": "locked" }'
	bundle bad.json <<<'{ "version": 1, "extends": "locked", "egres": {} }'
	refuses "bad.json:1: /egres: unknown key" profiles --from "$BATS_TEST_TMPDIR/map"
	rm "$BATS_TEST_TMPDIR/map/bad.json" "$BATS_TEST_TMPDIR/map/web.json" "$BATS_TEST_TMPDIR/map/group.ours.json"
	done_well profiles --from "$BATS_TEST_TMPDIR/map"
	[ "$(ls "$root/etc/quod" "$root/etc/quod/profiles" | xargs)" = "$root/etc/quod: profiles $root/etc/quod/profiles: good.json" ]
	done_well profiles --remove
	diff <(echo "$before") <(everything)
}

@test "setup: profiles: what this host has by itself is not replaced" {
	bundle good.json <<<'{ "version": 1, "extends": "locked" }'
	mkdir -p "$root/etc/quod/profiles"
	echo '{ "version": 1 }' >"$root/etc/quod/profiles/mine.json"
	refuses "/etc/quod/profiles/mine.json is this host's own" profiles --from "$BATS_TEST_TMPDIR/map"
	rm "$root/etc/quod/profiles/mine.json"
	done_well profiles --from "$BATS_TEST_TMPDIR/map"
	echo '{ "version": 1 }' >"$root/etc/quod/profiles/mine.json"
	refuses "is this host's own" profiles --remove
	bundle notes.txt <<<x
	refuses "notes.txt is neither" profiles --from "$BATS_TEST_TMPDIR/map"
	refuses "profiles come --from DIR" profiles
}
