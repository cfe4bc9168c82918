#!/bin/sh
# The demo: the same weekly job on a real market and on one whose truth is known. Everything printed below the headings
# comes from the program.
set -eu
walkforward=$1

say() { printf '\n\033[1m%s\033[0m\n\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n\n' "$*"; }

say "1. Five real stocks, 2000 to 2013. Is there an edge worth deploying?"
"$walkforward" run pipelines/weekly.yaml

say "2. A synthetic market in which volume tells true breakouts from false ones, as of 2018-09-28."
"$walkforward" run pipelines/synthetic.yaml

say "3. The same market three years on. A week after the model was deployed, the meaning of volume was turned around."
"$walkforward" run pipelines/synthetic.yaml --as-of 2021-08-28

say "What is in production, and why"
"$walkforward" registry show synthetic-quality
printf '\nReports: artifacts/reports. The same command again reuses everything. Next: docs/guide.\n'
