"""Writes the seeds: the smallest checkpoints of each kind, with random weights.

    pip install gguf==0.19.0 numpy safetensors==0.8.0
    python seeds.py
"""

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save

SEEDS = Path(__file__).parent / "seeds"
NUMBERS = np.random.default_rng(0)


def random(*shape, dtype=np.float16):
    return NUMBERS.standard_normal(shape).astype(dtype)


def directory(name, tensors, *texts):
    texts = [text if isinstance(text, str) else json.dumps(text) for text in texts]
    parts = [text.encode() for text in texts] + [save(tensors)]
    (SEEDS / name).write_bytes(b"\0".join(parts))


def bert(kind, prefix=""):
    block = f"{prefix}encoder.layer.0"
    mpnet = kind == "mpnet"
    shapes = {
        f"{prefix}embeddings.word_embeddings": (4, 4),
        f"{prefix}embeddings.position_embeddings": (8, 4),
        f"{block}.intermediate.dense": (6, 4),
        f"{block}.output.dense": (4, 6),
    }
    norms = [f"{prefix}embeddings.LayerNorm", f"{block}.output.LayerNorm"]
    if mpnet:
        shapes[f"{prefix}encoder.relative_attention_bias"] = (4, 2)
        products = [f"{block}.attention.attn.{part}" for part in "qkvo"]
        norms.append(f"{block}.attention.LayerNorm")
    else:
        shapes[f"{prefix}embeddings.token_type_embeddings"] = (1, 4)
        products = [f"{block}.attention.self.{part}" for part in ("query", "key", "value")]
        products.append(f"{block}.attention.output.dense")
        norms.append(f"{block}.attention.output.LayerNorm")
    shapes |= {product: (4, 4) for product in products}
    tensors = {f"{name}.weight": random(*shape) for name, shape in shapes.items()}
    tensors |= {f"{name}.weight": random(4, dtype=np.float32) for name in norms}
    tensors |= {f"{name}.bias": random(4, dtype=np.float32) for name in norms}
    tensors |= {f"{name}.bias": random(shapes[name][0]) for name in shapes if "embeddings" not in name and "bias" not in name}
    config = {
        "model_type": kind, "vocab_size": 4, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 6, "max_position_embeddings": 8, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
        "hidden_act": "gelu", "pad_token_id": 1, "relative_attention_num_buckets": 4,
    }
    return config, tensors


def decoder(kind):
    tensors = {"model.embed_tokens.weight": random(4, 4), "model.norm.weight": random(4)}
    block = "model.layers.0"
    for part, shape in {
        "self_attn.q_proj": (4, 4), "self_attn.k_proj": (2, 4), "self_attn.v_proj": (2, 4),
        "self_attn.o_proj": (4, 4), "mlp.gate_proj": (6, 4), "mlp.up_proj": (6, 4), "mlp.down_proj": (4, 6),
        "input_layernorm": (4,), "post_attention_layernorm": (4,),
    }.items():
        tensors[f"{block}.{part}.weight"] = random(*shape)
        if kind == "qwen2" and part[10:] in ("q_proj", "k_proj", "v_proj"):
            tensors[f"{block}.{part}.bias"] = random(shape[0])
    if kind == "qwen3":
        tensors |= {f"{block}.self_attn.{part}_norm.weight": random(2) for part in "qk"}
    config = {
        "model_type": kind, "vocab_size": 4, "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 8, "rms_norm_eps": 1e-5,
        "eos_token_id": 3, "bos_token_id": 0,
    }
    if kind == "llama":
        config["rope_scaling"] = {"rope_type": "linear", "factor": 2.0}
    return config, tensors


def gguf_file(name, quantized):
    # The blocks of quantized types have 32 numbers.
    width = 32 if quantized else 4
    writer = gguf.GGUFWriter(SEEDS / "gguf" / name, "llama")
    writer.add_context_length(8)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm" if quantized else "qwen2")
    writer.add_token_list(["<e>", "a", "b", "ab"])
    writer.add_token_types([3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    writer.add_add_bos_token(True)

    def add(tensor, *shape):
        weight = random(*shape, dtype=np.float32)
        if quantized and len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(f"{tensor}.weight", gguf.quants.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{tensor}.weight", weight if quantized else weight.astype(np.float16))

    add("token_embd", 4, width)
    add("output_norm", width)
    for part, shape in {
        "attn_q": (width, width), "attn_k": (width // 2, width), "attn_v": (width // 2, width),
        "attn_output": (width, width), "ffn_gate": (width, width), "ffn_up": (width, width),
        "ffn_down": (width, width), "attn_norm": (width,), "ffn_norm": (width,),
    }.items():
        add(f"blk.0.{part}", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    for folder in ("encoder", "decoder", "gguf"):
        (SEEDS / folder).mkdir(parents=True, exist_ok=True)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    for kind, prefix, text in (("bert", "", modules), ("roberta", "roberta.", ""), ("mpnet", "", "")):
        config, tensors = bert(kind, prefix)
        directory(f"encoder/{kind}", tensors, config, text)
    for kind in ("llama", "qwen2", "qwen3"):
        config, tensors = decoder(kind)
        directory(f"decoder/{kind}", tensors, config)
    gguf_file("f16", False)
    gguf_file("q4_1", True)
