"""Shows the files in `exported` to the real libraries, and compares what they answer with `answers.json`.

pip install numpy xgboost lightgbm onnxruntime; python check.py
A library that is not there is skipped, and said to be. Checked with xgboost 3.2.0, lightgbm 4.7.0, onnxruntime 1.31.1.
"""

import glob
import importlib
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-6


def load(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"skipped: {name} is not installed")
        return None


np, xgboost, lightgbm, onnxruntime = map(load, ["numpy", "xgboost", "lightgbm", "onnxruntime"])
if np is None:
    sys.exit(0)

with open(os.path.join(HERE, "answers.json")) as file:
    ANSWERS = json.load(file)
ROWS = np.array(ANSWERS["rows"], dtype=float)
KINDS = ["platt", "platt-logit", "beta", "isotonic", "none"]


def expected(name):
    model, kind = name.split(".")[0], name.split(".")[1]
    if model == "forest" and kind in KINDS:
        return ANSWERS["calibrated"][KINDS.index(kind)]["p"]
    if model.startswith("from_"):
        return ANSWERS[model[5:]]["prediction"]
    return ANSWERS[model]


def main():
    worst, failed, seen = {}, [], 0
    for path in sorted(glob.glob(os.path.join(HERE, "exported", "*"))):
        name = os.path.basename(path)
        rows = ROWS
        if name.endswith(".json") and xgboost:
            booster = xgboost.Booster(model_file=path)
            found = booster.predict(xgboost.DMatrix(rows, feature_names=ANSWERS["names"]))
        elif name.endswith(".txt") and lightgbm:
            found = lightgbm.Booster(model_file=path).predict(rows)
        elif name.endswith(".onnx") and onnxruntime:
            session = onnxruntime.InferenceSession(path)
            found = session.run(["prediction"], {"features": rows})[0][:, 0]
            holes = np.where(np.isnan(rows), np.inf, rows)
            infinite = session.run(["prediction"], {"features": holes})[0][:, 0]
            if not np.array_equal(infinite, found):
                failed.append(f"{name}: an infinite value is not missing")
        else:
            continue
        seen += 1
        far = float(np.max(np.abs(np.asarray(found, dtype=float) - np.array(expected(name), dtype=float))))
        exact = name.startswith("from_xgboost") and name.endswith(".json")
        print(f"{name}: largest difference {far:.2e}{' (to the bit)' if exact else ''}")
        if far > (0.0 if exact else TOLERANCE) or not np.isfinite(far):
            failed.append(f"{name}: {far}")
    print(f"{seen} files, {len(failed)} failed")
    for line in failed:
        print("FAILED", line)
    return 1 if failed or seen == 0 and not (xgboost is None and lightgbm is None and onnxruntime is None) else 0


if __name__ == "__main__":
    sys.exit(main())
