#!/bin/bash
# What the orchestrator itself costs: pipelines of trivial nodes, and the same graphs in other tools.
#
#   [SIZES="50 1000"] benches/orchestrator.sh [PROGRAM] [--peers]
#
# A graph of n nodes: one root, n - 2 nodes that read it, one that needs them all. CPU is user + system of the whole
# process. Cold = an empty store; no-op = everything is in the store. Best of five for 50 nodes and of three beyond.
# First action = from the start of the process until a program that a node runs has started.
#
# make and ninja take part where they are installed. --peers installs DVC, Snakemake and, where it lacks, ninja into a
# folder that is removed afterwards; DVC and Snakemake run the 50 nodes only.
#
# Nothing is deleted before the end: a file system that still has many deletions to write down is slow to create files.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
walkforward=$(realpath "${1:-$here/target/release/walkforward}")
peers=${2:-}
sizes=${SIZES:-50 1000 10000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# --- measuring ---------------------------------------------------------------------------------------------------------

# Runs a command and prints `cpu wall`: CPU and wall seconds.
measure() {
    local TIMEFORMAT='%U %S %R'
    { time "$@" >/dev/null 2>&1; } 2>&1 | awk 'END { printf "%.3f %.3f\n", $1 + $2, $3 }'
}

# Runs a command and prints the most memory it had, in kilobytes; 0 where that cannot be told.
peak() {
    [ -x /usr/bin/time ] || { echo 0; return; }
    /usr/bin/time -q -f %M -o measured "$@" >/dev/null 2>&1
    tail -1 measured
}

# The line with the least CPU.
best() { sort -n | head -1; }

# Runs a function so often and keeps its best line. The function gets a folder of its own each time.
best_of() {
    local times=$1 what=$2
    shift 2
    for turn in $(seq "$times"); do
        mkdir -p "turns/$by-$what-$*-$turn"
        (cd "turns/$by-$what-$*-$turn" && "$what" "$@")
    done | best
}

times_for() { [ "$1" -le 50 ] && echo 5 || echo 3; }

# --- graphs ------------------------------------------------------------------------------------------------------------

pipeline() {
    awk -v n="$1" 'BEGIN {
        print "version: 1\nname: bench\nas_of: 2026-01-04\nnodes:\n  root: {kind: noop}"
        for (i = 2; i < n; i++) printf "  n%d: {kind: noop, inputs: {root: root.out}, with: {payload: %d}}\n", i, i
        printf "  last: {kind: noop, needs: ["
        for (i = 2; i < n; i++) printf "%sn%d", (i > 2 ? ", " : ""), i
        print "]}"
    }'
}

makefile() {
    awk -v n="$1" 'BEGIN {
        printf "last.s:"
        for (i = 2; i < n; i++) printf " n%d.s", i
        print "\n\t@touch $@\nroot.s:\n\t@touch $@"
        for (i = 2; i < n; i++) printf "n%d.s: root.s\n\t@touch $@\n", i
    }'
}

ninjafile() {
    awk -v n="$1" 'BEGIN {
        print "rule touch\n  command = touch $out\nbuild root.s: touch"
        for (i = 2; i < n; i++) printf "build n%d.s: touch root.s\n", i
        printf "build last.s: touch"
        for (i = 2; i < n; i++) printf " n%d.s", i
        print ""
    }'
}

dvcfile() {
    awk -v n="$1" 'BEGIN {
        print "stages:\n  root: {cmd: echo root > root.s, outs: [root.s]}"
        for (i = 2; i < n; i++) printf "  n%d: {cmd: echo %d > n%d.s, deps: [root.s], outs: [n%d.s]}\n", i, i, i, i
        printf "  last: {cmd: echo last > last.s, outs: [last.s], deps: ["
        for (i = 2; i < n; i++) printf "%sn%d.s", (i > 2 ? ", " : ""), i
        print "]}"
    }'
}

snakefile() {
    awk -v n="$1" 'BEGIN {
        printf "rule last:\n    input: expand(\"n{i}.s\", i=range(2, %d))\n    output: \"last.s\"\n", n
        print "    shell: \"touch {output}\"\nrule root:\n    output: \"root.s\"\n    shell: \"touch {output}\""
        print "rule one:\n    input: \"root.s\"\n    output: \"n{i}.s\"\n    shell: \"touch {output}\""
    }'
}

# --- a line each: what `$by` (measure or peak) prints of one call ------------------------------------------------------

by=measure
ours() { "$by" "$walkforward" --store store run p.yaml --quiet; }
ours_cold() { pipeline "$1" >p.yaml; ours; }
ours_noop() { ours_cold "$1" >/dev/null; ours; }
ours_first() {
    cat >p.yaml <<YAML
name: first
as_of: 2026-01-04
nodes:
  first: {kind: command, with: {argv: [/bin/date, "+%s%N"], outputs: {}, values: {none: number}}, cache: off}
YAML
    local started ended
    started=$(date +%s%N)
    # the node fails for want of its value, after the program has told the time; its log has that
    "$walkforward" --store store run p.yaml --quiet >out 2>&1 || true
    ended=$(grep -om1 '[0-9]\{19\}' out)
    awk -v a="$started" -v b="$ended" 'BEGIN { printf "%.2f\n", (b - a) / 1e6 }'
}

make_cold() { makefile "$1" >Makefile; "$by" make -j2; }
make_noop() { make_cold "$1" >/dev/null; "$by" make -j2; }
ninja_cold() { ninjafile "$1" >build.ninja; "$by" ninja; }
ninja_noop() { ninja_cold "$1" >/dev/null; "$by" ninja; }
dvc_cold() { git init -q . && dvc init -q && dvcfile "$1" >dvc.yaml; "$by" dvc repro -q; }
dvc_noop() { dvc_cold "$1" >/dev/null; "$by" dvc repro -q; }
snakemake_cold() { snakefile "$1" >Snakefile; "$by" snakemake -q all -c2; }
snakemake_noop() { snakemake_cold "$1" >/dev/null; "$by" snakemake -q all -c2; }

# --- the table ---------------------------------------------------------------------------------------------------------

# One row: tool, nodes, CPU of its start alone. Overhead = (cold - start) / n.
row() {
    local tool=$1 n=$2 start=$3 times cold noop memory
    times=$(times_for "$n")
    cold=$(best_of "$times" "${tool}_cold" "$n")
    noop=$(best_of "$times" "${tool}_noop" "$n")
    memory=$(by=peak && best_of 1 "${tool}_cold" "$n" && best_of 1 "${tool}_noop" "$n")
    echo "$tool $n $cold $noop $start" >>rows
    echo "$tool $n $cold $noop $start" $memory | awk '{
        printf "%-12s %6d %9.3f %9.3f %9.3f %9.3f %9.3f %8.0f %8.0f\n",
            $1, $2, $3, $4, $5, $6, 1000 * ($3 - $7) / $2, $8 / 1024, $9 / 1024
    }'
}

start_of() { for turn in 1 2 3; do measure "$@"; done | best | cut -d' ' -f1; }

printf '%s\n' "$(uname -sr), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
printf '%-12s %6s %9s %9s %9s %9s %9s %8s %8s\n' '' '' 'cold' 'cold' 'no-op' 'no-op' 'cold ms' 'cold' 'no-op'
printf '%-12s %6s %9s %9s %9s %9s %9s %8s %8s\n' tool nodes 'CPU s' 'wall s' 'CPU s' 'wall s' 'a node' MB MB
ours_start=$(start_of "$walkforward" --version)
for n in $sizes; do row ours $n "$ours_start"; done
if [ "$peers" = --peers ]; then
    python3 -m venv venv
    venv/bin/pip install --quiet dvc snakemake ninja
    PATH=$PATH:$work/venv/bin
fi
for tool in make ninja; do
    command -v $tool >/dev/null || continue
    start=$(start_of $tool --version)
    for n in $sizes; do row $tool $n "$start"; done
done
if [ "$peers" = --peers ]; then
    for tool in dvc snakemake; do row $tool 50 "$(start_of $tool --version)"; done
fi

first=$(best_of 10 ours_first)
awk -v first="$first" -v start="$ours_start" '
    $1 == "ours" { cold[$2] = $3; noop[$2] = $5 }
    function goal(what, is, most, unit) {
        printf "  %-42s %8.2f %-3s (goal: %s)%s\n", what, is, unit, most, is <= most ? "" : "  MISSED"
        missed = missed || is > most
    }
    END {
        print "\ngoals"
        goal("first action", first, 30, "ms")
        goal("no-op of 50 nodes, CPU", 1000 * noop[50], 10, "ms")
        for (n in cold) goal("a node of " n ", cold, CPU", 1000 * (cold[n] - start) / n, 1, "ms")
        # linear: ten times the nodes cost at most fifteen times as much
        if (10000 in cold && 1000 in cold) {
            goal("10,000 nodes against 1,000, cold, CPU", cold[10000] / cold[1000], 15, "x")
            goal("10,000 nodes against 1,000, no-op, CPU", noop[10000] / noop[1000], 15, "x")
        }
        exit missed
    }' rows
