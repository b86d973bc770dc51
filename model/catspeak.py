"""The language of the cat: one regular expression per language, and what follows from it.

A reply is one or more cries and at most one action. This module owns that definition, both of its spellings
(canonical, and the one that an NFKC-normalising tokenizer can write), and reading a reply back into its parts.
It knows no tokens, no model and no Discord: `model.automaton` turns the expression into token masks.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

from .errors import NotCatSpeak

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = ("ja", "en")

#: The moods that corpus, evaluation, prompt and status share, in their one order.
MOODS = (
    "greet",
    "affection",
    "food",
    "play",
    "angry",
    "scared",
    "sleepy",
    "curious",
    "comfort",
    "aloof",
    "lonely",
)

#: Longest canonical reply in characters, per language. Both follow from the expressions below; a test holds them to it.
MAX_CHARS: dict[Language, int] = {"ja": 32, "en": 92}
ACTION_CHARS_JA = 12
ACTION_WORDS_EN = 5

# --- cries ------------------------------------------------------------------------------------------------------
# Cries are a closed lexicon of voices, stretched in the ways people stretch them. A pattern "any half-width katakana"
# would let a model say ｱﾘｶﾞﾄｳ; a lexicon cannot. Each row is (onsets, stretches, endings), combined in every way.

_CRIES_JA: tuple[tuple[str, str, str], ...] = (
    ("ﾆｬ ﾐｬ ﾆｭ ﾐｭ ﾝﾆｬ ｳﾆｬ ﾌﾆｬ ﾌﾐｬ ﾑﾆｬ ｷﾞﾆｬ ﾌﾞﾆｬ ﾆｮ ﾆｬﾆｬ ﾐｬﾐｬ", "- ｰ ｰｰ ｰｰｰ", "- ｵ ｵｰ ｵﾝ ｳ ｳﾝ ｱ ｧ ｩ ﾝ ｯ"),
    ("ﾅ ﾝﾅ ｳﾅ ﾏ ﾐ", "ｰ ｰｰ", "- ｵ ｵﾝ ｳ ﾝ ｯ"),
    ("ﾅｧ ﾅｵ ﾝﾅｵ ｱｵ ﾏｵ ﾜｵ ﾐｨ ﾌﾐｨ ﾋﾟｨ ｳｫ", "- ｰ ｰｰ", "- ﾝ ｯ"),
    ("ｺﾞﾛ ｺﾞﾛｺﾞﾛ ﾌﾟﾙ ﾌﾟﾙﾙ ﾌﾟﾙﾙﾙ ｸﾙ ｸﾙﾙ ｸﾙﾙﾙ ｸﾙｸﾙ ﾙﾙ ﾙﾙﾙ ｸﾞﾙ ｸﾞﾙﾙ ｸﾞﾙｸﾞﾙ ｳﾙﾙ ﾌﾞﾙﾙ ﾄﾞﾙﾙ", "- ｰ", "- ﾝ ｯ ｩ"),
    ("ﾌ ｼｬ ﾌｼｬ ﾌｼｭ ｳ ｷﾞｬ ﾋﾟｬ ﾋﾞｬ ｷｭ ﾋﾟ ﾌﾟ", "ｰ ｰｰ ｰｰｰ", "- ｯ ﾝ ｩ"),
    ("ﾌ ｼｬ ﾌｼｬ ｶ ｷﾞｬ ﾋﾟｬ ﾋﾞｬ ﾆｬﾌ ｼｬｱ", "-", "ｯ"),
    ("ﾌﾝ ｸｩ ｷｭｳ ｳﾆｬﾆｬ", "- ｰ", "- ｯ ﾝ"),
    ("ｳｳ", "- ｰ", "- ｯ"),  # ｳｳﾝ is a human "no"
    ("ｶｶ ｶｶｶ ｶｶｶｶ ｹｹ ｹｹｹ ｷｬｷｬ ｷｬｯｷｬｯ", "-", "- ｯ"),
    ("ﾌｧ ﾌﾜ ﾌﾜｧ ﾌｱ ｽﾋﾟ ｽﾋﾟｨ ｸｰ ｽｰ ﾌﾟｽ", "- ｰ ｰｰ", "- ﾝ ｯ ｧ"),
    ("ﾑﾆｬﾑﾆｬ ﾑﾆｭ ﾑﾆｭﾑﾆｭ ｽｰｽｰ ﾆｬﾑ ﾆｬﾑﾆｬﾑ ｱﾑ ｱﾑｱﾑ ﾊﾑﾊﾑ", "-", "- ｯ"),
    ("ﾆｬｰﾆｬｰ ﾐｬｰﾐｬｰ ﾐｰﾐｰ ﾐｭｰﾐｭｰ ﾆｬﾝﾆｬﾝ ﾆｬｵﾆｬｵ ﾐｬｵﾐｬｵ ﾆｬｯﾆｬｯ ﾅｰﾅｰ ﾆｬﾆｬﾆｬ ﾐｬﾐｬﾐｬ ｳﾙﾙｳ", "-", "- ｯ"),
)

_CRIES_EN: tuple[tuple[str, str, str], ...] = (
    ("m", "e ee eee", "w ww ow oow ooow oww eow"),
    ("m nm", "ia iaa", "ow oow"),
    ("mr mrr mrrr", "- e a", "ow oow aow ao p rp"),
    ("mr mrr mrrr mrrrr", "-", "- m mm"),
    ("mu mmu", "rr rrr", "- p"),
    ("my ny mny", "a aa aaa", "- n h u"),
    ("p pu pur", "rr rrr rrrr", "- p t ow m"),
    ("b br t tr ch chr", "rr rrr", "- p t ow"),
    ("rr rrr wr wrr", "ow oow aow", "- r"),
    ("rr g gr", "rr rrr rrrr", "- ow"),
    ("hi", "ss sss ssss", "- t h"),
    ("h f k ks", "ss sss", "- t h"),
    ("ff kh", "ff fff hh hhh", "- t"),
    ("pf", "f ff", "t"),
    ("ek kek ak kak", "-ek -ak", "- -ek -ak"),
    ("a ya", "aa aaa", "ow oow owr"),
    ("z", "zz zzz", "-"),
    ("m", "mm mmm", "- f r rp"),
    ("chirp chirrup mrowl", "-", "-"),
)

_MARKS_JA = ("！", "？", "！！", "！？", "？！", "？？", "...", "〜", "〜！", "〜？")
_MARKS_EN = ("!", "?", "!!", "!?", "?!", "??", "...", "~", "~!", "~?")
_KANA_KANJI = "ぁ-ゖァ-ヺー々一-鿿"


def _stretch(rows: tuple[tuple[str, str, str], ...]) -> set[str]:
    """Every word of a cry table; a lone "-" in a column stands for nothing."""
    parts = ([["" if cell == "-" else cell for cell in column.split()] for column in row] for row in rows)
    return {"".join(word) for columns in parts for word in product(*columns)}


@cache
def cries(language: Language) -> frozenset[str]:
    """All cry words in canonical spelling: Japanese at most 6 characters, English in lower case, at most 8."""
    if language == "ja":
        return frozenset(word for word in _stretch(_CRIES_JA) if len(word) <= 6)
    return frozenset(word for word in _stretch(_CRIES_EN) if 3 <= len(word) <= 8)


def _any(words: frozenset[str] | tuple[str, ...] | set[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words)) + ")"


def _voice_ja(words: int, length: int, mark: int) -> str:
    """`words` cries of at most `length` characters, a mark of at most `mark` after each (only the last may lack one)."""
    cry = _any({word for word in cries("ja") if len(word) <= length})
    end = _any(tuple(m for m in _MARKS_JA if len(m) <= mark))
    return f"{cry}{end}" * (words - 1) + f"{cry}{end}?"


@cache
def pattern(language: Language, *, tokenizer_spelling: bool = False) -> str:
    """The regular expression of a whole reply, without anchors, in the syntax common to `re` and Rust's `regex`.

    With `tokenizer_spelling` it is the NFKC form of the same language: what a tokenizer that normalises can write.
    Japanese cries take at most 18 characters in any of the four shapes, the action 14 with its parentheses: 32.
    """
    if language == "en":
        # Plain words: as "[Mm]eow" they take fifteen times as long to compile.
        words = _any({spelled for word in cries("en") for spelled in (word, word.capitalize())})
        cry = f"{words}{_any(_MARKS_EN)}?"
        word = "[a-z][a-z'-]{0,9}"
        return f"{cry}(?: {cry}){{0,2}}(?: \\({word}(?: {word}){{0,{ACTION_WORDS_EN - 1}}}\\))?"
    voice = "|".join(_voice_ja(*shape) for shape in ((1, 6, 3), (2, 6, 3), (3, 4, 2), (3, 3, 3)))
    reply = f"(?:{voice})(?:（[{_KANA_KANJI}]{{1,{ACTION_CHARS_JA}}}）)?"
    return _nfkc_pattern(reply) if tokenizer_spelling else reply


def reply_patterns(languages: Iterable[Language], *, tokenizer_spelling: bool, leading_space: bool) -> dict[str, str]:
    """The expression of each language as a tokenizer writes it: those made for running text put a space before a reply."""
    lead = " ?" if leading_space else ""
    return {code: f"{lead}(?:{pattern(code, tokenizer_spelling=tokenizer_spelling)})" for code in languages}


@cache
def _compiled(language: Language) -> re.Pattern[str]:
    return re.compile(pattern(language))


# --- the two spellings ------------------------------------------------------------------------------------------
# NFKC maps half-width katakana to full-width (composing ﾞ and ﾟ with the letter before), and full-width ！？（） to
# ASCII. On this language that map is one-to-one, because cries stand outside the parentheses and kana only inside.

_HALF = "ｦｧｨｩｪｫｬｭｮｯｰｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝ"
_FULL = "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
_VOICED = {f: h + "ﾞ" for f, h in zip("ガギグゲゴザジズゼゾダヂヅデドバビブベボヴ", "ｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎｳ", strict=True)}
_SEMIVOICED = {f: h + "ﾟ" for f, h in zip("パピプペポ", "ﾊﾋﾌﾍﾎ", strict=True)}
_TO_HALF = {**dict(zip(_FULL, _HALF, strict=True)), **_VOICED, **_SEMIVOICED, "!": "！", "?": "？"}
_TO_FULL = sorted(((half, full) for full, half in _TO_HALF.items()), key=lambda pair: -len(pair[0]))


def _nfkc_pattern(reply: str) -> str:
    """The expression with every literal replaced by its NFKC form; the character class of the action is its own."""
    head, _, action = reply.partition("（")
    for half, full in _TO_FULL:
        # `re.escape` leaves katakana alone and has not touched ！ and ？, but in the new spelling "?" is an operator.
        head = head.replace(half, re.escape(full) if full in "!?" else full)
    return head + "\\(" + action.replace("）", "\\)")


def canonical(text: str) -> str:
    """The canonical spelling of a Japanese reply in the tokenizer's (NFKC) spelling: the inverse of NFKC on the language.

    English replies, and canonical ones, come back as they are; text outside the language is not checked here.
    """
    head, opening, action = text.partition("(")
    if _has_latin(head) or "（" in head:
        return text
    half = "".join(_TO_HALF.get(char, char) for char in head)
    return half + ("（" + action.removesuffix(")") + "）" if opening else "")


def _has_latin(text: str) -> bool:
    return any("a" <= char <= "z" or "A" <= char <= "Z" for char in text)


# --- reading a reply --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CatSpeak:
    """A valid reply, taken apart. `cries` keep their marks ("ﾆｬｰ！"); `action` is without parentheses, or None."""

    text: str
    language: Language
    cries: tuple[str, ...]
    action: str | None


def parse(text: str, language: Language | None = None) -> CatSpeak:
    """Read a canonical reply; raises NotCatSpeak for anything that the cat could not have said.

    `language` limits what is accepted; without it, both languages are.
    """
    for candidate in (language,) if language else LANGUAGES:
        if _compiled(candidate).fullmatch(text):
            return _take_apart(text, candidate)
    raise NotCatSpeak(f"not cat speak ({language or 'ja or en'}): {text[:60]!r}")


def is_catspeak(text: str, language: Language | None = None) -> bool:
    """Whether `parse` would accept the text."""
    return any(_compiled(candidate).fullmatch(text) for candidate in ((language,) if language else LANGUAGES))


_CRY = {"ja": re.compile("[｡-ﾟ]+[！？〜.]*"), "en": re.compile(r"[A-Za-z-]+[!?~.]*")}


def _take_apart(text: str, language: Language) -> CatSpeak:
    opening, closing = ("（", "）") if language == "ja" else ("(", ")")
    voice, has_action, rest = text.partition(opening)
    action = rest.removesuffix(closing) if has_action else None
    return CatSpeak(text, language, tuple(_CRY[language].findall(voice)), action)


# --- the language of a message ----------------------------------------------------------------------------------

_NOT_PROSE = re.compile(r"https?://\S+|<a?:\w+:\d+>|<[@#]&?!?\d+>|:\w+:|`[^`]*`")
_JAPANESE = re.compile("[ぁ-ゖァ-ヺｦ-ﾟ々一-鿿]")
_LATIN_WORD = re.compile("[A-Za-zÀ-ɏ]+(?:['’][A-Za-z]+)?")
# Possessive ("++"): "na" can be read as one syllable or as two, and trying both for each would take for ever.
_ROMAJI = re.compile(
    r"(?:(?:ky|gy|sh|sy|j|jy|ch|ty|ts|ny|hy|by|py|my|ry|kk|tt|ss|pp|cch|ssh|[kgsztdnhbpmyrwf])?[aiueo]|n|')++", re.IGNORECASE
)
# Words of everyday English that are also well-formed romaji. Without them "no more", "hi" or "are you home" would be
# taken for romaji; with them a lone such word still counts as English, which is how people write to a bot.
_ENGLISH = frozenset(
    """
    a i am an are be bite come do done fine game go gone good he here hi home hope in it me mine more my name nap nice no
    none nope now on one oh ok okay please same see she so some sorry sure take tea ten the there these they time to tone
    tuna use we woke wake you yes wow hello hey bye banana pizza toy fan bus run sun fun gun man men pen hot cat dog
    """.split()  # noqa: SIM905 - a word list reads better as one
)
_LAUGHTER = re.compile("w+|k+|h(?:a|e)?h?", re.IGNORECASE)


def detect_language(text: str) -> Language:
    """The language to answer in: English for English messages, Japanese for Japanese ones and whenever unsure.

    Latin text made only of romaji syllables ("gohan dayo") counts as Japanese unless it holds an everyday English word.
    """
    prose = _NOT_PROSE.sub(" ", text)
    words = [word for word in _LATIN_WORD.findall(prose) if not _LAUGHTER.fullmatch(word)]
    if not words or len(_JAPANESE.findall(prose)) >= len(words):
        return "ja"
    lower = [word.lower() for word in words]
    if any(word in _ENGLISH for word in lower):
        return "en"
    return "ja" if all(_ROMAJI.fullmatch(word) for word in lower) else "en"
