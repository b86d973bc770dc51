"""The chat page's routes: state, messages, commands, events, and what they refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.sandbox import Sandbox

from .clients import TIMEOUT, Connect, StartBot

Json = dict[str, Any]


class Page:
    """What the browser would ask for."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.base = sandbox.page_url + "sandbox/"
        self.session = session
        self.streams: list[aiohttp.ClientResponse] = []

    async def get(self, path: str) -> Any:
        async with self.session.get(self.base + path) as response:
            return await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        async with self.session.post(self.base + path, json=body) as response:
            return await response.json()

    async def events(self, key: str) -> Events:
        self.streams.append(await self.session.get(f"{self.base}events?as={key}"))
        return Events(self.streams[-1])


class Events:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self, kind: str, **fields: Any) -> Json:
        """The data of the next event of a type whose fields are as given."""
        async with asyncio.timeout(TIMEOUT):
            async for line in self.response.content:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    if event["t"] == kind and fields.items() <= event["d"].items():
                        return dict(event["d"])
        raise AssertionError(f"the stream ended without {kind} {fields}")


@pytest.fixture
async def page(sandbox: Sandbox, http: aiohttp.ClientSession) -> AsyncIterator[Page]:
    page = Page(sandbox, http)
    yield page
    for stream in page.streams:
        stream.close()


async def test_state(sandbox: Sandbox, page: Page) -> None:
    state = await page.get("state?as=member")
    assert state["bot"] == {"id": str(sandbox.world.bot.id), "username": "catbot", "online": False}
    assert [actor["key"] for actor in state["actors"]] == ["member", "manager", "owner"]
    kinds = {channel["key"]: channel["kind"] for channel in state["channels"]}
    assert kinds == {
        "general": "text",
        "nap-room": "text",
        "thread": "thread",
        "read-only": "text",
        "dm": "dm",
    }
    assert "hidden" in {channel["key"] for channel in (await page.get("state?as=manager"))["channels"]}


async def test_talking(sandbox: Sandbox, page: Page, start_bot: StartBot) -> None:
    events = await page.events("member")
    await start_bot(sandbox)
    assert await events.next("BOT_STATE") == {"online": True}
    general = sandbox.world.place("general").id
    content = f"<@{sandbox.world.bot.id}> hello"
    said = await page.post(f"channels/{general}/messages", **{"as": "member"}, content=content)
    assert (said["author"]["username"], said["reactions"], said["referenced_message"]) == ("Mika", [], None)
    reply = await events.next("MESSAGE_CREATE", channel_id=str(general), content=f"meow {content}")
    assert reply["referenced_message"]["id"] == said["id"]
    listed = await page.get(f"channels/{general}/messages?as=owner")
    assert [message["id"] for message in listed] == [said["id"], reply["id"]]
    answer = await page.post(
        f"channels/{general}/messages", **{"as": "owner"}, content="", reply_to=reply["id"], stickers=["paw"]
    )
    assert answer["sticker_items"][0]["name"] == "paw"


async def test_commands_and_interactions(sandbox: Sandbox, page: Page, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    events = await page.events("member")
    general = str(sandbox.world.place("general").id)
    offered = await page.get(f"commands?as=member&channel={general}")
    assert "purr" in {made["name"] for made in offered}
    assert "admin" not in {made["name"] for made in offered}
    who = {"as": "member", "channel": general}
    options = [{"name": "message", "type": 3, "value": "pr"}]
    started = await page.post("interactions", **who, command="purr", options=options)
    await events.next("INTERACTION_STATE", id=started["id"], state="pending")
    await events.next("INTERACTION_STATE", id=started["id"], state="answered")
    whisper = await page.post("interactions", **who, command="whisper", options=[])
    assert (await events.next("MESSAGE_CREATE", content="psst"))["interaction_metadata"]["name"] == "whisper"
    assert (await events.next("INTERACTION_STATE", id=whisper["id"], state="answered"))["ephemeral"]
    typing = [{"name": "toy", "type": 3, "value": "s", "focused": True}]
    found = await page.post("autocomplete", **who, command="fetch", options=typing)
    assert found == {"choices": [{"name": "string", "value": "string"}]}
    manager = {"as": "manager", "channel": general}
    nested = [{"name": "reload", "type": 1, "options": []}]
    assert "id" in await page.post("interactions", **manager, command="admin", options=nested)


async def test_secrets_stay_with_their_reader(sandbox: Sandbox, page: Page, start_bot: StartBot) -> None:
    await start_bot(sandbox, sync=True)
    events = await page.events("owner")
    await (await sandbox.command("whisper")).final()
    await sandbox.say("dm", "private", author="member")
    await sandbox.say("general", "public")
    heard = await events.next("MESSAGE_CREATE")
    assert heard["content"] == "public"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "state?as=dog", None),
        ("GET", "events?as=dog", None),
        ("GET", "channels/1/messages?as=member", None),
        ("POST", "channels/1/messages", {"as": "member", "content": "a"}),
        ("POST", "interactions", {"as": "member", "channel": "general", "command": "nothing"}),
        ("POST", "autocomplete", {"as": "member", "channel": "general", "command": "nothing"}),
        ("POST", "interactions", ["no object"]),
    ],
)
async def test_mistakes_are_explained(page: Page, method: str, path: str, body: Any) -> None:
    async with page.session.request(method, page.base + path, json=body) as response:
        assert response.status == 400
        assert len((await response.json())["error"]) > 10


async def test_other_origins_are_refused(sandbox: Sandbox, page: Page) -> None:
    own = f"http://127.0.0.1:{sandbox.port}"
    for origin, status in (
        (own, 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
    ):
        async with page.session.get(page.base + "state?as=member", headers={"Origin": origin}) as response:
            assert response.status == status


async def test_files_stay_in_their_folder(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    for name in ("..%2Fserver.py", "nothing.js", "..%2f..%2fsandbox%2f__init__.py"):
        async with http.get(f"{sandbox.page_url}static/{name}") as response:
            assert response.status == 404


async def test_offline_bot_is_shown(page: Page, raw_gateway: Connect) -> None:
    events = await page.events("owner")
    gateway = await raw_gateway()
    await gateway.identify()
    assert await events.next("BOT_STATE") == {"online": True}
    await gateway.ws.close()
    assert await events.next("BOT_STATE") == {"online": False}
