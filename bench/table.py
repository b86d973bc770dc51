"""Prints rows of plain numbers as a table, and writes them with the machine as JSON."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def show(rows: Sequence[Mapping[str, object]], file: Path | None) -> None:
    """Print the rows, all with the same keys, and write them to `file` if there is one."""
    keys = list(rows[0])
    cells = [keys, *([str(row[key]) for key in keys] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(keys))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    if file:
        file.write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=1) + "\n", "utf-8")
