# What the scripts beside this file share: building, medians, and the table that they print.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# need says what to install when a program is missing.
need() {
	command -v "$1" >/dev/null || { echo "$0: $1 is missing: apt-get install -y $2" >&2; exit 1; }
}

# build builds the tool and the loops in C into bin.
build() {
	go build -buildvcs=false -o bin/sluice ./cmd/sluice
}

# field NAME prints the number with this name out of the JSON on standard input.
field() {
	sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"
}

# median prints the median of the numbers on standard input.
median() {
	sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# column FILE N prints column N of a file.
column() {
	awk -v n="$2" '{ print $n }' "$1"
}

# spread prints the smallest and the greatest of the numbers on standard input.
spread() {
	sort -g | awk 'NR == 1 { low = $1 } END { printf "%.3f-%.3f", low, $1 }'
}

# compare A B FILE NAME... prints the medians of A and of B, and of the ratios of neighbouring runs, with their least and greatest. Each line of FILE is a pair of runs: the
# figures of A, as many as there are names, then those of B.
compare() {
	local a=$1 b=$2 file=$3 i=0 name ratios
	shift 3
	printf '%-28s %14s %14s %12s  %s\n' "$(wc -l <"$file") pairs, medians" "$a" "$b" "ratio A/B" spread
	for name in "$@"; do
		i=$((i + 1))
		ratios=$(awk -v i=$i -v j=$((i + $#)) '{ print $i / $j }' "$file")
		printf '%-28s %14.4g %14.4g %12.3f  %s\n' "$name" "$(column "$file" $i | median)" "$(column "$file" $((i + $#)) | median)" \
			"$(median <<<"$ratios")" "$(spread <<<"$ratios")"
	done
	echo
}
