"""Presets: the ones that come along are sound, and every bad key is named at once."""

from pathlib import Path

import pytest

from training.recipe import PRESETS, read_recipe

GOOD = (PRESETS / "tiny.toml").read_text("utf-8")


def write(tmp_path: Path, text: str) -> str:
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    return str(tmp_path / "mine.toml")


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.toml")), ids=lambda path: path.stem)
def test_presets_are_sound(path: Path) -> None:
    recipe = read_recipe(path.stem)
    assert recipe == read_recipe(str(path))
    assert recipe.model.n_embd % recipe.model.n_head == 0
    assert recipe.training.max_tokens <= recipe.model.n_positions
    assert recipe.training.warmup_steps < recipe.training.steps


def test_unknown_preset_names_the_others() -> None:
    with pytest.raises(ValueError, match="there is no preset 'huge'; the presets are bundled, tiny"):
        read_recipe("huge")


def test_every_bad_key_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("steps = 60", "steps = 0\nstepz = 1").replace("n_layer = 2", 'n_layer = "two"').replace("seed = 1\n", "")
    with pytest.raises(ValueError, match=r"mine\.toml has 4 problem\(s\)") as caught:
        read_recipe(write(tmp_path, text))
    for key in ("training.steps", "training.stepz", "model.n_layer", "seed"):
        assert f"  {key}: " in str(caught.value)


@pytest.mark.parametrize(
    ("good", "bad", "key"),
    [
        ("dropout = 0.0", "dropout = 1.0", "model.dropout"),
        ("text_weight = 0.3", "text_weight = 1.5", "training.text_weight"),
        ("learning_rate = 3e-3", "learning_rate = 0", "training.learning_rate"),
        ("sampling_share = 0.5", "sampling_share = 1.5", "training.sampling_share"),
        ("mood_weight = 4.0", "mood_weight = 0", "training.mood_weight"),
        ("vocab_size = 2600", "vocab_size = 10", "tokenizer.vocab_size"),
        ("max_tokens = 128", "max_tokens = 10", "training.max_tokens"),
        ('name = "catbot-tiny"', 'name = ""', "name"),
    ],
)
def test_limits(tmp_path: Path, good: str, bad: str, key: str) -> None:
    assert good in GOOD
    with pytest.raises(ValueError, match=f"  {key}: "):
        read_recipe(write(tmp_path, GOOD.replace(good, bad)))


def test_sampling_is_optional(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, GOOD.replace("sampling_share = 0.5", ""))).training.sampling_share == 0


def test_not_toml(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mine\.toml is not valid TOML"):
        read_recipe(write(tmp_path, "name = "))
