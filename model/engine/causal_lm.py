"""Any causal LM of transformers behind `network.Network`: the general way, where `gpt2` is the tuned one.

Owns loading through AutoModelForCausalLM (safetensors only, no remote code) and the bookkeeping of masks and positions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from ..errors import CheckpointCorrupt, CheckpointUnsupported


@dataclass(slots=True)
class _State:
    past: DynamicCache
    mask: Tensor  # [rows, length] bool
    positions: Tensor  # [rows] int64: the next token's position

    def keep(self, rows: Tensor) -> None:
        self.past.batch_select_indices(rows)
        self.mask, self.positions = self.mask[rows], self.positions[rows]


class CausalLM:
    """See `network.Network`."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, columns: Tensor) -> None:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
            raise CheckpointUnsupported(
                f"{folder.name}: {config.model_type} is not a causal language model; it cannot write replies"
            )
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise CheckpointCorrupt(
                f"{folder.name}: transformers cannot load it ({type(error).__name__}); copy it again"
            ) from error
        model, found = loaded
        # transformers fills what is missing with random numbers and only warns.
        if found["missing_keys"]:
            raise CheckpointCorrupt(f"{folder.name}: the weights lack {sorted(found['missing_keys'])[0]}; copy it again")
        from .network import check_finite

        check_finite(folder.name, dict(model.named_parameters()))
        # What was loaded is still the mapped file: overwriting it in place would change, or end, a running model.
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()
        self._model: Any = model.eval()
        self._model.to(device)
        self._columns = columns.to(device)
        positions: Any = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", 1024)
        self.positions = int(positions)

    @torch.inference_mode()
    def prefill(self, ids: Tensor, mask: Tensor, new_tokens: int) -> tuple[Tensor, _State]:
        """See `Network.prefill`."""
        positions = (mask.long().cumsum(1) - 1).clamp_(min=0)
        state = _State(DynamicCache(), mask, positions[:, -1])
        return self._forward(ids, positions, state), state

    @torch.inference_mode()
    def decode(self, ids: Tensor, cache: _State) -> Tensor:
        """See `Network.decode`."""
        cache.mask = torch.cat([cache.mask, torch.ones_like(cache.mask[:, :1])], dim=1)
        return self._forward(ids[:, None], cache.positions[:, None], cache)

    def _forward(self, ids: Tensor, positions: Tensor, state: _State) -> Tensor:
        output = self._model(
            input_ids=ids,
            attention_mask=state.mask.long(),
            position_ids=positions,
            past_key_values=state.past,
            use_cache=True,
            logits_to_keep=1,
        )
        state.past, state.positions = output.past_key_values, positions[:, -1] + 1
        logits: Tensor = output.logits
        return logits[:, -1].index_select(1, self._columns).float()
