"""Makes the tiny random checkpoints of the encoder tests, and their vectors, with sentence-transformers.

    pip install torch==2.9.0 transformers==4.57.* sentence-transformers==5.1.* tokenizers safetensors
    python encoders.py

writes tests/fixtures/encoders/: a directory for each variant, as sentence-transformers saves it, and
expected.json with texts, vectors and the versions used. Weights are stored as f16, and computed with
as f32, to keep the files small.
"""

import json
import shutil
import sys
from pathlib import Path

import sentence_transformers
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, models
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, WordPiece
from transformers import (
    BertConfig,
    BertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    XLMRobertaConfig,
    XLMRobertaModel,
)

OUT = Path(__file__).parent.parent / "tests" / "fixtures" / "encoders"
VERSIONS = {
    "python": sys.version.split()[0],
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "sentence_transformers": sentence_transformers.__version__,
    "tokenizers": tokenizers.__version__,
}
WORDS = "a film the colour black and white roll camera query passage : ##s ##era cam user viewed 35 ##mm , .".split()
TEXTS = [
    "a film",
    "  the colour film roll, 35mm\t",
    "Black and White films .",
    "",
    "user viewed cameras <pad> film [PAD] film",
    "zzz",
    "film camera " * 40,
    "a white roll " * 60,
]
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.4,
}


def word_piece(special, template):
    """A tokenizer with BERT's or MPNet's special tokens."""
    vocabulary = {word: at for at, word in enumerate(special + WORDS)}
    unk = "[UNK]"
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=unk))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(special)
    return finish(tokenizer, template, special, unk)


def byte_level(special, template):
    """RoBERTa's: byte-level BPE, for which white space matters."""
    alphabet = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789.,:<>[]BWPAD") | {"Ġ", "ĉ"})
    merges = [("Ġ", "f"), ("Ġf", "i"), ("Ġfi", "l"), ("Ġfil", "m"), ("c", "a"), ("ca", "m"), ("w", "h"), ("Ġ", "t")]
    words = special + alphabet + [left + right for left, right in merges]
    tokenizer = Tokenizer(BPE({word: at for at, word in enumerate(words)}, merges, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    return finish(tokenizer, template, special, "<unk>")


def finish(tokenizer, template, special, unk):
    first, last = template
    ids = [(token, tokenizer.token_to_id(token)) for token in template]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ids)
    pad = "[PAD]" if "[PAD]" in special else "<pad>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=unk, pad_token=pad, cls_token=first, sep_token=last, bos_token=first, eos_token=last
    )


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
MPNET = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]


def transformer(model, tokenizer, max_seq_length, do_lower_case=False):
    """sentence-transformers' module around a model that was just made, in numbers that f16 has."""
    directory = OUT / "scratch"
    model.half().float().save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    module = models.Transformer(str(directory), max_seq_length=max_seq_length, do_lower_case=do_lower_case)
    shutil.rmtree(directory)
    return module


def halve(path):
    """Stores a file's tensors as f16, which they can be without loss, less the pooler that nothing uses."""
    tensors = {name: tensor for name, tensor in load_file(path).items() if "pooler." not in name}
    for name, tensor in tensors.items():
        assert torch.equal(tensor, tensor.half().float()), name
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})


def keep(name, model):
    """Saves a variant with only the files that are read."""
    directory = OUT / name
    model.save(str(directory), create_model_card=False)
    for path in sorted(directory.rglob("*")):
        read = {"config.json", "modules.json", "tokenizer.json", "sentence_bert_config.json", "config_sentence_transformers.json"}
        if path.is_file() and path.suffix != ".safetensors" and path.name not in read:
            path.unlink()
    for path in directory.rglob("*.safetensors"):
        halve(path)
    return directory


def rounded(vectors):
    return [[round(float(x), 6) for x in vector] for vector in vectors]


def encode(model, texts=TEXTS, **options):
    return rounded(model.encode(texts, normalize_embeddings=True, convert_to_numpy=True, **options))


def shard(directory):
    """Splits the weights into two files and an index."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    names = sorted(tensors)
    parts = [names[: len(names) // 2], names[len(names) // 2 :]]
    index = {"metadata": {}, "weight_map": {}}
    for at, part in enumerate(parts, 1):
        file = f"model-{at:05}-of-{len(parts):05}.safetensors"
        save_file({name: tensors[name] for name in part}, directory / file, {"format": "pt"})
        index["weight_map"].update({name: file for name in part})
    path.unlink()
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def main():
    torch.manual_seed(11)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    expected = {"versions": VERSIONS, "texts": TEXTS, "cases": {}}

    def case(name, directory, vectors, **settings):
        expected["cases"][name] = {"directory": directory, "vectors": vectors, **settings}

    # BERT with ReLU, each pooling alone, and all side by side.
    tokenizer = word_piece(BERT, ("[CLS]", "[SEP]"))
    config = BertConfig(vocab_size=len(tokenizer), hidden_act="relu", max_position_embeddings=40, **SIZES)
    module = transformer(BertModel(config, add_pooling_layer=False).eval(), tokenizer, None)
    for mode in MODES:
        model = SentenceTransformer(modules=[module, models.Pooling(32, pooling_mode=mode)], device="cpu")
        if mode == "cls":
            keep("bert", model)
        case(f"bert {mode}", "bert", encode(model), modes=[mode])
    every = models.Pooling(
        32, pooling_mode_cls_token=True, pooling_mode_max_tokens=True, pooling_mode_mean_tokens=True,
        pooling_mode_mean_sqrt_len_tokens=True, pooling_mode_weightedmean_tokens=True, pooling_mode_lasttoken=True,
    )
    case("bert all", "bert", encode(SentenceTransformer(modules=[module, every], device="cpu")), modes=MODES)

    # RoBERTa from a masked language model's file: names with a prefix; dense layers; prompts, one by default.
    tokenizer = byte_level(ROBERTA, ("<s>", "</s>"))
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_act="gelu", max_position_embeddings=66, type_vocab_size=1,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, **SIZES,
    )
    whole = RobertaForMaskedLM(config).eval().half().float()
    module = transformer(whole.roberta, tokenizer, 50, do_lower_case=True)
    dense = models.Dense(32, 24, activation_function=torch.nn.Tanh())
    last = models.Dense(24, 16, bias=False, activation_function=torch.nn.Identity())
    for layer in (dense, last):
        layer.half().float()
    pooling = models.Pooling(32, pooling_mode="mean")
    prompts = {"query": "query: ", "passage": "passage: "}
    model = SentenceTransformer(
        modules=[module, pooling, dense, models.Normalize(), last], prompts=prompts, default_prompt_name="passage", device="cpu"
    )
    directory = keep("roberta", model)
    whole.save_pretrained(OUT / "scratch")
    shutil.move(OUT / "scratch" / "model.safetensors", directory / "model.safetensors")
    shutil.rmtree(OUT / "scratch")
    halve(directory / "model.safetensors")
    case("roberta by default", "roberta", encode(model))
    case("roberta query", "roberta", encode(model, prompt_name="query"), prompt="query")
    case("roberta prefix", "roberta", encode(model, prompt="film: "), prefix="film: ")
    case("roberta 7", "roberta", rounded(truncated(model, 7)), dim=7)
    outside = models.Pooling(32, pooling_mode="mean", include_prompt=False)
    model = SentenceTransformer(modules=[module, outside, dense, models.Normalize(), last], prompts=prompts, device="cpu")
    case("roberta outside", "roberta", encode(model, prompt_name="query"), prompt="query", modes=["mean"], include_prompt=False)

    # XLM-RoBERTa with the approximate GELU, in two files.
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_act="gelu_new", max_position_embeddings=60, type_vocab_size=1,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, **SIZES,
    )
    module = transformer(XLMRobertaModel(config, add_pooling_layer=False).eval(), tokenizer, 58)
    model = SentenceTransformer(modules=[module, models.Pooling(32, pooling_mode="cls"), models.Normalize()], device="cpu")
    shard(keep("xlm-roberta", model))
    case("xlm-roberta", "xlm-roberta", encode(model))

    # MPNet, beyond the distance at which its buckets end.
    tokenizer = word_piece(MPNET, ("<s>", "</s>"))
    config = MPNetConfig(
        vocab_size=len(tokenizer), hidden_act="gelu_pytorch_tanh", max_position_embeddings=180, relative_attention_num_buckets=32,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5, **SIZES,
    )
    module = transformer(MPNetModel(config, add_pooling_layer=False).eval(), tokenizer, 178)
    model = SentenceTransformer(modules=[module, models.Pooling(32, pooling_mode="mean"), models.Normalize()], device="cpu")
    keep("mpnet", model)
    case("mpnet", "mpnet", encode(model))

    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False))


def truncated(model, dim):
    return model.encode(TEXTS, normalize_embeddings=True, convert_to_numpy=True, truncate_dim=dim)


if __name__ == "__main__":
    main()
