"""Compares the metrics with other software on random rankings, and writes what a test reads.

    pip install ranx==0.3.21 pytrec-eval-terrier==0.5.10 scikit-learn==1.9.0
    python check_metrics.py > golden_metrics.json

`ranx` and `trec_eval` have to agree to 1e-9 wherever both have a metric; the versions used are
written into the file. Scores are distinct, since the two break ties differently.
"""

import json
import math
import platform
from importlib.metadata import version

import numpy as np
import pytrec_eval
from ranx import Qrels, Run, evaluate
from sklearn.linear_model import LogisticRegression

CUTOFFS = [1, 3, 10]
# Ours: (ranx, trec_eval's measure, its name in the results).
AT_CUTOFF = {
    "hr": ("hit_rate@{}", "success.{}", "success_{}"),
    "precision": ("precision@{}", "P.{}", "P_{}"),
    "recall": ("recall@{}", "recall.{}", "recall_{}"),
    "f1": ("f1@{}", None, None),
    "ndcg": ("ndcg@{}", "ndcg_cut.{}", "ndcg_cut_{}"),
}


def ranking_case(rng):
    """A list of 1 to 30 of 40 items and 1 to 6 relevant ones, some of them not in the list."""
    items = rng.permutation(40)
    listed = [int(i) for i in items[: rng.integers(1, 31)]]
    relevant = [int(i) for i in rng.choice(40, rng.integers(1, 7), replace=False)]
    qrel = {"user": {str(i): 1 for i in relevant}}
    run = {"user": {str(i): 1.0 - n / 100 for n, i in enumerate(listed)}}

    def value(ranx_name, measure, result):
        ours = float(evaluate(Qrels(qrel), Run(run), ranx_name))
        if measure is not None:
            theirs = pytrec_eval.RelevanceEvaluator(qrel, {measure}).evaluate(run)["user"][result]
            assert math.isclose(ours, theirs, abs_tol=1e-9), (ranx_name, ours, theirs)
        return ours

    metrics = {"mrr": value("mrr", "recip_rank", "recip_rank")}
    for k in CUTOFFS:
        for name, (ranx_name, measure, result) in AT_CUTOFF.items():
            metrics[f"{name}@{k}"] = value(
                ranx_name.format(k), measure and measure.format(k), result and result.format(k)
            )
    return {"list": listed, "relevant": relevant, "metrics": metrics}


def calibration_case(rng):
    """Probabilities that are too extreme, and the line that logistic regression finds."""
    p = np.round(rng.uniform(0.01, 0.99, 60), 6)
    logits = np.log(p / (1 - p))
    happened = rng.uniform(size=60) < 1 / (1 + np.exp(-(0.3 + 0.6 * logits)))
    fit = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    fit.fit(logits[:, None], happened)
    return {
        "probabilities": p.tolist(),
        "happened": happened.tolist(),
        "intercept": float(fit.intercept_[0]),
        "slope": float(fit.coef_[0, 0]),
    }


def main():
    rng = np.random.default_rng(20)
    packages = ["numpy", "ranx", "pytrec-eval-terrier", "scikit-learn"]
    golden = {
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages},
        "rankings": [ranking_case(rng) for _ in range(40)],
        "calibrations": [calibration_case(rng) for _ in range(3)],
    }
    lists = (json.dumps(case) for case in golden["rankings"])
    lines = (json.dumps(case) for case in golden["calibrations"])
    print('{\n"versions": ' + json.dumps(golden["versions"]) + ",")
    print('"rankings": [\n' + ",\n".join(lists) + "\n],")
    print('"calibrations": [\n' + ",\n".join(lines) + "\n]\n}")


if __name__ == "__main__":
    main()
