"""Every way in which training text is disturbed, in one place.

    another frame       an opening or an ending that people add, other final marks
    dropped words       one word, or two or three characters of Japanese
    other spelling      words in kana instead of kanji and the other way round, or all in katakana
    typing noise        characters dropped, doubled, swapped
    subword sampling    another segmentation of the same text (`training.dataset`)

Width and case need none: `model.prompt.clean_text` evens them out, in training and in serving. A model of a few million
parameters learns whole utterances by heart; all this makes it read instead (LOG.md has the figures). Each function takes
the random source, so that the stream is reproducible.
"""

import re
from functools import lru_cache
from random import Random
from typing import Any

from .japanese import morphemes

_HIRAGANA_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_KATAKANA_TO_HIRAGANA = {code + 0x60: code for code in range(0x3041, 0x3097)}
_KANJI = re.compile("[\u3005\u4e00-\u9fff]")
_ENDINGS_JA = ("", "", "。", "！", "!!", "〜", "ー", "…", "w", "ね", "よ", "なぁ", "笑", "♪")
_ENDINGS_EN = ("", "", ".", "!", "!!", "...", " lol", " :)", " haha", " ok?", "~")
_OPENINGS_JA = ("", "ねえ", "ねぇ、", "猫ちゃん、", "にゃんこ、", "あのさ、", "ほら、", "おーい ", "えっと、", "今日", "@cat ")
_OPENINGS_EN = ("", "hey ", "kitty, ", "cat ", "so ", "um ", "well, ", "hey kitty ", "oh ", "ok ")
_FINAL_MARKS = re.compile(r"[。．.!！?？〜~ー…wｗ♪笑]+$")


def augment(text: str, language: str, rng: Random) -> str:
    """A disturbed copy of an utterance: at most a few changes, and a quarter of the time none."""
    if not text or rng.random() < 0.25:
        return text
    if rng.random() < 0.35:
        text = _other_frame(text, language, rng)
    if rng.random() < 0.15:
        text = _drop_words(text, rng)
    if language == "ja" and rng.random() < 0.25:
        text = _other_spelling(text, rng)
    if rng.random() < 0.4:
        text = _typing_noise(text, rng)
    return text


def _other_frame(text: str, language: str, rng: Random) -> str:
    """Another beginning and ending. Question marks stay: they carry meaning."""
    openings, endings = (_OPENINGS_JA, _ENDINGS_JA) if language == "ja" else (_OPENINGS_EN, _ENDINGS_EN)
    if rng.random() < 0.5:
        text = rng.choice(openings) + text
    if not text.endswith(("?", "？", "）", ")", "*")):
        text = (_FINAL_MARKS.sub("", text) or text) + rng.choice(endings)
    return text


def _other_spelling(text: str, rng: Random) -> str:
    """Kana for kanji or kanji for kana in about half of the words that can be written either way; rarely all in katakana."""
    if rng.random() < 0.2:
        return text.translate(_HIRAGANA_TO_KATAKANA)
    return "".join(other if other and rng.random() < 0.5 else word for word, other in _spellings(text))


@lru_cache(maxsize=50_000)
def _spellings(text: str) -> tuple[tuple[str, str], ...]:
    """The words of a text, each with another spelling or ""."""
    return tuple((word.surface(), _other(word)) for word in morphemes(text))


def _other(word: Any) -> str:
    surface: str = word.surface()
    if _KANJI.search(surface):
        reading: str = word.reading_form()
        return reading.translate(_KATAKANA_TO_HIRAGANA)
    usual: str = word.normalized_form()
    # Little words (する, いい, ある) are never written in kanji when people chat.
    if len(surface) > 2 and surface == word.dictionary_form() and _KANJI.search(usual):
        return usual
    return ""


def _drop_words(text: str, rng: Random) -> str:
    """Without one word (English), or one stretch of two or three characters (Japanese)."""
    words = text.split(" ")
    if len(words) > 3:
        del words[rng.randrange(len(words))]
        return " ".join(words)
    if len(text) > 8:
        start = rng.randrange(len(text) - 3)
        return text[:start] + text[start + rng.choice((2, 3)) :]
    return text


def _typing_noise(text: str, rng: Random) -> str:
    """Each character is dropped, doubled or swapped with its neighbour with a chance of about one in thirty."""
    out = list(text)
    for place in range(len(out)):
        chance = rng.random()
        if chance < 0.012:
            out[place] = ""
        elif chance < 0.02:
            out[place] *= 2
        elif chance < 0.03 and place + 1 < len(out):
            out[place], out[place + 1] = out[place + 1], out[place]
    return "".join(out) or text
