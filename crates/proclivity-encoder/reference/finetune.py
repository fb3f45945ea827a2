"""Makes the reference losses and gradients of the fine-tuning tests with transformers and PyTorch.

    pip install torch==2.9.0 transformers==4.57.* tokenizers safetensors
    python finetune.py

writes tests/fixtures/tuning/: bert/ (a random BertForMaskedLM) and expected.json, whose cases are masked
language modelling (bert/ and encoders/roberta), continued training (tiny-decoders/) and InfoNCE
(tiny-bert), each with its summed loss and, for every tensor, its gradient's norm and sum.

    python finetune.py check DIRECTORY

loads what the test `what_is_saved_loads_elsewhere` has left in DIRECTORY (its environment variable
TUNED) with sentence-transformers and transformers, and compares it with the vectors beside it.
"""

import json
import shutil
import sys
from pathlib import Path

import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, BertConfig, BertForMaskedLM, BertModel

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
OUT = FIXTURES / "tuning"
VERSIONS = {
    "python": sys.version.split()[0],
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "tokenizers": tokenizers.__version__,
}


def gradients(model):
    """Norm and sum of each tensor's gradient, under its name in the checkpoint."""
    out = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            gradient = parameter.grad.double()
            out[name] = [float(gradient.norm()), float(gradient.sum())]
    return out


def padded(texts):
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    return ids, mask


def masked(directory, texts, targets):
    """`targets`: for each text the places to predict and the tokens that stood there."""
    model = AutoModelForMaskedLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    ids, mask = padded(texts)
    labels = torch.full_like(ids, -100)
    for row, pairs in enumerate(targets):
        for place, token in pairs:
            labels[row, place] = token
    logits = model(input_ids=ids, attention_mask=mask).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    # As the model counts it: the mean.
    mean = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    assert abs(mean * sum(map(len, targets)) - loss) < 1e-3
    loss.backward()
    return {"texts": texts, "targets": targets, "loss": float(loss), "gradients": gradients(model)}


def causal(directory, texts):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    ids, mask = padded(texts)
    labels = ids.masked_fill(mask == 0, -100)
    mean = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss = mean * sum(len(text) - 1 for text in texts)
    loss.backward()
    return {"texts": texts, "loss": float(loss), "gradients": gradients(model)}


def info_nce(directory, texts, windows, temperature, decay):
    """The symmetric loss of windows of texts; each text but a window's first follows those before it."""
    model = BertModel.from_pretrained(directory, add_pooling_layer=False, attn_implementation="eager").eval()
    ids, mask = padded(texts)
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    embedded = torch.nn.functional.normalize(pooled, dim=1)
    pairs = [(window, at) for window in windows for at in range(1, len(window))]
    queries = []
    for window, at in pairs:
        query = sum(decay ** (at - 1 - place) * embedded[window[place]] for place in range(at))
        queries.append(torch.nn.functional.normalize(query, dim=0))
    queries = torch.stack(queries)
    scores = queries @ embedded.T / temperature
    loss = 0
    for row, (window, at) in enumerate(pairs):
        target = window[at]
        allowed = [text for text in range(len(texts)) if text == target or text not in window]
        loss = loss - scores[row, target] + torch.logsumexp(scores[row, allowed], 0)
        rivals = [other for other, (theirs, _) in enumerate(pairs) if other == row or target not in theirs]
        loss = loss - scores[row, target] + torch.logsumexp(scores[rivals, target], 0)
    loss = loss / 2
    loss.backward()
    return {
        "texts": texts, "windows": windows, "temperature": temperature, "decay": decay,
        "loss": float(loss), "gradients": gradients(model),
    }


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=49, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=24, type_vocab_size=2, initializer_range=0.4,
    )
    model = BertForMaskedLM(config).eval()
    torch.nn.init.normal_(model.cls.predictions.bias)
    model.save_pretrained(OUT / "bert")
    (OUT / "bert" / "generation_config.json").unlink(missing_ok=True)
    shutil.copy(FIXTURES / "tiny-bert" / "tokenizer.json", OUT / "bert" / "tokenizer.json")

    texts = [[2, 5, 4, 7, 9, 3], [2, 4, 11, 4, 3], [2, 5, 6, 12, 13, 30, 3], [2, 31, 3], [2, 7, 8, 9, 10, 11, 12, 4, 14, 15, 3]]
    targets = [[[2, 6]], [[1, 20], [3, 8]], [[4, 13], [5, 31]], [], [[7, 40]]]
    roberta = [[0, 5, 4, 7, 9, 2], [0, 4, 11, 4, 2], [0, 5, 6, 12, 13, 30, 2]]
    windows = [[0, 1, 2], [3, 4], [5, 6]]
    sentences = [[2, 5, 6, 3], [2, 7, 8, 9, 10, 3], [2, 11, 3], [2, 12, 13, 14, 15, 16, 3], [2, 17, 18, 3], [2, 19, 20, 3], [2, 21, 3]]
    sequences = [[0, 9, 31, 75, 12, 30, 8], [0, 41, 19, 17], [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1]]
    expected = {
        "versions": VERSIONS,
        "masked": {
            "tuning/bert": masked(OUT / "bert", texts, targets),
            "encoders/roberta": masked(FIXTURES / "encoders" / "roberta", roberta, [[[2, 6]], [[1, 20], [3, 8]], [[5, 30]]]),
        },
        "causal": {
            name: causal(FIXTURES / "tiny-decoders" / name, sequences)
            for name in ["llama", "llama3", "linear", "qwen2", "qwen3"]
        },
        "info_nce": {"tiny-bert": info_nce(FIXTURES / "tiny-bert", sentences, windows, 0.1, 0.7)},
    }
    (OUT / "expected.json").write_text(json.dumps(expected))


def check(directory):
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerFast

    for kind in ["encoder", "minilm"]:
        path = directory / kind
        if not path.exists():
            continue
        wanted = json.loads((directory / f"{kind}.json").read_text())
        model = SentenceTransformer(str(path), device="cpu")
        vectors = model.encode(wanted["texts"], normalize_embeddings=True, convert_to_numpy=True)
        difference = abs(torch.tensor(vectors) - torch.tensor(wanted["vectors"])).max().item()
        print(f"{kind}: sentence-transformers' vectors differ by {difference:.1e} at most")
        assert difference < 1e-5
    path = directory / "decoder"
    wanted = json.loads((directory / "decoder.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    for text, loss in zip(wanted["texts"], wanted["losses"]):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        if ids[0, -1] != wanted["end"]:
            ids = torch.cat([ids, torch.tensor([[wanted["end"]]])], 1)
        with torch.no_grad():
            difference = abs(model(input_ids=ids, labels=ids).loss.item() - loss)
        print(f"decoder: transformers' loss of {text!r} differs by {difference:.1e}")
        assert difference < 1e-4


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(Path(sys.argv[2]))
    else:
        main()
