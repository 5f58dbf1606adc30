#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A Kubernetes cluster with a real API server and kubelet: deploy/kubernetes brings quod onto its node, pods take a profile by
# RuntimeClass, by rule and by wish, and what quod refuses is the pod's event. By hand: make check-matrix LEGS=kubernetes-bookworm.
# shellcheck disable=SC2154 # what helpers.bash, driver.bash and bats set

load ../helpers
load ../names
load driver
load kubernetes

deploy=$srcdir/deploy/kubernetes

setup_file() {
	need_box
	make_internet
	echo 'nameserver 11.22.33.53' >/etc/resolv.conf
	name_server 11.22.33.53 "$BATS_FILE_TMPDIR/upstream" <<-'R'
		good.test A 20 11.22.40.5
		denied.test A 20 11.22.33.66
	R
	start_cluster
	mkdir "$BATS_FILE_TMPDIR/profiles"
	cd "$BATS_FILE_TMPDIR/profiles" || return
	cat >pod.json <<-'J'
		{ "version": 1, "extends": "balanced",
		  "mounts": { "allow": [ { "source": "/srv/agents/**", "destination": "/workspace/**", "readonly": false } ] },
		  "resources": { "memory": "96M", "pids": 60 },
		  "egress": { "verify_name": false, "allow": ["11.22.33.80:80", "good.test:443"] }, "ingress": { "allow": ["8080@node"] } }
	J
	cat >narrow.json <<<'{ "version": 1, "extends": "pod", "egress": { "deny": ["11.22.33.80:*"] }, "resources": { "pids": 30 } }'
	cat >token.json <<<'{ "version": 1, "extends": "pod", "mounts": { "service_account": true } }'
	cat >short.json <<<'{ "version": 1, "extends": "pod", "budgets": { "wall": "3s", "grace": "0s" } }'
}

teardown_file() {
	end_internet
	local log
	for log in kubelet containerd scheduler controllers apiserver etcd; do
		stop_background "$state/$log.log" || :
	done
	kill "$(cat "$state/containerd.pid")" 2>/dev/null || :
}

teardown() {
	[ "${BATS_TEST_COMPLETED-}" = 1 ] || { kubectl get pods -A -o wide; tail -n 3 "$state/containerd.log"; } || :
	[ -e "$BATS_FILE_TMPDIR/keep" ] || remove_pods
}

# as an administrator changes it: a directory of profiles is the ConfigMap
bring_profiles() {
	kubectl -n quod-system create configmap quod-profiles --from-file="$BATS_FILE_TMPDIR/profiles" --dry-run=client -o yaml |
		kubectl -n quod-system apply -f -
}

node_says() { # TEXT
	kubectl -n quod-system logs daemonset/quod-node | grep -F "$1"
}

has_label() { [ "$(kubectl get node node1 -o 'jsonpath={.metadata.labels.quod\.dev/ready}')" = "$1" ]; }

left_over() {
	local found
	found=$(leftovers)
	grep -v '^/run/quod/creates/' <<<"$found"
}

same_as() { diff "$1" <(left_over); }

# --- deploy/kubernetes ---

@test "kubernetes: a pod waits for a node with quod" {
	kubectl apply -f "$deploy/runtimeclasses.yaml"
	make_pod early quod
	wait_for 30 is_told early 'FailedScheduling: 0/1 nodes are available'
	[ ! -e /usr/bin/quod ]
	has_label ''
}

@test "kubernetes: the DaemonSet brings quod, its handlers and the profiles onto the node, and the node says so" {
	# the shipped ConfigMap is one that the API server takes; then ours, with handlers for its profiles
	kubectl create namespace quod-system
	kubectl apply -f "$deploy/profiles.yaml"
	bring_profiles
	sed 's/value: locked balanced agent/& pod narrow token short/' "$deploy/node.yaml" >"$BATS_FILE_TMPDIR/node.yaml"
	kubectl apply -f "$BATS_FILE_TMPDIR/node.yaml"
	wait_for 90 node_says 'this node is ready'
	has_label true
	[ -x /usr/bin/quod ]
	[ "$(readlink /usr/bin/quod-pod)" = quod ]
	grep -q 'BinaryName = "/usr/bin/quod-locked"' /etc/containerd/config.toml
	wait_for 90 test -e /etc/quod/profiles/pod.json
	quodctl setup kubernetes --dry-run --profile pod --profile narrow --profile token --profile short 2>/dev/null | kubectl apply -f -
	cat >/etc/quod/quod.json <<-'J'
		{ "version": 1, "default_profile": "pod", "selectable": ["pod", "narrow"],
		  "rules": [ { "match": { "namespace": "team-*" }, "profile": "narrow" } ] }
	J
	# what the first pod makes and all later ones use
	make_pod first quod
	ready first
	remove_pods
	left_over >"$BATS_FILE_TMPDIR/before"
}

@test "kubernetes: profiles come into force on the node all together, or none of them" {
	cd "$BATS_FILE_TMPDIR/profiles"
	echo '{ "version": 1, "extends": "pod", "resources": { "pids": 31 } }' >later.json
	echo '{ "version": 1, "extends": "pod", "egres": {} }' >wrong.json
	before=$(readlink -f /etc/quod/profiles)/$(ls /etc/quod/profiles)
	bring_profiles
	wait_for 90 node_says 'egres'
	[ "$(readlink -f /etc/quod/profiles)/$(ls /etc/quod/profiles)" = "$before" ]
	[ ! -e /etc/quod/profiles/later.json ]
	echo '{ "version": 1, "extends": "pod" }' >wrong.json
	bring_profiles
	wait_for 90 test -e /etc/quod/profiles/later.json
	[ -e /etc/quod/profiles/wrong.json ]
	rm later.json wrong.json
	bring_profiles
	wait_for 90 test ! -e /etc/quod/profiles/later.json
}

@test "kubernetes: a ValidatingAdmissionPolicy keeps the pods of agents' namespaces under quod" {
	kubectl api-versions | grep -qx admissionregistration.k8s.io/v1
	kubectl api-resources | grep -q ValidatingAdmissionPolicy || skip "this API server is 1.20, and the kind came with 1.26"
	kubectl apply -f "$deploy/policy.yaml"
}

# --- a pod ---

@test "kubernetes: a pod with an init container and the seven kinds of volumes is Ready, and each control is proven" {
	kubectl create configmap words --from-literal=a.txt=hello
	kubectl create secret generic hidden --from-literal=key=w
	mkdir -p /srv/agents/web
	echo host >/srv/agents/web/file
	make_pod full quod '
		.metadata.labels = {app: "full"} | .spec.securityContext = {runAsUser: 1000, fsGroup: 2000} |
		.spec.volumes = [{name: "scratch", emptyDir: {}}, {name: "memory", emptyDir: {medium: "Memory"}}, {name: "words", configMap: {name: "words"}},
			{name: "hidden", secret: {secretName: "hidden"}}, {name: "host", hostPath: {path: "/srv/agents/web"}},
			{name: "down", downwardAPI: {items: [{path: "labels", fieldRef: {fieldPath: "metadata.labels"}}]}},
			{name: "projected", projected: {sources: [{configMap: {name: "words"}}, {secret: {name: "hidden"}}]}}] |
		.spec.initContainers = [{name: "init", image: $image, command: ["sh", "-c", "echo made >/scratch/x"],
			volumeMounts: [{name: "scratch", mountPath: "/scratch"}]}] |
		.spec.containers[0] += {env: [{name: "POD", valueFrom: {fieldRef: {fieldPath: "metadata.name"}}}],
			resources: {limits: {memory: "64Mi", cpu: "500m"}},
			volumeMounts: [{name: "scratch", mountPath: "/scratch"}, {name: "memory", mountPath: "/memory"}, {name: "words", mountPath: "/words"},
				{name: "words", mountPath: "/etc/app.conf", subPath: "a.txt"}, {name: "hidden", mountPath: "/hidden"},
				{name: "down", mountPath: "/down"}, {name: "projected", mountPath: "/projected"}, {name: "host", mountPath: "/workspace/web"}]}'
	ready full
	run in_pod full 'cat /scratch/x /words/a.txt /etc/app.conf /hidden/key /projected/a.txt /workspace/web/file; echo; echo $POD; cat /down/labels; id -u'
	printf '%s\n' "$output"
	[ "$output" = "$(printf 'made\nhellohellowhellohost\n\nfull\napp="full"1000')" ]
	in_pod full 'echo x >/scratch/y && echo x >/memory/y'
	not in_pod full 'touch /words/b.txt'
	not in_pod full 'touch /etc/b.txt'
	for id in $(containers_of full); do
		# the init container has ended
		! quodctl --json ps | jq -e --arg id "$id" 'any(.[]; .id == $id)' >/dev/null || quodctl verify "$id"
	done
	[ "$(profiles_of full)" = pod ]
}

@test "kubernetes: the service account's token is there only where the profile says so" {
	local at=/var/run/secrets/kubernetes.io/serviceaccount/token
	make_pod without quod
	make_pod with quod-token
	make_pod bare ''  'del(.spec.runtimeClassName)'
	ready without
	ready with
	ready bare
	in_pod bare "test -s $at"
	not in_pod without "cat $at"
	in_pod with "test -s $at"
}

@test "kubernetes: the pod's namespace is a rule's, and its RuntimeClass is heard before that" {
	kubectl create namespace team-one
	namespace=team-one
	wait_for 30 kubectl -n team-one get serviceaccount default
	make_pod by-rule quod
	make_pod by-class quod-pod
	ready by-rule
	ready by-class
	[ "$(profiles_of by-rule)" = narrow ]
	[ "$(profiles_of by-class)" = pod ]
	remove_pods
	kubectl delete namespace team-one
}

@test "kubernetes: the pod's wish by annotation holds, and one that may not be wished for is the pod's event" {
	make_pod wish quod '.metadata.annotations = {"quod.dev/profile": "narrow"}'
	make_pod bold quod '.metadata.annotations = {"quod.dev/profile": "token"}'
	ready wish
	[ "$(profiles_of wish)" = narrow ]
	wait_for 30 is_told bold "can't be asked for"
	not pod_is_ready bold
}

# --- what is refused, and who is told ---

@test "kubernetes: the node's network, processes and IPC are refused, and the pod's event says what, where and why" {
	make_pod net quod-pod '.spec.hostNetwork = true'
	make_pod pid quod-pod '.spec.hostPID = true'
	make_pod ipc quod-pod '.spec.hostIPC = true'
	wait_for 30 is_told net "quod: refused by profile 'pod': /linux/namespaces: host network (namespaces.private)"
	wait_for 30 is_told pid "quod: refused by profile 'pod': /linux/namespaces: host processes (namespaces.private)"
	wait_for 30 is_told ipc "quod: refused by profile 'pod': /linux/namespaces: host IPC (namespaces.private)"
	for pod in net pid ipc; do not pod_is_ready "$pod"; done
}

@test "kubernetes: a host path, a privileged container and what asks for more are refused in the same words" {
	make_pod path quod-pod '.spec.volumes = [{name: "h", hostPath: {path: "/etc"}}] | .spec.containers[0].volumeMounts = [{name: "h", mountPath: "/mnt"}]'
	make_pod socket quod-pod '.spec.volumes = [{name: "h", hostPath: {path: "/run/containerd/containerd.sock"}}] |
		.spec.containers[0].volumeMounts = [{name: "h", mountPath: "/run/c.sock"}]'
	make_pod privileged quod-pod '.spec.containers[0].securityContext = {privileged: true}'
	wait_for 30 is_told path 'host path /etc is not allowed at /mnt (mounts.allow)'
	wait_for 30 is_told socket 'socket'
	wait_for 30 is_told privileged 'all devices'
	for pod in path socket privileged; do not pod_is_ready "$pod"; done
}

@test "kubernetes: a capability that was added is not there" {
	make_pod caps quod-pod '.spec.containers[0].securityContext = {capabilities: {add: ["SYS_ADMIN"]}}'
	wait_for 60 settled caps
	if pod_is_ready caps; then
		[ "$(in_pod caps 'grep ^CapBnd: /proc/self/status')" = "$(printf 'CapBnd:\t00000000000000eb')" ]
	else
		is_told caps CAP_SYS_ADMIN
	fi
}

settled() { pod_is_ready "$1" || events_of "$1" | grep -q 'quod: refused'; }

# --- what a kubelet does with a pod ---

@test "kubernetes: exec, attach and logs are the container's, and stand under its profile" {
	make_pod talk quod-pod '.spec.containers[0] += {stdin: true, command: ["sh", "-c", "echo begun; read -r word; echo heard $word; sleep 1000"]}'
	ready talk
	run in_pod talk 'echo out; echo err >&2; exit 3'
	printf '%s\n' "$output"
	[ "$status" = 3 ]
	[[ $output == *out* ]]
	[ "$(in_pod talk 'grep ^CapBnd: /proc/self/status')" = "$(printf 'CapBnd:\t00000000000000eb')" ]
	[ "$(in_pod talk 'grep ^NoNewPrivs: /proc/self/status')" = "$(printf 'NoNewPrivs:\t1')" ]
	not in_pod talk 'nc -w 5 11.22.33.80 443 </dev/null'
	echo hello | timeout 30 kubectl attach -i talk >"$BATS_TEST_TMPDIR/attached" 2>&1 || :
	wait_for 30 logs_say talk 'heard hello'
	[ "$(kubectl logs talk | head -n 1)" = begun ]
}

logs_say() { kubectl logs "$1" | grep -qF "$2"; }

@test "kubernetes: probes by command, by TCP and by HTTP, and a failed one restarts the container under the same profile" {
	make_pod probed quod-pod '.spec.containers[0] += {
		command: ["sh", "-c", "mkdir -p /tmp/w; echo fine >/tmp/w/ok; httpd -f -p 8080 -h /tmp/w; sleep 1000"],
		startupProbe: {exec: {command: ["test", "-e", "/tmp/w/ok"]}, periodSeconds: 1, failureThreshold: 30},
		readinessProbe: {httpGet: {path: "/ok", port: 8080}, periodSeconds: 1, failureThreshold: 3},
		livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 5}}'
	ready probed
	was=$(profiles_of probed)
	in_pod probed 'kill $(pidof httpd)' || :
	wait_for 60 restarted probed
	ready probed
	[ "$(profiles_of probed)" = "$was" ]
	# a port that the profile doesn't open is closed to the kubelet, too
	make_pod shut quod-pod '.spec.containers[0] += {command: ["sh", "-c", "httpd -f -p 8081 -h /tmp"],
		readinessProbe: {tcpSocket: {port: 8081}, periodSeconds: 1, failureThreshold: 1}}'
	wait_for 60 is_told shut 'Readiness probe failed'
	not pod_is_ready shut
}

restarted() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.containerStatuses[0].restartCount}')" -gt 0 ]; }

@test "kubernetes: an ephemeral container enters a pod under the same profile" {
	make_pod host quod-pod
	ready host
	kubectl debug host -c debugger --image="$image" --target=main -- sleep 1000
	wait_for 60 debugger_runs
	[ "$(kubectl exec host -c debugger -- readlink /proc/self/ns/pid)" = "$(in_pod host 'readlink /proc/self/ns/pid')" ]
	[ "$(kubectl exec host -c debugger -- grep ^CapBnd: /proc/self/status)" = "$(printf 'CapBnd:\t00000000000000eb')" ]
	[ "$(profiles_of host)" = pod ]
	not kubectl exec host -c debugger -- nc -w 5 11.22.33.80 443 </dev/null
}

debugger_runs() {
	[ -n "$(kubectl get pod host -o 'jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt}')" ]
}

@test "kubernetes: two containers of one pod can't widen each other" {
	make_pod two quod '.metadata.annotations = {"quod.dev/profile": "pod"} |
		.spec.volumes = [{name: "h", hostPath: {path: "/etc"}}] |
		.spec.containers += [{name: "other", image: $image, command: ["sleep", "1000"], volumeMounts: [{name: "h", mountPath: "/mnt"}]}]'
	wait_for 60 is_told two 'host path /etc is not allowed at /mnt (mounts.allow)'
	not in_pod two 'ls /mnt/passwd'
	[ "$(in_pod two 'grep ^CapBnd: /proc/self/status')" = "$(printf 'CapBnd:\t00000000000000eb')" ]
	in_pod two 'nc -w 5 11.22.33.80 80 </dev/null'
	not in_pod two 'nc -w 5 11.22.33.80 443 </dev/null'
	[ "$(in_pod two 'ps | grep -c "[s]leep 1000"')" = 1 ]
}

@test "kubernetes: the profile's places are reached by address and by name, no others, and not the API server" {
	make_pod net quod
	ready net
	in_pod net 'nc -w 5 11.22.33.80 80 </dev/null'
	not in_pod net 'nc -w 5 11.22.33.80 443 </dev/null'
	in_pod net 'nc -w 10 good.test 443 </dev/null'
	not in_pod net 'nslookup denied.test'
	not grep denied.test "$BATS_FILE_TMPDIR/upstream"
	not in_pod net "nc -w 5 $service_ip 443 </dev/null"
	not in_pod net "nc -w 5 $node_ip 10250 </dev/null"
	# the same places from a pod that quod doesn't hold
	make_pod bare '' 'del(.spec.runtimeClassName)'
	ready bare
	in_pod bare "nc -w 5 $service_ip 443 </dev/null"
	in_pod bare 'nc -w 5 11.22.33.80 443 </dev/null'
}

@test "kubernetes: a spent budget ends the container, and the kubelet is told why it does not start again" {
	make_pod brief quod-short
	wait_for 60 is_told brief 'wall 3s spent'
	not pod_is_ready brief
}

@test "kubernetes: nothing is left of all that, but ledger and audit trail" {
	wait_for 60 same_as "$BATS_FILE_TMPDIR/before"
	quodctl audit verify
}

# --- and away again ---

@test "kubernetes: quod stays for as long as a pod needs it, and then nothing of it is left on the node" {
	make_pod last quod-pod
	ready last
	touch "$BATS_FILE_TMPDIR/keep"
	kubectl -n quod-system set env daemonset/quod-node MODE=remove
	wait_for 90 node_says 'containers are left under quod'
	has_label ''
	in_pod last 'true'
	make_pod late quod-pod
	wait_for 30 is_told late 'FailedScheduling: 0/1 nodes are available'
	rm "$BATS_FILE_TMPDIR/keep"
	remove_pods
	wait_for 90 node_says 'quod is gone from this node'
	cmp /etc/containerd/config.toml "$state/containerd-before.toml"
	[ ! -e /usr/bin/quod ]
	[ ! -e /usr/bin/quod-pod ]
	[ ! -e /etc/quod/profiles ]
	make_pod bare '' 'del(.spec.runtimeClassName)'
	ready bare
}
