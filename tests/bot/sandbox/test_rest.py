"""The HTTP API by hand and through discord.py: errors, pings, nonces, rate limits, faults."""

from __future__ import annotations

from typing import Any

import aiohttp
import discord
import pytest

from bot.sandbox import Sandbox

from .clients import Api, StartBot


def path(sandbox: Sandbox, channel: str = "general") -> str:
    return f"/channels/{sandbox.world.place(channel).id}/messages"


async def test_bad_token(api: Api) -> None:
    assert await api("GET", "/users/@me", token="wrong") == (401, {"message": "401: Unauthorized", "code": 0})


async def test_unknown_route_is_noticed(api: Api) -> None:
    async with Sandbox() as sandbox:
        status, body = await Api(sandbox, api.session)("GET", "/cats/9")
        assert (status, body) == (404, {"message": "404: Not Found", "code": 0})
        assert sandbox.unknown_routes == ["GET /api/v10/cats/9"]
        assert sandbox.requests[-1].status == 404


async def test_application_and_gateway(sandbox: Sandbox, api: Api) -> None:
    _, application = await api("GET", "/oauth2/applications/@me")
    assert application["owner"]["username"] == "Hana"
    assert application["team"] is None
    _, gateway = await api("GET", "/gateway/bot")
    assert (gateway["url"], gateway["shards"]) == (sandbox.gateway_url, 1)
    assert gateway["session_start_limit"]["max_concurrency"] == 1


@pytest.mark.parametrize(
    ("channel", "body", "status", "code"),
    [
        ("general", {"content": "x" * 2001}, 400, 50035),
        ("general", {"content": " \n"}, 400, 50006),
        ("general", {}, 400, 50006),
        ("general", {"content": "a", "nonce": "n" * 26}, 400, 50035),
        ("general", {"content": "a", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 400, 50035),
        ("general", {"content": "a", "allowed_mentions": {"parse": ["cats"]}}, 400, 50035),
        ("general", {"content": "a", "message_reference": {"message_id": "1"}}, 400, 50035),
        ("read-only", {"content": "a"}, 403, 50013),
        ("hidden", {"content": "a"}, 403, 50001),
    ],
)
async def test_refused_messages(sandbox: Sandbox, api: Api, channel: str, body: dict[str, Any], status: int, code: int) -> None:
    got, answer = await api("POST", path(sandbox, channel), body)
    assert (got, answer["code"]) == (status, code)
    assert sandbox.messages(channel, "owner") == []


async def test_error_bodies_and_unknown_things(sandbox: Sandbox, api: Api) -> None:
    _, body = await api("POST", path(sandbox), {"content": "x" * 2001})
    assert body["errors"]["content"]["_errors"][0]["code"] == "BASE_TYPE_MAX_LENGTH"
    _, body = await api("POST", path(sandbox), {"content": "a", "message_reference": {"message_id": "1"}})
    assert body["errors"]["message_reference"]["_errors"][0]["code"] == "MESSAGE_REFERENCE_UNKNOWN_MESSAGE"
    assert (await api("GET", "/channels/1"))[1]["code"] == 10003
    assert (await api("GET", path(sandbox) + "/1"))[1]["code"] == 10008
    lenient = {"content": "a", "message_reference": {"message_id": "1", "fail_if_not_exists": False}}
    assert (await api("POST", path(sandbox), lenient))[1]["type"] == 0


async def test_direct_messages_can_be_closed(sandbox: Sandbox, api: Api) -> None:
    member = sandbox.world.actor("member")
    _, channel = await api("POST", "/users/@me/channels", {"recipient_id": str(member.id)})
    assert [user["id"] for user in channel["recipients"]] == [str(member.id)]
    member.accepts_dms = False
    status, body = await api("POST", f"/channels/{channel['id']}/messages", {"content": "a"})
    assert (status, body["code"]) == (403, 50007)
    other = {"recipient_id": str(sandbox.world.actor("other-bot").id)}
    assert (await api("POST", "/users/@me/channels", other))[1]["code"] == 50007


async def test_only_own_messages_can_be_edited(sandbox: Sandbox, api: Api) -> None:
    theirs = await sandbox.say("general", "mine")
    status, body = await api("PATCH", f"{path(sandbox)}/{theirs.id}", {"content": "yours"})
    assert (status, body["code"]) == (403, 50005)
    status, body = await api("DELETE", f"{path(sandbox)}/{theirs.id}")
    assert (status, body["code"]) == (403, 50013)


class TestPings:
    """Who is notified follows from the content and from `allowed_mentions`."""

    async def send(self, sandbox: Sandbox, api: Api, content: str, **more: Any) -> Any:
        _, body = await api("POST", path(sandbox), {"content": content, **more})
        return sandbox.world.messages[int(body["id"])]

    async def test_everything_pings_by_default(self, sandbox: Sandbox, api: Api) -> None:
        member = sandbox.world.actor("member").id
        message = await self.send(sandbox, api, f"<@{member}> `<@{sandbox.world.guild.owner_id}>`")
        assert message.pinged == {member}
        assert [user["id"] for user in message.data["mentions"]] == [str(member)]

    async def test_none_pings_nobody(self, sandbox: Sandbox, api: Api) -> None:
        asked = await sandbox.say("general", "hi")
        more = {"allowed_mentions": {"parse": []}, "message_reference": {"message_id": str(asked.id)}}
        message = await self.send(sandbox, api, f"<@{asked.author_id}> @everyone", **more)
        assert (message.pinged, message.data["mentions"], message.data["mention_everyone"]) == (
            set(),
            [],
            False,
        )

    async def test_replied_user_and_named_users(self, sandbox: Sandbox, api: Api) -> None:
        asked = await sandbox.say("general", "hi")
        manager, owner = sandbox.world.actor("manager").id, sandbox.world.actor("owner").id
        allowed = {"parse": [], "users": [str(manager)], "replied_user": True}
        more = {"allowed_mentions": allowed, "message_reference": {"message_id": str(asked.id)}}
        message = await self.send(sandbox, api, f"<@{manager}> <@{owner}>", **more)
        assert message.pinged == {manager, asked.author_id}

    async def test_roles_and_everyone(self, sandbox: Sandbox, api: Api) -> None:
        role = next(iter(sandbox.world.actor_roles("manager")))
        message = await self.send(sandbox, api, f"<@&{role}> @everyone")
        assert message.data["mention_roles"] == [str(role)]
        assert message.pinged == {sandbox.world.actor("manager").id}, "the bot may not mention everyone"
        everyone = await sandbox.say("general", "@here", author="owner")
        assert everyone.pinged == {"everyone"}


async def test_nonce_is_not_sent_twice(api: Api) -> None:
    now = [1_800_000_000.0]
    async with Sandbox(clock=lambda: now[0]) as sandbox:
        send = Api(sandbox, api.session)
        body = {"content": "once", "nonce": "42", "enforce_nonce": True}
        first = (await send("POST", path(sandbox), body))[1]
        again = (await send("POST", path(sandbox), body))[1]
        assert first["id"] == again["id"]
        assert first["nonce"] == "42"
        now[0] += 600
        later = (await send("POST", path(sandbox), body))[1]
        assert later["id"] != first["id"]
        free = {"content": "free", "nonce": "42"}
        assert (await send("POST", path(sandbox), free))[1]["id"] != later["id"]


async def test_history(sandbox: Sandbox, api: Api) -> None:
    said = [await sandbox.say("general", str(number)) for number in range(5)]
    _, found = await api("GET", f"{path(sandbox)}?limit=2")
    assert [message["id"] for message in found] == [str(said[4].id), str(said[3].id)]
    assert {message["content"] for message in found} == {""}, "the content intent covers the HTTP API too"
    _, found = await api("GET", f"{path(sandbox)}?before={said[2].id}")
    assert [message["id"] for message in found] == [str(said[1].id), str(said[0].id)]
    _, found = await api("GET", f"{path(sandbox)}?limit=1&after={said[2].id}")
    assert [message["id"] for message in found] == [str(said[3].id)]
    assert (await api("GET", f"{path(sandbox)}?limit=0"))[0] == 400


async def test_upload(sandbox: Sandbox, start_bot: StartBot) -> None:
    import io

    bot = await start_bot(sandbox)
    channel = bot.get_partial_messageable(sandbox.world.place("general").id)
    sent = await channel.send(file=discord.File(io.BytesIO(b"fish"), "fish.txt"))
    assert [(file.filename, file.size) for file in sent.attachments] == [("fish.txt", 4)]


async def test_typing_is_seen(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    heard: list[str] = []
    sandbox.world.listeners.append(lambda event: heard.append(event.name))
    async with bot.get_partial_messageable(sandbox.world.place("general").id).typing():
        pass
    assert "TYPING_START" in heard


async def test_rate_limit_headers_and_enforcement(api: Api) -> None:
    async with Sandbox(rate_limit=(2, 60.0)) as sandbox:
        headers = {"Authorization": f"Bot {sandbox.token}"}
        seen = []
        for _ in range(3):
            async with api.session.get(sandbox.api_base + "/users/@me", headers=headers) as response:
                seen.append((response.status, response.headers["X-RateLimit-Remaining"]))
                assert response.headers["X-RateLimit-Limit"] == "2"
                assert response.headers["Content-Type"] == "application/json"
        assert seen == [(200, "1"), (200, "0"), (429, "0")]


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_library_waits_for_a_rate_limit(sandbox: Sandbox, start_bot: StartBot, scope: str) -> None:
    await start_bot(sandbox)
    fault = sandbox.faults.rate_limit(0.01, scope=scope, method="POST", path="/messages$")
    asked = await sandbox.say("dm", "hello")
    await sandbox.next_reply("dm", after=asked)
    posts = [asked.status for asked in sandbox.requests if asked.method == "POST"]
    assert (posts, fault.hits) == ([429, 200], 1)


async def test_server_error_and_slow_answer(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.server_error(503)
    assert (await api("GET", "/users/@me"))[0] == 503
    with sandbox.faults.slow(0.01, times=None) as slow:
        assert (await api("GET", "/users/@me"))[0] == 200
    assert (await api("GET", "/users/@me"))[0] == 200
    assert slow.hits == 1


@pytest.mark.parametrize("processed", [False, True])
async def test_dropped_request(sandbox: Sandbox, api: Api, processed: bool) -> None:
    sandbox.faults.drop_request(processed=processed)
    with pytest.raises(aiohttp.ClientError):
        await api("POST", path(sandbox), {"content": "hello"})
    assert len(sandbox.messages("general")) == processed


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "10.0.0.1"])
@pytest.mark.parametrize("where", ["/", "/sandbox/state?as=member", "/api/v10/gateway", "/gateway"])
async def test_other_hosts_are_refused(sandbox: Sandbox, http: Any, host: str, where: str) -> None:
    async with http.get(sandbox.page_url.rstrip("/") + where, headers={"Host": host}) as response:
        assert response.status == 403
        assert "this machine only" in (await response.json())["error"]


async def test_loopback_names_are_served(sandbox: Sandbox, http: Any) -> None:
    for host in ("localhost", f"localhost:{sandbox.port}", "[::1]:80", "127.0.0.1"):
        async with http.get(sandbox.api_base + "/gateway", headers={"Host": host}) as response:
            assert response.status == 200


async def test_websocket_of_another_host_is_refused(sandbox: Sandbox, http: Any) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(sandbox.gateway_url, headers={"Host": "evil.example"})
    assert caught.value.status == 403
