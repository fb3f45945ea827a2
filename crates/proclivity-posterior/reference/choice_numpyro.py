"""Softmax choices and a mixture of two interests by NumPyro's NUTS, on a fixed small data set.

    pip install numpyro==0.22.0 jax==0.10.2
    python choice_numpyro.py > choice_numpyro.json

The data set is written along, and of the mixture only what doesn't depend on labels. An error (mcse) is
sd / sqrt(effective sample size).
"""

import json
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS

numpyro.enable_x64()
numpyro.set_host_device_count(2)

EVENTS, CHOICES, DIM, PRIOR_SD, CONCENTRATION = 14, 4, 2, 1.5, 2.0
INTERESTS = np.array([[2.0, 0.5], [-1.5, 1.5]])


def data():
    rng = np.random.default_rng(20261124)
    features = np.round(rng.normal(size=(EVENTS, CHOICES, DIM)), 3)
    offsets = np.round(rng.normal(size=(EVENTS, CHOICES)) * 0.5, 3)
    scores = np.einsum("ncd,nd->nc", features, INTERESTS[np.arange(EVENTS) % 2]) + offsets
    chosen = (scores + rng.gumbel(size=scores.shape)).argmax(1)
    return features, offsets, chosen, np.round(rng.normal(size=(CHOICES, DIM)), 3)


def log_probs(theta, features, offsets):
    return jax.nn.log_softmax(features @ theta + offsets, axis=-1)


def chosen_log_probs(theta, features, offsets, chosen):
    return jnp.take_along_axis(log_probs(theta, features, offsets), chosen[:, None], 1)[:, 0]


def choice(features, offsets, chosen, shown):
    theta = numpyro.sample("theta", dist.Normal(0.0, PRIOR_SD).expand([DIM]).to_event(1))
    numpyro.factor("events", chosen_log_probs(theta, features, offsets, chosen).sum())
    numpyro.deterministic("predictive", jnp.exp(log_probs(theta, shown, jnp.zeros(CHOICES))))


def mixture(features, offsets, chosen, shown):
    shares = numpyro.sample("shares", dist.Dirichlet(jnp.full(2, CONCENTRATION / 2)))
    prior = dist.Normal(0.0, PRIOR_SD).expand([2, DIM]).to_event(2)
    thetas = numpyro.sample("thetas", prior)
    each = jax.vmap(lambda theta: chosen_log_probs(theta, features, offsets, chosen))(thetas)
    joint = each + jnp.log(shares)[:, None]
    evidence = logsumexp(joint, axis=0)
    numpyro.factor("events", evidence.sum())
    # Assignments are independent given shares and thetas.
    log_owner = joint - evidence
    owner = jnp.exp(log_owner)
    numpyro.deterministic("co_clustering", owner.T @ owner)
    numpyro.deterministic("one_interest", jnp.exp(log_owner.sum(1)).sum())
    shown_probs = jax.vmap(lambda theta: jnp.exp(log_probs(theta, shown, jnp.zeros(CHOICES))))(thetas)
    numpyro.deterministic("predictive", shares @ shown_probs)


def summary(draws):
    """Of `[chains, draws, ...]`."""
    mean, sd = draws.mean((0, 1)), draws.std((0, 1))
    ess = effective_sample_size(draws)
    return {"mean": mean.tolist(), "sd": sd.tolist(), "mcse": (sd / np.sqrt(ess)).tolist()}


def run(model, names, seed, data, draws):
    sampler = MCMC(NUTS(model, target_accept_prob=0.9), num_warmup=1000, num_samples=draws,
                   num_chains=4, chain_method="parallel" if jax.device_count() >= 4 else "sequential",
                   progress_bar=False)
    sampler.run(jax.random.PRNGKey(seed), *data)
    samples = {name: np.asarray(value)
               for name, value in sampler.get_samples(group_by_chain=True).items() if name in names}
    diagonal = np.eye(EVENTS, dtype=bool)
    result = {}
    for name, draws in samples.items():
        if name == "co_clustering":
            draws = draws[:, :, ~diagonal]  # row by row, without the diagonal
        result[name] = summary(draws) | {"r_hat": float(np.max(split_gelman_rubin(draws)))}
    if "theta" in samples:
        flat = samples["theta"].reshape(-1, DIM)
        result["theta"]["covariance"] = np.cov(flat.T).tolist()
    divergent = int(sampler.get_extra_fields().get("diverging", np.zeros(1)).sum())
    return result | {"divergent": divergent}


features, offsets, chosen, shown = data()
inputs = tuple(map(jnp.asarray, (features, offsets, chosen, shown)))
json.dump({
    "source": "choice_numpyro.py",
    "versions": {"numpyro": numpyro.__version__, "jax": jax.__version__, "numpy": np.__version__},
    "prior_sd": PRIOR_SD, "concentration": CONCENTRATION,
    "features": features.tolist(), "offsets": offsets.tolist(), "chosen": chosen.tolist(),
    "shown": shown.tolist(),
    "choice": run(choice, {"theta", "predictive"}, 1, inputs, 10_000),
    "mixture": run(mixture, {"co_clustering", "one_interest", "predictive"}, 2, inputs, 10_000),
}, sys.stdout)
print()
