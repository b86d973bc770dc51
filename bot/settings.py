"""Settings from the environment and `.env`: read once in `main`, checked all at once, passed in.

Owns names, ranges and the words for bad values. The token is a secret string: it is in no repr, log or error.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DISCORD_API_BASE = "https://discord.com/api/v10"


class SettingsError(Exception):
    """One or more settings are bad; the message names each with what to write instead."""


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _bare_token(value: Any) -> Any:
    """A blank token is none; one that was pasted with something around it is refused, without a word of it."""
    if isinstance(value, str) and any(char.isspace() or char in "\"'" for char in value.strip()):
        raise ValueError("has spaces or quotes in it")
    return _blank_is_none(value)


def _ids(value: Any) -> Any:
    return [part for part in value.replace(",", " ").split() if part] if isinstance(value, str) else value


Snowflake = Annotated[int, Field(gt=0, lt=1 << 64)]


class Settings(BaseSettings):
    """Every setting of the bot. `.env.example` says the same in prose, and a test keeps the two together."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    discord_token: Annotated[SecretStr | None, BeforeValidator(_bare_token)] = None
    discord_api_base: str = Field(default=DISCORD_API_BASE, pattern=r"^https?://\S+$")
    catbot_operator_ids: Annotated[list[Snowflake], NoDecode, BeforeValidator(_ids)] = []
    admin_guild_id: Annotated[Snowflake | None, BeforeValidator(_blank_is_none)] = None

    catbot_checkpoint: str = Field(default="bundled", min_length=1)
    catbot_checkpoints_dir: Path = Path("checkpoints")
    catbot_device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    catbot_max_batch: int = Field(default=64, ge=1, le=4096)
    catbot_language: Literal["auto", "ja", "en"] = "auto"
    catbot_temperature: float = Field(default=0.7, ge=0, le=5)

    catbot_context_turns: int = Field(default=6, ge=0, le=100)
    catbot_context_minutes: float = Field(default=15.0, gt=0, le=1440)
    catbot_context_channels: int = Field(default=5000, ge=1)
    catbot_channel_queue: int = Field(default=8, ge=0, le=1000)
    catbot_reply_deadline: float = Field(default=10.0, gt=0, le=600)

    catbot_data_dir: Path = Path("data")
    catbot_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    catbot_sandbox_port: int = Field(default=8765, ge=0, le=65535)

    @property
    def token(self) -> str | None:
        """The Discord token, or None. The only place that unwraps it."""
        return self.discord_token.get_secret_value().strip() if self.discord_token else None


_HINTS = {
    "discord_token": "the bot token from the Developer Portal (Bot > Reset Token), without 'Bot ' and without quotes",
    "discord_api_base": f"an address such as {DISCORD_API_BASE}",
    "catbot_operator_ids": "user ids separated by commas, such as 80351110224678912,80351110224678913",
    "admin_guild_id": "a server id (a number), or nothing",
    "catbot_checkpoint": "'bundled', a name in the checkpoints folder, a folder, or a hub id such as user/name@revision",
    "catbot_device": "auto, cpu, cuda or cuda:0",
    "catbot_max_batch": "a whole number from 1 to 4096",
    "catbot_language": "auto, ja or en",
    "catbot_temperature": "a number from 0 (always the same) to 5 (wild); 0.7 is good",
    "catbot_context_turns": "a whole number from 0 to 100",
    "catbot_context_minutes": "a number of minutes above 0 and up to 1440",
    "catbot_context_channels": "a whole number from 1",
    "catbot_channel_queue": "a whole number from 0 to 1000",
    "catbot_reply_deadline": "a number of seconds above 0 and up to 600",
    "catbot_log_level": "DEBUG, INFO, WARNING or ERROR",
    "catbot_sandbox_port": "a port from 0 (any free one) to 65535",
}


def load_settings(env_file: str | Path | None = ".env", **overrides: Any) -> Settings:
    """The settings; `overrides` (from the command line) go before the environment, which goes before the file.

    Raises SettingsError that names every bad setting at once.
    """
    problems: list[str] = []
    try:
        given = {key: value for key, value in overrides.items() if value is not None}
        return Settings(_env_file=env_file, **given)  # type: ignore[call-arg]  # an argument of pydantic-settings
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            name = str(item["loc"][0])
            wrong = item["msg"].removeprefix("Value error, ")
            problems.append(f"  {name.upper()}: {wrong}; write {_HINTS.get(name, 'another value')}")
    except (UnicodeDecodeError, OSError) as error:
        problems.append(f"  {env_file}: cannot be read as UTF-8 text ({type(error).__name__})")
    raise SettingsError("these settings need attention:\n" + "\n".join(sorted(set(problems))))
