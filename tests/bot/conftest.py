"""Fixtures of the bot's unit tests: settings that no environment and no `.env` of this machine can change."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.client import CatBot
from bot.settings import Settings, load_settings

from .discord_objects import unconnected_bot


@pytest.fixture(autouse=True)
def _no_settings_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults, with folders of this test."""
    return load_settings(None, catbot_data_dir=tmp_path / "data", catbot_checkpoints_dir=tmp_path / "checkpoints")


@pytest.fixture
async def bot(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CatBot]:
    """The bot with its cogs and translations, never connected; its model never comes."""
    async with unconnected_bot(settings, monkeypatch) as built:
        yield built


@pytest.fixture
async def operators_bot(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CatBot]:
    """The same with /admin in one server only."""
    changed = settings.model_copy(update={"admin_guild_id": 42})
    async with unconnected_bot(changed, monkeypatch) as built:
        yield built
