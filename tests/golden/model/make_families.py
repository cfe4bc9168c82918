"""Reference values of the model families: scikit-learn, XGBoost and LightGBM.

    pip install scikit-learn lightgbm xgboost && python make_families.py > families.json

Tables come from a generator of whole numbers that the tests repeat, so that only answers are stored.
"""
import json
import platform
import warnings

import lightgbm
import numpy as np
import sklearn
import xgboost
from sklearn.ensemble import (ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier,
                              RandomForestRegressor)
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.naive_bayes import GaussianNB

warnings.filterwarnings("ignore")
MASK = (1 << 64) - 1


class Stream:
    """A linear congruential generator (Knuth's MMIX constants), its upper 53 bits as a uniform number."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return (self.state >> 11) / (1 << 53)

    def bell(self):
        """Four uniforms, centred and scaled to a variance of 1."""
        return (self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2.0) * 1.7320508075688772


def table(seed, rows, columns, is_null=False):
    """Features, labels, values and weights; the first four features decide, two of them together only."""
    stream = Stream(seed)
    x, label, value, weight = [], [], [], []
    for _ in range(rows):
        row = [stream.bell() for _ in range(columns)]
        signal = 0.0 if is_null else 1.0 * row[0] - 0.7 * row[1] + 1.2 * row[2] * row[3]
        label.append(float(stream.uniform() < 1.0 / (1.0 + np.exp(-signal))))
        value.append(signal + stream.bell())
        weight.append(float(1 + int(stream.uniform() * 3.0)))
        x.append(row)
    return np.array(x), np.array(label), np.array(value), np.array(weight)


def standardised(x, w):
    mean = np.average(x, axis=0, weights=w)
    return (x - mean) / np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w))


def exact():
    """Fits with one answer, on 300 rows of 6 features."""
    cases = []
    x, label, value, weight = table(7, 300, 6)
    for is_weighted in (False, True):
        w = weight if is_weighted else np.ones(len(label))
        z = standardised(x, w)
        total = w.sum()
        for l1, l2 in ((3.0, 1e-6), (8.0, 2.0), (40.0, 1.0)):
            # saga wants C and the ratio; l1 = ratio / C and l2 = (1 - ratio) / C
            strength = l1 + l2
            model = LogisticRegression(C=1.0 / strength, l1_ratio=l1 / strength, penalty="elasticnet", solver="saga",
                                       tol=1e-14, max_iter=200_000).fit(z, label, sample_weight=w)
            cases.append({"family": "logistic", "params": {"l1": l1, "l2": l2}, "weighted": is_weighted,
                          "coefficients": model.coef_[0].tolist(), "intercept": float(model.intercept_[0])})
        for l1, l2 in ((0.0, 1.0), (0.0, 50.0), (20.0, 1e-6), (20.0, 10.0)):
            if l1 == 0.0:
                model = Ridge(alpha=l2, solver="cholesky").fit(z, value, sample_weight=w)
            else:
                # 1 / (2 total) sum w (y - f)^2 + alpha (ratio |b| + (1 - ratio) / 2 b^2)
                alpha = (l1 + l2) / total
                model = ElasticNet(alpha=alpha, l1_ratio=l1 / (l1 + l2), tol=1e-14, max_iter=200_000).fit(
                    z, value, sample_weight=w)
            cases.append({"family": "linear", "params": {"l1": l1, "l2": l2}, "weighted": is_weighted,
                          "coefficients": model.coef_.tolist(), "intercept": float(model.intercept_)})
        model = GaussianNB(var_smoothing=1e-9).fit(z, label, sample_weight=w)
        cases.append({"family": "naive-bayes", "params": {}, "weighted": is_weighted,
                      "p": model.predict_proba(z[:20])[:, 1].tolist()})
    return cases


def learners(task):
    """Name, our family and parameters, and the other tool's model by seed."""
    forest = {"n_estimators": 100, "min_samples_leaf": 10, "max_depth": 12, "max_features": "sqrt", "n_jobs": 2}
    ours = {"trees": 100, "min_leaf": 10.0, "max_depth": 12}
    depth = {"n_estimators": 100, "learning_rate": 0.1, "max_depth": 4, "tree_method": "hist", "reg_lambda": 1.0,
             "min_child_weight": 5.0}
    leaf = {"n_estimators": 100, "learning_rate": 0.1, "num_leaves": 15, "min_child_weight": 5.0, "reg_lambda": 1.0,
            "min_child_samples": 1, "verbose": -1}
    boost = {"trees": 100, "learning_rate": 0.1, "min_child_weight": 5.0, "l2": 1.0}
    by_depth = ("xgboost", {**boost, "max_depth": 4})
    by_leaf = ("lightgbm", {**boost, "max_leaves": 15, "max_depth": 64})
    if task == "classification":
        return [
            ("logistic", {"l2": 1.0}, lambda seed: LogisticRegression(C=1.0)),
            ("naive-bayes", {}, lambda seed: GaussianNB()),
            ("random-forest", ours, lambda seed: RandomForestClassifier(random_state=seed, **forest)),
            ("extra-trees", ours, lambda seed: ExtraTreesClassifier(random_state=seed, **forest)),
            (*by_depth, lambda seed: xgboost.XGBClassifier(random_state=seed, **depth)),
            (*by_leaf, lambda seed: lightgbm.LGBMClassifier(random_state=seed, **leaf)),
        ]
    return [
        ("linear", {"l2": 1.0}, lambda seed: Ridge(alpha=1.0)),
        ("random-forest", ours, lambda seed: RandomForestRegressor(random_state=seed, **forest)),
        ("extra-trees", ours, lambda seed: ExtraTreesRegressor(random_state=seed, **forest)),
    ]


def ranked(task):
    """Scores on 1,500 fresh rows after 1,500 to learn from, five tables and three seeds of the model each."""
    cases = []
    for name, params, make in learners(task):
        scores, losses = [], []
        for seed in range(1, 6):
            x, label, value, _ = table(seed, 3000, 8)
            y = label if task == "classification" else value
            found, loss = [], []
            for model_seed in range(3):
                model = make(model_seed).fit(x[:1500], y[:1500])
                if task == "classification":
                    p = model.predict_proba(x[1500:])[:, 1]
                    found.append(roc_auc_score(y[1500:], p))
                    loss.append(log_loss(y[1500:], p))
                else:
                    found.append(r2_score(y[1500:], model.predict(x[1500:])))
            scores.append(float(np.mean(found)))
            losses.extend([float(np.mean(loss))] if loss else [])
        cases.append({"family": name, "task": task, "params": params, "scores": scores, "log_losses": losses})
    return cases


print(json.dumps({
    "generated_with": {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__,
                       "lightgbm": lightgbm.__version__, "xgboost": xgboost.__version__,
                       "command": "python make_families.py > families.json"},
    "exact": exact(),
    "ranked": ranked("classification") + ranked("regression"),
}, indent=1))
