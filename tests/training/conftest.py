"""A slice of the corpus, and checkpoints trained on it in seconds."""

from pathlib import Path
from typing import NamedTuple

import pytest

from model.checkpoint import Manifest
from training.corpus.reader import Corpus, Line, read_corpus
from training.recipe import Recipe, read_recipe


def few(lines: list[Line], number: int) -> list[Line]:
    """The first lines of each language and mood."""
    seen: dict[tuple[str, str], int] = {}
    kept = []
    for line in lines:
        seen[line.language, line.mood] = seen.get((line.language, line.mood), 0) + 1
        if seen[line.language, line.mood] <= number:
            kept.append(line)
    return kept


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The whole corpus. Not to be changed."""
    return read_corpus()


@pytest.fixture(scope="session")
def small_corpus(corpus: Corpus) -> Corpus:
    """Four utterances and four replies of each mood and language."""
    return Corpus(few(corpus.utterances, 4), few(corpus.replies, 4), corpus.dialogues[:5])


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The tiny preset, smaller still."""
    tiny = read_recipe("tiny")
    return tiny.model_copy(
        update={
            "tokenizer": tiny.tokenizer.model_copy(update={"vocab_size": 900}),
            "model": tiny.model.model_copy(update={"n_layer": 1, "n_embd": 32, "n_positions": 192}),
            "training": tiny.training.model_copy(update={"steps": 40, "batch_size": 8}),
        }
    )


class Trained(NamedTuple):
    """A trained checkpoint and the manifest that `train` returned."""

    folder: Path
    manifest: Manifest


@pytest.fixture(scope="session")
def trained(recipe: Recipe, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A checkpoint trained by the project's own trainer."""
    from training.train import train

    folder = tmp_path_factory.mktemp("trained") / "mine"
    return Trained(folder, train(recipe, small_corpus, folder, command="catbot-train run tiny"))
