"""The stream of conversations: reproducible, and it covers all that the corpus has."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from model.catspeak import LANGUAGES, MOODS, is_catspeak
from training.corpus.augment import augment
from training.corpus.builder import Builder, Conversation
from training.corpus.reader import Corpus

NUMBER = 3000


def stream(corpus: Corpus, seed: int, number: int = NUMBER) -> list[Conversation]:
    return list(islice(Builder(corpus, seed).stream(), number))


@pytest.fixture(scope="module")
def drawn(corpus: Corpus) -> list[Conversation]:
    return stream(corpus, 1)


def test_same_seed_same_stream(corpus: Corpus, drawn: list[Conversation]) -> None:
    assert stream(corpus, 1) == drawn
    assert stream(corpus, 2, 50) != drawn[:50]


def test_all_moods_in_both_languages(drawn: list[Conversation]) -> None:
    seen = Counter((conversation.language, conversation.mood) for conversation in drawn)
    assert set(seen) == {(language, mood) for language in LANGUAGES for mood in MOODS}
    assert min(seen.values()) > NUMBER // 200
    assert 0.25 < sum(number for (language, _), number in seen.items() if language == "en") / NUMBER < 0.5


def test_conversations_are_well_formed(drawn: list[Conversation], corpus: Corpus) -> None:
    replies = {(line.language, line.mood, line.text) for line in corpus.replies}
    for conversation in drawn:
        assert [turn.role for turn in conversation.turns] == ["user", "cat"] * (len(conversation.turns) // 2) + ["user"]
        assert (conversation.language, conversation.mood, conversation.reply) in replies
        assert all(is_catspeak(turn.text) for turn in conversation.turns if turn.role == "cat")


def test_mixture_has_history_and_silence(drawn: list[Conversation]) -> None:
    assert 0.15 < sum(len(conversation.turns) > 1 for conversation in drawn) / NUMBER < 0.6
    assert sum(conversation.turns[-1].text == "" for conversation in drawn) > NUMBER // 200


def test_utterances_keep_their_mood(corpus: Corpus, drawn: list[Conversation]) -> None:
    moods = {(line.language, line.text): line.mood for line in corpus.utterances}
    undisturbed = [c for c in drawn if len(c.turns) == 1 and (c.language, c.turns[0].text) in moods]
    assert len(undisturbed) > NUMBER // 10
    dialogue_openings = {text for dialogue in corpus.dialogues for text in dialogue.wordings[0]}
    for conversation in undisturbed:
        text = conversation.turns[0].text
        assert conversation.mood == moods[conversation.language, text] or text in dialogue_openings


def test_one_language_is_enough(small_corpus: Corpus) -> None:
    japanese = Corpus(
        [line for line in small_corpus.utterances if line.language == "ja"],
        [line for line in small_corpus.replies if line.language == "ja"],
    )
    assert {conversation.language for conversation in stream(japanese, 0, 200)} == {"ja"}


@pytest.mark.parametrize("what", ["utterances", "replies"])
def test_missing_mood_is_named(small_corpus: Corpus, what: str) -> None:
    kept = [line for line in getattr(small_corpus, what) if (line.language, line.mood) != ("en", "sleepy")]
    lacking = replace(small_corpus, utterances=kept) if what == "utterances" else replace(small_corpus, replies=kept)
    with pytest.raises(ValueError, match="no utterances or no replies for en/sleepy"):
        Builder(lacking, 0)


def test_augmentation_is_reproducible_and_gentle(corpus: Corpus) -> None:
    for line in corpus.utterances[::50]:
        copies = [augment(line.text, line.language, Random(seed)) for seed in range(20)]
        assert copies == [augment(line.text, line.language, Random(seed)) for seed in range(20)]
        assert line.text in copies
        assert all(copy.strip() for copy in copies)
        assert max(map(len, copies)) <= 2 * len(line.text) + 20


def test_silence_stays_silence() -> None:
    assert {augment("", "ja", Random(seed)) for seed in range(50)} == {""}


@pytest.mark.parametrize("text", ["ご飯食べる？", "(pets you)", "really?", "（尻尾を触る）"])
def test_questions_and_gestures_keep_their_end(text: str) -> None:
    endings = Counter(augment(text, "ja", Random(seed))[-1:] for seed in range(300))
    assert endings[text[-1]] > 270
