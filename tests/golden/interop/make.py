"""Makes the golden files of model exchange and explanation: what the real libraries fit, and what they answer.

pip install numpy scikit-learn xgboost lightgbm shap onnxruntime; python make.py
Fitted by scikit-learn 1.9.1, xgboost 3.2.0, lightgbm 4.7.0; explained by shap 0.51.0 and xgboost's pred_contribs.
"""

import json
import os

import lightgbm
import numpy as np
import shap
import sklearn
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

HERE = os.path.dirname(os.path.abspath(__file__))
# in place of infinity, where a split parts the missing values from all others
LARGEST = float(np.finfo(float).max)
NAMES = ["rsi", "adx", "roc", "volume_ratio", "gap"]


def write(name, value):
    with open(os.path.join(HERE, name), "w") as file:
        json.dump(value, file, separators=(",", ":"), allow_nan=False)
        file.write("\n")


def plain(array):
    """Nested lists with null for NaN."""
    array = np.asarray(array, dtype=float)
    if array.ndim == 0:
        return None if np.isnan(array) else float(array)
    return [plain(row) for row in array]


def stored_tree(tree):
    """A scikit-learn tree as columns in preorder, the left child next to its parent."""
    columns = {"feature": [], "value": [], "right": [], "missing_left": []}

    def visit(node):
        at = len(columns["feature"])
        leaf = tree.children_left[node] < 0
        columns["feature"].append(-1 if leaf else int(tree.feature[node]))
        share = float(tree.value[node, 0, 1] / tree.value[node, 0].sum())
        columns["value"].append(share if leaf else min(float(tree.threshold[node]), LARGEST))
        columns["right"].append(0)
        columns["missing_left"].append(0 if leaf else int(tree.missing_go_to_left[node]))
        if not leaf:
            visit(tree.children_left[node])
            columns["right"][at] = len(columns["feature"])
            visit(tree.children_right[node])

    visit(0)
    return columns


def envelope(family, body):
    return {"format": "walkforward.model", "version": 1, "family": family, "body": body}


def main():
    rng = np.random.default_rng(20)
    # values that 32 bits hold, so that every library sees the same number
    x = rng.normal(size=(160, 5)).astype(np.float32).round(3).astype(np.float64)
    x = x.astype(np.float32).astype(np.float64)
    x[:, 3] = np.round(np.abs(x[:, 3]) * 3)
    y = (x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.2 * x[:, 3] + rng.normal(size=160) > 0.4).astype(int)
    holes = x.copy()
    holes[rng.random(x.shape) < 0.12] = np.nan
    rows = np.concatenate([holes[:24], x[24:40], np.full((1, 5), np.nan)])

    answers = {
        "versions": {
            "scikit-learn": sklearn.__version__, "xgboost": xgboost.__version__,
            "lightgbm": lightgbm.__version__, "shap": shap.__version__,
        },
        "names": NAMES,
        "rows": plain(rows),
    }

    forest = RandomForestClassifier(n_estimators=7, max_depth=5, min_samples_leaf=4, random_state=3).fit(holes, y)
    body = {"columns": 5, "importance": [float(v) for v in forest.feature_importances_], "out_of_bag": None,
            "trees": [stored_tree(tree.tree_) for tree in forest.estimators_]}
    write("forest.model.json", envelope("random-forest", body))
    answers["forest"] = plain(forest.predict_proba(rows)[:, 1])

    # without a bootstrap the rows that reach a node are those of the table
    full = RandomForestClassifier(n_estimators=6, max_depth=6, min_samples_leaf=2, bootstrap=False, random_state=4)
    full.fit(x, y)
    body = {"columns": 5, "importance": [float(v) for v in full.feature_importances_], "out_of_bag": None,
            "trees": [stored_tree(tree.tree_) for tree in full.estimators_]}
    write("explained_forest.model.json", envelope("random-forest", body))
    explainer = shap.TreeExplainer(full, feature_perturbation="tree_path_dependent")
    answers["shap"] = {
        "background": plain(x), "rows": plain(x[:20]),
        "base": float(explainer.expected_value[1]),
        "values": plain(explainer.shap_values(x[:20], check_additivity=True)[:, :, 1]),
    }

    for name, objective, target in [("xgboost", "binary:logistic", y), ("xgboost_regression", "reg:squarederror", x[:, 0] * 2 + x[:, 1])]:
        matrix = xgboost.DMatrix(holes, label=target, feature_names=NAMES)
        booster = xgboost.train(
            {"objective": objective, "max_depth": 4, "eta": 0.3, "seed": 1, "tree_method": "hist"}, matrix, 12)
        booster.save_model(os.path.join(HERE, f"{name}.json"))
        asked = xgboost.DMatrix(rows, feature_names=NAMES)
        contributions = booster.predict(asked, pred_contribs=True)
        answers[name] = {
            "prediction": plain(booster.predict(asked)),
            "margin": plain(booster.predict(asked, output_margin=True)),
            "contributions": plain(contributions),
        }

    for name, objective, target in [("lightgbm", "binary", y), ("lightgbm_regression", "regression", x[:, 0] * 2 + x[:, 1])]:
        data = lightgbm.Dataset(holes, label=target, feature_name=NAMES)
        booster = lightgbm.train(
            {"objective": objective, "num_leaves": 9, "min_data_in_leaf": 5, "verbose": -1, "seed": 1, "num_threads": 1,
             "deterministic": True}, data, 12)
        booster.save_model(os.path.join(HERE, f"{name}.txt"))
        answers[name] = {
            "prediction": plain(booster.predict(rows)),
            "contributions": plain(booster.predict(rows, pred_contrib=True)),
        }

    median, scale = np.nanmedian(holes, axis=0), None
    imputed = np.where(np.isnan(holes), median, holes)
    mean, scale = imputed.mean(axis=0), imputed.std(axis=0)
    logistic = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit((imputed - mean) / scale, y)
    transform = {"median": plain(median), "mean": plain(mean), "scale": plain(scale)}
    write("logistic.model.json", envelope("logistic", {
        "transform": transform, "coefficients": plain(logistic.coef_[0]), "intercept": float(logistic.intercept_[0]),
        "gradient_norm": 0.0, "iterations": int(logistic.n_iter_[0])}))
    filled = (np.where(np.isnan(rows), median, rows) - mean) / scale
    answers["logistic"] = plain(logistic.predict_proba(filled)[:, 1])
    # all rows: by default it draws a hundred of them
    background = shap.maskers.Independent((imputed - mean) / scale, max_samples=len(x))
    linear = shap.LinearExplainer(logistic, background)
    answers["linear_shap"] = {"background": plain(holes), "base": float(linear.expected_value),
                              "values": plain(linear.shap_values(filled))}

    # what the calibrators make of the forest's probabilities, by their formulas in numpy
    p = forest.predict_proba(rows)[:, 1]
    logit = np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))
    inner = np.clip(p, np.finfo(float).eps, 1 - np.finfo(float).eps)
    steps = {"x": [0.1, 0.3, 0.30002, 0.5, 0.9], "y": [0.05, 0.2, 0.6, 0.6, 1.0]}
    answers["calibrated"] = [
        {"calibrator": {"platt": {"a": -3.1, "b": 1.4}}, "p": plain(1 / (1 + np.exp(-3.1 * p + 1.4)))},
        {"calibrator": {"platt-logit": {"a": -0.8, "b": 0.1}}, "p": plain(1 / (1 + np.exp(-0.8 * logit + 0.1)))},
        {"calibrator": {"beta": {"a": 0.7, "b": 1.2, "c": 0.1}},
         "p": plain(1 / (1 + np.exp(-(0.7 * np.log(inner) - 1.2 * np.log1p(-inner) + 0.1))))},
        {"calibrator": {"isotonic": steps}, "p": plain(np.interp(p, steps["x"], steps["y"]))},
        {"calibrator": "none", "p": plain(p)},
    ]
    write("answers.json", answers)


if __name__ == "__main__":
    main()
