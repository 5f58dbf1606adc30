# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For containerd: a network by CNI as an administrator sets one up; its plugins at the place that ctr looks at, too.

make_cni_network() {
	mkdir -p /etc/cni/net.d /opt/cni
	rm -f /etc/cni/net.d/*
	[ -e /opt/cni/bin ] || ln -s /usr/lib/cni /opt/cni/bin
	cat >/etc/cni/net.d/10-quod.conflist <<-'END'
		{ "cniVersion": "0.4.0", "name": "quodtest", "plugins": [
			{ "type": "bridge", "bridge": "quod0", "isGateway": true, "ipMasq": true,
			  "ipam": { "type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [[{ "subnet": "10.66.0.0/16" }]],
				    "routes": [{ "dst": "0.0.0.0/0" }] } },
			{ "type": "portmap", "capabilities": { "portMappings": true } } ] }
	END
}

# containerd's configuration for pods on that network, without a handler of ours.
cri_plain_config() {
	cat <<-'END'
		version = 2
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "quod.test/pause:1"
		restrict_oom_score_adj = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "/etc/cni/net.d"
	END
}
