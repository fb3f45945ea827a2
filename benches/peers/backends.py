"""Texts per second of sentence-transformers and of this project's backends: the same lines, the same batch
size, alternating, so that what else the machine does hits both.

    cargo build --release -p proclivity-benches --bin backends --features tch
    python benches/peers/backends.py --model models/all-MiniLM-L6-v2 --texts lines.txt \
        --command target/release/backends --backends flex,tch

Needs sentence-transformers and PyTorch. Both sort by length; both have all cores.
"""

import argparse
import json
import statistics
import subprocess
import time

import sentence_transformers
import torch
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--texts", required=True)
parser.add_argument("--command", required=True)
parser.add_argument("--backends", default="flex")
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--rounds", type=int, default=5)
arguments = parser.parse_args()

texts = open(arguments.texts, encoding="utf-8").read().splitlines()
model = sentence_transformers.SentenceTransformer(arguments.model, device="cpu")
name = f"sentence-transformers {sentence_transformers.__version__}"


def peer():
    begun = time.perf_counter()
    model.encode(texts, batch_size=arguments.batch, show_progress_bar=False)
    return len(texts) / (time.perf_counter() - begun)


def ours(backend):
    command = [arguments.command, "--model", arguments.model, "--texts", arguments.texts, "--alone", backend]
    command += ["--batches", str(arguments.batch), "--lengths", "16", "--seconds", "0.1"]
    rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return json.loads(rows[-1])["texts_per_second"]


peer()
rates = {name: []}
for _ in range(arguments.rounds):
    rates[name].append(peer())
    for backend in arguments.backends.split(","):
        rates.setdefault(backend, []).append(ours(backend))
print(f"{name}, transformers {transformers.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads")
for who, measured in rates.items():
    ratio = statistics.median(a / b for a, b in zip(measured, rates[name]))
    each = ", ".join(f"{rate:.0f}" for rate in measured)
    print(f"{who}: {statistics.median(measured):.0f} texts/s ({each}), {ratio:.2f} x")
