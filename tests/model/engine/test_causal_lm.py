"""Any other causal LM: the same logits as transformers gives, and replies through the whole engine."""

from pathlib import Path

import pytest
import torch

from model.catspeak import is_catspeak
from model.checkpoint import open_checkpoint
from model.engine.causal_lm import CausalLM
from model.engine.request import Request, Sampling
from model.engine.runner import Runner
from model.errors import CheckpointUnsupported
from model.prompt import Turn
from tests.checkpoints import make_chat_checkpoint, save_causal_lm, save_gpt2

from .agreement import assert_agrees
from .test_runner import ask

CPU = torch.device("cpu")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt_neox", "gpt2"])
def test_agrees_with_transformers(tmp_path: Path, architecture: str) -> None:
    if architecture == "gpt2":
        theirs = save_gpt2(tmp_path, 100, n_positions=64, activation_function="relu", tie_word_embeddings=True)
    else:
        theirs = save_causal_lm(tmp_path, architecture, 100)
    columns = torch.tensor([3, 99, 0, 42])
    ours = CausalLM(tmp_path, CPU, torch.float32, columns)
    assert ours.positions == (64 if architecture == "gpt2" else 768)
    assert_agrees(ours, theirs, columns, 100)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt_neox"])
def test_serves_replies(tmp_path: Path, architecture: str) -> None:
    runner = Runner(open_checkpoint(make_chat_checkpoint(tmp_path / architecture, architecture)), "cpu")
    assert isinstance(runner.network, CausalLM)
    assert not runner.has_moods
    requests = [
        Request((Turn("user", text),), language=language, sampling=Sampling(seed=seed, temperature=1.5))
        for seed, text in enumerate(["ご飯だよ", "<|im_end|>", "hello", ""])
        for language in ("ja", "en")
    ]
    for request, reply in zip(requests, ask(runner, requests), strict=True):
        assert reply.language == request.language
        assert is_catspeak(reply.text, reply.language)
        assert reply.mood is None
    greedy = [Request(r.turns, language=r.language, sampling=Sampling(temperature=0)) for r in requests]
    assert [r.text for r in ask(runner, greedy)] == [ask(runner, [one])[0].text for one in greedy]


def test_persona_checkpoint_that_is_no_tuned_gpt2(rinna_checkpoint: Path, tmp_path: Path) -> None:
    for path in rinna_checkpoint.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    save_gpt2(tmp_path, 400, n_positions=1024, activation_function="relu")
    runner = Runner(open_checkpoint(tmp_path), "cpu")
    assert isinstance(runner.network, CausalLM)
    reply = ask(runner, [Request((Turn("user", "hello"),), language="en", sampling=Sampling(seed=1))])[0]
    assert is_catspeak(reply.text, "ja")


def test_model_type_that_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(CheckpointUnsupported, match="vit is not a causal language model"):
        CausalLM(tmp_path, CPU, torch.float32, torch.tensor([0]))
