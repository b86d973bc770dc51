"""Training end to end on a slice: the files, plain transformers, a falling loss, and the same weights for the same seed."""

import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from model.catspeak import is_catspeak
from model.checkpoint import file_sha256, open_checkpoint, read_manifest
from model.engine.request import Request, Sampling
from model.engine.runner import Runner
from model.prompt import Example, Turn
from model.tokenizer import load_tokenizer
from training.corpus.reader import Corpus
from training.dataset import collate
from training.evaluate import Answer, evaluate, scores
from training.recipe import Recipe
from training.train import WeightedTrainer, corpus_sha256, train

from .conftest import Trained

FILES = {
    "catbot.json",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
}


def test_exact_files(trained: Trained) -> None:
    assert {path.name for path in trained.folder.iterdir()} == FILES
    assert [path.name for path in trained.folder.parent.iterdir()] == [trained.folder.name]


def test_manifest(trained: Trained, recipe: Recipe, small_corpus: Corpus) -> None:
    manifest = read_manifest(trained.folder)
    assert manifest == trained.manifest
    assert manifest.prompt_format == "catbot"
    assert manifest.sha256 == {
        name: file_sha256(trained.folder / name) for name in FILES - {"catbot.json", "generation_config.json"}
    }
    assert manifest.training["command"] == "catbot-train run tiny"
    assert manifest.training["recipe"] == recipe.model_dump()
    assert manifest.training["corpus_sha256"] == corpus_sha256(small_corpus)
    tokenizer = load_tokenizer(trained.folder)
    assert set(manifest.reply_token_ids or ()) == {t for line in small_corpus.replies for t in tokenizer.encode(line.text)}


def test_loss_falls(trained: Trained) -> None:
    losses = [row["loss"] for row in trained.manifest.training["loss"]]
    assert losses[-1] < 0.9 * losses[0]


def test_served(trained: Trained) -> None:
    runner = Runner(open_checkpoint(trained.folder), "cpu")
    batch = runner.start([runner.prepare(Request((Turn("user", "ご飯だよ"),), sampling=Sampling(seed=n))) for n in range(4)])
    while len(batch):
        for written in batch.step():
            assert is_catspeak(runner.read(written, queue_ms=0, total_ms=0).text, "ja")


def test_plain_transformers_loads_the_model(trained: Trained) -> None:
    loaded: Any = AutoModelForCausalLM.from_pretrained(trained.folder, output_loading_info=True)
    model, found = loaded
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    runner = Runner(open_checkpoint(trained.folder), "cpu")
    ids = runner.prepare(Request((Turn("user", "ご飯だよ"),))).ids
    with torch.inference_mode():
        theirs = model.float()(input_ids=torch.tensor([ids])).logits[0, -1, runner.token_ids]
        ours, _ = runner.network.prefill(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool), 1)
    assert torch.allclose(ours[0], theirs, atol=1e-4)


TEXTS = ["ご飯だよ", "ただいま、いい子にしてた?", "i had a bad day...", "a  b", " edge ", "鬱😀", "ｶﾞﾝﾊﾞﾚ", "1+1=2", ":smile: 🔗"]


def test_plain_transformers_gives_the_same_ids(trained: Trained, corpus: Corpus) -> None:
    ours, theirs = load_tokenizer(trained.folder), AutoTokenizer.from_pretrained(trained.folder)
    # "ooo" as o+oo or oo+o is a tie, which the two libraries break differently; serving uses sentencepiece itself.
    untied = [line.text for line in [*corpus.replies, *corpus.utterances[::40]] if not re.search(r"(.)\1\1", line.text)]
    assert len(untied) > 600
    for text in [*TEXTS, *untied]:
        ids = ours.encode(text)
        assert theirs.encode(text, add_special_tokens=False) == ids
        assert theirs.decode(ids, clean_up_tokenization_spaces=False) == ours.decode(ids) == text
    assert (theirs.bos_token_id, theirs.eos_token_id) == (ours.bos_id, ours.eos_id)
    assert theirs.convert_tokens_to_ids("<mood:food>") == ours.control_id("<mood:food>")
    assert len(theirs) == ours.size


def test_same_seed_same_weights(recipe: Recipe, small_corpus: Corpus, tmp_path: Path) -> None:
    short = recipe.model_copy(update={"training": recipe.training.model_copy(update={"steps": 4})})
    other = short.model_copy(update={"seed": short.seed + 1})
    weights = []
    for number, plan in enumerate((short, short, other)):
        train(plan, small_corpus, tmp_path / str(number), command="x")
        weights.append(safetensors.torch.load_file(tmp_path / str(number) / "model.safetensors"))
    first, second, third = weights
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def test_output_is_replaced_only_by_a_whole_checkpoint(
    recipe: Recipe, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "mine"
    output.mkdir()
    (output / "old").write_text("old")

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("training.train._fit", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            train(recipe, small_corpus, output, command="x")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (output / "old").read_text() == "old"
    short = recipe.model_copy(update={"training": recipe.training.model_copy(update={"steps": 1})})
    train(short, small_corpus, output, command="x")
    assert {path.name for path in output.iterdir()} == FILES


def test_loss_is_the_weighted_mean() -> None:
    torch.manual_seed(0)
    model: Any = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_layer=1, n_head=1, n_embd=8, n_positions=16))
    model.eval()
    batch = collate([Example((1, 2, 3, 4), (0, 0.5, 0, 1)), Example((5, 6), (0, 1))])
    ids, weights = batch["input_ids"], batch["weights"]
    expected = torch.zeros(())
    log_odds = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits.log_softmax(-1)
    for row, place in ((0, 1), (0, 3), (1, 1)):
        expected = expected - log_odds[row, place - 1, ids[row, place]] * weights[row, place]
    loss = WeightedTrainer.compute_loss(object.__new__(WeightedTrainer), model, dict(batch))
    assert loss.item() == pytest.approx((expected / 2.5).item(), rel=1e-5)


def test_evaluation(trained: Trained, tmp_path: Path) -> None:
    for language, text in (("ja", "## everyday\nご飯だよ\nおやつ食べる？\n"), ("en", "dinner time\n")):
        (tmp_path / language).mkdir()
        (tmp_path / language / "food.txt").write_text(text, "utf-8")
    answers = evaluate(trained.folder, tmp_path)
    assert [answer.item.text for answer in answers] == ["ご飯だよ", "おやつ食べる？", "dinner time"]
    assert all(is_catspeak(answer.reply, answer.item.language) for answer in answers)
    assert [answer.reply for answer in evaluate(trained.folder, tmp_path)] == [answer.reply for answer in answers]
    moods = [
        Answer(answer.item, mood, reply) for answer, mood, reply in zip(answers, ("food", "play", "food"), "aab", strict=True)
    ]
    assert scores(moods) == {"ja/everyday": 0.5, "en/": 1.0, "distinct_replies": 0.667}
