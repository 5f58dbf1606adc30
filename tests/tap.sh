# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For tests/run: reads one program's TAP, prints its line and its failures in full, in one piece, and counts. A program that
# died, printed no plan or another number of results than it had planned counts as one failure more. The caller has set
# src (the source tree) and out (where logs and counts go).
# shellcheck disable=SC2154

# count PASSED FAILED SKIPPED: one line, so that those who run side by side can't lose each other's
count() {
	echo "$1 $2 $3" >>"$out/counts"
}

# Prints the sum of all that was counted, as the last line; a failure when there was one.
say_totals() {
	awk '{ passed += $1; failed += $2; skipped += $3 }
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }' "$out/counts"
}

# account NAME LOG EXIT-STATUS SECONDS
account() {
	awk -v name="$1" -v status="$3" -v seconds="$4" -v counts="$2.counts" '
	# tests/skips: "FILE: PATTERN -- REASON", both with * as in a shell
	function regex_of(pattern) {
		gsub(/[][\\.^$+?(){}|]/, "\\\\&", pattern)
		gsub(/\*/, ".*", pattern)
		return "^" pattern "$"
	}
	function is_listed(test, i) {
		for (i = 1; i <= listed; i++)
			if (name ~ skip_file[i] && test ~ skip_test[i])
				return 1
		return 0
	}
	function show(line) { shown = shown "  " line "\n" }
	FILENAME ~ /\/skips$/ {
		if (/^#/ || NF == 0)
			next
		if (!match($0, /^[^ ]+: .+ -- .+/)) {
			show("tests/skips: not understood: " $0)
			failed++
			next
		}
		listed++
		skip_file[listed] = regex_of(substr($0, 1, index($0, ": ") - 1))
		rest = substr($0, index($0, ": ") + 2)
		skip_test[listed] = regex_of(substr(rest, 1, index(rest, " -- ") - 1))
		next
	}
	{ last[++lines] = $0 }
	/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; planned = 1; next }
	/^not ok / { failed++; results++; in_failure = 1; show($0); next }
	/^ok / {
		results++
		in_failure = 0
		at = match($0, / # [Ss][Kk][Ii][Pp]/)
		if (!at) {
			passed++
			next
		}
		test = substr($0, 1, at - 1)
		sub(/^ok [0-9]+ (- )?/, "", test)
		reason = substr($0, at + RLENGTH)
		sub(/^[ :(]+/, "", reason)
		sub(/\)$/, "", reason)
		if (is_listed(test)) {
			skipped++
			show("skipped: " test ": " reason)
		} else {
			failed++
			show("skipped, and not listed in tests/skips: " test ": " reason)
		}
		next
	}
	in_failure { show($0) }
	END {
		why = ""
		if (status == 124 || status == 137)
			why = "did not end in time"
		else if (!planned)
			why = "printed no plan (exit status " status ")"
		else if (plan != results)
			why = "planned " plan " tests, ran " results " (exit status " status ")"
		else if (status != 0 && !failed)
			why = "exit status " status " although nothing failed"
		if (why != "") {
			failed++
			show(name ": " why)
			for (i = lines > 60 ? lines - 59 : 1; i <= lines; i++)
				show("| " last[i])
		}
		printf "%s: %d passed", name, passed
		if (failed)
			printf ", %d FAILED", failed
		if (skipped)
			printf ", %d skipped", skipped
		printf " (%d s)\n%s", seconds, shown
		print passed + 0, failed + 0, skipped + 0 > counts
	}' "$src/tests/skips" "$2" >"$2.told"
	read -r passed failed skipped <"$2.counts" || passed=0 failed=1 skipped=0
	count "$passed" "$failed" "$skipped"
	cat "$2.told"
}
