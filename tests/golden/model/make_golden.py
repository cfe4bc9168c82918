"""Writes the golden files of this folder: `python make_golden.py trades.parquet` (scikit-learn 1.9.1, scipy 1.17.1, pandas, pyarrow).

beta_calibration.json  the constrained optimum by scipy's L-BFGS-B and SLSQP on the loss written from the definition
logistic.json          scikit-learn's LogisticRegression (newton-cholesky, tol 1e-12) after SimpleImputer and StandardScaler
trades.json            a table of synthetic trades (known truth, seed 42), and test AUC of scikit-learn's models on it
"""
import json
import platform
import sys

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TOOLS = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
         "scikit-learn": sklearn.__version__, "command": "python make_golden.py trades.parquet"}


def write(name, content):
    with open(name, "w") as file:
        json.dump({"generated_with": TOOLS, **content}, file, separators=(",", ":"))
        file.write("\n")


def beta(p, y, w):
    eps = np.finfo(float).eps
    q = np.clip(p, eps, 1 - eps)
    x = np.column_stack([np.log(q), -np.log1p(-q), np.ones_like(q)])
    n1, n0 = w[y == 1].sum(), w[y == 0].sum()
    t = np.where(y == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(theta):
        eta = x @ theta
        return np.sum(w * (np.logaddexp(0, eta) - t * eta)), x.T @ (w * (expit(eta) - t))

    bounds = [(0, None), (0, None), (None, None)]
    runs = [minimize(loss, start, jac=True, method=method, bounds=bounds, options={"maxiter": 5000, "ftol": 1e-16})
            for start in ([1, 1, 0], [0.1, 2, 0.5], [0, 0, 0]) for method in ("L-BFGS-B", "SLSQP")]
    return min(runs, key=lambda run: run.fun).x


def beta_file():
    rng = np.random.default_rng(20260)
    cases = []
    for name, n, truth in [("n80", 80, lambda p: p), ("overconfident", 300, lambda p: 0.3 + 0.4 * p),
                           ("skewed", 400, lambda p: p ** 2), ("inverted", 150, lambda p: 0.8 - 0.6 * p),
                           ("weights", 200, lambda p: np.sqrt(p))]:
        p = rng.beta(2, 2, n).round(6)
        y = (rng.random(n) < truth(p)).astype(int)
        case = {"name": name, "p": p.tolist(), "y": y.tolist()}
        w = np.ones(n)
        if name == "weights":
            w = rng.integers(1, 5, n) / 2
            case["w"] = w.tolist()
        a, b, c = beta(p, y, w)
        grid = np.linspace(0.01, 0.99, 50)
        case |= {"abc": [a, b, c], "grid": grid.tolist(),
                 "calibrated": expit(a * np.log(grid) - b * np.log1p(-grid) + c).tolist()}
        cases.append(case)
    write("beta_calibration.json", {"cases": cases})


def logistic_file():
    rng = np.random.default_rng(31)
    cases = []
    for name, n, d, c, weighted, missing in [("plain", 120, 4, 1.0, False, 0.0), ("strong_penalty", 60, 8, 0.01, False, 0.0),
                                              ("weak_penalty", 150, 5, 1000.0, False, 0.0), ("missing", 200, 6, 1.0, False, 0.15),
                                              ("weights", 150, 5, 1.0, True, 0.0)]:
        x = (rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, d)).round(8)
        x[rng.random((n, d)) < missing] = np.nan
        z = np.nan_to_num((x - np.nanmean(x, 0)) / np.nanstd(x, 0))
        y = (rng.random(n) < expit(z @ rng.normal(size=d) * 0.7 - 0.3)).astype(int)
        w = rng.integers(1, 6, n) / 2 if weighted else np.ones(n)
        scaler, model = StandardScaler(), LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        filled = SimpleImputer(strategy="median").fit_transform(x)
        scaled = scaler.fit(filled, sample_weight=w).transform(filled)
        model.fit(scaled, y, sample_weight=w)
        case = {"name": name, "l2": 1 / c, "x": [[None if np.isnan(v) else v for v in row] for row in x], "y": y.tolist(),
                "coefficients": model.coef_[0].tolist(), "intercept": model.intercept_[0],
                "p": model.predict_proba(scaled)[:, 1].tolist()}
        if weighted:
            case["w"] = w.tolist()
        cases.append(case)
    write("logistic.json", {"cases": cases})


def trades_file(path):
    table = pd.read_parquet(path)
    features = [name for name in table.columns if name not in ("symbol", "t0", "t1", "R", "y", "split")]
    table = table[table["split"].isin(["train", "test"])]
    train, test = table[table["split"] == "train"], table[table["split"] == "test"]

    def auc(model):
        return roc_auc_score(test["y"], model.fit(train[features], train["y"]).predict_proba(test[features])[:, 1])

    forests = [auc(RandomForestClassifier(300, min_samples_leaf=10, random_state=seed)) for seed in range(5)]
    logistic = auc(make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)))
    write("trades.json", {
        "features": features,
        "auc": {"random_forest_300_leaf10_mean_of_5_seeds": float(np.mean(forests)), "logistic_c1": float(logistic)},
        "is_test": (table["split"] == "test").astype(int).tolist(), "y": table["y"].astype(int).tolist(),
        "columns": [[float(f"{v:.9g}") for v in table[name]] for name in features]})


beta_file()
logistic_file()
trades_file(sys.argv[1])
