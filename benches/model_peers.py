"""scikit-learn, XGBoost and LightGBM on the tables of benches/model.rs, with the same parameters, one thread each.

usage: model_peers.py FOLDER, which holds `ours` (the lines of the benchmark) and the tables it wrote.
"""

import os
import pathlib
import sys
import time
import warnings

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
warnings.filterwarnings("ignore")

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier


def peers(rows):
    trees = 20 if rows > 100_000 else 100
    forest = {"n_estimators": trees, "max_depth": 12, "min_samples_leaf": 10, "n_jobs": 1, "random_state": 1}
    return {
        "logistic": ("scikit-learn", make_pipeline(StandardScaler(), LogisticRegression(C=1.0))),
        "naive-bayes": ("scikit-learn", GaussianNB()),
        "random-forest": ("scikit-learn", RandomForestClassifier(**forest)),
        "extra-trees": ("scikit-learn", ExtraTreesClassifier(**forest)),
        "xgboost": ("XGBoost", XGBClassifier(n_estimators=100, learning_rate=0.1, max_depth=6, reg_lambda=1.0,
                                             min_child_weight=1.0, tree_method="hist", n_jobs=1, random_state=1)),
        "lightgbm": ("LightGBM", LGBMClassifier(n_estimators=100, learning_rate=0.1, num_leaves=31, reg_lambda=0.0,
                                                min_child_weight=1.0, min_child_samples=1, n_jobs=1, verbose=-1,
                                                random_state=1)),
    }


folder = pathlib.Path(sys.argv[1])
print(f"\n{'family':14} {'table':12} {'ours s':>8} {'theirs s':>9} {'ratio':>6}  {'auc':>6} {'theirs':>6}  {'loss':>6} {'theirs':>6}")
for line in (folder / "ours").read_text().splitlines():
    family, rows, columns, seconds, auc, loss = line.split()[:6]
    rows, columns = int(rows), int(columns)
    name = f"{rows}x{columns}"
    x = np.fromfile(folder / f"{name}.features", dtype="<f4").reshape(-1, columns)
    y = np.fromfile(folder / f"{name}.labels", dtype="<f4").astype(int)
    who, model = peers(rows)[family]
    start = time.process_time()
    model.fit(x[:rows], y[:rows])
    theirs = time.process_time() - start
    p = model.predict_proba(x[rows:])[:, 1]
    print(f"{family:14} {name:12} {float(seconds):8.2f} {theirs:9.2f} {theirs / float(seconds):6.1f}  {float(auc):6.4f} "
          f"{roc_auc_score(y[rows:], p):6.4f}  {float(loss):6.4f} {log_loss(y[rows:], p):6.4f}  {who}", flush=True)
