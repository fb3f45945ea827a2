"""Pareto-smoothed importance weights by ArviZ, for tests/hypotheses_monte_carlo.rs.

Run once with Python 3, arviz 0.23.4, numpy 2.4.6 and scipy 1.17.1:
    python reference/psis.py > reference/psis.json
"""
import json
import sys

import arviz
import numpy
import scipy

rng = numpy.random.default_rng(20240601)
inputs = {
    "light tail": rng.normal(size=200),
    "heavy tail": 1.5 * rng.standard_exponential(size=400),
    "very heavy tail": 4.0 * rng.standard_exponential(size=100),
    "bounded": numpy.log(rng.uniform(0.5, 1.0, size=300)),
    "far below zero": rng.normal(size=150) - 5000.0,
    "few draws": rng.normal(size=30),
    "too few for a tail": rng.normal(size=12),
    "ties": numpy.round(2.0 * rng.normal(size=120)) / 2.0,
}
cases = []
for name, log_weights in inputs.items():
    smoothed, shape = arviz.psislw(log_weights.copy(), reff=1.0)
    shape = float(shape)
    cases.append(
        {
            "name": name,
            "log_weights": log_weights.tolist(),
            "smoothed": numpy.asarray(smoothed).tolist(),
            "shape": shape if numpy.isfinite(shape) else None,
        }
    )
json.dump(
    {
        "versions": {
            "arviz": arviz.__version__,
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
        "cases": cases,
    },
    sys.stdout,
)
