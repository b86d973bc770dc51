"""What the API routes share: the world, the way to speak in it, commands, interactions, faults, gateway.

Owns nothing but the wiring. Does not know HTTP; `server.py` builds one for each sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass

from .commands import Commands
from .faults import Faults
from .gateway import Gateway
from .interactions import Interactions
from .speech import Speech
from .world import World


@dataclass
class Backend:
    world: World
    speech: Speech
    commands: Commands
    interactions: Interactions
    faults: Faults
    gateway: Gateway
    token: str
    granted: int  # the privileged intents that are switched on
