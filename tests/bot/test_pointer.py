"""Which checkpoint to serve: what an operator's words mean, and the choice that survives a restart."""

import os
from pathlib import Path

import huggingface_hub
import pytest

from bot.pointer import local_checkpoints, read_pointer, resolve, write_pointer
from model.checkpoint import BUNDLED, open_checkpoint
from model.errors import CheckpointNotFound

FOLDER = Path("checkpoints")


def a_checkpoint(folder: Path, *, age: int = 0) -> Path:
    folder.mkdir(parents=True)
    (folder / "catbot.json").write_text("{}", "utf-8")
    os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    return folder


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("bundled", BUNDLED),
        (" bundled ", BUNDLED),
        ("mike", FOLDER / "mike"),
        ("mike-2.1", FOLDER / "mike-2.1"),
        ("mike@v2", FOLDER / "mike@v2"),
        ("猫", FOLDER / "猫"),
        ("/srv/cats/mike", "/srv/cats/mike"),
        ("./mike", "./mike"),
        ("~/mike", "~/mike"),
        ("user/name", "user/name"),
        ("user/name@main", "user/name@main"),
        ("user/name@refs/pr/1", "user/name@refs/pr/1"),
    ],
)
def test_what_a_name_means(name: str, source: str | Path) -> None:
    assert resolve(name, FOLDER) == source


@pytest.mark.parametrize("name", ["..", "../mike", "mike/../../etc", "/srv/../etc", "user/..", "mike@../../etc"])
def test_a_name_that_climbs_is_refused(name: str) -> None:
    with pytest.raises(CheckpointNotFound, match=r"'\.\.'"):
        resolve(name, FOLDER)


@pytest.mark.parametrize("name", ["mike", "mike@v2", "catbot.json"])
def test_a_name_never_leaves_the_checkpoints_folder(name: str, tmp_path: Path) -> None:
    assert Path(resolve(name, tmp_path)).resolve().parent == tmp_path.resolve()


def test_a_mistyped_name_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hub(*_: object, **__: object) -> str:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound, match="no checkpoint folder"):
        open_checkpoint(resolve("mkie", FOLDER))


def test_the_bundled_checkpoint_can_be_opened() -> None:
    assert open_checkpoint(resolve("bundled", FOLDER)).folder == BUNDLED


# --- what there is ----------------------------------------------------------------------------------------------


def test_local_checkpoints_are_the_bundled_one_then_the_newest_first(tmp_path: Path) -> None:
    for age, name in ((30, "old"), (10, "new"), (20, "middle")):
        a_checkpoint(tmp_path / name, age=age)
    (tmp_path / "not-a-checkpoint").mkdir()
    (tmp_path / "catbot.json").write_text("{}", "utf-8")
    assert local_checkpoints(tmp_path) == ["bundled", "new", "middle", "old"]


def test_no_folder_leaves_the_bundled_one(tmp_path: Path) -> None:
    assert local_checkpoints(tmp_path / "nothing") == ["bundled"]


def test_every_listed_name_can_be_resolved(tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path / "mike")
    assert [resolve(name, tmp_path) for name in local_checkpoints(tmp_path)] == [BUNDLED, folder]


# --- the pointer ------------------------------------------------------------------------------------------------


def test_a_reload_is_remembered(tmp_path: Path) -> None:
    write_pointer(tmp_path / "data", source="user/猫@v2", configured="bundled")
    assert read_pointer(tmp_path / "data", "bundled") == "user/猫@v2"


def test_the_last_reload_counts_and_no_temporary_file_stays(tmp_path: Path) -> None:
    for source in ("mike", "tama"):
        write_pointer(tmp_path, source=source, configured="bundled")
    assert read_pointer(tmp_path, "bundled") == "tama"
    assert [path.name for path in tmp_path.iterdir()] == ["current.json"]


def test_a_changed_setting_goes_before_an_older_reload(tmp_path: Path) -> None:
    write_pointer(tmp_path, source="mike", configured="bundled")
    assert read_pointer(tmp_path, "tama") == "tama"


def test_without_a_reload_the_setting_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_pointer(tmp_path, "bundled") == "bundled"
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"source": "mike"',
        b"\xff\xfe\x00",
        b"[]",
        b'"mike"',
        b"null",
        b'{"source": "mike"}',
        b'{"configured": "bundled"}',
        b'{"source": null, "configured": "bundled"}',
        b'{"source": " ", "configured": "bundled"}',
    ],
)
def test_a_damaged_pointer_gives_way_to_the_setting_and_is_logged(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "current.json").write_bytes(content)
    assert read_pointer(tmp_path, "bundled") == "bundled"
    assert "current.json cannot be read" in caplog.text


def test_a_pointer_that_is_a_folder_gives_way_too(tmp_path: Path) -> None:
    (tmp_path / "current.json").mkdir()
    assert read_pointer(tmp_path, "bundled") == "bundled"


def test_a_data_folder_that_cannot_be_made_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").write_text("a file in the way", "utf-8")
    write_pointer(tmp_path / "data", source="mike", configured="bundled")
    assert "a restart will not remember the reload" in caplog.text


def test_a_read_only_data_folder_keeps_the_old_pointer_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_pointer(tmp_path, source="mike", configured="bundled")

    def read_only(*_: object) -> None:
        raise PermissionError("read-only file system")  # as for a process that is not root

    monkeypatch.setattr(Path, "write_text", read_only)
    write_pointer(tmp_path, source="tama", configured="bundled")
    assert read_pointer(tmp_path, "bundled") == "mike"
    assert "a restart will not remember the reload" in caplog.text
