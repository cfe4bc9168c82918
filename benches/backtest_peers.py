"""Bars a second of other simulators on the market of benches/backtest.rs: random walks, a breakout with a stop.

None of them has slots and sizing by risk over a shared account at full speed, so each is given less to do than we do; what
each does is said in its line. One thread; the best of three rounds.
"""

import os
import sys
import time
import warnings

os.environ.update(NUMBA_NUM_THREADS="1", POLARS_MAX_THREADS="1", OMP_NUM_THREADS="1")
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd

SYMBOLS, SESSIONS = 100, 5000


def market():
    random = np.random.default_rng(7)
    shape = (SESSIONS, SYMBOLS)
    close = 100 * np.cumprod(1 + 0.0003 + 0.0126 * random.standard_normal(shape), axis=0)
    open_ = np.vstack([np.full(SYMBOLS, 100.0), close[:-1]]) * (1 + 0.004 * random.standard_normal(shape))
    high = np.maximum(open_, close) * (1 + 0.008 * random.random(shape))
    low = np.minimum(open_, close) * (1 - 0.008 * random.random(shape))
    return open_, high, low, close


def best(work, rounds=3):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def vectorbt(open_, high, low, close):
    import vectorbt as vbt

    frame = pd.DataFrame(close)
    channel = frame.rolling(20).max().shift(1)
    entries, exits = (frame >= channel * 1.005) & (frame > frame.rolling(50).mean()), frame < frame.rolling(20).mean()

    def kernel():
        vbt.Portfolio.from_signals(
            frame, entries, exits, open=open_, high=high, low=low, sl_stop=0.05, fees=1e-4, slippage=5e-4, freq="1D"
        ).total_return()

    def whole():
        channel = frame.rolling(20).max().shift(1)
        entries = (frame >= channel * 1.005) & (frame > frame.rolling(50).mean())
        exits = frame < frame.rolling(20).mean()
        vbt.Portfolio.from_signals(
            frame, entries, exits, open=open_, high=high, low=low, sl_stop=0.05, fees=1e-4, slippage=5e-4, freq="1D"
        ).total_return()

    kernel()  # compiled by the first call
    bars = SYMBOLS * SESSIONS
    return [("vectorbt, 100 accounts, no slots, no risk sizing", bars / best(kernel), "kernel"),
            ("vectorbt, the same with its indicators (pandas)", bars / best(whole), "end to end")]


def backtesting(open_, high, low, close):
    from backtesting import Backtest, Strategy

    index = pd.date_range("2000-01-01", periods=SESSIONS, freq="B")
    frame = pd.DataFrame({"Open": open_[:, 0], "High": high[:, 0], "Low": low[:, 0], "Close": close[:, 0]}, index=index)

    class Breakout(Strategy):
        def init(self):
            rolling = lambda values, bars, how: getattr(pd.Series(values).rolling(bars), how)()
            self.channel = self.I(lambda values: rolling(values, 20, "max").shift(1), self.data.Close)
            self.trend = self.I(lambda values: rolling(values, 50, "mean"), self.data.Close)
            self.exit = self.I(lambda values: rolling(values, 20, "mean"), self.data.Close)

        def next(self):
            close = self.data.Close[-1]
            if self.position:
                if close < self.exit[-1]:
                    self.position.close()
            elif close >= self.channel[-1] * 1.005 and close > self.trend[-1]:
                self.buy(size=10, sl=close * 0.95)

    return [("backtesting.py, one symbol", SESSIONS / best(lambda: Backtest(frame, Breakout, cash=1e6).run()), "end to end")]


def polars(open_, high, low, close):
    import polars as pl

    frame = pl.DataFrame({
        "symbol": np.repeat(np.arange(SYMBOLS), SESSIONS),
        "high": high.T.ravel(), "low": low.T.ravel(), "close": close.T.ravel(),
    })

    def indicators():
        close, before = pl.col("close"), pl.col("close").shift(1)
        true_range = pl.max_horizontal(pl.col("high") - pl.col("low"), (pl.col("high") - before).abs(), (pl.col("low") - before).abs())
        frame.select(
            close.rolling_max(20).shift(1).over("symbol").alias("fast"),
            close.rolling_max(55).shift(1).over("symbol").alias("slow"),
            close.rolling_mean(50).over("symbol").alias("trend"),
            close.rolling_mean(20).over("symbol").alias("exit"),
            true_range.ewm_mean(alpha=1 / 14, adjust=False).over("symbol").alias("atr"),
        )

    return [("polars, five indicators and nothing else", SYMBOLS * SESSIONS / best(indicators), "end to end")]


def main():
    ours = {}
    for line in open(sys.argv[1]):
        for name in ("kernel", "end to end"):
            if line.startswith(name):
                ours[name] = 1e6 * float(line.removeprefix(name).split()[0])
    data = market()
    print(f"\n{'':52}{'M bars/s':>10}{'we are':>12}")
    for peer in (vectorbt, backtesting, polars):
        try:
            lines = peer(*data)
        except Exception as error:  # one that does not run must not hide the others
            print(f"{peer.__name__}: {type(error).__name__}: {error}")
            continue
        for name, rate, against in lines:
            print(f"{name:52}{rate / 1e6:10.2f}{ours[against] / rate:10.0f} x  ({against})")


if __name__ == "__main__":
    main()
