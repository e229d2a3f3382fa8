#!/usr/bin/env bash
# Compares two servers of HTTP or of RESP side by side, on Linux with two processors:
#
#	bench/ratio_server.sh http REPS A B
#	bench/ratio_server.sh kv REPS A B
#
# A and B are command lines in which {addr} stands for host:port, {port} for the port alone, and {dir} for an empty directory. They run in turn, A B A B …, each pinned
# to processor 0 with GOMAXPROCS=1, the load to processor 1: wrk with 64 connections, or redis-benchmark with 64 clients that GET and SET, one command at
# a time and 16. It prints the medians, and those of the ratios of neighbouring runs: of requests a second, and of the server's
# processor time per request. SECS (3) is how long wrk loads, REQUESTS (200000) how many redis-benchmark sends, OPS (the four) which.
#
# For what no server on io_uring can go below, compare with bin/floor (make -C bench/c): "bin/floor http {port}", "bin/floor nil {port}".
source "$(dirname "${BASH_SOURCE[0]}")/ratio.bash"
set -euo pipefail

if [ $# -ne 4 ]; then sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
kind=$1 reps=$2
shift 2
need taskset util-linux
if [ "$kind" = http ]; then need wrk wrk; else need redis-benchmark redis-tools; fi

# ticks PID prints the processor time of a process, in microseconds.
ticks() {
	sed 's/.*) //' "/proc/$1/stat" | awk -v hz="$(getconf CLK_TCK)" '{ print ($12 + $13) * 1000000 / hz }'
}

# listening PORT waits until somebody listens.
listening() {
	for _ in $(seq 500); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
		sleep 0.02
	done
	echo "nobody listens at port $1" >&2
	return 1
}

# load NAME PORT prints requests a second, and how many requests there were.
load() {
	case $1 in
	http)
		taskset -c 1 wrk -t1 -c64 "-d${SECS:-3}s" "http://127.0.0.1:$2/" | awk '/requests in/ { n = $1 } /Requests\/sec/ { r = $2 } /Non-2xx|Socket errors/ { print > "/dev/stderr"; bad = 1 } END { print r, n; exit bad }'
		;;
	*)
		local op=${1%-*} depth=${1#*-P} n=${REQUESTS:-200000}
		if [ "$depth" = 16 ]; then n=$((n * 4)); fi
		taskset -c 1 redis-benchmark -h 127.0.0.1 -p "$2" -c 64 -n "$n" -P "$depth" -t "$op" --csv |
			awk -F '"' -v n="$n" 'NR == 2 { print $4, n }'
		;;
	esac
}

# run NAME COMMAND prints requests a second and microseconds of the server's processor time per request.
run() {
	local port=$((10000 + RANDOM % 20000)) cmd pid before rate n dir
	dir=$(mktemp -d)
	cmd=${2//\{addr\}/127.0.0.1:$port}
	cmd=${cmd//\{port\}/$port}
	cmd=${cmd//\{dir\}/$dir}
	# shellcheck disable=SC2086 # split at spaces on purpose
	GOMAXPROCS=1 taskset -c 0 $cmd >/dev/null 2>&1 &
	pid=$!
	listening "$port" || { kill -9 $pid; exit 1; }
	before=$(ticks $pid)
	read -r rate n < <(load "$1" "$port")
	awk -v r="$rate" -v n="$n" -v a="$before" -v b="$(ticks $pid)" 'BEGIN { print r, (b - a) / n }'
	kill -9 $pid
	wait $pid 2>/dev/null || true
	rm -rf "$dir"
}

what=http
if [ "$kind" = kv ]; then what=${OPS:-get-P1 set-P1 get-P16 set-P16}; fi
pairs=$(mktemp)
trap 'rm -f "$pairs"' EXIT
for name in $what; do
	: >"$pairs"
	for _ in $(seq "$reps"); do
		echo "$(run "$name" "$1") $(run "$name" "$2")" >>"$pairs"
	done
	echo "$name"
	compare A B "$pairs" "requests/s" "cpu us/request"
done
