"""Times a training step of a next-item transformer in PyTorch, as one would write it there.

    python3 benches/peers/train_step.py [--steps N] [--threads N]

64 users of 128 items, 3,417 items in all, width 128, two pre-norm blocks, two heads, feed-forward
256, dropout, the full softmax, AdamW, the gradient's norm clipped. Prints one JSON line.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[2] / "crates/proclivity-encoder/reference"))
from training import NextItem  # noqa: E402


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=2)
    arguments = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    model = NextItem(3417, 128, 2, 2, 256, 200, dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    seconds = []
    for _ in range(arguments.steps + 1):
        sequences = torch.randint(0, 3417, (64, 129))
        start = time.perf_counter()
        logits = model.logits(model(sequences[:, :-1]))
        loss = F.cross_entropy(logits.flatten(0, 1), sequences[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - start)
    # The first step allocates.
    print(json.dumps({"peer": f"torch {torch.__version__}", "seconds": seconds[1:]}))


if __name__ == "__main__":
    main()
