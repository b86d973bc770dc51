"""The command line `catbot`. Thin: each command imports what it needs when it runs, so that --help is instant."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from .settings import Settings

app = typer.Typer(
    help="A cat for Discord, from a small language model of its own.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_ENV_FILE = Path(".env")

EnvFile = Annotated[Path, typer.Option("--env-file", help="File with settings; see .env.example.")]
CheckpointOption = Annotated[
    str | None, typer.Option("--checkpoint", help="'bundled', a name in checkpoints/, a folder, or a hub id@revision.")
]


def _fail(message: str) -> NoReturn:
    print(f"catbot: {message}", file=sys.stderr)
    raise SystemExit(1)


def _leave() -> NoReturn:
    """End now. Everything is closed, but a thread may still wait for a line or for a download, and Python for it."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _settings(env_file: Path, **overrides: object) -> "Settings":
    from .settings import SettingsError, load_settings

    if env_file != DEFAULT_ENV_FILE and not env_file.is_file():
        _fail(f"there is no settings file {env_file}; .env.example shows what to put into one")
    try:
        return load_settings(env_file, **overrides)
    except SettingsError as error:
        _fail(str(error))


@app.command()
def run(env_file: EnvFile = DEFAULT_ENV_FILE, checkpoint: CheckpointOption = None) -> None:
    """Run the bot: on Discord with DISCORD_TOKEN set, in the sandbox without."""
    settings = _settings(env_file, catbot_checkpoint=checkpoint)
    from .app import StartFailed, run_bot, run_sandboxed, run_until_stopped
    from .logs import set_up_logging

    set_up_logging(settings)

    def announce(address: str) -> None:
        print(f"DISCORD_TOKEN is not set, so the cat lives in the sandbox: open {address} (Ctrl-C ends it)", flush=True)

    token = settings.token
    try:
        ended = run_until_stopped(lambda: run_bot(settings, token) if token else run_sandboxed(settings, announce))
    except StartFailed as error:
        _fail(str(error))
    if not ended:
        _leave()


@app.command()
def chat(
    env_file: EnvFile = DEFAULT_ENV_FILE,
    checkpoint: CheckpointOption = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON lines in, JSON lines out.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="With --jsonl: channels answered at once.")] = 16,
) -> None:
    """Talk to the cat here. 終了, exit or the end of input ends it."""
    settings = _settings(env_file, catbot_checkpoint=checkpoint)
    from model.errors import CatError

    from .app import open_cat, run_until_stopped
    from .logs import set_up_logging
    from .terminal import chat as talk
    from .terminal import chat_jsonl, read_from_terminal

    set_up_logging(settings, quiet=True)
    if sys.stdin is None or sys.stdin.closed:
        _fail("there is nothing to read: standard input is closed")
    # JSON is UTF-8 wherever it is read; a terminal that cannot show a cat shows question marks.
    encoding = "utf-8" if jsonl else None
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding=encoding, errors="replace")  # type: ignore[union-attr]

    async def work() -> None:
        async with open_cat(settings) as cat:
            if jsonl:
                await chat_jsonl(settings, cat, sys.stdin, sys.stdout, concurrency=concurrency)
            else:
                await talk(settings, cat, read=read_from_terminal, write=print)

    try:
        ended = run_until_stopped(work)
    except CatError as error:
        _fail(str(error))
    if not ended:
        _leave()


@app.command()
def doctor(env_file: EnvFile = DEFAULT_ENV_FILE) -> None:
    """Check settings, checkpoint, device, token and intents, and say what to do next."""
    settings = _settings(env_file)
    from .doctor import examine

    async def work() -> bool:
        sound = True
        async for finding in examine(settings):
            print(f"[{finding.state:^4}] {finding.text}", flush=True)
            sound = sound and finding.state != "bad"
        return sound

    raise SystemExit(0 if asyncio.run(work()) else 1)


@app.command()
def invite(
    env_file: EnvFile = DEFAULT_ENV_FILE,
    application_id: Annotated[int | None, typer.Option(min=1, help="The application's id, if there is no token.")] = None,
) -> None:
    """Print the address that invites the bot to a server, with the least permissions."""
    settings = _settings(env_file)
    from .doctor import application_id_of, invite_url

    found = application_id or (application_id_of(settings.token) if settings.token else None)
    if found is None:
        _fail("set DISCORD_TOKEN in .env, or give --application-id (Developer Portal > General Information)")
    print(invite_url(found))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
