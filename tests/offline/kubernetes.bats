#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# deploy/kubernetes: what the DaemonSet does on a node (a directory, with kubectl, nsenter and chroot that only note what they
# were asked), and that its texts say what the programs say.
# shellcheck disable=SC2154 # builddir and srcdir come from tests/run; status and output from run

setup() {
	deploy=$srcdir/deploy/kubernetes
	host=$BATS_TEST_TMPDIR/host image=$BATS_TEST_TMPDIR/image from=$BATS_TEST_TMPDIR/map asked=$BATS_TEST_TMPDIR/asked
	mkdir -p "$host/usr/sbin" "$host/etc" "$image/usr/bin" "$image/usr/libexec/quod" "$image/usr/share/quod" "$from" "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho runc version 1\n' >"$image/usr/bin/quod"
	cp "$image/usr/bin/quod" "$image/usr/bin/quodctl"
	cp "$image/usr/bin/quod" "$image/usr/libexec/quod/quod-hook"
	chmod 755 "$image/usr/bin/quod" "$image/usr/bin/quodctl" "$image/usr/libexec/quod/quod-hook"
	cp -r "$srcdir/profiles" "$image/usr/share/quod/profiles"
	mv "$image/usr/share/quod/profiles/groups" "$image/usr/share/quod/groups"
	ln -s "$builddir/quodctl" "$BATS_TEST_TMPDIR/bin/quodctl"
	stub kubectl 'echo "kubectl $*" >>"$asked"'
	stub nsenter 'echo "$*" | sed "s/.*-- //" >>"$asked"; [ ! -e "$broken" ] || ! grep -q quod "$host/etc/containerd/config.toml"'
	stub chroot 'root=$1; shift; case $1 in ldd) exit 0;; esac; [ ! -e "$lacking" ] && exec "$root$1" --version'
	export asked host broken=$BATS_TEST_TMPDIR/broken lacking=$BATS_TEST_TMPDIR/lacking
}

stub() {
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod 755 "$BATS_TEST_TMPDIR/bin/$1"
}

node() {
	: >"$asked"
	run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" HOST="$host" IMAGE="$image" FROM="$from" NODE_NAME=n1 ONCE=1 PROFILES='locked agent' \
		sh "$deploy/node" "$@"
	printf '%s\n' "$output"
}

everything() {
	(cd "$host" && find . -path ./var -prune -o -type f -print -o -type l -print | sort && find . -path ./var -prune -o -type f -print0 | sort -z | xargs -r0 sha256sum)
}

@test "kubernetes: a node gets quod, its handlers, the profiles, and then its label" {
	echo '{ "version": 1, "extends": "locked" }' >"$from/web.json"
	node install
	[ "$status" = 0 ]
	[ "$(cat "$asked")" = "$(printf '%s\n' 'systemctl restart containerd' 'systemctl is-active --quiet containerd' 'kubectl label node n1 --overwrite quod.dev/ready=true')" ]
	[ -x "$host/usr/bin/quod" ]
	[ -x "$host/usr/libexec/quod/quod-hook" ]
	[ "$(readlink "$host/usr/bin/quod-agent")" = quod ]
	[ -f "$host/etc/quod/profiles/web.json" ]
	grep -q 'BinaryName = "/usr/bin/quod-locked"' "$host/etc/containerd/config.toml"
	# again: nothing is changed, nothing restarted
	before=$(everything)
	node install
	[ "$status" = 0 ]
	[ "$(cat "$asked")" = 'kubectl label node n1 --overwrite quod.dev/ready=true' ]
	diff <(echo "$before") <(everything)
}

@test "kubernetes: containerd that does not come up gets its configuration back, and the node no label" {
	mkdir -p "$host/etc/containerd"
	printf 'version = 2\n' >"$host/etc/containerd/config.toml"
	touch "$broken"
	node install
	[ "$status" != 0 ]
	[[ $output == *"containerd did not come up with the handlers: taking them back"* ]]
	[ "$(cat "$host/etc/containerd/config.toml")" = "version = 2" ]
	[ "$(grep -c 'systemctl restart containerd' "$asked")" = 2 ]
	[ "$(grep -c kubectl "$asked")" = 0 ]
}

@test "kubernetes: a node on which quod can't run is left as it is" {
	touch "$lacking"
	node install
	[ "$status" != 0 ]
	[[ $output == *"quod does not run on this node"* ]]
	[ -z "$(find "$host" -type f)" ]
	[ ! -s "$asked" ]
}

@test "kubernetes: a profile with an error leaves the old ones in force" {
	echo '{ "version": 1, "extends": "locked" }' >"$from/web.json"
	node install
	echo '{ "version": 1, "extends": "nobody" }' >"$from/other.json"
	node install
	[ "$status" = 0 ]
	[[ $output == *"nobody"* ]]
	[ "$(ls "$host/etc/quod/profiles")" = web.json ]
}

@test "kubernetes: a node is left as it was found, when no container needs quod any more" {
	mkdir -p "$host/etc/containerd"
	printf 'version = 2\n[metrics]\naddress = "x"\n' >"$host/etc/containerd/config.toml"
	before=$(everything)
	echo '{ "version": 1, "extends": "locked" }' >"$from/web.json"
	node install
	mkdir -p "$host/run/quod/containers/abc"
	node remove
	[ "$status" != 0 ]
	[ "$(cat "$asked")" = 'kubectl label node n1 --overwrite quod.dev/ready-' ]
	[ -x "$host/usr/bin/quod" ]
	rmdir "$host/run/quod/containers/abc"
	node remove
	[ "$status" = 0 ]
	rm -f "$host"/etc/containerd/*.quod-backup-*
	diff <(echo "$before") <(everything)
}

@test "kubernetes: the RuntimeClasses are those that setup prints" {
	cp -r "$image/usr" "$host/"
	diff <("$builddir/quodctl" setup kubernetes --root "$host" --profile locked --profile balanced --profile agent 2>/dev/null) \
		<(grep -v '^#' "$deploy/runtimeclasses.yaml")
}

@test "kubernetes: the manifests are YAML, of kinds that are there, and name each other" {
	/usr/bin/python3 - "$deploy" <<-'END'
		import glob, sys, yaml
		found = {}
		for file in glob.glob(sys.argv[1] + "/*.yaml"):
		    for document in yaml.safe_load_all(open(file)):
		        if document:
		            found[document["kind"], document["metadata"]["name"]] = document
		kinds = sorted({kind for kind, _ in found})
		assert kinds == ["ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "Namespace", "RuntimeClass", "ServiceAccount",
		                 "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"], kinds
		for (kind, name), document in found.items():
		    if kind == "ValidatingAdmissionPolicyBinding":
		        assert ("ValidatingAdmissionPolicy", document["spec"]["policyName"]) in found, name
		    if kind == "RuntimeClass":
		        assert document["handler"] == name, name
		pod = found["DaemonSet", "quod-node"]["spec"]["template"]["spec"]
		assert found["ServiceAccount", pod["serviceAccountName"]]["metadata"]["namespace"] == "quod-system"
		maps = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
		assert maps and all(("ConfigMap", name) in found for name in maps)
	END
}

@test "kubernetes: the example's profiles pass" {
	/usr/bin/python3 -c 'import sys, yaml
for name, text in yaml.safe_load(open(sys.argv[1]))["data"].items():
    open(sys.argv[2] + "/" + name, "w").write(text)' "$deploy/profiles.yaml" "$from"
	cp -r "$image/usr" "$host/"
	run "$builddir/quodctl" setup profiles --root "$host" --from "$from"
	echo "$output"
	[ "$status" = 0 ]
}

@test "kubernetes: the node's script is sh without a complaint" {
	sh -n "$deploy/node"
	if command -v shellcheck >/dev/null; then
		shellcheck "$deploy/node"
	fi
}
