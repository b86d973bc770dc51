"""A recipe: everything that decides what a run produces, read from a TOML preset and checked at once."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PRESETS = Path(__file__).parent / "presets"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenizerRecipe(_Section):
    """Size of the sentencepiece vocabulary in pieces, and of its longest piece in characters."""

    vocab_size: int = Field(ge=500, le=64_000)
    piece_chars: int = Field(default=6, ge=1, le=16)


class ModelRecipe(_Section):
    """Shape of the GPT-2, in the words of transformers' GPT2Config."""

    n_layer: int = Field(ge=1, le=48)
    n_head: int = Field(ge=1, le=64)
    n_embd: int = Field(ge=16, le=4096)
    n_positions: int = Field(ge=64, le=4096)
    dropout: float = Field(ge=0, lt=1)


class TrainingRecipe(_Section):
    """How long and how hard. Learning rate warms up linearly, then decays along a cosine."""

    @property
    def polish(self) -> "TrainingRecipe":
        """The steps at the end in which every example has its reply: what was learned of moods stays, words become whole."""
        changes = {"steps": self.polish_steps, "learning_rate": self.learning_rate / 2, "warmup_steps": 20}
        changes |= {"reply_share": 1.0, "teacher_weight": 0.0}
        return self.model_copy(update=changes)

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    weight_decay: float = Field(ge=0)
    text_weight: float = Field(ge=0, le=1)
    mood_weight: float = Field(default=1.0, gt=0)
    bag_weight: float = Field(default=0.0, ge=0)
    teacher_weight: float = Field(default=0.0, ge=0)
    crossings: int = Field(default=0, ge=0)
    sampling_share: float = Field(default=0.0, ge=0, le=1)
    sampling_alpha: float = Field(default=0.2, gt=0)
    polish_steps: int = Field(default=0, ge=0)
    reply_share: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(ge=64)


class Recipe(_Section):
    """One preset file."""

    name: str = Field(min_length=1)
    seed: int
    tokenizer: TokenizerRecipe
    model: ModelRecipe
    training: TrainingRecipe


def read_recipe(preset: str) -> Recipe:
    """The recipe of a preset name or TOML file; raises ValueError that names every bad key at once."""
    path = Path(preset) if preset.endswith(".toml") else PRESETS / f"{preset}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
        raise ValueError(f"there is no preset {preset!r}; the presets are {known}, or give a path to a .toml file")
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not valid TOML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ValueError(f"{path.name} has {error.error_count()} problem(s):\n{problems}") from error
