"""Writes training.json: `python make_training.py` (scikit-learn, scipy, numpy; versions are in the file).

transforms   scikit-learn's StandardScaler and RobustScaler, numpy.quantile, scipy's rankdata and norm.ppf with numpy.interp
clusters     scipy's complete linkage of 1 - |Spearman's rank correlation|, cut by fcluster
stability    the sample formula of Nogueira, Sechidis and Brown (2018) with numpy.var(ddof=1) of the selection matrix
pool         weights of a linear pool with the least log loss, by scipy's SLSQP on the simplex
"""
import json
import platform

import numpy as np
import scipy
import sklearn
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import minimize
from scipy.spatial.distance import squareform
from scipy.stats import norm, rankdata, spearmanr
from sklearn.preprocessing import RobustScaler, StandardScaler

rng = np.random.default_rng(8)


def transforms():
    x = np.column_stack([rng.normal(3, 2, 40), rng.lognormal(0, 1.5, 40), rng.integers(0, 5, 40), np.full(40, 7.0)])
    new = np.column_stack([rng.normal(3, 4, 12), rng.lognormal(0, 2, 12), rng.integers(-2, 8, 12), np.full(12, 7.5)])
    def rank_normal(train, at):
        knots = np.unique(train)
        z = norm.ppf((rankdata(train) - 0.5) / len(train))
        return np.interp(at, knots, [z[train == knot][0] for knot in knots])
    low, high = np.quantile(x, 0.05, axis=0), np.quantile(x, 0.95, axis=0)
    expected = {
        "standardise": StandardScaler().fit(x).transform(new),
        "robust": RobustScaler().fit(x).transform(new),
        "winsorise": np.clip(new, low, high),
        "rank-normal": np.column_stack([rank_normal(x[:, c], new[:, c]) for c in range(4)]),
    }
    return {"train": x.tolist(), "new": new.tolist(), "tail": 0.05,
            "expected": {name: values.tolist() for name, values in expected.items()}}


def clusters():
    base = rng.normal(size=(120, 4))
    x = np.column_stack([base[:, i % 4] * (-1) ** i + rng.normal(scale=0.25 + 0.1 * i, size=120) for i in range(11)])
    distance = 1 - np.abs(spearmanr(x).statistic)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "complete")
    cuts = []
    for bound in (0.5, 0.7, 0.85):
        labels = fcluster(tree, 1 - bound, "distance")
        groups = sorted(np.flatnonzero(labels == label).tolist() for label in np.unique(labels))
        cuts.append({"bound": bound, "clusters": groups})
    return {"features": x.tolist(), "cuts": cuts}


def stability():
    cases = []
    for folds, features, share in [(5, 12, 0.4), (8, 20, 0.5), (10, 6, 0.8)]:
        z = (rng.random((folds, features)) < share).astype(int)
        k = z.sum(axis=1).mean()
        value = 1 - np.var(z, axis=0, ddof=1).mean() / ((k / features) * (1 - k / features))
        cases.append({"features": features, "kept": [np.flatnonzero(row).tolist() for row in z], "stability": value})
    return cases


def pool():
    cases = []
    for rows, sharpness in [(80, [2.0, 0.5, 0.0]), (300, [1.0, 1.0, -1.0]), (200, [3.0, 0.2])]:
        signal = rng.normal(size=rows)
        y = (rng.random(rows) < 1 / (1 + np.exp(-1.5 * signal))).astype(float)
        p = np.column_stack([1 / (1 + np.exp(-(s * signal + rng.normal(scale=0.6, size=rows)))) for s in sharpness])
        v = rng.uniform(0.2, 2.0, rows)
        q = np.where(y[:, None] == 1, p, 1 - p)
        def loss(w):
            mixed = q @ w
            return -(v * np.log(mixed)).sum() / v.sum(), -(q * (v / mixed)[:, None]).sum(axis=0) / v.sum()
        m = p.shape[1]
        best = minimize(loss, np.full(m, 1 / m), jac=True, method="SLSQP", bounds=[(0, 1)] * m,
                        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(m)},
                        options={"ftol": 1e-15, "maxiter": 1000})
        cases.append({"p": p.tolist(), "y": y.tolist(), "v": v.tolist(), "weights": best.x.tolist(), "loss": best.fun})
    return cases


tools = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
         "scikit-learn": sklearn.__version__, "command": "python make_training.py"}
with open("training.json", "w") as file:
    json.dump({"generated_with": tools, "transforms": transforms(), "clusters": clusters(), "stability": stability(),
               "pool": pool()}, file, separators=(",", ":"))
    file.write("\n")
