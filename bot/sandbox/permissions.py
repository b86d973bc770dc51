"""Permission bits and the documented way they combine for a member in a channel.

Owns the arithmetic only. Does not know users, messages or which route needs which bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ADMINISTRATOR = 1 << 3
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
USE_EXTERNAL_EMOJIS = 1 << 18
USE_APPLICATION_COMMANDS = 1 << 31
SEND_MESSAGES_IN_THREADS = 1 << 38

EVERYDAY = (
    ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_EXTERNAL_EMOJIS
    | USE_APPLICATION_COMMANDS
    | SEND_MESSAGES_IN_THREADS
)
ALL = (1 << 53) - 1
# What an app is said to have where there are no roles: Discord's interaction page, `app_permissions`.
IN_PRIVATE = ATTACH_FILES | EMBED_LINKS | MENTION_EVERYONE
IN_BOT_DM = IN_PRIVATE | USE_EXTERNAL_EMOJIS


@dataclass(frozen=True)
class Overwrite:
    """A channel's exception for a role (kind 0) or a member (kind 1)."""

    target: int
    kind: int
    allow: int = 0
    deny: int = 0


def apply_overwrites(base: int, overwrites: Iterable[Overwrite], everyone: int, roles: set[int], user: int) -> int:
    """Base permissions after the channel's overwrites, in Discord's order: @everyone, roles, member."""
    rules = list(overwrites)
    for rule in rules:
        if rule.kind == 0 and rule.target == everyone:
            base = base & ~rule.deny | rule.allow
    mine = [rule for rule in rules if rule.kind == 0 and rule.target in roles and rule.target != everyone]
    for rule in mine:
        base &= ~rule.deny
    for rule in mine:
        base |= rule.allow
    for rule in rules:
        if rule.kind == 1 and rule.target == user:
            base = base & ~rule.deny | rule.allow
    # Discord's implicit permissions: who cannot see a channel can do nothing in it.
    return base if base & VIEW_CHANNEL else 0
