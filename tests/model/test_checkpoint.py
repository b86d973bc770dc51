"""A checkpoint folder that cannot be trusted or served: one kind of error each, with a message that says what to do."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from model.checkpoint import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    WEIGHTS_INDEX,
    Manifest,
    file_sha256,
    open_checkpoint,
    read_manifest,
    write_manifest,
)
from model.engine.runner import Runner
from model.errors import (
    CatError,
    CheckpointCorrupt,
    CheckpointError,
    CheckpointNotFound,
    CheckpointUnsupported,
)
from model.tokenizer import SPIECE
from tests.hub import COMMIT, Hub

Change = Callable[[Path], object]


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None removes one."""
    content = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), "utf-8")


def weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    change(tensors)
    safetensors.torch.save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def unhashed(change: Change) -> Change:
    """The change, in a folder whose manifest lists no hashes."""

    def changed(folder: Path) -> None:
        if (folder / MANIFEST).is_file():
            edit(folder / MANIFEST, sha256={})
        change(folder)

    return changed


def truncate(name: str) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-100])


def write(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text, "utf-8")


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def only_pickle(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))


def with_index(weight_map: Any) -> Change:
    def change(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        (folder / WEIGHTS_INDEX).write_text(json.dumps({"weight_map": weight_map}))

    return change


def not_a_number(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values())).view(-1)[3] = torch.nan


def without_a_layer(tensors: dict[str, torch.Tensor]) -> None:
    for name in [name for name in tensors if ".1." in name]:
        del tensors[name]


def smaller_vocabulary(folder: Path) -> None:
    """Config and weights agree with each other, but the tokenizer has more pieces."""
    edit(folder / CONFIG, vocab_size=300)
    matrices = ("wte.weight", "embed_tokens.weight", "lm_head.weight")
    weights(folder, lambda tensors: tensors.update({k: v[:300].clone() for k, v in tensors.items() if k.endswith(matrices)}))


HASHED: list[tuple[str, Change, type[CheckpointError], str]] = [
    ("no config", remove(CONFIG), CheckpointNotFound, "config.json is missing; this is not a checkpoint folder"),
    ("no weights", remove(WEIGHTS), CheckpointNotFound, "model.safetensors is missing; copy the whole"),
    ("no tokenizer", remove(SPIECE), CheckpointNotFound, "spiece.model is missing, but catbot.json lists it"),
    (
        "other tokenizer",
        truncate(SPIECE),
        CheckpointCorrupt,
        "spiece.model is not the file that catbot.json describes (wrong sha256)",
    ),
    ("truncated weights", truncate(WEIGHTS), CheckpointCorrupt, "(wrong sha256); copy it again"),
    ("other config", lambda f: edit(f / CONFIG, n_layer=1), CheckpointCorrupt, "config.json is not the file"),
    ("config not JSON", write(CONFIG, "{"), CheckpointCorrupt, "config.json is not valid JSON"),
    ("config not an object", write(CONFIG, "[]"), CheckpointCorrupt, "config.json must hold a JSON object"),
    ("manifest not JSON", write(MANIFEST, "nope"), CheckpointCorrupt, "catbot.json is not valid JSON"),
    ("manifest without name", lambda f: edit(f / MANIFEST, name=None), CheckpointCorrupt, "catbot.json is not valid (name: "),
    (
        "prompt format",
        lambda f: edit(f / MANIFEST, prompt_format="haiku"),
        CheckpointUnsupported,
        "unknown prompt format 'haiku'",
    ),
    ("manifest format", lambda f: edit(f / MANIFEST, format=2), CheckpointUnsupported, "manifest format 2; this version reads 1"),
    ("language", lambda f: edit(f / MANIFEST, languages=["fr"]), CheckpointCorrupt, "languages"),
    ("path outside", lambda f: edit(f / MANIFEST, sha256={"../x": "0"}), CheckpointCorrupt, "'../x' is not a plain file name"),
    ("absolute path", lambda f: edit(f / MANIFEST, sha256={"/etc/passwd": "0"}), CheckpointCorrupt, "is not a plain file name"),
    (
        "remote code",
        lambda f: edit(f / CONFIG, auto_map={"AutoModel": "x.Y"}),
        CheckpointUnsupported,
        "code of its own (auto_map)",
    ),
    (
        "classifier",
        lambda f: edit(f / CONFIG, architectures=["BertForSequenceClassification"]),
        CheckpointUnsupported,
        "not a causal",
    ),
    ("no model type", lambda f: edit(f / CONFIG, model_type=None), CheckpointUnsupported, "names no model_type"),
    ("pickle only", only_pickle, CheckpointUnsupported, "the weights are a pickle, which can run code"),
    ("index outside", with_index({"a": "../model.safetensors"}), CheckpointCorrupt, "points outside the folder"),
    ("shard missing", with_index({"a": "model-1.safetensors"}), CheckpointNotFound, "model-1.safetensors is missing"),
    ("empty index", with_index({}), CheckpointNotFound, "model.safetensors is missing"),
    ("index is a list", with_index([]), CheckpointCorrupt, "model.safetensors.index.json"),
    ("index of numbers", with_index({"a": 1}), CheckpointCorrupt, "model.safetensors.index.json"),
]


@pytest.mark.parametrize(("change", "kind", "message"), [c[1:] for c in HASHED], ids=[c[0] for c in HASHED])
def test_verification(catbot_checkpoint: Path, tmp_path: Path, change: Change, kind: type[CheckpointError], message: str) -> None:
    folder = Path(shutil.copytree(catbot_checkpoint, tmp_path / "cat"))
    change(folder)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder)
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)


LOADED: list[tuple[str, Change, type[CheckpointError], str]] = [
    ("no tokenizer", remove(SPIECE), CheckpointNotFound, "no spiece.model and no tokenizer.json"),
    ("truncated", truncate(WEIGHTS), CheckpointCorrupt, "copy it again"),
    ("empty weights", write(WEIGHTS, ""), CheckpointCorrupt, "copy it again"),
    ("NaN", lambda f: weights(f, not_a_number), CheckpointCorrupt, "holds NaN or infinite weights"),
    ("missing layer", lambda f: weights(f, without_a_layer), CheckpointCorrupt, ""),
    ("other shape", lambda f: edit(f / CONFIG, vocab_size=5), CheckpointError, ""),
    ("vocabulary", smaller_vocabulary, CheckpointError, "300"),
]


def tokenizer_of(folder: Path) -> str:
    return SPIECE if (folder / SPIECE).is_file() else "tokenizer.json"


@pytest.mark.parametrize("family", ["catbot", "chat"])
@pytest.mark.parametrize(("change", "kind", "message"), [c[1:] for c in LOADED], ids=[c[0] for c in LOADED])
def test_loading(
    request: pytest.FixtureRequest, tmp_path: Path, family: str, change: Change, kind: type[CheckpointError], message: str
) -> None:
    folder = Path(shutil.copytree(request.getfixturevalue(f"{family}_checkpoint"), tmp_path / "cat"))
    if family == "catbot":
        (folder / "tokenizer.json").unlink()
    elif change is LOADED[0][1]:
        change = remove("tokenizer.json")
    unhashed(change)(folder)
    with pytest.raises(CheckpointError) as caught:
        Runner(open_checkpoint(folder), "cpu")
    assert isinstance(caught.value, kind)
    assert message in str(caught.value)


def test_weights_that_the_manifest_does_not_know_are_not_read(catbot_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(catbot_checkpoint, tmp_path / "cat"))
    tensors = {name: torch.full_like(tensor, torch.nan) for name, tensor in safetensors.torch.load_file(folder / WEIGHTS).items()}
    safetensors.torch.save_file(tensors, folder / "zzz.safetensors")
    Runner(open_checkpoint(folder), "cpu")


def test_reply_vocabulary_must_be_writable(catbot_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(catbot_checkpoint, tmp_path / "cat"))
    for ids, message in (([2, 9999], "cannot write: [2, 9999]"), ([300], "cannot write any")):
        edit(folder / MANIFEST, reply_token_ids=ids)
        with pytest.raises(CheckpointUnsupported) as caught:
            Runner(open_checkpoint(folder), "cpu")
        assert message in str(caught.value)


def test_encoder_with_safetensors(tmp_path: Path, chat_checkpoint: Path) -> None:
    folder = Path(shutil.copytree(chat_checkpoint, tmp_path / "cat"))
    edit(folder / CONFIG, model_type="vit", architectures=None)
    with pytest.raises(CheckpointUnsupported, match="vit is not a causal language model"):
        Runner(open_checkpoint(folder), "cpu")


@pytest.mark.parametrize(
    "source", ["nowhere", "./no/such/folder", "a/b/c", "", "user/..", "user/name with spaces", "~/nope", "/etc/x"]
)
def test_no_such_folder(source: str) -> None:
    with pytest.raises(CheckpointNotFound, match="there is no checkpoint folder"):
        open_checkpoint(source)


def test_path_is_never_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound):
        open_checkpoint(Path("user/name"))


def test_sound_checkpoint(catbot_checkpoint: Path) -> None:
    checkpoint = open_checkpoint(f" {catbot_checkpoint} ")
    assert (checkpoint.name, checkpoint.manifest.prompt_format) == ("catbot-test", "catbot")
    assert checkpoint.revision == file_sha256(catbot_checkpoint / WEIGHTS)[:12]


def test_foreign_checkpoints(rinna_checkpoint: Path, chat_checkpoint: Path, tmp_path: Path) -> None:
    assert read_manifest(rinna_checkpoint) == Manifest(name="rinna-test", prompt_format="persona", languages=("ja",))
    assert read_manifest(chat_checkpoint) == Manifest(name="llama-test", prompt_format="chat")
    assert open_checkpoint(rinna_checkpoint).revision == file_sha256(rinna_checkpoint / WEIGHTS)[:12]
    folder = Path(shutil.copytree(chat_checkpoint, tmp_path / "cat"))
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointUnsupported, match=r"neither spiece\.model nor a chat template"):
        open_checkpoint(folder)


def test_manifest_is_written_whole(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b")
    (tmp_path / "a").write_text("a")
    written = write_manifest(tmp_path, Manifest(name="x", prompt_format="chat", reply_token_ids=(1, 2)), ["b", "a"])
    assert list(written.sha256) == ["a", "b"]
    assert read_manifest(tmp_path) == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", MANIFEST]


def test_every_kind_of_checkpoint_error_is_a_cat_error() -> None:
    assert all(issubclass(kind, CatError) for kind in CheckpointError.__subclasses__())


# --- the hub ------------------------------------------------------------------------------------------------------

_OPEN = """
import json, sys
from pathlib import Path
from model.checkpoint import open_checkpoint
from model.errors import CheckpointError
for source in sys.argv[2:]:
    try:
        found = open_checkpoint(source, cache_dir=Path(sys.argv[1]))
        print(json.dumps(["ok", found.revision, sorted(p.name for p in found.folder.iterdir()), found.source]))
    except CheckpointError as error:
        print(json.dumps([type(error).__name__, str(error)]))
"""
HUB_SOURCES = ["user/cat", "user/cat@v1", "user/cat@nope", "user/missing", "user/private", "user/gated", "user/broken"]


def open_all(sources: list[str], endpoint: str, cache: Path) -> dict[str, list[Any]]:
    """What each source gives, in a fresh process: huggingface-hub reads HF_ENDPOINT when it is imported."""
    unset = ("HF_TOKEN", "HF_HUB_OFFLINE")
    environment = {key: value for key, value in os.environ.items() if key not in unset and not key.lower().endswith("_proxy")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(cache), *sources],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(zip(sources, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def hub(catbot_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Any]], list[str]]:
    """The outcome of each of HUB_SOURCES, and the paths that were asked for."""
    with Hub(catbot_checkpoint, extra={"pytorch_model.bin": b"evil", "code.py": b"evil"}) as served:
        return open_all(HUB_SOURCES, served.address, tmp_path_factory.mktemp("cache")), served.asked


@pytest.mark.parametrize("source", ["user/cat", "user/cat@v1"])
def test_download(hub: tuple[dict[str, list[Any]], list[str]], catbot_checkpoint: Path, source: str) -> None:
    outcome, revision, files, asked_for = hub[0][source]
    assert (outcome, revision, asked_for) == ("ok", COMMIT, source)
    assert files == sorted(path.name for path in catbot_checkpoint.iterdir())


def test_download_is_pinned_and_leaves_code_behind(hub: tuple[dict[str, list[Any]], list[str]]) -> None:
    asked = hub[1]
    assert "/api/models/user/cat/revision/v1" in asked
    resolved = [path for path in asked if "/resolve/" in path]
    assert resolved
    assert all(f"/resolve/{COMMIT}/" in path for path in resolved)
    assert not any(path.endswith((".bin", ".py")) for path in resolved)


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("user/cat@nope", "CheckpointNotFound", "user/cat has no revision 'nope'; look at its commits on the hub"),
        ("user/missing", "CheckpointNotFound", "the hub has no 'user/missing', or it is private and HF_TOKEN is not set"),
        ("user/private", "CheckpointNotFound", "the hub has no 'user/private', or it is private and HF_TOKEN is not set"),
        ("user/gated", "CheckpointUnavailable", "user/gated is gated: accept its terms on the hub and set HF_TOKEN"),
    ],
)
def test_hub_refuses(hub: tuple[dict[str, list[Any]], list[str]], source: str, kind: str, message: str) -> None:
    assert hub[0][source] == [kind, message]


def test_hub_fails(hub: tuple[dict[str, list[Any]], list[str]]) -> None:
    kind, message = hub[0]["user/broken"]
    assert kind == "CheckpointUnavailable"
    assert "try again" in message
    assert "\n" not in message


def test_no_network(catbot_checkpoint: Path, tmp_path: Path) -> None:
    with Hub(catbot_checkpoint) as served:
        open_all(["user/cat"], served.address, tmp_path)
    outcomes = open_all(["user/cat", "user/other"], "http://127.0.0.1:9", tmp_path)
    assert outcomes["user/cat"][:2] == ["ok", COMMIT]
    assert outcomes["user/other"] == [
        "CheckpointUnavailable",
        "no network to the hub, and user/other is not in the local cache; try again, or give a folder",
    ]
