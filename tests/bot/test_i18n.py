"""Words in two languages: every command has both, within Discord's limits, and operators read their own language."""

import re
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

import discord
import pytest
from discord.app_commands import TranslationContext, TranslationContextLocation, locale_str

from bot import i18n
from bot.client import CatBot
from bot.i18n import JAPANESE, CatTranslator, language_of, operator_text

LANGUAGES = {"ja", "en-US"}


def parts(payloads: list[dict[str, Any]], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every command, group, subcommand and option, with its path."""
    for payload in payloads:
        where = f"{path}/{payload['name']}"
        yield where, payload
        yield from parts(payload.get("options", []), where)


def is_a_name(text: str) -> bool:
    """Discord's rule for names of commands and options: 1 to 32 letters, numbers, - _ ', without upper case."""
    letters = all(char in "-_'" or unicodedata.category(char)[0] in "LN" for char in text)
    return 1 <= len(text) <= 32 and letters and text == text.lower()


@pytest.fixture
async def everything(bot: CatBot) -> list[tuple[str, dict[str, Any]]]:
    return list(parts(await bot.command_payloads()))


async def test_the_commands_that_there_are(everything: list[tuple[str, dict[str, Any]]]) -> None:
    assert [path for path, _ in everything] == [
        "/meow",
        "/meow/message",
        "/meow/private",
        "/admin",
        "/admin/reload",
        "/admin/reload/checkpoint",
        "/admin/status",
    ]


async def test_everything_has_both_languages_within_discords_limits(everything: list[tuple[str, dict[str, Any]]]) -> None:
    for path, payload in everything:
        names, descriptions = payload["name_localizations"], payload["description_localizations"]
        assert set(names) == set(descriptions) == LANGUAGES, path
        for name in (payload["name"], *names.values()):
            assert is_a_name(name), (path, name)
        for text in (payload["description"], *descriptions.values()):
            assert 1 <= len(text) <= 100, (path, text)
            assert text == text.strip(), (path, text)


async def test_japanese_is_japanese_and_english_is_english(everything: list[tuple[str, dict[str, Any]]]) -> None:
    for path, payload in everything:
        for field in ("name", "description"):
            japanese = payload[f"{field}_localizations"]["ja"]
            assert re.search("[ぁ-ゖァ-ヺ一-鿿]", japanese), path
            assert payload[f"{field}_localizations"]["en-US"] == payload[field], path
            assert payload[field].isascii(), path


@pytest.mark.parametrize("language", [None, *sorted(LANGUAGES)])
async def test_names_next_to_each_other_differ(language: str | None, bot: CatBot) -> None:
    levels = [await bot.command_payloads()]
    while levels:
        level = levels.pop()
        names = [part["name_localizations"][language] if language else part["name"] for part in level]
        assert len(names) == len(set(names))
        levels += [part["options"] for part in level if part.get("options")]


async def test_no_word_of_the_table_is_left_over(everything: list[tuple[str, dict[str, Any]]]) -> None:
    used = {payload[field] for _, payload in everything for field in ("name", "description")}
    assert set(JAPANESE) == used


async def test_other_languages_get_discords_default() -> None:
    context: Any = TranslationContext(TranslationContextLocation.other, None)
    for locale in discord.Locale:
        translated = await CatTranslator().translate(locale_str("meow"), locale, context)
        assert translated == {"ja": "にゃー", "en-US": "meow"}.get(str(locale))


@pytest.mark.parametrize(
    ("locale", "language"),
    [(discord.Locale.japanese, "ja"), ("ja", "ja"), (discord.Locale.british_english, "en"), ("fr", "en"), (None, "en")],
)
def test_the_language_of_a_client(locale: discord.Locale | str | None, language: str) -> None:
    assert language_of(locale) == language


# --- what operators read ----------------------------------------------------------------------------------------


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", i18n._OPERATOR)
def test_operator_texts_exist_in_both_languages_and_say_the_same(key: str) -> None:
    words = i18n._OPERATOR[key]
    assert set(words) == {"ja", "en"}
    assert placeholders(words["ja"]) == placeholders(words["en"])


def test_an_operator_reads_their_own_language() -> None:
    assert operator_text("not_operator", discord.Locale.japanese) == "これはこのボットの運用者だけが使えます。"
    assert operator_text("not_operator", discord.Locale.german) == "Only the operator of this bot can use this."


def test_values_are_filled_in_as_they_are() -> None:
    assert "{secret} %s" in operator_text("reload_failed", "en", reason="{secret} %s")


def test_a_long_reason_is_cut_to_what_discord_takes() -> None:
    assert len(operator_text("reload_failed", "ja", reason="x" * 5000)) == 2000
