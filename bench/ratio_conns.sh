#!/usr/bin/env bash
# Shows what a thread, and a goroutine, for each connection costs beside one loop for all of them, with echo servers on Linux with two processors:
#
#	bench/ratio_conns.sh [REPS [SECONDS]]
#
# For each number of connections in CONNS (1 to 4096, by fours) it runs the servers thread-per-conn, goroutine-per-conn and single in turn, REPS times (7) for SECONDS
# each (2), pinned to one processor with GOMAXPROCS=1, the load to another, and prints the medians: round trips per second, the server's processor time per
# round trip, latencies, threads and resident memory, and the ratios of neighbouring runs to single. BACKEND (auto) is that of single.
set -euo pipefail
source "$(dirname "$0")/ratio.bash"

reps=${1:-7} seconds=${2:-2}
need go golang
build
go build -buildvcs=false -o bin/ratio ./bench/ratio
single="bin/sluice serve echo --addr {addr} --backend ${BACKEND:-auto} --reactor single"
printf '%6s  %-18s %9s %12s %8s %8s %8s %9s   %s\n' conns reactor rtt/s "us cpu/rtt" "p50 us" "p99 us" threads "peak MiB" "to single: rtt/s, cpu/rtt"
for n in ${CONNS:-1 4 16 64 256 1024 4096}; do
	for reactor in thread-per-conn goroutine-per-conn; do
		bin/ratio -conns "$n" -reps "$reps" -duration "${seconds}s" "bin/sluice serve echo --addr {addr} --reactor $reactor" "$single" |
			awk -v n="$n" -v r="$reactor" '
				/^[AB] / { name = $1 == "A" ? r : "single"; row[name] = sprintf("%6d  %-18s %9s %12s %8s %8s %8s %9s", n, name, $2, $4, $8, $11, $13, $16) }
				/^A\/B/ { sub(/.*throughput /, ""); print row[r] "   " $1 ", " $3; print row["single"] }'
	done
done
