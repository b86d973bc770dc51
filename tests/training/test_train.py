"""Training end to end on a slice: the files, plain transformers, a falling loss, and the same weights for the same seed."""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from model.catspeak import MOODS, is_catspeak
from model.checkpoint import file_sha256, open_checkpoint, read_manifest
from model.engine.request import Request, Sampling
from model.engine.runner import Runner
from model.prompt import Example, Turn
from model.tokenizer import load_tokenizer
from training.corpus.reader import Corpus
from training.dataset import Sample, collate
from training.evaluation.items import read_items
from training.recipe import Recipe, read_recipe
from training.train import BagReader, MoodTrainer, corpus_sha256, finish, train

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


def a_model() -> Any:
    torch.manual_seed(0)
    model: Any = GPT2LMHeadModel(GPT2Config(vocab_size=30, n_layer=1, n_head=1, n_embd=8, n_positions=16))
    model.bag_reader = BagReader(8, len(MOODS))
    return model.eval()


def a_trainer(**weights: float) -> MoodTrainer:
    """Only what the loss needs."""
    trainer = object.__new__(MoodTrainer)
    trainer.plan = read_recipe("tiny").training.model_copy(update={"bag_weight": 0.0, "teacher_weight": 0.0} | weights)
    trainer.mood_ids = torch.arange(10, 10 + len(MOODS))
    return trainer


CERTAIN = (1.0, *[0.0] * (len(MOODS) - 1))
# <s> <human> 3 4 <cat> <ja> <mood> reply; the second one is silent.
BATCH = [
    Sample(Example((1, 2, 3, 4, 5, 6, 10, 8), (0, 0, 0.5, 0.5, 0, 0, 2, 1), range(2, 4)), CERTAIN),
    Sample(Example((1, 2, 5, 6, 12), (0, 0, 0, 0, 2), range(2, 2)), (0.25, 0.75, *CERTAIN[2:][:-1], 0.0)),
]


def test_loss_is_the_weighted_mean() -> None:
    model, batch = a_model(), collate(BATCH)
    ids, weights = batch["input_ids"], batch["weights"]
    expected = torch.zeros(())
    log_odds = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits.log_softmax(-1)
    for row, place in ((0, 2), (0, 3), (0, 6), (0, 7), (1, 4)):
        expected = expected - log_odds[row, place - 1, ids[row, place]] * weights[row, place]
    loss = a_trainer().compute_loss(model, dict(batch))
    assert loss.item() == pytest.approx((expected / 6).item(), rel=1e-5)


def test_bag_reader_reads_the_mean_of_what_was_said() -> None:
    model, batch = a_model(), collate(BATCH)
    mean = model.transformer.wte(torch.tensor([3, 4])).mean(0) * 8**0.5
    expected = -model.bag_reader.linear(mean).log_softmax(-1)[0]  # the silent one has nothing to read
    without, with_bag = (a_trainer(bag_weight=weight).compute_loss(model, dict(batch)) for weight in (0.0, 0.5))
    assert (with_bag - without).item() == pytest.approx(0.5 * expected.item(), rel=1e-4)


def test_teacher_pulls_towards_its_odds() -> None:
    model, batch = a_model(), collate(BATCH)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    moods = torch.stack([logits[0, 5, 10:21], logits[1, 3, 10:21]]).log_softmax(-1)
    expected = -(moods * batch["odds"]).sum(1).mean()
    without, taught = (a_trainer(teacher_weight=weight).compute_loss(model, dict(batch)) for weight in (0.0, 0.5))
    assert (taught - without).item() == pytest.approx(0.5 * expected.item(), rel=1e-4)


def test_polishing_goes_on_with_every_reply(recipe: Recipe, small_corpus: Corpus, tmp_path: Path) -> None:
    plan = recipe.training.model_copy(update={"steps": 20, "polish_steps": 40, "reply_share": 0.2})
    assert (plan.polish.steps, plan.polish.reply_share, plan.polish.teacher_weight) == (40, 1.0, 0.0)
    assert plan.polish.learning_rate < plan.learning_rate
    manifest = train(recipe.model_copy(update={"training": plan}), small_corpus, tmp_path / "mine", command="x")
    steps = [row["step"] for row in manifest.training["loss"]]
    assert any(later < earlier for earlier, later in pairwise(steps))
    assert max(steps) == 40


def test_bag_reader_is_thrown_away(trained: Trained) -> None:
    names = safetensors.torch.load_file(trained.folder / "model.safetensors")
    assert not [name for name in names if "bag" in name]


def test_finish_calibrates_scores_and_describes(
    trained: Trained, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.train.read_items", lambda folder: read_items(folder)[::40])
    monkeypatch.setattr("training.evaluation.report.read_items", lambda folder: read_items(folder)[::40])
    folder = Path(shutil.copytree(trained.folder, tmp_path / "mine"))
    record = finish(folder, small_corpus)
    manifest = read_manifest(folder)
    assert manifest.scores == record
    assert manifest.mood_temperature != 1 or manifest.mood_floor != 0
    assert manifest.sha256 == trained.manifest.sha256
    assert {path.name for path in folder.iterdir()} == FILES | {"README.md"}
    assert (folder / "README.md").read_text("utf-8").startswith("---\nlibrary_name: transformers\n")
    open_checkpoint(folder)
