"""Messages with a real discord.py bot: mentions, DMs, intents, replies."""

from __future__ import annotations

import discord
import pytest

from bot.sandbox import Sandbox, SandboxError

from .clients import StartBot


async def test_mention_round_trip(sandbox: Sandbox, start_bot: StartBot) -> None:
    await start_bot(sandbox)
    asked = await sandbox.say("general", "hello", mention=True)
    reply = await sandbox.next_reply("general", after=asked)
    assert reply.content == f"meow <@{sandbox.world.bot.id}> hello"
    assert reply.reply_to == asked.id
    assert reply.pinged == {sandbox.world.bot.id, sandbox.world.actor("member").id} - {sandbox.world.bot.id}


async def test_direct_message(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    asked = await sandbox.say("dm", "hello", author="manager")
    assert (await sandbox.next_reply("dm", after=asked, user="manager")).content == "meow hello"
    assert bot.seen[0].guild is None
    assert sandbox.messages("dm", "member") == []


async def test_thread_and_embedded_author(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    asked = await sandbox.say("thread", "hi", mention=True, author="owner")
    await sandbox.next_reply("thread", after=asked)
    assert isinstance(bot.seen[0].channel, discord.Thread)
    assert isinstance(bot.seen[0].author, discord.Member)
    assert bot.seen[0].author.name == "Hana"


async def test_bots_and_webhooks_look_like_it(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    await sandbox.say("general", "woof", author="other-bot")
    await sandbox.say("general", "parcel", author="webhook")
    await sandbox.wait_for(lambda: len(bot.seen) == 2)
    assert bot.seen[0].author.bot
    assert bot.seen[1].webhook_id == sandbox.world.actor("webhook").id


async def test_content_is_withheld_without_the_intent(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    first = await sandbox.say("general", "secret", attachments=["fish.png"])
    await sandbox.say("general", "see", mention=True, reply_to=first)
    await sandbox.say("general", "last", stickers=["paw"])
    await sandbox.next_reply("general", after=first)
    await sandbox.wait_for(lambda: len(bot.seen) >= 3)
    plain, mention = bot.seen[0], bot.seen[1]
    assert (plain.content, plain.attachments) == ("", [])
    assert mention.content.endswith("see")
    assert mention.reference is not None
    assert isinstance(mention.reference.resolved, discord.Message)
    assert mention.reference.resolved.content == ""
    stickers = [sticker.name for message in bot.seen for sticker in message.stickers]
    assert stickers == ["paw"]


async def test_content_comes_with_the_intent(start_bot: StartBot) -> None:
    intents = discord.Intents.default()
    intents.message_content = True
    async with Sandbox(message_content=True) as sandbox:
        bot = await start_bot(sandbox, intents=intents)
        await sandbox.say("general", "open", attachments=["fish.png"])
        await sandbox.wait_for(lambda: bot.seen)
        assert bot.seen[0].content == "open"
        assert [file.filename for file in bot.seen[0].attachments] == ["fish.png"]
        assert bot.application_flags.gateway_message_content_limited


async def test_events_need_their_intent(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox, intents=discord.Intents(guilds=True, dm_messages=True))
    await sandbox.say("general", "unheard", mention=True)
    await sandbox.say("dm", "heard")
    await sandbox.next_reply("dm")
    assert [message.content for message in bot.seen if not message.author.bot] == ["heard"]


async def test_hidden_channel_is_unseen(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    hidden = sandbox.world.place("hidden")
    await sandbox.say("hidden", "staff", author="manager", mention=True)
    asked = await sandbox.say("dm", "hello")
    await sandbox.next_reply("dm", after=asked)
    assert bot.get_channel(hidden.id) is None
    assert all(message.channel.id != hidden.id for message in bot.seen)
    with pytest.raises(discord.Forbidden, match="50001"):
        await bot.fetch_channel(hidden.id)


async def test_reply_without_ping_is_no_mention(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    asked = await sandbox.say("general", "one", mention=True)
    mine = await sandbox.next_reply("general", after=asked)
    quiet = await sandbox.say("general", "two", reply_to=mine, ping_reply=False)
    loud = await sandbox.say("general", "three", reply_to=mine)
    assert quiet.pinged == set()
    assert loud.pinged == {sandbox.world.bot.id}
    await sandbox.next_reply("general", after=loud)
    contents = {message.id: message.content for message in bot.seen}
    assert contents[quiet.id] == ""
    assert contents[loud.id] == "three"


async def test_members_can_be_asked_for(start_bot: StartBot) -> None:
    intents = discord.Intents.default()
    intents.members = True
    async with Sandbox(members=True) as sandbox:
        bot = await start_bot(sandbox, intents=intents)
        guild = bot.guilds[0]
        assert {member.name for member in guild.members} >= {"Mika", "Ken", "Hana", "catbot", "dogbot"}
        assert [member.name for member in await guild.query_members("Mi")] == ["Mika"]


async def test_edit_delete_and_reactions(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    asked = await sandbox.say("general", "hello", mention=True)
    await sandbox.next_reply("general", after=asked)
    channel = bot.get_partial_messageable(sandbox.world.place("general").id)
    sent = await channel.send("one")
    await sent.edit(content="two")
    await sent.add_reaction("🐾")
    assert (await channel.fetch_message(sent.id)).reactions[0].count == 1
    await sent.remove_reaction("🐾", discord.Object(sandbox.world.bot.id))
    stored = sandbox.world.messages[sent.id]
    assert (stored.content, stored.data["reactions"]) == ("two", [])
    await sent.delete()
    left = [message.content async for message in channel.history(limit=1)]
    assert left[0].startswith("meow")


async def test_actors_edit_and_delete(sandbox: Sandbox, start_bot: StartBot) -> None:
    bot = await start_bot(sandbox)
    heard: list[str] = []

    @bot.listen()
    async def on_message_edit(_: discord.Message, after: discord.Message) -> None:
        heard.append(after.content)

    @bot.listen()
    async def on_message_delete(message: discord.Message) -> None:
        heard.append(f"deleted {message.content}")

    said = await sandbox.say("dm", "one")
    reply = await sandbox.next_reply("dm", after=said)
    await sandbox.edit(said, "two")
    await sandbox.delete(said)
    await sandbox.wait_for(lambda: len(heard) == 2)
    assert heard == ["two", "deleted two"]
    assert sandbox.messages("dm") == [reply]


async def test_actors_are_told_what_they_cannot_do(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="cannot do that in staff-only"):
        await sandbox.say("hidden", "hello")
    with pytest.raises(SandboxError, match="no channel 'garden'"):
        await sandbox.say("garden", "hello")
    with pytest.raises(SandboxError, match="no actor"):
        await sandbox.say("general", "hello", author="dog")
    with pytest.raises(SandboxError, match="empty message"):
        await sandbox.say("general", "  ")


async def test_waiting_says_what_is_missing(sandbox: Sandbox) -> None:
    with pytest.raises(TimeoutError, match=r"No reply in general within .* offline"):
        await sandbox.next_reply("general", timeout=0.01)
