"""Makes the reference values of the decoder tests with transformers.

    pip install torch==2.9.0 transformers==4.57.* tokenizers safetensors
    python decoders.py [SMOLLM2_DIRECTORY [SMOLLM2_FLOAT32_DIRECTORY]]

writes tests/fixtures/tiny-decoders/ (random checkpoints of each architecture variant with their
log-probabilities, hidden states and greedy continuations) and, given the directory that
scripts/models.sh makes, tests/fixtures/smollm2.json, with the versions used; given the directory that
`scripts/smollm2.py FILE.gguf DIRECTORY float32` makes, tests/fixtures/smollm2_gguf.json, too.
"""

import json
import sys
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
VERSIONS = {
    "python": sys.version.split()[0],
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "tokenizers": tokenizers.__version__,
}
CORPUS = [
    "The viewer watched a slow science fiction film and then a film about coffee.",
    "A customer viewed the camera, the lens and the film roll, and bought the tent.",
    "Fantômas à l'ombre de la guillotine; 用户浏览了彩色胶卷。",
] * 3
PROMPTS = ["The viewer watched", " a film", "用户", "A customer viewed the tent, the tent and the", "x" * 70]
CONTINUATIONS = [" a slow film", " coffee.", "", " 胶卷 and the camera, and then the lens", "!", "a"]
SMALL = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.25,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None,
}


def tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=288, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def encode(tokenizer, prompt, continuation):
    before = tokenizer.encode(prompt, add_special_tokens=False).ids
    whole = tokenizer.encode(prompt + continuation, add_special_tokens=False).ids
    if prompt and whole[: len(before)] == before:
        return whole[len(before) :]
    return tokenizer.encode(continuation, add_special_tokens=False).ids


@torch.no_grad()
def log_probs(model, prompt, tokens):
    logits = model(torch.tensor([prompt + tokens])).logits[0].double()
    rows = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
    return [round(float(row[token]), 6) for row, token in zip(rows, tokens)]


@torch.no_grad()
def greedy(model, prompt, count):
    """Without an end, so that the continuation has its full length."""
    tokens = list(prompt)
    gap = float("inf")
    for _ in range(count):
        logits = model(torch.tensor([tokens])).logits[0, -1]
        best = logits.topk(2).values
        gap = min(gap, float(best[0] - best[1]))
        tokens.append(int(logits.argmax()))
    return tokens[len(prompt) :], gap


def cases(model, tokenizer, prompts, continuations, count, start):
    cases = []
    for prompt in prompts:
        before = tokenizer.encode(prompt).ids or [start]
        scores = []
        for continuation in continuations:
            tokens = encode(tokenizer, prompt, continuation)
            scores.append({"tokens": tokens, "log_probs": log_probs(model, before, tokens) if tokens else []})
        case = {"prompt": prompt, "scores": scores}
        if count:
            case["greedy"], case["smallest_gap"] = greedy(model, before, count)
        cases.append(case)
    return cases


@torch.no_grad()
def last_hidden(model, tokens):
    vector = model.model(torch.tensor([tokens])).last_hidden_state[0, -1]
    return [round(float(x), 7) for x in vector / vector.norm()]


def random_model(config, seed, dtype):
    """With the values that a file of this type will hold, in f32."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "norm" in name:
            parameter.data += 0.3 * torch.randn_like(parameter)
        parameter.data = parameter.data.to(dtype).float()
    return model


def tiny():
    llama3 = {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    linear = {"rope_type": "linear", "factor": 4.0}
    variants = {
        "llama": LlamaConfig(**SMALL, tie_word_embeddings=True),
        "llama3": LlamaConfig(**SMALL, tie_word_embeddings=False, rope_theta=500.0, rope_scaling=llama3, attention_bias=True, mlp_bias=True),
        "linear": LlamaConfig(**SMALL | {"hidden_size": 16, "num_hidden_layers": 1}, tie_word_embeddings=True, rope_scaling=linear),
        "qwen2": Qwen2Config(**SMALL | {"num_hidden_layers": 1}, tie_word_embeddings=True),
        "qwen3": Qwen3Config(**SMALL, tie_word_embeddings=True, head_dim=16),
    }
    types = {"llama": torch.float16, "llama3": torch.bfloat16, "linear": torch.float32, "qwen2": torch.float16, "qwen3": torch.bfloat16}
    tokenizer_ = tokenizer()
    root = FIXTURES / "tiny-decoders"
    for name, config in variants.items():
        config.vocab_size = tokenizer_.get_vocab_size()
        # A seed where no greedy choice hangs on the last digits.
        for seed in range(100):
            model = random_model(config, seed, types[name])
            prompts = [tokenizer_.encode(prompt).ids or [0] for prompt in PROMPTS + [""]]
            if min(greedy(model, prompt, 64)[1] for prompt in prompts) > 1e-3:
                break
        directory = root / name
        directory.mkdir(parents=True, exist_ok=True)
        model = model.to(types[name])
        limit = "40KB" if name == "qwen3" else "5GB"
        model.save_pretrained(directory, safe_serialization=True, max_shard_size=limit)
        # Anew: a change of type would have rounded the rotary frequencies, too.
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
        tokenizer_.save(str(directory / "tokenizer.json"), pretty=False)
        expected = {
            "versions": VERSIONS,
            "continuations": CONTINUATIONS,
            "cases": cases(model, tokenizer_, PROMPTS + [""], CONTINUATIONS, 64, 0),
            "embeddings": {text: last_hidden(model, tokenizer_.encode(text).ids) for text in PROMPTS},
        }
        print(name, min(case["smallest_gap"] for case in expected["cases"]))
        (directory / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, separators=(",", ":")))


def smollm2(directory, name):
    tokenizer_ = Tokenizer.from_file(str(directory / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    chat = "<|im_start|>user\nRecommend a science fiction film in one sentence.<|im_end|>\n<|im_start|>assistant\n"
    prompts = [chat, "Someone who likes strong coffee bought"]
    continuations = [" an espresso machine.", " a tent", " 35mm colour film, and then — a camera from Zürich", " 胶卷"]
    fixture = {
        "versions": VERSIONS,
        "continuations": continuations,
        "cases": cases(model, tokenizer_, prompts, continuations, 64, 1) + cases(model, tokenizer_, [""], continuations, 0, 1),
    }
    print(name, [case.get("smallest_gap") for case in fixture["cases"]])
    (FIXTURES / f"{name}.json").write_text(json.dumps(fixture, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    torch.set_num_threads(1)
    tiny()
    for directory, name in zip(sys.argv[1:], ("smollm2", "smollm2_gguf")):
        smollm2(Path(directory), name)
