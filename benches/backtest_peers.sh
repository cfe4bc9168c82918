#!/bin/sh
# Bars a second of the backtest beside vectorbt, backtesting.py and polars, each doing what it can of the same strategy on
# 100 symbols x 5,000 bars. Installs them into a throw-away environment.
#
# usage: benches/backtest_peers.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check vectorbt==1.2.0 backtesting==0.6.6 polars
(cd "$here/.." && cargo bench --quiet --bench backtest) | tee "$work/ours"
"$work/venv/bin/python" "$here/backtest_peers.py" "$work/ours"
