#!/bin/bash
# CPU seconds (user + system, whole process) of the weekly pipeline on the shipped five stocks: 50 trials, a forest of
# 200 trees. Cold = an empty store; repeated = everything is in the store. Best of five each.
set -eu
walkforward=$(realpath "${1:-target/release/walkforward}")
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT

cpu() {
    local TIMEFORMAT='%U %S'
    { time "$walkforward" --store "$store/$1" run pipelines/weekly.yaml --quiet; } 2>&1 | awk '{print $1 + $2}'
}

best() { sort -n | head -1; }

cold=$(for run in 1 2 3 4 5; do rm -rf "$store/cold"; cpu cold; done | best)
cpu warm >/dev/null
repeated=$(for run in 1 2 3 4 5; do cpu warm; done | best)
printf 'weekly pipeline, five stocks x 13 years, 50 trials, 200 trees\n'
printf '  cold      %6.3f CPU s   (goal: 10)\n' "$cold"
printf '  repeated  %6.3f CPU s   (goal: 0.1)\n' "$repeated"
awk -v cold="$cold" -v repeated="$repeated" 'BEGIN { exit !(cold <= 10 && repeated <= 0.1) }'
