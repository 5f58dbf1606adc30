#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Whoever sets the host's clock gives no container more time. Runs when nothing else does: this machine's clock is set.

load ../helpers

setup_file() {
	install_quod
	write_profile short <<<'{ "version": 1, "extends": "balanced", "budgets": { "wall": "3s", "grace": "0s" } }'
}

# wait_for looks at the clock
comes() {
	local i
	for ((i = 0; i < 300; i++)); do
		if "$@"; then return; fi
		sleep 0.1
	done
	echo "never: $*"
	return 1
}

is_spent() {
	grep -qsx 'ended wall 3s spent' /var/lib/quod/ledger/*
}

@test "clock: set back by a day, the wall budget ends the container as ever, and it stays spent" {
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle"
	make_bundle "$bundle" '.process.args = ["sleep", "600"]'
	for runtime in runc crun; do
		rm -rf /var/lib/quod/ledger
		quod --runtime "$runtime" --profile short create --bundle "$bundle" c1 </dev/null >/dev/null 2>&1 3>&-
		quod --runtime "$runtime" start c1
		date -s '1 day ago' >/dev/null
		comes is_spent
		quod --runtime "$runtime" delete --force c1
		run quod --runtime "$runtime" --profile short run --bundle "$bundle" c1 </dev/null
		date -s '1 day' >/dev/null
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"wall 3s spent"* ]]
	done
}
