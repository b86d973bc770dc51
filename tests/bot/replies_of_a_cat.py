"""Replies as the model gives them, made from their text; what is not cat speak cannot be made."""

from model.catspeak import parse
from model.engine.request import Reply, Usage


def a_reply(text: str, mood: str | None = "food") -> Reply:
    """The reply with that text."""
    said = parse(text)
    return Reply(said.text, said.cries, said.action, said.language, mood, 0.9 if mood else None, Usage(1, 1, 0.0, 1.0))
