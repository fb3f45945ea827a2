"""Makes the reference vectors of the BERT tests with sentence-transformers and transformers.

    pip install torch==2.9.0 transformers==4.57.* sentence-transformers==5.1.* tokenizers safetensors
    python bert.py MINILM_DIRECTORY

writes tests/fixtures/minilm.json (texts and vectors of the real weights) and tests/fixtures/tiny-bert/
(a random checkpoint with vectors), with the versions used.
"""

import json
import sys
from pathlib import Path

import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel, BertTokenizerFast

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
TEXTS = [
    "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce",
    "Raiders of the Lost Ark (1981)",
    "a",
    "",
    "Someone who likes slow science fiction films and strong coffee.",
    "用户浏览了「35mm 彩色胶卷」。",
    "Fantômas - À l'ombre de la guillotine (1913)",
    "tent 🏕 for two, 1.4 kg; ships to Zürich — today!",
    "UPPER CASE and lower case are one to this model",
    "tabs\tand\nnewlines   and   spaces",
    "0 1 2 3.14 -5 1,000,000",
    "مرحبا بالعالم",
    "long " * 400,
    "the quick brown fox jumps over the lazy dog " * 12,
]
VERSIONS = {
    "python": sys.version.split()[0],
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "sentence_transformers": sentence_transformers.__version__,
    "tokenizers": tokenizers.__version__,
}


def rounded(vectors):
    return [[round(float(x), 7) for x in vector] for vector in vectors]


def minilm(directory):
    model = SentenceTransformer(str(directory), device="cpu")
    vectors = model.encode(TEXTS, normalize_embeddings=True, convert_to_numpy=True)
    fixture = {"versions": VERSIONS, "texts": TEXTS, "vectors": rounded(vectors)}
    (FIXTURES / "minilm.json").write_text(json.dumps(fixture, ensure_ascii=False))


def tiny():
    torch.manual_seed(7)
    directory = FIXTURES / "tiny-bert"
    directory.mkdir(parents=True, exist_ok=True)
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] a film the colour black and white roll camera ##s ##era cam user viewed 35 ##mm , . 胶 卷".split()
    words += [f"w{i}" for i in range(24)]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = BertTokenizerFast(vocab_file=str(directory / "vocab.txt"), do_lower_case=True)
    tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "vocab.txt").unlink()
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=32, max_position_embeddings=24, type_vocab_size=2, initializer_range=0.4,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(directory, safe_serialization=True)
    (directory / "1_Pooling").mkdir(exist_ok=True)
    texts = ["", "a film", "the colour film roll, 35mm", "black and white films .", "胶卷", "user viewed cameras", "zzz", "film " * 60]
    vectors = {}
    for mode in ["mean", "cls"]:
        rows = []
        for text in texts:
            tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=24)
            with torch.no_grad():
                hidden = model(**tokens).last_hidden_state[0]
            vector = hidden[0] if mode == "cls" else hidden.mean(0)
            rows.append(vector / vector.norm())
        vectors[mode] = rounded(rows)
    fixture = {"versions": VERSIONS, "texts": texts, "vectors": vectors}
    (directory / "expected.json").write_text(json.dumps(fixture, ensure_ascii=False))


if __name__ == "__main__":
    minilm(Path(sys.argv[1]))
    tiny()
