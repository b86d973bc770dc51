"""Runs a whole evaluation and turns it into one record and a table that people read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from model.catspeak import LANGUAGES, is_catspeak
from model.checkpoint import open_checkpoint
from model.engine.runner import Runner

from ..corpus.reader import Corpus
from ..corpus.reader import by_mood as lines_by_mood
from . import scores
from .answers import Answer, Conversation, ask, ask_again, ask_freely
from .baselines import most_frequent_mood, ngram_regression
from .items import HELDOUT, Item, read_items
from .likelihood import measure
from .reading import MoodReader


def _answers(
    runner: Runner, items: Sequence[Item], conversations: Sequence[Conversation], corpus: Corpus, seed: int
) -> list[Answer]:
    """The checkpoint's answers, read by a reader who sees only the words."""
    written = ask(runner, conversations, seed)
    read = MoodReader(corpus.replies).read([reply.text for reply in written])
    return [Answer(item, reply.text, mood, reply.mood) for item, reply, mood in zip(items, written, read, strict=True)]


def evaluate(
    checkpoint: str | Path, corpus: Corpus, folder: Path = HELDOUT, *, seed: int = 0
) -> tuple[dict[str, Any], list[Answer]]:
    """Everything there is to say about a checkpoint, as plain data, and the answers that it is said of.

    Raises one of the CheckpointError family for a checkpoint that cannot be served, ValueError for a set that cannot be read.
    """
    opened = open_checkpoint(checkpoint)
    runner = Runner(opened)
    items = [item for item in read_items(folder) if item.language in opened.manifest.languages]
    replies = lines_by_mood(corpus.replies)
    conversations = [(item.turns(replies), item.language) for item in items]
    answers = _answers(runner, items, conversations, corpus, seed)
    record: dict[str, Any] = {
        "checkpoint": opened.name,
        "revision": opened.revision,
        "sets": folder.name,
        "seed": seed,
        "rows": scores.by_row(
            answers,
            {"most_frequent": most_frequent_mood(corpus, items), "ngram": ngram_regression(corpus, items)},
        ),
        "everyday_by_mood": scores.by_mood(answers),
        "valid": {
            "grammar_on": scores.share(sum(is_catspeak(a.reply, a.item.language) for a in answers), len(answers)),
            "grammar_off": scores.share(sum(ask_freely(opened, runner, conversations)), len(answers)),
        },
        "variety": {
            language: scores.variety(
                [answer.reply for answer in answers if answer.item.language == language],
                ask_again(runner, [item for item in items if (item.name, item.language) == ("everyday", language)], seed),
                language,
            )
            for language in LANGUAGES
            if language in opened.manifest.languages
        },
        "confusion": scores.confusion(answers),
    }
    likelihood = measure(opened, runner, conversations)
    if likelihood:
        temperature = opened.manifest.mood_temperature
        record["token_agrees"] = scores.share(sum(a.token == a.mood for a in answers), len(answers))
        record["loss"] = {
            "mood": round(likelihood.mood_loss([item.mood for item in items], temperature), 4),
            "text": round(likelihood.text_loss, 4),
        }
        record["calibration"] = scores.calibration(likelihood, items, temperature)
    return record, answers


def table(record: dict[str, Any]) -> str:
    """The record as text."""
    lines = [
        f"{record['checkpoint']} ({record['revision']}) on the {record['sets']} sets",
        f"{'':18}{'items':>6}  {'fits':^20}  {'jars':^20}  {'shuffled':>8}  {'frequent':>8}  {'n-gram':>6}",
    ]
    for name, row in record["rows"].items():
        lines.append(
            f"{name:18}{row['items']:6}  {_share(row['fits'])}  {_share(row['jars'])}"
            f"  {row['shuffled']:8.1%}  {row['most_frequent']:8.1%}  {row['ngram']:6.1%}"
        )
    moods = ", ".join(f"{mood} {found['share']:.0%}" for mood, found in record["everyday_by_mood"].items())
    lines.append(f"everyday by mood: {moods}")
    for name, found in record["valid"].items():
        lines.append(f"valid, {name.replace('_', ' ')}: {_share(found)}")
    for language, found in record["variety"].items():
        lines.append(f"variety, {language}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items()))
    if "loss" in record:
        lines.append(f"the words say what the mood token says: {_share(record['token_agrees'])}")
        lines.append(f"loss: mood {record['loss']['mood']} nats, text {record['loss']['text']} nats a token")
        lines.append(f"calibration error of the mood token: {record['calibration']['expected_calibration_error']:.3f}")
    return "\n".join(lines)


def _share(found: dict[str, float]) -> str:
    return f"{found['share']:6.1%} ({found['low']:.1%}–{found['high']:.1%})".ljust(20)


def comparison(first: Sequence[Answer], second: Sequence[Answer], names: tuple[str, str]) -> str:
    """Two checkpoints on the same items, row by row, with the sign test (McNemar's exact test) on items where they differ."""
    lines = [f"{'fits':18}{names[0][:14]:>15}{names[1][:14]:>15}  {'only first':>10}  {'only second':>11}  {'p':>6}"]
    for row in scores.ROWS:
        pairs = [(a.fits, b.fits) for a, b in zip(first, second, strict=True) if row.holds(a.item)]
        if not pairs:
            continue
        wins, losses = sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)
        chance = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
        lines.append(
            f"{row!s:18}{sum(a for a, _ in pairs) / len(pairs):15.1%}{sum(b for _, b in pairs) / len(pairs):15.1%}"
            f"  {wins:10}  {losses:11}  {chance:6.3f}"
        )
    return "\n".join(lines)
