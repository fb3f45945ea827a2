"""The top k by dot product with faiss and NumPy, when the example `scan` of proclivity-rank says so.

    pip install faiss-cpu==1.15.1 numpy==2.4.6
    python3 benches/peers/scan.py ITEMS DIM QUERIES K THREADS

Reads the vectors of items and queries in f32 from standard input, prints its peers' names on one line, and
answers each name it then reads with one line: the seconds and the items found. NumPy's product has no
choice of the k best in its seconds.
"""

import os
import sys
import time

items, dim, queries, k, threads = map(int, sys.argv[1:])
# Both read it when they are imported.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)

import faiss  # noqa: E402
import numpy as np  # noqa: E402

faiss.omp_set_num_threads(threads)


def read(rows):
    values = np.empty((rows, dim), dtype="<f4")
    sys.stdin.buffer.readinto(values)
    return values


vectors, asked = read(items), read(queries)
index = faiss.IndexFlatIP(dim)
index.add(vectors)


def with_faiss():
    return index.search(asked, k)[1], time.perf_counter()


def with_numpy():
    scores = asked @ vectors.T if queries > 1 else (vectors @ asked[0])[None]
    done = time.perf_counter()
    return np.argpartition(scores, items - k, axis=1)[:, items - k :], done


peers = {f"faiss {faiss.__version__}": with_faiss, f"NumPy {np.__version__}": with_numpy}
print(", ".join(peers), flush=True)
for line in sys.stdin.buffer:
    begun = time.perf_counter()
    found, done = peers[line.decode().strip()]()
    print(done - begun, *found.ravel(), flush=True)
