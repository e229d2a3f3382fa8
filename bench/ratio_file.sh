#!/usr/bin/env bash
# Compares random reads of 4 KiB of `sluice bench file` with those of fio, in turn, on a file in DIR (default: .).
#
#	bench/ratio_file.sh [-n REPS] [-t SECONDS] [-d DIR] [-s SIZE] [-f FIO_OPTION]... [CASE...]
#
# The cases, all of them unless some are named:
#
#	direct   uring, depth 64, O_DIRECT, registered file and buffers; fio --ioengine=io_uring --fixedbufs --registerfiles
#	batched  the same, and fio told to submit and to wait for 16 at a time, too
#	cached   as direct, through the page cache, which holds the whole file
#	depth    uring with depth 64 and psync with one thread, both of sluice, O_DIRECT
#	workers  epoll, poll and select, depth 64, with a pool of 16 workers, O_DIRECT; fio --ioengine=psync --numjobs=16
#
# It prints the medians of REPS runs (9) of SECONDS each (3), and the medians of the ratios of neighbouring runs. CPU time is that of the whole
# process of sluice (getrusage), and of fio what it says of its jobs, which leaves out its start. -f adds an option to fio, as
# -f --norandommap. sluice waits for 16 completions at a time, for a millisecond at most; fio submits each read by itself and waits for one, which
# is its default, but in the case batched.
set -euo pipefail
here=$PWD
source "$(dirname "$0")/ratio.bash"

reps=9 seconds=3 dir=. size=1g workers=16 extra=()
while getopts n:t:d:s:f: o; do
	case $o in
	n) reps=$OPTARG ;;
	t) seconds=$OPTARG ;;
	d) dir=$OPTARG ;;
	s) size=$OPTARG ;;
	f) extra+=("$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
cases=("$@")
if [ $# -eq 0 ]; then cases=(direct batched cached depth workers); fi
if [[ $dir != /* ]]; then dir=$here/$dir; fi

need fio fio
need go golang
build
results=$(mktemp)
file=$(mktemp -u "$dir/sluice-ratio-XXXXXX")
trap 'rm -f "$results" "$file"' EXIT
bin/sluice bench file --path "$file" --size "$size" --duration 10ms --backend psync >/dev/null

# fio's jobs begin a session each, and with sched_autogroup_enabled the kernel shares out the CPUs among sessions. So that both have
# the same share while others are at work, sluice gets a session, too.
session=()
if command -v setsid >/dev/null; then session=(setsid --wait); fi

# ours OPTION... prints operations per second and microseconds of CPU time per operation.
ours() {
	local out
	out=$("${session[@]}" bin/sluice bench file --path "$file" --rw randread --bs 4k --duration "${seconds}s" --json "$@")
	echo "$(field iops <<<"$out") $(field cpu_us_per_op <<<"$out")"
}

# theirs JOBS OPTION... prints the same of fio: fields 6, 8 and 9 of its terse output are KiB, operations per second and ms, 88 and 89
# the percentages of CPU time of a job (fio(1), TERSE OUTPUT).
theirs() {
	local jobs=$1
	shift
	fio --name=ratio --filename="$file" --rw=randread --bs=4k --norandommap --time_based --runtime="$seconds" --ramp_time=300ms --invalidate=0 \
		--numjobs="$jobs" --group_reporting --output-format=terse --terse-version=3 "$@" "${extra[@]}" |
		awk -F';' -v jobs="$jobs" '{ print $8, ($88 + $89) / 100 * $9 * 1000 * jobs / ($6 / 4) }'
}

# alternate TITLE A B: runs the commands in A and B in turn.
alternate() {
	local i title=$1 a=$2 b=$3
	: >"$results"
	for ((i = 1; i <= reps; i++)); do
		echo "$($a) $($b)" >>"$results"
		echo "run $i: $(tail -n 1 "$results")" >&2
	done
	echo "$title, $seconds s each"
	echo "  A: $a"
	echo "  B: $b"
	compare A B "$results" "operations per second" "CPU µs per operation"
}

uring="ours --backend uring --depth 64 --batch 16 --batch-wait 1ms --fixed"
fio_uring="theirs 1 --ioengine=io_uring --iodepth=64 --fixedbufs --registerfiles"
for c in "${cases[@]}"; do
	case $c in
	direct)
		alternate "O_DIRECT, depth 64" "$uring --direct" "$fio_uring --direct=1"
		;;
	batched)
		alternate "O_DIRECT, depth 64, both 16 at a time" "$uring --direct" \
			"$fio_uring --direct=1 --iodepth_batch_submit=16 --iodepth_batch_complete_min=16"
		;;
	cached)
		cat "$file" >/dev/null
		alternate "page cache, depth 64" "$uring" "$fio_uring --direct=0"
		;;
	depth)
		alternate "O_DIRECT, depth 64 and one thread" "$uring --direct" "ours --backend psync --direct"
		;;
	workers)
		for backend in epoll poll select; do
			alternate "O_DIRECT, $workers workers" "ours --backend $backend --depth 64 --workers $workers --direct" \
				"theirs $workers --ioengine=psync --direct=1"
		done
		;;
	*)
		echo "$0: there is no case $c" >&2
		exit 2
		;;
	esac
done
