#!/bin/bash
# What the store costs: objects listed, bytes verified, beside `find` and `sha256sum`; memory while large objects go by.
#
#   benches/store.sh [PROGRAM]
#
# Lists 10,000 small objects, verifies 1 GiB in 16 blobs, and both at once, on disk. `sha256sum` reads the same files, one
# after the other and by as many processes as there are processors. Every figure is the best of three, after one reading that
# puts the files into memory: what is measured is the program and not the disk.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
walkforward=$(realpath "${1:-$here/target/release/walkforward}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Puts files into the store of this folder as blobs: the bytes of standard input in pieces of so many.
blobs() {
    mkdir -p parts && (cd parts && split -a 5 -b "$1")
    (cd parts && find . -type f -name 'x*' -print0 | xargs -0 sha256sum) | while read -r digest file; do
        mkdir -p "store/blobs/sha256/${digest:0:2}"
        mv "parts/${file#./}" "store/blobs/sha256/${digest:0:2}/${digest:2}"
    done
}

best() { for turn in 1 2 3; do local TIMEFORMAT=%R; { time "$@" >/dev/null; } 2>&1; done | sort -n | head -1; }
row() { awk -v what="$1" -v s="$2" -v n="$3" -v unit="$4" 'BEGIN { printf "  %-58s %7.2f s %10.0f %s/s\n", what, s, n / s, unit }'; }

printf '%s\n' "$(uname -sr), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
stream() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt -pass pass:walkforward 2>/dev/null; }
small() { find "$1/blobs" -type f | wc -l; }

mkdir small large
(cd small && mkdir store && echo 'walkforward store 1' >store/FORMAT && stream 5120000 | blobs 512)
(cd large && mkdir store && echo 'walkforward store 1' >store/FORMAT && stream $((1 << 30)) | blobs $((64 << 20)))
check() { (cd "$1" && "$walkforward" --store store doctor --objects); }
listed() { (cd "$1" && "$walkforward" --store store gc --dry-run); }
one_by_one() { find "$1/store/blobs" -type f -print0 | xargs -0 sha256sum; }
at_once() { find "$1/store/blobs" -type f -print0 | xargs -0 -n "$2" -P "$(nproc)" sha256sum; }

check large >/dev/null && check small >/dev/null
printf '\n%s\n' "$(small small/store) objects of 512 bytes"
row "find" "$(best small small/store)" 10000 objects
row "walkforward gc --dry-run: list, mark, compare" "$(best listed small)" 10000 objects
row "sha256sum" "$(best one_by_one small)" 10000 objects
row "walkforward doctor --objects" "$(best check small)" 10000 objects
printf '\n1 GiB in 16 objects\n'
row "sha256sum" "$(best one_by_one large)" 1024 MiB
row "sha256sum, $(nproc) at once" "$(best at_once large 4)" 1024 MiB
row "walkforward doctor --objects" "$(best check large)" 1024 MiB
if [ -x /usr/bin/time ]; then
    (cd large && /usr/bin/time -q -f %M -o ../peak "$walkforward" --store store doctor --objects >/dev/null)
    printf '  %-58s %7.0f MiB\n' "most memory meanwhile" "$(awk '{ print $1 / 1024 }' peak)"
fi
