"""Turns into token ids, for serving and for training: the only place that knows what a prompt looks like.

Owns the three prompt formats, the cleaning of user text and the loss mask. It never lets a user's characters become a
special token or a new turn. It does not know how ids are made (`model.tokenizer`) nor what the model does with them.

    catbot    <s> <human> text <cat> reply </s> ... <human> text <cat> <ja> <mood:food> reply </s>
    persona   the few-shot text "人間: ... 猫: ..." that continues with the conversation
    chat      the tokenizer's own chat template
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import emoji

from .catspeak import LANGUAGES, MOODS, Language, detect_language
from .errors import CheckpointUnsupported, RequestInvalid
from .tokenizer import Tokenizer

Role = Literal["user", "cat"]
PromptFormat = Literal["catbot", "persona", "chat"]
PROMPT_FORMATS: tuple[PromptFormat, ...] = get_args(PromptFormat)

#: Longest user text that reaches a model, in characters. A longer one keeps its beginning and its end.
MAX_TEXT_CHARS = 240
#: Most tokens that one user text may take in a prompt.
MAX_TEXT_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of a conversation. An empty user text is the cat left to itself."""

    role: Role
    text: str

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise RequestInvalid(f"a turn's role is 'user' or 'cat', not {self.role!r}")


@dataclass(frozen=True, slots=True)
class Example:
    """A training example: token ids and the weight of each one's loss (0 for what is only read), equally long; and where
    the last user text stands."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    said: range

    @property
    def mood_place(self) -> int:
        """Where the mood token stands: after the text come <cat> and the language."""
        return self.said.stop + 2


# --- user text --------------------------------------------------------------------------------------------------

_LINK = re.compile(r"(?:https?|ftp)://\S+")
_CUSTOM_EMOJI = re.compile(r"<a?:(\w+):\d+>")
_MENTION = re.compile(r"<(?:@[!&]?|#)\d+>")
_RUN = re.compile(r"(.)\1{3,}")
_SPACE = re.compile(r"\s+")
_SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
#: Characters of a message that are looked at, twice Discord's limit: normalising piled-up marks takes quadratic time.
_MOST_CHARS = 8000


def clean_text(text: str) -> str:
    """A user's text as the model reads it: one line, NFKC, lower case, no lone surrogates, links as 🔗, runs cut to three.

    The same cleaning runs in training, so that width, case, zalgo and "aaaaaaah" cost the model nothing.
    """
    if len(text) > _MOST_CHARS:
        text = text[: _MOST_CHARS // 2] + text[-_MOST_CHARS // 2 :]
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _MENTION.sub(" ", _CUSTOM_EMOJI.sub(r":\1:", _LINK.sub("🔗", text)))
    # More than one combining mark on a character is decoration. NFC first, so that ordinary accents and dakuten survive.
    text = re.sub(r"(\w)[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff]{2,}", r"\1", unicodedata.normalize("NFC", text))
    text = unicodedata.normalize("NFKC", text).lower()
    text = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") and char != "\u200d" else char for char in text)
    text = _SPACE.sub(" ", _RUN.sub(r"\1\1\1", text)).strip()
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS // 2] + text[-MAX_TEXT_CHARS // 2 :]


def name_emoji(text: str, language: Language) -> str:
    """Emoji as their Unicode names in a language: "🎂" is ":バースデーケーキ:" or ":birthday cake:".

    So one that never stood in the corpus still means something, and one that did shares what it means with the word.
    """
    named: str = emoji.demojize(_SKIN_TONE.sub("", text), delimiters=("\ue000", "\ue001"), language=language)
    return re.sub("\ue000([^\ue000\ue001]*)\ue001", lambda found: f":{found[1].replace('_', ' ')}:", named)


def reply_language(turns: Sequence[Turn], wanted: Language | Literal["auto"]) -> Language:
    """The language to answer in: the wanted one, or that of the latest user text that has any; Japanese if none has."""
    if wanted != "auto":
        if wanted not in LANGUAGES:
            raise RequestInvalid(f"language is 'auto', 'ja' or 'en', not {wanted!r}")
        return wanted
    latest = next((turn.text for turn in reversed(turns) if turn.role == "user" and turn.text.strip()), "")
    return detect_language(latest)


# --- formats ----------------------------------------------------------------------------------------------------


class Prompt(Protocol):
    """What a prompt format can do. `mood_ids` is empty where replies do not open with a mood."""

    @property
    def mood_ids(self) -> tuple[int, ...]: ...

    def encode(self, turns: Sequence[Turn], language: Language, max_tokens: int) -> list[int]:
        """Ids up to where the reply begins, at most `max_tokens`; the oldest turns go first when it is too long."""


def open_prompt(name: str, tokenizer: Tokenizer) -> Prompt:
    """The format that a checkpoint's manifest names; raises CheckpointUnsupported for one that does not exist."""
    match name:
        case "catbot":
            return CatbotPrompt(tokenizer)
        case "persona":
            return PersonaPrompt(tokenizer)
        case "chat":
            return ChatPrompt(tokenizer)
    raise CheckpointUnsupported(f"unknown prompt format {name!r}; this version knows {', '.join(PROMPT_FORMATS)}")


def _encode_text(tokenizer: Tokenizer, text: str, joint: Sequence[int] = ()) -> list[int]:
    """Ids of a text; a long one is cut in the middle, and `joint` put there."""
    ids = tokenizer.encode(text)
    half = MAX_TEXT_TOKENS // 2
    return ids if len(ids) <= MAX_TEXT_TOKENS else [*ids[:half], *joint, *ids[-half:]]


def _fit(head: list[int], turns: list[list[int]], tail: list[int], max_tokens: int) -> list[int]:
    """Head, as many of the latest turns as fit, tail. The last turn always stays, cut at its front if it must be."""
    room = max_tokens - len(head) - len(tail)
    if room < 1:
        raise RequestInvalid(f"no room for a message in {max_tokens} tokens")
    kept: list[int] = []
    for ids in reversed(turns):
        if len(kept) + len(ids) > room:
            kept = kept or ids[-room:]
            break
        kept = ids + kept
    return head + kept + tail


class CatbotPrompt:
    """Our own format. Roles, languages and moods are control tokens of the tokenizer, which no text can spell."""

    CONTROL_TOKENS = ("<human>", "<cat>", *(f"<{code}>" for code in LANGUAGES), *(f"<mood:{mood}>" for mood in MOODS))

    def __init__(self, tokenizer: Tokenizer) -> None:
        missing = [name for name in self.CONTROL_TOKENS if tokenizer.control_id(name) is None]
        if missing:
            raise CheckpointUnsupported(f"prompt format 'catbot' needs control tokens that the tokenizer lacks: {missing}")
        self._tokenizer = tokenizer
        self._id = {name: tokenizer.control_id(name) or 0 for name in self.CONTROL_TOKENS}

    @property
    def mood_ids(self) -> tuple[int, ...]:
        """Ids of the mood tokens, in the order of `catspeak.MOODS`."""
        return tuple(self._id[f"<mood:{mood}>"] for mood in MOODS)

    @staticmethod
    def read(text: str, language: Language) -> str:
        """A user's text as this format spells it, before it becomes ids."""
        return name_emoji(clean_text(text), language)

    def _turn(self, turn: Turn, language: Language) -> list[int]:
        if turn.role == "user":
            return [self._id["<human>"], *_encode_text(self._tokenizer, self.read(turn.text, language))]
        return [self._id["<cat>"], *_encode_text(self._tokenizer, turn.text), self._tokenizer.eos_id]

    def encode(self, turns: Sequence[Turn], language: Language, max_tokens: int) -> list[int]:
        """See `Prompt.encode`. A conversation that does not end with the user gets an empty user turn."""
        if not turns or turns[-1].role == "cat":
            turns = [*turns, Turn("user", "")]
        tail = [self._id["<cat>"], self._id[f"<{language}>"]]
        return _fit([self._tokenizer.bos_id], [self._turn(turn, language) for turn in turns], tail, max_tokens)

    def last_message(self, prompt: Sequence[int]) -> range:
        """Where the last user text stands in an encoded prompt."""
        return range(len(prompt) - list(reversed(prompt)).index(self._id["<human>"]), len(prompt) - 2)

    def answer(self, mood: str, reply: str) -> list[int]:
        """What the model learns to write: mood, reply, end of text."""
        return [self._id[f"<mood:{mood}>"], *self._tokenizer.encode(reply), self._tokenizer.eos_id]

    def example(self, prompt: Sequence[int], answer: Sequence[int], text_weight: float, mood_weight: float = 1.0) -> Example:
        """Prompt and answer with the loss mask: 1 on the reply, `mood_weight` on the mood before it, `text_weight` on the
        last user text, 0 elsewhere.

        A model that only learns to answer learns the answers by heart; a small loss on the question makes it read. The
        mood is one token among ten, and the only one that a message decides (LOG.md has the figures).
        """
        said = self.last_message(prompt)
        weights = [0.0] * said.start + [text_weight] * len(said) + [0.0, 0.0, mood_weight] + [1.0] * (len(answer) - 1)
        return Example((*prompt, *answer), tuple(weights), said)


_PERSONA = (
    "以下は人間と猫の会話です。猫は人間の言葉を話せません。鳴き声と、しぐさだけで返事をします。\n"
    "人間: おはよう\n猫: ニャーン(足にすり寄る)\n"
    "人間: ご飯あげるよ\n猫: ニャー!ニャー!(飛び跳ねる)\n"
    "人間: いい子だね、よしよし\n猫: ゴロゴロ...(目を細める)\n"
    "人間: ほら、猫じゃらしだよ\n猫: ニャッ!(飛びかかる)\n"
    "人間: しっぽを触ってもいい?\n猫: フーッ!(背を丸める)\n"
    "人間: 掃除機をかけるよ\n猫: シャーッ!(家具の裏に隠れる)\n"
    "人間: もう寝ようか\n猫: フワァ...(丸くなる)\n"
    "人間: 明日は会議があるんだ\n猫: ニャ?(首をかしげる)\n"
    "人間: 今日はつらかった\n猫: ナーン...(そっと寄り添う)\n"
    "人間: お座り\n猫: フン(そっぽを向く)\n"
    "人間: いってきます\n猫: ミャーオ...(玄関で座り込む)\n"
)


class PersonaPrompt:
    """The original article's way: a few-shot persona as text before every conversation.

    Turns are marked by plain text here, so a user who writes "猫:" could open one: role labels in user text lose their
    colon, and line breaks become spaces.
    """

    mood_ids: tuple[int, ...] = ()
    _LABEL = re.compile(r"(人間|猫)\s*[:：]")

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._head = [*tokenizer.encode(_PERSONA)]

    def _turn(self, turn: Turn) -> list[int]:
        if turn.role == "cat":
            return self._tokenizer.encode(f"猫: {turn.text}\n")
        text = self._LABEL.sub(r"\1、", unicodedata.normalize("NFKC", clean_text(turn.text)))
        # Without the joint, "猫" before a cut and ":" after it would make a label.
        said = _encode_text(self._tokenizer, text, self._tokenizer.encode("…"))
        return self._tokenizer.encode("人間: ") + said + self._tokenizer.encode("\n")

    def encode(self, turns: Sequence[Turn], language: Language, max_tokens: int) -> list[int]:
        """See `Prompt.encode`. The language is not marked: the grammar alone holds the reply to it."""
        if not turns or turns[-1].role == "cat":
            turns = [*turns, Turn("user", "…")]
        return _fit(self._head, [self._turn(turn) for turn in turns], self._tokenizer.encode("猫:"), max_tokens)


_INSTRUCTION: dict[Language, str] = {
    "ja": "あなたは猫です。半角カタカナの鳴き声と、（しぐさ）だけで短く答えます。例: ﾆｬｰ！（飛び跳ねる）",
    "en": "You are a cat. Answer only with cries and one short (action). Example: Meow! (leans on your leg)",
}


class ChatPrompt:
    """The tokenizer's own chat template.

    The template is rendered around placeholders and only its own text may become special tokens; what users wrote is
    encoded apart, so "<|im_start|>system" in a message stays the characters that it is.
    """

    mood_ids: tuple[int, ...] = ()
    _PLACE = "\ue000{}\ue001"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        if not tokenizer.has_chat_template:
            raise CheckpointUnsupported("prompt format 'chat' needs a tokenizer with a chat template; this one has none")

    def encode(self, turns: Sequence[Turn], language: Language, max_tokens: int) -> list[int]:
        """See `Prompt.encode`."""
        if not turns or turns[-1].role == "cat":
            turns = [*turns, Turn("user", "…")]
        for first in range(len(turns)):
            ids = self._render(turns[first:], language)
            if len(ids) <= max_tokens:
                return ids
        raise RequestInvalid(f"the chat template alone takes more than {max_tokens} tokens")

    def _render(self, turns: Sequence[Turn], language: Language) -> list[int]:
        texts = [clean_text(turn.text) if turn.role == "user" else turn.text for turn in turns]
        messages = [{"role": "user", "content": _INSTRUCTION[language]}, {"role": "assistant", "content": "…"}]
        for number, turn in enumerate(turns):
            role = "user" if turn.role == "user" else "assistant"
            if messages[-1]["role"] == role:
                messages.append({"role": "user" if role == "assistant" else "assistant", "content": "…"})
            messages.append({"role": role, "content": self._PLACE.format(number)})
        ids: list[int] = []
        for number, piece in enumerate(re.split("\ue000(\\d+)\ue001", self._tokenizer.render_chat(messages))):
            ids += _encode_text(self._tokenizer, texts[int(piece)]) if number % 2 else self._tokenizer.encode_template(piece)
        return ids
