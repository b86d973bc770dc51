"""Settings: what is read from where, what is refused with which words, and that the token stays secret."""

import logging
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from bot.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[2]
TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde.not-a-real-token"

BAD = {
    "DISCORD_TOKEN": "Bot abc.def.ghi",
    "DISCORD_API_BASE": "discord.com/api",
    "CATBOT_OPERATOR_IDS": "80351110224678912,mika",
    "ADMIN_GUILD_ID": "home",
    "CATBOT_CHECKPOINT": "",
    "CATBOT_DEVICE": "gpu",
    "CATBOT_MAX_BATCH": "0",
    "CATBOT_LANGUAGE": "fr",
    "CATBOT_TEMPERATURE": "6",
    "CATBOT_CONTEXT_TURNS": "-1",
    "CATBOT_CONTEXT_MINUTES": "0",
    "CATBOT_CONTEXT_CHANNELS": "none",
    "CATBOT_CHANNEL_QUEUE": "1.5",
    "CATBOT_REPLY_DEADLINE": "601",
    "CATBOT_LOG_LEVEL": "chatty",
    "CATBOT_SANDBOX_PORT": "65536",
}


def refusal(env_file: Path | None = None, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(env_file, **overrides)
    return str(caught.value)


# --- bad values -------------------------------------------------------------------------------------------------


def test_all_bad_settings_are_reported_at_once_with_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BAD.items():
        monkeypatch.setenv(name, value)
    lines = refusal().splitlines()[1:]
    assert sorted(BAD) == [line.partition(":")[0].strip() for line in lines]
    assert all("; write " in line and "another value" not in line for line in lines)


@pytest.mark.parametrize("name", BAD)
def test_one_bad_setting_is_reported_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, BAD[name])
    (line,) = refusal().splitlines()[1:]
    assert line.startswith(f"  {name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CATBOT_TEMPERATURE", "nan"),
        ("CATBOT_CONTEXT_MINUTES", "nan"),
        ("CATBOT_CONTEXT_MINUTES", "1441"),
        ("CATBOT_REPLY_DEADLINE", "inf"),
        ("CATBOT_REPLY_DEADLINE", "0"),
        ("CATBOT_MAX_BATCH", "4097"),
        ("CATBOT_DEVICE", "cuda:"),
        ("CATBOT_OPERATOR_IDS", "0"),
        ("ADMIN_GUILD_ID", str(1 << 64)),
        ("DISCORD_API_BASE", "https://discord.com/ api"),
    ],
)
def test_values_just_outside_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert f"  {name}: " in refusal()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("catbot_temperature", 0),
        ("catbot_temperature", 5),
        ("catbot_context_turns", 0),
        ("catbot_context_minutes", 1440),
        ("catbot_channel_queue", 0),
        ("catbot_sandbox_port", 0),
        ("catbot_device", "cuda:1"),
        ("discord_api_base", "http://127.0.0.1:8765/api/v10"),
    ],
)
def test_values_just_inside_are_taken(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name.upper(), str(value))
    assert getattr(load_settings(None), name) == value


# --- the token --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "   ", "\t"])
def test_a_blank_token_is_none(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", token)
    assert load_settings(None).token is None


def test_space_around_the_token_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", f" {TOKEN}\n")
    assert load_settings(None).token == TOKEN


@pytest.mark.parametrize("token", [f"Bot {TOKEN}", f"bot {TOKEN}", f'"{TOKEN}"', f"'{TOKEN}'", f"{TOKEN[:9]} {TOKEN[9:]}"])
def test_a_token_pasted_with_more_around_it_is_refused_without_a_word_of_it(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", token)
    words = refusal()
    assert "DISCORD_TOKEN" in words
    assert "without 'Bot ' and without quotes" in words
    assert not any(part in words for part in TOKEN.split("."))


def test_a_quoted_token_in_the_file_is_fine(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f'DISCORD_TOKEN="{TOKEN}"\n', "utf-8")
    assert load_settings(tmp_path / ".env").token == TOKEN


def test_the_token_is_in_no_repr_text_dump_or_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    settings = load_settings(None)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("%s %r %s", settings, settings, vars(settings))
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json(), caplog.text]
    assert settings.token == TOKEN
    assert not any(TOKEN in text for text in shown)


def test_the_token_is_in_no_error_about_another_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    monkeypatch.setenv("CATBOT_LANGUAGE", TOKEN)
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    with pytest.raises(ValueError, match="catbot_language") as underneath:
        Settings(_env_file=None)  # type: ignore[call-arg]
    chain = [caught.value, caught.value.__cause__, caught.value.__context__, underneath.value]
    assert not any(TOKEN in f"{error} {error!r}" for error in chain)


# --- lists and blanks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ids"), [("", []), ("1", [1]), ("1,2", [1, 2]), ("1, 2 ,3", [1, 2, 3]), ("1 2", [1, 2]), (",", [])]
)
def test_operator_ids(text: str, ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATBOT_OPERATOR_IDS", text)
    assert load_settings(None).catbot_operator_ids == ids


@pytest.mark.parametrize(("text", "guild"), [("", None), (" ", None), ("80351110224678912", 80351110224678912)])
def test_admin_guild(text: str, guild: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_GUILD_ID", text)
    assert load_settings(None).admin_guild_id == guild


# --- where settings come from -----------------------------------------------------------------------------------


def test_overrides_go_before_the_environment_which_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("CATBOT_MAX_BATCH=1\nCATBOT_CHANNEL_QUEUE=1\nCATBOT_CONTEXT_TURNS=1\n", "utf-8")
    monkeypatch.setenv("CATBOT_CHANNEL_QUEUE", "2")
    monkeypatch.setenv("CATBOT_CONTEXT_TURNS", "2")
    settings = load_settings(file, catbot_context_turns=3)
    assert (settings.catbot_max_batch, settings.catbot_channel_queue, settings.catbot_context_turns) == (1, 2, 3)


def test_an_override_of_none_is_no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATBOT_CHECKPOINT", "mike")
    assert load_settings(None, catbot_checkpoint=None).catbot_checkpoint == "mike"


def test_a_bad_override_is_named_like_its_setting() -> None:
    assert "  CATBOT_CHECKPOINT: " in refusal(catbot_checkpoint="")


def test_the_default_file_is_the_one_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("CATBOT_LANGUAGE=en\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_settings().catbot_language == "en"


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "nothing.env") == load_settings(None)


def test_foreign_names_in_the_file_are_ignored(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=x\nCATBOT_LANGUAGE=ja\n", "utf-8")
    assert load_settings(tmp_path / ".env").catbot_language == "ja"


def test_a_byte_order_mark_as_windows_editors_write_it_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CATBOT_LANGUAGE=en\n", "utf-8-sig")
    assert load_settings(tmp_path / ".env").catbot_language == "en"


@pytest.mark.parametrize("encoding", ["utf-16", "shift_jis"])
def test_a_file_that_is_not_utf8_is_named(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "cat.env"
    file.write_text("# 猫の設定\nCATBOT_LANGUAGE=en\n", encoding)
    words = refusal(file)
    assert "cat.env" in words
    assert "UTF-8" in words


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(None).catbot_language = "en"


# --- .env.example -----------------------------------------------------------------------------------------------


def example_lines() -> list[str]:
    return (ROOT / ".env.example").read_text("utf-8").splitlines()


def example_settings() -> dict[str, int]:
    """Names that the example shows, with their line."""
    found = ((re.match(r"(?:# )?([A-Z_]+)=", line), number) for number, line in enumerate(example_lines()))
    return {match[1]: number for match, number in found if match}


def test_the_example_names_exactly_the_settings_that_exist() -> None:
    assert sorted(example_settings()) == sorted(name.upper() for name in Settings.model_fields)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    shown = [line.removeprefix("# ") for line in example_lines() if re.match(r"(# )?[A-Z_]+=", line)]
    (tmp_path / ".env").write_text("\n".join(shown), "utf-8")
    assert load_settings(tmp_path / ".env") == load_settings(None)


def test_the_example_works_as_it_is_and_asks_for_the_token_only() -> None:
    assert load_settings(ROOT / ".env.example") == load_settings(None)
    assert [line for line in example_lines() if line and not line.startswith("#")] == ["DISCORD_TOKEN="]


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_each_setting_in_the_example_is_explained(name: str) -> None:
    line = example_lines()[example_settings()[name] - 1]
    assert re.match(r"# \w.*[.:,\w]$", line), line
    assert not re.match(r"# [A-Z_]+=", line)


def test_every_setting_has_a_default() -> None:
    assert [name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined] == []
