"""The language of the cat: what it accepts, what it refuses, and that both spellings are the same language."""

import re
import unicodedata
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.automaton import DEAD, Automaton, compile_automaton
from model.catspeak import (
    ACTION_CHARS_JA,
    ACTION_WORDS_EN,
    LANGUAGES,
    MAX_CHARS,
    Language,
    canonical,
    cries,
    detect_language,
    is_catspeak,
    parse,
    pattern,
)
from model.errors import NotCatSpeak

MARKS_JA = ["！", "？", "！！", "！？", "？！", "？？", "...", "〜", "〜！", "〜？"]
MARKS_EN = ["!", "?", "!!", "!?", "?!", "??", "...", "~", "~!", "~?"]
EOS = 0x110000


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


# --- sampling the language ----------------------------------------------------------------------------------------


@st.composite
def japanese(draw: st.DrawFn) -> str:
    """A reply built from the lexicon. Two long cries, or three short ones with short marks."""
    count = draw(st.integers(1, 3))
    longest_cry, longest_mark = (6, 3) if count < 3 else draw(st.sampled_from([(4, 2), (3, 3)]))
    words = draw(st.lists(_cry("ja", longest_cry), min_size=count, max_size=count))
    marks = draw(st.lists(st.sampled_from([m for m in MARKS_JA if len(m) <= longest_mark]), min_size=count, max_size=count))
    if draw(st.booleans()):
        marks[-1] = ""
    kana_kanji = st.text(st.sampled_from("ぁゖァヺー々一鿿猫"), min_size=1, max_size=ACTION_CHARS_JA)
    action = f"（{draw(kana_kanji)}）" if draw(st.booleans()) else ""
    return "".join(word + mark for word, mark in zip(words, marks, strict=True)) + action


@st.composite
def english(draw: st.DrawFn) -> str:
    words = draw(st.lists(_cry("en", 8), min_size=1, max_size=3))
    said = [(w.capitalize() if draw(st.booleans()) else w) + draw(st.sampled_from(["", *MARKS_EN])) for w in words]
    word = st.from_regex(r"[a-z][a-z'-]{0,9}", fullmatch=True)
    action = draw(st.lists(word, max_size=ACTION_WORDS_EN))
    return " ".join(said) + (f" ({' '.join(action)})" if action else "")


def _cry(language: Language, longest: int) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(word for word in cries(language) if len(word) <= longest))


@cache
def characters(language: Language) -> Automaton:
    """The expression over single characters, so that a walk reaches all that it accepts."""
    alphabet = set("！？...〜!?~ ()（）'-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZぁゖァヺー々一鿿猫")
    alphabet |= set("".join(cries(language)))
    return compile_automaton({language: pattern(language)}, {ord(char): char.encode() for char in alphabet}, EOS)


def walk(automaton: Automaton, language: Language, rng: Random) -> str:
    """A random path through the automaton, to its end."""
    state, text = automaton.starts[language], ""
    while True:
        column = rng.choice([c for c, following in enumerate(automaton.next_state[state]) if following != DEAD])
        state, token = int(automaton.next_state[state, column]), int(automaton.token_ids[column])
        if token == EOS:
            return text
        text += chr(token)


def longest(automaton: Automaton, language: Language) -> int:
    """Characters of the longest string of an automaton without cycles."""

    @cache
    def after(state: int) -> int:
        following = set(automaton.next_state[state].tolist()) - {DEAD}
        return max((1 + after(one) for one in following), default=0)

    return after(automaton.starts[language]) - 1  # the end of text is no character


replies = st.one_of(
    st.tuples(st.just("ja"), japanese()),
    st.tuples(st.just("en"), english()),
    st.tuples(st.sampled_from(LANGUAGES), st.randoms(use_true_random=False)).map(
        lambda drawn: (drawn[0], walk(characters(drawn[0]), drawn[0], drawn[1]))
    ),
)


@given(replies)
def test_replies_are_accepted_taken_apart_and_short(reply: tuple[Language, str]) -> None:
    language, text = reply
    said = parse(text)
    assert (said.text, said.language) == (text, language)
    assert is_catspeak(text, language)
    assert len(text) <= MAX_CHARS[language]
    voice = ("" if language == "ja" else " ").join(said.cries)
    opening, closing = ("（", "）") if language == "ja" else (" (", ")")
    assert text == voice + (f"{opening}{said.action}{closing}" if said.action else "")
    assert all(re.split(r"[！？〜.!?~]", cry)[0].lower() in cries(language) for cry in said.cries)


@given(replies)
def test_spellings_are_inverse(reply: tuple[Language, str]) -> None:
    language, text = reply
    written = nfkc(text)
    assert re.fullmatch(pattern(language, tokenizer_spelling=True), written)
    assert canonical(written) == text


@given(replies)
def test_automaton_can_write_every_reply(reply: tuple[Language, str]) -> None:
    language, text = reply
    made = characters(language)
    column = {int(token): number for number, token in enumerate(made.token_ids)}
    state = made.starts[language]
    for place, char in enumerate([*map(ord, text), EOS]):
        state = int(made.next_state[state, column[char]])
        assert state != DEAD, f"stuck after {text[:place]!r}"
    assert state == made.end


@given(replies.filter(lambda reply: "(" not in nfkc(reply[1])))
def test_canonical_replies_without_action_come_back_as_they_are(reply: tuple[Language, str]) -> None:
    assert canonical(reply[1]) == reply[1]


@pytest.mark.parametrize("text", ["ﾆｬｰ！（飛び跳ねる）", "ﾌｰｯ！（ソファーに乗る）", "ﾆｬ（ァ）"])
def test_canonical_replies_come_back_as_they_are(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_longest_reply_is_exactly_max_chars(language: Language) -> None:
    assert longest(characters(language), language) == MAX_CHARS[language]


def test_spelling_map_is_one_to_one_on_the_lexicon() -> None:
    assert len({nfkc(word) for word in cries("ja")}) == len(cries("ja"))


def test_parse_takes_a_reply_apart() -> None:
    said = parse("ﾆｬｰ！ﾆｬﾝ...（飛び跳ねる）")
    assert (said.cries, said.action, said.language) == (("ﾆｬｰ！", "ﾆｬﾝ..."), "飛び跳ねる", "ja")
    said = parse("Meow! Prrr (leans on your leg)")
    assert (said.cries, said.action, said.language) == (("Meow!", "Prrr"), "leans on your leg", "en")
    assert parse("Ak-ak?").cries == ("Ak-ak?",)


def test_language_limits_what_is_accepted() -> None:
    assert not is_catspeak("Meow!", "ja")
    assert not is_catspeak("ﾆｬｰ", "en")
    with pytest.raises(NotCatSpeak, match=r"\(ja\)"):
        parse("Meow!", "ja")


# The whole is 33 characters, and every part of it is fine by itself.
TOO_LONG = "ﾆｬｰ！？ﾆｬｵｰ！？ﾆｬｵｰ！？" + "（" + "あ" * 12 + "）"
NOT_CAT_SPEAK = {
    "human word": "ｱﾘｶﾞﾄｳ",
    "cry, then human word": "ﾆｬｰ！ｱﾘｶﾞﾄｳ",
    "English": "Hello!",
    "Meow, then a human word": "Meow hello",
    "hiragana": "ありがとう",
    "full-width cry": "ニャー！",
    "full-width cry with action": "ニャー(飛び跳ねる)",
    "half-width parentheses": "ﾆｬｰ！(飛び跳ねる)",
    "ASCII mark": "ﾆｬｰ!",
    "second action": "ﾆｬｰ！（鳴く）（走る）",
    "second action in English": "Meow! (runs) (sits)",
    "cry after the action": "ﾆｬｰ！（鳴く）ﾆｬｰ",
    "action alone": "（鳴く）",
    "action alone in English": "(runs)",
    "only marks": "！",
    "empty": "",
    "newline at the end": "ﾆｬｰ！\n",
    "newline inside": "ﾆｬｰ！\nﾆｬｰ",
    "space at the end": "ﾆｬｰ！ ",
    "space at the end in English": "Meow! ",
    "space at the beginning": " Meow!",
    "two spaces": "Meow!  Meow!",
    "action of 13 characters": "ﾆｬｰ！（" + "あ" * 13 + "）",
    "empty action": "ﾆｬｰ！（）",
    "6 words": "Meow! (a b c d e f)",
    "word of 11 letters": "Meow! (" + "a" * 11 + ")",
    "Latin in a Japanese action": "ﾆｬｰ！（jumps）",
    "digits in an action": "ﾆｬｰ！（１回）",
    "upper case in an action": "Meow! (Runs)",
    "shouted": "MEOW!",
    "four cries": "ﾆｬ！ﾆｬ！ﾆｬ！ﾆｬ！",
    "four English cries": "Meow Meow Meow Meow",
    "three marks": "ﾆｬｰ！！！",
    "everyone": "@everyone",
    "everyone in an action": "Meow! (@everyone)",
    "everyone in a Japanese action": "ﾆｬｰ（@everyone）",
    "mention": "<@123>",
    "mention after a cry": "ﾆｬｰ！<@123>",
    "link": "https://example.com",
    "link in an action": "Meow! (https://example.com)",
    "markdown": "**Meow**",
    "languages mixed": "ﾆｬｰ！ Meow!",
    "zero width": "ﾆｬ\u200bｰ",
}


@pytest.mark.parametrize("text", NOT_CAT_SPEAK.values(), ids=NOT_CAT_SPEAK.keys())
def test_anything_else_is_refused(text: str) -> None:
    assert not is_catspeak(text)
    with pytest.raises(NotCatSpeak):
        parse(text)


def test_only_the_length_is_wrong() -> None:
    assert len(TOO_LONG) == 33 - 2
    with_two_more = TOO_LONG.replace("ﾆｬｰ！？", "ﾆｬｵｰ！...", 1)
    assert not is_catspeak(with_two_more)
    assert is_catspeak(TOO_LONG)


def test_refusal_shows_at_most_the_beginning() -> None:
    with pytest.raises(NotCatSpeak) as caught:
        parse("secret" * 100)
    assert len(str(caught.value)) < 120


HUMAN_WORDS_JA = """
ﾊｲ ｲｲｴ ｳﾝ ｳｳﾝ ｱﾘｶﾞﾄｳ ｺﾞﾒﾝ ｵﾊﾖｳ ｺﾝﾆﾁﾊ ｻﾖﾅﾗ ﾏﾏ ﾊﾟﾊﾟ ﾐﾐ ﾅﾝ ﾅﾆ ﾐﾙ ﾏﾂ ｸﾙﾏ ｶｶｵ ｷﾐ ｱﾅﾀ ﾜﾀｼ ﾎﾞｸ ｵﾚ ﾈｺ ｲﾇ ﾄﾘ ｻｶﾅ ﾐｽﾞ ｺﾞﾊﾝ ｽｷ ｷﾗｲ
ﾔﾒﾃ ﾀﾞﾒ ﾐｶﾝ ﾐﾝﾅ ｱｲ ｱｵｲ ｱｶ ﾌﾈ ｶｻ ｲｴ ｸﾂ ﾊﾟﾝ ﾌﾟﾘﾝ ｸｽﾘ ﾋﾟｱﾉ ｷﾞﾀｰ ﾃﾚﾋﾞ ｼﾈ ﾊﾞｶ ｱﾎ ｳｻﾞｲ ｷﾓｲ ｳｿ ﾎﾝﾄ ﾏｼﾞ ﾔﾊﾞｲ ｵｶｱｻﾝ
"""
HUMAN_WORDS_EN = """
hello hi hey yes no maybe thanks please sorry okay cat dog man woman me my you we us him her his hers me mum mom map
purple purse fur far for chat hit his hush hash mess miss moss mass muff puff pat pet pot put part port pearl trap
trip true try zoo ask art are aye yeah yay wow row raw war grow grew grab great rough brow brat bro bright chart church
murder marry merry mirror nah nyet kiss kick kill fuss fuck shit ass a i the and or but mma amp
"""


@pytest.mark.parametrize(("language", "words"), [("ja", HUMAN_WORDS_JA), ("en", HUMAN_WORDS_EN)])
def test_no_cry_is_a_human_word(language: Language, words: str) -> None:
    assert cries(language) & set(words.split()) == set()


def test_lexicon_is_of_its_script_and_length() -> None:
    assert all(re.fullmatch("[ｦ-ﾟ]{1,6}", word) for word in cries("ja"))
    assert all(re.fullmatch("[a-z-]{3,8}", word) for word in cries("en"))
    assert {"ﾆｬｰ", "ﾆｬﾝ", "ﾐｬｰｵ", "ｺﾞﾛｺﾞﾛ", "ﾌﾟﾙﾙ", "ﾌｰｯ", "ｼｬｰ"} <= cries("ja")
    assert {"meow", "mrrp", "prrr", "hiss", "purr"} <= cries("en")


LANGUAGE_OF = {
    "ja": [
        "",
        "   ",
        "ご飯だよ",
        "ﾆｬｰ",
        "ニャー",
        "猫",
        "gohan dayo",
        "kawaii neko chan",
        "ohayou",
        "oyasumi nasai",
        "Konnichiwa!",
        "12345",
        "3.14 + 2",
        "👍",
        "😀😀",
        "！？",
        "www",
        "草www",
        "笑 haha",
        "今日はmeeting",
        "Pythonを勉強した",
        "https://example.com/hello-there",
        "<@123456>",
        "<:happy_cat:123456>",
        ":smile:",
        "`print('hello')`",
        "привет",
    ],
    "en": [
        "hello",
        "Good morning, cat!",
        "I had a bad day",
        "hi",
        "no more",
        "are you home",
        "dinner time!",
        "it's raining",
        "print('hello')",
        "for i in range(10): pass",
        "look at this https://example.com/ねこ",
        "hello <@123>",
        "the neko is here",
        "what does 猫 mean in english?",
        "GOOD NIGHT",
        "café crème",
    ],
}


@pytest.mark.parametrize(("expected", "text"), [(language, text) for language in LANGUAGE_OF for text in LANGUAGE_OF[language]])
def test_language_of_a_message(expected: str, text: str) -> None:
    assert detect_language(text) == expected


@given(st.text())
def test_any_text_has_a_language(text: str) -> None:
    assert detect_language(text) in LANGUAGES


@pytest.mark.parametrize("text", ["na" * 2000 + "x", "nya" * 1300 + "h", "n" * 4000 + "!x", "`" * 3999, ":a" * 2000])
def test_long_messages_cannot_stall_the_language_detection(text: str) -> None:
    assert detect_language(text) in LANGUAGES
