"""Fits next-step with NumPy and SciPy's sparse matrices, as one would there.

    python3 benches/peers/next_step.py FILE

FILE has lines of `user item item …`, items from 1. The same counts as ours in its default
configuration: a window of 30 steps, each further one times 0.8, what came before by half, no item
after itself, and the totals of rows for a kernel of 50 neighbors, whose smoothing stays lazy. Prints
one JSON line.
"""

import json
import resource
import sys
import time

import numpy as np
import scipy
import scipy.sparse as sp

WINDOW, STEP_DECAY, SYMMETRIC_SHARE, SMOOTHING, NEIGHBORS = 30, 0.8, 0.5, 0.5, 50


def count(items, users, item_count):
    """C[i, j] sums decay^(d − 1) over each j that came d steps after i in one sequence."""
    counts = sp.csr_array((item_count, item_count))
    for distance in range(1, WINDOW + 1):
        same = users[distance:] == users[:-distance]
        before, after = items[:-distance][same], items[distance:][same]
        other = before != after
        before, after = before[other], after[other]
        weights = np.full(len(before), STEP_DECAY ** (distance - 1))
        counts = counts + sp.coo_array((weights, (before, after)), shape=counts.shape).tocsr()
    return (counts + SYMMETRIC_SHARE * counts.T).tocsr()


def main(path):
    sequences = [np.array(line.split()[1:], dtype=np.int64) - 1 for line in open(path)]
    items = np.concatenate(sequences)
    users = np.repeat(np.arange(len(sequences)), [len(sequence) for sequence in sequences])
    item_count = int(items.max()) + 1
    rng = np.random.default_rng(1)
    near = rng.integers(0, item_count, (item_count, NEIGHBORS))
    kernel = sp.csr_array(
        (np.full(near.size, 1 / NEIGHBORS), near.ravel(), np.arange(item_count + 1) * NEIGHBORS),
        shape=(item_count, item_count),
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        counts = count(items, users, item_count)
        own = counts.sum(axis=1)
        totals = own + SMOOTHING * (kernel @ own)
        popularity = np.bincount(items, minlength=item_count) + 100 / item_count
        popularity = popularity / popularity.sum()
        seconds.append(time.perf_counter() - start)
    assert np.isfinite(totals).all() and abs(popularity.sum() - 1) < 1e-9
    print(json.dumps({
        "peer": f"scipy {scipy.__version__}",
        "items": item_count,
        "events": len(items),
        "transitions": int(counts.nnz),
        "fit_seconds": min(seconds),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


if __name__ == "__main__":
    main(sys.argv[1])
