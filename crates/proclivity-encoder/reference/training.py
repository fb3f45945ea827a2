"""Writes tests/fixtures/tiny-next-item: a tiny next-item model's initial weights, and what PyTorch
makes of them in 50 steps.

    python3 crates/proclivity-encoder/reference/training.py

The model is written out here as a PyTorch user would write it. Each step is on all sequences:
AdamW, the gradient's norm clipped, a warm-up and half a cosine. Versions are recorded in the file.
"""

import json
import math
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

ITEMS, WIDTH, BLOCKS, HEADS, FEED_FORWARD, LENGTH = 40, 16, 2, 2, 24, 12
STEPS, RATE, WARM_UP, NORM = 50, 0.01, 0.2, 0.5
OUT = Path(__file__).parents[1] / "tests/fixtures/tiny-next-item"


class Block(nn.Module):
    def __init__(self, width, heads, feed_forward, dropout=0.0):
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, feed_forward)
        self.down = nn.Linear(feed_forward, width)

    def forward(self, x):
        rows, length, width = x.shape
        parts = self.query_key_value(self.attention_norm(x))
        parts = parts.view(rows, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.drop(self.output(attended.transpose(1, 2).reshape(rows, length, width)))
        return x + self.drop(self.down(F.gelu(self.up(self.feed_forward_norm(x)))))


class NextItem(nn.Module):
    def __init__(self, items, width, blocks, heads, feed_forward, length, dropout=0.0):
        super().__init__()
        self.items = nn.Parameter(torch.randn(items, width) / math.sqrt(width))
        self.positions = nn.Parameter(torch.randn(length, width) * 0.1)
        self.bias = nn.Parameter(torch.full((items,), -math.log(items)))
        self.blocks = nn.ModuleList(
            Block(width, heads, feed_forward, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, items):
        """Final hidden states of [rows, length] items."""
        x = self.items[items] * math.sqrt(self.items.shape[1]) + self.positions[:items.shape[1]]
        x = self.drop(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def logits(self, hidden):
        return hidden @ self.items.T + self.bias


def share(step):
    done, warm_up = step + 1, WARM_UP * STEPS
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (STEPS - warm_up)))


def in_our_layout(model):
    """Our names, and matrices from their inputs to their outputs."""
    tensors = {}
    for name, value in model.state_dict().items():
        if name.endswith(".weight") and value.dim() == 2:
            value = value.T
        if "norm." in name:
            name = name.replace(".weight", ".gamma").replace(".bias", ".beta")
        tensors[name] = value.contiguous().clone()
    return tensors


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    sequences = []
    for _ in range(30):
        # A walk, so that there is something to learn.
        length, at = int(rng.integers(2, LENGTH + 2)), int(rng.integers(ITEMS))
        walk = []
        for _ in range(length):
            walk.append(at)
            at = (at + int(rng.choice([1, 2, 7]))) % ITEMS
        sequences.append(walk)
    model = NextItem(ITEMS, WIDTH, BLOCKS, HEADS, FEED_FORWARD, LENGTH)
    OUT.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(in_our_layout(model), OUT / "model.safetensors")
    config = {
        "model_type": "proclivity-next-item", "version": 1, "items": ITEMS,
        "model": {
            "width": WIDTH, "blocks": BLOCKS, "heads": HEADS, "feed_forward": FEED_FORWARD,
            "length": LENGTH, "dropout": 0.0, "interests": 1, "combine": "max",
        },
    }
    (OUT / "config.json").write_text(json.dumps(config, indent=2) + "\n")

    rows = torch.zeros(len(sequences), LENGTH, dtype=torch.long)
    targets = torch.full((len(sequences), LENGTH), -100)
    for row, sequence in enumerate(sequences):
        rows[row, :len(sequence) - 1] = torch.tensor(sequence[:-1])
        targets[row, :len(sequence) - 1] = torch.tensor(sequence[1:])
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    losses, norms = [], []
    for _ in range(STEPS):
        logits = model.logits(model(rows))
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), NORM)))
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    history = sequences[0]
    with torch.no_grad():
        after = F.log_softmax(model.logits(model(torch.tensor([history[-LENGTH:]])))[0, -1], -1)
    expected = {
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "steps": STEPS, "learning_rate": RATE, "warm_up": WARM_UP, "gradient_norm": NORM,
        "clipped": sum(norm > NORM for norm in norms),
        "sequences": sequences, "losses": losses, "log_probs": after.tolist(),
    }
    (OUT / "expected.json").write_text(json.dumps(expected) + "\n")
    print(losses[0], losses[-1], "clipped", expected["clipped"])


if __name__ == "__main__":
    main()
