"""Fixtures that all tests share: tiny checkpoints, made once a session. Do not change their files; copy them first."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .checkpoints import make_catbot_checkpoint, make_chat_checkpoint, make_rinna_checkpoint

# Tiny tensors gain nothing from a second thread, and lose much where the cores are busy. torch reads it when imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from model.engine.runner import Runner


@pytest.fixture(scope="session")
def catbot_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the project's own format."""
    return make_catbot_checkpoint(tmp_path_factory.mktemp("catbot") / "catbot-test")


@pytest.fixture(scope="session")
def rinna_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the form of rinna's GPT-2 models, without a manifest."""
    return make_rinna_checkpoint(tmp_path_factory.mktemp("rinna") / "rinna-test")


@pytest.fixture(scope="session")
def chat_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with a chat template, without a manifest."""
    return make_chat_checkpoint(tmp_path_factory.mktemp("chat") / "llama-test")


@pytest.fixture(scope="session")
def runner(catbot_checkpoint: Path) -> "Runner":
    """The catbot checkpoint, loaded on the CPU. For one test at a time: runners are not thread-safe."""
    from model.checkpoint import open_checkpoint
    from model.engine.runner import Runner

    return Runner(open_checkpoint(catbot_checkpoint), "cpu")
