#!/bin/sh
# Processor time, quality and memory of the model families on 50,000 x 60 and 500,000 x 100, one thread; with --peers beside
# scikit-learn, XGBoost and LightGBM, which are installed into a throw-away environment.
#
# usage: benches/model.sh [--peers] [ROWSxCOLUMNS...]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
peers=no
if [ "${1:-}" = --peers ]; then
    peers=yes
    shift
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 xgboost==3.2.0 lightgbm==4.7.0
    export MODEL_BENCH_FOLDER="$work"
fi
echo "family rows columns seconds auc log_loss megabytes microseconds"
(cd "$here/.." && cargo bench --quiet --bench model -- "$@") | tee "$work/ours"
if [ "$peers" = yes ]; then
    "$work/venv/bin/python" "$here/model_peers.py" "$work"
fi
