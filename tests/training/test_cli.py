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
from training.recipe import Recipe

from .conftest import Trained

cli = CliRunner()


def test_corpus_check() -> None:
    result = cli.invoke(app, ["corpus", "check"])
    assert result.exit_code == 0
    assert result.output.rstrip().endswith("dialogues: 0 problems")
    assert "utterances   ja  greet" in result.output


def test_corpus_check_fails_on_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpus.check.problems", lambda _: ["ja/replies/food.txt:3: breaks the grammar: x"])
    result = cli.invoke(app, ["corpus", "check"])
    assert result.exit_code == 1
    assert "food.txt:3: breaks the grammar" in result.output


def test_corpus_show() -> None:
    result = cli.invoke(app, ["corpus", "show", "--mood", "food", "-n", "5"])
    lines = result.output.splitlines()
    assert len(lines) == 5
    assert all(line.startswith(("[ja food] ", "[en food] ")) for line in lines)


def test_run_writes_scores(recipe: Recipe, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = recipe.model_copy(update={"training": recipe.training.model_copy(update={"steps": 2})})
    monkeypatch.setattr("training.recipe.read_recipe", lambda _: short)
    monkeypatch.setattr("training.corpus.reader.read_corpus", lambda: small_corpus)
    result = cli.invoke(app, ["run", "tiny", "--output", str(tmp_path / "mine")])
    assert result.exit_code == 0, result.output
    checkpoint = open_checkpoint(tmp_path / "mine")
    assert checkpoint.manifest.training["command"] == "catbot-train run tiny"
    assert set(checkpoint.manifest.scores) == {"development"}
    assert 0 <= checkpoint.manifest.scores["development"]["distinct_replies"] <= 1
    assert f"wrote {tmp_path / 'mine'}" in result.output


def test_unknown_preset() -> None:
    result = cli.invoke(app, ["run", "huge"])
    assert result.exit_code == 2
    assert "no preset" in result.output
    assert "Traceback" not in result.output


def test_evaluate(trained: Trained) -> None:
    result = cli.invoke(app, ["evaluate", str(trained.folder)])
    assert result.exit_code == 0
    assert {"ja/", "en/"} <= {key[:3] for key in json.loads(result.output)}


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
