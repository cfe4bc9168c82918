"""Benchmark-relative figures of `benchmark.json`, by empyrical-reloaded 0.7.1 and numpy 2.4.6 on `returns.parquet`.

Run as: python make_benchmark.py > benchmark.json
"""

import json

import empyrical as ep
import numpy as np
import polars as pl

frame = pl.read_parquet("returns.parquet")
series = {symbol: frame.filter(pl.col("symbol") == symbol)["ret"].to_numpy() for symbol in frame["symbol"].unique().sort()}
names = list(series)
results = {}
for one, other in [(names[0], names[1]), (names[1], names[2]), (names[2], names[0])]:
    r, b = series[one], series[other]
    n = min(len(r), len(b))
    r, b = r[:n], b[:n]
    alpha, beta = ep.alpha_beta_aligned(r, b)
    results[f"{one}/{other}"] = {
        "alpha": alpha,
        "beta": beta,
        "up_capture": ep.up_capture(r, b),
        "down_capture": ep.down_capture(r, b),
        "information_ratio": ep.excess_sharpe(r, b) * np.sqrt(252),
        "tracking_error": np.std(r - b, ddof=1) * np.sqrt(252),
        "correlation": np.corrcoef(r, b)[0, 1],
        "stability": ep.stability_of_timeseries(r),
    }
print(json.dumps({"tool": "empyrical-reloaded 0.7.1, numpy 2.4.6", "results": results}, indent=1))
