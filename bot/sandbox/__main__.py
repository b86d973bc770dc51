"""`python -m bot.sandbox`: run the sandbox on its own until Ctrl+C. Owns the command line only."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from .server import Sandbox


async def serve(port: int, token: str, message_content: bool) -> None:
    async with Sandbox(port, token, message_content=message_content) as sandbox:
        print(f"Chat page: {sandbox.page_url}")
        print(f"For the bot: DISCORD_TOKEN={sandbox.token} DISCORD_API_BASE={sandbox.api_base}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox", description="A loopback Discord.")
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default 8765; 0: any free one)")
    parser.add_argument("--token", default="sandbox.token", help="the bot token that it accepts")
    parser.add_argument("--message-content", action="store_true", help="switch the message-content intent on")
    options = parser.parse_args()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(options.port, options.token, options.message_content))
    except OSError:
        parser.exit(1, f"Port {options.port} is in use or not allowed: choose another with --port.\n")


if __name__ == "__main__":
    main()
