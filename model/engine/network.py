"""A checkpoint's weights on a device, behind the two calls that the runner makes: prefill and decode.

Chooses between the tuned GPT-2 (`gpt2`) and any other causal LM of transformers (`causal_lm`), reads the weights, and
checks that they are sound. Knows no prompt, no grammar and no sampling.
"""

import json
from pathlib import Path
from typing import Any, Protocol

import psutil
import safetensors.torch
import torch
from torch import Tensor

from ..checkpoint import CONFIG, Checkpoint, weight_files
from ..errors import CheckpointCorrupt, CheckpointUnsupported, NotEnoughMemory


class Cache(Protocol):
    """Keys and values of a batch; belongs to the network that made it."""

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these ([kept] int64)."""


class Network(Protocol):
    """A causal language model whose output head has only the asked columns."""

    @property
    def positions(self) -> int:
        """Longest sequence, prompt and reply together, in tokens."""

    def prefill(self, ids: Tensor, mask: Tensor, new_tokens: int) -> tuple[Tensor, Cache]:
        """Read prompts. ids [rows, width] int64 and mask [rows, width] bool, padded on the left; room for `new_tokens`.

        Returns the logits of the next token, [rows, columns] float32, and the cache.
        """

    def decode(self, ids: Tensor, cache: Any) -> Tensor:
        """One more token a row: ids [rows] int64 to logits [rows, columns] float32; `cache` is prefill's own."""


def pick_device(wanted: str) -> torch.device:
    """The torch device for "auto", "cpu", "cuda" or "cuda:N"; raises CheckpointUnsupported if it is not there."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise CheckpointUnsupported(f"there is no device {wanted!r}; use 'auto', 'cpu', 'cuda' or 'cuda:N'") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise CheckpointUnsupported("device 'cuda' was asked for, but torch sees no CUDA device; use 'auto' or 'cpu'")
    return device


def load_network(checkpoint: Checkpoint, device: torch.device, columns: Tensor, tokens: int) -> Network:
    """The checkpoint's weights, ready to compute; `columns` [columns] int64 are the token ids of the output head.

    `tokens` is how many the tokenizer has: the model must have an embedding for each.

    CUDA computes in bf16, the CPU in fp32. Raises CheckpointCorrupt, CheckpointUnsupported or NotEnoughMemory.
    """
    config = json.loads((checkpoint.folder / CONFIG).read_text("utf-8"))
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    if config.get("vocab_size", tokens) < tokens:
        raise CheckpointUnsupported(
            f"{checkpoint.name}: the tokenizer has {tokens} tokens, the model only {config['vocab_size']}; they are not a pair"
        )
    _check_memory(checkpoint.folder, device)
    from .gpt2 import GPT2, speaks_gpt2

    try:
        if speaks_gpt2(config, checkpoint.folder):
            return GPT2(config, read_weights(checkpoint.folder), device, dtype, columns)
        from .causal_lm import CausalLM

        return CausalLM(checkpoint.folder, device, dtype, columns)
    except (KeyError, RuntimeError) as error:
        if isinstance(error, torch.cuda.OutOfMemoryError):
            raise NotEnoughMemory(f"{checkpoint.name} does not fit into the device's memory") from error
        raise CheckpointCorrupt(
            f"{checkpoint.name}: the weights do not fit {CONFIG} ({type(error).__name__}: {error})"
        ) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of the folder's safetensors files, checked to be finite; raises CheckpointCorrupt."""
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        try:
            # Read, not mapped: a mapped file that is overwritten in place ends the process (SIGBUS).
            tensors.update(safetensors.torch.load(path.read_bytes()))
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise CheckpointCorrupt(f"{folder.name}: {path.name} is truncated or not safetensors; copy it again") from error
    check_finite(folder.name, tensors)
    return tensors


def check_finite(name: str, tensors: dict[str, Tensor]) -> None:
    """Raise CheckpointCorrupt if any weight is NaN or infinite."""
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointCorrupt(
                f"{name}: {key} holds NaN or infinite weights; the training went wrong, use an earlier checkpoint"
            )


def _check_memory(folder: Path, device: torch.device) -> None:
    # fp32 weights once, the file's own pages, and as much again for the work: old and new stand side by side in a swap.
    needed = 3 * sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    if needed > free:
        raise NotEnoughMemory(
            f"{folder.name} needs about {needed >> 20} MiB more, and {free >> 20} MiB are free; nothing was changed"
        )
