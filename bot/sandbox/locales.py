"""Discord's locales and the characters that command names may have.

Owns two facts of the reference page. Does not know commands.
"""

from __future__ import annotations

import unicodedata

# fmt: off
LOCALES = frozenset({
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no",
    "pl", "pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th",
    "zh-CN", "ja", "zh-TW", "ko",
})
# fmt: on
# Script=Devanagari and Script=Thai, whose vowel signs are marks rather than letters.
SCRIPTS = (
    (0x0900, 0x0950),
    (0x0955, 0x0963),
    (0x0966, 0x097F),
    (0xA8E0, 0xA8FF),
    (0x0E01, 0x0E3A),
    (0x0E40, 0x0E5B),
)


def allowed_in_name(character: str) -> bool:
    """One character of ^[-_'\\p{L}\\p{N}\\p{sc=Deva}\\p{sc=Thai}]{1,32}$."""
    if character in "-_'" or unicodedata.category(character)[0] in "LN":
        return True
    return any(first <= ord(character) <= last for first, last in SCRIPTS)


def valid_name(name: str) -> bool:
    """A chat command's or option's name: 1 to 32 such characters, lower case where there is one."""
    return 1 <= len(name) <= 32 and name == name.lower() and all(map(allowed_in_name, name))
