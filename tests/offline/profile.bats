#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl profile: what the shipped profiles are worth, what a bad file is told, what two profiles differ in.
# shellcheck disable=SC2154 # builddir and srcdir come from tests/run; status and output from run

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p groups
	shipped=$srcdir/profiles
}

quodctl() {
	"$builddir/quodctl" "$@"
}

# profile NAME <<TEXT: a profile below this test's own directory.
profile() {
	cat >"$1.json"
}

# says STATUS LINE: the last run ended so and said LINE, with what comes before the file's name taken off.
says() {
	[ "$status" = "$1" ] || { echo "status $status: $output"; return 1; }
	[[ $output == *"$2"* ]] || { echo "got: $output"; return 1; }
}

# refuses TEXT LINE: `profile check` of a file with that text gives one line, LINE, and the answer no.
refuses() {
	printf '%s\n' "$1" | profile bad
	run quodctl profile check --profiles . bad.json
	says 1 "$2"
	[ "${#lines[@]}" = 1 ] || { echo "more than one line: $output"; return 1; }
}

@test "profile: what is shipped is good" {
	run quodctl profile check --profiles "$shipped" "$shipped"/*.json
	says 0 'balanced.json: ok'
	[ "${#lines[@]}" = "$(find "$shipped" -maxdepth 1 -name '*.json' | wc -l)" ]
}

@test "profile: locked has no network, no capability and is not for root" {
	run quodctl profile show --profiles "$shipped" --resolved locked
	[ "$status" = 0 ]
	jq -e '.egress.allow == [] and .process.capabilities == [] and .process.root == false and .rootfs.readonly and
		.mounts.volumes == false and .budgets.egress == "0" and .resources.memory == "1G"' <<<"$output"
}

@test "profile: balanced is as documented" {
	run quodctl profile show --profiles "$shipped" --resolved balanced
	[ "$status" = 0 ]
	jq -e '.process.capabilities == ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]
		and .rootfs.tmpfs == {"/tmp": "1G", "/var/tmp": "1G", "/var/cache": "1G", "/run": "64M", "$HOME": "1G"}
		and .resources.cpus == 2 and .resources.memory == "4G" and .resources.pids == 512
		and .budgets.wall == "8h" and .budgets.cpu == "4h" and .budgets.egress == "2G" and .egress.verify_name' <<<"$output"
	jq -e '.egress.allow | contains(["registry.npmjs.org", "pypi.org", "index.crates.io", "proxy.golang.org", "deb.debian.org",
		"dl-cdn.alpinelinux.org", "github.com", "gitlab.com", "bitbucket.org", "codeberg.org"]) and
		(index("api.anthropic.com") | not)' <<<"$output"
}

@test "profile: agent adds the providers of models, a writable image, and protects a workspace; observe only observes" {
	run quodctl profile show --profiles "$shipped" --resolved agent
	[ "$status" = 0 ]
	jq -e '(.egress.allow | contains(["api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com", "api.mistral.ai",
		"github.com"])) and (.rootfs.readonly | not) and .resources.cpus == 4 and .resources.memory == "8G" and .resources.pids == 2048
		and (.mounts.protect | contains([".git/hooks", ".git/config", ".quod.json", ".envrc", ".claude", ".github/workflows"]))' <<<"$output"
	jq -S 'del(.egress.mode, .audit, .description)' <<<"$output" >agent
	run quodctl profile show --profiles "$shipped" --resolved observe
	[ "$status" = 0 ]
	jq -e '.egress.mode == "observe"' <<<"$output"
	jq -S 'del(.egress.mode, .audit, .description)' <<<"$output" | diff agent -
}

# What the warden holds: at most 4096 rules, two a name without a port.
@test "profile: what is shipped fits with room to spare" {
	run quodctl profile show --profiles "$shipped" --resolved agent
	[ "$(jq '.egress.allow | length' <<<"$output")" -lt 500 ]
	[ "$(jq -c . <<<"$output" | wc -c)" -lt 65536 ]
}

@test "profile: locked allows nothing that balanced doesn't, balanced nothing that agent doesn't" {
	run quodctl profile diff --profiles "$shipped" balanced locked
	says 0 "B allows nothing that A doesn't."
	# but for what agent protects inside a workspace
	run quodctl --json profile diff --profiles "$shipped" agent balanced
	[ "$status" = 1 ]
	jq -e '(.more | map(.key)) == ["mounts.protect"] and .other == []' <<<"$output"
	run quodctl profile diff --profiles "$shipped" balanced agent
	says 1 'B allows more:'
	# observe records more
	run quodctl --json profile diff --profiles "$shipped" observe agent
	jq -e '(.more | map(.key)) == ["audit.record"] and .other == []' <<<"$output"
}

@test "profile: list shows names and descriptions" {
	run quodctl profile list --profiles "$shipped"
	says 0 'No network, no capabilities'
	run quodctl --json profile list --profiles "$shipped"
	[ "$status" = 0 ]
	jq -e 'map(.name) == ["agent", "balanced", "locked", "observe"] and all(.[]; .description != null and .error == null)' <<<"$output"
}

@test "profile: list names a profile that doesn't load" {
	profile good <<<'{ "version": 1 }'
	profile bad <<<'{ "version": 1, "gard": "kill" }'
	run quodctl profile list --profiles .
	says 1 "the nearest known one is 'guard'"
}

@test "profile: show gives the document, and with its parents applied" {
	profile parent <<<'{ "version": 1, "resources": { "pids": 77 } }'
	profile child <<<'{ "version": 1, "extends": "parent", "resources": { "memory": "2G" } } // a comment'
	run quodctl profile show child --profiles=.
	says 0 '"extends": "parent"'
	[[ $output != *pids* ]]
	run quodctl profile show child --resolved --profiles .
	[ "$status" = 0 ]
	jq -e '.resources.pids == 77 and .resources.memory == "2G" and (has("extends") | not)' <<<"$output"
}

@test "profile: what is resolved is good as a file and resolves to itself" {
	quodctl profile show --resolved --profiles "$shipped" agent >again.json
	run quodctl profile check again.json
	says 0 'again.json: ok'
	quodctl profile show --resolved --profiles . again | diff again.json -
}

@test "profile: check says file, line and pointer" {
	run quodctl profile check nowhere.json
	says 1 'nowhere.json: No such file or directory'
	printf '{ "version": 1,\n\n"mounts": { "allow": [\n{ "source": "/a", "destination": "b" } ] } }\n' | profile bad
	run quodctl profile check bad.json
	says 1 "/bad.json:4: /mounts/allow/0/destination: 'b' is not an absolute path"
}

@test "profile: check says all errors, those of parents and of entries too, each with its place" {
	echo '{ "version": 1, "hosts": ["10.1.0.1:443"] }' >groups/mirror.json
	profile parent <<-'EOT'
		{ "version": 1,
		  "gard": "kill" }
	EOT
	profile bad <<-'EOT'
		{ "version": 1, "extends": "parent",
		  "mounts": { "allow": [ { "source": "a", "destination": "b", "readonly": 1 }, 5 ], "protect": ["/x", "../y"] },
		  "process": { "capabilities": ["CAP_FOO", "CAP_CHOWN", "CAP_BAR"], "rlimits": { "x": 1, "core": "z" } },
		  "egress": { "allow": ["@nope", "x y", "@mirror"], "deny": ["a..b", { "off": 1 }], "caps": { "@nix": "1G" } },
		  "ingress": { "allow": ["0", "80/sctp"] },
		  "pids": 3 }
	EOT
	run quodctl profile check --profiles . bad.json
	[ "$status" = 1 ]
	for place in 'parent.json:2: /gard' 'bad.json:2: /mounts/allow/0/source' 'bad.json:2: /mounts/allow/0/destination' \
		'bad.json:2: /mounts/allow/0/readonly' 'bad.json:2: /mounts/allow/1' 'bad.json:2: /mounts/protect/0' \
		'bad.json:2: /mounts/protect/1' 'bad.json:3: /process/capabilities/0' 'bad.json:3: /process/capabilities/2' \
		'bad.json:3: /process/rlimits/x' 'bad.json:3: /process/rlimits/core' 'bad.json:4: /egress/allow/0' \
		'bad.json:4: /egress/allow/1' 'bad.json:4: /egress/deny/0' 'bad.json:4: /egress/deny/1/off' \
		'bad.json:4: /egress/caps/@nix' 'bad.json:5: /ingress/allow/0' 'bad.json:5: /ingress/allow/1' 'bad.json:6: /pids'; do
		[[ $output == *"/$place: "* ]] || { echo "not said: $place in: $output"; return 1; }
	done
	[ "${#lines[@]}" = 19 ] || { echo "$output"; return 1; }
	[[ $output == *"did you mean 'resources.pids'"* ]]
	run quodctl profile show --resolved --profiles . bad
	[ "$status" = 2 ]
}

@test "profile: an error behind a parent that isn't there is said as well" {
	printf '{ "version": 1, "extends": "nobody",\n"gard": 1 }' | profile bad
	run quodctl profile check --profiles . bad.json
	says 1 "bad.json:1: /extends: there is no profile 'nobody'"
	[[ ${lines[1]} == *"bad.json:2: /gard: unknown key"* ]]
}

@test "profile: an unknown key is told its nearest" {
	refuses '{ "version": 1, "egress": { "alow": [] } }' "/egress/alow: unknown key 'alow': the nearest known one is 'allow'"
	refuses '{ "version": 1, "pids": 5 }' "/pids: unknown key 'pids' here: did you mean 'resources.pids'?"
}

@test "profile: a key that stands twice is refused" {
	refuses '{ "version": 1, "guard": "kill", "guard": "network" }' "the key 'guard' stands twice"
	refuses '{ "version": 1, "guard": "kill", "GUARD": "network" }' 'differ only in case'
}

@test "profile: a wrong type, word or range is refused with what would be right" {
	refuses '{ "version": 1, "rootfs": { "readonly": 1 } }' '/rootfs/readonly: must be true or false'
	refuses '{ "version": 1, "guard": "none" }' "'none' is none of \"kill\", \"network\""
	refuses '{ "version": 1, "resources": { "memory": "12" } }' '/resources/memory: must be from 1M to 1024T, or "unlimited"'
	refuses '{ "version": 1, "budgets": { "wall": "8 hours" } }' '/budgets/wall: must be a time like "90s"'
}

@test "profile: what is no profile is refused" {
	refuses '' 'bad.json:'
	refuses '{}' "the key 'version' is missing"
	refuses '{ "version": 2 }' 'this quod knows version 1 only'
	refuses '{ "version": 1 } {}' 'bad.json:1'
}

@test "profile: parents that aren't there, come back or go too deep are refused" {
	refuses '{ "version": 1, "extends": "nobody" }' "/extends: there is no profile 'nobody' (looked in .)"
	refuses '{ "version": 1, "extends": "bad" }' "its chain of 'extends' comes back to"
}

@test "profile: a group's entries take its place, and one that isn't there is refused" {
	echo '{ "version": 1, "hosts": ["10.1.0.1:443", "10.1.0.2:443"] }' >groups/mirror.json
	profile web <<<'{ "version": 1, "egress": { "allow": ["@mirror"] } }'
	run quodctl profile show web --resolved --profiles .
	[ "$status" = 0 ]
	jq -e '.egress.allow == ["10.1.0.1:443", "10.1.0.2:443"]' <<<"$output"
	refuses '{ "version": 1, "egress": { "allow": ["@miror"] } }' "/egress/allow/0: there is no group '@miror'"
}

@test "profile: an entry that can never take effect is refused" {
	refuses '{ "version": 1, "egress": { "allow": ["10.1.0.0/16:443"], "deny": ["10.0.0.0/8:*"] } }' 'can never take effect'
	refuses '{ "version": 1, "egress": { "allow": ["169.254.0.0/16:80"] } }' 'can never take effect'
	refuses '{ "version": 1, "egress": { "verify_name": false, "allow": ["a.localhost"] } }' \
		"bad.json:1: /egress/allow/0: egress.allow: 'a.localhost' can never take effect"
	refuses '{ "version": 1, "egress": { "verify_name": false, "allow": ["x.onion"] } }' 'can never take effect'
	refuses '{ "version": 1, "egress": { "verify_name": false, "allow": ["metadata.google.internal:80"] } }' \
		'only an entry of that address opens'
	refuses '{ "version": 1, "egress": { "verify_name": false, "allow": ["a.example@169.254.0.0/16"] } }' 'can never take effect'
}

@test "profile: a child may deny what its parent allows, but not the other way round" {
	profile parent <<<'{ "version": 1, "egress": { "allow": ["10.0.0.1:443", "10.0.0.2:443"], "deny": ["10.9.0.0/16:*"] } }'
	profile child <<<'{ "version": 1, "extends": "parent", "egress": { "deny": ["10.0.0.1:*"] } }'
	run quodctl profile check --profiles . child.json
	says 0 'child.json: ok'
	refuses '{ "version": 1, "extends": "parent", "egress": { "allow": ["10.9.0.1:443"] } }' "egress.deny has '10.9.0.0/16:*'"
}

@test "profile: a group is dead only as a whole" {
	echo '{ "version": 1, "hosts": ["10.1.0.1:443", "10.1.0.2:443"] }' >groups/mirror.json
	profile some <<<'{ "version": 1, "egress": { "allow": ["@mirror"], "deny": ["10.1.0.1:*"] } }'
	run quodctl profile check --profiles . some.json
	says 0 'some.json: ok'
	refuses '{ "version": 1, "egress": { "allow": ["@mirror"], "deny": ["10.1.0.0/24:*"] } }' \
		"bad.json:1: /egress/allow/0: egress.allow: '@mirror' can never take effect"
	profile bad <<<'{ "version": 1, "egress": { "allow": ["10.2.0.1:443"], "caps": { "@mirror": "1G" } } }'
	run quodctl profile check --profiles . bad.json
	says 1 "bad.json:1: /egress/caps/@mirror: egress.caps: '@mirror' caps what egress.allow does not allow"
}

@test "profile: --profiles is for the commands that read profiles, and the others say so" {
	for words in 'ps' 'verify --all' 'audit verify'; do
		# shellcheck disable=SC2086 # words are words
		run quodctl $words --profiles .
		says 2 "--profiles says nothing to"
	done
	mkdir -p bundle/rootfs
	echo '{ "version": 1, "gard": "kill" }' >mine.json
	echo '{ "ociVersion": "1.0.2", "root": { "path": "rootfs" }, "process": { "cwd": "/", "args": ["true"], "user": { "uid": 1, "gid": 1 } } }' >bundle/config.json
	run quodctl explain --profiles . --profile mine ./bundle
	says 2 "mine.json:1: /gard: unknown key 'gard'"
}

@test "profile: each key that this version can't hold is refused where it would matter" {
	local each key
	while IFS='|' read -r key each; do
		refuses "{ \"version\": 1, $each }" "$key: "
		[[ $output == *'not enforced by this version'* ]]
	done <<-'EOT'
		audit.record|"egress": { "allow": ["10.0.0.1:53/udp"] }, "audit": { "record": ["dns"] }
	EOT
}

@test "profile: a name's cap is refused where the same places are let out by address, another port's or an address's isn't" {
	refuses '{ "version": 1, "egress": { "allow": ["a.example", "@public:443"], "caps": { "a.example": "1M" } } }' \
		"bad.json:1: /egress/caps/a.example: egress.caps: 'a.example' can't hold: '@public:443' lets the same places out by address, uncounted; allow names alone"
	profile fine <<<'{ "version": 1, "egress": { "allow": ["a.example", "@public:123/udp"], "caps": { "a.example:443": "1M", "@public:123": "1G" } } }'
	run quodctl profile check --profiles . fine.json
	says 0 'fine.json: ok'
}

@test "profile: a cap counts something that is allowed, and there are not too many" {
	local each many
	while IFS='|' read -r each; do
		refuses "{ \"version\": 1, \"egress\": $each }" "caps what egress.allow does not allow"
	done <<-'EOT'
		{ "allow": ["a.example"], "caps": { "b.example": "1M" } }
		{ "allow": ["a.example"], "caps": { "a.example:8443": "1M" } }
		{ "allow": ["a.example"], "caps": { "a.example/udp": "1M" } }
		{ "allow": ["10.0.0.0/8:443"], "caps": { "10.0.0.0/8:80": "1M" } }
		{ "allow": ["a.example"], "caps": { "10.0.0.0/8:443": "1M" } }
		{ "allow": ["a.example@10.0.0.0/8"], "caps": { "192.168.0.0/16:*": "1M" } }
	EOT
	while IFS='|' read -r each; do
		profile fine <<<"{ \"version\": 1, \"egress\": $each }"
		run quodctl profile check --profiles . fine.json
		says 0 'fine.json: ok'
	done <<-'EOT'
		{ "allow": ["a.b.example"], "caps": { "**.b.example": "1M", "a.b.example:443": "0", "@public:*": "1G" } }
		{ "allow": ["*.a.example:22"], "caps": { "b.a.example": "1M" } }
		{ "allow": ["10.0.0.0/8:1-100"], "caps": { "10.1.0.0/16:100-200/tcp": "1M", "10.0.0.0/8:*": "unlimited" } }
		{ "allow": ["a.example@10.0.0.0/8"], "caps": { "10.1.0.0/16:*": "1M" } }
	EOT
	many=$(seq -f '"10.0.0.%g:443": "1M"' -s, 25)
	refuses "{ \"version\": 1, \"egress\": { \"allow\": [\"10.0.0.0/8:443\"], \"caps\": { $many } } }" "egress.caps: 25 caps are more than can be held at a time (24)"
}

@test "profile: a resolved profile says what a capped group held" {
	echo '{ "version": 1, "hosts": ["10.1.0.1:443", "a.example"] }' >groups/mirror.json
	profile some <<<'{ "version": 1, "egress": { "allow": ["@mirror"], "caps": { "@mirror": "1M" } } }'
	run quodctl profile show --profiles . some --resolved
	[ "$(jq -c '.egress.caps' <<<"$output")" = '{"@mirror":{"bytes":"1M","of":["10.1.0.1:443","a.example"]}}' ]
	profile again <<<"$output"
	rm groups/mirror.json
	run quodctl profile check --profiles . again.json
	says 0 'again.json: ok'
	profile more <<<'{ "version": 1, "egress": { "allow": ["10.1.0.1:443"], "caps": { "10.1.0.1:443": { "bytes": "1M", "of": ["a.example"] } } } }'
	run quodctl profile check --profiles . more.json
	[ "$status" = 1 ]
}

@test "profile: beside a proxy an entry for its ports is refused" {
	local entry
	for entry in a.example '*.b.example:443' 10.0.0.1:80 c.example:79-81 '@public:443'; do
		refuses "{ \"version\": 1, \"egress\": { \"via\": \"10.0.0.7:3128\", \"allow\": [\"$entry\"] } }" "egress.via: "
		[[ $output == *'allow it at the proxy'* ]]
	done
	profile fine <<-'EOT'
		{ "version": 1, "egress": { "via": "10.0.0.7:3128", "allow": ["a.example:22", "10.0.0.0/8:*", "@public:1-1000", "b.example/icmp"] } }
	EOT
	run quodctl profile check fine.json
	says 0 'fine.json: ok'
}

@test "profile: what can't matter is no reason to refuse" {
	profile fine <<-'EOT'
		{ "version": 1, "mounts": { "protect": [".git/hooks"], "allow": [{ "source": "/a", "destination": "/a" }] },
		  "egress": { "allow": ["@public:443", "10.0.0.0/8:5432", "169.254.169.254:80"], "deny": ["10.9.0.0/16:*"] },
		  "audit": { "record": ["refusals", "exec", "dns"] } }
	EOT
	run quodctl profile check fine.json
	says 0 'fine.json: ok'
	profile names <<-'EOT'
		{ "version": 1, "egress": { "allow": ["a.example:22", "*.b.example:5432@10.0.0.0/8", "c.example/icmp", "10.0.0.1:53/udp", "w.example", "w.example:8443/tls"],
		  "deny": [{ "of": "**.d.example", "except": ["e.d.example"] }], "dns": { "upstream": ["10.0.0.53"] } },
		  "audit": { "record": ["dns"] } }
	EOT
	run quodctl profile check names.json
	says 0 'names.json: ok'
}

@test "profile: a name on more ports than an entry may have is refused" {
	refuses '{ "version": 1, "egress": { "allow": ["a.example:1000-1016"] } }' "'a.example:1000-1016': one entry of a name has at most 16 ports"
	refuses '{ "version": 1, "egress": { "allow": ["a.example:*"], "verify_name": false } }' "one entry of a name has at most 16 ports"
}

@test "profile: QUIC can't be bound to a name" {
	refuses '{ "version": 1, "egress": { "allow": ["a.example:443/udp"] } }' "egress.verify_name: 'a.example:443/udp': QUIC hides its name"
	profile quic <<<'{ "version": 1, "egress": { "allow": ["a.example:443/udp"], "verify_name": false } }'
	run quodctl profile check quic.json
	says 0 'quic.json: ok'
}

@test "profile: diff says key by key what B allows" {
	profile a <<<'{ "version": 1, "egress": { "allow": ["10.0.0.0/8:443"], "deny": ["10.9.0.0/16:*"] }, "seccomp": { "deny": ["io_uring_*"] } }'
	profile b <<<'{ "version": 1, "egress": { "allow": ["10.1.0.0/16:443"] }, "seccomp": { "deny": ["io_uring_setup"] },
		"resources": { "pids": "unlimited", "memory": "256M" }, "process": { "rlimits": { "nproc": 5 } } }'
	run quodctl profile diff --json --profiles . a b
	[ "$status" = 1 ]
	jq -e '(.more | map(.key)) == ["seccomp.deny", "resources.pids", "egress.deny"] and
		(.less | map(.key)) == ["process.rlimits.nproc", "resources.memory", "egress.allow"] and .other == []' <<<"$output"
	run quodctl profile diff --profiles . a a.json
	says 0 "B allows nothing that A doesn't."
}

@test "profile: diff takes values without an order for more" {
	profile a <<<'{ "version": 1, "runtime": ["crun"] }'
	profile b <<<'{ "version": 1, "runtime": ["runc"] }'
	run quodctl profile diff --profiles . a b
	says 1 'neither is stricter'
}

@test "profile: check answers in JSON" {
	profile good <<<'{ "version": 1 }'
	profile bad <<<'{ "version": 1, "x": 1 }'
	run quodctl profile check --json good.json bad.json
	[ "$status" = 1 ]
	jq -e '.[0].ok and (.[1].ok | not) and (.[1].errors | length) == 1' <<<"$output"
}

@test "profile: terminal escapes in a file are not handed to the terminal" {
	profile bad <<<'{ "version": 1, "\u001b[2Jx\u202e": 1 }'
	run quodctl profile check bad.json
	[ "$status" = 1 ]
	[[ $output != *$'\033'* && $output != *$'\u202e'* ]]
	[[ $output == *'\x1b[2Jx\u202e'* ]]
}

@test "profile: check looks at a file whoever may change it" {
	profile loose <<<'{ "version": 1 }'
	chmod 666 loose.json
	run quodctl profile check loose.json
	says 0 'loose.json: ok'
}

@test "profile: a word that is missing or unknown is a usage error, not an answer" {
	for words in '' 'profile' 'profile lst' 'profile show' 'profile check' 'profile diff locked' 'profile show a b' \
		'profile show --resolvd a' 'nonsense' 'profile list --profiles'; do
		# shellcheck disable=SC2086 # words are words
		run quodctl $words
		says 2 'quodctl profile list | show'
	done
	run quodctl profile show nobody --profiles .
	says 2 "there is no profile 'nobody'"
	run quodctl --help
	says 0 'quodctl profile list | show'
}
