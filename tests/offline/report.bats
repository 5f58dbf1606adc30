#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# quodctl report, from a trail that the test writes: one page that needs nothing else, and text that stays text.
bats_require_minimum_version 1.5.0

load ../helpers

setup() {
	trail=$BATS_TEST_TMPDIR/trail.jsonl
	echo "{ \"version\": 1, \"audit\": { \"file\": \"$trail\" } }" >"$BATS_TEST_TMPDIR/quod.json"
	page=$BATS_TEST_TMPDIR/report.html
	seq=0
}

# record EVENT MEMBERS [CONTAINER]
record() {
	local zeros
	zeros=$(printf '%064d' 0)
	seq=$((seq + 1))
	printf '{"v":1,"time":"2026-01-01T00:%02d:%02d.000000000Z","seq":%d,"event":"%s","container":"%s","engine":"docker","profile":"web","digest":"d1",%s,"prev":"%s","hash":"%s"}\n' \
		$((seq / 60)) $((seq % 60)) "$seq" "$1" "${3:-c1}" "$2" "$zeros" "$zeros" >>"$trail"
}

report() {
	run --separate-stderr "$builddir/quodctl" --config "$BATS_TEST_TMPDIR/quod.json" "$@"
	printf '%s\n' "$output" >"$page"
	echo "$output"
}

# holds: the page is well-formed, fetches nothing and has no script; prints its text, a line each.
text_of_page() {
	python3 - "$page" <<-'P'
		import sys
		from html.parser import HTMLParser
		class Page(HTMLParser):
		    open = []
		    def handle_starttag(self, tag, attrs):
		        assert tag in ("html head meta style title body h1 h2 h3 p b code dl dt dd section table tr th td div figure figcaption span "
		                       "svg path polyline").split(), tag
		        for name, value in attrs:
		            assert name in ("lang charset http-equiv content name class viewbox role d fill stroke stroke-dasharray stroke-width "
		                            "points").split(), name
		        if tag != "meta" and not self.get_starttag_text().endswith("/>"):
		            self.open.append(tag)
		    def handle_startendtag(self, tag, attrs):
		        self.handle_starttag(tag, attrs)
		    def handle_endtag(self, tag):
		        assert self.open.pop() == tag, tag
		    def handle_data(self, data):
		        if self.open and self.open[-1] != "style" and data.strip():
		            print(data.strip())
		text = open(sys.argv[1]).read()
		page = Page()
		page.feed(text)
		page.close()
		assert not page.open, page.open
		assert "default-src 'none'" in text and "//" not in text.split("</style>")[1]
	P
}

@test "report: says what it ran under, reached, was refused and spent" {
	record create '"chosen_by":"rules/0","edits":3'
	record dns.answer '"name":"api.example.com","type":"A","addresses":["8.8.8.8"]'
	record connect.open '"name":"api.example.com","address":"8.8.8.8","port":443,"protocol":"tcp","entry":"*.example.com"'
	record connect.close '"name":"api.example.com","address":"8.8.8.8","port":443,"protocol":"tcp","entry":"*.example.com","out_bytes":2048,"in_bytes":1073741824,"ms":2000'
	record dns.refuse '"reason":"no entry allows it","type":"A","name":"other.example.org","repeated":7'
	record connect.refuse '"reason":"no entry allows it","address":"192.0.2.1","port":25,"protocol":"tcp"'
	record budget.warn '"budget":"cpu","limit":60000000,"spent":48000000,"percent":80'
	record exec '"args":["sh","-c","id"],"edits":0'
	record limit.pids '"repeated":3'
	record exit '"cause":"cpu 1m spent","code":137,"wall_ms":90000,"cpu_us":60000000,"egress_bytes":4096'
	report report c1
	[ "$status" = 0 ]
	run text_of_page
	echo "$output"
	[ "$status" = 0 ]
	for text in 'c1' 'web' 'rules/0' 'cpu 1m spent' 'Reached' 'api.example.com (8.8.8.8) port 443/tcp' '*.example.com' '2.0 KiB' '1024.0 MiB' 'Refused' \
		'other.example.org' '7' '192.0.2.1 port 25/tcp' 'sh -c id' 'limit.pids'; do
		grep -qxF -- "$text" <<<"$output" || { echo "missing: $text"; return 1; }
	done
	report --json report c1
	jq -e '.[0] | .budgets.cpu.limit == 60000 and .budgets.cpu.points[-1].spent == 60000 and .seen.reached[0].out_bytes == 2048 and .seen.reached[0].in_bytes == 1073741824 and
		.seen.reached[0].times == 1 and .seen.refused[0].times == 7 and .ended == "cpu 1m spent"' <<<"$output"
}

@test "report: text of a container stays text" {
	record create '"chosen_by":"<script>alert(1)</script>","edits":1' '<img src=x onerror=alert(2)>'
	record dns.refuse '"reason":"</style><script>x</script>","name":"<script>alert(3)</script>"' '<img src=x onerror=alert(2)>'
	record exec '"args":["</td><script>","&lt;b&gt;","\u001b[31m","\"><svg onload=x>","%s%n"]' '<img src=x onerror=alert(2)>'
	record connect.open '"name":"\" onmouseover=\"x","address":"javascript:x","port":1,"protocol":"<b>","entry":"\u202eevil"' '<img src=x onerror=alert(2)>'
	record "x'><script>" '"a<b":"c>d"' '<img src=x onerror=alert(2)>'
	record exit '"cause":"<!-- ","wall_ms":1,"cpu_us":1,"egress_bytes":1' '<img src=x onerror=alert(2)>'
	report report --since 2026-01-01
	[ "$status" = 0 ]
	run ! grep -iE '<script|<img|<svg onload|<!--|<b>c' "$page"
	run ! grep -P '[\x00-\x08\x0b-\x1f]|\x{202e}' "$page"
	run text_of_page
	echo "$output"
	[ "$status" = 0 ]
	grep -qF '<script>alert(3)</script>' <<<"$output"
	grep -qF '</td><script> &lt;b&gt; \x1b[31m "><svg onload=x> %s%n' <<<"$output"
}

@test "report: containers since a time, the newest first, older ones left out by number" {
	for i in $(seq 205); do
		record create '"chosen_by":"default_profile","edits":1' "c$i"
	done
	report report --since 2026-01-01T00:00:00Z
	[ "$status" = 0 ]
	run text_of_page
	[ "$(grep -xE 'c[0-9]+' <<<"$output" | head -n 1)" = c205 ]
	[ "$(grep -cxE 'c[0-9]+' <<<"$output")" = 200 ]
	[[ $output == *"5 older containers are left out."* ]]
	report report --since 2027-01-01
	[ "$status" = 0 ]
}

@test "report: restarts add up, and a long list is cut and said to be" {
	for i in 1 2; do
		record create '"chosen_by":"default_profile","edits":1'
		record exit '"cause":"exit 0","wall_ms":1000,"cpu_us":500000,"egress_bytes":10'
	done
	for i in $(seq 503); do
		printf '{"v":1,"time":"2026-01-01T01:00:00.%09dZ","seq":%d,"event":"dns.refuse","container":"c1","engine":"docker","profile":"web","digest":"d1","reason":"no","name":"n%d.test","prev":"","hash":""}\n' \
			"$i" $((i + 10)) "$i" >>"$trail"
	done
	report --json report c1
	[ "$(jq -c '.[0].budgets.wall.points | map(.spent)' <<<"$output")" = '[0,1000,1000,2000]' ]
	report report c1
	run text_of_page
	[[ $output == *"and 3 more records of other ones"* ]]
}

@test "report: what can't be asked is exit status 2" {
	report report
	[ "$status" = 2 ]
	report report --nonsense
	[ "$status" = 2 ]
	report report absent
	[ "$status" = 2 ]
	[[ $stderr == *"absent: the audit trail has no record of it"* ]]
}
