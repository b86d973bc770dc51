"""The command line: thin, quick to help, and with errors that say what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model.checkpoint import open_checkpoint
from training.__main__ import app
from training.corpus.reader import Corpus
from training.evaluation.items import read_items
from training.recipe import Recipe

from .conftest import Trained

cli = CliRunner()


def test_corpus_check() -> None:
    result = cli.invoke(app, ["corpus", "check"])
    assert result.exit_code == 0
    assert result.output.rstrip().endswith("dialogues: 0 problems")
    assert "utterances ja  greet" in result.output
    assert "near-duplicates: 0." in result.output


def test_corpus_check_fails_on_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpus.check.problems", lambda _: ["ja/replies/food.txt:3: breaks the grammar: x"])
    result = cli.invoke(app, ["corpus", "check"])
    assert result.exit_code == 1
    assert "food.txt:3: breaks the grammar" in result.output


def test_corpus_check_fails_on_too_many_near_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpus.check.MAX_NEAR_DUPLICATES", 0.0)
    result = cli.invoke(app, ["corpus", "check"])
    assert result.exit_code == 1
    assert " is nearly " in result.output


def test_corpus_show() -> None:
    result = cli.invoke(app, ["corpus", "show", "--mood", "food", "-n", "5"])
    lines = result.output.splitlines()
    assert len(lines) == 5
    assert all("<mood:food>·4 " in line and line.startswith("<s> <human> ") for line in lines)


def test_corpus_show_of_no_mood() -> None:
    result = cli.invoke(app, ["corpus", "show", "--mood", "hungry"])
    assert result.exit_code == 2
    assert "the moods are greet," in result.output


def test_run_trains_calibrates_and_scores(
    recipe: Recipe, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = recipe.model_copy(update={"training": recipe.training.model_copy(update={"steps": 2})})
    monkeypatch.setattr("training.recipe.read_recipe", lambda _: short)
    monkeypatch.setattr("training.corpus.reader.read_corpus", lambda: small_corpus)
    fewer_items(monkeypatch)
    result = cli.invoke(app, ["run", "tiny", "--output", str(tmp_path / "mine")])
    assert result.exit_code == 0, result.output
    checkpoint = open_checkpoint(tmp_path / "mine")
    assert checkpoint.manifest.training["command"] == "catbot-train run tiny"
    assert checkpoint.manifest.scores["sets"] == "heldout"
    assert "everyday/ja" in result.output
    assert f"wrote {tmp_path / 'mine'}" in result.output


def fewer_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fortieth item: enough to see that all is there."""
    for place in ("training.train.read_items", "training.evaluation.report.read_items"):
        monkeypatch.setattr(place, lambda folder: read_items(folder)[::40])


def test_unknown_preset() -> None:
    result = cli.invoke(app, ["run", "huge"])
    assert result.exit_code == 2
    assert "no preset" in result.output
    assert "Traceback" not in result.output


def test_evaluate_and_compare(trained: Trained, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpus.reader.read_corpus", lambda: small_corpus)
    fewer_items(monkeypatch)
    folder = str(trained.folder)
    result = cli.invoke(app, ["evaluate", folder, "--compare", folder, "--output", str(tmp_path / "scores")])
    assert result.exit_code == 0, result.output
    assert result.output.count("on the heldout sets") == 2
    assert "only second" in result.output
    first, second = json.loads((tmp_path / "scores/evaluation.json").read_text("utf-8"))
    assert first == second
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {
        "evaluation.json",
        "evaluation.png",
        "evaluation-compared.png",
    }


def test_misses_are_shown_of_the_development_sets_only(
    trained: Trained, small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.corpus.reader.read_corpus", lambda: small_corpus)
    fewer_items(monkeypatch)
    refused = cli.invoke(app, ["evaluate", str(trained.folder), "--misses"])
    assert refused.exit_code == 2
    assert "held-out answers stay unseen" in refused.output
    shown = cli.invoke(app, ["evaluate", str(trained.folder), "--misses", "--sets", "development"])
    assert shown.exit_code == 0
    assert "  ->  " in shown.output
    assert "on the development sets" in shown.output


def test_evaluate_nothing() -> None:
    result = cli.invoke(app, ["evaluate", "no/such/folder"])
    assert result.exit_code == 1
    assert "there is no checkpoint folder" in result.output


def test_help_imports_nothing_heavy() -> None:
    code = "import training.__main__, sys; print(sorted({'torch', 'transformers', 'sentencepiece'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [[], ["run"], ["evaluate"], ["corpus"], ["corpus", "check"], ["corpus", "show"]])
def test_every_command_has_help(command: list[str]) -> None:
    result = cli.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
