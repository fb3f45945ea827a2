"""Embeds texts with sentence-transformers or ONNX Runtime when the bench `embed_peers` says so.

    pip install torch==2.9.0 transformers==4.57.6 sentence-transformers==5.1.2 onnxruntime==1.32.0 onnx==1.23.2
    python3 benches/peers/embed.py sentence-transformers|onnxruntime MODEL

Reads JSON lines (texts, query, batch size and threads first, then what to do) and answers each with
one line. Everything in f32, texts sorted by length.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


class SentenceTransformers:
    def __init__(self, model, threads):
        import sentence_transformers
        import torch

        torch.set_num_threads(threads)
        self.model = sentence_transformers.SentenceTransformer(model, device="cpu")
        self.name = f"sentence-transformers {sentence_transformers.__version__}, PyTorch {torch.__version__}"

    def embed(self, texts, batch):
        return self.model.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)


class OnnxRuntime:
    def __init__(self, model, threads):
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(export(model), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
        self.tokenizer.enable_truncation(256)
        self.tokenizer.enable_padding()
        self.name = f"ONNX Runtime {onnxruntime.__version__}"

    def embed(self, texts, batch):
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        vectors = [None] * len(texts)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            encodings = self.tokenizer.encode_batch([texts[index] for index in chosen])
            ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
            mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            hidden = self.session.run(None, inputs)[0]
            weights = mask[:, :, None].astype(np.float32)
            mean = (hidden * weights).sum(1) / weights.sum(1)
            for index, vector in zip(chosen, mean / np.linalg.norm(mean, axis=1, keepdims=True)):
                vectors[index] = vector
        return np.stack(vectors)


def export(model):
    """The network as ONNX, of any batch size and length; optimized by the session itself."""
    import torch
    from transformers import AutoModel

    network = AutoModel.from_pretrained(model, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 8, dtype=torch.long)
    axes = {name: {0: "batch", 1: "length"} for name in names + ["last_hidden_state"]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            network, (example, example, torch.zeros_like(example)), str(path), dynamo=False,
            input_names=names, output_names=["last_hidden_state"], dynamic_axes=axes, opset_version=17,
        )
        return path.read_bytes()


def main(library, model):
    answers, sys.stdout = sys.stdout, sys.stderr
    given = json.loads(sys.stdin.readline())
    peers = {"sentence-transformers": SentenceTransformers, "onnxruntime": OnnxRuntime}
    peer = peers[library](model, given["threads"])
    answer = peer.name
    while True:
        print(json.dumps(answer), file=answers, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        task = json.loads(line)
        if task["do"] == "embed":
            start, computed = time.perf_counter(), time.process_time()
            peer.embed(given["texts"], given["batch"])
            answer = [time.perf_counter() - start, time.process_time() - computed]
        elif task["do"] == "vectors":
            answer = peer.embed(given["texts"], given["batch"]).ravel().tolist()
        else:
            answer = []
            for _ in range(task["count"]):
                start = time.perf_counter()
                peer.embed([given["query"]], 1)
                answer.append(time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
