"""The model card: README.md of a checkpoint folder, in the hub's form, with the scores that were measured."""

from pathlib import Path
from typing import Any

from model.checkpoint import Manifest

MODEL_CARD = "README.md"

_CARD = """---
library_name: transformers
pipeline_tag: text-generation
language: [{languages}]
license: mit
tags: [catbot, discord, cat]
---

# {name}

A cat. It reads what people say on Discord and answers with cries and at most one action: `ﾆｬｰ！（飛び跳ねる）`,
`Prrr... (leans on your leg)`. Made to be served by catbot, which holds every reply to the grammar of cat speak.

| | |
|---|---|
| made with | `{command}` |
| parameters | {parameters:,} |
| trained on | {utterances:,} utterances, {dialogues:,} dialogues and {replies:,} replies, all written for it |
| prompt format | `{prompt_format}`: the cat's mood comes first, as a token that is never shown |

## How well it understands

Share of replies whose mood fits what was said, and of those that would hurt or look broken ("jars"), on messages that are
not in the corpus; the mood is read from the reply's words. Temperature 0.7, 95% intervals (Wilson). Beside it: the same
replies dealt out at random, and a character n-gram regression trained on the same text.

| set | items | fits | jars | at random | n-gram regression |
|---|---|---|---|---|---|
{rows}

Valid cat speak: {on:.1%} with the grammar, {off:.1%} without it. {variety}

## What it is not

It holds no conversation and knows no facts: it tells eleven moods apart. Where it does not understand it is curious.
"""


def write_model_card(path: Path, manifest: Manifest, record: dict[str, Any]) -> None:
    """Write the card of a checkpoint with its evaluation record."""
    training = manifest.training
    path.write_text(
        _CARD.format(
            name=manifest.name,
            languages=", ".join(manifest.languages),
            prompt_format=manifest.prompt_format,
            rows="\n".join(_row(name, row) for name, row in record["rows"].items()),
            on=record["valid"]["grammar_on"]["share"],
            off=record["valid"]["grammar_off"]["share"],
            variety=" ".join(
                f"{code}: {found['distinct_in_100']} distinct replies in 100, {found['mean_characters']} characters each."
                for code, found in record["variety"].items()
            ),
            **{key: training[key] for key in ("command", "parameters", "utterances", "dialogues", "replies")},
        ),
        "utf-8",
    )


def _row(name: str, row: dict[str, Any]) -> str:
    shares = " | ".join(f"{row[key]['share']:.1%} ({row[key]['low']:.1%}–{row[key]['high']:.1%})" for key in ("fits", "jars"))
    return f"| {name} | {row['items']} | {shares} | {row['shuffled']:.1%} | {row['ngram']:.1%} |"
