#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks by hooks, annotations and descriptions of devices: the H entries of tests/attacks, on raw bundles.
# shellcheck disable=SC2016 # other shells expand

load ../helpers
load attack

setup_file() {
	attack_setup_file
}

setup() {
	attack_setup
	rm -f /run/by-hook
}

hook() { # POINT [ENV]: a jq filter
	echo ".hooks.$1 = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"touch /run/by-hook\"], env: [${2-}]}]"
}

@test "H05: a hook of the caller's, or by the container's environment, is never run" {
	attack "$(hook prestart)"
	works_bare 'at the end'
	[ -e /run/by-hook ]
	rm /run/by-hook
	local point
	for point in prestart createRuntime createContainer startContainer poststart poststop; do
		attack "$(hook $point)"
		refused "$point hook /bin/sh is not allowed \(hooks.allow\)"
	done
	attack '.hooks.later = []'
	refused 'later'
	write_profile hooked <<<'{ "version": 1, "extends": "balanced", "hooks": { "allow": ["/bin/sh"] } }'
	profile=hooked
	for variable in LD_PRELOAD=/x.so GCONV_PATH=/x BASH_ENV=/x PYTHONPATH=/x GODEBUG=x; do
		attack "$(hook prestart "\"$variable\"")"
		refused "with $variable is not allowed"
	done
	attack '.hooks.prestart = [{path: "/bin/../bin/sh"}]'
	refused 'is not allowed'
	[ ! -e /run/by-hook ]
}

# As dockerd's own hook looks, but the process named in it is the caller's.
setkey() { # PID
	echo ".hooks.prestart = [{path: \"/proc/$1/exe\", args: [\"libnetwork-setkey\", \"-exec-root=/@{[do{BEGIN{open F,qq(>\\\\x2frun\\\\x2fby-hook)}}]}/\", \"c1\", \"x\"]}]"
}

@test "H03: the hook of an engine passes only as the engine's own program" {
	local pid
	/usr/bin/perl -e 'sleep 1000' 3>&- &
	pid=$!
	wait_for 5 sh -c "readlink /proc/$pid/exe | grep -q perl"
	attack "$(setkey $pid)"
	run runc run --bundle "$bundle" c1 </dev/null
	rm /run/by-hook
	run quod --root /tmp/moby run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"prestart hook /proc/$pid/exe is not allowed"* ]]
	[ ! -e /run/by-hook ]
	kill $pid
	# nor does the name alone do
	mkdir -p /tmp/mine
	chown 1000 /tmp/mine
	ln /usr/bin/perl /tmp/mine/dockerd 2>/dev/null || cp /usr/bin/perl /tmp/mine/dockerd
	/tmp/mine/dockerd -e 'sleep 1000' 3>&- &
	pid=$!
	wait_for 5 sh -c "readlink /proc/$pid/exe | grep -q dockerd"
	attack "$(setkey $pid)"
	run quod --root /tmp/moby run --bundle "$bundle" c1 </dev/null
	echo "$output"
	rm /tmp/mine/dockerd
	[ "$status" = 1 ]
	run quod --root /tmp/moby run --bundle "$bundle" c1 </dev/null
	[ "$status" = 1 ]
	kill $pid
	[ ! -e /run/by-hook ]
}

@test "H04: what an image says in its environment reaches no hook and no loader of the host's" {
	attack '.process.env += ["LD_PRELOAD=/proc/self/cwd/x.so", "LD_AUDIT=/x.so", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all"]' \
		'ls /dev | grep -i nvidia && echo device'
	held 'device|x\.so'
	attack '.hooks.createContainer = [{path: "/usr/bin/nvidia-container-runtime-hook", args: ["nvidia-container-runtime-hook", "createContainer"]}]'
	refused 'createContainer hook /usr/bin/nvidia-container-runtime-hook is not allowed'
}

refuses_annotations() { # NAME[=VALUE]...: one container each
	local each
	for each; do
		attack ".annotations = {\"${each%%=*}\": \"${each#*=}\"}"
		refused "annotation.*${each%%=*}|${each%%=*} is not|asked for|own to write|not enforced|asks for"
	done
}

@test "H07: annotations that steer crun are refused" {
	attack '.annotations = {"run.oci.seccomp_fail_unknown_syscall": "1", "run.oci.hooks.stdout": "/run/by-hook"}'
	refuses_annotations run.oci.handler=krun run.oci.handler=wasm run.oci.systemd.force_cgroup_v1=/x run.oci.systemd.subgroup=../x \
		run.oci.delegate-cgroup=../x run.oci.pidfd_receiver=/x run.oci.mount_context_type=x run.oci.seccomp.plugins=/x.so \
		run.oci.seccomp.receiver=/x run.oci.keep_original_groups=1 run.oci.hooks.stdout=/etc/x run.oci.hooks.stderr=/etc/x \
		run.oci.seccomp_bpf_data=x krun.cpus=1 krun.config=x module.wasm.image/variant=compat
	[ ! -e /run/by-hook ]
}

@test "H08: annotations that steer systemd or CRIU are refused" {
	refuses_annotations org.systemd.property.DeviceAllow=x org.systemd.property.MemoryMax=x org.systemd.property.ExecStopPost=x \
		org.systemd.property.IPAddressAllow=any org.systemd.property.Delegate=true org.criu.config=/tmp/criu.conf
}

@test "H10: a profile that a pod's author wishes is refused, or none at all" {
	refuses_annotations quod.dev/profile=open quod.dev/applied-profile=open quod.dev/profile-digest=x quod.dev/egress.allow=x \
		QUOD.dev/profile=open
	attack '.annotations = {"quod.dev/profile": "unmanaged"}'
	refused "'unmanaged' can't be asked for"
}

@test "H11: labels that an image hands on change nothing" {
	attack '.annotations = {"io.containerd.image.label": "binary:///bin/sh", "io.quod.profile": "open", "quod.profile": "open",
		"dev.quod/profile": "open", "com.example": "x\ny"}' 'touch /x && echo written; echo "$QUOD_PROFILE"'
	held 'written|^open'
	[[ $output == *balanced* ]]
}

@test "H12: a device asked for by annotation is none, and what its description adds is judged" {
	attack '.annotations = {"cdi.k8s.io/x": "vendor.com/class=all"}' 'ls /dev | wc -l | sed s/^/nodes:/'
	held 'nodes:([3-9][0-9]|[0-9]{3})'
	attack '.annotations = {"cdi.k8s.io/x": "vendor.com/class=all"} | .linux.devices += [{path: "/dev/v", type: "c", major: 240, minor: 0}]'
	refused 'device /dev/v'
}

@test "H13: what a plug-in changes before quod reads it is judged like the rest" {
	attack "$(mount_at /mnt /etc) | .linux.resources.memory = {limit: 99999999999999, disableOOMKiller: true}"
	refused 'host path /etc.*OOM killer'
}

@test "H14: sections for other kinds of machine are refused or without effect" {
	local section
	for section in '{vm: {hypervisor: {path: "/bin/sh"}, kernel: {path: "/boot/x"}}}' '{windows: {layerFolders: ["x"]}}' '{solaris: {}}' '{zos: {namespaces: []}}' '{freebsd: {}}'; do
		attack ". += $section"
		run quod run --bundle "$bundle" c1 </dev/null
		echo "$output"
		[[ $status == 1 || $output == *"at the end"* ]]
	done
	attack '.vm = {hypervisor: {path: "/bin/sh"}}'
	refused 'vm'
}

@test "H15: metadata with line breaks stays one line in every record" {
	attack '.annotations = {"a\nb": "c\n{\"event\":\"forged\"}"} | .hostname = "x\ny"'
	run quod run --bundle "$bundle" c1 </dev/null
	echo "$output"
	jq -e -s 'map(select(.event == "forged")) | length == 0' /var/log/quod/audit.jsonl
}

@test "H16: a runtime named on the command line is one that root alone can change" {
	printf '#!/bin/sh\ntouch /run/by-hook\n' >/opt/mine
	chmod 755 /opt/mine
	chown 1000 /opt/mine
	attack .
	run quod --runtime /opt/mine run --bundle "$bundle" c1 </dev/null
	echo "$output"
	[ "$status" = 1 ]
	mkdir -p /tmp/path
	cp /opt/mine /tmp/path/runc
	chmod 755 /tmp/path/runc
	PATH=/tmp/path:$PATH quod run --bundle "$bundle" c1 </dev/null
	[ ! -e /run/by-hook ]
}
