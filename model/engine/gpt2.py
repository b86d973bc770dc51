"""GPT-2 as the engine runs it: the same arithmetic as transformers' GPT2LMHeadModel, less what serving does not need.

Owns the forward pass, the key-value cache and the output head cut to the reply vocabulary. Starting without transformers
saves two seconds and 120 MB, and a preallocated cache saves copying. A test compares its logits with transformers'.
Architecture: Radford et al. 2019; layer names as in the Hugging Face files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_ACTIVATIONS = {"gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu": "none"}


def speaks_gpt2(config: dict[str, Any], folder: Path) -> bool:
    """Whether this forward computes what the configuration asks for; rarer variants go to transformers."""
    return (
        config.get("model_type") == "gpt2"
        and config.get("activation_function", "gelu_new") in _ACTIVATIONS
        and config.get("scale_attn_weights", True)
        and not config.get("scale_attn_by_inverse_layer_idx", False)
        and not config.get("add_cross_attention", False)
        and (folder / "model.safetensors").is_file()
    )


@dataclass(slots=True)
class KeyValueCache:
    """keys and values [layers, rows, heads, length, head size]; mask [rows, length] bool; `used` columns are filled."""

    keys: Tensor
    values: Tensor
    mask: Tensor
    positions: Tensor  # [rows] int64: the next token's position
    used: int

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]
        self.mask, self.positions = self.mask[rows], self.positions[rows]


@dataclass(frozen=True, slots=True)
class _Layer:
    norm1: tuple[Tensor, Tensor]
    attention: tuple[Tensor, Tensor]
    projection: tuple[Tensor, Tensor]
    norm2: tuple[Tensor, Tensor]
    up: tuple[Tensor, Tensor]
    down: tuple[Tensor, Tensor]


class GPT2:
    """See `network.Network`. Raises KeyError or RuntimeError when the tensors do not fit the configuration."""

    def __init__(
        self, config: dict[str, Any], tensors: dict[str, Tensor], device: torch.device, dtype: torch.dtype, columns: Tensor
    ) -> None:
        self.positions: int = config.get("n_positions", 1024)
        self._heads: int = config["n_head"]
        self._epsilon: float = config.get("layer_norm_epsilon", 1e-5)
        self._gelu: str = _ACTIVATIONS[config.get("activation_function", "gelu_new")]
        place = {"device": device, "dtype": dtype}
        weights = {name.removeprefix("transformer."): tensor.to(**place) for name, tensor in tensors.items()}  # type: ignore[call-overload]
        self._tokens, self._places = weights["wte.weight"], weights["wpe.weight"]
        if self._tokens.shape != (config["vocab_size"], config["n_embd"]) or len(self._places) != self.positions:
            raise RuntimeError(f"embeddings {tuple(self._tokens.shape)} and {tuple(self._places.shape)}")
        self._layers = [_read_layer(weights, number) for number in range(config["n_layer"])]
        self._norm = (weights["ln_f.weight"], weights["ln_f.bias"])
        self._head = weights.get("lm_head.weight", self._tokens)[columns.to(device)].contiguous()

    def prefill(self, ids: Tensor, mask: Tensor, new_tokens: int) -> tuple[Tensor, KeyValueCache]:
        """See `Network.prefill`."""
        rows, width = ids.shape
        shape = (len(self._layers), rows, self._heads, width + new_tokens, self._tokens.shape[1] // self._heads)
        keys = torch.zeros(shape, dtype=self._tokens.dtype, device=ids.device)
        values = torch.zeros_like(keys)
        length = torch.zeros(rows, width + new_tokens, dtype=torch.bool, device=ids.device)
        length[:, :width] = mask
        positions = (mask.long().cumsum(1) - 1).clamp_(min=0)
        cache = KeyValueCache(keys, values, length, positions[:, -1] + 1, 0)
        causal = torch.ones(width, width, dtype=torch.bool, device=ids.device).tril()
        # Padding may look at itself: a row of nothing but masked keys would turn into NaN.
        seen = (causal & mask[:, None, :]) | torch.eye(width, dtype=torch.bool, device=ids.device)
        return self._forward(ids, positions, seen[:, None], cache), cache

    def decode(self, ids: Tensor, cache: KeyValueCache) -> Tensor:
        """See `Network.decode`."""
        cache.mask[:, cache.used] = True
        seen = cache.mask[:, None, None, : cache.used + 1]
        logits = self._forward(ids[:, None], cache.positions[:, None], seen, cache)
        cache.positions = cache.positions + 1
        return logits

    @torch.inference_mode()
    def _forward(self, ids: Tensor, positions: Tensor, seen: Tensor, cache: KeyValueCache) -> Tensor:
        hidden = self._tokens[ids] + self._places[positions]
        span = slice(cache.used, cache.used + ids.shape[1])
        for number, layer in enumerate(self._layers):
            hidden = hidden + self._attend(
                layer, F.layer_norm(hidden, hidden.shape[-1:], *layer.norm1, self._epsilon), seen, cache, number, span
            )
            middle = F.linear(F.layer_norm(hidden, hidden.shape[-1:], *layer.norm2, self._epsilon), *layer.up)
            hidden = hidden + F.linear(F.gelu(middle, approximate=self._gelu), *layer.down)
        cache.used = span.stop
        last = F.layer_norm(hidden[:, -1], hidden.shape[-1:], *self._norm, self._epsilon)
        return F.linear(last, self._head).float()

    def _attend(self, layer: _Layer, hidden: Tensor, seen: Tensor, cache: KeyValueCache, number: int, span: slice) -> Tensor:
        rows, width, size = hidden.shape
        parts = F.linear(hidden, *layer.attention).view(rows, width, 3, self._heads, size // self._heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        cache.keys[number, :, :, span], cache.values[number, :, :, span] = key, value
        mixed = F.scaled_dot_product_attention(
            query, cache.keys[number, :, :, : span.stop], cache.values[number, :, :, : span.stop], attn_mask=seen
        )
        return F.linear(mixed.transpose(1, 2).reshape(rows, width, size), *layer.projection)


def _read_layer(weights: dict[str, Tensor], number: int) -> _Layer:
    def pair(name: str) -> tuple[Tensor, Tensor]:
        weight, bias = weights[f"h.{number}.{name}.weight"], weights[f"h.{number}.{name}.bias"]
        # GPT-2's files hold linear layers transposed ("Conv1D"): [in, out].
        return (weight.t().contiguous() if weight.dim() == 2 else weight), bias

    return _Layer(*(pair(name) for name in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")))
