"""The checkpoint folder: what is in it, where it comes from, and whether it may be trusted.

A checkpoint is a folder of standard Hugging Face files (config.json, model.safetensors, the tokenizer's) that plain
`transformers` loads, plus `catbot.json`, the manifest. Owns finding it (folder, hub id, hub id@revision), verifying it
and writing it. Reads no weights: `model.engine.network` does.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .catspeak import LANGUAGES, Language
from .errors import CheckpointCorrupt, CheckpointNotFound, CheckpointUnavailable, CheckpointUnsupported
from .prompt import PROMPT_FORMATS
from .tokenizer import SPIECE

MANIFEST = "catbot.json"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
#: Version of the manifest's own layout.
MANIFEST_FORMAT = 1
#: The checkpoint that comes with the project.
BUNDLED = Path(__file__).parent / "checkpoints" / "catbot-mini"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.jinja", "merges.txt", "vocab.txt", "README.md"]


class Manifest(BaseModel):
    """`catbot.json`: how to serve the weights next to it, and where they come from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = MANIFEST_FORMAT
    name: str = Field(min_length=1, max_length=100)
    prompt_format: str
    languages: tuple[Language, ...] = LANGUAGES
    #: Ids that occur in the training replies, moods left out; None allows all that the grammar allows.
    reply_token_ids: tuple[int, ...] | None = None
    #: The odds of the mood token are its logits divided by this: found on the development set, so that they can be believed.
    mood_temperature: float = Field(default=1.0, gt=0)
    #: Below this probability of the likeliest mood the cat is curious instead; 0 switches that off.
    mood_floor: float = Field(default=0.0, ge=0, le=1)
    #: sha256 in hex of every other file of the folder that serving reads.
    sha256: dict[str, str] = Field(default_factory=dict)
    #: How it was trained: command, seed, data hash, versions.
    training: dict[str, Any] = Field(default_factory=dict)
    #: Its scores on the evaluation sets.
    scores: dict[str, Any] = Field(default_factory=dict)

    @field_validator("sha256")
    @classmethod
    def _plain_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if Path(name).name != name or name.startswith("."):
                raise ValueError(f"{name!r} is not a plain file name inside the checkpoint")
        return value


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on this disk that passed `verify`.

    `source` is what the operator asked for; `revision` the hub's commit, or the first 12 hex digits of the weights' hash.
    """

    folder: Path
    source: str
    revision: str
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.manifest.name


def open_checkpoint(source: str | Path, *, cache_dir: Path | None = None) -> Checkpoint:
    """Find a checkpoint and verify it: every file there, hashes right, nothing that executes code.

    `source` is a folder, a hub id ("user/name") or one with a revision ("user/name@revision"); downloads go through
    huggingface-hub's cache. Blocking: call it from a thread. Raises one of the CheckpointError family, with a message
    that says what to do.
    """
    text = str(source).strip()
    try:
        folder = Path(text).expanduser()
        found = bool(text) and folder.is_dir()
    except (OSError, RuntimeError) as error:  # a name too long for the file system; "~nobody"
        raise CheckpointNotFound(
            f"{text[:60]!r} cannot be a folder; give a folder, or a hub id such as user/name@revision"
        ) from error
    if found:
        return verify(folder, text)
    if isinstance(source, Path) or not _looks_like_hub_id(text):
        raise CheckpointNotFound(f"there is no checkpoint folder {text!r}; give a folder, or a hub id such as user/name@revision")
    folder, revision = _download(text, cache_dir)
    return verify(folder, text, revision)


def _looks_like_hub_id(text: str) -> bool:
    name = text.partition("@")[0]
    return bool(_HUB_ID.fullmatch(name)) and ".." not in text


def _download(source: str, cache_dir: Path | None) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, revision = source.partition("@")
    try:
        path = snapshot_download(repo, revision=revision or None, cache_dir=cache_dir, allow_patterns=_HUB_FILES)
    except GatedRepoError as error:
        raise CheckpointUnavailable(f"{repo} is gated: accept its terms on the hub and set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise CheckpointNotFound(f"{repo} has no revision {revision!r}; look at its commits on the hub") from error
    except RepositoryNotFoundError as error:
        raise CheckpointNotFound(f"the hub has no {repo!r}, or it is private and HF_TOKEN is not set") from error
    except LocalEntryNotFoundError as error:
        raise CheckpointUnavailable(
            f"no network to the hub, and {source} is not in the local cache; try again, or give a folder"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise CheckpointUnavailable(f"the hub did not deliver {source} ({type(error).__name__}); try again later") from error
    return Path(path), Path(path).name


def verify(folder: Path, source: str, revision: str | None = None) -> Checkpoint:
    """Check a folder without loading it; see `open_checkpoint`."""
    if not (folder / CONFIG).is_file():
        raise CheckpointNotFound(f"{folder.name}: {CONFIG} is missing; this is not a checkpoint folder")
    config = _read_json(folder / CONFIG)
    _refuse_code(folder, config)
    weights = weight_files(folder)
    manifest = read_manifest(folder)
    _check_hashes(folder, manifest)
    if revision is None:
        revision = manifest.sha256.get(WEIGHTS, "")[:12] or file_sha256(weights[0])[:12]
    return Checkpoint(folder, source, revision, manifest)


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest; for a checkpoint made elsewhere, without one, what its tokenizer suggests."""
    path = folder / MANIFEST
    if not path.is_file():
        return _foreign_manifest(folder)
    try:
        manifest = Manifest.model_validate(_read_json(path))
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CheckpointCorrupt(f"{folder.name}: {MANIFEST} is not valid ({where})") from error
    if manifest.format != MANIFEST_FORMAT:
        raise CheckpointUnsupported(
            f"{folder.name}: manifest format {manifest.format}; this version reads {MANIFEST_FORMAT}. Update catbot"
        )
    if manifest.prompt_format not in PROMPT_FORMATS:
        known = ", ".join(PROMPT_FORMATS)
        raise CheckpointUnsupported(
            f"{folder.name}: unknown prompt format {manifest.prompt_format!r}; this version knows {known}"
        )
    return manifest


def _foreign_manifest(folder: Path) -> Manifest:
    if (folder / SPIECE).is_file():
        return Manifest(name=folder.name, prompt_format="persona", languages=("ja",))
    config = folder / "tokenizer_config.json"
    if (folder / "chat_template.jinja").is_file() or (config.is_file() and "chat_template" in _read_json(config)):
        return Manifest(name=folder.name, prompt_format="chat")
    raise CheckpointUnsupported(f"{folder.name}: no {MANIFEST}, and neither {SPIECE} nor a chat template tells how to prompt it")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointCorrupt(f"{path.parent.name}: {path.name} is not valid JSON; copy the checkpoint again") from error
    if not isinstance(data, dict):
        raise CheckpointCorrupt(f"{path.parent.name}: {path.name} must hold a JSON object")
    return data


def _refuse_code(folder: Path, config: dict[str, Any]) -> None:
    if "auto_map" in config:
        raise CheckpointUnsupported(
            f"{folder.name}: it wants to run code of its own (auto_map); only transformers' own architectures are served"
        )
    architectures = config.get("architectures") or []
    if not config.get("model_type"):
        raise CheckpointUnsupported(f"{folder.name}: {CONFIG} names no model_type; it was not saved by transformers")
    if architectures and not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        raise CheckpointUnsupported(f"{folder.name}: {architectures[0]} is not a causal language model; it cannot write replies")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that the folder's weights consist of; others that lie there are not read."""
    if (folder / WEIGHTS_INDEX).is_file():
        index = _read_json(folder / WEIGHTS_INDEX).get("weight_map")
        if not isinstance(index, dict) or not all(isinstance(name, str) for name in index.values()):
            raise CheckpointCorrupt(f"{folder.name}: {WEIGHTS_INDEX} names no files; copy the checkpoint again")
        names = sorted(set(index.values()))
        if any(Path(name).name != name for name in names):
            raise CheckpointCorrupt(f"{folder.name}: {WEIGHTS_INDEX} points outside the folder")
        paths = [folder / name for name in names]
    else:
        paths = [folder / WEIGHTS]
    missing = [path.name for path in paths if not path.is_file()]
    if not missing and paths:
        return paths
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
        raise CheckpointUnsupported(f"{folder.name}: the weights are a pickle, which can run code; save them as safetensors")
    raise CheckpointNotFound(f"{folder.name}: {', '.join(missing) or WEIGHTS} is missing; copy the whole checkpoint")


def _check_hashes(folder: Path, manifest: Manifest) -> None:
    for name, expected in manifest.sha256.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointNotFound(f"{folder.name}: {name} is missing, but {MANIFEST} lists it; copy the whole checkpoint")
        if file_sha256(path) != expected:
            raise CheckpointCorrupt(
                f"{folder.name}: {name} is not the file that {MANIFEST} describes (wrong sha256); copy it again"
            )


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest, files: Iterable[str]) -> Manifest:
    """Write `catbot.json` with the hashes of `files`, through a temporary file; returns the manifest as written."""
    complete = manifest.model_copy(update={"sha256": {name: file_sha256(folder / name) for name in sorted(files)}})
    temporary = folder / f".{MANIFEST}.tmp"
    temporary.write_text(complete.model_dump_json(indent=1) + "\n", "utf-8")
    temporary.replace(folder / MANIFEST)
    return complete
