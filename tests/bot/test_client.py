"""The client: what its commands promise Discord, no privileged intents, and commands sent only when they changed."""

import os
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import discord
import pytest
from discord import app_commands

import bot.client
from bot.client import COGS, CatBot, catbot_intents
from bot.cogs.chat import Chat
from bot.replies import ChannelBusy
from bot.settings import DISCORD_API_BASE, Settings
from model import Turn
from model.catspeak import parse
from model.errors import Busy, WorkerFailed

from .discord_objects import AUTHOR, CAT, CAT_ID, Channel, http_error, unconnected_bot
from .replies_of_a_cat import a_reply

OPERATOR, STRANGER = 7, 8


async def payload_of(bot: CatBot, name: str) -> dict[str, Any]:
    return {payload["name"]: payload for payload in await bot.command_payloads()}[name]


# --- definitions ------------------------------------------------------------------------------------------------


async def test_meow_works_in_servers_in_direct_messages_and_as_a_users_own_app(bot: CatBot) -> None:
    meow = await payload_of(bot, "meow")
    assert sorted(meow["contexts"]) == [0, 1, 2]  # server, direct message with the bot, other private channels
    assert sorted(meow["integration_types"]) == [0, 1]  # server install, user install
    assert meow["default_member_permissions"] is None
    assert meow["nsfw"] is False


async def test_meow_needs_no_words(bot: CatBot) -> None:
    message, private = (await payload_of(bot, "meow"))["options"]
    assert (message["type"], message["required"], message["max_length"]) == (3, False, 2000)
    assert (private["type"], private["required"]) == (5, False)


async def test_admin_is_a_group_of_reload_and_status(bot: CatBot) -> None:
    reload, status = (await payload_of(bot, "admin"))["options"]
    assert [(part["name"], part["type"]) for part in (reload, status)] == [("reload", 1), ("status", 1)]
    (checkpoint,) = reload["options"]
    assert (checkpoint["name"], checkpoint["type"], checkpoint["required"]) == ("checkpoint", 3, True)
    assert checkpoint["autocomplete"] is True
    assert status["options"] == []


async def test_admin_can_be_kept_to_one_server(operators_bot: CatBot) -> None:
    everywhere = [payload["name"] for payload in await operators_bot.command_payloads()]
    there = [payload["name"] for payload in await operators_bot.command_payloads(discord.Object(42))]
    assert (everywhere, there) == (["meow"], ["admin"])


async def test_definitions_are_the_same_at_every_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = set()
    for _ in range(2):
        async with unconnected_bot(settings, monkeypatch) as bot:
            hashes.add(await bot._commands_hash(None))
    assert len(hashes) == 1


async def test_all_cogs_load_and_undo_themselves(bot: CatBot) -> None:
    assert sorted(bot.cogs) == ["Admin", "Cat", "Chat"]
    for name in COGS:
        await bot.unload_extension(name)
    assert not bot.cogs
    assert bot.tree.get_commands() == []


# --- the connection ---------------------------------------------------------------------------------------------


def test_no_privileged_intent_is_asked_for() -> None:
    intents = catbot_intents()
    assert [intents.message_content, intents.members, intents.presences] == [False] * 3
    assert intents.guilds
    assert intents.guild_messages
    assert intents.dm_messages


async def test_nobody_is_pinged_by_default(bot: CatBot) -> None:
    allowed: Any = bot.allowed_mentions
    assert (allowed.everyone, allowed.users, allowed.roles, allowed.replied_user) == (False, False, False, False)


@pytest.mark.parametrize("base", [DISCORD_API_BASE, "http://127.0.0.1:8765/api/v10/"])
async def test_the_address_of_the_api_is_the_settings(base: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with unconnected_bot(settings.model_copy(update={"discord_api_base": base}), monkeypatch):
        assert discord.http.Route("GET", "/users/@me").url == base.rstrip("/") + "/users/@me"


async def test_waiting_for_the_model_can_be_given_up(bot: CatBot) -> None:
    waiting = bot.cat()
    assert bot.cat_is_loading
    waiting.cancel()  # type: ignore[attr-defined]
    assert bot.cat_is_loading


async def test_a_cog_that_fails_does_not_stop_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bot.client, "COGS", ("bot.cogs.chat", "bot.cogs.no_such_cog", "bot.cogs.cat"))
    monkeypatch.setattr(CatBot, "_find_gateway", AsyncMock())
    monkeypatch.setattr(CatBot, "sync_commands", AsyncMock(side_effect=http_error(discord.HTTPException, 500)))
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)
    async with CatBot(settings, AsyncMock()) as built:
        await built.setup_hook()
        assert sorted(built.cogs) == ["Cat", "Chat"]
    assert "bot.cogs.no_such_cog could not be loaded" in caplog.text
    assert "the commands could not be synchronised" in caplog.text


# --- synchronising ----------------------------------------------------------------------------------------------


@pytest.fixture
def tree(bot: CatBot, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bot's command tree, with Discord's side of it: `sync` sends, `fetch_commands` says what Discord has."""
    monkeypatch.setattr(bot._connection, "application_id", CAT_ID)
    there: list[SimpleNamespace] = []

    async def send(*, guild: discord.Object | None) -> None:
        there[:] = [SimpleNamespace(name=command.name) for command in bot.tree.get_commands(guild=guild)]

    monkeypatch.setattr(bot.tree, "sync", AsyncMock(spec=bot.tree.sync, side_effect=send))
    monkeypatch.setattr(bot.tree, "fetch_commands", AsyncMock(spec=bot.tree.fetch_commands, return_value=there))
    return bot.tree


async def test_commands_are_sent_once_and_then_only_when_asked(bot: CatBot, tree: Any) -> None:
    assert await bot.sync_commands() is True
    assert await bot.sync_commands() is False
    assert tree.sync.await_count == 1
    assert await bot.sync_commands(force=True) is True
    assert tree.sync.await_count == 2


async def test_a_changed_command_is_sent(bot: CatBot, tree: Any) -> None:
    await bot.sync_commands()
    tree.get_command("meow").description = "Talk to a cat"
    assert await bot.sync_commands() is True


async def test_commands_that_discord_lost_are_sent_again(bot: CatBot, tree: Any) -> None:
    await bot.sync_commands()
    tree.fetch_commands.return_value = []
    assert await bot.sync_commands() is True


@pytest.mark.parametrize("content", ["0" * 64, "", "\udcff\udcfe"], ids=["other", "empty", "not text"])
async def test_a_damaged_memory_of_what_was_sent_only_costs_sending(content: str, bot: CatBot, tree: Any) -> None:
    await bot.sync_commands()
    bot._hash_path(None).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert await bot.sync_commands() is True
    assert await bot.sync_commands() is False


async def test_a_data_folder_that_cannot_be_written_is_logged(bot: CatBot, tree: Any, caplog: pytest.LogCaptureFixture) -> None:
    bot.settings.catbot_data_dir.write_text("a file in the way", "utf-8")
    assert await bot.sync_commands() is True
    assert "the data folder cannot be written" in caplog.text


async def test_admins_own_server_is_synchronised_too(operators_bot: CatBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators_bot._connection, "application_id", CAT_ID)
    sync = AsyncMock(spec=operators_bot.tree.sync)
    monkeypatch.setattr(operators_bot.tree, "sync", sync)
    await operators_bot.sync_commands()
    guilds = [call.kwargs["guild"] for call in sync.await_args_list]
    assert [guild and guild.id for guild in guilds] == [None, 42]


# --- errors of commands -----------------------------------------------------------------------------------------


def interaction(*, locale: str = "en-US", user: int = STRANGER, answered: bool = False) -> Any:
    mock = create_autospec(discord.Interaction, instance=True)
    mock.id, mock.locale, mock.command, mock.user = 55, discord.Locale(locale), None, SimpleNamespace(id=user)
    mock.type = discord.InteractionType.application_command
    mock.response = create_autospec(discord.InteractionResponse, instance=True)
    mock.response.is_done.return_value = answered
    mock.followup = create_autospec(discord.Webhook, instance=True)
    return mock


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(("locale", "language"), [("ja", "ja"), ("de", "en")])
async def test_a_command_that_fails_shrugs_in_the_members_language_for_them_alone(
    answered: bool, locale: str, language: Any, bot: CatBot, caplog: pytest.LogCaptureFixture
) -> None:
    asked = interaction(locale=locale, answered=answered)
    await bot.tree.on_error(asked, app_commands.AppCommandError("/secret/path"))
    send = asked.followup.send if answered else asked.response.send_message
    send.assert_awaited_once()
    assert parse(send.await_args.args[0], language)
    assert send.await_args.kwargs["ephemeral"] is True
    assert "/secret/path" in caplog.text


async def test_a_failed_check_has_answered_already(bot: CatBot) -> None:
    asked = interaction()
    await bot.tree.on_error(asked, app_commands.CheckFailure())
    asked.response.send_message.assert_not_called()


async def test_a_shrug_that_cannot_be_sent_is_no_second_error(bot: CatBot) -> None:
    asked = interaction()
    asked.response.send_message.side_effect = http_error(discord.NotFound, 404)
    await bot.tree.on_error(asked, app_commands.AppCommandError("x"))
    asked.response.send_message.assert_awaited_once()


# --- who may use /admin -----------------------------------------------------------------------------------------


async def test_operators_are_the_owner_and_the_ids_of_the_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = settings.model_copy(update={"catbot_operator_ids": [OPERATOR]})
    async with unconnected_bot(changed, monkeypatch) as bot:
        bot.owner_id = 1
        people: list[Any] = [SimpleNamespace(id=user) for user in (1, OPERATOR, STRANGER)]
        found = [await bot.is_operator(person) for person in people]
    assert found == [True, True, False]


async def test_others_read_that_it_is_not_for_them(bot: CatBot) -> None:
    bot.owner_id = 1
    admin: Any = bot.get_cog("Admin")
    asked = interaction(locale="ja")
    assert await admin.interaction_check(asked) is False
    asked.response.send_message.assert_awaited_once_with("これはこのボットの運用者だけが使えます。", ephemeral=True)


async def test_others_get_no_suggestions_and_no_message(bot: CatBot) -> None:
    bot.owner_id = 1
    admin: Any = bot.get_cog("Admin")
    asked = interaction()
    asked.type = discord.InteractionType.autocomplete
    assert await admin.interaction_check(asked) is False
    asked.response.send_message.assert_not_called()


@pytest.mark.parametrize(("typed", "shown"), [("", ["bundled", "Mike", "tama"]), ("MI", ["Mike"]), ("x", [])])
async def test_suggestions_are_the_local_checkpoints(
    typed: str, shown: list[str], bot: CatBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot, "is_operator", AsyncMock(return_value=True))
    for age, name in enumerate(("Mike", "tama")):
        folder = bot.settings.catbot_checkpoints_dir / name
        folder.mkdir(parents=True)
        (folder / "catbot.json").write_text("{}", "utf-8")
        os.utime(folder, (1000 - age, 1000 - age))
    admin: Any = bot.get_cog("Admin")
    choices = await admin._checkpoints(interaction(), typed)
    assert [(choice.name, choice.value) for choice in choices] == [(name, name) for name in shown]


async def test_no_more_suggestions_than_discord_takes(bot: CatBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "is_operator", AsyncMock(return_value=True))
    for number in range(40):
        folder = bot.settings.catbot_checkpoints_dir / f"{number}{'x' * 120}"
        folder.mkdir(parents=True)
        (folder / "catbot.json").write_text("{}", "utf-8")
    admin: Any = bot.get_cog("Admin")
    choices = await admin._checkpoints(interaction(), "")
    assert len(choices) == 25
    assert all(len(choice.name) <= 100 and len(str(choice.value)) <= 100 for choice in choices)


# --- which messages are for the cat -----------------------------------------------------------------------------


@pytest.fixture
def chat(bot: CatBot) -> Chat:
    bot._connection.user = discord.ClientUser(state=bot._connection, data=CAT)  # type: ignore[arg-type]
    cog = bot.get_cog("Chat")
    assert cog is not None
    return cog  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        ({"mentions": [CAT]}, True),
        ({"mentions": [CAT], "type": 19}, True),
        ({"mentions": []}, False),
        ({"mentions": [AUTHOR]}, False),
        ({"mentions": [], "mention_everyone": True}, False),
        ({"mentions": [CAT], "author": AUTHOR | {"bot": True}}, False),
        ({"mentions": [CAT], "author": CAT}, False),
        ({"mentions": [CAT], "webhook_id": "77"}, False),
        ({"mentions": [CAT], "type": 6}, False),
        ({"mentions": [CAT], "type": 7}, False),
    ],
    ids=["mention", "reply", "neither", "another", "everyone", "bot", "itself", "webhook", "pin", "join"],
)
async def test_who_is_answered_in_a_server(message: dict[str, Any], answered: bool, chat: Chat) -> None:
    assert chat.is_for_the_cat(Channel().message("hi", **message)) is answered


@pytest.mark.parametrize(
    ("message", "answered"), [({}, True), ({"author": CAT}, False), ({"type": 3}, False)], ids=["anybody", "itself", "call"]
)
async def test_who_is_answered_in_a_direct_message(message: dict[str, Any], answered: bool, chat: Chat) -> None:
    assert chat.is_for_the_cat(Channel(direct=True).message("hi", **message)) is answered


async def test_a_message_that_comes_twice_is_answered_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = create_autospec(chat.answer)
    monkeypatch.setattr(chat, "answer", answer)
    here = Channel(direct=True)
    for number in ("1", "1", "2", "1"):
        await chat.on_message(here.message("hi", id=number))
    assert [call.args[0].id for call in answer.await_args_list] == [1, 2]


async def test_the_memory_of_answered_messages_is_bounded(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "answer", create_autospec(chat.answer))
    monkeypatch.setattr(sys.modules["bot.cogs.chat"], "_REMEMBERED", 10)  # the extension as it was loaded
    here = Channel(direct=True)
    for number in range(1, 31):
        await chat.on_message(here.message("hi", id=str(number)))
    assert len(chat._seen) <= 10


@pytest.mark.parametrize(
    ("error", "reaction"), [(ChannelBusy("full"), "💤"), (Busy("full"), "😿"), (WorkerFailed("out of yarn"), "😿")]
)
async def test_a_message_without_an_answer_gets_a_reaction_and_no_words(
    error: Exception, reaction: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.bot.replier, "reply", AsyncMock(side_effect=error))
    here = Channel(direct=True)
    await chat.answer(here.message("hi", id="1"))
    here.http.add_reaction.assert_called_once_with(5, 1, reaction)
    here.http.send_message.assert_not_called()


async def test_where_the_cat_may_not_speak_it_is_silent(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.bot.replier, "reply", AsyncMock(return_value=a_reply("ﾆｬｰ")))
    here = Channel(direct=True)
    here.http.send_message.side_effect = http_error(discord.Forbidden, 403)
    await chat.answer(here.message("hi"))
    here.http.add_reaction.assert_not_called()
    assert chat.bot.replier.conversations.turns(5, 0.0) == []


async def test_what_was_said_is_remembered_once_it_is_posted(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.bot.replier, "reply", AsyncMock(return_value=a_reply("ﾆｬｰ")))
    await chat.answer(Channel(direct=True).message("ご飯だよ"))
    assert chat.bot.replier.conversations.turns(5, 0.0) == [Turn("user", "ご飯だよ"), Turn("cat", "ﾆｬｰ")]
