#!/usr/bin/env bash
# Compares NOPs in batches through Submit and Complete, on uring, with the same loop in C on liburing: the bare loop, and one that
# keeps operations in slots as the engine does (bench/c/nop.c).
#
#	bench/ratio_nop.sh [REPS [SECONDS [BATCH]]]
#
# The two run in turn, REPS times (9) for SECONDS each (2), on the same CPU where taskset is to be had. It prints the medians,
# and the medians of the ratios of neighbouring runs.
set -euo pipefail
source "$(dirname "$0")/ratio.bash"

reps=${1:-9} seconds=${2:-2} batch=${3:-32}
need gcc gcc
need go golang
build
make -s -C bench/c

pin=()
if command -v taskset >/dev/null; then pin=(taskset -c 0); fi
results=$(mktemp)
trap 'rm -f "$results"' EXIT

for mode in bare slots; do
	: >"$results"
	for ((i = 1; i <= reps; i++)); do
		go=$("${pin[@]}" bin/sluice bench nop --backend uring --batch "$batch" --duration "${seconds}s" --json)
		read -r _ rate cpu < <("${pin[@]}" bin/nop "$mode" "$batch" "$seconds")
		echo "$(field ops_per_s <<<"$go") $(field cpu_ns_per_op <<<"$go") $rate $cpu" >>"$results"
		echo "run $i: $(tail -n 1 "$results")" >&2
	done
	echo "A: sluice on uring, B: C on liburing, $mode; batches of $batch, $seconds s each"
	compare A B "$results" "operations per second" "CPU ns per operation"
done
