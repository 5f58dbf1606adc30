# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # what helpers.bash and bats set
# A Kubernetes cluster of one node, node1, which is this box: etcd, API server, controller manager and scheduler, and a kubelet in
# front of a containerd that knows nothing of quod. The programs lie in $KUBERNETES/bin (tests/engines/build-kubernetes), what
# the node's image is made of in $NODE_ROOT (tests/engines/make-root node).

node_ip=192.168.77.1
service_ip=10.96.0.1
state=/run/kubernetes
export KUBECONFIG=$state/admin.conf

# shellcheck source=tests/engines/cni.bash
. "$srcdir/tests/engines/cni.bash"

start_cluster() {
	PATH=$KUBERNETES/bin:$PATH
	mkdir -p "$state/pki" "$state/manifests"
	hostname node1
	ip link add node0 type bridge
	ip addr add "$node_ip/24" dev node0
	# what kube-proxy would lead to the API server
	ip addr add "$service_ip/32" dev node0
	ip link set node0 up
	ip route add 10.96.0.0/16 dev node0
	hold_kernel_settings
	start_control_plane
	start_node
}

# The kubelet writes these, and they are the whole kernel's.
hold_kernel_settings() {
	local setting file
	for setting in vm/overcommit_memory:1 vm/panic_on_oom:0 kernel/panic:10 kernel/panic_on_oops:1 \
		kernel/keys/root_maxkeys:1000000 kernel/keys/root_maxbytes:25000000; do
		file=$state/${setting##*/}
		echo "${setting#*:}" >"$file"
		mount --bind "$file" "/proc/sys/${setting%:*}"
	done
}

start_control_plane() {
	in_background "$state/etcd.log" etcd --data-dir "$state/etcd" --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
	openssl genrsa -out "$state/pki/accounts.key" 2048 2>/dev/null
	echo 'administrator,admin,admin,system:masters' >"$state/pki/tokens"
	cat >"$KUBECONFIG" <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: box, cluster: {server: "https://127.0.0.1:443", insecure-skip-tls-verify: true}}]
		users: [{name: admin, user: {token: administrator}}]
		contexts: [{name: admin, context: {cluster: box, user: admin}}]
		current-context: admin
	END
	in_background "$state/apiserver.log" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=443 --bind-address=0.0.0.0 \
		--advertise-address="$node_ip" --cert-dir="$state/pki" --token-auth-file="$state/pki/tokens" --authorization-mode=RBAC \
		--service-account-key-file="$state/pki/accounts.key" --service-account-signing-key-file="$state/pki/accounts.key" \
		--service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
		--feature-gates=BoundServiceAccountTokenVolume=true,EphemeralContainers=true --kubelet-preferred-address-types=InternalIP \
		--allow-privileged
	wait_for 90 is_ready
	in_background "$state/controllers.log" kube-controller-manager --kubeconfig="$KUBECONFIG" --leader-elect=false \
		--service-account-private-key-file="$state/pki/accounts.key" --root-ca-file="$state/pki/apiserver.crt" \
		--controllers=daemonset,garbagecollector,namespace,nodelifecycle,root-ca-cert-publisher,serviceaccount,serviceaccount-token
	in_background "$state/scheduler.log" kube-scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false
}

is_ready() { [ "$(kubectl get --raw /readyz)" = ok ]; }

# containerd as a distribution sets it up, and kept running as an init system does
start_node() {
	make_cni_network
	mkdir -p /etc/containerd /var/lib/kubelet
	# on an overlay, such as the box's root, the kubelet takes each file for a mount of its own
	mount -t tmpfs -o mode=755 kubelet /var/lib/kubelet
	cri_plain_config >/etc/containerd/config.toml
	cp /etc/containerd/config.toml "$state/containerd-before.toml"
	cat >"$state/keep-containerd" <<-'END'
		#!/bin/sh
		while :; do
			containerd &
			echo $! >/run/kubernetes/containerd.pid
			wait
		done
	END
	cat >/usr/bin/systemctl <<-'END'
		#!/bin/sh
		# for containerd, in a machine without systemd
		PATH=/usr/sbin:/usr/bin:/sbin:/bin
		was=$(cat /run/kubernetes/containerd.pid)
		if [ "$1" = restart ]; then
			kill "$was"
			while [ "$(cat /run/kubernetes/containerd.pid)" = "$was" ]; do sleep 0.1; done
		fi
		for try in $(seq 100); do
			ctr version >/dev/null 2>&1 && exit 0
			sleep 0.1
		done
		exit 1
	END
	chmod 755 "$state/keep-containerd" /usr/bin/systemctl
	in_background "$state/containerd.log" "$state/keep-containerd"
	wait_for 30 ctr version
	make_images
	write_kubelet_config >"$state/kubelet.yaml"
	in_background "$state/kubelet.log" kubelet --config="$state/kubelet.yaml" --kubeconfig="$KUBECONFIG" --container-runtime=remote \
		--container-runtime-endpoint=unix:///run/containerd/containerd.sock --root-dir=/var/lib/kubelet --hostname-override=node1 \
		--node-ip="$node_ip"
	wait_for 90 node_is_ready
}

# What this machine's kernel and cgroups can't give is off; what takes a minute in a cluster takes a second.
write_kubelet_config() {
	cat <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		cgroupsPerQOS: false
		enforceNodeAllocatable: []
		cgroupDriver: cgroupfs
		failSwapOn: false
		makeIPTablesUtilChains: false
		protectKernelDefaults: true
		oomScoreAdj: 0
		staticPodPath: $state/manifests
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%"}
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
		syncFrequency: 1s
		fileCheckFrequency: 1s
		nodeStatusUpdateFrequency: 1s
		clusterDNS: [11.22.33.53]
		clusterDomain: cluster.local
		resolvConf: /etc/resolv.conf
		featureGates: {BoundServiceAccountTokenVolume: true, EphemeralContainers: true}
	END
}

node_is_ready() {
	[ "$(kubectl get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

# No registry: the images that pods name are the node's own.
make_images() {
	make_sentence_image "$BATS_FILE_TMPDIR/image.tar"
	make_image quod.test/pause:1 "$BATS_FILE_TMPDIR/image" "$BATS_FILE_TMPDIR/pause.tar" \
		'{"Env":["PATH=/bin"],"User":"65535:65535","Entrypoint":["sleep","2147483647"]}'
	# what deploy/kubernetes/Dockerfile says
	mkdir "$BATS_FILE_TMPDIR/node" "$BATS_FILE_TMPDIR/node.work" "$BATS_FILE_TMPDIR/node.upper"
	mount -t tmpfs tmpfs "$BATS_FILE_TMPDIR/node.work"
	mkdir "$BATS_FILE_TMPDIR/node.work/work" "$BATS_FILE_TMPDIR/node.work/upper"
	mount -t overlay -o "lowerdir=$NODE_ROOT,upperdir=$BATS_FILE_TMPDIR/node.work/upper,workdir=$BATS_FILE_TMPDIR/node.work/work" overlay \
		"$BATS_FILE_TMPDIR/node"
	make -s -C "$builddir" --no-print-directory install DESTDIR="$BATS_FILE_TMPDIR/node" >"$BATS_FILE_TMPDIR/install.log" 2>&1
	install -m 755 "$srcdir/deploy/kubernetes/node" "$BATS_FILE_TMPDIR/node/usr/libexec/quod-node"
	make_image docker.io/library/quod-node:0.1.0 "$BATS_FILE_TMPDIR/node" "$BATS_FILE_TMPDIR/node.tar" \
		'{"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":["/usr/libexec/quod-node"],"Cmd":["install"]}'
	umount "$BATS_FILE_TMPDIR/node" "$BATS_FILE_TMPDIR/node.work"
	local name
	for name in image pause node; do
		ctr -n k8s.io images import "$BATS_FILE_TMPDIR/$name.tar"
		rm "$BATS_FILE_TMPDIR/$name.tar"
	done
}

# --- words for pods ---

# make_pod NAME CLASS [FILTER]: a pod of one container that sleeps, changed by a jq filter, in $namespace (else default).
make_pod() {
	jq -n --arg name "$1" --arg class "$2" --arg image "$image" --arg namespace "${namespace-default}" '
		{apiVersion: "v1", kind: "Pod", metadata: {name: $name, namespace: $namespace},
		 spec: {runtimeClassName: $class, terminationGracePeriodSeconds: 1, enableServiceLinks: false,
			containers: [{name: "main", image: $image, command: ["sleep", "1000"]}]}} | '"${3:-.}" | kubectl create -f -
}

pod_is_ready() {
	[ "$(kubectl -n "${namespace-default}" get pod "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

# ready NAME: waits for it; tells why it isn't.
ready() {
	wait_for 60 pod_is_ready "$1" && return
	kubectl -n "${namespace-default}" describe pod "$1"
	tail -n 5 "$state/kubelet.log"
	return 1
}

in_pod() { # NAME COMMAND-TEXT
	kubectl -n "${namespace-default}" exec "$1" -c main -- sh -c "$2"
}

events_of() { # POD
	kubectl -n "${namespace-default}" get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}'
}

# The text of a refusal is the event's, word for word.
is_told() { # POD TEXT
	local events
	events=$(events_of "$1")
	printf '%s\n' "$events"
	grep -qF "$2" <<<"$events"
}

# profile_of POD: of its containers, sandbox included, as quod knows them
profiles_of() {
	local id
	for id in $(containers_of "$1"); do
		quodctl --json ps | jq -r --arg id "$id" '.[] | select(.id == $id) | .profile'
	done | sort -u | xargs
}

containers_of() { # POD
	ctr -n k8s.io containers ls -q | while read -r id; do
		ctr -n k8s.io containers info "$id" | jq -r --arg pod "$1" '
			select(.Labels["io.kubernetes.pod.name"] == $pod and .Labels["io.kubernetes.pod.namespace"] == "'"${namespace-default}"'") | .ID'
	done
}

remove_pods() {
	kubectl -n "${namespace-default}" delete pods --all --wait --timeout=90s >/dev/null
}
