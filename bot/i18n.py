"""Words in Japanese and English: command names and descriptions, and what operators read.

Owns the tables and discord.py's translator. The cat's own words are not here: they are cat speak, and come from the
model or from `bot.errors`.
"""

import discord
from discord import app_commands
from discord.app_commands import TranslationContextTypes, locale_str

from model import Language

Words = dict[str, str]

#: English, as it stands in the code, to Japanese. A test asks for every name and description of every command.
JAPANESE: Words = {
    # names
    "meow": "にゃー",
    "message": "メッセージ",
    "private": "ひみつ",
    "admin": "管理",
    "reload": "再読み込み",
    "status": "状態",
    "checkpoint": "チェックポイント",
    # descriptions
    "Talk to the cat, or just hear it meow": "猫に話しかけます。何も書かなければ、猫が気ままに鳴きます",
    "What to say to the cat": "猫にかける言葉",
    "Only you see the answer": "返事が自分にだけ見えるようにします",
    "For the operator of this bot": "このボットの運用者向け",
    "Serve another checkpoint without a restart": "再起動せずに別のチェックポイントへ切り替えます",
    "A local checkpoint, or a hub id such as user/name@revision": "手元のチェックポイント、または user/name@revision のような ID",
    "What serves, and how it is doing": "いま動いているモデルと、その調子を表示します",
}

_OPERATOR: dict[str, Words] = {
    "not_operator": {
        "ja": "これはこのボットの運用者だけが使えます。",
        "en": "Only the operator of this bot can use this.",
    },
    "reload_done": {
        "ja": "切り替えました: {name}（{revision}）、{seconds:.1f} 秒",
        "en": "Now serving {name} ({revision}); took {seconds:.1f} s",
    },
    "reload_failed": {
        "ja": "切り替えませんでした。今の猫がそのまま返事を続けます。理由: {reason}",
        "en": "Nothing was changed; the present cat goes on answering. Reason: {reason}",
    },
    "loading": {"ja": "モデルを読み込んでいます。少しお待ちください。", "en": "The model is still loading; wait a moment."},
    "unknown": {
        "ja": "予期しないエラーです。ログで {code} を探してください。",
        "en": "Unexpected error; look for {code} in the log.",
    },
    "status": {
        "ja": (
            "**{name}**（{revision}）、{device}\n稼働 {uptime}、返信 {replies}、エラー {errors}、待ち {waiting}\n"
            "応答 p50 {p50}、p95 {p95}、メモリ {memory} MB、サーバー {guilds}、シャード {shards}"
        ),
        "en": (
            "**{name}** ({revision}) on {device}\nup {uptime}, {replies} replies, {errors} errors, {waiting} waiting\n"
            "latency p50 {p50}, p95 {p95}; memory {memory} MB; {guilds} servers, {shards} shards"
        ),
    },
}


def language_of(locale: discord.Locale | str | None) -> Language:
    """ "ja" for a Japanese locale, "en" for all others."""
    return "ja" if str(locale) == "ja" else "en"


def operator_text(key: str, locale: discord.Locale | str | None, **values: object) -> str:
    """A sentence for an operator, in the language of their client; at most 2,000 characters, Discord's limit."""
    return _OPERATOR[key][language_of(locale)].format(**values)[:2000]


class CatTranslator(app_commands.Translator):
    """Gives Discord the Japanese and the American English of every command."""

    async def translate(self, string: locale_str, locale: discord.Locale, context: TranslationContextTypes) -> str | None:
        """See discord.py's Translator; None for languages that are not ours."""
        if locale is discord.Locale.japanese:
            return JAPANESE.get(string.message)
        return string.message if locale is discord.Locale.american_english else None
