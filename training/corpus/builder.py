"""The stream of training conversations: deterministic for a seed, without end, nothing held but the corpus itself.

Owns the mixture: which mood, which utterance, what stood before it. Text only; ids are made by `training.dataset`.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from model.catspeak import MOODS, Language
from model.prompt import Turn

from ..teacher import Opinions
from .augment import augment
from .reader import Corpus, Dialogue, by_mood
from .templates import fill

#: What the cat does of its own accord when nobody said anything.
IDLE_MOODS = ("greet", "affection", "play", "sleepy", "curious", "lonely")

_ENGLISH_SHARE = 0.42
_DIALOGUE_SHARE = 0.12
_IDLE_SHARE = 0.015
_HISTORY_SHARE = 0.08
_TEMPLATE_SHARE = 0.1
_CROSSING_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns that end with the user, and the answer to learn."""

    turns: tuple[Turn, ...]
    language: Language
    mood: str
    reply: str
    said: str  # the last message before it was disturbed
    crossed: bool = False  # made of two utterances; its mood is drawn from the odds, and no reply to it is right


class Builder:
    """Draws conversations from a corpus. Raises ValueError if a mood has no utterance or no reply in a language."""

    def __init__(self, corpus: Corpus, seed: int, opinions: Opinions | None = None) -> None:
        self._rng = Random(seed)
        self._opinions = opinions or Opinions()
        self._utterances = by_mood(corpus.utterances)
        self._replies = by_mood(corpus.replies)
        self._templates = by_mood(corpus.templates)
        self._words = corpus.words
        self._dialogues: dict[str, list[Dialogue]] = defaultdict(list)
        for dialogue in corpus.dialogues:
            self._dialogues[dialogue.language].append(dialogue)
        languages: tuple[Language, ...] = ("ja", "en")
        self.languages = [language for language in languages if any((language, mood) in self._utterances for mood in MOODS)]
        missing = [f"{language}/{mood}" for language in self.languages for mood in MOODS if not self._complete(language, mood)]
        if missing:
            raise ValueError(f"no utterances or no replies for {', '.join(missing)}")

    def _complete(self, language: str, mood: str) -> bool:
        return (language, mood) in self._utterances and (language, mood) in self._replies

    def stream(self) -> Iterator[Conversation]:
        """Conversations without end."""
        while True:
            yield self._draw()

    def _draw(self) -> Conversation:
        rng = self._rng
        language = "en" if "en" in self.languages and rng.random() < _ENGLISH_SHARE else self.languages[0]
        kind = rng.random()
        if kind < _DIALOGUE_SHARE and self._dialogues[language]:
            return self._from_dialogue(rng.choice(self._dialogues[language]))
        if kind < _DIALOGUE_SHARE + _IDLE_SHARE:
            mood = rng.choice(IDLE_MOODS)
            return self._answer([], "", language, mood)
        if self._opinions.crossings and rng.random() < _CROSSING_SHARE:
            return self._crossing(language)
        mood = self._mood(language)
        history = self._history(language) if rng.random() < _HISTORY_SHARE else []
        return self._answer(history, self._utterance(language, mood), language, mood)

    def _crossing(self, language: Language) -> Conversation:
        text = self._rng.choice(self._opinions.crossings[language])
        mood = self._rng.choices(MOODS, self._opinions.odds[language, text])[0]
        return replace(self._answer([], text, language, mood), crossed=True)

    def _utterance(self, language: Language, mood: str) -> str:
        """A hand-written utterance, or now and then a filled template."""
        templates = self._templates.get((language, mood))
        if templates and self._rng.random() < _TEMPLATE_SHARE:
            return fill(self._rng.choice(templates).text, self._words[language], self._rng)
        return self._rng.choice(self._utterances[language, mood]).text

    def _mood(self, language: Language) -> str:
        """A mood, nearly as often as it has utterances; the small ones a little more often."""
        weights = [len(self._utterances[language, mood]) ** 0.8 for mood in MOODS]
        return self._rng.choices(MOODS, weights)[0]

    def _history(self, language: Language) -> list[Turn]:
        """One to three unrelated exchanges, so that the model learns that the last message is what counts."""
        turns: list[Turn] = []
        for _ in range(self._rng.choice((1, 1, 1, 2, 3))):
            # People switch languages within a channel, rarely.
            spoken = language if self._rng.random() < 0.95 else self._rng.choice(self.languages)
            mood = self._mood(spoken)
            turns.append(Turn("user", augment(self._utterance(spoken, mood), spoken, self._rng)))
            turns.append(Turn("cat", self._reply(spoken, mood)))
        return turns

    def _from_dialogue(self, dialogue: Dialogue) -> Conversation:
        """A dialogue cut after one of its answers; mostly the last, which is the one that needs what came before."""
        texts = dialogue.texts(self._rng)
        end = len(texts) if self._rng.random() < 0.7 else self._rng.randint(1, len(texts))
        turns: list[Turn] = []
        for text, mood in zip(texts[: end - 1], dialogue.moods, strict=False):
            turns += [
                Turn("user", augment(text, dialogue.language, self._rng)),
                Turn("cat", self._reply(dialogue.language, mood)),
            ]
        return self._answer(turns, texts[end - 1], dialogue.language, dialogue.moods[end - 1])

    def _answer(self, history: list[Turn], text: str, language: Language, mood: str) -> Conversation:
        last = Turn("user", augment(text, language, self._rng))
        return Conversation((*history, last), language, mood, self._reply(language, mood), text)

    def _reply(self, language: Language, mood: str) -> str:
        return self._rng.choice(self._replies[language, mood]).text
