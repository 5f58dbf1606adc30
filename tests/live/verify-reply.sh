#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a web server of the tests says, started by socat for each connection (standard input and output): to each request
# "HOST PATH PEER BODY-BYTES", until the client ends. /big: 8 MiB of zeros. /ws: agrees to leave HTTP and says back whatever comes.
# /eof: reads to the end of what comes before it answers.
set -u
cr=$(printf '\r')
peer=$SOCAT_PEERADDR
case $peer in	# IPv4 as a socket of IPv6 shows it
*:ffff:????:????]) peer=${peer##*:ffff:} peer=$(printf '%d.%d.%d.%d' "0x$(echo "$peer" | cut -c1-2)" "0x$(echo "$peer" | cut -c3-4)" "0x$(echo "$peer" | cut -c6-7)" "0x$(echo "$peer" | cut -c8-9)");;
esac
say() { printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' "${#1}" "$1"; }
while read -r method path version; do
	host='' length=0 chunked=''
	while read -r name value; do
		value=${value%"$cr"}
		case $name in
		[Hh]ost:) host=$value;;
		[Cc]ontent-[Ll]ength:) length=$value;;
		[Tt]ransfer-[Ee]ncoding:) chunked=1;;
		"$cr") break;;
		esac
	done
	if [ "$chunked" ]; then
		length=0
		while read -r size; do
			size=$((0x${size%"$cr"}))
			[ "$size" -gt 0 ] || { read -r rest; break; }
			length=$((length + $(head -c "$size" | wc -c)))
			read -r rest
		done
	elif [ "$length" -gt 0 ]; then
		length=$(head -c "$length" | wc -c)
	fi
	case $path in
	/big) printf 'HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n'; head -c 8388608 /dev/zero;;
	/ws) printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'; exec cat;;
	/eof) say "$(wc -c) bytes to the end";;
	*) say "$host $path $peer $length";;
	esac
done
