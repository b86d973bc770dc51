"""The doctor: the invite address, the id in a token, and one line a check, against a stand-in for Discord on this machine."""

import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import discord
import pytest
import yarl
from aiohttp import test_utils, web

from bot.doctor import Finding, application_id_of, examine, invite_url
from bot.pointer import write_pointer
from bot.settings import Settings, load_settings

TOKEN = base64.urlsafe_b64encode(b"123456789012345678").decode().rstrip("=") + ".Gabcde.not-a-real-token"
APPLICATION = {"id": "123456789012345678", "name": "Tama", "flags": 0, "bot_public": True}

StandIn = Callable[..., Awaitable[str]]


# --- without a network ------------------------------------------------------------------------------------------


def test_the_invite_asks_for_exactly_what_is_needed() -> None:
    address = yarl.URL(invite_url(123))
    permissions = discord.Permissions(int(address.query["permissions"]))
    assert {name for name, granted in permissions if granted} == {
        "view_channel",
        "send_messages",
        "send_messages_in_threads",
        "read_message_history",
        "add_reactions",
        "read_messages",  # discord.py's other name for view_channel
    } & {name for name, _ in discord.Permissions.all()}
    assert set(address.query["scope"].split()) == {"bot", "applications.commands"}
    assert (address.host, address.path, address.query["client_id"]) == ("discord.com", "/oauth2/authorize", "123")


@pytest.mark.parametrize("number", [1, 80351110224678912, 123456789012345678, (1 << 64) - 1])
def test_the_application_id_stands_in_the_token(number: int) -> None:
    first = base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")
    assert application_id_of(f"{first}.Gabcde.x") == number


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "x",
        "not-a-token",
        "!!!!.a.b",
        "猫.a.b",
        base64.b64encode(b"tama").decode() + ".a.b",
        base64.b64encode(b"-12").decode() + ".a.b",
        base64.b64encode("１２".encode()).decode() + ".a.b",
        base64.b64encode(b"\xff\xfe").decode() + ".a.b",
        base64.b64encode(b"1" * 5000).decode() + ".a.b",
    ],
    ids=lambda token: token[:12] or "empty",
)
def test_a_bad_token_has_no_application_id(token: str) -> None:
    assert application_id_of(token) is None


# --- the checks -------------------------------------------------------------------------------------------------


@pytest.fixture
async def discord_says() -> AsyncIterator[StandIn]:
    """Start a stand-in that answers the application endpoint with a status and a body; returns the API's address."""
    servers: list[test_utils.TestServer] = []

    async def start(status: int = 200, body: object = APPLICATION, content_type: str = "application/json") -> str:
        async def answer(request: web.Request) -> web.Response:
            if request.headers["Authorization"] != f"Bot {TOKEN}":
                return web.Response(status=401)
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, content_type=content_type)

        app = web.Application()
        app.router.add_get("/api/v10/oauth2/applications/@me", answer)
        server = test_utils.TestServer(app, host="127.0.0.1")
        servers.append(server)
        await server.start_server()
        return str(server.make_url("/api/v10"))

    yield start
    for server in servers:
        await server.close()


async def findings(settings: Settings) -> list[Finding]:
    found = [finding async for finding in examine(settings)]
    assert not any(TOKEN in f"{finding!r}" for finding in found)
    return found


async def about_discord(address: str, token: str = TOKEN) -> list[Finding]:
    """What the doctor finds after checkpoint and device, both of which are sound."""
    settings = load_settings(None, discord_token=token, discord_api_base=address, catbot_device="cpu")
    checkpoint, device, *rest = await findings(settings)
    assert checkpoint.state == device.state == "ok"
    return rest


async def test_all_is_well_and_the_next_step_is_the_invite(discord_says: StandIn) -> None:
    token, intents, following = await about_discord(await discord_says())
    assert (token.state, intents.state, following.state) == ("ok", "ok", "note")
    assert "Tama (123456789012345678)" in token.text
    assert "message content is off" in intents.text
    assert invite_url(123456789012345678) in following.text


@pytest.mark.parametrize("flag", [1 << 18, 1 << 19])
async def test_the_message_content_intent_is_seen(flag: int, discord_says: StandIn) -> None:
    found = await about_discord(await discord_says(body=APPLICATION | {"flags": flag | 1 << 23}))
    assert "message content is on" in found[1].text


async def test_a_bot_that_is_not_public_is_noted(discord_says: StandIn) -> None:
    found = await about_discord(await discord_says(body=APPLICATION | {"bot_public": False}))
    assert Finding("note", "the bot is not public: only you can invite it") in found


async def test_a_slash_at_the_end_of_the_address_does_no_harm(discord_says: StandIn) -> None:
    found = await about_discord(await discord_says() + "/")
    assert found[0].state == "ok"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_says_how_to_get_another(status: int, discord_says: StandIn) -> None:
    (finding,) = await about_discord(await discord_says(status, {"message": "401: Unauthorized", "code": 0}))
    assert finding.state == "bad"
    assert "Reset Token" in finding.text


async def test_another_bots_token_is_refused(discord_says: StandIn) -> None:
    (finding,) = await about_discord(await discord_says(), token="another.token.here")
    assert finding.state == "bad"


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (500, "", "text/plain"),
        (500, json.dumps(APPLICATION), "application/json"),
        (200, "<html>log in to the hotel's network</html>", "text/html"),
        (200, "{", "application/json"),
        (200, "[]", "application/json"),
        (200, "5", "application/json"),
        (200, '{"message": "hello"}', "application/json"),
    ],
)
async def test_an_answer_that_is_not_discords_is_said_in_one_line(
    status: int, body: str, content_type: str, discord_says: StandIn
) -> None:
    address = await discord_says(status, body, content_type)
    (finding,) = await about_discord(address)
    assert finding.state == "bad"
    assert address in finding.text


async def test_nothing_listening_is_said_in_one_line() -> None:
    address = f"http://127.0.0.1:{test_utils.unused_port()}/api/v10"
    (finding,) = await about_discord(address)
    assert finding.state == "bad"
    assert "cannot be reached" in finding.text


async def test_without_a_token_nothing_is_asked(discord_says: StandIn) -> None:
    (finding,) = await about_discord(await discord_says(500, ""), token="")
    assert finding.state == "note"
    assert "DISCORD_TOKEN is not set" in finding.text


# --- checkpoint and device --------------------------------------------------------------------------------------


async def test_the_checkpoint_that_the_next_start_serves_is_named(settings: Settings) -> None:
    (found, *_) = await findings(settings)
    assert re.fullmatch(r"checkpoint: \S+ \([0-9a-f]{12}\), prompt format catbot", found.text)


async def test_a_checkpoint_that_is_missing_is_bad(settings: Settings) -> None:
    (found, *_) = await findings(settings.model_copy(update={"catbot_checkpoint": "mkie"}))
    assert found.state == "bad"
    assert "mkie" in found.text


async def test_the_last_reload_is_what_is_checked(settings: Settings, tmp_path: Path) -> None:
    write_pointer(settings.catbot_data_dir, source=str(tmp_path / "gone"), configured=settings.catbot_checkpoint)
    (found, *_) = await findings(settings)
    assert found.state == "bad"


async def test_a_device_that_is_not_there_is_bad(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = await findings(settings.model_copy(update={"catbot_device": "cuda"}))
    assert found[1].state == "bad"
    assert "use 'auto' or 'cpu'" in found[1].text
