"""Japanese words: sudachipy with its small dictionary, loaded once and only when it is needed."""

from functools import cache
from typing import Any


@cache
def _tokenizer() -> Any:
    from sudachipy import Dictionary, SplitMode

    return Dictionary(dict="small").tokenizer(mode=SplitMode.A)


def morphemes(text: str) -> Any:
    """The words of a text, as sudachipy's Morphemes (surface, reading_form, normalized_form, dictionary_form)."""
    return _tokenizer().tokenize(text)
