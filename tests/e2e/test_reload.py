"""Another checkpoint under way: served, refused, and remembered."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bot.sandbox import Sandbox
from model.catspeak import is_catspeak
from model.checkpoint import BUNDLED, MANIFEST, WEIGHTS, file_sha256, read_manifest, write_manifest

from .conftest import Live, Start


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Another checkpoint, by name at least."""
    folder = tmp_path / "checkpoints" / "second"
    shutil.copytree(BUNDLED, folder)
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"name": "second"}), manifest.sha256)
    return folder


async def reload(live: Live, checkpoint: str, user: str = "owner") -> str:
    """Run the command and return what the operator reads."""
    await live.sandbox.wait_commands()
    run = await live.sandbox.command("admin reload", user=user, options={"checkpoint": checkpoint})
    thinking = await run.first_response()
    assert thinking is not None
    assert run.ephemeral
    answer = await run.final()
    assert answer is not None
    return answer.content


async def serving(live: Live) -> str:
    return (await live.bot.cat()).checkpoint.name


async def test_reload_while_a_conversation_runs_loses_nothing(start: Start, second: Path) -> None:
    live = await start(catbot_checkpoints_dir=second.parent)
    posted: list[str] = []

    async def talk(channel: str) -> None:
        for number in range(12):
            message = await live.sandbox.say(channel, f"{number}回目だよ", mention=True)
            posted.append((await live.sandbox.next_reply(channel, after=message)).content)

    talking = [asyncio.create_task(talk(channel)) for channel in ("general", "nap-room", "thread")]
    for name, expected in (("second", "second"), ("bundled", "catbot-mini"), (str(second), "second")):
        assert expected in await reload(live, name)
        assert await serving(live) == expected
    await asyncio.gather(*talking)
    assert len(posted) == 36
    assert all(is_catspeak(reply) for reply in posted)


def corrupt_weights(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))


def truncate_weights(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:5000])
    manifest = read_manifest(folder)
    hashes = manifest.sha256 | {WEIGHTS: file_sha256(path)}
    write_manifest(folder, manifest, hashes)


def remove_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def spoil_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


@pytest.mark.parametrize("spoil", [corrupt_weights, truncate_weights, remove_weights, spoil_manifest])
async def test_a_bad_checkpoint_is_refused_and_the_old_one_goes_on(start: Start, second: Path, spoil: object) -> None:
    live = await start(catbot_checkpoints_dir=second.parent)
    spoil(second)  # type: ignore[operator]
    answer = await reload(live, "second")
    assert "second" in answer
    assert "Traceback" not in answer
    assert str(second.parent) not in answer
    assert await serving(live) == "catbot-mini"
    message = await live.sandbox.say("general", "ご飯だよ", mention=True)
    assert is_catspeak((await live.sandbox.next_reply("general", after=message)).content)


@pytest.mark.parametrize("name", ["nowhere", "あ" * 200, "~nobody/x", "../second", "no/such@revision/../x", "/nowhere/at/all"])
async def test_a_checkpoint_that_is_not_there_is_refused(start: Start, second: Path, name: str) -> None:
    live = await start(catbot_checkpoints_dir=second.parent)
    assert await reload(live, name)
    assert await serving(live) == "catbot-mini"


async def test_a_restart_comes_back_to_the_reloaded_one(start: Start, second: Path) -> None:
    async with Sandbox() as sandbox:
        live = await start(sandbox=sandbox, catbot_checkpoints_dir=second.parent)
        await reload(live, "second")
        await live.stop()
        live = await start(sandbox=sandbox, catbot_checkpoints_dir=second.parent)
        assert await serving(live) == "second"
        await live.stop()
        remove_weights(second)
        live = await start(sandbox=sandbox, catbot_checkpoints_dir=second.parent)
        assert await serving(live) == "catbot-mini"


async def test_the_operator_is_offered_local_checkpoints(start: Start, second: Path) -> None:
    live = await start(catbot_checkpoints_dir=second.parent)
    await live.sandbox.wait_commands()
    choices = await live.sandbox.autocomplete("admin reload", "checkpoint", "", user="owner")
    assert [choice["value"] for choice in choices] == ["bundled", "second"]
    for user in ("member", "manager"):
        assert await live.sandbox.autocomplete("admin reload", "checkpoint", "", user=user) == []
    assert await live.sandbox.autocomplete("admin reload", "checkpoint", "sec", user="owner") == [
        {"name": "second", "value": "second"}
    ]
