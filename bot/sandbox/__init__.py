"""A loopback Discord: gateway, HTTP API and a chat page on 127.0.0.1, to run the bot with nothing else.

Owns a faithful stand-in for what the bot uses of Discord. Does not know the bot: it is any client of the
API that is pointed at `Sandbox.api_base`.
"""

from .actors import Invocation
from .errors import InteractionFailed, SandboxError
from .messages import Message
from .server import Sandbox

__all__ = ["InteractionFailed", "Invocation", "Message", "Sandbox", "SandboxError"]
