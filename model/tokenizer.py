"""Text into ids and ids into bytes, exactly.

Owns the two tokenizers that a checkpoint can have: sentencepiece itself for folders with `spiece.model`, and the
transformers tokenizer for all others. Both promise that text never becomes a special token. Knows no prompt format.

Why not AutoTokenizer for sentencepiece folders: on a rinna-form folder it turns unknown characters into the
end-of-text token and parses a literal "</s>" or "[PAD]" in a message as that token (seen with transformers 5.23).
"""

import json
import re
from pathlib import Path
from typing import Any, Protocol

import sentencepiece

from .errors import CheckpointCorrupt, CheckpointNotFound, CheckpointUnsupported

SPIECE = "spiece.model"
_SPACE = "▁"
_BYTE = re.compile("<0x[0-9A-F]{2}>")


class Tokenizer(Protocol):
    """What prompts and the engine need of a tokenizer."""

    @property
    def size(self) -> int: ...
    @property
    def bos_id(self) -> int: ...
    @property
    def eos_id(self) -> int: ...
    @property
    def normalises(self) -> bool:
        """Whether it writes the NFKC spelling: it cannot tell ﾆｬ from ニャ."""

    @property
    def has_chat_template(self) -> bool: ...
    def encode(self, text: str) -> list[int]:
        """Ids of plain text; never a special token, whatever the text spells."""

    def decode(self, ids: list[int]) -> str:
        """The text of a reply's ids; invalid UTF-8 becomes U+FFFD."""

    def control_id(self, name: str) -> int | None:
        """Id of a control token such as "<cat>", or None."""

    def reply_bytes(self) -> dict[int, bytes]:
        """What each ordinary token writes. Special, unknown and unused tokens are left out."""

    def render_chat(self, messages: list[dict[str, str]]) -> str:
        """The chat template's text for the messages, up to where the assistant speaks."""

    def encode_template(self, text: str) -> list[int]:
        """Ids of text of the template itself: here, and only here, special tokens are parsed."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a checkpoint folder.

    Raises CheckpointNotFound when no tokenizer file is there, CheckpointCorrupt when it cannot be read.
    """
    if (folder / SPIECE).is_file():
        return SentencePieceTokenizer(folder / SPIECE, _config(folder))
    if (folder / "tokenizer.json").is_file():
        return TransformersTokenizer(folder)
    raise CheckpointNotFound(f"{folder.name}: no {SPIECE} and no tokenizer.json; one of them must be there")


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    try:
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError) as error:
        raise CheckpointCorrupt(f"{path.name} is not valid JSON; copy it again from where the checkpoint came from") from error


def _written(piece: str, is_byte: bool) -> bytes:
    """What a piece writes; byte-fallback pieces are called "<0x0A>"."""
    return bytes([int(piece[3:5], 16)]) if is_byte else piece.replace(_SPACE, " ").encode()


class SentencePieceTokenizer:
    """Ids straight from sentencepiece (https://github.com/google/sentencepiece)."""

    has_chat_template = False

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise CheckpointCorrupt(f"{path.name} is not a sentencepiece model; copy it again") from error
        sp = self._processor
        self._lower = bool(config.get("do_lower_case"))
        self.size: int = sp.get_piece_size()
        self.bos_id: int = sp.bos_id()
        self.eos_id: int = sp.eos_id()
        if self.eos_id < 0:
            raise CheckpointUnsupported(f"{path.name} has no end-of-text piece; train it with eos_id >= 0")
        self.normalises: bool = "ﾆｬ" not in sp.normalize("ﾆｬ")
        specials = {str(value) for key, value in config.items() if key.endswith("_token") and isinstance(value, str)}
        self._special = {
            token
            for token in range(self.size)
            if sp.is_control(token) or sp.is_unused(token) or sp.is_unknown(token) or sp.id_to_piece(token) in specials
        }

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`. The ids are sentencepiece's own; characters that it does not know get the unknown id."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids: list[int] = self._processor.encode(text.lower() if self._lower else text)
        spelled = self._special.intersection(ids) - {self._processor.unk_id()}
        return [part for token in ids for part in (self._spell(token) if token in spelled else (token,))]

    def _spell(self, token: int) -> list[int]:
        """The ids of a special piece's own characters: user-defined pieces, rinna's "[PAD]", match what users write.

        It is done with ids because text has many spellings that the normalisation makes into the piece ("［ＰＡＤ］").
        """
        piece = self._processor.id_to_piece(token)
        return self.encode(piece[0]) + self.encode(piece[1:]) if len(piece) > 1 else [self._processor.unk_id()]

    def decode(self, ids: list[int]) -> str:
        """See `Tokenizer.decode`."""
        text: str = self._processor.decode(ids)
        return text

    def control_id(self, name: str) -> int | None:
        """See `Tokenizer.control_id`."""
        token: int = self._processor.piece_to_id(name)
        return token if self._processor.is_control(token) else None

    def reply_bytes(self) -> dict[int, bytes]:
        """See `Tokenizer.reply_bytes`. Byte-fallback pieces write the one byte that they name."""
        sp = self._processor
        return {t: _written(sp.id_to_piece(t), sp.is_byte(t)) for t in range(self.size) if t not in self._special}

    def render_chat(self, messages: list[dict[str, str]]) -> str:
        """Not available: sentencepiece folders have no chat template here."""
        raise CheckpointUnsupported("a sentencepiece checkpoint has no chat template; use prompt format 'persona'")

    def encode_template(self, text: str) -> list[int]:
        """See `Tokenizer.encode_template`."""
        return self.encode(text)


class TransformersTokenizer:
    """Any other tokenizer of transformers, through its fast (Rust) form."""

    normalises = False

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer  # two seconds that sentencepiece checkpoints do not need

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (ValueError, OSError, KeyError) as error:
            raise CheckpointCorrupt(f"{folder.name}: the tokenizer cannot be read ({type(error).__name__})") from error
        if self._tokenizer.eos_token_id is None:
            raise CheckpointUnsupported(f"{folder.name}: the tokenizer has no end-of-text token; set eos_token")
        self.size = len(self._tokenizer)
        self.eos_id: int = self._tokenizer.eos_token_id
        self.bos_id: int = self._tokenizer.eos_token_id if self._tokenizer.bos_token_id is None else self._tokenizer.bos_token_id
        self.has_chat_template = bool(self._tokenizer.chat_template)

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return ids

    def decode(self, ids: list[int]) -> str:
        """See `Tokenizer.decode`."""
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)

    def control_id(self, name: str) -> int | None:
        """See `Tokenizer.control_id`."""
        index = self._tokenizer.all_special_tokens.index(name) if name in self._tokenizer.all_special_tokens else None
        return None if index is None else int(self._tokenizer.all_special_ids[index])

    def reply_bytes(self) -> dict[int, bytes]:
        """See `Tokenizer.reply_bytes`. Byte-level pieces are mapped back through GPT-2's byte alphabet."""
        from transformers.convert_slow_tokenizer import bytes_to_unicode

        special = set(self._tokenizer.all_special_ids)
        to_byte = {char: byte for byte, char in bytes_to_unicode().items()}
        vocabulary = self._tokenizer.get_vocab()
        pieces = {token: piece for piece, token in vocabulary.items() if token not in special}
        byte_level = "Ġ" in vocabulary or "Ċ" in vocabulary
        if byte_level:
            return {t: bytes(to_byte[c] for c in p) for t, p in pieces.items() if p and all(c in to_byte for c in p)}
        return {t: _written(p, _BYTE.fullmatch(p) is not None) for t, p in pieces.items() if p}

    def render_chat(self, messages: list[dict[str, str]]) -> str:
        """See `Tokenizer.render_chat`."""
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def encode_template(self, text: str) -> list[int]:
        """See `Tokenizer.encode_template`."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids
