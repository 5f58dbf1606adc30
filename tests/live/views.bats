#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What quodctl shows of a host and its containers, with real engines: ps, events, doctor, metrics,
# top, report.

bats_require_minimum_version 1.5.0
load ../helpers

setup_file() {
	install_quod
	write_profile view <<-'J'
		{ "version": 1, "extends": "balanced", "budgets": { "wall": "1h", "cpu": "30m", "egress": "5M" },
		  "egress": { "allow": ["allowed.test:443"], "verify_name": false } }
	J
	box_start_engines view
	docker_load_busybox
	ctr -n views image import "$BATS_FILE_TMPDIR/image.tar" >/dev/null
	# under quod: one that asks for a name that it may not have, and one of containerd's
	docker run -d --name under --runtime quod-view quod.test/busybox:1 \
		sh -c 'nslookup one.denied.test; nslookup two.denied.test; sleep 600' >"$BATS_FILE_TMPDIR/under"
	ctr -n views run -d --runc-binary /usr/bin/quod quod.test/busybox:1 ctr-under sleep 600
	# not: a runtime that the user named, containerd's default, and a bare runtime's
	docker run -d --name named --network none --runtime bare-crun quod.test/busybox:1 sleep 600 >"$BATS_FILE_TMPDIR/named"
	ctr -n views run -d quod.test/busybox:1 ctr-bare sleep 600
	wait_for 20 was_denied two.denied.test
}

teardown_file() {
	load ../helpers
	docker rm -f under named >/dev/null
	# their shims hold a descriptor of ours
	ctr -n views tasks delete --force ctr-under >/dev/null
	ctr -n views tasks delete --force ctr-bare >/dev/null
	box_stop_engines
}

setup() {
	under=$(cat "$BATS_FILE_TMPDIR/under")
	named=$(cat "$BATS_FILE_TMPDIR/named")
}

was_denied() {
	quodctl --json events | jq -se --arg name "$1" 'any(.event == "dns.refuse" and .name == $name)'
}

# of ID JQ-CONDITION: of what `quodctl --json ps --all` says of it
of() {
	quodctl --json ps --all | tee /dev/stderr | jq -e --arg id "$1" "[.[] | select(.id == \$id)] | length == 1 and (.[0] | $2)"
}

# an address that the kernel itself tries (MLD) is denied, too: so not just what the container asked for
counts_as_the_trail_does() {
	[ "$(quodctl --json ps | jq --arg id "$1" '.[] | select(.id == $id).denied')" = \
		"$(quodctl --json events "$1" | jq -s 'map(select(.event == "dns.refuse" or .event == "connect.refuse") | .repeated // 1) | add // 0')" ]
}

@test "views: ps says what is left of each budget, and how often something was denied" {
	of "$under" '.under_quod and .profile == "view" and .engine == "docker" and .status == "running" and .denied >= 2 and
		.left.wall_ms <= 3600000 and .left.wall_ms > 3000000 and .left.cpu_ms <= 1800000 and .left.egress <= 5242880'
	wait_for 10 counts_as_the_trail_does ctr-under
	wait_for 10 counts_as_the_trail_does "$under"
	run quodctl ps
	echo "$output"
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} == *"EGRESS LEFT  DENIED" ]]
}

@test "views: ps --all lists a container whose user named another runtime" {
	of "$named" '.under_quod == false and .engine == "docker" and .runtime == "crun" and .created > 0'
	[ "$(docker inspect -f '{{.State.Pid}}' named)" = "$(quodctl --json ps --all | jq --arg id "$named" '.[] | select(.id == $id).pid')" ]
	run quodctl ps --all
	echo "$output"
	[[ $output == *"Not under quod:"*"${named:0:12}"*"docker"*"crun"* ]]
	[[ ${output#*Not under} != *"${under:0:12}"* ]]
}

@test "views: ps --all lists those of containerd's default runtime" {
	of ctr-bare '.under_quod == false and .engine == "containerd" and .runtime == "runc" and .seen == "/run/containerd/runc/views/ctr-bare"'
}

@test "views: ps --all lists a container of Podman's own runtime" {
	podman load -q -i "$BATS_FILE_TMPDIR/image.tar" >/dev/null
	run podman run -d --network none --cgroup-manager cgroupfs quod.test/busybox:1 sleep 600 3>&- 4>&- 5>&- 6>&-
	id=$output
	run quodctl --json ps --all
	podman rm -f -t 0 "$id" >/dev/null
	echo "$output"
	jq -e --arg id "$id" '[.[] | select(.id == $id)] | length == 1 and (.[0] | .engine == "podman" and (.runtime | test("^(crun|runc)$")))' <<<"$output"
}

@test "views: ps --all lists an image build, which takes runc from PATH" {
	mkdir "$BATS_TEST_TMPDIR/build"
	printf 'FROM quod.test/busybox:1\nRUN sleep 30\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
	DOCKER_BUILDKIT=1 docker build --network none "$BATS_TEST_TMPDIR/build" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- 5>&- 6>&- &
	builder=$!
	wait_for 20 lists_build
	kill "$builder"
}

lists_build() {
	quodctl --json ps --all | jq -e '[.[] | select(.engine == "build")] | length == 1 and .[0].runtime == "runc" and .[0].pid > 0'
}

@test "views: ps --all lists a shim of another kind, and says only that of its name" {
	bash -c 'exec -a /usr/bin/containerd-shim-kata-v2 sh -c "sleep 60 & wait" -namespace k8s.io -id "vm$(printf "\033[31m")1"' 3>&- 4>&- 5>&- 6>&- &
	shim=$!
	wait_for 5 lists_shim
	run quodctl ps --all
	kill $(cat "/proc/$shim/task/$shim/children") "$shim"
	echo "$output"
	[[ $output == *'vm\x1b[31m1'*cri*containerd-shim-kata-v2* ]]
	run grep -c $'\x1b' <<<"$output"
	[ "$output" = 0 ]
}

lists_shim() {
	quodctl --json ps --all | jq -e '[.[] | select(.runtime == "containerd-shim-kata-v2")] | length == 1'
}

@test "views: a container that takes the id of one under quod in another root is listed all the same" {
	make_bundle "$BATS_TEST_TMPDIR/bundle" '.process.args = ["sleep", "60"]'
	runc run -d --bundle "$BATS_TEST_TMPDIR/bundle" ctr-under 3>&- 4>&- 5>&- 6>&-
	run quodctl --json ps --all
	runc delete --force ctr-under
	echo "$output"
	jq -e '[.[] | select(.id == "ctr-under") | .under_quod] == [true, false]' <<<"$output"
}

@test "views: a container that takes such an id with a root of its own is told by its shim" {
	ctr -n elsewhere image import "$BATS_FILE_TMPDIR/image.tar" >/dev/null
	ctr -n elsewhere run -d --runc-root /run/elsewhere quod.test/busybox:1 ctr-under sleep 600
	run quodctl --json ps --all
	pid=$(ctr -n elsewhere tasks ls | awk '$1 == "ctr-under" { print $2 }')
	ctr -n elsewhere tasks delete --force ctr-under >/dev/null
	echo "$output"
	jq -e --argjson pid "$pid" '[.[] | select(.id == "ctr-under")] | map(.under_quod) == [true, false] and
		(.[1] | .pid == $pid and .engine == "containerd" and .runtime == "containerd-shim-runc-v2" and (.seen | test("^process ")))' <<<"$output"
}

@test "views: events are those of a container as Docker names it" {
	run quodctl --json events "$under"
	[ "$(jq -r .container <<<"$output" | sort -u)" = "$under" ]
	[ "$(jq -r 'select(.event == "create").profile' <<<"$output")" = view ]
	run quodctl events "${under:0:12}"
	echo "$output"
	[[ $output == *"dns.refuse"*"${under:0:12}"*"name=two.denied.test"* ]]
}

@test "views: a trail that is gone while containers live is missed" {
	cp -a /var/log/quod "$BATS_TEST_TMPDIR/log"
	cp -a /var/lib/quod "$BATS_TEST_TMPDIR/lib"
	rm -rf /var/log/quod/audit.jsonl* /var/lib/quod/audit.head /var/lib/quod/ledger
	run quodctl audit verify
	echo "$output"
	cp -a "$BATS_TEST_TMPDIR/log/." /var/log/quod/
	cp -a "$BATS_TEST_TMPDIR/lib/." /var/lib/quod/
	[ "$status" = 1 ]
	[[ $output == *"the trail and its head are missing, but container "*" is there"* ]]
}

# says AREA CHECK VERDICT: doctor has that row, and says what to do where it is a problem
says() {
	jq -e --arg area "$1" --arg check "$2" --arg verdict "$3" \
		'any(.area == $area and .check == $check and .verdict == $verdict and (.verdict == "ok" or (.do | length) > 5))' <<<"$output"
}

doctor() {
	run --separate-stderr quodctl --json doctor
	echo "$output"
}

# sysctl NAME VALUE: as this box sees it, until the end of the test
sysctl() {
	echo "$2" >"$BATS_TEST_TMPDIR/$1"
	mount --bind "$BATS_TEST_TMPDIR/$1" "/proc/sys/${1//.//}"
	covered+=("/proc/sys/${1//.//}")
}

uncover() {
	local path
	for path in "${covered[@]}"; do
		umount "$path"
	done
}

teardown() {
	[ -z "${covered-}" ] || uncover
}

@test "views: doctor tries the kernel's parts, and says which one is missing" {
	doctor
	[ "$status" = 1 ]
	for check in nf_tables seccomp pidfd openat2 cgroup; do
		says kernel "$check" ok
	done
	output=$("$builddir/tests/live/without-netfilter" quodctl --json doctor) || :
	says kernel nf_tables problem
}

@test "views: doctor names the sysctls that weaken containers, and what to set" {
	covered=()
	sysctl kernel.kptr_restrict 0
	sysctl kernel.core_pattern '|/usr/share/apport/apport %p'
	sysctl kernel.dmesg_restrict 1
	sysctl net.ipv4.conf.all.route_localnet 1
	doctor
	[ "$status" = 1 ]
	says sysctl kernel.kptr_restrict problem
	says sysctl kernel.core_pattern problem
	says sysctl kernel.dmesg_restrict ok
	says sysctl net.ipv4.conf.all.route_localnet problem
	jq -e 'any(.check == "kernel.kptr_restrict" and (.do | contains("sysctl -w kernel.kptr_restrict=1")))' <<<"$output"
}

@test "views: doctor names a place that others may write to, a runtime with known escapes, a profile with an error" {
	chmod 777 /etc/quod/profiles
	doctor
	chmod 755 /etc/quod/profiles
	says quod /etc/quod/profiles problem
	echo '{ "version": 1, "extends": "absent" }' >/etc/quod/profiles/broken.json
	printf '#!/bin/sh\necho runc version 1.1.11\n' >/usr/local/bin/old-runc
	chmod 755 /usr/local/bin/old-runc
	echo '{ "version": 1, "runtime": ["old-runc"], "default_profile": "nobody" }' >/etc/quod/quod.json
	doctor
	rm /etc/quod/profiles/broken.json /etc/quod/quod.json
	says profile broken problem
	says profile nobody problem
	says profile view ok
	says runtime /usr/local/bin/old-runc problem
	jq -e 'any(.found | test("1.1.11.*CVE-2024-21626"))' <<<"$output"
	echo '{ "version": 1, "defualt_profile": "x" }' >/etc/quod/quod.json
	doctor
	rm /etc/quod/quod.json
	says quod configuration problem
}

@test "views: doctor says how Docker reaches quod" {
	doctor
	says docker registered ok
	says docker default note
	cp /etc/docker/daemon.json "$BATS_TEST_TMPDIR/"
	echo '{ "runtimes": { "other": { "path": "/usr/bin/crun" } } }' >/etc/docker/daemon.json
	doctor
	says docker registered problem
	echo '{ "runtimes": { "quod": { "path": "/usr/bin/quod" } }, "default-runtime": "quod" }' >/etc/docker/daemon.json
	doctor
	says docker registered ok
	says docker default ok
	echo '{ "runtimes": ' >/etc/docker/daemon.json
	doctor
	says docker /etc/docker/daemon.json problem
	cp "$BATS_TEST_TMPDIR/daemon.json" /etc/docker/daemon.json
}

@test "views: doctor says how containerd, CRI-O and Podman reach quod" {
	local file=/etc/containerd/config.toml
	mkdir -p /etc/containerd /etc/crio/crio.conf.d /etc/containers/containers.conf.d
	printf 'version = 2\ndisabled_plugins = ["cri"]\n' >"$file"
	doctor
	says containerd registered note
	printf '%s\n' 'version = 2' '[plugins."io.containerd.grpc.v1.cri".containerd]' 'default_runtime_name = "quod"' \
		'[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.quod]' 'runtime_type = "io.containerd.runc.v2"' \
		'[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.quod.options]' 'BinaryName = "/usr/bin/quod"' >"$file"
	printf '%s\n' '[crio.runtime]' 'default_runtime = "runc"' '[crio.runtime.runtimes.quod-view]' 'runtime_path = "/usr/bin/quod-view"' \
		'[crio.runtime.runtimes.quod-gone]' 'runtime_path = "/usr/bin/quod-gone"' \
		>/etc/crio/crio.conf.d/50-quod.conf
	printf '%s\n' '[engine]' 'runtime = "quod"' '[engine.runtimes]' 'quod = ["/usr/bin/quod"]' >/etc/containers/containers.conf.d/50-quod.conf
	printf '#!/bin/sh\n' >/usr/local/bin/podman
	chmod 755 /usr/local/bin/podman
	doctor
	says containerd registered ok
	says containerd default ok
	says containerd quod problem
	says crio registered ok
	says crio default note
	says crio quod-gone problem
	says podman registered ok
	says podman default ok
	sed -i '/runtimes.quod\]/a pod_annotations = ["quod.dev/*"]' "$file"
	echo '[crio.runtime]' >/etc/crio/crio.conf.d/50-quod.conf
	doctor
	jq -e 'all(.area != "containerd" or .verdict == "ok")' <<<"$output"
	says crio registered problem
	echo 'version = ' >"$file"
	doctor
	says containerd "$file" problem
	rm -r /etc/crio "$file" /etc/containers/containers.conf.d/50-quod.conf /usr/local/bin/podman
}

@test "views: doctor names a trail that was cut" {
	cp -a /var/log/quod "$BATS_TEST_TMPDIR/log"
	sed -i '$d' /var/log/quod/audit.jsonl
	doctor
	cp -a "$BATS_TEST_TMPDIR/log/." /var/log/quod/
	says audit trail problem
	doctor
	says audit trail ok
}

@test "views: doctor finds no problem on a host that has none" {
	covered=()
	local name
	for name in kernel.kptr_restrict kernel.dmesg_restrict fs.protected_symlinks fs.protected_hardlinks kernel.unprivileged_bpf_disabled; do
		sysctl "$name" 1
	done
	sysctl kernel.perf_event_paranoid 2
	sysctl kernel.core_pattern core
	for name in fs.suid_dumpable vm.unprivileged_userfaultfd dev.tty.legacy_tiocsti net.ipv4.conf.all.route_localnet; do
		[ ! -e "/proc/sys/${name//.//}" ] || sysctl "$name" 0
	done
	mkdir -p /etc/containers/containers.conf.d
	printf '%s\n' '[engine.runtimes]' 'quod = ["/usr/bin/quod"]' >/etc/containers/containers.conf.d/50-quod.conf
	printf '#!/bin/sh\necho runc version 99.0.0\n' >/usr/local/bin/new-runc
	chmod 755 /usr/local/bin/new-runc
	echo '{ "version": 1, "runtime": ["new-runc"], "audit": { "anchor": "none" } }' >/etc/quod/quod.json
	run --separate-stderr quodctl doctor
	rm /etc/quod/quod.json
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"No problem was found."* ]]
}

# strictly METRICS: the parser of Prometheus' own client takes it, and it keeps to the conventions
strictly() {
	python3 - "$1" <<-'P'
		import re, sys
		from prometheus_client.parser import text_string_to_metric_families
		text = open(sys.argv[1]).read()
		assert text.endswith("\n")
		families = list(text_string_to_metric_families(text))
		names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
		assert len(names) == len(set(names)) == len(families) > 5, names
		seen = set()
		for family in families:
		    assert re.fullmatch(r"quod_[a-z_]+", family.name), family.name
		    assert family.documentation and family.type in ("gauge", "counter"), family.name
		    for sample in family.samples:
		        assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
		        key = (sample.name, tuple(sorted(sample.labels.items())))
		        assert key not in seen, key
		        seen.add(key)
		        assert not {"container", "id"} & set(sample.labels)
		        assert sample.value >= 0
	P
}

# value_of FILE SERIES
value_of() {
	grep -v '^#' "$1" | grep -F "$2 " | sed 's/.* //'
}

@test "views: metrics are what Prometheus reads, by profile and engine, never by container" {
	local file=$BATS_TEST_TMPDIR/metrics
	quodctl metrics >"$file"
	cat "$file"
	strictly "$file"
	[ "$(value_of "$file" 'quod_containers{profile="view",engine="docker",status="running"}')" = 1 ]
	[ "$(value_of "$file" 'quod_budget_wall_limit_seconds{profile="view"}')" = 3600 ]
	[ "$(value_of "$file" 'quod_budget_egress_limit_bytes{profile="view"}')" = 5242880 ]
	[ "$(value_of "$file" 'quod_denials_total{profile="view",kind="name"}')" -ge 2 ]
	[ "$(value_of "$file" 'quod_containers_not_under_quod{engine="docker"}')" -ge 1 ]
	[ "$(value_of "$file" 'quod_audit_records_total{event="create"}')" -ge 2 ]
	run ! grep -F "${under:0:12}" "$file"
	quodctl --json metrics | jq -e 'any(.name == "quod_build_info" and .value == 1)'
}

@test "views: metrics only grow, also when the trail's old files go" {
	local file=$BATS_TEST_TMPDIR/metrics before series='quod_refusals_total{profile="balanced",command="create"}'
	echo '{ "version": 1, "audit": { "rotate": "64K", "keep": 1 } }' >/etc/quod/quod.json
	cp -a /var/log/quod "$BATS_TEST_TMPDIR/log"
	cp -a /var/lib/quod/audit.head "$BATS_TEST_TMPDIR/"
	make_bundle "$BATS_TEST_TMPDIR/bundle" '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc"}]'
	for i in $(seq 300); do
		quod create --bundle "$BATS_TEST_TMPDIR/bundle" "m$i" 2>/dev/null || :
		[ $((i % 100)) != 0 ] || quodctl metrics >"$file"
	done
	cat "$file"
	rm /etc/quod/quod.json
	[ ! -e /var/log/quod/audit.jsonl.2 ]
	[ "$(cat /var/log/quod/audit.jsonl* | grep -c '"event":"refuse"')" -lt 300 ]
	[ "$(value_of "$file" "$series")" = 300 ]
	[ "$(value_of "$file" quod_audit_records_missed_total)" = 0 ]
	rm /var/log/quod/audit.jsonl* /var/lib/quod/metrics.json
	cp -a "$BATS_TEST_TMPDIR/log/." /var/log/quod/
	cp -a "$BATS_TEST_TMPDIR/audit.head" /var/lib/quod/
}

@test "views: a label's value is escaped, and there are only so many of them" {
	local file=$BATS_TEST_TMPDIR/metrics zeros i
	zeros=$(printf '%064d' 0)
	for i in $(seq 200); do
		printf '{"v":1,"time":"2026-01-01T00:00:00.%09dZ","seq":%d,"event":"refuse","container":"c","engine":"docker","profile":"p\\"\\\\\\n%d","digest":"","prev":"%s","hash":"%s"}\n' \
			"$i" "$i" "$i" "$zeros" "$zeros"
	done >"$BATS_TEST_TMPDIR/forged.jsonl"
	echo "{ \"version\": 1, \"audit\": { \"file\": \"$BATS_TEST_TMPDIR/forged.jsonl\" } }" >/etc/quod/quod.json
	quodctl metrics >"$file"
	rm /etc/quod/quod.json
	strictly "$file"
	[ "$(grep -c '^quod_refusals_total' "$file")" = 65 ]
	[ "$(grep '^quod_refusals_total' "$file" | awk '{ sum += $2 } END { print sum }')" = 200 ]
	rm /var/lib/quod/metrics.json
}

@test "views: a halted container is said to be halted" {
	quodctl halt ctr-under
	of ctr-under '.status == "halted"'
	quodctl metrics >"$BATS_TEST_TMPDIR/metrics"
	run quodctl top
	echo "$output"
	quodctl release ctr-under
	[ "$(value_of "$BATS_TEST_TMPDIR/metrics" 'quod_containers{profile="balanced",engine="containerd",status="halted"}')" = 1 ]
	[[ $output == *"ctr-under     balanced  containerd  halted"* ]]
}

@test "views: top is one table where there is no terminal" {
	run quodctl top
	echo "$output"
	[ "$status" = 0 ]
	[[ ${lines[0]} == "ID "*"CPU %"*"DENIED" ]]
	[[ $output == *"${under:0:12}  view"* ]]
	quodctl --json top | tee /dev/stderr | jq -e --arg id "$under" '.[] | select(.id == $id) | .cpu_permille < 2000 and .memory_bytes > 4096 and
		.pids >= 1 and .left.wall_ms > 0 and .denied >= 2'
}

has_drawn_twice() {
	[ "$(grep -c 'quodctl top ' "$BATS_TEST_TMPDIR/typescript")" -ge 2 ]
}

@test "views: top on a terminal is drawn anew, and q puts the terminal back" {
	timeout 60 script -fqec 'stty -a; quodctl top; stty -a' "$BATS_TEST_TMPDIR/typescript" \
		< <(wait_for 40 has_drawn_twice; printf q; sleep 1) >/dev/null
	run cat "$BATS_TEST_TMPDIR/typescript"
	[ "$(grep -c 'quodctl top ' <<<"$output")" -ge 2 ]
	[[ $output == *$'\033[?1049h'*"${under:0:12}"*$'\033[?1049l'* ]]
	[ "$(grep -o -- '[- ]icanon' <<<"$output" | sort | uniq -c | tr -s ' ')" = " 2 icanon" ]
}

@test "views: report is a page of what a container of Docker's did, with the limits that it ran under" {
	quodctl report "${under:0:12}" >"$BATS_TEST_TMPDIR/report.html"
	run cat "$BATS_TEST_TMPDIR/report.html"
	[[ $output == *"<code>$under</code>"*"it is running"*"of 1h 00m 00s"*"of 0h 30m 00s"*"two.denied.test"*"no entry allows it"* ]]
	docker run --rm --network none --runtime quod-view --name gone quod.test/busybox:1 true
	quodctl --json report --since 1h | jq -e --arg id "$under" 'map(.id) | index($id) != null'
	wait_for 10 has_ended_report
}

has_ended_report() {
	quodctl --json report --since 1h | jq -e '.[0] | .ended == "exit 0" and .profile == "view" and (.running | not) and
		.budgets.wall.limit == 3600000 and (.budgets.wall.points | length) >= 2'
}
