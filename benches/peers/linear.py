"""Fits the linear model of two timescales with NumPy, SciPy and OpenBLAS, as one would there.

    python3 benches/peers/linear.py LOG [cho|solve] [double|single] [pairs|sparse] [WEIGHTS]

LOG has lines `user item` in order of time; ids count from 1; the last two events of a user are held
out, as in the example `linear_scale`, whose numbers are printed under the same names. There is no
kernel: run the example without embeddings. `pairs` sums XᵀX by the distance of two events, which is
how the Rust code does it and the fastest way we found in NumPy; `sparse` multiplies SciPy's sparse
matrices, which is what one would write first. WEIGHTS is where they are written, raw f64, for the
example to compare with. Prints one JSON line.
"""

import json
import sys
import time
from collections import defaultdict

import numpy as np
import scipy.linalg
import scipy.sparse

SCALES = [(0.8, 30, 200.0), (0.97, 50, 4000.0)]


def read(path):
    users = defaultdict(list)
    for line in open(path):
        user, *items = line.split()
        users[int(user)] += [int(item) - 1 for item in items]
    return [items for _, items in sorted(users.items()) if len(items) > 2]


def by_sparse_products(sequences, items):
    blocks, targets = [[] for _ in SCALES], []
    first = 0
    for sequence in sequences:
        rows = len(sequence) - 1
        sequence = np.asarray(sequence)
        for block, (decay, window, _) in zip(blocks, SCALES):
            for age in range(min(window, rows)):
                row = np.arange(age, rows)
                block.append((row + first, sequence[: rows - age], np.full(rows - age, decay**age)))
        targets.append(sequence[1:])
        first += rows
    x = []
    for block in blocks:
        row, column, value = (np.concatenate(part) for part in zip(*block))
        x.append(scipy.sparse.csr_matrix((value, (row, column)), shape=(first, items)))
    x = scipy.sparse.hstack(x).tocsr()
    targets = np.concatenate(targets)
    y = scipy.sparse.csr_matrix((np.ones(first), (np.arange(first), targets)), shape=(first, items))
    return (x.T @ x).toarray(), (x.T @ y).toarray()


def by_pairs(sequences, items):
    """Concatenated sequences; pairs at one distance at a time, with np.add.at."""
    events = np.concatenate([np.asarray(s) for s in sequences])
    lengths = np.array([len(s) for s in sequences])
    # How many rows are left from each event to the last one that has a row.
    left = np.concatenate([np.arange(n - 1, -1, -1) for n in lengths])
    features = len(SCALES) * items
    gram, cross = np.zeros((features, features)), np.zeros((features, items))
    for a, (fast, fast_window, _) in enumerate(SCALES):
        for gap in range(1, fast_window + 1):
            here = np.flatnonzero(left[:-gap] >= gap)
            at = (events[here] + a * items) * items + events[here + gap]
            np.add.at(cross.reshape(-1), at, fast ** (gap - 1))
        for b, (slow, slow_window, _) in list(enumerate(SCALES))[a:]:
            for gap in range(-slow_window + 1, fast_window):
                if a == b and gap < 0:
                    continue
                ahead, behind = max(gap, 0), max(-gap, 0)
                # The later of the two events is at `late`, and has `left[late]` rows from it on.
                late = np.flatnonzero(left > 0)
                late = late[late >= abs(gap)]
                late = late[left[late - abs(gap)] == left[late] + abs(gap)]
                most = min(fast_window - ahead, slow_window - behind)
                ratio = fast * slow
                sums = fast**ahead * slow**behind * np.cumsum(ratio ** np.arange(most))
                value = sums[np.minimum(left[late], most) - 1]
                if a == b and gap == 0:
                    value = value / 2  # a block is added to its transpose in the end
                i, j = events[late - ahead], events[late - behind]
                np.add.at(gram.reshape(-1), (i + a * items) * features + j + b * items, value)
    # Each pair was added once, in one of its two places.
    for a in range(len(SCALES)):
        own = gram[a * items : (a + 1) * items, a * items : (a + 1) * items]
        own += own.T.copy()
        for b in range(a):
            own_below = slice(a * items, (a + 1) * items), slice(b * items, (b + 1) * items)
            gram[own_below] = gram[own_below[::-1]].T
    return gram, cross


def main():
    path, how, precision, way = (sys.argv[1:5] + ["cho", "double", "pairs"][len(sys.argv) - 2 :])[:4]
    users = read(path)
    items = max(map(max, users)) + 1
    sequences = [u[:-2] for u in users]
    dtype = {"double": np.float64, "single": np.float32}[precision]
    start = time.perf_counter()
    gram, cross = {"pairs": by_pairs, "sparse": by_sparse_products}[way](sequences, items)
    counted = time.perf_counter()
    ridge = np.repeat([r for _, _, r in SCALES], items)
    gram[np.diag_indices_from(gram)] += ridge
    gram, cross = gram.astype(dtype, copy=False), cross.astype(dtype, copy=False)
    if how == "cho":
        factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        weights = scipy.linalg.cho_solve(factor, cross, overwrite_b=True, check_finite=False)
    else:
        weights = np.linalg.solve(gram, cross)
    end = time.perf_counter()
    history, score = [1, 2, 3, 4, 5, 6, 7, 8, 9], 0.0
    for block, (decay, window, _) in enumerate(SCALES):
        for age, item in enumerate(history[::-1][:window]):
            score += decay**age * float(weights[block * items + item, 0])
    if len(sys.argv) > 5:
        weights.astype(np.float64).tofile(sys.argv[5])
    report = {
        "items": items, "users": len(users), "events": sum(map(len, sequences)),
        "statistic_seconds": counted - start, "solve_seconds": end - counted, "seconds": end - start,
        "score_of_0_after_1_to_9": score,
    }
    print(json.dumps(report))


main()
