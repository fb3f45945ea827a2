"""Writes GGUF twins of the tiny decoders, as llama.cpp's converter would.

    pip install gguf==0.19.0 numpy safetensors==0.8.0 ml_dtypes
    python gguf_files.py

reads tests/fixtures/tiny-decoders/ and writes tests/fixtures/gguf/NAME.gguf: the same numbers, with
the rows of queries and keys turned for the Llama family, and the llama3 scaling as the factors of
`rope_freqs.weight`.
"""

import json
import math
from pathlib import Path

import gguf
import ml_dtypes  # noqa: F401  safetensors reads bfloat16 with it
import numpy as np
from safetensors import safe_open

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
NORMAL, CONTROL = 1, 3


def stored_name(name):
    tensor, kind = name.rsplit(".", 1)
    if tensor in WHOLE:
        return f"{WHOLE[tensor]}.{kind}"
    block, part = tensor.removeprefix("model.layers.").split(".", 1)
    return f"blk.{block}.{NAMES[part]}.{kind}"


def permuted(weight, heads):
    rest = weight.shape[1:]
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *rest).swapaxes(1, 2).reshape(weight.shape)


def rotary_factors(config):
    scaling = config["rope_scaling"]
    width = config["hidden_size"] // config["num_attention_heads"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    factors = []
    for pair in range(width // 2):
        frequency = config["rope_theta"] ** (-2 * pair / width)
        turns = scaling["original_max_position_embeddings"] * frequency / (2 * math.pi)
        kept = min(max((turns - low) / (high - low), 0.0), 1.0)
        factors.append(1 / (kept + (1 - kept) / scaling["factor"]))
    return np.array(factors, dtype=np.float32)


def tensors(directory):
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def write(name):
    directory = FIXTURES / "tiny-decoders" / name
    config = json.loads((directory / "config.json").read_text())
    tokenizer = json.loads((directory / "tokenizer.json").read_text())
    kind = config["model_type"]
    writer = gguf.GGUFWriter(FIXTURES / "gguf" / f"{name}.gguf", kind)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.get("rope_theta") or 10000.0)
    if config.get("head_dim"):
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    scaling = config.get("rope_scaling")
    if scaling and scaling["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    vocab = sorted(tokenizer["model"]["vocab"].items(), key=lambda pair: pair[1])
    special = {token["content"] for token in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocab])
    writer.add_token_types([CONTROL if token in special else NORMAL for token, _ in vocab])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for tensor, weight in tensors(directory):
        part = tensor.split(".")[-2]
        if kind == "llama" and part in heads:
            weight = permuted(weight, heads[part])
        if weight.dtype == np.float16 or weight.ndim == 1:
            # llama.cpp keeps vectors in f32.
            weight = weight if weight.ndim > 1 else weight.astype(np.float32)
            writer.add_tensor(stored_name(tensor), weight)
        elif weight.dtype == np.float32:
            writer.add_tensor(stored_name(tensor), weight)
        else:
            bits = np.ascontiguousarray(weight).view(np.uint16).view(np.uint8)
            writer.add_tensor(stored_name(tensor), bits, raw_dtype=gguf.GGMLQuantizationType.BF16)
    if scaling and scaling["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", rotary_factors(config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    (FIXTURES / "gguf").mkdir(exist_ok=True)
    for name in ("llama", "llama3", "linear", "qwen2", "qwen3"):
        write(name)
