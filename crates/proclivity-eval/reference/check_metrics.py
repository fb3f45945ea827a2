r"""Compares the metrics with other software on random input, and writes what a test reads.

    pip install numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 ranx==0.3.21 \
        pytrec-eval-terrier==0.5.11 scikit-learn==1.9.1
    pip install --no-deps recbole==1.2.1
    python check_metrics.py > golden_metrics.json

Peers have to agree to 1e-9 wherever they mean the same; where one differs, the difference is what is
asserted. The versions used are written into the file. Scores of rankings are distinct, since
`ranx` and `trec_eval` break ties differently.
"""

import importlib
import importlib.util
import json
import math
import platform
import sys
import types
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytrec_eval
import scipy.stats
from ranx import Qrels, Run, evaluate
from scipy.spatial.distance import pdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ndcg_score, roc_auc_score

PACKAGES = [
    "numpy", "scipy", "pandas", "ranx", "pytrec-eval-terrier", "scikit-learn", "recbole",
]  # fmt: skip
CUTOFFS = [1, 3, 10]
# Ours: (ranx, trec_eval's measure, its name in the results, RecBole's class).
AT_CUTOFF = {
    "hr": ("hit_rate@{}", "success.{}", "success_{}", "Hit"),
    "precision": ("precision@{}", "P.{}", "P_{}", "Precision"),
    "recall": ("recall@{}", "recall.{}", "recall_{}", "Recall"),
    "f1": ("f1@{}", None, None, None),
    "ndcg": ("ndcg@{}", "ndcg_cut.{}", "ndcg_cut_{}", "NDCG"),
    "map": ("map@{}", "map_cut.{}", "map_cut_{}", "MAP"),
}


def recbole_metrics():
    """RecBole's metrics without the rest of it: their arithmetic is NumPy's, and needs no torch."""
    root = Path(importlib.util.find_spec("recbole").origin).parent
    for name in ["recbole", "recbole.evaluator", "recbole.utils"]:
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    sys.modules["torch"] = types.ModuleType("torch")
    enums = importlib.import_module("recbole.utils.enum_type")
    sys.modules["recbole.utils"].EvaluatorType = enums.EvaluatorType
    metrics = importlib.import_module("recbole.evaluator.metrics")
    del sys.modules["torch"]
    np.float = float  # NumPy dropped the name.
    return metrics


RECBOLE = recbole_metrics()


def agree(what, ours, theirs):
    assert math.isclose(ours, theirs, abs_tol=1e-9), (what, ours, theirs)


def recbole_at(name, hits, relevant):
    """A RecBole metric at k = len(hits), without the object that RecBole keeps settings in."""
    metric = getattr(RECBOLE, name)
    lengths = [np.array([relevant])] if name in ["Recall", "NDCG", "MAP"] else []
    return float(metric.metric_info(None, np.array([hits]), *lengths)[0, -1])


def ranking_case(rng):
    """A list of 1 to 30 of 40 items and 1 to 6 relevant ones, some of them not in the list."""
    items = rng.permutation(40)
    listed = [int(i) for i in items[: rng.integers(1, 31)]]
    relevant = [int(i) for i in rng.choice(40, rng.integers(1, 7), replace=False)]
    qrel = {"user": {str(i): 1 for i in relevant}}
    run = {"user": {str(i): 1.0 - n / 100 for n, i in enumerate(listed)}}
    hits = [n < len(listed) and listed[n] in relevant for n in range(40)]

    def value(ranx_name, measure=None, result=None):
        ours = float(evaluate(Qrels(qrel), Run(run), ranx_name))
        if measure is not None:
            theirs = pytrec_eval.RelevanceEvaluator(qrel, {measure}).evaluate(run)["user"][result]
            agree(ranx_name, ours, theirs)
        return ours

    metrics = {
        "mrr": value("mrr", "recip_rank", "recip_rank"),
        "map": value("map", "map", "map"),
        "rbp": value("rbp.80"),
    }
    agree("mrr", metrics["mrr"], recbole_at("MRR", hits, len(relevant)))
    for k in CUTOFFS:
        for name, (ranx_name, measure, result, recbole) in AT_CUTOFF.items():
            ours = value(
                ranx_name.format(k), measure and measure.format(k), result and result.format(k)
            )
            if recbole is not None:
                theirs = recbole_at(recbole, hits[:k], len(relevant))
                if name == "map":  # It divides by min(k, relevant).
                    theirs *= min(k, len(relevant)) / len(relevant)
                agree(name, ours, theirs)
            metrics[f"{name}@{k}"] = ours
    return {"list": listed, "relevant": relevant, "metrics": metrics}


def graded_case(rng):
    """A list of 1 to 30 of 40 items, 1 to 8 of them of grades 1 to 4."""
    listed = [int(i) for i in rng.permutation(40)[: rng.integers(1, 31)]]
    graded = rng.choice(40, rng.integers(1, 9), replace=False)
    grades = {str(i): int(rng.integers(1, 5)) for i in graded}
    run = {"user": {str(i): 1.0 - n / 100 for n, i in enumerate(listed)}}
    metrics = {}
    for k in CUTOFFS:
        for name, ranx_name in [("linear", "ndcg"), ("exponential", "ndcg_burges")]:
            metrics[f"{name}@{k}"] = float(
                evaluate(Qrels({"user": grades}), Run(run), f"{ranx_name}@{k}")
            )
        evaluator = pytrec_eval.RelevanceEvaluator({"user": grades}, {f"ndcg_cut.{k}"})
        theirs = evaluator.evaluate(run)["user"][f"ndcg_cut_{k}"]
        agree("graded ndcg", metrics[f"linear@{k}"], theirs)
        if k <= len(listed):
            # Items that aren't listed tie below all that are.
            truth = [[grades.get(str(i), 0) for i in range(40)]]
            scores = [[run["user"].get(str(i), 0.0) for i in range(40)]]
            theirs = ndcg_score(truth, scores, k=k)
            agree("graded ndcg", metrics[f"linear@{k}"], theirs)
    return {"list": listed, "grades": grades, "metrics": metrics}


def auc_case(rng):
    """Scores with many ties."""
    scores = rng.integers(0, 8, 30).astype(float)
    relevant = np.arange(30) < rng.integers(1, 6)
    auc = float(roc_auc_score(relevant, scores))
    rank_sum = scipy.stats.rankdata(-scores)[relevant].sum()
    gauc = RECBOLE.GAUC.metric_info(
        None, np.array([[rank_sum]]), np.array([30]), np.array([relevant.sum()])
    )
    agree("auc", auc, gauc)
    return {"relevant": scores[relevant].tolist(), "others": scores[~relevant].tolist(), "auc": auc}


def exposure_case(rng):
    """20 lists of 5 of 50 items, some far likelier than others."""
    weights = rng.exponential(size=50) ** 3
    p = weights / weights.sum()
    lists = np.array([rng.choice(50, 5, replace=False, p=p) for _ in range(20)])
    counts = np.bincount(lists.ravel(), minlength=50)
    entropy = float(scipy.stats.entropy(counts))
    theirs = RECBOLE.ShannonEntropy.get_entropy(None, lists)
    agree("entropy", entropy, theirs * np.count_nonzero(counts))
    return {
        "items": 50,
        "lists": lists.tolist(),
        "coverage": float(RECBOLE.ItemCoverage.get_coverage(None, lists, 50)),
        "gini": float(RECBOLE.GiniIndex.get_gini(None, lists, 50)),
        "entropy": entropy,
    }


def diversity_case(rng):
    """Unit vectors around a common direction."""
    vectors = (rng.normal(size=(6, 8)) + 0.5).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {
        "embeddings": vectors.tolist(),
        "diversity": float(pdist(vectors.astype(float), "cosine").mean()),
    }


def divergence_case(rng):
    """A user's shares and those of five items."""
    shares, items = rng.dirichlet(np.ones(4)), rng.dirichlet(np.full(4, 0.3), 5)
    smoothed = 0.99 * items.mean(axis=0) + 0.01 * shares
    return {
        "shares": shares.tolist(),
        "list": items.tolist(),
        "smoothing": 0.01,
        "divergence": float(scipy.stats.entropy(shares, smoothed)),
    }


def uniformity_case(rng):
    """Values of [0, 1] that are nearly uniform."""
    values = np.round(rng.beta(1.0, rng.uniform(0.8, 1.2), 150), 6)
    test = scipy.stats.kstest(values, "uniform", method="asymp")
    return {
        "values": values.tolist(),
        "statistic": float(test.statistic),
        "p_value": float(test.pvalue),
    }


def group_case(rng):
    """Users of four groups, some without a value, the last group of one user."""
    groups = [*rng.integers(0, 3, 30).tolist(), 3]
    values = [None if rng.uniform() < 0.2 else round(rng.uniform(), 6) for _ in groups[:-1]]
    values.append(0.5)
    frame = pd.DataFrame({"group": groups, "value": pd.Series(values, dtype=float)})
    by_group = frame.groupby("group")["value"].agg(["count", "mean", "sem"])
    return {
        "values": values,
        "groups": groups,
        "count": by_group["count"].tolist(),
        "mean": by_group["mean"].tolist(),
        "standard_error": [None if math.isnan(e) else e for e in by_group["sem"]],
    }


def randomization_case(rng):
    """Ten users, so that all 1,024 assignments of signs are enumerated; ties among the sums."""
    first, second = np.round(rng.uniform(size=(2, 10)), 1)
    first += 0.1
    test = scipy.stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.abs(np.round((a - b).sum(axis), 9)),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2000,
        alternative="greater",
    )
    return {"first": first.tolist(), "second": second.tolist(), "p_value": float(test.pvalue)}


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
    cases = {
        "rankings": (ranking_case, 40),
        "calibrations": (calibration_case, 3),
        "graded": (graded_case, 20),
        "aucs": (auc_case, 10),
        "exposures": (exposure_case, 3),
        "diversities": (diversity_case, 3),
        "divergences": (divergence_case, 3),
        "uniformities": (uniformity_case, 3),
        "groups": (group_case, 3),
        "randomizations": (randomization_case, 5),
    }
    versions = {"python": platform.python_version()}
    versions |= {package: version(package) for package in PACKAGES}
    sections = ['"versions": ' + json.dumps(versions)]
    for name, (case, count) in cases.items():
        lines = ",\n".join(json.dumps(case(rng)) for _ in range(count))
        sections.append(f'"{name}": [\n{lines}\n]')
    print("{\n" + ",\n".join(sections) + "\n}")


if __name__ == "__main__":
    main()
