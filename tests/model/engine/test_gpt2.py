"""The tuned GPT-2 computes what transformers' GPT2LMHeadModel computes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from model.engine.gpt2 import GPT2, speaks_gpt2
from model.engine.network import read_weights
from tests.checkpoints import save_gpt2

from .agreement import assert_agrees

CPU = torch.device("cpu")
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "untied head": {"tie_word_embeddings": False},
    "exact gelu": {"activation_function": "gelu"},
    "tanh gelu": {"activation_function": "gelu_pytorch_tanh"},
    "wide middle": {"n_inner": 50},
    "other epsilon": {"layer_norm_epsilon": 0.1},
    "one layer, four heads": {"n_layer": 1, "n_head": 4},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_agrees_with_transformers(tmp_path: Path, shape: dict[str, Any]) -> None:
    theirs = save_gpt2(tmp_path, 100, n_positions=64, **shape)
    config = json.loads((tmp_path / "config.json").read_text())
    assert speaks_gpt2(config, tmp_path)
    columns = torch.tensor([3, 99, 0, 42])
    assert_agrees(GPT2(config, read_weights(tmp_path), CPU, torch.float32, columns), theirs, columns, 100)


def test_untied_head_is_used(tmp_path: Path) -> None:
    save_gpt2(tmp_path, 100, n_positions=64, tie_word_embeddings=False)
    tensors = read_weights(tmp_path)
    assert not torch.equal(tensors["lm_head.weight"], tensors["transformer.wte.weight"])


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "llama"},
        {"activation_function": "relu"},
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"add_cross_attention": True},
    ],
)
def test_rarer_variants_go_to_transformers(catbot_checkpoint: Path, change: dict[str, Any]) -> None:
    config = json.loads((catbot_checkpoint / "config.json").read_text())
    assert speaks_gpt2(config, catbot_checkpoint)
    assert not speaks_gpt2(config | change, catbot_checkpoint)


def test_sharded_weights_go_to_transformers(catbot_checkpoint: Path, tmp_path: Path) -> None:
    assert not speaks_gpt2(json.loads((catbot_checkpoint / "config.json").read_text()), tmp_path)


@pytest.mark.parametrize("missing", ["transformer.wte.weight", "transformer.h.1.mlp.c_fc.bias", "transformer.ln_f.weight"])
def test_missing_tensor(catbot_checkpoint: Path, missing: str) -> None:
    tensors = read_weights(catbot_checkpoint)
    del tensors[missing]
    config = json.loads((catbot_checkpoint / "config.json").read_text())
    with pytest.raises(KeyError):
        GPT2(config, tensors, CPU, torch.float32, torch.tensor([0]))


def test_a_file_that_is_overwritten_does_not_reach_what_serves(tmp_path: Path) -> None:
    save_gpt2(tmp_path, 100, n_positions=64)
    config = json.loads((tmp_path / "config.json").read_text())
    network = GPT2(config, read_weights(tmp_path), CPU, torch.float32, torch.arange(100))
    question = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.bool), 1
    before, _ = network.prefill(*question)
    path = tmp_path / "model.safetensors"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4)
        file.write(b"\x3f" * (path.stat().st_size // 2))
    after, _ = network.prefill(*question)
    assert torch.equal(before, after)
