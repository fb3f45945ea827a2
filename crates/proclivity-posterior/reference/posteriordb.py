"""Reference draws of linear regressions from posteriordb, reweighted to a normal-inverse-gamma prior.

    python posteriordb.py <a checkout of github.com/stan-dev/posteriordb> > posteriordb.json

posteriordb's priors aren't conjugate (flat or normal coefficients, flat or half-Cauchy or half-normal
noise), so every draw gets the weight p_ours(beta, sigma) / p_theirs(beta, sigma), and the weighted draws
are the posterior under our prior. Where there is an intercept, columns are standardised first (and
draws transformed along), so that one prior fits all. What is written is the Gram matrix of [1 X y] and summaries of draws; the data and
the draws stay where they are.
"""

import io
import json
import math
import subprocess
import sys
import zipfile

import numpy as np

# Coefficients ~ N(0, sigma^2 / PRECISION), sigma^2 ~ inverse gamma(SHAPE, RATE), in standard units.
PRECISION, SHAPE, RATE = 0.01, 1.0, 0.5
PROBABILITIES = [0.05, 0.25, 0.5, 0.75, 0.95]


def normal(value, mean, sd):
    return -0.5 * ((value - mean) / sd) ** 2 - math.log(sd)


def flat(coefficients, sigma):
    return np.zeros(len(sigma))


POSTERIORS = {
    # name: (data set, target, columns, whether there is an intercept, log prior of posteriordb's model)
    "kidiq-kidscore_momiq": (
        "kidiq", "kid_score", ["mom_iq"], True,
        lambda coefficients, sigma: -np.log1p((sigma / 2.5) ** 2),
    ),
    "mesquite-mesquite": (
        "mesquite", "weight",
        ["diam1", "diam2", "canopy_height", "total_height", "density", "group"], True, flat,
    ),
    "sblrc-blr": (
        "sblrc", "y", "X", False,
        lambda coefficients, sigma: normal(coefficients, 0, 10).sum(1) + normal(sigma, 0, 10),
    ),
}


def show(root, path):
    return subprocess.run(["git", "-C", root, "show", f"HEAD:posterior_database/{path}"],
                          check=True, capture_output=True).stdout


def unzipped(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    return json.loads(archive.read(archive.namelist()[0]))


def summary(values, weights):
    mean = weights @ values
    sd = math.sqrt(weights @ (values - mean) ** 2)
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - weights[order] / 2
    quantiles = np.interp(PROBABILITIES, below, values[order])
    # Delta method for self-normalised importance weights; the draws are thinned to independence.
    error = lambda influence: math.sqrt(np.sum((weights * influence) ** 2))
    return {
        "mean": mean, "mean_mcse": error(values - mean),
        "sd": sd, "sd_mcse": error((values - mean) ** 2 - sd**2) / (2 * sd),
        "quantiles": quantiles.tolist(),
        # Of the probability at a quantile, which needs no density.
        "probability_mcse": [error((values <= q) - p) for p, q in zip(PROBABILITIES, quantiles)],
    }


def main(root):
    commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], check=True,
                            capture_output=True, text=True).stdout.strip()
    posteriors = {}
    for name, (data, target, columns, intercept, log_prior) in POSTERIORS.items():
        table = unzipped(show(root, f"data/data/{data}.json.zip"))
        y = np.array(table[target], float)
        x = (np.array(table[columns], float) if isinstance(columns, str)
             else np.array([table[column] for column in columns], float).T)
        chains = unzipped(show(root, f"reference_posteriors/draws/draws/{name}.json.zip"))
        draws = {key: np.concatenate([np.array(chain[key]) for chain in chains]) for key in chains[0]}
        count = x.shape[1] + int(intercept)
        coefficients = np.array([draws[f"beta[{index + 1}]"] for index in range(count)]).T
        sigma = draws["sigma"]
        theirs = log_prior(coefficients, sigma)
        # Standard units; what was simulated without an intercept, with a noise of 1, has them.
        centre = x.mean(0) if intercept else np.zeros(x.shape[1])
        y_centre = y.mean() if intercept else 0.0
        scale, y_scale = (x.std(0), y.std()) if intercept else (np.ones(x.shape[1]), 1.0)
        slopes = coefficients[:, int(intercept):]
        standard = slopes * scale / y_scale
        x = (x - centre) / scale
        if intercept:
            constant = (coefficients[:, 0] + slopes @ centre - y_centre) / y_scale
            standard = np.column_stack([constant, standard])
            x = np.column_stack([np.ones(len(y)), x])
        y, sigma = (y - y_centre) / y_scale, sigma / y_scale
        variance = sigma**2
        ours = (-0.5 * PRECISION * (standard**2).sum(1) / variance - count / 2 * np.log(variance)
                - (SHAPE + 1) * np.log(variance) - RATE / variance + np.log(sigma))
        weights = np.exp(ours - theirs - (ours - theirs).max())
        weights /= weights.sum()
        table = np.column_stack([x, y])
        posteriors[name] = {
            "events": len(y),
            "gram": (table.T @ table).tolist(),
            "draws": len(sigma), "effective_draws": 1 / np.sum(weights**2),
            "coefficients": [summary(column, weights) for column in standard.T],
            "noise_variance": summary(variance, weights),
        }
    json.dump({
        "source": "posteriordb, github.com/stan-dev/posteriordb, reference draws of Stan",
        "licence": "BSD-3-Clause", "commit": commit,
        "prior": {"precision": PRECISION, "shape": SHAPE, "rate": RATE},
        "probabilities": PROBABILITIES, "posteriors": posteriors,
    }, sys.stdout, indent=1)
    print()


main(sys.argv[1])
