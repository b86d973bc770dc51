"""Which checkpoint to serve: names that operators write, and the choice that survives a restart.

Owns the `current` file in the data folder: it is written to a temporary file and renamed, so it is whole or the old one.
"""

import json
import logging
from pathlib import Path

from model.checkpoint import BUNDLED, MANIFEST
from model.errors import CheckpointNotFound

log = logging.getLogger(__name__)

_FILE = "current.json"


def resolve(name: str, checkpoints: Path) -> str | Path:
    """What an operator wrote as something that `CatModel` can open: "bundled", a name in the checkpoints folder, a folder
    or a hub id. What is local is a Path, which is never looked for on the hub. Raises CheckpointNotFound for a name that
    climbs out of its folder."""
    name = name.strip()
    if name == "bundled":
        return BUNDLED
    if ".." in Path(name).parts:
        raise CheckpointNotFound(f"{name!r} has '..' in it; give a name in the checkpoints folder, a full path or a hub id")
    if "/" not in name.partition("@")[0]:
        return checkpoints / name
    return name


def local_checkpoints(checkpoints: Path) -> list[str]:
    """Names that `resolve` knows without a network: "bundled", then the checkpoints folder's, newest first."""
    try:
        found = [path.parent for path in checkpoints.glob(f"*/{MANIFEST}")]
        found.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    except OSError:
        found = []
    return ["bundled", *(folder.name for folder in found)]


def write_pointer(data: Path, *, source: str, configured: str) -> None:
    """Remember what was reloaded, and what the settings said at that time. A folder that cannot be written is logged."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        temporary = data / f".{_FILE}.tmp"
        temporary.write_text(json.dumps({"source": source, "configured": configured}), "utf-8")
        temporary.replace(data / _FILE)
    except OSError as error:
        log.warning("the data folder cannot be written (%s); a restart will not remember the reload", error)


def read_pointer(data: Path, configured: str) -> str:
    """The checkpoint to start with: the last reload's, unless the setting was changed since."""
    try:
        remembered = json.loads((data / _FILE).read_text("utf-8"))
        source, said = remembered["source"], remembered["configured"]
        if not isinstance(source, str) or not source.strip():
            raise ValueError("it names no checkpoint")
        return source if said == configured else configured
    except FileNotFoundError:
        return configured
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read (%s); starting with %s", data / _FILE, error, configured)
        return configured
